"""
EDGE: SQLite; alone knows SQL.

``file`` is what is remembered between runs, ``schema`` how it is laid out;
``ledger`` holds what one run or scan found, in a temporary file if it is much.
Nothing is imported here: a scan needs the ledger alone.
"""
