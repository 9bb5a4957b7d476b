"""
A scan by hand: the same detection over any logs, once; touches nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

from botalert.job.faults import Faults
from botalert.job.logs import SelectedLog, files_of
from botalert.job.sharing import Meter, Search, Sharing
from botalert.scan import LineCounts
from botalert.state.ledger import Ledger


class Sums(NamedTuple):
    """
    What was read in a scan.

    Attributes:
        read_bytes: Bytes, after unpacking.
        counts: Lines, if they were counted.
    """

    read_bytes: int
    counts: LineCounts | None


def scan_logs(
    logs: Sequence[SelectedLog],
    search: Search,
    ledger: Ledger,
    faults: Faults,
    *,
    jobs: int,
    meter: Meter | None = None,
) -> Sums:
    """
    Find what *search* asks for in *logs*.

    Args:
        logs: The logs to read.
        search: What is looked for.
        ledger: Gets what is found.
        faults: Gets the logs that cannot be read; the others go on.
        jobs: How many processes may scan at once.
        meter: Told what was read, if wanted.

    Raises:
        BotalertError: A worker died, or there is no room for what was found.
    """
    read_bytes = 0
    counts = LineCounts() if search.counts else None
    failed = []
    with Sharing(files_of(logs), search, jobs, meter) as sharing:
        for answer in sharing.scan_files():
            for part in answer.parts:
                ledger.add(part)
            read_bytes += answer.read_bytes
            if counts is not None and answer.counts is not None:
                counts.add(answer.counts)
            if answer.fault is not None:
                failed.append(answer.fault)
    for _, fault in sorted(failed, key=lambda pair: pair[0]):
        faults.add(fault)
    return Sums(read_bytes, counts)
