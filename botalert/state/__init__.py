"""
EDGE: SQLite; alone knows SQL.

file.py is what is remembered between runs, schema.py how it is laid out;
ledger.py holds what one run or scan found, in a temporary file if it is much.
"""

from botalert.state.file import (
    State,
    exists,
    make_directory,
    opened,
    opened_for_reading,
)
from botalert.state.ledger import Ledger

__all__ = ["Ledger", "State", "exists", "make_directory", "opened", "opened_for_reading"]
