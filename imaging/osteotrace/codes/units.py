"""UCUM units by the short name that records carry."""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import Concept

UNITS: Final[dict[str, Concept]] = {
    "mm": Concept("mm", "UCUM", "millimeter"),
    "mm2": Concept("mm2", "UCUM", "square millimeter"),
    "mm3": Concept("mm3", "UCUM", "cubic millimeter"),
    "[hnsf'U]": Concept("[hnsf'U]", "UCUM", "Hounsfield unit"),
    "deg": Concept("deg", "UCUM", "degree"),
    "%": Concept("%", "UCUM", "percent"),
    "cm": Concept("cm", "UCUM", "centimeter"),
    "cm2": Concept("cm2", "UCUM", "square centimeter"),
    "cm3": Concept("cm3", "UCUM", "cubic centimeter"),
    "ml": Concept("ml", "UCUM", "milliliter"),
    "mg": Concept("mg", "UCUM", "milligram"),
    "mg/kg": Concept("mg/kg", "UCUM", "milligram per kilogram"),
    "mg/d": Concept("mg/d", "UCUM", "milligram per day"),
    "mg/dL": Concept("mg/dL", "UCUM", "milligram per deciliter"),
    "mg/L": Concept("mg/L", "UCUM", "milligram per liter"),
    "mm/h": Concept("mm/h", "UCUM", "millimeter per hour"),
    "10*3/uL": Concept("10*3/uL", "UCUM", "thousand per microliter"),
    "kg": Concept("kg", "UCUM", "kilogram"),
    "d": Concept("d", "UCUM", "day"),
    "wk": Concept("wk", "UCUM", "week"),
    "mo": Concept("mo", "UCUM", "month"),
    "a": Concept("a", "UCUM", "year"),
    "{ratio}": Concept("{ratio}", "UCUM", "ratio"),
    "1": Concept("1", "UCUM", "no units"),
    "{counts}": Concept("{counts}", "UCUM", "Counts"),
    "{grade}": Concept("{grade}", "UCUM", "grade"),
    "{pixels}": Concept("{pixels}", "UCUM", "pixels"),
    "{-1:1}": Concept("{-1:1}", "UCUM", "direction cosine"),
}
