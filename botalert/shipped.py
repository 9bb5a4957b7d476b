"""
EDGE: the files that come with botalert.
"""

import os

_PACKAGE = os.path.dirname(os.path.abspath(__file__))


def shipped(name: str) -> str:
    """
    Find a shipped file or folder: "templates" or "botalert.conf".

    An installed package has it inside; in a checkout it stands beside.
    """
    inside = os.path.join(_PACKAGE, name)
    return inside if os.path.exists(inside) else os.path.join(os.path.dirname(_PACKAGE), name)
