"""The cron script, which has to be found, silent and private."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from checkout import ROOT
from real import need

SCRIPT = ROOT / "cron" / "botalert"


def cron_run(script: Path) -> subprocess.CompletedProcess[str]:
    """Run *script* as cron does: hardly any environment, nothing to read."""
    return subprocess.run(
        [script],
        env={"PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Give the script as `make install PREFIX=...` installs it: it looks in PREFIX/sbin first."""
    (tmp_path / "sbin").mkdir()
    text = SCRIPT.read_text().replace("/usr/local/sbin", str(tmp_path / "sbin"))
    copy = tmp_path / "botalert"
    copy.write_text(text)
    copy.chmod(0o755)
    return copy


def install_program(script: Path, body: str) -> None:
    """Put a program called botalert where *script* looks first."""
    program = script.parent / "sbin" / "botalert"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


def test_run_parts_takes_the_script() -> None:
    """The name has no dot and the file may be executed, or cron would pass it over."""
    need("run-parts")
    listed = subprocess.run(
        ["run-parts", "--test", SCRIPT.parent], capture_output=True, text=True, check=True
    )
    assert listed.stdout.splitlines() == [str(SCRIPT)]


def test_script_is_silent_where_botalert_is_not_installed(script: Path) -> None:
    """A removed program leaves its script behind; that is no reason for a mail."""
    text = script.read_text().splitlines()
    nowhere = [line if not line.startswith("PATH=") else "PATH=/nowhere" for line in text]
    script.write_text("\n".join(nowhere) + "\n")
    finished = cron_run(script)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_script_runs_the_daily_job_and_nobody_else_may_read_what_it_makes(script: Path) -> None:
    """What the job makes is its user's alone, and it is called with `run`."""
    install_program(script, 'echo "$@" > "$(dirname "$0")/called"')
    finished = cron_run(script)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    called = script.parent / "sbin" / "called"
    assert called.read_text() == "run\n"
    assert stat.S_IMODE(called.stat().st_mode) == 0o600


def test_script_passes_complaints_and_status_on(script: Path) -> None:
    """Cron mails what is said; a supervisor sees the status."""
    install_program(script, f"echo kept >&2; exit {os.EX_TEMPFAIL}")
    finished = cron_run(script)
    assert (finished.returncode, finished.stdout, finished.stderr) == (os.EX_TEMPFAIL, "", "kept\n")
