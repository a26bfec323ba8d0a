"""Height losses to a proposed Genant grade and a type of deformity.

The cuts are 20, 25 and 40 %; exactly 40 % is grade 2 to 3, on which published tables
differ. A loss nearer to a cut than 1.96 u proposes both grades.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.measurements.measurement import (
    COVERAGE_FACTOR_95,
    Measurement,
    Method,
    measured,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Losses, %, at which Genant's grades 1, 2 and 3 begin.
CUTS: Final = (20.0, 25.0, 40.0)
NO_DEFORMITY: Final = "no deformity"
TYPES: Final = (NO_DEFORMITY, "wedge", "biconcave", "crush")
# The type that the largest loss stands for, by where it is read.
_TYPE_OF: Final = {"anterior": "wedge", "middle": "biconcave", "posterior": "crush"}


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """A loss of height.

    Parameters
    ----------
    where : str
        ``"anterior"``, ``"middle"`` or ``"posterior"``.
    against : str
        What it is compared with.
    value, u : float
        %.
    """

    where: str
    against: str
    value: float
    u: float


def grade_range(low: float, high: float) -> tuple[int, int]:
    """Return the lowest and highest grade of losses from `low` to `high`, %.

    Examples
    --------
    >>> grade_range(30.0, 30.0), grade_range(40.0, 40.0), grade_range(24.0, 27.0)
    ((2, 2), (2, 3), (1, 2))
    """
    lowest = sum(low >= cut for cut in CUTS[:2]) + (low > CUTS[2])
    highest = sum(high >= cut for cut in CUTS)
    return int(lowest), int(highest)


def proposed_grade(
    losses: Sequence[Loss],
    *,
    method: Method,
    sources: tuple[str, ...],
    flags: Iterable[str] = (),
) -> Measurement:
    """Return the grade that the largest loss proposes, or the grades it lies between."""
    worst = max(losses, key=lambda loss: loss.value)
    reaches = [(x.value, COVERAGE_FACTOR_95 * x.u) for x in losses]
    ranges = [grade_range(value - reach, value + reach) for value, reach in reaches]
    low, high = max(a for a, _ in ranges), max(b for _, b in ranges)
    point = grade_range(worst.value, worst.value)[1]
    said = (
        f"proposed, not read: largest loss {worst.value:.1f} ± {worst.u:.1f} % "
        f"({worst.where} against {worst.against}); cuts 20, 25 and 40 %; "
        f"{deformity(losses)}"
    )
    if low == high:
        return measured(
            "genant_grade",
            point,
            "{grade}",
            method=method,
            sources=sources,
            uncertainty_reason="the loss lies over 1.96 u from every cut",
            definition=said,
            flags=flags,
        )
    return measured(
        "genant_grade",
        point,
        "{grade}",
        method=method,
        sources=sources,
        uncertainty_reason="only a range of grades: the loss lies within 1.96 u of a cut",
        interval95=(float(low), float(high)),
        definition=said,
        flags=flags,
    )


def deformity(losses: Sequence[Loss]) -> str:
    """Return the type of deformity in words; both where two losses are too near."""
    ranked = sorted(losses, key=lambda loss: -loss.value)
    worst = ranked[0]
    reach = COVERAGE_FACTOR_95 * worst.u
    if worst.value + reach < CUTS[0]:
        return NO_DEFORMITY
    name = _TYPE_OF[worst.where]
    for other in ranked[1:]:
        apart = worst.value - other.value
        near = apart < COVERAGE_FACTOR_95 * (worst.u**2 + other.u**2) ** 0.5
        if other.where != worst.where and near and other.value >= CUTS[0]:
            name += f" or {_TYPE_OF[other.where]}"
            break
    return name if worst.value - reach >= CUTS[0] else f"{NO_DEFORMITY} or {name}"


def deformity_type(
    losses: Sequence[Loss], *, method: Method, sources: tuple[str, ...]
) -> Measurement:
    """Return the type of deformity as a category, its words in the definition."""
    worst = max(losses, key=lambda loss: loss.value)
    words = deformity(losses)
    number = TYPES.index(_TYPE_OF[worst.where]) if worst.value >= CUTS[0] else 0
    return measured(
        "deformity_type",
        number,
        "{grade}",
        method=method,
        sources=sources,
        uncertainty_reason="a category: 0 none, 1 wedge, 2 biconcave, 3 crush",
        definition=f"{words}: the largest of the losses, from 20 %",
    )
