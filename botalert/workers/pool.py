"""
Worker processes, by the standard library's pool.

A worker that dies is an error that says so; when the work ends, in whatever
way, so do all workers; and they end when whoever started them is gone.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait

from botalert.errors import TryAgainError


@contextmanager
def processes(number: int) -> Iterator[Executor]:
    """
    Start so many worker processes; all of them end with this block.

    Raises:
        TryAgainError: One of them died.
    """
    # Forked ones start within a millisecond: at this point nothing else goes on here.
    context = multiprocessing.get_context("fork")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(number, context, initializer=_begin) as executor:
        try:
            yield executor
        except BrokenProcessPool as error:
            raise TryAgainError(
                "a worker process ended early. If the machine is short of memory, use --jobs 1."
            ) from error
        except BaseException:
            # Nobody waits for what they are doing; the pool sees that they are gone.
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            raise


def _begin() -> None:
    """Prepare a worker process."""
    # The terminal sends Ctrl-C to all; who started us ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(os.EX_TEMPFAIL)
