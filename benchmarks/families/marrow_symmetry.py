"""Marrow edema, jaw expansion and region means beside voxel counting and SimpleITK."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from families.table import FIRST_SEED, OURS, Row, bias_and_sd
from osteotrace.measurements import intensity, marrow, symmetry
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.phantoms.in_memory import noisy, straight_grid, true_mask
from osteotrace.phantoms.jaw_halves import JawHalves, photograph_jaw
from osteotrace.phantoms.marrow import (
    Edema,
    bone_volume_mm3,
    clean_edema,
    photograph_edema,
)
from osteotrace.phantoms.shapes import ellipsoid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.geometry import Array
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

EDEMA: Final = "marrow edema"
JAW: Final = "jaw halves"
REGION: Final = "region mean"
# Peers that know no noise: a region's SD over the square root of its voxels.
WHITE: Final = "SD / √n"
# A threshold that is fixed for every patient, half way on another patient's image.
FIXED_LEVEL: Final = 180.0
SPACINGS: Final = ((1.0, 1.0, 1.0), (3.0, 0.7, 0.7), (4.0, 0.8, 0.8))
COVERED: Final = (0.90, 0.98)


@dataclass
class Errors:
    """What one method left over the repeats."""

    values: list[float] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)

    def add(self, value: float, truth: float, *, relative: bool) -> None:
        self.values.append(100 * (value / truth - 1) if relative else value - truth)

    def read(
        self, reading: Measurement | NotMeasured, truth: float, *, relative: bool
    ) -> None:
        if isinstance(reading, NotMeasured):
            return
        self.add(reading.value, truth, relative=relative)
        low, high = reading.interval95 or (np.nan, np.nan)
        self.held.append(low <= truth <= high)

    @property
    def coverage(self) -> float | None:
        return float(np.mean(self.held)) if self.held else None


def rows(repeats: int) -> list[Row]:
    """Return the rows of the family; `repeats` phantoms in all for each quantity."""
    return [*_edema_rows(repeats), *_jaw_rows(max(4, repeats // 8)), *_mean_rows(repeats)]


def _row(
    family: str, quantity: str, condition: str, method: str, errors: Errors, unit: str
) -> Row:
    return Row(
        family=family,
        quantity=quantity,
        condition=condition,
        method=method,
        reached=bias_and_sd(errors.values, unit, places=2),
        coverage=errors.coverage,
    )


def _pooled(family: str, condition: str, *found: Errors) -> Row:
    """Return the row of all intervals of a family together."""
    held = [each for errors in found for each in errors.held]
    covered = float(np.mean(held))
    return Row(
        family=family,
        quantity="all intervals",
        condition=condition,
        method=OURS,
        reached=f"{len(held)} intervals",
        goal="coverage 90–98 %",
        met=COVERED[0] <= covered <= COVERED[1],
        coverage=covered,
    )


def _edema(number: int) -> Edema:
    generator = np.random.default_rng(number)
    x, y, z = generator.uniform(-2, 2, 3).tolist()
    radii = ((10.0, 8.0, 9.0), (6.0, 6.0, 6.0))[number % 2]
    return Edema(
        centre=(x + 2, y, z),
        radii=radii,
        border_mm=float(generator.uniform(0.3, 1.2)),
        spacing=SPACINGS[number // 2 % 3],
        noise=float(generator.choice([6.0, 12.0, 20.0])),
        correlation_fwhm_mm=((0.0, 0.0, 0.0), (0.0, 1.0, 1.0))[number // 6 % 2],
    )


def _edema_rows(repeats: int) -> Iterator[Row]:
    found = {name: Errors() for name in ("volume", "share", "ratio", "fixed", "itk")}
    for number in range(FIRST_SEED, FIRST_SEED + repeats):
        edema = _edema(number)
        clean = clean_edema(edema)
        volume = photograph_edema(edema, seed=number, clean=clean)
        bone, muscle = edema.mask("bone"), edema.mask("muscle")
        grown = marrow.grow(
            volume, edema.centre, within=bone, reference=edema.mask("normal")
        )
        reading = marrow.measure(volume, grown, bone=bone, muscle=muscle)
        true = edema.volume_mm3
        share = 100 * true / bone_volume_mm3()
        inside = [clean[edema.mask(w).on(edema.grid)].mean() for w in ("edema", "muscle")]
        found["volume"].read(reading["edema_volume"], true, relative=True)
        found["share"].read(reading["edema_percent"], share, relative=False)
        found["ratio"].read(
            reading["signal_ratio_to_muscle"], inside[0] / inside[1], relative=True
        )
        image = volume.rescaled()
        above = (image > FIXED_LEVEL) & bone.on(edema.grid)
        counted = above.sum() * float(np.prod(edema.grid.spacing))
        found["fixed"].add(counted, true, relative=True)
        found["itk"].add(_otsu_volume(image, bone, edema), true, relative=True)
    condition = "1, 3 and 4 mm slices, SNR 4 to 50, white and correlated"
    for name, quantity, method, unit in (
        ("volume", "volume", OURS, "%"),
        ("fixed", "volume", f"voxels over a fixed {FIXED_LEVEL:.0f}", "%"),
        ("itk", "volume", "SimpleITK Otsu + label shape", "%"),
        ("share", "percent of bone unit", OURS, "points"),
        ("ratio", "signal ratio to muscle", OURS, "%"),
    ):
        yield _row(EDEMA, quantity, condition, method, found[name], unit)
    ours = (found[name] for name in ("volume", "share", "ratio"))
    yield _pooled(EDEMA, condition, *ours)


def _otsu_volume(image: Array, bone: Mask, edema: Edema) -> float:
    """Return the volume of the largest part over Otsu's threshold inside the bone."""
    import SimpleITK as sitk

    grey = sitk.GetImageFromArray(image)
    grey.SetSpacing([float(mm) for mm in edema.grid.spacing[::-1]])
    inside = sitk.GetImageFromArray(bone.on(edema.grid).astype(np.uint8))
    inside.CopyInformation(grey)
    threshold = sitk.OtsuThresholdImageFilter()
    threshold.SetInsideValue(0)
    threshold.SetOutsideValue(1)
    threshold.SetMaskOutput(True)
    threshold.SetMaskValue(1)
    above = threshold.Execute(grey, inside)
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(above))
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(parts)
    return float(shape.GetPhysicalSize(1))


def _jaw_rows(repeats: int) -> Iterator[Row]:
    names = ("bone_width_left", "bone_width_right", "asymmetry_index")
    found = {name: Errors() for name in (*names, "counted")}
    for number in range(FIRST_SEED, FIRST_SEED + repeats):
        offset = ((0.0, 0.0, 0.0), (0.2, -0.1, 0.3))[number % 2]
        jaw = JawHalves(
            expansion_mm=(0.0, 3.0)[number // 2 % 2],
            offset=offset,
            correlation_fwhm_mm=((0.0, 0.0, 0.0), (1.3, 1.6, 1.6))[number // 4 % 2],
        )
        volume = photograph_jaw(jaw, seed=number)
        left, right = jaw.mask("left"), jaw.mask("right")
        x = offset[0]
        landmarks = np.array([[x, -80, 40], [x, 0, 60], [x, 30, 30]])
        plane = symmetry.plane_of_symmetry(landmarks, grid=volume.grid)
        reading = symmetry.expansion(volume, left, right, plane=plane, at=45.0)
        wide, other = jaw.widths()
        truths = (wide, other, 200 * (wide - other) / (wide + other))
        for name, truth in zip(names, truths, strict=True):
            found[name].read(reading[name], truth, relative=False)
        found["counted"].add(_counted_width(volume, jaw), wide, relative=False)
    condition = "0.5 × 0.5 × 1 mm, 30 HU, white and correlated"
    both = Errors(
        values=[*found[names[0]].values, *found[names[1]].values],
        held=[*found[names[0]].held, *found[names[1]].held],
    )
    yield _row(JAW, "width", condition, OURS, both, "mm")
    peer = "voxels over 300 HU along a row"
    yield _row(JAW, "width", condition, peer, found["counted"], "mm")
    yield _row(
        JAW, "asymmetry index", condition, OURS, found["asymmetry_index"], "points"
    )
    yield _pooled(JAW, condition, both, found["asymmetry_index"])


def _counted_width(volume: Volume, jaw: JawHalves) -> float:
    """Return the left width from the voxels over 300 HU in the row through the body."""
    place = np.array([20.0, -11.5, 0.0]) + jaw.offset
    k, row, _ = np.round(volume.grid.to_index(place)).astype(int)
    line = volume.rescaled((slice(k, k + 1), slice(row, row + 1), slice(None)))[0, 0]
    x = volume.grid.to_patient([[k, row, c] for c in range(len(line))])[:, 0]
    bone = np.flatnonzero((line > 300) & (x > jaw.offset[0] + 8))
    length = (bone[-1] - bone[0] + 1) * float(volume.grid.pixel_spacing[1])
    # The arch leaves the row by this slope: from (14, -25) to (26, 2).
    return float(length * np.cos(np.arctan2(12.0, 27.0)))


def _mean_rows(repeats: int) -> Iterator[Row]:
    ours, white = Errors(), Errors()
    for number in range(FIRST_SEED, FIRST_SEED + repeats):
        spacing = ((1.0, 0.6, 0.6), (3.0, 0.6, 0.6), (1.0, 1.0, 1.0))[number % 3]
        grid = straight_grid((50.0, 46.0, 45.0), spacing, centre=(0.0, 0.0, 0.0))
        x, y, z = np.random.default_rng(number).uniform(-4, 4, 3).tolist()
        region = true_mask(ellipsoid((x, y, z), (6.0, 5.0, 6.0)), grid)
        fwhm = ((0.0, 0.0, 0.0), (1.3, 1.6, 1.6))[number % 2]
        flat = np.full(grid.shape, 60.0)
        volume = noisy(flat, grid, noise=30.0, correlation_fwhm_mm=fwhm, seed=number)
        ours.read(intensity.measure(volume, region).value, 60.0, relative=False)
        values = volume.rescaled()[region.on(grid)]
        reach = 1.96 * float(values.std(ddof=1)) / np.sqrt(len(values))
        white.add(float(values.mean()), 60.0, relative=False)
        white.held.append(abs(float(values.mean()) - 60.0) <= reach)
    condition = "30 HU, white and correlated"
    yield _row(REGION, "mean", condition, OURS, ours, "HU")
    yield _pooled(REGION, condition, ours)
    yield _row(REGION, "mean", condition, WHITE, white, "HU")
