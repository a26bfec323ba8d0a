"""Marks of a session: measured, held as drafts, moved, accepted, deleted, taken back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from tests.fixtures.sessions import END, START, loaded

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import Measurement
from osteotrace.protocol import CaliperEntry, Where
from osteotrace.segmentation import marked
from osteotrace.session import Held, Session, mark_entries
from osteotrace.session.changes import FindingChange

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.findings import Finding
    from osteotrace.volume import Volume

MAXILLA = Path(__file__).parents[1] / "sample_dicom" / "maxilla_before"
MIDDLE = (0.0, -0.25, 0.0)
NO_ONE = "2.25.404"


@pytest.fixture
def session(reading_session: Session) -> Session:
    return reading_session


@pytest.fixture
def volume(session: Session) -> Volume:
    return loaded(session)


def caliper(session: Session, volume: Volume, **said: Any) -> Finding:
    (finding,) = session.add("caliper", volume, start=START, end=END, **said)
    return finding


def value(finding: Finding) -> float:
    first = finding.measurements[0]
    assert isinstance(first, Measurement)
    return first.value


def accepted(session: Session) -> bool:
    return session.held[0].accepted


# Adding ------------------------------------------------------------------------------


def test_a_mark_is_held_as_a_draft_with_the_entry_that_measured_it(
    session: Session, volume: Volume
) -> None:
    finding = caliper(session, volume, kind="palatal_bony_defect", site="hard_palate")
    (held,) = session.held
    assert held.finding is finding
    assert not held.accepted
    assert isinstance(held.entry, CaliperEntry)
    assert value(finding) == pytest.approx(12.0, abs=0.05)
    assert (finding.label, finding.kind, finding.site) == (
        "CAL-1",
        "palatal_bony_defect",
        "hard_palate",
    )


@pytest.mark.parametrize(
    ("tool", "where"),
    [
        ("caliper", {"start": START, "end": END}),
        ("intensity", {"region": Where(centre=MIDDLE, radius=2.0)}),
        ("angle", {"start": START, "vertex": (2.0, 0.0, 0.0), "end": END}),
    ],
)
def test_a_reader_who_names_no_place_states_none(
    tool: str, where: dict[str, Any], session: Session, volume: Volume
) -> None:
    (finding,) = session.add(tool, volume, **where)
    (held,) = session.held
    assert held.entry is not None
    assert finding.site == held.entry.site == "unspecified"
    (named,) = session.add(tool, volume, site="mandible", **where)
    assert named.site == "mandible"


def test_measuring_alone_records_nothing(session: Session, volume: Volume) -> None:
    (live,) = session.measure("caliper", volume, start=START, end=END)
    assert session.held == ()
    assert not session.can_undo
    assert caliper(session, volume).measurements == live.measurements


def test_labels_tell_the_tool_and_are_never_given_twice(
    session: Session, volume: Volume
) -> None:
    ball = Where(centre=MIDDLE, radius=2.0)
    first = caliper(session, volume)
    session.delete_finding(first.tracking_uid)
    caliper(session, volume)
    (region,) = session.add("intensity", volume, region=ball)
    session.delete_finding(region.tracking_uid)
    session.undo()
    session.add("intensity", volume, region=ball)
    assert [one.label for one in session.findings] == ["CAL-2", "REG-1", "REG-2"]


def test_tracking_uids_are_fresh_so_that_no_two_lesions_share_one(
    make_session: Callable[..., Session],
) -> None:
    uids = set()
    for reader in ("one", "two"):
        session = make_session(reader)
        uids.add(caliper(session, loaded(session)).tracking_uid)
        session.close()
    assert len(uids) == 2


def test_points_are_stored_as_a_record_holds_them_and_measured_after(
    session: Session, volume: Volume
) -> None:
    start = np.array([0.1, -6.1, 0.3])
    session.add("caliper", volume, start=start, end=END, snap=False)
    entry = session.held[0].entry
    assert isinstance(entry, CaliperEntry)
    assert entry.start == tuple(map(float, start.astype(np.float32)))
    assert entry.start != tuple(start)


@pytest.mark.parametrize(
    ("tool", "where", "found"),
    [
        ("scalpel", {}, "the tool 'scalpel'"),
        ("caliper", {"start": START}, "end"),
        ("caliper", {"start": START, "end": START}, "the start"),
        ("caliper", {"start": START, "end": END, "seed": START}, "seed"),
        ("caliper", {"start": START, "end": END, "site": "atlantis"}, "'atlantis'"),
        ("intensity", {"region": Where(label="nothing")}, "no mask 'nothing'"),
        ("caliper", {"start": START, "end": (900.0, 0.0, 0.0)}, "outside"),
    ],
)
def test_what_makes_no_mark_is_refused_and_nothing_is_recorded(
    session: Session, volume: Volume, tool: str, where: dict[str, Any], found: str
) -> None:
    with pytest.raises(OsteotraceError, match=found):
        session.add(tool, volume, **where)
    assert session.held == ()
    assert not session.can_undo


def test_a_drawn_mask_is_a_label_of_the_entry_and_is_kept_with_it(
    session: Session, volume: Volume
) -> None:
    drawn = marked.ball(volume, MIDDLE, 2.0, role="drawn")
    (finding,) = session.add("intensity", volume, region=drawn)
    (ball,) = session.add("intensity", volume, region=Where(centre=MIDDLE, radius=2.0))
    assert finding.measurements == ball.measurements
    held = session.held_finding(finding.tracking_uid)
    assert held.masks == {"REG-1 region": drawn}


def test_a_label_of_another_finding_is_refused(session: Session, volume: Volume) -> None:
    first, second = caliper(session, volume), caliper(session, volume)
    with pytest.raises(OsteotraceError, match="the label 'CAL-1' twice"):
        session.edit_finding(second.tracking_uid, label=first.label)
    with pytest.raises(OsteotraceError, match="the label 'CAL-1' twice"):
        caliper(session, volume, label="CAL-1")


def test_a_prepared_mark_is_recorded_later_and_changes_nothing_before(
    session: Session, volume: Volume
) -> None:
    prepared = session.prepare("caliper", volume, start=START, end=END)
    assert session.held == ()
    (finding,) = session.record(prepared)
    assert session.findings == (finding,)
    further = session.prepare_move(finding.tracking_uid, end=(0.3, 5.8, 0.8))
    session.edit_finding(finding.tracking_uid, note="said while it was measured")
    (moved,) = session.record(further)
    assert moved.note == "said while it was measured"
    assert moved.measurements != finding.measurements


def test_two_marks_prepared_side_by_side_get_two_labels(
    session: Session, volume: Volume
) -> None:
    drawn = marked.ball(volume, MIDDLE, 2.0, role="drawn")
    both = [session.prepare("intensity", volume, region=drawn) for _ in range(2)]
    for prepared in both:
        session.record(prepared)
    assert [one.label for one in session.findings] == ["REG-1", "REG-2"]
    first, second = session.findings
    assert first.measurements == second.measurements
    # Each moves by its own entry and mask from here on.
    smaller = marked.ball(volume, MIDDLE, 1.5, role="drawn")
    (moved,) = session.move(second.tracking_uid, region=smaller)
    assert moved.label == "REG-2"
    assert session.finding(first.tracking_uid) == first


# Moving ------------------------------------------------------------------------------


def test_a_moved_mark_is_measured_anew_and_keeps_what_the_reader_said(
    session: Session, volume: Volume
) -> None:
    before = caliper(session, volume, certainty="probable")
    session.edit_finding(
        before.tracking_uid, note="see the axial slices", site="maxilla", label="GAP"
    )
    session.accept(before.tracking_uid)
    (after,) = session.move(before.tracking_uid, end=(0.6, 5.2, 2.4))
    assert after.measurements != before.measurements
    assert (after.tracking_uid, after.label, after.note, after.site, after.certainty) == (
        before.tracking_uid,
        "GAP",
        "see the axial slices",
        "maxilla",
        "probable",
    )
    assert session.held[0].accepted
    (there,) = session.measure("caliper", volume, start=START, end=(0.6, 5.2, 2.4))
    assert after.measurements == there.measurements


def test_a_mark_that_cannot_be_measured_elsewhere_stays_where_it_is(
    session: Session, volume: Volume
) -> None:
    finding = caliper(session, volume)
    with pytest.raises(OsteotraceError, match="outside"):
        session.move(finding.tracking_uid, end=(900.0, 0.0, 0.0))
    assert session.findings == (finding,)


def without_entry(session: Session) -> None:
    """Hold the findings as they come from a record: without their entries."""
    changes = [
        FindingChange(
            before=one,
            after=msgspec.structs.replace(one, entry=None, masks={}),
            position=position,
        )
        for position, one in enumerate(session.held)
    ]
    session.commit("taken over", *changes)


@pytest.mark.parametrize("snap", [True, False])
def test_a_caliper_of_another_record_moves_by_its_points_as_drawn(
    session: Session, volume: Volume, snap: bool
) -> None:
    finding = caliper(session, volume, quantity="palatal_gap_ap", snap=snap)
    without_entry(session)
    (moved,) = session.move(finding.tracking_uid, end=END)
    assert moved == finding
    assert session.undo() == "caliper CAL-1 moved"


def test_a_region_of_another_record_says_that_only_its_result_is_known(
    session: Session, volume: Volume
) -> None:
    ball = Where(centre=MIDDLE, radius=2.0)
    (finding,) = session.add("intensity", volume, region=ball)
    without_entry(session)
    with pytest.raises(OsteotraceError, match="only the result is known"):
        session.move(finding.tracking_uid, region=ball)


# What the reader says ------------------------------------------------------------------


def test_a_lesion_looked_for_and_absent_is_a_finding_without_a_mark(
    session: Session,
) -> None:
    absent = session.absent("sequestrum", "mandible", "left", "no fragment")
    assert (absent.label, absent.presence, absent.regions) == ("ABS-1", "absent", ())
    assert not accepted(session)
    assert session.undo() == "absence ABS-1 stated"
    session.absent("sequestrum", "mandible", accepted=True)
    assert accepted(session)
    # Stated and accepted is one step.
    assert session.undo() == "absence ABS-2 stated"
    assert session.findings == ()


def test_acceptance_is_a_step_that_is_taken_back(
    session: Session, volume: Volume
) -> None:
    finding = caliper(session, volume)
    session.accept(finding.tracking_uid)
    assert accepted(session)
    session.accept(finding.tracking_uid)
    assert session.undo() == "caliper CAL-1 accepted"
    assert not accepted(session)
    session.redo()
    session.unaccept(finding.tracking_uid)
    assert not accepted(session)


def test_what_was_undone_and_redone_is_said_in_words(
    session: Session, volume: Volume
) -> None:
    finding = caliper(session, volume)
    session.edit_finding(finding.tracking_uid, site="maxilla", note="x")
    session.delete_finding(finding.tracking_uid)
    assert [session.undo() for _ in range(4)] == [
        "caliper CAL-1 deleted",
        "site, note of CAL-1 changed",
        "caliper CAL-1 added",
        "",
    ]
    assert [session.redo() for _ in range(4)] == [
        "caliper CAL-1 added",
        "site, note of CAL-1 changed",
        "caliper CAL-1 deleted",
        "",
    ]


@pytest.mark.parametrize(
    "ask",
    [Session.delete_finding, Session.accept, Session.move, Session.held_finding],
)
def test_a_finding_that_is_not_there_is_said_so(
    session: Session, ask: Callable[[Session, str], object]
) -> None:
    with pytest.raises(OsteotraceError, match="no finding"):
        ask(session, NO_ONE)


# Markings of several findings --------------------------------------------------------


@pytest.fixture(scope="module")
def sequestra() -> Where:
    from osteotrace import protocol

    sample = MAXILLA.parent / "protocols" / "maxilla_before.toml"
    (entry,) = (
        one
        for one in protocol.read(sample).entries
        if hasattr(one, "region") and one.kind == "sequestrum"
    )
    assert isinstance(entry.region, Where)
    return entry.region


@pytest.fixture
def with_sequestra(tmp_path: Path, sequestra: Where) -> Session:
    session = Session(reader="tester", drafts=tmp_path / "other drafts")
    (header,) = (
        volume
        for series in session.open(MAXILLA)
        for volume in series.volumes
        if series.identity.modality == "CT"
    )
    session.add("sequestra", session.load(header), region=sequestra, site="maxilla")
    return session


def test_fragments_go_with_the_sequestra_they_are_parts_of(
    with_sequestra: Session, sequestra: Where
) -> None:
    session = with_sequestra
    leader, *parts = session.held
    assert leader.finding.label == "SEQ-1"
    assert [one.finding.label for one in parts] == [
        f"SEQ-1/{n}" for n in range(1, len(parts) + 1)
    ]
    assert len(parts) >= 2
    assert {one.leader for one in parts} == {leader.uid}

    # Accepted, edited, moved, deleted: one marking, one step each.
    session.accept(parts[0].uid)
    assert all(one.accepted for one in session.held)
    session.edit_finding(leader.uid, laterality="left", label="DEAD")
    assert [one.finding.label for one in session.held][:2] == ["DEAD", "DEAD/1"]
    assert {one.finding.laterality for one in session.held} == {"left"}
    session.edit_finding(parts[0].uid, note="the long one")
    assert sequestra.centre is not None
    assert sequestra.radius is not None
    moved = session.move(
        parts[0].uid, region=Where(centre=sequestra.centre, radius=sequestra.radius - 0.5)
    )
    assert [one.tracking_uid for one in moved][:2] == [leader.uid, parts[0].uid]
    assert (moved[1].note, moved[1].laterality) == ("the long one", "left")
    session.delete_finding(leader.uid)
    assert session.held == ()
    session.undo()
    assert session.findings == moved


def test_a_search_that_finds_none_says_so_until_it_finds_one(
    with_sequestra: Session, sequestra: Where
) -> None:
    session = with_sequestra
    leader = session.findings[0]
    assert leader.presence == "present"
    assert sequestra.centre is not None
    x, y, z = sequestra.centre
    # On intact bone of the other side.
    elsewhere = Where(centre=(-x, y, z), radius=4.0)
    (none,) = session.move(leader.tracking_uid, region=elsewhere)
    assert (none.measurements[0].value, none.presence) == (0, "absent")  # type: ignore[union-attr]
    found = session.move(leader.tracking_uid, region=sequestra)
    assert {one.presence for one in found} == {"present"}
    # What the reader says of it stays.
    session.edit_finding(leader.tracking_uid, presence="unknown")
    (none,) = session.move(leader.tracking_uid, region=elsewhere)
    assert none.presence == "unknown"


def test_every_held_part_comes_back_from_the_journal(
    with_sequestra: Session, tmp_path: Path
) -> None:
    before = with_sequestra.held
    assert with_sequestra.catalogue is not None
    series_uid = before[0].finding.series_uid
    with_sequestra.close()
    again = Session(reader="tester", drafts=tmp_path / "other drafts")
    again.load(again.open(MAXILLA).choose(series_uid))
    assert again.held == before
    assert all(isinstance(one, Held) for one in again.held)
    again.close()


@pytest.mark.parametrize("label", ["a\\b", "L" * 70, "two\nlines", "\\", 'a "quote"'])
def test_a_mask_is_named_as_a_segmentation_gives_its_name_back(
    label: str, session: Session, volume: Volume
) -> None:
    near, far = (
        marked.ball(volume, MIDDLE, radius, role="drawn") for radius in (2.0, 3.0)
    )
    session.add("intensity", volume, region=near, label=label)
    session.add("intensity", volume, region=far, label=f"{label}x")
    marks, masks = mark_entries.told_apart(session.held)
    assert sorted(mask.voxels.sum() for mask in masks.values()) == sorted(
        mask.voxels.sum() for mask in (near, far)
    )
    for name in masks:
        assert 0 < len(name) <= 64
        assert "\\" not in name
        assert name == " ".join(name.split())
    named = [one.entry.region.label for one in marks]  # type: ignore[union-attr]
    assert named == list(masks)
