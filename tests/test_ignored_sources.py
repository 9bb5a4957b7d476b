"""Whether an alert is still wanted, however its machine is known."""

import pytest

from botalert.config.conditions import read_ignored
from botalert.detect import Detection, is_ignored
from botalert.tally import Tally


@pytest.mark.parametrize(
    ("source", "ignored", "expected"),
    [
        ("192.168.1.10", "192.168.1.10", True),
        ("192.168.1.11", "192.168.1.10", False),
        ("fw1 192.168.1.10", "192.168.1.0/24", True),
        ("fw1 192.168.1.10", "192.168.2.0/24", False),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64", True),
        ("2001:db8:1:2::/64", "2001:db8::/32", True),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/65", False),
        ("02:00:c0:a8:01:0a", "02:00:c0:a8:01:0a", True),
        ("a/b", "192.168.1.0/24", False),
        ("no address", "192.168.1.0/24", False),
    ],
)
def test_a_machine_is_ignored_by_whatever_it_is_known(source, ignored, expected):
    """By its address behind a host, and by a network that holds all of its own."""
    assert is_ignored(Detection("smtp", source, Tally()), read_ignored(ignored)) == expected
