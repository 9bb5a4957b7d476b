"""
EDGE: logs as streams of whole lines.

What a log is called, unpacking, cutting into blocks, and how far it has been
read.  Rotation is a matter of this folder alone: whatever files a log is
made of, blocks come out, and a cursor.
"""
