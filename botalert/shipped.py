"""
EDGE: the files that come with botalert, and the administrator's own before them.
"""

from pathlib import Path

import jinja2

import botalert
from botalert.render import environment


def shipped(name: str) -> Path:
    """
    Find a shipped file or folder: "templates" or "botalert.conf".

    An installed package has it inside; in a checkout it stands beside.
    """
    package = Path(botalert.__file__).parent
    inside = package / name
    return inside if inside.exists() else package.parent / name


def template_environment(directory: str) -> jinja2.Environment:
    """Give the templates of *directory*, and the shipped ones for what it lacks."""
    return environment(jinja2.FileSystemLoader([directory, shipped("templates")]))
