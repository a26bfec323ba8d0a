"""Staging systems and flags by the short name that results carry."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from osteotrace.codes.concepts import PRIVATE_SCHEME, Concept, look_up, table

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

# VR SH and VR LO (PS3.5 6.2).
_CODE_VALUE_LENGTH: Final = 16
_CODE_MEANING_LENGTH: Final = 64
_PLAIN_STAGE: Final = re.compile(r"[A-Za-z0-9.]+( [A-Za-z0-9.]+)*")


def stage_concept(system: str, stage: str) -> Concept:
    """Return the coded concept of a stage, the same for ever.

    Its value is the system's without ``S-`` and the stage, as in ``AAOMS22-at_risk``; a
    stage that does not fit there is told by the start of its SHA-256.

    Parameters
    ----------
    system : str
        Key of `STAGINGS`.
    stage : str
        The stage as people read it.

    Examples
    --------
    >>> stage_concept("sipmo_strict", "2b")
    Concept(value='SIPMO-2b', scheme='99OSTEO', meaning='2b')
    """
    prefix = look_up(STAGINGS, system, "staging system").value.removeprefix("S-") + "-"
    value = prefix + stage.replace(" ", "_")
    if not _PLAIN_STAGE.fullmatch(stage) or len(value) > _CODE_VALUE_LENGTH:
        digest = hashlib.sha256(stage.encode("utf-8", "surrogatepass")).hexdigest()
        value = f"{prefix}#{digest}"[:_CODE_VALUE_LENGTH]
    printed = "".join(c if c.isprintable() and c != "\\" else " " for c in stage)
    meaning = " ".join(printed.split())[:_CODE_MEANING_LENGTH].strip()
    return Concept(value, PRIVATE_SCHEME, meaning or "Unnamed stage")
