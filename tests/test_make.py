"""What the Makefile promises: installing keeps the administrator's work, the demo shows the job."""

import os
import subprocess
from pathlib import Path

import pytest
from checkout import ROOT, copy_of_source, run
from real import need

import botalert


def make(source: Path, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run make in *source* and insist on its exit status."""
    need("make")
    return run("make", *arguments, cwd=source, status=status)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a fresh copy of the source, where make may set up what it likes."""
    return copy_of_source(tmp_path_factory.mktemp("make") / "source")


@pytest.fixture(scope="module")
def root(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install under a directory of its own; give that."""
    directory = tmp_path_factory.mktemp("root")
    make(source, "install", f"DESTDIR={directory}")
    return directory


def test_everything_is_in_its_place(root: Path) -> None:
    """Program, configuration, cron script, templates to start from, and man pages."""
    modes = {
        "usr/local/sbin/botalert": 0o755,
        "etc/botalert.conf": 0o644,
        "etc/cron.daily/botalert": 0o755,
        "etc/botalert/templates": 0o755,
        "usr/local/share/botalert/templates/alert.txt": 0o644,
        "usr/local/share/botalert/signals/worms.conf": 0o644,
        "usr/local/share/man/man7/botalert-signals.7": 0o644,
        "usr/local/share/man/man8/botalert.8": 0o644,
        "usr/local/share/man/man5/botalert.conf.5": 0o644,
    }
    assert {path: (root / path).stat().st_mode & 0o777 for path in modes} == modes
    assert list((root / "etc/botalert/templates").iterdir()) == []
    assert (root / "etc/cron.daily/botalert").read_text() == (ROOT / "cron/botalert").read_text()


def test_installed_program_imports_nothing_of_its_caller(root: Path, tmp_path: Path) -> None:
    """Run as root in a directory that anyone can write to, it must not run what lies there."""
    for name in ("botalert", "jinja2", "socket"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the caller')\n")
    finished = subprocess.run(
        [root / "usr/local/sbin/botalert", "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout == f"botalert {botalert.__version__}\n"


def test_second_install_keeps_a_changed_configuration(source: Path, root: Path) -> None:
    """The shipped file is put beside it, told of, and gone again when it is the same."""
    conf, new = root / "etc/botalert.conf", root / "etc/botalert.conf.new"
    shipped = conf.read_text()
    left_over = root / "usr/local/lib/botalert/botalert/removed.py"
    left_over.write_text("")

    conf.write_text("[DEFAULT]\n# mine\n")
    told = make(source, "install", f"DESTDIR={root}").stdout
    assert conf.read_text() == "[DEFAULT]\n# mine\n"
    assert new.read_text() == shipped
    assert str(new) in told
    assert not left_over.exists()

    conf.write_text(shipped)
    assert str(new) not in make(source, "install", f"DESTDIR={root}").stdout
    assert not new.exists()


def test_uninstall_keeps_what_is_the_administrators(
    source: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The configuration stays; everything else that was installed is gone."""
    directory = tmp_path_factory.mktemp("uninstalled")
    make(source, "install", f"DESTDIR={directory}", "PREFIX=/opt/botalert")
    cron = (directory / "etc/cron.daily/botalert").read_text()
    assert "PATH=/opt/botalert/sbin:" in cron
    make(source, "uninstall", f"DESTDIR={directory}", "PREFIX=/opt/botalert")
    left = [path for path in directory.rglob("*") if path.is_file()]
    assert left == [directory / "etc/botalert.conf"]


def test_demo_sends_each_alert_once_and_leaves_nothing_behind(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is printed are five mails, and that a second run sends none."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    shown = make(source, "demo").stdout
    assert shown.count("Subject: [botalert] ") == 5
    assert "0 new detections" in shown
    assert "Nothing is new" in shown
    assert list(tmp_path.iterdir()) == []


def test_old_python_is_told_of(source: Path, tmp_path: Path) -> None:
    """Before anything is tried, make names the version, the need and the remedy."""
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    told = make(source, "--always-make", "demo", f"PYTHON={old}", status=2).stderr
    assert "Python 3.9.2" in told
    assert "3.11 or later" in told


def test_missing_venv_is_told_of(source: Path, tmp_path: Path) -> None:
    """Debian has venv in a package of its own; make names it."""
    bare = tmp_path / "python3"
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexit 0\n')
    bare.chmod(0o755)
    told = make(source, "--always-make", "demo", f"PYTHON={bare}", status=2).stderr
    assert "apt install python3-venv" in told


def test_help_is_what_make_does_by_itself(source: Path) -> None:
    """Nothing is installed by accident."""
    told = make(source).stdout
    for target in ("demo", "test", "install", "uninstall", "man", "clean"):
        assert f"make {target} " in told
