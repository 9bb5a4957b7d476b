"""
What a signal asks, in words.
"""

from botalert.match import REFUSED, Condition, Signal, Test

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


def signal_words(signal: Signal) -> str:
    """Say in a sentence which packets *signal* is about."""
    asked = [condition_words(each) for each in signal.conditions if each is not REFUSED]
    refused = REFUSED in signal.conditions
    what = "packets that the firewall did not let through" if refused else "packets"
    if not asked:
        return f"all {what}"
    joint = " and that " if refused else " that "
    return what + joint + _joined(asked, "and")


def condition_words(condition: Condition) -> str:
    """Say what *condition* asks of a packet."""
    phrase = _PHRASES.get(condition.field, f"have {condition.field} {{}}")
    values = _joined([_value_words(test) for test in condition.plain], "or") or "anything"
    if condition.barred:
        barred = _joined([_value_words(test) for test in condition.barred], "or")
        values += f" but {'not ' if condition.plain else ''}{barred}"
    return phrase.format(values)


def _value_words(test: Test) -> str:
    words = test.words()
    return "no value" if words == '""' else words


def _joined(words: list[str], conjunction: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"
