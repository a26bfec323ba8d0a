"""Lesions that are scanned twice and measured twice, with a known change or with none.

Each is rendered once a pose, without noise, and photographed as often as wanted: both
scans lie otherwise on their voxels and have noise of their own. A gap is marked once; its
points are carried to the second scan, with the error of a registration, and fitted anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements import caliper, marrow, sequestra
from osteotrace.measurements.measurement import not_measured
from osteotrace.phantoms import fragments
from osteotrace.phantoms.in_memory import (
    mask_of_study,
    noisy,
    of_study,
    straight_grid,
    true_mask,
)
from osteotrace.phantoms.rendering import Layer, Level, Part, Pose, render
from osteotrace.phantoms.shapes import ellipsoid, grown, intersection, rounded_box

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osteotrace.geometry import Array, Grid
    from osteotrace.measurements.measurement import Measurement, NotMeasured
    from osteotrace.phantoms.shapes import Shape
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

    Reading = Measurement | NotMeasured
    TwoReadings = tuple[Reading, Reading]

LESIONS: Final = 8
POSES: Final = 6
# Between two scans a patient is turned by up to this about each axis, and shifted against
# the voxels by up to this.
TURN_DEG: Final = 20.0
SHIFT_MM: Final = 1.5
# What a registration leaves: standard uncertainty of a place and of a rotation, one axis.
U_REGISTRATION: Final = (0.05, 0.1)
CLICK_MM: Final = 1.0
_EVERYWHERE: Final = ((-99.0,) * 3, (99.0,) * 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A quantity that is read twice.

    Parameters
    ----------
    quantity : str
        Key of `osteotrace.codes.QUANTITIES`.
    name : str
        In words, with the conditions.
    relative : bool
        True where its repeatability is a share of the value.
    slice_mm, voxel_mm : float
        Of both scans.
    twice : callable
        Gives both readings by number, and by how much the lesion has truly changed: in
        mm, or as a share of its volume.
    """

    quantity: str
    name: str
    relative: bool
    slice_mm: float
    voxel_mm: float
    twice: Callable[[int, float], TwoReadings]


def _two_poses(number: int) -> tuple[int, int]:
    """Return which poses the two scans have: never the same."""
    first = number // LESIONS % POSES
    return first, (first + 1 + number // (LESIONS * POSES) % (POSES - 1)) % POSES


def _pose(lesion: int, pose: int, kind: int) -> Pose:
    draw = np.random.default_rng([kind, lesion, pose])
    pitch, roll, yaw = draw.uniform(-TURN_DEG, TURN_DEG, 3)
    shift = draw.uniform(-SHIFT_MM, SHIFT_MM, 3).tolist()
    return Pose.turned(pitch_deg=pitch, roll_deg=roll, yaw_deg=yaw, origin=shift)


# A gap between two walls ----------------------------------------------------------------

GAP: Final = "length_perpendicular"
GAP_SPACING: Final = (1.0, 0.5, 0.5)
GAPS_MM: Final = (6.0, 18.0)
# Half size of a wall across the gap, its depth, and the tissue beyond it, mm.
WALL_MM, DEPTH_MM, BEYOND_MM = (13.0, 11.0), 6.0, 13.0
GAP_LEVELS: Final = {"soft tissue": Level(50.0), "bone": Level(1050.0)}
CT_NOISE, CT_FWHM_MM, CT_BLUR_MM = 30.0, (0.8, 0.9, 0.9), 0.55


def gap_twice(
    number: int,
    longer_mm: float = 0.0,
    *,
    registered: bool = True,
    quick: bool = False,
) -> TwoReadings:
    """Return the length between two walls on two scans, the points carried and refitted.

    Parameters
    ----------
    number : int
        Decides lesion, poses, clicks and noise.
    longer_mm : float
        How much the gap has truly grown.
    registered : bool
        False carries the points by the true transform.
    quick : bool
        Without an uncertainty of their own.
    """
    lesion, (first, second) = number % LESIONS, _two_poses(number)
    draw = np.random.default_rng([71, number])
    clicks = draw.uniform(-CLICK_MM, CLICK_MM, (2, 3))
    half = 0.5 * _gap_mm(lesion)
    poses = _pose(lesion, first, 1), _pose(lesion, second, 1)
    begun = [
        poses[0].to_patient((0.0, side * half, 0.0)) + click
        for side, click in zip((-1, 1), clicks, strict=True)
    ]
    scan = of_study(_gap_scan(lesion, first, 0.0, 2 * number), 1)
    earlier = caliper.measure(scan, *begun, quick=quick)
    if earlier.fitted is None:
        return earlier.value, earlier.value
    carried = _carried(poses, earlier.fitted.points, draw if registered else None)
    scan = of_study(_gap_scan(lesion, second, longer_mm, 2 * number + 1), 2)
    later = caliper.measure(scan, *carried, quick=quick)
    return _perpendicular(earlier), _perpendicular(later)


def _gap_mm(lesion: int) -> float:
    return float(np.linspace(*GAPS_MM, LESIONS)[lesion])


def _perpendicular(reading: caliper.CaliperReading) -> Reading:
    for one in reading.measurements:
        if one.name == GAP:
            return one
    why = "the walls are not parallel"
    return not_measured(GAP, why, method=caliper.METHOD, sources=())


def _carried(
    poses: tuple[Pose, Pose],
    points: Sequence[Sequence[float]],
    draw: np.random.Generator | None,
) -> Array:
    """Return points of the first scan in the second, as a registration puts them."""
    anatomical = poses[0].to_anatomy(np.array(points)).T
    truth = poses[1].to_patient(anatomical)
    if draw is None:
        return truth
    u_mm, u_deg = U_REGISTRATION
    middle, turn = truth.mean(axis=0), draw.normal(0.0, np.radians(u_deg), 3)
    return np.asarray(truth + draw.normal(0.0, u_mm, 3) + np.cross(turn, truth - middle))


def _gap_scan(lesion: int, pose: int, longer_mm: float, seed: int) -> Volume:
    return noisy(
        _clean_gap(lesion, pose, longer_mm),
        _gap_grid(lesion),
        noise=CT_NOISE,
        correlation_fwhm_mm=CT_FWHM_MM,
        seed=seed,
    )


def _gap_grid(lesion: int) -> Grid:
    along = _gap_mm(lesion) + 2 * (DEPTH_MM + BEYOND_MM)
    return straight_grid((40.0, along, 32.0), GAP_SPACING, centre=(0.0, 0.0, 0.0))


@lru_cache(maxsize=128)
def _clean_gap(lesion: int, pose: int, longer_mm: float) -> Array:
    middle = 0.5 * (_gap_mm(lesion) + longer_mm + DEPTH_MM)
    across, up = WALL_MM
    slabs = [
        rounded_box((0, side * middle, 0), (across, DEPTH_MM / 2, up), rounding=2.0)
        for side in (-1, 1)
    ]
    layers = tuple(Layer(shape=slab, tissue="bone") for slab in slabs)
    return render(
        [Part(name="walls", layers=layers, box=_EVERYWHERE)],
        GAP_LEVELS,
        _gap_grid(lesion),
        _pose(lesion, pose, 1),
        background="soft tissue",
        psf_sigma_mm=(CT_BLUR_MM,) * 3,
        subsamples=(3, 3, 3),
    )


# Marrow edema ---------------------------------------------------------------------------

EDEMA_SPACING: Final = (3.0, 0.7, 0.7)
MR_LEVELS: Final = {
    "outside": Level(45.0),
    "marrow": Level(90.0),
    "muscle": Level(70.0),
    "edema": Level(320.0),
}
MR_NOISE, MR_FWHM_MM = 12.0, (0.0, 1.0, 1.0)
EDEMA_CENTRE: Final = (4.0, 0.0, 0.0)
NORMAL: Final = ((-14.0, 0.0, 0.0), (3.0, 9.0, 8.0))


def edema_twice(number: int, larger: float = 0.0) -> TwoReadings:
    """Return the volume of a marrow edema on two scans, grown from its seed on each."""
    lesion, poses = number % LESIONS, _two_poses(number)
    earlier, later = (
        _edema_reading(lesion, pose, share, 2 * number + k)
        for k, (pose, share) in enumerate(zip(poses, (0.0, larger), strict=True))
    )
    return earlier, later


def _edema_shape(lesion: int, larger: float) -> Shape:
    draw = np.random.default_rng([73, lesion])
    radii = draw.uniform(6.5, 9.5, 3) * (1 + larger) ** (1 / 3)
    centre = np.array(EDEMA_CENTRE) + draw.uniform(-1.5, 1.5, 3)
    return ellipsoid(centre.tolist(), radii.tolist())


def _edema_grid() -> Grid:
    return straight_grid((60.0, 72.0, 54.0), EDEMA_SPACING, centre=(0.0, 8.0, 0.0))


def _bone_unit() -> Shape:
    return rounded_box((0.0, 0.0, 0.0), (20.0, 15.0, 14.0), rounding=4.0)


@lru_cache(maxsize=128)
def _clean_edema(lesion: int, pose: int, larger: float) -> Array:
    within = intersection(_edema_shape(lesion, larger), grown(_bone_unit(), -0.5))
    layers = (
        Layer(shape=_bone_unit(), tissue="marrow"),
        Layer(shape=rounded_box((0, 28, 0), (18, 9, 14)), tissue="muscle"),
        Layer(shape=within, tissue="edema"),
    )
    return render(
        [Part(name="bone unit", layers=layers, box=_EVERYWHERE)],
        MR_LEVELS,
        _edema_grid(),
        _pose(lesion, pose, 2),
        background="outside",
        psf_sigma_mm=(0.0, 0.6, 0.6),
        subsamples=(6, 2, 2),
    )


@lru_cache(maxsize=64)
def _edema_masks(lesion: int, pose: int) -> tuple[Mask, Mask]:
    """Return the bone unit and normal marrow, as they are marked on each scan."""
    grid, placed = _edema_grid(), _pose(lesion, pose, 2)
    bone = true_mask(_bone_unit(), grid, pose=placed, role="bone unit")
    return bone, true_mask(rounded_box(*NORMAL), grid, pose=placed, role="normal")


def _edema_reading(lesion: int, pose: int, larger: float, seed: int) -> Reading:
    scan = noisy(
        _clean_edema(lesion, pose, larger),
        _edema_grid(),
        noise=MR_NOISE,
        correlation_fwhm_mm=MR_FWHM_MM,
        modality="MR",
        seed=seed,
    )
    volume = of_study(scan, 1 + seed % 2)
    bone, normal = (mask_of_study(one, volume) for one in _edema_masks(lesion, pose))
    start = _pose(lesion, pose, 2).to_patient(EDEMA_CENTRE)
    region = marrow.grow(volume, start, within=bone, reference=normal)
    return marrow.measure(volume, region, bone=bone)["edema_volume"]


# A sequestrum ---------------------------------------------------------------------------

FRAGMENT: Final = "excess_density_volume"
FRAGMENT_SPACING: Final = (1.0, 0.5, 0.5)
FRAGMENT_LEVELS: Final = {**fragments.LEVELS, "fragment": Level(1050.0, 40.0)}
CAVITY_MM: Final = (10.0, 8.5, 8.0)


def fragment_twice(number: int, larger: float = 0.0) -> TwoReadings:
    """Return the volume of a fragment in a cavity on two scans."""
    lesion, poses = number % LESIONS, _two_poses(number)
    earlier, later = (
        _fragment_reading(lesion, pose, share, 2 * number + k)
        for k, (pose, share) in enumerate(zip(poses, (0.0, larger), strict=True))
    )
    return earlier, later


def _fragment_grid() -> Grid:
    return straight_grid((38.0, 34.0, 32.0), FRAGMENT_SPACING, centre=(0.0, 0.0, 0.0))


@lru_cache(maxsize=128)
def _clean_fragment(lesion: int, pose: int, larger: float) -> Array:
    draw = np.random.default_rng([74, lesion])
    radii = draw.uniform(2.4, 4.2, 3) * (1 + larger) ** (1 / 3)
    piece = ellipsoid(draw.uniform(-1.0, 1.0, 3).tolist(), radii.tolist())
    bone = rounded_box((0.0, 0.0, 0.0), fragments.BONE_MM, rounding=3.0)
    layers = (
        Layer(shape=bone, tissue="cortex"),
        Layer(shape=grown(bone, -fragments.CORTEX_MM), tissue="marrow"),
        Layer(shape=grown(_cavity(), 1.2), tissue="cortex"),
        Layer(shape=_cavity(), tissue="granulation"),
        Layer(shape=piece, tissue="fragment"),
    )
    return render(
        [Part(name="bone", layers=layers, box=_EVERYWHERE)],
        FRAGMENT_LEVELS,
        _fragment_grid(),
        _pose(lesion, pose, 3),
        background="soft tissue",
        psf_sigma_mm=(CT_BLUR_MM,) * 3,
        subsamples=(3, 2, 2),
    )


def _cavity() -> Shape:
    return ellipsoid((0.0, 0.0, 0.0), CAVITY_MM)


@lru_cache(maxsize=64)
def _marked_cavity(lesion: int, pose: int) -> Mask:
    """Return what a reader marks: the cavity and a little of its wall."""
    placed = _pose(lesion, pose, 3)
    return true_mask(grown(_cavity(), 0.8), _fragment_grid(), pose=placed, role="region")


def _fragment_reading(lesion: int, pose: int, larger: float, seed: int) -> Reading:
    scan = noisy(
        _clean_fragment(lesion, pose, larger),
        _fragment_grid(),
        noise=CT_NOISE,
        correlation_fwhm_mm=CT_FWHM_MM,
        seed=seed,
    )
    volume = of_study(scan, 1 + seed % 2)
    marked = mask_of_study(_marked_cavity(lesion, pose), volume)
    found = sequestra.find(volume, marked).fragments
    if len(found) != 1:
        why = f"{len(found)} fragments where there is one"
        return not_measured(FRAGMENT, why, method=sequestra.METHOD, sources=())
    return found[0][FRAGMENT]


# All -----------------------------------------------------------------------------------


def _gap(name: str, **how: bool) -> Subject:
    return Subject(
        quantity=GAP,
        name=f"fitted caliper, 1 mm CT, points {name}",
        relative=False,
        slice_mm=GAP_SPACING[0],
        voxel_mm=max(GAP_SPACING),
        twice=partial(gap_twice, **how),
    )


SUBJECTS: Final = (
    _gap("through the true transform, no u of its own", registered=False, quick=True),
    _gap("registered with u 0.05 mm and 0.1°, no u of its own", quick=True),
    _gap("registered with u 0.05 mm and 0.1°"),
    Subject(
        quantity="edema_volume",
        name="marrow edema volume, 3 mm MR, grown anew",
        relative=True,
        slice_mm=EDEMA_SPACING[0],
        voxel_mm=max(EDEMA_SPACING),
        twice=edema_twice,
    ),
    Subject(
        quantity=FRAGMENT,
        name="sequestrum volume, 1 mm CT, found anew",
        relative=True,
        slice_mm=FRAGMENT_SPACING[0],
        voxel_mm=max(FRAGMENT_SPACING),
        twice=fragment_twice,
    ),
)
