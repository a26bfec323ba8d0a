"""What a case says of one vertebra at one date: stated by readers, or measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from osteotrace.codes import VERTEBRAE
from osteotrace.findings.dates import days
from osteotrace.measurements.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osteotrace.findings import Assessment, Case, Certainty, Fact, Finding

# From the least sure to the surest.
CERTAINTIES: Final[tuple[Certainty, ...]] = (
    "unknown",
    "possible",
    "probable",
    "definite",
)
HEIGHTS: Final = ("height_anterior", "height_middle", "height_posterior")
# Reader's grades that state a fracture, and the one that states there is none; half a
# grade is borderline and states neither (clinical rule for Genant's method).
_NO_FRACTURE: Final = "0"
_BORDERLINE: Final = "0.5"
# A mild grade alone is of low confidence: kappa 0.56 to 0.59 between readers (Samelson,
# Osteoporos Int 2011, 10.1007/s00198-010-1290-6).
_MILD: Final = "1"
# Certainties that accept a fracture; a possible one is a suspicion.
ACCEPTED: Final[tuple[Certainty, ...]] = ("definite", "probable")
STATEMENTS: Final = ("vcf_new", "genant_grade")


def least_sure(*certainties: Certainty) -> Certainty:
    """Return the least sure of some certainties."""
    return min(certainties, key=CERTAINTIES.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelReading:
    """What one reader said and measured of one vertebra at one date.

    Parameters
    ----------
    date : str
        As it was given; empty where there is none.
    by : str
        Who read or stated it.
    named : bool
        True where a named person answers for what it states; else that is a proposal,
        and possible at most.
    fractured : bool or None
        Stated by the reader; None where nothing was.
    certainty : str
        Of that statement.
    new : bool or None
        The reader's answer to whether the fracture is new since the last images.
    grade_read : float or None
        Semiquantitative grade given by the reader.
    grade_measured : Measurement or None
        Proposed from heights.
    heights : mapping
        Heights in the body's own unit, by the name of the quantity.
    approximate : bool
        True where the date is an estimate.
    """

    date: str
    by: str
    named: bool = True
    fractured: bool | None = None
    certainty: Certainty = "definite"
    new: bool | None = None
    grade_read: float | None = None
    grade_measured: Measurement | None = None
    heights: Mapping[str, Measurement] = field(default_factory=dict)
    approximate: bool = False


def level_readings(case: Case) -> dict[str, list[LevelReading]]:
    """Return the readings of every vertebra that a case speaks of, oldest first.

    Readings that another one amends are left out. A reading without a date stands last.
    """
    read: dict[str, list[LevelReading]] = {}
    stated = frozenset(case.stated())
    for one in case.current():
        facts = [fact for fact in one.facts if fact in stated]
        for site in _sites(one.findings, facts):
            for reading in _of_assessment(one, facts, site):
                read.setdefault(site, []).append(reading)
    for fact in case.facts:
        if fact.site in VERTEBRAE and fact.name in STATEMENTS and fact in stated:
            read.setdefault(fact.site, []).append(_of_facts(fact.date, [fact]))
    return {site: sorted(read[site], key=_order) for site in VERTEBRAE if site in read}


def cement_dates(case: Case) -> dict[str, str]:
    """Return the first date that bone cement was seen in each vertebra; "" where undated.

    From that date on neither the density nor a height of the level says what it would in
    bone: its grade is that of the last images before.
    """
    seen: dict[str, list[str]] = {}
    for one in case.current():
        for finding in one.findings:
            cemented = finding.kind == "cement" and finding.presence == "present"
            if cemented and finding.site in VERTEBRAE:
                seen.setdefault(finding.site, []).append(one.study_date)
    return {site: min(dates) for site, dates in seen.items()}


def before(one: str, other: str) -> bool:
    """Tell whether a date lies before another for certain; dates as in `Fact.date`."""
    return bool(one and other) and days(one)[1] < days(other)[0]


def _order(reading: LevelReading) -> tuple[bool, tuple[object, ...]]:
    return (not reading.date, days(reading.date) if reading.date else ())


def _sites(findings: Iterable[Finding], facts: Iterable[Fact]) -> list[str]:
    named = {one.site for one in findings} | {one.site for one in facts}
    return [site for site in VERTEBRAE if site in named]


def _of_assessment(
    one: Assessment, facts_of_it: Iterable[Fact], site: str
) -> list[LevelReading]:
    """Return what an assessment says of a vertebra: one reading a date."""
    findings = [finding for finding in one.findings if finding.site == site]
    dated: dict[str, list[Fact]] = {one.study_date: []} if findings else {}
    for fact in facts_of_it:
        if fact.site == site and fact.name in STATEMENTS:
            dated.setdefault(fact.date, []).append(fact)
    read = []
    for date, facts in dated.items():
        told = findings if date == one.study_date else []
        own = [fact for fact in facts if _is_of_the_reader(fact, one.reader)]
        first, others = _first_of_each(own)
        others += [fact for fact in facts if fact not in own]
        if first or told:
            read.append(_of_facts(date, first, told, one.reader))
        read += [_of_facts(date, [fact]) for fact in others]
    return read


def _is_of_the_reader(fact: Fact, reader: str) -> bool:
    """Tell whether a reader answers for a fact of the reading.

    Without a name nobody does; what another author states in it is that author's own.
    """
    entered = fact.source == "entered" or bool(fact.author.strip())
    theirs = fact.author.strip() in ("", reader.strip())
    return entered and theirs and bool(reader.strip())


def _first_of_each(facts: Iterable[Fact]) -> tuple[list[Fact], list[Fact]]:
    """Return the first fact of each name, and those stated again, by whomever."""
    first: dict[str, Fact] = {}
    others = [fact for fact in facts if first.setdefault(fact.name, fact) is not fact]
    return list(first.values()), others


def _of_facts(
    date: str,
    facts: Iterable[Fact],
    findings: Iterable[Finding] = (),
    reader: str = "",
) -> LevelReading:
    """Return one reading from the facts and findings of one date."""
    said = {fact.name: fact for fact in facts}
    fractured, certainty = _stated(findings)
    grade = said["genant_grade"].value if "genant_grade" in said else None
    if grade is not None and grade != _BORDERLINE:
        by_grade = grade != _NO_FRACTURE
        if fractured is None:
            certainty = "possible" if grade == _MILD else "definite"
        elif fractured != by_grade:
            by_grade, certainty = True, least_sure("possible", certainty)
        fractured = by_grade
    new = said["vcf_new"].value if "vcf_new" in said else None
    rows = {
        row.name: row
        for finding in findings
        for row in finding.measurements
        if isinstance(row, Measurement)
    }
    by = reader.strip() or next((fact.author for fact in said.values()), "")
    named = bool(by.strip())
    if not named:
        certainty = least_sure("possible", certainty)
    return LevelReading(
        date=date,
        by=by,
        named=named,
        fractured=fractured,
        certainty=certainty,
        new=new if isinstance(new, bool) else None,
        grade_read=None if grade is None else float(grade),
        grade_measured=rows.get("genant_grade"),
        heights={name: rows[name] for name in HEIGHTS if name in rows},
        approximate=any(fact.approximate for fact in said.values()),
    )


def _stated(findings: Iterable[Finding]) -> tuple[bool | None, Certainty]:
    """Return whether the reader states a fracture, and how surely."""
    stated = [f for f in findings if f.kind == "vcf" and f.presence != "unknown"]
    present = [f.certainty for f in stated if f.presence == "present"]
    absent = [f.certainty for f in stated if f.presence == "absent"]
    if present and absent:
        return True, least_sure("possible", *present)
    if not stated:
        return None, "definite"
    return bool(present), max(present or absent, key=CERTAINTIES.index)
