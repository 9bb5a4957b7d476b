"""
What each command does, a module for each.

A module has a function ``perform``, which takes the options and when this
began, and gives the exit status.  It is imported when its command is given:
what others need (a template engine, a database, mail) takes longer to import
than a small log takes to scan.  What commands share is in ``common``.
"""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module

Command = Callable[[argparse.Namespace, datetime], int]


def perform(options: argparse.Namespace) -> int:
    """
    Do what *options* say.

    Returns:
        The exit status.

    Raises:
        BotalertError: It cannot be done.
    """
    name = options.command.replace("-", "_")
    command: Command = import_module(f"{__name__}.{name}").perform
    return command(options, datetime.now(UTC))
