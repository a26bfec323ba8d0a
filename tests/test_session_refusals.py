"""What no draft can hold is refused at the door: a draft on disk can always be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.sessions import END, START, gap, loaded

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.session import Session

NO_NUMBER = float("nan")
COMMANDS: dict[str, Callable[[Any], object]] = {
    "a certainty": lambda s: s.add(
        "caliper", loaded(s), start=START, end=END, certainty="sure"
    ),
    "a side": lambda s: s.edit_finding(s.held[0].uid, laterality="Left"),
    "a presence": lambda s: s.edit_finding(s.held[0].uid, presence="gone"),
    "a number for a text": lambda s: s.edit_finding(s.held[0].uid, note=5),
    "half a character": lambda s: s.edit_finding(s.held[0].uid, note="a\ud800b"),
    "an absence's side": lambda s: s.absent("sequestrum", "maxilla", "Left"),
    "no place": lambda s: s.levels.add(loaded(s), (0.0, 0.0, NO_NUMBER)),
    "no label": lambda s: s.edit_finding(s.held[0].uid, label=" "),
    "no number": lambda s: s.statements.state("crp", NO_NUMBER),
    "no dose": lambda s: s.statements.add_drug("zoledronate", dose=NO_NUMBER),
    "a count": lambda s: s.levels.count(loaded(s), thoracic=10),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_a_value_that_no_draft_can_hold_is_refused_and_the_draft_is_read_again(
    make_session: Callable[..., Session], what: str
) -> None:
    session = make_session()
    gap(session)
    session.levels.add(loaded(session), START)
    before = session.held, session.draft.levels, len(session.draft.done)
    with pytest.raises(OsteotraceError):
        COMMANDS[what](session)
    assert (session.held, session.draft.levels, len(session.draft.done)) == before
    assert session.undo()
    session.redo()
    session.close()
    again = make_session()
    assert (again.held, again.draft.levels, len(again.draft.done)) == before


def test_what_is_taken_back_and_made_again_after_a_save_is_no_change(
    make_session: Callable[..., Session], tmp_path: Any
) -> None:
    session = make_session()
    gap(session)
    session.save(tmp_path / "records")
    seen = []
    for command in (session.undo, session.redo, session.undo, lambda: gap(session)):
        command()
        seen.append(session.draft.is_changed)
    assert seen == [True, False, True, True]


def test_a_saved_reading_with_drafts_that_was_closed_is_not_taken_for_a_crash(
    make_session: Callable[..., Session], tmp_path: Any
) -> None:
    session = make_session()
    gap(session)
    session.add("caliper", loaded(session), start=START, end=END)
    session.save(tmp_path / "records")
    session.close()
    recovery = make_session().recovery
    assert recovery is not None
    assert (recovery.unaccepted, recovery.after_crash) == (1, False)
