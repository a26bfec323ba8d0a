"""The columns of a table of measurements: name, type, unit, meaning, in one place.

The CSV's header, the Parquet's schema and the data dictionary are made from it. A change
of a name, a type or a meaning is a new `SCHEMA_VERSION`; docs/results.md keeps the list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

# 1: the first CSV. 2: typed, with Parquet, provenance of the images, stages and rows of
# what has no value.
SCHEMA_VERSION: Final = 2

Kind = Literal["string", "double", "int64", "bool"]

# Of a study in which the protocol means nothing; it is no failure.
NOT_SELECTED: Final = "not_selected"
# What a row may be.
STATUSES: Final = {
    "accepted": "a value that nothing speaks against",
    "flagged": "a value with doubts, which 'flags' names",
    "not_measured": "no value; 'reason' says why",
    "no_value": "a finding that has no value, as one that was looked for and is absent",
    "staged": "the stage of a staging system, in 'stage'",
    "nothing_found": "a study that was read and in which nothing was found",
    "failed": "a study that could not be measured; 'reason' says why",
    NOT_SELECTED: "a study in which the protocol selects nothing; 'reason' says why",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table.

    Parameters
    ----------
    name : str
    kind : str
        Type in the Parquet file and in a data frame.
    unit : str
        Unit of its numbers; of texts what they are written in.
    meaning : str
        One sentence for whoever opens the table.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str


def _text(name: str, meaning: str, unit: str = "text") -> Column:
    return Column(name, "string", unit, meaning)


def _number(name: str, unit: str, meaning: str) -> Column:
    return Column(name, "double", unit, meaning)


_STUDY: Final = (
    Column("schema_version", "int64", "1", "Version of this table's columns."),
    _text("patient", "Pseudonym of the patient: the same for the same PatientID."),
    _text("study_uid", "StudyInstanceUID (0020,000D).", "DICOM UID"),
    _text("study_date", "Date of the study, empty where not known.", "ISO 8601"),
)
_SCAN: Final = (
    _text("series_uid", "SeriesInstanceUID (0020,000E) that was measured.", "DICOM UID"),
    _text("series_description", "SeriesDescription (0008,103E)."),
    _text("modality", "Modality (0008,0060).", "DICOM code string"),
    _text(
        "geometry",
        "Verdict on the stack of slices: regular, tilted, uneven, missing_slices or "
        "duplicate_positions; several can hold.",
        "words, '; ' between",
    ),
    _text(
        "volume_notes",
        "What was found about the images or done to them before measuring.",
        "sentences, '; ' between",
    ),
    _number(
        "slice_spacing_mm", "mm", "Typical distance from slice to slice, by positions."
    ),
    _number("row_spacing_mm", "mm", "Distance from row to row (PixelSpacing)."),
    _number("column_spacing_mm", "mm", "Distance from column to column (PixelSpacing)."),
    _number(
        "slice_thickness_mm",
        "mm",
        "SliceThickness (0018,0050) as stated: how much a slice averages; it decides "
        "nothing.",
    ),
    _text("kernel", "ConvolutionKernel (0018,1210) as stated."),
    _text("device", "Manufacturer and model as stated."),
    _number("field_strength_t", "T", "MagneticFieldStrength (0018,0087) of MR."),
)
_FINDING: Final = (
    _text("label", "Short name of the finding, such as PAL-1; of a stage its site."),
    _text("kind", "What kind of lesion it is, a key of the vocabulary."),
    _text("site", "The bone or region, a key of the vocabulary."),
    _text("laterality", "left, right, bilateral, unilateral or empty."),
    _text("presence", "present, absent (looked for and not there) or unknown."),
    _text("certainty", "The reader's: definite, probable, possible or unknown."),
    _text(
        "quantity", "What was measured, a key of the vocabulary; or the system staged."
    ),
    _text("code", "Code of the quantity or the staging system."),
    _text("coding_scheme", "Scheme of that code: DCM, SCT, IBSI or 99OSTEO."),
    Column("primary", "bool", "true or false", "True for the finding's own value."),
    _text("status", "What the row is: " + ", ".join(STATUSES) + "."),
)
_VALUE: Final = (
    _number("value", "as column 'unit'", "The value, unrounded."),
    _text("unit", "Unit of value, u and interval.", "UCUM"),
    _number("u", "as column 'unit'", "Standard uncertainty; empty has a 'u_reason'."),
    _number("interval95_low", "as column 'unit'", "Lower end of the 95 % interval."),
    _number("interval95_high", "as column 'unit'", "Upper end of the 95 % interval."),
    _text("u_reason", "Why there is no uncertainty."),
    _text("stage", "The stage, an interval where not everything is known."),
    _text("definition", "What exactly was measured where the method leaves a choice."),
    _text("method", "Name of the algorithm, or the publication of a staging system."),
    _text("method_version", "Version of the algorithm or the rule pack."),
    _text("flags", "Reasons to doubt the value.", "sentences, '; ' between"),
    _text("reason", "Why there is no value, or why the study was not measured."),
    _text("frame_of_reference_uid", "FrameOfReferenceUID (0020,0052).", "DICOM UID"),
    _text(
        "points_lps_mm",
        "Points that the value was taken from, patient LPS.",
        "(x y z) in mm",
    ),
    Column("n_sources", "int64", "1", "How many images the value was read from."),
)
_ORIGIN: Final = (
    _text("tracking_uid", "Same lesion over time, same UID (DCM 112040).", "DICOM UID"),
    _text("assessment_uid", "UID of the reading that the row is from.", "DICOM UID"),
    _text("protocol", "Name of the protocol, or 'interactive'."),
    _text("protocol_sha256", "SHA-256 of the protocol's text.", "hexadecimal"),
    _text("reader", "Who answers for the reading."),
    _text("recorded", "When it was read.", "ISO 8601"),
    _text("software", "Name and version of the software."),
    _text("statement", "What the numbers must not be used for."),
)

TABLE: Final[tuple[Column, ...]] = (*_STUDY, *_SCAN, *_FINDING, *_VALUE, *_ORIGIN)
NAMES: Final[tuple[str, ...]] = tuple(column.name for column in TABLE)

_EMPTY: Final[dict[Kind, Any]] = {
    "string": "",
    "double": None,
    "int64": None,
    "bool": None,
}
_EMPTY_ROW: Final = {column.name: _EMPTY[column.kind] for column in TABLE}


def whole_row(known: dict[str, Any]) -> dict[str, Any]:
    """Return a row with every column in its order, empty where nothing is known."""
    return _EMPTY_ROW | known


def schema() -> Any:
    """Return the table's `pyarrow.Schema`, its version and meanings in the metadata."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "double": pa.float64(),
        "int64": pa.int64(),
        "bool": pa.bool_(),
    }
    fields = [
        pa.field(
            column.name,
            types[column.kind],
            metadata={"unit": column.unit, "meaning": column.meaning},
        )
        for column in TABLE
    ]
    return pa.schema(fields, metadata={"schema_version": str(SCHEMA_VERSION)})
