"""
A :class:`Config` from what the files say, or every fault at once.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, tzinfo
from functools import cache, partial
from typing import NamedTuple, TypeVar

from botalert.config.conditions import (
    read_addresses,
    read_condition,
    read_ignored,
    read_interfaces,
    read_networks,
    split_list,
)
from botalert.config.library import EVERYTHING, RECOMMENDED, library
from botalert.config.mailserver import MailServer, read_mailserver
from botalert.config.options import (
    DEFAULT,
    DERIVED_FIELDS,
    FIELDS,
    HOSTS,
    LOG,
    LOG_SECTION_PREFIX,
    OPTIONS,
    RECIPIENTS,
    SIGNAL,
    SIGNALS,
    Option,
    default_of,
    is_condition_key,
    option_named,
    suggestion,
)
from botalert.config.reading import Fault, Place, Source, read_files
from botalert.config.recipients import read_mailboxes
from botalert.config.thresholds import read_duration, read_realert, read_threshold
from botalert.errors import ConfigurationError, reading_error
from botalert.grammar import AUTO, FORMS
from botalert.match import IDENTITIES, REFUSED, SEVERITIES, SRC, Condition, Signal, Test
from botalert.model import FirstRun, Mailbox, Recipients
from botalert.threshold import ONE_PACKET
from botalert.times import zone_named

T = TypeVar("T")

_FIELDS = (*FIELDS, *DERIVED_FIELDS)
# But for those that a value of several lines has.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# What may stand behind the @ of a mail address; the kernel allows any name.
_MACHINE = re.compile(r"[A-Za-z0-9.-]+")
_HOST_NAME = re.compile(r"\w[\w.-]*")
# Options that hold addresses or names, too.
_NOT_HOST_NAMES = ("lan", "lan_networks", "ignore")
_NOT_SIGNALS = (RECIPIENTS, SIGNALS, HOSTS)
_YES_OR_NO = {"yes": True, "no": False}
_TEMPLATE_NAME = re.compile(r"[\w-][\w.-]*")


class LogSettings(NamedTuple):
    """
    Some logs that are read in one way.

    Attributes:
        paths: As written: paths, globs, "journal" or "journal:PATH".
        history: Globs that say where their rotations are; else beside them.
        first_run: What the first run reads.
        form: How their lines are written: one of ``FORMS``.
        programs: Whose lines are believed.
        zone: Of stamps that carry none.
    """

    paths: tuple[str, ...]
    history: tuple[str, ...]
    first_run: FirstRun
    form: str
    programs: tuple[str, ...]
    zone: tzinfo


class Config(NamedTuple):
    """
    The whole configuration, checked.

    Attributes:
        files: Where it was read from, the main file first.
        places: Where each signal stands.
        logs: The logs to read: those of logfile:, then those of each
            [log NAME].
        unnamed: How a log is read that the configuration does not name.
        zone: In which times are shown and dates are read.
        pattern: The administrator's own line pattern, or None.
        statefile: What is remembered between runs.
        templates: The directory that is looked in before the shipped templates.
        leases: Files in which DHCP servers remember their leases.
        resolve: Whether the resolver is asked for names.
        mailserver: How mail goes out.
        mailuser: Whom to log in as; "" for nobody.
        mailpasswordfile: Where the password is.
        recipients: None where nobody is named.
        signals: The signals that ``log:`` names, in its order.
        others: The signals that it does not name; of the shipped ones, only
            one that was asked for.
        lan: The interfaces that ``@lan`` stands for.
        ignored: What ``ignore:`` in [DEFAULT] asks; of signals that are no more, too.
        shipped: Finds a shipped signal that was not asked for; None if there is none.
    """

    files: tuple[str, ...]
    places: dict[str, Place]
    logs: tuple[LogSettings, ...]
    unnamed: LogSettings
    zone: tzinfo
    pattern: "re.Pattern[str] | None"
    statefile: str
    templates: str
    leases: tuple[str, ...]
    resolve: bool
    mailserver: MailServer
    mailuser: str
    mailpasswordfile: str
    recipients: Recipients | None
    signals: tuple[Signal, ...]
    others: tuple[Signal, ...]
    lan: tuple[Test, ...]
    ignored: tuple[Condition, ...]
    shipped: Callable[[str], Signal | None]

    @property
    def signal_names(self) -> tuple[str, ...]:
        """The names in ``log:``, in its order."""
        return tuple(signal.name for signal in self.signals)

    def signal(self, name: str) -> Signal | None:
        """Find the signal *name*, be it named by ``log:`` or not."""
        return next((each for each in (*self.signals, *self.others) if each.name == name), None)

    def signal_once_named(self, name: str) -> Signal:
        """Tell what is known of the signal *name*, which may have left ``log:`` or be no more."""
        return self.signal(name) or self.shipped(name) or Signal(name, self.ignored)

    def recipients_of(self, signal: Signal) -> Recipients:
        """Tell who gets the mails of *signal*; somebody must be named."""
        assert self.recipients is not None
        return Recipients(self.recipients.sender, signal.to) if signal.to else self.recipients


def load(path: str, *, mails: bool = False, asked_for: str | None = None) -> Config:
    """
    Read and check the configuration at *path*.

    Args:
        path: The main file; those of *path*.d are read after it.
        mails: Whether mail is to be sent: then somebody must be named.
        asked_for: A signal that is needed, be it in ``log:`` or not.

    Raises:
        ConfigurationError: With every fault that was found.
    """
    try:
        source = read_files(path)
    except OSError as error:
        raise ConfigurationError([_unreadable(path, error)]) from error
    builder = _Builder(source, asked_for)
    config = builder.config(mails=mails)
    if builder.faults:
        raise ConfigurationError([str(fault) for fault in _in_order(source, builder.faults)])
    return config


def _unreadable(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return (
            f"{path}: no such file. Install the shipped botalert.conf there, or name yours: -c FILE"
        )
    return str(reading_error(path, error))


def _in_order(source: Source, faults: Iterable[Fault]) -> list[Fault]:
    files = {file: number for number, file in enumerate(source.files)}
    unique = dict.fromkeys(faults)
    # What the shipped signals make of a value that they take over comes last.
    return sorted(
        unique, key=lambda fault: (files.get(fault.place.file, len(files)), fault.place.line)
    )


class _Builder:
    """Collects the faults of one configuration while it is built."""

    def __init__(self, source: Source, asked_for: str | None) -> None:
        self._source = source
        self.faults: list[Fault] = list(source.faults)
        self._strip_controls()
        self._log_names = self._chosen_names()
        self._add_shipped([*self._log_names, *([asked_for] if asked_for else [])])
        self._pattern = self._read_pattern()
        self._groups = tuple(self._pattern.groupindex) if self._pattern else ()
        self._names = self._read_names()

    def config(self, *, mails: bool) -> Config:
        """Build the configuration; where there are faults, it is not to be used."""
        self._check_keys()
        signals = {name: self._signal(name) for name in self._signal_sections()}
        named = tuple(name for name in self._log_names if name in signals)
        return Config(
            files=tuple(self._source.files),
            places={name: self._source.headers[name] for name in signals},
            logs=self._logs(),
            unnamed=self._log(DEFAULT, ()),
            zone=self._log(DEFAULT, ()).zone,
            pattern=self._pattern,
            statefile=self._default("statefile"),
            templates=self._default("templates"),
            leases=split_list(self._default("leases")),
            resolve=self._read(DEFAULT, "resolve", _read_yes_or_no) or False,
            mailserver=self._read(DEFAULT, "mailserver", read_mailserver) or MailServer("smtp"),
            mailuser=self._default("mailuser"),
            mailpasswordfile=self._password_file(mails=mails),
            recipients=self._recipients(mails=mails),
            signals=tuple(signals[name] for name in named),
            others=tuple(signal for name, signal in signals.items() if name not in named),
            lan=self._names["lan"],
            ignored=self._ignored(DEFAULT),
            shipped=cache(self._shipped),
        )

    def fault(self, section: str, key: str, message: str) -> None:
        """Note a fault at the place of *key*."""
        place = self._source.place(section, key)
        self.faults.append(Fault(place, section, key, message))

    def _strip_controls(self) -> None:
        """Note each value with a control character, which no path, for one, can have."""
        for section, key in self._source.places:
            text = self._source.values.get(section, key)
            if _CONTROL.search(text):
                self.fault(section, key, f"{text!r} has a control character. Remove it.")
                # What else is wrong with it can be told, too.
                self._source.values.set(section, key, _CONTROL.sub("", text))

    def _text(self, section: str, key: str) -> str:
        values = self._source.values
        if section != DEFAULT and not values.has_section(section):
            return ""
        return values.get(section, key, fallback="").strip()

    def _default(self, key: str) -> str:
        return self._text(DEFAULT, key) or default_of(key)

    def _read(self, section: str, key: str, read: Callable[[str], T]) -> T | None:
        own = (section, key) in self._source.places
        try:
            return read(self._text(section, key) or default_of(key))
        except ValueError as error:
            # A value that [DEFAULT] gives is told once, where it stands.
            self.fault(section if own else DEFAULT, key, str(error))
            return None

    def _read_pattern(self) -> "re.Pattern[str] | None":
        text = self._default("regex")
        if not text:
            return None
        try:
            pattern = re.compile(text)
        except re.error as error:
            self.fault(DEFAULT, "regex", f"{text!r} is not a pattern: {error}. See Python's re.")
            return None
        if "SRC" not in pattern.groupindex:
            self.fault(DEFAULT, "regex", f"{text!r} has no group SRC. Write one: SRC=(?P<SRC>\\S+)")
        return pattern

    def _password_file(self, *, mails: bool) -> str:
        path = self._default("mailpasswordfile")
        user = self._default("mailuser")
        if bool(path) != bool(user):
            given, missing = (
                ("mailuser", "mailpasswordfile") if user else ("mailpasswordfile", "mailuser")
            )
            self.fault(DEFAULT, given, f"has no {missing} beside it. Give both or none.")
        elif mails and os.path.isdir(path):
            self.fault(DEFAULT, "mailpasswordfile", f"{path!r} is a directory. Name a file in it.")
        elif path and mails and not os.access(path, os.R_OK):
            self.fault(
                DEFAULT,
                "mailpasswordfile",
                f"{path!r} cannot be read. Make it, with mode 600, for the user who runs this.",
            )
        return path

    # Which keys may stand where.

    def _signal_sections(self) -> list[str]:
        sections = self._source.values.sections()
        return [
            name
            for name in sections
            if name not in _NOT_SIGNALS and not name.startswith(LOG_SECTION_PREFIX)
        ]

    # Logs.

    def _logs(self) -> tuple[LogSettings, ...]:
        sections = [
            name for name in self._source.values.sections() if name.startswith(LOG_SECTION_PREFIX)
        ]
        logs = []
        # Where a section names the logs, the default of logfile: is not meant.
        if (DEFAULT, "logfile") in self._source.places or not sections:
            logs.append(self._log(DEFAULT, split_list(self._default("logfile"))))
        for section in sections:
            paths = split_list(self._text(section, "path"))
            if not paths:
                self.fault(section, "path", "names no log. Write path: /var/log/ulog/syslogemu.log")
            logs.append(self._log(section, paths))
        return tuple(logs)

    def _log(self, section: str, paths: tuple[str, ...]) -> LogSettings:
        return LogSettings(
            paths=paths,
            history=split_list(self._text(section, "history")),
            first_run=self._read(section, "first_run", _read_first_run) or FirstRun.LIVE,
            form=self._read(section, "format", _read_form) or AUTO,
            programs=split_list(self._text(section, "programs")) or (default_of("programs"),),
            zone=self._read(section, "timezone", _read_zone) or UTC,
        )

    def _check_keys(self) -> None:
        for section, key in self._source.places:
            option = option_named(key, section)
            if self._is_condition(key):
                if not _takes_conditions(section):
                    self.fault(section, key, "is a condition. Move it into a signal's section.")
            elif section == HOSTS:
                self._check_host_name(key)
            elif option is None:
                self.fault(section, key, f"is not known here. {self._hint(section, key)}")
            elif not _may_stand(option, section):
                where = "a signal's section" if option.section == SIGNAL else f"[{option.section}]"
                # [default] or [DEFALT] is a signal's section, as any other name.
                hint = (
                    suggestion(section, [option.section])
                    or self._other_case(section, key)
                    or f"Move it into {where}."
                )
                self.fault(section, key, f"does not belong here. {hint}")

    @staticmethod
    def _other_case(section: str, key: str) -> str:
        """Say that *key*, a header of [recipients], was perhaps meant as a signal's option."""
        option = option_named(key.lower(), section)
        fits = option is not None and option.name != key and _may_stand(option, section)
        return f"Did you mean {key.lower()}?" if fits else ""

    def _check_host_name(self, name: str) -> None:
        if name.casefold() in _NOT_HOST_NAMES:
            self.fault(HOSTS, name, "is not a name to give. Move it into [DEFAULT].")
        elif not _HOST_NAME.fullmatch(name):
            self.fault(HOSTS, name, "is not a name. Write it in letters, digits, - and _.")

    def _is_condition(self, key: str) -> bool:
        return key in _FIELDS or (key in self._groups and option_named(key, SIGNAL) is None)

    def _hint(self, section: str, key: str) -> str:
        fitting = [option.name for option in OPTIONS if _may_stand(option, section)]
        known: list[str] = fitting
        if _takes_conditions(section):
            first, second = (_FIELDS, fitting) if is_condition_key(key) else (fitting, _FIELDS)
            known = [*self._groups, *first]
            return (
                suggestion(key, known)
                or suggestion(key, second)
                or f"What may stand here: {', '.join(known)}."
            )
        return suggestion(key, known) or f"What may stand here: {', '.join(known)}."

    # Names.

    def _read_names(self) -> dict[str, tuple[Test, ...]]:
        """Read what each name stands for; nothing, where it has a fault."""
        names: dict[str, tuple[Test, ...]] = {}
        for name in self._source.own_keys(HOSTS):
            if name.casefold() in names:
                self.fault(HOSTS, name, "is there twice, but for its case. Remove one.")
            if split_list(self._text(HOSTS, name)):
                names[name.casefold()] = self._read_host(name)
        names["lan"] = self._read(DEFAULT, "lan", read_interfaces) or ()
        names["lan_networks"] = self._read(DEFAULT, "lan_networks", read_networks) or ()
        return names

    def _read_host(self, name: str) -> tuple[Test, ...]:
        try:
            return read_addresses(self._text(HOSTS, name))
        except ValueError as error:
            self.fault(HOSTS, name, str(error))
            return ()

    def _named(self, name: str) -> tuple[Test, ...]:
        """Give what ``@name`` stands for."""
        key = name.casefold()
        if key not in self._names:
            known = (f"@{each}" for each in self._names)
            hint = suggestion(f"@{name}", known) or f"Write in [hosts] {name}: 192.168.1.5"
            raise ValueError(f"'@{name}' is not defined. {hint}")
        # Told once, however many signals ask for it.
        if key == "lan" and not split_list(self._default("lan")):
            self.fault(DEFAULT, "lan", "is not given, and '@lan' stands for it. Write lan: eth1")
        if key == "lan_networks" and not split_list(self._default("lan_networks")):
            self.fault(DEFAULT, key, f"names none, and '@{key}' stands for it. Remove the key")
        return self._names[key]

    # Signals.

    def _signal(self, name: str) -> Signal:
        conditions = []
        for key in self._source.values[name]:
            if not self._is_condition(key):
                continue
            condition = self._condition(name, key)
            if condition is not None:
                conditions.append(condition)
        conditions.extend(self._ignored(name))
        if self._pattern is None and not any(each.field == "VERDICT" for each in conditions):
            conditions.append(REFUSED)
        template = self._text(name, "template") or default_of("template")
        if not _TEMPLATE_NAME.fullmatch(template):
            self.fault(
                name, "template", f"{template!r} is not a template set's name. Write letters."
            )
        read_own = partial(read_threshold, groups=self._groups)
        return Signal(
            name,
            tuple(conditions),
            template,
            threshold=self._read(name, "threshold", read_own) or ONE_PACKET,
            retain=self._read(name, "retain", read_duration) or 0,
            realert=self._read(name, "realert", read_realert),
            severity=self._read(name, "severity", _read_severity) or "",
            description=self._prose(name, "description"),
            advice=self._prose(name, "advice"),
            false_positives=self._prose(name, "false_positives"),
            reference=self._prose(name, "reference"),
            to=self._read(name, "to", read_mailboxes) or (),
            source=self._read(name, "source", _read_source) or SRC,
        )

    def _prose(self, section: str, key: str) -> str:
        """Give a text whose line breaks mean nothing."""
        return " ".join(self._text(section, key).split())

    def _condition(self, section: str, key: str) -> Condition | None:
        # A value that [DEFAULT] gives is told once, where it stands.
        own = (section, key) in self._source.places
        try:
            return read_condition(
                key,
                self._text(section, key),
                free_text=self._pattern is not None,
                names=self._named,
            )
        except ValueError as error:
            self.fault(section if own else DEFAULT, key, str(error))
            return None

    def _ignored(self, section: str) -> tuple[Condition, ...]:
        return self._read(section, "ignore", partial(read_ignored, names=self._named)) or ()

    # Which signals.

    def _chosen_names(self) -> tuple[str, ...]:
        """Give the names in ``log:``, sets replaced by what is in them."""
        own = self._signal_sections()
        items = split_list(self._text(SIGNALS, "log"))
        if not items and not own:
            items = (RECOMMENDED,)
        elif SIGNALS not in self._source.headers:
            self.fault(
                SIGNALS,
                "",
                f"is missing. Write a section [signals] with log: {RECOMMENDED}, {own[0]}",
            )
        if "!" in items:
            self.fault(
                SIGNALS, "log", "'!' leaves out nothing. Write a signal's name behind it: !smtp"
            )
            items = tuple(item for item in items if item != "!")
        chosen: dict[str, None] = {}
        for item in items:
            if not item.startswith("!"):
                chosen.update(dict.fromkeys(self._members(item, own)))
        for item in items:
            if item.startswith("!"):
                for name in self._members(item[1:].strip(), own):
                    chosen.pop(name, None)
        if items and all(item.startswith("!") for item in items):
            self.fault(SIGNALS, "log", f"only leaves out. Write log: {RECOMMENDED}, {items[0]}")
        return tuple(chosen)

    def _members(self, item: str, own: Sequence[str]) -> tuple[str, ...]:
        """Give the signals that an *item* of ``log:`` stands for; none where it has a fault."""
        if item in own:
            return (item,)
        shipped = library()
        if item in shipped.names:
            return (item,)
        if item in shipped.sets:
            return shipped.sets[item]
        if item.startswith("@"):
            hint = f"Write {RECOMMENDED} or {EVERYTHING}."
            self.fault(SIGNALS, "log", f"{item!r} is no set of signals. {hint}")
        else:
            hint = suggestion(item, {*own, *shipped.names}) or f"Write a section [{item}]."
            self.fault(SIGNALS, "log", f"{item!r} is no signal's section. {hint}")
        return ()

    def _add_shipped(self, names: Iterable[str]) -> None:
        """Add those of *names* that are shipped signals, and that no section replaces."""
        for name in names:
            if not self._source.values.has_section(name) and name in library().names:
                self._source.adopt(library().source, name)

    def _shipped(self, name: str) -> Signal | None:
        """Give the shipped signal *name*, as if ``log:`` named it; of faults nobody is told."""
        if name not in library().names:
            return None
        self._add_shipped([name])
        return self._signal(name)

    # Mail.

    def _header(self, name: str) -> tuple[str, tuple[Mailbox, ...]]:
        values = self._source.values
        keys = values[RECIPIENTS] if values.has_section(RECIPIENTS) else ()
        key = next((each for each in keys if each.capitalize() == name), name)
        try:
            return key, read_mailboxes(self._text(RECIPIENTS, key))
        except ValueError as error:
            self.fault(RECIPIENTS, key, str(error))
            # Told already: not to be told as missing, too.
            return key, (Mailbox("", "somebody@example.org"),)

    def _recipients(self, *, mails: bool) -> Recipients | None:
        from_key, senders = self._header("From")
        to_key, to = self._header("To")
        cc, bcc = self._header("Cc")[1], self._header("Bcc")[1]
        if len(senders) > 1:
            self.fault(RECIPIENTS, from_key, "names more than one sender. Write one address.")
        if mails and not (to or cc or bcc):
            self.fault(RECIPIENTS, to_key, "names nobody. Write To: you@example.org")
        if not (to or cc or bcc):
            return None
        return Recipients(senders[0] if senders else _own_mailbox(), to, cc, bcc)


def _own_mailbox() -> Mailbox:
    name = os.uname().nodename
    return Mailbox("", f"botalert@{name if _MACHINE.fullmatch(name) else 'localhost'}")


def _takes_conditions(section: str) -> bool:
    return section not in _NOT_SIGNALS and not section.startswith(LOG_SECTION_PREFIX)


def _may_stand(option: Option, section: str) -> bool:
    if section in (RECIPIENTS, SIGNALS):
        return option.section == section
    if section == DEFAULT:
        return option.section == DEFAULT or (option.section in (SIGNAL, LOG) and option.inherited)
    return option.section == (LOG if section.startswith(LOG_SECTION_PREFIX) else SIGNAL)


def _read_first_run(text: str) -> FirstRun:
    try:
        return FirstRun(text.lower())
    except ValueError:
        known = ", ".join(each.value for each in FirstRun)
        raise ValueError(f"{text!r} is none of {known}. Write first_run: live") from None


def _read_severity(text: str) -> str:
    if text.lower() not in SEVERITIES:
        hint = suggestion(text, SEVERITIES) or "Write severity: high"
        raise ValueError(f"{text!r} is none of {', '.join(SEVERITIES)}. {hint}")
    return text.lower()


def _read_source(text: str) -> str:
    identity = " ".join(text.upper().split())
    if identity not in IDENTITIES:
        hint = suggestion(identity, IDENTITIES) or f"Write source: {SRC}"
        raise ValueError(f"{text!r} is none of {', '.join(IDENTITIES)}. {hint}")
    return identity


def _read_yes_or_no(text: str) -> bool:
    if text.lower() not in _YES_OR_NO:
        raise ValueError(f"{text!r} is none of {', '.join(_YES_OR_NO)}. Write resolve: yes")
    return _YES_OR_NO[text.lower()]


def _read_form(text: str) -> str:
    if text.lower() not in FORMS:
        raise ValueError(f"{text!r} is none of {', '.join(FORMS)}. Write format: {AUTO}")
    return text.lower()


def _read_zone(name: str) -> tzinfo:
    # Of a path that leads to something else, the C library makes UTC.
    machines = os.environ.get("TZ", "").lstrip(":")
    zone = zone_named(name or (machines if os.path.isfile(machines) else None))
    if zone is None:
        told = repr(name) if name else f"the environment's TZ, {os.environ.get('TZ')!r},"
        raise ValueError(f"{told} is not a time zone. Write one as Europe/Paris or UTC")
    return zone
