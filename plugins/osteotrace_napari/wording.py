"""How verdicts, values and states are said in the panel; no number is made here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.measurements.measurement import NotMeasured, shown
from osteotrace.series.wording import verdict_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.findings import Finding
    from osteotrace.measurements.measurement import Measurement, Reading
    from osteotrace.series import SeriesIdentity, VolumeHeader

# The views show stacks whose slices lie straight above one another.
_NOT_SHOWN: Final = "not shown here yet: use the command line"

ACCEPTED: Final = "accepted"
FLAGGED: Final = "flagged"
NOT_MEASURED: Final = "not measured"


def series_name(identity: SeriesIdentity) -> str:
    """Return modality and description, the modality said once."""
    description = identity.description.strip()
    if description.upper().startswith(identity.modality.upper()):
        return description
    return f"{identity.modality} {description}".strip()


def can_load(header: VolumeHeader) -> bool:
    """Tell whether a volume's verdict lets it be loaded."""
    return header.verdicts == ("regular",)


def verdict(header: VolumeHeader) -> str:
    """Return what the geometry verdict means, and whether the window can use it."""
    words = verdict_in_words(header)
    if can_load(header):
        return f"{words}, can be measured"
    return f"{words}; {_NOT_SHOWN}" if header.measurable else words


def state(finding: Finding) -> str:
    """Return ``accepted``, ``flagged`` or ``not measured``, of the first value."""
    if not finding.measurements or isinstance(finding.measurements[0], NotMeasured):
        return NOT_MEASURED
    return ACCEPTED if finding.measurements[0].accepted else FLAGGED


def amount(measurement: Measurement) -> str:
    """Return a value as people read it: ``12.07 ± 0.02 mm``."""
    return shown(measurement.value, measurement.unit, measurement.uncertainty)


def value(finding: Finding) -> str:
    """Return the first value, or what was drawn where none was measured."""
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
