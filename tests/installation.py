"""
An installed botalert of a test's own: a configuration, a log, a state file.

What is run is the real command line in a process of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from checkout import ROOT
from real import need, need_root

SMTP_SIGNAL = {"smtp": "IN: eth1\nPROTO: TCP\nDPT: 25"}
RECIPIENTS = {"From": "firewall@mx.example", "To": "admin@mx.example"}


def packet_line(source: str, *, second: int = 0, port: int = 25, prefix: str = "DROP:") -> str:
    """Write a line as the kernel and a syslog daemon do."""
    return (
        f"2026-11-20T23:{second // 60:02}:{second % 60:02}+00:00 fw1 kernel: {prefix}"
        f"IN=eth1 OUT=eth0 MAC=ba:51:fc:4a:ba:d1:02:00:c0:a8:01:0a:08:00 SRC={source} "
        "DST=198.51.100.52 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=24048 DF PROTO=TCP SPT=35808 "
        f"DPT={port} WINDOW=64240 RES=0x00 SYN URGP=0 \n"
    )


NOBODY = 65534


def like_everyone(command: list[str]) -> list[str]:
    """
    Make root, who runs *command*, subject to the permissions of files.

    That way what may not be read is another user's, and Python stays readable
    wherever it is installed.
    """
    need_root()
    need("setpriv")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--", *command]


class Installation:
    """
    A botalert with everything under *home*.

    Attributes:
        home: Its directory.
        log: The log that it reads.
        statefile: What it remembers.
        maildir: Where ``maildir:`` delivers, unless configured otherwise.
        templates: The administrator's own templates.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home / "messages"
        self.config = home / "botalert.conf"
        self.statefile = home / "state" / "state.db"
        self.maildir = home / "Maildir"
        self.templates = home / "templates"
        self.log.touch()
        self.configure()

    def configure(
        self,
        mailserver: str = "",
        *,
        recipients: Mapping[str, str] = RECIPIENTS,
        signals: Mapping[str, str] = SMTP_SIGNAL,
        named: str = "",
        **options: str,
    ) -> None:
        """Write the configuration; *options* go to ``[DEFAULT]``, *named* to ``log:``."""
        values = {
            "logfile": str(self.log),
            "statefile": str(self.statefile),
            "templates": str(self.templates),
            "timezone": "UTC",
            "mailserver": mailserver or f"maildir:{self.maildir}",
            **options,
        }
        sections = {
            "DEFAULT": _keys(values),
            "recipients": _keys(recipients),
            "signals": f"log: {named or ', '.join(signals)}",
            **signals,
        }
        text = "\n".join(f"[{name}]\n{body}\n" for name, body in sections.items())
        self.config.write_text(text, encoding="utf-8")

    def see(self, *sources: str, **about: Any) -> None:
        """Log one packet of each of *sources*."""
        self.append("".join(packet_line(source, **about) for source in sources))

    def append(self, text: str) -> None:
        """Add *text* to the log."""
        with self.log.open("a", encoding="utf-8", newline="") as log:
            log.write(text)

    def command(self, *arguments: str) -> list[str]:
        """Give the words that run botalert."""
        return [sys.executable, "-m", "botalert", "-c", str(self.config), *arguments]

    def botalert(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of botalert to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=60,
        )

    def output(self, *arguments: str) -> str:
        """Run a command that must succeed and have no fault to tell; give what it prints."""
        done = self.botalert(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def run(self, **environment: str) -> tuple[int, list[str]]:
        """Do the daily job; give its status and what it told on standard error."""
        done = self.botalert("run", **environment)
        assert done.stdout == ""
        return done.returncode, done.stderr.splitlines()

    def detections(self, *command: str) -> list[dict[str, Any]]:
        """Give what is on record, or what *command* finds."""
        printed = self.output(*(command or ("list",)), "--format", "json")
        found: list[dict[str, Any]] = json.loads(printed)["detections"]
        return found

    def alerts(self) -> dict[str, str]:
        """Tell of each source on record whether its alert was sent."""
        return {each["source"]: each["alert"] for each in self.detections()}

    def mails(self) -> list[EmailMessage]:
        """Give the mails in the Maildir."""
        parser = BytesParser(policy=policy.default)
        return [parser.parsebytes(path.read_bytes()) for path in sorted(self.maildir.glob("new/*"))]


def _keys(values: Mapping[str, str]) -> str:
    return "\n".join(f"{key}: {value}" for key, value in values.items())
