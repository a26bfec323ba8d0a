"""Which vertebrae broke and between which dates, from what a case states and measures."""

from datetime import date

import pytest

from osteotrace.change import (
    cement_dates,
    fractures_of_unknown_age,
    incident_fractures,
)
from osteotrace.findings import Assessment, Case, Certainty, Fact, Finding, Presence
from osteotrace.uids import new_uid

READER = "Reader One"


def finding(
    site: str,
    presence: Presence = "present",
    certainty: Certainty = "definite",
    kind: str = "vcf",
) -> Finding:
    return Finding(
        tracking_uid=new_uid(),
        label=site.upper(),
        kind=kind,
        site=site,
        presence=presence,
        certainty=certainty,
    )


def fact(
    site: str,
    name: str,
    value: bool | str | None,
    *,
    when: str = "",
    approximate: bool = False,
) -> Fact:
    return Fact(
        name=name,
        value=value,
        source="entered",
        author=READER,
        recorded="2023-10-01T09:00:00",
        date=when,
        site=site,
        approximate=approximate,
    )


def exam(
    when: str, *findings: Finding, facts: tuple[Fact, ...] = (), reader: str = READER
) -> Assessment:
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
        facts=facts,
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
