"""Two studies of a patient in the room: shown together, followed, carried, reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.before_and_after import (
    AFTER,
    AFTER_UID,
    BEFORE,
    BEFORE_UID,
    known_alignment,
    moved,
)
from tests.fixtures.sessions import END, START

from osteotrace.errors import OsteotraceError
from osteotrace.records.sealed_json import sealed
from osteotrace.session import Session
from osteotrace.session.comparing.aligned_series import Aligned
from osteotrace_napari.colours import PROPOSED_COLOUR

from .conftest import PATIENCE_MS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.findings import Finding
    from osteotrace_napari.canvas.view import ReadingView
    from osteotrace_napari.room import ReadingRoom

pytestmark = pytest.mark.plugin

GAP: dict[str, Any] = {"kind": "palatal_bony_defect", "site": "hard_palate"}


@pytest.fixture
def prior(before_and_after: Path, tmp_path: Path) -> Finding:
    """Save a reading of the earlier study, and return its one finding."""
    session = Session(reader="Dr Kim", drafts=tmp_path / "own")
    session.open(before_and_after / "before")
    assert session.catalogue is not None
    volume = session.load(session.catalogue.choose())
    (found,) = session.add("caliper", volume, start=START, end=END, **GAP)
    session.accept(found.tracking_uid)
    reading = session.draft.assessment()
    assert reading is not None
    session.close()
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / f"{reading.assessment_uid}.json").write_bytes(sealed(reading))
    return found


@pytest.fixture
def course(
    room: ReadingRoom, prior: Finding, before_and_after: Path, tmp_path: Path, qtbot: Any
) -> ReadingRoom:
    """Give the room with the later study read and the Compare tab open."""
    room.session.reader = "Dr Kim"
    room.session.priors.use(tmp_path / "records")
    room.opening.open(before_and_after)
    rest(room, qtbot)
    (later,) = (
        header
        for header in room.dock.study.headers()
        if header.identity.study_uid == AFTER_UID
    )
    room.opening.load(later)
    rest(room, qtbot)
    room.keyboard.press("tab_compare")
    return room


@pytest.fixture
def aligned(course: ReadingRoom) -> ReadingRoom:
    """Give the room with the known transform, as if it had been searched for."""
    keep_known(course)
    return course


def keep_known(room: ReadingRoom) -> None:
    (pair,) = room.session.comparing.pairs
    found = Aligned(pair=pair, alignment=known_alignment())
    room.session.comparing.keep([found])
    room.refresh()


def rest(room: ReadingRoom, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not room.comparing.is_aligning, timeout=PATIENCE_MS)


def together(room: ReadingRoom, qtbot: Any) -> None:
    room.keyboard.press("side_by_side")
    rest(room, qtbot)
    assert room.comparing.is_on


def view_of(room: ReadingRoom, day: str) -> ReadingView:
    """Return the view of the study of a date."""
    return next(
        view
        for view in room.views
        if view.volume is not None and view.volume.identity.date == day
    )


def test_f7_shows_before_and_after_through_the_transform_and_again_ends_it(
    aligned: ReadingRoom, qtbot: Any
) -> None:
    together(aligned, qtbot)
    pair = aligned.arrangement.comparing.pair
    assert pair is not None
    assert [one.identity.date for one in pair.volumes] == [BEFORE, AFTER]
    assert pair.alignment == known_alignment()
    assert aligned.dock.compare.studies.beside.isChecked()
    assert aligned.session.assessment is not None
    assert aligned.session.assessment.study_uid == AFTER_UID
    aligned.keyboard.press("side_by_side")
    assert not aligned.comparing.is_on
    assert not aligned.dock.compare.studies.beside.isChecked()


def test_what_cannot_be_aligned_is_shown_unlinked_with_the_reason(
    course: ReadingRoom, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = OsteotraceError(
        "two starts that end 3.1 mm apart", expected="one end", advice="mark a region"
    )

    def refused(*_: Any, **__: Any) -> None:
        raise problem

    monkeypatch.setattr("osteotrace.reading.comparing.aligning.align", refused)
    head = course.dock.compare.studies
    assert (head.earlier.currentData(), head.later.currentData()) == (
        BEFORE_UID,
        AFTER_UID,
    )
    assert "Not aligned yet" in head.registration.text()
    together(course, qtbot)
    text = head.registration.text()
    assert text.startswith("✗")
    assert "two starts that end 3.1 mm apart" in text
    pair = course.arrangement.comparing.pair
    assert pair is not None
    assert pair.alignment is None
    assert "3.1 mm" in pair.why_not
    assert "3.1 mm" in course.dock.message.text()


def test_marks_are_carried_forward_as_one_command_and_enter_accepts_them(
    aligned: ReadingRoom, prior: Finding, qtbot: Any
) -> None:
    together(aligned, qtbot)
    assert aligned.dock.compare.carry.text() == "Carry 1 mark forward"
    aligned.following.carry()
    rest(aligned, qtbot)
    (held,) = aligned.session.held
    assert (held.uid, held.accepted) == (prior.tracking_uid, False)
    (row,) = aligned.dock.compare.sheet.lesions
    assert (row.state, row.is_draft) == ("stable", True)
    assert not aligned.dock.compare.carry.isEnabled()
    aligned.keyboard.press("accept")
    assert aligned.session.held[0].accepted
    (row,) = aligned.dock.compare.sheet.lesions
    assert not row.is_proposed
    for _ in range(2):
        aligned.keyboard.press("undo")
    assert not aligned.session.held
    assert aligned.dock.compare.carry.isEnabled()


@pytest.mark.slow
def test_a_carried_draft_is_drawn_apart_from_what_is_accepted(
    aligned: ReadingRoom, prior: Finding, qtbot: Any
) -> None:
    together(aligned, qtbot)
    aligned.following.carry()
    rest(aligned, qtbot)
    after = view_of(aligned, AFTER)
    assert {one.colour for one in after.scene_picture().labels} == {PROPOSED_COLOUR}
    aligned.session.accept(prior.tracking_uid)
    aligned.refresh()
    colours = {one.colour for one in after.scene_picture().labels}
    assert colours
    assert PROPOSED_COLOUR not in colours


@pytest.mark.slow
def test_a_match_is_confirmed_refused_and_taken_back_in_the_tab(
    aligned: ReadingRoom, prior: Finding, qtbot: Any
) -> None:
    volume = aligned.arrangement.main.volume
    assert volume is not None
    (own,) = aligned.session.add(
        "caliper", volume, start=moved(START), end=moved(END), **GAP
    )
    aligned.session.accept(own.tracking_uid)
    aligned.refresh()
    tab = aligned.dock.compare
    tab.matches[0].yes.click()
    assert aligned.session.findings[0].tracking_uid == prior.tracking_uid
    assert tab.sheet.matches[0].said_by.startswith("Dr Kim")
    tab.matches[0].no.click()
    assert aligned.session.findings[0].tracking_uid == own.tracking_uid
    assert not tab.matches
    for _ in range(2):
        aligned.keyboard.press("undo")
    assert tab.sheet.matches[0].is_proposed


@pytest.mark.slow
def test_a_lesion_is_gone_to_at_both_dates(
    aligned: ReadingRoom, prior: Finding, qtbot: Any
) -> None:
    together(aligned, qtbot)
    for view in aligned.views:
        view.go_to_slice(0)
    aligned.keyboard.press("next")
    assert aligned.dock.compare.chosen == prior.tracking_uid
    middle = np.mean([START, END], axis=0)
    crosshair = aligned.arrangement.crosshair
    places = {
        day: np.array(crosshair.place_in(view_of(aligned, day)), float)
        for day in (BEFORE, AFTER)
    }
    # Where the line was fitted, within what its rough ends were off.
    np.testing.assert_allclose(places[BEFORE], middle, atol=0.6)
    apart = places[AFTER] - places[BEFORE]
    np.testing.assert_allclose(apart, moved((0, 0, 0)), atol=0.01)


@pytest.mark.slow
def test_the_prior_readings_own_marks_stand_on_its_study(
    aligned: ReadingRoom, prior: Finding, qtbot: Any
) -> None:
    together(aligned, qtbot)
    aligned.following.go_to_lesion(prior.tracking_uid)
    (text,) = view_of(aligned, BEFORE).texts
    assert text == prior.measurements[0].as_text  # type: ignore[union-attr]
    assert view_of(aligned, AFTER).texts == []


@pytest.mark.slow
def test_a_study_of_the_timeline_is_shown_and_one_without_images_says_so(
    aligned: ReadingRoom, qtbot: Any
) -> None:
    aligned.comparing.open_study(BEFORE_UID)
    rest(aligned, qtbot)
    assert aligned.comparing.is_on
    aligned.comparing.open_study(AFTER_UID)
    assert not aligned.comparing.is_on


@pytest.mark.slow
def test_another_patients_folder_is_refused_and_nothing_changes(
    course: ReadingRoom, small_study: Path, tmp_path: Path, qtbot: Any
) -> None:
    from tests.fixtures.copied_study import copied

    copied(small_study, tmp_path / "stranger", PatientID="OTHER")
    course.comparing.open(tmp_path / "stranger")
    rest(course, qtbot)
    assert "never compared" in course.dock.message.text()
    assert len(course.session.comparing.studies) == 2


@pytest.mark.slow
def test_the_report_is_written_where_it_was_asked_for(
    aligned: ReadingRoom, tmp_path: Path, qtbot: Any
) -> None:
    aligned.following.write_report(tmp_path / "comparison.html")
    rest(aligned, qtbot)
    assert "Written: comparison.html" in aligned.dock.message.text()
    assert BEFORE in (tmp_path / "comparison.html").read_text()


@pytest.mark.slow
def test_the_comparison_is_saved_with_its_registration_once_the_reading_is(
    aligned: ReadingRoom, prior: Finding, tmp_path: Path, qtbot: Any
) -> None:
    aligned.following.carry()
    rest(aligned, qtbot)
    aligned.dock.compare.save.click()
    rest(aligned, qtbot)
    assert "not saved as it is compared" in aligned.dock.message.text()
    aligned.session.accept(prior.tracking_uid)
    aligned.keeping.save()
    rest(aligned, qtbot)
    aligned.dock.compare.save.click()
    rest(aligned, qtbot)
    told = aligned.dock.message.text()
    assert "Saved the comparison with 1 registration in" in told


@pytest.mark.slow
def test_a_window_that_closes_lets_go_of_the_alignment_at_work(
    course: ReadingRoom, load: Callable[[str], None], qtbot: Any
) -> None:
    course.comparing.align()
    assert course.comparing.is_aligning
    course.close()
    assert not course.comparing.is_aligning


def test_a_blinded_reading_hides_order_dates_and_roles_until_it_is_saved(
    course: ReadingRoom, before_and_after: Path, qtbot: Any
) -> None:
    course.blinded.begin("a seed")
    names = course.blinded.names_of(course.opening.catalogue)  # type: ignore[arg-type]
    assert set(names) == {BEFORE_UID, AFTER_UID}
    assert set(names.values()) == {"study A", "study B"}
    listed = [study.text(0) for study in course.dock.study.tree.studies()]
    assert listed == list(names.values())
    assert course.dock.study.roles() == {}
    hidden = names[AFTER_UID]
    assert hidden in course.dock.title.text()
    for told in (course.dock.title.text(), course.view.place_text):
        assert hidden in told
        assert AFTER not in told
    assert course.session.priors.readings == ()
    assert "Blinded" in course.dock.compare.hidden.text()
    course.keyboard.press("side_by_side")
    rest(course, qtbot)
    assert not course.comparing.is_on
    course.blinded.end()
    assert AFTER in course.dock.title.text()
    assert AFTER in course.view.place_text
    assert set(course.dock.study.roles()) == {BEFORE_UID, AFTER_UID}
