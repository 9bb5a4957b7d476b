"""
Files that may be missing, and the names that stand in them.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator

# Longer ones would push what matters out of a subject.
LONGEST_NAME = 64
# ISC dhcpd writes less than 512 bytes for a lease: this is half a million.
MOST_BYTES = 256 << 20

_HARMFUL = re.compile(r"[^A-Za-z0-9.-]+")
_LETTER = re.compile(r"[A-Za-z]")
_LINE = re.compile(r"[^\n]+")


def plain_name(text: str) -> str:
    """
    Give *text* as a name that harms nobody; "" if there is none in it.

    Clients choose their names themselves.  Letters, digits, dots and hyphens
    are what a host's name has (RFC 1123, section 2.1); one without a letter
    could be taken for another machine's address.
    """
    name = _HARMFUL.sub("", text).strip(".-")[:LONGEST_NAME].rstrip(".-")
    return name if _LETTER.search(name) else ""


def read_text(path: str) -> str:
    """
    Read the file at *path*; what is no UTF-8 is replaced.

    Raises:
        OSError: It cannot be read, is no plain file, or is larger than any
            that is meant, as where a log is named by mistake.
    """
    # Opened so, a FIFO does not wait for whoever writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "is no plain file")
        if about.st_size > MOST_BYTES:
            raise OSError(errno.EFBIG, f"is larger than {MOST_BYTES >> 20} MiB")
        with open(
            descriptor, encoding="utf-8", errors="replace", newline="\n", closefd=False
        ) as file:
            return file.read(MOST_BYTES)
    finally:
        os.close(descriptor)


def lines(text: str) -> Iterator[str]:
    """
    Give the lines of *text* that are not empty, one by one.

    They end at a line feed alone: what else Python takes for the end of a
    line may stand in a client's name, and what follows it would seem to be
    the server's word.
    """
    return (found[0] for found in _LINE.finditer(text))


def mac_of(text: str) -> str | None:
    """Write a hardware address of 6 bytes as the log has it; None where *text* is none."""
    octets = text.split(":")
    if len(octets) != 6 or not all(re.fullmatch("[0-9a-fA-F]{1,2}", octet) for octet in octets):
        return None
    return ":".join(f"{int(octet, 16):02x}" for octet in octets)
