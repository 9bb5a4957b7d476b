"""
The documents say what is so: options, fields, variables, statuses, examples, mails.

The mails under tests/data/alerts are renewed by a run with BOTALERT_RENEW=1.
"""

import argparse
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

import botalert
from botalert import errors
from botalert.cli.arguments import EXIT_STATUSES, argument_parser
from botalert.cli.output import _HEADINGS, DETECTION_COLUMNS
from botalert.config import load
from botalert.config.library import library
from botalert.config.options import DERIVED_FIELDS, FIELDS, OPTIONS, SIGNAL
from botalert.detect import Alert, Detection
from botalert.loader import template_environment
from botalert.match import REFUSED, Condition, Range, Signal, Text
from botalert.model import Hit, Identity, Mailbox, Recipients
from botalert.render import Letterhead, alert_variables, render_alert
from botalert.tally import Tally
from botalert.threshold import threshold_words
from botalert.words import signal_words
from tests.real import need

ROOT = Path(__file__).resolve().parents[1]
ALERTS = ROOT / "tests" / "data" / "alerts"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("botalert.8", "botalert.conf.5", "botalert-signals.7")

_script = runpy.run_path(str(ROOT / "docs" / "build_man.py"))
_page: Callable[[str], str] = _script["page"]
_shipped_signals: Callable[[], tuple[Signal, ...]] = _script["shipped_signals"]


def plain(mdoc: str) -> str:
    """Give a page's text without the escapes of mdoc."""
    for written, meant in (
        (r"\&", ""),
        (r"\-", "-"),
        (r"\(dq", '"'),
        (r"\(aq", "'"),
        (r"\e", "\\"),
    ):
        mdoc = mdoc.replace(written, meant)
    return mdoc


PROGRAM, CONFIGURATION, SIGNALS = (plain(_page(name)) for name in PAGES)


def items(page: str, macro: str = "It") -> dict[str, str]:
    """Give the items of a page's lists, each with what stands below it."""
    parts = re.split(rf"^\.{macro} (.*)$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


# The configuration.


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_option_is_documented_with_its_default(option: Any) -> None:
    """botalert.conf(5) has each option under where it may stand, with its default."""
    where = "a signal's section" if option.section == SIGNAL else f"[{option.section}]"
    section = next(
        text
        for heading, text in items(CONFIGURATION, "Ss").items()
        if heading == f"Options in {where}"
    )
    text = items(section)[f"Li {option.name} : Ar {option.kind}"]
    assert option.meaning.split()[1] in text
    if option.default:
        assert f"Default:\n.Li {option.default}\n" in text


def described(page: str, macro: str) -> set[str]:
    """Give the names of a page's items that are written by *macro*."""
    found: set[str] = set()
    for item in items(page):
        if item.startswith(f"{macro} "):
            names = item.removeprefix(f"{macro} ").partition(" No ")[0]
            found.update(names.split(" , "))
    return found


@pytest.mark.parametrize("field", [*FIELDS, *DERIVED_FIELDS])
def test_field_is_documented(field: str) -> None:
    """botalert.conf(5) has each field that may be a condition."""
    assert field in described(CONFIGURATION, "Li")


def test_no_other_field_is_documented() -> None:
    """botalert.conf(5) has no field that does not exist."""
    fields = {name for name in described(CONFIGURATION, "Li") if name == name.upper()}
    assert {*FIELDS, *DERIVED_FIELDS} == fields


def test_shipped_configuration_has_no_faults() -> None:
    """The configuration that is installed can be read and mailed by."""
    config = load(str(ROOT / "botalert.conf"), mails=True)
    assert config.signal_names == library().sets["@default"]
    assert config.recipients is not None
    assert config.recipients.addresses == ("you@yourdomain",)


def told(text: str) -> str:
    """Give *text* without line breaks, as the pages and their sources are compared."""
    return " ".join(text.split())


@pytest.mark.parametrize("signal", _shipped_signals(), ids=lambda signal: signal.name)
def test_shipped_signal_is_documented(signal: Signal) -> None:
    """botalert-signals(7) has each, with what, how many, why, what is harmless, and a source."""
    [(heading, text)] = [
        item for item in items(SIGNALS).items() if item[0].startswith(f"Li {signal.name} ")
    ]
    expected = signal_words(signal)
    for part in (
        f"{expected[0].upper()}{expected[1:]}.",
        signal.description,
        f"What to do: {signal.advice}",
        f"Harmless: {signal.false_positives}",
        f".Lk {signal.reference}",
    ):
        assert part in told(text)
    assert threshold_words(signal.threshold) in told(text)
    assert signal.severity in heading
    assert ("not recommended" in heading) == (signal.name not in library().sets["@default"])


def test_no_other_signal_is_documented() -> None:
    """botalert-signals(7) has none that does not exist."""
    listed = [item for item in items(SIGNALS) if " No ( " in item]
    assert len(listed) == len(library().names)


def test_log_limits_are_documented() -> None:
    """The figures by which the thresholds are chosen; see test_signals."""
    assert "3 packets a minute after the first 10, so no more than 25 in" in told(SIGNALS)
    assert "1 a second after the first 10" in told(SIGNALS)


def examples(text: str) -> Iterator[str]:
    """Give the configurations that a document shows, whole or in part."""
    fenced = re.findall(r"^```ini\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    literal = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text, re.DOTALL | re.MULTILINE)
    yield from (each for each in (*fenced, *literal) if each.startswith(("[", "#")))


WITH_SIGNAL = "\n[signals]\nlog: smtp\n[smtp]\nDPT: 25\n"


@pytest.mark.parametrize(
    "example",
    [*examples(README), *examples(CONFIGURATION), *examples(SIGNALS)],
    ids=lambda example: example.splitlines()[0],
)
def test_example_has_no_faults(example: str, tmp_path: Path) -> None:
    """Each configuration that a document shows can be read; its password file apart."""
    file = tmp_path / "botalert.conf"
    if "[signals]" not in example and "lan: eth1\n\n[recipients]" not in example:
        names = re.findall(r"^\[((?!log ).*)\]$", example, re.MULTILINE)
        example += f"\n[signals]\nlog: {names[-1]}\n" if names else WITH_SIGNAL
    elif "@lan" in example and "lan:" not in example:
        example = f"[DEFAULT]\nlan: eth1\n{example}"
    file.write_text(example, encoding="utf-8")
    config = load(str(file))
    assert config.signals


def test_there_are_examples() -> None:
    """The examples are found where they stand."""
    assert len(list(examples(README))) >= 2
    assert len(list(examples(CONFIGURATION))) >= 4
    assert len(list(examples(SIGNALS))) == 2


# The command line.


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)


def test_every_command_is_documented() -> None:
    """botalert(8) has each command in its list; README names those of every day."""
    commands = next(
        a.choices for a in argument_parser()._actions if isinstance(a, argparse._SubParsersAction)
    )
    listed = {item.split()[1] for item in items(PROGRAM) if item.startswith("Cm ")}
    assert set(commands) <= listed
    for name in commands:
        assert f"botalert {name}" in README


def test_every_option_is_documented() -> None:
    """botalert(8) has each option string in a list of options."""
    flags = {flag for action in _actions(argument_parser()) for flag in action.option_strings}
    listed = {
        f"-{word}"
        for item in items(PROGRAM)
        for word in re.findall(r"Fl (\S+)", item.split("Oo")[0])
    }
    assert flags == listed


def _statuses() -> set[int]:
    kinds = list(errors.BotalertError.__subclasses__())
    for kind in kinds:
        kinds += kind.__subclasses__()
    return {os.EX_OK, *(kind.status for kind in kinds)}


@pytest.mark.parametrize("status", sorted(_statuses()))
def test_exit_status_is_documented(status: int) -> None:
    """botalert(8) and README have each status that a command may end with."""
    assert status in EXIT_STATUSES
    assert str(status) in items(PROGRAM)
    told = README.partition("Exit status:")[2].partition("\n\n")[0]
    assert re.search(rf"\b{status} [a-z]", told)


def test_sample_of_json_has_its_keys() -> None:
    """botalert(8) shows `scan --format json` as it is."""
    samples = re.findall(
        r"^\.Bd -literal -offset indent\n(\{.*?)^\.Ed", PROGRAM, re.DOTALL | re.MULTILINE
    )
    shown = next(each for each in map(json.loads, samples) if "detections" in each)
    assert list(shown["detections"][0]) == DETECTION_COLUMNS


def test_sample_table_has_its_columns() -> None:
    """botalert(8) shows a table with the headings that tables have."""
    headings = "  +".join(_HEADINGS)
    assert re.search(rf"^{headings}\nsmtp +192\.168\.1\.10 +107 ", PROGRAM, re.MULTILINE)


def test_command_of_cron_is_written_whole() -> None:
    """/etc/crontab knows no /usr/local/sbin: its PATH is cron's."""
    for document in (README, PROGRAM):
        assert "0 * * * * root /usr/local/sbin/botalert run" in document


def test_winning_status_is_documented() -> None:
    """botalert(8) has the order in which statuses win."""
    order = ", ".join(map(str, errors._PRECEDENCE)).replace("78,", "78 (which stops at once),")
    assert f"the first of {order} is the one" in PROGRAM.replace("\n", " ")


# The pages.


@pytest.mark.parametrize("name", PAGES)
def test_page_has_no_faults(name: str, tmp_path: Path) -> None:
    """The lint of mandoc finds nothing, but for manuals that this machine lacks."""
    need("mandoc")
    file = tmp_path / name
    file.write_text(_page(name), encoding="utf-8")
    done = subprocess.run(
        ["mandoc", "-T", "lint", str(file)], capture_output=True, text=True, check=False
    )
    told = done.stdout.splitlines()
    assert [line for line in told if "referenced manual not found" not in line] == []


@pytest.mark.parametrize("name", PAGES)
def test_page_is_written_by_the_script(name: str, tmp_path: Path) -> None:
    """`python docs/build_man.py DIRECTORY` writes the pages, as `make install` uses it."""
    script = ROOT / "docs" / "build_man.py"
    subprocess.run([sys.executable, str(script), str(tmp_path / "man")], check=True)
    assert _page(name) == (tmp_path / "man" / name).read_text(encoding="utf-8")


# The mails.

NOW = datetime(2026, 11, 21, 6, 25, 4, tzinfo=UTC)
FIRST = datetime(2026, 11, 20, 23, 39, 3, tzinfo=UTC)
SMTP = Signal(
    "smtp",
    (
        Condition("IN", (Text("eth1", exact_case=True),), (), "eth1"),
        Condition("PROTO", (Text("TCP"),), (), "TCP"),
        Condition("DPT", (Range(25, 25),), (), "25"),
        REFUSED,
    ),
)
SCAN = Signal("scan", (SMTP.conditions[0], SMTP.conditions[1], REFUSED))
HEAD = Letterhead(
    Recipients(
        Mailbox("", "firewall@example.org"),
        (Mailbox("", "admin@example.org"),),
        (),
        (Mailbox("", "hidden@example.org"),),
    ),
    NOW,
    "fw1",
    UTC,
)


def _line(stamp: str, source: str, destination: str, port: int) -> str:
    return (
        f"{stamp}fw1 kernel: Shorewall:loc2net:DROP:IN=eth1 OUT=eth0 "
        f"SRC={source} DST={destination} LEN=60 TTL=63 PROTO=TCP SPT=46418 DPT={port} SYN"
    )


def _alert(
    signal: Signal, source: str, packets: list[tuple[str, int]], *, times: bool = True
) -> Alert:
    """Make an alert about *packets*, pairs of a destination and a port, three seconds apart."""
    tally = Tally()
    for number, (destination, port) in enumerate(packets):
        time = FIRST + timedelta(seconds=3 * number) if times else None
        stamp = time.strftime("%b %d %H:%M:%S ") if time else ""
        line = _line(stamp, source, destination, port)
        tally.add(
            Hit(
                signal.name,
                source,
                time,
                destination,
                str(port),
                "eth1",
                "02:00:c0:a8:01:0a",
                1,
                line,
            )
        )
    message_id = "<6f1c2f6e-3b0e-4b53-9f0a-2d5a3c1b7e90.botalert@example.org>"
    return Alert(Detection(signal.name, source, tally), message_id, None)


def _hostile() -> Alert:
    """Make an alert with a line that means to harm its reader."""
    alert = _alert(SMTP, "192.168.1.10", [("198.51.100.52", 25)])
    line = "fw1 kernel: <script>alert(1)</script> \x1b[31mred\x07 \u202egnp.exe {{ source }}"
    alert.detection.tally.evidence = (line,)
    return alert


GOLDEN: dict[str, tuple[Signal, Alert]] = {
    "smtp": (
        SMTP,
        _alert(
            SMTP,
            "192.168.1.10",
            [("198.51.100.52", 25)] * 80 + [("203.0.113.7", 25)] * 26 + [("203.0.113.9", 25)],
        ),
    ),
    "one": (SMTP, _alert(SMTP, "192.168.1.10", [("198.51.100.52", 25)])),
    "ipv6": (
        SMTP,
        _alert(
            SMTP,
            "2001:db8:1234:5678:9abc:def0:1234:5678",
            [(f"2001:db8:ffff:ffff:ffff:ffff:ffff:{last:x}", 25) for last in range(4096, 4099)],
        ),
    ),
    "many": (
        SCAN,
        _alert(
            SCAN,
            "192.168.1.10",
            [(f"203.0.113.{n % 250}", 1000 + n) for n in range(300)],
        ),
    ),
    "no-times": (SMTP, _alert(SMTP, "192.168.1.10", [("198.51.100.52", 25)] * 3, times=False)),
    "hostile": (SMTP, _hostile()),
    "advised": (
        SMTP._replace(
            severity="high",
            description="A machine that sends mail straight to the internet is most often "
            "infected and sends spam. Your provider may cut you off for it.",
            advice="Take the machine off the network, and have it examined. If it is a mail "
            "server of yours, name it in ignore: of this signal.",
            realert=30 * 86400,
        ),
        _alert(SMTP, "192.168.1.10", [("198.51.100.52", 25)]),
    ),
    "named": (SMTP, _alert(SMTP, "2001:db8:1234:5678:9abc:def0:1234:5678", [("2001:db8::25", 25)])),
}
IDENTITIES = {
    "smtp": Identity(vendor="locally administered"),
    "named": Identity("a-name-that-is-as-long-as-it-may-be." * 2, "A vendor of long names, Ltd."),
}


def _written(name: str) -> EmailMessage:
    signal, alert = GOLDEN[name]
    return render_alert(
        template_environment("/nonexistent"),
        alert,
        signal,
        HEAD,
        identity=IDENTITIES.get(name, Identity()),
    )


def _parsed(content: bytes) -> EmailMessage:
    message = BytesParser(policy=policy.default).parsebytes(content)
    assert isinstance(message, EmailMessage)
    return message


def _kept(name: str) -> EmailMessage:
    file = ALERTS / f"{name}.eml"
    if os.environ.get("BOTALERT_RENEW"):
        message = _written(name)
        message.set_boundary("=_botalert")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(message.as_bytes())
    return _parsed(file.read_bytes())


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def _headers(message: EmailMessage) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in message.items() if name != "Content-Type"]


@pytest.mark.parametrize("name", GOLDEN)
def test_mail_is_as_kept(name: str) -> None:
    """Headers and both parts of each mail are as they were looked at and found good."""
    expected, actual = _kept(name), _parsed(_written(name).as_bytes())
    assert _headers(expected) == _headers(actual)
    assert _part(expected, "plain") == _part(actual, "plain")
    assert _part(expected, "html") == _part(actual, "html")


@pytest.mark.parametrize("name", GOLDEN)
def test_text_fits_80_columns(name: str) -> None:
    """Only lines of the log are longer."""
    evidence = GOLDEN[name][1].detection.tally.evidence
    lines = _part(_written(name), "plain").splitlines()
    assert [line for line in lines if len(line) > 80 and line not in evidence] == []


def test_hostile_line_is_harmless() -> None:
    """No control character, no tag and no reordering comes through."""
    message = _written("hostile")
    for kind in ("plain", "html"):
        text = _part(message, kind)
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
        assert r"\x1b[31mred\x07 \u202egnp.exe" in text
    assert "<script" not in _part(message, "html")


def test_bcc_is_in_no_header() -> None:
    """Who gets a blind copy is nowhere in the mail."""
    assert "hidden@" not in _written("smtp").as_string()


def test_every_variable_is_documented() -> None:
    """botalert.conf(5) has each variable of a template, and no other."""
    signal, alert = GOLDEN["smtp"]
    assert set(alert_variables(alert, signal, HEAD)) == described(CONFIGURATION, "Va")


# README, and the changelog.


def test_readme_shows_a_mail_as_received() -> None:
    """README's mail is the kept one."""
    message = _kept("smtp")
    headers = "".join(f"{name}: {message[name]}\n" for name in ("From", "To", "Subject"))
    assert f"```text\n{headers}\n{_part(message, 'plain')}```\n" in README


def test_readme_is_short() -> None:
    """README has fewer than 120 lines."""
    assert len(README.splitlines()) < 120


def test_changelog_has_this_version() -> None:
    """CHANGELOG.md begins with it, but for what is to come; kinds of change are in order."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    named = [version.partition("]")[0].strip("[") for version in versions]
    assert next(name for name in named if name != "Unreleased") == botalert.__version__
    assert "Unreleased" not in named[1:]
    order = ["Security", "Removed", "Deprecated", "Added", "Changed", "Fixed"]
    for version in versions:
        kinds = re.findall(r"^### (\w+)$", version, re.MULTILINE)
        assert kinds == [kind for kind in order if kind in kinds] != []
