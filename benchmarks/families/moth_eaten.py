"""Moth-eaten destruction on jaws of known loss, and the layers on and around a bone.

Beside the breach fraction stand what is published or obvious: porosity under a fixed HU
number, holes under a half-way threshold, and texture (local SD, and the contrast of
scikit-image's grey-level co-occurrence matrix) of the same region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from families.table import FIRST_SEED, OURS, Row, bias_and_sd
from osteotrace.measurements import cortex, moth_eaten, rims
from osteotrace.measurements.bone_envelope import open_window
from osteotrace.measurements.cortical_surface import cortical_surface, profiles
from osteotrace.measurements.measurement import Measurement
from osteotrace.phantoms import in_memory
from osteotrace.phantoms.cortices import EatenJaw
from osteotrace.phantoms.rims import PeriostealBone, RimmedLesion
from osteotrace.phantoms.walls import Walls, photograph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.measurements.bone_envelope import Window
    from osteotrace.measurements.measurement import LesionReading
    from osteotrace.volume import Volume

FAMILY: Final = "moth-eaten"
# Jaws that are rendered; each is drawn several times under noise.
# Scenes of what is slower to render than to measure: one for this many repeats.
FEWER: Final = 8
MOST_JAWS: Final = 72
MOST_SCENES: Final = 24
MOST_SIDES: Final = 10
WIDTHS_MM: Final = (0.75, 1.0, 1.5, 2.2, 3.0)
SPACINGS: Final = ((0.5, 0.4, 0.4), (0.6, 0.5, 0.5), (1.0, 0.5, 0.5))
CORRELATED: Final = (1.0, 1.0, 1.0)
FIXED_HU: Final = 300.0
GREY_LEVELS: Final = 32

POROSITY: Final = "porosity under 300 HU"
THRESHOLD: Final = "holes under the half-way threshold"
LOCAL_SD: Final = "local SD"
GLCM: Final = "GLCM contrast (scikit-image)"
METHODS: Final = (OURS, THRESHOLD, POROSITY, LOCAL_SD, GLCM)


@dataclass(frozen=True, slots=True)
class _Draw:
    """One noisy jaw: what is true of it, and what each method reads."""

    jaw: EatenJaw
    number: int
    noise: float
    truth: float
    covered: bool
    read: dict[str, float]


def rows(repeats: int) -> list[Row]:
    """Return the rows of the family.

    Parameters
    ----------
    repeats : int
        Noisy jaws for the breach fraction; a scene of each other quantity for `FEWER`.
    """
    draws = _draws(repeats)
    few = max(12, repeats // FEWER)
    return [
        *_separation(draws),
        *_order(draws),
        *_noise(draws),
        *_coverage(draws),
        *_lucent(few),
        *_thickness(few),
        *_rim(few),
        *_periosteum(few),
    ]


def _jaw(number: int) -> EatenJaw:
    """Return a jaw: intact, osteoporotic, just eaten, or eaten by 3 to 30 %."""
    generator = np.random.default_rng([number, 77])
    kind = number % 6
    share = (0.0, 0.0, 0.02, 0.02)[kind] if kind < 4 else generator.uniform(0.03, 0.3)
    # Every third round of intact and just eaten jaws is as thin as they come.
    width = 0.75 if kind < 4 and number // 6 % 3 == 0 else generator.choice(WIDTHS_MM)
    return EatenJaw(
        density="normal" if kind in (0, 2, 4) else "osteoporotic",
        cortex_mm=float(width),
        destroyed=float(share),
        lucent=float(generator.uniform(0, 0.2)) if kind > 1 else 0.0,
        spacing=SPACINGS[number // 6 % 3],
        seed=1000 + number,
    )


def _draws(repeats: int) -> list[_Draw]:
    count = min(MOST_JAWS, max(12, repeats // 4))
    each = max(2, 2 * round(repeats / (2 * count)))
    found = []
    for number in range(FIRST_SEED, FIRST_SEED + count):
        jaw = _jaw(number)
        clean, grid, region = jaw.clean(), jaw.grid, jaw.region()
        for draw in range(each):
            noise = 30.0 if draw % 2 == 0 else 60.0
            volume = in_memory.noisy(
                clean,
                grid,
                noise=noise,
                correlation_fwhm_mm=CORRELATED
                if (draw // 2 + number) % 2
                else (0.0,) * 3,
                seed=100 * number + draw,
            )
            value = moth_eaten.measure(volume, region).value
            if not isinstance(value, Measurement):
                raise RuntimeError(str(value))
            truth = 100 * jaw.holes.share
            # The peers are far from the goal on a tenth of the draws as well.
            peers = _peers(open_window(volume, region)) if draw < 2 else {}
            found.append(
                _Draw(
                    jaw, number, noise, truth, _holds(value, truth),
                    {OURS: value.value, **peers},
                )
            )  # fmt: skip
    return found


def _holds(value: Measurement, truth: float) -> bool:
    assert value.interval95 is not None
    return value.interval95[0] - 1e-9 <= truth <= value.interval95[1]


def _peers(window: Window) -> dict[str, float]:
    from scipy.ndimage import uniform_filter
    from skimage.feature import graycomatrix, graycoprops

    surface = cortical_surface(window)
    inside = surface.filled & window.region
    values = window.even[inside]
    mean, square = (uniform_filter(window.even**k, 5) for k in (1, 2))
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    t = np.arange(-3.0, 1.5, 0.3)
    shown = profiles(window, surface.points, surface.normals, t).max(axis=1)
    holes = surface.in_region & (shown < surface.levels.at(0.5))
    scaled = np.clip((window.even + 200.0) / 1800.0, 0, 0.999) * GREY_LEVELS
    where = np.flatnonzero(inside.any(axis=(1, 2)))
    contrast = [
        graycoprops(
            graycomatrix(
                scaled[k].astype(np.uint8), [1], [0, np.pi / 2], levels=GREY_LEVELS,
                symmetric=True, normed=True,
            ),
            "contrast",
        ).mean()
        for k in where[:: max(1, len(where) // 8)]
    ]  # fmt: skip
    return {
        THRESHOLD: 100 * float(surface.area[holes].sum()) / surface.whole_area,
        POROSITY: 100 * float((values < FIXED_HU).mean()),
        LOCAL_SD: float(spread[inside].mean()),
        GLCM: float(np.mean(contrast)),
    }


def _area_under_curve(low: Sequence[float], high: Sequence[float]) -> float:
    """Return the share of pairs in the right order, ties half."""
    a, b = np.array(low)[:, None], np.array(high)[None, :]
    return float(((b > a) + 0.5 * (b == a)).mean())


def _separation(draws: list[_Draw]) -> list[Row]:
    made = []
    groups = {
        "2 % against intact": [d for d in draws if d.jaw.density == "normal"],
        "2 % against every osteoporotic": draws,
        "2 % against intact, cortex of 0.75 mm": [
            d for d in draws if d.jaw.cortex_mm == 0.75
        ],
    }
    for condition, group in groups.items():
        osteoporotic = condition.endswith("osteoporotic")
        for method in METHODS:
            seen = [d for d in group if method in d.read]
            low = [
                d.read[method]
                for d in seen
                if not d.jaw.destroyed
                and (not osteoporotic or d.jaw.density == "osteoporotic")
            ]
            high = [d.read[method] for d in seen if d.jaw.destroyed == 0.02]
            if not low or not high:
                continue
            area = _area_under_curve(low, high)
            ours = method == OURS
            made.append(
                Row(
                    family=FAMILY,
                    quantity="breach fraction",
                    condition=condition,
                    method=method,
                    reached=f"AUC {area:.2f} ({len(low)} + {len(high)})",
                    goal="AUC 1.00" if ours else "",
                    met=area == 1.0 if ours else None,
                )
            )
    return made


def _order(draws: list[_Draw]) -> list[Row]:
    from scipy.stats import spearmanr

    made = []
    for method in METHODS:
        seen = [d for d in draws if method in d.read and d.truth >= 2.9]
        if len(seen) < 5:
            continue
        rho = float(spearmanr([d.truth for d in seen], [d.read[method] for d in seen])[0])
        ours = method == OURS
        made.append(
            Row(
                family=FAMILY,
                quantity="breach fraction",
                condition="order of 3 to 30 % destroyed",
                method=method,
                reached=f"rho {rho:.3f} ({len(seen)})",
                goal="rho ≥ 0.98" if ours else "",
                met=rho >= 0.98 if ours else None,
            )
        )
    return made


def _noise(draws: list[_Draw]) -> list[Row]:
    made = []
    for method in METHODS:
        moved = []
        for number in {d.number for d in draws if d.truth >= 5}:
            own = [d for d in draws if d.number == number and method in d.read]
            quiet, loud = (
                np.mean([d.read[method] for d in own if d.noise == n]) for n in (30, 60)
            )
            moved.append(100 * abs(float(loud / quiet) - 1))
        if not moved:
            continue
        ours = method == OURS
        made.append(
            Row(
                family=FAMILY,
                quantity="breach fraction",
                condition="30 to 60 HU, 5 % destroyed or more",
                method=method,
                reached=f"moves {np.median(moved):.1f} % (most {max(moved):.1f} %)",
                goal="< 10 %" if ours else "",
                met=max(moved) < 10 if ours else None,
            )
        )
    return made


def _coverage(draws: list[_Draw]) -> list[Row]:
    covered = float(np.mean([d.covered for d in draws]))
    errors = [d.read[OURS] - d.truth for d in draws]
    return [
        Row(
            family=FAMILY,
            quantity="breach fraction",
            condition="all, against the true share of the cortex",
            method=OURS,
            reached=bias_and_sd(errors, "%", places=2),
            goal="90–98 % of intervals hold the truth",
            met=0.90 <= covered <= 0.98,
            coverage=covered,
        )
    ]


def _row(
    quantity: str,
    condition: str,
    unit: str,
    pairs: list[tuple[Measurement, float]],
    goal: str = "",
) -> Row:
    errors = [value.value - truth for value, truth in pairs]
    covered = float(np.mean([_holds(value, truth) for value, truth in pairs]))
    met = abs(float(np.mean(errors))) <= 0.01 if goal else None
    return Row(
        family=FAMILY,
        quantity=quantity,
        condition=condition,
        method=OURS,
        reached=bias_and_sd(errors, unit, places=2),
        goal=goal,
        met=met,
        coverage=covered,
    )


def _noisy(clean: np.ndarray, scene: object, seed: int) -> Volume:
    return in_memory.noisy(
        clean,
        scene.grid,  # type: ignore[attr-defined]
        noise=30.0,
        correlation_fwhm_mm=CORRELATED if seed % 2 else (0.0,) * 3,
        seed=seed,
    )


def _kept(
    reading: LesionReading, name: str, truth: float
) -> list[tuple[Measurement, float]]:
    value = reading[name]
    return [(value, truth)] if isinstance(value, Measurement) else []


def _lucent(repeats: int) -> list[Row]:
    pairs = []
    count = min(MOST_SIDES, max(2, repeats // 4))
    for number in range(count):
        share = float(np.random.default_rng([number, 5]).uniform(0.03, 0.3))
        jaw = EatenJaw(lucent=share, both_sides=True, seed=number, half_length_mm=9.0)
        clean, region, other = jaw.clean(), jaw.region(), jaw.region(other_side=True)
        for draw in range(max(1, repeats // (4 * count))):
            volume = _noisy(clean, jaw, 50 * number + draw)
            reading = moth_eaten.measure(volume, region, reference=other)
            truth = 100 * jaw.caverns.share
            pairs += _kept(reading, "trabecular_lucent_fraction", truth)
    return [_row("lucent fraction", "3 to 30 % of the marrow", "%", pairs)]


def _thickness(repeats: int) -> list[Row]:
    fixed, direct = [], []
    for seed in range(repeats):
        generator = np.random.default_rng([seed, 9])
        width = float(generator.choice([0.5, 0.75, 1.0, 1.5, 2.0, 3.0]))
        walls = Walls(
            gap_mm=20.0, depth_mm=width, wall=1300.0, spacing=SPACINGS[seed % 3],
            normal=tuple((generator.normal(size=3) * 0.2 + [0, 1, 0]).tolist()),
            correlation_fwhm_mm=CORRELATED if seed % 2 else (0.0,) * 3,
        )  # fmt: skip
        offset = float(generator.uniform(0, 0.5))
        volume = photograph(walls, offset=offset, seed=seed)
        start, end = walls.edges(offset)
        into = -(end - start) / np.linalg.norm(end - start)
        outer = end - width * into + generator.normal(0, 0.3, 3)
        reading = cortex.thickness(volume, outer, into, density=1300.0)
        fixed += _kept(reading, "cortical_thickness", width)
        line = outer + np.arange(-3, 5, 0.1)[:, None] * into
        index = np.round(volume.grid.to_index(line)).astype(int)
        grey = volume.rescaled()[tuple(index.T)]
        half = 0.5 * (50.0 + grey.max())
        direct.append(0.1 * float((grey > half).sum()) - width)
    return [
        _row("cortical thickness", "0.5 to 3 mm, density known", "mm", fixed,
             "bias 0.00 ± 0.01 mm"),
        Row(family=FAMILY, quantity="cortical thickness", condition="0.5 to 3 mm",
            method="width at half maximum", reached=bias_and_sd(direct, "mm", places=2)),
    ]  # fmt: skip


def _rim(repeats: int) -> list[Row]:
    widths, covers = [], []
    count = min(MOST_SCENES, max(4, repeats // 8))
    for number in range(count):
        generator = np.random.default_rng([number, 3])
        scene = RimmedLesion(
            rim_mm=float(generator.uniform(0.8, 3.0)),
            covered=float(generator.choice([1.0, generator.uniform(0.3, 0.9)])),
            radius_mm=float(generator.uniform(4.5, 7.0)),
            spacing=SPACINGS[number % 3],
            seed=number,
        )
        clean, mask = scene.clean(), scene.mask()
        for draw in range(max(1, repeats // count)):
            reading = rims.sclerotic_rim(_noisy(clean, scene, 50 * number + draw), mask)
            widths += _kept(reading, "sclerotic_rim_thickness", scene.rim_mm)
            share = 100 * scene.covered
            covers += _kept(reading, "sclerotic_rim_completeness", share)
    return [
        _row("rim thickness", "0.8 to 3 mm", "mm", widths),
        _row("rim completeness", "30 to 100 %", "%", covers),
    ]


def _periosteum(repeats: int) -> list[Row]:
    heights, lengths = [], []
    count = min(MOST_SCENES, max(4, repeats // 8))
    for number in range(count):
        generator = np.random.default_rng([number, 4])
        height = float(generator.uniform(1.3, 3.5))
        scene = PeriostealBone(
            thickness_mm=height,
            length_mm=float(generator.uniform(12.0, 18.0)),
            gap_mm=float(generator.choice([0.0, 1.0])) if height > 2.2 else 0.0,
            cortex_mm=float(generator.uniform(1.5, 3.0)),
            spacing=SPACINGS[number % 3],
            seed=number,
        )
        clean, mask = scene.clean(), scene.region()
        for draw in range(max(1, repeats // count)):
            volume = _noisy(clean, scene, 50 * number + draw)
            reading = rims.periosteal_reaction(volume, mask)
            heights += _kept(reading, "periosteal_thickness", height)
            lengths += _kept(reading, "periosteal_length", scene.length_mm)
    return [
        _row("periosteal thickness", "1.3 to 3.5 mm", "mm", heights),
        _row("periosteal length", "12 to 18 mm", "mm", lengths),
    ]
