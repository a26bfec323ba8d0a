"""Fragments in a lucent cavity: found, and how long and large they are read.

Beside osteotrace: SimpleITK label shape statistics of plain thresholds, fixed in HU.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from families.table import FIRST_SEED, OURS, Row, bias_and_sd
from osteotrace.measurements import sequestra
from osteotrace.measurements.measurement import Measurement
from osteotrace.phantoms import fragments
from osteotrace.phantoms.in_memory import noisy
from osteotrace.phantoms.rendering import Pose, render
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from osteotrace.geometry import Array, Grid
    from osteotrace.phantoms.fragments import Fragment, Scene
    from osteotrace.volume import Volume

FAMILY: Final = "fragments in a cavity"
SPACINGS_MM: Final = ((1.0, 0.5, 0.5), (1.0, 1.0, 1.0))
NOISES: Final = ((30.0, 0.0), (60.0, 1.0))
THRESHOLDS_HU: Final = (226.0, 400.0, 700.0)
# Pieces in a scene, about; a repeat is one piece.
PIECES: Final = 3
# SimpleITK's pieces smaller than this are specks, mm3.
SPECK_MM3: Final = 4.0


@dataclass(slots=True)
class Found:
    """What one method found: truths, errors, and what is no fragment."""

    truths: list[float] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    false: int = 0
    controls: int = 0
    lengths: list[float] = field(default_factory=list)
    volumes: list[float] = field(default_factory=list)
    length_covered: list[bool] = field(default_factory=list)
    volume_covered: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A piece that a method found: its voxel centres, LPS mm, and sizes."""

    points: Array
    length: float
    volume: float
    length_interval: tuple[float, float] | None = None
    volume_interval: tuple[float, float] | None = None


def ours(volume: Volume, region: Mask) -> list[Piece]:
    """Return what `osteotrace.measurements.sequestra` finds."""
    pieces = []
    for one in sequestra.find(volume, region).fragments:
        mask = one.regions[0]
        length, size = one["longest_diameter"], one["excess_density_volume"]
        assert isinstance(mask, Mask)
        assert isinstance(length, Measurement)
        assert isinstance(size, Measurement)
        points = mask.grid.to_patient(np.argwhere(mask.voxels))
        pieces.append(
            Piece(points, length.value, size.value, length.interval95, size.interval95)
        )
    return pieces


def thresholded(volume: Volume, region: Mask, threshold: float) -> list[Piece]:
    """Return the label shapes of a fixed threshold inside the region."""
    import SimpleITK as sitk

    grid = volume.grid
    inside = region.on(grid)
    bone = volume.rescaled() >= threshold
    image = sitk.GetImageFromArray(bone.astype(np.uint8))
    image.SetSpacing(grid.spacing[::-1].tolist())
    parts = sitk.ConnectedComponent(image, True)
    labels = np.asarray(sitk.GetArrayFromImage(parts))
    outside = set(np.unique(labels[~inside]).tolist())
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.ComputeFeretDiameterOn()
    shapes.Execute(parts)
    pieces = []
    for label in shapes.GetLabels():
        if label in outside or shapes.GetPhysicalSize(label) < SPECK_MM3:
            continue
        points = grid.to_patient(np.argwhere(labels == label))
        pieces.append(
            Piece(points, shapes.GetFeretDiameter(label), shapes.GetPhysicalSize(label))
        )
    return pieces


def compare(scene: Scene, pieces: list[Piece], found: Found) -> None:
    """Match pieces to fragments, one to one, and note the errors."""
    free = list(pieces)
    for truth in scene.fragments:
        match = next((piece for piece in free if _is(truth, piece)), None)
        found.truths.append(truth.longest_diameter)
        found.found.append(match is not None)
        if match is None:
            continue
        free.remove(match)
        found.lengths.append(match.length - truth.longest_diameter)
        if truth.longest_diameter >= 4.0:
            found.volumes.append(100 * (match.volume / truth.volume - 1))
        if match.length_interval and match.volume_interval:
            low, high = match.length_interval
            found.length_covered.append(low <= truth.longest_diameter <= high)
            low, high = match.volume_interval
            found.volume_covered.append(low <= truth.volume <= high)
    found.false += len(free)
    found.controls += not scene.fragments


def _is(truth: Fragment, piece: Piece) -> bool:
    inside = truth.shape(piece.points.T) < 0.3
    cover = piece.volume / truth.volume
    return bool(inside.mean() > 0.6 and cover > 0.3)


def clean(scene: Scene, grid: Grid) -> Array:
    """Return the noise-free image of a scene."""
    return render(
        scene.parts, scene.levels, grid, Pose.turned(),
        background="soft tissue", psf_sigma_mm=(0.6, 0.6, 0.6), subsamples=(3, 3, 3),
    )  # fmt: skip


def rows(repeats: int) -> list[Row]:
    """Return the rows of the family, about so many fragments a condition."""
    count = max(2, round(repeats / PIECES))
    scenes = [
        fragments.scene(FIRST_SEED + seed, count=PIECES, diameters_mm=(3.5, 12.0))
        for seed in range(count)
    ]
    scenes += [
        fragments.control(
            FIRST_SEED + seed, osteoporotic=seed % 2 == 1, cavity=seed % 4 > 1
        )
        for seed in range(max(2, count // 4))
    ]
    table = []
    for spacing in SPACINGS_MM:
        names = [OURS, *(f"SimpleITK shapes over {t:.0f} HU" for t in THRESHOLDS_HU)]
        conditions = {noise: {name: Found() for name in names} for noise in NOISES}
        for seed, scene in enumerate(scenes):
            shift = np.random.default_rng(FIRST_SEED + seed).uniform(-0.5, 0.5, 3)
            grid = scene.grid(spacing, offset_mm=shift.tolist())
            image, region = clean(scene, grid), scene.region(grid)
            for noise in NOISES:
                volume = noisy(
                    image, grid, noise=noise[0], seed=FIRST_SEED + seed,
                    correlation_fwhm_mm=(noise[1],) * 3,
                )  # fmt: skip
                found = conditions[noise]
                start = time.perf_counter()
                pieces = ours(volume, region)
                found[OURS].seconds.append(time.perf_counter() - start)
                compare(scene, pieces, found[OURS])
                for name, threshold in zip(names[1:], THRESHOLDS_HU, strict=True):
                    compare(scene, thresholded(volume, region, threshold), found[name])
        for noise, found in conditions.items():
            for name, one in found.items():
                table += _rows(one, name, _words(spacing, noise))
    return table


def _words(spacing: tuple[float, ...], noise: tuple[float, float]) -> str:
    size = " × ".join(f"{mm:g}" for mm in spacing)
    kind = "white" if not noise[1] else f"correlated {noise[1]:g} mm"
    return f"{size} mm, {noise[0]:g} HU {kind}"


def _rows(one: Found, method: str, condition: str) -> list[Row]:
    own = method == OURS
    share = float(np.mean(one.found))
    made = [
        Row(
            family=FAMILY, quantity="fragments of 3.5 to 12 mm found", method=method,
            condition=condition,
            reached=f"{100 * share:.1f} % ({len(one.found)}), {one.false} false, "
            f"{one.controls} controls",
            goal="≥ 98 %, none false" if own else "",
            met=share >= 0.98 and one.false == 0 if own else None,
        )
    ]  # fmt: skip
    if len(one.lengths) > 1:
        bias = abs(float(np.mean(one.lengths)))
        made.append(
            Row(
                family=FAMILY, quantity="longest diameter", method=method,
                condition=condition, reached=bias_and_sd(one.lengths, "mm"),
                goal="bias ≤ 0.1 mm" if own else "", met=bias <= 0.1 if own else None,
                coverage=float(np.mean(one.length_covered)) if own else None,
            )
        )  # fmt: skip
    if len(one.volumes) > 1:
        within = float(np.mean(np.abs(one.volumes) <= 5))
        bias = abs(float(np.mean(one.volumes)))
        made.append(
            Row(
                family=FAMILY, quantity="volume, ≥ 4 mm", method=method,
                condition=condition,
                reached=f"{bias_and_sd(one.volumes, '%', places=1)}, "
                f"{100 * within:.0f} % within 5 %",
                goal="within 5 %" if own else "",
                met=bias <= 5 and float(np.std(one.volumes)) <= 5 if own else None,
                coverage=float(np.mean(one.volume_covered)) if own else None,
            )
        )  # fmt: skip
    if own:
        longest = float(np.median(one.seconds))
        made.append(
            Row(
                family=FAMILY, quantity="time, 20 mm region", method=method,
                condition=condition, reached=f"{longest:.2f} s (median)",
                goal="≤ 1 s", met=longest <= 1.0,
            )
        )  # fmt: skip
    return made
