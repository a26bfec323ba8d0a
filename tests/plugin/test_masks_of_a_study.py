"""A segmentation chosen in the Study tab: its masks are seen on its own series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.series import VolumeHeader
    from osteotrace_napari.room import ReadingRoom

pytestmark = pytest.mark.plugin

PATIENCE_MS = 60_000
CASE = "mandible_month00"


@pytest.fixture
def study(
    room: ReadingRoom, qtbot: Any, samples_with: Callable[[str], Path]
) -> dict[tuple[str, str], VolumeHeader]:
    """Open the sample and return its series, by modality and frame of reference."""
    room.opening.open(samples_with(CASE) / CASE)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    return {
        (header.identity.modality, header.frame_of_reference_uid): header
        for header in room.dock.study.headers()
    }


@pytest.mark.parametrize(
    ("modality", "index"),
    [("CT", 11), pytest.param("MR", None, marks=pytest.mark.slow)],
)
def test_masks_open_at_the_slice_shown_or_on_the_series_of_their_own_space(
    room: ReadingRoom,
    qtbot: Any,
    study: dict[tuple[str, str], VolumeHeader],
    modality: str,
    index: int | None,
) -> None:
    def choose(modality: str, frame: str) -> None:
        room.dock.study.chosen.emit(study[modality, frame])
        qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)

    frames = {modality: frame for modality, frame in study if modality != "SEG"}
    choose("CT", frames["CT"])
    room.view.go_to_slice(11)
    choose("SEG", frames[modality])
    volume = room.view.volume
    assert volume is not None
    assert volume.identity.modality == modality
    assert index in (None, room.view.slice_index)
    assert room.session.imported.of(volume) is not None
    assert "labels" in room.dock.message.text()


def test_masks_of_one_series_after_those_of_another_do_not_take_the_window_down(
    room: ReadingRoom, qtbot: Any, study: dict[tuple[str, str], VolumeHeader]
) -> None:
    frames = {modality: frame for modality, frame in study if modality != "SEG"}
    for modality in ("CT", "MR", "CT"):
        for each in (modality, "SEG"):
            room.dock.study.chosen.emit(study[each, frames[modality]])
            qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
            qtbot.wait(300)
        assert room.view.volume is not None
        assert room.view.volume.identity.modality == modality
        assert room.session.imported.of(room.view.volume) is not None
