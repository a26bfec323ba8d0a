"""Kinds of finding, by the identifier of the finding vocabulary."""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import PRIVATE_SCHEME, Concept, table

KINDS: Final[dict[str, Concept]] = {
    **table(
        PRIVATE_SCHEME,
        sequestrum=("F-SEQ", "Sequestrum"),
        moth_eaten=("F-MOTH", "Moth-eaten bone destruction"),
        osteolysis=("F-LYT", "Osteolysis, geographic"),
        irregular_cortex=("F-CTX", "Irregular or breached bone cortex"),
        gas=("F-GAS", "Gas collection in bone or soft tissue"),
        fistula=("F-FIST", "Draining fistula or sinus tract"),
        palatal_bony_defect=("F-PALBONE", "Palatal bony defect"),
        soft_tissue_defect=("F-STDEF", "Soft-tissue defect"),
        sclerotic_rim=("F-SCLRIM", "Peripheral sclerotic rim"),
        diffuse_sclerosis=("F-SCLDIF", "Diffuse osteosclerosis"),
        involucrum=("F-INVOL", "Involucrum"),
        periosteal_reaction=("F-PERI", "Periosteal reaction"),
        marrow_edema=("F-BME", "Bone marrow edema-like signal"),
        soft_tissue_edema=("F-STE", "Soft-tissue edema"),
        bone_expansion=("F-EXPAN", "Bone expansion"),
        facial_asymmetry=("F-ASYM", "Facial or jaw asymmetry"),
        remodelling=("F-REMOD", "Remodelling toward symmetry"),
        vcf=("F-VCF", "Vertebral compression fracture"),
        endplate_depression=("F-ENDPL", "Endplate depression"),
        cement=("F-CEM", "Bone cement"),
        intravertebral_cleft=("F-CLEFT", "Intravertebral cleft"),
        pathological_fracture=("F-PATHFX", "Pathological fracture"),
        oroantral_communication=("F-OANC", "Oro-antral or oro-nasal communication"),
        vertebra=("F-VERT", "Vertebra, measured"),
        region=("F-REGION", "Region, measured"),
    ),
    **table(
        "SCT",
        lesion=("52988006", "Lesion"),
        lymphadenopathy=("30746006", "Lymphadenopathy"),
        abscess=("44132006", "Abscess"),
        mass=("4147007", "Mass"),
    ),
}
