"""
All that tells what a machine is called, looked into when it is first asked.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from botalert.detect import Detection
from botalert.grammar.packets import canonical_address
from botalert.machines import ethers, hosts, vendors
from botalert.machines.files import plain_name, read_text
from botalert.machines.leases import Leases, is_known, read_leases
from botalert.match import is_mac
from botalert.model import Identity

if TYPE_CHECKING:
    from botalert.machines.resolver import Resolver


class Directory:
    """
    Finds out what machines are called; each file is read at most once.

    What the administrator wrote for an address counts more than what a
    client says of itself, and what is known of an address more than what is
    known of a hardware address, which may be a router's.

    Args:
        lease_files: Those of DHCP servers.
        resolve: Whether to ask the resolver for what nothing else names.
        hosts_file: As hosts(5).
        ethers_file: As ethers(5).
        registries: Vendors of hardware addresses; the first that there is.
    """

    def __init__(
        self,
        lease_files: Sequence[str],
        *,
        resolve: bool,
        hosts_file: str = hosts.PATH,
        ethers_file: str = ethers.PATH,
        registries: Sequence[str] = vendors.PATHS,
    ) -> None:
        self._lease_files = lease_files
        self._resolve = resolve
        self._hosts_file = hosts_file
        self._ethers_file = ethers_file
        self._registries = registries

    def identity(self, detection: Detection, now: datetime) -> Identity:
        """
        Tell what is known of the machine that *detection* is about.

        Args:
            detection: Its last packet's time decides which lease counts.
            now: Counts instead where packets have no time.
        """
        tally = detection.tally
        moment = (tally.last_seen or now).timestamp()
        source = detection.source
        if is_mac(source):
            return Identity(self._name_of_mac(source, moment), self._vendor(source))
        # Of HOST SRC, the address stands behind the host.
        address = canonical_address(source.rpartition(" ")[2])
        name = self._name_of_address(address, moment, tally.macs) if address else ""
        if not name and len(tally.macs) == 1:
            name = self._name_of_mac(tally.macs[0], moment)
        if not name and address and self._resolve:
            name = self._resolver.name(address)
        return Identity(name, self._vendor(tally.macs[0]) if tally.macs else "")

    def _name_of_address(self, address: str, moment: float, macs: Sequence[str]) -> str:
        name = self._hosts.get(address)
        lease = None if name else self._leases.of_address(address, moment, macs)
        if lease is None:
            return name or ""
        return self._ethers_name(lease.mac or "") or lease.name

    def _name_of_mac(self, mac: str, moment: float) -> str:
        address = canonical_address(self._ethers.get(mac, ""))
        name = self._name_of_address(address, moment, (mac,)) if address else ""
        lease = self._leases.of_mac(mac, moment)
        return name or self._ethers_name(mac) or (lease.name if lease else "")

    def _ethers_name(self, mac: str) -> str:
        """Give the name of *mac*, for which an address may stand instead."""
        known = self._ethers.get(mac, "")
        return plain_name(known) if canonical_address(known) is None else ""

    def _vendor(self, mac: str) -> str:
        return vendors.vendor_of(mac, lambda: self._vendors) if is_mac(mac) else ""

    @cached_property
    def _hosts(self) -> dict[str, str]:
        return hosts.read_hosts(_text(self._hosts_file))

    @cached_property
    def _ethers(self) -> dict[str, str]:
        return ethers.read_ethers(_text(self._ethers_file))

    @cached_property
    def _leases(self) -> Leases:
        return Leases(
            lease for text in map(_text, self._lease_files) for lease in read_leases(text)
        )

    @cached_property
    def _vendors(self) -> dict[str, str]:
        known = map(vendors.read_registry, map(_text, self._registries))
        return next(filter(None, known), {})

    @cached_property
    def _resolver(self) -> "Resolver":
        from botalert.machines.resolver import Resolver  # Few ask for it.

        return Resolver()


def _text(path: str) -> str:
    """Read *path*; nothing, where that cannot be done: an alert goes out all the same."""
    try:
        return read_text(path)
    except OSError:
        return ""


def warnings(lease_files: Sequence[str]) -> Iterator[str]:
    """Tell which files would name nobody, though they are there or configured."""
    for path in lease_files:
        try:
            if not is_known(read_text(path)):
                yield f"leases: {path}: is not written as dnsmasq, ISC dhcpd or Kea write leases"
        except OSError as error:
            yield f"leases: {path}: {error.strerror}"
    for path in (hosts.PATH, ethers.PATH):
        try:
            read_text(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield f"{path}: {error.strerror}"
