"""Private codes that are declared and not written yet, so that nobody else takes them."""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import PRIVATE_SCHEME, Concept, table

# Staging systems whose tables are specified and not built.
RESERVED: Final[dict[str, Concept]] = table(
    PRIVATE_SCHEME,
    composite_radiographic_index=("S-CRI", "Composite Radiographic Index of MRONJ"),
    dimensional=("S-DIM", "Dimensional stage of MRONJ"),
    okay=("S-OKAY", "Maxillary defect class, Okay"),
    aramany=("S-ARAM", "Maxillary defect class, Aramany"),
    of_score=("S-OFSC", "Osteoporotic fracture score (OF score)"),
    ao_spine=("S-AOTL", "AO Spine thoracolumbar injury class"),
    rinbo=("S-RINBO", "Radiologic Index for Nonbacterial Osteitis (RINBO)"),
    fracture_risk=("S-GIOP", "Glucocorticoid-induced osteoporosis, fracture risk"),
)
