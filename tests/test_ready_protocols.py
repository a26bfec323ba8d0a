"""The ready protocols give useful numbers on scans that they have never seen."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.fixtures.label_images import write_nifti

import osteotrace as ot
from osteotrace import protocol, reading
from osteotrace.phantoms.cached import sample_case
from osteotrace.phantoms.dicom_series import (
    SeriesLabel,
    write_ct_series,
    write_mr_series,
)
from osteotrace.phantoms.sample_protocols import protocol_toml

if TYPE_CHECKING:
    from osteotrace.findings import Assessment, Finding

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_dicom"
PAGE = ROOT / "docs" / "real_scans.md"
READY = ("cno_mri", "jaw", "palate", "spine_ct", "spine_mr")
EDEMA = {2: "L3 marrow edema", 4: "left femur marrow edema"}
HEIGHTS = ("height_anterior", "height_middle", "height_posterior")


def by_label(assessment: Assessment) -> dict[str, Finding]:
    return {finding.label: finding for finding in assessment.findings}


def value(finding: Finding, name: str) -> float:
    (found,) = [one for one in finding.measurements if one.name == name]
    assert isinstance(found, ot.Measurement), found
    return found.value


def test_they_are_there_and_name_nobody_s_frame_of_reference() -> None:
    assert set(READY) <= set(protocol.names())
    for name in READY:
        read = protocol.read(name)
        assert not any(one.frame_of_reference_uid for one in read.entries)
        assert read.description
        assert read.masks.sources


def test_a_marked_palate_reads_the_same_by_the_ready_protocol(tmp_path: Path) -> None:
    case = SAMPLES / "maxilla_after"
    first = reading.measure(case, "sample_maxilla")
    ot.save(first, tmp_path / "read.json")
    found = by_label(reading.measure(case, "palate", masks=tmp_path))
    assert set(found) == {"PAL-1", "SOFT-1 MR"}
    for one in first.findings:
        again = found.get(one.label) or found[f"{one.label} MR"]
        assert again.measurements == one.measurements


@pytest.mark.slow
def test_a_cavity_of_the_palate_has_a_rim_as_by_the_case_s_own_protocol() -> None:
    case = SAMPLES / "maxilla_before"
    found = by_label(reading.measure(case, "palate"))
    own = protocol.parse(protocol_toml("maxilla_before").encode(), Path("own.toml"))
    rims = [
        one for one in reading.measure(case, own).findings if one.kind == "sclerotic_rim"
    ]
    assert [one.measurements for one in rims] == [found["cavity rim"].measurements]


def _grid(shape: tuple[int, ...]) -> ot.Grid:
    slices, rows, columns = shape
    return ot.Grid(
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=np.array([0.0, 1.0, 0.0]),
        pixel_spacing=np.array([1.0, 1.1]),
        origins=np.array([[0.0, 0.0, 3.0 * k] for k in range(slices)]),
        rows=rows,
        columns=columns,
    )


@pytest.fixture(scope="module")
def edematous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fluid-sensitive MR, and a T1, with edema of three times the muscle."""
    folder = tmp_path_factory.mktemp("mr")
    signal = np.random.default_rng(1).normal(100, 4, (12, 48, 52))
    # The edema lies in the body: a file each.
    parts, edema = (np.zeros(signal.shape, np.uint8) for _ in range(2))
    boxes = {
        1: (slice(3, 9), slice(5, 25), slice(5, 25)),
        2: (slice(4, 8), slice(8, 20), slice(8, 20)),
        3: (slice(3, 9), slice(30, 44), slice(5, 25)),
        4: (slice(4, 8), slice(32, 42), slice(34, 44)),
    }
    for number, box in boxes.items():
        (edema if number in EDEMA else parts)[box] = number
    signal[edema > 0] += 200
    stir = SeriesLabel(study="edema", name="stir", description="STIR", inversion_ms=150.0)
    t1 = SeriesLabel(study="edema", name="t1", description="T1 TSE", number=2)
    grid = _grid(signal.shape)
    write_mr_series(folder / "stir", signal, grid, stir)
    # On another grid: the labels are those of the one series alone.
    write_mr_series(folder / "t1", signal[:8], _grid(signal[:8].shape), t1)
    bones = {1: "L3 vertebral body", 3: "muscle"}
    write_nifti(folder / "bones.nii.gz", parts, grid, bones)
    write_nifti(folder / "edema.nii.gz", edema, grid, EDEMA)
    return folder


def test_every_labelled_edema_is_read_on_the_fluid_sensitive_series(
    edematous: Path,
) -> None:
    read = reading.measure(edematous, "cno_mri")
    found = by_label(read)
    assert {label: (one.site, one.laterality) for label, one in found.items()} == {
        "L3 marrow edema": ("l3", ""),
        "left femur marrow edema": ("femur", "left"),
    }
    assert [one.description for one in read.series] == ["STIR"]
    for one in found.values():
        assert value(one, "signal_ratio_to_muscle") == pytest.approx(3, abs=0.15)
    whole = found["L3 marrow edema"]
    boxes = 12 * 12 * 4, 20 * 20 * 6
    assert value(whole, "edema_percent") == pytest.approx(
        100 * boxes[0] / boxes[1], abs=1
    )
    assert [one.system for one in read.stagings] == ["rai_cromris"]


def test_edema_of_a_spine_and_a_jaw_is_read_by_their_protocols(edematous: Path) -> None:
    cno = by_label(reading.measure(edematous, "cno_mri"))["L3 marrow edema"]
    spine = by_label(reading.measure(edematous, "spine_mr"))
    assert spine["L3 edema"].site == "l3"
    assert value(spine["L3 edema"], "edema_volume") == value(cno, "edema_volume")
    jaw = by_label(reading.measure(edematous, "jaw"))
    assert set(jaw) == {"L3 edema", "left femur edema"}


def _documented(prefix: str) -> dict[tuple[str, str], float]:
    """Return the heights in docs/real_scans.md, by level and quantity."""
    rows = re.findall(
        rf"^\| {prefix} (\w+) \| (\w+) \| ([\d.]+) \|", PAGE.read_text(), re.M
    )
    return {(level, name): float(text) for level, name, text in rows if name in HEIGHTS}


def _heights(assessment: Assessment) -> dict[tuple[str, str], float]:
    return {
        (finding.label, one.name): one.value
        for finding in assessment.findings
        for one in finding.measurements
        if isinstance(one, ot.Measurement) and one.name in HEIGHTS
    }


def test_a_real_lumbar_ct_with_labels_of_totalsegmentator(
    real_dicom: Path, tmp_path: Path
) -> None:
    source = real_dicom / "spine_ct_j2k"
    image = ot.load(source / "example_ct.nii.gz", unit="[hnsf'U]")
    label = SeriesLabel(study="lumbar", name="ct")
    write_ct_series(tmp_path / "ct" / "images", image.rescaled(), image.grid, label)
    for file in (source / "spine_report" / "test_result").iterdir():
        shutil.copy(file, tmp_path / "ct")
    read = reading.measure(tmp_path / "ct", "spine_ct")
    assert _heights(read) == pytest.approx(_documented("CT"), rel=1e-4)
    assert {one.system for one in read.stagings} == {"genant", "spinal_deformity_index"}


def test_a_real_neck_mr_with_vertebrae_and_parts_of_tptbox(
    real_dicom: Path, tmp_path: Path
) -> None:
    source = real_dicom / "spine_mr_masks"
    image = ot.load(source / "sub-mri_label-6_T2w.nii.gz")
    label = SeriesLabel(study="neck", name="mr", description="T2 sag")
    write_mr_series(tmp_path / "mr" / "images", image.rescaled(), image.grid, label)
    for file in source.glob("*_msk.nii.gz"):
        shutil.copy(file, tmp_path / "mr")
    found = _heights(reading.measure(tmp_path / "mr", "spine_mr"))
    assert found == pytest.approx(_documented("MR"), rel=1e-4)


def test_a_real_jaw_that_a_reader_has_searched(real_dicom: Path, tmp_path: Path) -> None:
    (study,) = ot.scan(real_dicom / "jaw_ct_cerr")
    frame = study.volumes[0].frame_of_reference_uid
    text = (
        'name = "first"\n[[moth_eaten]]\nlabel = "LEFT"\nmodality = "CT"\n'
        f'site = "mandible"\nframe_of_reference_uid = "{frame}"\n'
        "region = { centre = [275.0, -351.0, -146.0], radius = 9.0 }\n"
    )
    asked = protocol.parse(text.encode(), Path("first.toml"))
    first = reading.measure(real_dicom / "jaw_ct_cerr", asked)
    ot.save(first, tmp_path / "read.json")
    again = reading.measure(real_dicom / "jaw_ct_cerr", "jaw", masks=tmp_path)
    assert by_label(again)["LEFT"].measurements == first.findings[0].measurements


LEVELS = {level: level for level in ("T12", "L1", "L2", "L3", "L4", "L5")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "name", "labels"),
    [
        ("spine_2023-07", "spine_ct", LEVELS),
        ("spine_2023-07", "spine_mr", {"L1 edema": "L1 edema"}),
        (
            "mandible_month00",
            "jaw",
            {
                "hemimandible expansion": "EXPANSION CT",
                "hemimandible expansion MR": "EXPANSION",
                "left edema": "EDEMA",
            },
        ),
        ("mandible_month05", "jaw", {"hemimandible expansion MR": "EXPANSION"}),
        (
            "crmo_1_before",
            "cno_mri",
            {
                "left femur marrow edema": "EDEMA femur",
                "left tibia marrow edema": "EDEMA tibia",
            },
        ),
    ],
)
def test_a_sample_case_reads_as_by_its_own_protocol(
    case: str, name: str, labels: dict[str, str]
) -> None:
    folder = sample_case(case)
    own = protocol.parse(protocol_toml(case).encode(), Path("own.toml"))
    told = by_label(reading.measure(folder, own))
    found = by_label(reading.measure(folder, name))
    assert set(labels) <= set(found)
    for label, other in labels.items():
        assert found[label].measurements == told[other].measurements
