"""The content tree of a report of other software, and what of it was understood.

Items are taken as they come: a missing code or value makes an item that is understood
by nobody, never an error. Whoever understands an item takes it; what nobody took is
listed, one readable line each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from osteotrace.codes import Concept
from osteotrace.errors import OsteotraceError
from osteotrace.records.report_content.digest import DEEPEST_NESTING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydicom.dataset import Dataset

NOTHING: Final = Concept("", "", "")
# Letters of a value that a line shows.
LONGEST_VALUE: Final = 200
# Earlier designators of SNOMED-RT (PS3.16 8.1).
_SNOMED_RT: Final = ("SNM3", "99SDM")


@dataclass(slots=True, eq=False)
class Item:
    """One content item.

    Parameters
    ----------
    dataset : Dataset
        The item itself.
    name : Concept
        Its concept name; `NOTHING` where it has none.
    kind : str
        Value Type (0040,A040), such as ``"NUM"``; empty for an item by reference.
    path : str
        The names of the items above and its own.
    children : list of Item
    taken : bool
        Whether somebody understood it.
    """

    dataset: Dataset
    name: Concept
    kind: str
    path: str
    children: list[Item] = field(default_factory=list)
    taken: bool = False

    def below(self, name: Concept, kind: str = "") -> list[Item]:
        """Return the children of a name, and of a value type where one is given."""
        return [
            child
            for child in self.children
            if same(child.name, name) and kind in ("", child.kind)
        ]

    def every(self) -> Iterator[Item]:
        """Yield the item and all below it, in the order of the report."""
        waiting = [self]
        while waiting:
            item = waiting.pop()
            yield item
            waiting += reversed(item.children)

    def take(self) -> Item:
        """Mark the item as understood."""
        self.taken = True
        return self

    def take_all(self) -> None:
        """Mark the item and all below it as understood."""
        for item in self.every():
            item.taken = True

    @property
    def code(self) -> Concept:
        """The value of a CODE item."""
        return concept(self.dataset.get("ConceptCodeSequence"))

    @property
    def text(self) -> str:
        """The value of a TEXT, UIDREF or PNAME item, empty where there is none."""
        keyword = {"UIDREF": "UID", "PNAME": "PersonName"}.get(self.kind, "TextValue")
        return str(self.dataset.get(keyword) or "").strip()


def tree(document: Dataset) -> Item:
    """Return the content of a report.

    Raises
    ------
    OsteotraceError
        If items nest deeper than `DEEPEST_NESTING`.
    """
    root = _item(document, above="")
    waiting = [(root, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > DEEPEST_NESTING:
            raise OsteotraceError(
                f"content nested deeper than {DEEPEST_NESTING} items",
                expected="a report as viewers write it",
                advice="do not trust this file; fetch the record from its source",
            )
        for below in item.dataset.get("ContentSequence") or []:
            child = _item(below, above=item.path)
            item.children.append(child)
            waiting.append((child, depth + 1))
        _number_alike(item.children)
    return root


def _number_alike(items: list[Item]) -> None:
    """Number the containers of one name, so that their lines tell them apart."""
    counts: dict[str, int] = {}
    for item in items:
        if item.kind == "CONTAINER":
            counts[item.path] = counts.get(item.path, 0) + 1
            item.path += f" {counts[item.path]}" if counts[item.path] > 1 else ""


def _item(dataset: Dataset, above: str) -> Item:
    name = concept(dataset.get("ConceptNameCodeSequence"))
    kind = str(dataset.get("ValueType") or "")
    own = one_line(name.meaning) or kind or "an item by reference"
    return Item(dataset, name, kind, f"{above} / {own}" if above else own)


def concept(sequence: Iterable[Dataset] | None) -> Concept:
    """Return the first code of a sequence, `NOTHING` where there is none."""
    for item in sequence or ():
        value = next(
            (
                str(item.get(keyword))
                for keyword in ("CodeValue", "LongCodeValue", "URNCodeValue")
                if item.get(keyword)
            ),
            "",
        )
        return Concept(
            value.strip(),
            str(item.get("CodingSchemeDesignator") or "").strip(),
            str(item.get("CodeMeaning") or "").strip(),
        )
    return NOTHING


def same(one: Concept, other: Concept) -> bool:
    """Tell whether two codes are one; SNOMED-RT is turned into SNOMED CT."""
    from pydicom.sr.coding import Code

    def plain(code: Concept) -> Code:
        scheme = "SRT" if code.scheme in _SNOMED_RT else code.scheme
        return Code(code.value, scheme, code.meaning)

    return bool(one.value and other.value) and plain(one) == plain(other)


def find(known: Mapping[str, Concept], wanted: Concept) -> str:
    """Return the short name of a code in a table, empty where it is not there."""
    return next((name for name, code in known.items() if same(code, wanted)), "")


def spelled(code: Concept) -> str:
    """Return a code as people read it: meaning, value and scheme."""
    return one_line(f"{code.meaning or 'no meaning'} ({code.value} {code.scheme})")


def not_taken(root: Item) -> tuple[str, ...]:
    """Return a line for every item that nobody understood."""
    return tuple(
        f"{item.path}: {shown}" if (shown := _value(item)) else item.path
        for item in root.every()
        if not item.taken and not (item.kind == "CONTAINER" and item.children)
    )


def one_line(text: str) -> str:
    """Return a text on one line, without what DICOM text cannot hold, cut short."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    plain = " ".join(plain.split())
    return plain if len(plain) <= LONGEST_VALUE else plain[:LONGEST_VALUE] + " …"


def _value(item: Item) -> str:
    dataset = item.dataset
    match item.kind:
        case "CODE":
            return f"CODE {spelled(item.code)}"
        case "NUM":
            return f"NUM {_number(dataset)}"
        case "TEXT" | "UIDREF" | "PNAME":
            return f"{item.kind} {one_line(item.text)}"
        case "DATE" | "TIME" | "DATETIME":
            stated = {"DATE": "Date", "TIME": "Time", "DATETIME": "DateTime"}[item.kind]
            return f"{item.kind} {one_line(str(dataset.get(stated) or ''))}"
        case "SCOORD" | "SCOORD3D":
            numbers = dataset.get("GraphicData")
            numbers = [] if numbers is None else numbers
            listed = ", ".join(f"{float(x):g}" for x in numbers)
            return f"{item.kind} {dataset.get('GraphicType') or ''} {one_line(listed)}"
        case "IMAGE" | "COMPOSITE" | "WAVEFORM":
            return f"{item.kind} {_reference(dataset)}"
        case "":
            where = dataset.get("ReferencedContentItemIdentifier")
            return f"refers to item {list(where)}" if where else ""
        case "CONTAINER":
            return ""
        case _:
            return item.kind


def _number(dataset: Dataset) -> str:
    for measured in dataset.get("MeasuredValueSequence") or []:
        unit = concept(measured.get("MeasurementUnitsCodeSequence"))
        value = measured.get("FloatingPointValue", measured.get("NumericValue"))
        return f"{value} {unit.value or 'without a unit'}"
    reason = concept(dataset.get("NumericValueQualifierCodeSequence"))
    return f"without a value ({reason.meaning})" if reason.meaning else "without a value"


def _reference(dataset: Dataset) -> str:
    for reference in dataset.get("ReferencedSOPSequence") or []:
        uid = str(reference.get("ReferencedSOPInstanceUID") or "")
        frames = reference.get("ReferencedFrameNumber")
        segments = reference.get("ReferencedSegmentNumber")
        parts = [uid]
        parts += [f"frame {frames}"] if frames is not None else []
        parts += [f"segment {segments}"] if segments is not None else []
        return one_line(" ".join(parts))
    return "of nothing"
