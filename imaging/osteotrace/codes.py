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
