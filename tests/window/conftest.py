"""A screen for the session, and a copy of a sample case for each test."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from tests.window.screen import Screen

import osteotrace as ot
from osteotrace.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.volume import Volume

# The name of what a test has to say at the end of a run.
_TOLD = "told"
SAMPLES = Path(__file__).resolve().parents[2] / "sample_dicom"


@pytest.fixture(scope="session")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    """Give a screen of its own to all readings."""
    with Screen(tmp_path_factory.mktemp("screen")) as made:
        yield made


@pytest.fixture
def studies() -> Iterator[Path]:
    """Give a folder for studies with a path that is short enough for a picture."""
    with TemporaryDirectory(prefix="studies-") as folder:
        yield Path(folder)


@pytest.fixture
def case(studies: Path) -> Callable[[str], Path]:
    """Copy a committed sample case: records go beside the folder that is opened."""

    def copy(name: str) -> Path:
        folder = studies / name
        shutil.copytree(SAMPLES / name, folder)
        return folder

    return copy


@pytest.fixture
def spine(studies: Path, samples_with: Callable[[str], Path]) -> Path:
    """Copy the sample spine: records go beside the folder that is opened."""
    shutil.copytree(samples_with("spine_2023-07"), studies, dirs_exist_ok=True)
    return studies


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say a line at the end of the run, also where all went well."""
    # A property goes with the report of a test, from whichever process it ran in.
    return partial(record_property, _TOLD)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was counted."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, line in report.user_properties:
                if name == _TOLD and report.when == "call":
                    terminalreporter.write_line(f"window: {line}")


def volume_of(folder: Path, modality: str = "CT") -> Volume:
    """Load what the reader knows of a case."""
    return ot.load(_header(ot.scan(folder), modality))


@contextmanager
def draft_of(study: Path, drafts: Path, modality: str = "CT") -> Iterator[Session]:
    """Take up what the window left on disk, as any other program may."""
    session = Session(drafts=drafts)
    try:
        session.load(_header(session.open(study), modality))
        yield session
    finally:
        session.close()


def _header(catalogue: Catalogue, modality: str) -> VolumeHeader:
    headers = [header for series in catalogue for header in series.volumes]
    return next(h for h in headers if h.identity.modality == modality)
