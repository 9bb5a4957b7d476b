"""
Files that may be missing, and the names that stand in them.
"""

import errno
import os
import re
import stat

# Longer ones would push what matters out of a subject.
LONGEST_NAME = 64

_HARMFUL = re.compile(r"[^A-Za-z0-9.-]+")
_LETTER = re.compile(r"[A-Za-z]")


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
        OSError: It cannot be read, or is no plain file: a FIFO would wait
            for whoever writes to it.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "is no plain file")
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def mac_of(text: str) -> str | None:
    """Write a hardware address of 6 bytes as the log has it; None where *text* is none."""
    octets = text.split(":")
    if len(octets) != 6 or not all(re.fullmatch("[0-9a-fA-F]{1,2}", octet) for octet in octets):
        return None
    return ":".join(f"{int(octet, 16):02x}" for octet in octets)
