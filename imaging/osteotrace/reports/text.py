"""Assessments as plain text, for a terminal, a note or an e-mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.about import RESEARCH_USE_STATEMENT
from osteotrace.codes import FACTS, KINDS, SITES
from osteotrace.measurements.measurement import Measurement, decimals
from osteotrace.reports import stagings
from osteotrace.staging.sentences import answer

if TYPE_CHECKING:
    from osteotrace.findings import Assessment, DrugCourse, Fact, Finding
    from osteotrace.measurements.measurement import Reading

# What a summary shows beside a finding's primary value; the rest is in table and record.
BESIDE: Final = frozenset(
    {
        "palatal_gap_transverse",
        "palatal_gap_area",
        "longest_diameter",
        "separated_fraction",
        "breach_count",
        "trabecular_lucent_fraction",
        "sclerotic_rim_completeness",
        "height_middle",
        "height_posterior",
        "height_loss_own_anterior",
        "genant_grade",
        "edema_percent",
        "signal_ratio_to_muscle",
        "bone_width_left",
        "bone_width_right",
        "asymmetry_index_volume",
        "median_value",
    }
)
# What is shown beside one primary value alone: elsewhere it is how a region was drawn.
BESIDE_OF: Final = {"mean_value": frozenset({"voxel_volume"})}


def report(assessment: Assessment) -> str:
    """Return the whole assessment as text, the research-use statement last."""
    study = f"Study {assessment.study_uid}" if assessment.study_uid else "No images"
    words = [
        f"Patient {assessment.patient or 'without a pseudonym'}, "
        f"{'study of' if assessment.study_uid else 'at'} "
        f"{assessment.study_date or 'no date'}",
        study,
        f"Read {assessment.recorded} by {assessment.reader or 'no named reader'}, "
        f"protocol {assessment.protocol}, {assessment.software}",
        "",
        *_stated(assessment),
    ]
    for finding in assessment.findings:
        words.append(heading(finding))
        for reading in finding.measurements:
            words.extend(f"  {line}" for line in lines(reading))
        if finding.note:
            words.append(f"  note: {finding.note}")
        words.append("")
    return "\n".join([*words, RESEARCH_USE_STATEMENT, ""])


def _stated(assessment: Assessment) -> list[str]:
    """Return the stages, facts and courses of drugs of a reading as lines."""
    blocks = {
        "Stages": [
            line
            for result in assessment.stagings
            for line in stagings.lines(result, reasons=False)
        ],
        "Drugs": [drug_line(course) for course in assessment.drugs],
        "Clinical facts": [fact_line(fact) for fact in assessment.facts],
        "Not understood": list(assessment.not_understood),
    }
    return [
        line
        for title, told in blocks.items()
        if told
        for line in (title, *(f"  {one}" for one in told), "")
    ]


def fact_line(fact: Fact) -> str:
    """Return a clinical fact as people read it, with who stated it and when it held."""
    about = "about " if fact.approximate else ""
    when = " to ".join(filter(None, (fact.date, fact.until)))
    where = " ".join(filter(None, (fact.laterality, fact.site)))
    frame = ", ".join(
        filter(None, (where, fact.author, f"{about}{when}" if when else ""))
    )
    note = f": {fact.note}" if fact.note else ""
    return f"{FACTS[fact.name].question} {answer(fact)}{note} ({frame or 'nobody named'})"


def drug_line(course: DrugCourse) -> str:
    """Return a course of a drug as people read it."""
    route = "route not stated" if course.route == "unknown" else course.route
    dates = " to ".join(filter(None, (course.first_dose, course.last_dose)))
    about = "about " if course.approximate and dates else ""
    dose = "" if course.dose is None else f"{course.dose:g} {course.unit}"
    doses = "" if course.doses is None else f"{course.doses} doses"
    told = (route, doses, dose, f"{about}{dates}" if dates else "dates not stated")
    note = f": {course.note}" if course.note else ""
    return f"{course.drug}, {', '.join(filter(None, told))}{note} ({course.author})"


def heading(finding: Finding) -> str:
    """Return a finding's name in words, e.g. ``PAL-1: Palatal bony defect, Maxilla``."""
    words = [KINDS[finding.kind].meaning, SITES[finding.site].meaning]
    if finding.laterality:
        words.append(finding.laterality)
    return f"{finding.label}: {', '.join(words)}"


def headlines(finding: Finding) -> tuple[Reading, ...]:
    """Return the primary value of a finding and the measured ones read beside it."""
    if not finding.measurements:
        # What was looked for and is not there has no value.
        return ()
    primary, *others = finding.measurements
    names = BESIDE | BESIDE_OF.get(primary.name, frozenset())
    beside = (r for r in others if isinstance(r, Measurement) and r.name in names)
    return (primary, *beside)


def value(reading: Reading) -> str:
    """Return a value with ± u and unit as people read it, or why there is none."""
    if isinstance(reading, Measurement):
        return reading.as_text
    return f"not measured: {reading.reason}"


def interval(reading: Reading) -> str:
    """Return the 95 % interval in the digits of its value, or an empty string."""
    if not isinstance(reading, Measurement) or reading.interval95 is None:
        return ""
    places = decimals(reading.unit, reading.uncertainty)
    low, high = reading.interval95
    return f"{low:z.{places}f} to {high:z.{places}f}"


def doubts(reading: Reading) -> list[str]:
    """Return what speaks against a value, or why it is missing."""
    if not isinstance(reading, Measurement):
        return [reading.reason]
    why = reading.uncertainty_reason
    return [*reading.flags, *([f"no uncertainty: {why}"] if why else [])]


def lines(reading: Reading) -> list[str]:
    """Return one measurement as lines: its value, then each doubt."""
    first = f"{reading.code.meaning}: {value(reading)}"
    if not isinstance(reading, Measurement):
        return [first]
    if interval(reading) and not reading.is_range:
        first += f" (95 % interval {interval(reading)})"
    return [first, *(f"  {doubt}" for doubt in doubts(reading))]
