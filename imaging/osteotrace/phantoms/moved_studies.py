"""Two studies of one patient with a known motion in between, made in memory.

The patient lies otherwise, the voxels are others, the field of view is cut or shifted,
the noise is new and the lesion has changed; where each point went is known exactly. A
few pairs have no right answer but a refusal. A number alone decides a pair.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.alignment.transform import RigidTransform
from osteotrace.geometry import unit_vector
from osteotrace.phantoms.in_memory import (
    frame_uid,
    mask_of_study,
    noisy,
    of_study,
    true_mask,
)
from osteotrace.phantoms.moved_motions import draws
from osteotrace.phantoms.moved_scenes import (
    MovedScene,
    other_level,
    other_patient,
    scenes,
)
from osteotrace.phantoms.rendering import Layer, Level, Part, Pose, render
from osteotrace.phantoms.scans import grid_around
from osteotrace.phantoms.shapes import ellipsoid, tube

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osteotrace.geometry import Array, Grid
    from osteotrace.phantoms.moved_motions import Modality, Motion
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

# How far the patient is shifted between the studies along any axis, at most, mm.
MOST_SHIFT_MM: Final = 60.0
# Voxels (slice, row, column), mm.
VOXELS: Final = {
    "CT": ((1.0, 0.8, 0.8), (0.8, 0.9, 0.9), (1.25, 0.75, 0.75), (1.0, 1.0, 1.0)),
    "MR": ((1.2, 0.9, 0.9), (3.0, 0.8, 0.8), (2.0, 0.85, 0.9)),
}
# Row and column direction of each orientation, LPS.
PLANES: Final = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}
# SD of the noise, HU or signal, least and greatest, and its correlation in the plane.
NOISE: Final = {"CT": (20.0, 45.0), "MR": (10.0, 22.0)}
NOISE_FWHM_MM: Final = 1.1
# Point spread in the plane and across thin slices; thick slices have their box alone.
BLUR_MM: Final = 0.5
THIN_MM: Final = 1.5
# Signal of the same tissue on two days differs by up to this share: MR has no unit.
GAIN: Final = 0.35
# Corners of a cube around the lesion, half its side, mm: where the error is read.
TARGET_MM: Final = 14.0
_BISECTIONS: Final = 24
# Refusals for which both studies show something else than the scene.
_NO_ANATOMY: Final = ("featureless", "round bottle")
BOTTLE_RADIUS_MM: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MovedPair:
    """Two studies and what is known of them.

    Parameters
    ----------
    motion : Motion
    earlier, later : Volume
        In two frames of reference.
    transform : RigidTransform
        The true one; of another patient or a bottle there is none.
    targets : (9, 3) float64
        Places of the earlier study, LPS mm, that both images hold where they share any:
        the lesion's, then the corners of a cube around it.
    lesion : Mask
        What has changed, as marked on the earlier images.
    """

    motion: Motion
    earlier: Volume
    later: Volume
    transform: RigidTransform
    targets: Array
    lesion: Mask

    def errors(self, found: RigidTransform) -> Array:
        """Return the (9, 3) mm that a transform puts each target off its place."""
        return np.asarray(found.apply(self.targets) - self.transform.apply(self.targets))


def moved_pair(motion: Motion) -> MovedPair:
    """Render a pair: about a million voxels each, some ten seconds."""
    scene = scenes()[motion.scene]
    draw = draws("pair", motion.number)
    first = _earlier(motion, int(draw.integers(2)))
    transform, second = _moved(motion, first, draw)
    targets = _targets(scene, first, transform, second.grid)
    noise = [float(draw.uniform(*NOISE[modality])) for modality in motion.modalities]
    images = (
        _earlier_image(first, motion.refusal if motion.refusal in _NO_ANATOMY else ""),
        second.image() * _gain(motion.modalities[1], draw),
    )
    volumes = tuple(
        _photograph(image, side, sd, 2 * motion.number + k)
        for k, (image, side, sd) in enumerate(
            zip(images, (first, second), noise, strict=True)
        )
    )
    ball = ellipsoid(scene.lesion.centre, [scene.lesion.radius_mm] * 3)
    marked = true_mask(ball, first.grid, pose=first.pose, role="lesion")
    return MovedPair(
        motion=motion,
        earlier=volumes[0],
        later=volumes[1],
        transform=transform,
        targets=targets,
        lesion=mask_of_study(marked, volumes[0]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Side:
    """One study of a pair: what is scanned, where it lies, on which voxels."""

    scene: MovedScene
    later: bool
    modality: Modality
    pose: Pose
    grid: Grid
    refusal: str = ""

    def image(self) -> Array:
        """Return the noise-free image."""
        parts = self.scene.later() if self.later else self.scene.earlier()
        levels = self.scene.levels[self.modality]
        if self.refusal == "another patient":
            parts = other_patient(parts)
        if self.refusal == "featureless":
            # A body without anything in it, larger than the image.
            levels = {name: Level(60.0) for name in levels}
        if self.refusal == "round bottle":
            parts = (_bottle(self.scene.centre),)
            levels = {"water": Level(60.0), "air": levels["air"]}
        thick = self.grid.spacing[0] > THIN_MM
        return render(
            parts,
            levels,
            self.grid,
            self.pose,
            background="air",
            psf_sigma_mm=(0.0 if thick else BLUR_MM, BLUR_MM, BLUR_MM),
            subsamples=(4 if thick else 2, 2, 2),
        )


def _earlier(motion: Motion, variant: int) -> _Side:
    """Return the earlier study: of each scene and modality there are two variants."""
    scene, modality = scenes()[motion.scene], motion.modalities[0]
    return _earlier_of(scene.name, modality, variant)


@lru_cache(maxsize=32)
def _earlier_of(name: str, modality: Modality, variant: int) -> _Side:
    scene = scenes()[name]
    draw = draws("earlier", name, modality, variant)
    tilt = draw.uniform(-8.0, 8.0, 3)
    pose = Pose.turned(
        pitch_deg=tilt[0],
        roll_deg=tilt[1],
        yaw_deg=tilt[2],
        origin=draw.uniform(-MOST_SHIFT_MM, MOST_SHIFT_MM, 3).tolist(),
    )
    grid = _grid(
        pose.to_patient(scene.centre),
        np.array(scene.extent_mm) / 2,
        plane=("axial", "sagittal")[variant],
        spacing=VOXELS[modality][variant],
    )
    return _Side(scene=scene, later=False, modality=modality, pose=pose, grid=grid)


@lru_cache(maxsize=8)
def _earlier_image(side: _Side, refusal: str) -> Array:
    return replace(side, refusal=refusal).image()


def _moved(
    motion: Motion, first: _Side, draw: np.random.Generator
) -> tuple[RigidTransform, _Side]:
    """Return the true transform, and the later study."""
    turn = _rotation(draw.normal(size=3), motion.rotation_deg)
    shift = draw.uniform(-MOST_SHIFT_MM, MOST_SHIFT_MM, 3)
    origin = turn @ first.pose.origin + shift
    transform = RigidTransform.of(
        turn, shift, from_frame_uid=frame_uid(1), to_frame_uid=frame_uid(2)
    )
    scene, modality = first.scene, motion.modalities[1]
    pose = Pose(rotation=turn @ first.pose.rotation, origin=origin)
    plane = ("axial", "sagittal")[int(draw.integers(2))]
    spacings = VOXELS[modality]
    spacing = spacings[int(draw.integers(len(spacings)))]
    if motion.refusal in ("no overlap", "another level"):
        centre, halves = _elsewhere(motion, scene, pose, turn)
    else:
        centre, halves = _cut(motion.lost, first, transform, draw)
    return transform, _Side(
        scene=scene,
        later=True,
        modality=modality,
        pose=pose,
        grid=_grid(centre, halves, plane=plane, spacing=spacing),
        refusal=motion.refusal,
    )


def _elsewhere(
    motion: Motion, scene: MovedScene, pose: Pose, turn: Array
) -> tuple[Array, Array]:
    """Return a field of view that holds nothing of the earlier one."""
    halves = np.array(scene.extent_mm) / 2
    if motion.refusal == "another level":
        # L4 to the sacrum, or L3 to L5, instead of L1 to L3: much the same to see.
        level = ("l4", "l5")[motion.number % 2]
        return pose.to_patient(other_level(scene, level).centre), halves
    beside = np.array(scene.centre) + (0.0, 0.0, 1.0 + np.abs(turn).sum(1).max()) * halves
    return pose.to_patient(beside), 0.8 * halves


def _cut(
    lost: float, first: _Side, transform: RigidTransform, draw: np.random.Generator
) -> tuple[Array, Array]:
    """Return the middle and half size of a field of view that lacks a share.

    Half of what is lost falls to a field that is smaller on all sides, the rest to its
    shift along one axis, away from the lesion.
    """
    inside = transform.apply(first.grid.to_patient(_lattice(first.grid)))
    centre = 0.5 * (inside.min(axis=0) + inside.max(axis=0))
    whole = 0.5 * np.ptp(inside, axis=0) + first.grid.spacing.max()
    lesion = transform.apply(first.pose.to_patient(first.scene.lesion.centre))

    def share(halves: Array, middle: Array) -> float:
        return float((np.abs(inside - middle) > halves).any(axis=1).mean())

    scale = _bisected(lambda s: share(s * whole, centre), lost / 2, (1.0, 0.3))
    halves = scale * whole
    towards = np.where(lesion >= centre, 1.0, -1.0)
    axis = np.eye(3)[int(draw.integers(3))] * towards
    far = _bisected(lambda d: share(halves, centre + d * axis), lost, (0.0, 80.0))
    return centre + far * axis, halves


def _bisected(
    share: Callable[[float], float], wanted: float, ends: tuple[float, float]
) -> float:
    """Return where a share that grows from the first end to the second has a value."""
    low, high = ends
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if share(middle) < wanted else (low, middle)
    return 0.5 * (low + high)


def _lattice(grid: Grid) -> Array:
    """Return (n, 3) indices spread evenly over a grid."""
    axes = [np.linspace(0, count - 1, 15) for count in grid.shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def _grid(
    centre: Array, halves: Array, *, plane: str, spacing: tuple[float, float, float]
) -> Grid:
    """Return a grid that covers a box along x, y and z."""
    row, column = (np.array(axis) for axis in PLANES[plane])
    along = np.abs(np.stack([np.cross(row, column), column, row])) @ halves
    slices, rows, columns = np.maximum(8, np.ceil(2 * along / spacing)).astype(int)
    return grid_around(
        np.asarray(centre),
        row_direction=row,
        column_direction=column,
        spacing_mm=spacing,
        shape=(int(slices), int(rows), int(columns)),
    )


def _targets(
    scene: MovedScene, first: _Side, transform: RigidTransform, later: Grid
) -> Array:
    """Return the lesion's place and the corners of the cube around it that both hold."""
    signs = np.stack(np.meshgrid(*[(-1.0, 1.0)] * 3), -1).reshape(-1, 3)
    middle = np.array(scene.lesion.centre)
    for side in TARGET_MM * np.array([1.0, 0.8, 0.65, 0.5]):
        points = first.pose.to_patient(np.vstack([middle, middle + side * signs]))
        both = first.grid.contains(points) & later.contains(transform.apply(points))
        if both.all():
            break
    return points


def _bottle(centre: Sequence[float]) -> Part:
    """Return a round bottle of water: turned about its axis it looks the same."""
    low, high = ([v + side * 60.0 for v in centre] for side in (-1, 1))
    body = tube(
        [[*centre[:2], centre[2] + up] for up in (-25.0, 25.0)],
        [BOTTLE_RADIUS_MM] * 2,
        axes=(0, 1, 2),
    )
    return Part(
        name="bottle", layers=(Layer(shape=body, tissue="water"),), box=(low, high)
    )


def _photograph(clean: Array, side: _Side, sd: float, number: int) -> Volume:
    across = 0.0 if side.grid.spacing[0] > THIN_MM else NOISE_FWHM_MM
    volume = noisy(
        clean,
        side.grid,
        noise=sd,
        correlation_fwhm_mm=(across, NOISE_FWHM_MM, NOISE_FWHM_MM),
        modality=side.modality,
        seed=number,
    )
    study, date = (2, "2025-03-01") if side.later else (1, "2024-03-01")
    return of_study(volume, study, date=date)


def _gain(modality: Modality, draw: np.random.Generator) -> float:
    return float(draw.uniform(1 - GAIN, 1 + GAIN)) if modality == "MR" else 1.0


def _rotation(axis: Array, degrees: float) -> Array:
    """Return the rotation about an axis (Rodrigues)."""
    x, y, z = unit_vector(axis)
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = np.radians(degrees)
    return np.asarray(
        np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * (skew @ skew)
    )
