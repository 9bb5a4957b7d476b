"""A log and its rotations: every line once, and what is missing told."""

import bz2
import gzip
import json
import lzma
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter

import pytest
from checkout import ROOT
from real import need
from simulation import SimulatedLog, line_of

from botalert.errors import DataError, NoInputError
from botalert.log.history import LISTINGS, Log, Reading, is_named_after, rotations
from botalert.model import FirstRun

PACKERS = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}
SEEDS = range(int(os.environ.get("BOTALERT_SCHEDULES", "40")))


def lines(*numbers: int) -> bytes:
    return b"".join(map(line_of, numbers))


def numbers_in(content: bytes) -> list[int]:
    """Give the numbers of the whole lines in *content*."""
    found = re.findall(rb"SRC=10\.(\d+)\.(\d+)\.(\d+) [^\n]*SYN(?:\n|$)", content)
    return [int(a) << 16 | int(b) << 8 | int(c) for a, b, c in found]


class Reader:
    """
    Reads a log again and again, as runs do.

    Attributes:
        counted: How often each line was given.
        gaps: What was told to be missing.
        faults: What the last run could not read.
    """

    def __init__(self, path, history=(), first=FirstRun.ALL) -> None:
        self.log = Log(str(path), tuple(history))
        self.first = first
        self.known: str | None = None
        self.counted: Counter[int] = Counter()
        self.gaps: list[str] = []
        self.faults: list[str] = []

    def run(self, *, killed: bool = False) -> list[int]:
        """Read on; give the numbers of the lines that were new, in order."""
        reading = Reading(self.log, self.known, self.first)
        seen: list[int] = []

        def consume(blocks) -> None:
            seen.extend(numbers_in(b"".join(blocks)))

        reading.read(consume)
        if killed:
            return []
        self.known = reading.cursor()
        self.counted.update(seen)
        self.faults = [str(fault) for fault in reading.faults]
        if reading.missing:
            self.gaps.append(reading.missing)
        return seen


@pytest.fixture
def log(tmp_path):
    """Give a log that was read up to its third line."""
    path = tmp_path / "messages"
    path.write_bytes(lines(1, 2, 3))
    reader = Reader(path)
    assert reader.run() == [1, 2, 3]
    return path, reader


@pytest.mark.parametrize("seed", SEEDS)
def test_under_any_schedule_each_line_counts_once_or_is_inside_a_gap(tmp_path, seed):
    """Rotation of every kind, with runs in the middle of it, some of them killed."""
    chance = random.Random(seed)
    simulated = SimulatedLog(tmp_path, chance)
    reader = Reader(simulated.live, simulated.history)
    reader.run()
    for _ in range(chance.randint(5, 60)):
        simulated.step()
        if chance.random() < 0.35:
            reader.run(killed=chance.random() < 0.2)
            simulated.looked(reader.counted)
    simulated.settle()
    reader.run()
    missing = {n for n in range(1, simulated.written + 1) if reader.counted[n] == 0}
    assert max(reader.counted.values(), default=1) == 1
    assert missing <= simulated.gone
    assert not missing or reader.gaps
    assert reader.faults == []


@pytest.mark.parametrize("seed", range(1000, 1003))
def test_the_daily_job_counts_each_line_once_under_a_schedule(tmp_path, seed):
    """The whole program, in processes of its own, some of them killed at any moment."""
    chance = random.Random(seed)
    simulated = SimulatedLog(tmp_path, chance)
    conf = tmp_path / "botalert.conf"
    conf.write_text(
        f"[DEFAULT]\nlogfile: {simulated.live}\nhistory: {', '.join(simulated.history)}\n"
        f"first_run: all\nstatefile: {tmp_path}/state/state.db\n"
        f"mailserver: maildir:{tmp_path}/Mail\n"
        "[recipients]\nFrom: a@example.org\nTo: b@example.org\n"
        "[signals]\nlog: smtp\n[smtp]\nDPT: 25\n"
    )
    told = ""

    def botalert(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "botalert", "-c", str(conf), *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def listed() -> Counter[int]:
        with botalert("list", "--format", "json") as process:
            detections = json.loads(process.communicate()[0])["detections"]
        return Counter({number_of(each["source"]): each["packets"] for each in detections})

    for _ in range(14):
        for _ in range(chance.randint(1, 4)):
            simulated.step()
        with botalert("run", "--baseline") as process:
            if chance.random() < 0.3:
                try:
                    process.communicate(timeout=chance.random() * 0.4)
                except subprocess.TimeoutExpired:
                    process.kill()
            told += process.communicate()[1]
        simulated.looked(listed())
    simulated.settle()
    with botalert("run", "--baseline") as process:
        told += process.communicate()[1]
    counted = listed()
    missing = {n for n in range(1, simulated.written + 1) if counted[n] == 0}
    assert max(counted.values()) == 1
    assert missing <= simulated.gone
    assert not missing or "may be missing" in told


def number_of(source: str) -> int:
    """Give the number of the line that *source* stands for."""
    _, *parts = map(int, source.split("."))
    return parts[0] << 16 | parts[1] << 8 | parts[2]


@pytest.mark.parametrize("ending", ["", ".gz", ".xz", ".bz2"])
@pytest.mark.parametrize(
    "name",
    [
        "messages.1",
        "messages.0",
        "messages-20261119",
        "messages.old",
        "messages-19112026-1795000000",
        "messages.2026-11-19_06",
    ],
)
def test_the_rest_of_a_rotated_file_is_read_whatever_it_is_called(log, name, ending):
    """Then all newer ones, then the live one."""
    path, reader = log
    rotated = path.with_name(name + ending)
    path.write_bytes(lines(1, 2, 3, 4))
    rotated.write_bytes(PACKERS.get(ending, bytes)(path.read_bytes()))
    path.write_bytes(lines(5, 6))
    assert reader.run() == [4, 5, 6]
    assert reader.run() == []
    assert reader.gaps == []


def test_several_rotations_between_two_runs_lose_nothing(log):
    """Oldest first."""
    path, reader = log
    path.with_name("messages.3.gz").write_bytes(gzip.compress(lines(1, 2, 3, 4)))
    path.with_name("messages.2.gz").write_bytes(gzip.compress(lines(5, 6)))
    path.with_name("messages.1").write_bytes(lines(7))
    path.write_bytes(lines(8))
    assert reader.run() == [4, 5, 6, 7, 8]


def test_copytruncate_prints_no_torn_line_and_doubles_none(log):
    """Found half copied, copied, and cut."""
    path, reader = log
    path.write_bytes(lines(1, 2, 3, 4, 5))
    copy = path.with_name("messages.1")
    copy.write_bytes(path.read_bytes()[:-30])
    assert reader.run() == [4, 5]
    copy.write_bytes(path.read_bytes())
    assert reader.run() == []
    path.write_bytes(b"")
    assert reader.run() == []
    path.write_bytes(lines(6))
    assert reader.run() == [6]
    assert reader.gaps == []


def test_a_daemon_may_go_on_writing_to_a_renamed_file(log):
    """Until it is told to open the new one."""
    path, reader = log
    rotated = path.with_name("messages.1")
    path.rename(rotated)
    path.touch()
    assert reader.run() == []
    with rotated.open("ab") as file:
        file.write(lines(4) + lines(5)[:20])
    assert reader.run() == [4]
    with rotated.open("ab") as file:
        file.write(lines(5)[20:])
    path.write_bytes(lines(6))
    assert reader.run() == [5, 6]


def test_a_last_line_never_finished_counts_when_the_daemon_has_gone_on(log):
    """The machine crashed before the newline."""
    path, reader = log
    path.write_bytes(lines(1, 2, 3, 4)[:-1])
    assert reader.run() == []
    path.rename(path.with_name("messages.1"))
    assert reader.run() == []
    path.write_bytes(lines(5))
    assert reader.run() == [4, 5]


def test_a_file_whose_unfinished_line_was_given_up_may_still_grow(log):
    """What comes behind it is read."""
    path, reader = log
    rotated = path.with_name("messages.1")
    path.rename(rotated)
    rotated.write_bytes(lines(1, 2, 3) + b"torn")
    path.write_bytes(lines(5))
    assert reader.run() == [5]
    with rotated.open("ab") as file:
        file.write(b"\n" + lines(4))
    assert reader.run() == [4]


def test_of_a_file_and_its_half_written_archive_only_the_file_is_read(log):
    """The archive is read when the file is gone, and holds nothing new then."""
    path, reader = log
    path.write_bytes(lines(1, 2, 3, 4))
    rotated = path.with_name("messages.1")
    path.rename(rotated)
    path.write_bytes(lines(5))
    whole = gzip.compress(rotated.read_bytes())
    archive = path.with_name("messages.1.gz")
    archive.write_bytes(whole[:30])
    assert reader.run() == [4, 5]
    archive.write_bytes(whole)
    rotated.unlink()
    assert reader.run() == []
    assert (reader.faults, reader.gaps) == ([], [])


@pytest.mark.parametrize("ending", PACKERS)
def test_a_damaged_archive_is_told_until_it_is_mended_and_then_counts_once(log, ending):
    """The other files go on."""
    path, reader = log
    whole = PACKERS[ending](lines(1, 2, 3, *range(4, 400)))
    archive = path.with_name(f"messages.1{ending}")
    archive.write_bytes(whole[: len(whole) // 2])
    path.write_bytes(lines(400))
    assert reader.run() == [400]
    assert len(reader.faults) == 1
    assert "the archive is damaged or cut short" in reader.faults[0]
    assert reader.run() == []
    assert len(reader.faults) == 1
    archive.write_bytes(whole)
    assert reader.run() == list(range(4, 400))
    assert (reader.run(), reader.faults) == ([], [])


def test_what_was_removed_before_it_was_read_is_told_once(log):
    """With the last line read and the first one there is now."""
    path, reader = log
    path.write_bytes(lines(10, 11))
    assert reader.run() == [10, 11]
    assert len(reader.gaps) == 1
    assert "after 'Nov 20 00:00:03" in reader.gaps[0]
    assert "before 'Nov 20 00:00:10" in reader.gaps[0]
    assert reader.run() == []
    assert len(reader.gaps) == 1


def test_a_file_cut_in_place_is_told_and_read_from_its_beginning(log):
    """Its content tells that it is another."""
    path, reader = log
    path.write_bytes(b"")
    assert reader.run() == []
    assert len(reader.gaps) == 1
    path.write_bytes(lines(4))
    assert reader.run() == [4]
    assert len(reader.gaps) == 1


def test_a_missing_live_log_in_the_middle_of_a_rotation_is_no_fault(log):
    """Its history is read; only if nothing is found at all, there is no such log."""
    path, reader = log
    path.write_bytes(lines(1, 2, 3, 4))
    path.rename(path.with_name("messages.1"))
    assert reader.run() == [4]
    path.with_name("messages.1").unlink()
    with pytest.raises(NoInputError, match="no such file"):
        reader.run()


@pytest.mark.parametrize(
    ("first", "expected"),
    [(FirstRun.LIVE, [3, 4]), (FirstRun.ALL, [1, 2, 3, 4]), (FirstRun.NEW, [])],
)
def test_the_first_run_reads_what_is_asked_for(tmp_path, first, expected):
    """And what comes later is read in any case, also behind what was passed over."""
    path = tmp_path / "messages"
    path.with_name("messages.2.gz").write_bytes(gzip.compress(lines(1)))
    path.with_name("messages.1").write_bytes(lines(2))
    path.write_bytes(lines(3, 4) + lines(5)[:9])
    reader = Reader(path, first=first)
    assert reader.run() == expected
    with path.with_name("messages.1").open("ab") as file:
        file.write(lines(6))
    with path.open("ab") as file:
        file.write(lines(5)[9:])
    assert sorted(reader.run()) == [5, 6]
    path.with_name("messages.2.gz").rename(path.with_name("messages.3.gz"))
    assert (reader.run(), reader.gaps) == ([], [])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("lines_copied", [1, 3])
def test_copy_beside_the_live_log_hides_nothing_at_the_first_run(tmp_path, packed, lines_copied):
    """As an administrator makes one before he tries something, or logrotate just now."""
    path = tmp_path / "messages"
    path.write_bytes(lines(1, 2, 3))
    copied = lines(1, 2, 3)[: lines_copied * len(lines(1))]
    copy = path.with_name("messages.1.gz" if packed else "messages.1")
    copy.write_bytes(gzip.compress(copied) if packed else copied)
    reader = Reader(path, first=FirstRun.LIVE)
    assert sorted(reader.run()) == [1, 2, 3]
    with path.open("ab") as file:
        file.write(lines(4))
    assert (reader.run(), reader.gaps) == ([4], [])


def test_rotations_elsewhere_are_found_by_globs(tmp_path):
    """Logrotate's olddir."""
    path = tmp_path / "messages"
    (tmp_path / "old").mkdir()
    path.write_bytes(lines(1))
    reader = Reader(path, [f"{tmp_path}/old/messages*"])
    reader.run()
    path.rename(tmp_path / "old" / "messages.1")
    path.write_bytes(lines(2))
    (tmp_path / "messages.1").write_bytes(lines(99))
    assert reader.run() == [2]
    assert reader.gaps == []


def test_logs_that_share_a_folder_of_rotations_are_kept_apart(tmp_path):
    """By their names."""
    for name in ("fw.1", "fw-20261119.gz", "mail.1", "archive-of-yesterday"):
        (tmp_path / name).touch()

    def found(live: str, pattern: str) -> list[str]:
        log = Log(f"/var/log/{live}", (f"{tmp_path}/{pattern}",))
        return [os.path.basename(path) for path in rotations(log)]  # All are named after it.

    assert found("fw", "*") == ["fw-20261119.gz", "fw.1"]
    assert found("mail", "*") == ["mail.1"]
    assert found("other", "*") == []


def test_a_file_that_cannot_be_read_for_a_while_is_no_gap(log):
    """It is told as what it is, and read on when it can be read again."""
    path, reader = log
    path.write_bytes(lines(1, 2, 3, 4))
    aside = path.with_name("aside")
    path.rename(aside)
    path.mkdir()
    assert (reader.run(), len(reader.faults)) == ([], 1)
    path.rmdir()
    aside.rename(path)
    assert reader.run() == [4]
    assert reader.gaps == []
    path.write_bytes(b"")
    assert (reader.run(), len(reader.gaps)) == ([], 1)


def test_files_that_are_no_rotations_are_left_alone(tmp_path):
    """Other logs, configurations, and editors' copies."""
    for name in ("messages", "messages.1", "messages.2.gz", "messages-20261119.xz", "messages.old",
                 "messages.conf", "messages-audit.log", "messages~", "xmessages.1", "messages.d",
                 "messages.gz.tmp", "message.1"):  # fmt: skip
        (tmp_path / name).touch()
    (tmp_path / "messages.7").mkdir()
    assert sorted(named(tmp_path / "messages")) == [
        "messages-20261119.xz", "messages.1", "messages.2.gz", "messages.old",
    ]  # fmt: skip


def test_an_extension_may_stand_behind_the_number_or_the_date(tmp_path):
    """Logrotate's extension .log."""
    for name in ("fw.log", "fw.1.log", "fw-20261119.log.gz", "fw.log.2", "fwx.1.log"):
        (tmp_path / name).touch()
    assert named(tmp_path / "fw.log") == {"fw.1.log", "fw-20261119.log.gz", "fw.log.2"}


def named(path) -> set[str]:
    """Give the files whose names say that they are rotations of *path*."""
    log = Log(str(path))
    return {os.path.basename(each) for each in rotations(log) if is_named_after(each, log)}


def test_more_archives_than_a_year_has_days_are_not_read_again(tmp_path):
    """What is still there is never forgotten."""
    path = tmp_path / "messages"
    for age in range(400):
        path.with_name(f"messages.{age + 1}.gz").write_bytes(gzip.compress(lines(age + 10)))
    path.write_bytes(lines(1))
    reader = Reader(path)
    assert len(reader.run()) == 401
    assert reader.run() == []
    later = Reader(path, first=FirstRun.LIVE)
    assert (later.run(), later.run()) == ([1], [])


def test_a_backup_beside_the_live_log_takes_nothing_from_it(log):
    """`gzip -c messages > messages-20261120.gz`, or logrotate's copy."""
    path, reader = log
    path.with_name("messages-20261120.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert reader.run() == []
    path.write_bytes(lines(1, 2, 3, 4))
    assert reader.run() == [4]
    path.with_name("messages.1").write_bytes(path.read_bytes())
    path.write_bytes(lines(1, 2, 3, 4, 5))
    assert reader.run() == [5]
    assert reader.gaps == []


def test_a_log_that_is_cut_while_it_is_read_is_known_by_what_was_read(log):
    """Copytruncate in the middle of a run."""
    path, reader = log
    path.write_bytes(lines(1, 2, 3, 4, 5))
    reading = Reading(reader.log, reader.known, FirstRun.ALL)
    seen: list[int] = []

    def consume(blocks) -> None:
        seen.extend(numbers_in(b"".join(blocks)))
        path.with_name("messages.1").write_bytes(lines(1, 2, 3, 4, 5, 6))
        path.write_bytes(lines(7))

    reading.read(consume)
    reader.known = reading.cursor()
    assert seen == [4, 5]
    assert reader.run() == [6, 7]
    assert reader.run() == []


def test_a_log_cut_to_a_part_doubles_nothing_and_is_told(tmp_path):
    """Its rest is read on from where it ends when that is seen."""
    path = tmp_path / "messages"
    path.write_bytes(lines(*range(1, 101)))
    reader = Reader(path)
    reader.run()
    path.write_bytes(lines(*range(1, 61)))
    assert reader.run() == []
    with path.open("ab") as file:
        file.write(lines(*range(101, 201)))
    assert reader.run() == list(range(101, 201))
    assert len(reader.gaps) == 1


def test_a_log_cut_to_a_part_and_written_on_and_rotated_doubles_nothing(tmp_path):
    """What goes on otherwise than what is known was cut there."""
    path = tmp_path / "messages"
    path.write_bytes(lines(*range(1, 101)))
    reader = Reader(path)
    reader.run()
    path.write_bytes(lines(*range(1, 61), *range(101, 121)))
    path.rename(path.with_name("messages.1"))
    path.write_bytes(lines(130))
    assert reader.run() == [*range(101, 121), 130]
    assert reader.run() == []
    assert len(reader.gaps) == 1


def test_what_the_first_run_could_not_read_and_was_not_to_stays_unread(tmp_path):
    """Another user's rotation, whose permission is given later."""
    path = tmp_path / "messages"
    path.with_name("messages.1.gz").write_bytes(gzip.compress(lines(1))[:-9])
    path.write_bytes(lines(2))
    reader = Reader(path, first=FirstRun.LIVE)
    assert (reader.run(), len(reader.faults)) == ([2], 1)
    path.with_name("messages.1.gz").rename(path.with_name("messages.2.gz"))
    path.rename(path.with_name("messages.1"))
    path.write_bytes(lines(3))
    assert (reader.run(), reader.gaps) == ([3], [])


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_files_that_begin_alike_are_told_apart_by_what_follows(tmp_path, pack):
    """As the kernel's messages of two boots."""
    same = b"the same line of every boot\n" * 200
    path = tmp_path / "dmesg"
    path.write_bytes(same + lines(*range(1, 50)))
    reader = Reader(path)
    assert len(reader.run()) == 49
    path.with_name("dmesg.0").write_bytes(pack(path.read_bytes()))
    path.write_bytes(same + lines(60, 61))
    assert reader.run() == [60, 61]
    assert reader.run() == []


def test_a_name_that_only_rotation_understands_is_known_by_its_content(log):
    """Any dateformat; an unknown file of such a name is somebody else's."""
    path, reader = log
    path.write_bytes(lines(1, 2, 3, 4))
    path.rename(path.with_name("messages-week47"))
    path.write_bytes(lines(5))
    path.with_name("messages-vpn1").write_bytes(lines(99))
    assert reader.run() == [4, 5]
    assert reader.gaps == []


def test_another_configured_log_is_no_rotation(tmp_path):
    """Whatever it is called."""
    path = tmp_path / "messages"
    path.write_bytes(lines(1))
    path.with_name("messages.1").write_bytes(lines(2))
    other = Log(str(path), (), frozenset({str(tmp_path / "messages.1")}))
    assert rotations(other) == []
    assert not is_named_after(str(tmp_path / "messages-10.0.0.5"), other)


def test_dates_without_a_year_are_ordered_by_the_time_of_the_file(tmp_path):
    """1117 is no age."""
    path = tmp_path / "messages"
    for number, name in enumerate(["messages-1117", "messages-1118", "messages-0101", "messages"]):
        path.with_name(name).write_bytes(lines(number))
        os.utime(path.with_name(name), (10**9 + number, 10**9 + number))
    reader = Reader(path)
    assert reader.run() == [0, 1, 2, 3]


def test_an_older_copy_hides_no_gap(log):
    """Only a file that reaches the position shows that nothing is missing."""
    path, reader = log
    path.with_name("messages.2").write_bytes(lines(1, 2))
    path.write_bytes(lines(9))
    assert reader.run() == [9]
    assert len(reader.gaps) == 1


def test_a_link_to_a_log_that_is_gone_is_a_log_that_is_absent(log):
    """Its history is read; and a linked log's rotations stand where it is linked to."""
    path, reader = log
    path.write_bytes(lines(1, 2, 3, 4))
    path.rename(path.with_name("messages.1"))
    path.symlink_to("nowhere")
    assert reader.run() == [4]
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "messages").write_bytes(lines(5))
    path.unlink()
    path.symlink_to(elsewhere / "messages")
    assert reader.run() == [5]
    (elsewhere / "messages").write_bytes(lines(5, 6))
    (elsewhere / "messages").rename(elsewhere / "messages.1")
    (elsewhere / "messages").write_bytes(lines(7))
    assert reader.run() == [6, 7]


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_what_is_no_regular_file_is_told(tmp_path, kind):
    """A FIFO would be waited for without end."""
    path = tmp_path / "messages"
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    with pytest.raises(DataError, match=r"is no regular file|is a directory"):
        Reader(path).run()


def test_files_that_vanish_as_they_are_opened_are_looked_for_again(tmp_path):
    """A rotation between listing and opening; the file is there under another name."""
    path = tmp_path / "messages"
    path.with_name("messages.1").write_bytes(lines(1))
    path.write_bytes(lines(2))
    reading = Reading(Log(str(path)), None, FirstRun.ALL)
    seen: list[int] = []

    def consume(blocks) -> None:
        seen.extend(numbers_in(b"".join(blocks)))
        if len(seen) == 1:  # While the first file is read, logrotate renames.
            path.with_name("messages.1").rename(path.with_name("messages.2"))
            path.rename(path.with_name("messages.1"))

    reading.read(consume)
    assert seen == [1, 2]
    assert LISTINGS > 1


def test_a_file_that_has_taken_anothers_name_meanwhile_is_not_read_for_it(log):
    """Between matching a file and reading it, logrotate may rename all of them."""
    path, reader = log
    path.write_bytes(lines(1, 2, 3, 4))
    path.rename(path.with_name("messages.1"))
    path.write_bytes(lines(5))
    reading = Reading(reader.log, reader.known, FirstRun.ALL)
    seen: list[int] = []

    def consume(blocks) -> None:
        seen.extend(numbers_in(b"".join(blocks)))
        if seen == [4]:
            path.with_name("messages.1").rename(path.with_name("messages.2"))
            path.rename(path.with_name("messages.1"))
            path.write_bytes(lines(6))

    reading.read(consume)
    reader.known = reading.cursor()
    assert seen == [4, 5, 6]
    assert reader.run() == []


def test_a_log_that_cannot_be_read_is_an_error_of_ours(tmp_path):
    """Not a traceback."""
    with pytest.raises(NoInputError):
        Reader(tmp_path / "none" / "messages").run()
    (tmp_path / "messages").write_bytes(b"\x1f\x8b broken")
    with pytest.raises(DataError):
        Reader(tmp_path / "messages").run()


def test_the_cursor_is_text_that_any_run_can_read(log):
    """It is kept in the state file."""
    _, reader = log
    assert reader.known is not None
    assert len(json.loads(reader.known)) == 1


LOGROTATE = [
    "create",
    "copytruncate",
    "dateext\ndateformat -%Y%m%d-%s",
    "delaycompress\ncompress",
    "compress\ncompresscmd /usr/bin/xz\ncompressext .xz",
    "compress",
    "nocreate",
    "olddir old\ncreateolddir 755 root root",
    "dateext\ndateformat .%d-%m-%Y_%s\ncompress",
    "extension .log\ncompress",
    "start 0",
    "copytruncate\ncompress\nmaxage 1000",
]


@pytest.mark.parametrize("directives", LOGROTATE)
def test_nothing_is_lost_with_the_real_logrotate(tmp_path, directives):
    """Rotations at any moments between runs at any moments."""
    need("logrotate", "xz")
    chance = random.Random(directives)
    path = tmp_path / ("messages.log" if "extension" in directives else "messages")
    conf = tmp_path / "logrotate.conf"
    user = "su root root\n" if os.geteuid() == 0 else ""
    conf.write_text(f"{path} {{\n{directives}\n{user}rotate 50\nmissingok\n}}\n")
    conf.chmod(0o644)
    tmp_path.chmod(0o755)
    globs = [f"{tmp_path}/old/messages*"] if "olddir" in directives else []
    reader = Reader(path, globs)
    number = 0
    for _ in range(12):
        with path.open("ab") as file:
            for _ in range(chance.randint(1, 9)):
                number += 1
                file.write(line_of(number))
        if chance.random() < 0.4:
            reader.run()
        if chance.random() < 0.7:
            subprocess.run(
                [shutil.which("logrotate", path="/usr/sbin:/usr/bin") or "logrotate", "-f",
                 "-s", str(tmp_path / "status"), str(conf)],
                # A date that is there already is no new name.
                check="%s" not in directives, capture_output=True,
            )  # fmt: skip
        if chance.random() < 0.4 and (path.exists() or number):
            reader.run()
    reader.run()
    assert reader.counted == Counter(range(1, number + 1))
    assert (reader.gaps, reader.faults) == ([], [])
