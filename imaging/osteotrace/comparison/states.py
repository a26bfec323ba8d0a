"""What became of a lesion between two dates: its state, and why.

It has grown or shrunk only where the change of its deciding quantity is real. It is gone
only where somebody looked for it and found none; where nobody looked, nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from osteotrace.codes import QUANTITIES
from osteotrace.comparison.quantity_changes import ADDITIVE, quantity_changes
from osteotrace.comparison.records import Step
from osteotrace.measurements.measurement import Measurement, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.comparison.primary import Primary
    from osteotrace.comparison.quantity_changes import Circumstances, Side
    from osteotrace.comparison.records import Link, QuantityChange, State
    from osteotrace.comparison.study_readings import StudyReading
    from osteotrace.findings import Finding

Seen = Literal["present", "absent", "unknown"]

NOT_DESCRIBED = "not described before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What happened to a lesion at a date beside what was measured.

    Parameters
    ----------
    link : Link or None
        Why it is the lesion of before.
    part : str
        ``"split"`` or ``"merged"``, or empty.
    told : str
        Why that is so, or what to mind, in words.
    proposed : bool
        True where no reader has confirmed the match or the absence.
    joined : tuple of Finding
        The other lesions as they were before, where they have merged with it.
    """

    link: Link | None = None
    part: Literal["split", "merged", ""] = ""
    told: str = ""
    proposed: bool = False
    joined: tuple[Finding, ...] = ()


def presence(findings: Iterable[Finding]) -> Seen:
    """Return whether a lesion is there, by all that was read of it at one date."""
    told = {one.presence for one in findings}
    if "present" in told:
        return "present"
    return "absent" if "absent" in told else "unknown"


def step(earlier: Side, later: Side, given: Circumstances, turn: Turn) -> Step:
    """Return what became of a lesion that was read at both dates."""
    was, now = presence(earlier.findings), presence(later.findings)
    primary, changes = quantity_changes(earlier, later, given, link=turn.link)
    state, reason = _of_presence(was, now, earlier, later)
    if not state:
        state, reason = _of_kinds(earlier, later)
    if not state and turn.part:
        state = turn.part
    if not state:
        doubted = _has_doubted_zero(primary, (earlier, later), given)
        state, reason = _by_quantity(primary, changes, doubted_zero=doubted)
    return Step(
        earlier=earlier.study.number,
        later=later.study.number,
        state=state,
        primary=primary.quantity if primary else "",
        changes=changes,
        reason=_joined(reason, turn.told),
        proposed=turn.proposed,
    )


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _of_presence(
    was: Seen, now: Seen, earlier: Side, later: Side
) -> tuple[State | None, str]:
    """Return what presence alone decides; None where the quantity does."""
    if "unknown" in (was, now):
        side = earlier if was == "unknown" else later
        return (
            "not assessed",
            f"on {side.study.called} it was left open whether it is there",
        )
    if was == "absent":
        if now == "absent":
            return "absent", "looked for at both dates, and not there"
        return "new", f"looked for on {earlier.study.called}, and not there"
    if now == "absent":
        return "resolved", f"looked for on {later.study.called}, and not there"
    return None, ""


def _of_kinds(earlier: Side, later: Side) -> tuple[State | None, str]:
    """Return that a vertebra has broken that was measured and not called broken."""
    if earlier.first.kind == "vertebra" and later.first.kind == "vcf":
        return "new", f"no fracture was described on {earlier.study.called}"
    return None, ""


def _has_doubted_zero(
    primary: Primary | None, sides: Iterable[Side], given: Circumstances
) -> bool:
    """Tell whether a zero of the deciding quantity has a flag that nobody let pass."""
    return any(
        isinstance(one, Measurement)
        and one.value == 0
        and not set(one.flags) <= set(given.accepted_flags)
        for side in sides
        for one in side.readings()
        if primary is not None and one.name == primary.quantity
    )


def _by_quantity(
    primary: Primary | None, changes: tuple[QuantityChange, ...], *, doubted_zero: bool
) -> tuple[State, str]:
    if primary is None:
        reasons = [one.change.reason for one in changes if one.change.reason]
        return "not comparable", reasons[0] if reasons else "nothing was measured twice"
    first = changes[0]
    name = QUANTITIES[primary.quantity].meaning if primary.quantity in QUANTITIES else ""
    if first.inapplicable:
        told = "; ".join(first.inapplicable)
        return "not comparable", f"{name}: its repeatability does not hold ({told})"
    found = first.change
    zeros = _of_zeros(found.earlier, found.later, primary)
    if zeros is not None and not doubted_zero:
        return zeros, f"{name}: {_values(first)}"
    if found.verdict == "not comparable":
        return "not comparable", f"{name}: {found.reason}"
    if not first.is_real:
        return "stable", f"{name}: {found.as_text}"
    assert found.earlier is not None
    assert found.later is not None
    grown = primary.has_grown(found.earlier, found.later)
    return "growing" if grown else "shrinking", f"{name}: {found.as_text}"


def _of_zeros(
    earlier: float | None, later: float | None, primary: Primary
) -> State | None:
    """Return what a measured zero decides: there was none, or there is none."""
    if primary.quantity not in ADDITIVE or earlier is None or later is None:
        return None
    if earlier == later == 0:
        return "absent"
    if later == 0:
        return "resolved"
    return "new" if earlier == 0 else None


def _values(one: QuantityChange) -> str:
    values = one.change.earlier, one.change.later
    return ", then ".join(
        shown(v, one.change.unit, None) for v in values if v is not None
    )


def not_assessed(earlier: StudyReading, later: StudyReading, reason: str) -> Step:
    """Return the step to a study at which nobody read the lesion."""
    return Step(
        earlier=earlier.number, later=later.number, state="not assessed", reason=reason
    )


def gone(earlier: Side, later: StudyReading, reason: str, *, proposed: bool) -> Step:
    """Return the step to a study that did not find the lesion among others."""
    return Step(
        earlier=earlier.study.number,
        later=later.number,
        state="resolved",
        reason=reason,
        proposed=proposed,
    )


def begun(before: StudyReading, side: Side, reason: str, *, proposed: bool) -> Step:
    """Return the step to the first study that describes a lesion."""
    first = next((m for m in side.first.measurements if isinstance(m, Measurement)), None)
    return Step(
        earlier=before.number,
        later=side.study.number,
        state="new",
        primary=first.name if first else "",
        reason=reason,
        proposed=proposed,
    )
