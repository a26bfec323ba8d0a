"""How verdicts, values and states are said in the panel; no number is made here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.codes import CERTAINTIES, KINDS, LATERALITIES, PRESENCES, SITES
from osteotrace.measurements.measurement import NotMeasured
from osteotrace.series.wording import verdict_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.errors import OsteotraceError
    from osteotrace.findings import Finding
    from osteotrace.measurements.measurement import Measurement, Reading
    from osteotrace.series import SeriesIdentity, VolumeHeader


# A path longer than this would hide the reason behind it.
_SHORT_PLACE: Final = 40
# What a finding's first value is like.
ACCEPTED: Final = "accepted"
FLAGGED: Final = "flagged"
NOT_MEASURED: Final = "not measured"
STATED: Final = "stated"

# How far a finding has come.
DRAFT: Final = "draft"
TAKEN: Final = "accepted"
SAVED: Final = "saved"

NO_SIDE: Final = "not stated"
ABSENT: Final = "absent"
LOOKED_FOR: Final = "looked for"
NOT_TOLD: Final = "undetermined"

# Kinds where the coded meaning is longer than a table has room for.
_KINDS: Final = {
    "moth_eaten": "Moth-eaten bone",
    "osteolysis": "Osteolysis",
    "irregular_cortex": "Irregular cortex",
    "gas": "Gas",
    "fistula": "Fistula",
    "palatal_bony_defect": "Palatal defect",
    "sclerotic_rim": "Sclerotic rim",
    "marrow_edema": "Marrow edema",
    "facial_asymmetry": "Asymmetry",
    "remodelling": "Remodelling",
    "vcf": "Compression fracture",
    "oroantral_communication": "Oro-antral communication",
    "vertebra": "Vertebra",
    "region": "Region",
}
_SITES: Final = {
    "hard_palate": "Hard palate",
    "jaw": "Jaw",
    "hard_palate_mucosa": "Mucosa of hard palate",
}
# Quantities that come first in a finding, likewise.
_QUANTITIES: Final = {
    "palatal_gap_ap": "antero-posterior",
    "palatal_gap_transverse": "transverse",
    "palatal_gap_on_line": "on the palatal line",
    "soft_tissue_notch": "notch width",
    "soft_tissue_shortening": "shortening",
    "fragment_count": "fragments",
    "longest_diameter": "longest diameter",
    "cortical_breach_fraction": "cortex breached",
    "gas_volume": "volume",
    "sclerotic_rim_thickness": "thickness",
    "periosteal_thickness": "thickness",
    "periosteal_length": "length",
    "height_anterior": "anterior height",
    "height_middle": "middle height",
    "height_posterior": "posterior height",
    "cement_volume": "volume",
    "edema_volume": "volume",
    "asymmetry_index": "asymmetry of width",
    "mean_value": "mean",
    "lucent_rim_width": "lucent rim",
    "endplate_depression_superior": "superior depression",
    "endplate_depression_inferior": "inferior depression",
    "landmark_asymmetry": "landmark asymmetry",
    "segmental_kyphosis": "segmental kyphosis",
    "local_kyphosis": "local kyphosis",
}
# Verdicts that call a change.
CHANGES: Final = ("increased", "decreased")
# A verdict on two readings, in a word.
_VERDICTS: Final = {
    "within measurement error": "within error",
    "not comparable": "no verdict",
}


def series_name(identity: SeriesIdentity) -> str:
    """Return modality and description, the modality said once."""
    description = identity.description.strip()
    if description.upper().startswith(identity.modality.upper()):
        return description
    return f"{identity.modality} {description}".strip()


def can_load(header: VolumeHeader) -> bool:
    """Tell whether a volume's verdict lets it be loaded."""
    return header.measurable


def verdict(header: VolumeHeader) -> str:
    """Return what the geometry verdict means, and whether it lets one measure."""
    words = verdict_in_words(header)
    return f"{words}, can be measured" if can_load(header) else words


def state(finding: Finding) -> str:
    """Return ``accepted``, ``flagged``, ``not measured`` or ``stated``.

    The first value decides; ``stated`` is what a reader says and nothing measures.
    """
    if not finding.measurements:
        return NOT_MEASURED if finding.regions else STATED
    if isinstance(finding.measurements[0], NotMeasured):
        return NOT_MEASURED
    return ACCEPTED if finding.measurements[0].accepted else FLAGGED


def amount(measurement: Measurement) -> str:
    """Return a value as people read it: ``12.07 ± 0.02 mm``."""
    return measurement.as_text


def kind(finding: Finding) -> str:
    """Return what was found, in as few words as say it."""
    return _KINDS.get(finding.kind, KINDS[finding.kind].meaning)


def site_name(site: str) -> str:
    """Return a site in as few words as say it."""
    return _SITES.get(site, SITES[site].meaning.removesuffix(" vertebra"))


def place(finding: Finding) -> str:
    """Return where a finding lies, its side first: ``Right maxilla``."""
    where = site_name(finding.site)
    if not finding.laterality:
        return where
    # A level keeps its letter: "Left L1".
    rest = where if where[1:2].isdigit() else where[:1].lower() + where[1:]
    return f"{LATERALITIES[finding.laterality].meaning} {rest}"


def quantity(finding: Finding) -> str:
    """Return what the first value is of, in few words; empty where there is none."""
    if finding.presence == "absent":
        return LOOKED_FOR
    if not finding.measurements:
        return ""
    first = finding.measurements[0]
    meaning = first.code.meaning
    return _QUANTITIES.get(first.name, meaning[:1].lower() + meaning[1:])


def progress(*, accepted: bool, saved: bool) -> str:
    """Return how far a finding has come: ``draft``, ``accepted`` or ``saved``."""
    if saved:
        return SAVED
    return TAKEN if accepted else DRAFT


def change_word(verdict: str) -> str:
    """Return the verdict on a change in a word or two."""
    return _VERDICTS.get(verdict, verdict)


def whole(finding: Finding) -> str:
    """Return a finding in full: what, where, how sure, and what is noted."""
    said = [f"{finding.label}: {KINDS[finding.kind].meaning}", place(finding)]
    if finding.presence != "present":
        said.append(PRESENCES[finding.presence].meaning.lower())
    if finding.certainty != "definite":
        said.append(CERTAINTIES[finding.certainty].meaning.lower())
    return "\n".join(filter(None, (", ".join(said), finding.note)))


def value(finding: Finding) -> str:
    """Return the first value, what was drawn, or whether the finding is there."""
    if finding.presence == "absent":
        return ABSENT
    if not finding.measurements:
        return NOT_TOLD if finding.presence == "unknown" else ""
    return short(finding.measurements)


def short(measurements: Sequence[Reading]) -> str:
    """Return the text beside a line."""
    first = measurements[0]
    if not isinstance(first, NotMeasured):
        return amount(first)
    drawn = _as_drawn(measurements)
    return f"{NOT_MEASURED}; as drawn {drawn}" if drawn else NOT_MEASURED


def sentence(measurements: Sequence[Reading]) -> str:
    """Return the value with every reason to doubt it, in one sentence."""
    first = measurements[0]
    if isinstance(first, NotMeasured):
        drawn = _as_drawn(measurements)
        return f"{NOT_MEASURED}: {first.reason}" + (
            f"; as drawn {drawn}" if drawn else ""
        )
    parts = [amount(first), *(f"check: {flag}" for flag in first.flags)]
    if first.uncertainty is None:
        parts.append(f"no uncertainty: {first.uncertainty_reason}")
    if first.definition:
        parts.append(first.definition)
    return "; ".join(parts)


def details(finding: Finding) -> str:
    """Return each further measurement of a finding, one a line."""
    lines = []
    for each in finding.measurements[1:]:
        what = each.code.meaning
        text = each.reason if isinstance(each, NotMeasured) else amount(each)
        lines.append(f"{what}: {text}")
    return "\n".join(lines)


def _as_drawn(measurements: Sequence[Reading]) -> str:
    for each in measurements:
        if each.name == "length_as_drawn" and not isinstance(each, NotMeasured):
            return amount(each)
    return ""


def refusal(problem: OsteotraceError) -> str:
    """Return why something was refused and what to do; a short place, no long path."""
    place = problem.where if len(problem.where) <= _SHORT_PLACE else ""
    words = f"found {problem.found}; expected {problem.expected}; {problem.advice}"
    return f"{place}: {words}" if place else words[:1].upper() + words[1:]
