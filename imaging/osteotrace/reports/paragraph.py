"""A reading as the paragraph that a radiologist pastes into a report.

One line a finding, each number in the digits of the tables, with ± u and unit; what
speaks against a number stands behind it as "check: ...". It states and never advises.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.codes import KINDS, QUANTITIES, SITES
from osteotrace.codes.sites import VERTEBRAE
from osteotrace.findings import leaders_of_parts
from osteotrace.measurements.gas import REGION
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.reports import stage_sentences, text
from osteotrace.reports.stage_sentences import lower, stopped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from osteotrace.findings import Assessment, Finding
    from osteotrace.measurements.measurement import Reading

# What is said beside the headlines of the table.
ALSO: Final = frozenset({"excess_density_volume", "wedge_angle", "periosteal_length"})
UNCERTAINTY: Final = "± is the standard uncertainty; a number without it has none."

# Where the coded name would be longer than what is said in a sentence.
_QUANTITIES: Final = {
    "palatal_gap_ap": "antero-posterior gap",
    "palatal_gap_transverse": "transverse gap",
    "palatal_gap_area": "projected area",
    "soft_tissue_notch": "notch width",
    "soft_tissue_shortening": "shortening",
    "longest_diameter": "longest diameter",
    "excess_density_volume": "volume",
    "separated_fraction": "separated surface",
    "median_value": "median",
    "mean_value": "mean",
    "voxel_volume": "volume",
    "cortical_breach_fraction": "breached share of the cortex",
    "trabecular_lucent_fraction": "lucent share of the marrow space against reference",
    "gas_volume": "volume",
    "cement_volume": "volume",
    "edema_volume": "volume",
    "edema_percent": "share of the bone",
    "sclerotic_rim_thickness": "thickness",
    "sclerotic_rim_completeness": "completeness",
    "periosteal_thickness": "thickness",
    "periosteal_length": "length",
    "height_anterior": "anterior height",
    "height_middle": "middle height",
    "height_posterior": "posterior height",
    "height_loss_own_anterior": "anterior loss against own posterior height",
    "wedge_angle": "wedge angle",
    "genant_grade": "Genant grade by the heights",
    "bone_width_left": "left width",
    "bone_width_right": "right width",
}
# What is counted, said after its number.
_COUNTED: Final = {
    "fragment_count": "separate fragments",
    "breach_count": "breaches of the cortex",
}
_KINDS: Final = {
    "osteolysis": "geographic osteolysis",
    "vertebra": "measured",
    "region": "measured region",
    "cement": "cement",
}
_PLACES: Final = {
    "hard_palate": "the hard palate",
    "unspecified": "a site that is not stated",
}
_SIDES: Final = {
    "bilateral": "both sides of {}",
    "unilateral": "one side of {}, which is not stated",
}
# Not within a name or a date: L1, 2023-06-20, 1.2.840.
_NUMBER: Final = re.compile(r"(?<![\w.-])-?\d{1,7}(?:\.\d+)?(?![\w-]|\.\d)")
# What plain ASCII says otherwise; letters lose their marks.
_ASCII: Final = {
    "±": "+/-",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "ß": "ss",
}
# The key of a quantity within a reason.
_KEY: Final = re.compile(r"[a-z]+(?:_[a-z]+)+")


def paragraph(
    assessment: Assessment,
    *,
    before: Mapping[str, str] | None = None,
    ascii_only: bool = False,
) -> str:
    """Return the findings and stages of a reading as text to be pasted.

    Parameters
    ----------
    assessment : Assessment
        The reading.
    before : mapping of str to str, optional
        A sentence on the earlier reading of a finding, by its tracking UID.
    ascii_only : bool
        For systems that take no more: ``±`` becomes ``+/-``.

    Returns
    -------
    str
        A line a finding, each value with ± u and unit; the short research-use statement
        last.
    """
    lines = [_study(assessment)]
    lines += _findings(assessment.findings, before or {})
    lines += stage_sentences.sentences(assessment.stagings, assessment.study_date)
    if not assessment.findings:
        lines.append("No finding is recorded.")
    whole = "\n".join([*lines, f"{UNCERTAINTY} {RESEARCH_USE_SHORT}", ""])
    return as_ascii(whole) if ascii_only else whole


def as_ascii(words: str) -> str:
    """Return text in plain ASCII; a letter that has no likeness becomes ``?``.

    Examples
    --------
    >>> as_ascii("Größe 12.1 ± 0.3 mm")
    'Grosse 12.1 +/- 0.3 mm'
    """
    for sign, plain in _ASCII.items():
        words = words.replace(sign, plain)
    decomposed = unicodedata.normalize("NFKD", words)
    kept = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return kept.encode("ascii", "replace").decode("ascii")


def _study(assessment: Assessment) -> str:
    modalities = dict.fromkeys(one.modality for one in assessment.series if one.modality)
    what = " and ".join(modalities) or "No images"
    reader = f"read by {assessment.reader}" if assessment.reader.strip() else ""
    date = assessment.study_date or "no stated date"
    return f"{what} of {date}, {reader or 'not accepted by a named reader'}."


# Findings ----------------------------------------------------------------------------


def _findings(findings: Sequence[Finding], before: Mapping[str, str]) -> Iterator[str]:
    """Yield a line a finding; vertebrae by level from above, fragments with their sum."""
    spine = [one for one in findings if one.site in VERTEBRAE]
    spine.sort(key=lambda one: VERTEBRAE.index(one.site))
    told_spine = False
    for leader, parts in _with_parts(findings):
        if leader.site not in VERTEBRAE:
            yield _sentences(leader, parts, before)
        elif not told_spine:
            told_spine = True
            for level in dict.fromkeys(one.site for one in spine):
                yield _level([one for one in spine if one.site == level], before)


def _with_parts(findings: Sequence[Finding]) -> Iterator[tuple[Finding, list[Finding]]]:
    """Yield each finding with its parts, such as the fragments of sequestra."""
    leaders = leaders_of_parts(findings)
    for place, one in enumerate(findings):
        if place not in leaders:
            yield one, [findings[k] for k, leader in leaders.items() if leader == place]


def _sentences(
    finding: Finding, parts: Sequence[Finding], before: Mapping[str, str]
) -> str:
    """Return what is said of a finding and its parts."""
    place = _place(finding)
    name = f" ({finding.label})" if finding.label else ""
    if finding.presence != "present":
        # What was left out of a search speaks against what it says.
        looked = f"{_looked_for(finding, place)}{name}{_checks([finding])}"
        return _ended(looked, [finding], before)
    head = f"{_capital(_certain(finding))} at {place}{name}"
    values = _values(finding)
    words = [f"{head}: {values}" if values else head]
    for number, part in enumerate(parts, start=1):
        what = _values(part) if part.presence == "present" else "absent"
        words.append(f"({number}) {what or 'not measured'}")
    every = [finding, *parts]
    return _ended(f"{'; '.join(words)}{_checks(every)}", every, before)


def _level(findings: Sequence[Finding], before: Mapping[str, str]) -> str:
    """Return what is said of one vertebra: its heights, fracture, edema and cement."""
    told = []
    for one in findings:
        if one.presence != "present":
            told.append(f"{_looked_for(one, '')}{_checks([one])}")
            continue
        values = _values(one)
        words = f"{_certain(one)}{', ' if values else ''}{values}"
        told.append(f"{words}{_checks([one])}")
    return _ended(f"{_place(findings[0])}: {'; '.join(told)}", findings, before)


def _ended(words: str, findings: Sequence[Finding], before: Mapping[str, str]) -> str:
    """Return a sentence with the notes and earlier values that follow it."""
    # Parts of one marking share what was noted.
    notes = dict.fromkeys(" ".join(one.note.split()) for one in findings)
    earlier = (before.get(one.tracking_uid, "") for one in findings)
    after = [stopped(one) for one in (*notes, *earlier) if one]
    return " ".join([f"{words}.", *after])


def _looked_for(finding: Finding, place: str) -> str:
    is_searched = any(region.role == REGION for region in finding.regions)
    within = " in the region marked" if is_searched else ""
    at = f"{within} at {place}" if place else ""
    kind = _kind(finding)
    if finding.presence == "absent":
        sure = "" if finding.certainty == "definite" else f" ({finding.certainty})"
        return f"{'No' if place else 'no'} {kind}{at}{sure}"
    return f"{_capital(kind) if place else kind}{at}: not known whether present"


def _kind(finding: Finding) -> str:
    if finding.kind == "vertebra" and finding.presence != "present":
        return "vertebra"
    return _KINDS.get(finding.kind) or lower(KINDS[finding.kind].meaning)


def _certain(finding: Finding) -> str:
    """Return a kind with how sure its reader is; definite needs no word."""
    kind = _kind(finding)
    if finding.certainty == "unknown":
        return f"{kind}, certainty not stated"
    return kind if finding.certainty == "definite" else f"{finding.certainty} {kind}"


def _place(finding: Finding) -> str:
    if finding.site in VERTEBRAE:
        return ", ".join(filter(None, (finding.site.upper(), finding.laterality)))
    place = _PLACES.get(finding.site) or f"the {lower(SITES[finding.site].meaning)}"
    if finding.laterality in _SIDES:
        return _SIDES[finding.laterality].format(place)
    if not finding.laterality:
        return place
    article, _, name = place.partition(" ")
    return f"{article} {finding.laterality} {name}"


# Numbers -----------------------------------------------------------------------------


def _said(finding: Finding) -> tuple[Reading, ...]:
    """Return the values of a finding that are said, its own first."""
    if not finding.measurements:
        return ()
    shown = set(map(id, text.headlines(finding)))
    return tuple(
        reading
        for reading in finding.measurements
        if id(reading) in shown
        or (isinstance(reading, Measurement) and reading.name in ALSO)
    )


def _values(finding: Finding) -> str:
    return ", ".join(map(_value, _said(finding)))


def _value(reading: Reading) -> str:
    if isinstance(reading, NotMeasured):
        why = without_keys(_found(reading.reason))
        return f"{spoken(reading)} not measured ({why})"
    if reading.name in _COUNTED:
        return f"{text.value(reading)} {_COUNTED[reading.name]}"
    return f"{spoken(reading)} {text.value(reading)}"


def _found(reason: str) -> str:
    """Return what stood against a value, without what was expected and advised."""
    return reason.partition("; expected ")[0]


def without_keys(words: str) -> str:
    """Return a reason with the quantities in it named in words."""
    return _KEY.sub(_named, words)


def _named(key: re.Match[str]) -> str:
    """Return what the quantity of a key is called; any other word as it stands."""
    coded = QUANTITIES.get(key.group())
    named = _QUANTITIES.get(key.group(), "")
    return named or (lower(coded.meaning) if coded else key.group())


def spoken(reading: Reading) -> str:
    """Return what a value is called in a sentence."""
    counted = _COUNTED.get(reading.name)
    return counted or _QUANTITIES.get(reading.name) or lower(reading.code.meaning)


def _checks(findings: Iterable[Finding]) -> str:
    doubts = _doubts(findings)
    return f" (check: {'; '.join(doubts)})" if doubts else ""


def _doubts(findings: Iterable[Finding]) -> list[str]:
    """Return what speaks against the values said, each doubt once.

    A doubt of some of a finding's values names them; doubts that differ in their numbers
    alone, as those of fragments, are one with the range of the numbers.
    """
    of_values: dict[str, dict[str, None]] = {}
    of_all: list[str] = []
    for finding in findings:
        said = [one for one in _said(finding) if isinstance(one, Measurement)]
        flags = [[_own(flag, finding) for flag in one.flags] for one in said]
        for flag in dict.fromkeys(flag for some in flags for flag in some):
            meant = [one for one, some in zip(said, flags, strict=True) if flag in some]
            if len(meant) == len(said):
                of_all.append(flag)
            else:
                named = of_values.setdefault(flag, {})
                named.update(dict.fromkeys(map(spoken, meant)))
    some = [f"{', '.join(named)}: {flag}" for flag, named in of_values.items()]
    return _merged([*of_all, *some])


def _own(flag: str, finding: Finding) -> str:
    """Return a doubt without the name of the finding, or level, that it is said of."""
    for name in (finding.label, finding.site.upper()):
        flag = flag.removeprefix(f"{name}: ")
    return flag


def _merged(doubts: Iterable[str]) -> list[str]:
    """Return doubts with those in one that differ in their numbers alone."""
    alike: dict[str, list[str]] = {}
    for doubt in dict.fromkeys(doubts):
        alike.setdefault(_NUMBER.sub("#", doubt), []).append(doubt)
    return [_ranged(group) for group in alike.values()]


def _ranged(alike: Sequence[str]) -> str:
    columns = zip(*(_NUMBER.findall(one) for one in alike), strict=True)
    spans = (sorted(set(column), key=float) for column in columns)
    ends = iter([s[0] if len(s) == 1 else f"{s[0]} to {s[-1]}" for s in spans])
    return _NUMBER.sub(lambda _: next(ends), alike[0])


# Words -------------------------------------------------------------------------------


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
