"""Lines of logs: our samples, and third parties' expectations on theirs, field by field."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real import need_shared

from botalert.cli.output import drop_object
from botalert.grammar import KernelReader, PatternReader
from botalert.grammar.heads import read_head
from botalert.grammar.packets import PROTOCOLS, canonical_address, read_packet
from botalert.grammar.verdicts import VERDICT_OF_WORD, read_verdict
from botalert.match import sender_mac
from botalert.model import Drop, Outcome
from botalert.times import StampReader

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SAMPLES = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "drops.jsonl").read_text().splitlines()
]


def kernel_reader(*programs: str) -> KernelReader:
    return KernelReader(programs or ("kernel",), StampReader(NOW, UTC))


def read(line: str | bytes, *programs: str) -> Drop | Outcome:
    return kernel_reader(*programs).read(line if isinstance(line, bytes) else line.encode())


def drop_of(line: str | bytes, *programs: str) -> Drop:
    outcome = read(line, *programs)
    assert isinstance(outcome, Drop), line
    return outcome


def shown(outcome: Drop | Outcome) -> object:
    """Give what a sample expects: the object that parse prints, or a word."""
    if isinstance(outcome, Drop):
        printed = drop_object(outcome, "log", 1)
        return {key: value for key, value in printed.items() if key not in ("log", "line")}
    return {Outcome.UNPARSED: "unparsed", Outcome.NOT_A_PACKET: "no packet"}[outcome]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["line"][:60])
def test_a_sample_line_is_read_as_expected(sample):
    """drops.jsonl says what; adding a format begins with a line there."""
    assert shown(read(sample["line"], *sample["programs"])) == sample["expect"]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["line"][:60])
def test_a_line_ended_by_crlf_or_begun_by_nul_bytes_is_the_same(sample):
    """Windows tools and crashes leave such bytes; the packet is the same."""
    damaged = b"\0\0\0" + sample["line"].encode() + b"\r"
    assert shown(kernel_reader(*sample["programs"]).read(damaged)) == sample["expect"]


HEAD = "Nov 20 23:58:33 fw1 kernel: "
PACKET = "IN=eth1 OUT=eth0 SRC=192.0.2.1 DST=192.0.2.2 LEN=40 PROTO=TCP SPT=1 DPT=25 SYN URGP=0 "


@pytest.mark.parametrize("word", sorted(VERDICT_OF_WORD))
def test_a_verdict_is_read_from_a_word_in_any_case(word):
    """Between any other characters, the last known word deciding."""
    assert read_verdict(f"accept-drop:{word.upper()}_1: ") == VERDICT_OF_WORD[word]
    assert read_verdict(f"x{word}x") == "unknown"


def test_a_prefix_of_127_characters_in_utf8_is_kept_whole():
    """That is as long as iptables allows."""
    prefix = "é" * 100 + " IN=x OUT " + "z" * 16 + ":"
    assert drop_of(f"{HEAD}{prefix}{PACKET}").prefix == prefix


def test_bytes_that_are_no_utf8_become_replacement_characters():
    """In the prefix, in the values and in the line."""
    drop = drop_of(HEAD.encode() + b"a\xff " + PACKET.encode())
    assert (drop.prefix, drop.packet.fields["DPT"]) == ("a�", "25")
    assert "�" in drop.line


@given(st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=60))
def test_what_another_program_writes_is_never_the_firewalls(text):
    """An ssh login name may look like anything."""
    for name in (text, f"{text} kernel: {PACKET}", f"kernel: [ 1.0] {PACKET} {text}"):
        line = f"Nov 20 23:58:33 fw1 sshd[812]: Invalid user {name} from 203.0.113.9"
        assert read(line) is Outcome.NOT_A_PACKET


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_read_without_a_crash(line):
    """Whatever they are, with either belief."""
    for programs in (("kernel",), ("*",)):
        outcome = kernel_reader(*programs).read(line)
        assert isinstance(outcome, (Drop, Outcome))


@given(st.data())
def test_a_damaged_packet_line_is_read_right_or_not_at_all(data):
    """Cut out any stretch: SRC and DST are whole addresses, ports are ports."""
    line = HEAD + PACKET
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, len(line)))
    outcome = read(line[:start] + line[end:])
    if isinstance(outcome, Drop):
        fields = outcome.packet.fields
        assert canonical_address(fields["SRC"]) and canonical_address(fields["DST"])
        assert all(int(fields.get(name, 0)) <= 65535 for name in ("SPT", "DPT"))


@given(st.ip_addresses(v=6))
def test_addresses_are_short_however_they_are_written(address):
    """The kernel writes them in full."""
    mapped = address.ipv4_mapped  # Python's own form of these depends on its version.
    expected = str(address) if mapped is None else f"::ffff:{mapped}"
    assert canonical_address(address.exploded.upper()) == expected


def test_a_numeric_protocol_gets_its_usual_name_wherever_it_stands():
    """In the packet and in what it quotes; an unknown number stays."""
    for number, name in [*PROTOCOLS.items(), ("0", "0"), ("255", "255")]:
        packet = read_packet(
            f"SRC=192.0.2.1 DST=192.0.2.2 PROTO={number} [SRC=::1 PROTO={number} ]"
        )
        assert packet is not None and packet.embedded is not None
        assert [packet.fields["PROTO"], packet.embedded.fields["PROTO"]] == [name, name]


def test_a_pattern_of_the_administrators_replaces_the_grammar():
    """Its groups are the fields, whoever speaks; a group that found nothing is absent."""
    pattern = re.compile(r"lost (?P<SRC>\S+) to (?P<DST>\S+)(?: by (?P<HOW>\w+))?")
    reader = PatternReader(pattern, StampReader(NOW, UTC))
    drop = reader.read(b"Nov 20 23:58:33 gw app[1]: lost printer-3 to 192.0.2.2\r")
    assert isinstance(drop, Drop)
    assert dict(drop.packet.fields) == {"SRC": "printer-3", "DST": "192.0.2.2"}
    assert drop.time == datetime(2026, 11, 20, 23, 58, 33, tzinfo=UTC)
    assert reader.read(b"nothing") is Outcome.NOT_A_PACKET


# Third parties' expectations.  What they have and where we differ is said here.


def elastic_view(drop: Drop) -> dict[str, object]:
    """Say of *drop* what Elastic's iptables module says, by the names of its schema."""
    fields, flags = drop.packet.fields, drop.packet.flags
    octets = fields.get("MAC", "").split(":")
    number = {name: int(value, 0) for name, value in fields.items() if _is_number(value)}
    return {
        "source.ip": fields["SRC"],
        "destination.ip": fields["DST"],
        "source.port": number.get("SPT"),
        "destination.port": number.get("DPT"),
        "source.mac": sender_mac(drop.packet.fields),
        "destination.mac": ":".join(octets[:6]) if len(octets) >= 14 else None,
        "iptables.ether_type": int("".join(octets[12:14]), 16) if len(octets) >= 14 else None,
        "iptables.id": number.get("ID") if "TTL" in fields else None,
        "iptables.input_device": fields["IN"],
        "iptables.output_device": fields["OUT"],
        "iptables.length": number["LEN"],
        "iptables.precedence_bits": number.get("PREC"),
        "iptables.tos": number.get("TOS", number.get("TC")),
        "iptables.ttl": number.get("TTL", number.get("HOPLIMIT")),
        "iptables.flow_label": number.get("FLOWLBL"),
        "iptables.icmp.type": number.get("TYPE"),
        "iptables.icmp.code": number.get("CODE"),
        "iptables.icmp.id": number.get("ID") if "FLOWLBL" in fields else None,
        "iptables.icmp.seq": number.get("SEQ"),
        "iptables.tcp.window": number.get("WINDOW"),
        "iptables.tcp.reserved_bits": number.get("RES"),
        "iptables.tcp.flags": [f for f in flags if f not in ("DF", "MF", "CE")] or None,
        "iptables.fragment_flags": [f for f in flags if f in ("DF", "MF", "CE")] or None,
        "network.transport": fields["PROTO"].lower().replace("icmpv6", "ipv6-icmp"),
        "observer.name": drop.host,
        "event.action": drop.verdict,
    }


# Theirs are addresses as logged; "deny" and "drop_input" are prefix words.
ELASTIC_NORMAL = {
    "source.ip": canonical_address,
    "destination.ip": canonical_address,
    "event.action": lambda action: "accept" if action == "accept" else "drop",
}
# What they add from elsewhere, or what we keep inside the prefix or the quote.
ELASTIC_OTHERS = re.compile(
    r"event\.(category|dataset|kind|module|timezone|type)|fileset|input\.type|log\.|network\.(community"
    r"|type)|related|service|tags|rule\.|iptables\.ubiquiti|observer\.(e|in)gress|source\.(as|geo)"
    # UDP's own length is the second LEN of a line, and of two the first counts.
    r"|iptables\.udp\.length"
)


@pytest.mark.parametrize("name", ["geo", "icmp", "iptables", "ipv6", "ubiquiti"])
def test_elastics_expectations_are_met(name):
    """Every field of theirs that a packet line has; their icmp.log names no program."""
    folder = need_shared("corpora/elastic-beats")
    lines = (folder / f"{name}.log").read_bytes().splitlines()
    expected = json.loads((folder / f"{name}.log-expected.json").read_text())
    assert len(lines) == len(expected)
    for line, their in zip(lines, expected, strict=True):
        ours = elastic_view(drop_of(line, "*" if name == "icmp" else "kernel"))
        compared = {key for key in their if not ELASTIC_OTHERS.match(key)}
        assert compared <= ours.keys()
        for key in compared - {"observer.name"}:
            assert ours[key] == ELASTIC_NORMAL.get(key, lambda value: value)(their[key]), key
        # One line lacks the host, and Elastic's test then has none either.
        assert ours["observer.name"] == their.get("observer.name")


def _is_number(value: str) -> bool:
    return re.fullmatch(r"0x[0-9a-fA-F]+|0|[1-9][0-9]*", value) is not None


def asserted(path: Path, *, stage: str) -> list[dict[str, str]]:
    """Read CrowdSec's assertions of *stage* on each line: their name to the value."""
    pattern = re.compile(
        rf'results\["{stage}"\]\["[^"]+"\]\[(\d+)\]\.(?:Evt\.)?(.+?) == (true|false|".*")'
    )
    found: dict[int, dict[str, str]] = {}
    for line in path.read_text().splitlines():
        if match := pattern.fullmatch(line):
            found.setdefault(int(match[1]), {})[match[2]] = json.loads(match[3])
    return [found[index] for index in sorted(found)]


def test_crowdsecs_expectations_are_met():
    """Line by line: what their parser fails on we don't read either."""
    folder = need_shared("corpora/crowdsec-hub")
    lines = (folder / "iptables-logs.log").read_bytes().splitlines()
    expected = asserted(folder / "iptables-logs.parser.assert", stage="s01-parse")
    heads = asserted(folder / "iptables-logs.parser.assert", stage="s00-raw")
    assert len(lines) == len(expected) == len(heads) == 4
    compared = 0
    for line, their, head in zip(lines, expected, heads, strict=True):
        outcome = read(line)
        if not their["Success"]:
            assert outcome is Outcome.UNPARSED
            continue
        assert isinstance(outcome, Drop)
        fields = outcome.packet.fields
        assert outcome.host == head['Meta["machine"]']
        for key, value in their.items():
            if match := re.fullmatch(r'Unmarshaled\["iptables"\]\["(\w+)"\]', key):
                if match[1] == "LEN":
                    # Theirs is the line's last LEN, UDP's own; ours its first, the packet's.
                    assert value == re.findall(rb"LEN=(\d+)", line)[-1].decode()
                    continue
                assert fields[match[1]] == value, key
                compared += 1
        for theirs, ours in {
            "src_ip": "SRC",
            "dst_ip": "DST",
            "src_port": "SPT",
            "dst_port": "DPT",
            "proto": "PROTO",
            "int_eth": "IN",
        }.items():
            assert fields[ours] == their[f'Parsed["{theirs}"]']
        assert their['Meta["log_type"]'] == "iptables_drop"
        assert outcome.verdict in ("drop", "unknown")
    assert compared >= 40


def test_crowdsecs_scan_scenario_sees_the_same_events():
    """Each of their events is one of our packets: source, machine and time."""
    folder = need_shared("corpora/crowdsec-hub")
    events: dict[tuple[str, str], dict[str, str]] = {}
    for line in (folder / "iptables-scan-multi-port.scenario.assert").read_text().splitlines():
        pattern = (
            r'results\[(\d+)\]\.Overflow\.Alert\.Events\[(\d+)\]\.GetMeta\("(\w+)"\) == "(.*)"'
        )
        if match := re.fullmatch(pattern, line):
            events.setdefault((match[1], match[2]), {})[match[3]] = match[4]
    assert len(events) >= 30
    # They take the year of the run and let such stamps lie ahead.
    late = KernelReader(["kernel"], StampReader(datetime(2026, 12, 31, tzinfo=UTC), UTC))
    drops = [
        late.read(line)
        for line in (folder / "iptables-scan-multi-port.log").read_bytes().splitlines()
    ]
    ours = {
        (drop.packet.fields["SRC"], drop.host, drop.time)
        for drop in drops
        if isinstance(drop, Drop)
    }
    for event in events.values():
        moment = datetime.fromisoformat(event["timestamp"])
        assert (event["source_ip"], event["machine"], moment) in ours


def test_the_ufw_parsers_timestamps_are_met():
    """Where a line begins with a stamp, the instant is theirs; elsewhere it is no head."""
    folder = need_shared("corpora/sefinek-ufw-log-parser")
    stamps = StampReader(datetime(2026, 12, 31, tzinfo=UTC), UTC)
    met = 0
    for case in json.loads((folder / "timestamps.expected.json").read_text()):
        head = read_head(case["input"], stamps, any_program=True)
        assert head is not None
        if head.time is None:
            # They search anywhere in the line, and take a stamp without seconds.
            assert not re.match(
                r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d|[A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d", case["input"]
            )
            continue
        milliseconds = head.time.replace(microsecond=head.time.microsecond // 1000 * 1000)
        assert milliseconds == datetime.fromisoformat(case["expected"])
        met += 1
    assert met == 5


# How many packets INDEX.md counts in each log, or by which we differ and why.
PACKETS = {
    "cpan-IPTables-Log/syslog": 8,
    "crowdsec-hub/iptables-logs.log": 3,  # and XX=, which is unparsed
    "crowdsec-hub/iptables-scan-multi-port.log": 49,
    "espenotterstad-iptables-log-tui/lines.log": 5,
    "host-azure-ixion/iptables.log": 1182,  # the last without its newline
    "host-hpprobook/kern.log": 1673,
    "host-hpprobook/ufw.log": 1673,
    "host-pi-cs456/ufw.log": 5136,
    "host-pogo-droplet/ufw.log": 44,
    "host-raspberry-knocker/kern.log": 65,
    "kernel-6.18-generated-a/dmesg.log": 116,  # and an ARP packet
    "noise-loghub-linux/Linux_2k.log": 0,
    "prelude-lml-rules/netfilter.log": 10,
    "prelude-lml-rules-non-netfilter/ipchains.log": 0,
    "prelude-lml-rules-non-netfilter/ipfw.log": 0,
    "psad/fin_scan_1000_1150.log": 302,
    "psad/ipv6_tcp_connect_nmap_default_scan.log": 1009,
    "psad/topera_ipv6_syn_scan_no_ip_opts.log": 1058,
    "sefinek-ufw-log-parser/lines.log": 8,
    "shorewall-doc/lines.log": 11,  # and one that names no program
    "web-quotes-a/lines.log": 30,  # 2 of ARP, 1 of another program, 5 damaged
}


@pytest.mark.parametrize(("name", "expected"), PACKETS.items())
def test_every_packet_of_a_real_log_is_read(name, expected):
    """The counts are those of the collection's index, but for what is said above."""
    lines = (need_shared("corpora") / name).read_bytes().split(b"\n")
    outcomes = [kernel_reader().read(line) for line in lines]
    assert sum(isinstance(outcome, Drop) for outcome in outcomes) == expected


@pytest.mark.parametrize("name", ["ulogd-2.0.8-generated-a", "ulogd-docs"])
def test_a_file_that_only_ulogd_writes_is_read_when_any_program_is_believed(name):
    """LOGEMU names no program."""
    lines = (need_shared("corpora") / name / "syslogemu.log").read_bytes().splitlines()
    assert all(read(line) is Outcome.NOT_A_PACKET for line in lines)
    assert all(isinstance(read(line, "*"), Drop) for line in lines)


FORMATS = ("traditional", "iso", "rfc5424")


@pytest.mark.parametrize("firewall", ["ipt-shorewall", "nft"])
def test_one_packet_is_one_packet_in_every_format(firewall):
    """The laboratory's rsyslogd wrote the same packets in three formats at once."""
    folder = need_shared("lab/captured")
    drops = [
        [drop_of(line) for line in (folder / f"{firewall}.{form}.log").read_bytes().splitlines()]
        for form in FORMATS
    ]
    for same in zip(*drops, strict=True):
        assert len({(str(d.packet), d.prefix, d.verdict, d.host, d.uptime) for d in same}) == 1
        assert len({d.time.replace(microsecond=0) for d in same}) == 1


@pytest.mark.parametrize(
    "line",
    [
        "9" * 5000 + ",1,1,-;" + PACKET,
        "4,1," + "9" * 5000 + ",-;" + PACKET,
        f"{HEAD}message repeated {'9' * 5000} times: [ {PACKET}]",
        f"9999-12-31T23:59:60Z fw kernel: {PACKET}",
        f"0001-01-01T00:00:00+14:00 fw kernel: {PACKET}",
        HEAD + PACKET + "[SRC=192.0.2.1 " * 3000,
        HEAD + "IN=" * 100_000,
        HEAD + PACKET + "[SRC= ] " * 100_000,
    ],
    ids=range(8),
)
def test_what_no_kernel_writes_is_read_quickly_and_without_a_crash(line):
    """Numbers without end, nesting without end, and candidates without end."""
    for programs in (("kernel",), ("*",)):
        assert isinstance(read(line, *programs), (Drop, Outcome))


@pytest.mark.parametrize(
    "head",
    [
        "2026-11-20 23:39:03,105 fail2ban.actions [1]: NOTICE ",
        "2026-11-20 23:39:03,105 sshd: Invalid user ",
        "2026-11-20T23:39:03,105166+00:00 sshd[7]: Invalid user ",
        "2026-11-20T23:39:03.105166+00:00 [1.5] Invalid user ",
    ],
)
def test_a_stamp_like_dmesgs_makes_no_kernel_line(head):
    """Programs that log with Python write a comma, too."""
    assert read(head + PACKET) is Outcome.NOT_A_PACKET


def test_a_patterns_groups_may_be_called_as_what_is_derived():
    """PREFIX, HOST, VERDICT and FLAGS are then the pattern's."""
    pattern = re.compile(
        r"(?P<HOST>\S+) (?P<SRC>\S+) (?P<VERDICT>\S+) (?P<PREFIX>\S+) (?P<FLAGS>.*)"
    )
    drop = PatternReader(pattern, StampReader(NOW, UTC)).read(b"fw9 10.0.0.1 drop p: SYN ACK")
    assert isinstance(drop, Drop)
    assert (drop.host, drop.verdict, drop.prefix) == ("fw9", "drop", "p:")
    assert drop.packet.flags == ("SYN", "ACK")
