"""The check for system packages: silent where all is there, exact where it is not."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "system_packages"


class Machine:
    """A machine of made-up commands: what is installed, and who is asking."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        for tool in ("bash", "env", "dirname"):
            found = next(
                p for p in os.environ["PATH"].split(":") if Path(p, tool).exists()
            )
            (folder / tool).symlink_to(Path(found, tool))

    def command(self, name: str, body: str) -> None:
        path = self.folder / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >> {self.log}\n{body}\n')
        path.chmod(0o755)

    def check(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPT], env={"PATH": str(self.folder)}, capture_output=True, text=True
        )

    def calls(self, name: str) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.startswith(f"{name} ")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Debian machine where a plain user lacks xvfb and dcmtk."""
    machine = Machine(tmp_path)
    machine.command("id", "echo 1000")
    machine.command("apt-get", "exit 0")
    machine.command(
        "dpkg-query",
        'case "${@: -1}" in xvfb|dcmtk|*t64) exit 1;; *) echo -n installed;; esac',
    )
    return machine


def test_a_complete_machine_is_left_alone(machine: Machine) -> None:
    machine.command("dpkg-query", "echo -n installed")
    outcome = machine.check()
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")
    assert not machine.calls("apt-get")


def test_a_plain_user_is_told_the_exact_line_and_the_check_fails(
    machine: Machine,
) -> None:
    outcome = machine.check()
    assert outcome.returncode == 1
    assert outcome.stderr.splitlines()[-1].strip() == "sudo apt-get install xvfb dcmtk"
    assert not machine.calls("apt-get")


def test_root_installs_what_is_missing(machine: Machine) -> None:
    machine.command("id", "echo 0")
    assert machine.check().returncode == 0
    (call,) = machine.calls("apt-get")
    assert call.endswith("xvfb dcmtk")


def test_sudo_without_a_password_installs_what_is_missing(machine: Machine) -> None:
    machine.command("sudo", 'shift; [ "$1" = true ] || "$@"')
    assert machine.check().returncode == 0
    assert len(machine.calls("apt-get")) == 1


def test_stale_package_lists_are_refreshed_once_and_tried_again(machine: Machine) -> None:
    machine.command("id", "echo 0")
    machine.command(
        "apt-get",
        f'case "$*" in *update*) : > {machine.folder}/fresh;; '
        f"*) [ -e {machine.folder}/fresh ];; esac",
    )
    assert machine.check().returncode == 0
    assert ["update" in call for call in machine.calls("apt-get")] == [
        False,
        True,
        False,
    ]


def test_an_install_that_fails_says_which_line_to_run(machine: Machine) -> None:
    machine.command("id", "echo 0")
    machine.command("apt-get", "exit 100")
    outcome = machine.check()
    assert outcome.returncode == 1
    assert "apt-get install xvfb dcmtk" in outcome.stderr.splitlines()[-1]


def test_renamed_libraries_count_as_installed(machine: Machine) -> None:
    machine.command(
        "dpkg-query",
        'case "${@: -1}" in libglib2.0-0) exit 1;; *) echo -n installed;; esac',
    )
    assert machine.check().returncode == 0


def test_a_machine_without_apt_is_refused_and_told_what_is_needed(
    machine: Machine,
) -> None:
    (machine.folder / "apt-get").unlink()
    outcome = machine.check()
    assert outcome.returncode == 1
    assert "expected Debian or Ubuntu" in outcome.stderr
    assert "dicom3tools" in outcome.stderr
    # The window is read by mouse and keys alone: tests/window.
    assert "xdotool" in outcome.stderr
