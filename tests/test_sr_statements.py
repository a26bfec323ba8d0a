"""What people state and what staging gives: as items of a report that others can read."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
from pydicom import dcmread
from tests.fixtures.assessments import assessment
from tests.fixtures.four_cases import mandible, maxilla, spine
from tests.fixtures.stated_assessments import (
    AUTHOR,
    mronj_staging,
    set_by_the_reader,
    stated_assessment,
    stated_drugs,
    stated_facts,
)

from osteotrace import series, staging
from osteotrace.codes import PRIVATE_SCHEME, STAGINGS, stage_concept
from osteotrace.errors import OsteotraceError
from osteotrace.findings import to_json
from osteotrace.records import sr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment, Case, StagingResult
    from osteotrace.series import Catalogue

NOW = datetime.datetime(2024, 5, 1, 10, 30)


@pytest.fixture(scope="module")
def catalogue(small_study: Path) -> Catalogue:
    return series.scan(small_study)


@pytest.fixture(scope="module")
def saved(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    return sr.write(stated_assessment(), catalogue, folder, now=NOW)


@pytest.fixture(scope="module")
def document(saved: Path) -> Dataset:
    return dcmread(saved)


def _items(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        yield child
        yield from _items(child)


def _named(item: Dataset, value: str) -> list[Dataset]:
    return [i for i in _items(item) if i.ConceptNameCodeSequence[0].CodeValue == value]


def _code(item: Dataset) -> str:
    return str(item.ConceptCodeSequence[0].CodeValue)


def _with(**changes: object) -> Assessment:
    return msgspec.structs.replace(assessment(), **changes)


# Nothing is lost -----------------------------------------------------------------------


def test_facts_drugs_and_stagings_come_back_equal(saved: Path) -> None:
    back = sr.read(saved)
    assert back == stated_assessment()
    assert to_json(back) == to_json(stated_assessment())


def test_parts_that_were_not_understood_come_back(saved: Path) -> None:
    assert sr.read(saved).not_understood == stated_assessment().not_understood


@pytest.mark.parametrize(
    "stage",
    [
        "2",
        "at risk",
        "at_risk",
        "AT RISK",
        "",
        " 2 ",
        "a\\b",
        "2\u200b",
        "등급 2",
        "x" * 90,
    ],
)
def test_any_stage_comes_back_to_the_character(
    catalogue: Catalogue, tmp_path: Path, stage: str
) -> None:
    result = msgspec.structs.replace(
        mronj_staging(), stages=(stage, "3"), lowest=stage, possible=(stage,)
    )
    reading = _with(stagings=(result,))
    assert sr.read(sr.write(reading, catalogue, tmp_path)) == reading


def test_a_staging_alone_needs_no_finding(catalogue: Catalogue, tmp_path: Path) -> None:
    reading = _with(stagings=(mronj_staging(),), facts=())
    path = sr.write(reading, catalogue, tmp_path)
    assert sr.read(path) == reading
    assert "No finding was recorded." not in {
        i.get("TextValue") for i in _items(dcmread(path))
    }


# Facts ---------------------------------------------------------------------------------


def test_a_fact_is_named_by_the_concept_that_dicom_has(document: Dataset) -> None:
    (pain,) = _named(document, "225908003")
    assert pain.ConceptNameCodeSequence[0].CodeMeaning == "Pain score"
    (measured,) = pain.MeasuredValueSequence
    assert (measured.NumericValue, measured.FloatingPointValue) == (3.5, 3.5)
    assert [i.TextValue for i in _named(pain, "X-NAME")] == ["pain_vas"]


def test_a_fact_without_a_concept_is_a_clinical_fact_by_name(document: Dataset) -> None:
    (facts,) = _named(document, "X-FACTS")
    names = [
        item.TextValue
        for fact in facts.ContentSequence
        for item in _named(fact, "X-NAME")
    ]
    assert names == [fact.name for fact in stated_facts()]
    (value,) = [
        fact.MeasuredValueSequence[0]
        for fact in facts.ContentSequence
        if [i.TextValue for i in _named(fact, "X-NAME")] == ["crp"]
    ]
    assert value.FloatingPointValue == 12.3
    assert value.MeasurementUnitsCodeSequence[0].CodeValue == "mg/L"


def test_the_observer_of_a_fact_is_the_person_who_stated_it(document: Dataset) -> None:
    (facts,) = _named(document, "X-FACTS")
    observers = [
        (item.PersonName, item.RelationshipType)
        for fact in facts.ContentSequence
        for item in _named(fact, "121008")
    ]
    assert observers == [(AUTHOR, "HAS OBS CONTEXT")] * len(stated_facts())


# Drugs ---------------------------------------------------------------------------------


def test_a_course_of_a_drug_is_coded(document: Dataset) -> None:
    (course, other) = _named(document, "P-COURSE")
    assert [_code(i) for i in _named(course, "122083")] == ["P-DENOSUM"]
    assert [_code(i) for i in _named(course, "P-CLASS")] == ["P-CANTIRES"]
    assert [_code(i) for i in _named(course, "410675002")] == ["34206005"]
    assert [i.TextValue for i in _named(course, "122081")] == ["2020-02"]
    assert [i.Date for i in _named(course, "122082")] == ["20221027"]
    (dose,) = _named(course, "P-DOSE")
    assert dose.MeasuredValueSequence[0].FloatingPointValue == 60.0
    assert dose.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue == "mg"
    assert _named(other, "P-DOSE") == []


# Stagings ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def groups(document: Dataset) -> list[Dataset]:
    return [
        group
        for group in _named(document, "125007")
        if _code(_named(group, "121071")[0]).startswith("S-")
    ]


def test_a_staging_is_a_group_whose_finding_and_method_are_the_system(
    groups: list[Dataset],
) -> None:
    assert [_code(_named(group, "121071")[0]) for group in groups] == [
        "S-AAOMS22",
        "S-AAOMS22",
        "S-FAP",
    ]
    (method,) = _named(groups[0], "370129005")
    assert _code(method) == "S-AAOMS22"
    assert [i.TextValue for i in _named(method, "G-VERSION")] == ["1"]
    assert groups[0].ContentTemplateSequence[0].TemplateIdentifier == "1501"
    uids = {i.UID for group in groups for i in _named(group, "112040")}
    assert len(uids) == 3


def test_a_criterion_is_yes_no_or_unknown_as_a_code(groups: list[Dataset]) -> None:
    criteria = _named(groups[0], "G-CRIT")
    shown = [_code(i) if i.ValueType == "CODE" else i.TextValue for i in criteria]
    assert shown == ["373066001", "261665006", "9 wk"]
    names = [_named(i, "G-CRITNAME")[0].TextValue for i in criteria]
    assert names == ["exposed_bone", "pus", "weeks"]


def test_the_rules_are_the_rationale_of_the_stage(groups: list[Dataset]) -> None:
    (stage,) = _named(groups[0], "258214002")
    assert stage.TextValue == "1..3"
    rules = _named(stage, "G-RULE")
    assert [i.RelationshipType for i in rules] == ["HAS PROPERTIES"] * 2
    assert rules[0].TextValue == "drug AND bone AND NOT infection"
    words = _named(groups[0], "121106")[0].TextValue
    assert "MRONJ stage, AAOMS 2022, rules 1, 2024-05-01: 1..3." in words
    assert "AAOMS22-STAGE1 (1) may hold: drug AND bone AND NOT infection." in words
    assert "Not known: pus, path_fracture." in words
    assert "To ask first: Is there a pathological fracture?" in words


def test_the_ends_of_the_interval_are_codes(groups: list[Dataset]) -> None:
    assert [_code(i) for i in _named(groups[0], "G-LOWEST")] == ["AAOMS22-1"]
    assert [_code(i) for i in _named(groups[0], "G-HIGHEST")] == ["AAOMS22-3"]
    (definite,) = _named(groups[2], "258214002")
    assert definite.ConceptCodeSequence[0].CodeMeaning == "profile"


def test_a_stage_set_by_the_reader_keeps_reason_and_name(groups: list[Dataset]) -> None:
    (stage,) = _named(groups[1], "G-SET")
    assert _code(stage) == "AAOMS22-2"
    assert [i.TextValue for i in _named(stage, "G-SETWHY")] == [
        "erythema seen at the bedside"
    ]
    assert [str(i.PersonName) for i in _named(stage, "121008")] == [AUTHOR]
    (shown,) = _named(groups[1], "258214002")
    assert shown.TextValue == set_by_the_reader().as_text


def test_the_profile_is_a_block_of_lines(groups: list[Dataset]) -> None:
    parts = _named(groups[2], "G-PART")
    assert [_named(i, "G-PARTNAME")[0].TextValue for i in parts] == ["A", "F", "P"]
    assert [_named(i, "G-PARTHIGH")[0].TextValue for i in parts] == ["3", "3", "?"]


def test_highdicom_reads_a_staging_as_qualitative_evaluations(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    from highdicom.sr import MeasurementReport, srread
    from pydicom.sr.coding import Code

    path = sr.write(_with(stagings=(mronj_staging(),)), catalogue, tmp_path)
    report = srread(path).content
    assert isinstance(report, MeasurementReport)
    (group,) = report.get_image_measurement_groups(
        finding_type=Code("S-AAOMS22", PRIVATE_SCHEME, "")
    )
    assert group.method == Code("S-AAOMS22", PRIVATE_SCHEME, "")
    said = {i.name.value: i.value for i in group.get_qualitative_evaluations()}
    assert said["G-LOWEST"] == Code("AAOMS22-1", PRIVATE_SCHEME, "")
    assert said["G-HIGHEST"] == Code("AAOMS22-3", PRIVATE_SCHEME, "")


# Codes of stages -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "stage", "value"),
    [
        ("aaoms_2022", "3", "AAOMS22-3"),
        ("aaoms_2022", "at risk", "AAOMS22-at_risk"),
        ("genant", "0.5", "GENANT-0.5"),
        ("sipmo_lenient", "2b", "SIPMOL-2b"),
        ("brown", "half or less, unilateral", "BROWN-#11b1afdd7"),
    ],
)
def test_a_stage_keeps_its_code(system: str, stage: str, value: str) -> None:
    assert stage_concept(system, stage).value == value


@pytest.mark.parametrize("system", sorted(STAGINGS))
def test_stages_that_differ_have_codes_that_differ(system: str) -> None:
    stages = ["0", "1", "at risk", "at_risk", "At risk", "1 ", "x" * 20, "x" * 21, "≥3"]
    codes = {stage_concept(system, stage).value for stage in stages}
    assert len(codes) == len(stages)
    assert all(len(value) <= 16 for value in codes)


# What does not fit ---------------------------------------------------------------------


def _changed_staging(**changes: object) -> StagingResult:
    return msgspec.structs.replace(mronj_staging(), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"facts": (msgspec.structs.replace(stated_facts()[3], unit="mm"),)}, "3.5 mm"),
        ({"facts": (msgspec.structs.replace(stated_facts()[3], value=11.0),)}, "0 to 10"),
        ({"facts": (msgspec.structs.replace(stated_facts()[0], name="x"),)}, "fact 'x'"),
        (
            {"facts": (msgspec.structs.replace(stated_facts()[0], until="2024-02"),)},
            "exposed_bone from 2024-03 to 2024-02",
        ),
        (
            {"drugs": (msgspec.structs.replace(stated_drugs()[0], unit=""),)},
            "dose of denosumab without unit",
        ),
        ({"stagings": (_changed_staging(system="x"),)}, "staging system 'x'"),
        ({"stagings": (_changed_staging(site="x"),)}, "site 'x'"),
    ],
    ids=["unit", "range", "name", "dates", "dose", "system", "site"],
)
def test_a_statement_that_does_not_fit_is_refused_on_writing_and_on_reading(
    catalogue: Catalogue,
    tmp_path: Path,
    changes: dict[str, object],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = _with(**changes)
    with pytest.raises(OsteotraceError, match=message):
        sr.write(wrong, catalogue, tmp_path / "records")
    assert not (tmp_path / "records").exists()
    path = sr.write(assessment(), catalogue, tmp_path)
    # As a program with another vocabulary would have written it.
    monkeypatch.setattr(
        "osteotrace.records.report_content.reading.assessment", lambda *_: wrong
    )
    # Nothing was read of its bytes before.
    monkeypatch.setattr(sr, "_kept", {})
    with pytest.raises(OsteotraceError, match=message) as caught:
        sr.read(path)
    assert caught.value.where == str(path)
    assert "\n" not in str(caught.value)


# What staging gives --------------------------------------------------------------------

CASES = {"maxilla": maxilla(), "mandible": mandible(), "spine": spine()}


def _staged(case: Case) -> tuple[StagingResult, ...]:
    """Return what every system gives at the last date of a case."""
    return staging.stage(case, systems=staging.system_names())


@pytest.mark.parametrize("name", list(CASES))
def test_what_staging_gives_comes_back_equal(
    catalogue: Catalogue, tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    results = _staged(case)
    assert results
    reading = _with(facts=case.facts, drugs=case.drugs, stagings=results)
    assert sr.read(sr.write(reading, catalogue, tmp_path)) == reading


@pytest.mark.parametrize("name", list(CASES))
def test_stages_of_a_system_have_codes_of_their_own(name: str) -> None:
    for result in _staged(CASES[name]):
        stages = dict.fromkeys(result.stages)
        codes = {stage_concept(result.system, stage).value for stage in stages}
        assert len(codes) == len(stages)
