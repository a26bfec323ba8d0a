"""What each founding case must make the software show, at its named date."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.fixtures.four_cases import (
    READER,
    SUBJECTS,
    crmo,
    finding,
    mandible,
    maxilla,
    reading,
    spine,
)

from osteotrace import phantoms, staging
from osteotrace.change.verdicts import change
from osteotrace.codes import FACTS
from osteotrace.findings import Case, Fact, StagingResult
from osteotrace.findings.dates import days
from osteotrace.measurements.measurement import Method, measured
from osteotrace.phantoms import samples
from osteotrace.reading.cases import saved_cases
from osteotrace.reading.facts_template import template
from osteotrace.records.sealed_json import sealed
from osteotrace.reports.stagings import lines as report_lines
from osteotrace.staging.contradictions import contradictions
from osteotrace.staging.notices import notices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.fixtures.command_line import Outcome

    from osteotrace.measurements.measurement import Measurement

    Run = Callable[..., Outcome]

AAOMS = ("aaoms_2014", "aaoms_2022")


def _staged(case: Case, date: str, system: str, site: str = "") -> StagingResult:
    (result,) = (
        one for one in staging.stage(case, date, systems=[system]) if one.site == site
    )
    return result


def _fact(
    name: str, value: bool | float | str | None, date: str = "", site: str = ""
) -> Fact:
    return Fact(
        name=name,
        value=value,
        source="entered",
        author=READER,
        recorded="",
        date=date,
        site=site,
    )


def _with(case: Case, *facts: Fact) -> Case:
    return msgspec.structs.replace(case, facts=(*case.facts, *facts))


def _without(case: Case, *names: str) -> Case:
    kept = tuple(fact for fact in case.facts if fact.name not in names)
    return msgspec.structs.replace(case, facts=kept)


def _blocking(result: StagingResult) -> set[str]:
    return {question.criterion for question in result.blocking}


def _because(result: StagingResult, criterion: str) -> str:
    (reason,) = (one for one in result.reasons if one.criterion == criterion)
    return "; ".join(reason.because)


# S0: necrosis of the maxilla, at presentation -------------------------------------------

PRESENTATION = "2023-06-20"
FOLLOW_UP = "2024-01-15"


def examined_alone() -> Case:
    """The examination names a fistula; bone exposure stands in the discussion alone."""
    case = _without(maxilla(), "exposed_bone", "explained_by_other_disease")
    return _with(case, _fact("explained_by_other_disease", False, PRESENTATION))


@pytest.mark.parametrize("system", AAOMS)
def test_exposed_bone_with_pus_is_stage_2_to_3(system: str) -> None:
    result = _staged(maxilla(), PRESENTATION, system)
    assert (result.lowest, result.highest) == ("2", "3")
    assert _blocking(result) == {
        "path_fracture",
        "extraoral_fistula",
        "oroantral_or_oronasal",
        "lysis_to_inferior_border_or_sinus_floor",
        "beyond_alveolus",
    }
    assert {rule.outcome for rule in result.rules} == {"2", "beyond only", "3"}
    assert result.part("status").text == "status active"


def test_the_stage_of_the_maxilla_says_what_it_rests_on() -> None:
    result = _staged(maxilla(), PRESENTATION, "aaoms_2022")
    assert "alendronate, oral (case report S0)" in _because(result, "drug_antiresorptive")
    assert "denosumab, intravenous" in _because(result, "drug_antiresorptive")
    assert _because(result, "exposed_bone") == (
        "exposed_bone yes: by the discussion; the examination names a fistula alone "
        "(case report S0, about 2023-06-20)"
    )
    assert "for over a month" in _because(result, "pus")


@pytest.mark.parametrize("system", AAOMS)
def test_the_examination_alone_is_stage_0_to_3(system: str) -> None:
    result = _staged(examined_alone(), PRESENTATION, system)
    assert (result.lowest, result.highest) == ("0", "3")
    assert {"exposed_bone", "fistula_probes_bone"} <= _blocking(result)
    # No pain-only, no conflict: pus is there.
    assert {rule.outcome for rule in result.rules} == {"0", "2", "beyond only", "3"}


def test_the_examination_alone_asks_for_exposed_bone_or_the_probe_first() -> None:
    result = _staged(examined_alone(), PRESENTATION, "aaoms_2022")
    assert result.ask is not None
    assert result.ask.criterion in ("exposed_bone", "fistula_probes_bone")


@pytest.mark.parametrize("system", AAOMS)
@pytest.mark.parametrize("make", [maxilla, examined_alone])
def test_over_one_month_is_no_case_definition(
    make: Callable[[], Case], system: str
) -> None:
    part = _staged(make(), PRESENTATION, system).part("case definition")
    assert (part.lowest, part.highest) == ("not met", "met")
    assert part.text.startswith("case definition unknown (")
    assert "over_8_weeks" in part.text


@pytest.mark.parametrize(
    ("weeks", "ends"), [(8.0, ("not met", "not met")), (9.0, ("not met", "met"))]
)
def test_only_more_than_eight_weeks_can_meet_it(
    weeks: float, ends: tuple[str, str]
) -> None:
    duration = msgspec.structs.replace(
        _fact("duration_weeks", weeks, PRESENTATION), unit="wk"
    )
    case = _with(_without(maxilla(), "duration_weeks"), duration)
    part = _staged(case, PRESENTATION, "aaoms_2022").part("case definition")
    assert (part.lowest, part.highest) == ends


def test_sipmo_read_strictly_is_none_to_3b_as_density_is_not_described() -> None:
    result = _staged(maxilla(), PRESENTATION, "sipmo_strict")
    assert (result.lowest, result.highest) == ("none", "3b")
    assert {"density_alveolar", "density_basal"} <= _blocking(result)
    assert "SEQ-1 sequestrum present" in _because(result, "sequestrum")


def test_sipmo_read_leniently_is_2b_to_3b_by_the_sequestra() -> None:
    result = _staged(maxilla(), PRESENTATION, "sipmo_lenient")
    assert (result.lowest, result.highest) == ("2b", "3b")
    assert not {"density_alveolar", "density_basal", "sequestrum"} & _blocking(result)


def test_sequestra_that_no_reader_accepts_stage_nothing() -> None:
    case = maxilla()
    proposed = tuple(msgspec.structs.replace(one, reader="") for one in case.assessments)
    case = msgspec.structs.replace(case, assessments=proposed)
    result = _staged(case, PRESENTATION, "sipmo_lenient")
    assert result.lowest == "1b"
    assert "sequestrum" in _blocking(result)


def test_the_defect_is_a_candidate_of_brown_class_1_or_2_c() -> None:
    result = _staged(maxilla(), PRESENTATION, "brown")
    assert (result.lowest, result.highest) == ("I", "II")
    assert result.part("horizontal").lowest == result.part("horizontal").highest == "c"
    assert "candidate" in result.part("horizontal").text
    assert _blocking(result) == {"oronasal_fistula"}
    assert any("borrowed" in note for note in result.notes)


def test_denosumab_into_a_vein_is_asked_about() -> None:
    assert (
        "denosumab is normally subcutaneous, the record says intravenous (case report S0)"
        in contradictions(maxilla())
    )


def test_the_question_of_a_malignancy_is_kept() -> None:
    (question,) = notices(maxilla(), PRESENTATION)
    assert question.startswith("is a malignant cause excluded? MASS-1 (mass")
    assert "NODE-1 (lymphadenopathy" in question
    assert "no malignant cells" in question
    assert "which excludes nothing" in question


SIGNS = (
    *("pus", "draining_fistula", "intraoral_fistula", "swelling_or_erythema"),
    *("pain", "exposed_bone"),
)


def _without_gas(case: Case) -> Case:
    kept = tuple(
        msgspec.structs.replace(
            one, findings=tuple(f for f in one.findings if f.kind != "gas")
        )
        for one in case.assessments
    )
    return msgspec.structs.replace(case, assessments=kept)


def test_gas_and_organism_are_two_facts() -> None:
    case = _without(maxilla(), *SIGNS)
    gas_alone = _staged(_without(case, "organism"), PRESENTATION, "fap")
    assert gas_alone.part("I").text == "I3 (gas outside airway)"
    # What a culture grew is no sign of gas, nor of an infection that is still there.
    anaerobe = _fact("organism", "Clostridium perfringens", PRESENTATION)
    culture_alone = _staged(
        _with(_without(_without_gas(case), "organism"), anaerobe), PRESENTATION, "fap"
    )
    assert culture_alone.part("I").text == "I?"
    assert {"pus", "gas_outside_airway"} <= _blocking(culture_alone)
    assert "Clostridium" not in str(culture_alone.reasons)
    # Nor does gas with a streptococcus contradict itself.
    assert not any("gas" in one for one in contradictions(maxilla()))


# S0 at follow-up ------------------------------------------------------------------------


def test_the_profile_of_the_maxilla_at_follow_up() -> None:
    result = _staged(maxilla(), FOLLOW_UP, "fap")
    assert result.part("profile").text == (
        "A: AAOMS 2..3 (prior), healed | F1..3 (liquids 1..2; diet, speech unknown) | "
        "E? (6.5 mm soft-tissue) | P? | I1"
    )
    assert {"liquids", "diet", "speech", "soft_tissue_defect", "pain_vas"} <= _blocking(
        result
    )
    assert result.part("A SICMF-SIPMO").text == (
        "SICMF-SIPMO none..3b (prior, 2023-06-20), strict"
    )
    assert "I..II, horizontal c" in result.part("A Brown").text


@pytest.mark.parametrize("system", AAOMS)
def test_a_healed_maxilla_is_said_to_be_healed_beside_the_stage(system: str) -> None:
    result = _staged(maxilla(), FOLLOW_UP, system)
    assert result.part("status").text == "status healed"
    assert "healed" not in result.stages


def test_reported_lengths_stay_as_reported() -> None:
    result = _staged(maxilla(), FOLLOW_UP, "fap")
    gap = result.part("A gap").text
    assert gap.startswith("palatal gap 12.07 mm as reported, no uncertainty")
    assert "sagittal, edges not given" in gap
    notch = result.part("E mm").text
    assert "6.51 mm" in notch
    assert "definition unknown" in notch
    assert "±" not in gap + notch


# S1: osteomyelitis of a child's mandible ------------------------------------------------

DATES_OF_THE_MANDIBLE = {
    "2007-03-12": 0,
    "2007-08-16": 5,
    "2012-03-14": 60,
    "2012-10-11": 67,
    "2014-03-17": 84,
}


@pytest.mark.parametrize("system", AAOMS)
@pytest.mark.parametrize("date", DATES_OF_THE_MANDIBLE)
def test_the_mandible_is_at_risk_at_most(date: str, system: str) -> None:
    result = _staged(mandible(), date, system)
    assert result.highest in ("not applicable", "at risk")
    if date > "2007-03-12":
        assert (result.lowest, result.highest) == ("at risk", "at risk")
        assert result.blocking == ()
    assert result.part("case definition").text == "case definition not met"


@pytest.mark.parametrize(
    "sign", ["pain", "swelling_or_erythema", "stage0_imaging", "trismus", "pus"]
)
def test_the_flare_of_month_67_is_no_stage_0_whatever_its_signs(sign: str) -> None:
    flare = _with(mandible(), _fact(sign, True, "2012-10-11"))
    result = _staged(flare, "2012-10-11", "aaoms_2022")
    assert (result.lowest, result.highest) == ("at risk", "at risk")
    assert _because(result, "explained_by_other_disease").endswith("(case report S1)")


def test_without_the_other_disease_the_flare_would_be_stage_0() -> None:
    case = _without(mandible(), "explained_by_other_disease")
    flare = _with(case, _fact("stage0_imaging", True, "2012-10-11"))
    result = _staged(flare, "2012-10-11", "aaoms_2022")
    assert (result.lowest, result.highest) == ("at risk", "0")
    assert _blocking(result) == {"explained_by_other_disease"}


def test_pain_falls_from_ten_to_none() -> None:
    first = _staged(mandible(), "2007-03-12", "fap")
    after = _staged(mandible(), "2007-04-10", "fap")
    assert first.part("P").text == "P7-10 (VAS 10)"
    assert after.part("P").text == "P0 (VAS 0)"
    assert after.part("P change").text == (
        "VAS 0, after 10 on 2007-03-12: called meaningful (2 points or 30%; Farrar, Pain "
        "2001, not read)"
    )


@pytest.mark.parametrize("date", DATES_OF_THE_MANDIBLE)
def test_what_no_phantom_was_read_for_stays_empty(date: str) -> None:
    result = _staged(mandible(), date, "fap")
    assert result.part("E").lowest == "?"
    assert result.part("D").text == "D?"


@pytest.mark.parametrize(("date", "age"), [("2007-03-12", 4), ("2014-03-17", 11)])
def test_the_child_grows(date: str, age: int) -> None:
    (growth,) = notices(mandible(), date)
    assert growth.startswith(f"a growing patient, {age} years old")


# S2: five subjects ----------------------------------------------------------------------


def test_five_subjects_are_read_as_five_cases(tmp_path: Path) -> None:
    for number in SUBJECTS:
        for n, date in enumerate(("2004-01-01", "2005-01-01")):
            one = msgspec.structs.replace(
                reading(date),
                patient=f"P-{number}",
                assessment_uid=f"2.25.{number}{n}",
            )
            (tmp_path / f"{number}_{n}.json").write_bytes(sealed(one))
    read = saved_cases(tmp_path)
    assert [case.patient for case in read.cases] == [f"P-{n}" for n in SUBJECTS]
    assert all(len(case.assessments) == 2 for case in read.cases)
    assert read.failures == ()


@pytest.mark.parametrize("number", SUBJECTS)
def test_what_is_not_published_of_a_subject_is_not_available(number: int) -> None:
    case = crmo(number)
    missing = {fact.name: fact.note for fact in case.facts if fact.value is None}
    assert {"age", "sex", "weight", "pain", "pain_vas"} <= set(missing)
    assert all("not available" in note for note in missing.values())
    (pamidronate,) = case.drugs
    assert (pamidronate.dose, pamidronate.unit) == (1.0, "mg/kg")
    assert pamidronate.first_dose == pamidronate.last_dose == ""
    assert "not available" in pamidronate.note


@pytest.mark.parametrize("number", SUBJECTS)
def test_a_subject_of_whom_little_is_known_is_staged_without_a_guess(number: int) -> None:
    assert contradictions(crmo(number)) == ()
    assert notices(crmo(number), "2005-01-01") == ()
    assert staging.stage(crmo(number), "2005-01-01") == ()


def _edema(case: str, label: str) -> Measurement:
    value = phantoms.truth(case).findings[label].values["edema_volume"].value
    return measured(
        "edema_volume",
        value,
        "mm3",
        method=Method(name="osteotrace phantom", version="1"),
        sources=(case,),
        uncertainty=value / 50,
    )


def test_lesions_of_four_of_five_shrink_beyond_repeatability() -> None:
    verdicts = {}
    for number in SUBJECTS:
        before, after = f"crmo_{number}_before", f"crmo_{number}_after"
        for label in phantoms.truth(before).findings:
            found = change(_edema(before, label), _edema(after, label), same_reader=True)
            assert found.limit is not None
            verdicts[number, label] = found.verdict
    assert {
        number for (number, _), verdict in verdicts.items() if verdict == "decreased"
    } == {1, 2, 3, 5}
    assert verdicts[4, "EDEMA pelvis"] == "within measurement error"


# S3: fractures after denosumab was stopped ----------------------------------------------

LAST = "2023-09-27"


def test_the_rebound_flag_is_raised_and_multiple() -> None:
    result = _staged(spine(), LAST, "rebound_fracture")
    assert result.as_text == "flag, multiple"
    months = result.part("months since last dose")
    assert (months.lowest, months.highest) == ("8.6", "11.0")
    assert result.part("in published window").text.startswith("4 of 4 fractures")
    levels = result.part("new levels within 6 months")
    assert (levels.lowest, levels.highest) == ("3", "4")
    assert "L1, L2, L3; not accepted: L5" in levels.text


@pytest.mark.parametrize(
    ("level", "months", "seen"),
    [
        ("L1", "8.6", "2023-07-15"),
        ("L2", "10.2", "2023-09-03"),
        ("L3", "11.0", "2023-09-27"),
        ("L5", "10.2", "2023-09-03"),
    ],
)
def test_each_fracture_has_its_months_since_the_last_dose(
    level: str, months: str, seen: str
) -> None:
    part = _staged(spine(), LAST, "rebound_fracture").part(level)
    # Of L5 nothing says that it was recent: it was last seen without it in July.
    assert part.lowest == ("8.6" if level == "L5" else months)
    assert part.highest == months
    assert f"first seen {seen}" in part.text.replace("about ", "")
    since = (days(seen)[0] - days("2022-10-27")[0]).days
    assert f"{since / 30.44:.1f}" == months


def test_l5_stays_suspected() -> None:
    part = _staged(spine(), LAST, "rebound_fracture").part("L5")
    assert part.text.endswith("not accepted: suspected")


def test_the_flag_is_not_called_likely_while_other_causes_are_open() -> None:
    part = _staged(spine(), LAST, "rebound_fracture").part("likely")
    assert (part.lowest, part.highest) == ("no", "yes")
    assert part.text == (
        "not called likely: a malignant cause and an infectious cause not stated as "
        "excluded"
    )


def test_a_high_energy_trauma_or_a_follow_on_would_lower_the_flag() -> None:
    trauma = _with(
        _without(spine(), "high_energy_trauma"),
        *(
            _fact("high_energy_trauma", True, LAST, level)
            for level in ("l1", "l2", "l3", "l5")
        ),
    )
    assert _staged(trauma, LAST, "rebound_fracture").as_text == "no flag"
    case = spine()
    followed = msgspec.structs.replace(
        case,
        drugs=tuple(
            msgspec.structs.replace(one, first_dose="2023-04")
            if one.drug == "zoledronate"
            else one
            for one in case.drugs
        ),
    )
    assert _staged(followed, LAST, "rebound_fracture").as_text == "no flag"


@pytest.mark.parametrize("level", ["l1", "l2"])
def test_a_lowered_upper_endplate_is_of2_to_of5(level: str) -> None:
    result = _staged(spine(), LAST, "of_class", level)
    assert (result.lowest, result.highest) == ("OF2", "OF5")
    assert {
        f"{level}.inferior_endplate_deformed",
        f"{level}.posterior_wall",
        f"{level}.tension_band_failed",
    } <= _blocking(result)
    assert "upper endplate slightly lowered" in _because(
        result, f"{level}.superior_endplate_deformed"
    )


def test_l5_is_of1_to_of5_only_if_it_is_accepted() -> None:
    suspected = _staged(spine(), LAST, "of_class", "l5")
    assert (suspected.lowest, suspected.highest) == ("none", "OF5")
    assert "l5.fracture" in _blocking(suspected)
    accepted = _with(spine(), _fact("vcf_new", True, LAST, "l5"))
    result = _staged(accepted, LAST, "of_class", "l5")
    assert (result.lowest, result.highest) == ("OF1", "OF5")


def test_of_l3_nothing_but_the_fracture_is_known() -> None:
    result = _staged(spine(), LAST, "of_class", "l3")
    assert (result.lowest, result.highest) == ("OF1", "OF5")


def graded() -> Case:
    """The grades of a reader of the synthetic images, each before its cement."""
    above = [f"t{n}" for n in range(4, 13)]
    return _with(
        spine(),
        *(_fact("genant_grade", "0", LAST, level) for level in above),
        _fact("genant_grade", "2", "2023-07-15", "l1"),
        _fact("genant_grade", "1", "2023-09-03", "l2"),
        _fact("genant_grade", "1", LAST, "l3"),
        _fact("genant_grade", "1", "2023-09-03", "l5"),
    )


def test_the_index_leaves_l5_out_and_the_sum_keeps_it() -> None:
    result = _staged(graded(), LAST, "spinal_deformity_index")
    # L4 was cemented before its first images: 0 to 3.
    assert (result.lowest, result.highest) == ("4", "7")
    index, everything = result.part("SDI(T4-L4)"), result.part("sum_all_levels")
    assert (index.lowest, index.highest) == ("4", "7")
    assert "L4" in index.text
    assert (everything.lowest, everything.highest) == ("5", "8")
    assert "beside T4-L4: L5 1" in everything.text
    assert {question.site for question in result.blocking} == {"l4"}


@pytest.mark.parametrize(
    ("level", "grade", "date"), [("l1", "2", "2023-07-15"), ("l2", "1", "2023-09-03")]
)
def test_a_cemented_level_has_the_grade_of_before(
    level: str, grade: str, date: str
) -> None:
    result = _staged(graded(), LAST, "genant", level)
    assert result.lowest == result.highest == grade
    assert any(f"the grade is that of {date}" in note for note in result.notes)


def test_two_t_scores_of_one_month_are_a_contradiction() -> None:
    (said,) = (one for one in contradictions(spine()) if "t_score" in one)
    assert said.startswith("t_score is stated in two ways: t_score -3.7")
    assert "t_score -3.8" in said
    # That of the years before is no contradiction to them.
    assert "-2.7" not in said


def test_the_steroid_dose_was_asked_for_and_is_not_known() -> None:
    (dose,) = (fact for fact in spine().facts if fact.name == "steroid_dose")
    assert (dose.value, dose.note) == (None, "not given")


def test_an_adult_with_fractures_has_no_jaw_to_stage() -> None:
    found = {one.system for one in staging.stage(spine(), LAST)}
    # T12 was looked at without a fracture: grade 0, and with it an index.
    assert found == {
        "genant",
        "spinal_deformity_index",
        "of_class",
        "rebound_fracture",
    }


# All together ---------------------------------------------------------------------------


# What advice would be told by: words that no fact, finding or rule needs.
ADVICE = re.compile(
    r"\b(?:recommend\w*|advis(?:e|es|ed|able)|should|ought to|must be|needs? to be|"
    r"indicated|indication for|consider(?:ed)?|refer(?:red)? (?:to|for)|prescri\w*|"
    r"administer\w*|give the patient|start(?:ing)? (?:a|the|with)|"
    r"(?:stop|pause|discontinue|resume|continue|switch)(?:ping|ing)? (?:the|to|drug|"
    r"denosumab|alendronate|zoledronate|therapy|treatment)|drug holiday|"
    r"treat(?:ed|ing)? (?:with|by|conservatively|surgically)|treatment of choice|"
    r"first[- ]line|resect\w*|debride (?:the|it)|operate|surgery is|"
    r"(?:candidate|eligible|suitable) for|contraindicated|dose of \d)\b",
    re.IGNORECASE,
)


def _texts(value: object) -> Iterator[str]:
    """Yield every text that a result holds, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _advice(texts: Iterable[str]) -> list[str]:
    return [text for text in texts if ADVICE.search(text)]


@pytest.mark.parametrize("make", [maxilla, mandible, spine])
def test_no_result_advises_a_treatment(make: Callable[[], Case]) -> None:
    case = make()
    names = staging.system_names()
    texts = [*contradictions(case)]
    for date in staging.dates(case):
        texts += notices(case, date)
        for result in staging.stage(case, date, systems=names):
            texts += _texts(msgspec.to_builtins(result))
            texts += report_lines(result)
    assert len(texts) > 100
    assert _advice(texts) == []


def test_no_question_or_page_advises_a_treatment() -> None:
    questions = [fact.question for fact in FACTS.values()]
    page = Path(__file__).parents[1] / "docs" / "staging.md"
    assert _advice([*questions, *template().splitlines()]) == []
    said = " ".join(page.read_text(encoding="utf-8").split())
    without = "Nothing here advises treatment."
    assert without in said
    assert _advice(re.split(r"(?<=[.|]) ", said.replace(without, ""))) == []


@pytest.mark.parametrize(
    "text",
    [
        "Vertebroplasty is indicated",
        "OF 3: conservative treatment should be tried",
        "start with zoledronate",
        "consider a drug holiday",
        "stop denosumab",
        "a candidate for surgery",
        "treated conservatively",
    ],
)
def test_advice_is_known_when_it_is_seen(text: str) -> None:
    assert _advice([text]) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "denosumab, subcutaneous 2020-02 to 2022-10-27 (Dr A)",
        "10.2 months after the last dose of denosumab",
        "vertical I candidate",
        "Was the eye removed?",
        "after debridement, by the order of the report",
    ],
)
def test_facts_of_a_treatment_are_no_advice(text: str) -> None:
    assert _advice([text]) == []


# What is said of a part is not said of the whole ----------------------------------------

ON_DRUG = ("drug_antiresorptive", "pus", "swelling_or_erythema")


def _jaw(*facts: Fact, **sides: str) -> Case:
    given = tuple(_fact(name, True, PRESENTATION) for name in ON_DRUG)
    sided = tuple(
        msgspec.structs.replace(_fact(name, False, PRESENTATION), laterality=side)
        for name, side in sides.items()
    )
    return Case(patient="P", facts=(*given, *facts, *sided))


def test_no_bone_on_one_side_leaves_the_other_open() -> None:
    one_side = _jaw(exposed_bone="left", fistula_probes_bone="left")
    result = _staged(one_side, PRESENTATION, "aaoms_2022")
    assert (result.lowest, result.highest) == ("at risk", "3")
    assert {"exposed_bone", "fistula_probes_bone"} <= _blocking(result)
    whole = _jaw(exposed_bone="", fistula_probes_bone="")
    denied = _staged(whole, PRESENTATION, "aaoms_2022")
    assert not {"exposed_bone", "fistula_probes_bone"} & _blocking(denied)
    assert denied.highest == "0"


@pytest.mark.parametrize("site", ["premaxilla", "condyle_of_mandible"])
def test_a_sequestrum_absent_from_a_part_is_not_absent_from_the_jaws(site: str) -> None:
    gone = finding("SEQ-1", "sequestrum", site, presence="absent")
    case = _jaw(
        _fact("density_basal", False, PRESENTATION),
        _fact("density_alveolar", True, PRESENTATION),
    )
    case = msgspec.structs.replace(case, assessments=(reading(PRESENTATION, gone),))
    assert "sequestrum" in _blocking(_staged(case, PRESENTATION, "sipmo_lenient"))


def test_a_fracture_absent_from_one_condyle_leaves_that_of_the_jaw_open() -> None:
    gone = finding(
        "none",
        "pathological_fracture",
        "condyle_of_mandible",
        presence="absent",
        laterality="left",
    )
    case = _jaw(_fact("exposed_bone", True, PRESENTATION))
    case = msgspec.structs.replace(case, assessments=(reading(PRESENTATION, gone),))
    assert "path_fracture" in _blocking(_staged(case, PRESENTATION, "aaoms_2022"))


def test_pain_of_no_place_beside_a_broken_vertebra_is_no_pain_of_the_jaw() -> None:
    def staged(*more: Fact) -> StagingResult:
        case = Case(
            patient="P",
            facts=(
                _fact("drug_antiresorptive", True, PRESENTATION),
                _fact("exposed_bone", True, PRESENTATION),
                _fact("pus", False, PRESENTATION),
                _fact("swelling_or_erythema", False, PRESENTATION),
                _fact("pain", True, PRESENTATION),
                *more,
            ),
        )
        return _staged(case, PRESENTATION, "aaoms_2022")

    assert "pain" not in _blocking(staged())
    back = staged(_fact("vcf_new", True, PRESENTATION, "l1"))
    assert {one.criterion: one.value for one in back.reasons}["pain"] == "unknown"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chain")
    phantoms.write_samples(folder, ["maxilla_after"])
    return folder


@pytest.mark.slow
def test_samples_are_measured_and_staged_with_their_facts(
    osteotrace: Run, chain: Path
) -> None:
    case = "maxilla_after"
    out = chain / "out"
    asked = chain / samples.PROTOCOLS / f"{case}.toml"
    done = osteotrace(
        *("measure", chain / case, "--protocol", asked, "--out", out),
        *("--reader", READER),
    )
    assert done.code == 0, done.err
    facts = chain / samples.FACTS / f"{case}.toml"
    staged = osteotrace("stage", out, "--facts", facts)
    told = " ".join(staged.out.split())
    assert staged.code == 0, staged.err
    # The phantom's own value, and the reported one without an invented uncertainty.
    assert f"palatal gap 12.08 ± 0.01 mm (palatal_gap, {READER})" in told
    assert "palatal gap 12.07 mm as reported, no uncertainty" in told
    # A notch that a named reader answers for counts: over 6 mm.
    assert "E2..3 (6.54 ± 0.05 mm soft-tissue)" in told
    assert "A: AAOMS 2..3 (prior), healed" in told
    assert "I..II, horizontal c" in told
