"""
Makes the man pages: python docs/build_man.py OUTPUT_DIRECTORY.

The pages are jinja2 templates in mdoc(7).  What the program has in a table
(options, fields, verdicts, exit statuses, the command line) comes from
there, so that nothing is written twice and the pages can't fall behind.
"""

import argparse
import re
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import jinja2

SOURCES = Path(__file__).resolve().parent
# Beside the package, whether or not it is installed.
sys.path.insert(0, str(SOURCES.parent))

import botalert  # noqa: E402
from botalert import render, tally, times  # noqa: E402
from botalert.cli import arguments, output  # noqa: E402
from botalert.config import conditions, library, load, mailserver, options  # noqa: E402
from botalert.detect import Detection  # noqa: E402
from botalert.grammar import packets, verdicts  # noqa: E402
from botalert.machines import ethers, files, hosts, resolver, vendors  # noqa: E402
from botalert.match import Signal  # noqa: E402
from botalert.model import Hit  # noqa: E402
from botalert.tally import Tally  # noqa: E402
from botalert.words import signal_words  # noqa: E402

PAGES = ("botalert.8", "botalert.conf.5", "botalert-signals.7")

# What mandoc's lint allows, less the escapes.
_LINE_WIDTH = 70
_FIRST = datetime(2026, 11, 20, 23, 39, 3, tzinfo=UTC)
_LAST = datetime(2026, 11, 20, 23, 58, 33, tzinfo=UTC)
_SENTENCE_END = re.compile(r"(?<=[.!?]) +(?=[A-Z*])")


def escaped(text: str) -> str:
    """Write *text* so that it stands on a page as it is: no minus becomes a hyphen."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("~", "\\(ti")


def argument(text: str) -> str:
    r"""Write *text* as one argument of a macro; \& keeps "In" from being one itself."""
    return " ".join(f"\\&{escaped(word)}" for word in text.split())


def prose(text: str) -> str:
    """Write *text* as mdoc wants it: each sentence begins a line."""
    whole = " ".join(text.split())
    lines = []
    for sentence in _SENTENCE_END.split(whole[:1].upper() + whole[1:]):
        lines += textwrap.wrap(sentence, _LINE_WIDTH, break_on_hyphens=False)
    marked = "\n".join(
        f"\\&{escaped(line)}" if line[0] in ".'" else escaped(line) for line in lines
    )
    return marked if marked.endswith((".", "!", "?")) else f"{marked}."


def _flags(action: argparse.Action) -> str:
    """Give an option as .It wants it: Fl v , Fl -verbose."""
    value = _value(action)
    shown = [f"Fl {argument(flag[1:])}" for flag in action.option_strings]
    return " , ".join(f"{flag} {value}" if value else flag for flag in shown)


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices:
        return " | ".join(f"Cm {argument(str(choice))}" for choice in action.choices)
    name = argument(str(action.metavar))
    return f"Ar {name} ..." if action.nargs == "*" else f"Ar {name}"


def _synopsis(action: argparse.Action) -> str:
    """Give an option as the synopsis has it: Oo Fl -stats Oc."""
    value = _value(action)
    if not action.option_strings:
        return f"Oo {value} Oc" if action.nargs == "*" else value
    flag = f"Fl {argument(action.option_strings[-1][1:])}"
    return f"Oo {flag} {value}".rstrip() + " Oc"


def _own(parser: argparse.ArgumentParser, common: set[str]) -> list[argparse.Action]:
    """Give the arguments of *parser* that only it has: options first, as people write them."""
    own = [
        action
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction)
        and not common.intersection(action.option_strings)
    ]
    return sorted(own, key=lambda action: not action.option_strings)


def _commands() -> Iterator[dict[str, object]]:
    parser = arguments.argument_parser()
    common = {flag for action in parser._actions for flag in action.option_strings}
    subparsers = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for name, command in subparsers.choices.items():
        own = _own(command, common)
        yield {
            "name": name,
            "description": str(command.description).partition("\n\n")[0],
            "synopsis": " ".join(_synopsis(action) for action in own),
            "arguments": [
                {"it": _flags(each) or _value(each), "help": str(each.help)} for each in own
            ],
        }


def _common_options() -> Iterator[dict[str, str]]:
    for action in _own(arguments.argument_parser(), set()):
        yield {"it": _flags(action), "help": str(action.help)}


def _options_of(section: str) -> list[options.Option]:
    return [option for option in options.OPTIONS if option.section == section]


def shipped_signals() -> tuple[Signal, ...]:
    """Give all shipped signals of a LAN at eth1."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(f"[DEFAULT]\nlan: eth1\n[signals]\nlog: {library.EVERYTHING}\n")
        file.flush()
        return load(file.name).signals


def _families(signals: tuple[Signal, ...]) -> dict[str, list[Signal]]:
    """Group *signals* by the file that they are in."""
    families: dict[str, list[Signal]] = {}
    places = library.library().source.headers
    for signal in signals:
        families.setdefault(Path(places[signal.name].file).name, []).append(signal)
    return families


def _words_of(verdict_of_word: dict[str, str], verdict: str) -> list[str]:
    return [word for word, meant in verdict_of_word.items() if meant == verdict]


def _sample() -> Detection:
    """Give the detection that the examples of the output show."""
    tally = Tally()
    for time, count in ((_FIRST, 106), (_LAST, 1)):
        tally.add(
            Hit(
                "smtp",
                "192.168.1.10",
                time,
                "198.51.100.52",
                "25",
                "eth1",
                "02:00:c0:a8:01:0a",
                count,
                "Nov 20 23:39:03 fw1 kernel: ...",
            )
        )
    return Detection("smtp", "192.168.1.10", tally)


def page(name: str) -> str:
    """Give the page *name*, such as "botalert.8", in mdoc(7)."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(SOURCES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        escaped=escaped,
        argument=argument,
        prose=prose,
        words_of=_words_of,
        words=signal_words,
    )
    signals = shipped_signals()
    return environment.get_template(f"{name}.in").render(
        version=botalert.__version__,
        commands=list(_commands()),
        common_options=list(_common_options()),
        system_config=arguments.SYSTEM_CONFIG,
        statuses=arguments.EXIT_STATUSES,
        when=times.WHEN_HELP,
        sample_table=output.detection_table([output.detection_row(_sample(), UTC)], None),
        csv_columns=output.DETECTION_COLUMNS,
        default_options=_options_of(options.DEFAULT),
        log_options=_options_of(options.LOG),
        recipients_options=_options_of(options.RECIPIENTS),
        signals_options=_options_of(options.SIGNALS),
        signal_options=_options_of(options.SIGNAL),
        default_of=options.default_of,
        fields=options.FIELDS,
        protocols=packets.PROTOCOLS,
        numbers=(*conditions.PORTS, *conditions.NUMBERS),
        flags=sorted(packets.FLAGS),
        verdict_words=verdicts.VERDICT_OF_WORD,
        ports=mailserver._DEFAULT_PORTS,
        sendmail=mailserver.DEFAULT_SENDMAIL,
        shipped_set=render.SHIPPED_SET,
        listed=render.LISTED,
        kept_items=tally.KEPT_ITEMS,
        kept_lines=tally.KEPT_LINES,
        kept_days=tally.KEPT_HOURS // tally.HOURS_OF_DAY,
        hosts=hosts.PATH,
        ethers=ethers.PATH,
        registries=vendors.PATHS,
        local=vendors.LOCAL,
        longest_name=files.LONGEST_NAME,
        most_mebibytes=files.MOST_BYTES >> 20,
        all_seconds=int(resolver.SECONDS_ALL),
        signals=signals,
        families=_families(signals),
        recommended=library.library().sets[library.RECOMMENDED],
    )


def main() -> None:
    """Write every page into the directory that the command line names."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} OUTPUT_DIRECTORY")
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        (directory / name).write_text(page(name), encoding="utf-8")


if __name__ == "__main__":
    main()
