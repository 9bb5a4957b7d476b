"""
EDGE: SQLite; alone knows SQL.

``file`` is what is remembered between runs, ``schema`` how it is laid out.
"""
