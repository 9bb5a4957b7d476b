"""
What a command has done, from the logs to the mail; alone knows the order of the stages.

log ──► blocks ──► scan ──► tallies ──► detect ──► state ──► render ──► deliver

``logs`` knows which logs there are and how their lines are read, ``sharing``
how a scan is shared out between processes; ``scanning`` is a scan by hand,
``daily`` the daily job, ``sending`` its mail.  Each is imported by those that
need it: a scan by hand knows neither state nor mail.
"""
