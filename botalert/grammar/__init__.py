"""
The lines of firewall logs: who speaks, which packet, let through or not.

:class:`KernelReader` reads what the kernel's packet loggers write;
:class:`PatternReader` what an administrator's own ``regex:`` describes.
Both turn one line into a :class:`~botalert.model.Drop` or say why not.
"""

from botalert.grammar.forms import AUTO, FORMS, JOURNAL, TEXT, ULOGD, AutoReader
from botalert.grammar.lines import ANY_PROGRAM, KernelReader, LineReader, PatternReader

__all__ = [
    "ANY_PROGRAM",
    "AUTO",
    "FORMS",
    "JOURNAL",
    "TEXT",
    "ULOGD",
    "AutoReader",
    "KernelReader",
    "LineReader",
    "PatternReader",
]
