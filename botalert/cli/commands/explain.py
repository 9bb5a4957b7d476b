"""
`botalert explain`: why a signal matched or not, fired or not.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from botalert.cli.commands.common import (
    Options,
    chosen_logs,
    chosen_signals,
    collected_faults,
    read_config,
    source_asked,
)
from botalert.cli.commands.lines import outcomes
from botalert.cli.output import drop_words, moment_words
from botalert.config import Config
from botalert.follow import Follower
from botalert.job.logs import files_of
from botalert.match import Condition, Signal, field_values, first_failure, matches, source_of
from botalert.model import Drop, Outcome, source_rank
from botalert.printable import printable
from botalert.scan.scanner import hit_of
from botalert.workers.plan import LogFile


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options, shipped_will_do=True)
    faults = collected_faults(options)
    signals = chosen_signals(config, options.signal)
    asked = [source_asked(signal, options.source, config) for signal in signals]
    for _, files in groupby(files_of(chosen_logs(options, config)), lambda file: file.log):
        followed = [_Followed(*pair) for pair in zip(signals, asked, strict=True)]
        path, is_read = "", False
        for file in files:
            path = file.path
            with faults.collected():
                if options.source is None:
                    _explain(config, file, now, signals)
                else:
                    _follow(config, file, now, followed)
                    is_read = True
        # Of what could not be read at all there is nothing to tell.
        if is_read or any(each.lines for each in followed):
            _conclude(path, options.source, followed)
    return faults.status


def _explain(config: Config, file: LogFile, now: datetime, signals: Sequence[Signal]) -> None:
    """Tell of each packet line what the signals say of it."""
    told = False
    for number, _, outcome in outcomes(config, file, now):
        place = f"{file.path}:{number}"
        if isinstance(outcome, Drop):
            _tell(f"{place} {drop_words(outcome)}")
            for signal in signals:
                _tell(f"{place} {_explained(outcome, signal)}")
        elif outcome is Outcome.UNPARSED:
            _tell(f"{place} unparsed: {outcome.value}")
        told = told or outcome is not Outcome.NOT_A_PACKET
    if not told:
        _tell(f"{file.path} no packet line of a program that is believed")


def _explained(drop: Drop, signal: Signal) -> str:
    source = drop.packet.fields.get("SRC", "no source")
    failed = first_failure(drop, signal)
    if failed is None and not matches(drop, signal):
        return f"[{signal.name}] {source}: SRC is empty, and a packet of nobody is not counted"
    if failed is None:
        return f"[{signal.name}] {source}: matched"
    has = field_values(drop, failed.field)
    shown = " ".join(has) or '""' if has else "not there"
    return f"[{signal.name}] {source}: {failed.field} is {shown}, asked is {failed.text}"


class _Followed:
    """
    What one signal says of the machine that is followed, in one log.

    Attributes:
        signal: The signal.
        lines: How many packet lines come from the machine.
        followers: By source: what is asked for may be a network.
        failures: How many lines fail at each condition.
    """

    def __init__(self, signal: Signal, asked: Sequence[Condition]) -> None:
        self.signal = signal
        self.lines = 0
        self.followers: dict[str, Follower] = {}
        self.failures: Counter[str] = Counter()
        self._asked = asked

    def follow(self, drop: Drop, place: str) -> list[str]:
        """Count *drop*, which is the line *place*; tell what happens there."""
        if not all(condition.meets(drop) for condition in self._asked):
            return []
        self.lines += 1
        if not matches(drop, self.signal):
            failed = first_failure(drop, self.signal)
            self.failures["SRC" if failed is None else f"{failed.field}: {failed.text}"] += 1
            return []
        source = source_of(drop, self.signal)
        follower = self.followers.get(source)
        if follower is None:
            follower = self.followers[source] = Follower(self.signal)
        told = follower.add(hit_of(drop, self.signal, follower.rules), place)
        return [f"[{self.signal.name}] {source}: {words}" for words in told]

    def conclusions(self, source: str) -> list[str]:
        """Tell how far the machine got, which was asked for as *source*."""
        if not self.lines:
            return [f"[{self.signal.name}] no packet of {source}"]
        if not self.followers:
            fails = "; ".join(
                f"{asked} ({number} of them)" for asked, number in self.failures.most_common()
            )
            lines = f"{self.lines} packet {'line' if self.lines == 1 else 'lines'}"
            return [f"[{self.signal.name}] {source}: none of {lines} matches; fails: {fails}"]
        ranked = sorted(self.followers.items(), key=lambda pair: source_rank(pair[0]))
        got = [(source, follower.conclusion()) for source, follower in ranked]
        return [f"[{self.signal.name}] {source}: {words}" for source, words in got if words]


def _follow(config: Config, file: LogFile, now: datetime, followed: Sequence[_Followed]) -> None:
    """Tell at which lines something happens to a machine."""
    for number, _, outcome in outcomes(config, file, now):
        if isinstance(outcome, Drop):
            when = moment_words(outcome.time, outcome.uptime)
            place = f"{file.path}:{number} ({when})"
            for each in followed:
                for words in each.follow(outcome, place):
                    _tell(f"{place} {words}")


def _conclude(path: str, source: str, followed: Sequence[_Followed]) -> None:
    """Tell how far a machine got in the log *path*."""
    if not any(each.lines for each in followed):
        _tell(f"{path} no packet of {source}")
        return
    for each in followed:
        for words in each.conclusions(source):
            _tell(f"{path} {words}")


def _tell(text: str) -> None:
    print(printable(text))
