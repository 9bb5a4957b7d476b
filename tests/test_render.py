"""A detection into a mail."""

import re
import traceback
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from botalert import __version__
from botalert.detect import Alert, Detection
from botalert.loader import template_environment
from botalert.match import Condition, Signal, Text
from botalert.model import Hit, Mailbox, Recipients
from botalert.render import (
    Letterhead,
    TemplateError,
    alert_variables,
    environment,
    harmless,
    render_alert,
)
from botalert.sample import SOURCE, sample_alert
from botalert.tally import Tally
from botalert.words import signal_words

NOW = datetime(2026, 11, 21, 6, 25, tzinfo=UTC)
SIGNAL = Signal("smtp", ())
RECIPIENTS = Recipients(
    Mailbox("", "firewall@mx.example"),
    (Mailbox("", "admin@mx.example"),),
    (Mailbox("", "copy@mx.example"),),
    (Mailbox("Hidden Name", "hidden@mx.example"),),
)
HEAD = Letterhead(RECIPIENTS, NOW, "fw1", ZoneInfo("Europe/Paris"))
TEMPLATES = template_environment("/nowhere")
MESSAGE_ID = "<7a6c1b0e.botalert@mx.example>"
KINDS = ("subject", "txt", "html")


def alert(source: str = "192.168.1.10", *lines: str, **about: object) -> Alert:
    tally = Tally()
    for line in lines or ("a line",):
        fields = {"destination": "198.51.100.52", "port": "25", "interface": "eth1", "mac": None}
        tally.add(Hit("smtp", source, NOW, **{**fields, **about}, repeat=1, line=line))
    return Alert(Detection("smtp", source, tally), MESSAGE_ID, None)


def arrived(message: EmailMessage) -> EmailMessage:
    """Write and read *message*, as a mail program does."""
    read = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


def rendered(about: Alert, head: Letterhead = HEAD, **more: str) -> EmailMessage:
    return arrived(render_alert(TEMPLATES, about, SIGNAL, head, **more))


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text


def test_mail_has_its_headers_and_no_others() -> None:
    """Each once, the time in the configured zone, and nobody of Bcc anywhere."""
    message = render_alert(TEMPLATES, alert(), SIGNAL, HEAD)
    headers = {name: value for name, value in arrived(message).items() if name != "Content-Type"}
    assert headers == {
        "Subject": "[botalert] 192.168.1.10 set off smtp: 1 packet to 1 address",
        "From": "firewall@mx.example",
        "To": "admin@mx.example",
        "Cc": "copy@mx.example",
        "Date": "Sat, 21 Nov 2026 07:25:00 +0100",
        "Message-ID": MESSAGE_ID,
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
    }
    assert b"idden" not in message.as_bytes()


def test_message_id_is_the_alerts_own_whatever_its_length() -> None:
    """A repeated attempt has the same, also where it is longer than a line."""
    long = f"<{'7' * 36}.botalert@{'a' * 60}.{'b' * 60}.example>"
    about = Alert(alert().detection, long, None)
    for _ in range(2):
        message = render_alert(TEMPLATES, about, SIGNAL, HEAD)
        assert f"Message-ID: {long}\n" in message.as_string()


def test_text_names_machine_deed_time_and_evidence() -> None:
    """What an administrator has to know stands in both parts."""
    mail = rendered(alert("192.168.1.10", "the first line", "the second line"))
    for kind in ("plain", "html"):
        text = body(mail, kind)
        for fact in (
            "192.168.1.10",
            "smtp",
            "2 packets",
            "Sat 21 Nov 2026, 07:25:00 CET",
            "198.51.100.52",
            "eth1",
            "the first line",
            "the second line",
            "botalert forget --signal smtp -- 192.168.1.10",
        ):
            assert fact in text


def test_text_breaks_no_name_at_its_hyphens() -> None:
    """A name of two halves, on two lines, is found by no search."""
    names = [f"br-{room}-{number}" for room in ("kitchen", "attic") for number in "12345678"]
    about = alert()
    tally = about.detection.tally
    tally.interfaces = tuple(names)
    lan = Condition("IN", tuple(Text(name) for name in names), (), "@lan")
    mail = arrived(render_alert(TEMPLATES, about, SIGNAL._replace(conditions=(lan,)), HEAD))
    for name in names:
        assert len(re.findall(rf"(?<!\S){name}(?![\w-])", body(mail, "plain"))) == 2


def test_variables_are_the_detections_facts() -> None:
    """A template gets every fact by the name that botalert.conf(5) has for it."""
    variables = alert_variables(alert(mac="02:00:c0:a8:01:0a"), SIGNAL, HEAD)
    moment = NOW.astimezone(HEAD.zone)
    assert variables == {
        "signal": "smtp",
        "asks": signal_words(SIGNAL),
        "severity": "medium",
        "description": "",
        "advice": "",
        "realert": "",
        "source": "192.168.1.10",
        "name": "",
        "vendor": "",
        "packets": 1,
        "first_seen": moment,
        "last_seen": moment,
        "destinations": [("198.51.100.52", 1)],
        "destination_count": 1,
        "destinations_estimated": False,
        "ports": [("25", 1)],
        "port_count": 1,
        "ports_estimated": False,
        "interfaces": ["eth1"],
        "macs": ["02:00:c0:a8:01:0a"],
        "evidence": ["a line"],
        "machine": "fw1",
        "now": moment,
        "version": __version__,
    }
    assert variables["first_seen"].tzinfo == HEAD.zone


def test_detection_without_times_ports_and_destinations_has_a_mail() -> None:
    """What a custom pattern does not tell is left out, not made up."""
    tally = Tally()
    tally.add(Hit("smtp", "a machine", None, None, None, None, None, 1, "a line"))
    mail = rendered(Alert(Detection("smtp", "a machine", tally), MESSAGE_ID, None))
    assert mail["Subject"] == "[botalert] a machine set off smtp: 1 packet"
    for word in ("Since", "Towards", "Port", "None"):
        assert word not in body(mail, "plain")
    assert "botalert forget --signal smtp -- 'a machine'" in body(mail, "plain")


NAMES = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=80)
ADDRESSES = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8})?@[a-z]{1,8}\.example", fullmatch=True)
MAILBOXES = st.lists(
    # A name that is an encoded word already is the administrator's wish.
    st.builds(Mailbox, NAMES.map(str.strip).filter(lambda name: "=?" not in name), ADDRESSES),
    min_size=1,
    max_size=5,
)


@given(MAILBOXES)
def test_recipients_of_any_names_arrive_each_whole(boxes: list[Mailbox]) -> None:
    """Commas, quotes and other alphabets in a name neither lose nor join recipients."""
    recipients = Recipients(boxes[0], tuple(boxes))
    head = Letterhead(recipients, NOW, "fw1", HEAD.zone)
    written = render_alert(TEMPLATES, alert(), SIGNAL, head).as_bytes()
    # Read as RFC 5322 and 2047 have it: split at commas first, decoded then.
    to = re.search(rb"^To: (.*?)\n(?! )", written, re.MULTILINE | re.DOTALL)
    assert to is not None
    found = []
    for entry in re.split(r",\n ", to[1].decode("ascii")):
        name, _, address = entry.rpartition(" ")
        decoded = str(make_header(decode_header(name.replace("\n", ""))))
        if decoded.startswith('"') and name.startswith('"'):
            decoded = re.sub(r"\\(.)", r"\1", decoded[1:-1])
        found.append((decoded.strip(), address.strip().strip("<>")))
    assert found == [(box.name, box.address) for box in boxes]
    read = message_from_bytes(written, policy=policy.default)
    assert [box.addr_spec for box in read["To"].addresses] == [box.address for box in boxes]


HOSTILE = [
    "=?utf-8?q?x=0D=0ABcc:_evil@mx.example?=",
    "=?utf-8?b?DQoNCmJvZHk=?=",
    "x\r\nBcc: evil@mx.example",
    "x\n\nbody",
    "x\x85Bcc: evil@mx.example",
    "x\u2028Bcc: evil@mx.example",
    "\x1b]0;title\x07",
    "\u202edrawkcab",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "'; reboot; '",
    "y" * 5000,
    "é" * 5000,
    "\udcff\ud800",
    "\x00",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_source_becomes_no_header(text: str) -> None:
    """Whatever a custom pattern takes for a source is one harmless text in the subject."""
    assert_harmless(text)


@given(st.text())
def test_no_source_becomes_a_header(text: str) -> None:
    """Nor does any other text."""
    assert_harmless(text)


def assert_harmless(text: str) -> None:
    message = render_alert(TEMPLATES, alert(text, text, destination=text, mac=text), SIGNAL, HEAD)
    written = message.as_bytes()
    lines = written.split(b"\n")
    assert all(line.isascii() and len(line) <= 998 and b"\r" not in line for line in lines)
    mail = arrived(message)
    assert sorted(mail.keys()) == sorted(
        "Subject From To Cc Date Message-ID Auto-Submitted MIME-Version Content-Type".split()
    )
    shown = " ".join(harmless(text).split())
    assert mail["Subject"].startswith("[botalert] ")
    assert "".join(shown.split()) in "".join(mail["Subject"].split())
    for kind in ("plain", "html"):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]", body(mail, kind))
    assert "<script" not in body(mail, "html")


def test_evidence_is_readable_as_stored() -> None:
    """Plain log lines are neither broken nor encoded: a mail can be searched with grep."""
    line = "Nov 20 23:58:33 fw1 kernel: " + "x" * 300 + " SRC=192.168.1.10"
    written = render_alert(TEMPLATES, alert("192.168.1.10", line), SIGNAL, HEAD).as_string()
    assert written.count(f"{line}\n") == 1


def test_mark_goes_before_the_subject() -> None:
    """A sample says that it is one, there and in its evidence."""
    sample = sample_alert(SIGNAL, MESSAGE_ID, NOW)
    mail = rendered(sample, mark="[sample] ")
    assert mail["Subject"].startswith(f"[sample] [botalert] {SOURCE} set off smtp: ")
    assert "THIS IS A SAMPLE" in body(mail, "plain")


FAULTS = {
    "{% if %}": "TemplateSyntaxError: ",
    "{{ packtes }}": "UndefinedError: 'packtes' is undefined",
    "{{ source.colour }}": "UndefinedError: ",
    "{{ 1 / 0 }}": "ZeroDivisionError: division by zero",
    "{{ source + 1 }}": "TypeError: ",
    "{% include 'nothing' %}": "TemplateNotFound: ",
    "{{ source | colour }}": "No filter named 'colour'",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_template_error_names_its_file_and_line(tmp_path: Path, kind: str, fault: str) -> None:
    """Whatever is wrong with it, the administrator learns where."""
    template = tmp_path / f"own.{kind}"
    template.write_text(f"first\nsecond\n{fault}\n")
    templates = template_environment(str(tmp_path))
    with pytest.raises(TemplateError) as caught:
        render_alert(templates, alert(), Signal("smtp", (), "own"), HEAD)
    told = str(caught.value)
    assert told.startswith(f"{template}:3: the template has an error: ")
    assert FAULTS[fault] in told
    assert told.endswith("Mend it, or remove it to use the shipped one.")
    assert "\n" not in told


def test_template_that_is_no_text_is_named(tmp_path: Path) -> None:
    """A file in another encoding than UTF-8 is told by its path and line."""
    template = tmp_path / "alert.txt"
    template.write_bytes("first\nschön".encode("latin-1"))
    with pytest.raises(TemplateError) as caught:
        render_alert(template_environment(str(tmp_path)), alert(), SIGNAL, HEAD)
    assert str(caught.value).startswith(f"{template}:2: the template has an error: Template")
    assert "not UTF-8" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_template_that_writes_half_a_character_is_named(tmp_path: Path, kind: str) -> None:
    """No mail could carry it."""
    template = tmp_path / f"alert.{kind}"
    template.write_text(r'{{ "\ud800" }}')
    with pytest.raises(TemplateError) as caught:
        render_alert(template_environment(str(tmp_path)), alert(), SIGNAL, HEAD)
    assert str(caught.value).startswith(f"{template}: the template has an error: UnicodeEncode")


def test_error_in_a_template_keeps_its_cause() -> None:
    """What jinja2 raised stays visible to whoever looks for it."""
    templates = environment(jinja2.DictLoader({"alert.subject": "{{ nothing }}"}))
    with pytest.raises(TemplateError) as caught:
        render_alert(templates, alert(), SIGNAL, HEAD)
    assert isinstance(caught.value.__cause__, jinja2.UndefinedError)
    assert traceback.format_exception(caught.value)


def test_log_text_is_never_a_template() -> None:
    """Braces in a line are shown as braces."""
    mail = rendered(alert("192.168.1.10", "{{ 7 * 7 }} {% raw %}"))
    for kind in ("plain", "html"):
        assert "{{ 7 * 7 }} {% raw %}" in body(mail, kind)


def test_what_a_signal_says_of_itself_stands_in_the_mail() -> None:
    """In both parts; a long address stays whole, for people to follow."""
    page = f"https://example.org/{'a-long-word/' * 10}index.html"
    signal = SIGNAL._replace(severity="critical", description="It is <bad>.", advice=f"See {page}")
    mail = arrived(render_alert(TEMPLATES, alert(), signal, HEAD))
    assert mail["Subject"].startswith("[botalert] critical: 192.168.1.10 set off smtp: ")
    text, html = body(mail, "plain"), body(mail, "html")
    for part in (text, html):
        assert "critical" in part
        assert page in part
        assert "What to do:" in part
    assert "It is <bad>." in text
    assert "It is &lt;bad&gt;." in html


def test_what_a_signal_does_not_say_leaves_no_gap() -> None:
    """Without severity, description and advice of its own."""
    text = body(rendered(alert()), "plain")
    assert text.startswith('192.168.1.10 set off the signal "smtp".\n\n  Severity    medium\n')
    assert "What to do" not in text
    assert "\n\n\n" not in text
