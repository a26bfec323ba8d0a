"""What describes a finding: what it is made of, how grave it is, how it went on.

DICOM publishes every code here. They qualify a finding of `osteotrace.codes.KINDS` and
are met in reports of other software.
"""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import Concept, table

# Changes of tissue that say less than a kind of finding does.
MORPHOLOGIES: Final[dict[str, Concept]] = {
    **table(
        "SCT",
        necrosis=("6574001", "Necrosis"),
        edema=("79654002", "Edema"),
        inflammation=("409774005", "Inflammation"),
        facial_swelling=("278528006", "Facial Swelling"),
        gas=("74947009", "Gas"),
        air=("15158005", "Air"),
    ),
    # Of a chest context group: only where nothing else fits.
    **table("DCM", lucency=("112084", "Lucency")),
}

TISSUES: Final[dict[str, Concept]] = table(
    "SCT",
    bone=("272673000", "Bone"),
    bone_tissue=("3138006", "Bone"),
    bone_marrow=("14016003", "Bone Marrow"),
    soft_tissue=("87784001", "Soft tissue"),
)

DEVICES: Final[dict[str, Concept]] = table(
    "SCT",
    implant=("40388003", "Implant"),
    bone_screw=("68183006", "Bone Screw"),
    dental_prosthesis=("27606000", "Dental Prosthesis"),
)

SIGNALS: Final[dict[str, Concept]] = table(
    "RADLEX",
    hyperintense=("RID35805", "Hyperintense"),
    hypointense=("RID35804", "Hypointense"),
    t2_hyperintensity=("RID39467", "T2 Hyperintensity"),
)

PLANES: Final[dict[str, Concept]] = table(
    "SCT",
    sagittal=("30730003", "Sagittal"),
    coronal=("81654009", "Coronal"),
    transverse=("62824007", "Transverse"),
)

SEVERITIES: Final[dict[str, Concept]] = table(
    "SCT",
    mild=("255604002", "Mild"),
    moderate=("6736007", "Moderate"),
    severe=("24484000", "Severe"),
)

# How a finding compares with an earlier date.
COURSES: Final[dict[str, Concept]] = table(
    "SCT",
    no_change=("260388006", "No change"),
    increase_in_size=("15454001", "Increase in size"),
    decrease_in_size=("19776001", "Decrease in size"),
    difference_in_size=("129806009", "Difference in size"),
)

# Presence as SNOMED CT says it; what is written here is of PS3.16 CID 240.
SCT_PRESENCES: Final[dict[str, Concept]] = table(
    "SCT",
    present=("52101004", "Present"),
    absent=("272519000", "Absent"),
)

TIME_POINTS: Final[dict[str, Concept]] = table(
    "DCM",
    baseline=("121079", "Baseline"),
    posttreatment=("126074", "Posttreatment"),
)

# The questions that the tables above answer (PS3.16 TID 1500 and its parts).
DESCRIPTORS: Final[dict[str, Concept]] = {
    **table(
        "SCT",
        associated_morphology=("116676008", "Associated morphology"),
        severity=("246112005", "Severity"),
    ),
    **table(
        "DCM",
        derivation=("121401", "Derivation"),
        algorithm_parameters=("111002", "Algorithm Parameters"),
        time_point_type=("126072", "Time Point Type"),
        subject_time_point=("126070", "Subject Time Point Identifier"),
        time_after_event=("128740", "Longitudinal Temporal Offset from Event"),
    ),
}
