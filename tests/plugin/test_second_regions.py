"""The region that a finding is read beside, drawn with Shift: sound side, airway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.protocol import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.findings import Finding
    from osteotrace.protocol import Entry
    from osteotrace_napari.room import ReadingRoom

    from .conftest import Hand, Point

pytestmark = pytest.mark.plugin

PATIENCE_MS = 60_000
# Centre and edge, on the bone on either side of the 12 mm gap of the small CT.
SICK: tuple[Point, Point] = ((0.0, 10.0, 0.0), (5.0, 10.0, 0.0))
SOUND: tuple[Point, Point] = ((0.0, -10.0, 0.0), (4.0, -10.0, 0.0))


class Marker:
    """A hand that draws balls and waits until they are measured."""

    def __init__(self, room: ReadingRoom, hand: Hand, qtbot: Any) -> None:
        self.room, self.hand, self.qtbot = room, hand, qtbot

    def draw(self, ball: tuple[Point, Point], *, shift: bool = False) -> None:
        from qtpy.QtCore import Qt

        flags = Qt.KeyboardModifier
        held = flags.ShiftModifier if shift else flags.NoModifier
        hand, (start, end) = self.hand, map(self.hand.pixel, ball)
        self.qtbot.mousePress(hand.canvas, hand.left, held, pos=start)
        self.qtbot.mouseRelease(hand.canvas, hand.left, held, pos=end)
        self.qtbot.waitUntil(lambda: not self.room.busy, timeout=PATIENCE_MS)

    @property
    def entries(self) -> list[Entry | None]:
        return [one.entry for one in self.room.session.held if not one.leader]

    @property
    def only(self) -> Finding:
        (finding,) = self.room.session.findings
        return finding


@pytest.fixture
def marker(
    room: ReadingRoom, hand: Hand, load: Callable[[str], None], qtbot: Any
) -> Marker:
    load("CT")
    room.view.go_to([(0.0, 0.0, 0.0)])
    return Marker(room, hand, qtbot)


@pytest.mark.parametrize(
    ("tool", "key"), [("moth_eaten", "reference"), ("gas", "airway")]
)
def test_shift_and_drag_measures_the_finding_again_with_its_second_region(
    marker: Marker, room: ReadingRoom, tool: str, key: str
) -> None:
    room.take_up(tool)
    marker.draw(SICK)
    alone = marker.only
    marker.draw(SOUND, shift=True)
    (entry,) = marker.entries
    assert type(entry) is TABLES[tool]
    second = getattr(entry, key)
    assert second.centre == pytest.approx(SOUND[0], abs=0.5)
    assert second.radius == pytest.approx(4.0, abs=0.5)
    assert marker.only.tracking_uid == alone.tracking_uid
    # The same number as the library gives for both regions.
    volume = room.view.volume
    assert volume is not None
    where = {"region": entry.region, key: second}  # type: ignore[attr-defined]
    (direct,) = room.session.measure(tool, volume, **where)
    assert marker.only.measurements == direct.measurements
    room.session.undo()
    assert marker.only == alone


def test_a_second_region_without_a_finding_is_refused_in_words(
    marker: Marker, room: ReadingRoom
) -> None:
    room.take_up("intensity")
    marker.draw(SICK)
    room.take_up("moth_eaten")
    marker.draw(SOUND, shift=True)
    (entry,) = marker.entries
    assert type(entry) is TABLES["intensity"]
    assert "No moth-eaten region is in hand" in room.dock.message.text()
