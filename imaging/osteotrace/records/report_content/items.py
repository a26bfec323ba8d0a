"""One content item of a structured report: each kind made and read side by side.

What is written here comes back equal: text to the character, numbers and points to the
bit (PS3.3 C.17.3, C.18). Which items a report consists of is said elsewhere.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, Literal

from osteotrace.codes import REPORT, UNITS, Concept, equivalents_of
from osteotrace.errors import OsteotraceError
from osteotrace.records.report_content.date_times import (
    dicom_date,
    dicom_datetime,
    iso_datetime,
)
from osteotrace.uids import is_uid, source_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from highdicom.sr import CodedConcept, ContentItem
    from pydicom.dataset import Dataset

    from osteotrace.regions import Point

Relation = Literal[
    "CONTAINS",
    "HAS OBS CONTEXT",
    "HAS ACQ CONTEXT",
    "HAS CONCEPT MOD",
    "HAS PROPERTIES",
    "INFERRED FROM",
    "SELECTED FROM",
]
CONTAINS: Final[Relation] = "CONTAINS"
HAS_OBS_CONTEXT: Final[Relation] = "HAS OBS CONTEXT"
HAS_ACQ_CONTEXT: Final[Relation] = "HAS ACQ CONTEXT"
HAS_CONCEPT_MOD: Final[Relation] = "HAS CONCEPT MOD"
HAS_PROPERTIES: Final[Relation] = "HAS PROPERTIES"
INFERRED_FROM: Final[Relation] = "INFERRED FROM"
SELECTED_FROM: Final[Relation] = "SELECTED FROM"
# Items of a series: mm between its slices, rows and columns.
SPACINGS: Final = ("slice_spacing", "row_spacing", "column_spacing")

# DICOM drops blanks at the end of a text and has no empty text: a text that ends in a
# blank or has no character gets this sign at its end, which the reader takes off again.
END_SIGN: Final = "\N{SYMBOL FOR NEWLINE}"
# What VR UT cannot hold (PS3.5 6.2): control characters but tab, line feed, form feed
# and carriage return; and halves of a surrogate pair, which UTF-8 has no code for.
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")
# What a person name cannot hold (PS3.5 6.2, VR PN): delimiters and control characters.
_NO_PERSON_NAME: Final = re.compile(r"[\\=\x00-\x1f\x7f\ud800-\udfff]")
PERSON_NAME_LENGTH: Final = 64


# Making ------------------------------------------------------------------------------


def coded(concept: Concept) -> CodedConcept:
    """Return a concept as highdicom takes it.

    Where the site allows it, a code of SNOMED CT that means the same stands beside a
    private one (Equivalent Code Sequence, PS3.3 table 8.8-1).
    """
    from highdicom.sr import CodedConcept

    code, *same = (
        CodedConcept(value=one.value, scheme_designator=one.scheme, meaning=one.meaning)
        for one in (
            concept,
            *(e.concept for e in equivalents_of(concept) if e.relation == "same"),
        )
    )
    if same:
        code.EquivalentCodeSequence = same
    return code


def holding(item: ContentItem, children: Iterable[ContentItem]) -> ContentItem:
    """Return an item with children added below it."""
    from highdicom.sr import ContentSequence

    more = list(children)
    if more:
        item.ContentSequence = ContentSequence([*item.get("ContentSequence", []), *more])
    return item


def container(
    concept: Concept, children: Iterable[ContentItem], *, template: str | None = None
) -> ContentItem:
    """Return a CONTAINER below another item, or the root where a template is named."""
    from highdicom.sr import ContainerContentItem

    relation = None if template == "1500" else CONTAINS
    item = ContainerContentItem(
        name=coded(concept), template_id=template, relationship_type=relation
    )
    return holding(item, children)


def text(concept: Concept, value: str, relation: Relation) -> ContentItem:
    """Return a TEXT item.

    Raises
    ------
    OsteotraceError
        If the text holds a character that DICOM does not.
    """
    from highdicom.sr import TextContentItem

    foreign = _NO_TEXT.search(value)
    if foreign is not None:
        raise OsteotraceError(
            f"the control character {foreign.group()!r} in {concept.meaning}",
            expected="printable text",
            advice="delete it",
        )
    lost = not value or value[-1].isspace() or value.endswith(END_SIGN)
    held = value + END_SIGN if lost else value
    return TextContentItem(name=coded(concept), value=held, relationship_type=relation)


def texts(concept: Concept, value: str, relation: Relation) -> list[ContentItem]:
    """Return a TEXT item in a list, or an empty list for an empty text."""
    return [text(concept, value, relation)] if value else []


def code(concept: Concept, value: Concept, relation: Relation) -> ContentItem:
    """Return a CODE item."""
    from highdicom.sr import CodeContentItem

    return CodeContentItem(
        name=coded(concept), value=coded(value), relationship_type=relation
    )


def uid(concept: Concept, value: str, relation: Relation) -> ContentItem:
    """Return a UIDREF item.

    Raises
    ------
    OsteotraceError
        If the value has not the form of a UID.
    """
    from highdicom.sr import UIDRefContentItem

    if not is_uid(value):
        raise OsteotraceError(
            f"{value[:80]!r} as {concept.meaning}",
            expected="a DICOM UID",
            advice="save this record as JSON, or give it the UIDs of its images",
        )
    return UIDRefContentItem(name=coded(concept), value=value, relationship_type=relation)


def uids(concept: Concept, value: str, relation: Relation) -> list[ContentItem]:
    """Return a UIDREF item in a list, or an empty list for an empty text."""
    return [uid(concept, value, relation)] if value else []


def unit_concept(unit: str) -> Concept:
    """Return the UCUM code of a unit; the empty unit has a code of its own."""
    if not unit:
        return REPORT["no_unit"]
    return UNITS.get(unit) or Concept(unit, "UCUM", unit)


def number(concept: Concept, value: float, unit: str, relation: Relation) -> ContentItem:
    """Return a NUM item: a decimal string for others, every bit beside it.

    Raises
    ------
    OsteotraceError
        If the value is not finite.
    """
    from highdicom.sr import NumContentItem

    if not math.isfinite(value):
        raise OsteotraceError(
            f"{value} as {concept.meaning}",
            expected="a finite number",
            advice="record why there is no number instead",
        )
    return NumContentItem(
        name=coded(concept),
        value=float(value),
        unit=coded(unit_concept(unit)),
        relationship_type=relation,
    )


def no_number(concept: Concept, relation: Relation) -> ContentItem:
    """Return a NUM item qualified as a failed measurement, its value still to be dropped.

    highdicom takes no NUM without a value into a document: `drop_placeholders` empties
    the finished one.
    """
    from pydicom.sequence import Sequence

    item = number(concept, 0.0, "1", relation)
    failure = coded(REPORT["measurement_failure"])
    item.NumericValueQualifierCodeSequence = Sequence([failure])
    return item


def drop_placeholders(item: Dataset) -> None:
    """Take the value out of every NUM below an item that says it has none, in place."""
    from pydicom.sequence import Sequence

    for below in item.get("ContentSequence") or []:
        if below.ValueType == "NUM" and "NumericValueQualifierCodeSequence" in below:
            below.MeasuredValueSequence = Sequence()
        drop_placeholders(below)


def moment(concept: Concept, iso: str, relation: Relation) -> list[ContentItem]:
    """Return an ISO 8601 date or time as DATE or DATETIME; as TEXT where neither fits."""
    from highdicom.sr import DateContentItem, DateTimeContentItem

    day, stamp = dicom_date(iso), dicom_datetime(iso)
    if day is not None:
        return [
            DateContentItem(name=coded(concept), value=day, relationship_type=relation)
        ]
    if stamp is None:
        return texts(concept, iso, relation)
    return [
        DateTimeContentItem(name=coded(concept), value=stamp, relationship_type=relation)
    ]


def person_name(name: str) -> str:
    """Return a name as VR PN can hold it, empty where nothing is left of it.

    A name without components becomes the family name alone, with the caret that says
    so. The exact name is kept elsewhere.
    """
    held = _NO_PERSON_NAME.sub(" ", name)[: PERSON_NAME_LENGTH - 1].strip()
    return held if "^" in held or not held else f"{held}^"


def points(
    concept: Concept,
    graphic_type: Literal["POINT", "POLYLINE"],
    coordinates: Sequence[Point],
    frame_of_reference_uid: str,
    relation: Relation,
) -> ContentItem:
    """Return a SCOORD3D item: patient LPS, mm, float32 (PS3.3 C.18.9)."""
    import numpy as np
    from highdicom.sr import Scoord3DContentItem

    if not is_uid(frame_of_reference_uid):
        raise OsteotraceError(
            f"a region in the frame of reference {frame_of_reference_uid[:80]!r}",
            expected="the FrameOfReferenceUID (0020,0052) of its images",
            advice="save this record as JSON, or read it on images that have one",
        )
    return Scoord3DContentItem(
        name=coded(concept),
        graphic_type=graphic_type,
        graphic_data=np.array(coordinates, dtype=np.float64),
        frame_of_reference_uid=frame_of_reference_uid,
        relationship_type=relation,
    )


def image(header: Dataset, relation: Relation, frames: Sequence[int] = ()) -> ContentItem:
    """Return an IMAGE item that refers to a source image (PS3.3 C.18.4).

    Parameters
    ----------
    header : Dataset
        Of the image.
    relation : str
        To the item above.
    frames : sequence of int
        Frames of a multi-frame image that are meant, from 1; none for the whole image.
    """
    from highdicom.sr import ImageContentItem

    return ImageContentItem(
        name=coded(REPORT["source"]),
        referenced_sop_class_uid=header.SOPClassUID,
        referenced_sop_instance_uid=header.SOPInstanceUID,
        referenced_frame_numbers=list(frames) or None,
        relationship_type=relation,
    )


# Reading -----------------------------------------------------------------------------


def concept_of(sequence: Sequence[Dataset]) -> Concept:
    """Return the concept that a code sequence holds."""
    (item,) = sequence
    return Concept(
        str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning)
    )


def name_of_item(item: Dataset) -> Concept:
    """Return the concept name of an item."""
    return concept_of(item.ConceptNameCodeSequence)


def children(
    item: Dataset, concept: Concept | None = None, value_type: str | None = None
) -> Iterator[Dataset]:
    """Yield the items right below one, of a concept name and a value type if given."""
    for child in item.get("ContentSequence") or []:
        if value_type is not None and child.ValueType != value_type:
            continue
        if concept is None or same_code(name_of_item(child), concept):
            yield child


def same_code(one: Concept, other: Concept) -> bool:
    """Return whether two concepts are one, whatever their meaning is worded as."""
    return (one.value, one.scheme) == (other.value, other.scheme)


def child(item: Dataset, concept: Concept) -> Dataset:
    """Return the one item of a concept below another.

    Raises
    ------
    OsteotraceError
        If there is none, or more than one.
    """
    found = list(children(item, concept))
    if len(found) != 1:
        raise OsteotraceError(
            f"{len(found)} items {concept.meaning!r} in one place",
            expected="exactly one",
            advice="read this record with the version of osteotrace that wrote it",
        )
    return found[0]


def text_of(item: Dataset) -> str:
    """Return the value of a TEXT item, to the character."""
    return str(item.TextValue).removesuffix(END_SIGN)


def text_below(item: Dataset, concept: Concept) -> str:
    """Return the text of a child, or an empty text where there is none."""
    return next(map(text_of, children(item, concept, "TEXT")), "")


def texts_below(item: Dataset, concept: Concept) -> tuple[str, ...]:
    """Return the texts of all children of a concept, in order."""
    return tuple(map(text_of, children(item, concept, "TEXT")))


def code_below(item: Dataset, concept: Concept) -> Concept:
    """Return the coded value of the one child of a concept."""
    return concept_of(child(item, concept).ConceptCodeSequence)


def uid_below(item: Dataset, concept: Concept) -> str:
    """Return the UID of a child, or an empty text where there is none."""
    return next((str(c.UID) for c in children(item, concept, "UIDREF")), "")


def number_of(item: Dataset) -> float:
    """Return the value of a NUM item, to the bit."""
    (measured,) = item.MeasuredValueSequence
    return float(measured.FloatingPointValue)


def has_number(item: Dataset) -> bool:
    """Return whether a NUM item has a value."""
    return bool(item.MeasuredValueSequence)


def unit_of(item: Dataset) -> str:
    """Return the unit of a NUM item, empty where none was stated."""
    (measured,) = item.MeasuredValueSequence
    unit = concept_of(measured.MeasurementUnitsCodeSequence)
    return "" if same_code(unit, REPORT["no_unit"]) else unit.value


def moment_below(item: Dataset, concept: Concept) -> str:
    """Return the ISO 8601 text of a child, or an empty text where there is none."""
    for found in children(item, concept):
        match found.ValueType:
            case "DATE":
                day = str(found.Date)
                return f"{day[:4]}-{day[4:6]}-{day[6:]}"
            case "DATETIME":
                return iso_datetime(str(found.DateTime)) or str(found.DateTime)
            case _:
                return text_of(found)
    return ""


def points_of(item: Dataset) -> tuple[Point, ...]:
    """Return the LPS mm points of a SCOORD3D item, to the bit."""
    flat = [float(value) for value in item.GraphicData]
    return tuple(zip(flat[0::3], flat[1::3], flat[2::3], strict=True))


def sources_of(item: Dataset) -> list[str]:
    """Return the images that an IMAGE item refers to, as findings name them."""
    (reference,) = item.ReferencedSOPSequence
    uid = str(reference.ReferencedSOPInstanceUID)
    frames = reference.get("ReferencedFrameNumber")
    if frames is None:
        return [source_name(uid)]
    several = reference["ReferencedFrameNumber"].VM > 1
    return [source_name(uid, int(n)) for n in (frames if several else [frames])]
