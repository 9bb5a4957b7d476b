"""
Copies of the project's source, for tests that build or install it.

setuptools and make write beside what they read; in a copy they disturb
neither the checkout nor each other.
"""

import os
import shutil
import subprocess
from pathlib import Path

from real import lack

ROOT = Path(__file__).resolve().parent.parent
PARTS = (
    "LICENSE",
    "MANIFEST.in",
    "Makefile",
    "botalert",
    "botalert.conf",
    "cron",
    "docs",
    "pyproject.toml",
    "setup.py",
    "templates",
    "tests",
)
PAGES = "*.md"

_NOT_REACHED = "No matching distribution found"


def copy_of_source(target: Path) -> Path:
    """Copy what is needed to build botalert into *target*; give it back."""
    target.mkdir()
    ignore = shutil.ignore_patterns("__pycache__")
    for source in (*(ROOT / part for part in PARTS), *ROOT.glob(PAGES)):
        if source.is_dir():
            shutil.copytree(source, target / source.name, ignore=ignore)
        else:
            shutil.copy2(source, target)
    return target


def clean_environment(**more: str) -> dict[str, str]:
    """Give this process's environment without what would let the checkout be found."""
    hidden = ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "COVERAGE", "COV_CORE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    return {**kept, **more}


def run(
    *command: str | Path, cwd: Path, status: int = 0, timeout_seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run *command* in *cwd* and insist on its exit status, unless pip lacks a package index."""
    finished = subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_seconds,
    )
    if _NOT_REACHED in finished.stderr:
        lack("a package index to get jinja2 and python-dateutil from")
    assert finished.returncode == status, finished.stdout + finished.stderr
    return finished
