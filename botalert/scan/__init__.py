"""
The hot loop: blocks of a log in, batches of hits out.

One corridor for everything that looks for packets.  :mod:`~botalert.scan.sieve`
jumps to the lines that any signal may want, one pattern reads them
(:mod:`botalert.grammar.ordinary`), :mod:`~botalert.scan.masks` looks up which
signals they meet.  The plain meaning is :mod:`botalert.match`'s; a property
test holds all of it to that.
"""

from botalert.scan.scanner import LineCounts, Scanner

__all__ = ["LineCounts", "Scanner"]
