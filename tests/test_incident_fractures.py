"""Which vertebrae broke and between which dates, from what a case states and measures."""

from datetime import date

import msgspec
import pytest

from osteotrace.change import (
    cement_dates,
    fractures_of_unknown_age,
    incident_fractures,
)
from osteotrace.findings import (
    Assessment,
    Case,
    Certainty,
    Fact,
    Finding,
    Presence,
    Source,
)
from osteotrace.measurements.measurement import Measurement, Method, measured
from osteotrace.uids import new_uid

READER = "Reader One"


def finding(
    site: str,
    presence: Presence = "present",
    certainty: Certainty = "definite",
    kind: str = "vcf",
    measurements: tuple[Measurement, ...] = (),
) -> Finding:
    return Finding(
        tracking_uid=new_uid(),
        label=site.upper(),
        kind=kind,
        site=site,
        presence=presence,
        certainty=certainty,
        measurements=measurements,
    )


def heights(
    anterior: float, *, u: float | None = 0.1, method: str = "1", posterior: float = 28.0
) -> tuple[Measurement, ...]:
    """Anterior and posterior height of a body, mm."""
    return tuple(
        measured(
            name,
            value,
            "mm",
            method=Method(name="osteotrace vertebra, body mask", version=method),
            sources=(),
            uncertainty=u,
            uncertainty_reason="" if u is not None else "marks as placed",
            definition="at 10, 50 and 90 % of the depth",
        )
        for name, value in (
            ("height_anterior", anterior),
            ("height_posterior", posterior),
        )
    )


def grade(low: int, high: int) -> Measurement:
    """A proposed grade, or two that it lies between."""
    return measured(
        "genant_grade",
        low,
        "{grade}",
        method=Method(name="osteotrace vertebra, levels compared", version="1"),
        sources=(),
        uncertainty_reason="proposed",
        interval95=None if low == high else (low, high),
        definition=f"proposed, not read: largest loss {10 * high} %",
    )


def body(site: str, *measurements: Measurement) -> Finding:
    """A vertebra that was measured, of which no reader says that it is broken."""
    return finding(site, kind="vertebra", measurements=measurements)


def fact(
    site: str,
    name: str,
    value: bool | str | None,
    *,
    when: str = "",
    approximate: bool = False,
    author: str = READER,
    source: Source = "entered",
) -> Fact:
    return Fact(
        name=name,
        value=value,
        source=source,
        author=author,
        recorded="2023-10-01T09:00:00",
        date=when,
        site=site,
        approximate=approximate,
    )


def exam(
    when: str, *findings: Finding, facts: tuple[Fact, ...] = (), reader: str = READER
) -> Assessment:
    """Return a reading; facts without a date of their own are of its day."""
    return Assessment(
        assessment_uid=new_uid(),
        study_uid=new_uid(),
        patient="P-1",
        study_date=when,
        reader=reader,
        recorded=f"{when or '2023-10-01'}T12:00:00",
        series=(),
        software="test",
        findings=findings,
        facts=tuple(
            one if one.date else msgspec.structs.replace(one, date=when) for one in facts
        ),
    )


def case(*exams: Assessment, facts: tuple[Fact, ...] = ()) -> Case:
    return Case(patient="P-1", assessments=exams, facts=facts)


# The rebound fractures of the founding paper: L1 in July, L2 and a suspected L5 on
# 3 September, L3 on 27 September; cement in L4 from before, then in L1, L2 and L5.
REBOUND = case(
    exam("2022-08-15", finding("l4", kind="cement"), finding("l4")),
    exam(
        "2023-07-15",
        finding("l1"),
        *(finding(site, "absent") for site in ("l2", "l3", "l5")),
        facts=(fact("l1", "vcf_new", value=True, approximate=True),),
    ),
    exam("2023-08-30", finding("l1", kind="cement")),
    exam("2023-09-03", finding("l2"), finding("l5", certainty="possible")),
    exam("2023-09-04", finding("l2", kind="cement"), finding("l5", kind="cement")),
    exam("2023-09-27", finding("l3"), finding("l2"), finding("l5")),
)


def test_the_rebound_case_gives_four_levels_each_at_its_date() -> None:
    found = incident_fractures(REBOUND)
    assert [(one.site, one.first_seen, one.last_without) for one in found] == [
        ("l1", "2023-07-15", ""),
        ("l2", "2023-09-03", "2023-07-15"),
        ("l5", "2023-09-03", "2023-07-15"),
        ("l3", "2023-09-27", "2023-07-15"),
    ]
    assert [one.suspected for one in found] == [False, False, True, False]
    assert [one.approximate for one in found] == [True, False, False, False]
    assert found[0].bases == ("stated new",)
    assert found[1].bases == ("present after absent",)
    assert not any(one.proposed for one in found)


@pytest.mark.parametrize(
    ("until", "sites"),
    [
        ("2023-07-14", []),
        ("2023-07-15", ["l1"]),
        ("2023-09-02", ["l1"]),
        ("2023-09-03", ["l1", "l2", "l5"]),
        ("2023-09-27", ["l1", "l2", "l5", "l3"]),
    ],
)
def test_a_fracture_counts_from_the_date_it_was_first_seen(
    until: str, sites: list[str]
) -> None:
    assert [one.site for one in incident_fractures(REBOUND, until=until)] == sites


def test_a_fracture_lies_between_the_last_images_without_it_and_the_first_with_it() -> (
    None
):
    l2 = incident_fractures(REBOUND)[1]
    assert l2.onset == (date(2023, 7, 15), date(2023, 9, 3))


def test_a_level_never_looked_at_before_has_a_fracture_of_unknown_age() -> None:
    one = case(exam("2023-07-15", finding("l1"), finding("l2", "absent")))
    assert incident_fractures(one) == ()
    (old,) = fractures_of_unknown_age(one)
    assert (old.site, old.first_seen, old.cemented) == ("l1", "2023-07-15", False)


def test_the_cement_of_a_level_is_dated_by_the_first_images_that_show_it() -> None:
    assert cement_dates(REBOUND) == {
        "l1": "2023-08-30",
        "l2": "2023-09-04",
        "l4": "2022-08-15",
        "l5": "2023-09-04",
    }


# What a reader states ----------------------------------------------------------------


def test_a_reader_who_calls_a_fracture_new_is_believed_without_earlier_images() -> None:
    one = case(
        exam("2023-07-15", finding("l1"), facts=(fact("l1", "vcf_new", value=True),))
    )
    (found,) = incident_fractures(one)
    assert (found.first_seen, found.last_without) == ("2023-07-15", "")
    assert found.onset == (None, date(2023, 7, 15))
    assert fractures_of_unknown_age(one) == ()


def test_a_reader_who_calls_a_fracture_old_outranks_absence_and_heights() -> None:
    one = case(
        exam("2022-01-01", finding("l1", "absent", measurements=heights(27.0))),
        exam(
            "2023-01-01",
            finding("l1", measurements=heights(15.0)),
            facts=(fact("l1", "vcf_new", value=False),),
        ),
    )
    assert incident_fractures(one) == ()
    assert fractures_of_unknown_age(one) == ()


def test_a_fact_of_the_patient_with_its_own_date_counts_as_one_of_a_reading() -> None:
    one = case(facts=(fact("t12", "vcf_new", value=True, when="2023-05"),))
    (found,) = incident_fractures(one)
    assert (found.site, found.onset[1]) == ("t12", date(2023, 5, 31))


def test_a_suspected_fracture_stays_suspected_when_it_is_called_new() -> None:
    one = case(
        exam(
            "2023-09-03",
            finding("l5", certainty="possible"),
            facts=(fact("l5", "vcf_new", value=True),),
        )
    )
    assert incident_fractures(one)[0].certainty == "possible"


def test_a_level_not_looked_at_is_not_one_without_a_fracture() -> None:
    one = case(
        exam("2022-01-01", finding("l1", "unknown"), finding("l2", "absent")),
        exam("2023-01-01", finding("l1")),
    )
    assert incident_fractures(one) == ()
    assert [old.site for old in fractures_of_unknown_age(one)] == ["l1"]


def test_an_absence_that_is_only_probable_makes_the_fracture_no_surer() -> None:
    one = case(
        exam("2022-01-01", finding("l1", "absent", "probable")),
        exam("2023-01-01", finding("l1")),
    )
    assert incident_fractures(one)[0].certainty == "probable"


def test_a_fracture_that_came_and_went_in_earlier_readings_is_only_possible() -> None:
    one = case(
        exam("2021-01-01", finding("l1")),
        exam("2022-01-01", finding("l1", "absent")),
        exam("2023-01-01", finding("l1")),
    )
    (found,) = incident_fractures(one)
    assert (found.first_seen, found.certainty) == ("2023-01-01", "possible")


def test_two_readers_who_disagree_on_one_date_make_it_possible() -> None:
    one = case(
        exam("2022-01-01", finding("l1", "absent")),
        exam("2023-01-01", finding("l1"), reader="One"),
        exam("2023-01-01", finding("l1", "absent"), reader="Two"),
    )
    assert incident_fractures(one)[0].certainty == "possible"


def test_facts_that_contradict_each_other_make_it_possible() -> None:
    for answers in ((True, False), (False, True)):
        facts = tuple(fact("l1", "vcf_new", value=answer) for answer in answers)
        (found,) = incident_fractures(
            case(exam("2023-01-01", finding("l1"), facts=facts))
        )
        assert (found.bases, found.certainty) == (("stated new",), "possible")


def test_a_fracture_of_unknown_age_stays_one_when_the_level_breaks_further() -> None:
    one = case(
        exam("2021-01-01", facts=(fact("l1", "genant_grade", value="1"),)),
        exam("2022-01-01", facts=(fact("l1", "genant_grade", value="3"),)),
    )
    assert [new.first_seen for new in incident_fractures(one)] == ["2022-01-01"]
    assert [old.first_seen for old in fractures_of_unknown_age(one)] == ["2021-01-01"]


def test_a_fracture_that_is_later_called_not_new_keeps_its_unknown_age() -> None:
    one = case(
        exam("2021-01-01", finding("l1")),
        exam("2022-01-01", finding("l1"), facts=(fact("l1", "vcf_new", value=False),)),
    )
    assert [old.first_seen for old in fractures_of_unknown_age(one)] == ["2021-01-01"]


def test_the_order_of_the_readings_in_a_case_does_not_matter() -> None:
    backwards = case(*reversed(REBOUND.assessments))
    assert incident_fractures(backwards) == incident_fractures(REBOUND)


def test_an_amended_reading_does_not_count() -> None:
    first = exam("2022-01-01", finding("l1", "absent"))
    wrong = exam("2023-01-01", finding("l1"))
    mended = Assessment(
        assessment_uid=new_uid(),
        study_uid=wrong.study_uid,
        patient="P-1",
        study_date="2023-01-01",
        reader=READER,
        recorded="2023-02-01T12:00:00",
        series=(),
        software="test",
        findings=(finding("l1", "absent"),),
        predecessor_uid=wrong.assessment_uid,
    )
    assert incident_fractures(case(first, wrong, mended)) == ()


# Whoever answers for it -----------------------------------------------------------------


@pytest.mark.parametrize("readers", [("", ""), ("", READER), (READER, " ")])
def test_a_reading_of_nobody_is_a_proposal(readers: tuple[str, str]) -> None:
    first = exam("2022-01-01", finding("l1", "absent"), reader=readers[0])
    now = exam("2023-01-01", finding("l1"), reader=readers[1])
    (found,) = incident_fractures(case(first, now))
    assert found.bases == ("present after absent",)
    assert found.certainty == "possible"
    assert found.proposed
    assert found.suspected


@pytest.mark.parametrize(
    ("author", "source", "proposed"),
    [("", "entered", True), ("", "measured", True), (READER, "measured", False)],
)
def test_a_fact_that_nobody_answers_for_is_a_proposal(
    author: str, source: Source, proposed: bool
) -> None:
    new = fact(
        "l1", "vcf_new", value=True, when="2023-01-01", author=author, source=source
    )
    (found,) = incident_fractures(case(facts=(new,)))
    assert (found.proposed, found.certainty == "possible") == (proposed, proposed)
    in_reading = exam("2023-01-01", facts=(new,), reader="")
    assert incident_fractures(case(in_reading)) == (found,)


def test_what_nobody_answers_for_denies_nothing() -> None:
    first = exam("2022-01-01", finding("l1", "absent"))
    last = exam("2023-01-01", finding("l1"))
    denied = exam("2023-01-01", finding("l1", "absent"), reader="")
    old = fact("l1", "vcf_new", value=False, when="2023-01-01", author="")
    (found,) = incident_fractures(case(first, last, denied, facts=(old,)))
    assert (found.certainty, found.proposed) == ("definite", False)


def test_a_grade_of_nobody_proposes_a_rise() -> None:
    grades = [
        fact("l1", "genant_grade", value=value, when=when, author="")
        for when, value in (("2022-01-01", "0"), ("2023-01-01", "2"))
    ]
    (found,) = incident_fractures(case(facts=tuple(grades)))
    assert found.proposed
    assert found.certainty == "possible"


@pytest.mark.parametrize(
    ("certainty", "suspected"),
    [("definite", False), ("probable", False), ("possible", True), ("unknown", True)],
)
def test_a_probable_fracture_is_accepted_and_a_possible_one_is_suspected(
    certainty: Certainty, suspected: bool
) -> None:
    one = case(
        exam("2022-01-01", finding("l1", "absent")),
        exam("2023-01-01", finding("l1", certainty=certainty)),
    )
    assert incident_fractures(one)[0].suspected is suspected


def test_a_fracture_with_a_grade_of_0_by_one_reader_is_only_possible() -> None:
    one = case(
        exam("2022-01-01", finding("l1", "absent")),
        exam(
            "2023-01-01",
            finding("l1"),
            facts=(fact("l1", "genant_grade", value="0"),),
        ),
    )
    assert incident_fractures(one)[0].certainty == "possible"


@pytest.mark.parametrize("stated", ["2023-07", "2023", ""])
def test_a_fracture_stated_twice_at_dates_that_overlap_is_one(stated: str) -> None:
    patient = fact("l1", "vcf_new", value=True, when=stated)
    own = exam("2023-07-15", finding("l1"), facts=(fact("l1", "vcf_new", value=True),))
    (found,) = incident_fractures(case(own, facts=(patient,)))
    assert (found.first_seen, found.certainty) == ("2023-07-15", "definite")


def test_a_fracture_stated_as_new_again_at_a_later_date_stands_twice() -> None:
    facts = tuple(
        fact("l1", "vcf_new", value=True, when=when) for when in ("2023-07", "2023-08")
    )
    found = incident_fractures(case(facts=facts))
    assert [one.first_seen for one in found] == ["2023-07", "2023-08"]


# Grades that a reader gave -----------------------------------------------------------


def _graded(*grades: tuple[str, str]) -> Case:
    return case(
        *(
            exam(when, facts=(fact("l1", "genant_grade", value=value),))
            for when, value in grades
        )
    )


@pytest.mark.parametrize(
    ("first", "last", "certainty"),
    [
        ("0", "2", "definite"),
        ("1", "2", "possible"),
        ("2", "3", "definite"),
        ("0", "1", "possible"),
    ],
)
def test_a_grade_that_rises_by_one_is_a_fracture_and_grade_1_alone_is_unsure(
    first: str, last: str, certainty: str
) -> None:
    (found,) = incident_fractures(_graded(("2022-01-01", first), ("2023-01-01", last)))
    assert "grade read" in found.bases
    assert found.certainty == certainty
    assert found.last_without == "2022-01-01"


@pytest.mark.parametrize(
    ("first", "last"), [("0", "0.5"), ("0.5", "1"), ("2", "2"), ("3", "2")]
)
def test_a_grade_that_rises_by_less_than_one_is_none(first: str, last: str) -> None:
    assert not incident_fractures(_graded(("2022-01-01", first), ("2023-01-01", last)))


def test_a_level_that_breaks_further_stands_twice() -> None:
    found = incident_fractures(
        _graded(
            ("2021-01-01", "0"),
            ("2022-01-01", "2"),
            ("2022-06-01", "2"),
            ("2023-01-01", "3"),
        )
    )
    assert [(one.first_seen, one.last_without) for one in found] == [
        ("2022-01-01", "2021-01-01"),
        ("2023-01-01", "2022-06-01"),
    ]


# What numbers propose ----------------------------------------------------------------


def _measured(first: Finding, last: Finding) -> tuple[object, ...]:
    return incident_fractures(case(exam("2022-01-01", first), exam("2023-01-01", last)))


@pytest.mark.parametrize(
    ("before", "after", "u", "certainty"),
    [
        (27.0, 20.0, 0.1, "probable"),
        (27.0, 20.0, None, "possible"),
        # 21.0 %, 5.7 mm: within 1.96 u of 20 %.
        (27.0, 21.3, 0.4, "possible"),
        # 22 %, but 3.5 mm of a low body: 4 mm is within reach of u 0.3 alone.
        (16.0, 12.5, 0.3, "possible"),
    ],
)
def test_a_height_that_falls_by_20_percent_and_4_mm_proposes_a_fracture(
    before: float, after: float, u: float | None, certainty: str
) -> None:
    (found,) = incident_fractures(
        case(
            exam("2022-01-01", body("l1", *heights(before, u=u))),
            exam("2023-01-01", body("l1", *heights(after, u=u))),
        )
    )
    assert found.bases == ("height",)
    assert found.proposed
    assert found.certainty == certainty


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # 18.5 %, 5 mm; 25 %, 3 mm; a height that grew.
        (27.0, 22.0),
        (12.0, 9.0),
        (20.0, 27.0),
    ],
)
def test_a_height_that_falls_by_less_than_either_cut_proposes_none(
    before: float, after: float
) -> None:
    assert not _measured(body("l1", *heights(before)), body("l1", *heights(after)))


def test_a_fall_that_both_uncertainties_leave_open_is_none() -> None:
    first, last = (body("l1", *heights(height, u=2.0)) for height in (25.0, 19.9))
    assert not _measured(first, last)


def test_heights_of_two_methods_are_not_compared() -> None:
    assert not _measured(
        body("l1", *heights(27.0)), body("l1", *heights(15.0, method="2"))
    )


def test_a_slow_collapse_is_seen_against_the_oldest_images_that_compare() -> None:
    """27, 24 and 21 mm: no step is 20 %, the whole is 22 % and 6 mm."""
    steps = (("2021-01-01", 27.0), ("2022-01-01", 24.0), ("2023-01-01", 21.0))
    (found,) = incident_fractures(
        case(*(exam(when, body("l1", *heights(height))) for when, height in steps))
    )
    assert (found.first_seen, found.last_without) == ("2023-01-01", "2021-01-01")


def test_a_reader_who_saw_no_fracture_outranks_the_heights() -> None:
    assert not _measured(
        body("l1", *heights(27.0)), finding("l1", "absent", measurements=heights(15.0))
    )


def test_grades_that_readers_gave_outrank_proposed_ones() -> None:
    one = case(
        *(
            exam(
                when,
                body("l1", *heights(height), grade(number, number)),
                facts=(fact("l1", "genant_grade", value="1"),),
            )
            for when, height, number in (("2022-01-01", 27.0, 0), ("2023-01-01", 15.0, 3))
        )
    )
    assert incident_fractures(one) == ()


@pytest.mark.parametrize(
    ("first", "last", "certainty"),
    [
        ((0, 0), (2, 2), "probable"),
        ((0, 1), (1, 2), "possible"),
        ((0, 0), (1, 1), "possible"),
    ],
)
def test_a_proposed_grade_counts_where_a_height_fell_beyond_repeatability(
    first: tuple[int, int], last: tuple[int, int], certainty: str
) -> None:
    pair = [
        exam(when, body("l1", grade(*number), *heights(height)))
        for when, height, number in (
            ("2022-01-01", 20.0, first),
            ("2023-01-01", 17.0, last),
        )
    ]
    (found,) = incident_fractures(case(*pair))
    assert (found.bases, found.certainty) == (("grade measured",), certainty)


def test_a_proposed_grade_that_rises_while_no_height_fell_is_none() -> None:
    assert not _measured(
        body("l1", grade(0, 0), *heights(24.0)), body("l1", grade(2, 2), *heights(23.5))
    )


def test_the_reader_decides_how_sure_a_fracture_is_that_numbers_propose_too() -> None:
    one = case(
        exam("2022-01-01", finding("l1", "absent", measurements=heights(27.0))),
        exam(
            "2023-01-01",
            finding("l1", certainty="possible", measurements=heights(18.0)),
        ),
    )
    (found,) = incident_fractures(one)
    assert found.bases == ("present after absent", "height")
    assert found.certainty == "possible"
    assert not found.proposed


# Cement and dates --------------------------------------------------------------------


def test_a_cemented_level_is_judged_by_what_a_reader_states_as_new_alone() -> None:
    before = exam("2022-01-01", finding("l1", "absent", measurements=heights(27.0)))
    cement = exam("2023-01-01", finding("l1", kind="cement"))
    after = exam("2023-02-01", finding("l1", measurements=heights(15.0)))
    assert incident_fractures(case(before, cement, after)) == ()
    (old,) = fractures_of_unknown_age(case(before, cement, after))
    assert old.cemented
    stated = exam("2023-02-01", facts=(fact("l1", "vcf_new", value=True),))
    (found,) = incident_fractures(case(before, cement, after, stated))
    assert found.bases == ("stated new",)


def test_a_level_counts_until_its_cement_is_seen() -> None:
    before = exam("2022-01-01", finding("l1", "absent"))
    broken = exam("2022-12-31", finding("l1"))
    cement = exam("2023-01-01", finding("l1", kind="cement"))
    (found,) = incident_fractures(case(before, broken, cement))
    assert found.first_seen == "2022-12-31"


def test_cement_that_was_looked_for_and_not_found_masks_nothing() -> None:
    one = case(
        exam("2022-01-01", finding("l1", "absent")),
        exam("2023-01-01", finding("l1"), finding("l1", "absent", kind="cement")),
    )
    assert [found.site for found in incident_fractures(one)] == ["l1"]


def test_dates_that_overlap_do_not_tell_before_from_after() -> None:
    one = case(exam("2023", finding("l1", "absent")), exam("2023-05-01", finding("l1")))
    assert incident_fractures(one) == ()
    assert [old.site for old in fractures_of_unknown_age(one)] == ["l1"]


def test_what_may_lie_after_the_last_date_is_possible() -> None:
    one = case(
        exam("2022-01-01", finding("l1", "absent")), exam("2023-08", finding("l1"))
    )
    assert incident_fractures(one, until="2023-08-15")[0].certainty == "possible"
    assert incident_fractures(one, until="2023-08-31")[0].certainty == "definite"
    assert incident_fractures(one, until="2023-07-31") == ()


def test_a_reading_without_a_date_has_no_place_in_time() -> None:
    one = case(exam("", finding("l1", "absent")), exam("2023-05-01", finding("l1")))
    assert incident_fractures(one) == ()
    undated = case(exam("2022-01-01", finding("l1", "absent")), exam("", finding("l1")))
    assert incident_fractures(undated) == ()
    (old,) = fractures_of_unknown_age(undated)
    assert old.first_seen == ""


def test_sites_that_are_no_vertebra_give_no_fracture() -> None:
    one = case(
        exam("2022-01-01", finding("spine", "absent")),
        exam("2023-01-01", finding("spine")),
    )
    assert incident_fractures(one) == ()
