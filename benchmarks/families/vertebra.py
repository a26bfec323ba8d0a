"""Vertebral heights, losses and grades: fitted endplates beside masks and a peer.

Shapes (intact, wedge, biconcave, crush, depressed endplate), turned and moved against the
grid, endplates of 0.5 to 1.2 mm at 500 to 1000 HU, white and correlated noise; masks with
a contour off by a smooth field of 0.3 voxel (SD).
"""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import MagicMock, patch

import numpy as np

from families.table import FIRST_SEED, OURS, Row, bias_and_sd
from osteotrace.measurements import vertebra
from osteotrace.measurements.measurement import Measurement
from osteotrace.measurements.vertebra.grading import CUTS, grade_range
from osteotrace.phantoms import vertebrae
from osteotrace.phantoms.in_memory import noisy, true_mask
from osteotrace.phantoms.rendering import Level, Pose, correlated_noise
from osteotrace.phantoms.vertebrae import Dip, Truth, Vertebra

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.regions import Mask

# Where `make bench` puts what it runs beside osteotrace and never imports.
PEERS: Final = Path(__file__).parents[2] / "build" / "peers"
FAMILY: Final = "vertebra"
CONDITIONS: Final = {
    "CT 0.7 × 0.7 × 1 mm": ((1.0, 0.7, 0.7), "CT"),
    "CT 0.7 × 0.7 × 3 mm": ((3.0, 0.7, 0.7), "CT"),
    "MR 0.8 × 0.8 × 1 mm": ((1.0, 0.8, 0.8), "MR"),
}
# Draws of noise a phantom; rendering one takes longer than measuring it.
DRAWS: Final = 5
CONTOUR_VOXELS: Final = 0.3
PLACES: Final = ("anterior", "middle", "posterior")
PEER: Final = "TotalSegmentator measure_vertebra_heights, mask"
BOX: Final = "SimpleITK label box, mask (middle height)"
MASK: Final = f"{OURS}, mask alone"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One phantom: its truth, its image without noise, its mask."""

    truth: Truth
    clean: Array
    mask: Mask
    pose: Pose
    grid: Any


def make_case(number: int, spacing: tuple[float, float, float], modality: str) -> Case:
    """Return a phantom that its number decides."""
    draw = np.random.default_rng(FIRST_SEED + number)
    shape = _shape(number, draw)
    turned = number % 3 > 0
    pose = Pose.turned(
        pitch_deg=float(draw.uniform(-20, 20)) * turned,
        roll_deg=float(draw.uniform(-5, 5)) * turned,
        yaw_deg=float(draw.uniform(-10, 10)) * turned,
        origin=draw.uniform(-1.5, 1.5, 3).tolist(),
    )
    levels = dict(vertebrae.CT if modality == "CT" else vertebrae.MR)
    if modality == "CT":
        levels["cortex"] = Level(float(draw.uniform(500, 1000)))
        levels["trabecular"] = Level(float(draw.uniform(90, 200)), 25.0)
    grid = vertebrae.grid_around(shape, spacing, margin_mm=14.0 if turned else 6.0)
    clean = vertebrae.clean_image(shape, grid, pose=pose, levels=levels)
    mask = _drawn(shape, grid, pose, number)
    truth = vertebrae.truth(shape)
    return Case(truth=truth, clean=clean, mask=mask, pose=pose, grid=grid)


def _shape(number: int, draw: np.random.Generator) -> Vertebra:
    kind = number % 5
    depth, height = float(draw.uniform(28, 35)), float(draw.uniform(22, 29))
    anterior = height - float(draw.uniform(0, 2))
    hollow = draw.uniform(0.8, 2.0, 2)
    if kind == 1:
        anterior = height * (1 - float(draw.uniform(0.2, 0.45)))
    if kind == 2:
        hollow = draw.uniform([3.0, 2.0], [6.0, 4.0])
    if kind == 3:
        height, anterior = 0.65 * height, 0.6 * height
    dip = None
    if kind == 4:
        x, y = draw.uniform([-3.0, -5.0], [3.0, 5.0])
        dip = Dip(x=float(x), y=float(y), depth=float(draw.uniform(1.5, 4)))
    return Vertebra(
        depth=depth,
        width=1.35 * depth,
        posterior=height,
        anterior=anterior,
        hollow_superior=float(hollow[0]),
        hollow_inferior=float(hollow[1]),
        dip=dip,
        plate=float(draw.uniform(0.5, 1.2)),
        disc=float(draw.uniform(5, 9)),
    )


def _drawn(shape: Vertebra, grid: Any, pose: Pose, seed: int) -> Mask:
    """Return the body as a segmenter draws it: its contour a little off everywhere."""
    inside = vertebrae.body(shape)
    off = correlated_noise(
        grid.shape,
        grid.spacing,
        sd=CONTOUR_VOXELS,
        correlation_fwhm_mm=(6.0, 6.0, 6.0),
        seed=seed,
    )
    shift = (off * float(np.mean(grid.spacing))).ravel()
    return true_mask(lambda points: inside(points) - shift, grid, pose=pose, role="body")


def box_height(mask: Mask) -> float:
    """Return the height of the mask's bounding box, mm: what a label box gives."""
    import SimpleITK as sitk

    shape = sitk.LabelShapeStatisticsImageFilter()
    image = sitk.GetImageFromArray(mask.voxels.astype(np.uint8))
    image.SetSpacing([float(x) for x in mask.grid.spacing[::-1]])
    shape.Execute(image)
    return float(shape.GetBoundingBox(1)[5] * image.GetSpacing()[2])


@cache
def peer_module() -> Any | None:
    """Return TotalSegmentator's height module, or None where `make bench` did not run.

    Its function needs numpy alone; what the module imports besides is left out.
    """
    path = PEERS / "totalsegmentator" / "spine_report" / "measure_verte_height.py"
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("peer_heights", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    unneeded = (
        "nibabel",
        "totalsegmentator",
        "totalsegmentator.nifti_ext_header",
        "totalsegmentator.spine_report",
        "totalsegmentator.spine_report.utils",
    )
    with patch.dict(sys.modules, {name: MagicMock() for name in unneeded}):
        spec.loader.exec_module(module)
    return module


def peer_heights(case: Case) -> Array | None:
    """Return TotalSegmentator's anterior, middle and posterior height, or None.

    Its own code on the mask's sagittal slice, at 15, 50 and 85 % of the depth, with the
    true axis of the body; None where it is not installed.
    """
    spine = peer_module()
    if spine is None:
        return None
    # (left-right, front-back, up), patient axes; anterior is at 85 % in its order.
    voxels = case.mask.voxels.transpose(2, 1, 0)[:, ::-1]
    spacing = np.array(case.mask.grid.spacing)[::-1]
    middle = voxels[round(float(np.argwhere(voxels)[:, 0].mean()))]
    y, z = np.argwhere(voxels)[:, 1:].mean(axis=0)
    up = case.pose.rotation[:, 2] * [1.0, -1.0, 1.0]
    across = np.array([0.0, -up[2], up[1]])
    rows = spine.measure_vertebra_heights(
        middle, y, z, up / spacing, across / spacing, spacing
    )
    found = np.array([row["height_mm"] for row in rows.values()])
    ends = [rows[name]["measure_point"] for name in rows]
    # Its order follows the horizontal axis: sort by the front-back place.
    return found[np.argsort([-place[0] for place in ends])]


def rows(repeats: int) -> list[Row]:
    """Return the rows of the accuracy table."""
    table = []
    for condition, (spacing, modality) in CONDITIONS.items():
        table += _condition_rows(condition, spacing, modality, repeats)
    return table


def _condition_rows(
    condition: str, spacing: tuple[float, float, float], modality: str, repeats: int
) -> list[Row]:
    errors: dict[str, list[float]] = {}
    covered: dict[str, list[bool]] = {}
    grades: list[bool] = []
    seconds: list[float] = []
    for number in range(max(2, repeats // DRAWS)):
        case = make_case(number, spacing, modality)
        true = np.array([case.truth.anterior, case.truth.middle, case.truth.posterior])
        alone = vertebra.from_mask(case.mask, level="L1")
        _note(MASK, alone, case.truth, errors, covered)
        errors.setdefault(BOX, []).append(box_height(case.mask) - float(true[1]))
        peer = peer_heights(case)
        if peer is not None:
            errors.setdefault(PEER, []).append(float(peer[1] - true[1]))
        for draw in range(DRAWS):
            volume = noisy(
                case.clean,
                case.grid,
                noise=(15.0, 30.0, 45.0)[draw % 3] if modality == "CT" else 10.0,
                correlation_fwhm_mm=(1.0,) * 3 if draw % 2 else (0.0,) * 3,
                modality=modality,
                seed=1000 * number + draw,
            )
            start = time.perf_counter()
            reading = vertebra.from_mask(case.mask, level="L1", volume=volume)
            seconds.append(time.perf_counter() - start)
            _note(OURS, reading, case.truth, errors, covered)
            grades += _grade_right(reading, case.truth)
    return _as_rows(condition, errors, covered, grades, seconds, spacing[0])


def _note(
    method: str,
    reading: vertebra.VertebraReading,
    truth: Truth,
    errors: dict[str, list[float]],
    covered: dict[str, list[bool]],
) -> None:
    names = {f"height_{where}": getattr(truth, where) for where in PLACES}
    names |= {
        "height_loss_own_anterior": truth.loss_anterior,
        "height_loss_own_middle": truth.loss_middle,
    }
    for name, true in names.items():
        row = reading.reading[name]
        assert isinstance(row, Measurement)
        key = f"{method}|{'loss' if 'loss' in name else 'height'}"
        errors.setdefault(f"{method}|{name}", []).append(row.value - float(true))
        low, high = row.interval95 or (0.0, 0.0)
        covered.setdefault(key, []).append(bool(low <= true <= high))


def _grade_right(reading: vertebra.VertebraReading, truth: Truth) -> list[bool]:
    """Tell whether the grade is right, where the truth is clear of every cut."""
    losses = {"anterior": truth.loss_anterior, "middle": truth.loss_middle}
    for where, true in losses.items():
        row = reading.reading[f"height_loss_own_{where}"]
        assert isinstance(row, Measurement)
        assert row.uncertainty is not None
        if min(abs(true - cut) for cut in CUTS) <= 1.96 * row.uncertainty:
            return []
    grade = reading.reading["genant_grade"]
    assert isinstance(grade, Measurement)
    worst = max(losses.values())
    return [grade.value == grade_range(worst, worst)[0]]


def _as_rows(
    condition: str,
    errors: dict[str, list[float]],
    covered: dict[str, list[bool]],
    grades: list[bool],
    seconds: list[float],
    slice_mm: float,
) -> list[Row]:
    thin = slice_mm <= 1.0
    table = []
    for method in (OURS, MASK):
        for kind, unit in (("height", "mm"), ("loss", "points")):
            cover = float(np.mean(covered[f"{method}|{kind}"]))
            for key, values in errors.items():
                if not key.startswith(f"{method}|height_{'loss' * (kind == 'loss')}"):
                    continue
                if (kind == "loss") != ("loss" in key):
                    continue
                goal, met = "", None
                if method == OURS:
                    goal, met = _goal(kind, values, thin)
                    met = met and 0.90 <= cover <= 0.98
                table.append(
                    Row(
                        family=FAMILY,
                        quantity=key.split("|")[1],
                        condition=condition,
                        method=method,
                        reached=bias_and_sd(values, unit, places=2),
                        goal=goal,
                        met=met,
                        coverage=cover,
                    )
                )
    for method in (PEER, BOX):
        if method in errors:
            table.append(
                Row(
                    family=FAMILY,
                    quantity="height_middle",
                    condition=condition,
                    method=method,
                    reached=bias_and_sd(errors[method], "mm", places=2),
                )
            )
    right = f"{sum(grades)} of {len(grades)} right"
    table.append(
        Row(
            family=FAMILY,
            quantity="genant_grade",
            condition=condition,
            method=OURS,
            reached=right,
            goal="right where the truth is over 1.96 u from a cut",
            met=all(grades),
        )
    )
    middle = 1000 * float(np.median(seconds))
    table.append(
        Row(
            family=FAMILY,
            quantity="time",
            condition=condition,
            method=OURS,
            reached=f"{middle:.0f} ms",
            goal="≤ 100 ms",
            met=middle <= 100,
        )
    )
    return table


def _goal(kind: str, values: list[float], thin: bool) -> tuple[str, bool]:
    bias, spread = abs(float(np.mean(values))), float(np.std(values, ddof=1))
    if kind == "height":
        limit = 0.15 if thin else 0.5
        words = f"{'bias within ±0.1, ' * thin}SD ≤ {limit} mm, coverage 90–98 %"
        return words, spread <= limit and (bias <= 0.1 or not thin)
    limit = 1.0 if thin else 3.0
    return f"SD ≤ {limit:.0f} points, coverage 90–98 %", spread <= limit
