"""The forms in which a log's lines are written, and the reader that tells them apart."""

import re

from botalert.grammar.journal import JournalReader
from botalert.grammar.lines import LineReader
from botalert.grammar.ulogd import UlogdReader
from botalert.model import Drop, Outcome

AUTO = "auto"
TEXT = "text"
JOURNAL = "journal"
ULOGD = "ulogd"
FORMS = (AUTO, TEXT, JOURNAL, ULOGD)

# Keys that every record of ulogd's JSON output has (output/ulogd_output_JSON.c),
# and no entry of the journal.
_ULOGD_KEYS = (b'"oob.', b'"raw.pktlen"', b'"ip.protocol"')
# What a crash or an editor leaves before a line.
_BEFORE_A_LINE = b"\0\xef\xbb\xbf \t"
JSON_LINE = re.compile(rb"^[\0\xef\xbb\xbf \t]*+\{[^\n]*+", re.MULTILINE)
"""A line that is read as JSON, in a block of lines."""


class AutoReader:
    """
    Reads each line by what it looks like: text, the journal's JSON, or ulogd's.

    A syslog daemon's line never begins with a brace; who could begin one in a
    text log could write the kernel's name there, too.

    Attributes:
        text: Reads what is no JSON.

    Args:
        text: It.
        journal: Reads `journalctl -o json`.
        ulogd: Reads ulogd's JSON.
    """

    def __init__(self, text: LineReader, journal: JournalReader, ulogd: UlogdReader) -> None:
        self.text = text
        self._journal = journal
        self._ulogd = ulogd

    def read(self, line: bytes) -> Drop | Outcome:
        """See :class:`~botalert.grammar.lines.LineReader`."""
        bare = line.lstrip(_BEFORE_A_LINE)
        if not bare.startswith(b"{"):
            return self.text.read(line)
        if any(key in bare for key in _ULOGD_KEYS):
            return self._ulogd.read(bare)
        return self._journal.read(bare)
