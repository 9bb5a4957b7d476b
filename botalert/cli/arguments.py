"""
The command line: what may be typed, and its help.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from botalert import __version__
from botalert.cli.streams import USUAL_COLUMNS, columns_of
from botalert.errors import UsageError
from botalert.times import WHEN_HELP

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

SYSTEM_CONFIG = "/etc/botalert.conf"

MOST_JOBS = 1024
# For descriptions; importing textwrap to break this one line takes a ms.
_WHEN_LINES = WHEN_HELP.replace(", '2026", ",\n'2026")

EXIT_STATUSES = {
    os.EX_OK: "done, also when something was detected",
    os.EX_USAGE: "the command line cannot be understood",
    os.EX_DATAERR: "the input cannot be used (a damaged archive)",
    os.EX_NOINPUT: "there is no such log",
    os.EX_UNAVAILABLE: "a program that is needed is missing",
    os.EX_CANTCREAT: "a file cannot be made",
    os.EX_IOERR: "reading or writing failed",
    os.EX_TEMPFAIL: "try again later: another run is on, or alerts are still pending",
    os.EX_NOPERM: "no permission",
    os.EX_CONFIG: "the configuration has faults",
}
"""What each exit status means; the help and botalert(8) show it."""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are our errors."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See: {self.prog} --help")

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        # argparse's own passes over an output that cannot be written.
        print(message, end="", file=file)


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """
    Read the command line.

    Raises:
        UsageError: It cannot be understood.
    """
    options = _parsed(arguments)
    if options.command is None:
        if not arguments:
            commands = ", ".join(_COMMANDS)
            raise UsageError(f"no command. Write one of: {commands}. See: botalert --help")
        # 0.5a had no commands: -l names the log, -s mails what is found.
        logs = [options.logfile] if options.logfile else []
        if not options.sendmail:
            return argument_parser(["scan"]).parse_args(["scan", "--", *logs], options)
        options = argument_parser(["run"]).parse_args(["run"], options)
        options.logs = logs
    elif options.sendmail or options.logfile:
        raise UsageError("-l and -s are for use without a command, as in 0.5a. Remove them.")
    elif options.command == "run":
        options.logs = []
    return options


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    # Making the parsers of all commands takes a tenth of the time of a small scan.
    named = [name for name in _COMMANDS if name in arguments]
    if named and not {"-h", "--help"}.intersection(arguments):
        # Whatever is wrong is told by the parser that knows all commands.
        with suppress(UsageError):
            return argument_parser(named).parse_args(arguments)
    return argument_parser().parse_args(arguments)


def argument_parser(names: Iterable[str] | None = None) -> argparse.ArgumentParser:
    """Give the parser of a command line with these commands, or with all."""
    parser = _Parser(
        prog="botalert",
        formatter_class=_help_formatter,
        description=(
            "Reads a firewall's log for machines that do what infected machines do, and\n"
            "mails once about each."
        ),
        epilog=(
            f"exit status:\n{_statuses()}\n\nbotalert COMMAND --help tells more of each command; "
            "botalert(8) and\nbotalert.conf(5) tell all."
        ),
    )
    parser.add_argument("--version", action="version", version=f"botalert {__version__}")
    _common(parser, top=True)
    old = parser.add_argument_group("without a command, as in 0.5a")
    old.add_argument(
        "-l", "--logfile", metavar="LOG", help="print what is found in LOG, or the configured log"
    )
    old.add_argument(
        "-s", "--sendmail", action="store_true", help="do what run does, on LOG if it is given"
    )
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", prog=parser.prog
    )
    for name in _COMMANDS if names is None else names:
        summary, description, add = _COMMANDS[name]
        command = commands.add_parser(
            name, help=summary, description=description, formatter_class=_help_formatter
        )
        _common(command, top=False)
        add(command)
    return parser


def _help_formatter(prog: str) -> argparse.HelpFormatter:
    # Told no width, argparse imports shutil for it, and that every unpacker.
    width = (columns_of(sys.__stdout__) or USUAL_COLUMNS) - 2
    return argparse.RawDescriptionHelpFormatter(prog, width=width)


def _statuses() -> str:
    return "\n".join(f"  {status:<3} {meaning}" for status, meaning in EXIT_STATUSES.items())


def _common(parser: argparse.ArgumentParser, *, top: bool) -> None:
    """Add what may stand before the command and behind it."""

    def default(value: object) -> object:
        return value if top else argparse.SUPPRESS

    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        default=default(None),
        help=f"the configuration (default: {SYSTEM_CONFIG})",
    )
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        default=default(False),
        help="tell on standard error what is done",
    )
    loudness.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        default=default(False),
        help="tell no faults; the exit status does",
    )


def _logs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "logs",
        metavar="LOG",
        nargs="*",
        help=(
            "plain or packed with gzip, xz, bzip2 or zstd; journal is the systemd "
            "journal; - is standard input; "
            "if none is given, the configured logs"
        ),
    )


def _format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=("table", "json", "csv"),
        default="table",
        help="how to print what is found (default: table)",
    )


def _jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=_processes,
        help="how many processes may scan at once (default: the processors that there are)",
    )


def _processes(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= MOST_JOBS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST_JOBS}")
    return number


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """Take nothing but the common options."""


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--baseline",
        action="store_true",
        help="record everything that is found as known, and mail nothing",
    )
    _jobs(parser)


def _scan_arguments(parser: argparse.ArgumentParser) -> None:
    _logs(parser)
    _format(parser)
    parser.add_argument(
        "--signal", metavar="NAME", help="look for this signal only, be it in log: or not"
    )
    parser.add_argument("--source", metavar="ADDRESS", help="look for this machine only")
    parser.add_argument(
        "--since", metavar="WHEN", help="count packets from then on; a packet without a time is out"
    )
    parser.add_argument("--until", metavar="WHEN", help="count packets before then")
    parser.add_argument(
        "--stats", action="store_true", help="look at every line and count them, which is slower"
    )
    _jobs(parser)


def _parse_arguments(parser: argparse.ArgumentParser) -> None:
    _logs(parser)
    parser.add_argument(
        "--unparsed",
        action="store_true",
        help="print instead the lines that look like packets and can't be read",
    )


def _explain_arguments(parser: argparse.ArgumentParser) -> None:
    _logs(parser)
    parser.add_argument("--signal", metavar="NAME", help="explain this signal only")
    parser.add_argument(
        "--source",
        metavar="ADDRESS",
        help="follow this machine through the thresholds instead: where each signal would "
        "have fired, or how far it got",
    )


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    _format(parser)


def _forget_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="the machine, as list shows it")
    parser.add_argument("--signal", metavar="NAME", help="forget only what this signal found")


_COMMANDS = {
    "run": (
        "the daily job: read what is new, mail once about each machine found",
        "Reads what is new in the configured logs, remembers what it found and mails\n"
        "about each machine that a signal had not been seen to find before. Silent when\n"
        "all is well; what goes wrong is told on standard error and tried again by the\n"
        "next run. For cron.daily.",
        _run_arguments,
    ),
    "scan": (
        "print what the signals find in any log; touches nothing",
        "Looks for the signals in any logs, once, and prints what it finds. Nothing is\n"
        "remembered and nobody is mailed. Rotations of one log (messages, messages.1,\n"
        "messages.2.gz) are read as one, oldest first.\n\n"
        f"WHEN is {_WHEN_LINES}.",
        _scan_arguments,
    ),
    "parse": (
        "print every packet line as JSON; touches nothing",
        "Prints every packet line that a believed program wrote as one JSON object a\nline.",
        _parse_arguments,
    ),
    "explain": (
        "tell for each packet why a signal matched or not",
        "Tells for each packet line what is read from it, and for each signal whether it\n"
        "matched, or else the first condition that failed, with both values. Tells of\n"
        "lines that look like packets and can't be read, too.\n\n"
        "With --source it follows one machine, log by log: tells at which line a signal\n"
        "would have fired, and where counting began anew; at the end of the log, how far\n"
        "it got to what it did not meet.",
        _explain_arguments,
    ),
    "check": (
        "check the configuration and say in words what it asks",
        "Reads the whole configuration and tells every fault, with its place. Says in\n"
        "words what each signal asks, and warns of what may not be meant.",
        _no_arguments,
    ),
    "list": (
        "print the machines on record",
        "Prints the machines that were found, and whether the mail about each was sent.",
        _list_arguments,
    ),
    "forget": (
        "forget a machine, so that it alerts again",
        "Forgets what is on record of a machine: when it is found again, it alerts again.",
        _forget_arguments,
    ),
    "test-mail": (
        "send a sample alert through the configured way",
        "Sends a made-up alert to the configured recipients, through the configured way.",
        _no_arguments,
    ),
}
