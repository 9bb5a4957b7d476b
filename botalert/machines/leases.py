"""
The leases of a DHCP server, whichever it is.
"""

from collections.abc import Callable, Collection, Iterable, Iterator

from botalert.machines import dhcpd, dnsmasq, kea
from botalert.machines.lease import Lease

_FORMS: tuple[tuple[Callable[[str], bool], Callable[[str], Iterator[Lease]]], ...] = (
    (kea.reads, kea.leases),
    (dnsmasq.reads, dnsmasq.leases),
    (dhcpd.reads, dhcpd.leases),
)


def is_known(text: str) -> bool:
    """Tell whether *text* is written as one of the servers does, or there is nothing in it."""
    return not text.strip() or any(reads(text) for reads, _ in _FORMS)


def read_leases(text: str) -> Iterator[Lease]:
    """Give the leases in *text*, told by its content; in its order."""
    for reads, leases in _FORMS:
        if reads(text):
            return leases(text)
    return iter(())


class Leases:
    """
    Leases by address and by hardware address.

    Args:
        leases: All there are.  One that begins later replaces those of the
            same address from then on; so does the later of two that begin at
            one time.
    """

    def __init__(self, leases: Iterable[Lease]) -> None:
        self._by_address: dict[str, list[Lease]] = {}
        self._by_mac: dict[str, list[Lease]] = {}
        for lease in sorted(leases, key=lambda lease: lease.start or 0):
            self._by_address.setdefault(lease.address, []).append(lease)
            if lease.mac is not None:
                self._by_mac.setdefault(lease.mac, []).append(lease)

    def of_address(self, address: str, moment: float, macs: Collection[str]) -> Lease | None:
        """
        Find the lease of *address* that was valid at *moment*.

        If none is known to have been, the last one of a machine that has
        one of *macs* will do: dhcpd and Kea keep no more than the last
        renewal, which may be after *moment*.
        """
        leases = self._by_address.get(address, [])
        begun = [lease for lease in leases if lease.has_begun(moment)]
        if begun and begun[-1].holds(moment):
            return begun[-1]
        return next((lease for lease in reversed(leases) if lease.mac in macs), None)

    def of_mac(self, mac: str, moment: float) -> Lease | None:
        """Find a lease with a name of the machine *mac*: one valid at *moment*, else its last."""
        named = [lease for lease in self._by_mac.get(mac, []) if lease.name]
        valid = [lease for lease in named if lease.holds(moment)]
        chosen = valid or named
        return chosen[-1] if chosen else None
