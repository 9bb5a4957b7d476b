"""What commands import: a quick start is one that leaves out what it does not need."""

import re
from pathlib import Path

import pytest
from installation import Installation

HEAVY = frozenset(
    "jinja2 dateutil smtplib ssl sqlite3 multiprocessing email subprocess urllib "
    "dataclasses inspect pathlib tempfile shutil gzip bz2 lzma hashlib json csv uuid difflib "
    "unicodedata textwrap concurrent".split()
)
MAIL = frozenset("smtplib ssl jinja2".split())

LINE = (
    "Nov 20 23:58:33 fw1 kernel: [12345.678901] DROP: IN=eth1 OUT=eth0 SRC=192.168.1.10 "
    "DST=198.51.100.52 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=46418 DPT={} "
    "WINDOW=29200 RES=0x00 SYN URGP=0\n"
)


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    """Give a botalert with a log of a hundred lines."""
    site = Installation(tmp_path)
    site.append("".join(LINE.format(25 + i % 9) for i in range(100)))
    return site


def imported(site: Installation, *arguments: str) -> set[str]:
    """Do as *arguments* say in a process of its own; name the packages that it imported."""
    done = site.botalert(*arguments, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    before, _, told = done.stderr.partition(" botalert\n")
    assert before
    names = re.findall(r"^import time:.*\| +(\S+)$", told, re.MULTILINE)
    assert "botalert.cli" in names
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "configured"])
def test_a_scan_of_a_plain_log_imports_little(site, is_named):
    """No templates, dates, mail, database or processes."""
    assert not imported(site, "scan", *([str(site.log)] if is_named else [])) & HEAVY


def test_the_shipped_signals_need_no_more(site):
    """They are read as the configuration is."""
    site.config.write_text(f"[DEFAULT]\nlan: eth1\nlogfile: {site.log}\n")
    assert not imported(site, "scan") & HEAVY


def test_a_scan_imports_what_its_format_needs(site):
    """And no more."""
    assert imported(site, "scan", "--format", "json", str(site.log)) & HEAVY == {"json"}


def test_dates_in_iso_form_need_no_dateutil(site):
    """Nor those that are ours."""
    found = imported(site, "scan", "--since", "2026-11-20 14:30", "--until", "today", str(site.log))
    assert "dateutil" not in found


def test_a_check_sends_no_mail_and_opens_no_database(site):
    """It writes a mail, to try the templates."""
    assert not imported(site, "check") & {"smtplib", "sqlite3", "dateutil", "multiprocessing"}


def test_a_run_that_finds_nothing_new_imports_no_mail(site):
    """Neither templates nor a way out."""
    site.log.write_text("")
    imported(site, "run")
    assert not imported(site, "run") & MAIL
