"""`osteotrace stage`: facts and records in, intervals with their reasons out."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.test_cases import FACTS, OVERRIDE

import osteotrace as ot
from osteotrace import about, findings
from osteotrace.phantoms import sample_facts
from osteotrace.reading.case_facts import parse_facts
from osteotrace.staging import system_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.command_line import Outcome

    Run = Callable[..., Outcome]


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    file = tmp_path / "facts.toml"
    file.write_text(FACTS)
    return file


def test_a_stage_is_printed_with_what_blocks_it_and_the_question(
    osteotrace: Run, facts: Path
) -> None:
    outcome = osteotrace("stage", "--facts", facts)
    assert outcome.code == 0
    assert "P-1 at 2024-05-01" in outcome.out
    assert "MRONJ stage, AAOMS 2022: 2..3" in outcome.out
    assert "unknown (bone exposed or probed for over 8 weeks, " in outcome.out
    assert "because: exposed bone yes (Dr Kim, 2024-05-01)" in outcome.out
    assert "not known: pathological fracture of the jaw, " in outcome.out
    assert "ask first: Is there a pathological fracture?" in outcome.out
    assert about.RESEARCH_USE_STATEMENT in outcome.out


def test_brief_leaves_rules_and_reasons_out(osteotrace: Run, facts: Path) -> None:
    outcome = osteotrace("stage", "--facts", facts, "--brief")
    assert "because:" not in outcome.out
    assert "not known:" not in outcome.out
    assert "  MRONJ stage, AAOMS 2022: 2..3\n" in outcome.out
    assert "    ask first: Is there a pathological fracture?" in outcome.out


def test_json_holds_what_the_library_returns(osteotrace: Run, facts: Path) -> None:
    outcome = osteotrace("stage", "--facts", facts, "--json")
    printed = json.loads(outcome.out)
    stated = parse_facts(facts.read_bytes(), facts)
    case = ot.Case(patient="P-1", facts=stated.facts, drugs=stated.drugs)
    assert [one["system"] for one in printed["stagings"]] == [
        one.system for one in ot.stage(case)
    ]
    for one, result in zip(printed["stagings"], ot.stage(case), strict=True):
        assert (one["lowest"], one["highest"]) == (result.lowest, result.highest)
    assert printed["statement"] == about.RESEARCH_USE_STATEMENT


def test_one_system_can_be_chosen(osteotrace: Run, facts: Path) -> None:
    outcome = osteotrace("stage", "--facts", facts, "--system", "aaoms_2014", "--json")
    assert [one["system"] for one in json.loads(outcome.out)["stagings"]] == [
        "aaoms_2014"
    ]


def test_every_date_can_be_staged(osteotrace: Run, facts: Path) -> None:
    facts.write_text(FACTS + '[[at]]\ndate = "2024-06-01"\nexposed_bone = false\n')
    outcome = osteotrace(
        "stage", "--facts", facts, "--all-dates", "--system", "aaoms_2022", "--json"
    )
    assert [one["date"] for one in json.loads(outcome.out)["stagings"]] == [
        "2024-05-01",
        "2024-06-01",
    ]


def test_the_stage_of_a_reader_stands_beside_the_computed_one(
    osteotrace: Run, facts: Path
) -> None:
    facts.write_text(OVERRIDE.format(stage="3"))
    outcome = osteotrace("stage", "--facts", facts)
    assert "AAOMS 2022: 3 (set by the reader; computed 2..3)" in outcome.out
    assert "set by Dr Kim: 3, because seen at surgery" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to stage"),
        (("--facts", "nothing.toml"), "no file of facts"),
        (("--facts", "{facts}", "--system", "tnm"), "the staging system 'tnm'"),
        (("--facts", "{facts}", "--date", "May"), "the date 'May'"),
        (("--facts", "{facts}", "--date", "2024-05"), "expected a day"),
        (("--facts", "{facts}", "--date", "2024-05-01", "--all-dates"), "one of them"),
        (("{folder}",), "no record"),
    ],
)
def test_wrong_use_is_one_line(
    osteotrace: Run, facts: Path, arguments: tuple[str, ...], message: str
) -> None:
    empty = facts.parent / "empty"
    empty.mkdir()
    given = [one.format(facts=facts, folder=empty) for one in arguments]
    outcome = osteotrace("stage", *given)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_template_is_a_file_of_facts(osteotrace: Run, tmp_path: Path) -> None:
    outcome = osteotrace("stage", "--template")
    assert outcome.code == 0
    assert parse_facts(outcome.out.encode(), tmp_path).facts == ()


def test_a_template_of_a_case_names_the_patient_and_asks_first(
    osteotrace: Run, facts: Path
) -> None:
    outcome = osteotrace("stage", "--facts", facts, "--template")
    assert 'patient = "P-1"' in outcome.out
    asked = outcome.out.index("Asked first")
    assert (
        asked < outcome.out.index("#path_fracture") < outcome.out.index("# Laboratory\n")
    )


def test_a_damaged_record_is_named_and_the_rest_is_staged(
    osteotrace: Run, facts: Path, tmp_path: Path
) -> None:
    from tests.test_cases import _reading, _saved

    folder = _saved(tmp_path / "out", _reading("1.2.1"), _reading("1.2.2"))
    file = folder / "1_2_2" / "assessment.json"
    file.write_bytes(file.read_bytes()[:-40])
    outcome = osteotrace("stage", folder, "--facts", facts, "--brief")
    assert outcome.code == 1
    assert str(file) in outcome.err
    assert "AAOMS 2022: 2..3" in outcome.out


@pytest.mark.parametrize("damage", ["emptied", "zeroed", "cut", "a key damaged"])
def test_each_damaged_amendment_is_a_line_and_the_exit_code_says_so(
    osteotrace: Run, facts: Path, tmp_path: Path, damage: str
) -> None:
    from tests.test_cases import DAMAGE, _reading, _saved

    amended = [_reading(uid, predecessor_uid="1.2.1") for uid in ("1.2.2", "1.2.3")]
    folder = _saved(tmp_path / "out", _reading("1.2.1"), *amended)
    damaged = [folder / name / "assessment.json" for name in ("1_2_2", "1_2_3")]
    for file in damaged:
        file.write_bytes(DAMAGE[damage](file.read_bytes()))
    outcome = osteotrace("stage", folder, "--facts", facts, "--brief")
    assert outcome.code == 1
    assert [
        str(file) in line
        for file, line in zip(damaged, outcome.err.splitlines(), strict=True)
    ] == [True, True]


def test_no_output_speaks_of_treatment(osteotrace: Run, tmp_path: Path) -> None:
    for name in ("maxilla_before", "mandible_month00", "spine_2023-09-27"):
        file = tmp_path / f"{name}.toml"
        file.write_text(sample_facts.facts_toml(name))
        outcome = osteotrace("stage", "--facts", file, "--all-dates")
        assert outcome.code == 0
        words = outcome.out.replace(about.RESEARCH_USE_STATEMENT, "").lower()
        for advice in ("recommend", "should be treated", "surgery is", "indicated"):
            assert advice not in words


def test_every_enabled_system_is_one_that_stage_knows() -> None:
    assert "rai_cromris" not in system_names(enabled_only=True)


# measure --facts ---------------------------------------------------------------------


def test_measure_with_facts_records_them_with_the_stages(
    osteotrace: Run, small_study: Path, small_protocol: Path, tmp_path: Path
) -> None:
    facts = tmp_path / "facts.toml"
    date = next(iter(ot.scan(small_study))).identity.date
    facts.write_text(FACTS.replace('patient = "P-1"', "").replace("2024-05-01", date))
    outcome = osteotrace(
        "measure", small_study, "--protocol", small_protocol, "--facts", facts,
        "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert outcome.code == 0
    reading = findings.from_json(outcome.out, findings.Assessment)
    assert {fact.name for fact in reading.facts} == {"exposed_bone", "pus"}
    assert {one.as_text for one in reading.stagings if one.system == "aaoms_2022"} == {
        "2..3"
    }
    (saved,) = (tmp_path / "out").glob("*/*.dcm")
    assert ot.read(saved) == reading
    again = osteotrace("stage", tmp_path / "out", "--json", "--system", "aaoms_2022")
    (staged,) = json.loads(again.out)["stagings"]
    assert (staged["lowest"], staged["highest"]) == ("2", "3")


# stage --save ------------------------------------------------------------------------


def test_stages_of_facts_alone_are_a_record_of_their_date(
    osteotrace: Run, facts: Path, tmp_path: Path
) -> None:
    records = tmp_path / "records"
    outcome = osteotrace("stage", "--facts", facts, "--save", records)
    assert outcome.code == 0
    (file,) = records.glob("*.json")
    assert f"Recorded: {file}" in outcome.out
    record = ot.read(file)
    assert (record.study_uid, record.study_date) == ("", "2024-05-01")
    assert record.reader == "Dr Kim"
    again = json.loads(osteotrace("stage", records, "--json").out)
    assert {one["system"] for one in again["stagings"]} >= {"aaoms_2014", "aaoms_2022"}


def test_a_saved_stage_amends_the_reading_of_its_date(
    osteotrace: Run, small_study: Path, small_protocol: Path, tmp_path: Path
) -> None:
    measured = tmp_path / "out"
    osteotrace("measure", small_study, "--protocol", small_protocol, "--out", measured)
    (first,) = measured.glob("*/*.dcm")
    reading = ot.read(first)
    facts = _undated(tmp_path, first)
    outcome = osteotrace(
        "stage", first, "--facts", facts, "--save", first.parent,
        "--images", small_study, "--json",
    )  # fmt: skip
    assert outcome.code == 0
    amended = ot.read(json.loads(outcome.out)["record"])
    assert amended.predecessor_uid == reading.assessment_uid
    assert amended.findings == reading.findings
    assert amended.reader == reading.reader
    assert all(fact.recorded for fact in amended.facts)
    assert {one.system for one in amended.stagings} >= {"aaoms_2022"}
    assert ot.read(first) == reading


def test_another_reader_s_stage_leaves_the_findings_whose_they_are(
    osteotrace: Run, small_study: Path, small_protocol: Path, tmp_path: Path
) -> None:
    measured = tmp_path / "out"
    osteotrace("measure", small_study, "--protocol", small_protocol, "--out", measured)
    (first,) = measured.glob("*/*.dcm")
    outcome = osteotrace(
        "stage", first, "--facts", _undated(tmp_path, first), "--save", first.parent,
        "--reader", "Dr Lee", "--json",
    )  # fmt: skip
    record = ot.read(json.loads(outcome.out)["record"])
    assert (record.reader, record.findings, record.study_uid) == ("Dr Lee", (), "")
    assert record.predecessor_uid == ""


def test_a_fact_stated_anew_by_its_author_takes_the_place_of_the_old(
    osteotrace: Run, facts: Path, tmp_path: Path
) -> None:
    records = tmp_path / "records"
    osteotrace("stage", "--facts", facts, "--save", records)
    facts.write_text(FACTS.replace("exposed_bone = true", "exposed_bone = false"))
    outcome = osteotrace("stage", records, "--facts", facts, "--save", records, "--json")
    record = ot.read(json.loads(outcome.out)["record"])
    exposed = [fact.value for fact in record.facts if fact.name == "exposed_bone"]
    assert exposed == [False]
    assert not json.loads(outcome.out)["contradictions"]


def test_a_stage_of_images_is_not_saved_without_them(
    osteotrace: Run, small_study: Path, small_protocol: Path, tmp_path: Path
) -> None:
    measured = tmp_path / "out"
    osteotrace("measure", small_study, "--protocol", small_protocol, "--out", measured)
    (first,) = measured.glob("*/*.dcm")
    before = sorted(first.parent.iterdir())
    facts = _undated(tmp_path, first)
    outcome = osteotrace("stage", first, "--facts", facts, "--save", first.parent)
    assert outcome.code != 0
    assert "images" in outcome.err
    assert sorted(first.parent.iterdir()) == before


def _undated(folder: Path, record: Path) -> Path:
    """Return a file of facts at the date of a record, of any patient."""
    file = folder / "facts.toml"
    date = ot.read(record).study_date
    file.write_text(FACTS.replace('patient = "P-1"', "").replace("2024-05-01", date))
    return file


def test_a_stage_that_a_reader_recorded_stays_beside_the_computed_one(
    osteotrace: Run, facts: Path, tmp_path: Path
) -> None:
    records = tmp_path / "records"
    facts.write_text(OVERRIDE.format(stage="3"))
    osteotrace("stage", "--facts", facts, "--save", records)
    again = osteotrace("stage", records, "--system", "aaoms_2022")
    assert "AAOMS 2022: 3 (set by the reader; computed 2..3)" in again.out
    saved = osteotrace("stage", records, "--system", "aaoms_2014", "--save", records)
    assert saved.code == 0
    (record,) = (
        one for one in map(ot.read, records.glob("*.json")) if one.predecessor_uid
    )
    kept = {one.system: one.override for one in record.stagings}
    assert kept["aaoms_2022"] is not None
    assert "aaoms_2014" in kept


def test_other_dates_are_named(osteotrace: Run, facts: Path) -> None:
    facts.write_text(FACTS + '[[at]]\ndate = "2024-04-01"\nexposed_bone = false\n')
    outcome = osteotrace("stage", "--facts", facts, "--brief")
    assert "Other dates: 2024-04-01 (--date, --all-dates)" in outcome.out


def test_a_system_of_which_nothing_is_known_is_named(
    osteotrace: Run, facts: Path
) -> None:
    outcome = osteotrace("stage", "--facts", facts, "--system", "rai_cromris")
    assert "No stage: nothing is known of what rai_cromris asks for." in outcome.out


def test_a_reading_and_a_day_can_be_staged_as_they_are() -> None:
    stated = parse_facts(FACTS.encode(), Path("facts.toml"))
    case = ot.Case(patient="P-1", facts=stated.facts, drugs=stated.drugs)
    day = datetime.date(2024, 5, 1)
    assert ot.stage(case, day, systems="aaoms_2022") == ot.stage(
        case, "2024-05-01", systems=["aaoms_2022"]
    )
    (result,) = ot.stage(case, systems="aaoms_2022")
    assert str(result) == "MRONJ stage, AAOMS 2022: 2..3"
    with pytest.raises(ot.OsteotraceError, match="found int to be staged"):
        ot.stage(2024)  # type: ignore[arg-type]


def test_a_text_export_holds_stages_facts_and_drugs(
    osteotrace: Run, facts: Path, tmp_path: Path
) -> None:
    records = tmp_path / "records"
    osteotrace("stage", "--facts", facts, "--save", records)
    (record,) = records.glob("*.json")
    out = tmp_path / "report.txt"
    osteotrace("export", record, "--format", "text", "--out", out)
    text = out.read_text()
    assert "MRONJ stage, AAOMS 2022: 2..3" in text
    assert "Is bone of the jaw exposed? yes (Dr Kim, 2024-05-01)" in text
    assert "denosumab, route not stated, dates not stated (Dr Kim)" in text
