"""The archive in the Study tab: asked, fetched from, and given the reading."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.sessions import END, START
from tests.fixtures.small_study import STUDY_UID

from osteotrace.errors import OsteotraceError
from osteotrace.pacs import Fetched, Query, Sent, StudyFound, desk
from osteotrace.pacs.connection import Connection
from osteotrace.pseudonym import pseudonym

from .conftest import PATIENCE_MS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.orthanc import Orthanc

    from osteotrace_napari.panels.archive import ArchiveBox
    from osteotrace_napari.room import ReadingRoom

pytestmark = pytest.mark.plugin

PATIENT = pseudonym("TEST-1")
ONE = StudyFound(
    study_uid=STUDY_UID,
    patient=PATIENT,
    patient_id="TEST-1",
    patient_name="Test^One^Middle",
    date="2024-01-02",
    description="CT palate before",
    modalities=("CT", "MR"),
    n_series=3,
    n_instances=30,
)
OTHER = StudyFound(
    study_uid="2.25.42",
    patient=pseudonym("OTHER-2"),
    patient_id="OTHER-2",
    patient_name="Other^Two",
    date="2025-06-07",
    description="CT palate after",
    modalities=("CT",),
    n_instances=200,
)
IDENTITIES = ("TEST-1", "Test", "OTHER-2", "Other")


class StubConnection(Connection):
    """An archive of two studies that notes what it is asked."""

    def __init__(self, study: Path) -> None:
        self.study = study
        self.asked: list[Query] = []
        self.fetched: list[str] = []
        self.sent: list[Path] = []
        self.problem: OsteotraceError | None = None
        # Set where a fetch is to wait until it is stopped.
        self.waits = False
        self.begun, self.ended = threading.Event(), threading.Event()

    def close(self) -> None:
        pass

    def find(self, query: Query) -> tuple[StudyFound, ...]:
        self.asked.append(query)
        if self.problem is not None:
            raise self.problem
        return OTHER, ONE

    def fetch(
        self, study_uid: str, folder: Any, *, series_uid: str = "", progress: Any = None
    ) -> Fetched:
        self.fetched.append(study_uid)
        try:
            self.begun.set()
            progress(1, 30)
            while self.waits:
                progress(2, 30)
        finally:
            self.ended.set()
        shutil.copytree(self.study, folder)
        return Fetched(
            study_uid=study_uid, folder=folder, n_series=3, n_instances=30, n_bytes=1
        )

    def send(self, files: Any, *, progress: Any = None) -> Sent:
        if self.problem is not None:
            raise self.problem
        self.sent += files
        return Sent(stored=tuple(one.stem for one in self.sent))


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """Name two archives in the reader's file."""
    file = tmp_path / "config" / "osteotrace" / "archives.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        '[hospital]\nurl = "https://pacs.example.org/dicom-web"\n'
        '[research]\nhost = "10.0.0.7"\nport = 104\naet = "RESEARCH"\n'
    )
    return file


@pytest.fixture
def stub(small_study: Path, monkeypatch: pytest.MonkeyPatch, named: Path) -> Any:
    """Give an archive that stands where a connection is made."""
    made = StubConnection(small_study)
    monkeypatch.setattr(desk, "connect", lambda _: made)
    return made


@pytest.fixture
def alone(qtbot: Any) -> ArchiveBox:
    """Give the archive's box alone, unfolded and shown."""
    from osteotrace_napari.panels.archive import ArchiveBox

    made = ArchiveBox()
    qtbot.addWidget(made)
    made.show()
    made.line.setChecked(True)
    return made


@pytest.fixture
def box(room: ReadingRoom) -> ArchiveBox:
    """Give the archive's box, in the window, its folder chosen nowhere yet."""
    room.dock.tabs.setCurrentWidget(room.dock.study)
    return room.dock.study.archive


@pytest.fixture
def found(room: ReadingRoom, stub: StubConnection, box: ArchiveBox, qtbot: Any) -> Any:
    """Give the box with both studies found."""
    box.line.setChecked(True)
    box.patient_name.setText("palate")
    box.find.click()
    rest(room, qtbot)
    return box


def rest(room: ReadingRoom, qtbot: Any) -> None:
    qtbot.waitUntil(
        lambda: not room.archive.is_asking and not room.busy, timeout=PATIENCE_MS
    )


def listed(box: ArchiveBox) -> list[tuple[str, ...]]:
    """Return what the table says, a tuple a row."""
    items = [box.table.topLevelItem(n) for n in range(box.table.topLevelItemCount())]
    return [tuple(one.text(n) for n in range(one.columnCount())) for one in items]


def everything(box: ArchiveBox) -> str:
    """Return all that the table holds, tooltips too."""
    from qtpy.QtCore import Qt

    items = [box.table.topLevelItem(n) for n in range(box.table.topLevelItemCount())]
    roles = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)
    return " ".join(str(i.data(n, r)) for i in items for n in range(5) for r in roles)


def choose(box: ArchiveBox, *rows: int) -> None:
    box.table.clearSelection()
    for row in rows:
        box.table.topLevelItem(row).setSelected(True)


# What is asked


@pytest.mark.parametrize(
    ("typed", "asked"),
    [("Test", "Test*"), (" Te?t ", "Te?t"), ("Test^One", "Test^One*"), ("", "")],
)
def test_the_beginning_of_a_name_is_enough(typed: str, asked: str) -> None:
    query = desk.asked(patient_name=typed, date_from="2024-01-01")
    assert (query.patient_name, query.date_from) == (asked, "2024-01-01")


@pytest.mark.parametrize("said", [{}, {"modality": "CT"}, {"patient_id": " * "}])
def test_a_whole_archive_is_not_asked_for(
    said: dict[str, str], refusal: Callable[..., OsteotraceError]
) -> None:
    problem = refusal(lambda: desk.asked(**said))
    assert problem.found == "nothing that says which studies"


def test_without_a_file_one_line_says_where_to_name_an_archive(
    alone: ArchiveBox, tmp_path: Path
) -> None:
    known = desk.known_archives()
    place = tmp_path / "config" / "osteotrace" / "archives.toml"
    assert known.names == ()
    assert f"write {place}" in known.why_none
    assert "docs/pacs.md" in known.why_none
    alone.show_archive(desk.ArchiveSheet(known=known))
    assert alone.why_none.text() == known.why_none
    assert not alone.desk.isVisible()


def test_a_mistake_in_the_file_is_said_until_it_is_corrected(named: Path) -> None:
    good = named.read_text()
    named.write_text("[hospital]\nport = 104\n")
    assert "line 1" in desk.known_archives().why_none
    named.write_text("")
    assert "names no archive" in desk.known_archives().why_none
    named.write_text(good)
    assert desk.known_archives() == desk.KnownArchives(names=("hospital", "research"))


def test_enter_in_a_field_asks_and_in_the_table_fetches(
    alone: ArchiveBox, qtbot: Any
) -> None:
    from qtpy.QtCore import Qt

    asked: list[Any] = []
    alone.find_asked.connect(asked.append)
    alone.fetch_asked.connect(asked.append)
    known = desk.KnownArchives(names=("hospital",))
    alone.show_archive(desk.ArchiveSheet(known=known, rows=desk.rows((OTHER, ONE))))
    qtbot.keyClicks(alone.patient_id, "TEST-1")
    qtbot.keyClick(alone.patient_id, Qt.Key.Key_Return)
    choose(alone, 1)
    qtbot.keyClick(alone.table, Qt.Key.Key_Return)
    assert (asked[0].patient_id, asked[1:]) == ("TEST-1", [[STUDY_UID]])
    # What is chosen stays so when the list is shown again; at work it asks nothing.
    alone.show_archive(desk.ArchiveSheet(known=known, rows=desk.rows((ONE, OTHER))))
    assert alone.selected == [STUDY_UID]
    alone.show_doing("Fetching …")
    qtbot.keyClick(alone.table, Qt.Key.Key_Return)
    qtbot.keyClick(alone.patient_id, Qt.Key.Key_Return)
    assert len(asked) == 2


def test_a_refusal_and_a_failure_are_one_line_each_and_what_was_found_stays(
    room: ReadingRoom, found: ArchiveBox, stub: StubConnection, qtbot: Any
) -> None:
    assert [one.patient_name for one in stub.asked] == ["palate*"]
    assert found.told.text() == "2 studies found"
    found.patient_name.clear()
    found.find.click()
    assert not room.archive.is_asking
    assert "nothing that says which studies" in room.dock.message.text()
    assert len(stub.asked) == 1
    stub.problem = OsteotraceError(
        "no archive at 127.0.0.1 (Connection refused)",
        expected="an archive",
        advice="check its address",
        where="archive hospital",
    )
    found.patient_id.setText("TEST-1")
    found.find.click()
    rest(room, qtbot)
    assert "Connection refused" in room.dock.message.text()
    assert found.find.text() == "Find"
    assert len(listed(found)) == 2


# What is shown


def test_studies_are_listed_under_pseudonyms_until_names_are_asked_for() -> None:
    hidden, named = desk.rows((OTHER, ONE)), desk.rows((OTHER, ONE), identities=True)
    assert [one.patient for one in hidden] == [OTHER.patient, PATIENT]
    assert not [one for one in IDENTITIES if one in str(hidden)]
    assert [one.patient for one in named] == [
        "OTHER-2  ·  Other, Two",
        "TEST-1  ·  Test, One Middle",
    ]


def test_blinded_neither_names_nor_dates_nor_descriptions_are_shown(
    room: ReadingRoom, found: ArchiveBox, small_study: Path, qtbot: Any
) -> None:
    assert listed(found) == [
        (OTHER.patient, "2025-06-07", "CT", "CT palate after", "200"),
        (ONE.patient, "2024-01-02", "CT MR", "CT palate before", "30"),
    ]
    found.patient_id.setText("TEST-1")
    found.identities.setChecked(True)
    assert [one for one in IDENTITIES if one in everything(found)] == list(IDENTITIES)
    room.opening.open(small_study)
    rest(room, qtbot)
    room.blinded.begin("seed")
    said = {row[0]: row[1:] for row in listed(found)}
    assert said == {
        ONE.patient: ("study A", "CT MR", "", "30"),
        OTHER.patient: ("another study", "CT", "", "200"),
    }
    told = everything(found)
    assert not [one for one in (*IDENTITIES, "2024", "2025", "before") if one in told]
    assert not found.identities.isEnabled()
    assert not found.date_from.isEnabled()
    assert [one.text() for one in found.fields] == [""] * 4
    room.blinded.end()
    assert found.date_from.isEnabled()
    # Who wants the names asks for them again.
    assert [row[1] for row in listed(found)] == ["2025-06-07", "2024-01-02"]
    assert not [one for one in IDENTITIES if one in everything(found)]


# Fetched


def test_studies_of_several_patients_lie_in_folders_of_their_own(
    stub: StubConnection, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    taken = desk.fetch(
        "hospital",
        (OTHER, ONE),
        tmp_path / "studies",
        progress=lambda done, of: seen.append((done, of)),
    )
    folders = {one.name for one in (tmp_path / "studies").iterdir()}
    assert folders == {PATIENT, OTHER.patient}
    assert (taken.n_patients, taken.folder) == (2, tmp_path / "studies")
    assert taken.as_text == f"Fetched 2 studies of 60 images: {tmp_path / 'studies'}"
    # One count for both: what came, and what the archive says of the one to come.
    assert seen == [(1, 60), (31, 60)]


def test_what_is_fetched_lies_below_its_patient_and_opens(
    room: ReadingRoom,
    found: ArchiveBox,
    stub: StubConnection,
    tmp_path: Path,
    qtbot: Any,
) -> None:
    from osteotrace_napari import settings
    from osteotrace_napari.panels.settings import SettingsDialog

    room.helping.keep(studies_folder=str(tmp_path / "studies"))
    choose(found, 1)
    found.fetch.click()
    rest(room, qtbot)
    place = tmp_path / "studies" / PATIENT / STUDY_UID
    assert place.is_dir()
    assert room.session.catalogue is not None
    assert room.session.catalogue.root == place.parent
    assert len(room.dock.study.headers()) == 3
    # The second time it is there already.
    found.fetch.click()
    rest(room, qtbot)
    assert stub.fetched == [STUDY_UID]
    # Archive and folder are remembered; the dialog of settings leaves them alone.
    found.archive.setCurrentIndex(1)
    found.archive.activated.emit(1)
    assert listed(found) == []
    kept = settings.load()
    assert (kept.archive, kept.studies_folder) == ("research", str(tmp_path / "studies"))
    assert SettingsDialog(kept).wanted == kept


def test_escape_stops_a_fetch_and_the_next_may_begin(
    room: ReadingRoom,
    found: ArchiveBox,
    stub: StubConnection,
    tmp_path: Path,
    qtbot: Any,
) -> None:
    room.helping.keep(studies_folder=str(tmp_path / "studies"))
    stub.waits = True
    choose(found, 1)
    found.fetch.click()
    qtbot.waitUntil(stub.begun.is_set, timeout=PATIENCE_MS)
    assert found.find.text() == "Stop"
    assert not found.fetch.isEnabled()
    room.keyboard.press("cancel")
    assert stub.ended.wait(PATIENCE_MS / 1000)
    assert not room.archive.is_asking
    assert found.find.text() == "Find"
    assert room.dock.message.text().startswith("Stopped")
    assert not (tmp_path / "studies").exists()
    stub.waits = False
    found.fetch.click()
    rest(room, qtbot)
    assert (tmp_path / "studies" / PATIENT / STUDY_UID).is_dir()


def test_a_silent_archive_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from osteotrace.pacs import waiting

    monkeypatch.setattr(waiting, "GRACE_S", 0.0)
    answers = threading.Event()

    def give_up(done: int, of: int) -> None:
        raise InterruptedError(f"{done} of {of}")

    with pytest.raises(InterruptedError, match="0 of 0"):
        waiting.waited_for(answers.wait, counts=False, progress=give_up)
    (still,) = (one for one in threading.enumerate() if one.name == "archive")
    # The interpreter ends without it.
    assert still.daemon
    answers.set()
    still.join()


def test_what_work_gives_or_raises_comes_back_to_who_waits(
    refusal: Callable[..., OsteotraceError],
) -> None:
    from osteotrace.pacs.waiting import waited_for

    def told(progress: Callable[[int, int], None]) -> str:
        progress(1, 2)
        return "answer"

    def refused() -> None:
        raise OsteotraceError("nothing", expected="something", advice="try again")

    assert waited_for(told, progress=lambda *_: None) == "answer"
    problem = refusal(lambda: waited_for(refused, counts=False, progress=lambda *_: None))
    assert problem.found == "nothing"


def test_a_fetch_takes_no_mark_from_under_the_hand(
    room: ReadingRoom,
    found: ArchiveBox,
    load: Callable[[str], None],
    tmp_path: Path,
    qtbot: Any,
) -> None:
    load("CT")
    root = room.session.catalogue
    room.helping.keep(studies_folder=str(tmp_path / "studies"))
    room.take_up("caliper")
    choose(found, 1)
    found.fetch.click()
    rest(room, qtbot)
    assert room.pointer.tool is not None
    assert room.session.catalogue is root
    assert "Enter on it opens it" in room.dock.message.text()


# Sent


def saved(room: ReadingRoom, folder: Path, qtbot: Any, **more: Any) -> None:
    """Measure a gap on what is shown, and more, accept it, and save the reading."""
    volume = room.view.volume
    assert volume is not None
    for tool, where in {"caliper": {"start": START, "end": END}, **more}.items():
        (one,) = room.session.add(tool, volume, **where)
        room.session.accept(one.tracking_uid)
    room.keeping.save(folder)
    rest(room, qtbot)


def test_a_reading_is_sent_once_it_is_saved_and_as_it_was_saved(
    room: ReadingRoom,
    found: ArchiveBox,
    stub: StubConnection,
    load: Callable[[str], None],
    tmp_path: Path,
    qtbot: Any,
) -> None:
    load("CT")
    assert not found.send.isEnabled()
    saved(room, tmp_path / "records", qtbot)
    assert found.send.isEnabled()
    found.send.click()
    rest(room, qtbot)
    assert sorted(stub.sent) == sorted((tmp_path / "records").glob("*.dcm"))
    assert room.dock.message.text() == (
        "Sent to hospital: 1 file, read back and found the same."
    )
    (record,) = (tmp_path / "records").glob("*.dcm")
    record.rename(tmp_path / "elsewhere.dcm")
    found.send.click()
    assert "a record that is not where it was saved" in room.dock.message.text()
    (one,) = room.session.held
    room.session.delete_finding(one.finding.tracking_uid)
    found.send.click()
    assert not room.archive.is_asking
    assert "a reading that changed after it was saved" in room.dock.message.text()
    assert len(stub.sent) == 1


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (Sent(stored=("1",)), "Sent to h: 1 file, read back and found the same."),
        (
            Sent(stored=(), already_there=("1", "2")),
            "2 files already there with the same content (h).",
        ),
    ],
)
def test_what_became_of_a_reading_is_a_line(sent: Sent, told: str) -> None:
    assert desk.sent_as_text(sent, "h") == told


def test_with_a_real_archive_from_the_query_to_the_reading_sent(
    room: ReadingRoom,
    box: ArchiveBox,
    orthanc: Orthanc,
    small_study: Path,
    tmp_path: Path,
    qtbot: Any,
) -> None:
    from osteotrace import pacs
    from osteotrace.protocol import Where

    with pacs.connect(orthanc.web()) as connection:
        connection.send([small_study])
    archive = orthanc.web()
    file = tmp_path / "config" / "osteotrace" / "archives.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f'[orthanc]\nurl = "{archive.url}"\nuser = "{archive.user}"\n'
        f'password_variable = "{archive.password_variable}"\n'
    )
    room.helping.keep(studies_folder=str(tmp_path / "studies"))
    box.line.setChecked(True)
    box.patient_name.setText("test")
    box.find.click()
    rest(room, qtbot)
    assert [row[:3] for row in listed(box)] == [(PATIENT, "2024-01-02", "CT MR")]
    box.fetch.click()
    rest(room, qtbot)
    ct = next(h for h in room.dock.study.headers() if h.identity.modality == "CT")
    room.opening.load(ct)
    rest(room, qtbot)
    ball = Where(centre=START, radius=2.0)
    saved(room, tmp_path / "records", qtbot, intensity={"region": ball})
    # A report and its segmentation.
    for told in ("Sent to orthanc: 2 files, read back", "2 files already there"):
        box.send.click()
        rest(room, qtbot)
        assert room.dock.message.text().startswith(told)
    changed(room.session.saved_files()[0])
    box.send.click()
    rest(room, qtbot)
    assert "other content under the UID" in room.dock.message.text()


def changed(record: Path) -> None:
    """Change what a record says, under its old UID."""
    import pydicom

    dataset = pydicom.dcmread(record)
    dataset.SeriesDescription = "something else"
    record.chmod(0o600)
    dataset.save_as(record)
