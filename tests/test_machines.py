"""What machines are called: leases as servers write them, other files, the resolver, vendors."""

import os
import re
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from checkout import ROOT
from hypothesis import given
from hypothesis import strategies as st
from installation import Installation

from botalert import machines
from botalert.config import load
from botalert.detect import Detection
from botalert.errors import ConfigurationError
from botalert.machines import Directory, resolver
from botalert.machines.ethers import read_ethers
from botalert.machines.files import LONGEST_NAME, MOST_BYTES, plain_name, read_text
from botalert.machines.hosts import read_hosts
from botalert.machines.lease import Lease
from botalert.machines.leases import Leases, is_known, read_leases
from botalert.machines.vendors import LOCAL, read_registry, vendor_of
from botalert.model import Identity
from botalert.tally import Tally

MAC = "02:00:c0:a8:02:14"
OTHER = "00:16:3e:00:00:02"


def at(text: str) -> int:
    """Give a time of the 20th of November, in seconds since 1970."""
    return int(datetime.fromisoformat(f"2026-11-20T{text}:00+00:00").timestamp())


DNSMASQ = f"""\
{at("22:00")} {MAC} 192.168.1.10 laptop-anna 01:{MAC}
0 {OTHER} 192.168.1.11 printer *
43200 06-00:16:3e:00:00:03 192.168.1.12 * *
duid 00:01:00:01:1d:4b:2f:0c:00:16:3e:12:34:56
{at("22:00")} 1234567 2001:db8::10 laptop-anna 00:01:00:01:1d:4b:2f:0c:{MAC}
{at("22:00")} T7654321 2001:db8::11 * 00:01:00:01:1d:4b:2f:0c:{OTHER}
"""
# From dhcpd 4.4; the second and third entries are later ones of the first lease.
DHCPD = f"""\
# The format of this file is documented in the dhcpd.leases(5) manual page.
# This lease file was written by isc-dhcp-4.4.3-P1

# authoring-byte-order entry is generated, DO NOT DELETE
authoring-byte-order little-endian;

failover peer "dhcp" state {{
  my state normal at 5 2026/11/20 09:00:00;
}}
lease 192.168.1.10 {{
  starts 5 2026/11/20 10:00:00;
  ends 5 2026/11/20 22:00:00;
  cltt 5 2026/11/20 10:00:00;
  binding state active;
  next binding state free;
  rewind binding state free;
  hardware ethernet {MAC.upper()};
  uid "\\001\\002\\000\\300\\250\\002\\024";
  set vendor-class-identifier = "MSFT 5.0 {{ }} ;";
  client-hostname "laptop-anna";
}}
lease 192.168.1.10 {{
  starts 5 2026/11/20 10:00:00;
  ends 5 2026/11/20 12:00:00;
  tstp 5 2026/11/20 12:00:00;
  binding state free;
  hardware ethernet {MAC};
  client-hostname "laptop-anna";
}}
lease 192.168.1.10 {{
  starts epoch {at("14:00")}; # Fri Nov 20 15:00:00 2026
  ends never;
  binding state active;
  on expiry {{
    execute ("/bin/true", "}} lease 192.168.1.99 {{");
  }}
  hardware ethernet {OTHER};
  client-hostname "evil\\"; }} lease 192.168.1.1 {{ client-hostname \\"router";
}}
lease 192.168.1.11 {{
  starts 5 2026/11/20 10:00:00;
  ends 5 2026/11/20 11:00:00;
  binding state active;
  hardware ethernet {OTHER};
  set ddns-fwd-name = "printer.example.org";
}}
lease 192.168.1.11 {{
  starts 5 2026/11/20 10:30:00;
  ends 6 2026/11/21 10:30:00;
  binding state abandoned;
  client-hostname "printer";
}}
ia-na "\\275\\035\\022\\000\\000\\001\\000\\001" {{
  cltt 5 2026/11/20 10:00:00;
  iaaddr 2001:db8:0::10 {{
    binding state active;
    preferred-life 27000;
    max-life 43200;
    ends 5 2026/11/20 22:00:00;
    set ddns-client-fqdn = "laptop-anna.example.org";
  }}
}}
ia-pd "\\275\\035\\022\\000" {{
  iaprefix 2001:db8:1::/56 {{
    ends 5 2026/11/20 22:00:00;
  }}
}}
lease 192.168.1.13 {{
  starts 5 2026/11/20 10:00:00;
"""
KEA4 = f"""\
address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id
192.168.1.10,{MAC},01:{MAC},43200,{at("22:00")},1,0,0,laptop-anna,0,,0
192.168.1.10,{MAC},01:{MAC},0,{at("10:00")},1,0,0,laptop-anna,0,,0
192.168.1.11,{OTHER},,3600,{at("11:00")},1,1,1,printer.example.org.,0,{{ "a": 1&#x2c "b": 2 }},0
192.168.1.11,{OTHER},,3600,{at("11:00")},1,0,0,,2,,0
192.168.1.12,,,86400,{at("23:00")},1,0,0,,1,,0
192.168.1.13,{OTHER},,4294967295,{at("10:00") + 4294967295},1,0,0,a&#x2cb,0,,0
"""
KEA6 = f"""\
address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id
2001:db8::10,00:01:00:01:2c:5f:aa:bb:{MAC},43200,{at("22:00")},1,7200,0,1234,128,0,0,laptop-anna,{MAC},0,,1,0,0
2001:db8:1::,00:03:00:01:{MAC},43200,{at("22:00")},1,7200,2,9,56,0,0,router,,0,,,,0
"""


def test_leases_of_dnsmasq():
    """When they begin is not told, nor when those end that never do."""
    end = at("22:00")
    assert list(read_leases(DNSMASQ)) == [
        Lease("192.168.1.10", "laptop-anna", MAC, None, end),
        Lease("192.168.1.11", "printer", OTHER, None, None),
        Lease("192.168.1.12", "", "00:16:3e:00:00:03", None, None),
        Lease("2001:db8::10", "laptop-anna", None, None, end),
        Lease("2001:db8::11", "", None, None, end),
    ]


def test_leases_of_dhcpd():
    """In UTC; what stands in a string begins no lease; one cut short is none."""
    assert list(read_leases(DHCPD)) == [
        Lease("192.168.1.10", "laptop-anna", MAC, at("10:00"), at("22:00")),
        Lease("192.168.1.10", "laptop-anna", MAC, at("10:00"), at("12:00")),
        Lease("192.168.1.10", "evillease192.168.1.1client-hostnamerouter", OTHER,
              at("14:00"), None),
        Lease("192.168.1.11", "printer.example.org", OTHER, at("10:00"), at("11:00")),
        Lease("192.168.1.11", "", None, at("10:30"), at("10:30") + 86400),
        Lease("2001:db8::10", "laptop-anna.example.org", None, at("10:00"), at("22:00")),
    ]  # fmt: skip


def test_a_string_that_is_cut_short_hides_no_more_than_a_lease():
    """As where the server was killed, and went on behind it; nor is it looked through for long."""
    lease = 'lease 192.168.1.{0} {{\n  client-hostname "pc-{0}";\n}}\n'
    whole = "".join(map(lease.format, (20, 21, 22)))
    assert {each.name for each in read_leases(whole)} == {"pc-20", "pc-21", "pc-22"}
    cut = whole.replace('pc-20";\n}', "pc-20")
    assert {each.name for each in read_leases(cut)} == {"pc-22"}
    assert list(read_leases("lease 192.168.1.20 {" + '"\\' * 100_000)) == []


def test_leases_of_kea():
    """What only says that a lease has ended is none; nor is a prefix."""
    assert list(read_leases(KEA4)) == [
        Lease("192.168.1.10", "laptop-anna", MAC, at("10:00"), at("22:00")),
        Lease("192.168.1.11", "printer.example.org", OTHER, at("10:00"), at("11:00")),
        Lease("192.168.1.12", "", None, at("23:00") - 86400, at("23:00")),
        Lease("192.168.1.13", "ab", OTHER, at("10:00"), None),
    ]
    assert list(read_leases(KEA6)) == [
        Lease("2001:db8::10", "laptop-anna", MAC, at("10:00"), at("22:00"))
    ]


@pytest.mark.parametrize("end", ["\r", "\v", "\f", "\x1c", "\x85", "\u2028"])
def test_a_line_ends_at_a_line_feed_alone(tmp_path, end):
    """A name cannot go on as another machine's lease."""
    file = tmp_path / "leases"
    for text in (
        f"0 {MAC} 192.168.1.10 evil{end}0 {OTHER} 192.168.1.1 router *\n",
        f"{KEA4}192.168.1.14,,,60,60,1,0,0,evil{end}192.168.1.1,{OTHER},,60,60,1,0,0,router,0,,0\n",
    ):
        file.write_bytes(text.encode())
        found = {lease.address for lease in read_leases(read_text(str(file)))}
        assert found
        assert "192.168.1.1" not in found


@pytest.mark.parametrize("text", [DNSMASQ, DHCPD, KEA4, KEA6, "", "\n"])
def test_the_content_tells_whose_leases_they_are(text):
    """A file that a server has just made is empty, and fine."""
    assert is_known(text)


@pytest.mark.parametrize("text", ["192.168.1.1 router\n", "logfile: x\n", "\0"])
def test_what_is_nobodys_is_told(text):
    """And names nobody."""
    assert not is_known(text)
    assert list(read_leases(text)) == []


def shaken(text: str) -> st.SearchStrategy[str]:
    """Give *text* with something put into it, and cut short."""
    cuts = st.integers(0, len(text))
    return st.builds(
        lambda cut, piece, end: (text[:cut] + piece + text[cut:])[:end],
        cuts, st.text(max_size=20) | st.sampled_from(['"', "{", "}", ";", "\\", ",", "9" * 99]),
        cuts,
    )  # fmt: skip


@given(st.one_of(st.text(), *map(shaken, [DNSMASQ, DHCPD, KEA4, KEA6])))
def test_no_content_keeps_an_alert_from_going_out(text):
    """Whatever is in the files, it is read to its end, and names harm nobody."""
    for lease in read_leases(text):
        assert re.fullmatch(r"[A-Za-z0-9.-]*", lease.name)
    read_hosts(text)
    read_ethers(text)
    read_registry(text)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("09:59", ""),
        ("10:00", "laptop-anna"),
        ("11:59", "laptop-anna"),
        ("12:01", ""),
        ("13:59", ""),
        ("14:01", "evillease192.168.1.1client-hostnamerouter"),
    ],
)
def test_the_lease_counts_that_was_valid_then(time, expected):
    """Neither the one before nor the one after; the later entry of one lease wins."""
    lease = Leases(read_leases(DHCPD)).of_address("192.168.1.10", at(time), ())
    assert (lease.name if lease else "") == expected


def test_the_order_of_files_does_not_matter():
    """A server keeps what it has not cleaned up yet in a second file."""
    begun = [Lease("192.0.2.1", name, None, at(time), at("22:00"))
             for name, time in (("old", "10:00"), ("new", "11:00"))]  # fmt: skip
    for leases in (begun, begun[::-1]):
        found = Leases(leases).of_address("192.0.2.1", at("12:00"), ())
        assert found is not None
        assert found.name == "new"


def test_an_abandoned_lease_hides_the_one_before():
    """Somebody else uses the address."""
    found = Leases(read_leases(DHCPD))
    for clock, name in (("10:29", "printer.example.org"), ("10:31", "")):
        lease = found.of_address("192.168.1.11", at(clock), ())
        assert lease is not None
        assert lease.name == name


def test_a_renewal_after_the_packets_is_of_the_same_machine():
    """If the hardware address is the packets' own."""
    found = Leases(read_leases(DHCPD))
    assert found.of_address("192.168.1.10", at("09:00"), (OTHER,)) is not None
    assert found.of_address("192.168.1.10", at("09:00"), ("00:00:00:00:00:01",)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("laptop-anna.example.org.", "laptop-anna.example.org"),
        ("<script>alert(1)</script>", "scriptalert1script"),
        ("\x1b[31mred\u202egnp", "31mredgnp"),
        ("x\r\nBcc: you", "xBccyou"),
        ("*", ""),
        ("192.168.1.1", ""),
        ("p\u0430ypal", "pypal"),
        ("-x-", "x"),
        ("a" * 500, "a" * LONGEST_NAME),
    ],
)
def test_names_are_harmless(text, expected):
    """Letters, digits, dots and hyphens, and at least one letter."""
    assert plain_name(text) == expected


def test_hosts_and_ethers():
    """hosts(5): the first name counts; ethers(5): a name or an address, zeros may be missing."""
    assert read_hosts(
        "# x\n192.168.1.20 nas nas.example.org # y\n192.168.1.20 other\n2001:DB8:0::20\tnas6\n"
        "192.168.1.21\nx y\n"
    ) == {"192.168.1.20": "nas", "2001:db8::20": "nas6"}
    assert read_ethers(
        "2:0:C0:a8:2:14 anna # x\n00:16:3e:00:00:02\t192.168.1.20\n#00:16:3e:00:00:03 x\nx y\n"
    ) == {MAC: "anna", OTHER: "192.168.1.20"}


REGISTRIES = {
    "ieee-data": (
        "OUI/MA-L                    Organization                 \r\n"
        "company_id                  Organization                 \r\n"
        "                            Address                      \r\n\r\n"
        "00-16-3E   (hex)\t\tXensource, Inc.\r\n"
        "00163E     (base 16)\t\tXensource, Inc.\r\n\t\t\t\t2300 Geng Road\r\n"
        "98-06-37   (hex)\t\tIEEE Registration Authority\r\n"
        "980637     (base 16)\t\tIEEE Registration Authority\r\n"
    ),
    "wireshark": (
        "# x\n00:16:3E\tXensourc\tXensource, Inc.\n"
        "98:06:37\tIEEERegi\tIEEE Registration Authority\n"
        "00:1B:C5\tIEEERegi\tIEEE Registration Authority\n"
        "00:1B:C5:00:10:00/36\tOpenRBco\tOpenRB.com, Direct SIA\n"
    ),
    "nmap": "# x\n00163E Xensource, Inc.\n980637 Ieee Registration Authority\n"
    "001BC5001 OpenRB.com, Direct SIA\n",
    "arp-scan": "# x\n00163E\tXensource, Inc.\n001BC5001\tOpenRB.com, Direct SIA\n",
    "systemd": "# x\nOUI:00163E*\n ID_OUI_FROM_DATABASE=Xensource, Inc.\n\n"
    "OUI:001BC5001*\n ID_OUI_FROM_DATABASE=OpenRB.com, Direct SIA\n",
}


@pytest.mark.parametrize("name", REGISTRIES)
def test_vendors_are_found_in_what_packages_install(tmp_path, name):
    """Each has a form of its own; a longer prefix is the one that counts."""
    file = tmp_path / "oui"
    file.write_text(REGISTRIES[name], newline="")
    vendors = read_registry(file.read_text())
    assert vendor_of("00:16:3e:12:34:56", lambda: vendors) == "Xensource, Inc."
    assert vendor_of("98:06:37:12:34:56", lambda: vendors) == ""
    if name != "ieee-data":
        assert vendor_of("00:1b:c5:00:1a:bc", lambda: vendors) == "OpenRB.com, Direct SIA"


def test_an_address_of_its_own_making_has_no_vendor():
    """And no file is looked into for it."""
    assert vendor_of(MAC, lambda: pytest.fail("was read")) == LOCAL


# All of it together.


@pytest.fixture
def directory(tmp_path: Path):
    """Give what makes a directory of files with these contents."""

    def _directory(leases: str = "", *, hosts: str = "", ethers: str = "", **more) -> Directory:
        contents = {"leases": leases, "hosts": hosts, "ethers": ethers, **REGISTRIES}
        for name, content in contents.items():
            (tmp_path / name).write_text(content)
        return Directory(
            [str(tmp_path / "nowhere"), str(tmp_path / "leases")],
            resolve=more.get("resolve", False),
            hosts_file=str(tmp_path / "hosts"),
            ethers_file=str(tmp_path / "ethers"),
            registries=[str(tmp_path / "nowhere"), str(tmp_path / "wireshark")],
        )

    return _directory


def seen(source: str, *macs: str, time: str | None = "11:00") -> Detection:
    moment = datetime.fromtimestamp(at(time), UTC) if time else None
    return Detection("smtp", source, Tally(packets=1, last_seen=moment, macs=macs))


NOW = datetime.fromtimestamp(at("15:00"), UTC)


@pytest.mark.parametrize("leases", [DNSMASQ, DHCPD, KEA4])
@pytest.mark.parametrize("source", ["192.168.1.10", "fw1 192.168.1.10", MAC])
def test_a_machine_is_named_by_its_lease(directory, leases, source):
    """However it is known: by address, at a site, or by its hardware address."""
    macs = (MAC,) if source == MAC else ()
    found = directory(leases).identity(seen(source, *macs), NOW)
    assert found == Identity("laptop-anna", LOCAL if macs else "")


@pytest.mark.parametrize(
    ("files", "detection", "name"),
    [
        ({"leases": DHCPD, "hosts": "192.168.1.10 desk-3"}, seen("192.168.1.10"), "desk-3"),
        ({"leases": DHCPD, "ethers": f"{MAC} anna"}, seen("192.168.1.10"), "anna"),
        ({"leases": DHCPD, "ethers": f"{MAC} 192.168.1.9"}, seen("192.168.1.10"), "laptop-anna"),
        ({"ethers": f"{MAC} anna"}, seen("2001:db8::77", MAC), "anna"),
        ({"ethers": f"{MAC} anna"}, seen("2001:db8::/64", MAC), "anna"),
        ({"ethers": f"{MAC} anna"}, seen("2001:db8::77", MAC, OTHER), ""),
        ({"ethers": f"{MAC} 192.168.1.20", "hosts": "192.168.1.20 nas"}, seen(MAC), "nas"),
        ({"leases": KEA4}, seen("2001:db8::77", MAC), "laptop-anna"),
        ({"leases": KEA6}, seen("2001:db8::10"), "laptop-anna"),
        ({"leases": DHCPD}, seen("192.168.1.10", time="13:00"), ""),
        ({"leases": DHCPD}, seen("192.168.1.10", MAC, time="13:00"), "laptop-anna"),
        ({"leases": DHCPD}, seen("192.168.1.11", time=None), ""),
        ({"leases": DNSMASQ}, seen("a printer"), ""),
        ({}, seen("192.168.1.10", MAC), ""),
    ],
)
def test_the_first_that_knows_names_a_machine(directory, files, detection, name):
    """Addresses before hardware addresses; what the administrator wrote before a client's own."""
    assert directory(**files).identity(detection, NOW).name == name


def test_the_vendor_is_the_first_hardware_addresss(directory):
    """Or the source's own, where that is one."""
    asked = directory()
    assert asked.identity(seen("192.168.1.10", OTHER, MAC), NOW).vendor == "Xensource, Inc."
    assert asked.identity(seen(OTHER), NOW).vendor == "Xensource, Inc."
    assert asked.identity(seen("192.168.1.10", "odd"), NOW).vendor == ""


def test_each_file_is_read_once_and_only_if_it_is_asked(directory, monkeypatch):
    """A run may have thousands of alerts."""
    reads: list[str] = []
    monkeypatch.setattr(
        machines.directory, "read_text", lambda path: reads.append(Path(path).name) or ""
    )
    asked = directory()
    assert reads == []
    for _ in range(3):
        asked.identity(seen("192.168.1.10", OTHER), NOW)
    assert sorted(reads) == ["ethers", "hosts", "leases", "nowhere", "nowhere", "wireshark"]


def test_the_resolver_is_asked_last_and_only_if_wanted(directory, monkeypatch):
    """Its answers are as hostile as any; each address is asked for once."""
    asked: list[str] = []

    def answer(address: tuple[str, int], flags: int) -> tuple[str, str]:
        asked.append(address[0])
        return "<b>host.example.org", "0"

    monkeypatch.setattr(resolver.socket, "getnameinfo", answer)
    unknown, known = seen("192.168.1.77"), seen("192.168.1.10")
    assert directory(DHCPD).identity(unknown, NOW).name == ""
    wanted = directory(DHCPD, resolve=True)
    assert wanted.identity(known, NOW).name == "laptop-anna"
    assert wanted.identity(unknown, NOW).name == "bhost.example.org"
    assert wanted.identity(unknown, NOW).name == "bhost.example.org"
    assert wanted.identity(seen("00:16:3e:00:00:09"), NOW).name == ""
    assert asked == ["192.168.1.77"]


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch):
    """Neither for one address nor for many."""
    released = threading.Event()

    def hang(*_: object) -> tuple[str, str]:
        released.wait(60)
        return ("late", "0")

    monkeypatch.setattr(resolver.socket, "getnameinfo", hang)
    asked = resolver.Resolver(each=0.1, all_=0.25)
    began = time.monotonic()
    assert {asked.name(f"192.0.2.{number}") for number in range(100)} == {""}
    assert time.monotonic() - began < 5
    released.set()


def test_a_process_ends_while_its_resolver_hangs():
    """It is in the C library then, which cannot be told to give up."""
    text = (
        "import time; from botalert.machines import resolver; "
        "resolver.socket.getnameinfo = lambda *_: time.sleep(60); "
        "print(repr(resolver.Resolver(each=0.1).name('192.0.2.1')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert (done.stdout, done.stderr) == ("''\n", "")


def test_a_resolver_that_fails_names_nobody(monkeypatch):
    """Whatever it raises."""

    def fail(*_: object) -> None:
        raise UnicodeError

    def no_more(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(resolver.socket, "getnameinfo", fail)
    assert resolver.Resolver(each=60).name("192.0.2.1") == ""
    monkeypatch.setattr(resolver.Thread, "start", no_more)
    assert resolver.Resolver(each=60).name("192.0.2.1") == ""


# From the configuration to the mail.

PACKET = (
    "2026-11-20T11:00:00+00:00 fw1 kernel: DROP:IN=eth1 OUT=eth0 "
    f"MAC=66:3e:06:4e:33:1a:{MAC}:08:00 SRC=192.168.1.10 DST=198.51.100.1 LEN=60 PROTO=TCP "
    "SPT=5 DPT=25 SYN URGP=0\n"
)


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    """Give a botalert with a packet in its log."""
    site = Installation(tmp_path)
    site.append(PACKET)
    return site


def configure(site: Installation, own: str = "", **options: str) -> None:
    """Write what the signal says of itself, and options for all."""
    site.configure(signals={"smtp": f"DPT: 25\n{own}"}, **options)


def mail(site: Installation) -> tuple[str, str, str]:
    """Give subject, text and HTML of the only mail."""
    (message,) = site.mails()
    parts = [message.get_body((kind,)).get_content() for kind in ("plain", "html")]
    return str(message["Subject"]), *parts


def test_a_mail_has_name_and_vendor(site, tmp_path):
    """In its subject and both parts; a file that is missing keeps no mail from going out."""
    (tmp_path / "leases").write_text(DHCPD)
    configure(site, leases=f"{tmp_path}/nowhere, {tmp_path}/leases,")
    assert site.run() == (0, [])
    subject, text, html = mail(site)
    assert subject.startswith("[botalert] laptop-anna (192.168.1.10) set off smtp: ")
    assert text.startswith('laptop-anna (192.168.1.10) set off the signal "smtp".\n')
    assert "<title>laptop-anna (192.168.1.10) set off smtp</title>" in html
    for part in (text, html):
        assert f"{MAC} ({LOCAL})" in part
        assert "botalert forget --signal smtp -- 192.168.1.10\n" in part.replace("</div>", "\n")


@pytest.mark.parametrize(
    ("source", "shown"),
    [("SRC", "192.0.2.10"), ("MAC", "00:00:5e:00:53:0a"), ("HOST SRC", "fw 192.0.2.10")],
)
def test_a_sample_has_a_name_and_a_vendor(site, source, shown):
    """So that one sees what mails look like, with what machines are known by."""
    configure(site, own=f"source: {source}")
    site.output("test-mail")
    subject, text, _ = mail(site)
    assert f"[sample] [botalert] sample.example.org ({shown}) set off smtp" in subject
    assert "00:00:5e:00:53:0a (ICANN, IANA Department)" in text


def test_check_tells_of_files_that_name_nobody(site, tmp_path):
    """Missing, a FIFO, too large, what no server has written; run says nothing of them."""
    (tmp_path / "leases").write_text("[DEFAULT]\n")
    (tmp_path / "good").write_text(KEA6)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with (tmp_path / "log").open("w") as log:
        log.truncate(MOST_BYTES + 1)
    names = ("nowhere", "fifo", "folder", "log", "leases", "good")
    configure(site, leases=", ".join(str(tmp_path / name) for name in names))
    told = site.output("check").replace(f"{tmp_path}/", "")
    assert [line for line in told.splitlines() if "leases:" in line] == [
        "warning: leases: nowhere: No such file or directory",
        "warning: leases: fifo: is no plain file",
        "warning: leases: folder: is no plain file",
        "warning: leases: log: is larger than 256 MiB",
        "warning: leases: leases: is not written as dnsmasq, ISC dhcpd or Kea write leases",
    ]
    assert site.run() == (0, [])
    assert mail(site)[0].startswith("[botalert] laptop-anna (192.168.1.10) set off")


@pytest.mark.parametrize("command", ["scan", "run"])
def test_what_sends_no_mail_looks_for_no_names(site, command):
    """A quick start is one that leaves out what it does not need."""
    configure(site, resolve="yes")
    assert site.run() == (0, [])
    done = site.botalert(command, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    assert "botalert.scan" in done.stderr
    assert "botalert.machines" not in done.stderr


def test_leases_and_resolve_are_read(site):
    """None, and no, are the defaults."""

    def read(**options: str) -> tuple[tuple[str, ...], bool]:
        configure(site, **options)
        config = load(str(site.config))
        return config.leases, config.resolve

    assert read() == ((), False)
    assert read(leases="/a, /b,", resolve="Yes") == (("/a", "/b"), True)
    with pytest.raises(ConfigurationError) as caught:
        read(resolve="maybe")
    (fault,) = caught.value.faults
    assert fault.endswith("[DEFAULT] resolve: 'maybe' is none of yes, no. Write resolve: yes")
