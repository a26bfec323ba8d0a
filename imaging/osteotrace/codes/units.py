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
    "{ratio}": Concept("{ratio}", "UCUM", "ratio"),
    "1": Concept("1", "UCUM", "no units"),
    "{counts}": Concept("{counts}", "UCUM", "Counts"),
    "{grade}": Concept("{grade}", "UCUM", "grade"),
    "{pixels}": Concept("{pixels}", "UCUM", "pixels"),
    "{-1:1}": Concept("{-1:1}", "UCUM", "direction cosine"),
}
