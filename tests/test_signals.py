"""The shipped signals: how they are named and replaced, and what each asks."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from botalert.config import Config, load
from botalert.config.library import FOLDER, library
from botalert.errors import ConfigurationError
from botalert.match import SEVERITIES, Signal
from botalert.threshold import DAYS, ONE_PACKET, Measure

SHIPPED = library().names
# All that a new user writes.
NEW = "[DEFAULT]\nlan: eth1\n[recipients]\nTo: you@example.org\n"

Write = Callable[[str], Config]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Read a configuration that is written for the test."""

    def _written(text: str) -> Config:
        path = tmp_path / "botalert.conf"
        path.write_text(text)
        return load(str(path), mails=True)

    return _written


def faults(written: Write, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        written(text)
    return [fault.rpartition("/")[2] for fault in caught.value.faults]


def test_an_interface_and_a_recipient_are_a_whole_configuration(written: Write) -> None:
    """The recommended signals, mailed by this machine."""
    config = written(NEW)
    assert config.signal_names == library().sets["@default"]
    assert config.recipients is not None
    assert config.recipients.addresses == ("you@example.org",)
    assert config.recipients.sender.address == f"botalert@{os.uname().nodename}"
    assert config.others == ()


@pytest.mark.parametrize("log", ["", "[signals]\n", "[signals]\nlog:\n", "[signals]\nlog: ,\n"])
def test_the_recommended_set_is_what_nothing_else_is_written_for(written: Write, log: str) -> None:
    """Whichever part is left out."""
    assert written(NEW + log).signal_names == library().sets["@default"]


def test_nothing_is_assumed_beside_a_signal_of_ones_own(written: Write) -> None:
    """An empty log: names nothing, as in 0.5a; a missing one is told."""
    assert written(f"{NEW}[signals]\nlog:\n[web]\nDPT: 80\n").signal_names == ()
    assert faults(written, f"{NEW}[web]\nDPT: 80\n") == [
        "botalert.conf:1 [signals]: is missing. Write a section [signals] with log: @default, web"
    ]


def test_the_sets_are_what_they_are_called(written: Write) -> None:
    """All has what is recommended and more, no signal twice."""
    recommended, everything = library().sets["@default"], library().sets["@all"]
    assert set(recommended) < set(everything)
    assert everything[: len(recommended)] == recommended
    assert len(set(everything)) == len(everything)
    assert len(recommended) == 30
    assert len(everything) == 37
    assert set(everything) == set(library().source.values.sections()) - {"signals"}


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("smtp", ("smtp",)),
        ("syslog, smtp, web,", ("syslog", "smtp", "web")),
        ("smtp, @default, web", ("smtp", *library().sets["@default"][1:], "web")),
        (
            "@default, !submission",
            tuple(n for n in library().sets["@default"] if n != "submission"),
        ),
        ("! smtp, @all", SHIPPED[1:]),
        ("@all, !@default, web", (*SHIPPED[30:], "web")),
        ("smtp, web, !web", ("smtp",)),
    ],
)
def test_signals_are_named_singly_and_in_sets(
    written: Write, log: str, expected: tuple[str, ...]
) -> None:
    """And left out, wherever that stands."""
    config = written(f"{NEW}[signals]\nlog: {log}\n[web]\nDPT: 80\n")
    assert config.signal_names == expected


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("smpt", "log: 'smpt' is no signal's section. Did you mean smtp or snmp?"),
        ("@default, !spi", "log: 'spi' is no signal's section. Did you mean sip?"),
        ("@defualt", "log: '@defualt' is no set of signals. Write @default or @all."),
        ("!sip", "log: only leaves out. Write log: @default, !sip"),
        ("zzzzz", "log: 'zzzzz' is no signal's section. Write a section [zzzzz]."),
    ],
)
def test_what_names_no_signal_is_a_fault(written: Write, log: str, expected: str) -> None:
    """With what was perhaps meant."""
    assert faults(written, f"{NEW}[signals]\nlog: {log}\n") == [
        f"botalert.conf:6 [signals] {expected}"
    ]


def test_a_section_replaces_the_shipped_signal_whole(written: Write) -> None:
    """A [smtp] of 0.5a keeps its meaning, also within a set."""
    own = "[smtp]\nIN: eth0\nPROTO: TCP\nDPT: 25\n"
    for log in ("smtp", "@default"):
        signal = written(f"{NEW}[signals]\nlog: {log}\n{own}").signals[0]
        asked = {c.field: c.text for c in signal.conditions}
        assert asked == {"IN": "eth0", "PROTO": "TCP", "DPT": "25", "VERDICT": "drop, unknown"}
        assert signal.threshold == ONE_PACKET
        assert (signal.severity, signal.description, signal.reference) == ("medium", "", "")


def test_what_default_says_holds_in_shipped_signals(written: Write) -> None:
    """As in any other section."""
    text = NEW.replace("\n", "\nSRC: !192.168.50.0/24\nseverity: info\nretain: 30d\n", 1)
    signal = written(f"{text}[signals]\nlog: smtp\n").signals[0]
    assert "!192.168.50.0/24" in [c.text for c in signal.conditions]
    assert (signal.severity, signal.retain) == ("high", 30 * 86400)


def test_a_missing_lan_is_told_once(written: Write) -> None:
    """However many signals ask for it."""
    assert faults(written, NEW.replace("lan: eth1\n", "")) == [
        "botalert.conf:1 [DEFAULT] lan: is not given, and '@lan' stands for it. Write lan: eth1"
    ]


def test_a_shipped_signal_may_be_asked_for_by_name(tmp_path: Path) -> None:
    """Be it in log: or not; the others that log: does not name stay away."""
    path = tmp_path / "botalert.conf"
    path.write_text(f"{NEW}[signals]\nlog: web\n[web]\nDPT: 80\n")
    assert [each.name for each in load(str(path)).others] == []
    config = load(str(path), asked_for="syslog")
    assert [each.name for each in config.others] == ["syslog"]
    assert load(str(path), asked_for="nothing").others == ()


def test_the_shipped_files_are_read_only_where_they_are_needed(written: Write) -> None:
    """A configuration that does without them does not wait for them."""
    own = f"{NEW}[signals]\nlog: smtp, web\n[smtp]\nDPT: 25\n[web]\nDPT: 80\n"
    library.cache_clear()
    written(own)
    assert library.cache_info().currsize == 0
    written(own.replace("web\n[smtp]", "syslog\n[smtp]"))
    assert library.cache_info().currsize == 1


def test_the_shipped_files_have_no_faults() -> None:
    """Neither twice the same signal nor a line that is none."""
    assert library().source.faults == []
    headers = [
        line
        for path in Path(FOLDER).glob("*.conf")
        for line in path.read_text().splitlines()
        if line.startswith("[")
    ]
    assert len(headers) == len(set(headers)) == len(SHIPPED) + 1


# What each shipped signal is.


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Signal]:
    """All shipped signals of a LAN at eth1, by their names."""
    path = tmp_path_factory.mktemp("all") / "botalert.conf"
    path.write_text("[DEFAULT]\nlan: eth1\n[signals]\nlog: @all\n")
    return {signal.name: signal for signal in load(str(path)).signals}


@pytest.mark.parametrize("name", SHIPPED)
def test_each_signal_says_what_it_is(shipped: dict[str, Signal], name: str) -> None:
    """All its texts, two sentences what it means, and a document to read."""
    signal = shipped[name]
    own = library().source.own_keys(name)
    texts = "threshold severity description advice false_positives reference".split()
    assert own[-len(texts) :] == texts, "conditions first, then these"
    assert signal.severity in SEVERITIES
    assert len(re.findall(r"[.!?](?= [A-Z]|$)", signal.description)) == 2
    for text in (signal.description, signal.advice, signal.false_positives):
        assert text[0].isupper()
        assert text.endswith(".")
    assert re.fullmatch(r"https://[\w.-]+/\S+", signal.reference)
    assert any(c.field == "IN" and c.text == "@lan" for c in signal.conditions)


def let_through(window: int) -> int:
    """
    Tell how many lines of a flood UFW logs within *window* seconds.

    Its rules say "limit: avg 3/min burst 10"; Shorewall's default, 1 a
    second and a burst of 10, lets through more in any window.
    """
    return 10 + window * 3 // 60


def is_reachable(measure: Measure) -> bool:
    """Tell whether *measure* is met by half of what is logged of a flood in its window."""
    if measure.window is None:
        return True
    if measure.what == DAYS:
        return measure.number * 2 <= measure.window
    return measure.number * 2 <= let_through(measure.window)


def test_a_log_limit_is_what_the_issue_says() -> None:
    """25 lines in five minutes."""
    assert let_through(300) == 25
    assert not is_reachable(Measure(15, "DPT", "DST", 300))


@pytest.mark.parametrize("name", SHIPPED)
def test_each_threshold_is_met_although_the_log_is_limited(
    shipped: dict[str, Signal], name: str
) -> None:
    """With room to spare, or there is a slower alternative beside it."""
    threshold = shipped[name].threshold
    assert threshold != ONE_PACKET
    unreachable = [way for way in threshold if not all(map(is_reachable, way))]
    for way in unreachable:
        slower = [
            other
            for other in threshold
            if other not in unreachable
            and (other[0].what, other[0].per) == (way[0].what, way[0].per)
            and (other[0].window or 0) > (way[0].window or 0)
        ]
        assert slower, way
