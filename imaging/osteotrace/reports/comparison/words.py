"""A comparison in words and digits: states, verdicts, quantities, places and numbers.

Every sign that is told by a colour is told by a symbol and by words too.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.codes import KINDS, QUANTITIES, SITES
from osteotrace.codes.sites import VERTEBRAE
from osteotrace.measurements.measurement import SPOKEN, Measurement, decimals, shown
from osteotrace.reports.paragraph import without_keys
from osteotrace.reports.stage_sentences import lower

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.comparison import Lesion, Link, QuantityChange, State, Step
    from osteotrace.findings import Finding

# Symbols that every common font has.
STATE_SYMBOLS: Final[dict[State, str]] = {
    "new": "+",
    "growing": "▲",
    "stable": "=",
    "shrinking": "▼",
    "resolved": "○",
    "absent": "–",
    "merged": "»",
    "split": "«",
    "not comparable": "≠",
    "not assessed": "?",
}
# States that need no comparison of two values.
_WHOLE: Final = frozenset({"new", "resolved", "absent"})
NOT_JUDGED: Final = "not judged"
NONE: Final = "–"
MINUS: Final = "\N{MINUS SIGN}"
NARROW_SPACE: Final = "\N{NARROW NO-BREAK SPACE}"

_UNITS: Final = {"mm2": "mm²", "mm3": "mm³", "deg": "°", "1": "", "s": "s"}
# Units and signs within a sentence; a citation's own is left alone.
_PLAIN_UNITS: Final = {"mm2": "mm²", "mm3": "mm³"}
_SPOKEN_NUMBER: Final = re.compile(r"(?<=[ (])-(?=\d)|(?<=\d )mm[23]\b")
_CITATION: Final = re.compile(r"^([\w'-]+), .*?\b((?:19|20)\d\d);")
_LONG_INTEGER: Final = re.compile(r"(?<![\d.])\d{5,}")
_BASES: Final = {
    "tracked": "one tracking UID",
    "confirmed": "confirmed by a reader",
    "level": "the same vertebral level",
    "overlap": "overlap",
    "distance": "distance",
    "site": "kind and site",
    "carried": "carried forward from the earlier study",
}
# How a reason names two definitions (`osteotrace.change.why_not_comparable`).
_DEFINITIONS: Final = "two definitions: "
_AND: Final = "; and: "
# Below this a percentage is told with a decimal.
_SMALL_PERCENT: Final = 10.0
_SIGNIFICANT: Final = 2
# A value below this many times its uncertainty is no basis of a percentage.
_TELLING: Final = 10.0
# A smaller Δ of whole numbers has a decimal, or two values would differ by 0.
_SMALL_DELTA: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is said of one change.

    Parameters
    ----------
    words : str
        ``"real change: increased"``, ``"within measurement error"``, ...
    symbol : str
        The same as one sign.
    reason : str
        Why it was not judged; empty where it was.
    name : str
        ``"increased"``, ``"decreased"``, ``"within"`` or ``"not-judged"``, for styles.
    """

    words: str
    symbol: str
    reason: str
    name: str


def verdict(changed: QuantityChange, step: Step | None = None) -> Verdict:
    """Return what is said of a change; one without a repeatability is not judged.

    Of what decides in a `step` that says it came or went, the state is said.
    """
    told = changed.change
    if told.verdict == "not comparable":
        reason = shorter(without_keys(told.reason))
        if step is not None and changed.name == step.primary and step.state in _WHOLE:
            symbol = STATE_SYMBOLS[step.state]
            return Verdict(words=step.state, symbol=symbol, reason="", name="within")
        return Verdict(words=told.verdict, symbol="≠", reason=reason, name="not-judged")
    if changed.inapplicable:
        reason = "the repeatability does not apply: " + "; ".join(changed.inapplicable)
        return Verdict(words=NOT_JUDGED, symbol="≠", reason=reason, name="not-judged")
    if told.verdict == "within measurement error":
        return Verdict(words=told.verdict, symbol="=", reason="", name="within")
    symbol = "▲" if told.verdict == "increased" else "▼"
    words = f"real change: {told.verdict}"
    return Verdict(words=words, symbol=symbol, reason="", name=told.verdict)


# Names -------------------------------------------------------------------------------


def quantity(name: str) -> str:
    """Return what a quantity is called at the head of a row."""
    spoken = without_keys(name)
    if spoken == name and name in QUANTITIES:
        spoken = QUANTITIES[name].meaning
    return spoken[:1].upper() + spoken[1:]


def place(lesion: Lesion | Finding) -> str:
    """Return where a lesion is: its level, or its bone and side."""
    return " ".join(filter(None, (lesion.laterality, place_of(lesion.site))))


def place_of(site: str) -> str:
    """Return a site in words: vertebrae by their level."""
    if site in VERTEBRAE:
        return site.upper()
    return lower(SITES[site].meaning) if site in SITES else site


def kind(lesion: Lesion) -> str:
    """Return what a lesion is."""
    return KINDS[lesion.kind].meaning if lesion.kind in KINDS else lesion.kind


def basis(link: Link) -> str:
    """Return why two findings are held for one lesion, with the figures."""
    words = _BASES[link.basis]
    told = []
    if link.overlap is not None:
        told.append(f"overlap {100 * link.overlap:.0f} %")
    if link.distance_mm is not None:
        error = "" if link.u_mm is None else f" ± {link.u_mm:.1f}"
        told.append(f"distance {link.distance_mm:.1f}{error} mm")
    told.sort(key=lambda one: not one.startswith(words))
    if told:
        # "overlap 62 %" says that the basis is the overlap.
        named = told[0].startswith(words)
        words = ", ".join(told) if named else f"{words} ({', '.join(told)})"
    if link.confirmed_by:
        whom = f"confirmed by {link.confirmed_by}"
        words = whom if link.basis == "confirmed" else f"{words}; {whom}"
    return words


def leader_of(lesion: Lesion, lesions: Iterable[Lesion]) -> Lesion | None:
    """Return the lesion that another is a part of, as a fragment of sequestra.

    Parts have the label of their leader, a stroke and a number: ``SEQ-1/2``.
    """
    above = lesion.label.rpartition("/")[0]
    if not above:
        return None
    same = (one for one in lesions if (one.label, one.kind) == (above, lesion.kind))
    return next(same, None)


def reason(step: Step, *, beside_row: bool) -> str:
    """Return why a state is what it is, without what its row of numbers says.

    Parameters
    ----------
    step : Step
    beside_row : bool
        True where the row's own reason stands beside it too.
    """
    told = step.reason
    for changed in step.changes:
        meaning = QUANTITIES[changed.name].meaning if changed.name in QUANTITIES else ""
        heads = [f"{meaning}: {changed.change.as_text}"]
        if beside_row and changed.change.reason:
            heads.append(f"{meaning}: {changed.change.reason}")
        if beside_row and changed.inapplicable:
            why = "; ".join(changed.inapplicable)
            heads.append(f"{meaning}: its repeatability does not hold ({why})")
        for head in heads:
            if changed.name == step.primary and told.startswith(head):
                told = told.removeprefix(head).lstrip("; ")
    return in_signs(shorter(without_keys(told)))


def in_signs(told: str) -> str:
    """Return a sentence with its units and minus signs as they are printed."""
    return _SPOKEN_NUMBER.sub(lambda one: _PLAIN_UNITS.get(one.group(), MINUS), told)


def shorter(reason: str) -> str:
    """Return a reason with only that of two definitions in which they differ."""
    head, found, rest = reason.partition(_DEFINITIONS)
    one, both, other = rest.partition(_AND)
    if not found or not both:
        return reason
    first, last = one.split("; "), other.split("; ")
    own = "; ".join(part for part in first if part not in last) or "less"
    others = "; ".join(part for part in last if part not in first) or "less"
    return f"{head}{_DEFINITIONS}{own}{_AND}{others}"


def links_of(lesion: Lesion, step: Step) -> tuple[Link, ...]:
    """Return the links that join the findings of a step's two dates, or lead there."""
    uids = {
        seen.study: {one.tracking_uid for one in seen.findings} for seen in lesion.seen
    }
    first, last = uids.get(step.earlier, set()), uids.get(step.later, set())
    joined = tuple(
        link
        for link in lesion.links
        if link.earlier_uid in first and link.later_uid in last
    )
    return joined or lesion.links


def short_origin(origin: str) -> str:
    """Return where a limit comes from in a few words: a paper by author and year."""
    return _CITATION.sub(r"\1 \2;", origin).partition(";")[0]


# Numbers -----------------------------------------------------------------------------


def unit(ucum: str) -> str:
    """Return a UCUM unit as people write it."""
    return _UNITS.get(ucum, SPOKEN.get(ucum, ucum))


def number(value: float, ucum: str, u: float | None = None) -> str:
    """Return a value with ± u in the digits that it supports, without its unit."""
    ending = SPOKEN.get(ucum, ucum)
    return _set(shown(value, ucum, u).removesuffix(ending).rstrip())


def reading(lesion: Lesion, study: int, name: str) -> Measurement | None:
    """Return the one measurement of a quantity that a lesion has at a date."""
    found = [
        one
        for seen in lesion.seen
        if seen.study == study
        for finding in seen.findings
        for one in finding.measurements
        if isinstance(one, Measurement) and one.name == name
    ]
    return found[0] if len(found) == 1 else None


def ends(lesion: Lesion, step: Step, changed: QuantityChange) -> tuple[str, str]:
    """Return the earlier and the later value of a change, without their unit."""
    told = changed.change
    found = []
    for study, value, u in zip(
        (step.earlier, step.later),
        (told.earlier, told.later),
        changed.uncertainties,
        strict=True,
    ):
        whole = reading(lesion, study, told.name)
        if whole is not None and whole.is_range and whole.value == value:
            ending = SPOKEN.get(whole.unit, whole.unit)
            found.append(_set(whole.as_text.removesuffix(ending).rstrip()))
        else:
            found.append(NONE if value is None else number(value, told.unit, u))
    return found[0], found[1]


def delta(changed: QuantityChange) -> str:
    """Return Δ with its sign, in the digits of the values; a range as its ends."""
    told = changed.change
    if told.between is not None:
        low, high = (_signed(one, told.unit, None) for one in told.between)
        return f"{low} to {high}"
    if told.delta is None:
        return NONE
    return _signed(told.delta, told.unit, _larger_u(changed))


def percent(changed: QuantityChange) -> str:
    """Return the change as a share of the earlier value, empty where there is none."""
    told = changed.change
    u = changed.uncertainties[0] or 0.0
    is_near_zero = told.earlier is not None and abs(told.earlier) < _TELLING * u
    # Of percents, of angles and of what is hardly there a percentage would mislead.
    if told.percent is None or told.unit in ("%", "deg") or is_near_zero:
        return ""
    places = 1 if abs(told.percent) < _SMALL_PERCENT else 0
    return _with_sign(f"{told.percent:+z.{places}f}") + " %"


def per_month(changed: QuantityChange) -> str:
    """Return Δ a month to two digits at most, empty where there is none."""
    rate = changed.per_month
    if rate is None:
        return ""
    if not rate:
        return "0"
    places = max(0, _SIGNIFICANT - 1 - math.floor(math.log10(abs(rate))))
    # Not finer than a tenth of the last digit of Δ: more would be noise.
    finest = decimals(changed.change.unit, _larger_u(changed)) + 1
    return _with_sign(f"{rate:+z.{min(places, finest)}f}")


def limit(changed: QuantityChange) -> str:
    """Return what the change has to exceed, with the unit."""
    told = changed.change
    if told.limit is None:
        return ""
    # A limit has no uncertainty: of a length it is told to 0.01 mm.
    places = decimals(told.unit, 0.0)
    return f"{_set(f'{told.limit:.{places}f}')} {unit(told.unit)}".strip()


def _larger_u(changed: QuantityChange) -> float | None:
    known = [u for u in changed.uncertainties if u is not None]
    return max(known) if known else None


def _signed(value: float, ucum: str, u: float | None) -> str:
    places = decimals(ucum, u)
    if places == 0 and abs(value) < _SMALL_DELTA and value != round(value):
        places = 1
    return _with_sign(f"{value:+z.{places}f}")


def _with_sign(digits: str) -> str:
    """Return signed digits as they are set; a zero has no sign."""
    return _set(digits if any(one in "123456789" for one in digits) else digits[1:])


def _set(digits: str) -> str:
    """Return digits as they are set: a true minus, long integers in groups."""
    grouped = _LONG_INTEGER.sub(
        lambda found: f"{int(found.group()):,}".replace(",", NARROW_SPACE), digits
    )
    return grouped.replace("-", MINUS)
