"""
The configuration: INI text into values that need no more checking.

``options`` is the one table of what may be written; ``reading`` knows
configparser and where each value stands; ``conditions`` the values of a
signal's conditions; ``mailserver`` and ``recipients`` theirs; ``building``
puts a :class:`Config` together and collects every fault; ``warnings``
is for `botalert check`.
"""

from botalert.config.building import Config, LogSettings, load

__all__ = ["Config", "LogSettings", "load"]
