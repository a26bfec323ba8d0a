"""The archive in the Study tab: asked, fetched from, and given the reading."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtWidgets import QFileDialog

from osteotrace_napari import loading, wording

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.errors import OsteotraceError
    from osteotrace.pacs import Sent, StudyFound
    from osteotrace.pacs.desk import KnownArchives, Taken
    from osteotrace_napari.panels.archive import ArchiveBox, Asked
    from osteotrace_napari.room.reading_room import ReadingRoom

SENT_MAYBE: Final = (
    "Stopped; the archive may have taken some of it. Send again to see: nothing is "
    "doubled."
)


class ArchiveAsking:
    """Shows what an archive holds, and hands over what the reader asks of it.

    Parameters
    ----------
    room : ReadingRoom
    """

    def __init__(self, room: ReadingRoom) -> None:
        self._room = room
        self._known: KnownArchives | None = None
        self._found: tuple[StudyFound, ...] = ()
        self._told = ""
        # One thing at a time; the reading goes on beside it.
        self._job: loading.Job | None = None
        self._stopped = ""

    @property
    def _box(self) -> ArchiveBox:
        return self._room.dock.study.archive

    @property
    def is_asking(self) -> bool:
        """Whether something is asked of an archive."""
        return self._job is not None

    @property
    def archive(self) -> str:
        """Name of the archive that is asked: the one asked last, or the first."""
        names = () if self._known is None else self._known.names
        last = self._room.helping.settings.archive
        return last if last in names else next(iter(names), "")

    def connect(self) -> None:
        """Take what the archive's box says."""
        box = self._box
        box.opened.connect(self.open)
        box.archive_chosen.connect(self.choose)
        box.find_asked.connect(self.find)
        box.stop_asked.connect(self.stop)
        box.folder_wanted.connect(self.ask_folder)
        box.fetch_asked.connect(self.fetch)
        box.send_asked.connect(self.send)
        box.identities_wanted.connect(lambda _: self.show())
        box.left.connect(self._room.focus_canvas)

    # What is shown -----------------------------------------------------------------

    def open(self) -> None:
        """Look which archives there are: the file may have changed."""
        from osteotrace.pacs.desk import known_archives

        self._known = known_archives()
        self.show()

    def show(self) -> None:
        """Show the archive as it is, once it was unfolded."""
        if self._known is None:
            return
        from osteotrace.pacs.desk import ArchiveSheet, rows

        room, found = self._room, self._found
        hidden = room.session.blinding.is_on
        days = {one.study_uid: one.date for one in found}
        names = room.blinded.names_of_days(days) if hidden else None
        identities = self._box.identities.isChecked()
        sheet = ArchiveSheet(
            known=self._known,
            chosen=self.archive,
            rows=rows(found, identities=identities, names=names),
            told=self._told,
            folder=room.helping.settings.studies_folder,
            hidden=hidden,
            can_send=room.session.draft.last_record is not None,
        )
        self._box.show_archive(sheet)

    def choose(self, name: str) -> None:
        """Ask another archive from now on; what the first one held is forgotten."""
        self._found, self._told = (), ""
        self._room.ask(lambda: self._room.helping.keep(archive=name))
        self.show()

    # Asked ---------------------------------------------------------------------------

    def find(self, said: Asked) -> None:
        """Look for the studies that the fields mean."""
        from osteotrace.pacs import desk

        archive, query = self.archive, []
        if not archive or not self._room.ask(
            lambda: query.append(
                desk.asked(
                    patient_id=said.patient_id,
                    patient_name=said.patient_name,
                    date_from=said.date_from,
                    date_to=said.date_to,
                    modality=said.modality,
                )
            )
        ):
            return
        self._start(
            f"Asking {archive} …",
            partial(desk.find, archive, query[0]),
            self._arrived,
            stopped="Stopped.",
        )

    def _arrived(self, found: tuple[StudyFound, ...]) -> None:
        from osteotrace.pacs.desk import told_of

        self._found, self._told = found, told_of(found)
        self._room.say("")
        self.show()
        if len(found) == 1:
            self._box.table.selectAll()

    def ask_folder(self) -> str:
        """Ask where fetched studies go, and remember it; empty where none is chosen."""
        settings = self._room.helping.settings
        folder: str = QFileDialog.getExistingDirectory(
            self._room.dock, "Folder for fetched studies", settings.studies_folder
        )
        if folder:
            self._room.ask(lambda: self._room.helping.keep(studies_folder=folder))
            self.show()
        return folder

    def fetch(self, study_uids: list[str]) -> None:
        """Fetch studies, and open what lies there then."""
        from osteotrace.pacs import desk

        wanted = [one for one in self._found if one.study_uid in study_uids]
        folder = self._room.helping.settings.studies_folder or self.ask_folder()
        if not wanted or not folder:
            return
        studies = "a study" if len(wanted) == 1 else f"{len(wanted)} studies"
        self._start(
            f"Fetching {studies} from {self.archive} …",
            partial(desk.fetch, self.archive, wanted, Path(folder)),
            self._fetched,
            counts=True,
            stopped="Stopped; a study that did not come whole is not kept.",
        )

    def _fetched(self, taken: Taken) -> None:
        room = self._room
        self.show()
        if taken.n_patients > 1:
            room.say(f"{taken.as_text}. Open … shows one of its {taken.n_patients}.")
        elif room.pointer.tool is not None and taken.n_fetched:
            # Nobody's mark is taken from under the hand.
            room.say(f"{taken.as_text}. Enter on it opens it.")
        else:
            room.opening.open(taken.folder)

    def send(self) -> None:
        """Send the record saved last."""
        from osteotrace.pacs import desk

        files: list[Path] = []
        if not self._room.ask(lambda: files.extend(self._room.session.saved_files())):
            return
        self._start(
            f"Sending the reading to {self.archive} …",
            partial(desk.send, self.archive, files),
            partial(self._sent, self.archive),
            counts=True,
            stopped=SENT_MAYBE,
        )

    def _sent(self, archive: str, sent: Sent) -> None:
        from osteotrace.pacs.desk import sent_as_text

        self._room.say(sent_as_text(sent, archive))
        self.show()

    # At work -------------------------------------------------------------------------

    def _start(
        self,
        doing: str,
        work: Callable[..., Any],
        done: Callable[[Any], None],
        *,
        stopped: str,
        counts: bool = False,
    ) -> None:
        if self.is_asking:
            return
        from osteotrace.pacs.waiting import waited_for

        self._stopped = stopped

        def arrived(result: Any) -> None:
            self._ended()
            done(result)

        self._box.show_doing(doing)
        self._job = loading.start(
            partial(waited_for, work, counts=counts),
            done=arrived,
            failed=self._failed,
            progress=self._box.progress.show_progress,
        )

    def stop(self) -> bool:
        """Wait no longer for the archive; tell whether something was at work.

        What is on its way ends at its next step: an archive that is silent is not waited
        for.
        """
        if self._job is None:
            return False
        self._job.abandon()
        self._ended()
        self._room.say(self._stopped)
        return True

    def close(self) -> None:
        """Let go of what is at work: the window is closed."""
        if self._job is not None:
            self._job.abandon()
        self._job = None

    def _ended(self) -> None:
        self._job = None
        self._box.show_doing("")
        self.show()

    def _failed(self, problem: OsteotraceError) -> None:
        self._ended()
        self._room.say(wording.refusal(problem), problem=True)
