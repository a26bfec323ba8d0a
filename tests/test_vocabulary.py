"""The vocabulary is whole: codes of DICOM, codes beyond it, private codes, every site."""

import csv
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest
from pydicom import dcmread
from pydicom.sr._concepts_dict import concepts as published
from pydicom.sr.codedict import codes as dictionary
from tests.fixtures.assessments import assessment, caliper_finding
from tests.test_documents import assert_examples_run

from osteotrace import codes, series
from osteotrace.codes import SITES, Concept
from osteotrace.codes.beyond_dicom import BEYOND_DICOM, VARIABLE, equivalents_of
from osteotrace.codes.reserved import RESERVED
from osteotrace.codes.sites import BONE_UNITS, VERTEBRAE
from osteotrace.records import sr

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


OF_DICOM = _rows(DATA / "codes_of_dicom.csv")
BEYOND = _rows(DATA / "codes_beyond_dicom.csv")
# The private scheme as it was specified.
SPECIFIED = _rows(DATA / "codes_of_99osteo.csv")
ISSUED = {row["value"]: row["meaning"] for row in _rows(ROOT / "docs/private_codes.csv")}


def _concepts(held: object) -> Iterator[Concept]:
    """Every concept within nested tables."""
    if isinstance(held, Concept):
        yield held
    elif isinstance(held, dict):
        for key, value in held.items():
            yield from _concepts(key)
            yield from _concepts(value)
    elif isinstance(held, tuple | list):
        for value in held:
            yield from _concepts(value)


DECLARED = {
    concept
    for module in pkgutil.iter_modules(codes.__path__, "osteotrace.codes.")
    for name, held in vars(importlib.import_module(module.name)).items()
    if name.isupper()
    for concept in _concepts(held)
}
VALUES = {(concept.scheme, concept.value) for concept in DECLARED}
PRIVATE = {
    concept.value: concept.meaning
    for concept in DECLARED
    if concept.scheme == codes.PRIVATE_SCHEME
}

PUBLISHED = cast("dict[str, dict[str, dict[str, tuple[str, list[int]]]]]", published)
IN_DICOM = {value for by_value in PUBLISHED["SCT"].values() for value in by_value}

# Published, and not written: they move with noise, protocol and osteoporosis.
NOT_SHIPPED = {"FractalDimension", "ContrastOfGLCM", "JointEntropyOfGLCM"}


@pytest.mark.parametrize("row", OF_DICOM, ids=lambda row: row["attribute"])
def test_a_code_of_dicom_is_the_one_that_its_attribute_names(
    row: dict[str, str],
) -> None:
    code = getattr(getattr(dictionary, row["scheme"]), row["attribute"])
    assert (code.value, code.scheme_designator) == (row["value"], row["scheme"])
    if row["scheme"] != "UCUM":
        assert code.meaning == row["meaning"]
    declared = (row["scheme"], row["value"]) in VALUES
    assert declared != (row["attribute"] in NOT_SHIPPED)


@pytest.mark.parametrize("row", BEYOND, ids=lambda row: row["meaning"])
def test_a_code_beyond_dicom_keeps_the_value_sets_it_was_seen_in(
    row: dict[str, str],
) -> None:
    concept = Concept(row["value"], "SCT", row["meaning"])
    (seen,) = [one for one in BEYOND_DICOM.values() if one.concept == concept]
    named = {"A": "FHIR R4", "B": "eHDSI", "HAI": "Healthcare Associated Infection"}
    wanted = [named.get(word, word) for word in row["seen in"].split()]
    assert len(seen.value_sets) == len(wanted)
    for word, value_set in zip(wanted, seen.value_sets, strict=True):
        assert word in value_set


def test_no_code_beyond_dicom_is_from_anywhere_else() -> None:
    assert len(BEYOND_DICOM) == len(BEYOND)
    for seen in BEYOND_DICOM.values():
        assert seen.concept.value not in IN_DICOM


def test_every_snomed_number_is_of_dicom_or_was_seen_in_a_named_value_set() -> None:
    seen = {one.concept.value for one in BEYOND_DICOM.values()}
    numbers = {concept.value for concept in DECLARED if concept.scheme == "SCT"}
    assert numbers <= IN_DICOM | seen


@pytest.mark.parametrize("row", SPECIFIED, ids=lambda row: row["value"])
def test_every_specified_private_code_is_declared_with_its_meaning(
    row: dict[str, str],
) -> None:
    assert PRIVATE.get(row["value"]) == row["meaning"]


def test_every_private_code_stands_in_the_list_of_issued_codes_with_its_meaning() -> None:
    """A new private code needs its line in docs/private_codes.csv."""
    assert {value: ISSUED.get(value) for value in PRIVATE} == PRIVATE


def test_no_issued_private_code_was_dropped_or_given_another_meaning() -> None:
    assert {value: PRIVATE.get(value) for value in ISSUED} == ISSUED


def test_the_list_of_issued_codes_is_sorted_and_names_none_twice() -> None:
    values = [row["value"] for row in _rows(ROOT / "docs/private_codes.csv")]
    assert values == sorted(set(values))
    assert all(0 < len(value) <= 16 for value in values)


def test_a_reserved_code_is_not_written_yet() -> None:
    assert not {c.value for c in RESERVED.values()} & {
        c.value for c in codes.STAGINGS.values()
    }


# What the bones of the jaws, the palate and CNO scoring are called here.
JAWS_AND_PALATE = (
    *(
        "maxilla",
        "alveolar_process_of_maxilla",
        "premaxilla",
        "maxillary_sinus",
        "zygoma",
    ),
    *("mandible", "alveolar_process_of_mandible", "body_of_mandible"),
    *("ramus_of_mandible", "condyle_of_mandible", "temporomandibular_joint"),
    *("hard_palate", "soft_palate", "palatine_bone", "nasal_cavity", "vomer"),
)
CNO = (
    *("skull", "clavicle", "sternum", "manubrium", "scapula", "rib"),
    *("humerus", "radius", "ulna", "carpus", "metacarpus", "hand"),
    *("ilium", "ischium", "pubis", "sacroiliac_joint", "sacrum", "coccyx"),
    *("femur", "proximal_femur", "shaft_of_femur", "distal_femur", "patella"),
    *("tibia", "proximal_tibia", "shaft_of_tibia", "distal_tibia"),
    *("fibula", "distal_fibula", "talus", "calcaneus", "tarsus", "metatarsus", "foot"),
)


@pytest.mark.parametrize("site", [*JAWS_AND_PALATE, *CNO])
def test_the_jaws_the_palate_and_every_bone_of_cno_have_a_code(site: str) -> None:
    assert site in SITES


def test_every_vertebra_from_c1_to_l5_is_a_site_and_a_bone_unit() -> None:
    assert VERTEBRAE[0] == "c1"
    assert VERTEBRAE[-1] == "l5"
    assert len(VERTEBRAE) == 7 + 12 + 5
    assert set(VERTEBRAE) < set(BONE_UNITS) < set(SITES)
    assert len(set(BONE_UNITS)) == len(BONE_UNITS)
    for level in VERTEBRAE:
        assert SITES[level].meaning == f"{level.upper()} vertebra"


# Context groups of PS3.16 that hold parts of the body: anatomic regions (4), parts of
# the head (4028), structures that are segmented (7151) or implanted in (7304).
BODY_PARTS = {4, 4028, 4031, 4029, 6115, 7151, 7304, 7482, 7600, 7601, 8134}


@pytest.mark.parametrize(
    "site", [name for name, one in SITES.items() if one.scheme != codes.PRIVATE_SCHEME]
)
def test_a_site_is_a_part_of_the_body_and_no_geometric_term(site: str) -> None:
    concept = SITES[site]
    groups = {
        group
        for by_value in PUBLISHED[concept.scheme].values()
        for value, (_, cids) in by_value.items()
        if value == concept.value
        for group in cids
    }
    beyond = {one.concept.value for one in BEYOND_DICOM.values()}
    assert groups & BODY_PARTS or concept.value in beyond


def test_equivalents_are_off_until_a_site_allows_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sequestrum = codes.KINDS["sequestrum"]
    monkeypatch.delenv(VARIABLE, raising=False)
    assert equivalents_of(sequestrum) == ()
    monkeypatch.setenv(VARIABLE, "on")
    (found,) = equivalents_of(sequestrum)
    assert found.concept == Concept("4857006", "SCT", "Sequestrum")
    assert found.relation == "same"
    assert equivalents_of(sequestrum, allowed=False) == ()


def test_an_equivalent_stands_beside_private_codes_only() -> None:
    assert equivalents_of(SITES["maxilla"], allowed=True) == ()
    assert equivalents_of(codes.KINDS["involucrum"], allowed=True) == ()


@pytest.mark.parametrize(
    "kind", ["sequestrum", "vcf", "pathological_fracture", "fistula"]
)
def test_what_stands_beside_a_kind_was_seen_in_a_value_set(kind: str) -> None:
    found = equivalents_of(codes.KINDS[kind], allowed=True)
    assert found
    assert {one.concept for one in found} <= {s.concept for s in BEYOND_DICOM.values()}


@pytest.mark.parametrize("switch", ["off", "on"])
def test_a_report_carries_the_equivalent_code_where_the_site_allows_it(
    switch: str, small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, switch)
    written = assessment(msgspec.structs.replace(caliper_finding(), kind="sequestrum"))
    path = sr.write(written, series.scan(small_study), tmp_path)
    (code,) = {
        (
            item.CodeValue,
            tuple(e.CodeValue for e in item.get("EquivalentCodeSequence", [])),
        )
        for element in dcmread(path).iterall()
        if element.keyword == "ConceptCodeSequence"
        for item in element.value
        if item.CodeValue == "F-SEQ"
    }
    assert code == ("F-SEQ", ("4857006",) if switch == "on" else ())
    monkeypatch.setenv(VARIABLE, "off")
    assert sr.read(path) == written


def test_the_page_on_codes_runs() -> None:
    assert_examples_run(ROOT / "docs/codes.md", least=3)
