"""
What a signal asks, in words.
"""

from botalert.match import REFUSED, Condition, Signal, Test, Text

_PHRASES = {
    "IN": "came in by {}",
    "OUT": "were to go out by {}",
    "PHYSIN": "came in by the bridge port {}",
    "PHYSOUT": "were to go out by the bridge port {}",
    "SRC": "come from {}",
    "DST": "are for {}",
    "PROTO": "are {}",
    "SPT": "have the source port {}",
    "DPT": "are for port {}",
    "MAC": "have the sender's hardware address {}",
    "PREFIX": "are logged with the prefix {}",
    "HOST": "are logged by {}",
    "FLAGS": "have the flag {}",
    "VERDICT": "have the verdict {}",
}

# How the empty value is asked for, and how it is barred.
_EMPTY_PHRASES = {
    "IN": ("were sent by the firewall itself", "were not sent by the firewall itself"),
    "OUT": ("were for the firewall itself", "were not for the firewall itself"),
    "PHYSIN": ("came in by no bridge port", "came in by a bridge port"),
    "PHYSOUT": ("were to go out by no bridge port", "were to go out by a bridge port"),
    "SRC": ("come from nobody", "come from somebody"),
    "DST": ("are for nobody", "are for somebody"),
    "PROTO": ("have no protocol", "have a protocol"),
    "SPT": ("have no source port", "have a source port"),
    "DPT": ("are for no port", "are for a port"),
    "MAC": ("have no hardware address", "have a hardware address"),
    "PREFIX": ("are logged without a prefix", "are logged with a prefix"),
    "HOST": ("are logged by no host", "are logged by a host"),
    "FLAGS": ("have no flag", "have a flag"),
}
_EMPTY = (Text(""),)


def signal_words(signal: Signal) -> str:
    """Say in a sentence which packets *signal* is about."""
    asked = [
        condition_words(each)
        for each in signal.conditions
        if each is not REFUSED and not each.ignores
    ]
    refused = REFUSED in signal.conditions
    what = "packets that the firewall did not let through" if refused else "packets"
    joint = " and that " if refused else " that "
    told = what + joint + _joined(asked, "and") if asked else f"all {what}"
    return told + _exceptions(signal)


def _exceptions(signal: Signal) -> str:
    """Say which machines *signal* leaves out."""
    ignored = [test.words() for each in signal.conditions if each.ignores for test in each.barred]
    return f", except from {_joined(ignored, 'and')}" if ignored else ""


def condition_words(condition: Condition) -> str:
    """Say what *condition* asks of a packet."""
    empty, full = _EMPTY_PHRASES.get(
        condition.field, (f"have no {condition.field}", f"have a {condition.field}")
    )
    if (condition.plain, condition.barred) == (_EMPTY, ()):
        return empty
    if (condition.plain, condition.barred) == ((), _EMPTY):
        return full
    phrase = _PHRASES.get(condition.field, f"have {condition.field} {{}}")
    values = _joined([_value_words(test) for test in condition.plain], "or") or "anything"
    if condition.barred:
        barred = _joined([_value_words(test) for test in condition.barred], "or")
        values += f" but {'not ' if condition.plain else ''}{barred}"
    return phrase.format(values)


def _value_words(test: Test) -> str:
    words = test.words()
    return "none" if words == '""' else words


def _joined(words: list[str], conjunction: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"
