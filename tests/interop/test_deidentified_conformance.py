"""De-identified objects raise no error in a validator that the originals did not."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread
from tests.fixtures.planted_case import SECRET, Case

from osteotrace.deidentify import deidentify_tree

pytestmark = pytest.mark.interop


def errors(file: Path) -> set[str]:
    """Return the errors of dciodvfy, whose values are left out: they were mapped."""
    if shutil.which("dciodvfy") is None:
        pytest.fail("dciodvfy is missing: apt-get install dicom3tools")
    done = subprocess.run(
        ["dciodvfy", "-new", str(file)], capture_output=True, text=True, check=False
    )
    lines = (done.stdout + done.stderr).splitlines()
    return {re.sub(r"= <.*?>", "", one) for one in lines if one.startswith("Error")}


def by_kind(folder: Path) -> dict[str, set[str]]:
    """Return the errors of the objects of each modality below a folder."""
    found: dict[str, set[str]] = {}
    for file in sorted(folder.rglob("*.dcm")):
        modality = str(dcmread(file, stop_before_pixels=True).Modality)
        found.setdefault(modality, set()).update(errors(file))
    return found


def test_planted_objects_of_every_kind_gain_no_error(case: Case) -> None:
    before, after = by_kind(case.source), by_kind(case.out)
    assert set(after) == {"CT", "MR", "SR", "SEG"}
    assert {kind: sorted(after[kind] - before[kind]) for kind in after} == {
        kind: [] for kind in after
    }


@pytest.mark.slow
def test_a_sample_case_with_its_labels_gains_no_error(tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "sample_dicom" / "maxilla_before"
    done = deidentify_tree(sample, tmp_path / "out", SECRET)
    assert done.studies == 1
    before, after = by_kind(sample), by_kind(done.folder)
    assert {kind: sorted(after[kind] - before[kind]) for kind in after} == {
        kind: [] for kind in after
    }
