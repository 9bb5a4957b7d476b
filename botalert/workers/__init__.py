"""
EDGE: a scan, divided by source so that memory suffices, and between processors.

A *plan* says all that a scan needs to know, as a value that can be sent
elsewhere.  What it finds is a stream of hits in order.  Where memory or
processors ask for a division, the hits are put aside in *lanes*, by a hash of
their source, and each lane is folded by itself, in order; nothing that was
folded is ever merged with another's.  ``tasks`` are the two steps of that as
plain functions, ``pool`` has them done by processes, ``search`` knows who does
what when.
"""
