"""
`botalert check`: what is configured, in words, and what may not be meant.
"""

import os
from datetime import datetime

from botalert.cli.commands.common import Options, read_config
from botalert.cli.machine import machine_warnings
from botalert.printable import printable
from botalert.words import signal_words


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options, mails=True, shipped_will_do=True)
    print(f"{', '.join(config.files)}: no faults\n")
    for signal in config.signals:
        print(f"[{signal.name}] {signal_words(signal)}")
    if config.recipients is not None:
        print(f"\nalerts go to {', '.join(config.recipients.addresses)} by {config.mailserver}")
        for signal in config.signals:
            if signal.to:
                addresses = ", ".join(config.recipients_of(signal).addresses)
                print(f"those of [{signal.name}] go to {addresses}")
    warnings = [*machine_warnings(config, now)]
    if warnings:
        print()
    for warning in warnings:
        print(f"warning: {printable(warning)}")
    return os.EX_OK
