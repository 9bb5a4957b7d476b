"""
Real parts for tests, and what to do where one is missing.

Outside CI a test says what it lacks and is skipped.  CI installs all of it
and sets BOTALERT_REQUIRE_REAL, so that nothing is skipped there in silence.
"""

import os
import shutil
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
REQUIRED = bool(os.environ.get("BOTALERT_REQUIRE_REAL"))

_PACKAGES = {
    "exim4": "exim4-daemon-light",
    "fail2ban-regex": "fail2ban",
    "ip": "iproute2",
    "nft": "nftables",
    "rsyslogd": "rsyslog",
    "run-parts": "debianutils",
    "setpriv": "util-linux",
    "/lib/systemd/systemd-journald": "systemd",
}


def lack(what: str) -> None:
    """Skip the running test because *what* is lacking; in CI, fail it."""
    if REQUIRED:
        pytest.fail(f"lacks {what}, which CI must have")
    pytest.skip(f"lacks {what}")


def need(*programs: str) -> None:
    """Go on only where all of *programs* can be run."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    for program in programs:
        if shutil.which(program, path=path) is None:
            lack(f"{program} (Debian package {_PACKAGES.get(program, program)})")


def need_root() -> None:
    """Go on only as root."""
    if os.geteuid() != 0:
        lack("root's rights")


def need_shared(name: str = "") -> Path:
    """Go on only where the collection of real logs lies beside the project; give its path."""
    path = SHARED / name
    if not path.exists():
        lack(f"../shared/{name}, the collection of real logs and the laboratory")
    return path
