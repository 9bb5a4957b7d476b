"""botalert.conf: what a 0.5a file means, inheritance, and every fault at once."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botalert.config import Config, load
from botalert.config.mailserver import MailServer, read_mailserver
from botalert.config.options import FIELDS, OPTIONS, suggestion
from botalert.config.recipients import read_mailboxes
from botalert.config.warnings import config_warnings
from botalert.errors import ConfigurationError
from botalert.match import REFUSED, Signal
from botalert.model import FirstRun, Mailbox
from botalert.shipped import shipped
from botalert.words import signal_words

# As an administrator of 0.5a had it; a comment in Latin-1 and all.
OF_05A = """\
[DEFAULT]
logfile: /var/log/messages
#mailserver: smtp.myprovider.com
mailserver: localhost ; the MTA here

[recipients]
From: firewall@yourdomain
To: you@yourdomain,
Cc:
Bcc:

[signals]
log: smtp,

; each signal
[smtp]
IN: eth0
OUT:
SRC:
DST:
PROTO: TCP
SPT:
DPT: 25
"""

MINIMAL = """\
[recipients]
From: firewall@example.org
To: you@example.org
[signals]
log: smtp
[smtp]
DPT: 25
"""


@pytest.fixture
def write(tmp_path):
    """Write a configuration; give its path."""

    def _write(text: str | bytes, **extra: str) -> str:
        path = tmp_path / "botalert.conf"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        for name, content in extra.items():
            (tmp_path / "botalert.conf.d").mkdir(exist_ok=True)
            (tmp_path / "botalert.conf.d" / name.replace("_", ".")).write_text(content)
        return str(path)

    return _write


def faults(path: str, *, mails: bool = True) -> list[str]:
    """Give the faults of the file at *path*, without its directory."""
    with pytest.raises(ConfigurationError) as caught:
        load(path, mails=mails)
    return [fault.replace(f"{Path(path).parent}/", "") for fault in caught.value.faults]


def asked(config: Config, name: str) -> dict[str, str]:
    """Give what the signal *name* asks, as written."""
    signal = config.signal(name)
    assert signal is not None
    return {c.field: c.text for c in signal.conditions if c is not REFUSED}


def test_a_file_of_05a_means_what_it_meant(write):
    """Empty values ask nothing, a trailing comma is fine, ` ;` begins a comment."""
    config = load(write(OF_05A.replace("each", "chaque d\xe9faut").encode("latin-1")), mails=True)
    assert [log.paths for log in config.logs] == [("/var/log/messages",)]
    assert config.logs[0].programs == ("kernel",)
    assert config.mailserver == MailServer("smtp", "localhost", 25)
    assert config.signal_names == ("smtp",)
    assert asked(config, "smtp") == {"IN": "eth0", "PROTO": "TCP", "DPT": "25"}
    assert config.recipients is not None
    assert config.recipients.addresses == ("you@yourdomain",)
    assert config.recipients.sender == Mailbox("", "firewall@yourdomain")


def test_the_files_of_05as_release_are_read(tmp_path):
    """The release itself, where the package index can be reached."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:",
         "-d", str(tmp_path), "botalert==0.5a"],
        capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    archives = [*tmp_path.glob("botalert-0.5a*")]
    if not archives:
        pytest.skip(f"lacks the release of 0.5a: {done.stderr.decode()[-200:]}")
    shutil.unpack_archive(archives[0], tmp_path)
    found = [*tmp_path.rglob("*.conf")]
    assert len(found) == 2
    for path in found:
        assert asked(load(str(path), mails=True), "smtp") == {
            "IN": "eth0", "PROTO": "TCP", "DPT": "25",
        }  # fmt: skip


def test_what_default_says_holds_in_every_section(write):
    """A condition there is no fault in [recipients]; an empty value asks nothing again."""
    text = f"[DEFAULT]\nIN: eth1\ntemplate: mine\n{MINIMAL}IN:\n[telnet]\nDPT: 23\n"
    config = load(write(text))
    assert asked(config, "smtp") == {"DPT": "25"}
    assert asked(config, "telnet") == {"IN": "eth1", "DPT": "23"}
    assert [signal.template for signal in config.others] == ["mine"]


def test_more_files_are_read_after_in_name_order(write):
    """The same section in two files is one, later keys winning; inheritance is of all."""
    path = write(
        MINIMAL,
        b_conf="[smtp]\nTTL: 2\n[signals]\nlog: smtp, smb\n[smb]\nDPT: 445\n",
        a_conf="[DEFAULT]\nPROTO: TCP\nDPT: 99\n[smtp]\nTTL: 1\nLEN: 60\n",
        c_txt="not read",
    )
    config = load(path)
    assert config.signal_names == ("smtp", "smb")
    assert asked(config, "smtp") == {"DPT": "25", "TTL": "2", "LEN": "60", "PROTO": "TCP"}
    assert asked(config, "smb") == {"DPT": "445", "PROTO": "TCP"}
    assert [Path(name).name for name in config.files] == ["botalert.conf", "a.conf", "b.conf"]


def test_a_log_may_have_a_section_of_its_own(write):
    """With its own paths, and what [DEFAULT] says otherwise."""
    text = (
        "[DEFAULT]\nlogfile: /a, /b*,\nprograms: kernel, ulogd\ntimezone: UTC\n"
        f"{MINIMAL}[log ulogd]\npath: /var/log/ulog/*.log\nprograms: *\nformat: ulogd\n"
        "history: /old/x*, /older/x*\nfirst_run: all\ntimezone: Asia/Tokyo\n"
        "[log journal]\npath: journal\n"
    )
    config = load(write(text))
    plain, ulogd, journal = config.logs
    assert (plain.paths, plain.programs) == (("/a", "/b*"), ("kernel", "ulogd"))
    assert (plain.form, plain.history, plain.first_run) == ("auto", (), FirstRun.LIVE)
    assert (ulogd.paths, ulogd.programs) == (("/var/log/ulog/*.log",), ("*",))
    assert (ulogd.form, ulogd.first_run) == ("ulogd", FirstRun.ALL)
    assert ulogd.history == ("/old/x*", "/older/x*")
    assert ulogd.zone != plain.zone == journal.zone
    assert journal.paths == ("journal",)
    assert config.unnamed.programs == ("kernel", "ulogd")


def test_the_default_log_is_not_meant_where_a_section_names_one(write):
    """Unless logfile: names it, too."""
    config = load(write(MINIMAL + "[log fw]\npath: /fw.log\n"))
    assert [log.paths for log in config.logs] == [("/fw.log",)]


def test_a_percent_sign_and_a_second_colon_are_just_that(write):
    """There is no interpolation."""
    path = write(MINIMAL + "PREFIX: 100%s:%(x)s:\n")
    assert asked(load(path), "smtp")["PREFIX"] == "100%s:%(x)s:"


def test_every_fault_is_told_at_once_with_its_place_and_a_remedy(write):
    """File, line, section, key, fault, value and remedy, in the order of the lines."""
    text = """\
[DEFAULT]
logfle: /var/log/messages
timezone: Mars/Olympus
mailserver: ftp://x
DPT: 70000
[recipients]
From: nobody at all
Too: you@example.org
[signals]
log: smtp, telnt
[smtp]
DTP: 25
DST: 192.168.1.0/33
statefile: /x
DTP: 25
[telnet]
PROTO: TCP
[telnet]
what is this
"""
    assert faults(write(text)) == [
        "botalert.conf:2 [DEFAULT] logfle: is not known here. Did you mean logfile?",
        "botalert.conf:3 [DEFAULT] timezone: 'Mars/Olympus' is not a time zone. "
        "Write one as Europe/Paris or UTC",
        "botalert.conf:4 [DEFAULT] mailserver: 'ftp://x' is not a mail server. Write host, "
        "host:port, smtp://host:port, smtp+starttls://host:port, smtps://host:port, "
        "sendmail:/path or maildir:/path",
        "botalert.conf:5 [DEFAULT] DPT: '70000' is not a port from 0 to 65535 or a range of "
        "them. Write the number: DPT: 25, or DPT: 6660-6669",
        "botalert.conf:6 [recipients] To: names nobody. Write To: you@example.org",
        "botalert.conf:7 [recipients] From: 'nobody at all' is not a mail address. "
        "Write you@example.org",
        "botalert.conf:8 [recipients] Too: is not known here. Did you mean To?",
        "botalert.conf:10 [signals] log: 'telnt' is no signal's section. Did you mean telnet?",
        "botalert.conf:13 [smtp] DST: '192.168.1.0/33' is not an address or network. Write one as "
        "192.168.1.10, 192.168.0.0/16 or 2001:db8::/32",
        "botalert.conf:14 [smtp] statefile: does not belong here. Move it into [DEFAULT].",
        "botalert.conf:15 [smtp] DTP: is there twice, first in line 12. Remove one.",
        "botalert.conf:15 [smtp] DTP: is not known here. Did you mean DPT or DST?",
        "botalert.conf:18 [telnet]: is there twice in this file. Unite the two.",
        "botalert.conf:19 [telnet]: 'what is this' is no 'key: value'. "
        "Write a colon behind the key.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MINIMAL.replace("[signals]\nlog: smtp\n", ""), "[signals]: is missing"),
        ("key: 1\n" + MINIMAL, "botalert.conf:1: stands before any [section]"),
        ("[DEFAULT]\nregex: (\n" + MINIMAL, "[DEFAULT] regex: '(' is not a pattern"),
        ("[DEFAULT]\nregex: (?P<DST>x)\n" + MINIMAL, "has no group SRC"),
        ("[DEFAULT]\nmailuser: me\n" + MINIMAL, "mailuser: has no mailpasswordfile"),
        (
            "[DEFAULT]\nmailuser: me\nmailpasswordfile: /nowhere\n" + MINIMAL,
            "mailpasswordfile: '/nowhere' cannot be read",
        ),
        ("[DEFAULT]\n[DEFAULT]\n" + MINIMAL, "botalert.conf:2 [DEFAULT]: is there twice"),
        (MINIMAL + "template: ../x\n", "[smtp] template: '../x' is not"),
        (MINIMAL + "FOO: 1\n", "[smtp] FOO: is not known here. "),
        (MINIMAL + "In: eth0\n", "[smtp] In: is not known here. Did you mean IN?"),
        (
            MINIMAL.replace("DPT: 25", f"DPT: {'9' * 5000}"),
            f"[smtp] DPT: '{'9' * 5000}' is not a port from 0 to 65535",
        ),
        (MINIMAL + f"PROTO: {'9' * 5000}\n", "is not a protocol from 0 to 255"),
        (
            MINIMAL + "SRC: fe80::1%eth1\n",
            "'fe80::1%eth1' is not an address or network. Write the network: fe80::1/128",
        ),
        ("[DEFAULT]\nlan_networks: fe80::%eth1/10\n" + MINIMAL, "Write the network: fe80::/10"),
        (MINIMAL + "MAC: 00:16:3e\n", "is not a hardware address of 6 bytes nor a header of 14"),
        (
            MINIMAL + "MACSRC: printer\n",
            "[smtp] MACSRC: 'printer' is not a hardware address of 6 bytes. "
            "Write MACSRC: 00:16:3e:12:34:56",
        ),
        (
            MINIMAL + "MACDST: 66:3e:06:4e:33:1a:02:00:c0:a8:02:14:08:00\n",
            "is not a hardware address of 6 bytes. Write MACDST:",
        ),
        (MINIMAL + "[log x]\npath:\n", "[log x] path: names no log"),
        (MINIMAL + "[log x]\npath: /x\nDPT: 25\n", "[log x] DPT: is a condition"),
        (MINIMAL + "[log x]\npath: /x\nfirst_run: never\n", "first_run: 'never' is none of live"),
        (MINIMAL + "[log x]\npath: /x\nformat: xml\n", "format: 'xml' is none of auto, text"),
        ("[DEFAULT]\npath: /x\n" + MINIMAL, "path: does not belong here. Move it into [log NAME]"),
        (MINIMAL.replace("To:", "SRC:"), "[recipients] SRC: is a condition. Move it"),
        (MINIMAL.replace("firewall@", "a@b, c@"), "names more than one sender"),
        (MINIMAL.replace("you@example.org", ","), "[recipients] To: names nobody"),
    ],
)
def test_a_fault_is_told(write, text, expected):
    """Each with its place."""
    assert any(expected in fault for fault in faults(write(text))), faults(write(text))


def test_a_missing_file_is_a_fault_that_names_the_remedy(tmp_path):
    """As is one that cannot be read."""
    assert "no such file. Install the shipped" in faults(str(tmp_path / "none.conf"))[0]
    assert "is a directory" in faults(str(tmp_path))[0]


def test_who_gets_mail_matters_only_where_mail_is_sent(write):
    """A scan needs no recipients."""
    path = write("[signals]\nlog: a\n[a]\n")
    assert load(path).recipients is None
    assert faults(path) == [
        "botalert.conf:1 [recipients] To: names nobody. Write To: you@example.org"
    ]


def test_headers_may_be_in_any_case(write):
    """0.5a took FROM, too."""
    config = load(write(MINIMAL.replace("From", "FROM").replace("To", "to")), mails=True)
    assert config.recipients is not None
    assert config.recipients.sender.address == "firewall@example.org"


def test_a_patterns_groups_are_conditions(write):
    """Whatever they are called; verdicts don't apply."""
    path = write(
        "[DEFAULT]\nregex: from (?P<SRC>\\S+) (?P<reason>.*)$\n"
        + MINIMAL
        + "reason: bad\nSRC: bob\n"
    )
    config = load(path)
    assert config.pattern is not None
    assert asked(config, "smtp") == {"DPT": "25", "reason": "bad", "SRC": "bob"}
    assert REFUSED not in config.signals[0].conditions


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_faults_or_a_configuration(tmp_path_factory, content):
    """Never a crash."""
    path = tmp_path_factory.mktemp("conf") / "botalert.conf"
    path.write_bytes(content)
    try:
        load(str(path), mails=True)
    except ConfigurationError as error:
        assert error.faults


@given(st.lists(st.sampled_from([*(o.name for o in OPTIONS), *FIELDS, "x", "@x", "[smtp]", "[signals]", "[recipients]", "[hosts]", "[DEFAULT]"]), max_size=12), st.lists(st.sampled_from(["", "1", "a@b", "smtp", "TCP", "25", "!", "@x", "!@lan", "::1", '""', "/x", "*"]), min_size=12))  # fmt: skip  # noqa: E501
def test_any_mixture_of_keys_and_values_is_faults_or_a_configuration(
    tmp_path_factory, keys, values
):
    """Every option in every section, with any value."""
    path = tmp_path_factory.mktemp("conf") / "botalert.conf"
    path.write_text(
        "\n".join(
            key if key.startswith("[") else f"{key}: {value}"
            for key, value in zip(keys, values, strict=False)
        )
    )
    try:
        load(str(path), mails=True)
    except ConfigurationError as error:
        assert all(fault.startswith(str(path)) for fault in error.faults)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", MailServer("smtp", "localhost", 25)),
        ("mx.example.org:2525", MailServer("smtp", "mx.example.org", 2525)),
        ("mx.example.org.", MailServer("smtp", "mx.example.org.", 25)),
        ("smtp://192.0.2.1:26", MailServer("smtp", "192.0.2.1", 26)),
        ("smtp+starttls://mx.example.org", MailServer("smtp+starttls", "mx.example.org", 587)),
        ("smtps://[2001:db8::25]", MailServer("smtps", "2001:db8::25", 465)),
        ("sendmail:/usr/lib/sendmail", MailServer("sendmail", path="/usr/lib/sendmail")),
        ("sendmail:", MailServer("sendmail", path="/usr/sbin/sendmail")),
        ("maildir:/var/mail/x", MailServer("maildir", path="/var/mail/x")),
    ],
)
def test_a_mail_server_is_read(text, expected):
    """With the default port of each way."""
    assert read_mailserver(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "host:0", "host:99999", f"host:{'9' * 5000}", "a b", "maildir:", "http://x", "x://y", ":25",
        "mail..example", ".example.org", f"smtps://{'x' * 64}.example",
    ],
)  # fmt: skip
def test_what_is_no_mail_server_is_refused(text):
    """It is quoted."""
    with pytest.raises(ValueError, match="maildir:"):
        read_mailserver(text)


@pytest.mark.parametrize(
    ("server", "expected"),
    [("localhost", "localhost:25"), ("smtps://[::1]", "[::1]:465"), ("maildir:/x", "maildir:/x")],
)
def test_a_mail_server_is_named_shortly(server, expected):
    """For messages."""
    assert str(read_mailserver(server)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        (",", ()),
        ("a@b,", (Mailbox("", "a@b"),)),
        ("a@b,, ,c@d, ", (Mailbox("", "a@b"), Mailbox("", "c@d"))),
        ("root", (Mailbox("", "root"),)),
        ('"Doe, Jane" <j@x.org>', (Mailbox("Doe, Jane", "j@x.org"),)),
        ("Zoë <z@x.org>", (Mailbox("Zoë", "z@x.org"),)),
        ("a@[192.0.2.1]", (Mailbox("", "a@[192.0.2.1]"),)),
    ],
)
def test_addresses_are_read(text, expected):
    """With names, without domains, with any commas."""
    assert read_mailboxes(text) == expected


@pytest.mark.parametrize("text", ["a b@c", "jö@x.org", "a@b c@d", "<>", "a@b\x07", "a@", "@b"])
def test_what_is_no_address_is_refused(text):
    """Headers take no surprises."""
    with pytest.raises(ValueError, match="is not a mail address"):
        read_mailboxes(text)


def warnings_of(write, text: str) -> list[str]:
    config = load(write(MINIMAL + text))
    return list(config_warnings(config, ["lo", "eth0", "br-lan"]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IN: eth1", "this machine has no interface 'eth1'. Did you mean eth0?"),
        ("OUT: ppp*", "this machine has no interface 'ppp*'"),
        ("IN: an-interface-of-a-long-name", "at most 15 characters"),
        ("TTL: 1, !1", "TTL: can never be met: each of its values is barred, too"),
        ("PROTO: ICMP", "PROTO: can never be met together with DPT: ICMP has none"),
        ("PROTO: 1-5", "can never be met together with DPT"),
        ("PROTO: TPC", "'TPC' is no protocol that the kernel logs. Did you mean TCP"),
        ("PROTO: UDP\nFLAGS: SYN", "FLAGS: can never be met: UDP is not TCP"),
        ('IN: ""\nOUT: ""', "IN and OUT: can never be met"),
        ("SRC: 10.0.0.0/8\nDST: 2001:db8::/32", "one asks for IPv4 and the other for IPv6"),
    ],
)
def test_a_signal_that_may_never_fire_is_warned_of(write, text, expected):
    """With its place."""
    warned = warnings_of(write, text)
    assert any(expected in warning for warning in warned), warned
    assert all("botalert.conf:6 [smtp] " in warning for warning in warned)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "threshold: 2 DPT in 1h",
            "2 ports within an hour can never be met: DPT asks for no more than 1",
        ),
        (
            "DST: 10.0.0.0/30, 10.1.0.0/30\nthreshold: 9 DST",
            "9 destinations can never be met: DST asks for no more than 8",
        ),
        (
            "IN: eth0, br-lan\nthreshold: 1 packet\n 9 flows in 1m\n 3 IN in 1h",
            "3 interfaces within an hour can never be met: IN asks for no more than 2",
        ),
    ],
)
def test_a_threshold_that_can_never_be_met_is_warned_of(write, text, expected):
    """Where the conditions leave fewer values than it counts."""
    assert [warning.partition(": ")[2] for warning in warnings_of(write, text)] == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "threshold: 1 DPT in 1h",
        "DST: 10.0.0.0/30\nthreshold: 4 DST\n 9 packets",
        "IN: eth*\nthreshold: 3 IN in 1h",
        "DST: !10.0.0.1\nthreshold: 300 DST in 1h",
    ],
)
def test_a_threshold_that_can_be_met_is_not_warned_of(write, text):
    """Silence when all is well."""
    assert warnings_of(write, text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is met by any refused packet: it has no condition"),
        ("ignore: 10.0.0.1", "is met by any refused packet: it has no condition"),
        ("VERDICT: drop, accept", "is met by any packet: it has no condition"),
    ],
)
def test_a_signal_that_any_line_meets_is_warned_of(write, text, expected):
    """It has no conditions beyond the verdict."""
    config = load(write(MINIMAL.replace("DPT: 25", text)))
    assert [told.partition("[smtp] ")[2] for told in config_warnings(config, [])] == [expected]


def test_a_section_that_is_not_named_is_warned_of(write):
    """The shipped signals that are not named are nobody's mistake."""
    told = warnings_of(write, "[smb]\nDPT: 445\n")
    assert [warning.partition("botalert.conf")[2] for warning in told] == [
        ":8 [smb] is not looked for: [signals] log: does not name it"
    ]


def test_a_missing_lan_interface_is_warned_of_once(write):
    """However many signals ask for it; others are told where they stand."""
    text = f"[DEFAULT]\nlan: eth7, br+\n{MINIMAL.replace('log: smtp', 'log: @default, !smtp, own')}"
    config = load(write(f"{text}[own]\nIN: @lan, ppp0\n"))
    told = list(config_warnings(config, ["lo", "eth0", "br-lan"]))
    assert told[0] == "lan: this machine has no interface 'eth7'. Did you mean eth0?"
    assert [warning.partition("[own] ")[2] for warning in told[1:-1]] == [
        "IN: this machine has no interface 'ppp0'"
    ]
    assert "[smtp] is not looked for" in told[-1]


def test_a_sound_signal_is_not_warned_of(write):
    """Silence when all is well."""
    text = 'IN: eth0, br*\nOUT: ""\nPROTO: TCP, 17\nFLAGS: SYN, !ACK\nSRC: 10.0.0.0/8\nDST: !::/0\n'
    assert warnings_of(write, text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[DEFAULT]\nregex: (?P<SRC>x)\n" + MINIMAL, "regex: is searched in every line"),
        (MINIMAL.replace("log: smtp", "log:"), "log: names no signal"),
        (
            "[DEFAULT]\nmailserver: mx.example.org\nmailuser: me\nmailpasswordfile: /dev/null\n"
            + MINIMAL,
            "in clear; use mailserver: smtp+starttls://mx.example.org",
        ),
    ],
)
def test_what_may_not_be_meant_is_warned_of(write, text, expected):
    """Of the configuration as a whole."""
    assert any(expected in line for line in config_warnings(load(write(text)), []))


def test_a_login_on_this_machine_needs_no_encryption(write):
    """Nothing goes over the network."""
    for host in ("localhost", "127.0.0.1", "[::1]"):
        text = (
            f"[DEFAULT]\nmailserver: {host}\nmailuser: me\nmailpasswordfile: /dev/null\n{MINIMAL}"
        )
        assert list(config_warnings(load(write(text)), [])) == []


def test_a_signal_is_said_in_words(write):
    """For `botalert check` and for the mail."""
    config = load(write(OF_05A))
    assert signal_words(config.signals[0]) == "TCP to port 25 from eth0"
    text = 'SRC: 10.0.0.0/8, 2001:db8::1, !10.0.0.5\nOUT: ""\nVERDICT: accept\nTTL: 1-5\n'
    config = load(write(MINIMAL + text))
    assert signal_words(config.signals[0]) == (
        "packets to port 25, sent by 10.0.0.0/8 or 2001:db8::1 but not 10.0.0.5, "
        "to the firewall itself, with the verdict accept, with TTL 1-5"
    )
    assert signal_words(Signal("x", (REFUSED,))) == "all refused packets"
    assert signal_words(Signal("x", ())) == "all packets"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "PROTO: TCP\nIN: eth1\nthreshold: 5 DST in 1h\nignore: 10.0.0.5",
            "TCP to port 25 from eth1, at least 5 destinations within an hour, "
            "except from 10.0.0.5",
        ),
        ("PROTO: TCP\nFLAGS: SYN, !ACK", "TCP connection attempts to port 25"),
        ("PROTO: 6, UDP\nFLAGS: SYN", "TCP or UDP to port 25, with the flag SYN"),
        ("PROTO: !TCP", "packets to port 25, of any protocol but TCP"),
        (
            "PHYSIN: !br0\nMAC: !00:16:3e:00:00:02\nPREFIX: !guest*\nVERDICT: !accept\nTTL: !5",
            "packets to port 25, from any bridge port but br0, "
            "sent by any hardware address but 00:16:3e:00:00:02, "
            "logged with any prefix but guest*, with any verdict but accept, with any TTL but 5",
        ),
        (
            "DST: !@lan_networks, !::1",
            "packets to port 25, to anywhere but the LAN's networks or ::1",
        ),
        (
            "SRC: @LAN_networks, !@web",
            "packets to port 25, sent by the LAN's networks but not @web",
        ),
        ("SRC: !@web", "packets to port 25, sent by anybody but 10.1.0.0/16"),
        (
            "threshold: 3 days in 14d\n 90 packets in 90s\n 2 DPT in 36h",
            "packets to port 25, at least 3 days of 14, or 90 packets within 90 seconds, "
            "or 2 ports within 36 hours",
        ),
    ],
)
def test_what_a_signal_asks_is_said_in_order(write, text, expected):
    """What, to which port, from where; how many; and whom not."""
    hosts = "[hosts]\nweb: 10.1.0.0/16\n"
    assert signal_words(load(write(f"{hosts}{MINIMAL}{text}\n")).signals[0]) == expected


def test_the_shipped_configuration_has_no_faults():
    """But for the addresses, which are to be filled in."""
    config = load(shipped("botalert.conf"), mails=True)
    assert len(config.signals) == 30
    assert [test.words() for test in config.lan] == ["eth0"]


def test_a_suggestion_is_made_only_for_what_is_near():
    """Else the known ones are listed."""
    assert suggestion("logfiles", ["logfile", "programs"]) == "Did you mean logfile?"
    assert suggestion("zzz", ["logfile"]) == ""


def test_the_zone_is_the_configured_one(write):
    """And holds for stamps without one."""
    config = load(write("[DEFAULT]\ntimezone: Asia/Tokyo\n" + MINIMAL))
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert noon.astimezone(config.zone).hour == 21


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("!10.0.0.5", "sent by anybody but 10.0.0.5"),
        ("10.0.0.0/8, !10.0.0.5, !10.0.0.6", "sent by 10.0.0.0/8 but not 10.0.0.5 or 10.0.0.6"),
    ],
)
def test_what_is_barred_is_said_in_words(write, value, expected):
    """Alone and beside what is asked for."""
    config = load(write(MINIMAL.replace("DPT: 25", f"SRC: {value}")))
    assert signal_words(config.signals[0]).endswith(f" {expected}")


def test_conditions_keep_the_order_of_the_file(write):
    """So that what explain and the mails say is the same in every process."""
    fields = ["TTL", "SRC", "IN", "DPT", "LEN"]
    text = "".join(f"{field}: 1\n" for field in fields).replace("SRC: 1", "SRC: ::1")
    config = load(write(MINIMAL.replace("DPT: 25\n", text)))
    assert list(asked(config, "smtp")) == fields


@pytest.mark.parametrize(
    "text",
    [
        "IN: eth0, !eth+",
        "IN: eth0*, !e*",
        "SRC: 10.0.0.1, !10.0.0.0/8",
        "SRC: 10.0.0.0/8, 2001:db8::1, !10.0.0.0/7, !2001:db8::/32",
        "LEN: 25, !1-100",
        "PROTO: 6, !TCP",
        "PROTO: TCP, !0-20",
        "FLAGS: syn, !SYN",
        "VERDICT: !drop, !unknown, !accept",
        "VERDICT: drop, !DROP",
    ],
)
def test_values_that_are_barred_by_wider_ones_are_warned_of(write, text):
    """Containment, not equality, decides."""
    field = text.partition(":")[0]
    told = f"[smtp] {field}: can never be met: each of its values is barred, too"
    assert any(told in warning for warning in warnings_of(write, text)), text


@pytest.mark.parametrize(
    "text",
    [
        "IN: eth*, !eth0",
        "SRC: 10.0.0.0/8, !10.0.0.1, !::/0",
        "LEN: 1-100, !25",
        "PROTO: 6-17, !TCP",
        "VERDICT: !drop, !unknown",
        "FLAGS: SYN, !ACK",
        "PREFIX: *DROP*",
        "PREFIX: fw*",
        "PREFIX: [UFW ALLOW]\nVERDICT: accept",
        "PROTO: 33",
        'IN: ""',
        'FLAGS: ""',
        'LEN: !""',
    ],
)
def test_values_that_leave_something_are_not_warned_of(write, text):
    """Silence when all is well."""
    assert warnings_of(write, text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PREFIX: [UFW ALLOW]", "'[UFW ALLOW]' tells the verdict accept, which is not counted. "),
        ("PREFIX: *ACCEPT*", "To count it, write VERDICT: accept"),
        ("PREFIX: fw-drop\nVERDICT: accept", "To count it, write VERDICT: drop"),
        ("PREFIX: fw\nVERDICT: drop", "'fw' tells the verdict unknown"),
        ('SRC: ""', "SRC: can never be met: no packet is logged with an empty one"),
        ('DST: ""', "DST: can never be met: no packet is logged with an empty one"),
        ('LEN: ""', "LEN: can never be met: no packet is logged with an empty one"),
        ("PROTO: ICMP", "PROTO: can never be met together with DPT: ICMP has none"),
        ("PROTO: TCP\nTYPE: 8", "PROTO: can never be met together with TYPE: TCP has none"),
    ],
)
def test_what_no_packet_has_is_warned_of(write, text, expected):
    """What the kernel never logs so, and what is not counted."""
    assert any(expected in warning for warning in warnings_of(write, text))


def test_a_pattern_of_ones_own_may_find_nothing(write):
    """Its groups may be empty."""
    text = "[DEFAULT]\nregex: (?P<SRC>x)(?P<DPT>)\n" + MINIMAL.replace("DPT: 25", 'DPT: ""')
    assert not any("empty" in line for line in config_warnings(load(write(text)), []))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('DPT: ""', "to no port"),
        ('FLAGS: ""', "without a flag"),
        ('OUT: ""', "to the firewall itself"),
        ('IN: ""', "from the firewall itself"),
        ('OUT: !""', "not to the firewall itself"),
        ('MTU: ""', "without MTU"),
        ('FLAGS: "", SYN', "with the flag none or SYN"),
    ],
)
def test_the_empty_value_is_said_in_words(write, value, expected):
    """As what it means."""
    config = load(write(MINIMAL.replace("DPT: 25", value)))
    assert signal_words(config.signals[0]).endswith(f" {expected}")


def test_every_bad_address_of_a_list_is_told(write):
    """At once."""
    text = MINIMAL + "[recipients]\nTo: foo bar, you@example.org, x@@y\n"
    with pytest.raises(ConfigurationError) as caught:
        load(write(text))
    told = "To: 'foo bar', 'x@@y' are not mail addresses. Write you@example.org"
    assert any(fault.endswith(told) for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("section", "text", "expected"),
    [
        ("DEFALT", "logfile: x", "logfile: does not belong here. Did you mean DEFAULT?"),
        ("default", "statefile: x", "statefile: does not belong here. Did you mean DEFAULT?"),
        ("recipient", "To: a@b.org", "To: does not belong here. Did you mean recipients?"),
        ("signal", "log: smtp", "log: does not belong here. Did you mean signals?"),
        ("web", "log: smtp", "log: does not belong here. Move it into [signals]."),
    ],
)
def test_a_misspelt_section_is_hinted_at(write, section, text, expected):
    """Where its keys belong to the one that was meant."""
    with pytest.raises(ConfigurationError) as caught:
        load(write(f"{MINIMAL}[{section}]\n{text}\n"))
    assert any(fault.endswith(f"[{section}] {expected}") for fault in caught.value.faults)


def test_a_password_file_that_is_a_directory_is_told(write, tmp_path):
    """Before a run needs it."""
    text = f"[DEFAULT]\nmailuser: me\nmailpasswordfile: {tmp_path}\n{MINIMAL}"
    with pytest.raises(ConfigurationError, match="is a directory"):
        load(write(text), mails=True)


HOSTS = """\
[DEFAULT]
lan: eth1, br+
[hosts]
mailserver: 192.168.1.5, 2001:db8::5,
Web-2: 10.1.0.0/16, 00:16:3E:12:34:56
unused:
"""


@pytest.mark.parametrize(
    ("condition", "same"),
    [
        ("SRC: @mailserver", "SRC: 192.168.1.5, 2001:db8::5"),
        ("SRC: !@mailserver", "SRC: !192.168.1.5, !2001:db8::5"),
        ("SRC: ! @MAILSERVER,@web-2", "SRC: 10.1.0.0/16, !192.168.1.5, !2001:db8::5"),
        ("DST: 10.0.0.0/8, !@Web-2", "DST: 10.0.0.0/8, !10.1.0.0/16"),
        ("MAC: !@web-2", "MAC: !00:16:3E:12:34:56"),
        ("MACSRC: @web-2", "MACSRC: 00:16:3E:12:34:56"),
        ("IN: @lan", "IN: eth1, br*"),
        ("PHYSOUT: !@lan", "PHYSOUT: !eth1, !br*"),
        (
            "SRC: @lan_networks",
            "SRC: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, fc00::/7, fe80::/10",
        ),
    ],
)
def test_a_name_stands_for_its_values(write, condition, same):
    """In whatever case, and those that the field can have."""
    field = condition.partition(":")[0]
    named, plain = (
        next(c for c in load(write(text)).signals[0].conditions if c.field == field)
        for text in (f"{HOSTS}{MINIMAL}{condition}\n", f"{MINIMAL}{same}\n")
    )
    assert (named.plain, named.barred) == (plain.plain, plain.barred)
    assert named.text == condition.partition(": ")[2]


def test_a_name_may_stand_for_what_only_a_pattern_finds(write):
    """Groups of a custom regex: are compared with addresses and hardware addresses."""
    text = f"[DEFAULT]\nregex: (?P<SRC>x)(?P<who>y)\n[hosts]\nweb: 10.1.0.0/16\n{MINIMAL}"
    config = load(write(text.replace("DPT: 25", "who: !@web")))
    assert not config.signals[0].conditions[0].holds(["10.1.2.3"])
    assert config.signals[0].conditions[0].holds(["jane"])


def test_the_lans_networks_can_be_named(write):
    """Instead of those that are nobody's."""
    config = load(write(f"[DEFAULT]\nlan_networks: 192.0.2.0/24\n{MINIMAL}SRC: @lan_networks\n"))
    source = next(c for c in config.signals[0].conditions if c.field == "SRC")
    assert [test.words() for test in source.plain] == ["192.0.2.0/24"]


def test_what_default_says_is_no_name(write):
    """As configparser puts it there, it is in in every section."""
    text = f"[DEFAULT]\nmailserver: localhost\n[hosts]\nweb: ::1\n{MINIMAL}SRC: @mailserver\n"
    assert faults(write(text)) == [
        "botalert.conf:12 [smtp] SRC: '@mailserver' is not defined. "
        "Write in [hosts] mailserver: 192.168.1.5"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            MINIMAL + "SRC: !@mailsrver\n",
            "botalert.conf:14 [smtp] SRC: '@mailsrver' is not defined. Did you mean @mailserver?",
        ),
        (
            MINIMAL + "SRC: @lan\n",
            "botalert.conf:14 [smtp] SRC: '@lan' stands for eth1, br*. "
            "Write addresses or networks: SRC: @lan_networks",
        ),
        (
            MINIMAL + "IN: @mailserver\n",
            "[smtp] IN: '@mailserver' stands for 192.168.1.5, 2001:db8::5. "
            "Write interfaces: IN: @lan",
        ),
        (MINIMAL + "MAC: !@mailserver\n", "Write a hardware address: MAC: 00:16:3e:12:34:56"),
        (MINIMAL + "TTL: @mailserver\n", "Write what TTL is in the log"),
        (MINIMAL + "SRC: @unused\n", "[smtp] SRC: '@unused' is not defined. "),
        (
            MINIMAL + "SRC: @\n",
            "[smtp] SRC: '@' has no name behind it. "
            "Write addresses or networks: SRC: @lan_networks",
        ),
        (
            MINIMAL + "IN: eth1, !@\n",
            "[smtp] IN: '@' has no name behind it. Write interfaces: IN: @lan",
        ),
        (MINIMAL + "ignore: @\n", "[smtp] ignore: '@' has no name behind it. Write addresses"),
    ],
)
def test_a_name_that_stands_for_nothing_is_a_fault(write, text, expected):
    """As is one that stands for what the field never has."""
    assert any(expected in fault for fault in faults(write(HOSTS + text))), faults(
        write(HOSTS + text)
    )


@pytest.mark.parametrize(
    ("default", "hosts", "expected"),
    [
        (
            "",
            "web: 192.168.1.300",
            "4 [hosts] web: '192.168.1.300' is not an address, a network or a hardware address. "
            "Write one as 192.168.1.5, 2001:db8::5 or 00:16:3e:12:34:56",
        ),
        (
            "",
            "web: 192.168.1.1/16",
            "4 [hosts] web: '192.168.1.1/16' is not an address or network. "
            "Write the network: 192.168.0.0/16",
        ),
        ("", "LAN: 10.0.0.0/8", "4 [hosts] LAN: is not a name to give. Move it into [DEFAULT]."),
        ("", "my web: ::1", "4 [hosts] my web: is not a name. Write it in letters, digits"),
        ("", "web: ::1\nWEB: ::1", "5 [hosts] WEB: is there twice, but for its case. Remove one."),
        ("", "DPT: 25", "4 [hosts] DPT: is a condition. Move it into a signal's section."),
        (
            "lan_networks: 10.0.0.0/33",
            "web: ::1",
            "2 [DEFAULT] lan_networks: '10.0.0.0/33' is not an address or network. ",
        ),
        (
            "lan: 10.0.0.0/8",
            "web: ::1",
            "2 [DEFAULT] lan: '10.0.0.0/8' is not an interface's name. Write lan: eth1",
        ),
        (
            "",
            "web: ::1",
            "1 [DEFAULT] lan: is not given, and '@lan' stands for it. Write lan: eth1",
        ),
        (
            "lan: ,",
            "web: ::1",
            "2 [DEFAULT] lan: is not given, and '@lan' stands for it. Write lan: eth1",
        ),
    ],
)
def test_a_bad_name_is_told_once_where_it_stands(write, default, hosts, expected):
    """However many conditions ask for it."""
    lan = default if default.startswith("lan:") else default or "lan: eth1"
    if "is not given" in expected:
        lan = default
    uses = "SRC: @web\nIN: @lan\nDST: !@web, @lan_networks\n"
    text = f"[DEFAULT]\n{lan}\n[hosts]\n{hosts}\n{MINIMAL}{uses}[more]\n{uses}"
    told = [fault for fault in faults(write(text)) if "'@web' is not defined" not in fault]
    assert len([fault for fault in told if expected in fault]) == 1, told
    assert not any("[smtp]" in fault or "[more]" in fault for fault in told)


def ignored(config: Config, name: str) -> list[str]:
    """Give the machines that the signal *name* leaves out."""
    signal = config.signal(name)
    assert signal is not None
    return [
        f"{c.field} {test.words()}" for c in signal.conditions if c.ignores for test in c.barred
    ]


def test_a_signals_own_ignore_stands_instead_of_the_defaults(write):
    """As every option does; an empty one leaves nobody out, and SRC: is not touched."""
    default = HOSTS.replace("[hosts]", "ignore: @mailserver, 00:16:3e:00:00:01\n[hosts]")
    more = "SRC: 10.0.0.0/8, !10.0.0.5\n[own]\nignore: @web-2, ::1,\n[none]\nignore:\n"
    text = default + MINIMAL + more
    config = load(write(text))
    of_default = ["SRC 192.168.1.5", "SRC 2001:db8::5", "MAC 00:16:3e:00:00:01"]
    assert ignored(config, "smtp") == of_default
    assert ignored(config, "own") == ["SRC 10.1.0.0/16", "SRC ::1", "MAC 00:16:3E:12:34:56"]
    assert ignored(config, "none") == []
    assert [test.words() for each in config.ignored for test in each.barred] == [
        machine.partition(" ")[2] for machine in of_default
    ]
    (source,) = (c for c in config.signals[0].conditions if c.field == "SRC" and not c.ignores)
    assert source.text == "10.0.0.0/8, !10.0.0.5"
    told = list(config_warnings(config, ["eth1", "br0"]))
    assert [warning.partition(" ")[2] for warning in told] == [
        f"[{name}] is not looked for: [signals] log: does not name it" for name in ("own", "none")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ignore: printer", "ignore: 'printer' is not an address, a network or a hardware address"),
        ("ignore: !10.0.0.1", "ignore: '!10.0.0.1' is not an address, a network or a hardware"),
        ("ignore: @mailserer", "'@mailserer' is not defined. Did you mean @mailserver?"),
        (
            "ignore: @lan",
            "ignore: '@lan' stands for eth1, br*. "
            "Write addresses, networks or hardware addresses: ignore: 192.168.1.5",
        ),
    ],
)
def test_what_cannot_be_ignored_is_a_fault(write, text, expected):
    """Once, where it stands, be it in a signal or in [DEFAULT]."""
    for whole, section in (
        (f"{HOSTS}{MINIMAL}{text}\n", "smtp"),
        (HOSTS.replace("[hosts]", f"{text}\n[hosts]") + MINIMAL + "[more]\n", "DEFAULT"),
    ):
        (told,) = faults(write(whole))
        assert f"[{section}] ignore: " in told
        assert expected in told


def test_who_is_ignored_is_said_in_words(write):
    """As an exception, behind what is asked."""
    words = signal_words(
        load(write(f"{MINIMAL}ignore: 10.0.0.5, ::1, 02:00:00:00:00:01\n")).signals[0]
    )
    assert words == "packets to port 25, except from 10.0.0.5, ::1 and 02:00:00:00:00:01"
    signal = load(write(MINIMAL.replace("DPT: 25", "ignore: ::1"))).signals[0]
    assert signal_words(signal) == "all refused packets, except from ::1"


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("SRC: 10.0.0.5, 10.0.0.6\nignore: 10.0.0.0/29", True),
        ("MAC: 02:00:00:00:00:01\nignore: 02:00:00:00:00:01", True),
        ("SRC: 10.0.0.5, 10.0.0.16\nignore: 10.0.0.0/29", False),
        ("SRC: !10.0.0.5\nDST: 10.0.0.5\nignore: 10.0.0.5, ::/0", False),
    ],
)
def test_a_signal_all_of_whose_sources_are_ignored_is_warned_of(write, text, warned):
    """Not where something is left."""
    told = "can never be met: each of its values is ignored"
    assert any(told in warning for warning in warnings_of(write, text)) is warned


def test_a_signal_may_have_recipients_of_its_own(write):
    """Nobody else gets its mails; the sender is the same."""
    text = MINIMAL.replace("[signals]", "Cc: cc@example.org\n[signals]").replace(
        "smtp\n", "smtp, b\n", 1
    )
    config = load(write(f"{text}to: Jane <jane@example.org>, root,\n[b]\nDPT: 23\n"), mails=True)
    own, others = (config.recipients_of(signal) for signal in config.signals)
    assert own.addresses == ("jane@example.org", "root")
    assert own.to[0] == Mailbox("Jane", "jane@example.org")
    assert (own.cc, own.bcc) == ((), ())
    assert others.addresses == ("you@example.org", "cc@example.org")
    assert own.sender == others.sender


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MINIMAL + "to: a b@c, x@@y\n", "[smtp] to: 'a b@c', 'x@@y' are not mail addresses. "),
        (MINIMAL + "To: a@b\n", "[smtp] To: does not belong here. Did you mean to?"),
        ("[DEFAULT]\nto: a@b\n" + MINIMAL, "to: does not belong here. Move it into a signal's"),
    ],
)
def test_a_signals_recipients_are_checked(write, text, expected):
    """As those of [recipients] are; [DEFAULT] would have them there, too."""
    (told,) = faults(write(text))
    assert expected in told


def test_what_a_signal_says_of_itself_is_one_line(write):
    """However it is broken in the file."""
    text = "severity: HIGH\ndescription: One\n  two.\n  Three.\nadvice:  Wait,\n\tand   see.\n"
    signal = load(write(MINIMAL + text)).signals[0]
    told = (signal.severity, signal.description, signal.advice)
    assert told == ("high", "One two. Three.", "Wait, and see.")
