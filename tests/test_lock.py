"""One run at a time."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from installation import Installation

from botalert.errors import CannotCreateError, TryAgainError
from botalert.lock import locked

HOLDER = """
import signal, sys
from botalert.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    signal.pause()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """Hold the lock at *path* in another process."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_second_run_tries_again_later_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    """While a run holds the lock another ends with 75; SIGKILL lets go of it."""
    site = Installation(tmp_path)
    site.see("192.168.1.10")
    site.statefile.parent.mkdir()
    path = Path(f"{site.statefile}.lock")
    told = f"botalert: {path}: another run of botalert holds the lock. Wait until it has ended."
    with holder(path) as first:
        assert site.run() == (75, [told])
        first.send_signal(signal.SIGKILL)
    assert path.exists()
    assert site.run() == (0, [])
    assert len(site.mails()) == 1


def test_lock_is_let_go_at_the_end(tmp_path: Path) -> None:
    """A lock can be taken again after its block, also where the block failed."""
    path = str(tmp_path / "lock")
    with pytest.raises(ZeroDivisionError), locked(path):
        raise ZeroDivisionError
    with locked(path), pytest.raises(TryAgainError), locked(path):
        pass


def test_lock_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    """A missing directory is told as what it is."""
    told = pytest.raises(CannotCreateError, match="No such file or directory")
    with told, locked(str(tmp_path / "nowhere" / "lock")):
        pass


def test_lock_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Nobody else can hold the lock, and so keep runs from happening."""
    path = tmp_path / "lock"
    with locked(str(path)):
        assert path.stat().st_mode & 0o777 == 0o600
