"""TotalSegmentator as a program: a stand-in that writes what the real one writes.

The stand-in knows its arguments as the real one's parser does and copies the header of
its input, its type made 8 bits, with the table of names as an extension: compared byte by
byte with files that the real one wrote.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from tests.fixtures.label_images import label_table

import osteotrace as ot
from osteotrace import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.phantoms.in_memory import as_volume, straight_grid
from osteotrace.segmentation import totalsegmentator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.volume import Volume

    Install = Callable[..., Path]

STAND_IN = """#!{python}
import argparse, gzip, json, os, pathlib, struct, sys
parser = argparse.ArgumentParser()
parser.add_argument("-i", dest="input", required=True)
parser.add_argument("-o", dest="output", required=True)
parser.add_argument("-ml", "--ml", action="store_true")
parser.add_argument("-f", "--fast", action="store_true")
parser.add_argument("-ta", "--task", choices=["total", "vertebrae_body",
    "vertebrae_pp_refined", "vertebrae_mr", "total_mr"], default="total")
parser.add_argument("-d", "--device", default="gpu")
args = parser.parse_args()
home = pathlib.Path(os.environ["TOTALSEG_HOME_DIR"])
report = dict(vars(args), config=json.loads((home / "config.json").read_text()),
              weights=os.environ["TOTALSEG_WEIGHTS_PATH"],
              mode=oct(os.stat(pathlib.Path(args.input).parent).st_mode & 0o777))
pathlib.Path({report!r}).write_text(json.dumps(report))
{body}
assert args.ml and args.input.endswith(".nii.gz") and args.output.endswith(".nii.gz")
content = gzip.decompress(open(args.input, "rb").read())
header = bytearray(content[:348])
size = header[70:74]
kind, bits = struct.unpack("<hh", size)
start = int(struct.unpack("<f", header[108:112])[0])
values = memoryview(content)[start:].cast({{4: "h", 16: "f", 8: "i"}}[kind])
labels = bytes(31 if v > 500 else 0 for v in values)
extension = {extension!r}
header[70:74] = struct.pack("<hh", 2, 8)
header[108:112] = struct.pack("<f", 352 + len(extension))
header[112:120] = struct.pack("<ff", 1.0, 0.0)
written = bytes(header) + b"\\1\\0\\0\\0" + extension + labels
with gzip.open(args.output, "wb") as file:
    file.write(written)
"""
NAMES = {30: "vertebrae_L2", 31: "vertebrae_L1"}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a stand-in and weights, and gives its report."""

    def installed(body: str = "", weights: tuple[int, ...] = (291, 292, 293, 294, 295)):  # type: ignore[no-untyped-def]
        report = tmp_path / "report.json"
        program = tmp_path / "bin" / "TotalSegmentator"
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            STAND_IN.format(
                python=sys.executable, report=str(report), body=body,
                extension=label_table(NAMES),
            )
        )  # fmt: skip
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        home = tmp_path / "home"
        for number in weights:
            (home / "nnunet" / "results" / f"Dataset{number}_x").mkdir(parents=True)
        monkeypatch.setenv("TOTALSEG_HOME_DIR", str(home))
        monkeypatch.delenv("TOTALSEG_WEIGHTS_PATH", raising=False)
        return report

    return installed


def scan(grid: Grid | None = None) -> Volume:
    grid = grid or straight_grid((12, 15, 24), (2.0, 0.75, 0.5), centre=(10, -20, 300))
    values = np.zeros(grid.shape)
    values[3:8, 5:12, 6:16] = 1000
    return as_volume(values, grid)


def test_the_labels_that_the_program_writes_come_back(install: Install) -> None:
    install()
    volume = scan()
    labels = totalsegmentator.run(volume)
    assert labels.names == ("vertebrae_L1",)
    assert labels.empty == ("vertebrae_L2",)
    mask = labels["L1"].mask
    assert (mask.on(volume.grid) == (volume.voxels > 500)).all()
    assert labels.frame_of_reference_uid == volume.frame_of_reference_uid
    assert mask.source_instances == tuple(v.source for v in volume.instances[3:8])
    assert labels["L1"].algorithm == "AUTOMATIC TotalSegmentator total"
    assert "task total, not checked by anybody" in labels.notes[0]


def test_the_program_gets_what_its_parser_takes(install: Install) -> None:
    report = install(weights=(297,))
    totalsegmentator.run(scan(), task="total_fast", device="cpu")
    said = json.loads(report.read_text())
    assert (said["task"], said["fast"], said["ml"], said["device"]) == (
        "total", True, True, "cpu",
    )  # fmt: skip


def test_nobody_else_reads_along_and_nothing_is_left(install: Install) -> None:
    report = install()
    totalsegmentator.run(scan())
    said = json.loads(report.read_text())
    assert said["mode"] == "0o700"
    assert not os.path.exists(said["input"])
    assert not os.path.exists(said["output"])


def test_usage_statistics_are_off_and_own_settings_kept(
    install: Install, tmp_path: Path
) -> None:
    report = install()
    own = tmp_path / "home" / "config.json"
    own.write_text(json.dumps({"send_usage_stats": True, "language": "de"}))
    totalsegmentator.run(scan())
    said = json.loads(report.read_text())
    assert said["config"]["send_usage_stats"] is False
    assert said["config"]["language"] == "de"
    assert json.loads(own.read_text())["send_usage_stats"] is True
    assert said["weights"] == str(tmp_path / "home" / "nnunet" / "results")


def test_a_tilted_stack_is_rectified_and_said(install: Install) -> None:
    install()
    straight = straight_grid((12, 15, 24), (2.0, 0.75, 0.5), centre=(10, -20, 300))
    lean = np.arange(12)[:, None] * [0, 0.7, 0]
    tilted = Grid(
        row_direction=straight.row_direction, column_direction=straight.column_direction,
        pixel_spacing=straight.pixel_spacing, origins=straight.origins + lean, rows=20,
        columns=24,
    )  # fmt: skip
    volume = scan(tilted)
    labels = totalsegmentator.run(volume)
    assert "resampled linearly from a stack that is tilted" in labels.notes[0]
    back = labels.resampled_onto(volume)["L1"].mask.on(tilted)
    assert (back ^ (volume.voxels > 500)).sum() < 0.25 * (volume.voxels > 500).sum()


def test_without_the_program_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(OsteotraceError, match="no TotalSegmentator") as refused:
        totalsegmentator.run(scan())
    assert 'pip install "osteotrace[segment]"' in refused.value.advice
    assert "totalseg_download_weights" in refused.value.advice
    with pytest.raises(OsteotraceError, match="no TotalSegmentator at"):
        totalsegmentator.run(scan(), program=tmp_path / "none")


def test_without_weights_nothing_is_started_or_downloaded(install: Install) -> None:
    report = install(weights=(291, 292))
    with pytest.raises(OsteotraceError, match="no weights 293, 294, 295") as refused:
        totalsegmentator.run(scan())
    assert refused.value.advice.startswith("totalseg_download_weights -t total")
    assert not report.exists()


def test_an_image_of_another_kind_is_refused(install: Install) -> None:
    install()
    volume = scan()
    mr = replace(volume, identity=msgspec.structs.replace(volume.identity, modality="MR"))
    with pytest.raises(OsteotraceError, match="a MR image for the task total") as refused:
        totalsegmentator.run(mr)
    assert refused.value.advice.endswith("total_mr, vertebrae_mr")
    with pytest.raises(OsteotraceError, match="one of total, total_fast"):
        totalsegmentator.run(volume, task="lungs")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit('CUDA out of memory')", "exit code 1: CUDA out of memory"),
        # Without a licence the real one says so and ends with 0.
        ("print('It requires a license.'); sys.exit(0)", "no labels .It requires a lic"),
        ("open(args.output, 'wb').write(b'nothing'); sys.exit(0)", "NIfTI"),
        ("import time; time.sleep(60)", "still at it after 1 s"),
        ("os.kill(os.getpid(), 9)", "exit code -9"),
    ],
)
def test_a_run_that_fails_is_one_clear_error(
    install: Install, body: str, reason: str
) -> None:
    install(body)
    with pytest.raises(OsteotraceError, match=reason):
        totalsegmentator.run(scan(), most_seconds=1.0 if "sleep" in body else 60.0)


def test_a_run_that_finds_nothing_is_one_clear_error(install: Install) -> None:
    install()
    volume = scan()
    empty = as_volume(np.zeros(volume.grid.shape), volume.grid)
    with pytest.raises(OsteotraceError, match="every voxel is 0"):
        totalsegmentator.run(empty)


def test_the_stand_in_writes_the_table_as_the_real_program_does(real_dicom: Path) -> None:
    folder = real_dicom / "spine_ct_j2k" / "spine_report" / "test_result"
    content = gzip.decompress((folder / "totalseg_vertebrae_body.nii.gz").read_bytes())
    names = {1: "vertebrae_body", 2: "intervertebral_discs"}
    colours = {1: (0.0, 1.0, 0.0), 2: (0.0, 0.0, 1.0)}
    ours = label_table(names, colours)
    assert content[348:352] == b"\1\0\0\0"
    assert content[352 : 352 + len(ours)] == ours
    assert np.frombuffer(content[108:112], "<f4")[0] == 352 + len(ours)


@pytest.mark.parametrize(
    ("task", "name", "weights", "level"),
    [("total", "totalseg.nii.gz", (291, 292, 293, 294, 295), "L1"),
     ("vertebrae_pp_refined", "totalseg_vertebrae_pp_refined.nii.gz", (803, 305),
      "L1 body")],
)  # fmt: skip
def test_real_output_is_read_as_if_just_drawn(
    real_dicom: Path, install: Install, task: str, name: str, weights: tuple[int, ...],
    level: str,
) -> None:  # fmt: skip
    folder = real_dicom / "spine_ct_j2k"
    drawn = folder / "spine_report" / "test_result" / name
    copy = f"import shutil; shutil.copyfile({str(drawn)!r}, args.output); sys.exit(0)"
    install(copy, weights)
    volume = ot.load(folder / "example_ct.nii.gz")
    labels = totalsegmentator.run(volume, task=task)
    assert level in labels
    inside = volume.rescaled()[labels[level].mask.on(volume.grid)]
    assert np.median(inside) > 100
