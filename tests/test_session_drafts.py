"""Drafts of a session: replayed at every line, recovered after a crash, set aside."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from tests.fixtures.assessments import caliper_finding
from tests.fixtures.sessions import END, START, gap, loaded

from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding
from osteotrace.protocol import Where
from osteotrace.session import Session
from osteotrace.session.changes import FindingChange, Held, MaskPatch
from osteotrace.session.draft import Draft
from osteotrace.session.journal import Journal
from osteotrace.session.lines import Closed, Done, Started, Undone
from osteotrace.session.mask_runs import from_runs, runs_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.volume import Volume

STUDY, READER = "2.25.1", "tester"
AT = "2024-05-06T07:08:10+00:00"


def journal_file(tmp_path: Path) -> Path:
    (file,) = (
        path for path in (tmp_path / "drafts").iterdir() if ".aside-" not in path.name
    )
    return file


# Recovery ------------------------------------------------------------------------------


def killed(session: Session) -> None:
    """Leave a session as a killed process does: nothing is closed, the lock is gone."""
    assert session._journal is not None
    session._journal.close()
    session._journal = None


def test_a_new_study_has_nothing_to_recover(make_session: Callable[..., Session]) -> None:
    assert make_session().recovery is None


def test_what_a_crash_left_is_offered_with_what_was_done_last(
    make_session: Callable[..., Session],
) -> None:
    session = make_session()
    gap(session)
    session.add("caliper", loaded(session), start=START, end=END)
    killed(session)
    recovery = make_session().recovery
    assert recovery is not None
    assert recovery.after_crash
    assert (recovery.findings, recovery.unaccepted) == (2, 1)
    assert recovery.what == "caliper CAL-2 added"
    assert recovery.last_change


def test_a_reading_that_was_closed_is_continued_not_recovered_from_a_crash(
    make_session: Callable[..., Session],
) -> None:
    session = make_session()
    gap(session)
    session.close()
    recovery = make_session().recovery
    assert recovery is not None
    assert not recovery.after_crash


def test_a_reading_that_is_saved_whole_has_nothing_to_recover(
    make_session: Callable[..., Session], tmp_path: Path
) -> None:
    session = make_session()
    gap(session)
    session.save(tmp_path / "records")
    killed(session)
    assert make_session().recovery is None


def test_beginning_anew_sets_the_draft_aside_and_deletes_nothing(
    make_session: Callable[..., Session], tmp_path: Path
) -> None:
    session = make_session()
    gap(session)
    kept = journal_file(tmp_path).read_bytes()
    for number in (1, 2):
        aside = session.begin_anew()
        assert aside is not None
        assert aside.name.endswith(f".aside-{number}.jsonl")
        assert aside.read_bytes().startswith(kept if number == 1 else b"{")
        assert session.findings == ()
        assert session.recovery is None
    series = session.assessment
    assert series is not None
    assert len(series.series) == 1
    gap(session)
    held = session.held
    session.close()
    assert make_session().held == held


def test_a_damaged_draft_is_set_aside_and_the_study_can_be_read(
    make_session: Callable[..., Session], tmp_path: Path, small_study: Path
) -> None:
    session = make_session()
    gap(session)
    session.close()
    file = journal_file(tmp_path)
    damaged = file.read_bytes().replace(b"CAL-1", b"CAL-7", 1)
    file.write_bytes(damaged)
    again = Session(reader=session.reader, drafts=tmp_path / "drafts")
    again.open(small_study)
    with pytest.raises(OsteotraceError, match="begin this reading anew"):
        loaded(again)
    aside = again.begin_anew()
    assert aside is not None
    assert aside.read_bytes() == damaged
    gap(again)
    again.close()


def test_a_draft_in_use_cannot_be_set_aside(
    make_session: Callable[..., Session], tmp_path: Path
) -> None:
    session = make_session()
    gap(session)
    with pytest.raises(OsteotraceError, match="another window"):
        Journal.set_aside("2.25.1001", session.reader, folder=tmp_path / "drafts")
    assert Journal.set_aside("2.25.404", "nobody", folder=tmp_path / "drafts") is None


# Journals of earlier versions ---------------------------------------------------------


class Change(msgspec.Struct, tag=True):
    """A line as versions 1 and 2 wrote it."""

    at: str
    before: Finding | None
    after: Finding | None
    position: int


def started(version: int) -> Started:
    return Started(
        at=AT,
        assessment_uid="2.25.2",
        study_uid=STUDY,
        patient="P-ABCDEFGH",
        study_date="2024-01-02",
        reader=READER,
        software="osteotrace",
        journal_version=version,
    )


@pytest.mark.parametrize("version", [1, 2])
def test_journals_of_bare_findings_are_read_as_accepted_ones_and_continued(
    tmp_path: Path, version: int
) -> None:
    from osteotrace.records import chained_lines

    finding = caliper_finding()
    edited = msgspec.structs.replace(finding, note="seen twice")
    old: list[Any] = [
        started(version),
        Change(AT, None, finding, 0),
        Change(AT, finding, edited, 0),
        Change(AT, edited, None, 0),
        Undone(at=AT),
    ]
    empty = Journal(STUDY, READER, folder=tmp_path)
    empty.close()
    checksum, text = chained_lines.BEGINNING, b""
    for line in map(msgspec.json.encode, old):
        if version == 1:
            text += line + b"\n"
        else:
            whole, checksum = chained_lines.chained(line, checksum)
            text += whole
    empty.path.write_bytes(text)

    journal = Journal(STUDY, READER, folder=tmp_path)
    journal.append(Closed(at=AT))
    journal.close()
    again = Journal(STUDY, READER, folder=tmp_path)
    again.close()
    draft = Draft()
    for replayed in again.lines:
        draft.apply(replayed)
    assert draft.held == (Held(finding=edited, accepted=True),)
    assert draft.is_closed
    assert [one.what for one in draft.done] == ["PAL-1 added", "PAL-1 changed"]


# Drawn masks --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_run_lengths_give_every_pattern_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for share in (0.0, 0.01, 0.5, 1.0):
        voxels = rng.random((3, 20, 17)) < share
        back = from_runs(runs_of(voxels), voxels.shape)
        assert back is not None
        assert (back == voxels).all()
    assert len(runs_of(np.zeros((9, 512, 512), bool))) == 0


@pytest.mark.parametrize("runs", [b"\x07\x02", b"\x00\x09", b"\x80", b"\xff" * 40])
def test_run_lengths_that_do_not_fit_their_box_are_refused(runs: bytes) -> None:
    assert from_runs(runs, (2, 2, 2)) is None


def stroke(rng: random.Random, uid: str) -> MaskPatch:
    """Return a stroke in a random box of a small volume."""
    shape = (5, 8, 7)
    ends = [sorted(rng.sample(range(n + 1), 2)) for n in shape]
    box = tuple((a, b) for a, b in ends)
    size = [b - a for a, b in ends]
    turned = np.random.default_rng(rng.randrange(1 << 30)).random(size) < 0.5
    return MaskPatch(
        uid=uid,
        series_uid="2.25.7",
        k=0,
        shape=shape,
        box=box,  # type: ignore[arg-type]
        runs=runs_of(turned),
    )


# Random commands ----------------------------------------------------------------------


def state(draft: Draft) -> dict[str, Any]:
    """Return what a draft comes to, as plain values that can be compared."""
    return {
        "held": draft.held,
        "masks": {uid: one.voxels.tobytes() for uid, one in draft.masks.items()},
        "done": tuple(one.what for one in draft.done),
        "undone": tuple(one.what for one in draft.undone),
        "predecessor": draft.predecessor_uid,
        "is_changed": draft.is_changed,
    }


class Model:
    """What a reader expects: snapshots of all that is held, on two stacks."""

    def __init__(self) -> None:
        self.now: dict[str, tuple[Any, ...]] = {}
        self.past: list[dict[str, tuple[Any, ...]]] = []
        self.future: list[dict[str, tuple[Any, ...]]] = []

    def change(self) -> None:
        self.past.append(dict(self.now))
        self.future.clear()

    def undo(self) -> None:
        if self.past:
            self.future.append(self.now)
            self.now = self.past.pop()

    def redo(self) -> None:
        if self.future:
            self.past.append(self.now)
            self.now = self.future.pop()


def act(session: Session, volume: Volume, model: Model, rng: random.Random) -> str:
    """Do one random thing in the session and in the model; return what."""
    uids = list(model.now)
    every = ["add", "region", "undo", "redo", "absent", "save"]
    what = rng.choice([*every, *["edit", "move", "accept", "unaccept", "delete"] * 2])
    if what in {"edit", "move", "accept", "unaccept", "delete"} and not uids:
        what = "add"
    uid = rng.choice(uids) if uids else ""
    if what in {"add", "absent", "region"}:
        model.change()
        if what == "absent":
            found = session.absent("sequestrum", "mandible")
        elif what == "add":
            end = (0.3, 5.5, round(rng.uniform(-3, 3), 1))
            (found,) = session.add("caliper", volume, start=START, end=end, snap=False)
        else:
            ball = Where(centre=(0.0, round(rng.uniform(-3, 3), 1), 0.0), radius=1.5)
            (found,) = session.add("intensity", volume, region=ball)
        model.now[found.tracking_uid] = (found.label, "", False, found.measurements)
    elif what == "edit":
        label, note, accepted, measured = model.now[uid]
        new = rng.choice(["", "seen", "seen again"])
        if new != note:
            model.change()
            model.now[uid] = (label, new, accepted, measured)
        session.edit_finding(uid, note=new)
    elif what == "move":
        label, note, accepted, _ = model.now[uid]
        if label.startswith("CAL"):
            model.change()
            end = (0.3, 5.5, rng.uniform(-3, 3))
            (moved,) = session.move(uid, end=end)
            model.now[uid] = (label, note, accepted, moved.measurements)
    elif what in {"accept", "unaccept"}:
        label, note, accepted, measured = model.now[uid]
        if accepted != (what == "accept"):
            model.change()
            model.now[uid] = (label, note, what == "accept", measured)
        getattr(session, what)(uid)
    elif what == "delete":
        model.change()
        del model.now[uid]
        session.delete_finding(uid)
    elif what == "save":
        # What a save does to the draft, without the minutes that records take.
        session._note_saved(
            session.draft.assessment_uid, session.records_folder() / "record.dcm"
        )
    else:
        getattr(model, what)()
        getattr(session, what)()
    return what


@pytest.mark.parametrize("seed", [1, 2])
def test_random_commands_do_what_a_reader_expects_and_replay_the_same_at_every_point(
    make_session: Callable[..., Session], tmp_path: Path, seed: int
) -> None:
    rng, model = random.Random(seed), Model()
    session = make_session()
    volume, done = loaded(session), set()
    states = [state(session.draft)]
    file = journal_file(tmp_path)
    lines_before = file.read_bytes().count(b"\n")
    for number in range(250):
        size = file.stat().st_size
        if rng.random() < 0.1:
            patch = stroke(rng, f"2.25.6.{rng.randrange(3)}")
            model.change()
            session.commit(f"stroke {number}", patch)
            done.add("stroke")
        else:
            done.add(act(session, volume, model, rng))
        assert {
            one.uid: (
                one.finding.label,
                one.finding.note,
                one.accepted,
                one.finding.measurements,
            )
            for one in session.held
        } == model.now
        new = state(session.draft)
        # A command that changes nothing writes no line.
        if file.stat().st_size != size:
            states.append(new)
        assert new == states[-1]
    assert done >= {"add", "move", "edit", "accept", "delete", "undo", "redo", "stroke"}
    whole = file.read_bytes()
    assert whole.count(b"\n") == lines_before + len(states) - 1
    session.close()

    # At every point the journal replays to what was there then.
    every = whole.splitlines(keepends=True)
    journal = Journal("2.25.1001", session.reader, folder=tmp_path / "drafts")
    journal.close()
    draft = Draft()
    for number, line in enumerate(journal.lines[: len(every)], start=1):
        draft.apply(line)
        if number >= lines_before:
            assert state(draft) == states[number - lines_before]

    # Torn at any byte, it is the state of the lines that are whole.
    for cut in sorted(rng.sample(range(len(whole)), 12)):
        journal_file(tmp_path).write_bytes(whole[:cut])
        torn = make_session(session.reader)
        kept = whole[:cut].count(b"\n")
        if kept >= lines_before:
            assert state(torn.draft) == states[kept - lines_before]
        torn.close()


def test_a_command_of_several_changes_is_made_whole_or_not_at_all(
    reading_session: Session,
) -> None:
    session = reading_session
    finding = gap(session)
    before = state(session.draft)
    (held,) = session.held
    good = FindingChange(
        before=held, after=msgspec.structs.replace(held, accepted=False), position=0
    )
    with pytest.raises(OsteotraceError, match="not there"):
        session.commit("two changes", stroke(random.Random(3), "2.25.6"), good, good)
    assert state(session.draft) == before
    assert session.findings == (finding,)


def test_a_stroke_is_taken_back_by_turning_its_voxels_over_again() -> None:
    draft = Draft()
    draft.apply(started(3))
    rng = random.Random(5)
    states = [state(draft)["masks"]]
    for number in range(20):
        patch = stroke(rng, "2.25.6")
        draft.apply(Done(at=AT, what=f"stroke {number}", changes=(patch,)))
        states.append(state(draft)["masks"])
    for before in reversed(states[:-1]):
        draft.apply(Undone(at=AT))
        assert state(draft)["masks"] == before
    assert draft.masks == {}
