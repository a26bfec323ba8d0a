"""Facts come from a TOML file whole, or one error names the file and the key."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from osteotrace.codes import FACTS, STAGINGS
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Case, DrugCourse, Fact, Question, StagingResult
from osteotrace.reading.case_facts import StatedOverride, parse_facts, read_facts
from osteotrace.reading.facts_template import template
from osteotrace.staging import stage

FILE = Path("facts.toml")
HEAD = 'author = "Dr Kim"\n'


def _parsed(text: str) -> tuple[Fact, ...]:
    return parse_facts((HEAD + text).encode(), FILE).facts


def _fact(name: str, value: bool | float | str | None, **more: object) -> Fact:
    plain = Fact(name=name, value=value, source="entered", author="Dr Kim", recorded="")
    return msgspec.structs.replace(plain, **more)


def test_every_part_of_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "facts.toml"
    file.write_text(
        """
        patient = "P-1"
        author = "Dr Kim"
        recorded = "2023-10-01"

        [[drug]]
        drug = "denosumab"
        route = "subcutaneous"
        first_dose = "2020-02"
        last_dose = 2022-10-27

        [always]
        jaw_radiotherapy = false

        [[at]]
        date = 2023-07-15
        approximate = true
        pain_vas = 7
        exposed_bone = "unknown"
        crp = { value = 1.7, unit = "mg/L", note = "fasting", author = "Laboratory" }

        [[at]]
        date = "2023-08-27"
        site = "l2"
        superior_endplate_deformed = true
        genant_grade = 1

        [[override]]
        system = "aaoms_2022"
        date = "2023-07-15"
        stage = "2"
        reason = "the fistula was probed"
        """
    )
    read = read_facts(file)
    when = {"date": "2023-07-15", "approximate": True, "recorded": "2023-10-01"}
    level = {"date": "2023-08-27", "site": "l2", "recorded": "2023-10-01"}
    assert read.patient == "P-1"
    assert read.drugs == (
        DrugCourse(
            drug="denosumab",
            author="Dr Kim",
            recorded="2023-10-01",
            route="subcutaneous",
            first_dose="2020-02",
            last_dose="2022-10-27",
        ),
    )
    assert read.facts == (
        _fact("jaw_radiotherapy", False, recorded="2023-10-01"),
        _fact("pain_vas", 7.0, unit="1", **when),
        _fact("exposed_bone", None, **when),
        _fact("crp", 1.7, unit="mg/L", note="fasting", **when | {"author": "Laboratory"}),
        _fact("superior_endplate_deformed", True, **level),
        _fact("genant_grade", "1", **level),
    )
    assert read.overrides == (
        StatedOverride(
            system="aaoms_2022",
            stage="2",
            reason="the fistula was probed",
            author="Dr Kim",
            date="2023-07-15",
            recorded="2023-10-01",
        ),
    )


def test_what_is_not_stated_is_no_fact() -> None:
    assert _parsed("[always]\n") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[always]\nexposed_bones = true", r"\[always\]: exposed_bones.*expected one of"),
        ("[always]\nexposed_bone = 1", "true, false or unknown"),
        ("[always]\npain_vas = 11", "0 to 10"),
        ("[always]\npain_vas = -1", "0 to 10"),
        ('[always]\npain_vas = "seven"', "a number or unknown"),
        ('[always]\ncrp = {value = 1, unit = "mg"}', "mg/dL or mg/L"),
        ('[always]\ncrp = {value = 1, unit = "furlong"}', "a number in mg/dL or mg/L"),
        ("[always]\ncrp = {valve = 1}", "'valve'"),
        ("[always]\ncrp = 17", "without a unit.*mg/dL or mg/L"),
        ("[always]\npain_vas = false", "a number or unknown"),
        ("[always]\nduration_weeks = true", "a number or unknown"),
        (
            '[[at]]\ndate = "2023-05-01"\nsite = "l2"\ngenant_grade = true',
            "one of 0, 0.5",
        ),
        (
            '[[at]]\ndate = "2023-05-01"\nsite = "mandible"\nexposed_bone = false',
            "of one place, mandible.*whole patient",
        ),
        (
            '[[at]]\ndate = "2023-05-01"\nlaterality = "left"\nexposed_bone = false',
            "of one place, left",
        ),
        (
            '[[override]]\nsystem = "of_class"\nstage = "OF1"\nreason = "x"\n'
            'date = "2023-05"',
            "the day that was staged",
        ),
        ('[always]\nliquids = "some"', "one of no leak"),
        ("[always]\norganism = 3", "a text"),
        ("[always]\nsuperior_endplate_deformed = true", "without a site"),
        ("[[at]]\npain = true", "without a date"),
        ('[[at]]\ndate = "in May"\npain = true', "'in May' as a date"),
        ('[[at]]\ndate = "2023-02-30"\npain = true', "'2023-02-30' as a date"),
        ('[[at]]\ndate = "2023-05"\nuntil = "2023-04"\npain = true', "dates in order"),
        ('[[at]]\ndate = "2023-05-01"\nsite = "l9"\nvcf_new = true', "site 'l9'"),
        ('[[drug]]\ndrug = "denosumap"', "denosumap"),
        ('[[drug]]\nroute = "oral"', "`drug`"),
        ('[[drug]]\ndrug = "denosumab"\nroute = "nasal"', "route 'nasal'"),
        ('[[drug]]\ndrug = "denosumab"\ndose = 60', "without unit"),
        (
            '[[drug]]\ndrug = "denosumab"\nfirst_dose = "2022"\nlast_dose = "2020"',
            "dates in order",
        ),
        (
            '[[override]]\nsystem = "tnm"\nstage = "1"\nreason = "x"\ndate = "2020"',
            "'tnm'",
        ),
        ('[[override]]\nsystem = "of_class"\nstage = "OF1"', "`reason`"),
        ("[[facts]]\npain = true", "the key 'facts'"),
        ("always = 3", "no table"),
        ("at = 3", "no list of tables"),
        ("patient = 3", "patient = 3"),
        ("[always", "not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(text: str, message: str) -> None:
    with pytest.raises(OsteotraceError, match=message) as caught:
        _parsed(text)
    assert str(FILE) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[always]\npain = true", '[[drug]]\ndrug = "denosumab"']
)
def test_a_fact_without_an_author_is_refused(text: str) -> None:
    with pytest.raises(OsteotraceError, match="without an author"):
        parse_facts(text.encode(), FILE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OsteotraceError, match=r"nothing\.toml: found no file of facts"):
        read_facts(tmp_path / "nothing.toml")


# The template ------------------------------------------------------------------------


def _filled(text: str) -> str:
    """Take the sign away from every line to be filled in."""
    lines = (
        line[1:] if re.match(r"#(\[|[a-z_0-9]+ = )", line) else line
        for line in text.split("\n")
    )
    return "\n".join(lines).replace('author = ""', 'author = "Dr Kim"')


def test_an_untouched_template_states_nothing() -> None:
    read = parse_facts(template().encode(), FILE)
    assert (read.facts, read.drugs) == ((), ())


def test_a_template_asks_for_every_fact_once() -> None:
    text = _filled(template()).replace("YYYY-MM-DD", "2024-05-01")
    read = parse_facts(text.encode(), FILE)
    assert sorted(fact.name for fact in read.facts) == sorted(FACTS)
    assert all(fact.value in (None, "") for fact in read.facts)
    assert {fact.name for fact in read.facts if fact.site} == {
        name for name, fact in FACTS.items() if fact.sited
    }
    assert len(read.drugs) == 1


def test_a_template_asks_for_what_changes_at_a_date() -> None:
    text = template()
    always, at = text.index("[always]"), text.index("[[at]]")
    for name in ("age", "weight", "explained_by_other_disease", "malignancy_excluded"):
        assert text.index(f"#{name} = ") > at
    for name in ("sex", "jaw_radiotherapy", "cno"):
        assert always < text.index(f"#{name} = ") < at


def test_a_state_that_blocks_is_asked_first_at_its_date() -> None:
    (result,) = stage(
        Case(patient="P-9", facts=_parsed(_AT_RISK)), "2024-05-01", systems=["aaoms_2022"]
    )
    text = template(Case(patient="P-9"), [result])
    place = text.index("#explained_by_other_disease = ")
    assert text.index("Asked first") < place < text.index("# Patient\n", place - 1)


_AT_RISK = """
[[at]]
date = "2024-05-01"
drug_antiresorptive = true
exposed_bone = false
fistula_probes_bone = false
swelling_or_erythema = true
"""


def test_a_template_of_a_case_asks_first_for_what_blocks_its_stage() -> None:
    asked = Question(criterion="pus", text="Is there pus?", facts=("pus",))
    result = StagingResult(
        system=next(iter(STAGINGS)),
        version="1",
        date="2024-05-01",
        stages=("1", "2"),
        lowest="1",
        highest="2",
        possible=("1", "2"),
        source="",
        blocking=(asked,),
        ask=asked,
    )
    text = template(Case(patient="P-9"), [result])
    assert 'patient = "P-9"' in text
    assert text.count("#pus = ") == 1
    assert text.index("Asked first") < text.index("#pus = ") < text.index("Jaw, examined")


# Slips of the pen --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("[always]\npus = yes", "true or false, in small letters"),
        ("[always]\npus = True", "true or false, in small letters"),
        ("[always]\ncrp = {value = 1,7, unit = 'mg/dL'}", "a decimal point"),
        ("[always]\npain_vas = 3,5", "a decimal point"),
        ("[always]\npus = unknown", '"unknown", in quotes'),
        ("[always]\nsex = female", "a text in quotes"),
        ("[always]\npus = true\npus = false", "each key once"),
        ('[[at]]\ndate = "2999-05-01"\npus = true', "a day that has been"),
        ("[always]\nexposed_bones = true", "did you mean 'exposed_bone'"),
        ('[always]\ncrp = {value = 1, unit = "g/L"}', "mg/dL or mg/L"),
        ("[always]\npain_vas = 70", "70.0 to .*0 to 10"),
        ("[always]\nesr = -1", "0 or more"),
    ],
)
def test_a_slip_is_answered_by_how_it_is_said_right(text: str, right: str) -> None:
    with pytest.raises(OsteotraceError, match=right):
        _parsed(text)


def test_a_byte_order_mark_a_bare_year_and_capitals_are_taken() -> None:
    text = (
        '\ufeffauthor = "Dr Kim"\n[[drug]]\ndrug = "Denosumab"\nfirst_dose = 2020\n'
        '[[at]]\ndate = 2023\nsite = "L2"\nsuperior_endplate_deformed = true\n'
    )
    read = parse_facts(text.encode(), FILE)
    assert (read.drugs[0].drug, read.drugs[0].first_dose) == ("denosumab", "2020")
    assert (read.facts[0].date, read.facts[0].site) == ("2023", "l2")


def test_a_file_in_another_encoding_is_named_as_such() -> None:
    with pytest.raises(OsteotraceError, match="saved as UTF-8"):
        parse_facts('author = "Jörg"'.encode("latin-1"), FILE)
