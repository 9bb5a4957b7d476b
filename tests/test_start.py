"""What commands import: a quick start is one that leaves out what it does not need."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT

HEAVY = frozenset(
    "jinja2 dateutil smtplib ssl sqlite3 multiprocessing email subprocess socket urllib "
    "dataclasses inspect pathlib tempfile shutil gzip bz2 lzma hashlib json csv uuid difflib "
    "unicodedata textwrap concurrent".split()
)
MAIL = frozenset("smtplib ssl jinja2".split())

CONF = """\
[DEFAULT]
logfile: {place}/fw.log
statefile: {place}/state.db
[recipients]
From: firewall@example.org
To: you@example.org
[signals]
log: smtp
[smtp]
IN: eth1
PROTO: TCP
DPT: 25
"""
LINE = (
    "Nov 20 23:58:33 fw1 kernel: [12345.678901] DROP: IN=eth1 OUT=eth0 SRC=192.168.1.10 "
    "DST=198.51.100.52 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=46418 DPT={} "
    "WINDOW=29200 RES=0x00 SYN URGP=0\n"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A configuration and a log of a hundred lines."""
    (tmp_path / "c.conf").write_text(CONF.format(place=tmp_path))
    (tmp_path / "fw.log").write_text("".join(LINE.format(25 + i % 9) for i in range(100)))
    return tmp_path


def imported(place: Path, *arguments: str) -> set[str]:
    """Do as *arguments* say in a process of its own; name the packages that it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "botalert", "-c", "c.conf", *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    before, _, told = done.stderr.partition(" botalert\n")
    assert before
    names = re.findall(r"^import time:.*\| +(\S+)$", told, re.MULTILINE)
    assert "botalert.cli" in names
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("logs", [["fw.log"], []], ids=["named", "configured"])
def test_a_scan_of_a_plain_log_imports_little(place, logs):
    """No templates, dates, mail, database or processes."""
    assert not imported(place, "scan", *logs) & HEAVY


def test_the_shipped_signals_need_no_more(place):
    """They are read as the configuration is; whole lines are told apart with inet_pton."""
    (place / "c.conf").write_text(f"[DEFAULT]\nlan: eth1\nlogfile: {place}/fw.log\n")
    assert imported(place, "scan") & HEAVY <= {"socket"}


def test_a_scan_imports_what_its_format_needs(place):
    """And no more."""
    assert imported(place, "scan", "--format", "json", "fw.log") & HEAVY == {"json"}


def test_dates_in_iso_form_need_no_dateutil(place):
    """Nor those that are ours."""
    found = imported(place, "scan", "--since", "2026-11-20 14:30", "--until", "today", "fw.log")
    assert "dateutil" not in found


def test_a_check_sends_no_mail_and_opens_no_database(place):
    """It writes a mail, to try the templates."""
    assert not imported(place, "check") & {"smtplib", "sqlite3", "dateutil", "multiprocessing"}


def test_a_run_that_finds_nothing_new_imports_no_mail(place):
    """Neither templates nor a way out."""
    (place / "fw.log").write_text("")
    imported(place, "run")
    assert not imported(place, "run") & MAIL
