"""What `botalert check` warns of on this machine: what run would meet there."""

import os
import shutil
import socket
import stat
from collections.abc import Iterator
from datetime import datetime

from botalert import machines
from botalert.config import Config
from botalert.config.mailserver import MAILDIR, SENDMAIL
from botalert.config.options import default_of
from botalert.config.warnings import config_warnings
from botalert.errors import BotalertError
from botalert.job.logs import configured_logs
from botalert.job.sending import rendered_sample
from botalert.loader import template_environment
from botalert.log import journal
from botalert.log.names import is_journal
from botalert.log.twins import twins
from botalert.state import file as state


def machine_warnings(config: Config, now: datetime) -> Iterator[str]:
    """Tell all that may not be meant in *config*, and what run would not find here."""
    yield from config_warnings(config, [name for _, name in socket.if_nameindex()])
    yield from _log_warnings(config)
    yield from _place_warnings(config)
    yield from machines.warnings(config.leases)
    yield from _template_errors(config, now)


def _log_warnings(config: Config) -> Iterator[str]:
    """Tell which logs run could not read, or would read twice."""
    seen: dict[tuple[int, int], str] = {}
    for path in (log.path for log in configured_logs(config)):
        if is_journal(path):
            if shutil.which(journal.PROGRAM) is None:
                yield f"logfile: {path}: there is no program {journal.PROGRAM}"
            continue
        try:
            about = os.stat(path)
        except OSError as error:
            yield f"logfile: {path}: {error.strerror}"
            continue
        if not stat.S_ISREG(about.st_mode):
            yield f"logfile: {path}: is no plain file, which run cannot read on from"
            continue
        if not os.access(path, os.R_OK):
            yield f"logfile: {path}: may not be read by this user"
        other = seen.setdefault((about.st_dev, about.st_ino), path)
        if other != path:
            yield f"logfile: {path} and {other} are one file: its packets would count twice"
    for one, other in twins(seen.values()):
        yield f"logfile: {one} and {other} hold the same packets, which would count twice"


def _place_warnings(config: Config) -> Iterator[str]:
    """Tell what run could not use of what is there."""
    try:
        state.exists(config.statefile)
    except BotalertError as error:
        yield f"statefile: {error}"
    if config.templates != default_of("templates") and not os.path.isdir(config.templates):
        yield f"templates: {config.templates}: is no directory; the shipped ones are used"
    server = config.mailserver
    if server.scheme == SENDMAIL and shutil.which(server.path) is None:
        yield f"mailserver: {server}: is no program that this user can run"
    if server.scheme == MAILDIR and os.path.exists(server.path) and not os.path.isdir(server.path):
        yield f"mailserver: {server}: is there, and no directory"


def _template_errors(config: Config, now: datetime) -> Iterator[str]:
    """Tell which signals' mails could not be written."""
    templates = template_environment(config.templates)
    for signal in config.signals:
        try:
            rendered_sample(config, signal, templates, socket.gethostname(), now)
        except BotalertError as error:
            yield f"[{signal.name}] template: {error}"
