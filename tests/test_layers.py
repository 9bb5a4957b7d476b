"""The architecture: imports run one way, and the core knows no file, clock or socket."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "botalert"

# Each room may import those before it (and what stands beside it in its own
# folder); nothing imports what comes after.
ORDER = [
    "errors",
    "model",
    "printable",
    "times",
    "threshold",
    "grammar",
    "windows",
    "match",
    "tally",
    "hits",
    "course",
    "fold",
    "follow",
    "packing",
    "detect",
    "words",
    "scan",
    "render",
    "sample",
    "config",
    "shipped",
    "loader",
    "log",
    "directories",
    "lock",
    "workers",
    "state",
    "mail",
    "machines",
    "job",
    "cli",
    "__main__",
]
CORE = [
    "model",
    "printable",
    "times",
    "threshold",
    "grammar",
    "windows",
    "match",
    "tally",
    "hits",
    "course",
    "fold",
    "follow",
    "packing",
    "detect",
    "scan",
    "render",
    "sample",
]
# What opens files, asks clocks, knows sockets or prints.
EDGES = {"os", "io", "socket", "sqlite3", "subprocess", "pathlib", "smtplib", "time", "sys", "glob"}
# These touch no file and open no socket: commonprefix, and the form of an address.
ALLOWED = {("scan", "os.path")} | {
    (room, f"socket.{name}")
    for room in ("scan", "grammar", "match")
    for name in ("AF_INET", "inet_pton")
}


def modules() -> list[Path]:
    return sorted(
        path
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py" or path.parent != PACKAGE
    )


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "socket":
                found.update(f"socket.{alias.name}" for alias in node.names)
            else:
                found.add(node.module or "")
            if node.module in ("botalert", "botalert.config", "botalert.log"):
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    """Command line, the job, edges, core, vocabulary."""
    place = ORDER.index(room(path))
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "botalert" and len(parts) > 1 and parts[1] in ORDER:
            assert ORDER.index(parts[1]) <= place, f"{room(path)} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_core_touches_nothing(path):
    """Time, paths and connections are passed in."""
    if room(path) not in CORE:
        return
    for name in imports(path):
        assert name.split(".")[0] not in EDGES or (room(path), name) in ALLOWED, name
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"open", "print", "input"}
    assert ".now(" not in path.read_text()


def test_only_the_state_knows_sql():
    """And only it can break what is stored."""
    assert {room(path) for path in modules() if "sqlite3" in imports(path)} == {"state"}


def test_only_the_command_line_catches_every_kind_of_our_errors():
    """The job goes on behind a log that fails; elsewhere errors pass through."""
    catching = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and isinstance(node.type, ast.Name)
        and node.type.id in ("BotalertError", "Exception", "BaseException")
    }
    # history goes on behind a file that fails, twins leaves telling it to others;
    # a template is the administrator's program; smtp closes and raises again;
    # a part of a log that can't be read to its end says so when it is done; a pool
    # ends its workers and raises again.
    assert catching <= {
        "cli/__init__.py", "cli/machine.py", "job/faults.py", "log/history.py",
        "log/twins.py", "render.py", "mail/smtp.py", "workers/pool.py", "workers/tasks.py",
    }  # fmt: skip


def test_every_module_is_in_the_order():
    """A new room has to find its place."""
    assert {room(path) for path in modules()} == set(ORDER)
