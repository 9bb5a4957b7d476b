"""Logs as streams: unpacking, whole lines, cursors and names."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real import need

from botalert.errors import (
    BotalertError,
    DataError,
    NoInputError,
    UnavailableError,
    reading_error,
    worst_status,
    writing_error,
)
from botalert.log.blocks import LINE_LIMIT_BYTES, LineBlocks
from botalert.log.names import histories, live_logs
from botalert.log.twins import twins
from botalert.log.unpack import opened

CONTENT = b"".join(b"line %d\n" % n for n in range(5000))
PACKERS = {"plain": bytes, "gzip": gzip.compress, "xz": lzma.compress, "bzip2": bz2.compress}


def text(path) -> bytes:
    with opened(str(path)) as stream:
        return b"".join(LineBlocks(stream))


@pytest.mark.parametrize("packer", PACKERS)
def test_a_log_is_unpacked_by_its_first_bytes(tmp_path, packer):
    """Whatever its name says."""
    path = tmp_path / "messages.1.txt"
    path.write_bytes(PACKERS[packer](CONTENT))
    assert text(path) == CONTENT


@pytest.mark.parametrize("packer", PACKERS)
def test_standard_input_may_be_packed_too(monkeypatch, packer):
    """`ssh fw cat messages.1.gz | botalert scan -`."""
    packed = io.BufferedReader(io.BytesIO(PACKERS[packer](CONTENT)))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(packed))
    assert text("-") == CONTENT


def test_several_members_of_an_archive_are_one_log(tmp_path):
    """`cat a.gz b.gz` is a gzip file."""
    path = tmp_path / "both.gz"
    path.write_bytes(gzip.compress(CONTENT) + gzip.compress(b"more\n"))
    assert text(path) == CONTENT + b"more\n"


@pytest.mark.parametrize("packer", ["gzip", "xz", "bzip2"])
@pytest.mark.parametrize("damage", ["cut", "garbled"])
def test_a_damaged_archive_is_told_and_what_comes_before_was_read(tmp_path, packer, damage):
    """One clear line, status 65."""
    whole = PACKERS[packer](os.urandom(200_000).hex().encode())
    middle = len(whole) // 2
    path = tmp_path / "log"
    path.write_bytes(
        whole[:middle] if damage == "cut" else whole[:middle] + bytes(999) + whole[middle + 999 :]
    )
    with pytest.raises(DataError, match="the archive is damaged or cut short") as caught:
        text(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_what_cannot_be_opened_is_told_by_its_kind(tmp_path):
    """Missing, or a directory."""
    with pytest.raises(NoInputError, match="no such file"):
        text(tmp_path / "none")
    with pytest.raises(DataError, match="is a directory"):
        text(tmp_path)


def test_zstd_is_unpacked_by_the_program(tmp_path, monkeypatch):
    """Where the library cannot; damage is told, and so is a missing program."""
    need("zstd")
    packed = subprocess.run(["zstd", "-qc"], input=CONTENT, capture_output=True, check=True).stdout
    path = tmp_path / "log"
    path.write_bytes(packed)
    assert text(path) == CONTENT
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match="the archive is damaged or cut short"):
        text(path)
    if sys.version_info < (3, 14):
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(UnavailableError, match="Install the package zstd"):
            text(path)


def test_an_empty_log_has_no_lines(tmp_path):
    """And is no error."""
    (tmp_path / "log").touch()
    assert text(tmp_path / "log") == b""


@given(
    st.lists(st.binary(max_size=30), max_size=20), st.integers(1, 64), st.booleans(), st.booleans()
)
def test_blocks_are_whole_lines_and_all_of_them(lines, block_bytes, ended, unfinished):
    """A last line without its newline is given or left, as asked."""
    content = b"\n".join(lines) + (b"\n" if ended else b"")
    blocks = LineBlocks(io.BytesIO(content), unfinished=unfinished, block_bytes=block_bytes)
    given_blocks = list(blocks)
    whole = content[: content.rfind(b"\n") + 1]
    expected = content if unfinished else whole
    assert b"".join(given_blocks) == expected
    assert blocks.offset == len(expected)
    assert all(block.endswith(b"\n") for block in given_blocks[:-1])


@pytest.mark.parametrize("block_bytes", [1 << 20, LINE_LIMIT_BYTES, 999_983])
def test_a_line_beyond_any_sense_is_passed_over_whole(block_bytes):
    """Its end is found again, and memory is not."""
    giant = b"x" * (LINE_LIMIT_BYTES + 1)
    content = b"a\n" + giant + b"\nb\n" + giant[:-1] + b"\nc\n" + giant
    blocks = LineBlocks(io.BytesIO(content), block_bytes=block_bytes)
    assert [len(line) for line in b"".join(blocks).split(b"\n")] == [
        1,
        0,
        1,
        len(giant) - 1,
        1,
        0,
        0,
    ]
    assert blocks.offset == len(content)


def test_rotations_of_one_log_are_one_history_oldest_first():
    """By their names; others are logs of their own, in the order named."""
    named = [
        "a/messages", "b/kern.log", "a/messages.2.gz", "a/messages.1", "-", "a/messages.10.gz",
        "a/messages", "c/fw-20261119.xz", "c/fw-20261201", "c/fw", "c/fw.9", "d/x.log.gz",
        "e/v1.2.3",
    ]  # fmt: skip
    assert histories(named) == [
        ["a/messages.10.gz", "a/messages.2.gz", "a/messages.1", "a/messages"],
        ["b/kern.log"],
        ["-"],
        ["c/fw-20261119.xz", "c/fw-20261201", "c/fw.9", "c/fw"],
        ["d/x.log.gz"],
        ["e/v1.2.3"],
    ]


def test_a_glob_means_the_live_files_of_logs_and_a_missing_log_stays(tmp_path):
    """So that it can be told; one that is absent in the middle of a rotation is meant, too."""
    for name in ("b.log", "a.log", "a.log.1", "c.log.1", "c.log.2.gz", "10.0.0.1", "10.0.0.2", "d"):
        (tmp_path / name).touch()
    here = str(tmp_path)
    assert live_logs([f"{here}/*.log"]) == [f"{here}/{name}.log" for name in "abc"]
    assert live_logs([f"{here}/a.log", f"{here}/a*", f"{here}/none*", "/nowhere/x"]) == [
        f"{here}/a.log",
        f"{here}/none*",
        "/nowhere/x",
    ]
    assert live_logs([f"{here}/10.*"]) == [f"{here}/10.0.0.1", f"{here}/10.0.0.2"]


@pytest.mark.parametrize(
    ("error", "reading", "writing"),
    [
        (FileNotFoundError(2, "No such file or directory"), 66, 73),
        (PermissionError(13, "Permission denied"), 77, 77),
        (IsADirectoryError(21, "Is a directory"), 65, 74),
        (OSError(5, "Input/output error"), 74, 74),
        (OSError(28, "No space left on device"), 74, 74),
    ],
)
def test_the_systems_errors_have_their_statuses(error, reading, writing):
    """Each names the place and a remedy."""
    for told, status in (
        (reading_error("/x", error), reading),
        (writing_error("/x", error), writing),
    ):
        assert isinstance(told, BotalertError)
        assert told.status == status
        assert str(told).startswith("/x: ")
        assert str(told).endswith(".")


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], 0),
        ([75, 66], 66),
        ([66, 65, 69], 65),
        ([69, 66], 69),
        ([77, 74, 73, 78], 78),
        ([70], 70),
    ],
)
def test_of_several_statuses_the_first_wins(statuses, expected):
    """In the order that the documentation gives."""
    assert worst_status(statuses) == expected


def test_two_logs_with_the_same_packets_are_told_apart_from_others(tmp_path):
    """kern.log and syslog hold the same lines; other programs' lines are no packets."""
    packet = b"Nov 20 23:58:33 fw1 kernel: DROP:IN=a OUT= SRC=192.0.2.1 DST=192.0.2.2 LEN=%d\n"
    (tmp_path / "kern.log").write_bytes(b"".join(packet % n for n in range(5000)))
    (tmp_path / "syslog").write_bytes(b"Nov 20 x\n" + packet % 4999 + b"Nov 20 y\n")
    (tmp_path / "other").write_bytes(b"Nov 20 x\n" + packet % 5001 + b"Nov 20 y\n")
    paths = [str(tmp_path / name) for name in ("kern.log", "other", "none", "syslog")]
    assert list(twins(paths)) == [(paths[0], paths[3])]
