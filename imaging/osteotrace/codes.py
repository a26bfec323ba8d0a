"""Every coded concept and UCUM unit that osteotrace writes, in one table.

Standard codes are those that DICOM PS3.16 publishes (SCT, DCM, UCUM); what no standard
scheme names has a code of the private scheme 99OSTEO, whose values are never reused.
Nothing here reads or writes: other modules look names up.
"""

from __future__ import annotations

from typing import Final

import msgspec

from osteotrace.errors import OsteotraceError

PRIVATE_SCHEME: Final = "99OSTEO"
PRIVATE_SCHEME_NAME: Final = "Bone lesion annotation, research"
# UUID-derived UID of the private scheme (DICOM PS3.5 B.2), fixed for ever.
PRIVATE_SCHEME_UID: Final = "2.25.278014649975893708401319332780597281323"


class Concept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A coded concept: code value, coding scheme designator, code meaning (PS3.3 8)."""

    value: str
    scheme: str
    meaning: str


def _table(scheme: str, **meanings: tuple[str, str]) -> dict[str, Concept]:
    return {
        name: Concept(value, scheme, meaning)
        for name, (value, meaning) in meanings.items()
    }


# UCUM units by the short name that records carry.
UNITS: Final[dict[str, Concept]] = {
    "mm": Concept("mm", "UCUM", "millimeter"),
    "mm2": Concept("mm2", "UCUM", "square millimeter"),
    "mm3": Concept("mm3", "UCUM", "cubic millimeter"),
    "[hnsf'U]": Concept("[hnsf'U]", "UCUM", "Hounsfield unit"),
    "deg": Concept("deg", "UCUM", "degree"),
    "%": Concept("%", "UCUM", "percent"),
    "{ratio}": Concept("{ratio}", "UCUM", "ratio"),
    "1": Concept("1", "UCUM", "no units"),
}

# What is measured. DCM and SCT where DICOM names the quantity, 99OSTEO elsewhere.
QUANTITIES: Final[dict[str, Concept]] = {
    **_table(
        "DCM",
        distance=("121206", "Distance"),
    ),
    **_table(
        PRIVATE_SCHEME,
        palatal_gap_ap=("M-GAPAP", "Palatal gap, antero-posterior"),
        soft_tissue_notch=("M-NOTCHW", "Soft-tissue notch width"),
        length_along_line=(
            "M-LALONG",
            "Length along the line between the two fitted edges",
        ),
        length_perpendicular=(
            "M-LPERP",
            "Perpendicular length between the planes fitted to both edges",
        ),
        length_as_drawn=("M-LRAW", "Length between the two points as drawn"),
    ),
}

# Kinds of finding, by the identifier of the finding vocabulary.
KINDS: Final[dict[str, Concept]] = {
    **_table(
        PRIVATE_SCHEME,
        palatal_bony_defect=("F-PALBONE", "Palatal bony defect"),
        soft_tissue_defect=("F-STDEF", "Soft-tissue defect"),
        sequestrum=("F-SEQ", "Sequestrum"),
        moth_eaten=("F-MOTH", "Moth-eaten bone destruction"),
        vcf=("F-VCF", "Vertebral compression fracture"),
    ),
    **_table("SCT", lesion=("52988006", "Lesion")),
}

SITES: Final[dict[str, Concept]] = {
    **_table(
        "SCT",
        hard_palate=("90228003", "Hard palate structure"),
        soft_palate=("49460000", "Soft palate"),
        maxilla=("70925003", "Maxilla"),
        mandible=("91609006", "Mandible"),
        palatine_bone=("51283005", "Palatine bone"),
        jaw=("661005", "Jaw region"),
        facial_bones=("91397008", "Facial bones"),
        spine=("421060004", "Spine"),
        l1=("66794005", "L1 vertebra"),
        l2=("14293000", "L2 vertebra"),
        l3=("36470004", "L3 vertebra"),
        l4=("11994002", "L4 vertebra"),
        l5=("49668003", "L5 vertebra"),
    ),
    **_table(PRIVATE_SCHEME, premaxilla=("A-PREMAX", "Premaxilla")),
}

LATERALITIES: Final[dict[str, Concept]] = _table(
    "SCT",
    left=("7771000", "Left"),
    right=("24028007", "Right"),
    bilateral=("51440002", "Bilateral"),
    unilateral=("66459002", "Unilateral"),
)


def look_up(table: dict[str, Concept], name: str, what: str) -> Concept:
    """Return a concept by its short name.

    Raises
    ------
    OsteotraceError
        If the table has no such name; the names it has are listed.
    """
    try:
        return table[name]
    except KeyError:
        raise OsteotraceError(
            f"the {what} {name!r}",
            expected="one of " + ", ".join(sorted(table)),
            advice=f"correct the {what}",
            usage=True,
        ) from None


def name_of(table: dict[str, Concept], concept: Concept) -> str:
    """Return the short name of a concept, matched by value and scheme."""
    for name, known in table.items():
        if (known.value, known.scheme) == (concept.value, concept.scheme):
            return name
    raise OsteotraceError(
        f"the code {concept.value} of {concept.scheme} ({concept.meaning})",
        expected="a code of the osteotrace vocabulary",
        advice="read this record with the version of osteotrace that wrote it",
    )
