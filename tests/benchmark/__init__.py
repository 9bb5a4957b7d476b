"""
How fast botalert is, and how much memory it takes, beside other readers of logs.

``lines`` knows what lines look like, ``logs`` makes logs of them and knows what
is in them, ``contestants`` knows the programs and how each tells what it
counted, ``measure`` runs them, ``parts`` says what is compared with what,
``table`` prints.  docs/performance.md tells what the figures mean.

botalert is run by its command line, so that what people wait for is measured.
"""
