"""Labelled levels: one named vertebra names all, and nothing is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.regions import Mask
from osteotrace.session import Session, levels
from osteotrace.session.level_labels import doubts, gaps, levels_from_masks
from osteotrace.session.levels import Levels

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.regions import Point
    from osteotrace.volume import Volume

FRAME = "2.25.1001"
# Bodies 30 mm apart, from head to foot; LPS, +z towards the head.
STEP_MM = 30.0


def body(k: float) -> Point:
    return (0.0, 5.0, 90.0 - STEP_MM * k)


def labelled(*bodies: float) -> Levels:
    every = Levels(frame_of_reference_uid=FRAME)
    for k in bodies:
        every = levels.with_point(every, body(k))
    return every


def heights(every: Levels) -> list[float]:
    return [label.point[2] for label in every.labels]


# Naming


def test_clicked_bodies_have_no_name_before_one_of_them_was_given_one() -> None:
    every = labelled(0, 1, 2)
    assert every.names == ("", "", "")
    assert not every.is_named
    with pytest.raises(OsteotraceError, match="not labelled"):
        levels.confirmed(every)


def test_labels_lie_from_head_to_foot_in_whatever_order_they_were_clicked() -> None:
    assert heights(labelled(2, 0, 1)) == [90.0, 60.0, 30.0]


@pytest.mark.parametrize(("at", "level"), [(0, "T12"), (1, "l1"), (-1, " L3 ")])
def test_any_named_body_names_the_others(at: int, level: str) -> None:
    assert levels.named(labelled(0, 1, 2, 3), at, level).names == (
        *("T12", "L1", "L2", "L3"),
    )


def test_names_go_on_into_the_sacrum_and_the_neck() -> None:
    assert levels.named(labelled(0, 1, 2), 0, "L4").names == ("L4", "L5", "S1")
    assert levels.named(labelled(0, 1, 2), -1, "T2").names == ("C7", "T1", "T2")


def test_labels_beyond_the_spine_are_refused() -> None:
    with pytest.raises(OsteotraceError, match="beyond the spine"):
        levels.named(labelled(0, 1, 2), -1, "C2")


def test_a_level_that_does_not_exist_is_refused() -> None:
    with pytest.raises(OsteotraceError, match="'L7'"):
        levels.named(labelled(0, 1), 0, "L7")


def test_two_clicks_in_one_body_are_refused() -> None:
    with pytest.raises(OsteotraceError, match="second label"):
        labelled(0, 0.05)


# Adding and taking away


def test_a_body_above_or_below_gets_the_next_name() -> None:
    every = levels.named(labelled(1, 2), 0, "L1")
    every = levels.with_point(levels.with_point(every, body(0)), body(3))
    assert every.names == ("T12", "L1", "L2", "L3")


def test_a_missing_name_goes_to_the_body_clicked_there() -> None:
    every = levels_from_masks({"T12": cube("T12", 0), "L2": cube("L2", 2)})
    assert gaps(every) == ["L1 is not labelled"]
    every = levels.with_point(every, body(1))
    assert every.names == ("T12", "L1", "L2")
    assert gaps(every) == []


@pytest.mark.parametrize(("at", "level"), [(0, "L1"), (-1, "L3")])
def test_a_body_amid_the_others_renames_none_of_them_and_waits_for_a_name(
    at: int, level: str
) -> None:
    every = levels.confirmed(levels.named(labelled(0, 1, 2), at, level))
    more = levels.with_point(every, body(1.5))
    assert more.names == ("L1", "L2", "", "L3")
    assert gaps(more) == ["a label has no name: remove it, or name one label again"]
    with pytest.raises(OsteotraceError, match="not labelled"):
        levels.confirmed(more)
    assert levels.without_point(more, body(1.5)).names == every.names
    assert levels.with_point(more, body(3)).names == ("L1", "L2", "", "L3", "L4")


def test_a_body_that_was_forgotten_gets_its_name_when_one_is_named_again() -> None:
    every = levels.with_point(levels.named(labelled(0, 1, 2), 0, "L1"), body(1.5))
    assert levels.named(every, 0, "L1").names == ("L1", "L2", "L3", "L4")
    assert levels.named(every, -1, "L3").names == ("T12", "L1", "L2", "L3")
    assert levels.named(every, 2, "L3").names == ("L1", "L2", "L3", "L4")
    # What is counted may be the one without a name: a T13 between T12 and L1.
    spine = levels.with_point(levels.named(labelled(0, 1), 0, "T12"), body(0.5))
    assert levels.counted(spine, thoracic=13).names == ("T12", "T13", "L1")


def test_a_level_that_is_not_labelled_stays_out_beside_a_body_without_a_name() -> None:
    below = {"L1": cube("L1", 0), "L2": cube("L2", 1), "L4": cube("L4", 3)}
    every = levels.with_point(levels_from_masks(below), body(0.5))
    assert every.names == ("L1", "", "L2", "L4")
    assert levels.named(every, 0, "L1").names == ("L1", "L2", "L3", "L5")


def test_a_body_taken_away_closes_the_names_up() -> None:
    every = levels.named(labelled(0, 1, 2, 3), 0, "L1")
    assert levels.without_point(every, body(1)).names == ("L1", "L2", "L3")
    assert levels.without_point(every, body(0)).names == ("L2", "L3", "L4")
    assert levels.without_point(every, body(3)).names == ("L1", "L2", "L3")


def test_a_label_can_be_moved_within_its_body() -> None:
    every = levels.moved(levels.named(labelled(0, 1), 0, "L1"), "L2", (1.0, 2.0, 58.0))
    assert every.point("L2") == (1.0, 2.0, 58.0)
    assert every.point("L1") == body(0)
    with pytest.raises(OsteotraceError, match="not labelled"):
        levels.moved(every, "L5", body(1))


def test_a_shift_by_one_names_every_level_anew() -> None:
    every = levels.named(labelled(0, 1, 2, 3, 4), 0, "L1")
    assert levels.shifted(every, -1).names == ("T12", "L1", "L2", "L3", "L4")
    assert levels.shifted(levels.shifted(every, -1), 1).names == every.names


def test_names_given_anew_keep_the_levels_between_them_that_are_not_labelled() -> None:
    every = levels_from_masks({"L1": cube("L1", 0), "L3": cube("L3", 2)})
    assert levels.shifted(every, 1).names == ("L2", "L4")
    assert levels.shifted(every, 0).names == ("L1", "L3")
    assert levels.named(every, 0, "T12").names == ("T12", "L2")
    assert levels.named(every, -1, "L4").names == ("L2", "L4")
    assert levels.counted(every, transitional=["L5"]).names == ("L1", "L3")
    assert levels.counted(every, thoracic=13).names == ("L1", "L3")
    assert gaps(levels.counted(every, thoracic=11)) == ["L2 is not labelled"]


def test_another_count_keeps_a_level_that_is_not_labelled_out() -> None:
    below = {"L4": cube("L4", 0), "S1": cube("S1", 2)}
    six = levels.counted(levels_from_masks(below), lumbar=6)
    assert six.names == ("L4", "L6")
    assert levels.counted(six, lumbar=5).names == ("L4", "S1")
    with pytest.raises(OsteotraceError, match="beyond the spine"):
        levels.named(levels_from_masks(below), 0, "S4")


# Count and transitional levels


def test_a_sixth_lumbar_vertebra_takes_the_place_of_the_first_sacral_one() -> None:
    every = levels.named(labelled(0, 1, 2), 0, "L4")
    six = levels.counted(every, lumbar=6, transitional=["L6"])
    assert six.names == ("L4", "L5", "L6")
    assert levels.counted(six, lumbar=5, transitional=[]).names == every.names


def test_a_count_from_below_leaves_the_level_that_was_named() -> None:
    every = levels.named(labelled(0, 1, 2), -1, "L1")
    assert every.names == ("T11", "T12", "L1")
    assert levels.counted(every, thoracic=13).names == ("T12", "T13", "L1")
    assert levels.counted(every, thoracic=11).names == ("T10", "T11", "L1")


def test_whoever_names_t13_or_l6_has_counted_it() -> None:
    assert levels.named(labelled(0, 1), 0, "T13").names == ("T13", "L1")
    assert levels.named(labelled(0, 1), 0, "L6").names == ("L6", "S1")


def test_a_level_amid_its_kind_is_not_transitional() -> None:
    with pytest.raises(OsteotraceError, match="T6 as a transitional level"):
        levels.counted(labelled(0), transitional=["T6"])


def test_every_change_asks_for_confirming_anew() -> None:
    every = levels.confirmed(levels.named(labelled(0, 1), 0, "L1"))
    assert every.confirmed
    for changed in (
        levels.with_point(every, body(2)),
        levels.without_point(every, body(0)),
        levels.shifted(every, 1),
        levels.counted(every, lumbar=6),
        levels.moved(every, "L1", body(0.1)),
    ):
        assert not changed.confirmed


def test_the_next_level_is_the_one_beside_in_the_direction_the_reader_goes() -> None:
    every = levels.named(labelled(0, 1, 2), 0, "T12")
    assert every.beside("L1") == "L2"
    assert every.beside("L1", downwards=False) == "T12"
    assert every.beside("L2") == ""
    assert every.beside("C3") == ""


# Masks


def cube(role: str, k: float, side_mm: float = 20.0, frame: str = FRAME) -> Mask:
    """Return a cube of voxels around a body."""
    count = round(side_mm / 2)
    corner = np.array(body(k)) - side_mm / 2 + 1.0
    return Mask.of(
        np.ones((count, count, count), dtype=bool),
        Grid(
            row_direction=np.array([1.0, 0.0, 0.0]),
            column_direction=np.array([0.0, 1.0, 0.0]),
            pixel_spacing=np.array([2.0, 2.0]),
            origins=np.array([corner + np.array([0, 0, 2.0 * n]) for n in range(count)]),
            rows=count,
            columns=count,
        ),
        role=role,
        frame_of_reference_uid=frame,
    )


def test_masks_propose_a_label_in_the_middle_of_each_vertebra() -> None:
    every = levels_from_masks(
        {
            "vertebrae_L2": cube("L2", 1.4, side_mm=30.0),
            "L2 body": cube("L2 body", 1),
            "vertebrae_L1": cube("L1", 0),
            "sacrum": cube("sacrum", 3),
        }
    )
    assert every.names == ("L1", "L2")
    # The body goes before the whole vertebra.
    assert every.point("L2") == pytest.approx(body(1))
    assert not every.confirmed


def test_masks_of_a_sixth_lumbar_vertebra_count_it() -> None:
    every = levels_from_masks({"L6": cube("L6", 0)})
    assert every.lumbar == 6
    assert every.transitional == ("L6",)


def test_masks_without_a_level_or_in_two_spaces_are_refused() -> None:
    with pytest.raises(OsteotraceError, match="0 vertebrae"):
        levels_from_masks({"mandible": cube("mandible", 0)})
    elsewhere = {"L1": cube("L1", 0), "L2": cube("L2", 1, frame="2.25.7")}
    with pytest.raises(OsteotraceError, match="2 frames of reference"):
        levels_from_masks(elsewhere)


# What is said of a vertebra that is measured


def test_a_vertebra_is_measured_without_labels_but_says_so() -> None:
    marks = [body(0)]
    assert doubts(None, "l1", marks) == [
        "levels not labelled: L1 is as the reader called it"
    ]
    named = levels.named(labelled(0, 1), 0, "L1")
    assert doubts(named, "L1", marks) == ["levels not confirmed"]
    assert doubts(levels.confirmed(named), "L1", marks) == []


def test_marks_nearest_to_another_label_are_doubted() -> None:
    every = levels.confirmed(levels.named(labelled(0, 1), 0, "L1"))
    assert doubts(every, "L1", [body(1), body(0.9)]) == [
        "the marks of L1 lie nearest to the label of L2"
    ]
    assert doubts(every, "T4", [body(0)]) == ["T4 is not among the labelled levels"]
    more = levels.with_point(every, body(0.5))
    assert doubts(more, "L1", [body(0.4)]) == [
        "levels not confirmed",
        "the marks of L1 lie nearest to a label without a name",
    ]


def test_a_transitional_level_is_told() -> None:
    every = levels.counted(levels.named(labelled(0), 0, "L5"), transitional=["L5"])
    assert doubts(levels.confirmed(every), "L5", [body(0)]) == [
        "L5 is labelled as a transitional level"
    ]


# In a session


@pytest.fixture
def session(tmp_path: Path, small_study: Path) -> Session:
    made = Session(reader="tester", drafts=tmp_path / "drafts")
    made.open(small_study)
    return made


def loaded(session: Session) -> Volume:
    assert session.catalogue is not None
    return session.load(session.catalogue.choose("2.25.1002"))


def test_each_change_of_labels_can_be_taken_back_and_survives_a_crash(
    session: Session, tmp_path: Path, small_study: Path
) -> None:
    volume = loaded(session)
    part = session.levels
    assert part.of(volume) is None
    part.add(volume, (0.0, 0.0, 5.0))
    part.add(volume, (0.0, 0.0, -5.0))
    part.name(volume, -1, "L4")
    part.confirm(volume)
    every = part.of(volume)
    assert every is not None
    assert (every.names, every.confirmed) == (("L3", "L4"), True)
    assert session.undo() == "levels confirmed"
    assert session.undo() == "levels named from L4"
    before = part.of(volume)
    assert before is not None
    assert before.names == ("", "")
    assert session.redo() == "levels named from L4"
    # No close: the journal alone holds it.
    session._journal.close()  # type: ignore[union-attr]
    again = Session(reader="tester", drafts=tmp_path / "drafts")
    again.open(small_study)
    found = again.levels.of(loaded(again))
    assert found is not None
    assert (found.names, found.anchor) == (("L3", "L4"), "L4")
    again.close()


def test_a_click_beside_the_image_labels_nothing(session: Session) -> None:
    volume = loaded(session)
    beside = volume.grid.to_patient((-20.0, 0.0, 0.0))
    with pytest.raises(OsteotraceError, match="beside the image"):
        session.levels.add(volume, beside)
    assert session.levels.of(volume) is None


def test_labels_of_another_frame_of_reference_stay(session: Session) -> None:
    volume = loaded(session)
    part = session.levels
    part.take_from({"L1": cube("L1", 0)})
    part.add(volume, (0.0, 0.0, 5.0))
    frames = {x.frame_of_reference_uid for x in session.draft.levels}
    assert frames == {FRAME, volume.frame_of_reference_uid}
    part.remove(volume, (0.0, 0.0, 5.0))
    assert part.of(volume) is None
    assert len(session.draft.levels) == 1
    session.close()
