"""
What goes wrong while all that can be done is done.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botalert.errors import BotalertError, worst_status

Teller = Callable[[str], None]
"""Takes one line for the administrator."""


class Faults:
    """
    Collects faults.

    Args:
        tell: Where each line goes.

    Attributes:
        tell: It.
    """

    def __init__(self, tell: Teller) -> None:
        self.tell = tell
        self._statuses: list[int] = []

    def add(self, error: BotalertError) -> None:
        """Tell of *error* and remember its status."""
        self.tell(str(error))
        self._statuses.append(error.status)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Go on behind this block if it fails."""
        try:
            yield
        except BotalertError as error:
            self.add(error)

    @property
    def status(self) -> int:
        """The exit status so far."""
        return worst_status(self._statuses)


def counted(number: int, what: str) -> str:
    """Write how many there are: "1 alert", "2 alerts"."""
    return f"{number} {what}{'' if number == 1 else 's'}"
