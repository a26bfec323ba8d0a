"""Codes of other vocabularies that are read as a kind or a quantity of this one.

Those that the finding vocabulary states beside its own; what is merely near is left out.
SNOMED-RT codes (SRT) are turned into SNOMED CT by whoever looks here.
"""

from __future__ import annotations

from typing import Final

from osteotrace.codes.beyond_dicom import BEYOND_DICOM
from osteotrace.codes.concepts import Concept
from osteotrace.codes.descriptions import MORPHOLOGIES, TISSUES
from osteotrace.codes.quantities import QUANTITIES
from osteotrace.codes.sites import SITES

# Kinds of finding by a code that says enough on its own.
KIND_EQUIVALENTS: Final[dict[Concept, str]] = {
    BEYOND_DICOM["sequestrum"].concept: "sequestrum",
    BEYOND_DICOM["primary_sequestrum"].concept: "sequestrum",
    BEYOND_DICOM["sequestrum_of_mandible"].concept: "sequestrum",
    MORPHOLOGIES["gas"]: "gas",
    BEYOND_DICOM["fistula"].concept: "fistula",
    BEYOND_DICOM["external_fistula"].concept: "fistula",
    BEYOND_DICOM["internal_fistula"].concept: "fistula",
    # At a vertebra alone.
    BEYOND_DICOM["compression_fracture"].concept: "vcf",
    BEYOND_DICOM["osteoporotic_compression_fracture"].concept: "vcf",
    BEYOND_DICOM["pathologic_fracture"].concept: "pathological_fracture",
    BEYOND_DICOM["hypertrophy_of_bone"].concept: "bone_expansion",
}

# Kinds by a code and the site it is at, where neither says enough on its own.
KIND_EQUIVALENTS_AT: Final[dict[tuple[Concept, Concept], str]] = {
    (BEYOND_DICOM["defect"].concept, SITES["hard_palate"]): "palatal_bony_defect",
    (BEYOND_DICOM["defect"].concept, TISSUES["soft_tissue"]): "soft_tissue_defect",
    (MORPHOLOGIES["edema"], TISSUES["bone_marrow"]): "marrow_edema",
    (MORPHOLOGIES["edema"], TISSUES["soft_tissue"]): "soft_tissue_edema",
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
    QUANTITIES["attenuation"],
    Concept("110804", "DCM", "T1 Weighted MR Signal Intensity"),
    Concept("110805", "DCM", "T2 Weighted MR Signal Intensity"),
)
