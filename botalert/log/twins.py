"""
Telling that two logs hold the same packets.

Debian's rsyslog writes the kernel's lines into kern.log and into syslog: a
configuration that names both would count each packet twice.
"""

import os

from botalert.errors import BotalertError
from botalert.log import unpack

# Enough for some hundred packet lines.
LOOKED_AT_BYTES = 1 << 16


def are_twins(one: str, other: str) -> bool:
    """Tell whether the ends of two log files have a packet line in common, to the letter."""
    return bool(_packet_lines(one) & _packet_lines(other))


def _packet_lines(path: str) -> set[bytes]:
    try:
        with unpack.opened(path) as stream:
            if unpack.is_plain(stream):
                stream.seek(max(os.path.getsize(path) - LOOKED_AT_BYTES, 0))
            content = stream.read(LOOKED_AT_BYTES)
    except BotalertError:
        return set()  # That it cannot be read is told elsewhere.
    return {line for line in content.split(b"\n") if b" SRC=" in line}
