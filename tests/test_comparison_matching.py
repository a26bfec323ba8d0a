"""Which findings of two dates are one lesion: told, by level, by place, by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from tests.fixtures.compared import (
    aligned,
    ball,
    case,
    compared,
    finding,
    lesion,
    motion,
    reading,
)

from osteotrace.comparison import Decided, Link, Mark, StudyPair, Ways, compare, propose
from osteotrace.comparison.places import nearness, place_of
from osteotrace.geometry import as_stored
from osteotrace.regions import Polyline

if TYPE_CHECKING:
    from osteotrace.alignment import Alignment
    from osteotrace.comparison import Candidate
    from osteotrace.findings import Finding

BEFORE, AFTER = "2023-06-20", "2024-01-15"
F1, F2, F3 = "2.25.901", "2.25.902", "2.25.903"
MOVED = motion(F1, F2)
WAYS = Ways([aligned(MOVED)])


def at(
    label: str,
    centre: tuple[float, float, float],
    radius: float = 4.0,
    *,
    later: bool = False,
    kind: str = "sequestrum",
    site: str = "maxilla",
    uid: str = "",
) -> Finding:
    """Return a ball of the earlier study, or one of the later one that lies there."""
    mask = ball(centre, radius, F2 if later else F1, motion=MOVED if later else None)
    return finding(
        label, kind, site, uid=uid, masks=(mask,), excess_density_volume=4.2 * radius**3
    )


def taken(found: tuple[Candidate, ...]) -> set[tuple[int, int]]:
    return {(one.earlier, one.later) for one in found if one.taken}


def marks(*findings: Finding) -> list[Mark]:
    return [Mark.of(one) for one in findings]


# Told ---------------------------------------------------------------------------------


def test_one_tracking_uid_is_one_lesion_wherever_it_lies() -> None:
    one = at("A", (0, 0, 0), uid="2.25.1")
    far = at("B", (300, 0, 0), later=True, uid="2.25.1")
    near = at("A", (0, 0, 0), later=True)
    found = propose(marks(one), marks(near, far), ways=WAYS)
    assert taken(found) == {(0, 1)}
    (link,) = [c.link for c in found if c.taken]
    assert link.basis == "tracked"
    assert not link.proposed


def test_what_a_reader_confirmed_is_one_lesion() -> None:
    one, other = at("A", (0, 0, 0)), at("B", (40, 0, 0), later=True)
    near = at("A", (0, 0, 0), later=True)
    link = Link(
        earlier_uid=one.tracking_uid,
        later_uid=other.tracking_uid,
        basis="confirmed",
        confirmed_by="Reader One",
    )
    found = propose(marks(one), marks(near, other), ways=WAYS, decided=Decided.of([link]))
    assert taken(found) == {(0, 1)}


def test_what_a_reader_refused_is_never_proposed_again() -> None:
    one, other = at("A", (0, 0, 0)), at("A", (0, 0, 0), later=True)
    pair = one.tracking_uid, other.tracking_uid
    assert taken(propose(marks(one), marks(other), ways=WAYS)) == {(0, 0)}
    assert (
        propose(marks(one), marks(other), ways=WAYS, decided=Decided.of((), [pair])) == ()
    )
    found = compare(
        case(reading(BEFORE, one, frame=F1), reading(AFTER, other, frame=F2)),
        refused=[pair],
    )
    assert [each.state for each in found.lesions] == ["not assessed", "new"]


# By level -----------------------------------------------------------------------------


def test_a_vertebral_level_is_one_lesion_though_its_kind_has_changed() -> None:
    one = finding("L2", "vertebra", "l2", height_anterior=26.0)
    other = finding("second", "vcf", "l2", height_anterior=21.0)
    neighbour = finding("L3", "vcf", "l3", height_anterior=27.0)
    (found,) = propose(marks(one), marks(neighbour, other))
    assert (found.later, found.link.basis, found.taken) == (1, "level", True)
    assert found.link.proposed


def test_a_level_that_lies_elsewhere_through_the_transform_says_so() -> None:
    one = at("L2", (0, 0, 0), kind="vertebra", site="l2")
    other = at("L2", (0, 0, 35), kind="vertebra", site="l2", later=True)
    (found,) = propose(marks(one), marks(other), ways=WAYS)
    assert found.taken
    assert found.link.reason == "level L2; through the transform 35 mm apart: check it"


# By place -----------------------------------------------------------------------------


def test_masks_that_overlap_through_the_transform_are_proposed() -> None:
    here = [at("A", (0, 0, 0)), at("B", (12, 0, 0))]
    there = [at("X", (12.5, 0, 0), later=True), at("Y", (0, 1, 0), later=True)]
    found = propose(marks(*here), marks(*there), ways=WAYS)
    assert taken(found) == {(0, 1), (1, 0)}
    links = [one.link for one in found if one.taken]
    assert {link.basis for link in links} == {"overlap"}
    assert all(link.overlap and link.overlap > 0.7 for link in links)
    assert links[1].distance_mm == pytest.approx(0.5, abs=0.3)
    assert links[0].u_mm == pytest.approx(0.05)


def test_the_same_place_without_its_transform_is_another_place() -> None:
    here = at("A", (0, 0, 0))
    other = finding("B", "sequestrum", masks=(ball((0, 0, 0), 4.0, F2),))
    assert propose(marks(here), marks(other), ways=WAYS) == ()


def test_lines_are_matched_by_the_distance_of_their_middles() -> None:
    def line(middle: float, frame: str) -> Finding:
        ends = np.array([[-6.0, middle, 0.0], [6.0, middle, 0.0]])
        points = ends if frame == F1 else MOVED.apply(ends)
        drawn = Polyline(
            role="as drawn",
            points=tuple(as_stored(point) for point in points),
            frame_of_reference_uid=frame,
            source_instances=(),
        )
        one = finding("GAP", "palatal_bony_defect", "hard_palate", palatal_gap_ap=12.0)
        return msgspec.structs.replace(one, regions=(drawn,))

    near, far = line(1.5, F2), line(30.0, F2)
    (found,) = propose(marks(line(0.0, F1)), marks(far, near), ways=WAYS)
    assert (found.later, found.link.basis) == (1, "distance")
    assert found.link.distance_mm == pytest.approx(1.5, abs=1e-4)


def test_a_worse_registration_lets_more_pass() -> None:
    here, there = at("A", (0, 0, 0), 2), at("B", (8, 0, 0), 2, later=True)
    assert propose(marks(here), marks(there), ways=WAYS) == ()
    coarse = Ways([aligned(MOVED, u_mm=2.0)])
    (found,) = propose(marks(here), marks(there), ways=coarse)
    assert found.link.basis == "distance"


def test_another_kind_at_the_same_place_is_another_lesion() -> None:
    here, there = at("A", (0, 0, 0)), at("A", (0, 0, 0), kind="gas", later=True)
    assert propose(marks(here), marks(there), ways=WAYS) == ()


def test_transforms_are_joined_and_gone_backwards() -> None:
    ways = Ways([aligned(MOVED, u_mm=0.3), aligned(motion(F2, F3), u_mm=0.4)])
    through = ways.between(F1, F3)
    assert through is not None
    point = (1.0, 2.0, 3.0)
    expected = motion(F2, F3).apply(MOVED.apply(point))
    np.testing.assert_allclose(through.apply(point), expected)
    assert through.uncertainty_at(point) == pytest.approx(0.5)
    back = ways.between(F3, F1)
    assert back is not None
    np.testing.assert_allclose(back.apply(expected), point, atol=1e-9)
    assert ways.between(F1, "2.25.77") is None
    assert ways.between("", F1) is None


def test_of_two_alignments_that_of_the_sites_own_bone_is_taken() -> None:
    other = motion(F1, F2).inverse
    jaw = msgspec.structs.replace(other, from_frame_uid=F1, to_frame_uid=F2)
    ways = Ways([aligned(MOVED, u_mm=0.01), aligned(jaw, u_mm=0.3, region="mandible")])
    for site, transform in (("mandible", jaw), ("maxilla", MOVED)):
        way = ways.between(F1, F2, site=site)
        assert way is not None
        np.testing.assert_allclose(way.apply((1, 2, 3)), transform.apply((1, 2, 3)))


def test_nearness_is_symmetric() -> None:
    one, other = (
        place_of([at("A", (0, 0, 0))]),
        place_of([at("B", (3, 0, 0), later=True)]),
    )
    there, back = nearness(one, other, WAYS), nearness(other, one, WAYS)
    assert there is not None
    assert back is not None
    assert there.distance_mm == pytest.approx(back.distance_mm, abs=1e-9)
    assert there.overlap == pytest.approx(back.overlap, abs=0.05)


# Ambiguity ----------------------------------------------------------------------------


def test_of_two_that_fit_one_is_proposed_and_the_other_named() -> None:
    here = at("A", (0, 0, 0), 5)
    there = [at("X", (3, 0, 0), 5, later=True), at("Y", (-2, 0, 0), 5, later=True)]
    first = propose(marks(here), marks(*there), ways=WAYS)
    again = propose(marks(here), marks(*there), ways=WAYS)
    assert first == again
    best = next(one for one in first if one.link.later_uid == there[1].tracking_uid)
    assert best.taken
    assert best.link.proposed
    assert "X of the later date fits too" in best.link.reason


def test_all_together_fit_best() -> None:
    here = [at("A", (0, 0, 0), 5), at("B", (6, 0, 0), 5)]
    # All have moved by 3 mm: the nearest of B's is A's own.
    there = [at("Y", (9, 0, 0), 5, later=True), at("X", (3, 0, 0), 5, later=True)]
    assert taken(propose(marks(*here), marks(*there), ways=WAYS)) == {(0, 1), (1, 0)}


def test_a_close_match_is_not_given_up_for_two_remote_ones() -> None:
    here = [at("A", (0, 0, 0), 5), at("B", (8, 0, 0), 5)]
    there = [at("X", (0.5, 0, 0), 5, later=True), at("Y", (-7.5, 0, 0), 5, later=True)]
    assert (0, 0) in taken(propose(marks(*here), marks(*there), ways=WAYS))


# Without a transform ------------------------------------------------------------------


def test_without_a_transform_kind_site_and_side_propose() -> None:
    one = finding("E", "marrow_edema", "mandible", "left", edema_volume=900.0)
    same = finding("other name", "marrow_edema", "mandible", "left", edema_volume=90.0)
    right = finding("E", "marrow_edema", "mandible", "right", edema_volume=90.0)
    (found,) = propose(marks(one), marks(right, same))
    assert (found.later, found.link.basis, found.taken) == (1, "site", True)


def test_without_a_transform_labels_tell_the_lesions_of_one_site_apart() -> None:
    def both(*labels: str) -> list[Mark]:
        return marks(*(finding(label, "gas", gas_volume=9.0) for label in labels))

    assert taken(propose(both("G-1", "G-2"), both("G-2", "G-1"))) == {(0, 1), (1, 0)}
    named = propose(both("G-1", "G-2"), both("G-2"))
    assert taken(named) == {(1, 0)}
    unnamed = propose(both("a"), both("b", "c"))
    assert len(taken(unnamed)) == 1
    assert "fits too" in next(one.link.reason for one in unnamed if one.taken)


def test_any_length_and_any_site_tell_no_lesion_from_another() -> None:
    for kind, site in (("lesion", "mandible"), ("gas", "unspecified")):
        one, other = finding("A", kind, site), finding("A", kind, site)
        assert propose(marks(one), marks(other)) == ()


def test_the_same_modality_is_preferred() -> None:
    one = finding("EXP", "bone_expansion", "mandible")
    ct, mr = finding("X CT", one.kind, one.site), finding("X", one.kind, one.site)
    before = [Mark.of(one, modality="MR")]
    after = [Mark.of(ct, modality="CT"), Mark.of(mr, modality="MR")]
    assert taken(propose(before, after)) == {(0, 1)}


# Split, merged ------------------------------------------------------------------------


def pairs_of(*alignments: Alignment) -> list[StudyPair]:
    return [StudyPair(earlier=0, later=1, alignments=alignments)]


def test_a_lesion_of_which_two_are_left_was_split() -> None:
    whole = at("A", (0, 0, 0), 9)
    parts = [at("X", (5, 0, 0), 3, later=True), at("Y", (-5, 0, 0), 3, later=True)]
    found = compare(
        case(reading(BEFORE, whole, frame=F1), reading(AFTER, *parts, frame=F2)),
        pairs=pairs_of(aligned(MOVED)),
    )
    (one,) = found.lesions
    assert one.state == "split"
    assert {f.label for f in one.seen[1].findings} == {"X", "Y"}
    (step,) = one.steps
    assert step.proposed
    assert "seen as X and Y" in step.reason
    # Volumes of parts add up.
    assert step.changes[0].change.later == pytest.approx(2 * 4.2 * 27)


def test_two_lesions_that_became_one_have_merged() -> None:
    parts = [at("X", (5, 0, 0), 4), at("Y", (-5, 0, 0), 3)]
    found = compare(
        case(
            reading(BEFORE, *parts, frame=F1),
            reading(AFTER, at("A", (0, 0, 0), 9, later=True), frame=F2),
            reading("2024-05-01", at("A", (0, 0, 0), 9, later=True), frame=F2),
        ),
        pairs=pairs_of(aligned(MOVED)),
    )
    states = {
        each.seen[0].findings[0].label: [step.state for step in each.steps]
        for each in found.lesions
    }
    assert states == {"X": ["merged", "stable"], "Y": ["merged"]}
    step = found.lesions[0].steps[0]
    assert "with Y" in step.reason
    assert step.changes[0].change.earlier == pytest.approx(4.2 * (64 + 27))


def test_two_neighbours_of_a_lesion_are_no_parts_of_it() -> None:
    here = at("A", (0, 0, 0), 4)
    there = [at("X", (0, 0, 0), 4, later=True), at("Y", (7, 0, 0), 4, later=True)]
    found = compare(
        case(reading(BEFORE, here, frame=F1), reading(AFTER, *there, frame=F2)),
        pairs=pairs_of(aligned(MOVED)),
    )
    assert {one.label: one.state for one in found.lesions} == {"X": "stable", "Y": "new"}


# Fragments ----------------------------------------------------------------------------


def search(count: float) -> Finding:
    return finding("SEQ", "sequestrum", "maxilla", fragment_count=count)


def test_fragments_are_matched_within_their_leader_by_place() -> None:
    before = [
        search(3),
        at("SEQ/1", (0, 0, 0)),
        at("SEQ/2", (15, 0, 0)),
        at("SEQ/3", (30, 0, 0)),
    ]
    after = [
        search(2),
        at("SEQ/1", (15, 0, 0), later=True),
        at("SEQ/2", (45, 0, 0), later=True),
    ]
    found = compare(
        case(reading(BEFORE, *before, frame=F1), reading(AFTER, *after, frame=F2)),
        pairs=pairs_of(aligned(MOVED)),
    )
    leader = lesion(found, "SEQ")
    fragments = [one for one in found.lesions if one.part_of == leader.tracking_uid]
    assert leader.part_of == ""
    states = {
        (one.seen[0].study, one.seen[0].findings[0].label): one.state for one in fragments
    }
    assert states == {
        (0, "SEQ/1"): "resolved",
        (0, "SEQ/2"): "stable",
        (0, "SEQ/3"): "resolved",
        (1, "SEQ/2"): "new",
    }
    gone = next(one for one in fragments if one.state == "resolved")
    assert gone.steps[0].proposed
    assert (
        gone.steps[0].reason == f"not among the 2 parts of SEQ that were found on {AFTER}"
    )


def test_where_the_search_found_none_every_fragment_is_gone() -> None:
    before = [search(2), at("SEQ/1", (0, 0, 0)), at("SEQ/2", (15, 0, 0))]
    none = finding("SEQ", "sequestrum", "maxilla", presence="absent")
    found = compared(reading(BEFORE, *before), reading(AFTER, none))
    assert {one.label: one.state for one in found.lesions} == {
        "SEQ": "resolved",
        "SEQ/1": "resolved",
        "SEQ/2": "resolved",
    }


def test_where_nobody_searched_nothing_is_said_of_fragments() -> None:
    found = compared(reading(BEFORE, search(1), at("SEQ/1", (0, 0, 0))), reading(AFTER))
    assert {one.state for one in found.lesions} == {"not assessed"}


def test_an_absence_in_another_place_says_nothing() -> None:
    one = at("A", (0, 0, 0), kind="gas")

    def looked(x: float) -> Finding:
        mask = ball((x, 0, 0), 6.0, F2, motion=MOVED)
        return finding("NONE", "gas", presence="absent", masks=(mask,))

    for x, state in ((1.0, "resolved"), (60.0, "not assessed")):
        found = compare(
            case(reading(BEFORE, one, frame=F1), reading(AFTER, looked(x), frame=F2)),
            pairs=pairs_of(aligned(MOVED)),
        )
        assert lesion(found, "A").state == state


def test_a_bone_measured_as_a_whole_is_the_same_wherever_its_width_was_read() -> None:
    one = at("EXP", (0, 0, 0), kind="bone_expansion", site="mandible")
    other = at("EXP", (60, 0, 0), later=True, kind="bone_expansion", site="mandible")
    found = propose(marks(one), marks(other), ways=WAYS)
    assert taken(found) == {(0, 0)}
    assert found[0].link.basis == "site"


def test_what_is_said_to_be_gone_by_its_name_is_not_matched_with_what_is_new() -> None:
    one = finding("A", uid="2.25.1", gas_volume=500.0)
    other = finding("B", uid="2.25.2", gas_volume=520.0)
    for absent in (
        finding("A", uid="2.25.1", presence="absent"),
        finding("A", presence="absent"),
    ):
        found = compared(reading(BEFORE, one), reading(AFTER, absent, other))
        assert lesion(found, "A").state == "resolved"
        assert lesion(found, "B").state == "new"
        assert len(found.lesions) == 2


def test_what_was_looked_for_by_a_carried_mark_alone_is_proposed_as_resolved() -> None:
    one = finding("A", uid="2.25.1", gas_volume=500.0)
    none = finding("A", uid="2.25.1", presence="absent")
    link = Link(earlier_uid="2.25.1", later_uid="2.25.1", basis="carried")
    for said, proposed in (((), False), ((link,), True)):
        found = compared(reading(BEFORE, one), reading(AFTER, none), confirmed=said)
        assert lesion(found, "A").state == "resolved"
        assert lesion(found, "A").steps[0].proposed is proposed


def test_a_lesion_where_nobody_had_looked_is_proposed_as_new() -> None:
    one = at("A", (0, 0, 0), kind="gas", later=True)
    for x, proposed in ((1.0, False), (60.0, True)):
        none = finding(
            "NONE", "gas", presence="absent", masks=(ball((x, 0, 0), 6.0, F1),)
        )
        found = compare(
            case(reading(BEFORE, none, frame=F1), reading(AFTER, one, frame=F2)),
            pairs=pairs_of(aligned(MOVED)),
        )
        assert lesion(found, "A").state == "new"
        assert lesion(found, "A").steps[0].proposed is proposed


def test_where_no_part_is_told_or_counted_nothing_is_said_of_parts() -> None:
    before = [search(2), at("SEQ/1", (0, 0, 0)), at("SEQ/2", (15, 0, 0))]
    whole = finding(
        "SEQ",
        "sequestrum",
        "maxilla",
        uid=before[0].tracking_uid,
        longest_diameter=9.0,
    )
    found = compared(reading(BEFORE, *before), reading(AFTER, whole))
    states = {one.label: one.state for one in found.lesions}
    assert states["SEQ/1"] == states["SEQ/2"] == "not assessed"


def test_a_transform_of_t12_is_none_of_t1() -> None:
    whole = aligned(motion(F1, F2), u_mm=0.5)
    local = aligned(motion(F1, F2), u_mm=1.0, region="T12 vertebra")
    ways = Ways([local, whole])
    for site, u_mm in (("t12", 1.0), ("t1", 0.5)):
        way = ways.between(F1, F2, site=site)
        assert way is not None
        assert way.uncertainty_at((0, 0, 0)) == u_mm
