"""The wheel and the sdist hold what they should, and work away from the source tree."""

import email.message
import email.parser
import json
import mailbox
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import ROOT, copy_of_source, run

import botalert

DEMO = ROOT / "tests" / "data" / "demo"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and from that the wheel, as a packager does."""
    directory = tmp_path_factory.mktemp("package")
    source = copy_of_source(directory / "source")
    distributions = directory / "dist"
    run(
        *(sys.executable, "-m", "build", "--no-isolation", "--outdir", distributions, source),
        cwd=directory,
    )
    return distributions


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """Give the wheel that was made from the sdist."""
    [path] = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> email.message.Message:
    """Read what the wheel says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.parser.BytesParser().parsebytes(archive.read(name))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Install the wheel into an empty environment; give the command."""
    directory = tmp_path_factory.mktemp("installed")
    python = directory / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", directory / "venv", cwd=directory)
    run(
        *(python, "-m", "pip", "install", "--disable-pip-version-check", wheel),
        cwd=directory,
    )
    yield directory / "venv" / "bin" / "botalert"


def test_wheel_holds_the_package_and_what_is_shipped_with_it(wheel: Path) -> None:
    """Every module, template, signal and the default configuration are inside; nothing else is."""
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "botalert").rglob("*.py")}
    templates = {f"botalert/templates/{path.name}" for path in (ROOT / "templates").iterdir()}
    signals = {str(path.relative_to(ROOT)) for path in (ROOT / "botalert/signals").iterdir()}
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
        default = archive.read("botalert/botalert.conf")
    others = {"botalert/botalert.conf", "botalert/py.typed"}
    assert inside == modules | templates | signals | others
    assert default == (ROOT / "botalert.conf").read_bytes()


def test_sdist_holds_what_is_needed_to_install_and_to_test(built: Path) -> None:
    """Makefile, cron script, documents and tests come with the source."""
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    for wanted in (
        *("Makefile", "README.md", "LICENSE", "setup.py", "botalert.conf", "cron/botalert"),
        *("templates/alert.txt", "docs/botalert.8.in", "tests/test_package.py"),
        *("tests/data/demo/firewall.log", "botalert/py.typed", "botalert/signals/worms.conf"),
    ):
        assert wanted in inside


def test_metadata_asks_for_two_packages_and_python_3_11(metadata: email.message.Message) -> None:
    """jinja2 and dateutil, and no others, are needed at run time."""
    required = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert sorted(required) == ["jinja2", "python-dateutil"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Version"] == botalert.__version__
    assert metadata["License"] == "GPL-2.0-or-later"


def test_installed_command_tells_its_version(installed: Path, tmp_path: Path) -> None:
    """The command works from any directory."""
    finished = run(installed, "--version", cwd=tmp_path)
    assert finished.stdout == f"botalert {botalert.__version__}\n"


def test_installed_command_scans_a_log(installed: Path, tmp_path: Path) -> None:
    """The packets are counted as the kernel counted them."""
    log = DEMO / "firewall.log"
    finished = run(
        *(installed, "-c", DEMO / "botalert.conf", "scan", "--format", "json", log), cwd=tmp_path
    )
    found = json.loads(finished.stdout)
    assert found["bytes"] == log.stat().st_size
    assert [(each["signal"], each["source"], each["packets"]) for each in found["detections"]] == [
        ("smtp", "192.168.1.10", 157),
        ("smtp", "2001:db8:1::10", 66),
        ("smtp", "192.168.1.13", 30),
        ("telnet", "192.168.1.11", 61),
        ("irc", "192.168.2.21", 40),
    ]


def test_installed_command_knows_the_shipped_signals(installed: Path, tmp_path: Path) -> None:
    """They are found inside the package."""
    config = tmp_path / "botalert.conf"
    config.write_text("[DEFAULT]\nlan: br-lan\n")
    log = DEMO / "firewall.log"
    finished = run(installed, "-c", config, "scan", "--format", "json", log, cwd=tmp_path)
    found = json.loads(finished.stdout)["detections"]
    assert {"smb", "irc"} <= {each["signal"] for each in found}


def test_installed_package_finds_its_default_configuration(installed: Path, tmp_path: Path) -> None:
    """The shipped botalert.conf is looked for inside the package first."""
    code = "from botalert.shipped import shipped; print(shipped('botalert.conf'))"
    finished = run(installed.with_name("python"), "-c", code, cwd=tmp_path)
    path = Path(finished.stdout.strip())
    assert path.read_bytes() == (ROOT / "botalert.conf").read_bytes()
    assert path.is_relative_to(installed.parent.parent)


def test_installed_command_does_the_daily_job(installed: Path, tmp_path: Path) -> None:
    """One mail for each detection, by the templates inside the package; the second run is quiet."""
    for name in ("botalert.conf", "firewall.log"):
        (tmp_path / name).write_bytes((DEMO / name).read_bytes())
    for _ in range(2):
        finished = run(installed, "-c", "botalert.conf", "run", cwd=tmp_path)
        assert (finished.stdout, finished.stderr) == ("", "")
        received = [mail["Subject"] for mail in mailbox.Maildir(tmp_path / "Maildir")]
        assert len(received) == 5
    assert any("192.168.1.13" in subject for subject in received)
