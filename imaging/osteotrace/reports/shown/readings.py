"""What is shown of what was measured and read: values, findings, assessments, cases."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from osteotrace.findings import Assessment, Case, Finding
from osteotrace.measurements.caliper import CaliperReading
from osteotrace.measurements.measurement import LesionReading, Measurement, NotMeasured
from osteotrace.regions import ImagePoints, Mask, Points, Polyline
from osteotrace.reports import text
from osteotrace.reports.shown.cards import (
    Card,
    card_of,
    counted,
    series_name,
    table,
    title_of,
)
from osteotrace.reports.shown.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from osteotrace.measurements.measurement import Reading
    from osteotrace.reports.shown.cards import Table

# Characters of a doubt in the table of a whole reading.
LONGEST_DOUBT: Final = 60
_VALUE_COLUMNS: Final = ("quantity", "value ± u", "95 % interval", "check")


@title_of.register(Measurement)
def _(one: Measurement) -> str:
    return f"{one.name} {one.as_text}"


@title_of.register(NotMeasured)
def _(one: NotMeasured) -> str:
    return f"{one.name} not measured: {one.reason}"


@card_of.register(Measurement)
def _(one: Measurement) -> Card:
    u = "" if one.uncertainty is None else f"{one.uncertainty:.4g}"
    facts = (
        ("quantity", f"{one.code.meaning} ({one.code.scheme} {one.code.value})"),
        ("value", text.value(one)),
        ("95 % interval", text.interval(one)),
        ("value, every digit", f"{one.value!r} {one.unit}"),
        ("u", u or f"none: {one.uncertainty_reason}"),
        ("what exactly", one.definition),
        ("method", f"{one.method.name}, version {one.method.version}"),
        ("images", str(len(one.sources))),
    )
    return Card(
        kind="Measurement",
        title=f"{one.code.meaning}: {one.as_text}",
        facts=facts,
        lines=tuple(f"check: {flag}" for flag in one.flags),
    )


@card_of.register(NotMeasured)
def _(one: NotMeasured) -> Card:
    facts = (
        ("quantity", f"{one.code.meaning} ({one.code.scheme} {one.code.value})"),
        ("reason", one.reason),
        ("method", f"{one.method.name}, version {one.method.version}"),
    )
    return Card(kind="Not measured", title=one.code.meaning, facts=facts)


@title_of.register(LesionReading)
def _(reading: LesionReading) -> str:
    return str(reading.value)


@card_of.register(LesionReading)
def _(reading: LesionReading) -> Card:
    return Card(
        kind="Lesion",
        title=_value_title(reading.value),
        facts=(("presence", reading.presence), ("marks", _regions(reading.regions))),
        tables=(_values(reading.measurements),),
    )


@title_of.register(CaliperReading)
def _(reading: CaliperReading) -> str:
    return str(reading.value)


@card_of.register(CaliperReading)
def _(reading: CaliperReading) -> Card:
    line = reading.fitted or reading.drawn
    ends = " to ".join(
        f"({', '.join(f'{mm:.2f}' for mm in point)})" for point in line.points
    )
    return Card(
        kind="Caliper",
        title=_value_title(reading.value),
        facts=(("from, to LPS mm", ends), ("line", line.role)),
        tables=(_values(reading.measurements),),
    )


# Marks -------------------------------------------------------------------------------


@title_of.register(Polyline)
@title_of.register(Points)
def _(region: Polyline | Points) -> str:
    return f"{region.role!r}: {counted(len(region.points), 'point')}"


@title_of.register(ImagePoints)
def _(region: ImagePoints) -> str:
    return f"{region.role!r}: {counted(len(region.image_points), 'point')} of an image"


@card_of.register(Polyline)
@card_of.register(Points)
@card_of.register(ImagePoints)
def _(region: Polyline | Points | ImagePoints) -> Card:
    columns, rows = rows_of(region)
    cells = [
        [f"{cell:.4f}" if isinstance(cell, float) else cell for cell in row.values()]
        for row in rows
    ]
    return Card(
        kind=type(region).__name__,
        title=title_of(region),
        tables=(table(columns, cells),),
    )


@title_of.register(Mask)
def _(region: Mask) -> str:
    return f"{region.role!r}: {region.voxels.sum()} voxels"


@card_of.register(Mask)
def _(region: Mask) -> Card:
    return Card(
        kind="Mask",
        title=title_of(region),
        facts=(
            ("box of slices × rows × columns", " × ".join(map(str, region.grid.shape))),
            ("frame of reference", region.frame_of_reference_uid),
        ),
    )


# Findings ----------------------------------------------------------------------------


@title_of.register(Finding)
def _(finding: Finding) -> str:
    value = text.value(finding.measurements[0]) if finding.measurements else ""
    if not value:
        value = "present" if finding.presence == "present" else finding.presence
    return f"{text.heading(finding)}: {value}"


@card_of.register(Finding)
def _(finding: Finding) -> Card:
    return Card(
        kind="Finding",
        title=text.heading(finding),
        facts=(
            ("presence", finding.presence),
            ("certainty", finding.certainty),
            ("note", finding.note),
            ("marks", _regions(finding.regions)),
        ),
        tables=(_values(finding.measurements),),
    )


@title_of.register(Assessment)
def _(assessment: Assessment) -> str:
    measured = sum(len(one.measurements) for one in assessment.findings)
    what = [counted(len(assessment.findings), "finding")]
    if measured:
        what.append(counted(measured, "measurement"))
    if assessment.stagings:
        what.append(counted(len(assessment.stagings), "staging"))
    return f"{_who(assessment)}: {', '.join(what)}"


@card_of.register(Assessment)
def _(assessment: Assessment) -> Card:
    series = (series_name(one.modality, one.description) for one in assessment.series)
    facts = (
        ("read by", assessment.reader or "no named reader"),
        ("protocol", assessment.protocol),
        ("images", "; ".join(dict.fromkeys(series)) or "none"),
        ("recorded", assessment.recorded),
        ("software", assessment.software),
    )
    stages = tuple((str(one),) for one in assessment.stagings)
    stated = (
        *((text.fact_line(one),) for one in assessment.facts),
        *((text.drug_line(one),) for one in assessment.drugs),
    )
    return Card(
        kind="Assessment",
        title=title_of(assessment),
        facts=facts,
        tables=(
            _findings(assessment.findings),
            table(("stage",), stages),
            table(("stated",), stated),
        ),
        lines=tuple(f"not understood: {one}" for one in assessment.not_understood),
    )


@title_of.register(Case)
def _(case: Case) -> str:
    read = counted(len(case.assessments), "reading")
    dates = [one.study_date for one in case.current() if one.study_date]
    span = " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "no date"
    stated = counted(len(case.facts) + len(case.drugs), "statement")
    return f"{case.patient or 'patient without a pseudonym'}: {read}, {span}; {stated}"


@card_of.register(Case)
def _(case: Case) -> Card:
    rows = [
        (
            one.study_date,
            ", ".join(dict.fromkeys(series.modality for series in one.series)),
            one.reader,
            ", ".join(finding.label for finding in one.findings),
            one.protocol,
        )
        for one in case.current()
    ]
    stated = (
        *((text.fact_line(one),) for one in case.facts),
        *((text.drug_line(one),) for one in case.drugs),
    )
    columns = ("date", "images", "read by", "findings", "protocol")
    return Card(
        kind="Case",
        title=title_of(case),
        tables=(table(columns, rows), table(("stated",), stated)),
    )


def _who(assessment: Assessment) -> str:
    patient = assessment.patient or "patient without a pseudonym"
    what = "study of" if assessment.study_uid else "stated at"
    return f"{patient}, {what} {assessment.study_date or 'no date'}"


def _value_title(one: Reading) -> str:
    return f"{one.code.meaning}: {text.value(one)}"


def _findings(findings: Iterable[Finding]) -> Table:
    """Return the values that a summary shows, the finding's name at its first."""
    columns = ("finding", "what and where", *_VALUE_COLUMNS)
    return table(columns, (row for one in findings for row in _finding_rows(one)))


def _finding_rows(finding: Finding) -> Iterator[tuple[str, ...]]:
    what = text.heading(finding).removeprefix(f"{finding.label}: ")
    head = (finding.label, what)
    headlines = text.headlines(finding)
    if not headlines:
        yield (*head, "", finding.presence, "", "")
    for one in headlines:
        *value, doubts = _value_row(one)
        yield (*head, *value, _shortened(doubts))
        head = ("", "")


def _shortened(words: str) -> str:
    """Return the beginning of a long text: the finding itself says all of it."""
    return textwrap.shorten(words, LONGEST_DOUBT, placeholder=" …")


def _values(measurements: Iterable[Reading]) -> Table:
    return table(_VALUE_COLUMNS, map(_value_row, measurements))


def _value_row(one: Reading) -> tuple[str, str, str, str]:
    is_value = isinstance(one, Measurement)
    shown = text.value(one) if is_value else "not measured"
    return one.code.meaning, shown, text.interval(one), "; ".join(text.doubts(one))


def _regions(regions: Iterable[Polyline | Points | Mask | ImagePoints]) -> str:
    return ", ".join(
        f"{one.role} ({type(one).__name__.lower()})" if one.role else type(one).__name__
        for one in regions
    )
