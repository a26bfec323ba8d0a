"""Two readings of the same studies beside each other: how far readers agree.

By two people, or by one twice. Lesions are paired by Tracking UID, level or place; each
quantity, class and stage is compared where both read it alike, and what does not compare
is named. Readings of one person twice, or of two people, give the site's own
repeatability coefficient (`site_repeatabilities`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from osteotrace.change import (
    Percent,
    default_repeatability,
    site_repeatability,
    why_not_comparable,
)
from osteotrace.codes import STAGINGS
from osteotrace.comparison.agreement_pairs import paired, read_twice
from osteotrace.comparison.agreement_records import (
    Agreement,
    ClassAgreement,
    ClassPair,
    QuantityAgreement,
    ValuePair,
)
from osteotrace.comparison.agreement_statistics import (
    LEAST_PAIRS,
    intraclass_correlation,
    limits_of_agreement,
    weighted_kappa,
)
from osteotrace.comparison.site_repeatabilities import read_repeatabilities, site_file
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osteotrace.change import SiteRepeatability
    from osteotrace.comparison.agreement_pairs import LesionPair, ReadTwice
    from osteotrace.findings import Assessment, StagingResult

__all__ = ["agreement", "read_repeatabilities", "site_file", "title"]

Number = TypeVar("Number")

# Without a published coefficient, these have one in %: their error grows with their size.
_RELATIVE_UNITS: Final = ("mm3", "mm2", "ml", "cm3", "{ratio}")
_SAME_IMAGES: Final = (
    "the same images read twice: another scan of an unchanged lesion may differ by more"
)
_PRESENCE: Final = "presence"
_PRESENCES: Final = ("absent", "present")


def agreement(
    assessments: Iterable[Assessment], *, readers: tuple[str, str] | None = None
) -> Agreement:
    """Return how far two readings of the same studies agree.

    Parameters
    ----------
    assessments : iterable of Assessment
        Of any studies; what was amended and what adjudicates others is passed by.
    readers : (first, second), optional
        Who is compared; one name twice for one person's repeats. By default the two who
        read, or the one who read twice.

    Raises
    ------
    OsteotraceError
        If no study was read twice, or more than two readers are there and none is named.
    """
    twice = read_twice(assessments, readers)
    pairs, alone = paired(twice)
    return Agreement(
        readers=twice.readers,
        studies=len(twice.studies),
        lesions=pairs,
        alone=alone,
        quantities=_quantities(pairs, by_one=twice.readers[0] == twice.readers[1]),
        classes=(*_presence(pairs), *_stagings(twice)),
        notes=twice.notes,
    )


# Quantities ---------------------------------------------------------------------------


def _quantities(
    pairs: Sequence[LesionPair], *, by_one: bool
) -> tuple[QuantityAgreement, ...]:
    """Return the agreement of each quantity that any pair has, in order of mention."""
    names = dict.fromkeys(
        (one.name, one.unit)
        for pair in pairs
        for one in pair.first.measurements
        if isinstance(one, Measurement)
    )
    return tuple(
        found
        for name, unit in names
        if (found := _quantity(name, unit, pairs, by_one=by_one)).pairs or found.notes
    )


def _quantity(
    name: str, unit: str, pairs: Sequence[LesionPair], *, by_one: bool
) -> QuantityAgreement:
    kept, told = [], []
    for pair in pairs:
        both = [
            next((m for m in side.measurements if m.name == name), None)
            for side in (pair.first, pair.second)
        ]
        if both[0] is None or both[1] is None:
            continue
        if isinstance(both[0], Measurement) and both[0].unit != unit:
            continue
        reason = why_not_comparable(both[0], both[1]).partition(":")[0]
        ranges = any(isinstance(one, Measurement) and one.is_range for one in both)
        if reason or ranges:
            told.append(f"{pair.first.label} left out: {reason or 'only a range'}")
            continue
        assert isinstance(both[0], Measurement)
        assert isinstance(both[1], Measurement)
        kept.append(
            ValuePair(
                study_uid=pair.study_uid,
                label=pair.first.label,
                first=both[0].value,
                second=both[1].value,
            )
        )
    return _judged(name, unit, tuple(kept), told, by_one=by_one)


def _judged(
    name: str, unit: str, pairs: tuple[ValuePair, ...], told: list[str], *, by_one: bool
) -> QuantityAgreement:
    values = [(one.first, one.second) for one in pairs]
    if len(values) < LEAST_PAIRS:
        few = f"{len(values)} pairs: {LEAST_PAIRS} at least give a number"
        return QuantityAgreement(
            quantity=name, unit=unit, pairs=pairs, notes=(few, *told)
        )
    notes = list(told)
    absolute = _number(intraclass_correlation(values), notes)
    consistency = _number(intraclass_correlation(values, "consistency"), notes)
    limits = _number(limits_of_agreement(*zip(*values, strict=True)), notes)
    if limits is not None and limits.is_proportional:
        notes.append(
            "the differences change with the size: the limits do not hold for all"
        )
    return QuantityAgreement(
        quantity=name,
        unit=unit,
        pairs=pairs,
        absolute=absolute,
        consistency=consistency,
        limits=limits,
        repeatability=_coefficient(name, unit, values, notes, by_one=by_one),
        notes=tuple(dict.fromkeys(notes)),
    )


def _number(found: Number | str, notes: list[str]) -> Number | None:
    """Return a number, or None with the reason noted."""
    if isinstance(found, str):
        notes.append(found)
        return None
    return found


def _coefficient(
    name: str,
    unit: str,
    values: Sequence[tuple[float, float]],
    notes: list[str],
    *,
    by_one: bool,
) -> SiteRepeatability | None:
    told = default_repeatability(name)
    if told is not None and told.use in ("never", "category"):
        notes.append(f"no coefficient: {told.as_text}")
        return None
    published = told is not None and isinstance(told.same_reader, Percent)
    relative = published or unit in _RELATIVE_UNITS
    try:
        found = site_repeatability(
            name, values, unit, relative=relative, two_readers=not by_one
        )
    except OsteotraceError as problem:
        notes.append(f"no coefficient: {problem.found}")
        return None
    if not found.coefficient > 0:
        notes.append("no coefficient: both readings are the same to the bit")
        return None
    note = "; ".join(filter(None, (found.repeatability.note, _SAME_IMAGES)))
    whole = msgspec.structs.replace(found.repeatability, note=note)
    return msgspec.structs.replace(found, repeatability=whole)


# Classes ------------------------------------------------------------------------------


def _presence(pairs: Sequence[LesionPair]) -> tuple[ClassAgreement, ...]:
    """Return how far both agree that something is there, where one said that it is not.

    What one marked and the other did not mention is no statement of absence.
    """
    said = [
        ClassPair(
            study_uid=pair.study_uid,
            place=pair.first.label,
            first=pair.first.presence,
            second=pair.second.presence,
        )
        for pair in pairs
    ]
    kept = tuple(one for one in said if {one.first, one.second} <= set(_PRESENCES))
    if all(one.first == one.second == "present" for one in kept):
        return ()
    return (_classified(_PRESENCE, _PRESENCES, kept, []),)


def _stagings(twice: ReadTwice) -> tuple[ClassAgreement, ...]:
    """Return the agreement of each staging system; an interval is no class."""
    pairs: dict[str, list[ClassPair]] = {}
    classes: dict[str, tuple[str, ...]] = {}
    told: dict[str, list[str]] = {}
    for study_uid, first, second in twice.studies:
        others = {(one.system, one.site): one for one in second.stagings}
        for result in first.stagings:
            other = others.get((result.system, result.site))
            # A profile has axes and no stage.
            if other is None or len(result.stages) < 2:
                continue
            notes = told.setdefault(result.system, [])
            classes.setdefault(result.system, result.stages)
            stages = _stage(result), _stage(other)
            place = result.site or "the whole patient"
            open_ = [text for text in stages if ".." in text]
            if open_:
                notes.append(f"{place}: an interval stage, {open_[0]}, does not compare")
            elif other.stages != result.stages:
                notes.append(f"{place}: two editions of the rules do not compare")
            else:
                pairs.setdefault(result.system, []).append(
                    ClassPair(
                        study_uid=study_uid,
                        place=place,
                        first=stages[0],
                        second=stages[1],
                    )
                )
    return tuple(
        _classified(name, classes[name], tuple(pairs.get(name, ())), told[name])
        for name in classes
    )


def _stage(result: StagingResult) -> str:
    """Return a stage, the reader's own where one was set, or an interval."""
    if result.override is not None:
        return result.override.stage
    definite = f"{result.lowest}..{result.highest}"
    return result.lowest if result.definite else definite


def _classified(
    name: str, classes: tuple[str, ...], pairs: tuple[ClassPair, ...], told: list[str]
) -> ClassAgreement:
    notes = list(told)
    first = [classes.index(one.first) for one in pairs]
    second = [classes.index(one.second) for one in pairs]
    linear = _number(weighted_kappa(first, second, len(classes)), notes)
    quadratic = _number(weighted_kappa(first, second, len(classes), "quadratic"), notes)
    return ClassAgreement(
        name=name,
        classes=classes,
        pairs=pairs,
        linear=linear,
        quadratic=quadratic,
        notes=tuple(dict.fromkeys(notes)),
    )


def title(found: ClassAgreement) -> str:
    """Return what a classification is called."""
    known = STAGINGS.get(found.name)
    return found.name if known is None else known.meaning
