"""What measuring leaves behind tells nobody's name: tables, pictures, logs and pages."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.fixtures.planted_case import SECRET
from tests.fixtures.planted_study import write_renamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fixtures.command_line import Outcome
    from tests.fixtures.planted_case import Case
    from tests.fixtures.planted_study import Planted

# What a row is traced and compared by: the UIDs and dates of the study, and how a series
# was made in the words of its header. Nothing else of a header may stand in a table.
PROVENANCE = frozenset(
    {"UIDs of the study", "dates of the study", "SeriesDescription", "ConvolutionKernel"}
    | {"Manufacturer", "ManufacturerModelName", "dates of a record"}
)


@dataclass(frozen=True)
class Run:
    """A tree of a planted study and of its de-identified self, measured by a process."""

    planted: Planted
    out: Path
    cache: Path
    printed: bytes

    def files(self) -> Iterator[Path]:
        """Yield what was written, but DICOM records: they belong to the study."""
        every = (file for file in sorted(self.out.rglob("*")) if file.is_file())
        yield from (file for file in every if file.suffix != ".dcm")


@pytest.fixture(scope="module")
def measured(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("swept")
    tree, out, cache = folder / "tree", folder / "out", folder / "cache"
    shutil.copytree(case.source / "study", tree / "study")
    shutil.copytree(case.study, tree / "without")
    damaged = tree / case.planted.text("folder of a damaged file") / "cut.dcm"
    damaged.parent.mkdir()
    damaged.write_bytes(next(tree.rglob("ct/*.dcm")).read_bytes()[:3000])
    arguments = ["measure", tree, "--out", out, "--protocol", case.protocol]
    done = subprocess.run(
        [sys.executable, "-m", "osteotrace.cli", *map(str, arguments)],
        capture_output=True,
        check=False,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
    )
    # The protocol names the planted frames of reference: the other study is refused.
    assert done.returncode == 1, done.stderr.decode()
    return Run(case.planted, out, cache, done.stdout + done.stderr)


def test_the_run_wrote_all_that_is_looked_through(measured: Run) -> None:
    names = {file.name for file in measured.files()}
    assert {"measurements.csv", "measurements.parquet", "run.jsonl", "run.json"} <= names
    assert {file.suffix for file in measured.files()} >= {".html", ".jpg", ".json"}
    table = (measured.out / "measurements.csv").read_text()
    assert "PAL-1" in table
    assert "frame of reference" in table


def test_nothing_printed_tells_an_identity(measured: Run) -> None:
    # A study that failed is named by its UID and a pseudonym.
    assert set(measured.planted.left_in(measured.printed)) <= {"UIDs of the study"}
    assert b"P-" in measured.printed


def test_no_file_tells_an_identity(measured: Run) -> None:
    left = {
        (place, file.name)
        for file in measured.files()
        for place in measured.planted.left_in(_plain(file) + str(file.name).encode())
        if place not in PROVENANCE
    }
    assert left == set()


def test_what_is_measured_of_a_deidentified_study_tells_nothing_at_all(
    case: Case, tmp_path: Path, osteotrace: Callable[..., Outcome]
) -> None:
    protocol = write_renamed(case.protocol, tmp_path / "new.toml", SECRET.uid)
    out = tmp_path / "out"
    done = osteotrace("measure", case.study, "--out", out, "--protocol", protocol)
    assert done.code == 0
    assert any(out.rglob("*.png"))
    left = {
        (place, file.name)
        for file in out.rglob("*")
        if file.is_file()
        # DICOM records too: the study that they belong to is nobody's.
        for place in case.planted.left_in(_plain(file) + str(file.name).encode())
    }
    assert left == set()
    assert case.planted.left_in((done.out + done.err).encode()) == []


def test_the_index_of_headers_is_for_its_owner_alone(measured: Run) -> None:
    kept = [file for file in measured.cache.rglob("*") if file.name.startswith("catal")]
    assert kept
    for file in kept:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def _plain(file: Path) -> bytes:
    """Return what a file holds, a Parquet table and a picture's words unpacked."""
    content = file.read_bytes()
    if file.suffix == ".parquet":
        from pyarrow import parquet

        table = parquet.read_table(file)
        content += str(table.to_pylist()).encode() + str(table.schema.metadata).encode()
    if file.suffix in (".png", ".jpg"):
        from PIL import Image

        with Image.open(file) as picture:
            content += str(picture.info).encode()
    return content
