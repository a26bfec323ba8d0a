"""Whether the disease is stable, improving or worse since the last examination.

Each length or volume of a lesion is compared with its last reading before the date, by
`osteotrace.change`: below repeatability it is stable. What does not compare says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.change.verdicts import change
from osteotrace.codes import QUANTITIES
from osteotrace.findings import StagingPart
from osteotrace.measurements.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from osteotrace.change.verdicts import Change
    from osteotrace.findings import Assessment, Finding
    from osteotrace.staging.evidence import Evidence

# Of these, more is worse; of a signed one, farther from zero.
_WORSE_IF_MORE: Final = (
    "palatal_gap_ap",
    "palatal_gap_transverse",
    "soft_tissue_notch",
    "soft_tissue_shortening",
    "premaxilla_depression",
    "landmark_asymmetry",
    "asymmetry_index",
    "asymmetry_index_volume",
    "longest_diameter",
    "excess_density_volume",
    "cortical_breach_fraction",
    "trabecular_lucent_fraction",
    "gas_volume",
    "edema_volume",
)
WORDS: Final = ("improving", "stable", "worse")


def durability(evidence: Evidence) -> StagingPart:
    """Return the axis D; ``?`` where nothing compares with an earlier date.

    Where lesions go different ways it is an interval, such as ``improving..worse``.
    """
    told = [
        (_word(found), f"{_spoken(finding, found)} since {since}")
        for finding, since, found in _changes(evidence)
    ]
    known = [word for word, _ in told if word]
    if not known:
        said = "; ".join(text for _, text in told)
        text = f"D? ({said})" if said else "D?"
        return StagingPart(name="D", lowest="?", highest="?", text=text)
    ends = sorted({WORDS.index(word) for word in known})
    low, high = WORDS[ends[0]], WORDS[ends[-1]]
    level = low if low == high else f"{low}..{high}"
    said = "; ".join(text for word, text in told if word)
    return StagingPart(name="D", lowest=low, highest=high, text=f"D {level} ({said})")


def _word(found: Change) -> str:
    """Return which way a change goes; empty where the two do not compare."""
    if found.verdict == "not comparable":
        return ""
    if found.verdict == "within measurement error":
        return "stable"
    assert found.earlier is not None
    assert found.later is not None
    return "worse" if abs(found.later) > abs(found.earlier) else "improving"


def _spoken(finding: Finding, found: Change) -> str:
    meaning = QUANTITIES[found.name].meaning
    return f"{finding.label} {meaning[0].lower()}{meaning[1:]} {found.as_text}"


def _changes(evidence: Evidence) -> Iterator[tuple[Finding, str, Change]]:
    """Yield each quantity of a lesion with the date and reading before."""
    earlier = [
        one
        for one in evidence.assessments(until=True)
        if one.study_date < evidence.date and one.reader
    ]
    for now in evidence.assessments():
        for finding in now.findings if now.reader else ():
            for row in _rows(finding):
                last = _last(earlier, now, finding, row)
                if last is not None:
                    before, lesion, prior = last
                    sizes = _spacing(before, lesion), _spacing(now, finding)
                    found = change(
                        prior,
                        row,
                        same_reader=before.reader == now.reader,
                        slice_mm=_largest(one and one[0] for one in sizes),
                        voxel_mm=_largest(one and max(one) for one in sizes),
                    )
                    yield finding, before.study_date, found


def _spacing(
    assessment: Assessment, finding: Finding
) -> tuple[float, float, float] | None:
    """Return the voxels that a finding was read on, mm; None where not known."""
    found = {
        one.spacing_mm
        for one in assessment.series
        if finding.series_uid in ("", one.series_uid)
    }
    return found.pop() if len(found) == 1 else None


def _largest(sizes: Iterable[float | None]) -> float | None:
    """Return the largest of some sizes; None where one is not known."""
    known = list(sizes)
    return None if None in known else max(one for one in known if one is not None)


def _rows(finding: Finding) -> Iterator[Measurement]:
    if finding.presence != "present":
        return
    for row in finding.measurements:
        if isinstance(row, Measurement) and row.name in _WORSE_IF_MORE:
            yield row


def _last(
    earlier: list[Assessment], now: Assessment, finding: Finding, row: Measurement
) -> tuple[Assessment, Finding, Measurement] | None:
    """Return the last reading of a quantity of a lesion, the same reader's first."""
    found = [
        (one, other, prior)
        for one in earlier
        for other in one.findings
        if _same_lesion(finding, other)
        for prior in _rows(other)
        if prior.name == row.name
    ]
    return max(
        found,
        key=lambda told: (told[0].study_date, told[0].reader == now.reader),
        default=None,
    )


def _same_lesion(one: Finding, other: Finding) -> bool:
    """Tell whether two findings are one lesion: by its tracking UID, else by its name."""
    if one.tracking_uid and one.tracking_uid == other.tracking_uid:
        return True
    names = ("label", "kind", "site", "laterality")
    return all(getattr(one, name) == getattr(other, name) for name in names)
