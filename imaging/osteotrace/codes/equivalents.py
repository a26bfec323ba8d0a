"""Codes of other vocabularies that mean a kind or a quantity of this one.

Only what means the same stands here; what is merely near is left out. SNOMED CT numbers
that DICOM PS3.16 lacks were each seen in public value sets; SNOMED-RT codes (SRT) are
turned into SNOMED CT by whoever looks here.
"""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import Concept

# Kinds of finding by a code that says enough on its own.
KIND_EQUIVALENTS: Final[dict[Concept, str]] = {
    Concept("4857006", "SCT", "Sequestrum"): "sequestrum",
    Concept("12560006", "SCT", "Primary sequestrum"): "sequestrum",
    Concept("109699004", "SCT", "Sequestrum of mandible"): "sequestrum",
    Concept("30425001", "SCT", "Osteolysis"): "osteolysis",
    Concept("74947009", "SCT", "Gas"): "gas",
    Concept("118622000", "SCT", "Fistula"): "fistula",
    Concept("18802003", "SCT", "External fistula"): "fistula",
    Concept("12582004", "SCT", "Internal fistula"): "fistula",
    Concept("21947006", "SCT", "Compression fracture"): "vcf",
    Concept("1003500000", "SCT", "Osteoporotic compression fracture"): "vcf",
    Concept("22640007", "SCT", "Pathologic fracture"): "pathological_fracture",
    Concept("13814009", "SCT", "Hypertrophy of bone"): "bone_expansion",
}

# Kinds by a code and the site it is at, where neither says enough on its own.
KIND_EQUIVALENTS_AT: Final[dict[tuple[Concept, Concept], str]] = {
    (
        Concept("6920004", "SCT", "Defect"),
        Concept("90228003", "SCT", "Hard palate structure"),
    ): "palatal_bony_defect",
    (
        Concept("6920004", "SCT", "Defect"),
        Concept("87784001", "SCT", "Soft tissue"),
    ): "soft_tissue_defect",
    (
        Concept("79654002", "SCT", "Edema"),
        Concept("14016003", "SCT", "Bone marrow"),
    ): "marrow_edema",
    (
        Concept("79654002", "SCT", "Edema"),
        Concept("87784001", "SCT", "Soft tissue"),
    ): "soft_tissue_edema",
}

# What a quantity of values is called where its concept, or its derivation (DCM 121401),
# is one of these.
STATISTICS: Final[dict[Concept, str]] = {
    Concept("373098007", "SCT", "Mean"): "mean_value",
    Concept("373099004", "SCT", "Median"): "median_value",
    Concept("386136009", "SCT", "Standard Deviation"): "value_sd",
    Concept("255605001", "SCT", "Minimum"): "minimum_value",
    Concept("56851009", "SCT", "Maximum"): "maximum_value",
}
# The quantities that such a derivation is one of.
VALUES: Final[tuple[Concept, ...]] = (
    Concept("112031", "DCM", "Attenuation Coefficient"),
    Concept("110804", "DCM", "T1 Weighted MR Signal Intensity"),
    Concept("110805", "DCM", "T2 Weighted MR Signal Intensity"),
)
