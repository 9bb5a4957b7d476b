"""The shipped signals: how they are named and replaced, and what each asks."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from botalert.config import Config, load
from botalert.config.library import FOLDER, library
from botalert.errors import ConfigurationError
from botalert.grammar import KernelReader
from botalert.match import SEVERITIES, Signal, first_failure
from botalert.model import Drop
from botalert.threshold import DAYS, ONE_PACKET, Measure
from botalert.times import StampReader

SHIPPED = library().names
# All that a new user writes.
NEW = "[DEFAULT]\nlan: eth1\n[recipients]\nTo: you@example.org\n"

Write = Callable[[str], Config]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Read a configuration that is written for the test."""

    def _written(text: str) -> Config:
        path = tmp_path / "botalert.conf"
        path.write_text(text)
        return load(str(path), mails=True)

    return _written


def faults(written: Write, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        written(text)
    return [fault.rpartition("/")[2] for fault in caught.value.faults]


def test_an_interface_and_a_recipient_are_a_whole_configuration(written: Write) -> None:
    """The recommended signals, mailed by this machine."""
    config = written(NEW)
    assert config.signal_names == library().sets["@default"]
    assert config.recipients is not None
    assert config.recipients.addresses == ("you@example.org",)
    assert config.recipients.sender.address == f"botalert@{os.uname().nodename}"
    assert config.others == ()


@pytest.mark.parametrize("log", ["", "[signals]\n", "[signals]\nlog:\n", "[signals]\nlog: ,\n"])
def test_the_recommended_set_is_what_nothing_else_is_written_for(written: Write, log: str) -> None:
    """Whichever part is left out."""
    assert written(NEW + log).signal_names == library().sets["@default"]


def test_nothing_is_assumed_beside_a_signal_of_ones_own(written: Write) -> None:
    """An empty log: names nothing, as in 0.5a; a missing one is told."""
    assert written(f"{NEW}[signals]\nlog:\n[web]\nDPT: 80\n").signal_names == ()
    assert faults(written, f"{NEW}[web]\nDPT: 80\n") == [
        "botalert.conf:1 [signals]: is missing. Write a section [signals] with log: @default, web"
    ]


def test_the_sets_are_what_they_are_called(written: Write) -> None:
    """All has what is recommended and more, no signal twice."""
    recommended, everything = library().sets["@default"], library().sets["@all"]
    assert set(recommended) < set(everything)
    assert everything[: len(recommended)] == recommended
    assert len(set(everything)) == len(everything)
    assert len(recommended) == 30
    assert len(everything) == 37
    assert set(everything) == set(library().source.values.sections()) - {"signals"}


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("smtp", ("smtp",)),
        ("syslog, smtp, web,", ("syslog", "smtp", "web")),
        ("smtp, @default, web", ("smtp", *library().sets["@default"][1:], "web")),
        (
            "@default, !submission",
            tuple(n for n in library().sets["@default"] if n != "submission"),
        ),
        ("! smtp, @all", SHIPPED[1:]),
        ("@all, !@default, web", (*SHIPPED[30:], "web")),
        ("smtp, web, !web", ("smtp",)),
    ],
)
def test_signals_are_named_singly_and_in_sets(
    written: Write, log: str, expected: tuple[str, ...]
) -> None:
    """And left out, wherever that stands."""
    config = written(f"{NEW}[signals]\nlog: {log}\n[web]\nDPT: 80\n")
    assert config.signal_names == expected


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("smpt", "log: 'smpt' is no signal's section. Did you mean smtp or snmp?"),
        ("@default, !spi", "log: 'spi' is no signal's section. Did you mean sip?"),
        ("@defualt", "log: '@defualt' is no set of signals. Write @default or @all."),
        ("!sip", "log: only leaves out. Write log: @default, !sip"),
        ("!", "log: '!' leaves out nothing. Write a signal's name behind it: !smtp"),
        ("smtp, !,", "log: '!' leaves out nothing. Write a signal's name behind it: !smtp"),
        ("zzzzz", "log: 'zzzzz' is no signal's section. Write a section [zzzzz]."),
    ],
)
def test_what_names_no_signal_is_a_fault(written: Write, log: str, expected: str) -> None:
    """With what was perhaps meant."""
    assert faults(written, f"{NEW}[signals]\nlog: {log}\n") == [
        f"botalert.conf:6 [signals] {expected}"
    ]


def test_a_section_replaces_the_shipped_signal_whole(written: Write) -> None:
    """A [smtp] of 0.5a keeps its meaning, also within a set."""
    own = "[smtp]\nIN: eth0\nPROTO: TCP\nDPT: 25\n"
    for log in ("smtp", "@default"):
        signal = written(f"{NEW}[signals]\nlog: {log}\n{own}").signals[0]
        asked = {c.field: c.text for c in signal.conditions}
        assert asked == {"IN": "eth0", "PROTO": "TCP", "DPT": "25", "VERDICT": "drop, unknown"}
        assert signal.threshold == ONE_PACKET
        assert (signal.severity, signal.description, signal.reference) == ("medium", "", "")


def test_what_default_says_holds_in_shipped_signals(written: Write) -> None:
    """As in any other section."""
    text = NEW.replace("\n", "\nSRC: !192.168.50.0/24\nseverity: info\nretain: 30d\n", 1)
    signal = written(f"{text}[signals]\nlog: smtp\n").signals[0]
    assert "!192.168.50.0/24" in [c.text for c in signal.conditions]
    assert (signal.severity, signal.retain) == ("high", 30 * 86400)


def test_a_missing_lan_is_told_once(written: Write) -> None:
    """However many signals ask for it."""
    assert faults(written, NEW.replace("lan: eth1\n", "")) == [
        "botalert.conf:1 [DEFAULT] lan: is not given, and '@lan' stands for it. Write lan: eth1"
    ]


def test_a_shipped_signal_may_be_asked_for_by_name(tmp_path: Path) -> None:
    """Be it in log: or not; the others that log: does not name stay away."""
    path = tmp_path / "botalert.conf"
    path.write_text(f"{NEW}[signals]\nlog: web\n[web]\nDPT: 80\n")
    assert [each.name for each in load(str(path)).others] == []
    config = load(str(path), asked_for="syslog")
    assert [each.name for each in config.others] == ["syslog"]
    assert load(str(path), asked_for="nothing").others == ()


def test_the_shipped_files_are_read_only_where_they_are_needed(written: Write) -> None:
    """A configuration that does without them does not wait for them."""
    own = f"{NEW}[signals]\nlog: smtp, web\n[smtp]\nDPT: 25\n[web]\nDPT: 80\n"
    library.cache_clear()
    written(own)
    assert library.cache_info().currsize == 0
    written(own.replace("web\n[smtp]", "syslog\n[smtp]"))
    assert library.cache_info().currsize == 1


def test_the_shipped_files_have_no_faults() -> None:
    """Neither twice the same signal nor a line that is none."""
    assert library().source.faults == []
    headers = [
        line
        for path in Path(FOLDER).glob("*.conf")
        for line in path.read_text().splitlines()
        if line.startswith("[")
    ]
    assert len(headers) == len(set(headers)) == len(SHIPPED) + 1


# What each shipped signal is.


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Signal]:
    """All shipped signals of a LAN at eth1, by their names."""
    path = tmp_path_factory.mktemp("all") / "botalert.conf"
    path.write_text("[DEFAULT]\nlan: eth1\n[signals]\nlog: @all\n")
    return {signal.name: signal for signal in load(str(path)).signals}


@pytest.mark.parametrize("name", SHIPPED)
def test_each_signal_says_what_it_is(shipped: dict[str, Signal], name: str) -> None:
    """All its texts, two sentences what it means, and a document to read."""
    signal = shipped[name]
    own = library().source.own_keys(name)
    texts = "threshold severity description advice false_positives reference".split()
    assert own[-len(texts) :] == texts, "conditions first, then these"
    assert signal.severity in SEVERITIES
    assert len(re.findall(r"[.!?](?= [A-Z]|$)", signal.description)) == 2
    for text in (signal.description, signal.advice, signal.false_positives):
        assert text[0].isupper()
        assert text.endswith(".")
    assert re.fullmatch(r"https://[\w.-]+/\S+", signal.reference)
    assert any(c.field == "IN" and c.text == "@lan" for c in signal.conditions)


@pytest.mark.parametrize("name", SHIPPED)
def test_each_signal_asks_for_addresses_last(name: str) -> None:
    """They take long to compare, and most packets fail before that."""
    own = library().source.own_keys(name)
    quick = [own.index(field) for field in ("IN", "PROTO", "DPT", "TYPE") if field in own]
    slow = [own.index(field) for field in ("SRC", "DST") if field in own]
    assert max(quick) < min(slow, default=len(own))


def let_through(window: int) -> int:
    """
    Tell how many lines of a flood UFW logs within *window* seconds.

    Its rules say "limit: avg 3/min burst 10"; Shorewall's default, 1 a
    second and a burst of 10, lets through more in any window.
    """
    return 10 + window * 3 // 60


def is_reachable(measure: Measure) -> bool:
    """Tell whether *measure* is met by half of what is logged of a flood in its window."""
    if measure.window is None:
        return True
    if measure.what == DAYS:
        return measure.number * 2 <= measure.window
    return measure.number * 2 <= let_through(measure.window)


def test_a_log_limit_is_what_the_issue_says() -> None:
    """25 lines in five minutes."""
    assert let_through(300) == 25
    assert not is_reachable(Measure(15, "DPT", "DST", 300))


@pytest.mark.parametrize("name", SHIPPED)
def test_each_threshold_is_met_although_the_log_is_limited(
    shipped: dict[str, Signal], name: str
) -> None:
    """With room to spare, or there is a slower alternative beside it."""
    threshold = shipped[name].threshold
    assert threshold != ONE_PACKET
    unreachable = [measure for measure in threshold if not is_reachable(measure)]
    for measure in unreachable:
        slower = [
            other
            for other in threshold
            if other not in unreachable
            and (other.what, other.per) == (measure.what, measure.per)
            and (other.window or 0) > (measure.window or 0)
        ]
        assert slower, measure


# What meets each, and what nearly does. A packet is told by its differences
# from an attempt to connect that 192.168.1.10 makes to a server outside.


def logged(
    proto: str = "TCP",
    dpt: int = 0,
    flags: str = "SYN",
    *,
    src: str = "192.168.1.10",
    dst: str = "198.51.100.52",
    in_: str = "eth1",
    out: str = "eth0",
    prefix: str = "DROP:",
    icmp_type: int = 8,
) -> Drop:
    """Make the line that the kernel logs of such a packet, and read it."""
    words = [f"{prefix}IN={in_} OUT={out}", "MAC=66:3e:06:4e:33:1a:02:00:c0:a8:01:0a:08:00"]
    if ":" in src:
        words += [f"SRC={src} DST={dst} LEN=80 TC=0 HOPLIMIT=63 FLOWLBL=58873 PROTO={proto}"]
    else:
        words += [f"SRC={src} DST={dst} LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=5 DF PROTO={proto}"]
    if proto == "TCP":
        words += [f"SPT=46418 DPT={dpt} WINDOW=64240 RES=0x00 {flags} URGP=0 "]
    elif proto == "UDP":
        words += [f"SPT=46418 DPT={dpt} LEN=40 "]
    else:
        words += [f"TYPE={icmp_type} CODE=0 ID=7 SEQ=1 "]
    line = f"Nov 20 23:58:33 fw1 kernel: [ 2084.965551] {' '.join(words)}"
    reader = KernelReader(["kernel"], StampReader(datetime(2026, 11, 21, tzinfo=UTC), UTC))
    drop = reader.read(line.encode())
    assert isinstance(drop, Drop)
    return drop


LATE = "ACK FIN"
MULTICAST = "239.255.255.250"
ELSEWHERE = "192.168.2.20"

TABLE: dict[str, tuple[list[Drop], list[Drop]]] = {
    "smtp": (
        [logged(dpt=25), logged(dpt=25, src="2001:db8:1::10", dst="2001:db8:ffff::1")],
        [
            logged(dpt=26),
            logged(dpt=25, flags=LATE),
            logged(dpt=25, dst=ELSEWHERE),
            logged(dpt=25, in_="eth0", out="eth1"),
            logged(dpt=25, prefix="ACCEPT:"),
        ],
    ),
    "submission": (
        [logged(dpt=465), logged(dpt=587)],
        [logged(dpt=993), logged(dpt=587, flags=LATE)],
    ),
    "telnet": ([logged(dpt=23), logged(dpt=2323)], [logged(dpt=24), logged("UDP", 23)]),
    "adb": ([logged(dpt=5555)], [logged(dpt=5556), logged(dpt=5555, dst=ELSEWHERE)]),
    "iot": ([logged(dpt=37215), logged(dpt=52869)], [logged(dpt=37215, flags="RST")]),
    "tr069": ([logged(dpt=7547)], [logged(dpt=7548), logged("UDP", 7547)]),
    "smb": (
        [logged(dpt=445), logged(dpt=139), logged(dpt=445, in_="eth1", out="")],
        [logged(dpt=445, dst=ELSEWHERE), logged(dpt=445, flags="ACK RST"), logged(dpt=138)],
    ),
    "netbios": (
        [logged("UDP", 137), logged("UDP", 138)],
        [logged("UDP", 137, dst="192.168.1.255"), logged("UDP", 138, dst="255.255.255.255")],
    ),
    "msrpc": ([logged(dpt=135)], [logged("UDP", 135), logged(dpt=135, dst="10.0.0.5")]),
    "rdp": ([logged(dpt=3389)], [logged("UDP", 3389), logged(dpt=3389, flags=LATE)]),
    "ssh": ([logged(dpt=22), logged(dpt=2222)], [logged(dpt=22, dst=ELSEWHERE), logged(dpt=222)]),
    "winrm": ([logged(dpt=5985), logged(dpt=5986)], [logged(dpt=5987)]),
    "vnc": ([logged(dpt=5900), logged(dpt=5903)], [logged(dpt=5904), logged(dpt=5899)]),
    "irc": (
        [logged(dpt=6660), logged(dpt=6669), logged(dpt=6697)],
        [logged(dpt=6670), logged(dpt=6667, flags="ACK PSH")],
    ),
    "mining": (
        [logged(dpt=3333), logged(dpt=4444), logged(dpt=7777), logged(dpt=14444)],
        [logged("UDP", 7777), logged(dpt=3334)],
    ),
    "tor": ([logged(dpt=9001), logged(dpt=9030)], [logged(dpt=9000)]),
    "proxy": (
        [logged(dpt=1080), logged(dpt=3128), logged(dpt=4145), logged(dpt=9050)],
        [logged(dpt=8080), logged(dpt=3128, dst="192.168.1.1")],
    ),
    "backdoor": (
        [logged(dpt=port) for port in (3127, 5554, 9996, 12345, 27374, 31337)],
        [logged(dpt=3128), logged("UDP", 31337)],
    ),
    "databases": (
        [logged(dpt=1433), logged(dpt=3306), logged(dpt=5432), logged(dpt=27017)],
        [logged(dpt=3306, dst=ELSEWHERE), logged(dpt=1434)],
    ),
    "redis": ([logged(dpt=6379)], [logged(dpt=6380), logged(dpt=6379, flags=LATE)]),
    "containers": ([logged(dpt=2375), logged(dpt=10250)], [logged(dpt=2376)]),
    "industrial": (
        [logged(dpt=102), logged(dpt=502), logged(dpt=44818), logged("UDP", 47808)],
        [logged(dpt=502, flags=LATE), logged("UDP", 47808, dst="255.255.255.255")],
    ),
    "amplification": (
        [logged("UDP", port) for port in (17, 19, 111, 389, 1900, 11211)],
        [logged("UDP", 1900, dst=MULTICAST), logged(dpt=389), logged("UDP", 123)],
    ),
    "ntp": ([logged("UDP", 123)], [logged("UDP", 123, dst="192.168.1.1"), logged(dpt=123)]),
    "dns": (
        [logged("UDP", 53), logged(dpt=53)],
        [logged("UDP", 53, dst="192.168.1.1"), logged("UDP", 5353), logged(dpt=53, flags="RST")],
    ),
    "dot": (
        [logged(dpt=853), logged("UDP", 853)],
        [logged(dpt=853, dst="fd00::1", src="fd00::10"), logged(dpt=853, flags=LATE)],
    ),
    "snmp": ([logged("UDP", 161), logged("UDP", 162)], [logged("UDP", 161, dst="192.168.0.9")]),
    "tftp": ([logged("UDP", 69)], [logged("UDP", 69, dst="192.168.1.1"), logged(dpt=69)]),
    "syslog": (
        [logged("UDP", 514), logged(dpt=514), logged(dpt=6514)],
        [logged("UDP", 514, dst=ELSEWHERE), logged(dpt=514, flags=LATE)],
    ),
    "sip": (
        [logged("UDP", 5060), logged(dpt=5060), logged(dpt=5061)],
        [logged("UDP", 5060, dst="224.0.1.75"), logged("UDP", 5062)],
    ),
    "peer-to-peer": (
        [logged(dpt=6881), logged("UDP", 6889), logged(dpt=4662), logged("UDP", 51413)],
        [logged(dpt=6880), logged("UDP", 6771, dst="239.192.152.143")],
    ),
    "spoofed": (
        [logged("UDP", 80, src="203.0.113.7"), logged("ICMP", src="203.0.113.7")],
        [
            logged("UDP", 67, src="0.0.0.0", dst="255.255.255.255"),
            logged("UDP", 80, src="169.254.3.4"),
            logged(dpt=443, flags="RST", src="100.64.3.4"),
            logged("UDP", 80, src="2001:db8:1::10", dst="2001:db8:ffff::1"),
            logged("UDP", 80, src="203.0.113.7", in_="eth0", out="eth1"),
        ],
    ),
    "spoofed-ipv6": (
        [logged("UDP", 80, src="2001:db8:bad::1", dst="2001:db8:ffff::1")],
        [
            logged("ICMPv6", src="::", dst="ff02::16", icmp_type=143),
            logged("UDP", 5353, src="fe80::1", dst="ff02::fb"),
            logged("UDP", 80, src="203.0.113.7"),
        ],
    ),
    "horizontal-scan": (
        [
            logged(dpt=8443),
            logged(dpt=22, dst=ELSEWHERE),
            logged(dpt=22, dst="192.168.1.1", out=""),
        ],
        [
            logged(dpt=443),
            logged(dpt=25),
            logged(dpt=5228),
            logged(dpt=6881),
            logged(dpt=8443, flags="RST"),
            logged("UDP", 22),
        ],
    ),
    "vertical-scan": (
        [logged(dpt=1), logged(dpt=443), logged(dpt=65535, dst=ELSEWHERE)],
        [
            logged(dpt=50123, flags="ACK RST"),
            logged(dpt=50123, flags="SYN ACK"),
            logged("UDP", 33434),
        ],
    ),
    "ping-sweep": (
        [logged("ICMP"), logged("ICMPv6", src="fd00::5", dst="fd00::6", icmp_type=128)],
        [
            logged("ICMP", icmp_type=0),
            logged("ICMPv6", src="fe80::5", dst="ff02::1", icmp_type=135),
        ],
    ),
    "lateral": (
        [
            logged(dpt=445, dst=ELSEWHERE),
            logged(dpt=3389, dst="10.3.0.1"),
            logged(dpt=22, dst="fd00::6", src="fd00::5"),
        ],
        [
            logged(dpt=445),
            logged(dpt=445, dst="192.168.1.1", out=""),
            logged(dpt=443, dst=ELSEWHERE),
            logged(dpt=445, dst=ELSEWHERE, flags=LATE),
        ],
    ),
}


def test_every_signal_is_in_the_table() -> None:
    """A new one has to be tried here."""
    assert set(TABLE) == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_signal_is_met_by_what_it_is_about(shipped: dict[str, Signal], name: str) -> None:
    """Each of the lines, by all its conditions."""
    for drop in TABLE[name][0]:
        assert first_failure(drop, shipped[name]) is None, drop


@pytest.mark.parametrize("name", SHIPPED)
def test_a_signal_is_not_met_by_a_near_miss(shipped: dict[str, Signal], name: str) -> None:
    """Each of the lines fails a condition."""
    assert TABLE[name][1]
    for drop in TABLE[name][1]:
        assert first_failure(drop, shipped[name]) is not None, drop


QUIET = {
    "names asked for as the web is": logged(dpt=443, dst="8.8.8.8"),
    "a phone waiting for notices": logged(dpt=5228, dst="142.250.27.188"),
    "the web without TCP": logged("UDP", 443),
    "looking for names on the LAN": logged("UDP", 5353, dst="224.0.0.251"),
    "looking for media players": logged("UDP", 1900, dst=MULTICAST),
    "the neighbours' Windows names": logged("UDP", 137, dst="192.168.1.255"),
    "asking for an address": logged("UDP", 67, src="0.0.0.0", dst="255.255.255.255"),
    "a printer elsewhere": logged("UDP", 161, dst="192.168.0.9"),
    "private name servers": logged(dpt=853, dst="1.1.1.1", flags=LATE),
    "calls over the wireless LAN": logged("UDP", 4500),
    "a clock": logged("UDP", 123),
    "a game": logged("UDP", 3074),
    "the late end of a connection": logged(dpt=25, flags="RST"),
}


@pytest.mark.parametrize("what", QUIET)
def test_what_every_network_has_meets_no_recommended_signal(
    shipped: dict[str, Signal], what: str
) -> None:
    """But for the one that counts ports, and would wait for many."""
    met = [n for n in library().sets["@default"] if first_failure(QUIET[what], shipped[n]) is None]
    assert set(met) <= {"vertical-scan"}
