"""
Leases as ISC dhcpd writes them: dhcpd.leases(5).

A lease is written anew whenever it changes, so the later entry is the one
that is in effect.  Times are UTC.  A lease that was given back or has run out
is "free" and keeps who had it and until when.
"""

import re
from calendar import timegm
from collections.abc import Iterator
from typing import NamedTuple

from botalert.grammar.packets import canonical_address
from botalert.machines.files import mac_of, plain_name
from botalert.machines.lease import Lease, seconds

# The server writes a line break in a string as \012, so one that a line does not
# end was cut short; what follows is not within it.
_TOKEN = re.compile(r'#[^\n]*|"(?:[^"\\\n]|\\[^\n])*"?|[{};]|[^\s{};"#]+')
_KNOWN = re.compile(
    r"^[ \t]*(?:lease \S+ \{|ia[-_](?:na|ta|pd) |server-duid |authoring-byte-order |failover peer |"
    r"# The format of this file is documented in the dhcpd\.leases)",
    re.MULTILINE,
)
_DATE = re.compile(r"[0-6] ([0-9]{4})/([0-9]{1,2})/([0-9]{1,2}) ([0-9]{1,2}):([0-9]{2}):([0-9]{2})")
_ESCAPED = re.compile(r"\\([0-7]{3}|.)", re.DOTALL)
# The name that a client gives, else one that the server has put into the DNS.
_NAMES = ("client-hostname", "ddns-fwd-name", "ddns-client-fqdn")
_ABANDONED = "state abandoned"


class _Block(NamedTuple):
    """
    What stands within braces.

    Attributes:
        head: The words before the brace.
        said: Its statements: what stands behind the first word, by that; a
            variable by its name.
    """

    head: list[str]
    said: dict[str, str]


def reads(text: str) -> bool:
    """Tell whether *text* is written so."""
    return _KNOWN.search(text) is not None


def leases(text: str) -> Iterator[Lease]:
    """Give the leases in *text*, in its order."""
    blocks = [_Block([], {})]
    words: list[str] = []
    # One after the other: all tokens at once are ten times the text.
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token == "{":
            blocks.append(_Block(words, {}))
            words = []
        elif token == ";":
            _say(blocks[-1], words)
            words = []
        elif token == "}":
            words = []
            if len(blocks) > 1:
                block = blocks.pop()
                lease = _lease(block, blocks[-1])
                if lease is not None:
                    yield lease
        elif not token.startswith("#"):
            words.append(token)


def _say(block: _Block, words: list[str]) -> None:
    """Note a statement; a variable's is: set NAME = VALUE."""
    if len(words) == 4 and words[0] == "set":
        block.said[words[1]] = words[3]
    elif words:
        block.said[words[0]] = " ".join(words[1:])


def _lease(block: _Block, around: _Block) -> Lease | None:
    """Read a lease of IPv4, or one address of those that a client of IPv6 was given."""
    kind, _, address = " ".join(block.head).partition(" ")
    known = canonical_address(address)
    if kind not in ("lease", "iaaddr") or known is None:
        return None
    said = block.said
    end = _moment(said.get("ends", ""))
    start = _moment(said.get("starts", ""))
    if kind == "iaaddr":
        life = seconds(said.get("max-life", ""))
        start = _moment(around.said.get("cltt", ""))
        if start is None and end is not None and life is not None:
            start = end - life
    # Somebody uses the address whom the server has not given it to.
    if said.get("binding") == _ABANDONED:
        return Lease(known, "", None, start, end)
    name = next(filter(None, (_name(said.get(key, "")) for key in _NAMES)), "")
    mac = mac_of(said.get("hardware", "").removeprefix("ethernet "))
    return Lease(known, name, mac, start, end)


def _moment(text: str) -> int | None:
    """Read a date; None where it is "never", or none."""
    if text.startswith("epoch "):
        return seconds(text.removeprefix("epoch "))
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        return timegm(tuple(map(int, found.groups())))
    except ValueError:  # There is no such day.
        return None


def _name(text: str) -> str:
    """Read a quoted string; what stands there as octal digits is in no name."""
    return plain_name(_ESCAPED.sub(_unescaped, text))


def _unescaped(found: "re.Match[str]") -> str:
    return chr(int(found[1], 8)) if len(found[1]) == 3 else found[1]
