"""
What tells a mail from all others.
"""

from collections.abc import Iterator
from itertools import count

from botalert.config import Config


def message_ids(config: Config, machine: str) -> Iterator[str]:
    """Give Message-IDs without end, none of which is given anywhere else."""
    import uuid  # A run that finds nothing needs none.

    assert config.recipients is not None
    domain = config.recipients.sender.address.rpartition("@")[2]
    host = domain if "@" in config.recipients.sender.address else machine
    end = f"botalert@{host.strip('[]')}"
    # One random beginning for all, and a number: a random one for each would
    # take a third as long as storing it does.
    beginning = str(uuid.uuid4())[:-12]
    return (f"<{beginning}{number:012x}.{end}>" for number in count(1))
