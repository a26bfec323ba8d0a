"""Series that hospitals send and readers get wrong: right, or the reason why not.

Every voxel's value names its own place (tests/fixtures/odd_series.py), so a volume that
loads is checked voxel by voxel.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import (
    SecondaryCaptureImageStorage,
)
from tests.fixtures.odd_series import (
    CORONAL,
    STRAIGHT,
    TAN_14,
    Stack,
    ball,
    check_places,
    grid_of,
    only_volume,
    place_values,
    put,
    rewrite,
    write_stack,
)
from tests.fixtures.synthetic import SERIES_UID

from osteotrace.errors import OsteotraceError
from osteotrace.series import scan
from osteotrace.volume import ARBITRARY, HOUNSFIELD, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom import Dataset


# Tilt --------------------------------------------------------------------------------

CENTRE, RADIUS = (3.0, -8.0, 12.0), 11.0
# A head of 2 mm slices, pixels of 0.9 × 0.8 mm, tilted about the row direction.
HEAD: dict[str, Any] = {
    **STRAIGHT,
    "heights": tuple(2.0 * n for n in range(24)),
    "spacing": (0.9, 0.8),
    "rows": 60,
    "columns": 50,
}


def head(sign: int) -> Stack:
    # The origin is chosen so that the ball is inside whichever way the stack leans.
    origin = (-17.0, -35.0 - sign * TAN_14 * 12.0, -11.0)
    return Stack(**HEAD, lean=(0.0, sign * TAN_14), origin=origin)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("tag", [None, 14.0, -14.0], ids=["no tag", "+14", "-14"])
def test_a_tilt_is_taken_from_positions_whatever_the_tag_says(
    tmp_path: Path, sign: int, tag: float | None
) -> None:
    stack = head(sign)
    edit = None if tag is None else put(GantryDetectorTilt=tag)
    bone = ball(stack, CENTRE, RADIUS)
    assert not bone[0].any()
    assert not bone[-1].any()
    assert bone.max() == 1000
    header = only_volume(scan(write_stack(tmp_path, stack, values=bone, edit=edit)))
    assert header.verdicts == ("tilted",)
    assert header.as_dict()["tilt_deg"] == pytest.approx(sign * 14.0, abs=0.01)
    volume = load(header)
    weights = volume.rescaled()
    index = np.moveaxis(np.indices(volume.grid.shape), 0, -1)
    places = volume.grid.to_patient(index)
    centroid = (places * weights[..., None]).sum(axis=(0, 1, 2)) / weights.sum()
    assert centroid == pytest.approx(np.array(CENTRE), abs=0.1)


@pytest.mark.parametrize("lean", [(TAN_14, 0.0), (-TAN_14, 0.0), (0.1, -TAN_14)])
def test_a_tilt_about_any_axis_keeps_every_voxel_in_its_place(
    tmp_path: Path, lean: tuple[float, float]
) -> None:
    stack = Stack(lean=lean)
    header = only_volume(scan(write_stack(tmp_path, stack)))
    assert header.verdicts == ("tilted",)
    assert grid_of(header).tilt_deg == pytest.approx(
        np.degrees(np.arctan(lean[1])), abs=0.01
    )
    check_places(load(header))


# Gaps --------------------------------------------------------------------------------


def test_uneven_gaps_keep_each_slice_in_its_place(tmp_path: Path) -> None:
    gaps = [4.0, 4.0, 7.0, 7.0, 1.1, 1.1, 1.1]
    stack = Stack(heights=(0.0, *np.cumsum(gaps)))
    header = only_volume(scan(write_stack(tmp_path, stack)))
    assert header.verdicts == ("uneven",)
    assert header.as_dict()["slice_gaps_mm"] == {"1.1": 3, "4.0": 2, "7.0": 2}
    assert grid_of(header).slice_gaps == pytest.approx(gaps, abs=1e-4)
    check_places(load(header))


def test_uneven_and_tilted_loads_too(tmp_path: Path) -> None:
    stack = Stack(heights=(0.0, 4.0, 11.0, 12.1), lean=(0.0, -TAN_14))
    header = only_volume(scan(write_stack(tmp_path, stack)))
    assert set(header.verdicts) == {"uneven", "tilted"}
    check_places(load(header))


@pytest.mark.parametrize("lean", [(0.0, 0.0), (0.0, TAN_14)], ids=["upright", "tilted"])
def test_missing_slices_are_refused_or_loaded_where_they_are(
    tmp_path: Path, lean: tuple[float, float]
) -> None:
    stack = Stack(heights=(0.0, 0.6, 1.2, 3.0, 3.6, 4.2), lean=lean)
    header = only_volume(scan(write_stack(tmp_path, stack)))
    assert "missing_slices" in header.verdicts
    assert ("tilted" in header.verdicts) == (lean[1] != 0)
    assert "uneven" not in header.verdicts
    with pytest.raises(OsteotraceError, match="missing_slices"):
        load(header)
    volume = load(header, allow_gaps=True)
    assert volume.voxels.shape[0] == 6
    assert volume.notes
    check_places(volume)


def test_of_two_slices_at_one_position_one_is_kept_when_asked(tmp_path: Path) -> None:
    stack = Stack(heights=(0.0, 0.6, 1.2, 1.2, 1.8))
    header = only_volume(scan(write_stack(tmp_path, stack)))
    assert header.verdicts == ("duplicate_positions",)
    with pytest.raises(OsteotraceError, match="duplicate_positions"):
        load(header)
    volume = load(header, allow_gaps=True)
    assert volume.voxels.shape[0] == 4
    assert volume.notes
    check_places(volume)


# What lies where ---------------------------------------------------------------------


def test_names_and_folders_of_files_mean_nothing(tmp_path: Path) -> None:
    stack = Stack(heights=tuple(0.6 * n for n in range(12)))
    files = sorted(write_stack(tmp_path / "sorted", stack).iterdir())
    shuffle = random.Random(5)
    for file in files:
        parts = [f"{shuffle.randrange(3):02}" for _ in range(shuffle.randrange(1, 7))]
        target = tmp_path.joinpath("tree", *parts, f"{shuffle.getrandbits(64):X}")
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    header = only_volume(scan(tmp_path / "tree"))
    assert header.verdicts == ("regular",)
    check_places(load(header))


def test_a_dicomdir_beside_its_images_is_left_out_as_one(tmp_path: Path) -> None:
    folder = write_stack(tmp_path / "series", Stack(), edit=put(StudyID="1"))
    media = FileSet()
    for file in folder.iterdir():
        media.add(file)
    media.write(tmp_path / "media")
    catalogue = scan(tmp_path / "media")
    (skipped,) = catalogue.skipped
    assert skipped.path.name == "DICOMDIR"
    assert "DICOMDIR" in skipped.reason
    assert not skipped.damaged
    check_places(load(only_volume(catalogue)))


# Whose and what ----------------------------------------------------------------------


def test_two_patients_under_one_series_uid_stay_apart(tmp_path: Path) -> None:
    for number in (1, 2):
        write_stack(
            tmp_path / "both",
            Stack(),
            offset=100.0 * number,
            group=number,
            patient_id=f"TEST-{number}",
        )
        for file in sorted((tmp_path / "both").glob("image*")):
            file.rename(file.with_name(f"{number}{file.name}"))
    catalogue = scan(tmp_path)
    series = {s.identity.patient_id: s for s in catalogue}
    assert len(catalogue) == 2
    for number in (1, 2):
        (header,) = series[f"TEST-{number}"].volumes
        assert header.verdicts == ("regular",)
        check_places(load(header), 100.0 * number)


@pytest.mark.parametrize("keyword", ["SOPClassUID", "FrameOfReferenceUID"])
def test_a_missing_identifier_does_not_keep_a_volume_from_loading(
    tmp_path: Path, keyword: str
) -> None:
    def strip(data: Dataset) -> None:
        delattr(data, keyword)
        if keyword == "SOPClassUID":
            del data.file_meta.MediaStorageSOPClassUID

    rewrite(write_stack(tmp_path, Stack()), strip)
    (series,) = scan(tmp_path)
    (header,) = series.volumes
    assert header.verdicts == ("regular",)
    volume = load(header)
    check_places(volume)
    if keyword == "FrameOfReferenceUID":
        assert volume.frame_of_reference_uid == ""
        assert any("FrameOfReference" in note for note in series.notes)


def test_mixed_bits_stored_keep_every_value(tmp_path: Path) -> None:
    stack = Stack(heights=(0.0, 0.6, 1.2, 1.8))
    values = place_values(stack)
    values[1] += 800.0 - values[1].max()
    folder = write_stack(tmp_path, stack, values=values, bits_stored=(12, 14, 12, 13))
    volume = load(only_volume(scan(folder)))
    stored = (values - np.floor(values.min())) / 0.1
    assert stored[0].max() < 4096 < stored[1].max()
    assert np.abs(volume.rescaled() - values).max() <= 0.051


@pytest.mark.parametrize(
    "elements",
    [
        {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CBCT"]},
        {"SeriesDescription": "CBCT mandible"},
        {"ManufacturerModelName": "CBCT 3000"},
    ],
    ids=["ImageType", "SeriesDescription", "ManufacturerModelName"],
)
def test_cone_beam_ct_says_so_and_is_not_in_hounsfield_units(
    tmp_path: Path, elements: dict[str, Any]
) -> None:
    folder = write_stack(tmp_path / "cone", Stack(), edit=put(**elements))
    header = only_volume(scan(folder))
    assert header.verdicts == ("regular",)
    (series,) = scan(folder)
    said = " ".join((header.kind, *header.notes, *series.notes)).lower()
    assert "cone beam" in said
    volume = load(header)
    assert volume.unit == ARBITRARY
    check_places(volume)
    plain = only_volume(scan(write_stack(tmp_path / "plain", Stack())))
    assert load(plain).unit == HOUNSFIELD
    assert "cone beam" not in " ".join((plain.kind, *plain.notes)).lower()


def _secondary_capture(data: Dataset) -> None:
    data.SOPClassUID = SecondaryCaptureImageStorage
    data.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(data, keyword)


def _radiograph(modality: str) -> Callable[[Dataset], None]:
    def change(data: Dataset) -> None:
        data.Modality = modality
        data.ImagerPixelSpacing = data.PixelSpacing
        for keyword in (
            "ImagePositionPatient",
            "ImageOrientationPatient",
            "PixelSpacing",
            "FrameOfReferenceUID",
        ):
            delattr(data, keyword)

    return change


def _localizer(data: Dataset) -> None:
    data.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (_localizer, "localizer"),
        (_secondary_capture, "no_spacing"),
        (_radiograph("CR"), "projection"),
        (_radiograph("DX"), "projection"),
        (_radiograph("PX"), "projection"),
    ],
    ids=["localizer", "secondary capture", "CR", "DX", "PX"],
)
def test_what_is_no_volume_is_listed_beside_one_and_refused(
    tmp_path: Path, change: Callable[[Dataset], None], verdict: str
) -> None:
    write_stack(tmp_path / "ct", Stack())
    other = Stack(heights=(0.0,), **CORONAL)
    rewrite(write_stack(tmp_path / "other", other, series_uid="2.25.71"), change)
    series = {s.identity.series_uid: s for s in scan(tmp_path)}
    (header,) = series["2.25.71"].volumes
    assert header.verdicts == (verdict,)
    with pytest.raises(OsteotraceError, match=verdict):
        load(header)
    (whole,) = series[SERIES_UID].volumes
    check_places(load(whole))
