"""
One line of ``journalctl -o json`` into a drop.

The journal knows what a text file cannot tell: journald itself writes the
fields that begin with an underscore, and a local user who signs his message
as the kernel's gets another transport (systemd.journal-fields(7), "Trusted
Journal Fields").  The message is the kernel's, as in any other log.

How JSON carries a field (journalctl(1), "json"): as text; as an array of
bytes if it is no printable UTF-8; as null if it is too large; and as an
array of those if the entry has the field several times.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime

from botalert.grammar.heads import KERNEL, UPTIME
from botalert.grammar.lines import ANY_PROGRAM, drop_of_message, text_of
from botalert.grammar.patterns import lazy_pattern
from botalert.model import Drop, Outcome
from botalert.times import StampReader

# Microseconds up to the year 5138: datetime ends at 9999.
_MICROSECONDS = lazy_pattern(r"[0-9]{1,17}", re.ASCII)

Entry = Mapping[str, object]


class JournalReader:
    """
    Reads entries of the systemd journal.

    Only entries of the kernel's transport are believed, whatever programs
    are configured: the name that a program gives itself (SYSLOG_IDENTIFIER)
    is no trusted field.

    Args:
        programs: "*" among them takes every transport.
        stamps: Knows the zone in which times are shown.
    """

    def __init__(self, programs: Collection[str], stamps: StampReader) -> None:
        self._any_program = ANY_PROGRAM in programs
        self._stamps = stamps

    def read(self, line: bytes) -> Drop | Outcome:
        """See :class:`~botalert.grammar.lines.LineReader`."""
        entry = json_object(line)
        message = _text(entry.get("MESSAGE"))
        if message is None or not (self._any_program or _is_kernels(entry)):
            return Outcome.NOT_A_PACKET
        message = " ".join(message.split("\n"))
        time = self._time(entry)
        uptime = _seconds(entry.get("_SOURCE_MONOTONIC_TIMESTAMP"))
        host = _text(entry.get("_HOSTNAME")) or None
        line_read = _evidence(entry, time, host, message)
        if printed := UPTIME.match(message):
            message = message[printed.end() :]
            uptime = float(printed[1]) if uptime is None else uptime
        return drop_of_message(message, time=time, uptime=uptime, host=host, line=line_read)

    def _time(self, entry: Entry) -> datetime | None:
        """Give when the sender says that it was, else when journald received it."""
        for name in ("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"):
            text = _text(entry.get(name))
            if text is not None and _MICROSECONDS.fullmatch(text):
                text = text.rjust(7, "0")
                return self._stamps.epoch(f"{text[:-6]}.{text[-6:]}")
        return None


def json_object(line: bytes) -> Entry:
    """
    Read the JSON object that *line* is; an empty one for any other bytes.

    Nesting beyond Python's limit and numbers beyond its digits are no log.
    """
    import json  # Most logs have none.

    try:
        value = json.loads(text_of(line))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def well_formed(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON can escape and UTF-8 cannot write."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _is_kernels(entry: Entry) -> bool:
    """
    Tell whether the kernel speaks.

    What root's programs write to /dev/kmsg has the same transport;
    journald takes their name from the text (dev_kmsg_record in its
    journald-kmsg.c), where its own records of the kernel say "kernel".
    """
    if _text(entry.get("_TRANSPORT")) != KERNEL:
        return False
    return _text(entry.get("SYSLOG_IDENTIFIER")) in (None, KERNEL)


def _text(value: object) -> str | None:
    """Give a field's text; of several values the first."""
    if isinstance(value, str):
        return well_formed(value)
    if not isinstance(value, list) or not value:
        return None
    if isinstance(value[0], int):
        try:
            return bytes(value).decode("utf-8", "replace")
        except (TypeError, ValueError):
            return None
    return None if _is_array_of_arrays(value[0]) else _text(value[0])


def _is_array_of_arrays(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], list)


def _seconds(value: object) -> float | None:
    text = _text(value)
    return int(text) / 1e6 if text is not None and _MICROSECONDS.fullmatch(text) else None


def _evidence(entry: Entry, time: datetime | None, host: str | None, message: str) -> str:
    """Write the entry as one line, as a syslog daemon would have."""
    speaker = _text(entry.get("SYSLOG_IDENTIFIER")) or _text(entry.get("_TRANSPORT")) or "-"
    stamp = time.isoformat() if time else "-"
    return f"{stamp} {host or '-'} {speaker}: {message.rstrip()}"
