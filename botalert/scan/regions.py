"""
Which signals a destination meets, by the bounds of the networks that they ask about.

Who scans the internet sends each packet to another address: what is
remembered of addresses is of little use then, but all that no bound divides
are alike to every signal.
"""

from bisect import bisect_right
from ipaddress import ip_address
from socket import AF_INET, inet_pton

from botalert.match import Network
from botalert.scan.masks import Masks

_BYTES = 4
_BEYOND = 1 << 8 * _BYTES


class Regions:
    """
    The regions of IPv4 addresses in which all are alike.

    Args:
        masks: Of the signals.
        field: The field that has the address.
    """

    def __init__(self, masks: Masks, field: str) -> None:
        self._masks = masks
        self._field = field
        tests = masks.tests_of(field)
        # Whether nothing else is asked, such as a pattern of text.
        self._is_sure = all(isinstance(test, Network) for test in tests)
        networks = {test.network for test in tests if isinstance(test, Network)}
        edges = {0}
        for network in networks:
            if network.version == 4:
                edges |= {int(network.network_address), int(network.broadcast_address) + 1}
        # As four bytes they sort as their numbers do, and nothing need be read of an address.
        self._begins = [edge.to_bytes(_BYTES) for edge in sorted(edges - {_BEYOND})]
        self._known: list[int | None] = [None] * len(self._begins)

    def mask_of(self, text: str) -> int | None:
        """Give the signals that *text* does not fail; None if it must be looked at by itself."""
        if not self._is_sure:
            return None
        try:
            region = bisect_right(self._begins, inet_pton(AF_INET, text)) - 1
        except OSError:
            return None
        mask = self._known[region]
        if mask is None:
            first = str(ip_address(self._begins[region]))
            mask = self._known[region] = self._masks.of(self._field, (first,))
        return mask
