"""What became of each quantity of a lesion between two dates.

The verdict is `osteotrace.change.change`'s; here it gets what the two readings say of how
they were made: who read, how the points were placed, the voxels, the error that the
transform adds, and the differences for which the repeatability does not hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.change import change
from osteotrace.comparison.differences import VOLUMES, differences, in_words
from osteotrace.comparison.primary import deciding
from osteotrace.comparison.records import QuantityChange
from osteotrace.findings.dates import months_between
from osteotrace.measurements.measurement import Measurement
from osteotrace.series.acquisition import Acquisition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from osteotrace.change import Repeatability
    from osteotrace.comparison.primary import Primary
    from osteotrace.comparison.records import Difference, Link, StudyPair
    from osteotrace.comparison.study_readings import StudyReading
    from osteotrace.findings import Finding
    from osteotrace.measurements.measurement import Reading

# A change a month is told where the months between are known to within a third: the most
# that they may be is no more than twice the fewest (a choice of this project).
MOST_MONTHS_RATIO: Final = 2.0
# What of two parts makes that of the whole; lengths and shares do not add up.
ADDITIVE: Final = (
    *(
        name
        for name in VOLUMES
        if name not in ("edema_percent", "asymmetry_index_volume")
    ),
    *("area", "region_area", "palatal_gap_area", "breach_area", "breach_count"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the change of a quantity depends on beside both readings.

    Parameters
    ----------
    pairs : mapping of (earlier, later) to StudyPair
    acquisitions : mapping of str to Acquisition
        By series; with it the series of both findings are compared, else the studies.
    repeatabilities : mapping of str to Repeatability
        A site's own, by quantity.
    registration : mapping
        (assessment UID, tracking UID, quantity) to the uncertainty by the transform.
    accepted_flags : collection of str
        Flags of values that a reader has looked at and let pass.
    """

    pairs: Mapping[tuple[int, int], StudyPair] = field(default_factory=dict)
    acquisitions: Mapping[str, Acquisition] = field(default_factory=dict)
    repeatabilities: Mapping[str, Repeatability] = field(default_factory=dict)
    registration: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    accepted_flags: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A lesion at one of the two dates that are compared."""

    study: StudyReading
    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """The finding that names it."""
        return self.findings[0]

    def readings(self) -> tuple[Reading, ...]:
        """Return its values: of several parts those that add up, and the sum.

        Findings of one Tracking UID are no parts: each tells some of its values.
        """
        parts: dict[str, dict[str, Reading]] = {}
        for finding in self.findings:
            told = parts.setdefault(finding.tracking_uid, {})
            for one in finding.measurements:
                if not isinstance(told.get(one.name), Measurement):
                    told[one.name] = one
        every = list(parts.values())
        if len(every) == 1:
            return tuple(every[0].values())
        names = dict.fromkeys(name for part in every for name in part)
        sums = (_sum([p.get(n) for p in every]) for n in names if n in ADDITIVE)
        return tuple(one for one in sums if one is not None)


def _sum(parts: Sequence[Reading | None]) -> Measurement | None:
    """Return a quantity of several parts together; None where one part has none."""
    values = [one for one in parts if isinstance(one, Measurement)]
    alike = {(one.unit, one.method) for one in values}
    if len(values) < len(parts) or len(alike) > 1:
        return None
    uncertainties = [one.uncertainty for one in values]
    known = [u for u in uncertainties if u is not None]
    u = math.hypot(*known) if len(known) == len(values) else None
    return msgspec.structs.replace(
        values[0],
        value=math.fsum(one.value for one in values),
        uncertainty=u,
        uncertainty_reason="" if u is not None else "one of the parts has none",
        interval95=_interval(values),
        sources=tuple(dict.fromkeys(s for one in values for s in one.sources)),
        flags=tuple(dict.fromkeys(f for one in values for f in one.flags)),
        details=(),
        region="",
    )


def _interval(values: Iterable[Measurement]) -> tuple[float, float] | None:
    """Return the interval of a sum, both ends added up; None where one has none."""
    ends = [one.interval95 for one in values]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    return math.fsum(low for low, _ in known), math.fsum(high for _, high in known)


def quantity_changes(
    earlier: Side, later: Side, given: Circumstances, *, link: Link | None = None
) -> tuple[Primary | None, tuple[QuantityChange, ...]]:
    """Return what decides the state of a lesion, and the change of every quantity.

    Parameters
    ----------
    earlier, later : Side
    given : Circumstances
    link : Link, optional
        Why both are one lesion: where it was carried, its points were transferred.

    Returns
    -------
    Primary or None
        None where nothing was measured at both dates.
    tuple of QuantityChange
        The deciding quantity first, then by the order of the later reading. What one
        date alone has is not among them.
    """
    was = {one.name: one for one in earlier.readings()}
    now = {one.name: one for one in later.readings()}
    primary = deciding(later.first.kind, tuple(was.values()), tuple(now.values()))
    names = [name for name in now if name in was]
    if primary is not None:
        names.sort(key=lambda name: name != primary.quantity)
    told = differences_of(earlier, later, given)
    return primary, tuple(
        _quantity_change(was[name], now[name], earlier, later, given, link, told)
        for name in names
    )


def _quantity_change(
    was: Reading,
    now: Reading,
    earlier: Side,
    later: Side,
    given: Circumstances,
    link: Link | None,
    told: Sequence[Difference],
) -> QuantityChange:
    spacings = (
        earlier.study.spacing_of(earlier.first),
        later.study.spacing_of(later.first),
    )
    readers = earlier.study.assessment.reader, later.study.assessment.reader
    u = _registration(was.name, earlier, later, given)
    found = change(
        was,
        now,
        same_reader=bool(readers[0]) and readers[0] == readers[1],
        points="transferred" if _is_carried(later, given, link) else "clicked",
        slice_mm=_larger(*(each[:1] for each in spacings)),
        voxel_mm=_larger(*spacings),
        u_registration=u,
        repeatability=given.repeatabilities.get(was.name),
        accepted_flags=given.accepted_flags,
    )
    months = months_of(earlier.study, later.study)
    return QuantityChange(
        change=found,
        per_month=_per_month(found.delta, found.between, months),
        months=months,
        u_registration=u,
        uncertainties=(_u(was), _u(now)),
        inapplicable=tuple(in_words(one) for one in told if was.name in one.matters_for),
    )


def _is_carried(later: Side, given: Circumstances, link: Link | None) -> bool:
    """Tell whether the later marks were carried forward and fitted anew."""
    uid = later.study.assessment.assessment_uid
    own = {(uid, one.tracking_uid) for one in later.findings}
    if any(key[:2] in own for key in given.registration):
        return True
    return link is not None and link.basis == "carried"


def _u(one: Reading) -> float | None:
    return one.uncertainty if isinstance(one, Measurement) else None


def _larger(one: tuple[float, ...], other: tuple[float, ...]) -> float | None:
    """Return the largest of two sets of sizes; None where one is not known."""
    return max(*one, *other) if one and other else None


def _registration(name: str, earlier: Side, later: Side, given: Circumstances) -> float:
    """Return the uncertainty that the transform adds; zero where none is told."""
    keys = (
        (side.study.assessment.assessment_uid, finding.tracking_uid, name)
        for side in (later, earlier)
        for finding in side.findings
    )
    return next((given.registration[k] for k in keys if k in given.registration), 0.0)


def months_of(earlier: StudyReading, later: StudyReading) -> tuple[float, float] | None:
    """Return the fewest and the most months between two studies; None if not known."""
    if not earlier.date or not later.date:
        return None
    return months_between(earlier.date, later.date)


def _per_month(
    delta: float | None,
    between: tuple[float, float] | None,
    months: tuple[float, float] | None,
) -> float | None:
    """Return the change a month over the middle of what may lie between.

    None where partial dates leave open how long that is.
    """
    if delta is None or between is not None or months is None:
        return None
    fewest, most = months
    if fewest <= 0 or most > MOST_MONTHS_RATIO * fewest:
        return None
    return delta / (sum(months) / 2)


def differences_of(
    earlier: Side, later: Side, given: Circumstances
) -> tuple[Difference, ...]:
    """Return how the images of a lesion differ at two dates.

    The series that both were read on are compared where their acquisition is known; else
    the differences of the studies count, and what the records say of the series.
    """
    series = [side.study.series_of(side.first) for side in (earlier, later)]
    uids = [one.series_uid if one else "" for one in series]
    if all(uid in given.acquisitions for uid in uids):
        first, last = (given.acquisitions[uid] for uid in uids)
        return differences((first,), (last,))
    told = differences(*(_known(side) for side in (earlier, later)))
    pair = given.pairs.get((earlier.study.number, later.study.number))
    kinds = {one.kind for one in told}
    modality = later.study.modality_of(later.first)
    of_studies = () if pair is None else pair.differences
    return told + tuple(
        one
        for one in of_studies
        if one.kind not in kinds
        and one.kind != "modality"
        and one.modality in ("", modality)
    )


def _known(side: Side) -> tuple[Acquisition, ...]:
    """Return what a record says of how a lesion's images were made: not much."""
    modality = side.study.modality_of(side.first)
    if not modality:
        return ()
    spacing = side.study.spacing_of(side.first)
    return (
        Acquisition(
            series_uid=side.first.series_uid,
            modality=modality,
            spacing_mm=(spacing[0], spacing[1], spacing[2]) if spacing else None,
        ),
    )
