"""RAI-CROMRIS: points over bone units, disabled until their split is confirmed."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from tests.fixtures.statements import (
    DAY,
    assignments,
    fact,
    finding,
    patient,
    reading,
)

from osteotrace.staging import stage, system_names
from osteotrace.staging.rule_table import evaluate
from osteotrace.staging.systems.rai_cromris import ITEMS, MOST_POINTS, UNCONFIRMED

if TYPE_CHECKING:
    from osteotrace.findings import Assessment, Fact, StagingResult
    from osteotrace.staging.rule_table import Value

TRUTHS = (
    "signal_hyperintense",
    "soft_tissue_or_periosteal",
    "bone_expansion",
    "vertebral_collapse",
)


def staged(*statements: Fact | Assessment) -> StagingResult:
    (one,) = stage(patient(*statements), DAY, systems=["rai_cromris"])
    return one


def unit(
    site: str,
    laterality: str = "",
    *,
    percent: float | None = None,
    **truths: bool | None,
) -> list[Fact]:
    facts = [
        fact(name, value, site=site, laterality=laterality)
        for name, value in truths.items()
    ]
    if percent is not None:
        facts.append(
            fact("signal_extension", percent, unit="%", site=site, laterality=laterality)
        )
    return facts


def read(site: str, percent: float, *, soft: bool, expands: bool) -> list[Fact]:
    """Return a bone unit with signal of which everything is stated."""
    return unit(
        site,
        percent=percent,
        signal_hyperintense=True,
        soft_tissue_or_periosteal=soft,
        bone_expansion=expands,
    )


def points(item: int, known: dict[str, Value]) -> int:
    """Return the points of an item by the split of the specification."""
    if item > 0:
        (value,) = known.values()
        return int(bool(value))
    if not known["signal_hyperintense"]:
        return 0
    return 1 + {"under 25 %": 1, "25 to 50 %": 2, "over 50 %": 3}[str(known["extension"])]


def test_every_full_assignment_of_each_item_gives_its_points() -> None:
    for n, item in enumerate(ITEMS):
        fired = evaluate(item, {}).fired.ravel()
        assert [int(item.rules[rule].outcome) for rule in fired] == [
            points(n, known) for known in assignments(item)
        ]
        assert all(rule.evidence == "D" for rule in item.rules)
    assert MOST_POINTS == 7


def test_every_full_assignment_of_a_vertebra_is_one_number() -> None:
    for percent, values in product((None, 10, 40, 80), product((True, False), repeat=3)):
        soft, expands, collapsed = values
        facts = unit(
            "l1",
            percent=percent,
            signal_hyperintense=percent is not None,
            soft_tissue_or_periosteal=soft,
            bone_expansion=expands,
            vertebral_collapse=collapsed,
        )
        signal = {None: 0, 10: 2, 40: 3, 80: 4}[percent]
        done = staged(*facts)
        assert done.as_text == str(signal + soft + expands + collapsed)
        assert done.possible == (done.lowest,)
        assert done.ask is None


def test_it_is_staged_only_by_name_and_says_why() -> None:
    case = patient(*unit("l1", signal_hyperintense=True))
    assert "rai_cromris" in system_names()
    assert "rai_cromris" not in system_names(enabled_only=True)
    assert not [one for one in stage(case, DAY) if one.system == "rai_cromris"]
    (done,) = stage(case, DAY, systems=["rai_cromris"])
    assert UNCONFIRMED in done.notes
    assert "not confirmed" in UNCONFIRMED


@pytest.mark.parametrize(
    ("percent", "expected"), [(0.1, 2), (24.9, 2), (25, 3), (50, 3), (50.1, 4), (100, 4)]
)
def test_the_share_of_the_bone_at_its_edges(percent: float, expected: int) -> None:
    done = staged(*read("femur", percent, soft=False, expands=False))
    assert done.as_text == str(expected)


def test_units_are_summed_as_intervals() -> None:
    femur = read("femur", 80, soft=True, expands=False)
    rib = unit("rib", signal_hyperintense=True, bone_expansion=False)
    done = staged(*femur, *rib)
    assert done.part("femur").text == "femur 5 of 7"
    assert (done.part("rib").lowest, done.part("rib").highest) == ("2", "5")
    assert done.as_text == "7..10"
    assert done.possible == ("7", "8", "9", "10")
    assert done.stages == tuple(map(str, range(15)))
    assert any("2 bone units" in note for note in done.notes)


def test_a_sum_that_no_assignment_gives_is_left_out() -> None:
    """No signal is 0 points, a signal at least 2: there is no 1."""
    facts = unit("femur", soft_tissue_or_periosteal=False, bone_expansion=False)
    assert staged(*facts).possible == ("0", "2", "3", "4")


def test_left_and_right_are_two_units() -> None:
    left = unit("femur", "left", signal_hyperintense=True, percent=10)
    right = unit("femur", "right", signal_hyperintense=False)
    done = staged(*left, *right)
    assert done.conflicts == ()
    assert {part.name: (part.lowest, part.highest) for part in done.parts} == {
        "left_femur": ("2", "4"),
        "right_femur": ("0", "2"),
    }


def test_only_a_vertebra_collapses() -> None:
    full = read("femur", 80, soft=True, expands=True)
    assert staged(*full).as_text == "6"
    done = staged(*full, *unit("femur", vertebral_collapse=True))
    assert done.as_text == "6"
    assert any("femur is no vertebra" in one for one in done.conflicts)


def test_the_question_is_the_one_that_narrows_the_sum_most() -> None:
    done = staged(*unit("femur", "left", signal_hyperintense=True))
    assert done.ask is not None
    assert done.ask.criterion == "left_femur.extension"
    assert done.ask.text.endswith("(left femur)?")
    assert done.ask.site == "femur"
    assert {one.criterion for one in done.blocking} == {
        "left_femur.extension",
        "left_femur.soft_tissue_or_periosteal",
        "left_femur.bone_expansion",
    }


def test_a_share_without_signal_is_a_contradiction() -> None:
    done = staged(*unit("rib", signal_hyperintense=False, percent=30))
    assert (done.part("rib").lowest, done.part("rib").highest) == ("0", "5")
    assert any(one.startswith("signal_hyperintense") for one in done.conflicts)
    sure = staged(
        *unit("rib", percent=30, soft_tissue_or_periosteal=False, bone_expansion=False)
    )
    assert sure.as_text == "3"


def test_marrow_edema_that_a_reader_accepted_is_signal_and_a_proposed_one_is_not() -> (
    None
):
    edema = finding("marrow_edema", "mandible", laterality="left")
    done = staged(reading(edema))
    assert (done.lowest, done.highest) == ("2", "6")
    assert staged(reading(edema, reader="")).as_text == "0..6"


def test_no_edema_beside_the_bone_says_nothing_of_its_periosteum() -> None:
    edema = finding("marrow_edema", "tibia")
    no_edema = finding("soft_tissue_edema", "tibia", presence="absent")
    no_reaction = finding("periosteal_reaction", "tibia", presence="absent")
    assert staged(reading(edema, no_edema)).highest == "6"
    assert staged(reading(edema, no_edema, no_reaction)).highest == "5"


def test_without_a_bone_unit_there_is_no_sum() -> None:
    for case in (patient(fact("pus")), patient(reading(finding("sequestrum")))):
        assert stage(case, DAY, systems=["rai_cromris"]) == ()
