"""
Detections as a table, JSON or CSV.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from itertools import chain
from typing import Any, TextIO

from botalert.cli.streams import USUAL_COLUMNS, columns_of
from botalert.detect import Alert, Detection
from botalert.model import Drop, Packet
from botalert.printable import printable
from botalert.tally import hour_words

_GAP = "  "
_CUT = "…"
_NARROWEST_TEXT = 5


def detection_object(detection: Detection) -> dict[str, Any]:
    """Give *detection* as JSON has it."""
    tally = detection.tally
    return {
        "signal": detection.signal,
        "source": detection.source,
        "packets": tally.packets,
        "first_seen": _iso(tally.first_seen),
        "last_seen": _iso(tally.last_seen),
        "hours": hour_words(tally.hours, tally.days),
        "destinations": tally.destinations.ranked(),
        "destination_count": tally.destinations.distinct(),
        "ports": tally.ports.ranked(),
        "port_count": tally.ports.distinct(),
        "interfaces": list(tally.interfaces),
        "macs": list(tally.macs),
        "evidence": list(tally.evidence),
    }


def alert_object(alert: Alert) -> dict[str, Any]:
    """Give a detection on record as JSON has it."""
    return {
        **detection_object(alert.detection),
        "alert": alert.status,
        "alerted": _iso(alert.alerted),
    }


def drop_object(drop: Drop, log: str, line: int) -> dict[str, Any]:
    """Give a packet line as `parse` prints it."""
    packet = {
        "log": log,
        "line": line,
        "time": _iso(drop.time),
        "host": drop.host,
        "prefix": drop.prefix,
        "verdict": drop.verdict,
        **_packet_object(drop.packet),
    }
    return packet if drop.repeat == 1 else {**packet, "repeat": drop.repeat}


def _packet_object(packet: Packet) -> dict[str, Any]:
    shown: dict[str, Any] = {"fields": dict(packet.fields), "flags": list(packet.flags)}
    if packet.embedded is not None:
        shown["embedded"] = _packet_object(packet.embedded)
    return shown


def drop_words(drop: Drop) -> str:
    """Say what is read from a packet line, in one line for people."""
    head = [
        f"packet at {moment_words(drop.time, drop.uptime)}",
        *([] if drop.host is None else [f"host {drop.host}"]),
        f'prefix "{drop.prefix}"',
        f"verdict {drop.verdict}",
        *([] if drop.repeat == 1 else [f"repeated {drop.repeat} times"]),
    ]
    return f"{', '.join(head)}: {_packet_words(drop.packet)}"


def _packet_words(packet: Packet) -> str:
    fields = " ".join(f"{name}={_quoted(value)}" for name, value in packet.fields.items())
    flags = f"; flags {' '.join(packet.flags)}" if packet.flags else ""
    quoted = "" if packet.embedded is None else f"; quotes [{_packet_words(packet.embedded)}]"
    return f"{fields}{flags}{quoted}"


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value


def moment_words(time: datetime | None, uptime: float | None) -> str:
    """Say when a line was logged: by its stamp, else by its uptime."""
    if time is not None:
        return time.isoformat(" ")
    return "no time" if uptime is None else f"{uptime} seconds of uptime"


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def json_text(value: object) -> str:
    """Write JSON in ASCII, so that nothing in it can harm a terminal."""
    import json

    return json.dumps(value).replace("\x7f", "\\u007f")


def detection_json(detection: Detection) -> str:
    """Write *detection* as JSON."""
    return json_text(detection_object(detection))


def json_pieces(head: Mapping[str, object], name: str, values: Iterable[str]) -> Iterator[str]:
    """Write an object piece by piece: *head*, and under *name* an array of *values*, as JSON."""
    pairs = [f"{json_text(key)}: {json_text(value)}" for key, value in head.items()]
    yield f"{{{', '.join([*pairs, json_text(name)])}: ["
    for number, value in enumerate(values):
        yield f"{', ' if number else ''}{value}"
    yield "]}\n"


def detection_cells(detection: Detection) -> list[str]:
    """Write *detection* as the cells of CSV."""
    return csv_cells(detection_object(detection), DETECTION_COLUMNS)


def csv_cells(row: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """Write *row* as cells; what is nested in JSON is JSON in a cell, too."""
    return [_cell(row[column]) for column in columns]


def csv_pieces(rows: Iterable[Sequence[str]], columns: Sequence[str]) -> Iterator[str]:
    """Write CSV line by line: *columns*, and *rows* of cells."""
    import csv
    import io

    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    for row in chain([columns], rows):
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _cell(value: object) -> str:
    if isinstance(value, (dict, list)):
        return json_text(value)
    return "" if value is None else printable(str(value))


DETECTION_COLUMNS = (
    "signal source packets first_seen last_seen hours destinations destination_count ports "
    "port_count interfaces macs evidence"
).split()
ALERT_COLUMNS = [*DETECTION_COLUMNS, "alert", "alerted"]

# With an IPv4 address and one port this is just as wide as 80 columns.
_HEADINGS = ("SIGNAL", "SOURCE", "COUNT", "FIRST SEEN", "LAST SEEN", "HOSTS", "PORTS")
_TO_THE_RIGHT = {"COUNT", "HOSTS"}


def detection_table(rows: Iterable[Sequence[str]], width: int | None) -> str | None:
    """Write *rows* as an aligned table, at most *width* characters wide; None if there are none."""
    return table(_HEADINGS, rows, width)


def alert_table(alerts: Iterable[Alert], zone: tzinfo, width: int | None) -> str | None:
    """Write detections on record as an aligned table; None if there are none."""
    rows = []
    for alert in alerts:
        row = detection_row(alert.detection, zone)
        rows.append([*row[:2], _alerted(alert, zone), *row[2:]])
    return table([*_HEADINGS[:2], "ALERT", *_HEADINGS[2:]], rows, width)


def _alerted(alert: Alert, zone: tzinfo) -> str:
    return f"{alert.status} {_clock(alert.alerted, zone)}" if alert.alerted else alert.status


def detection_row(detection: Detection, zone: tzinfo) -> list[str]:
    """Write *detection* as a row of a table."""
    tally = detection.tally
    about = "~" if tally.destinations.overflowed else ""
    ports = list(tally.ports.ranked())
    return [
        detection.signal,
        detection.source,
        str(tally.packets),
        _clock(tally.first_seen, zone),
        _clock(tally.last_seen, zone),
        f"{about}{tally.destinations.distinct()}",
        " ".join(ports) + (" …" if tally.ports.overflowed else ""),
    ]


def _clock(moment: datetime | None, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M") if moment else "-"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], width: int | None) -> str | None:
    """
    Align *rows* under *headings*; None if there are none.

    Where that is wider than *width*, the widest columns are cut, the last
    one first of all.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    if not cells:
        return None
    widths = [
        max(len(heading), *(len(row[column]) for row in cells))
        for column, heading in enumerate(headings)
    ]
    if width is not None:
        widths = _fitted(widths, [len(heading) for heading in headings], width)
    lines = []
    for row in [list(headings), *cells]:
        fitted = [
            _aligned(cell, widths[column], right=headings[column] in _TO_THE_RIGHT)
            for column, cell in enumerate(row)
        ]
        lines.append(_GAP.join(fitted).rstrip())
    return "\n".join(lines)


def _aligned(cell: str, width: int, *, right: bool) -> str:
    if len(cell) > width:
        return cell[: max(width - 1, 0)] + _CUT[:width]
    return cell.rjust(width) if right else cell.ljust(width)


def _fitted(widths: list[int], narrowest: list[int], width: int) -> list[int]:
    """Narrow *widths* until they fit: the last column first, then the widest."""
    fitted = list(widths)
    excess = sum(fitted) + len(_GAP) * (len(fitted) - 1) - width
    last = len(fitted) - 1
    cut = min(max(excess, 0), max(fitted[last] - max(narrowest[last], _NARROWEST_TEXT), 0))
    fitted[last] -= cut
    excess -= cut
    while excess > 0 and max(fitted) > 1:
        widest = max(range(len(fitted)), key=lambda column: fitted[column])
        fitted[widest] -= 1
        excess -= 1
    return fitted


def table_width(stream: TextIO) -> int | None:
    """Tell how wide a table on *stream* may be: its terminal's width; None into a pipe."""
    columns = columns_of(stream)
    return columns or (USUAL_COLUMNS if stream.isatty() else None)
