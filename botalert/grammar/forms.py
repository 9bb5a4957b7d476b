"""
The forms in which a log's lines are written, told by how a log begins.
"""

AUTO = "auto"
TEXT = "text"
JOURNAL = "journal"
ULOGD = "ulogd"
FORMS = (AUTO, TEXT, JOURNAL, ULOGD)

# Keys that every record of ulogd's JSON output has (output/ulogd_output_JSON.c),
# and no other program's.
_ULOGD_KEYS = (b'"oob.', b'"raw.pktlen"', b'"ip.protocol"')


def form_of(beginning: bytes) -> str:
    """
    Tell in which form a log is written.

    Args:
        beginning: Its first bytes.  A syslog daemon's line never begins with
            a brace, so nobody who writes into a text log can make it another.
    """
    first = beginning.lstrip().partition(b"\n")[0]
    if not first.startswith(b"{"):
        return TEXT
    return ULOGD if any(key in first for key in _ULOGD_KEYS) else JOURNAL
