"""dciodvfy, of David Clunie's dicom3tools, finds no error in what the phantoms write."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from osteotrace.geometry import Grid
from osteotrace.phantoms.dicom_series import SeriesLabel
from osteotrace.phantoms.enhanced_ct import write_enhanced_ct

COMMITTED = Path(__file__).parents[2] / "sample_dicom"
FILES = sorted(COMMITTED.rglob("*.dcm"))


def _said(file: Path) -> tuple[int, list[str]]:
    """Return the exit code of dciodvfy and the lines that it wrote."""
    program = shutil.which("dciodvfy")
    assert program, "dciodvfy is missing: apt-get install dicom3tools"
    run = subprocess.run(
        [program, "-new", str(file)], capture_output=True, text=True, check=False
    )
    return run.returncode, (run.stdout + run.stderr).splitlines()


@pytest.mark.interop
def test_dciodvfy_finds_no_error_in_any_committed_sample() -> None:
    assert FILES
    complaints = {}
    for file in FILES:
        code, lines = _said(file)
        errors = [line for line in lines if line.startswith("Error")]
        # It names the information object that it checked against.
        expected = {"CT": "CTImage", "MR": "MRImage"}.get(
            file.parent.name, "Segmentation"
        )
        if errors or code or expected not in lines:
            complaints[file.name] = errors or lines
    assert complaints == {}


@pytest.mark.interop
@pytest.mark.parametrize("name", ["crmo_2_after", "mandible_month67"])
def test_dciodvfy_finds_no_error_in_true_masks(
    samples_with: Callable[[str], Path], name: str
) -> None:
    (file,) = (samples_with(name) / name / "MR-labels").iterdir()
    code, lines = _said(file)
    assert [line for line in lines if line.startswith("Error")] == []
    assert code == 0
    assert "Segmentation" in lines


def _grid(column_direction: tuple[float, ...], slices: int) -> Grid:
    """Return slices of 6 rows and 7 columns, 0.8 mm apart."""
    row = np.array([1.0, 0.0, 0.0])
    step = 0.8 * np.cross(row, column_direction)
    return Grid(
        row_direction=row,
        column_direction=np.array(column_direction),
        pixel_spacing=np.array([0.5, 0.6]),
        origins=np.array([(1.0, 2.0, 3.0) + k * step for k in range(slices)]),
        rows=6,
        columns=7,
    )


AXIAL, CORONAL = _grid((0.0, 1.0, 0.0), 5), _grid((0.0, 0.0, -1.0), 3)
VALUES = np.arange(5 * 6 * 7, dtype=np.float64).reshape(5, 6, 7)


@pytest.mark.interop
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"order": [3, 1, 0, 2, 4], "intercepts": [-1024, -1000, -90.5, -3, 0]},
        {"slopes": [1, 0.5, 0.25, 2, 1]},
        {"more": [(VALUES + 1, AXIAL), (VALUES + 2, AXIAL)]},
        {"more": [(VALUES[:3], CORONAL), (VALUES[:3], CORONAL)]},
    ],
    ids=["plain", "shuffled, own intercepts", "own slopes", "time points", "stacks"],
)
def test_dciodvfy_finds_nothing_in_an_enhanced_ct(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    label = SeriesLabel(study="enhanced", name="conformance")
    file = write_enhanced_ct(tmp_path / "ct.dcm", VALUES, AXIAL, label, **options)
    assert _said(file) == (0, ["EnhancedCTImage"])
