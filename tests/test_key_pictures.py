"""A lesion's pictures: one plane and one field at every date, its mark where it lies."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from PIL import Image
from tests.fixtures import comparisons

from osteotrace.alignment import RigidTransform
from osteotrace.comparison import Comparison, Lesion, Seen, StudyPair
from osteotrace.geometry import as_stored
from osteotrace.phantoms.in_memory import as_volume, straight_grid
from osteotrace.regions import Mask, Points, Polyline
from osteotrace.reports.comparison import key_pictures, picture_planes
from osteotrace.reports.comparison.frames import way
from osteotrace.reports.comparison.picture_drawing import window_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osteotrace.findings import Finding
    from osteotrace.geometry import Array
    from osteotrace.regions import Region
    from osteotrace.reports.comparison import KeyPicture
    from osteotrace.volume import Volume

# A bright ball in air, in a patient who is turned and shifted before the second study.
CENTRE = np.array([4.0, -12.0, 30.0])
RADIUS = 8.0
TURN = np.radians(25.0)
ROTATION = np.array(
    [[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1]]
)
SHIFT = np.array([9.0, 5.0, -6.0])
FRAMES = ("2.25.200", "2.25.201")
MOVED = RigidTransform.of(
    ROTATION, SHIFT, from_frame_uid=FRAMES[0], to_frame_uid=FRAMES[1]
)


def ball(frame: str, centre: Array, spacing: Sequence[float]) -> Volume:
    """Return a CT with a bright ball."""
    grid = straight_grid((70.0, 70.0, 60.0), spacing, centre=tuple(CENTRE + 3.0))
    points = grid.to_patient(np.moveaxis(np.indices(grid.shape), 0, -1))
    inside = np.linalg.norm(points - centre, axis=-1) <= RADIUS
    return replace(
        as_volume(np.where(inside, 1500.0, -700.0), grid), frame_of_reference_uid=frame
    )


@pytest.fixture(scope="module")
def volumes() -> Mapping[int, Sequence[Volume]]:
    """Two studies of one ball, their voxels of another shape each."""
    first = ball(FRAMES[0], CENTRE, (2.0, 0.5, 0.7))
    second = ball(FRAMES[1], MOVED.apply(CENTRE), (1.0, 0.8, 0.8))
    return {0: (first,), 1: (second,)}


def mask(volume: Volume) -> Mask:
    return Mask.of(
        volume.rescaled() > 400,
        volume.grid,
        role="fragment",
        frame_of_reference_uid=volume.frame_of_reference_uid,
    )


def line(frame: str, ends: Array, role: str = "fitted edges") -> Polyline:
    a, b = (as_stored(end) for end in ends)
    return Polyline(
        role=role, points=(a, b), frame_of_reference_uid=frame, source_instances=()
    )


def compared(findings: Sequence[Finding | None], *, aligned: bool = True) -> Comparison:
    studies = (comparisons.study(0, "2023-01-01"), comparisons.study(1, "2024-01-01"))
    seen = tuple(
        Seen(study=n, findings=(one,))
        for n, one in enumerate(findings)
        if one is not None
    )
    lesion = Lesion(
        tracking_uid="2.25.1", label="SEQ-1", kind="sequestrum", site="maxilla", seen=seen
    )
    alignments = (comparisons.alignment(0, 1, transform=MOVED),) if aligned else ()
    return Comparison(
        patient="P-1",
        recorded="",
        software="test",
        studies=studies,
        pairs=(StudyPair(earlier=0, later=1, alignments=alignments),),
        lesions=(lesion,),
    )


def marked(*regions: Region, role: str = "fragment", **more: str) -> Finding:
    number = comparisons.value("longest_diameter", 16.0)
    number = msgspec.structs.replace(number, region=role)
    return comparisons.finding(
        "SEQ-1", number, kind="sequestrum", site="maxilla", regions=regions, **more
    )


def pixels(picture: KeyPicture) -> Array:
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")).astype(float)


def white(picture: KeyPicture) -> Array:
    """Return which pixels in the middle of a picture show the ball."""
    shown = pixels(picture)
    third = shown.shape[0] // 5
    return np.asarray(shown[third:-third, third:-third].min(axis=-1) > 180)


def yellow(picture: KeyPicture) -> int:
    red, green, blue = np.moveaxis(pixels(picture), -1, 0)
    return int(((red > 200) & (green > 150) & (blue < 110)).sum())


def test_both_dates_show_the_same_place_in_the_same_millimetres(
    volumes: Mapping[int, Sequence[Volume]],
) -> None:
    found = compared([marked(mask(volumes[0][0])), marked(mask(volumes[1][0]))])
    first, second = key_pictures(found, volumes)
    assert (first.study, second.study) == (0, 1)
    assert first.plane == second.plane == "axial"
    assert (first.same_plane, second.same_plane) == (False, True)
    assert "same plane by registration (whole image, u 0.0" in second.caption
    # One ball, one size, round: voxels are not square, pictures are.
    areas = [white(one) for one in (first, second)]
    assert areas[0].sum() == pytest.approx(areas[1].sum(), rel=0.06)
    for area in areas:
        down, across = (np.ptp(np.flatnonzero(area.any(axis=axis))) for axis in (1, 0))
        assert down == pytest.approx(across, rel=0.08)
        middle = np.argwhere(area).mean(axis=0) / (np.array(area.shape) - 1)
        assert middle == pytest.approx([0.5, 0.5], abs=0.03)
    assert yellow(first) > 200
    assert yellow(second) > 200


def test_where_it_is_gone_the_same_place_is_shown_without_a_mark(
    volumes: Mapping[int, Sequence[Volume]],
) -> None:
    found = compared([marked(mask(volumes[0][0])), marked(presence="absent")])
    first, second = key_pictures(found, volumes)
    assert (first.is_marked, second.is_marked) == (True, False)
    assert yellow(second) == 0
    assert white(second).sum() == pytest.approx(white(first).sum(), rel=0.06)
    # The letters tell how the patient was turned.
    assert first.letters == ("R", "L", "A", "P")
    # Turned by 25° about the axis of the body: its right is also a little in front.
    assert second.letters == ("RA", "LP", "AL", "PR")


def test_what_is_new_is_shown_where_it_was_not_before(
    volumes: Mapping[int, Sequence[Volume]],
) -> None:
    found = compared([None, marked(mask(volumes[1][0]))])
    first, second = key_pictures(found, volumes)
    assert [first.is_marked, second.is_marked] == [False, True]
    assert [first.same_plane, second.same_plane] == [True, False]
    assert white(first).sum() == pytest.approx(white(second).sum(), rel=0.06)


def test_without_a_transform_each_date_has_its_own_plane_and_says_so(
    volumes: Mapping[int, Sequence[Volume]],
) -> None:
    both = [marked(mask(volumes[0][0])), marked(mask(volumes[1][0]))]
    pictures = key_pictures(compared(both, aligned=False), volumes)
    assert [one.same_plane for one in pictures] == [False, False]
    assert all("own plane: not registered" in one.caption for one in pictures)
    gone = [both[0], marked(presence="absent")]
    (only,) = key_pictures(compared(gone, aligned=False), volumes)
    assert only.study == 0


def test_a_study_without_images_has_no_picture(
    volumes: Mapping[int, Sequence[Volume]],
) -> None:
    found = compared([marked(mask(volumes[0][0])), marked(mask(volumes[1][0]))])
    alone = {1: volumes[1]}
    (only,) = key_pictures(found, alone)
    assert only.study == 1
    assert key_pictures(found, alone) == (only,), "the same pixels each time"
    assert key_pictures(found, {}) == ()


# Planes


def test_a_gap_is_shown_in_the_sagittal_plane_that_holds_its_line() -> None:
    ends = np.array([[1.0, -20.0, 5.0], [3.0, -8.0, 7.0]])
    gap = line(FRAMES[0], ends)
    finding = comparisons.finding(
        "PAL-1", comparisons.value("palatal_gap_ap", 12.3), regions=(gap,)
    )
    grid = straight_grid((60, 60, 60), (1, 1, 1), centre=(0, 0, 0))
    plane = picture_planes.plane_of(finding, [gap], grid)
    assert np.abs((ends - plane.centre) @ plane.normal).max() < 1e-5
    assert plane.name == "near sagittal, turned by 9°, through the line"
    # Head up, front to the left, as radiologists hold it.
    assert plane.down[2] < -0.9
    assert plane.right[1] > 0.9


@pytest.mark.parametrize(
    ("ends", "name"),
    [
        ([[0, 0, 0], [10, 0, 0]], "axial, through the line"),
        ([[0, 0, 0], [0, 0, 10]], "sagittal, through the line"),
    ],
)
def test_a_line_is_shown_as_acquired_where_the_slices_hold_it(
    ends: Sequence[Sequence[float]], name: str
) -> None:
    assert picture_planes.plane_of_line(ends[0], ends[1], "axial").name == name


def test_a_vertebra_is_shown_in_the_plane_of_its_points() -> None:
    normal = np.array([np.cos(0.2), np.sin(0.2), 0.0])
    ahead, up = np.array([np.sin(0.2), -np.cos(0.2), 0.0]), np.array([0, 0, 1.0])
    six = [CENTRE + a * ahead + b * up for b in (12, -12) for a in (15, 0, -15)]
    roles = tuple(f"{end} {where}" for end in ("superior", "inferior")
                  for where in ("anterior", "middle", "posterior"))  # fmt: skip
    points = Points(
        role="as clicked",
        points=tuple(as_stored(point) for point in six),
        point_roles=roles,
        frame_of_reference_uid=FRAMES[0],
        source_instances=(),
    )
    body = comparisons.finding("L1", kind="vertebra", site="l1", regions=(points,))
    grid = straight_grid((60, 60, 60), (1, 1, 1), centre=tuple(CENTRE))
    plane = picture_planes.plane_of(body, [points], grid)
    assert abs(plane.normal @ normal) == pytest.approx(1.0, abs=1e-6)
    assert plane.centre == pytest.approx(CENTRE, abs=1e-3)


def test_a_mask_is_shown_where_the_slice_cuts_most_of_it(
    volumes: Mapping[int, Sequence[Volume]],
) -> None:
    volume = volumes[0][0]
    finding = marked(mask(volume))
    plane = picture_planes.plane_of(finding, finding.regions, volume.grid)
    assert plane.centre == pytest.approx(CENTRE, abs=1.1)
    # A small lesion keeps its surroundings.
    assert plane.width == picture_planes.FIELD_BOUNDS_MM[0] > 1.8 * 2 * RADIUS


# Ways and windows


def test_the_way_leads_over_the_studies_between() -> None:
    first = RigidTransform.of(
        np.eye(3), [1, 0, 0], from_frame_uid="2.25.1", to_frame_uid="2.25.2"
    )
    second = RigidTransform.of(
        np.eye(3), [0, 2, 0], from_frame_uid="2.25.3", to_frame_uid="2.25.2"
    )
    pairs = tuple(
        StudyPair(
            earlier=n, later=n + 1,
            alignments=(comparisons.alignment(0, 1, transform=one, u_mm=0.3),),
        )
        for n, one in enumerate((first, second))
    )  # fmt: skip
    made = msgspec.structs.replace(comparisons.maxilla(), pairs=pairs)
    found = way(made, "2.25.1", "2.25.3", np.zeros(3))
    assert found is not None
    assert found.transform.apply([0, 0, 0]) == pytest.approx([1, -2, 0])
    assert found.u_mm == pytest.approx(0.3 * np.sqrt(2), rel=0.01)
    assert way(made, "2.25.1", "2.25.9", np.zeros(3)) is None


def test_a_local_alignment_speaks_for_its_own_place() -> None:
    whole = comparisons.alignment(0, 1)
    near = msgspec.structs.replace(
        comparisons.alignment(
            0, 1, region="L2", u_mm=0.5,
            transform=RigidTransform.of(np.eye(3), [0, 0, 7], from_frame_uid=FRAMES[0],
                                        to_frame_uid=FRAMES[1]),
        ),
        centre=(0.0, 0.0, 100.0),
    )  # fmt: skip
    pair = StudyPair(earlier=0, later=1, alignments=(whole, near))
    made = msgspec.structs.replace(comparisons.maxilla(), pairs=(pair,))
    for height, moved in ((100.0, 7.0), (0.0, 0.0)):
        found = way(made, *FRAMES, np.array([0, 0, height]))
        assert found is not None
        assert found.transform.apply([0, 0, height])[2] == pytest.approx(height + moved)


def test_one_window_serves_both_dates_where_the_signals_are_alike() -> None:
    grid = straight_grid((20, 20, 20), (1, 1, 1), centre=(0, 0, 0))
    signal = np.linspace(0, 1000, grid.shape[0] * 400).reshape(grid.shape)
    first, alike, other = (as_volume(signal * k, grid, "MR") for k in (1.0, 1.1, 3.0))
    window = window_of(first, "marrow_edema", like=None)
    assert window.high == pytest.approx(3.0 * 900, abs=10)
    assert window_of(alike, "marrow_edema", like=window) == window
    own = window_of(other, "marrow_edema", like=window)
    assert own.high == pytest.approx(3 * window.high, rel=0.01)
    assert "own window" in own.words


def test_soft_tissue_has_its_window_on_ct(
    volumes: Mapping[int, Sequence[Volume]],
) -> None:
    bone, soft = (window_of(volumes[0][0], kind, like=None)
                  for kind in ("sequestrum", "abscess"))  # fmt: skip
    assert (bone.low, bone.high) == (-750, 1750)
    assert (soft.low, soft.high) == (-160, 240)
    assert soft.words == "window −160 to 240 HU"
