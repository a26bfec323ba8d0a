"""SHA-256 over the content tree of a structured report, in a canonical form.

The form depends on what the tree says and not on how it is encoded: transfer syntax,
padding and the order of attributes leave it alone, a changed value does not. A report
carries its digest, and whoever reads it compares: pydicom reads most damaged reports
without an error.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Final

from osteotrace.codes import REPORT
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

# A report of osteotrace nests six deep; a hostile one exhausts the stack.
DEEPEST_NESTING: Final = 32

# What the root of the tree consists of inside the document (PS3.3 C.17.3).
_ROOT_KEYWORDS: Final = (
    "ValueType",
    "ConceptNameCodeSequence",
    "ContinuityOfContent",
    "ContentTemplateSequence",
    "ContentSequence",
)
_BINARY_FORMS: Final = {"FL": "<f", "FD": "<d"}


def content_sha256(document: Dataset) -> str:
    """Return the digest of a document's content tree, its own digest item left out.

    Parameters
    ----------
    document : Dataset
        A structured report or the root content item of one.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    OsteotraceError
        If items nest deeper than `DEEPEST_NESTING`.
    """
    digest = hashlib.sha256()
    for keyword in _ROOT_KEYWORDS:
        if keyword in document:
            digest.update(_element_form(document[keyword], depth=0))
    return digest.hexdigest()


def _element_form(element: DataElement, *, depth: int) -> bytes:
    tag = struct.pack("<L", int(element.tag))
    if element.VR == "SQ":
        items = [_item_form(item, depth=depth + 1) for item in element.value]
        kept = [form for form in items if form]
        body = struct.pack("<L", len(kept)) + b"".join(kept)
    else:
        body = _value_form(element)
    return tag + struct.pack("<Q", len(body)) + body


def _item_form(item: Dataset, *, depth: int) -> bytes:
    if depth > DEEPEST_NESTING:
        raise OsteotraceError(
            f"content nested deeper than {DEEPEST_NESTING} items",
            expected="a structured report of osteotrace",
            advice="do not trust this file; fetch the record from its source",
        )
    if depth == 1 and _is_digest_item(item):
        return b""
    body = b"".join(_element_form(element, depth=depth) for element in item)
    return struct.pack("<Q", len(body)) + body


def _value_form(element: DataElement) -> bytes:
    value = element.value
    values = [] if value is None else value if element.VM > 1 else [value]
    form = _BINARY_FORMS.get(element.VR)
    if form is not None:
        return b"".join(struct.pack(form, number) for number in values)
    return "\\".join(str(part).rstrip(" \0") for part in values).encode(
        "utf-8", "surrogatepass"
    )


def _is_digest_item(item: Dataset) -> bool:
    names = item.get("ConceptNameCodeSequence")
    digest = REPORT["content_sha256"]
    return bool(names) and (
        names[0].get("CodeValue"),
        names[0].get("CodingSchemeDesignator"),
    ) == (digest.value, digest.scheme)
