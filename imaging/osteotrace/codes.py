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
    "{counts}": Concept("{counts}", "UCUM", "Counts"),
    "{grade}": Concept("{grade}", "UCUM", "grade"),
    "{pixels}": Concept("{pixels}", "UCUM", "pixels"),
    "{-1:1}": Concept("{-1:1}", "UCUM", "direction cosine"),
}

# What is measured. DCM and SCT where DICOM names the quantity, 99OSTEO elsewhere.
QUANTITIES: Final[dict[str, Concept]] = {
    **_table(
        "DCM",
        distance=("121206", "Distance"),
    ),
    **_table(
        "SCT",
        volume=("118565006", "Volume"),
        cobb_angle=("285285000", "Cobb angle"),
    ),
    **_table(
        "IBSI",
        longest_diameter=("L0JK", "Maximum 3D Diameter of a Mesh"),
        voxel_volume=("YEKZ", "Volume from Voxel Summation"),
    ),
    # Lengths of a caliper and of a palatal defect.
    **_table(
        PRIVATE_SCHEME,
        palatal_gap_ap=("M-GAPAP", "Palatal gap, antero-posterior"),
        palatal_gap_transverse=("M-GAPTR", "Palatal gap, transverse"),
        palatal_gap_area=("M-GAPAREA", "Palatal gap, projected area"),
        palatal_gap_on_line=("M-GAPPROJ", "Palatal gap, projected on the palatal line"),
        soft_tissue_notch=("M-NOTCHW", "Soft-tissue notch width"),
        soft_tissue_shortening=("M-SHORT", "Soft-tissue shortening"),
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
    # Fragments, destroyed bone, and what lies around them.
    **_table(
        PRIVATE_SCHEME,
        fragment_count=("M-FRAGN", "Count of separate bone fragments"),
        excess_density_volume=("M-XVOL", "Volume from integrated excess density"),
        lucent_rim_width=("M-RIMW", "Lucent rim width"),
        separated_fraction=("M-SEPFR", "Separated surface fraction"),
        contrast_to_host=("M-HOSTCON", "Difference of attenuation to host cortex"),
        cortical_breach_fraction=("M-BRFR", "Cortical breach fraction"),
        breach_count=("M-BRN", "Cortical breach count"),
        breach_area=("M-BREACH", "Cortical breach area"),
        trabecular_lucent_fraction=(
            "M-TLFR",
            "Trabecular lucent fraction versus reference side",
        ),
        cortical_thickness=("M-CTXTH", "Cortical thickness"),
        gas_volume=("M-GASVOL", "Gas volume"),
        sclerotic_rim_thickness=("M-SCLTH", "Sclerotic rim thickness"),
        sclerotic_rim_completeness=("M-SCLCOMP", "Sclerotic rim completeness"),
        periosteal_thickness=("M-PERITH", "Periosteal reaction thickness"),
        periosteal_length=("M-PERILEN", "Periosteal reaction length"),
        cement_volume=("M-CEMVOL", "Bone cement volume"),
    ),
    # Vertebrae.
    **_table(
        PRIVATE_SCHEME,
        height_anterior=("M-HA", "Vertebral height, anterior"),
        height_middle=("M-HM", "Vertebral height, middle"),
        height_posterior=("M-HP", "Vertebral height, posterior"),
        height_loss_own_anterior=("M-HLOWNA", "Anterior height loss vs own posterior"),
        height_loss_own_middle=("M-HLOWNM", "Middle height loss vs own posterior"),
        **{
            f"height_loss_{against}_{where}": (
                f"M-HL{code}{where[0].upper()}",
                f"{where.capitalize()} height loss vs {words}",
            )
            for against, code, words in (
                ("adjacent", "ADJ", "adjacent levels"),
                ("prior", "PRI", "prior"),
            )
            for where in ("anterior", "middle", "posterior")
        },
        wedge_angle=("M-WEDGE", "Vertebral wedge angle"),
        local_kyphosis=("M-LKYPH", "Local kyphosis angle"),
        endplate_depression_superior=("M-EDSUP", "Superior endplate depression"),
        endplate_depression_inferior=("M-EDINF", "Inferior endplate depression"),
        genant_grade=("M-GENANT", "Genant grade proposed from heights"),
        deformity_type=("M-VDEFTYPE", "Vertebral deformity type"),
        body_volume=("M-BODYVOL", "Vertebral body volume"),
    ),
    # Marrow, symmetry and intensity.
    **_table(
        PRIVATE_SCHEME,
        edema_volume=("M-BMEVOL", "Marrow edema volume"),
        edema_percent=("M-BMEPCT", "Marrow edema percent of volume"),
        signal_ratio_to_muscle=("M-SIR", "Signal ratio to muscle"),
        bone_width_left=("M-WIDTHL", "Bone width, left"),
        bone_width_right=("M-WIDTHR", "Bone width, right"),
        bone_volume_left=("M-VOLL", "Bone volume, left"),
        bone_volume_right=("M-VOLR", "Bone volume, right"),
        asymmetry_index=("M-ASYI", "Asymmetry index of width"),
        asymmetry_index_volume=("M-ASYIV", "Asymmetry index of volume"),
        landmark_asymmetry=("M-ASYMM", "Left-right landmark asymmetry"),
        mirror_distance=("M-MIRROR", "Root mean square distance to the mirrored side"),
        premaxilla_depression=("M-PREMAXD", "Premaxilla depression"),
        mean_value=("M-MEAN", "Mean value in the region"),
        median_value=("M-MEDIAN", "Median value in the region"),
        value_sd=("M-SD", "Standard deviation of values in the region"),
        minimum_value=("M-MIN", "Minimum value in the region"),
        maximum_value=("M-MAX", "Maximum value in the region"),
    ),
}

# Kinds of finding, by the identifier of the finding vocabulary.
KINDS: Final[dict[str, Concept]] = {
    **_table(
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
    **_table(
        "SCT",
        lesion=("52988006", "Lesion"),
        lymphadenopathy=("30746006", "Lymphadenopathy"),
        abscess=("44132006", "Abscess"),
        mass=("4147007", "Mass"),
    ),
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
        thoracic_spine=("122495006", "Thoracic spine"),
        lumbar_spine=("122496007", "Lumbar spine"),
        sacrum=("54735007", "Sacrum"),
        c1=("14806007", "C1 vertebra"),
        c2=("39976000", "C2 vertebra"),
        c3=("113205007", "C3 vertebra"),
        c4=("5329002", "C4 vertebra"),
        c5=("36978003", "C5 vertebra"),
        c6=("36054005", "C6 vertebra"),
        c7=("87391001", "C7 vertebra"),
        t1=("64864005", "T1 vertebra"),
        t2=("53733008", "T2 vertebra"),
        t3=("1626008", "T3 vertebra"),
        t4=("73071006", "T4 vertebra"),
        t5=("56401006", "T5 vertebra"),
        t6=("45296009", "T6 vertebra"),
        t7=("62487009", "T7 vertebra"),
        t8=("11068009", "T8 vertebra"),
        t9=("82687006", "T9 vertebra"),
        t10=("7610001", "T10 vertebra"),
        t11=("12989004", "T11 vertebra"),
        t12=("23215003", "T12 vertebra"),
        l1=("66794005", "L1 vertebra"),
        l2=("14293000", "L2 vertebra"),
        l3=("36470004", "L3 vertebra"),
        l4=("11994002", "L4 vertebra"),
        l5=("49668003", "L5 vertebra"),
        zygoma=("13881006", "Zygoma"),
        maxillary_sinus=("15924003", "Maxillary sinus"),
        femur=("71341001", "Femur"),
        tibia=("12611008", "Tibia"),
        fibula=("87342007", "Fibula"),
        humerus=("85050009", "Humerus"),
        radius=("131190003", "Radius"),
        ulna=("23416004", "Ulna"),
        clavicle=("51299004", "Clavicle"),
        sternum=("56873002", "Sternum"),
        scapula=("79601000", "Scapula"),
        rib=("113197003", "Rib"),
        pelvis=("816092008", "Pelvis"),
        hand=("85562004", "Hand"),
        foot=("56459004", "Foot"),
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

# Modalities of the images that are read (PS3.16 CID 29).
MODALITIES: Final[dict[str, Concept]] = _table(
    "DCM",
    CT=("CT", "Computed Tomography"),
    MR=("MR", "Magnetic Resonance"),
)

# What was done to make those images (PS3.16 CID 100).
PROCEDURES: Final[dict[str, Concept]] = {
    "CT": Concept("25045-6", "LN", "CT unspecified body region"),
    "MR": Concept("25056-3", "LN", "MRI unspecified body region"),
    "": Concept("363679005", "SCT", "Imaging procedure"),
}

# Whether the finding is there (PS3.16 CID 240).
PRESENCES: Final[dict[str, Concept]] = _table(
    "DCM",
    present=("121053", "Present"),
    absent=("121054", "Absent"),
    unknown=("121059", "Presence Undetermined"),
)

CERTAINTIES: Final[dict[str, Concept]] = _table(
    PRIVATE_SCHEME,
    definite=("C-DEF", "Definite"),
    probable=("C-PROB", "Probable"),
    possible=("C-POSS", "Possible"),
    unknown=("C-UNK", "Certainty not stated"),
)

# Where a clinical fact comes from.
FACT_SOURCES: Final[dict[str, Concept]] = _table(
    PRIVATE_SCHEME,
    measured=("X-MEAS", "Measured on images and accepted by the reader"),
    entered=("X-ENT", "Entered by a person"),
    derived=("X-DER", "Derived from other facts"),
)

TRUTH_VALUES: Final[dict[str, Concept]] = _table(
    "SCT",
    true=("373066001", "Yes"),
    false=("373067005", "No"),
    unknown=("261665006", "Unknown"),
)

# What describes one image of a report's library (PS3.16 TID 1602 and TID 1604): the
# header element, the place within it, the concept and its unit.
IMAGE_DESCRIPTORS: Final[tuple[tuple[str, int, Concept, str], ...]] = (
    ("Rows", 0, Concept("110910", "DCM", "Pixel Data Rows"), "{pixels}"),
    ("Columns", 0, Concept("110911", "DCM", "Pixel Data Columns"), "{pixels}"),
    ("PixelSpacing", 1, Concept("111026", "DCM", "Horizontal Pixel Spacing"), "mm"),
    ("PixelSpacing", 0, Concept("111066", "DCM", "Vertical Pixel Spacing"), "mm"),
    ("SliceThickness", 0, Concept("112225", "DCM", "Slice Thickness"), "mm"),
    *(
        (
            "ImagePositionPatient",
            n,
            Concept(f"11090{1 + n}", "DCM", f"Image Position (Patient) {axis}"),
            "mm",
        )
        for n, axis in enumerate("XYZ")
    ),
    *(
        (
            "ImageOrientationPatient",
            n,
            Concept(f"11090{4 + n}", "DCM", f"Image Orientation (Patient) {axis}"),
            "{-1:1}",
        )
        for n, axis in enumerate(
            ("Row X", "Row Y", "Row Z", "Column X", "Column Y", "Column Z")
        )
    ),
)

# The language of the meanings above and below (PS3.16 CID 5000).
ENGLISH: Final = Concept("en-US", "RFC5646", "English (United States)")

# What a structured report names besides quantities, kinds and sites.
REPORT: Final[dict[str, Concept]] = {
    **_table(
        "DCM",
        imaging_measurement_report=("126000", "Imaging Measurement Report"),
        imaging_measurements=("126010", "Imaging Measurements"),
        measurement_group=("125007", "Measurement Group"),
        procedure_reported=("121058", "Procedure reported"),
        image_library=("111028", "Image Library"),
        image_library_group=("126200", "Image Library Group"),
        modality=("121139", "Modality"),
        study_uid=("110180", "Study Instance UID"),
        study_date=("111060", "Study Date"),
        series_uid=("112002", "Series Instance UID"),
        frame_of_reference_uid=("112227", "Frame of Reference UID"),
        tracking_identifier=("112039", "Tracking Identifier"),
        tracking_uid=("112040", "Tracking Unique Identifier"),
        finding=("121071", "Finding"),
        presence=("121052", "Presence of property"),
        image_region=("111030", "Image Region"),
        comment=("121106", "Comment"),
        algorithm_name=("111001", "Algorithm Name"),
        algorithm_version=("111003", "Algorithm Version"),
        measurement_failure=("114006", "Measurement failure"),
    ),
    **_table(
        "SCT",
        finding_site=("363698007", "Finding Site"),
        laterality=("272741003", "Laterality"),
        source=("260753009", "Source"),
        uncertainty=("371884006", "+/-, range of measurement uncertainty"),
    ),
    **_table(
        PRIVATE_SCHEME,
        certainty=("C-CERT", "Certainty of the finding"),
        region=("R-REGION", "Region of the finding"),
        line=("R-LINE", "Open line"),
        points=("R-POINTS", "Single points"),
        point=("R-POINT", "Point of a region"),
        role=("R-ROLE", "Role within the finding"),
        region_used=("R-USED", "Role of the region that the value was taken from"),
        uncertainty_reason=("Q-NOUNC", "Reason why there is no uncertainty"),
        interval95_low=("Q-I95LOW", "Lower limit of the 95 % interval"),
        interval95_high=("Q-I95HIGH", "Upper limit of the 95 % interval"),
        definition=("Q-DEF", "What exactly was measured"),
        flag=("Q-FLAG", "Reason to doubt the value"),
        detail=("Q-DETAIL", "Named number behind the value"),
        detail_name=("Q-DETNAME", "Name of the number behind the value"),
        not_measured=("Q-NOTMEAS", "Reason why nothing was measured"),
        no_unit=("U-NONE", "No unit stated"),
        facts=("X-FACTS", "Clinical facts"),
        fact=("X-FACT", "Clinical fact"),
        fact_name=("X-NAME", "Name of the clinical fact"),
        fact_source=("X-SOURCE", "Where the clinical fact comes from"),
        fact_author=("X-AUTHOR", "Who entered or accepted the clinical fact"),
        recorded=("T-RECORD", "Date and time of recording"),
        reading=("D-READING", "Reading of the study"),
        assessment_uid=("D-UID", "UID of the reading"),
        reader=("D-READER", "Reader, as recorded"),
        software=("D-SOFTWARE", "Software that made the record"),
        patient=("D-PATIENT", "Pseudonym of the patient"),
        series=("D-SERIES", "Series that was read"),
        series_description=("D-SERDESC", "Series description"),
        series_modality=("D-MODALITY", "Modality, as recorded"),
        protocol=("D-PROTOCOL", "Reading protocol"),
        protocol_sha256=("D-PROTSHA", "SHA-256 of the reading protocol"),
        predecessor_uid=("D-PREDUID", "SOP Instance UID of the record it amends"),
        schema_version=("D-SCHEMA", "Version of the record's schema"),
        content_sha256=("D-SHA256", "SHA-256 of the content tree"),
    ),
}


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
