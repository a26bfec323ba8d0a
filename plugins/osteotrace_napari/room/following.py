"""The lesions of a comparison: matched, looked at in turn, carried forward, reported."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import QFileDialog

from osteotrace.regions import extent
from osteotrace_napari import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.findings import Finding
    from osteotrace.session.comparing.carried_marks import CarriedMarks
    from osteotrace.session.comparing.sheet import LesionRow
    from osteotrace.volume import Volume
    from osteotrace_napari.panels.compare import CompareTab
    from osteotrace_napari.room.reading_room import ReadingRoom


class Following:
    """What a reader says and sees of lesions at two dates.

    Parameters
    ----------
    room : ReadingRoom
    """

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room

    @property
    def _tab(self) -> CompareTab:
        return self._room.dock.compare

    def connect(self) -> None:
        """Take what the Compare tab says of lesions."""
        tab = self._tab
        tab.carry_asked.connect(self.carry)
        tab.export_asked.connect(self.ask_report)
        tab.save_asked.connect(self.save)
        tab.doubt_settled.connect(self.settle_doubt)
        tab.confirmed.connect(self.confirm)
        tab.refused.connect(self.refuse)
        tab.linked.connect(partial(self.confirm, by_hand=True))
        tab.lesion_chosen.connect(self.go_to_lesion)

    # Matches -----------------------------------------------------------------------

    def confirm(self, earlier_uid: str, later_uid: str, by_hand: bool = False) -> None:
        """Say that two findings are one lesion; a carried mark is accepted by it."""
        session = self._room.session
        carried = earlier_uid == later_uid and any(
            one.uid == later_uid and not one.accepted for one in session.held
        )
        if carried:
            self._room.comparing.do(lambda: session.accept(later_uid))
            return
        self._room.comparing.do(
            lambda: session.comparing.confirm(earlier_uid, later_uid, by_hand=by_hand)
        )

    def refuse(self, earlier_uid: str, later_uid: str) -> None:
        """Say that two findings are two lesions."""
        self._room.comparing.do(
            lambda: self._room.session.comparing.refuse(earlier_uid, later_uid)
        )

    # Lesions -----------------------------------------------------------------------

    def step(self, by: int) -> None:
        """Go to the next lesion at both dates, or to the next finding of the reading."""
        uid = ""
        if self._room.dock.tabs.currentWidget() is self._tab:
            uid = self._tab.next_lesion(by)
        if uid:
            self.go_to_lesion(uid)
        else:
            self._room.marking.step(by)

    def accept(self) -> None:
        """Accept the lesion's draft that is looked at and go on; else the last mark."""
        drafts = self._room.session.comparing.drafts
        row = self._row(self._tab.chosen)
        uids = () if row is None else (*row.later_uids, *row.earlier_uids)
        meant = next((uid for uid in uids if uid in drafts), "")
        is_seen = self._room.dock.tabs.currentWidget() is self._tab
        if not (is_seen and meant) or self._room.pointer.tool is not None:
            self._room.marking.accept()
            return
        if self._room.comparing.do(lambda: self._room.session.accept(meant)):
            self._room.say(f"{self._room.session.finding(meant).label} accepted.")
            waiting = (one for one in self._tab.sheet.lesions if one.is_proposed)
            following = next(waiting, None)
            if following is not None:
                self.go_to_lesion(following.tracking_uid)

    def go_to_lesion(self, tracking_uid: str) -> None:
        """Show a lesion at both dates; its finding of the reading is the chosen one."""
        self._tab.choose(tracking_uid)
        row, room = self._row(tracking_uid), self._room
        if row is None:
            return
        held = {one.uid for one in room.session.held}
        own = next((u for u in (*row.later_uids, *row.earlier_uids) if u in held), "")
        view = room.arrangement.comparing
        if not view.is_on:
            if own:
                room.marking.jump(own)
            return
        if own:
            room.dock.findings.select(own)
        for finding, volume in self._places(row):
            view.go_to(np.mean(extent(finding.regions[0]), axis=0).tolist(), volume)
            break
        room.marking.show()

    def _row(self, tracking_uid: str) -> LesionRow | None:
        rows = (one for one in self._tab.sheet.lesions)
        return next((one for one in rows if one.tracking_uid == tracking_uid), None)

    def _places(self, row: LesionRow) -> Iterator[tuple[Finding, Volume]]:
        """Yield the findings of a lesion on the volumes shown, the later ones first."""
        pair = self._room.arrangement.comparing.pair
        chosen = self._room.session.comparing.chosen
        if pair is None or chosen is None:
            return
        sides = zip(chosen, pair.volumes, (row.earlier_uids, row.later_uids), strict=True)
        for study, volume, uids in reversed([*sides]):
            for finding in study.findings:
                if finding.tracking_uid in uids and is_in(finding, volume):
                    yield finding, volume

    # Marks carried forward ---------------------------------------------------------

    def carry(self) -> None:
        """Measure the other study's marks on the one that is read, beside the window."""
        comparing = self._room.session.comparing
        self._room.background.start(
            "Carrying marks forward …",
            comparing.prepare_carried,
            self._carried,
            failed=lambda _: self._room.comparing.show(),
            counts=True,
        )

    def _carried(self, found: CarriedMarks) -> None:
        room = self._room
        new: list[Finding] = []
        if not self._room.comparing.do(
            lambda: new.extend(room.session.comparing.carry(found))
        ):
            return
        told = [f"{len(new)} carried forward as drafts" if new else "Nothing was carried"]
        if new:
            told[0] += f": {keys.key_of('accept')} accepts each"
            room.refresh(select=new[0].tracking_uid)
            self.go_to_lesion(new[0].tracking_uid)
        if found.refused:
            told.append(f"not carried: {', '.join(label for label, _ in found.refused)}")
        room.say("; ".join(told) + ".", problem=not new)

    # Report ------------------------------------------------------------------------

    def ask_report(self) -> None:
        """Ask where the report goes, and write it."""
        patient = getattr(self._room.session.draft.start, "patient", "") or "patient"
        file, _ = QFileDialog.getSaveFileName(
            self._room.dock,
            "Export the comparison",
            f"comparison_{patient}.html",
            "Report (*.html)",
        )
        if file:
            self.write_report(Path(file))

    def write_report(self, path: Path) -> None:
        """Write the comparison as one HTML file, beside the window."""
        self._room.background.start(
            "Writing the report …",
            partial(self._room.session.comparing.write_report, path),
            lambda written: self._room.say(f"Written: {Path(written).name}."),
            counts=True,
        )

    # What changes are judged by, and the record ---------------------------------------

    def settle_doubt(self, flag: str, accepted: bool) -> None:
        """Compare values in spite of a doubt, or no longer."""
        standards = self._room.session.comparing.standards
        self._room.comparing.do(lambda: standards.accept_flag(flag, accepted))

    def ask_repeatability(self) -> None:
        """Ask for the file of the site's own coefficients."""
        file, _ = QFileDialog.getOpenFileName(
            self._room.dock, "This site's own repeatability", "", "Coefficients (*.json)"
        )
        if file:
            self.use_repeatability(Path(file))

    def use_repeatability(self, path: Path) -> None:
        """Judge changes by the site's own coefficients."""
        standards = self._room.session.comparing.standards
        if self._room.comparing.do(lambda: standards.use(path)):
            self._room.say(f"Changes are judged by {path.name}.")

    def save(self) -> None:
        """Save the comparison as DICOM beside the reading's records, off the window."""
        self._room.background.start(
            "Saving the comparison …",
            self._room.session.comparing.save,
            self._saved,
        )

    def _saved(self, files: tuple[Path, ...]) -> None:
        count = len(files) - 1
        transforms = f" with {count} registration{'' if count == 1 else 's'}"
        told = f"Saved the comparison{transforms if count else ''}"
        self._room.say(f"{told} in {files[-1].parent}.")


def is_in(finding: Finding, volume: Volume) -> bool:
    """Tell whether a finding marks a place in the space of a volume."""
    frame = volume.frame_of_reference_uid
    return bool(
        finding.regions and frame and finding.regions[0].frame_of_reference_uid == frame
    )
