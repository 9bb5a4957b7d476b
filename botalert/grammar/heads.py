"""
The head of a log line: when, which machine, and who speaks.

Only the firewall speaks for the firewall.  What a remote stranger can put
into a log (an ssh login name) stands behind the name of the program that
wrote it, and that name alone decides.  Forms and their sources: RFC 3164
and RFC 5424; rsyslog's templates; busybox's and OpenWrt's "kern.warn
kernel:"; dmesg(1) with -T, -x, -r and iso times; /dev/kmsg
(Documentation/ABI/testing/dev-kmsg); journalctl -o short-*.
"""

import re
from datetime import datetime
from typing import NamedTuple

from botalert.grammar.patterns import lazy_pattern
from botalert.grammar.verdicts import UNKNOWN, words_verdict
from botalert.times import StampReader

KERNEL = "kernel"


class Head(NamedTuple):
    """
    What stands before a line's message.

    Attributes:
        program: Who speaks; "kernel" for the kernel's own lines, "" where
            the line does not say.
        time: The stamp; None where there is none or it is no date.
        uptime: Seconds since boot, where the line has them.
        host: The machine's name, where the line has it.
        end: Where the message begins.
    """

    program: str
    time: datetime | None
    uptime: float | None
    host: str | None
    end: int


_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_CLOCK = r"[0-2]\d:[0-5]\d:[0-6]\d"
_CTIME = rf"{_DAY}[ ]{_MONTH}[ ][ 0-3]?\d[ ]{_CLOCK}[ ]\d{{4}}"
_ISO = rf"\d{{4}}-\d\d-\d\d[T ]{_CLOCK}(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"

_PRIORITY = lazy_pattern(r"<(\d{1,3})>", re.ASCII)
# Apart from the others, which take 0.6 ms to compile.
_SYSLOG_STAMP = lazy_pattern(rf"(?P<syslog>{_MONTH} +\d{{1,2}} {_CLOCK}(?:\.\d+)?)(?= )", re.ASCII)
_STAMP = lazy_pattern(
    rf"""
      (?P<iso> {_ISO} )(?=[ ])
    | (?P<ctime> {_CTIME} )(?=[ ])
    | {_DAY}[ ](?P<full> \d{{4}}-\d\d-\d\d[ ]{_CLOCK} )[ ](?P<full_zone> [A-Z]{{3,5}} )(?=[ ])
    | (?P<epoch> \d{{9,11}}\.\d{{1,6}} )(?=[ ])
    | (?P<clock> {_CLOCK} )(?=[ ])
    | \d+[ ]\d[ ][^ ]+[ ](?P<common> \d\d/{_MONTH}/\d{{4}}:{_CLOCK}[ ][+-]\d{{4}} )(?=[ ])
    """,
    re.VERBOSE | re.ASCII,
)
_KMSG = lazy_pattern(r"(\d{1,5}),\d{1,20},(\d{1,20}),[^;]*;", re.ASCII)
UPTIME = lazy_pattern(
    r"\[ *(\d{1,12}\.\d{1,9})(?:@\d{1,5})?\](?: ?\[ *[TC]\d{1,10}\])? ?", re.ASCII
)
# As printk writes it: a longer or shorter one may be anybody's.
_PRINTK_UPTIME = lazy_pattern(r"\[ *\d{1,12}\.\d{6}\] ", re.ASCII)
_DECODED_PRIORITY = lazy_pattern(r"([a-z]+\d?) *:[a-z]+ *: ")
_DMESG_CTIME = lazy_pattern(rf"\[({_CTIME})\] ?", re.ASCII)
# dmesg --time-format=iso, to the letter: with a comma alone it might be the
# stamp of a program that logs with Python.
_DMESG_ISO = lazy_pattern(
    rf"(\d{{4}}-\d\d-\d\dT{_CLOCK},\d{{6}}[+-]\d\d:\d\d) (?![^\s\[\]:]+\[\d+\]:)", re.ASCII
)
_BARE_ISO = lazy_pattern(rf"({_ISO}) ", re.ASCII)

_FACILITY = (
    r"(?:kern|user|mail|daemon|auth|authpriv|syslog|lpr|news|uucp|cron|ftp|local[0-7])"
    r"\.(?:emerg|alert|crit|err|error|warn|warning|notice|info|debug)"
)
# rsyslog and others may write the level before everything: "kern.info: Oct …".
_LEADING_FACILITY = lazy_pattern(rf"{_FACILITY}:? ")
_HOST = r"[^\s\[\]\"'=][^\s\[\]\"'=]*(?<!:)"
_TAG_TEXT = r"([^\s\[\]:]+)(\[\d+\])?:(?: |$)"
_TAG = lazy_pattern(_TAG_TEXT)
# A relay may write the host twice.
_ANY_SENDER_TEXT = rf" +(?:(?!{_FACILITY} )({_HOST}) +(?:\1 +)?)?(?:{_FACILITY} +)?"
_ANY_SENDER = lazy_pattern(_ANY_SENDER_TEXT)
_SENDER = lazy_pattern(rf"{_ANY_SENDER_TEXT}(?={_TAG_TEXT})")
_MONOTONIC_SENDER = lazy_pattern(rf"({_HOST}) {_TAG_TEXT}")
# RFC 5424, section 6: version, time, host, app-name, procid, msgid, data.
_RFC5424 = lazy_pattern(
    rf"""
    1[ ](?: (?P<time> {_ISO} ) | - )
    [ ](?: - | (?P<host> [!-~]+ ) )
    [ ](?P<program> [!-~]+ )
    [ ][!-~]+ [ ][!-~]+
    [ ](?: - | (?: \[ [^ \]"]+ (?: [ ] [^ \]"=]+ = "(?: [^"\\] | \\. )*" )* \] )+ )
    (?: [ ] \ufeff? | $ )
    """,
    re.VERBOSE | re.ASCII,
)


def read_head(line: str, stamps: StampReader, *, any_program: bool) -> Head | None:
    """
    Read the head of *line*.

    Args:
        line: The whole line, without its end.
        stamps: Reads the line's time.
        any_program: Take a line whoever wrote it: then any head will do, or
            none, and a tag that may well be a rule's prefix stays with the
            message ("Jan  8 03:37:09 DENY: IN=…").

    Returns:
        None where the head is of no known form (never with *any_program*).
    """
    # A glance at a character spares compiling, and trying, most patterns.
    priority = _PRIORITY.match(line) if line.startswith("<") else None
    start = priority.end() if priority else 0
    kernels_own = priority is None or int(priority[1]) >> 3 == 0
    head = (
        _read_rfc5424(line, start, stamps)
        or _read_kernel_buffer(line, start, stamps, kernels_own=kernels_own)
        or _read_syslog(line, start, stamps, any_program=any_program)
    )
    if head is None and any_program:
        return Head("", None, None, None, start)
    return head


def _read_rfc5424(line: str, start: int, stamps: StampReader) -> Head | None:
    match = _RFC5424.match(line, start) if line.startswith("1 ", start) else None
    if match is None:
        return None
    time = stamps.iso(match["time"]) if match["time"] else None
    return _with_uptime(line, Head(match["program"], time, None, match["host"], match.end()))


def _read_kernel_buffer(
    line: str, start: int, stamps: StampReader, *, kernels_own: bool
) -> Head | None:
    """Read a line of /dev/kmsg or dmesg, which is the kernel's unless it shows another facility."""
    first = line[start : start + 1]
    if start == 0 and first.isdigit() and (kmsg := _KMSG.match(line)):
        program = KERNEL if int(kmsg[1]) >> 3 == 0 else ""
        return Head(program, None, int(kmsg[2]) / 1e6, None, kmsg.end())
    decoded = _DECODED_PRIORITY.match(line, start) if first.islower() else None
    if decoded:
        start = decoded.end()
        first = line[start : start + 1]
        kernels_own = decoded[1] == "kern"
    program = KERNEL if kernels_own else ""
    if first == "[" and (uptime := UPTIME.match(line, start)):
        return _of_monotonic(line, Head(program, None, float(uptime[1]), None, uptime.end()))
    if first == "[" and (ctime := _DMESG_CTIME.match(line, start)):
        return Head(program, stamps.ctime(ctime[1]), None, None, ctime.end())
    if not first.isdigit():
        return None
    dmesgs = _DMESG_ISO.match(line, start)
    iso = dmesgs or _BARE_ISO.match(line, start)
    # Behind their stamp syslog daemons write the host; the kernel's own lines
    # go on with its uptime, or at once.
    if iso and (decoded or dmesgs or _PRINTK_UPTIME.match(line, iso.end())):
        return _with_uptime(line, Head(program, stamps.iso(iso[1]), None, None, iso.end()))
    return None


def _of_monotonic(line: str, head: Head) -> Head:
    """
    Look for the sender that `journalctl -o short-monotonic` writes behind the uptime.

    A rule's prefix may look like one ("iptables DROP: "), but has no PID.
    """
    sender = _MONOTONIC_SENDER.match(line, head.end)
    if sender is None or not (sender[3] or sender[2] == KERNEL):
        return head
    return head._replace(program=sender[2], host=sender[1], end=sender.end())


def _read_syslog(line: str, start: int, stamps: StampReader, *, any_program: bool) -> Head | None:
    leading = _LEADING_FACILITY.match(line, start) if line[start : start + 1].islower() else None
    start = leading.end() if leading else start
    stamp = _SYSLOG_STAMP.match(line, start) or _STAMP.match(line, start)
    if stamp is None:
        return None
    if stamp.lastgroup == "common":  # Proxmox VE writes neither host nor tag behind it.
        head = Head("", _read_stamp(stamp, stamps), None, None, stamp.end())
        return head if any_program else None
    sender = _SENDER.match(line, stamp.end())
    if sender and not (any_program and _is_prefix(line, sender)):
        tag = _TAG.match(line, sender.end())
        assert tag is not None  # The sender's look-ahead has seen it.
        head = Head(tag[1], _read_stamp(stamp, stamps), None, sender[1], tag.end())
        return _with_uptime(line, head)
    if not any_program:
        return None
    host = _ANY_SENDER.match(line, stamp.end())
    end = host.end() if host else stamp.end()
    return _with_uptime(
        line, Head("", _read_stamp(stamp, stamps), None, host[1] if host else None, end)
    )


def _is_prefix(line: str, sender: "re.Match[str]") -> bool:
    """
    Tell whether what looks like a tag may be a rule's prefix instead.

    A file that only ulogd writes has no tags: the prefix follows the host.
    It is taken for a tag if it is the kernel's, has a PID, or is followed by
    more than the packet and tells no verdict.
    """
    tag = _TAG.match(line, sender.end())
    assert tag is not None
    if tag[1] == KERNEL or tag[2]:
        return False
    packet_follows = line.startswith(("IN=", "OUT="), tag.end())
    return packet_follows or words_verdict(tag[1]) != UNKNOWN


def _read_stamp(stamp: "re.Match[str]", stamps: StampReader) -> datetime | None:
    form = stamp.lastgroup
    if form == "full_zone":
        zone = "Z" if stamp["full_zone"] in ("UTC", "GMT") else ""
        return stamps.iso(stamp["full"] + zone)
    if form == "clock" or form is None:  # A time of day names no day.
        return None
    readers = {
        "syslog": stamps.syslog,
        "iso": stamps.iso,
        "ctime": stamps.ctime,
        "epoch": stamps.epoch,
        "common": stamps.common,
    }
    return readers[form](stamp[form])


def _with_uptime(line: str, head: Head) -> Head:
    uptime = UPTIME.match(line, head.end)
    if uptime is None:
        return head
    return head._replace(uptime=float(uptime[1]), end=uptime.end())
