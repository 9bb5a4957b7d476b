"""
`botalert explain`: why a signal matched or not.
"""

from datetime import datetime

from botalert.cli.commands.common import (
    Options,
    chosen_logs,
    chosen_signals,
    collected_faults,
    read_config,
)
from botalert.cli.commands.lines import outcomes
from botalert.cli.output import drop_words
from botalert.job.logs import files_of
from botalert.match import Signal, field_values, first_failure, matches
from botalert.model import Drop, Outcome
from botalert.printable import printable


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options, shipped_will_do=True)
    faults = collected_faults(options)
    signals = chosen_signals(config, options.signal)
    for file in files_of(chosen_logs(options, config)):
        with faults.collected():
            told = False
            for number, _, outcome in outcomes(config, file, now):
                place = f"{printable(file.path)}:{number}"
                if isinstance(outcome, Drop):
                    print(f"{place} {printable(drop_words(outcome))}")
                    for signal in signals:
                        print(f"{place} {_explained(outcome, signal)}")
                elif outcome is Outcome.UNPARSED:
                    print(f"{place} unparsed: {outcome.value}")
                told = told or outcome is not Outcome.NOT_A_PACKET
            if not told:
                print(f"{printable(file.path)} no packet line of a program that is believed")
    return faults.status


def _explained(drop: Drop, signal: Signal) -> str:
    source = printable(drop.packet.fields.get("SRC", "no source"))
    failed = first_failure(drop, signal)
    if failed is None and not matches(drop, signal):
        return f"[{signal.name}] {source}: SRC is empty, and a packet of nobody is not counted"
    if failed is None:
        return f"[{signal.name}] {source}: matched"
    has = field_values(drop, failed.field)
    shown = printable(" ".join(has)) or '""' if has else "not there"
    return f"[{signal.name}] {source}: {failed.field} is {shown}, asked is {failed.text}"
