"""
The daily job, shown over a log that a real kernel wrote.

Sends into a Maildir, prints the mails as received, and runs a second time:
nothing is new.  Everything happens in a directory that is gone afterwards.
The log was written by Linux's LOG target and rsyslogd on a firewall with
made-up machines around it.
"""

import mailbox
import os
import shutil
import subprocess
import sys
import tempfile
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data" / "demo"
CONFIG = "botalert.conf"
LOG = "firewall.log"
MAILDIR = "Maildir"
WIDTH = 78
SHOWN_HEADERS = ("From", "To", "Subject", "Date", "Message-ID")


def main() -> int:
    """Run the demo; give the exit status."""
    with tempfile.TemporaryDirectory(prefix="botalert-demo-") as name:
        directory = Path(name)
        for file in (CONFIG, LOG):
            shutil.copy(DATA / file, directory)
        lines = (directory / LOG).read_bytes().count(b"\n")

        say(f"{LOG}: {lines} lines, as a firewall's kernel wrote them")
        status = daily_job(directory)
        alerts = received(directory)
        say(f"{len(alerts)} alerts received")
        for alert in alerts:
            show(alert)

        say("The next day: nothing was added to the log")
        status = status or daily_job(directory)
        new = len(received(directory)) - len(alerts)
        say(f"{new} new alerts" if new else "Nothing is new, nothing was sent")
    return status or int(not alerts or new != 0)


def say(what: str) -> None:
    """Print a heading."""
    print(f"== {what} ".ljust(WIDTH, "="), end="\n\n", flush=True)


def daily_job(directory: Path) -> int:
    """Run botalert as cron does, except that it tells what it does."""
    arguments = ["-v", "-c", CONFIG, "run"]
    print("$", "botalert", *arguments, flush=True)
    finished = subprocess.run(
        [sys.executable, "-m", "botalert", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=sys.stdout,
        check=False,
        timeout=60,
    )
    print(f"exit status {finished.returncode}\n", flush=True)
    return finished.returncode


def received(directory: Path) -> list[EmailMessage]:
    """Read the mails from the Maildir, in the order in which they came."""
    read = BytesParser(policy=policy.default).parse
    box = mailbox.Maildir(directory / MAILDIR, factory=None)
    with_keys = sorted(box.keys(), key=arrival)
    messages = []
    for key in with_keys:
        with box.get_file(key) as file:
            messages.append(read(file))
    return messages


def arrival(key: str) -> tuple[int, int, int]:
    """
    Read from a mail's name when it came.

    The standard library names it SECONDS.M<microseconds>P<process>Q<number>.HOST.
    """
    seconds, unique, *_ = key.split(".")
    microseconds, _, number = unique.removeprefix("M").partition("P")
    return int(seconds), int(microseconds), int(number.partition("Q")[2])


def show(alert: EmailMessage) -> None:
    """Print the mail's headers and its plain text."""
    for header in SHOWN_HEADERS:
        print(f"{header}: {alert[header]}")
    body = alert.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    print(f"\n{body.get_content().strip()}\n\n{'-' * WIDTH}\n")


if __name__ == "__main__":
    sys.exit(main())
