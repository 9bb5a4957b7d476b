"""
botalert: mails once about each machine that a firewall keeps from misbehaving.

Data flows one way: a log is cut into blocks of whole lines (``log``), lines
that signals ask for become hits (``scan``, with ``grammar`` and ``match``),
hits fold into tallies (``tally``), tallies become detections (``detect``),
which are remembered (``state``), written as mails (``render``) and sent
(``mail``).  ``job`` alone knows that order; ``cli`` is what people type.
"""

__version__ = "1.0.0"
