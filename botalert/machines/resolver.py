"""
Names of addresses by the system's resolver, which may not answer.
"""

import socket
import time
from queue import Empty, SimpleQueue
from threading import Thread

from botalert.machines.files import plain_name

# One that answers does so within this; and a run must end.
SECONDS_EACH = 3.0
SECONDS_ALL = 15.0


class Resolver:
    """
    Asks for names, for a limited time in all.

    Args:
        each: How long to wait for one answer, in seconds.
        all_: How long to wait for all of them.
    """

    def __init__(self, each: float = SECONDS_EACH, all_: float = SECONDS_ALL) -> None:
        self._each = each
        self._left = all_
        self._known: dict[str, str] = {}

    def name(self, address: str) -> str:
        """Give the name of *address*; "" if there is none in time."""
        if address not in self._known:
            self._known[address] = self._asked(address) if self._left > 0 else ""
        return self._known[address]

    def _asked(self, address: str) -> str:
        answers: SimpleQueue[str] = SimpleQueue()
        # The C library can't be told to give up; a process does not wait for
        # its daemons.
        thread = Thread(target=_ask, args=(address, answers), daemon=True)
        began = time.monotonic()
        try:
            thread.start()
            return plain_name(answers.get(timeout=min(self._each, self._left)))
        except (Empty, RuntimeError):  # Of threads, too, there may be no more.
            return ""
        finally:
            self._left -= time.monotonic() - began


def _ask(address: str, answers: "SimpleQueue[str]") -> None:
    try:
        answers.put(socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0])
    except (OSError, UnicodeError):
        answers.put("")
