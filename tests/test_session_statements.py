"""What a reader states is kept, can be taken back, and is staged as records are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.fixtures.four_cases import maxilla, spine
from tests.fixtures.kept_readings import NOW, gap
from tests.fixtures.small_study import STUDY_UID

from osteotrace import staging
from osteotrace.codes import FACTS
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, DrugCourse, Fact, StagingResult
from osteotrace.reading.case_facts import CaseFacts
from osteotrace.records.sealed_json import sealed
from osteotrace.session.questions import by_group, decisive, form, profile, questions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.command_line import Outcome

    from osteotrace.session import Session
    from osteotrace.session.statements import Statements

DATE = "2024-01-02"
# What makes stage 2 of AAOMS 2022 for certain.
STAGE_2 = {
    "drug_antiresorptive": True,
    "jaw_radiotherapy": False,
    "jaw_metastasis": False,
    "exposed_bone": True,
    "pus": True,
    "path_fracture": False,
    "extraoral_fistula": False,
    "oroantral_or_oronasal": False,
    "lysis_to_inferior_border_or_sinus_floor": False,
    "beyond_alveolus": False,
}


@pytest.fixture
def statements(reading_session: Session) -> Statements:
    return reading_session.statements


def staged(statements: Statements, system: str, site: str = "") -> StagingResult:
    (result,) = (
        one for one in statements.stagings() if (one.system, one.site) == (system, site)
    )
    return result


def state_all(statements: Statements, facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        statements.state(name, value)


# Facts ------------------------------------------------------------


def test_a_fact_is_the_readers_of_the_study_date_and_recorded_now(
    statements: Statements,
) -> None:
    fact = statements.state("pus", True, note="on pressure")
    assert fact == Fact(
        name="pus",
        value=True,
        source="entered",
        author="Dr Kim",
        recorded=NOW.isoformat(timespec="seconds"),
        date=DATE,
        note="on pressure",
    )
    assert statements.stated.facts == (fact,)


def test_a_date_may_be_given_and_what_never_changes_has_none(
    statements: Statements,
) -> None:
    assert statements.state("pus", True, date="2023-12").date == "2023-12"
    assert statements.state("pus", True, date="").date == ""
    assert statements.state("sex", "female").date == ""


def test_unknown_is_an_answer(statements: Statements) -> None:
    assert statements.state("pus", None).value is None
    assert len(statements.stated.facts) == 1


def test_a_number_has_the_unit_that_is_meant_and_no_other(
    statements: Statements, refusal: Callable[[Callable[[], object]], OsteotraceError]
) -> None:
    assert statements.state("pain_vas", 7).value == 7.0
    assert statements.state("pain_vas", 7).unit == "1"
    assert statements.state("duration_weeks", 60, unit="d").unit == "d"
    error = refusal(lambda: statements.state("crp", 1.7))
    assert "mg/dL or mg/L" in error.expected


@pytest.mark.parametrize(
    ("name", "value", "more"),
    [
        ("pus", "a little", {}),
        ("alveolar_extent", "all of it", {}),
        ("pain_vas", 11, {}),
        ("pus", True, {"site": "l2"}),
        ("frame_lost", True, {}),
        ("no_such_fact", True, {}),
        ("pus", True, {"date": "yesterday"}),
    ],
)
def test_what_is_no_answer_is_refused_and_nothing_changes(
    statements: Statements, name: str, value: Any, more: dict[str, str]
) -> None:
    before = statements.stated
    with pytest.raises(OsteotraceError):
        statements.state(name, value, **more)  # type: ignore[arg-type]
    assert statements.stated is before


def test_a_grade_may_be_given_as_a_number(statements: Statements) -> None:
    assert statements.state("genant_grade", 1, site="l2").value == "1"


def test_stated_anew_takes_the_place_of_the_old(statements: Statements) -> None:
    statements.state("pus", True)
    second = statements.state("pus", False)
    assert statements.stated.facts == (second,)


def test_nobody_can_state_nothing(make_session: Callable[..., Session]) -> None:
    nameless = make_session(" ").statements
    with pytest.raises(OsteotraceError, match="nobody"):
        nameless.state("pus", True)
    with pytest.raises(OsteotraceError, match="nobody"):
        nameless.add_drug("denosumab")


def test_statements_are_taken_back_and_made_again(reading_session: Session) -> None:
    statements = reading_session.statements
    fact = statements.state("pus", True)
    course = statements.add_drug("denosumab", first_dose="2020-02")
    statements.retract(fact)
    assert statements.stated.facts == ()
    assert reading_session.undo() == "pus yes no longer stated"
    assert reading_session.undo() == "denosumab stated"
    assert statements.stated == CaseFacts(facts=(fact,))
    assert reading_session.redo() == "denosumab stated"
    assert statements.stated.drugs == (course,)


def test_statements_survive_the_session(make_session: Callable[..., Session]) -> None:
    first = make_session()
    state_all(first.statements, STAGE_2)
    first.statements.add_drug("denosumab", route="subcutaneous", dose=60.0, unit="mg")
    first.statements.override("aaoms_2022", "1", "no pus seen again")
    stated, stages = first.statements.stated, first.statements.stagings()
    first.close()
    again = make_session().statements
    assert again.stated == stated
    assert again.stagings() == stages


def test_what_is_not_stated_here_cannot_be_retracted(statements: Statements) -> None:
    fact = statements.state("pus", True)
    statements.retract(fact)
    with pytest.raises(OsteotraceError, match="not stated at this reading"):
        statements.retract(fact)


# Drugs ------------------------------------------------------------


def test_a_course_of_a_drug_is_the_readers(statements: Statements) -> None:
    course = statements.add_drug(
        "denosumab", route="subcutaneous", first_dose="2020-02", ongoing=False, doses=6
    )
    assert course == DrugCourse(
        drug="denosumab",
        route="subcutaneous",
        author="Dr Kim",
        recorded=NOW.isoformat(timespec="seconds"),
        first_dose="2020-02",
        ongoing=False,
        doses=6,
    )
    statements.remove_drug(course)
    assert statements.stated.drugs == ()


@pytest.mark.parametrize(
    "told",
    [
        {"drug": "aspirin"},
        {"drug": "denosumab", "route": "by post"},
        {"drug": "denosumab", "first_dose": "2022", "last_dose": "2020"},
        {"drug": "denosumab", "dose": 60.0},
    ],
)
def test_a_course_that_cannot_be_is_refused(
    statements: Statements, told: dict[str, Any]
) -> None:
    with pytest.raises(OsteotraceError):
        statements.add_drug(**told)
    assert statements.stated.drugs == ()


# Stages ------------------------------------------------------------


def test_facts_narrow_the_stage_to_the_one_that_is_true(statements: Statements) -> None:
    facts = dict(STAGE_2)
    last = facts.popitem()
    state_all(statements, facts)
    assert not staged(statements, "aaoms_2022").definite
    statements.state(*last)
    assert staged(statements, "aaoms_2022").as_text == "2"


def test_a_draft_does_not_count_until_it_is_accepted(reading_session: Session) -> None:
    statements = reading_session.statements
    facts = {**STAGE_2}
    del facts["oroantral_or_oronasal"]
    state_all(statements, facts)
    seen = reading_session.absent("oroantral_communication", "jaw")
    assert staged(statements, "aaoms_2022").as_text == "2..3"
    assert statements.not_counted == (
        f"1 draft ({seen.label}) does not count for the stages until accepted."
    )
    reading_session.accept(seen.tracking_uid)
    assert staged(statements, "aaoms_2022").as_text == "2"
    assert statements.not_counted == ""
    reading_session.edit_finding(seen.tracking_uid, presence="present")
    assert staged(statements, "aaoms_2022").as_text == "3"


def test_the_stages_are_those_of_the_command_line(
    reading_session: Session, osteotrace: Callable[..., Outcome], tmp_path: Path
) -> None:
    gap(reading_session, kind="palatal_bony_defect", site="hard_palate")
    statements = reading_session.statements
    state_all(statements, STAGE_2)
    statements.add_drug("denosumab", first_dose="2020-02", last_dose="2022-10-27")
    statements.override("aaoms_2022", "1", "no infection at the bedside")
    before = statements.stagings()
    assert len(before) >= 4
    reading_session.save(tmp_path / "records")
    said = osteotrace("stage", tmp_path / "records", "--date", DATE, "--json")
    assert json.loads(said.out)["stagings"] == json.loads(msgspec.json.encode(before))
    assert statements.stagings() == before


def test_what_is_saved_holds_facts_drugs_and_stages(
    reading_session: Session, tmp_path: Path
) -> None:
    from osteotrace.records import sr

    gap(reading_session)
    statements = reading_session.statements
    state_all(statements, STAGE_2)
    statements.override("aaoms_2022", "1", "no infection at the bedside")
    (path, *_) = reading_session.save(tmp_path / "records")
    saved = sr.read(path)
    assert saved.facts == statements.stated.facts
    assert saved.stagings == statements.stagings()
    (set_by_hand,) = (one for one in saved.stagings if one.override is not None)
    assert set_by_hand.as_text == "1 (set by the reader; computed 2)"


def earlier(patient: str, **changes: Any) -> Assessment:
    """Return what was stated of a patient a year before, without images."""
    return Assessment(
        assessment_uid="2.25.777",
        study_uid="",
        patient=patient,
        study_date="2023-01-02",
        reader="Dr Lee",
        recorded="2023-01-02T09:00:00+00:00",
        series=(),
        software="osteotrace",
        **changes,
    )


@pytest.mark.parametrize("same", [True, False])
def test_saved_readings_of_the_same_patient_count(
    reading_session: Session, tmp_path: Path, same: bool
) -> None:
    assert reading_session.assessment is not None
    patient = reading_session.assessment.patient if same else "P-OTHER"
    course = DrugCourse(drug="zoledronate", author="Dr Lee", recorded="2023-01-02")
    (tmp_path / "records").mkdir()
    file = tmp_path / "records" / "2.25.777.json"
    file.write_bytes(sealed(earlier(patient, drugs=(course,))))
    statements = reading_session.statements
    facts = {**STAGE_2}
    del facts["drug_antiresorptive"]
    state_all(statements, facts)
    expected = "2" if same else "not applicable..2"
    assert staged(statements, "aaoms_2022").as_text == expected


def test_a_study_of_no_date_has_no_stage(
    reading_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = reading_session.draft
    assert draft.start is not None
    undated = msgspec.structs.replace(draft.start, study_date="")
    monkeypatch.setattr(draft, "start", undated)
    assert reading_session.statements.stagings() == ()
    assert "no date" in reading_session.statements.not_counted


def test_stages_are_computed_once_for_the_same_reading(statements: Statements) -> None:
    state_all(statements, STAGE_2)
    assert statements.stagings() is statements.stagings()


# Stages set by the reader ------------------------------------------------------------


def test_a_stage_set_stands_beside_the_computed_one(reading_session: Session) -> None:
    statements = reading_session.statements
    state_all(statements, STAGE_2)
    statements.override("aaoms_2022", "3", "  the fistula was probed ")
    result = staged(statements, "aaoms_2022")
    assert (result.lowest, result.highest) == ("2", "2")
    assert result.override is not None
    assert result.override.stage == "3"
    assert result.override.reason == "the fistula was probed"
    assert reading_session.undo() == "MRONJ stage, AAOMS 2022 set to 3"
    assert staged(statements, "aaoms_2022").override is None


def test_a_stage_is_set_anew_or_left_as_computed(statements: Statements) -> None:
    state_all(statements, STAGE_2)
    statements.override("aaoms_2022", "3", "first")
    statements.override("aaoms_2022", "1", "second")
    assert [one.stage for one in statements.stated.overrides] == ["1"]
    statements.withdraw("aaoms_2022")
    assert staged(statements, "aaoms_2022").override is None


@pytest.mark.parametrize(
    ("system", "stage", "reason"),
    [("aaoms_2022", "9", "why"), ("aaoms_2022", "3", " "), ("genant", "1", "why")],
)
def test_a_stage_that_cannot_be_set_is_refused(
    statements: Statements, system: str, stage: str, reason: str
) -> None:
    state_all(statements, STAGE_2)
    with pytest.raises(OsteotraceError):
        statements.override(system, stage, reason)
    assert statements.stated.overrides == ()


def test_a_stage_set_for_what_is_gone_waits_for_it(reading_session: Session) -> None:
    statements = reading_session.statements
    broken = reading_session.absent("vcf", "l2")
    reading_session.edit_finding(broken.tracking_uid, presence="present")
    reading_session.accept(broken.tracking_uid)
    statements.override("genant", "2", "read on the film", site="l2")
    assert staged(statements, "genant", "l2").override is not None
    reading_session.delete_finding(broken.tracking_uid)
    assert all(one.override is None for one in statements.stagings())
    reading_session.undo()
    assert staged(statements, "genant", "l2").override is not None


# Questions ------------------------------------------------------------


def test_the_most_decisive_question_of_a_stage_comes_first() -> None:
    results = staging.stage(maxilla(), "2023-06-20")
    asked = questions(results)
    assert set(asked) == {(one.system, one.site) for one in results}
    for result in results:
        criteria = [one.criterion for one in asked[result.system, result.site]]
        if result.ask is not None:
            assert criteria[0] == result.ask.criterion
        wanted = {one.criterion for one in result.blocking}
        wanted |= {result.ask.criterion} if result.ask else set()
        assert set(criteria) == wanted


def test_over_all_stages_what_most_ask_first_comes_first() -> None:
    results = staging.stage(maxilla(), "2023-06-20")
    merged = decisive(results)
    assert len({one.criterion for one in merged}) == len(merged)
    ranks = [(-one.first, -len(one.stages)) for one in merged]
    assert ranks == sorted(ranks)
    assert merged[0].first >= 1


def test_every_question_says_how_it_is_answered() -> None:
    results = staging.stage(spine(), "2023-09-27")
    asked = [one for ones in questions(results).values() for one in ones]
    wall = next(one for one in asked if one.criterion == "l2.posterior_wall")
    (answered,) = wall.forms
    assert (answered.name, answered.site) == ("posterior_wall_percent", "l2")
    assert (answered.answer, answered.units) == ("number", ("%",))
    assert answered.limits == "0 to 100"
    assert wall.words == "share of the posterior wall (L2 vertebra)"
    endplate = next(one for one in asked if "superior_endplate" in one.criterion)
    assert endplate.forms[0].answer == "truth"
    assert endplate.kinds == ("Endplate depression",)


def test_a_form_shows_what_is_stated_already() -> None:
    case = maxilla()
    held = {one.name: one.stated for one in profile(case, "2024-01-15")}
    assert held["liquids_difficulty"] is not None
    assert held["liquids_difficulty"].value is True
    assert held["obturator_worn"] is None


@pytest.mark.parametrize("name", sorted(FACTS))
def test_every_fact_can_be_asked_by_a_form(name: str) -> None:
    fact, asked = FACTS[name], form(name, site="l2")
    assert (asked.answer, asked.units, asked.choices) == (
        fact.answer,
        fact.units,
        fact.choices,
    )
    assert asked.site == ("l2" if fact.sited else "")


def test_the_profile_is_asked_in_its_groups() -> None:
    groups = by_group(profile())
    assert tuple(groups) == ("Function", "Aesthetics", "Pain")
    assert {one.name for one in groups["Pain"]} == {"pain", "pain_vas"}


def test_an_answer_settles_its_question(reading_session: Session) -> None:
    statements = reading_session.statements
    facts = {**STAGE_2}
    del facts["pus"]
    state_all(statements, facts)
    asked = questions(statements.stagings(), statements.case())
    (first, *_) = asked["aaoms_2022", ""]
    assert first.criterion == "pus"
    statements.state(first.forms[0].name, True)
    assert not questions(statements.stagings())["aaoms_2022", ""]


def test_the_reading_is_of_the_small_study(reading_session: Session) -> None:
    case = reading_session.statements.case()
    assert [one.study_uid for one in case.assessments] == [STUDY_UID]
