"""Numbers of a report of other software as measurements.

A number is read where its quantity and its unit are known. What qualifies it without
being known here makes the value doubtful, and says so.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from osteotrace.codes import QUANTITIES, REPORT, UNITS, Concept
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


def quantity(item: Item) -> str:
    """Return the short name of what a NUM item measures, empty where it is not known."""
    derivations = item.below(DERIVATION, "CODE")
    if not derivations:
        return find(QUANTITIES, item.name) or _statistic(item.name)
    of_values = any(same(item.name, known) for known in VALUES)
    if len(derivations) == 1 and of_values:
        return _statistic(derivations[0].code)
    return ""


def reading(
    item: Item,
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
    method : Method
        Who reports it.
    sources : tuple of str
        The images it was read on.
    region : Region or None
        What it was taken from.
    stated : tuple of str
        What the group says of how its numbers came about.
    """
    name = quantity(item)
    if not name:
        return None
    value, unit = _value(item.dataset)
    if value is None:
        reason = concept(item.dataset.get("NumericValueQualifierCodeSequence")).meaning
        item.take()
        return not_measured(
            name, one_line(reason) or "no value stated", method=method, sources=sources
        )
    if not math.isfinite(value) or unit not in UNITS:
        return None
    flags = [
        *(f"qualified by {doubt}" for doubt in _doubts(item)),
        *_disagreement(name, value, unit, region),
    ]
    definition = (*_definition(item, QUANTITIES[name]), *stated)
    details = _uncertainty(item)
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
    """Return the number of a NUM and its unit; None where it has no number."""
    for stated in dataset.get("MeasuredValueSequence") or []:
        unit = concept(stated.get("MeasurementUnitsCodeSequence"))
        value = stated.get("FloatingPointValue")
        if value is None:
            value = stated.get("NumericValue")
        if value is None or value == "":
            return None, unit.value
        return float(value), unit.value if unit.scheme == "UCUM" else ""
    return None, ""


def _definition(item: Item, known: Concept) -> tuple[str, ...]:
    """Return how the report itself calls the quantity, and how it came about."""
    derivations = [child.take() for child in item.below(DERIVATION, "CODE")]
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


def _uncertainty(item: Item) -> tuple[Detail, ...]:
    """Return a stated range of uncertainty; what it means nobody says."""
    found = []
    for child in item.below(REPORT["uncertainty"], "NUM"):
        value, unit = _value(child.dataset)
        if value is not None and math.isfinite(value) and unit in UNITS:
            found.append(Detail(one_line(child.take().name.meaning), value, unit))
    return tuple(found)
