"""The lengths behind the aesthetic axis: what was measured in mm, and what was reported.

A length counts where a named reader answers for it and nothing speaks against it. A
reported length of which it is not said what was measured counts as unknown; it is shown
as it was reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.measurements.measurement import COVERAGE_FACTOR_95, Measurement
from osteotrace.staging.jaw import JAW_SITES
from osteotrace.staging.profile.tables import AESTHETIC_BANDS, AESTHETIC_CUTS_MM
from osteotrace.staging.rule_table import Observed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from osteotrace.findings import Assessment, Finding
    from osteotrace.staging.evidence import Evidence

_CHANGE: Final = "change from prior"
_WORDS: Final = {
    "asymmetry": "asymmetry",
    "premaxilla_depression": "premaxilla depression",
    "soft_tissue_defect": "soft-tissue",
}
_QUANTITIES: Final = {
    "asymmetry": ("landmark_asymmetry",),
    "premaxilla_depression": ("premaxilla_depression",),
    "soft_tissue_defect": ("soft_tissue_notch", "soft_tissue_shortening"),
}
# A finding that was looked for and is not there answers for its length.
_KINDS: Final = {
    "asymmetry": ("facial_asymmetry",),
    "soft_tissue_defect": ("soft_tissue_defect",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Length:
    """One length of the axis at a date.

    Parameters
    ----------
    name : str
        Its criterion.
    band : Observed
        The bands it may lie in.
    shown : tuple of str
        In words for the axis, what was measured first.
    lines : tuple of str
        In words with what is said of it.
    stated : bool
        True where a length that counts was given.
    """

    name: str
    band: Observed
    shown: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    stated: bool = False


def measurements(
    evidence: Evidence, quantities: Collection[str]
) -> Iterator[tuple[Assessment, Finding, Measurement]]:
    """Yield the values of some quantities that were read at the evidence's date."""
    for assessment in evidence.assessments():
        for finding in assessment.findings:
            if finding.presence != "present":
                continue
            for row in finding.measurements:
                if isinstance(row, Measurement) and row.name in quantities:
                    yield assessment, finding, row


def lengths(evidence: Evidence) -> tuple[Length, ...]:
    """Return the lengths of the axis E at the evidence's date."""
    return tuple(_length(evidence, name) for name in _QUANTITIES)


def shown_lengths(read: Sequence[Length]) -> list[str]:
    """Return what is known of lengths as the axis shows it."""
    return [words for one in read for words in one.shown]


def bands_of_range(low: float, high: float) -> tuple[str, ...]:
    """Return the aesthetic bands that a range of mm touches.

    Examples
    --------
    >>> bands_of_range(5.8, 6.2)
    ('3 to under 6 mm', '6 to under 10 mm')
    """
    places = [sum(end >= cut for cut in AESTHETIC_CUTS_MM) for end in (low, high)]
    return AESTHETIC_BANDS[places[0] : places[1] + 1]


def _length(evidence: Evidence, name: str) -> Length:
    lesions: dict[str, list[tuple[float, float]]] = {}
    shown, lines = [], []
    for assessment, finding, row in measurements(evidence, _QUANTITIES[name]):
        counts = _counted(name, row)
        why = _why_not(assessment, finding, row, counts)
        words = _WORDS[name]
        shown.append(f"{row.as_text} {words}{f', {why}' if why else ''}")
        who = f"{assessment.reader or 'no reader'}, {assessment.study_date}"
        lines.append(
            f"{words}: {row.as_text} ({finding.label}, {who}){f': {why}' if why else ''}"
        )
        if counts is not None and not why:
            lesions.setdefault(f"{finding.label} {row.name}", []).append(counts)
    if name == "soft_tissue_defect":
        reported = _reported(evidence)
        lines += [line for _, line, _ in reported]
        shown = shown or [words for words, _, _ in reported]
        lesions |= {"reported": [c for _, _, c in reported if c is not None]}
    # Two values of one length leave both open; of several lengths the largest decides.
    ranges = [
        (min(low for low, _ in values), max(high for _, high in values))
        for values in lesions.values()
        if values
    ]
    if not ranges:
        return _unmeasured(evidence, name, shown, lines)
    band = bands_of_range(max(low for low, _ in ranges), max(high for _, high in ranges))
    return Length(
        name=name,
        band=Observed(possible=band, basis="measured", because=tuple(lines)),
        shown=tuple(shown),
        lines=tuple(lines),
        stated=True,
    )


def _unmeasured(
    evidence: Evidence, name: str, shown: Sequence[str], lines: Sequence[str]
) -> Length:
    """Return a length without a value: under the first cut where there is no defect."""
    # Absent at one place is not absent: the sites tell what is left out.
    there = (
        evidence.truth(kinds=_KINDS[name], sites=JAW_SITES) if name in _KINDS else None
    )
    none = there is not None and there.possible == (False,)
    because = (*lines, *(there.because if there is not None else ()))
    return Length(
        name=name,
        band=Observed(
            possible=AESTHETIC_BANDS[:1] if none else AESTHETIC_BANDS,
            basis="measured" if none else "unknown",
            because=because,
        ),
        shown=tuple(shown),
        lines=tuple(lines),
    )


def _counted(name: str, row: Measurement) -> tuple[float, float] | None:
    """Return the range of mm that counts for the level; None where none does."""
    value, uncertainty = abs(row.value), row.uncertainty
    if name == "premaxilla_depression":
        # Against no norm: only what has changed since an earlier date counts.
        details = {one.name: one.value for one in row.details}
        if _CHANGE not in details:
            return None
        value = max(0.0, details[_CHANGE])
        uncertainty = details.get(f"u {_CHANGE}")
    if uncertainty is not None:
        reach = COVERAGE_FACTOR_95 * uncertainty
        return max(0.0, value - reach), value + reach
    if row.interval95 is not None:
        ends = sorted(abs(end) for end in row.interval95)
        return ends[0], ends[1]
    return None


def _why_not(
    assessment: Assessment,
    finding: Finding,
    row: Measurement,
    counts: tuple[float, float] | None,
) -> str:
    """Return why a value does not count; empty where it does."""
    if not assessment.reader:
        return "proposed and not accepted by a reader"
    if finding.certainty not in ("definite", "probable"):
        return finding.certainty
    if not row.accepted:
        return f"doubtful: {', '.join(row.flags)}"
    if counts is None and row.name == "premaxilla_depression":
        return "no earlier value to compare with"
    return "" if counts is not None else "without uncertainty"


def _reported(
    evidence: Evidence,
) -> list[tuple[str, str, tuple[float, float] | None]]:
    """Return a reported defect: as the axis shows it, as a line, and what counts."""
    stated = evidence.number("reported_soft_tissue_defect")
    if stated is None:
        return []
    definition = evidence.choice("soft_tissue_definition")
    words = _WORDS["soft_tissue_defect"]
    ends = [f"{end:.1f}" for end in dict.fromkeys((stated.low, stated.high))]
    what = definition.as_text if definition.known else "definition unknown"
    line = f"{words}, as reported, {what}, no uncertainty: {'; '.join(stated.because)}"
    counts = (stated.low, stated.high) if definition.known else None
    return [(f"{' to '.join(ends)} mm {words}", line, counts)]
