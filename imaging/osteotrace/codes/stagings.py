"""Staging systems and flags by the short name that results carry."""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import PRIVATE_SCHEME, Concept, table

STAGINGS: Final[dict[str, Concept]] = table(
    PRIVATE_SCHEME,
    aaoms_2014=("S-AAOMS14", "MRONJ stage, AAOMS 2014"),
    aaoms_2022=("S-AAOMS22", "MRONJ stage, AAOMS 2022"),
    sipmo_strict=("S-SIPMO", "MRONJ stage, SICMF-SIPMO, CT needed"),
    sipmo_lenient=("S-SIPMOL", "MRONJ stage, SICMF-SIPMO, a listed sign suffices"),
    genant=("S-GENANT", "Genant semiquantitative grade"),
    spinal_deformity_index=("S-SDI", "Spinal Deformity Index"),
    of_class=("S-OF", "Osteoporotic fracture class (OF)"),
    brown=("S-BROWN", "Maxillary defect class, Brown and Shaw (borrowed)"),
    rebound_fracture=("S-RVF", "Rebound vertebral fracture flag"),
    rai_cromris=("S-RAICR", "RAI-CROMRIS"),
    fap=("S-FAP", "Functional-aesthetic profile FAP-0"),
)
