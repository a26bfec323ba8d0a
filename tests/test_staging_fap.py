"""FAP-0: a profile of six axes, never a sum; what is missing is a question mark."""

import itertools
from typing import Any

import msgspec
import pytest
from tests.fixtures.four_cases import finding, mandible, maxilla, reading

from osteotrace import staging
from osteotrace.codes import FACTS
from osteotrace.findings import (
    Assessment,
    Case,
    Fact,
    SeriesReference,
    StagingResult,
    from_json,
    to_json,
)
from osteotrace.measurements.measurement import Detail, Measurement, Method, measured
from osteotrace.staging.profile import tables as profile_tables
from osteotrace.staging.profile.lengths import bands_of_range
from osteotrace.staging.rule_table import Observed, evaluate

DAY = "2024-05-01"
BEFORE = "2023-05-01"
METHOD = Method(name="osteotrace test", version="1")
LIQUIDS = FACTS["liquids"].choices


def _fact(name: str, value: bool | float | str | None, date: str = DAY) -> Fact:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Fact(
        name=name,
        value=float(value) if number and value is not None else value,
        unit=FACTS[name].units[0] if number else "",
        source="entered",
        author="Dr Kim",
        recorded="",
        date=date,
    )


def _case(*facts: Fact, **stated: Any) -> Case:
    return Case(
        patient="P",
        facts=(*facts, *(_fact(name, value) for name, value in stated.items())),
    )


def _profile(case: Case, date: str = DAY) -> StagingResult:
    (result,) = staging.stage(case, date, systems=["fap"])
    kept = msgspec.structs.replace(reading(date), stagings=(result,))
    assert from_json(to_json(kept), Assessment) == kept
    return result


def _text(case: Case, axis: str) -> str:
    return _profile(case).part(axis).text


def _mm(name: str, value: float, u: float | None = 0.2, **more: Any) -> Measurement:
    return measured(
        name,
        value,
        "mm",
        method=METHOD,
        sources=(),
        uncertainty=u,
        uncertainty_reason="" if u is not None else "not stated",
        **more,
    )


# The tables


@pytest.mark.parametrize("name", profile_tables.TABLES)
def test_every_full_assignment_has_exactly_one_outcome(name: str) -> None:
    table = profile_tables.TABLES[name]
    assert table.needed == table.criteria
    count = 0
    for values in itertools.product(*(one.values for one in table.needed)):
        known = {
            one.name: Observed(possible=(value,))
            for one, value in zip(table.needed, values, strict=True)
        }
        # It raises where none or two rules hold.
        assert len(evaluate(table, known).possible) == 1
        count += 1
    assert (
        count
        == {
            "F-liquids": 4,
            "F-diet": 7,
            "F-speech": 7,
            "F": 4**3,
            "E": 4**3 * 2**3,
            "P": 7,
            "I": 2**7,
        }[name]
    )


def test_rules_have_ids_of_their_own() -> None:
    rules = [rule for table in profile_tables.TABLES.values() for rule in table.rules]
    assert len({rule.id for rule in rules}) == len(rules)
    assert all(rule.id.startswith("FAP-") for rule in rules)
    assert {table.system for table in profile_tables.TABLES.values()} == {"fap"}


def test_the_level_of_function_is_the_highest_part() -> None:
    for levels in itertools.product(range(4), repeat=3):
        known = {
            name: Observed(possible=(level,))
            for name, level in zip(("liquids", "diet", "speech"), levels, strict=True)
        }
        done = evaluate(profile_tables.FUNCTION, known)
        assert done.lowest == done.highest == str(max(levels))


# A profile


def test_a_profile_has_no_stage_and_no_sum() -> None:
    result = _profile(_case(bothered=True, pain_vas=5, pus=True))
    assert result.stages == ("profile",)
    assert result.part("profile").text == (
        "A: AAOMS not applicable..3 | F? | E1..3 (bothered) | P4-6 (VAS 5) | I3 (pus)"
    )
    # What people read in place of a stage is that line.
    assert result.as_text == result.part("profile").text


def test_it_is_marked_as_research_use_and_not_validated() -> None:
    result = _profile(_case(bothered=True))
    assert "FAP-0: research use, not validated; a profile, never a sum" in result.notes
    assert "not validated" in result.source
    assert "treat" not in str(result.notes) + result.source


def test_a_case_of_which_nothing_of_face_or_jaw_is_known_has_none() -> None:
    assert staging.stage(_case(crp=1.0), DAY, systems=["fap"]) == ()
    assert staging.stage(Case(patient="P"), DAY, systems=["fap"]) == ()


def test_what_is_missing_is_a_question_mark_on_every_axis() -> None:
    result = _profile(_case(obturator_worn=False))
    for axis in "FEPID":
        part = result.part(axis)
        assert (part.lowest, part.highest) == ("?", "?")
        assert part.text == f"{axis}?"


# Function


@pytest.mark.parametrize(("choice", "level"), list(zip(LIQUIDS, "0123", strict=True)))
def test_liquids_have_a_level_each(choice: str, level: str) -> None:
    part = _profile(_case(liquids=choice)).part("F-liquids")
    assert part.lowest == part.highest == level


def test_a_difficulty_without_detail_is_level_1_or_2() -> None:
    case = _case(liquids_difficulty=True)
    assert _text(case, "F-liquids") == "F-liquids 1..2"
    assert _text(case, "F") == "F1..3 (liquids 1..2; diet, speech unknown)"


def test_no_difficulty_is_level_0() -> None:
    assert _text(_case(liquids_difficulty=False), "F-liquids") == "F-liquids 0"


def test_a_difficulty_beside_a_regurgitation_is_the_regurgitation() -> None:
    case = _case(liquids_difficulty=True, liquids=LIQUIDS[3])
    assert _text(case, "F-liquids") == "F-liquids 3"
    assert _profile(case).conflicts == ()


@pytest.mark.parametrize(
    ("difficulty", "choice"), [(True, LIQUIDS[0]), (False, LIQUIDS[2])]
)
def test_liquids_that_contradict_count_as_unknown_and_are_named(
    difficulty: bool, choice: str
) -> None:
    result = _profile(_case(liquids_difficulty=difficulty, liquids=choice))
    assert result.part("F-liquids").text == "F-liquids ?"
    (conflict,) = result.conflicts
    assert "liquids_difficulty" in conflict


@pytest.mark.parametrize(
    ("score", "level"),
    [
        *((100, "0"), (90, "0"), (85, "0..1"), (80, "1"), (60, "1"), (55, "1..2")),
        *((50, "2"), (30, "2"), (25, "2..3"), (20, "3"), (0, "3")),
    ],
)
def test_a_diet_between_two_levels_is_either(score: float, level: str) -> None:
    assert _text(_case(pss_diet=score), "F-diet") == f"F-diet {level}"


@pytest.mark.parametrize(
    ("score", "level"),
    [
        *((100, "0"), (90, "0..1"), (75, "1"), (60, "1..2"), (50, "2"), (40, "2..3")),
        *((25, "3"), (0, "3")),
    ],
)
def test_speech_between_two_levels_is_either(score: float, level: str) -> None:
    assert _text(_case(pss_speech=score), "F-speech") == f"F-speech {level}"


def test_the_part_that_gives_the_level_is_named() -> None:
    case = _case(liquids=LIQUIDS[1], pss_diet=40, pss_speech=100)
    assert _text(case, "F") == "F2 (by diet: liquids 1; diet 2; speech 0)"


def test_the_highest_level_needs_no_other_part() -> None:
    case = _case(liquids=LIQUIDS[3])
    assert _text(case, "F") == "F3 (by liquids: liquids 3; diet, speech unknown)"
    assert not {"diet", "speech", "liquids"} & {
        q.criterion for q in _profile(case).blocking
    }


def test_other_instruments_are_kept_and_give_no_level() -> None:
    case = _case(eat10=12, fois=6)
    assert _text(case, "F instruments") == "FOIS 6, EAT-10 12"
    assert _text(case, "F") == "F?"


# Aesthetics


@pytest.mark.parametrize(
    ("stated", "level"),
    [
        ({"bothered": True}, "E1..3 (bothered)"),
        ({"bothered": True, "visible_at_rest": True}, "E2..3 (bothered; visible)"),
        ({"visible_at_rest": True}, "E? (visible)"),
        ({"lip_or_nasal_support_lost": True}, "E3"),
    ],
)
def test_what_the_patient_says_gives_the_least_level(
    stated: dict[str, bool], level: str
) -> None:
    assert _text(_case(**stated), "E") == level


def _quiet(*more: Fact) -> tuple[Fact, ...]:
    """Facts of a patient whom nothing bothers, with no defect but what is measured."""
    names = ("bothered", "visible_at_rest", "lip_or_nasal_support_lost")
    return (*(_fact(name, False) for name in names), *more)


def _measured_case(
    *rows: Measurement, reader: str = "Dr Kim", site: str = "premaxilla", **frame: Any
) -> Case:
    sunk = _mm("premaxilla_depression", 1.0, details=_change(0.0, 0.1))
    return Case(
        patient="P",
        assessments=(
            reading(
                DAY,
                finding("ASYM", "facial_asymmetry", "premaxilla", sunk),
                finding("NOTCH", "soft_tissue_defect", site, *rows, **frame),
                finding("ASYM-2", "facial_asymmetry", "mandible", _mm(*_EVEN)),
                reader=reader,
            ),
        ),
        facts=_quiet(),
    )


_EVEN = ("landmark_asymmetry", 0.5)


def _change(value: float, u: float) -> tuple[Any, ...]:
    return (
        Detail("change from prior", value, "mm"),
        Detail("u change from prior", u, "mm"),
    )


@pytest.mark.parametrize(
    ("mm", "level"),
    [
        *((2.0, "0"), (2.7, "0..1"), (3.3, "0..1"), (4.5, "1"), (6.0, "1..2")),
        *((7.0, "2"), (9.7, "2..3"), (11.0, "3")),
    ],
)
def test_a_length_near_a_cut_gives_both_levels(mm: float, level: str) -> None:
    part = _profile(_measured_case(_mm("soft_tissue_notch", mm))).part("E")
    low, _, high = level.partition("..")
    assert (part.lowest, part.highest) == (low, high or low)
    assert f"{mm:.1f} ± 0.2 mm soft-tissue" in part.text


def test_bands_hold_their_lower_cut() -> None:
    assert bands_of_range(3.0, 3.0) == ("3 to under 6 mm",)
    assert bands_of_range(2.999, 2.999) == ("under 3 mm",)
    assert bands_of_range(0.0, 99.0) == profile_tables.AESTHETIC_BANDS


def test_the_largest_length_decides() -> None:
    rows = [_mm("soft_tissue_notch", 4.5), _mm("soft_tissue_shortening", 7.0)]
    assert _profile(_measured_case(*rows)).part("E").lowest == "2"


def test_two_readers_of_one_length_leave_both_open() -> None:
    case = _measured_case(_mm("soft_tissue_notch", 4.5))
    (first,) = case.assessments
    other = finding("NOTCH", "soft_tissue_defect", "premaxilla", _MM_7)
    second = reading(DAY, other, reader="Dr Lee-Kim")
    part = _profile(msgspec.structs.replace(case, assessments=(first, second))).part("E")
    assert (part.lowest, part.highest) == ("1", "2")


_MM_7 = _mm("soft_tissue_notch", 7.0)


def test_a_length_that_no_reader_accepts_stays_a_proposal() -> None:
    case = _measured_case(_mm("soft_tissue_notch", 7.0), reader="")
    part = _profile(case).part("E")
    assert (part.lowest, part.highest) == ("?", "?")
    assert "not accepted by a reader" in part.text


def test_a_flagged_or_uncertain_length_counts_as_unknown() -> None:
    flagged = _mm("soft_tissue_notch", 7.0, flags=("rival edge",))
    for case in (
        _measured_case(flagged),
        _measured_case(_mm("soft_tissue_notch", 7.0, None)),
        _measured_case(_mm("soft_tissue_notch", 7.0), certainty="possible"),
    ):
        assert _profile(case).part("E").lowest == "?"


def test_a_defect_looked_for_and_absent_is_under_the_first_cut() -> None:
    nowhere = _measured_case(presence="absent", site="jaw")
    assert _profile(nowhere).part("E").text.startswith("E0")


def test_a_defect_absent_at_one_place_may_be_at_another() -> None:
    assert _profile(_measured_case(presence="absent")).part("E").lowest == "?"


def test_a_defect_not_looked_for_is_unknown() -> None:
    assert _profile(_measured_case()).part("E").lowest == "?"


def test_a_premaxilla_is_compared_with_itself_and_never_with_a_norm() -> None:
    def case(*details: Any) -> Case:
        row = _mm("premaxilla_depression", 14.0, details=details)
        sunk = finding("PRE", "facial_asymmetry", "premaxilla", row)
        return Case(patient="P", assessments=(reading(DAY, sunk),), facts=_quiet())

    assert _profile(case()).part("E").lowest == "?"
    assert "no earlier value to compare with" in _text(case(), "E")
    assert _profile(case(*_change(7.0, 0.2))).part("E").lowest == "2"


def test_a_reported_length_without_definition_is_shown_and_unknown() -> None:
    case = _case(reported_soft_tissue_defect=6.51)
    assert _text(case, "E") == "E? (6.5 mm soft-tissue)"
    line = _text(case, "E mm")
    assert line.startswith(
        "soft-tissue, as reported, definition unknown, no uncertainty: "
        "reported_soft_tissue_defect 6.51 mm"
    )
    assert "±" not in line


def test_a_reported_length_with_its_definition_counts() -> None:
    case = _case(reported_soft_tissue_defect=6.51, soft_tissue_definition="notch width")
    assert _text(case, "E") == "E2..3 (6.5 mm soft-tissue)"


def test_the_own_rating_stands_beside_the_millimetres() -> None:
    assert _text(_case(own_rating=7), "E") == "E? (own rating 7 of 10)"


# Pain


@pytest.mark.parametrize(
    ("vas", "band"),
    [
        *((0, "0"), (0.5, "1-3"), (1, "1-3"), (3, "1-3"), (3.5, "1-3..4-6")),
        *((4, "4-6"), (6, "4-6"), (6.5, "4-6..7-10"), (7, "7-10"), (10, "7-10")),
    ],
)
def test_pain_has_four_bands(vas: float, band: str) -> None:
    assert _text(_case(_fact("bothered", None), pain_vas=vas), "P") == (
        f"P{band} (VAS {vas:g})"
    )


def test_pain_without_a_scale_is_above_none() -> None:
    case = _case(_fact("bothered", None), pain=True)
    assert _text(case, "P") == "P1-3..7-10 (pain, no scale)"
    assert _text(_case(_fact("bothered", None), pain=False), "P") == "P0 (no pain)"


def test_pain_that_contradicts_its_scale_is_unknown_and_named() -> None:
    result = _profile(_case(_fact("bothered", None), pain=False, pain_vas=5))
    assert result.part("P").lowest == "?"
    assert any("pain no" in conflict for conflict in result.conflicts)


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        *((10, 0, "called meaningful"), (5, 3, "called meaningful")),
        *((5, 4, "not called meaningful"), (3, 2, "called meaningful")),
        *((2, 4, "called meaningful"), (0, 1, "not called meaningful")),
    ],
)
def test_two_points_or_thirty_percent_are_called_meaningful(
    before: float, now: float, verdict: str
) -> None:
    case = _case(_fact("pain_vas", before, BEFORE), _fact("pus", False), pain_vas=now)
    assert _text(case, "P change") == (
        f"VAS {now:g}, after {before:g} on {BEFORE}: {verdict} (2 points or 30%; Farrar, "
        "Pain 2001, not read)"
    )


def test_a_first_value_of_pain_has_no_change() -> None:
    with pytest.raises(KeyError):
        _profile(_case(_fact("pus", False), pain_vas=5)).part("P change")


# Infection

NO_SIGNS = dict.fromkeys(
    ("pus", "draining_fistula", "abscess", "gas_outside_airway", "swelling_or_erythema"),
    False,
)


@pytest.mark.parametrize(
    ("stated", "text"),
    [
        ({}, "I0"),
        ({"scar": True, "infection_was_active": True}, "I1"),
        ({"scar": True, "infection_was_active": False}, "I0"),
        ({"scar": True}, "I0..1"),
        ({"swelling_or_erythema": True}, "I2 (swelling or erythema)"),
        ({"pus": True, "swelling_or_erythema": True}, "I3 (pus)"),
        ({"draining_fistula": True}, "I3 (draining fistula)"),
        ({"abscess": True, "scar": True}, "I3 (abscess)"),
        ({"gas_outside_airway": True}, "I3 (gas outside airway)"),
    ],
)
def test_infection_has_a_level_by_its_signs(stated: dict[str, bool], text: str) -> None:
    facts: dict[str, bool] = {**NO_SIGNS, "scar": False, **stated}
    assert _text(_case(**facts), "I") == text


def test_a_sign_before_makes_a_scar_a_healed_infection() -> None:
    case = _case(_fact("pus", True, BEFORE), scar=True, **NO_SIGNS)
    assert _text(case, "I") == "I1"


def test_an_infection_that_is_denied_after_its_signs_is_named_and_unknown() -> None:
    for denied in (DAY, ""):
        case = _case(
            _fact("pus", True, BEFORE),
            _fact("infection_was_active", False, denied),
            scar=True,
            **NO_SIGNS,
        )
        result = _profile(case)
        assert result.part("I").text == "I0..1"
        (conflict,) = result.conflicts
        assert conflict.startswith("infection_was_active: infection_was_active no ")
        assert f"pus yes (Dr Kim, {BEFORE})" in conflict


def test_a_sign_after_an_infection_was_denied_is_no_contradiction() -> None:
    case = _case(
        _fact("infection_was_active", False, "2023-01-01"),
        _fact("pus", True, BEFORE),
        scar=True,
        **NO_SIGNS,
    )
    result = _profile(case)
    assert (result.part("I").text, result.conflicts) == ("I1", ())


def test_healed_leaves_no_sign_open_unless_it_is_stated() -> None:
    healed = {"status": "healed", "infection_was_active": True}
    assert _text(_case(**healed), "I") == "I1"
    assert _text(_case(**healed, pus=True), "I") == "I3 (pus)"
    assert _text(_case(status="active", infection_was_active=True), "I") == "I?"


def test_gas_of_which_the_airway_is_not_known_leaves_the_axis_open() -> None:
    value = measured(
        "gas_volume", 30.0, "mm3", method=METHOD, sources=(), uncertainty=1.0,
        flags=["touches_airway unknown: the gas goes on beyond the region"],
    )  # fmt: skip
    gas = finding("GAS-1", "gas", "maxilla", value)
    case = Case(patient="P", assessments=(reading(DAY, gas),))
    (result,) = staging.stage(case, DAY, systems=["fap"])
    assert result.part("I").text == "I?"
    assert "gas_outside_airway" in {one.criterion for one in result.blocking}


def test_gas_that_a_reader_found_is_a_sign_and_a_proposal_is_not() -> None:
    gas = finding("GAS-1", "gas", "maxilla")
    for reader, text in (("Dr Kim", "I3 (gas outside airway)"), ("", "I?")):
        case = Case(patient="P", assessments=(reading(DAY, gas, reader=reader),))
        assert _text(case, "I") == text


def test_laboratory_values_stand_beside_the_level() -> None:
    case = _case(pus=False, crp=0.17, esr=15)
    assert _text(case, "I laboratory") == "CRP 0.17 mg/dL, ESR 15 mm/h"
    assert _text(case, "I") == "I?"


# Anatomy


def test_anatomy_of_what_is_healed_is_that_of_the_last_date_before() -> None:
    part = _profile(maxilla(), "2024-01-15").part("A")
    assert part.text == "A: AAOMS 2..3 (prior), healed"
    assert (part.lowest, part.highest) == ("2", "3")


def test_anatomy_of_active_disease_is_that_of_the_date() -> None:
    assert _profile(maxilla(), "2023-06-20").part("A").text == "A: AAOMS 2..3, active"


def test_a_day_without_the_jaw_keeps_the_stage_that_says_more() -> None:
    later = "2023-08-01"
    case = _case(_fact("pss_diet", 50, later))
    case = msgspec.structs.replace(maxilla(), facts=(*maxilla().facts, *case.facts))
    assert _profile(case, later).part("A").text == (
        "A: AAOMS 2..3 (prior, 2023-06-20), active (2023-06-20)"
    )


@pytest.mark.parametrize("later", ["2024-01-29", "2031-01-15"])
def test_what_was_healed_at_the_last_visit_is_said_with_its_day(later: str) -> None:
    result = _profile(maxilla(), later)
    part = result.part("A")
    assert part.text == "A: AAOMS 2..3 (prior, 2023-06-20), healed (2024-01-15)"
    assert (part.lowest, part.highest) == ("2", "3")
    assert result.part("A dates").text == "stage of 2023-06-20, status of 2024-01-15"


def test_the_day_of_a_prior_stage_stands_beside_it_where_the_date_tells_of_healing() -> (
    None
):
    result = _profile(maxilla(), "2024-01-15")
    assert result.part("A dates").text == "stage of 2023-06-20, status of 2024-01-15"
    with pytest.raises(KeyError):
        _profile(maxilla(), "2023-06-20").part("A dates")


def _later(case: Case, *facts: Fact) -> Case:
    return msgspec.structs.replace(case, facts=(*case.facts, *facts))


def test_a_jaw_that_is_spoken_of_again_is_staged_and_the_old_status_keeps_its_day() -> (
    None
):
    again = "2025-03-01"
    case = _later(
        maxilla(), _fact("exposed_bone", True, again), _fact("pus", True, again)
    )
    assert _text_at(case, again) == "A: AAOMS 2..3, healed (2024-01-15)"
    # The stage of the new disease is the last one then, not that before healing.
    afterwards = _text_at(case, "2025-03-08")
    assert afterwards == "A: AAOMS 2..3 (prior, 2025-03-01), healed (2024-01-15)"


def test_a_status_stated_for_a_month_is_carried_as_it_was_stated() -> None:
    case = _case(_fact("status", "healed", "2024-05"), _fact("pus", True, BEFORE))
    assert _text_at(case, "2024-07-01").endswith(f"(prior, {BEFORE}), healed (2024-05)")


def test_a_status_that_was_stated_in_two_ways_is_none() -> None:
    both = [_fact("status", one) for one in ("active", "healed")]
    assert "healed" not in _text_at(_case(*both), "2024-07-01")


def _text_at(case: Case, date: str) -> str:
    return _profile(case, date).part("A").text


def test_a_day_without_the_jaw_is_staged_itself_where_it_says_more() -> None:
    # The first dose came after the last day that spoke of the jaw.
    part = _profile(mandible(), "2007-04-10").part("A")
    assert part.text == "A: AAOMS at risk"


def test_a_measured_gap_and_a_reported_one_stand_apart() -> None:
    gap = _mm("palatal_gap_ap", 12.071, 0.021)
    case = Case(
        patient="P",
        assessments=(
            reading(DAY, finding("PAL-1", "palatal_bony_defect", "maxilla", gap)),
        ),
        facts=(_fact("reported_palatal_gap", 12.07),),
    )
    lines = [part.text for part in _profile(case).parts if part.name == "A gap"]
    assert lines == [
        "palatal gap 12.07 ± 0.02 mm (PAL-1, Dr Kim)",
        "palatal gap 12.07 mm as reported, no uncertainty: reported_palatal_gap "
        "12.07 mm (Dr Kim, 2024-05-01)",
    ]


# Durability


def _two_dates(name: str, before: float, now: float, *, unit: str = "mm3") -> Case:
    def at(date: str, value: float) -> Any:
        row = measured(
            name,
            value,
            unit,
            method=METHOD,
            sources=(date,),
            uncertainty=value / 50,
        )
        return reading(date, finding("BME-1", "marrow_edema", "mandible", row))

    return Case(patient="P", assessments=(at(BEFORE, before), at(DAY, now)))


@pytest.mark.parametrize(
    ("before", "now", "word"),
    [(1000, 1100, "stable"), (1000, 500, "improving"), (1000, 2000, "worse")],
)
def test_durability_is_called_beyond_repeatability(
    before: float, now: float, word: str
) -> None:
    result = _profile(_two_dates("edema_volume", before, now))
    part = result.part("D")
    assert part.lowest == part.highest == word
    assert part.text.startswith(f"D {word} (BME-1 ")
    assert f"since {BEFORE}" in part.text
    assert result.part("profile").text.endswith(f" | {part.text}")


LENGTHS = (
    *("longest_diameter", "soft_tissue_notch", "soft_tissue_shortening"),
    *("premaxilla_depression", "landmark_asymmetry"),
)


def _on_voxels(case: Case, *sizes: tuple[float, float, float] | None) -> Case:
    """Return a case with the size of the voxels that each reading was made on."""
    read = (
        msgspec.structs.replace(one, series=(_series(f"2.25.{n}", size),))
        for n, (one, size) in enumerate(zip(case.assessments, sizes, strict=True))
    )
    return msgspec.structs.replace(case, assessments=tuple(read))


def _series(uid: str, size: tuple[float, float, float] | None) -> SeriesReference:
    return SeriesReference(
        series_uid=uid, frame_of_reference_uid="", modality="CT", spacing_mm=size
    )


@pytest.mark.parametrize("name", LENGTHS)
@pytest.mark.parametrize(
    ("before", "now", "word"),
    [(6.5, 12, "worse"), (12, 6.5, "improving"), (6.5, 6.6, "stable")],
)
def test_a_length_is_judged_by_the_voxels_that_it_was_read_on(
    name: str, before: float, now: float, word: str
) -> None:
    case = _two_dates(name, before, now, unit="mm")
    fine = (0.6, 0.4, 0.4)
    part = _profile(_on_voxels(case, fine, fine)).part("D")
    assert part.lowest == part.highest == word


def test_the_larger_voxels_of_the_two_dates_count() -> None:
    case = _two_dates("soft_tissue_notch", 6.5, 9.5, unit="mm")
    fine, coarse = (0.6, 0.4, 0.4), (5.0, 0.4, 0.4)
    assert _profile(_on_voxels(case, fine, fine)).part("D").lowest == "worse"
    for sizes in ((fine, coarse), (coarse, fine)):
        assert _profile(_on_voxels(case, *sizes)).part("D").lowest == "stable"


@pytest.mark.parametrize("name", LENGTHS)
def test_durability_says_that_the_size_of_the_voxels_is_not_known(name: str) -> None:
    case = _two_dates(name, 10, 5, unit="mm")
    fine = (0.6, 0.4, 0.4)
    for sizes in ((None, None), (fine, None), (None, fine)):
        part = _profile(_on_voxels(case, *sizes)).part("D")
        assert (part.lowest, part.text[:3]) == ("?", "D? ")
        assert "the voxels, whose size is not given" in part.text


def test_of_several_series_that_of_the_finding_counts() -> None:
    case = _two_dates("soft_tissue_notch", 6.5, 12, unit="mm")
    two = (_series("2.25.1", (0.6, 0.4, 0.4)), _series("2.25.2", (9.0, 1.0, 1.0)))

    def read_on(uid: str) -> str:
        return (
            _profile(
                msgspec.structs.replace(
                    case,
                    assessments=tuple(
                        msgspec.structs.replace(
                            one,
                            series=two,
                            findings=tuple(
                                msgspec.structs.replace(found, series_uid=uid)
                                for found in one.findings
                            ),
                        )
                        for one in case.assessments
                    ),
                )
            )
            .part("D")
            .lowest
        )

    assert [read_on(uid) for uid in ("2.25.1", "2.25.2", "")] == ["worse", "stable", "?"]


def test_lesions_that_go_different_ways_are_an_interval() -> None:
    first, second = _two_dates("edema_volume", 1000, 500).assessments
    other = [
        finding(
            "BME-2",
            "marrow_edema",
            "maxilla",
            measured(
                "edema_volume",
                value,
                "mm3",
                method=METHOD,
                sources=(f"{value}",),
                uncertainty=1.0,
            ),
        )
        for value in (100.0, 300.0)
    ]
    case = Case(
        patient="P",
        assessments=(
            reading(BEFORE, *first.findings, other[0]),
            reading(DAY, *second.findings, other[1]),
        ),
    )
    part = _profile(case).part("D")
    assert (part.lowest, part.highest) == ("improving", "worse")


# Questions


def test_the_one_question_narrows_its_axis_most() -> None:
    facts = {**NO_SIGNS, "scar": False, "bothered": False}
    result = _profile(_case(**facts, pain_vas=3, pss_diet=100, pss_speech=100))
    assert result.ask is not None
    assert result.ask.criterion == "liquids"
    assert result.ask.facts == ("liquids", "liquids_difficulty")


def test_a_stated_score_between_two_levels_is_not_asked_again() -> None:
    asked = {q.criterion for q in _profile(_case(pss_diet=85)).blocking}
    assert "diet" not in asked
    assert {"liquids", "speech"} <= asked


def test_every_unknown_that_blocks_can_be_answered() -> None:
    for question in _profile(_case(obturator_worn=False)).blocking:
        assert question.text.endswith("?")
        if question.criterion not in ("premaxilla_depression",):
            assert question.facts or question.kinds


def test_a_fact_that_stands_in_the_record_and_in_the_file_is_said_once() -> None:
    fact = _fact("liquids_difficulty", True)
    case = Case(patient="P", facts=(fact,), assessments=(reading(DAY, facts=(fact,)),))
    reasons = {one.criterion: one for one in _profile(case).reasons}
    assert reasons["liquids"].because == ("liquids_difficulty yes (Dr Kim, 2024-05-01)",)


def test_reasons_name_who_said_what() -> None:
    reasons = {
        one.criterion: one for one in _profile(_case(liquids_difficulty=True)).reasons
    }
    assert reasons["liquids"].value == "1 or 2"
    assert reasons["liquids"].because == ("liquids_difficulty yes (Dr Kim, 2024-05-01)",)
    assert reasons["diet"].value == "0 or 1 or 2 or 3"
