"""
Telling that two logs hold the same packets.

Debian's rsyslog writes the kernel's lines into kern.log and into syslog: a
configuration that names both would count each packet twice.
"""

import os
from collections.abc import Iterable, Iterator

from botalert.errors import BotalertError
from botalert.log import unpack

# Enough for some hundred packet lines.
LOOKED_AT_BYTES = 1 << 16


def twins(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give each log file whose end has a packet line of an earlier one, and that, which had it."""
    first_with: dict[bytes, str] = {}
    for path in paths:
        lines = _packet_lines(path)
        for other in sorted({first_with[line] for line in lines if line in first_with}):
            yield other, path
        for line in lines:
            first_with.setdefault(line, path)


def _packet_lines(path: str) -> set[bytes]:
    try:
        with unpack.opened(path) as stream:
            if unpack.is_plain(stream):
                stream.seek(max(os.path.getsize(path) - LOOKED_AT_BYTES, 0))
            content = stream.read(LOOKED_AT_BYTES)
    except BotalertError:
        return set()  # That it cannot be read is told elsewhere.
    return {line for line in content.split(b"\n") if b" SRC=" in line}
