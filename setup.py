"""
What setuptools has to know; the settings of tools are in pyproject.toml.
"""

import re
from pathlib import Path
from typing import ClassVar

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


def version() -> str:
    """Read the version without importing the package, which needs its dependencies."""
    text = (HERE / "botalert" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit('botalert/__init__.py: no version. Write a line: __version__ = "1.2.3"')
    return found[1]


class BuildWithShippedFiles(build_py):
    """
    Puts templates/ and botalert.conf into the package as it is built.

    They stand at the top of the checkout, where people look for them; package
    data has to stand inside a package.  botalert/shipped.py finds them in
    either place, so an editable install needs no copy.
    """

    SHIPPED: ClassVar[tuple[str, ...]] = ("botalert.conf", "templates/*")

    def run(self) -> None:
        """Build the package, then add the shipped files."""
        super().run()
        if not self.editable_mode:
            for source, target in self._shipped():
                self.mkpath(str(target.parent))
                self.copy_file(str(source), str(target), preserve_mode=False)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Name every file that is built."""
        shipped = [] if self.editable_mode else [str(target) for _, target in self._shipped()]
        return [*super().get_outputs(include_bytecode), *shipped]

    def _shipped(self) -> list[tuple[Path, Path]]:
        built = Path(self.build_lib) / "botalert"
        sources = [path for pattern in self.SHIPPED for path in sorted(HERE.glob(pattern))]
        return [(source, built / source.relative_to(HERE)) for source in sources]


setup(
    name="botalert",
    version=version(),
    description="Mails once about each machine that a firewall keeps from misbehaving",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="GPL-2.0-or-later",
    classifiers=[
        "Environment :: Console",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: Security",
        "Topic :: System :: Logging",
        "Topic :: System :: Monitoring",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["botalert", "botalert.*"]),
    package_data={"botalert": ["py.typed", "signals/*.conf"]},
    python_requires=">=3.11",
    install_requires=["jinja2", "python-dateutil"],
    extras_require={
        "test": [
            "build",
            "hypothesis",
            "mypy",
            "pytest",
            "pytest-cov",
            "pytest-xdist",
            "ruff",
            "setuptools>=66",
            "types-python-dateutil",
        ]
    },
    entry_points={"console_scripts": ["botalert = botalert.__main__:main"]},
    cmdclass={"build_py": BuildWithShippedFiles},
)
