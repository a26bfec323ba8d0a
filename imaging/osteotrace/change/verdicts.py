"""Two readings of one quantity to a verdict: changed, within error, not comparable.

Two readings compare only where they are of one quantity, unit, method and definition and
nothing speaks against either. The change counts beyond the repeatability coefficient, or
beyond what both uncertainties leave open where that is more; a coefficient that a site
found on repeated scans stands alone.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from osteotrace.change.published import default_repeatability
from osteotrace.change.repeatability import (
    ONE_READER,
    Conditions,
    Placing,
    Repeatability,
    coefficient,
)
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.bone_sides import COARSE
from osteotrace.measurements.measurement import (
    COVERAGE_FACTOR_95,
    Measurement,
    NotMeasured,
    shown,
    shown_range,
)

if TYPE_CHECKING:
    from collections.abc import Collection

Verdict = Literal["increased", "decreased", "within measurement error", "not comparable"]
WITHIN: Final = "within measurement error"

# Definitions of these tell what was found beside how: lengths in mm and levels in HU are
# the reading's own there, and two readings compare without them.
_TELLING: Final = (
    *("palatal_gap_ap", "palatal_gap_transverse", "palatal_gap_on_line"),
    *("gas_volume", "cement_volume"),
)
# Those of classes are reasons and no definition at all.
_CLASSES: Final = ("genant_grade", "deformity_type")
_OWN_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)? (?:mm|HU)\b")
# Rounding of a difference, relative to the values: a change of just RC is within it.
_ROUNDING: Final = 1e-9
# Densities compare in this unit only.
_HOUNSFIELD: Final = "[hnsf'U]"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a quantity between two readings.

    Parameters
    ----------
    name : str
        Key of `osteotrace.codes.QUANTITIES`.
    verdict : str
    unit : str
        Of the values; empty where neither was measured.
    earlier, later : float or None
        The values; None where not measured.
    delta : float or None
        Later less earlier; None where they do not compare.
    between : (low, high) or None
        Least and greatest change where only ranges are known: delta is then that of
        their middles.
    percent : float or None
        Delta over the earlier value; None where that is zero, or for ranges.
    limit : float or None
        What the change has to exceed, in the unit.
    limit_origin : str
        Where the limit comes from: a source, ``assumed``, or the uncertainties.
    reason : str
        Why the two do not compare.
    notes : tuple of str
        What to mind about the limit.
    """

    name: str
    verdict: Verdict
    unit: str = ""
    earlier: float | None = None
    later: float | None = None
    delta: float | None = None
    between: tuple[float, float] | None = None
    percent: float | None = None
    limit: float | None = None
    limit_origin: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.as_text}"

    @property
    def as_text(self) -> str:
        """The change as people read it."""
        if self.verdict == "not comparable":
            return f"not comparable: {self.reason}"
        assert self.delta is not None
        assert self.limit is not None
        by = f"{'+' if self.delta >= 0 else ''}{shown(self.delta, self.unit, None)}"
        if self.between is not None:
            by = f"by {shown_range(*self.between, self.unit)}"
        if self.percent is not None and self.unit != "%":
            by += f", {self.percent:+z.0f} %"
        limit = shown(self.limit, self.unit, None)
        return f"{self.verdict} ({by}; repeatability {limit}, {self.limit_origin})"


def change(
    earlier: Measurement | NotMeasured,
    later: Measurement | NotMeasured,
    *,
    same_reader: bool,
    points: Placing = "clicked",
    slice_mm: float | None = None,
    voxel_mm: float | None = None,
    u_registration: float = 0.0,
    repeatability: Repeatability | None = None,
    accepted_flags: Collection[str] = (),
) -> Change:
    """Return what became of a quantity, and whether that is more than reading it twice.

    Parameters
    ----------
    earlier, later : Measurement or NotMeasured
        Two readings of one quantity of one lesion.
    same_reader : bool
        True where one person made both.
    points, slice_mm, voxel_mm
        As in `Conditions`: what the coefficient of a length depends on.
    u_registration : float
        Standard uncertainty that aligning both dates adds, in the unit of the value.
    repeatability : Repeatability, optional
        A site's own (`site_repeatability`); by default the published or assumed one.
    accepted_flags : collection of str
        Flags that a reader has looked at and let pass.

    Raises
    ------
    OsteotraceError
        If a site's coefficient is of another quantity, or `u_registration` is negative
        or not finite.
    """
    if not 0 <= u_registration < math.inf:
        raise OsteotraceError(
            f"an uncertainty of the registration of {u_registration}",
            expected="a finite number, zero or more",
            advice="give the standard uncertainty in the unit of the value",
            usage=True,
        )
    told = repeatability or default_repeatability(earlier.name)
    if repeatability is not None and earlier.name not in repeatability.quantities:
        raise OsteotraceError(
            f"the repeatability of {', '.join(repeatability.quantities)}",
            expected=f"that of {earlier.name}",
            advice="give the coefficient of the quantity that is compared",
            usage=True,
        )
    reason = why_not_comparable(earlier, later, accepted_flags=accepted_flags)
    reason = reason or _why_no_coefficient(told, earlier)
    if reason or told is None:
        return _not_comparable(earlier, later, reason)
    assert isinstance(earlier, Measurement)
    assert isinstance(later, Measurement)
    conditions = Conditions(
        same_reader=same_reader,
        same_images=bool(earlier.sources) and set(earlier.sources) == set(later.sources),
        points=points,
        slice_mm=slice_mm,
        voxel_mm=voxel_mm,
    )
    limit = _limit(told, earlier, later, conditions, u_registration)
    if isinstance(limit, str):
        return _not_comparable(earlier, later, limit)
    found = _judged(earlier, later, limit)
    if conditions.same_images and found.verdict in ("increased", "decreased"):
        return _not_comparable(earlier, later, _of_reading(found))
    return found


def _of_reading(found: Change) -> str:
    """Return why two readings of the same images, however far apart, are no change."""
    assert found.delta is not None
    by = shown_range(*found.between, found.unit) if found.between else ""
    by = by or f"{'+' if found.delta >= 0 else ''}{shown(found.delta, found.unit, None)}"
    return f"the same images read twice differ by {by}: a reading difference, no change"


def why_not_comparable(
    earlier: Measurement | NotMeasured,
    later: Measurement | NotMeasured,
    *,
    accepted_flags: Collection[str] = (),
) -> str:
    """Return why two readings do not compare; empty where they do."""
    if earlier.name != later.name:
        return f"{earlier.name} and {later.name} are two quantities"
    for when, one in (("earlier", earlier), ("later", later)):
        if isinstance(one, NotMeasured):
            return f"not measured at the {when} date: {one.reason}"
    assert isinstance(earlier, Measurement)
    assert isinstance(later, Measurement)
    if earlier.unit != later.unit:
        return f"one is in {earlier.unit}, the other in {later.unit}"
    if earlier.method != later.method:
        return (
            f"read by two methods: {earlier.method.name} {earlier.method.version} and "
            f"{later.method.name} {later.method.version}"
        )
    if _definition(earlier) != _definition(later):
        return (
            f"two definitions: {earlier.definition or 'none'}; and: "
            f"{later.definition or 'none'}"
        )
    # Slices that are coarse at both dates alike are within both uncertainties.
    alike = {flag for flag in earlier.flags if COARSE in flag} & set(later.flags)
    for when, one in (("earlier", earlier), ("later", later)):
        flags = [flag for flag in one.flags if flag not in {*accepted_flags, *alike}]
        if flags:
            return f"the {when} value is flagged: {'; '.join(flags)}"
    return ""


def _definition(one: Measurement) -> str:
    """Return what was measured, without what each reading tells of itself."""
    if one.name in _CLASSES:
        return ""
    if one.name not in _TELLING:
        return one.definition
    return _OWN_NUMBER.sub("", one.definition)


def _why_no_coefficient(
    told: Repeatability | None, one: Measurement | NotMeasured
) -> str:
    if told is None:
        return f"no repeatability of {one.name} is known: give the site's own"
    if told.use == "never":
        return f"{told.subject} is not followed over time: {told.published}"
    if told.use == "category":
        return f"a class, no quantity: {told.note or told.published}"
    if told.use == "site only":
        unit = one.unit if isinstance(one, Measurement) else _HOUNSFIELD
        why = f"; {told.note}" if unit != _HOUNSFIELD else ""
        return f"only a site's own repeatability holds for {told.subject}{why}"
    return ""


class _Limit(msgspec.Struct, frozen=True, kw_only=True):
    """What a change has to exceed, where that comes from, and what to mind."""

    value: float
    origin: str
    notes: tuple[str, ...]


def _limit(
    told: Repeatability,
    earlier: Measurement,
    later: Measurement,
    conditions: Conditions,
    u_registration: float,
) -> _Limit | str:
    """Return what a change has to exceed, or why nothing is known of it."""
    values = [
        coefficient(formula, earlier.value, later.value, earlier.unit, conditions)
        for formula in told.formulas(conditions)
    ]
    for value in values:
        if isinstance(value, str):
            return value
    largest = max((v for v in values if isinstance(v, float)), default=None)
    if largest is None:
        return f"no repeatability of {earlier.name} is known for such a pair"
    origin = "assumed" if told.is_assumed(conditions) else told.source
    of_one = (ONE_READER,) if told.is_of_one_reader(conditions) else ()
    notes = tuple(dict.fromkeys(filter(None, (told.note, *of_one))))
    own = COVERAGE_FACTOR_95 * math.hypot(
        earlier.uncertainty or 0, later.uncertainty or 0
    )
    if own > largest and told.scanned_twice:
        notes = (
            *notes,
            f"both uncertainties leave {_digits(own, earlier.unit)} open: most does not "
            "change",
        )
    elif own > largest:
        alone = _digits(largest, earlier.unit)
        notes = (*notes, f"the repeatability alone, {origin}, is less: {alone}")
        largest, origin = own, "1.96 times both uncertainties"
    if u_registration:
        largest = math.hypot(largest, COVERAGE_FACTOR_95 * u_registration)
        origin += ", with the registration"
    return _Limit(value=largest, origin=origin, notes=notes)


def _digits(value: float, unit: str) -> str:
    """Return three digits of a limit and its unit: a note, not a result."""
    return f"{value:.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"


def _judged(earlier: Measurement, later: Measurement, limit: _Limit) -> Change:
    """Return the verdict on two values, or on two ranges."""
    delta = later.value - earlier.value
    ranges = earlier.is_range or later.is_range
    low, high = _reach(earlier, later)
    beyond = limit.value + _ROUNDING * max(1.0, abs(earlier.value), abs(later.value))
    verdict: Verdict = WITHIN
    if low > beyond:
        verdict = "increased"
    elif high < -beyond:
        verdict = "decreased"
    elif low < -beyond or high > beyond:
        spoken = shown_range(low, high, earlier.unit)
        return _not_comparable(
            earlier, later, f"only ranges: the change may be any from {spoken}"
        )
    return Change(
        name=earlier.name,
        verdict=verdict,
        unit=earlier.unit,
        earlier=earlier.value,
        later=later.value,
        delta=delta,
        between=(low, high) if ranges else None,
        percent=100 * delta / abs(earlier.value)
        if earlier.value and not ranges
        else None,
        limit=limit.value,
        limit_origin=limit.origin,
        notes=limit.notes,
    )


def _reach(earlier: Measurement, later: Measurement) -> tuple[float, float]:
    """Return the least and the greatest change: one number where both are values."""
    ends = []
    for one in (earlier, later):
        whole = one.interval95 if one.is_range else None
        ends.append(whole or (one.value, one.value))
    (first_low, first_high), (last_low, last_high) = ends
    return last_low - first_high, last_high - first_low


def _not_comparable(
    earlier: Measurement | NotMeasured, later: Measurement | NotMeasured, reason: str
) -> Change:
    values = [one for one in (earlier, later) if isinstance(one, Measurement)]
    return Change(
        name=earlier.name,
        verdict="not comparable",
        unit=values[0].unit if values else "",
        earlier=earlier.value if isinstance(earlier, Measurement) else None,
        later=later.value if isinstance(later, Measurement) else None,
        reason=reason,
    )
