"""Masks in hand: a stroke can be taken back, and the journal gives every voxel back."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from osteotrace.measurements import intensity
from osteotrace.measurements.measurement import Measurement
from osteotrace.protocol import Where
from osteotrace.regions import Mask
from osteotrace.segmentation import between_slices, brush, marked
from osteotrace.session import Session
from osteotrace.session.mask_parts import MASK_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from osteotrace.errors import OsteotraceError
    from osteotrace.geometry import Array
    from osteotrace.volume import Volume

    Refusal = Callable[[Callable[[], object]], OsteotraceError]

CT_SERIES = "2.25.1002"
MR_SERIES = "2.25.1003"
# In the wall behind the gap, on slice 10 of 20.
IN_WALL = (0.0, 8.5, 0.0)
RADIUS = 2.0


@pytest.fixture
def new_session(tmp_path: Path, small_study: Path) -> Iterator[Callable[..., Session]]:
    made: list[Session] = []

    def make(drafts: str = "drafts") -> Session:
        count = iter(range(1, 100_000))
        session = Session(
            reader="tester",
            drafts=tmp_path / drafts,
            now=lambda: datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
            new_uid=lambda: f"2.25.9{len(made)}.{next(count)}",
        )
        made.append(session)
        session.open(small_study)
        return session

    yield make
    for session in made:
        session.close()


@pytest.fixture
def session(new_session: Callable[[], Session]) -> Session:
    return new_session()


def load(session: Session, series_uid: str = CT_SERIES) -> Volume:
    assert session.catalogue is not None
    return session.load(session.catalogue.choose(series_uid))


def on_slice(volume: Volume, k: int, *, shift: float = 0.0) -> Array:
    """Return LPS mm places of a drag in the wall, on one slice."""
    index = volume.grid.to_index([[-4.0 + shift, 8.5, 0.0], [3.0 + shift, 8.8, 0.0]])
    index[:, 0] = k
    return volume.grid.to_patient(index)


def drawn(session: Session, volume: Volume, slices: tuple[int, ...] = (8, 12)) -> str:
    """Return the UID of a mask in hand with a stroke on each of some slices."""
    uid = session.masks.begin(volume)
    for k in slices:
        assert session.masks.stroke(uid, volume, on_slice(volume, k), RADIUS)
    return uid


def current(session: Session, uid: str) -> NDArray[np.bool_]:
    """Return a copy of a mask in hand; an empty array where there is none."""
    if uid not in session.masks:
        return np.zeros(0, dtype=bool)
    return session.masks.voxels(uid).copy()


def same(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    return bool(np.array_equal(one, other))


# Drawing -------------------------------------------------------------------------------


def test_a_stroke_marks_what_the_brush_touches(session: Session) -> None:
    volume = load(session)
    uid = session.masks.begin(volume)
    window = session.masks.stroke(uid, volume, on_slice(volume, 10), RADIUS)
    touched = brush.disc(volume.grid, on_slice(volume, 10), RADIUS)
    assert touched is not None
    expected = np.zeros(volume.grid.shape, dtype=bool)
    expected[touched.window] = touched.voxels
    assert same(current(session, uid), expected)
    assert window is not None
    outside = expected.copy()
    outside[window] = False
    assert not outside.any()
    assert session.masks.on(volume) == (uid,)


@pytest.mark.parametrize("axis", [0, 1, 2, None])
def test_a_stroke_may_lie_in_any_view_or_be_a_ball(
    session: Session, axis: int | None
) -> None:
    volume = load(session)
    uid = session.masks.begin(volume)
    session.masks.stroke(uid, volume, IN_WALL, RADIUS, axis=axis)
    extent = np.ptp(np.argwhere(session.masks.voxels(uid)), axis=0)
    flat = [k for k in range(3) if extent[k] == 0]
    assert flat == ([] if axis is None else [axis])


def test_what_is_erased_is_drawn_no_longer(session: Session) -> None:
    volume = load(session)
    uid = drawn(session, volume)
    before = current(session, uid)
    session.masks.stroke(uid, volume, on_slice(volume, 8, shift=3), 1.0, erase=True)
    after = current(session, uid)
    assert not (after & ~before).any()
    assert 0 < after[8].sum() < before[8].sum()
    assert np.array_equal(after[12], before[12])


def test_what_changes_nothing_is_no_command(session: Session) -> None:
    volume = load(session)
    uid = drawn(session, volume, (10,))
    done = len(session.draft.done)
    assert session.masks.stroke(uid, volume, on_slice(volume, 10), 1.0) is None
    assert session.masks.stroke(uid, volume, on_slice(volume, 3), 1.0, erase=True) is None
    assert session.masks.stroke(uid, volume, (900.0, 0.0, 0.0), 1.0) is None
    assert len(session.draft.done) == done


def test_a_mask_erased_to_nothing_is_not_in_hand(session: Session) -> None:
    volume = load(session)
    uid = drawn(session, volume, (10,))
    session.masks.stroke(uid, volume, on_slice(volume, 10), 5.0, erase=True)
    assert uid not in session.masks
    session.undo()
    assert uid in session.masks


def test_empty_slices_between_drawn_ones_are_filled(session: Session) -> None:
    volume = load(session)
    uid = drawn(session, volume)
    before = current(session, uid)
    session.masks.interpolate(uid, volume)
    filled = current(session, uid)
    assert np.flatnonzero(filled.any(axis=(1, 2))).tolist() == [8, 9, 10, 11, 12]
    assert np.array_equal(filled, between_slices.filled(before, volume.grid))


def test_filling_between_strokes_far_apart_does_not_swell_the_mask(
    session: Session,
) -> None:
    volume = load(session)
    uid = session.masks.begin(volume)
    places = volume.grid.to_patient([[4.0, 30.0, 20.0], [12.0, 70.0, 55.0]])
    for place, radius in zip(places, (5.0, 1.5), strict=True):
        session.masks.stroke(uid, volume, [place], radius)
    drawn_areas = session.masks.voxels(uid).sum(axis=(1, 2))[[4, 12]]
    whole = between_slices.filled(session.masks.voxels(uid), volume.grid)
    session.masks.interpolate(uid, volume)
    assert same(current(session, uid), whole)
    areas = session.masks.voxels(uid)[4:13].sum(axis=(1, 2))
    radii = np.interp(range(4, 13), (4, 12), np.sqrt(drawn_areas))
    assert areas.sum() == pytest.approx((radii**2).sum(), rel=0.03)


def test_a_threshold_keeps_what_lies_between_the_levels(session: Session) -> None:
    volume = load(session)
    uid = session.masks.begin(volume, Where(centre=(0.0, 5.0, 0.0), radius=5.0))
    before = current(session, uid)
    session.masks.threshold(uid, volume, 600.0, 3000.0)
    bone = volume.rescaled() >= 600
    assert same(current(session, uid), before & bone)
    assert 0 < (before & bone).sum() < before.sum()


def test_a_threshold_in_a_region_adds_to_the_mask(session: Session) -> None:
    volume = load(session)
    uid = drawn(session, volume)
    before = current(session, uid)
    region = marked.ball(volume, IN_WALL, 4.0, role="region")
    session.masks.threshold(uid, volume, 600.0, 3000.0, within=region)
    bone = (volume.rescaled() >= 600) & region.on(volume.grid)
    assert same(current(session, uid), before | bone)


def test_what_hangs_together_with_a_point_is_added(session: Session) -> None:
    volume = load(session)
    uid = drawn(session, volume)
    before = current(session, uid)
    session.masks.grow(uid, volume, IN_WALL, 600.0, 3000.0, radius_mm=4.0)
    ball = marked.ball(volume, IN_WALL, 4.0, role="x").on(volume.grid)
    bone = (volume.rescaled() >= 600) & ball
    assert same(current(session, uid), before | bone)


def test_levels_that_hold_nothing_leave_the_mask_as_it_was(
    session: Session, refusal: Refusal
) -> None:
    volume = load(session)
    uid = drawn(session, volume)
    before, done = current(session, uid), len(session.draft.done)
    error = refusal(lambda: session.masks.threshold(uid, volume, 8000.0, 9000.0))
    assert "no voxel between" in error.found
    assert same(current(session, uid), before)
    assert len(session.draft.done) == done


# Undo, redo and the journal ------------------------------------------------------------


def every_command(session: Session, volume: Volume) -> list[NDArray[np.bool_]]:
    """Do everything once; return the mask before each command and after the last."""
    masks = session.masks
    uid = masks.begin(volume)
    states = [current(session, uid)]
    commands: tuple[Callable[[], object], ...] = (
        lambda: masks.stroke(uid, volume, on_slice(volume, 8), RADIUS),
        lambda: masks.stroke(uid, volume, on_slice(volume, 12, shift=1), 3.0),
        lambda: masks.stroke(uid, volume, on_slice(volume, 12), 1.0, erase=True),
        lambda: masks.interpolate(uid, volume),
        lambda: masks.grow(uid, volume, IN_WALL, 600.0, 3000.0, radius_mm=4.0),
        lambda: masks.threshold(uid, volume, 700.0, 3000.0),
        lambda: masks.clear(uid),
    )
    for command in commands:
        assert command() is not None
        states.append(current(session, uid))
    return states


def test_every_command_on_a_mask_is_taken_back_and_made_again(session: Session) -> None:
    volume = load(session)
    states = every_command(session, volume)
    (uid,) = {change.uid for done in session.draft.done for change in done.changes}  # type: ignore[union-attr]
    for state in reversed(states[:-1]):
        assert session.undo()
        assert same(current(session, uid), state)
    assert not session.can_undo
    for state in states[1:]:
        assert session.redo()
        assert same(current(session, uid), state)


def test_after_a_crash_the_journal_gives_the_same_voxels(
    new_session: Callable[..., Session], tmp_path: Path
) -> None:
    session = new_session()
    volume = load(session)
    every_command(session, volume)
    session.undo()
    (uid,) = session.masks.on(volume)
    # What a crash leaves is what is on disk now.
    shutil.copytree(tmp_path / "drafts", tmp_path / "crashed")
    again = new_session("crashed")
    other = load(again)
    assert again.masks.on(other) == (uid,)
    assert same(current(again, uid), current(session, uid))
    assert again.undo() == session.undo()
    assert same(current(again, uid), current(session, uid))
    assert again.recovery is not None


def test_a_stroke_takes_few_bytes_of_the_journal(
    session: Session, tmp_path: Path
) -> None:
    volume = load(session)
    drawn(session, volume, (8,))
    (file,) = (tmp_path / "drafts").iterdir()
    before = file.stat().st_size
    drawn(session, volume, (12,))
    assert file.stat().st_size - before < 600


def test_voxels_handed_out_cannot_be_changed_and_follow_the_mask(
    session: Session,
) -> None:
    volume = load(session)
    uid = drawn(session, volume, (8,))
    voxels = session.masks.voxels(uid)
    with pytest.raises(ValueError, match="read-only"):
        voxels[0, 0, 0] = True
    session.masks.stroke(uid, volume, on_slice(volume, 12), RADIUS)
    assert voxels[12].any()


# Finishing -----------------------------------------------------------------------------


def test_a_finished_mask_is_measured_and_no_longer_in_hand_in_one_command(
    session: Session,
) -> None:
    volume = load(session)
    uid = drawn(session, volume)
    region = session.masks.mask(uid, volume)
    before = current(session, uid)
    done = len(session.draft.done)
    (finding,) = session.masks.finish(
        uid, volume, "intensity", kind="osteolysis", site="mandible", note="drawn"
    )
    assert len(session.draft.done) == done + 1
    assert uid not in session.masks
    assert list(session.findings) == [finding]
    assert (finding.kind, finding.site, finding.note) == (
        "osteolysis",
        "mandible",
        "drawn",
    )
    expected = intensity.measure(volume, region).measurements
    found = finding.measurements
    assert all(isinstance(one, Measurement) for one in found)
    assert [one.value for one in found] == [one.value for one in expected]  # type: ignore[union-attr]
    (kept,) = finding.regions
    assert isinstance(kept, Mask)
    assert np.array_equal(kept.on(volume.grid), before)
    assert kept.source_instances == region.source_instances
    session.undo()
    assert list(session.findings) == []
    assert same(current(session, uid), before)
    session.redo()
    assert list(session.findings) == [finding]
    assert uid not in session.masks


def test_a_finding_s_mask_taken_in_hand_is_that_finding_s_again(session: Session) -> None:
    volume = load(session)
    (first,) = session.masks.finish(drawn(session, volume), volume, "intensity")
    uid = session.masks.begin_from(first.tracking_uid)
    assert uid == first.tracking_uid
    assert session.masks.is_finding(uid)
    assert session.masks.begin_from(uid) == uid
    session.masks.stroke(uid, volume, on_slice(volume, 9), RADIUS)
    (moved,) = session.masks.finish(uid, volume, "intensity")
    assert (moved.tracking_uid, moved.label) == (first.tracking_uid, first.label)
    assert session.findings == (moved,)
    (mask,) = moved.regions
    assert isinstance(mask, Mask)
    slices = np.flatnonzero(mask.on(volume.grid).any(axis=(1, 2)))
    assert slices.tolist() == [8, 9, 12]
    session.undo()
    assert session.findings == (first,)
    assert uid in session.masks


def test_a_finding_of_a_ball_is_drawn_on_as_its_voxels(session: Session) -> None:
    volume = load(session)
    where = Where(centre=IN_WALL, radius=3.0)
    (finding,) = session.add("intensity", volume, region=where)
    uid = session.masks.begin_from(finding.tracking_uid)
    ball = marked.ball(volume, IN_WALL, 3.0, role="x").on(volume.grid)
    assert same(current(session, uid), ball)
    (same_finding,) = session.masks.finish(uid, volume, "intensity")
    assert same_finding.measurements == finding.measurements


def test_a_finding_measured_in_no_region_has_no_mask_to_take(
    session: Session, refusal: Refusal
) -> None:
    volume = load(session)
    (finding,) = session.add("caliper", volume, start=(0, -6, 0), end=(0.3, 5.5, 0))
    error = refusal(lambda: session.masks.begin_from(finding.tracking_uid))
    assert error.found == "CAL-1, which was measured in no region"


def test_what_cannot_be_measured_leaves_the_mask_in_hand(
    session: Session, refusal: Refusal
) -> None:
    volume = load(session)
    uid = drawn(session, volume)
    before = current(session, uid)
    error = refusal(lambda: session.masks.finish(uid, volume, "caliper"))
    assert error.usage
    assert same(current(session, uid), before)
    assert session.findings == ()
    refusal(lambda: session.masks.finish("2.25.1", volume, "intensity"))


def test_a_mask_is_drawn_on_one_series(session: Session, refusal: Refusal) -> None:
    volume, other = load(session), load(session, MR_SERIES)
    uid = drawn(session, volume)
    inside = other.grid.to_patient([4, 30, 30])
    error = refusal(lambda: session.masks.stroke(uid, other, inside, RADIUS))
    assert "another series" in error.found
    assert session.masks.on(other) == ()


def test_a_resampled_volume_is_not_drawn_on(session: Session, refusal: Refusal) -> None:
    volume = load(session)
    error = refusal(lambda: session.masks.begin(volume.rectified(1.0)))
    assert "not loaded as it is" in error.found


def test_what_is_drawn_while_a_mask_is_measured_stays_in_hand(session: Session) -> None:
    volume = load(session)
    uid = drawn(session, volume, (8,))
    measured = current(session, uid)
    prepared = session.masks.prepare(uid, volume, "intensity")
    session.masks.stroke(uid, volume, on_slice(volume, 12), RADIUS)
    (finding,) = session.masks.record(uid, prepared)
    (mask,) = finding.regions
    assert isinstance(mask, Mask)
    assert same(mask.on(volume.grid), measured)
    left = current(session, uid)
    assert np.flatnonzero(left.any(axis=(1, 2))).tolist() == [12]
    session.undo()
    assert same(current(session, uid), measured | left)
    session.redo()
    assert same(current(session, uid), left)


def test_what_is_erased_while_a_mask_is_measured_stays_erased(session: Session) -> None:
    volume = load(session)
    uid = drawn(session, volume)
    prepared = session.masks.prepare(uid, volume, "intensity")
    session.masks.stroke(uid, volume, on_slice(volume, 12), 5.0, erase=True)
    session.masks.record(uid, prepared)
    assert uid not in session.masks


def test_a_finding_s_mask_drawn_on_while_it_is_measured_stays_whole_in_hand(
    session: Session,
) -> None:
    volume = load(session)
    (first,) = session.masks.finish(drawn(session, volume), volume, "intensity")
    uid = session.masks.begin_from(first.tracking_uid)
    session.masks.stroke(uid, volume, on_slice(volume, 9), RADIUS)
    prepared = session.masks.prepare(uid, volume, "intensity")
    session.masks.stroke(uid, volume, on_slice(volume, 10), RADIUS)
    whole = current(session, uid)
    session.masks.record(uid, prepared)
    assert same(current(session, uid), whole)
    (moved,) = session.masks.finish(uid, volume, "intensity")
    (mask,) = moved.regions
    assert isinstance(mask, Mask)
    assert same(mask.on(volume.grid), whole)
    assert uid not in session.masks


@pytest.mark.parametrize("how", ["begun with", "thresholded in", "grown in"])
def test_a_mask_of_another_frame_of_reference_is_no_region_here(
    how: str, session: Session, refusal: Refusal
) -> None:
    volume = load(session)
    ball = marked.ball(volume, IN_WALL, 3.0, role="region")
    other = msgspec.structs.replace(ball, frame_of_reference_uid="2.25.77")
    uid, masks = drawn(session, volume), session.masks
    before = current(session, uid)
    given: dict[str, Callable[[], object]] = {
        "begun with": lambda: masks.begin(volume, other),
        "thresholded in": lambda: masks.threshold(uid, volume, 0.0, 1e4, within=other),
        "grown in": lambda: masks.grow(uid, volume, IN_WALL, 0.0, 1e4, within=other),
    }
    assert "another frame of reference" in refusal(given[how]).found
    assert session.masks.on(volume) == (uid,)
    assert same(current(session, uid), before)


def test_two_masks_can_be_in_hand_on_one_series(session: Session) -> None:
    volume = load(session)
    one, two = drawn(session, volume, (8,)), drawn(session, volume, (12,))
    assert session.masks.on(volume) == (one, two)
    session.masks.finish(one, volume, "intensity")
    assert session.masks.on(volume) == (two,)


@pytest.mark.parametrize("tool", MASK_KEYS)
def test_every_tool_of_a_region_takes_a_mask_where_its_entry_does(tool: str) -> None:
    from osteotrace.protocol import TABLES

    assert MASK_KEYS[tool] in TABLES[tool].__struct_fields__
