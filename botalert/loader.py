"""
EDGE: the mail templates, from the administrator's directory and the shipped one.
"""

from collections.abc import Callable
from pathlib import Path

import jinja2

from botalert.render import environment
from botalert.shipped import shipped


def template_environment(directory: str) -> jinja2.Environment:
    """Give the templates of *directory*, and the shipped ones for what it lacks."""
    return environment(_Templates([directory, shipped("templates")]))


class _Templates(jinja2.FileSystemLoader):
    """The library's loader, which does not say which file is not UTF-8."""

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        try:
            return super().get_source(environment, template)
        except UnicodeDecodeError as error:
            paths = (Path(each, template) for each in self.searchpath)
            path = next(path for path in paths if path.is_file())
            line = error.object[: error.start].count(b"\n") + 1
            raise jinja2.TemplateSyntaxError("not UTF-8", line, template, str(path)) from error
