"""Every code that is written is one that its scheme has, or private and unique."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, cast

import pytest
from pydicom.sr._concepts_dict import concepts as published

from osteotrace import codes
from osteotrace.codes import Concept
from osteotrace.errors import OsteotraceError
from osteotrace.uids import is_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = {
    name: table
    for module in pkgutil.iter_modules(codes.__path__, "osteotrace.codes.")
    for name, table in vars(importlib.import_module(module.name)).items()
    if name.isupper()
    and not name.startswith("_")
    and isinstance(table, dict)
    and all(isinstance(concept, Concept) for concept in table.values())
    and all(isinstance(short, str) for short in table)
}
# SNOMED CT codes outside DICOM PS3.16, each with the public value set it was seen in.
SEEN_ELSEWHERE = {
    # A UCUM annotation in braces is free text (UCUM 12).
    "{grade}": "grade",
    # UCUM 2.1, units that DICOM PS3.16 does not list.
    "mg": "milligram",
    "mg/kg": "milligram per kilogram",
    "mg/d": "milligram per day",
    "mg/dL": "milligram per deciliter",
    "mg/L": "milligram per liter",
    "mm/h": "millimeter per hour",
    "10*3/uL": "thousand per microliter",
    "kg": "kilogram",
    "ml": "milliliter",
    # HL7 Europe eHDSI value sets 8.1.0, eHDSIBodySite.
    "90228003": "Hard palate structure",
}
# Codes that pydicom lacks or words otherwise: ("mm", UCUM, "millimeter") is CID 7460.
REWORDED = {
    ("mm", "UCUM"),
    ("cm", "UCUM"),
    ("cm2", "UCUM"),
    ("{-1:1}", "UCUM"),
    ("{pixels}", "UCUM"),
    ("en-US", "RFC5646"),
}
# VR SH and VR LO (PS3.5 6.2).
CODE_VALUE_LENGTH = 16
CODE_MEANING_LENGTH = 64


def _all() -> Iterator[Concept]:
    for table in TABLES.values():
        yield from table.values()
    for _, _, concept, _ in codes.IMAGE_DESCRIPTORS:
        yield concept
    yield codes.ENGLISH


CONCEPTS = sorted(set(_all()), key=lambda c: (c.scheme, c.value))


def _published(concept: Concept) -> set[str]:
    """Return the meanings that pydicom's dictionaries give a code."""
    schemes = cast("dict[str, dict[str, dict[str, tuple[str, object]]]]", published)
    return {
        by_value[concept.value][0]
        for by_value in schemes.get(concept.scheme, {}).values()
        if concept.value in by_value
    }


def _plain(meaning: str) -> str:
    """Return a meaning without letter case, a semantic tag or the word structure."""
    plain = meaning.lower().split(" (")[0]
    return plain.removesuffix(" structure").removesuffix(" region")


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda c: f"{c.scheme} {c.value}")
def test_a_standard_code_agrees_with_its_dictionary(concept: Concept) -> None:
    if concept.scheme == codes.PRIVATE_SCHEME:
        assert not _published(concept)
    elif (concept.value, concept.scheme) in REWORDED:
        assert concept.meaning
    elif concept.value in SEEN_ELSEWHERE:
        assert concept.meaning == SEEN_ELSEWHERE[concept.value]
        assert not _published(concept)
    else:
        meanings = {_plain(meaning) for meaning in _published(concept)}
        assert _plain(concept.meaning) in meanings


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda c: f"{c.scheme} {c.value}")
def test_a_concept_fits_its_attributes(concept: Concept) -> None:
    assert 0 < len(concept.value) <= CODE_VALUE_LENGTH
    assert 0 < len(concept.scheme) <= CODE_VALUE_LENGTH
    assert 0 < len(concept.meaning) <= CODE_MEANING_LENGTH
    assert concept.meaning == concept.meaning.strip()


def test_no_code_means_two_things() -> None:
    meanings: dict[tuple[str, str], str] = {}
    for concept in CONCEPTS:
        key = (concept.value, concept.scheme)
        assert meanings.setdefault(key, concept.meaning) == concept.meaning


@pytest.mark.parametrize("name", sorted(TABLES))
def test_no_table_names_one_code_twice(name: str) -> None:
    keys = [(c.value, c.scheme) for c in TABLES[name].values()]
    assert len(keys) == len(set(keys))


# Private codes as they were first written. A code may be added, never changed or reused.
ISSUED = {
    "A-PREMAX": "Premaxilla",
    "F-MOTH": "Moth-eaten bone destruction",
    "F-PALBONE": "Palatal bony defect",
    "F-SEQ": "Sequestrum",
    "F-STDEF": "Soft-tissue defect",
    "F-VCF": "Vertebral compression fracture",
    "M-GAPAP": "Palatal gap, antero-posterior",
    "M-LALONG": "Length along the line between the two fitted edges",
    "M-LPERP": "Perpendicular length between the planes fitted to both edges",
    "M-LRAW": "Length between the two points as drawn",
    "M-NOTCHW": "Soft-tissue notch width",
}


@pytest.mark.parametrize("value", sorted(ISSUED))
def test_an_issued_private_code_keeps_its_meaning(value: str) -> None:
    assert Concept(value, codes.PRIVATE_SCHEME, ISSUED[value]) in CONCEPTS


def test_the_private_scheme_has_a_uid_of_its_own() -> None:
    assert is_uid(codes.PRIVATE_SCHEME_UID)
    assert codes.PRIVATE_SCHEME_UID.startswith("2.25.")
    assert int(codes.PRIVATE_SCHEME_UID.removeprefix("2.25.")) < 2**128


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_concept_gives_back_the_name_it_was_looked_up_by(name: str) -> None:
    table = TABLES[name]
    for short in table:
        concept = codes.look_up(table, short, "name")
        assert codes.name_of(table, concept) == short


def test_a_code_is_recognised_whatever_its_meaning_is_worded_as() -> None:
    reworded = Concept("70925003", "SCT", "Maxilla structure")
    assert codes.name_of(codes.SITES, reworded) == "maxilla"


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(OsteotraceError, match="kind 'tumour'") as caught:
        codes.look_up(codes.KINDS, "tumour", "kind")
    assert "sequestrum" in caught.value.expected


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(OsteotraceError, match=r"code F-NEW of 99OSTEO \(New\)"):
        codes.name_of(codes.KINDS, Concept("F-NEW", "99OSTEO", "New"))
