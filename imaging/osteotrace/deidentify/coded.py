"""Coded concepts: kept where a published vocabulary knows them, else made meaningless.

A code is three texts, and each could hold a name. A code that pydicom's copies of the
standard's context groups or osteotrace's own tables know keeps the meaning they give. One
of another published scheme keeps its value if that has the scheme's form, and only the
known words of its meaning.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from osteotrace.codes.concepts import Concept
from osteotrace.deidentify.vocabulary import cleaned, software_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from osteotrace.deidentify.subject import Subject

UNKNOWN_SCHEME: Final = "99REMOVED"
UNKNOWN_MEANING: Final = "code removed"
# Published schemes (PS3.16 section 8) and the form of their codes. Units are not here:
# an annotation in braces may say anything.
_FORMS: Final = {
    scheme: re.compile(form)
    for scheme, form in (
        ("SCT", r"[1-9][0-9]{5,17}"),
        ("SRT", r"[A-Z][0-9]?-[0-9A-F]{4,6}"),
        ("SNM3", r"[A-Z][0-9]?-[0-9A-F]{4,6}"),
        ("99SDM", r"[A-Z][0-9]?-[0-9A-F]{4,6}"),
        ("DCM", r"1[0-9]{5}"),
        ("LN", r"[0-9]{1,6}-[0-9]"),
        ("FMA", r"[0-9]{3,6}"),
        ("RADLEX", r"RID[0-9]{1,5}"),
        ("UMLS", r"C[0-9]{7}"),
        ("NCIt", r"C[0-9]{4,6}"),
        ("IBSI", r"[0-9A-Z]{4}"),
        ("I10", r"[A-Z][0-9]{2}(\.[0-9]{1,2})?"),
        ("I9C", r"[0-9]{3}(\.[0-9]{1,2})?"),
        ("RFC5646", r"[a-z]{2,3}(-[A-Z]{2})?"),
    )
}
# Concepts whose value tells of a person though it is a number, a date or a code: birth
# date, sex, age, height and weight (PS3.16 TID 1007 and CID 7455).
PERSONAL: Final = frozenset(
    {
        "121031", "121032", "121033", "121035", "121036", "184099003", "263495000",
        "397669002", "424144002", "50373000", "27113001", "8302-2", "3141-9", "29463-7",
        "21112-8", "30525-0",
    }
)  # fmt: skip
# Tracking Identifier: what people call a lesion.
TRACKING_IDENTIFIER: Final = ("112039", "DCM")


@cache
def _known() -> dict[tuple[str, str], str]:
    """Return the meanings of known codes by value and scheme."""
    from pydicom.sr import _concepts_dict

    concepts: dict[str, Any] = dict(_concepts_dict.concepts)
    found = {
        (value, scheme): meaning
        for scheme, keywords in concepts.items()
        for values in keywords.values()
        for value, (meaning, *_) in values.items()
    }
    # osteotrace's own last: its records are read by these words.
    return found | {(one.value, one.scheme): one.meaning for one in _own()}


def _own() -> Iterator[Concept]:
    for value in _tables():
        yield from _concepts_in(value)


def _tables() -> Iterator[object]:
    import importlib
    import pkgutil

    from osteotrace import codes

    for module in pkgutil.iter_modules(codes.__path__, "osteotrace.codes."):
        named = vars(importlib.import_module(module.name))
        yield from (value for name, value in named.items() if name[:2] != "__")


@cache
def own_keys() -> frozenset[str]:
    """Return the short names in osteotrace's tables, and the texts of its concepts."""
    named = (table for table in _tables() if isinstance(table, dict))
    keys = {key for table in named for key in table if isinstance(key, str)}
    texts = (text for one in _own() for text in (one.value, one.scheme, one.meaning))
    return frozenset(keys).union(texts)


def _concepts_in(value: object) -> Iterator[Concept]:
    if isinstance(value, Concept):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _concepts_in(one)
    elif isinstance(value, (tuple, list, frozenset)):
        for one in value:
            yield from _concepts_in(one)


def code_of(item: Dataset) -> tuple[str, str]:
    """Return the value and the scheme of a code, empty where the item states none."""
    value = item.get("CodeValue") or item.get("LongCodeValue") or ""
    return str(value).strip(), str(item.get("CodingSchemeDesignator") or "").strip()


def is_personal(item: Dataset) -> bool:
    """Tell whether a concept is one whose value tells who somebody is."""
    return code_of(item)[0] in PERSONAL


def cleaned_code(item: Dataset, subject: Subject) -> tuple[str, str, str]:
    """Return value, scheme and meaning of a code as they may stay."""
    value, scheme = code_of(item)
    known = _known().get((value, scheme))
    if known is not None:
        return value, scheme, known[:64]
    form = _FORMS.get(scheme)
    if form is None or not form.fullmatch(value) or value.lower() in subject.names:
        made = subject.secret.word("code", f"{scheme}\x1f{value}")
        return made, UNKNOWN_SCHEME, UNKNOWN_MEANING
    meaning = str(item.get("CodeMeaning") or "")
    told = cleaned(meaning, software_words(), subject.names, gap="")
    return value, scheme, told[:64].strip() or UNKNOWN_MEANING
