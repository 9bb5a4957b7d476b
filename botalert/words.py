"""
What a signal asks, in words.
"""

from collections.abc import Sequence

from botalert.grammar.packets import protocol_name
from botalert.match import HOST_SRC, REFUSED, SENDER, SRC_64, Condition, Signal, Test, Text
from botalert.threshold import ONE_PACKET, threshold_words

_PHRASES = {
    "IN": "from {}",
    "OUT": "towards {}",
    "PHYSIN": "from the bridge port {}",
    "PHYSOUT": "towards the bridge port {}",
    "SRC": "sent by {}",
    "DST": "to {}",
    "SPT": "from port {}",
    "DPT": "to port {}",
    "PROTO": "of the protocol {}",
    "MAC": "sent by the hardware address {}",
    "PREFIX": "logged with the prefix {}",
    "HOST": "logged by {}",
    "FLAGS": "with the flag {}",
    "VERDICT": "with the verdict {}",
}
# Where there is only what must not be.
_BARRED_PHRASES = {
    "IN": "from any interface but {}",
    "OUT": "towards any interface but {}",
    "PHYSIN": "from any bridge port but {}",
    "PHYSOUT": "towards any bridge port but {}",
    "SRC": "sent by anybody but {}",
    "DST": "to anywhere but {}",
    "PROTO": "of any protocol but {}",
    "SPT": "from any port but {}",
    "DPT": "to any port but {}",
    "MAC": "sent by any hardware address but {}",
    "PREFIX": "logged with any prefix but {}",
    "HOST": "logged by anybody but {}",
    "FLAGS": "without the flag {}",
    "VERDICT": "with any verdict but {}",
}
# How the empty value is asked for, and how it is barred.
_EMPTY_PHRASES = {
    "IN": ("from the firewall itself", "not from the firewall itself"),
    "OUT": ("to the firewall itself", "not to the firewall itself"),
    "PHYSIN": ("from no bridge port", "from a bridge port"),
    "PHYSOUT": ("towards no bridge port", "towards a bridge port"),
    "SRC": ("sent by nobody", "sent by somebody"),
    "DST": ("to nobody", "to somebody"),
    "PROTO": ("without a protocol", "with a protocol"),
    "SPT": ("from no port", "from a port"),
    "DPT": ("to no port", "to a port"),
    "PREFIX": ("logged without a prefix", "logged with a prefix"),
    "HOST": ("logged by no host", "logged by a host"),
    "FLAGS": ("without a flag", "with a flag"),
}
# What stands first and needs no comma; the others follow, each behind one.
_DIRECTION = ("DPT", "IN")
_EMPTY = (Text(""),)
_SYN, _ACK = Text("SYN"), Text("ACK")
_LAN_NETWORKS = "@lan_networks"
_IDENTITIES = {
    SRC_64: "its address, in IPv6 by its network of 64 bits",
    SENDER: "its hardware address",
    HOST_SRC: "its address and the host that logs it",
}


def signal_words(signal: Signal) -> str:
    """Say what *signal* asks: "TCP to port 25 from eth1, at least 5 destinations within a day"."""
    told = _packets_words(signal)
    if signal.threshold != ONE_PACKET:
        told += f", {threshold_words(signal.threshold)}"
    return f"{told}{_exceptions(signal)}{_identity_words(signal)}"


def _packets_words(signal: Signal) -> str:
    asked = {
        each.field: each for each in signal.conditions if each is not REFUSED and not each.ignores
    }
    if not asked:
        return "all packets" if REFUSED not in signal.conditions else "all refused packets"
    subject = _subject(asked)
    direction = [condition_words(asked.pop(each)) for each in _DIRECTION if each in asked]
    rest = [condition_words(each) for each in asked.values()]
    return ", ".join([" ".join([subject, *direction]), *rest])


def _subject(asked: dict[str, Condition]) -> str:
    """Say what kind of packets are *asked* for, and take out the conditions that say it."""
    protocol = asked.get("PROTO")
    if protocol is None or not protocol.plain or protocol.barred or protocol.plain == _EMPTY:
        return "packets"
    del asked["PROTO"]
    names = _joined([protocol_name(_value_words(test)) for test in protocol.plain], "or")
    flags = asked.get("FLAGS")
    if flags is not None and (flags.plain, flags.barred) == ((_SYN,), (_ACK,)):
        del asked["FLAGS"]
        return f"{names} connection attempts"
    return names


def _identity_words(signal: Signal) -> str:
    words = _IDENTITIES.get(signal.source)
    return f"; a machine is known by {words}" if words else ""


def _exceptions(signal: Signal) -> str:
    """Say which machines *signal* leaves out."""
    ignored = [test.words() for each in signal.conditions if each.ignores for test in each.barred]
    return f", except from {_joined(ignored, 'and')}" if ignored else ""


def condition_words(condition: Condition) -> str:
    """Say what *condition* asks of a packet."""
    field = condition.field
    empty, full = _EMPTY_PHRASES.get(field, (f"without {field}", f"with {field}"))
    if (condition.plain, condition.barred) == (_EMPTY, ()):
        return empty
    if (condition.plain, condition.barred) == ((), _EMPTY):
        return full
    phrase = _PHRASES.get(field, f"with {field} {{}}")
    plain, barred = _value_lists(condition)
    if not plain:
        phrase = _BARRED_PHRASES.get(field, f"with any {field} but {{}}")
        return phrase.format(_joined(barred, "or"))
    but = f" but not {_joined(barred, 'or')}" if barred else ""
    return phrase.format(_joined(plain, "or") + but)


def _value_lists(condition: Condition) -> tuple[list[str], list[str]]:
    """Give the words of the values that are asked for, and of those that are barred."""
    if _LAN_NETWORKS not in condition.text.lower():
        return _words_of(condition.plain), _words_of(condition.barred)
    # As written: what that name stands for is six networks, in every signal.
    items = [item.strip() for item in condition.text.split(",") if item.strip()]
    barred = [item[1:].strip() for item in items if item.startswith("!")]
    plain = [item for item in items if not item.startswith("!")]
    return [_written_words(item) for item in plain], [_written_words(item) for item in barred]


def _written_words(item: str) -> str:
    return "the LAN's networks" if item.lower() == _LAN_NETWORKS else item


def _words_of(tests: Sequence[Test]) -> list[str]:
    return [_value_words(test) for test in tests]


def _value_words(test: Test) -> str:
    words = test.words()
    return "none" if words == '""' else words


def _joined(words: list[str], conjunction: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"
