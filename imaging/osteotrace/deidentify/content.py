"""The content of a structured report of other software, item by item (PS3.3 C.17.3).

Codes, numbers, coordinates and references stay; texts, names and what is of a person are
replaced, never dropped: items may point to one another by their places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osteotrace.deidentify import coded
from osteotrace.deidentify.objects import cleaned_object, labelled

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from osteotrace.deidentify.subject import Subject

# How viewers mark what made a measurement: the part of a Tracking Identifier that says
# nothing of the patient.
_VIEWERS: Final = ("Cornerstone3DTools@^0.1.0:",)


def cleaned_report(source: Dataset, subject: Subject) -> Dataset:
    """Return a report of other software made anew; parameters as `cleaned_object`."""
    made = cleaned_object(source, subject)
    _restore(source, made, subject)
    return made


def _restore(source: Dataset, made: Dataset, subject: Subject) -> None:
    """Give items what the rules of single elements cannot: by their concept."""
    for old, new in zip(
        source.get("ContentSequence") or (),
        made.get("ContentSequence") or (),
        strict=True,
    ):
        names = old.get("ConceptNameCodeSequence") or ()
        if names and "TextValue" in new and _is_tracking(names[0]):
            new.TextValue = tracking_identifier(str(old.get("TextValue") or ""), subject)
        if names and coded.is_personal(names[0]):
            _withhold(new)
        _restore(old, new, subject)


def _is_tracking(name: Dataset) -> bool:
    return coded.code_of(name) == coded.TRACKING_IDENTIFIER


def _withhold(item: Dataset) -> None:
    """Take the value of an item that tells of a person."""
    if "MeasuredValueSequence" in item:
        item.MeasuredValueSequence = []
    if "Date" in item:
        item.Date = "19000101"
    if "DateTime" in item:
        item.DateTime = "19000101000000"
    for code in item.get("ConceptCodeSequence") or ():
        code.CodeValue, code.CodingSchemeDesignator = "removed", coded.UNKNOWN_SCHEME
        code.CodeMeaning = coded.UNKNOWN_MEANING


def tracking_identifier(text: str, subject: Subject) -> str:
    """Return what a lesion is called: known words as they are, else a keyed word.

    Two that were told apart still are.
    """
    start = next((one for one in _VIEWERS if text.startswith(one)), "")
    tool, colon, label = text[len(start) :].partition(":") if start else ("", "", text)
    told = start + (tool if tool in _TOOLS else "removed" if tool else "")
    return f"{told}{colon}{labelled(label, subject)}" or "removed"


_TOOLS: Final = frozenset(
    {
        "Length", "Bidirectional", "EllipticalROI", "CircleROI", "RectangleROI", "Probe",
        "ArrowAnnotate", "Angle", "CobbAngle", "PlanarFreehandROI", "SplineROI",
    }
)  # fmt: skip
