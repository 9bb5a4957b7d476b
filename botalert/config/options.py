"""
The one table of what may be written in botalert.conf.

The reader, `botalert check`, botalert.conf(5) and the test of the
documentation all come from here.
"""

from collections.abc import Iterable
from typing import NamedTuple

DEFAULT = "DEFAULT"
RECIPIENTS = "recipients"
SIGNALS = "signals"
HOSTS = "hosts"
SIGNAL = "a signal"
LOG = "log NAME"
LOG_SECTION_PREFIX = "log "


class Option(NamedTuple):
    """
    One option.

    Attributes:
        name: As written, in any case for those that are mail headers.
        kind: What its value is, in a word or two.
        default: What holds where it is not given; "" for nothing.
        meaning: For people; one or more sentences.
        section: Where it may stand: ``DEFAULT``, ``RECIPIENTS``,
            ``SIGNALS``, ``SIGNAL`` or ``LOG``.
        inherited: Whether what may stand in a ``SIGNAL`` or ``LOG`` may
            also stand in ``DEFAULT``, for all of them.
    """

    name: str
    kind: str
    default: str
    meaning: str
    section: str
    inherited: bool = True


OPTIONS = (
    Option(
        "logfile",
        "paths",
        "/var/log/messages",
        "The logs to read: one or more, commas between; globs are expanded. Each means the log "
        "with its rotations. journal is the systemd journal, journal:/path that of a directory "
        "or a file.",
        DEFAULT,
    ),
    Option(
        "path",
        "paths",
        "",
        "As logfile, for the logs of this section.",
        LOG,
        inherited=False,
    ),
    Option(
        "history",
        "globs",
        "",
        "Where the log's rotations are, such as /var/log/old/messages*; "
        "if not given, beside it, by their names.",
        LOG,
    ),
    Option(
        "first_run",
        "live, all or new",
        "live",
        "What the first run reads of a log: the live file (of the journal the last 24 hours), "
        "all that there is, or nothing, beginning at its end.",
        LOG,
    ),
    Option(
        "format",
        "auto, text, journal or ulogd",
        "auto",
        "How the log's lines are written: as text, as `journalctl -o json` writes them, or as "
        "ulogd's JSON output does. auto tells by what each line looks like.",
        LOG,
    ),
    Option(
        "programs",
        "names",
        "kernel",
        "The syslog programs whose lines are believed. "
        "* believes any: for a file that only the firewall's logger, such as ulogd, writes.",
        LOG,
    ),
    Option(
        "timezone",
        "zone",
        "",
        "The zone of stamps that carry none, such as Europe/Paris; if not given, the machine's.",
        LOG,
    ),
    Option(
        "regex",
        "pattern",
        "",
        "A Python pattern with named groups, searched in each line instead of reading the line "
        "as the kernel's. It needs a group SRC; programs and verdicts don't apply. It is slower.",
        DEFAULT,
    ),
    Option(
        "statefile",
        "path",
        "/var/lib/botalert/state.db",
        "What is remembered between runs: an SQLite file, made on first use.",
        DEFAULT,
    ),
    Option(
        "templates",
        "directory",
        "/etc/botalert/templates",
        "Where mail templates are looked for before the shipped ones.",
        DEFAULT,
    ),
    Option(
        "mailserver",
        "server",
        "localhost",
        "How mail goes out: host[:port], smtp://host[:port], smtp+starttls://host[:port], "
        "smtps://host[:port], sendmail:/path or maildir:/path.",
        DEFAULT,
    ),
    Option(
        "mailuser",
        "name",
        "",
        "The user to log in to the mail server as, where it wants a login.",
        DEFAULT,
    ),
    Option(
        "mailpasswordfile",
        "path",
        "",
        "A file whose first line is that user's password; nobody else should be able to read it.",
        DEFAULT,
    ),
    Option(
        "lan",
        "interfaces",
        "",
        "The firewall's interfaces to the LAN, which @lan stands for: eth1, br-lan; eth+ is "
        "every one that begins so.",
        DEFAULT,
    ),
    Option(
        "lan_networks",
        "networks",
        "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, fc00::/7, fe80::/10",
        "The networks of the LAN, which @lan_networks stands for.",
        DEFAULT,
    ),
    Option(
        "leases",
        "paths",
        "",
        "Files in which a DHCP server remembers its leases, commas between: dnsmasq's, ISC "
        "dhcpd's or Kea's. They give the names of machines for the mails.",
        DEFAULT,
    ),
    Option(
        "resolve",
        "yes or no",
        "no",
        "Whether to ask the resolver for the names of machines that nothing else names.",
        DEFAULT,
    ),
    Option(
        "From",
        "address",
        "",
        "Who the alerts come from; if not given, botalert at this machine's name.",
        RECIPIENTS,
    ),
    Option("To", "addresses", "", "Who gets the alerts; commas between.", RECIPIENTS),
    Option("Cc", "addresses", "", "Who gets a copy.", RECIPIENTS),
    Option("Bcc", "addresses", "", "Who gets a copy that nobody else sees.", RECIPIENTS),
    Option(
        "log",
        "signals",
        "",
        "The signals to look for, commas between: names of sections and of shipped signals. "
        "@default is the recommended set of those, @all is all of them, and what stands behind "
        "a ! is left out. Where neither this nor any signal is written, it is @default.",
        SIGNALS,
    ),
    Option(
        "template",
        "name",
        "alert",
        "The template set of the signal's mails: NAME.subject, NAME.txt and NAME.html.",
        SIGNAL,
    ),
    Option(
        "threshold",
        "thresholds",
        "1 packet",
        "How much of it makes an alert: 5 DST in 1h (distinct destinations), 10 packets in 2m, "
        "10 flows in 2m, 20 DST per DPT in 5m, 3 days in 14d. Any field may stand for DST and "
        "DPT. Several, one a line, are alternatives.",
        SIGNAL,
    ),
    Option(
        "retain",
        "time",
        "400d",
        "How long a source is remembered that has not met a threshold without a window.",
        SIGNAL,
    ),
    Option(
        "realert",
        "time or never",
        "never",
        "After how long without a packet a source that comes back alerts anew.",
        SIGNAL,
    ),
    Option(
        "severity",
        "info, low, medium, high or critical",
        "medium",
        "How bad it is; stands in the mail.",
        SIGNAL,
    ),
    Option(
        "ignore",
        "addresses",
        "",
        "Machines that are left out: addresses, networks, hardware addresses, and names from "
        "[hosts].",
        SIGNAL,
    ),
    Option(
        "to",
        "addresses",
        "",
        "Who gets the signal's mails instead of those in [recipients]; commas between.",
        SIGNAL,
        inherited=False,
    ),
    Option(
        "source",
        "SRC, SRC/64, MAC or HOST SRC",
        "SRC",
        "What a machine is known by: its address; of IPv6 the network of 64 bits that it is in; "
        "its hardware address, where the log has it; or its address together with the machine "
        "that logged the packet, for logs of several sites that use the same addresses.",
        SIGNAL,
    ),
    Option("description", "text", "", "What the signal means; stands in the mail.", SIGNAL),
    Option("advice", "text", "", "What to do about it; stands in the mail.", SIGNAL),
    Option(
        "false_positives",
        "text",
        "",
        "What meets the signal and is harmless, for who has to judge an alert.",
        SIGNAL,
    ),
    Option("reference", "URL", "", "A document to read about it.", SIGNAL),
)

FIELDS = (
    "IN OUT PHYSIN PHYSOUT MAC MACSRC MACDST MACPROTO VPROTO VID SRC DST LEN TOS PREC TC "
    "HOPLIMIT FLOWLBL TTL ID FRAG OPT PROTO SPT DPT SEQ ACK WINDOW RES URGP TYPE CODE MTU "
    "GATEWAY PARAMETER POINTER SPI TUNNEL UID GID MARK INCOMPLETE DESCR"
).split()
"""The log's own fields, any of which may be a condition."""

DERIVED_FIELDS = ("PREFIX", "HOST", "VERDICT", "FLAGS")
"""What botalert reads from a line beside its fields; may be conditions, too."""

_BY_NAME = {option.name: option for option in OPTIONS}


def default_of(name: str) -> str:
    """Give what option *name* is where it is not given."""
    return _BY_NAME[name].default


def option_named(name: str, section: str) -> Option | None:
    """Find an option; in [recipients], its headers are meant, in any case."""
    header = _BY_NAME.get(name.capitalize())
    is_header = header is not None and header.section == RECIPIENTS
    if is_header and (section == RECIPIENTS or name not in _BY_NAME):
        return header
    return _BY_NAME.get(name)


def is_condition_key(key: str) -> bool:
    """Tell whether *key* is written as a condition is: in upper case."""
    return key == key.upper() and key.upper() != key.lower()


def suggestion(word: str, known: Iterable[str]) -> str:
    """Say which of *known* was perhaps meant by *word*; "" if none is near."""
    import difflib

    by_folded = {name.casefold(): name for name in known}
    near = sorted(difflib.get_close_matches(word.casefold(), by_folded, n=2))
    return f"Did you mean {' or '.join(by_folded[name] for name in near)}?" if near else ""
