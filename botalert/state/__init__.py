"""
EDGE: SQLite; alone knows SQL.

file.py is what is remembered between runs, schema.py how it is laid out.
"""

from botalert.state.file import (
    State,
    exists,
    make_directory,
    opened,
    opened_for_reading,
)

__all__ = ["State", "exists", "make_directory", "opened", "opened_for_reading"]
