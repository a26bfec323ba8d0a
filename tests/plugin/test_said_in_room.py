"""What the reader says in the room: what goes on to the next finding, what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.copied_study import copied

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace_napari.room import ReadingRoom

    from .conftest import Hand, Point

pytestmark = pytest.mark.plugin

PATIENCE_MS = 60_000
START: Point = (0.0, -6.6, 0.0)
END: Point = (0.6, 5.2, 0.0)


def test_kind_and_site_go_on_in_the_study_and_side_and_certainty_never(
    room: ReadingRoom,
    load: Callable[[str], None],
    hand: Hand,
    qtbot: Any,
    tmp_path: Path,
    small_study: Path,
) -> None:
    load("CT")
    first = hand.caliper(START, END)
    for field, value in (
        ("kind", "palatal_bony_defect"),
        ("site", "hard_palate"),
        ("laterality", "right"),
        ("certainty", "possible"),
    ):
        room.marking.edit(first.tracking_uid, field, value)
    second = hand.caliper(START, END)
    assert (second.kind, second.site) == ("palatal_bony_defect", "hard_palate")
    assert (second.laterality, second.certainty) == ("", "definite")

    copied(small_study, tmp_path / "other", StudyInstanceUID="2.25.2001", PatientID="B")
    room.opening.open(tmp_path / "other")
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    other = hand.caliper(START, END)
    assert (other.kind, other.site, other.laterality) == ("lesion", "unspecified", "")


def test_what_is_stated_as_absent_is_accepted_at_once(
    room: ReadingRoom, load: Callable[[str], None]
) -> None:
    load("CT")
    room.dock.findings.absent_stated.emit("gas", "maxilla", "left")
    (held,) = room.session.held
    assert held.accepted
    assert held.finding.presence == "absent"
    assert "ABS-1" in room.dock.message.text()
    room.press("undo")
    assert room.session.held == ()


def test_what_was_said_before_is_gone_with_the_next_statement(
    room: ReadingRoom, load: Callable[[str], None]
) -> None:
    load("CT")
    room.say("GAS-1 accepted.")
    room.staging.state("exposed_bone", True, "", "", "", "")
    assert room.session.statements.stated.facts
    assert room.dock.message.text() == ""


def test_the_foot_says_whether_a_record_holds_the_last_change(
    room: ReadingRoom, load: Callable[[str], None], hand: Hand, qtbot: Any, tmp_path: Path
) -> None:
    load("CT")
    hand.caliper(START, END)
    room.press("accept")
    assert "draft" in room.dock.draft.text()
    room.keeping.save(tmp_path / "records")
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    assert "saved" in room.dock.draft.text()
    assert "draft" not in room.dock.draft.text()
    hand.caliper(START, END)
    assert "draft" in room.dock.draft.text()
