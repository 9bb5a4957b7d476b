"""
The programs that are compared, and how each tells what it counted.

All look for the same packets: from the LAN, TCP, for one of the ports.  The
functions give None where a program is missing.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TextIO

from .lines import LAN, PORTS
from .logs import Log
from .measure import Contestant, nothing

PYTHON = sys.executable
BOTALERT = [PYTHON, "-m", "botalert"]
CORES = len(os.sched_getaffinity(0))

_LOGWATCH = Path("/usr/share/logwatch")
_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"

# Signal, source, in a list the alert; then the count, before the date of the first packet.
_ROW = re.compile(r"port(\d+) .*? (\d+)  \d{4}-\d\d-\d\d ")

# Of a mixed log only TCP is wanted, and not what an error quotes in brackets.
_ONLY_TCP = "dense, mixed"


def find(program: str) -> str | None:
    """Give the path of *program*, be it one for root only; None if it is missing."""
    return shutil.which(program, path=_PATH)


def pattern(log: Log, group: str = "(") -> str:
    """Give the pattern that is equivalent to the signals; *group* opens a group."""
    end = " WINDOW=.* URGP=0 $" if log.name == _ONLY_TCP else " "
    return f"IN={LAN} OUT=.* DPT={group}{'|'.join(PORTS)}){end}"


# ---- botalert.


def write_config(
    path: Path,
    ports: Sequence[str] = PORTS,
    *,
    as_one: bool = False,
    threshold: str = "1 packet",
    source: str = "SRC",
    logfile: Path = Path("absent.log"),
    statefile: Path = Path("absent.db"),
) -> Path:
    """Write a configuration with a signal for each of *ports*, or one for all; give its path."""
    asked = {"0": ", ".join(ports)} if as_one else {port: port for port in ports}
    signals = [
        f"[port{name}]\nIN: {LAN}\nPROTO: TCP\nDPT: {each}\nthreshold: {threshold}\n"
        f"source: {source}\n"
        for name, each in asked.items()
    ]
    path.write_text(
        f"[DEFAULT]\nlogfile: {logfile}\nstatefile: {statefile}\n"
        f"mailserver: maildir:{path.with_suffix('.mail')}\n"
        "[recipients]\nFrom: firewall@example.org\nTo: admin@example.org\n"
        f"[signals]\nlog: {', '.join(f'port{name}' for name in asked)}\n{''.join(signals)}"
    )
    return path


def write_default(path: Path, *, logfile: Path = Path("absent.log")) -> Path:
    """Write a configuration with the shipped signals that are recommended; give its path."""
    path.write_text(
        f"[DEFAULT]\nlogfile: {logfile}\nstatefile: {path.with_suffix('.state')}/state.db\n"
        f"mailserver: maildir:{path.with_suffix('.mail')}\nlan: {LAN}\n"
        "lan_networks: 192.168.0.0/16, 10.0.0.0/8\n"
        "[recipients]\nFrom: firewall@example.org\nTo: admin@example.org\n"
        "[signals]\nlog: @default\n"
    )
    return path


def _detections(output: TextIO) -> Mapping[str, object]:
    """Add up the rows of a table of `scan` or `list`, which may be long."""
    ports: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for line in output:
        if row := _ROW.match(line):
            ports[row[1]] += int(row[2])
            sources[row[1]] += 1
    return {"matches": ports.total(), "ports": dict(ports), "sources": dict(sources)}


def scan(log: Log, config: Path, jobs: int, *, also: str = "") -> Contestant:
    """
    Scan for the signals of *config*, one for each port.

    Args:
        log: What is read.
        config: The configuration.
        jobs: How many processes.
        also: What else the name says.
    """
    return Contestant(
        f"botalert, {jobs} job{'' if jobs == 1 else 's'}{also}",
        [*BOTALERT, "-c", str(config), "scan", "--jobs", str(jobs), str(log.path)],
        log,
        asdict(log.truth),
        _detections,
    )


def scan_default(log: Log, config: Path, jobs: int, known: dict[str, object]) -> Contestant:
    """Scan for the shipped signals: whatever is found, it must be the same each time."""

    def read(output: TextIO) -> Mapping[str, object]:
        found: dict[str, object] = {"found": sha256(output.read().encode()).hexdigest()}
        known.update({**found, **known})
        return found

    contestant = scan(log, config, jobs, also=", @default")
    return replace(contestant, expected=known, read=read)


def scan_as_one(log: Log, config: Path, jobs: int) -> Contestant:
    """Scan for the one signal of *config*, which asks for all ports: the same lines match."""
    contestant = scan(log, config, jobs, also=", 1 signal")
    return replace(
        contestant,
        expected={"matches": log.truth.matches},
        read=lambda output: {"matches": _detections(output)["matches"]},
    )


def command(
    name: str, config: Path, *arguments: str, prepare: Callable[[], object] = nothing
) -> Contestant:
    """Run another command of botalert."""
    return Contestant(name, [*BOTALERT, "-c", str(config), *arguments], prepare=prepare)


def listing(log: Log, config: Path) -> Contestant:
    """List what is on record, which must be all that *log* holds."""
    line = [*BOTALERT, "-c", str(config), "list"]
    return Contestant("botalert list", line, log, asdict(log.truth), _detections)


def interpreter() -> Contestant:
    """Start Python and do nothing."""
    return Contestant("python -c pass", [PYTHON, "-c", "pass"])


# ---- Programs that count matching lines, or any.


def _number(what: str, output: TextIO) -> Mapping[str, object]:
    """Read the one number that such a program prints."""
    first, *_ = output.read().split() or ["0"]
    return {what: int(first)}


_MATCHES = partial(_number, "matches")
_LINES = partial(_number, "lines")


def searchers(log: Log) -> list[Contestant]:
    """Give those that are installed, each with the equivalent pattern."""
    path = str(log.path)
    count = f"/{pattern(log)}/ {{ count++ }} END {{ print count + 0 }}"
    found = [
        # Both say by 1 that nothing matched; ripgrep prints nothing then.
        _other("rg -c", log, ["rg", "--no-config", "-c", pattern(log, "(?:"), path], (0, 1)),
        _other("grep -c", log, ["grep", "-cE", pattern(log), path], (0, 1)),
        _other("mawk", log, ["mawk", count, path]),
        _other("wc -l", log, ["wc", "-l", path], read=_LINES),
    ]
    return [contestant for contestant in found if contestant]


def unpacker(log: Log) -> Contestant | None:
    """Unpack a packed log and throw it away; nothing of it can be checked but that it worked."""
    return _other("zcat, .gz", log, ["zcat", str(log.path)], read=None, shown=False)


def _other(
    name: str,
    log: Log,
    line: list[str],
    statuses: tuple[int, ...] = (0,),
    *,
    read: Callable[[TextIO], Mapping[str, object]] | None = _MATCHES,
    standard_input: str = os.devnull,
    shown: bool = True,
) -> Contestant | None:
    """Give the contestant that runs *line*, if its program is there."""
    program = find(line[0])
    if program is None:
        return None
    expected = {**asdict(log.truth), "pairs": log.truth.pairs}
    line = [program, *line[1:]]
    return Contestant(name, line, log, expected, read, standard_input, statuses, shown=shown)


# ---- Programs that read firewall logs, or any logs, and report.


def _numbers(expression: str, *what: str) -> Callable[[TextIO], Mapping[str, object]]:
    """Read the output by a regular expression, whose groups are the counts named *what*."""

    def read(output: TextIO) -> Mapping[str, object]:
        found = re.search(expression, output.read(), re.MULTILINE)
        if not found:
            raise ValueError(expression)
        return dict(zip(what, map(int, found.groups()), strict=True))

    return read


def _fwlogwatch(log: Log, directory: Path) -> Contestant | None:
    """It tells sources and ports apart, not destinations: what botalert reports, too."""
    return _other(
        "fwlogwatch",
        log,
        ["fwlogwatch", "-c", os.devnull, "-D", "-d", "-p", str(log.path)],
        read=_numbers(r"^(\d+) of \d+ entries .* (\d+) have unique", "packets", "pairs"),
    )


def _logwatch(log: Log, directory: Path) -> Contestant | None:
    """Its script for iptables alone, as logwatch calls it: with the log on standard input."""
    script = _LOGWATCH / "scripts/services/iptables"
    if not script.exists():
        return None
    return _other(
        "logwatch, iptables",
        log,
        ["perl", f"-I{_LOGWATCH}/lib", str(script)],
        read=_numbers(r"^Dropped (\d+) packets on interface", "packets"),
        standard_input=str(log.path),
    )


def _psad(log: Log, directory: Path) -> Contestant | None:
    """It analyses the log as it stands, without mail and looking up names; needs root."""
    if os.geteuid() != 0:
        return None
    settings = directory / "psad.conf"
    own = {"PSAD_DIR": "log", "PSAD_RUN_DIR": "run", "PSAD_FIFO_DIR": "fifo"}
    settings.write_text(
        "HOSTNAME fw1;\nALERTING_METHODS noemail;\n"
        "ENABLE_DNS_LOOKUPS N;\nENABLE_WHOIS_LOOKUPS N;\n"
        + "".join(f"{name} {directory}/psad/{part};\n" for name, part in own.items())
    )
    for part in own.values():
        (directory / "psad" / part).mkdir(parents=True, exist_ok=True)
    return _other(
        "psad -A",
        log,
        ["psad", "-A", "-m", str(log.path), "-O", str(settings), "--no-whois", "--no-rdns"],
        read=_numbers(r"Found (\d+) iptables log messages out of (\d+) total", "packets", "lines"),
    )


def _fail2ban(log: Log, directory: Path) -> Contestant | None:
    """One expression of a filter, which must name the host; addresses are not looked up."""
    expression = f"IN={LAN} OUT=.* SRC=<HOST> .* DPT=(?:{'|'.join(PORTS)}) "
    options = ["--raw", "-d", "^%b %d %H:%M:%S", "--print-no-missed"]
    return _other(
        "fail2ban-regex",
        log,
        ["fail2ban-regex", *options, str(log.path), expression],
        read=_numbers(r"^Lines: (\d+) lines, \d+ ignored, (\d+) matched", "lines", "matches"),
    )


def _sec(log: Log, directory: Path) -> Contestant | None:
    """One rule that counts, and one that tells the count in the end."""
    rules = directory / "sec.conf"
    rules.write_text(
        f"type=Single\nptype=RegExp\npattern={pattern(log, '(?:').rstrip()}\\s\n"
        "desc=packet\naction=lcall %hits -> (sub { ++$main::packets })\n\n"
        "type=Single\nptype=SubStr\npattern=SEC_SHUTDOWN\ncontext=SEC_INTERNAL_EVENT\n"
        'desc=end\naction=lcall %hits -> (sub { print $main::packets + 0, "\\n" })\n'
    )
    options = ["--notail", "--fromstart", "--intevents", "--nochildterm"]
    return _other(
        "sec",
        log,
        ["sec", f"--conf={rules}", f"--input={log.path}", *options],
        read=_numbers(r"^(\d+)$", "matches"),
    )


READERS: Mapping[str, tuple[Callable[[Log, Path], Contestant | None], float]] = {
    "fwlogwatch": (_fwlogwatch, 25),
    "logwatch": (_logwatch, 10),
    "psad": (_psad, 5),
    "fail2ban": (_fail2ban, 50),
    "SEC": (_sec, 100),
}
"""By name: what gives the contestant that reads a log, and how many MB it bears in some seconds."""

PROGRAMS = {
    "botalert": [*BOTALERT, "--version"],
    "ripgrep": ["rg", "--version"],
    "grep": ["grep", "--version"],
    "mawk": ["mawk", "-W", "version"],
    "wc": ["wc", "--version"],
    "zcat": ["zcat", "--version"],
    "fwlogwatch": ["fwlogwatch", "-V"],
    "logwatch": ["logwatch", "--version"],
    "psad": ["psad", "-V"],
    "fail2ban": ["fail2ban-regex", "-V"],
    "SEC": ["sec", "--version"],
}
"""By name: how each program tells its version."""


def versions() -> tuple[dict[str, str], list[str]]:
    """Give the versions of the programs that are installed, and the names of those missing."""
    told, missing = {}, []
    for name, (program, *arguments) in PROGRAMS.items():
        path = find(program)
        if path is None:
            missing.append(name)
            continue
        asked = [path, *arguments]
        answer = subprocess.run(
            asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        number = re.search(r"\d+(\.\d+)+", answer.stdout + answer.stderr)
        told[name] = number.group() if number else "unknown"
    return told, missing
