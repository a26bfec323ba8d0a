"""dciodvfy, of David Clunie's dicom3tools, finds no error in the sample cases."""

import shutil
import subprocess
from pathlib import Path

import pytest

COMMITTED = Path(__file__).parents[2] / "sample_dicom"
FILES = sorted(COMMITTED.rglob("*.dcm"))


@pytest.mark.interop
def test_dciodvfy_finds_no_error_in_any_committed_sample() -> None:
    program = shutil.which("dciodvfy")
    assert program, "dciodvfy is missing: apt-get install dicom3tools"
    assert FILES
    complaints = {}
    for file in FILES:
        run = subprocess.run(
            [program, "-new", str(file)], capture_output=True, text=True, check=False
        )
        lines = (run.stdout + run.stderr).splitlines()
        errors = [line for line in lines if line.startswith("Error")]
        # It names the information object that it checked against.
        expected = "CTImage" if file.parent.name == "CT" else "MRImage"
        if errors or run.returncode or expected not in lines:
            complaints[file.name] = errors or lines
    assert complaints == {}
