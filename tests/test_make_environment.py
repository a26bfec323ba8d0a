"""`make setup` refuses a Python that cannot work, in one line, and makes nothing."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "make_environment"


def set_up(python: Path | str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, python, folder], capture_output=True, text=True)


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A Python that claims to be 3.10, and has no venv."""
    path = tmp_path / "python3"
    path.write_text(
        "#!/bin/bash\n"
        'case "$*" in --version) echo "Python 3.10.12";; *version_info*) exit 1;; esac\n'
    )
    path.chmod(0o755)
    return path


def test_a_missing_python_is_named(tmp_path: Path) -> None:
    outcome = set_up("python3.99", tmp_path / "venv")
    assert outcome.returncode == 1
    (line,) = outcome.stderr.splitlines()
    assert "found no python3.99; expected Python 3.11 or newer" in line
    assert not (tmp_path / "venv").exists()


def test_an_old_python_is_named_with_the_way_out(python: Path, tmp_path: Path) -> None:
    outcome = set_up(python, tmp_path / "venv")
    assert outcome.returncode == 1
    (line,) = outcome.stderr.splitlines()
    assert "found Python 3.10.12; expected Python 3.11 or newer" in line
    assert "make setup PYTHON=" in line
    assert not (tmp_path / "venv").exists()


def test_a_python_without_venv_is_told_the_package(python: Path, tmp_path: Path) -> None:
    python.write_text(
        "#!/bin/bash\n"
        'case "$*" in --version) echo "Python 3.12.3";; *ensurepip*) exit 1;; esac\n'
    )
    outcome = set_up(python, tmp_path / "venv")
    assert outcome.returncode == 1
    (line,) = outcome.stderr.splitlines()
    assert "apt-get install python3-venv" in line
    assert not (tmp_path / "venv").exists()
