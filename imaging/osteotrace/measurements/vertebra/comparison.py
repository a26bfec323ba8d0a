"""Levels beside each other and beside a prior: losses, grade, angles.

The reference of a level is the mean of the nearest intact level above and below, each
within three levels. Heights of two definitions or methods are never compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import (
    LesionReading,
    Measurement,
    Method,
    NotMeasured,
    measured,
    not_measured,
)
from osteotrace.measurements.vertebra import levels
from osteotrace.measurements.vertebra.angles import kyphosis_deg
from osteotrace.measurements.vertebra.grading import (
    Loss,
    deformity_type,
    proposed_grade,
)
from osteotrace.measurements.vertebra.quantities import own_losses
from osteotrace.measurements.vertebra.records import WHERE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from osteotrace.measurements.vertebra.records import VertebraReading

    Readings = Mapping[str, VertebraReading]
    Row = Measurement | NotMeasured

METHOD: Final = Method(name="osteotrace vertebra, levels compared", version="1")
ONE_SIDED: Final = (
    "one_sided: reference on one side only; heights grow downwards, so it is biased, and "
    "no grade is proposed from it"
)
NO_NEIGHBOUR: Final = "no intact neighbour within 3 levels"
CEMENT: Final = "bone cement in the body: a new loss of its height is not judged"
GRADE_BEFORE_CEMENT: Final = "bone cement: the grade is that of the last exam before it"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    """Heights to compare with.

    Parameters
    ----------
    against : str
        In words.
    readings : tuple of VertebraReading
    flags : tuple of str
    """

    against: str
    readings: tuple[VertebraReading, ...]
    flags: tuple[str, ...] = ()


def compare_levels(
    readings: Readings,
    *,
    excluded: Collection[str] = (),
    prior: Readings | None = None,
) -> dict[str, LesionReading]:
    """Compare levels with their intact neighbours and with a prior exam.

    Parameters
    ----------
    readings : mapping
        Level to reading, all of one exam.
    excluded : collection of str
        Levels that are no reference: fractured or cemented.
    prior : mapping, optional
        Level to reading of an earlier exam.

    Returns
    -------
    dict
        Level to reading: the grade first, then losses against neighbours and prior,
        then angles.

    Raises
    ------
    OsteotraceError
        If a level is unknown, or a reading stands under another level's name.
    """
    now = _named(readings)
    before = _named(prior or {})
    out = frozenset(levels.checked(level) for level in excluded)
    intact = {
        name: reading
        for name, reading in now.items()
        if name not in out and not reading.cemented and reading.heights is not None
    }
    return {name: _compared(name, now, intact, before.get(name)) for name in now}


def _named(readings: Readings) -> dict[str, VertebraReading]:
    named = {levels.checked(name): reading for name, reading in readings.items()}
    for name, reading in named.items():
        if reading.level != name:
            raise OsteotraceError(
                f"a reading of {reading.level} under the name {name}",
                expected="each reading under its own level",
                advice="correct the names of the levels",
                usage=True,
            )
    return named


def _compared(
    name: str,
    now: Readings,
    intact: Readings,
    before: VertebraReading | None,
) -> LesionReading:
    reading = now[name]
    sources = _sources(reading)
    neighbours = _neighbours(name, intact)
    beside, first = _losses(reading, neighbours, "adjacent")
    if before is None:
        earlier: list[Row] = _refusals("prior", "no prior reading of this level", sources)
        second: list[Loss] = []
    else:
        reference = _Reference(against="the prior exam", readings=(before,))
        earlier, second = _losses(reading, reference, "prior")
    losses = list(own_losses(reading.heights)) if reading.heights is not None else []
    losses += first if len(neighbours.readings) == 2 else []
    losses += second
    return LesionReading(
        measurements=(
            *_graded(reading, losses, neighbours),
            *beside,
            *earlier,
            *_angles(name, now),
        )
    )


def _sources(*readings: VertebraReading) -> tuple[str, ...]:
    rows = [r.sources for reading in readings for r in reading.reading.measurements]
    return tuple(dict.fromkeys(source for row in rows for source in row))


def _neighbours(name: str, intact: Readings) -> _Reference:
    """Return the nearest intact level above and below, each within three levels."""
    found = []
    for side in (-1, 1):
        steps = {
            other: side * levels.steps_between(name, other)
            for other in intact
            if other != name
        }
        near = {o: s for o, s in steps.items() if 0 < s <= levels.FARTHEST_REFERENCE}
        if near:
            found.append(min(near, key=lambda other: near[other]))
    words = "the mean of " + " and ".join(found) if len(found) == 2 else "".join(found)
    return _Reference(
        against=words,
        readings=tuple(intact[other] for other in found),
        flags=(ONE_SIDED,) if len(found) == 1 else (),
    )


def _refusals(against: str, reason: str, sources: tuple[str, ...]) -> list[Row]:
    return [
        not_measured(
            f"height_loss_{against}_{where}", reason, method=METHOD, sources=sources
        )
        for where in WHERE
    ]


def _losses(
    reading: VertebraReading, reference: _Reference, against: str
) -> tuple[list[Row], list[Loss]]:
    """Return losses against a reference as measurements and as losses to grade."""
    everyone = (reading, *reference.readings)
    sources = _sources(*everyone)
    reason = _why_not(reading, reference)
    if reason:
        return _refusals(against, reason, sources), []
    assert reading.heights is not None
    flags = [*_own_flags(reading), *reference.flags]
    for other in reference.readings:
        flags += _own_flags(other)
    if reading.cemented:
        flags.append(CEMENT)
    rows: list[Row] = []
    losses = []
    for k, where in enumerate(WHERE):
        loss = _loss(reading, reference, k)
        losses.append(loss)
        rows.append(
            measured(
                f"height_loss_{against}_{where}",
                loss.value,
                "%",
                method=METHOD,
                sources=sources,
                uncertainty=loss.u,
                definition=f"100 (1 - {where} height / that of {reference.against}); "
                f"{reading.basis}",
                flags=flags,
            )
        )
    return rows, losses


def _why_not(reading: VertebraReading, reference: _Reference) -> str:
    """Return why there is no comparison; empty where there is one."""
    if not reference.readings:
        return NO_NEIGHBOUR
    for one in (reading, *reference.readings):
        if one.heights is None:
            return f"{one.level} has no heights"
        if one.heights.unit != "mm" and reference.against == "the prior exam":
            return "heights in pixels of two radiographs do not compare"
    for other in reference.readings:
        assert other.heights is not None
        assert reading.heights is not None
        if (other.method, other.basis, other.heights.unit) != (
            reading.method,
            reading.basis,
            reading.heights.unit,
        ):
            return (
                f"heights of {other.level} were read by another definition or method "
                f"({other.method.name} {other.method.version}{_end(other.basis)}) than "
                f"those of {reading.level} ({reading.method.name} "
                f"{reading.method.version}{_end(reading.basis)})"
            )
    return ""


def _end(basis: str) -> str:
    _, _, end = basis.rpartition(";")
    return f";{end}"


def _own_flags(reading: VertebraReading) -> list[str]:
    """Return what speaks against the heights of a level, with its name."""
    for row in reading.reading.measurements:
        if isinstance(row, Measurement) and row.name.startswith("height_"):
            return [f"{reading.level}: {flag}" for flag in row.flags]
    return []


def _loss(reading: VertebraReading, reference: _Reference, k: int) -> Loss:
    assert reading.heights is not None
    heights = [r.heights for r in reference.readings if r.heights is not None]
    mean = float(np.mean([h.values[k] for h in heights]))
    u_mean = float(np.sqrt(sum(h.u[k] ** 2 for h in heights))) / len(heights)
    own = float(reading.heights.values[k])
    relative = np.hypot(reading.heights.relative(k), u_mean / mean)
    return Loss(
        where=WHERE[k],
        against=reference.against,
        value=100 * (1 - own / mean),
        u=float(100 * own / mean * relative),
    )


def _graded(
    reading: VertebraReading, losses: list[Loss], neighbours: _Reference
) -> list[Row]:
    """Return grade and type from every loss that may be graded."""
    sources = _sources(reading, *neighbours.readings)
    if not losses:
        return [
            not_measured(name, "no loss of height", method=METHOD, sources=sources)
            for name in ("genant_grade", "deformity_type")
        ]
    flags = _own_flags(reading)
    if reading.cemented:
        flags.append(GRADE_BEFORE_CEMENT)
    if len(neighbours.readings) < 2:
        flags.append(
            "graded without neighbours on both sides: a crush does not show in the own "
            "posterior height"
        )
    return [
        proposed_grade(losses, method=METHOD, sources=sources, flags=flags),
        deformity_type(losses, method=METHOD, sources=sources),
    ]


def _angles(name: str, now: Readings) -> list[Row]:
    """Return kyphosis from the level above to this one, and to the one below."""
    own = now[name]
    above = _next(name, now, -1)
    below = _next(name, now, 1)
    rows: list[Row] = []
    for quantity, last, words in (
        ("local_kyphosis", own, "inferior endplate of this level"),
        ("cobb_angle", below, "inferior endplate of the level below"),
    ):
        members = [r for r in (above, own, last) if r is not None]
        sources = _sources(*members)
        reason = _why_no_angle(above, own, last)
        if reason:
            rows.append(not_measured(quantity, reason, method=METHOD, sources=sources))
            continue
        assert above is not None
        assert last is not None
        assert above.frame is not None
        assert last.frame is not None
        value, u = kyphosis_deg(above.frame, last.frame)
        rows.append(
            measured(
                quantity,
                value,
                "deg",
                method=METHOD,
                sources=sources,
                uncertainty=u,
                definition=f"superior endplate of {above.level} against {words} "
                f"({last.level}), in the sagittal plane; kyphosis positive",
                flags=[flag for r in (above, last) for flag in _own_flags(r)],
            )
        )
    return rows


def _next(name: str, now: Readings, side: int) -> VertebraReading | None:
    """Return the reading of the level next above (-1) or below (1)."""
    for other, reading in now.items():
        if 0 < side * levels.steps_between(name, other) <= 1:
            return reading
    return None


def _why_no_angle(
    above: VertebraReading | None, own: VertebraReading, last: VertebraReading | None
) -> str:
    if above is None:
        return "the level above was not measured"
    if last is None:
        return "the level below was not measured"
    if above.frame is None or last.frame is None:
        return "a level has no endplates"
    if len({above.method.name, own.method.name, last.method.name}) > 1:
        return "the endplates were read by different methods"
    return ""
