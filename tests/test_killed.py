"""
SIGKILL before every effect of a run: nothing is lost, at most one alert repeats.

strace counts the system calls by which a run has effects, and kills the
process at the N-th of them, before it is done; for every N there is.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from installation import RECIPIENTS, Installation, packet_line
from mta import Exim, running_exim
from real import lack, need

KILLED = -9
# Much of the time is spent waiting: for the disk, and for the mail server.
WORKERS = 2 * (os.cpu_count() or 1)
# Those of files; and what goes to a mail server.
FILE_EFFECTS = (
    "pwrite64,write,fsync,fdatasync,ftruncate,fchmod,chmod,/^mkdir,/^link,/^rename,/^unlink"
)
MAIL_EFFECTS = f"sendto,{FILE_EFFECTS}"

# A run that waits for strace: tracing how Python starts takes three times as long.
RUN = """
import os, signal, sys
import botalert.cli, botalert.mail.maildir, botalert.mail.smtp
os.kill(os.getpid(), signal.SIGSTOP)
sys.exit(botalert.cli.main())
"""

# What the administrator and cron do afterwards, for each configuration named:
# look, and run until all is quiet.
AFTERWARDS = """
import contextlib, io, json, sys
from botalert.cli import main
def output(*arguments):
    text, complaints = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(complaints):
        status = main(["-c", config, *arguments])
    return status, text.getvalue(), complaints.getvalue()
found = []
for config in sys.argv[1:]:
    look, *runs = output("list"), output("run"), output("run")
    listed = json.loads(output("list", "--format", "json")[1])["detections"]
    found.append([look[0], look[2], [run[::2] for run in runs], listed])
print(json.dumps(found))
"""


@dataclass
class Outcome:
    """What was found after a killed run and two whole ones."""

    first_look: int
    complaint: str
    runs: list[list[Any]]
    detections: list[dict[str, Any]]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def traced(site: Installation, output: str, *options: str) -> int:
    """Do the daily job under strace, which writes to *output*; give its status."""
    arguments = ["-c", str(site.config), "run"]
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments], cwd=ROOT, env=environment()
    ) as run:
        os.waitid(os.P_PID, run.pid, os.WSTOPPED | os.WNOWAIT)
        command = ["strace", "-f", "-o", output, *options, "-p", str(run.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
            assert strace.stderr is not None
            said = strace.stderr.readline()
            if "attached" not in said:
                run.kill()
                lack(f"the right to trace a process ({said.strip()})")
            run.send_signal(signal.SIGCONT)
            return run.wait()


def effects_of_run(site: Installation, kinds: str) -> list[tuple[str, int]]:
    """Run to the end; give the effects in order, each with which of its name it was."""
    trace = site.home / "trace"
    assert traced(site, str(trace), "-e", f"trace={kinds}") == 0
    names = re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE)
    seen: Counter[str] = Counter()
    effects = []
    for name in names:
        seen[name] += 1
        effects.append((name, seen[name]))
    return effects


def kill_at_each(
    effects: Sequence[tuple[str, int]], begun: Callable[[str], Installation]
) -> list[tuple[Installation, Outcome]]:
    """Kill one run before each of its *effects*; then do for each what is done afterwards."""

    def killed(effect: tuple[str, int]) -> Installation:
        name, number = effect
        site = begun(f"killed-{name}-{number}")
        kill = f"inject={name}:signal=SIGKILL:when={number}"
        status = traced(site, os.devnull, "-e", f"trace={name}", "-e", kill)
        assert status == KILLED, f"survived {effect}"
        return site

    with ThreadPoolExecutor(WORKERS) as pool:
        sites = list(pool.map(killed, effects))
        shares = [sites[number::WORKERS] for number in range(WORKERS)]
        mended = list(pool.map(what_is_found_afterwards, shares))
    return [pair for share in mended for pair in share]


def what_is_found_afterwards(
    sites: Sequence[Installation],
) -> list[tuple[Installation, Outcome]]:
    done = subprocess.run(
        [sys.executable, "-c", AFTERWARDS, *(str(site.config) for site in sites)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        check=True,
        text=True,
    )
    outcomes = [Outcome(*each) for each in json.loads(done.stdout)]
    return list(zip(sites, outcomes, strict=True))


def facts(detections: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out when the alert was sent."""
    return [{**each, "alerted": each["alerted"] is not None} for each in detections]


def packets(detections: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {each["source"]: each["packets"] for each in detections}


def assert_mended(outcome: Outcome, expected: Sequence[dict[str, Any]]) -> None:
    assert outcome.runs == [[0, ""], [0, ""]]
    # Until the next run, a change cut short may keep others from reading.
    assert outcome.first_look in (0, 75)
    assert len(outcome.complaint.splitlines()) == (outcome.first_look == 75)
    assert facts(outcome.detections) == facts(expected)


def assert_delivered(message_ids: Sequence[str], alerts: int) -> None:
    """Each alert came; at most one came twice."""
    copies = Counter(message_ids)
    assert len(copies) == alerts
    assert sum(copies.values()) <= alerts + 1


def test_first_run_may_be_killed_anywhere(tmp_path: Path) -> None:
    """From nothing, with two logs and a Maildir: at every effect, the next runs make good."""
    need("strace")

    def begun(name: str) -> Installation:
        (tmp_path / name).mkdir()
        site = Installation(tmp_path / name)
        other = site.home / "other"
        site.configure(logfile=f"{site.log}, {other}")
        site.see("192.168.1.10", "192.168.1.10")
        other.write_text(packet_line("192.168.1.10") + packet_line("192.168.1.11"))
        return site

    whole = begun("whole")
    effects = effects_of_run(whole, FILE_EFFECTS)
    expected = whole.detections()
    assert packets(expected) == {"192.168.1.10": 3, "192.168.1.11": 1}
    for site, outcome in kill_at_each(effects, begun):
        assert_mended(outcome, expected)
        assert_delivered([mail["Message-ID"] for mail in site.mails()], alerts=2)


@pytest.fixture(scope="module")
def exim() -> Iterator[Exim]:
    with running_exim() as server:
        yield server


def test_later_run_may_be_killed_anywhere(tmp_path: Path, exim: Exim) -> None:
    """With a state file and a mail server: at every effect, the next runs make good."""
    need("strace")
    before = tmp_path / "before"
    before.mkdir()
    old = Installation(before)
    old.see("192.168.1.10")
    assert old.run() == (0, [])
    old.see("192.168.1.10", "192.168.1.11", "192.168.1.12", second=60)

    def begun(name: str) -> Installation:
        site = Installation(shutil.copytree(before, tmp_path / name))
        # All read the log whose name is in the state file.
        recipients = {**RECIPIENTS, "To": f"{name}@mx.example"}
        site.configure(exim.plain, logfile=str(old.log), recipients=recipients)
        return site

    whole = begun("whole")
    effects = effects_of_run(whole, MAIL_EFFECTS)
    expected = whole.detections()
    assert packets(expected) == {"192.168.1.10": 2, "192.168.1.11": 1, "192.168.1.12": 1}
    mended = kill_at_each(effects, begun)
    delivered = defaultdict(list)
    for mail in exim.received():
        delivered[mail["Envelope-to"]].append(mail["Message-ID"])
    for site, outcome in mended:
        assert_mended(outcome, expected)
        assert_delivered(delivered[f"{site.home.name}@mx.example"], alerts=2)
