"""
A made-up alert, to try the way that alerts go.
"""

from datetime import datetime, timedelta

from botalert.detect import Alert, Detection
from botalert.match import Signal, source_named
from botalert.model import Hit, Identity
from botalert.tally import Tally

# Addresses for documentation (RFC 5737), which no machine has.
SOURCE = "192.0.2.10"
DESTINATIONS = ("198.51.100.25", "203.0.113.25", "203.0.113.26")
MAC = "00:00:5e:00:53:0a"  # RFC 7042, section 2.1.2
HOST = "fw"
IDENTITY = Identity("sample.example.org", "ICANN, IANA Department")


def sample_alert(signal: Signal, message_id: str, now: datetime) -> Alert:
    """Make an alert as *signal* would cause it."""
    source = source_named(signal.source, SOURCE, MAC, HOST)
    tally = Tally()
    for minute, destination in enumerate(DESTINATIONS):
        time = now - timedelta(minutes=len(DESTINATIONS) - minute)
        line = (
            f"{time.strftime('%b %e %H:%M:%S')} {HOST} kernel: "
            "THIS IS A SAMPLE, no machine did this: "
            f"IN=eth1 OUT=eth0 SRC={SOURCE} DST={destination} LEN=60 PROTO=TCP SPT=40000 DPT=25"
        )
        tally.add(Hit(signal.name, source, time, destination, "25", "eth1", MAC, 1, line))
    return Alert(Detection(signal.name, source, tally), message_id, None)
