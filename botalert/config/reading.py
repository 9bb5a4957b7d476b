"""
EDGE: INI files through configparser, with the place of every value.

configparser tells neither line numbers nor every fault at once, so each
file is read by a parser of its own, whose two hooks (the header pattern and
``optionxform``) note what stands where; the files are then united, later
keys winning.
"""

import configparser
import io
import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from botalert.config.options import DEFAULT
from botalert.errors import reading_error


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        """Write file:line, as compilers do."""
        return f"{self.file}:{self.line}"


class Fault(NamedTuple):
    """Something wrong in the configuration, and where."""

    place: Place
    section: str
    key: str
    message: str

    def __str__(self) -> str:
        """Write the fault as one line."""
        section = f" [{self.section}]" if self.section else ""
        key = f" {self.key}" if self.key else ""
        return f"{self.place}{section}{key}: {self.message}"


class Source:
    """
    All that the files say, as text.

    Args:
        main: The main file.

    Attributes:
        values: The united parser; what [DEFAULT] says holds in every section.
        files: The files read, the main one first.
        places: Where each key of each section stands.
        headers: Where each section begins.
        faults: What could not be read.
    """

    def __init__(self, main: str) -> None:
        self.values = _new_parser()
        self.files = [main]
        self.places: dict[tuple[str, str], Place] = {}
        self.headers: dict[str, Place] = {}
        self.faults: list[Fault] = []

    def place(self, section: str, key: str) -> Place:
        """Tell where *key* of *section* stands, be it inherited; else where the section does."""
        for where in ((section, key), (DEFAULT, key)):
            if where in self.places:
                return self.places[where]
        return self.headers.get(section, Place(self.files[0], 1))

    def adopt(self, other: "Source", section: str) -> None:
        """Take over a *section* of *other*, with its places."""
        self.values.add_section(section)
        self.headers[section] = other.headers[section]
        for key in other.own_keys(section):
            self.values.set(section, key, other.values.get(section, key))
            self.places[section, key] = other.places[section, key]

    def own_keys(self, section: str) -> list[str]:
        """Give the keys that stand in *section* itself."""
        return [key for name, key in self.places if name == section]


def _new_parser() -> configparser.RawConfigParser:
    # 0.5a ran on ConfigParser of Python 2: " ;" begins a comment within a
    # line.  A "%" is just that.
    parser = configparser.RawConfigParser(
        strict=False, inline_comment_prefixes=(";",), default_section=DEFAULT
    )
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    return parser


def read_files(path: str) -> Source:
    """
    Read the configuration file *path* and the files of *path*.d.

    Raises:
        OSError: *path* itself cannot be read.
    """
    source = Source(path)
    _read_one(source, path, _content(path))
    for extra in _extra_files(f"{path}.d"):
        source.files.append(extra)
        try:
            _read_one(source, extra, _content(extra))
        except OSError as error:
            message = str(reading_error(extra, error)).removeprefix(f"{extra}: ")
            source.faults.append(Fault(Place(extra, 1), "", "", message))
    return source


def read_folder(directory: str) -> Source:
    """
    Read the configuration files in *directory*, in the order of their names.

    Raises:
        OSError: One of them cannot be read.
    """
    source = Source(directory)
    for file in _extra_files(directory):
        _read_one(source, file, _content(file))
    return source


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _extra_files(directory: str) -> list[str]:
    """Give the files of *directory*, which is seldom there, in the order of their names."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return [os.path.join(directory, name) for name in sorted(names) if name.endswith(".conf")]


def _read_one(source: Source, file: str, content: bytes) -> None:
    notes = _Notes(source, file)
    # Only what ends a line for configparser, too: not a form feed or U+2028.
    lines = io.StringIO(_decoded(content), newline=None).read().split("\n")
    parser = _new_parser()
    parser.SECTCRE = notes  # type: ignore[assignment]
    parser.optionxform = notes.option  # type: ignore[method-assign,assignment]
    while True:
        try:
            parser.read_file(notes.numbered(lines), file)
        except configparser.MissingSectionHeaderError as error:
            notes.fault(error.lineno, "", "stands before any [section]. Move it into one.")
            lines[error.lineno - 1] = ""
        except configparser.ParsingError as error:
            for number, text in error.errors:
                shown = (text if text.startswith(("'", '"')) else repr(text)).replace("\\n", "")
                notes.fault(
                    number, "", f"{shown} is no 'key: value'. Write a colon behind the key."
                )
            break
        else:
            break
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    _unite(source, parser, notes.keys)


def _decoded(content: bytes) -> str:
    # 0.5a read bytes: its files may have comments in Latin-1.
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _unite(
    source: Source, parser: configparser.RawConfigParser, keys: Iterable[tuple[str, str]]
) -> None:
    """Put what one file says over what the files before it said."""
    for section in parser.sections():
        if not source.values.has_section(section):
            source.values.add_section(section)
    for section, key in keys:
        source.values.set(section, key, parser.get(section, key))


class _Notes:
    """Notes where sections and keys stand while configparser reads one file."""

    def __init__(self, source: Source, file: str) -> None:
        self._source = source
        self._file = file
        self._line = 0
        self._section = ""
        # In file order: `explain` tells the first condition that failed.
        self.keys: dict[tuple[str, str], None] = {}
        self._found: set[str] = set()

    def numbered(self, lines: list[str]) -> Iterator[str]:
        """Give *lines* to configparser and keep count."""
        self._section = ""
        self.keys.clear()
        self._found.clear()
        for self._line, line in enumerate(lines, start=1):
            yield line + "\n"

    def match(self, text: str) -> "re.Match[str] | None":
        """Stand in for configparser's pattern of a section's header."""
        header: re.Match[str] | None = configparser.RawConfigParser.SECTCRE.match(text)
        if header:
            self._section = header["header"]
            place = Place(self._file, self._line)
            if self._section in self._found:
                self.fault(self._line, "", "is there twice in this file. Unite the two.")
            self._found.add(self._section)
            self._source.headers.setdefault(self._section, place)
        return header

    def option(self, key: str) -> str:
        """Stand in for configparser's optionxform, which sees every key as it is read."""
        place = Place(self._file, self._line)
        if (self._section, key) in self.keys:
            first = self._source.places[self._section, key]
            self.fault(self._line, key, f"is there twice, first in line {first.line}. Remove one.")
        self.keys[self._section, key] = None
        self._source.places[self._section, key] = place
        return key

    def fault(self, line: int, key: str, message: str) -> None:
        """Note a fault of this file."""
        section = self._section
        self._source.faults.append(Fault(Place(self._file, line), section, key, message))
