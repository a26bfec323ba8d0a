"""A case compared: every state from a truth known beforehand, dates, readers, events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.fixtures.compared import (
    ball,
    case,
    compared,
    finding,
    lesion,
    reading,
    value,
)

from osteotrace.change import Absolute, Repeatability
from osteotrace.codes import KINDS, QUANTITIES
from osteotrace.comparison import (
    PRIMARY,
    Link,
    compare,
    primaries,
    study_names,
    study_readings,
)
from osteotrace.comparison.primary import deciding
from osteotrace.errors import OsteotraceError
from osteotrace.findings import DrugCourse, Fact, Finding, StagingResult
from osteotrace.geometry import Grid
from osteotrace.measurements.measurement import Method, NotMeasured

BEFORE, AFTER = "2023-06-20", "2024-01-15"


def gap(mm: float, uid: str = "2.25.1", **parts: Any) -> Finding:
    return finding(
        "PAL-1",
        "palatal_bony_defect",
        "hard_palate",
        uid=uid,
        measurements=(value("palatal_gap_ap", mm, **parts),),
    )


# The primary quantity ----------------------------------------------------------------


def test_every_kind_has_a_primary_quantity_of_the_vocabulary() -> None:
    assert set(PRIMARY) == set(KINDS)
    named = {one.quantity for each in PRIMARY.values() for one in each}
    assert named <= set(QUANTITIES)
    assert all(
        len({one.quantity for one in each}) == len(each) for each in PRIMARY.values()
    )


@pytest.mark.parametrize(
    ("kind", "quantity"),
    [
        ("sequestrum", "excess_density_volume"),
        ("palatal_bony_defect", "palatal_gap_ap"),
        ("soft_tissue_defect", "soft_tissue_notch"),
        ("marrow_edema", "edema_volume"),
        ("bone_expansion", "asymmetry_index_volume"),
        ("vcf", "height_anterior"),
        ("moth_eaten", "cortical_breach_fraction"),
        ("gas", "gas_volume"),
        ("cement", "cement_volume"),
    ],
)
def test_the_primary_quantity_of_a_kind_is_named(kind: str, quantity: str) -> None:
    assert primaries(kind)[0].quantity == quantity


def test_what_was_measured_at_one_date_alone_does_not_decide() -> None:
    volume, diameter = (
        value("excess_density_volume", 70.0),
        value("longest_diameter", 7.0),
    )
    refused = NotMeasured(
        name=volume.name, code=volume.code, reason="too small", method=volume.method
    )
    for later in ((diameter,), (refused, diameter)):
        found = deciding("sequestrum", (volume, diameter), later)
        assert found is not None
        assert found.quantity == "longest_diameter"
    assert deciding("sequestrum", (volume,), (diameter,)) is None


@pytest.mark.parametrize(
    ("kind", "earlier", "later", "grown"),
    [
        ("gas", 10.0, 20.0, True),
        ("gas", 20.0, 10.0, False),
        ("vcf", 27.0, 21.0, True),
        ("vcf", 21.0, 27.0, False),
        ("bone_expansion", 23.0, 5.0, False),
        ("bone_expansion", -23.0, -5.0, False),
        ("bone_expansion", -5.0, -23.0, True),
    ],
)
def test_growth_has_a_direction_by_kind(
    kind: str, earlier: float, later: float, grown: bool
) -> None:
    assert primaries(kind)[0].has_grown(earlier, later) is grown


# States ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "state"),
    [(12.07, 12.05, "stable"), (12.07, 14.0, "growing"), (14.0, 12.0, "shrinking")],
)
def test_a_lesion_has_grown_only_beyond_repeatability(
    first: float, last: float, state: str
) -> None:
    one = lesion(
        compared(reading(BEFORE, gap(first)), reading(AFTER, gap(last))), "PAL-1"
    )
    assert one.state == state
    (step,) = one.steps
    assert step.primary == "palatal_gap_ap"
    assert not step.proposed
    assert step.changes[0].is_real is (state != "stable")
    if state == "stable":
        assert "within measurement error" in step.reason


def test_a_vertebra_that_lost_height_has_grown_worse() -> None:
    heights = (27.0, 21.0)
    readings = [
        reading(date, finding("L1", "vcf", "l1", height_anterior=mm))
        for date, mm in zip((BEFORE, AFTER), heights, strict=True)
    ]
    one = lesion(compared(*readings), "L1")
    assert one.state == "growing"
    assert one.links[0].basis == "level"
    assert one.steps[0].proposed


def test_what_was_looked_for_and_not_found_is_resolved() -> None:
    there = finding("SEQ", "sequestrum", "maxilla", "right", fragment_count=4.0)
    gone = finding("SEQ", "sequestrum", "maxilla", "right", presence="absent")
    (one,) = compared(reading(BEFORE, there), reading(AFTER, gone)).lesions
    assert one.state == "resolved"
    assert one.steps[0].reason.startswith(f"looked for on {AFTER}")
    assert not one.steps[0].proposed


def test_what_nobody_looked_for_is_not_assessed() -> None:
    one = lesion(compared(reading(BEFORE, finding("GAS")), reading(AFTER)), "GAS")
    assert one.state == "not assessed"
    assert one.steps[0].reason == f"nobody says of {AFTER} whether it is there"


def test_a_presence_left_open_is_not_assessed() -> None:
    open_one = finding("GAS", presence="unknown", gas_volume=40.0)
    found = compared(
        reading(BEFORE, finding("GAS", gas_volume=60.0)), reading(AFTER, open_one)
    )
    (step,) = lesion(found, "GAS").steps
    assert step.state == "not assessed"
    assert step.changes[0].change.delta == -20.0


def test_a_lesion_is_new_where_the_earlier_reading_found_none() -> None:
    absent, there = finding("GAS", presence="absent"), finding("GAS-1", gas_volume=60.0)
    (one,) = compared(reading(BEFORE, absent), reading(AFTER, there)).lesions
    assert one.state == "new"
    assert not one.steps[0].proposed
    assert [seen.study for seen in one.seen] == [0, 1]


def test_a_lesion_that_was_not_described_before_is_proposed_as_new() -> None:
    (one,) = compared(reading(BEFORE), reading(AFTER, finding("GAS"))).lesions
    (step,) = one.steps
    assert (step.state, step.proposed, step.reason) == (
        "new",
        True,
        "not described before",
    )


def test_an_absence_without_a_reader_is_a_proposal() -> None:
    there, gone = finding("GAS"), finding("GAS", presence="absent")
    one = lesion(compared(reading(BEFORE, there), reading(AFTER, gone, reader="")), "GAS")
    assert one.state == "resolved"
    assert one.steps[0].proposed


def test_what_is_absent_at_both_dates_stays_absent() -> None:
    dates = (BEFORE, AFTER)
    found = compared(
        *(reading(d, finding("FIST", "fistula", presence="absent")) for d in dates)
    )
    (one,) = found.lesions
    assert one.state == "absent"


def test_a_measured_zero_is_resolved() -> None:
    found = compared(
        *(
            reading(d, finding("GAS", gas_volume=v))
            for d, v in ((BEFORE, 60.0), (AFTER, 0.0))
        )
    )
    assert lesion(found, "GAS").state == "resolved"
    found = compared(
        *(
            reading(d, finding("GAS", gas_volume=v))
            for d, v in ((BEFORE, 0.0), (AFTER, 60.0))
        )
    )
    assert lesion(found, "GAS").state == "new"


def test_a_measured_zero_in_doubt_is_not_resolved() -> None:
    flag = "its place is not certain enough"
    before = reading(BEFORE, finding("GAS", gas_volume=60.0))
    zero = value("gas_volume", 0.0, flags=(flag,))
    after = reading(AFTER, finding("GAS", measurements=(zero,)))
    assert lesion(compared(before, after), "GAS").state == "not comparable"
    let_pass = compared(before, after, accepted_flags=[flag])
    assert lesion(let_pass, "GAS").state == "resolved"


def test_one_absence_speaks_of_every_lesion_of_its_kind_and_place() -> None:
    there = [finding(f"GAS-{n}", gas_volume=10.0 * n) for n in (1, 2)]
    other = finding("GAS-3", site="mandible", gas_volume=5.0)
    found = compared(
        reading(BEFORE, *there, other),
        reading(AFTER, finding("NO GAS", presence="absent")),
    )
    states = {one.label: one.state for one in found.lesions}
    assert states == {"GAS-1": "resolved", "GAS-2": "resolved", "GAS-3": "not assessed"}


def test_what_was_looked_for_by_name_says_nothing_of_its_neighbour() -> None:
    there = [finding(f"GAS-{n}", gas_volume=10.0 * n) for n in (1, 2)]
    found = compared(
        reading(BEFORE, *there), reading(AFTER, finding("GAS-1", presence="absent"))
    )
    states = {one.label: one.state for one in found.lesions}
    assert states == {"GAS-1": "resolved", "GAS-2": "not assessed"}


def test_an_absence_of_the_other_side_says_nothing() -> None:
    there = finding("E", "marrow_edema", "mandible", "left", edema_volume=900.0)
    gone = finding("E", "marrow_edema", "mandible", "right", presence="absent")
    found = compared(reading(BEFORE, there), reading(AFTER, gone))
    assert {(one.laterality, one.state) for one in found.lesions} == {
        ("left", "not assessed"),
        ("right", "not assessed"),
    }


def test_where_nothing_was_measured_twice_nothing_is_compared() -> None:
    one = lesion(
        compared(reading(BEFORE, finding("GAS")), reading(AFTER, finding("GAS"))), "GAS"
    )
    assert one.state == "not comparable"


def test_a_flagged_value_is_not_comparable_and_says_why() -> None:
    found = compared(
        reading(BEFORE, gap(12.0)), reading(AFTER, gap(15.0, flags=("metal",)))
    )
    (step,) = lesion(found, "PAL-1").steps
    assert step.state == "not comparable"
    assert "metal" in step.reason


def test_other_quantities_are_shown_and_do_not_vote() -> None:
    def both(ap: float, transverse: float) -> Finding:
        values = value("palatal_gap_transverse", transverse), value("palatal_gap_ap", ap)
        return finding("PAL-1", "palatal_bony_defect", uid="2.25.1", measurements=values)

    found = compared(reading(BEFORE, both(12.0, 20.0)), reading(AFTER, both(12.1, 30.0)))
    (step,) = lesion(found, "PAL-1").steps
    assert step.state == "stable"
    assert [one.name for one in step.changes] == [
        "palatal_gap_ap",
        "palatal_gap_transverse",
    ]
    assert step.changes[1].is_real


def test_one_lesion_that_was_marked_in_two_ways_is_one() -> None:
    def both(volume: float, diameter: float) -> tuple[Finding, ...]:
        kind = "osteolysis"
        return (
            finding("A", kind, uid="2.25.7", longest_diameter=diameter),
            finding("A'", kind, uid="2.25.7", excess_density_volume=volume),
        )

    found = compared(reading(BEFORE, *both(100, 9)), reading(AFTER, *both(160, 9.2)))
    (one,) = found.lesions
    assert [len(seen.findings) for seen in one.seen] == [2, 2]
    (step,) = one.steps
    assert (step.state, step.primary) == ("stable", "longest_diameter")
    assert {c.name: c.change.delta for c in step.changes} == {
        "longest_diameter": pytest.approx(0.2),
        "excess_density_volume": 60.0,
    }


def test_a_fracture_of_a_measured_vertebra_is_new() -> None:
    sound = finding("L2", "vertebra", "l2", height_anterior=26.7)
    broken = finding("L2", "vcf", "l2", height_anterior=21.4)
    new = Fact(
        name="vcf_new", value=True, source="entered", author="Reader One",
        recorded="", date=AFTER, site="l2",
    )  # fmt: skip
    readings = [reading(BEFORE, sound), reading(AFTER, broken)]
    plain = compare(case(*readings))
    assert lesion(plain, "L2").state == "new"
    assert lesion(plain, "L2").kind == "vcf"
    stated = compare(case(*readings, facts=(new,)))
    assert [one.site for one in stated.fractures] == ["l2"]
    assert not lesion(stated, "L2").steps[0].proposed
    assert ("fracture", AFTER) in [(one.kind, one.start) for one in stated.events]


# Several dates -----------------------------------------------------------------------


def test_one_lesion_keeps_its_uid_through_five_dates() -> None:
    dates = ("2007-03-12", "2007-08-12", "2012-03-14", "2012-10-11", "2014-03-17")
    index = (23.2, 19.4, 5.4, 6.1, 2.4)
    found = compared(
        *(
            reading(
                date,
                finding("EXP", "bone_expansion", uid="2.25.9", asymmetry_index_volume=mm),
                modalities=("MR",),
            )
            for date, mm in zip(dates, index, strict=True)
        )
    )
    (one,) = found.lesions
    assert one.tracking_uid == "2.25.9"
    assert [step.state for step in one.steps] == [
        "stable",
        "shrinking",
        "stable",
        "stable",
    ]
    assert all(link.basis == "tracked" and not link.proposed for link in one.links)
    assert one.whole is not None
    assert (one.whole.earlier, one.whole.later, one.state) == (0, 4, "shrinking")
    assert [one.name for one in found.studies] == [
        "month 0",
        "month 5",
        "month 60",
        "month 67",
        "month 84",
    ]


def test_a_lesion_that_comes_back_is_called_and_is_the_same() -> None:
    presences = ("present", "absent", "absent", "present", "absent")
    dates = ("2007-03-12", "2007-08-12", "2012-03-14", "2012-10-11", "2014-03-17")
    found = compared(
        *(
            reading(date, finding("E", "marrow_edema", "mandible", "left", presence=p))  # type: ignore[arg-type]
            for date, p in zip(dates, presences, strict=True)
        )
    )
    (one,) = found.lesions
    assert [step.state for step in one.steps] == ["resolved", "absent", "new", "resolved"]
    assert "there again: it had been on 2007-03-12" in one.steps[2].reason
    assert one.state == "resolved"


def test_a_lesion_that_arose_in_between_is_new_in_the_whole() -> None:
    dates = ("2023-01-01", "2023-03-01", "2023-05-01", "2023-07-01")
    volumes = {1: 900.0, 2: 400.0, 3: 300.0}
    readings = [
        reading(
            date,
            *(
                [
                    finding(
                        "E", "marrow_edema", "l2", uid="2.25.4", edema_volume=volumes[n]
                    )
                ]
                if n in volumes
                else []
            ),
        )
        for n, date in enumerate(dates)
    ]
    (one,) = compared(*readings).lesions
    assert [step.state for step in one.steps] == ["new", "shrinking", "shrinking"]
    assert one.whole is not None
    assert (one.whole.earlier, one.whole.later, one.state) == (0, 3, "new")
    assert one.whole.reason.startswith(
        "not described before; since 2023-03-01 shrinking: Marrow edema volume: decreased"
    )
    # Nothing was measured at the first date.
    assert one.whole.changes == ()
    gone = finding("E", "marrow_edema", "l2", uid="2.25.4", presence="absent")
    (one,) = compared(*readings[:2], reading(dates[2], gone)).lesions
    assert one.state == "resolved"


def test_a_date_that_passed_a_lesion_over_is_bridged() -> None:
    found = compared(
        reading("2023-01-01", gap(12.0)),
        reading("2023-03-01"),
        reading("2023-05-01", gap(15.0)),
    )
    (one,) = found.lesions
    assert [(s.earlier, s.later, s.state) for s in one.steps] == [
        (0, 1, "not assessed"),
        (0, 2, "growing"),
    ]
    assert [seen.study for seen in one.seen] == [0, 2]


def test_the_last_word_is_open_where_the_last_date_passed_it_over() -> None:
    found = compared(
        reading("2023-01-01", gap(12.0)),
        reading("2023-03-01", gap(12.1)),
        reading("2023-05-01"),
    )
    assert lesion(found, "PAL-1").state == "not assessed"


def test_a_modality_that_was_not_read_says_nothing() -> None:
    edema = finding("E", "marrow_edema", "l1", edema_volume=900.0)
    found = compared(reading(BEFORE, edema, modalities=("MR",)), reading(AFTER))
    assert lesion(found, "E").steps[0].reason == f"no MR was read on {AFTER}"
    later = compared(reading(BEFORE), reading(AFTER, edema, modalities=("MR",)))
    (step,) = lesion(later, "E").steps
    assert (step.state, step.reason) == ("not assessed", f"no MR was read on {BEFORE}")


def test_a_place_outside_the_later_images_is_not_assessed() -> None:
    frame = "2.25.44"
    first = reading(
        BEFORE, finding("GAS", masks=(ball((0, 0, 90), 3, frame),)), frame=frame
    )
    last = reading(AFTER, frame=frame)
    shown = Grid(
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0.0, 1, 0]),
        pixel_spacing=np.array([1.0, 1.0]),
        origins=np.array([[-20.0, -20.0, z] for z in range(40)]),
        rows=40,
        columns=40,
    )
    uid = last.series[0].series_uid
    (one,) = compared(first, last, extents={uid: shown}).lesions
    assert one.steps[0].reason == f"its place lies outside the images of {AFTER}"


# Dates, readers, names ---------------------------------------------------------------


def test_change_a_month_is_told_over_the_time_between() -> None:
    (step,) = (
        compared(reading(BEFORE, gap(12.0)), reading(AFTER, gap(15.0))).lesions[0].steps
    )
    (change,) = step.changes
    assert change.months is not None
    assert change.months[0] == pytest.approx(209 / 30.436875)
    assert change.per_month == pytest.approx(3.0 / (209 / 30.436875))
    assert change.uncertainties == (0.01, 0.01)


@pytest.mark.parametrize(
    ("dates", "told"),
    [
        (("2012", "2013"), False),
        (("2012", "2012-06-01"), False),
        (("2011-12", "2012-01"), False),
        (("2012", "2015"), True),
        (("2011-12", "2012-06"), True),
    ],
)
def test_partial_dates_that_leave_the_time_open_give_no_change_a_month(
    dates: tuple[str, str], told: bool
) -> None:
    (one,) = compared(
        *(reading(d, gap(v)) for d, v in zip(dates, (12.0, 15.0), strict=True))
    ).lesions
    assert (one.steps[0].changes[0].per_month is not None) is told


def test_a_missing_date_keeps_its_place_and_gives_no_change_a_month() -> None:
    found = compared(
        reading("2024-01-15", gap(14.0)),
        reading("", gap(13.0)),
        reading("2023-06-20", gap(12.0)),
    )
    assert [one.date for one in found.studies] == ["2023-06-20", "2024-01-15", ""]
    assert found.studies[2].name == "study 3"
    (note,) = found.notes
    assert note.startswith("study 3 has no date")
    steps = found.lesions[0].steps
    assert [step.changes[0].per_month is None for step in steps] == [False, True]


def test_two_studies_are_before_and_after_and_many_their_dates() -> None:
    dates = ("2023-07-15", "2023-09-03", "2023-09-27")
    assert study_names(study_readings(case(*map(reading, dates)))) == dates
    assert study_names(study_readings(case(*map(reading, dates[:2])))) == (
        "before",
        "after",
    )
    same = study_readings(case(*map(reading, (*dates[:1], *dates[:1], *dates[2:]))))
    assert study_names(same) == ("2023-07-15 (1)", "2023-07-15 (2)", "2023-09-27")


def test_names_may_be_given() -> None:
    readings = [reading(BEFORE), reading(AFTER)]
    found = compared(*readings, names={readings[0].assessment_uid: "baseline"})
    assert [one.name for one in found.studies] == ["baseline", "after"]


def test_one_reader_of_a_study_is_compared_and_the_others_are_named() -> None:
    one = reading(AFTER, gap(15.0), study="2.25.6", reader="Reader One")
    other = reading(
        AFTER, gap(12.0), study="2.25.6", reader="Reader Two", recorded="2024-02-01T00:00"
    )
    first = reading(BEFORE, gap(12.0))
    assert compared(first, one, other).lesions[0].state == "stable"
    chosen = compared(first, one, other, reader="Reader One")
    assert chosen.lesions[0].state == "growing"
    assert chosen.notes == (
        "2024-01-15 was also read by Reader Two: the reading of Reader One is compared",
    )


def test_an_amended_reading_is_left_out() -> None:
    old = reading(AFTER, gap(15.0), study="2.25.6")
    new = reading(AFTER, gap(12.0), study="2.25.6", predecessor=old.assessment_uid)
    found = compared(reading(BEFORE, gap(12.0)), old, new)
    assert found.lesions[0].state == "stable"
    assert found.notes == ()


def test_two_readers_are_judged_by_what_two_differ_by() -> None:
    first, last = reading(BEFORE, gap(12.0)), reading(AFTER, gap(13.8))
    assert compared(first, last).lesions[0].state == "growing"
    other = reading(AFTER, gap(13.8), reader="Reader Two")
    assert compared(first, other).lesions[0].state == "stable"


def test_one_study_compares_with_nothing() -> None:
    with pytest.raises(OsteotraceError, match="one study that was read") as caught:
        compared(reading(BEFORE))
    assert caught.value.usage
    with pytest.raises(OsteotraceError, match="no study"):
        compared()


def test_a_prior_without_findings_compares_and_says_so() -> None:
    found = compared(reading(BEFORE), reading(AFTER, gap(12.0)))
    assert lesion(found, "PAL-1").steps[0].proposed


# What a change depends on ------------------------------------------------------------


def test_a_sites_own_repeatability_takes_the_place_of_the_default() -> None:
    own = Repeatability(
        id="site", quantities=("palatal_gap_ap",), subject="", published="", source="us",
        evidence="V", same_reader=Absolute(value=0.05, unit="mm"),
    )  # fmt: skip
    readings = reading(BEFORE, gap(12.0)), reading(AFTER, gap(12.2))
    assert compared(*readings).lesions[0].state == "stable"
    found = compared(*readings, repeatabilities={"palatal_gap_ap": own})
    assert found.lesions[0].state == "growing"
    assert found.lesions[0].steps[0].changes[0].change.limit_origin == "us"


def test_carried_marks_are_judged_by_what_refitting_repeats() -> None:
    readings = reading(BEFORE, gap(12.0)), reading(AFTER, gap(12.5))
    assert compared(*readings).lesions[0].state == "stable"
    link = Link(earlier_uid="2.25.1", later_uid="2.25.1", basis="carried")
    found = compared(*readings, confirmed=[link])
    assert found.lesions[0].state == "growing"
    assert found.lesions[0].steps[0].proposed
    signed = msgspec.structs.replace(link, confirmed_by="Reader One")
    assert not compared(*readings, confirmed=[signed]).lesions[0].steps[0].proposed


def test_the_error_of_the_transform_widens_the_limit() -> None:
    link = Link(
        earlier_uid="2.25.1", later_uid="2.25.1", basis="carried", confirmed_by="R"
    )
    first, last = reading(BEFORE, gap(12.0)), reading(AFTER, gap(12.5))
    key = last.assessment_uid, "2.25.1", "palatal_gap_ap"
    found = compared(first, last, confirmed=[link], registration={key: 0.4})
    (step,) = found.lesions[0].steps
    assert step.state == "stable"
    assert step.changes[0].u_registration == 0.4
    assert step.changes[0].change.limit == pytest.approx(
        np.hypot(0.3 + 0.002 * 12.5, 1.96 * 0.4)
    )


def test_marks_that_were_carried_once_are_not_taken_as_carried_before() -> None:
    dates = ("2023-01-01", "2023-03-01", "2023-05-01")
    readings = [
        reading(date, gap(mm)) for date, mm in zip(dates, (12.0, 12.6, 13.2), strict=True)
    ]
    link = Link(
        earlier_uid="2.25.1", later_uid="2.25.1", basis="carried", confirmed_by="R"
    )
    key = readings[2].assessment_uid, "2.25.1", "palatal_gap_ap"
    (one,) = compared(*readings, confirmed=[link], registration={key: 0.01}).lesions
    assert [step.state for step in one.steps] == ["stable", "growing"]
    assert [link.basis for link in one.links] == ["tracked", "carried"]


def test_two_methods_are_not_compared() -> None:
    other = Method(name="by hand", version="2")
    found = compared(reading(BEFORE, gap(12.0)), reading(AFTER, gap(20.0, method=other)))
    (step,) = found.lesions[0].steps
    assert step.state == "not comparable"
    assert "two methods" in step.reason


# Beside the lesions ------------------------------------------------------------------


def _stage(system: str, low: str, high: str, site: str = "") -> StagingResult:
    return StagingResult(
        system=system, version="1", date=BEFORE, stages=("0", "1", "2", "3"), lowest=low,
        highest=high, possible=(low, high), source="", site=site,
    )  # fmt: skip


def test_stagings_stand_side_by_side() -> None:
    found = compared(
        reading(
            BEFORE,
            stagings=(_stage("aaoms_2022", "2", "3"), _stage("genant", "1", "1", "l1")),
        ),
        reading(AFTER, stagings=(_stage("aaoms_2022", "0", "0"),)),
    )
    rows = {(one.system, one.site): one.results for one in found.stagings}
    assert [r and r.as_text for r in rows["aaoms_2022", ""]] == ["2..3", "0"]
    assert [r and r.as_text for r in rows["genant", "l1"]] == ["1", None]


def _fact(name: str, answer: Any, date: str, **parts: Any) -> Fact:
    return Fact(
        name=name, value=answer, source="entered", author="A", recorded="", date=date,
        **parts,
    )  # fmt: skip


def test_drugs_pain_tests_and_cement_are_on_one_axis() -> None:
    drug = DrugCourse(
        drug="denosumab", author="A", recorded="", route="subcutaneous",
        first_dose="2020-02", last_dose="2022-10-27",
    )  # fmt: skip
    facts = (
        _fact("pain_vas", 7.0, "2023-08-23", unit="1"),
        _fact("crp", 0.17, "2023-07", unit="mg/dL"),
        _fact("draining_fistula", False, AFTER),
        _fact("status", "healed", AFTER, note="fistula healed"),
        _fact("pus", None, AFTER),
        _fact("cancer", True, ""),
    )
    cement = finding("L4 cement", "cement", "l4", cement_volume=2900.0)
    found = compare(
        case(reading(BEFORE), reading(AFTER, cement), facts=facts, drugs=(drug,))
    )
    told = [(one.kind, one.what, one.start) for one in found.events]
    assert told == [
        ("drug", "denosumab, subcutaneous", "2020-02"),
        ("study", "CT", BEFORE),
        ("laboratory", "CRP", "2023-07"),
        ("pain", "pain VAS", "2023-08-23"),
        ("procedure", "bone cement in L4, by these images", AFTER),
        ("statement", "draining fistula: no", AFTER),
        ("statement", "status: healed (fistula healed)", AFTER),
        ("study", "CT", AFTER),
    ]
    assert found.drugs == (drug,)
    assert found.events[3].value == 7.0


def test_a_child_grows_and_a_note_says_so() -> None:
    readings = reading(BEFORE), reading(AFTER)
    child = compare(case(*readings, facts=(_fact("age", 4.0, BEFORE, unit="a"),)))
    (note,) = child.notes
    assert note.startswith("a child, 4 years old at first: a change in mm is confounded")
    grown = compare(case(*readings, facts=(_fact("age", 4.0, "1999", unit="a"),)))
    assert grown.notes == ()
    adult = compare(case(*readings, facts=(_fact("age", 77.0, BEFORE, unit="a"),)))
    assert adult.notes == ()


def test_the_same_case_gives_the_same_comparison() -> None:
    readings = reading(BEFORE, gap(12.0)), reading(AFTER, gap(12.4))
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert compared(*readings, now=now) == compared(*reversed(readings), now=now)
