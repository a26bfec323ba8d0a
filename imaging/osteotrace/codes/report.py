"""What a structured report names besides quantities, kinds and sites."""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import PRIVATE_SCHEME, Concept, table

# The language of the meanings above and below (PS3.16 CID 5000).
ENGLISH: Final = Concept("en-US", "RFC5646", "English (United States)")

# What a structured report names besides quantities, kinds and sites.
REPORT: Final[dict[str, Concept]] = {
    **table(
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
    **table(
        "SCT",
        finding_site=("363698007", "Finding Site"),
        laterality=("272741003", "Laterality"),
        source=("260753009", "Source"),
        uncertainty=("371884006", "+/-, range of measurement uncertainty"),
    ),
    **table(
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
        fact_date=("X-DATE", "First day that the clinical fact held"),
        fact_until=("X-UNTIL", "Last day that the clinical fact held"),
        approximate=("X-APPROX", "The date is an estimate"),
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
