"""
`botalert test-mail`: a made-up alert goes out.
"""

import os
import socket
from datetime import datetime

from botalert.cli.commands.common import Options, read_config
from botalert.cli.standard_error import complain
from botalert.job.sending import CORRECT, rendered_sample
from botalert.loader import template_environment
from botalert.mail import opened_transport
from botalert.match import Signal


def perform(options: Options, now: datetime) -> int:
    """See :mod:`botalert.cli.commands`."""
    config = read_config(options, mails=True)
    signal = config.signals[0] if config.signals else Signal("sample", ())
    recipients = config.recipients_of(signal)
    message = rendered_sample(
        config, signal, template_environment(config.templates), socket.gethostname(), now
    )
    with opened_transport(config.mailserver, config.mailuser, config.mailpasswordfile) as transport:
        refused = transport.send(message, recipients.sender.address, recipients.addresses)
    for address, reason in refused.items():
        complain(f"{address}: was refused: {reason}. {CORRECT}.", quiet=options.quiet)
    taken = [each for each in recipients.addresses if each not in refused]
    print(f"a sample alert went to {', '.join(taken)} by {config.mailserver}")
    return os.EX_OK
