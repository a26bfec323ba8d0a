"""The OF class of a vertebral fracture, against its rules read from the top."""

from __future__ import annotations

from itertools import product

import pytest
from tests.fixtures.spines import REBOUND, case, exam, fact, finding

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Case, StagingResult, check_fact, overridden
from osteotrace.measurements.measurement import Measurement, Method, measured
from osteotrace.staging import stage
from osteotrace.staging.rule_table import Observed, evaluate
from osteotrace.staging.systems import of_class
from osteotrace.staging.systems.of_class import NOT_STATED, TABLE, WALL

DAY = "2023-09-27"


def staged(patient: Case, level: str = "l1", day: str = DAY) -> StagingResult:
    found = stage(patient, day, systems=["of_class"])
    (one,) = [result for result in found if result.site == level]
    return one


def stated_class(
    *,
    tension_band: bool,
    superior: bool,
    inferior: bool,
    frame: bool,
    wall: str,
    edema: bool,
) -> tuple[str, str]:
    """Return the class by the published rules, read from the top."""
    if tension_band:
        return "OF5", "OF5"
    if (superior and inferior) or frame:
        return "OF4", "OF4"
    if superior or inferior:
        if wall == "exactly 1/5":
            return "OF2", "OF3"
        return ("OF3", "OF3") if wall == "over 1/5" else ("OF2", "OF2")
    return ("OF1", "OF1") if edema else ("none", "none")


def test_every_full_assignment_has_one_class_and_it_is_the_stated_one() -> None:
    truths = (False, True)
    count = 0
    for band, up, low, frame, wall, edema, any_plate, broken in product(
        truths, truths, truths, truths, WALL, truths, truths, ("no", "yes", NOT_STATED)
    ):
        values: dict[str, bool | int | str] = {
            "tension_band_failed": band,
            "superior_endplate_deformed": up,
            "inferior_endplate_deformed": low,
            "frame_lost": frame,
            "posterior_wall": wall,
            "vertebral_edema": edema,
            "fracture": broken,
            "an_endplate_deformed": any_plate,
        }
        known = {name: Observed(possible=(value,)) for name, value in values.items()}
        done = evaluate(TABLE, known)
        count += 1
        assert len(done.rules) == 1
        # One endplate that is not said to be the upper counts like the lower one.
        expected = stated_class(
            tension_band=band,
            superior=up,
            inferior=low or (any_plate and not up),
            frame=frame,
            wall=str(wall),
            edema=edema,
        )
        # No fracture is no deformity: edema alone is left.
        if broken == "no":
            expected = ("OF1", "OF1") if edema else ("none", "none")
        elif broken == "yes" and expected == ("none", "none"):
            expected = ("OF1", "OF2")
        assert (done.lowest, done.highest) == expected, values
    assert count == 2**6 * 4 * 3


WALL_PERCENT = {
    "none": 0.0,
    "under 1/5": 19.99,
    "exactly 1/5": 20.0,
    "over 1/5": 20.01,
}


@pytest.mark.parametrize("wall", WALL)
def test_facts_alone_give_the_stated_class(wall: str) -> None:
    names = (
        "tension_band_failed",
        "superior_endplate_deformed",
        "inferior_endplate_deformed",
        "frame_lost",
        "vertebral_edema",
    )
    for band, up, low, frame, edema in product((False, True), repeat=5):
        values = zip(names, (band, up, low, frame, edema), strict=True)
        facts = [fact(name, value, DAY, site="l1") for name, value in values]
        share = fact(
            "posterior_wall_percent", WALL_PERCENT[wall], DAY, site="l1", unit="%"
        )
        result = staged(case(facts=(*facts, share)))
        expected = stated_class(
            tension_band=band,
            superior=up,
            inferior=low,
            frame=frame,
            wall=wall,
            edema=edema,
        )
        assert (result.lowest, result.highest) == expected
        assert not result.blocking


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [
        (0.0, 0.0, ("none",)),
        (19.99, 19.99, ("under 1/5",)),
        (20.0, 20.0, ("exactly 1/5",)),
        (20.01, 20.01, ("over 1/5",)),
        (0.0, 10.0, ("none", "under 1/5")),
        (10.0, 30.0, ("under 1/5", "exactly 1/5", "over 1/5")),
        (20.0, 30.0, ("exactly 1/5", "over 1/5")),
        (0.0, 100.0, WALL),
    ],
)
def test_the_share_of_the_wall_is_cut_at_one_fifth(
    low: float, high: float, values: tuple[str, ...]
) -> None:
    assert of_class.wall_values(low, high) == values


# The case of the founding paper ---------------------------------------------------


@pytest.mark.parametrize("level", ["l1", "l2"])
@pytest.mark.parametrize("day", ["2023-08-27", "2023-09-27"])
def test_a_lowered_upper_endplate_is_of2_to_of5_until_the_rest_is_read(
    level: str, day: str
) -> None:
    result = staged(REBOUND, level, day)
    assert result.as_text == "OF2..OF5"
    assert {question.criterion for question in result.blocking} == {
        f"{level}.tension_band_failed",
        f"{level}.inferior_endplate_deformed",
        f"{level}.frame_lost",
        f"{level}.posterior_wall",
    }
    assert result.ask is not None
    assert result.ask.site == level


def test_a_suspected_level_is_none_to_of5_and_of1_to_of5_once_accepted() -> None:
    suspected = staged(REBOUND, "l5")
    assert suspected.as_text == "none..OF5"
    assert any("suspected and not accepted" in note for note in suspected.notes)
    accepted = case(*REBOUND.assessments, exam(DAY, finding("l5")))
    assert staged(accepted, "l5").as_text == "OF1..OF5"


def test_a_new_fracture_of_which_nothing_is_read_has_every_class_open() -> None:
    result = staged(REBOUND, "l3")
    assert result.as_text == "OF1..OF5"
    assert len(result.blocking) >= 6


def test_reading_what_was_asked_narrows_the_class_to_one() -> None:
    rest = (
        fact("inferior_endplate_deformed", False, site="l2"),
        fact("tension_band_failed", False, site="l2"),
        fact("frame_lost", False, site="l2"),
        fact("posterior_wall_percent", 35.0, site="l2", unit="%"),
    )
    one = case(*REBOUND.assessments, exam(DAY, facts=rest))
    assert staged(one, "l2").as_text == "OF3"


def test_no_result_says_a_score_or_what_to_do() -> None:
    words = " ".join(str(one) for one in stage(REBOUND, DAY, systems=["of_class"]))
    assert not any(
        word in words.lower()
        for word in ("score", "surg", "conservative", "kyphoplasty", "treatment ")
    )


# What is read, and when -----------------------------------------------------------


def test_a_deformity_stays_once_it_was_seen_and_intactness_does_not() -> None:
    before = exam(
        "2023-07-15",
        facts=(
            fact("superior_endplate_deformed", True, site="l1"),
            fact("inferior_endplate_deformed", False, site="l1"),
            fact("tension_band_failed", False, site="l1"),
            fact("frame_lost", False, site="l1"),
            fact("posterior_wall_percent", 10.0, site="l1", unit="%"),
        ),
    )
    assert staged(case(before), day="2023-07-15").as_text == "OF2"
    assert staged(case(before)).as_text == "OF2..OF5"


def test_a_wall_that_was_over_one_fifth_stays_over_it() -> None:
    before = exam(
        "2023-07-15",
        facts=(fact("posterior_wall_percent", 30.0, site="l1", unit="%"),),
    )
    now = exam(
        DAY,
        facts=(
            fact("superior_endplate_deformed", True, site="l1"),
            fact("inferior_endplate_deformed", False, site="l1"),
            fact("tension_band_failed", False, site="l1"),
            fact("frame_lost", False, site="l1"),
        ),
    )
    assert staged(case(before, now)).as_text == "OF3"
    assert staged(case(now)).as_text == "OF2..OF3"


def test_an_endplate_that_is_said_to_have_healed_is_a_contradiction() -> None:
    patient = case(
        exam("2023-07-15", facts=(fact("frame_lost", True, site="l1"),)),
        exam(DAY, facts=(fact("frame_lost", False, site="l1"),)),
    )
    result = staged(patient)
    assert result.as_text == "none..OF5"
    assert len(result.conflicts) == 1
    assert "frame_lost yes" in result.conflicts[0]
    assert "frame_lost no" in result.conflicts[0]


def test_edema_counts_on_its_day_alone() -> None:
    quiet = [
        fact(name, False, DAY, site="l1")
        for name in (
            "superior_endplate_deformed",
            "inferior_endplate_deformed",
            "frame_lost",
            "tension_band_failed",
        )
    ]
    edema = finding("l1", kind="marrow_edema")
    assert staged(case(exam(DAY, edema), facts=tuple(quiet))).as_text == "OF1"
    before = case(exam("2023-09-03", edema), facts=tuple(quiet))
    assert staged(before).as_text == "none..OF1"


def plate(side: str) -> Measurement:
    return measured(
        f"endplate_depression_{side}",
        4.0,
        "mm",
        method=Method(name="test", version="1"),
        sources=(),
        uncertainty=0.3,
    )


@pytest.mark.parametrize(
    ("sides", "lowest", "asked"),
    [
        (("superior",), "OF2", "l1.inferior_endplate_deformed"),
        (("inferior",), "OF2", "l1.superior_endplate_deformed"),
        ((), "OF2", "l1.superior_endplate_deformed"),
    ],
)
def test_an_accepted_depression_is_of_the_endplate_that_was_measured(
    sides: tuple[str, ...], lowest: str, asked: str
) -> None:
    rows = tuple(map(plate, sides))
    seen = finding("l1", kind="endplate_depression", measurements=rows)
    result = staged(case(exam(DAY, seen)))
    assert (result.lowest, result.highest) == (lowest, "OF5")
    assert asked in {question.criterion for question in result.blocking}


def test_a_depression_that_no_reader_accepted_is_a_proposal() -> None:
    seen = finding("l1", kind="endplate_depression", measurements=(plate("superior"),))
    result = staged(case(exam(DAY, seen, reader="")))
    assert result.as_text == "none..OF5"
    bases = {reason.criterion: reason.basis for reason in result.reasons}
    assert bases["l1.superior_endplate_deformed"] == "proposed"


def test_both_endplates_looked_at_and_intact_against_a_depression_is_named() -> None:
    patient = case(
        exam(DAY, finding("l1", kind="endplate_depression")),
        facts=(
            fact("superior_endplate_deformed", False, DAY, site="l1"),
            fact("inferior_endplate_deformed", False, DAY, site="l1"),
        ),
    )
    result = staged(patient)
    assert result.conflicts
    assert result.highest == "OF5"


def test_a_fracture_denied_beside_a_sign_of_one_is_named_and_unknown() -> None:
    patient = case(
        exam(
            DAY,
            finding("l1", "absent"),
            facts=(fact("tension_band_failed", True, site="l1"),),
        )
    )
    result = staged(patient)
    assert result.as_text == "none..OF5"
    assert "sign of a fracture" in result.conflicts[0]


@pytest.mark.parametrize(
    ("edema", "text"), [(None, "none..OF1"), (False, "none"), (True, "OF1")]
)
def test_a_level_without_a_fracture_has_no_deformity_and_edema_alone_decides(
    edema: bool | None, text: str
) -> None:
    stated = () if edema is None else (fact("vertebral_edema", edema, DAY, site="l1"),)
    result = staged(case(exam(DAY, finding("l1", "absent")), facts=stated))
    assert result.as_text == text
    assert result.conflicts == ()
    open_ = {question.criterion for question in result.blocking}
    assert open_ == ({"l1.vertebral_edema"} if edema is None else set())


def test_a_wall_that_is_later_stated_as_less_involved_is_a_contradiction() -> None:
    intact = [
        fact(name, False, DAY, site="l1")
        for name in ("inferior_endplate_deformed", "tension_band_failed", "frame_lost")
    ]
    shares = [
        fact("posterior_wall_percent", share, day, site="l1", unit="%")
        for share, day in ((30.0, "2023-09-01"), (5.0, "2023-09-20"))
    ]
    up = fact("superior_endplate_deformed", True, "2023-09-01", site="l1")
    patient = case(facts=(*intact, *shares, up))
    for day in ("2023-09-20", DAY):
        (conflict,) = staged(patient, day=day).conflicts
        assert "posterior_wall_percent 30 %" in conflict
        assert "but later posterior_wall_percent 5 %" in conflict
    assert staged(patient).as_text == "OF2..OF3"
    more = (fact("posterior_wall_percent", 35.0, DAY, site="l1", unit="%"), *shares[:1])
    grown = staged(case(facts=(*intact, *more, up)))
    assert (grown.as_text, grown.conflicts) == ("OF3", ())


@pytest.mark.parametrize("share", [0.01, 0.3, 1.0])
def test_a_share_of_the_wall_that_may_be_a_fraction_is_refused(share: float) -> None:
    with pytest.raises(OsteotraceError, match=f"meant as {100 * share:g} %"):
        check_fact(fact("posterior_wall_percent", share, DAY, site="l1", unit="%"))
    for allowed in (0.0, 1.5, 30.0):
        check_fact(fact("posterior_wall_percent", allowed, DAY, site="l1", unit="%"))


def test_only_levels_of_which_something_is_known_have_a_class() -> None:
    levels = [one.site for one in stage(REBOUND, DAY, systems=["of_class"])]
    assert levels == ["l1", "l2", "l3", "l4", "l5"]
    assert stage(case(exam(DAY)), DAY, systems=["of_class"]) == ()


def test_cement_is_said_beside_the_class() -> None:
    assert any("bone cement" in note for note in staged(REBOUND, "l1").notes)
    assert not any("bone cement" in note for note in staged(REBOUND, "l3").notes)


def test_the_readers_own_class_stands_with_its_reason_beside_the_computed_one() -> None:
    own = overridden(
        staged(REBOUND, "l1"),
        "OF3",
        reason="posterior wall seen on axial slices",
        author="Reader Two",
        recorded="2023-10-02T10:00:00",
    )
    assert own.as_text == "OF3 (set by the reader; computed OF2..OF5)"
    assert own.override is not None
    assert own.override.reason == "posterior wall seen on axial slices"
