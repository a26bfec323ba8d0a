"""What goes wrong at a real desk, in the real window: it is said, and nothing is lost."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest
from tests.window.conftest import SAMPLES, draft_of, volume_of
from tests.window.program import Program
from tests.window.reader import Reader
from tests.window.readings import MAXILLA, gap_ends, truth

from osteotrace.session import RECORDS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.window.screen import Screen

pytestmark = [pytest.mark.plugin, pytest.mark.slow]

# A disk of this size holds a draft of a few findings, and is soon full.
DISK = "4m"


def on_a_disk(folder: Path, options: str) -> tuple[str, ...]:
    """Return what starts a program to which a folder is a disk of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = f'mount -t tmpfs -o {options} tmpfs "{folder}" && exec "$0" "$@"'
    return ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount)


@pytest.fixture(autouse=True)
def disks_can_be_made() -> None:
    """Fail early, and say why, where the system lets no one make a disk."""
    able = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False)
    if able.returncode:
        pytest.skip("no user namespaces here: a disk of the test's own needs them")


def seen_by(program: Program, path: Path) -> Path:
    """Return a path as the program sees it."""
    return Path(f"/proc/{program.process.pid}/root", str(path).lstrip("/"))


def fill(folder: Path) -> Path:
    """Fill a disk to the last byte; removing the file empties it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler


def caliper_accepted(reader: Reader) -> None:
    """Measure the gap and accept it."""
    start, end = gap_ends(truth(SAMPLES, MAXILLA))
    reader.look_for("axial")
    reader.show("sagittal")
    reader.go_to(start)
    reader.press("caliper")
    reader.drag(start, end)
    reader.program.screen.rest()
    reader.press("accept")
    reader.press("cancel")
    reader.wait_for_words("accepted")


def held(study: Path, drafts: Path) -> int:
    """Return how many findings the draft on disk holds."""
    with draft_of(study, drafts) as session:
        return len(session.held)


def test_a_full_disk_says_so_keeps_the_draft_and_saves_once_there_is_room(
    screen: Screen, case: Callable[[str], Path], tmp_path: Path
) -> None:
    study, home = case(MAXILLA), tmp_path / "home"
    records = study.parent / RECORDS_FOLDER
    disk = on_a_disk(records, f"size={DISK}")
    with Program(screen, study, home, before=disk) as program:
        reader = Reader(program, volume_of(study))
        caliper_accepted(reader)
        filler = fill(seen_by(program, records))
        reader.press("save")
        reader.wait_for_words("No space left")
        assert [path.name for path in seen_by(program, records).iterdir()] == ["filler"]
        filler.unlink()
        reader.press("save")
        saved = seen_by(program, records)
        program.wait("a record", lambda: any(saved.glob("*.dcm")))
    assert held(study, home / "state" / "osteotrace" / "drafts") == 1


def test_a_read_only_folder_says_so_and_keeps_the_draft(
    screen: Screen, case: Callable[[str], Path], tmp_path: Path
) -> None:
    study, home = case(MAXILLA), tmp_path / "home"
    disk = on_a_disk(study.parent / RECORDS_FOLDER, "ro")
    with Program(screen, study, home, before=disk) as program:
        reader = Reader(program, volume_of(study))
        caliper_accepted(reader)
        reader.press("save")
        reader.wait_for_words("Read-only file system")
    assert held(study, home / "state" / "osteotrace" / "drafts") == 1


def test_a_draft_on_a_full_disk_says_so_and_goes_on_once_there_is_room(
    screen: Screen, case: Callable[[str], Path], tmp_path: Path
) -> None:
    study, home = case(MAXILLA), tmp_path / "home"
    drafts = home / "state" / "osteotrace" / "drafts"
    disk = on_a_disk(home / "state", f"size={DISK}")
    start, end = gap_ends(truth(SAMPLES, MAXILLA))
    with Program(screen, study, home, before=disk) as program:
        reader = Reader(program, volume_of(study))
        caliper_accepted(reader)
        filler = fill(seen_by(program, home / "state"))
        reader.press("caliper")
        reader.drag(start, end)
        reader.wait_for_words("the disk is full")
        filler.unlink()
        reader.drag(start, end)
        reader.wait_for_words("CAL-2")
        copy = tmp_path / "copy"
        shutil.copytree(seen_by(program, drafts), copy)
    assert held(study, copy) == 2


def test_a_series_that_cannot_be_measured_is_shown_with_the_reason_in_place_of_mm(
    screen: Screen, case: Callable[[str], Path], tmp_path: Path
) -> None:
    study = case("maxilla_after")
    volume = volume_of(study)
    shutil.rmtree(study / "MR")
    for file in (study / "CT").iterdir():
        data = pydicom.dcmread(file)
        del data.PixelSpacing
        data.save_as(file)
    with Program(screen, study, tmp_path / "home") as program:
        reader = Reader(program, volume)
        program.double_click(reader.wait_for_words("CT maxilla bone"))
        reader.wait_for_words("no PixelSpacing")
        reader.look_for("axial")
        reader.press("caliper")
        reader.wait_for_words("cannot be measured")
