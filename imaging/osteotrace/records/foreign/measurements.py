"""Numbers of a report of other software as measurements.

A number is read where its quantity is known and its unit is one of that quantity. What
qualifies it without being known here makes the value doubtful, and says so.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from osteotrace.codes import QUANTITIES, REPORT, Concept
from osteotrace.codes.dimensions import UNITS_OF
from osteotrace.codes.equivalents import STATISTICS, VALUES
from osteotrace.geometry import distance
from osteotrace.measurements.measurement import Detail, measured, not_measured
from osteotrace.records.foreign.content import concept, find, one_line, same, spelled
from osteotrace.regions import Polyline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from osteotrace.measurements.measurement import Method, Reading
    from osteotrace.records.foreign.content import Item
    from osteotrace.regions import Region

DERIVATION: Final = Concept("121401", "DCM", "Derivation")
METHOD: Final = Concept("370129005", "SCT", "Measurement Method")
REPORTED_BY: Final = "as reported by "
# Quantities that are the distance between the two ends of a line.
LENGTHS: Final = ("length", "distance", "line_length", "long_axis", "short_axis", "width")
IN_MM: Final = {"mm": 1.0, "cm": 10.0}
# Viewers round what they state to a tenth of a millimetre at worst.
LENGTH_TOLERANCE_MM: Final = 0.1
LENGTH_TOLERANCE: Final = 0.01
# What says how a number came about without changing what it is.
_HOW: Final = (METHOD, REPORT["algorithm_name"], REPORT["algorithm_version"])


def quantity(item: Item, group: Item) -> str:
    """Return the short name of what a NUM item measures, empty where it is not known.

    A derivation of any form, of the number or of its whole group, makes it another
    quantity: the standard deviation of values is no value.
    """
    derivations = [*item.below(DERIVATION), *group.below(DERIVATION)]
    if not derivations:
        return find(QUANTITIES, item.name) or _statistic(item.name)
    of_values = any(same(item.name, known) for known in VALUES)
    if len(derivations) == 1 and derivations[0].kind == "CODE" and of_values:
        return _statistic(derivations[0].code)
    return ""


def reading(
    item: Item,
    group: Item,
    *,
    method: Method,
    sources: tuple[str, ...],
    region: Region | None,
    stated: tuple[str, ...] = (),
) -> Reading | None:
    """Return what a NUM item says, the item taken; None where it is not understood.

    Parameters
    ----------
    item : Item
        A NUM.
    group : Item
        The measurement group that it stands in.
    method : Method
        Who reports it.
    sources : tuple of str
        The images it was read on.
    region : Region or None
        What it was taken from.
    stated : tuple of str
        What the group says of how its numbers came about.
    """
    name = quantity(item, group)
    if not name:
        return None
    value, unit = _value(item.dataset)
    reason = concept(item.dataset.get("NumericValueQualifierCodeSequence")).meaning
    if value is None:
        item.take()
        return not_measured(
            name, one_line(reason) or "no value stated", method=method, sources=sources
        )
    if not math.isfinite(value) or unit not in UNITS_OF[name]:
        return None
    flags = [
        *([f"qualified by {one_line(reason)}"] if reason else []),
        *(f"qualified by {doubt}" for doubt in _doubts(item)),
        *_disagreement(name, value, unit, region),
    ]
    definition = (*_definition(item, group, QUANTITIES[name]), *stated)
    details = _uncertainty(item, UNITS_OF[name])
    item.take()
    said = "a range whose meaning is not stated" if details else "not stated"
    return measured(
        name,
        value,
        unit,
        method=method,
        sources=sources,
        uncertainty_reason=f"{said} by {method.name.removeprefix(REPORTED_BY)}",
        region=region.role if region else "",
        definition="; ".join(definition),
        flags=flags,
        details=details,
    )


def how(item: Item) -> tuple[str, ...]:
    """Return what an item says of how numbers came about, its children taken."""
    return tuple(
        f"{child.name.meaning.lower()}: {_said(child.take())}"
        for known in _HOW
        for child in item.below(known)
        if child.kind in ("CODE", "TEXT")
    )


def _said(item: Item) -> str:
    return spelled(item.code) if item.kind == "CODE" else one_line(item.text)


def _statistic(code: Concept) -> str:
    return next((name for known, name in STATISTICS.items() if same(known, code)), "")


def _value(dataset: Dataset) -> tuple[float | None, str]:
    """Return the number of a NUM and its unit; None where it has no number.

    NaN where several numbers are stated, or two forms of it that disagree.
    """
    stated = list(dataset.get("MeasuredValueSequence") or [])
    if len(stated) != 1:
        return (math.nan if stated else None), ""
    unit = concept(stated[0].get("MeasurementUnitsCodeSequence"))
    exact, text = stated[0].get("FloatingPointValue"), stated[0].get("NumericValue")
    forms = [_number(form) for form in (exact, text) if form is not None and form != ""]
    if not forms:
        return None, unit.value
    if not all(map(math.isfinite, forms)):
        return math.nan, ""
    if len(forms) == 2 and abs(forms[0] - forms[1]) > _last_digit(str(text)):
        return math.nan, ""
    return forms[0], unit.value if unit.scheme == "UCUM" else ""


def _number(stated: object) -> float:
    """Return a stated number, NaN where it is none or there are several."""
    try:
        return float(str(stated))
    except ValueError:
        return math.nan


def _last_digit(text: str) -> float:
    """Return what one in the last digit of a decimal number is worth."""
    exponent = Decimal(text).as_tuple().exponent
    return float(Decimal(f"1E{exponent}"))


def _definition(item: Item, group: Item, known: Concept) -> tuple[str, ...]:
    """Return how the report itself calls the quantity, and how it came about."""
    derivations = [
        child.take()
        for place in (item, group)
        for child in place.below(DERIVATION, "CODE")
    ]
    codes = [item.name, *(child.code for child in derivations)]
    renamed = len(codes) > 1 or not same(item.name, known)
    own = ", ".join(map(spelled, codes))
    return (*([own] if renamed else []), *how(item))


def _disagreement(
    name: str, value: float, unit: str, region: Region | None
) -> Iterator[str]:
    """Yield what a line says against the length that is stated for it."""
    if name in LENGTHS and isinstance(region, Polyline) and len(region.points) == 2:
        drawn = distance(*region.points)
        stated = value * IN_MM.get(unit, math.nan)
        if abs(drawn - stated) > max(LENGTH_TOLERANCE_MM, LENGTH_TOLERANCE * drawn):
            yield f"the line is {drawn:.2f} mm long, {stated:.2f} mm are stated"


def _doubts(item: Item) -> list[str]:
    """Return the modifiers that are not known here; they stay to be listed."""
    return [
        f"{one_line(child.name.meaning)}: {_said(child)}"
        for child in item.children
        if child.dataset.get("RelationshipType") == "HAS CONCEPT MOD"
        and child.kind in ("CODE", "TEXT")
        and not any(same(child.name, known) for known in (*_HOW, DERIVATION))
    ]


def _uncertainty(item: Item, units: tuple[str, ...]) -> tuple[Detail, ...]:
    """Return a stated range of uncertainty; what it means nobody says."""
    found = []
    for child in item.below(REPORT["uncertainty"], "NUM"):
        value, unit = _value(child.dataset)
        if value is not None and math.isfinite(value) and unit in units:
            found.append(Detail(one_line(child.take().name.meaning), value, unit))
    return tuple(found)
