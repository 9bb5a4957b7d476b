"""
The lines of logs one by one, for people to look at.
"""

from collections.abc import Iterator
from datetime import datetime

from botalert.config import Config
from botalert.log.blocks import LineBlocks
from botalert.model import Drop, Outcome
from botalert.workers.plan import LogFile, line_reader, opened_by_hand


def outcomes(
    config: Config, file: LogFile, now: datetime
) -> Iterator[tuple[int, bytes, Drop | Outcome]]:
    """Read every line of *file*; give its number, itself, and what it is."""
    number = 0
    with opened_by_hand(file) as stream:
        reader = line_reader(config.pattern, file.settings, now)
        for block in LineBlocks(stream):
            for line in block.removesuffix(b"\n").split(b"\n"):
                number += 1
                yield number, line, reader.read(line)
