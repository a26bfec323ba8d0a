"""SNOMED CT codes that DICOM does not publish, and the private codes they stand beside.

Each was seen in the public value sets named with it; none is from memory. Outside the
subset that DICOM publishes a SNOMED licence may be needed, so records carry the 99OSTEO
code alone until a site allows the others: `equivalents_of`.
"""

from __future__ import annotations

import os
from typing import Final, Literal

import msgspec

from osteotrace.codes.concepts import PRIVATE_SCHEME, Concept

# How a code relates to the private one, as SKOS names it: exact, broad or related match.
Relation = Literal["same", "broader", "related"]

# A site whose SNOMED licence covers them sets this to "on".
VARIABLE: Final = "OSTEOTRACE_SNOMED_EQUIVALENTS"

FHIR_BODY_STRUCTURE: Final = (
    "HL7 FHIR R4 body-structure value set, its first thousand codes"
)
EHDSI: Final = "HL7 Europe eHDSI value sets 8.1.0, SNOMED CT International February 2025"
SWISS_TERMINOLOGY: Final = "tx.fhir.ch, concept page"
HAI: Final = "HL7 Healthcare Associated Infection implementation guide"
NHS_FRACTURES: Final = "opencodelists.org, nhsd ff_cod"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A code of SNOMED CT and the public value sets that it was seen in."""

    concept: Concept
    value_sets: tuple[str, ...]


class Equivalent(msgspec.Struct, frozen=True, kw_only=True):
    """A code of SNOMED CT beside a private one, and how the two relate."""

    concept: Concept
    relation: Relation


def _seen(*value_sets: str, **codes: tuple[str, str]) -> dict[str, Seen]:
    return {
        name: Seen(concept=Concept(value, "SCT", meaning), value_sets=value_sets)
        for name, (value, meaning) in codes.items()
    }


BEYOND_DICOM: Final[dict[str, Seen]] = {
    **_seen(
        FHIR_BODY_STRUCTURE,
        sequestrum=("4857006", "Sequestrum"),
        primary_sequestrum=("12560006", "Primary sequestrum"),
        defect=("6920004", "Defect"),
        hypertrophy_of_bone=("13814009", "Hypertrophy of bone"),
    ),
    **_seen(
        SWISS_TERMINOLOGY,
        sequestrum_of_mandible=("109699004", "Sequestrum of the mandible"),
    ),
    **_seen(
        FHIR_BODY_STRUCTURE,
        EHDSI,
        osteolysis=("30425001", "Osteolysis"),
        compression_fracture=("21947006", "Compression fracture"),
        pathologic_fracture=("22640007", "Pathologic fracture"),
        flattening_deformity=("20601007", "Flattening deformity"),
        deformity=("6081001", "Deformity"),
        external_fistula=("18802003", "External fistula"),
        internal_fistula=("12582004", "Internal fistula"),
        perforation=("36191001", "Perforation"),
        localized_edema=("7939003", "Localized edema"),
    ),
    **_seen(
        EHDSI,
        osteoporotic_compression_fracture=(
            "1003500000",
            "Osteoporotic compression fracture",
        ),
        fistula=("118622000", "Fistula"),
        sinus_tract=("419351001", "Sinus"),
        abnormal_communication=("783804002", "Abnormal communication"),
        sclerosis=("43846000", "Sclerosis"),
        avascular_necrosis=("86217007", "Avascular necrosis"),
        aseptic_necrosis=("72756009", "Aseptic necrosis"),
        external_hyperostosis=("80400009", "External hyperostosis"),
        swelling=("442672001", "Swelling"),
        localized_swelling=("722192005", "Localized swelling"),
        hard_palate=("90228003", "Hard palate structure"),
        palate=("72914001", "Palatal structure"),
        upper_jaw=("4335006", "Upper jaw region structure"),
        alveolar_process=("129143008", "Alveolar process"),
        vertebral_body=("3572006", "Structure of body of vertebra"),
        body_of_l1=("61032001", "Structure of body of L1"),
        body_of_l2=("53983007", "Structure of body of L2"),
        body_of_l3=("55492004", "Structure of body of L3"),
        body_of_l4=("71996003", "Structure of body of L4"),
        body_of_l5=("21799000", "Structure of body of L5"),
        vertebral_marrow=("361004007", "Bone marrow of vertebra"),
    ),
    **_seen(HAI, osteomyelitis=("60168000", "Osteomyelitis")),
    **_seen(
        NHS_FRACTURES,
        osteoporotic_fracture=("443165006", "Osteoporotic fracture of bone"),
    ),
}

# Private codes by value, and what stands beside them, the nearest first.
_BESIDE: Final[dict[str, tuple[tuple[str, Relation], ...]]] = {
    "F-SEQ": (("sequestrum", "same"),),
    "F-LYT": (("osteolysis", "broader"),),
    "F-MOTH": (("osteolysis", "broader"),),
    "F-FIST": (
        ("fistula", "broader"),
        ("external_fistula", "related"),
        ("internal_fistula", "related"),
        ("sinus_tract", "related"),
    ),
    "F-OANC": (("abnormal_communication", "broader"),),
    "F-PALBONE": (("defect", "broader"),),
    "F-STDEF": (("defect", "broader"),),
    "F-SCLRIM": (("sclerosis", "broader"),),
    "F-SCLDIF": (("sclerosis", "broader"),),
    "F-EXPAN": (("hypertrophy_of_bone", "related"),),
    "F-VCF": (("compression_fracture", "broader"),),
    "F-PATHFX": (("pathologic_fracture", "same"),),
    "A-ALVMAX": (("alveolar_process", "broader"),),
}


def equivalents_of(
    concept: Concept, *, allowed: bool | None = None
) -> tuple[Equivalent, ...]:
    """Return the codes of SNOMED CT that may stand beside a private one.

    Parameters
    ----------
    concept : Concept
        A concept of this vocabulary.
    allowed : bool, optional
        Whether the site allows codes that DICOM does not publish. By default it does
        where the environment variable ``OSTEOTRACE_SNOMED_EQUIVALENTS`` is ``on``.

    Returns
    -------
    tuple of Equivalent
        Empty where it is not allowed, or nothing was found. Only the relation ``same``
        may be written as an equivalent code (PS3.3 table 8.8-1).

    Examples
    --------
    >>> equivalents_of(Concept("F-SEQ", "99OSTEO", "Sequestrum"))
    ()
    >>> found = equivalents_of(Concept("F-SEQ", "99OSTEO", "Sequestrum"), allowed=True)
    >>> [(one.concept.value, one.relation) for one in found]
    [('4857006', 'same')]
    """
    if allowed is None:
        allowed = os.environ.get(VARIABLE, "") == "on"
    if not allowed or concept.scheme != PRIVATE_SCHEME:
        return ()
    return tuple(
        Equivalent(concept=BEYOND_DICOM[name].concept, relation=relation)
        for name, relation in _BESIDE.get(concept.value, ())
    )
