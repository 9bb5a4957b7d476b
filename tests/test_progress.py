"""What a long scan shows on a terminal, and nowhere else."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from installation import Installation, packet_line

from botalert.cli.progress import Progress


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(*steps: tuple[float, int], expected: int | None) -> list[str]:
    """Give what is shown when so many bytes have been read after so many seconds each."""
    terminal, clock = io.StringIO(), Clock()
    with Progress(terminal, clock) as progress:
        progress.expect(expected)
        for seconds, more in steps:
            clock.now += seconds
            progress.read(more)
    return terminal.getvalue().split("\r\x1b[K")


@pytest.mark.parametrize(
    ("steps", "expected", "lines"),
    [
        ([(0.5, 10**6), (0.4, 10**6)], 10**9, [""]),
        ([(2, 4 * 10**8)], 10**9, ["", "400 MB of 1.00 GB, 200 MB/s, 3 s left", ""]),
        ([(1, 1_234_567)], None, ["", "1.23 MB, 1.23 MB/s", ""]),
        ([(10, 999)], 99_999, ["", "999 B of 100 kB, 100 B/s, 16:31 min left", ""]),
        ([(2, 10**6)], 10**10, ["", "1.00 MB of 10.0 GB, 500 kB/s, 5:33 h left", ""]),
        ([(2, 2000)], 1000, ["", "2.00 kB of 2.00 kB, 1.00 kB/s, 0 s left", ""]),
        ([(2, 0)], 1000, ["", "0 B of 1.00 kB, 0 B/s", ""]),
        (
            [(1, 10**6), (0.1, 10**6), (0.1, 10**6), (0.8, 10**6)],
            None,
            ["", "1.00 MB, 1.00 MB/s", "4.00 MB, 2.00 MB/s", ""],
        ),
    ],
)
def test_how_far_it_is_at_what_rate_and_how_long_is_left(steps, expected, lines):
    """From a second on, four times a second; and in the end it is gone."""
    assert shown(*steps, expected=expected) == lines


def test_total_is_unknown_if_one_is():
    """What is on standard input has no size."""
    progress = Progress(io.StringIO())
    for more in (10, None, 10):
        progress.expect(more)
    assert progress._expected_bytes is None


def on_a_terminal(command: list[str], log: Path, *, patience: str) -> tuple[str, str]:
    """Run *command* with a terminal as standard error; give standard output and that."""
    ours, theirs = pty.openpty()
    program = (
        "import sys, botalert.cli.progress as p; "
        f"p.PATIENCE_SECONDS = p.INTERVAL_SECONDS = {patience}; "
        "from botalert.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *command, str(log)][: None if log.name else -1],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
        text=True,
    )
    os.close(theirs)
    told = b""
    try:
        while piece := os.read(ours, 1 << 16):
            told += piece
    except OSError:  # Linux says EIO when the other side is closed.
        pass
    os.close(ours)
    return done.stdout, told.decode()


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(("loudness", "is_shown"), [([], True), (["-q"], False)])
def test_scan_shows_it_on_a_terminal(tmp_path, jobs, loudness, is_shown):
    """With -q it doesn't; nothing of it gets into the output."""
    installation = Installation(tmp_path)
    installation.append("".join(packet_line("192.168.1.9", second=n) for n in range(3000)) * 10)
    command = ["-c", str(installation.config), *loudness, "scan", "--jobs", jobs]
    output, told = on_a_terminal(command, installation.log, patience="0")
    assert "192.168.1.9" in output and "\x1b" not in output
    assert (" MB of 7.38 MB, " in told) == is_shown
    assert told.endswith("\r\x1b[K") == is_shown


@pytest.mark.parametrize(("loudness", "is_shown"), [(["-v"], True), ([], False)])
def test_run_shows_it_if_it_is_to_tell_what_it_does(tmp_path, loudness, is_shown):
    """Cron has no terminal, and an administrator who asks for nothing is told nothing."""
    installation = Installation(tmp_path)
    installation.append("".join(packet_line("192.168.1.9", second=n) for n in range(3000)))
    command = ["-c", str(installation.config), *loudness, "run", "--baseline"]
    output, told = on_a_terminal(command, Path(), patience="0")
    assert output == ""
    assert (" kB of 738 kB, " in told) == is_shown
    assert (": read " in told) == is_shown


def test_nothing_is_shown_in_a_pipe(tmp_path):
    """However long it takes."""
    installation = Installation(tmp_path)
    installation.append(packet_line("192.168.1.9"))
    done = installation.botalert("scan", str(installation.log))
    assert (done.returncode, done.stderr) == (0, "")
