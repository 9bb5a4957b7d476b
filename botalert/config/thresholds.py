"""
The values of ``threshold:`` and of options that are times.
"""

from botalert.config.options import DERIVED_FIELDS, FIELDS, suggestion
from botalert.grammar.patterns import lazy_pattern
from botalert.threshold import DAYS, FLOWS, PACKETS, SECONDS, Measure, Threshold

_DURATION = lazy_pattern(r"([0-9]{1,9})\s*([smhdw])")
_MEASURE = lazy_pattern(
    r"(?P<number>\S+)\s+(?P<what>\S+)(?:\s+per\s+(?P<per>\S+))?(?:\s+in\s+(?P<window>.+))?"
)
_SINGULAR = {"packet": PACKETS, "flow": FLOWS, "day": DAYS}
_COUNTED = (PACKETS, FLOWS, DAYS)
_EXAMPLE = "Write one as 5 DST in 1h, 20 DST per DPT in 5m, 10 packets in 2m or 3 days in 14d"
# Millions would have to be remembered of each source.
_HIGHEST = 100_000
NEVER = "never"
# A hundred years; what comes of much more is no time any more.
_LONGEST = 36500 * SECONDS["d"]


def read_duration(text: str) -> int:
    """
    Read a time such as "30d" (s, m, h, d, w); give seconds.

    Raises:
        ValueError: It is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or not 0 < int(found[1]) * SECONDS[found[2]] <= _LONGEST:
        raise ValueError(f"{text!r} is not a time. Write a number with s, m, h, d or w: 90s, 30d")
    return int(found[1]) * SECONDS[found[2]]


def read_realert(text: str) -> int | None:
    """
    Read ``realert:``; None for never.

    Raises:
        ValueError: It is no time.
    """
    return None if text.strip().lower() == NEVER else read_duration(text)


def read_threshold(text: str, *, groups: tuple[str, ...] = ()) -> Threshold:
    """
    Read ``threshold:``, alternatives on lines of their own.

    Args:
        text: The option's value.
        groups: Fields that a pattern of the administrator's own has.

    Raises:
        ValueError: A line is none; says which, why, and what to write.
    """
    lines = [line.strip() for line in text.splitlines()]
    measures = tuple(_read_alternative(line, groups) for line in lines if line)
    if not measures:
        raise ValueError(f"asks for nothing. {_EXAMPLE}")
    return measures


def _read_alternative(line: str, groups: tuple[str, ...]) -> Measure:
    head, colon, rest = line.partition(":")
    if colon and head.strip().lower() == "all":
        first = rest.partition(",")[0].strip() or "5 DST in 1h"
        raise ValueError(
            f"{line!r}: all: is no longer read; a threshold asks for one measure. "
            f"Write the one that tells most, such as {first}"
        )
    if "," in line:
        raise ValueError(f"{line!r} has a comma. Write alternatives on lines of their own")
    return _read_measure(line, groups)


def _read_measure(text: str, groups: tuple[str, ...]) -> Measure:
    found = _MEASURE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a threshold. {_EXAMPLE}")
    digits = found["number"]
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0
    if not 1 <= number <= _HIGHEST:
        raise ValueError(f"{text!r}: {digits!r} is not a number from 1 to {_HIGHEST}. {_EXAMPLE}")
    what = _read_what(text, found["what"], groups)
    per = found["per"] and _read_per(text, found["per"], groups)
    if per == what:
        raise ValueError(f"{text!r}: of one {per} there is but one {what}. Name another field")
    window = None if found["window"] is None else read_duration(found["window"])
    if what == DAYS:
        window = _read_days(text, number, window, found["window"])
    return Measure(number, what, per, window)


def _read_days(text: str, number: int, window: int | None, written: str | None) -> int | None:
    if window is None:
        return None
    days, rest = divmod(window, SECONDS["d"])
    if rest or written is None or written.strip()[-1] not in "dw":
        raise ValueError(f"{text!r}: the window of days is in days. Write 3 days in 14d")
    if number > days:
        raise ValueError(f"{text!r} can never be met: {days} days have no {number} days")
    return days


def _read_what(text: str, word: str, groups: tuple[str, ...]) -> str:
    lower = word.lower()
    if lower in _COUNTED or lower in _SINGULAR:
        return _SINGULAR.get(lower, lower)
    field = _field_named(word, groups)
    if field is None:
        hint = suggestion(word, (*_fields(groups), *_COUNTED)) or _EXAMPLE
        raise ValueError(f"{text!r}: {word!r} is no field, and not packets, flows or days. {hint}")
    return field


def _read_per(text: str, word: str, groups: tuple[str, ...]) -> str:
    field = _field_named(word, groups)
    if field is None:
        # "flows" is no misspelt FLOWLBL.
        is_counted = word.lower() in (*_COUNTED, *_SINGULAR)
        hint = "" if is_counted else suggestion(word, _fields(groups))
        raise ValueError(
            f"{text!r}: {word!r} is no field, as must stand behind per. {hint or _EXAMPLE}"
        )
    return field


def _field_named(word: str, groups: tuple[str, ...]) -> str | None:
    known = _fields(groups)
    return next((name for name in (word, word.upper()) if name in known), None)


def _fields(groups: tuple[str, ...]) -> tuple[str, ...]:
    return (*groups, *FIELDS, *DERIVED_FIELDS)
