"""What a run has done, line by line: whoever stops it, what it says is on the disk.

``run.json`` tells what the run is: protocol, options, versions. ``run.jsonl`` has a line
a task that is finished, each chained to the one before
(`osteotrace.records.chained_lines`) and forced to disk after the folders it speaks of
have their names. A line that was torn by the end of the run, and what follows a damaged
one, is dropped: those studies are measured again. The tables are made from the lines.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from osteotrace.batch.lines import Lines
from osteotrace.batch.reserve import Reserve
from osteotrace.errors import OsteotraceError
from osteotrace.records import store
from osteotrace.records.file_lock import lock
from osteotrace.records.publication import OWNER_ONLY_FOLDER, flush, flush_folder, sweep

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from osteotrace.batch.tasks import StudyOutcome

RUN: Final = "run.json"
LINES: Final = "run.jsonl"
# Where the files of studies wait until their line is written.
UNFINISHED: Final = ".unfinished"
# Folders that are forced to disk at once.
_FLUSHES: Final = 8


class Journal:
    """The lines of a run, which one process at a time may add to.

    Parameters
    ----------
    place : Path
        The run's folder, which is there.

    Attributes
    ----------
    lines : Lines
        What they tell.

    Raises
    ------
    OsteotraceError
        If another process is at work in the folder.
    OSError
        If it cannot be written to.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self._flushing = ThreadPoolExecutor(
            _FLUSHES, thread_name_prefix="osteotrace-flush"
        )
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._handle = os.open(place / LINES, flags, store.OWNER_ONLY_FILE)
        try:
            if not _locked(self._handle):
                raise _at_work(place)
            self.lines = Lines(place / LINES)
            os.ftruncate(self._handle, self.lines.end)
            # What other processes of a run that was killed left behind.
            shutil.rmtree(place / UNFINISHED, ignore_errors=True)
            sweep(place, now=math.inf)
            (place / UNFINISHED).mkdir(mode=OWNER_ONLY_FOLDER, exist_ok=True)
            self._reserve = Reserve(place)
            self._reserve.give_back()
            self._pictures = sum(
                _picture_bytes(place / name) for name in self.lines.folders
            )
            self._reserve.grow(self.lines.end, self._pictures)
        except BaseException:
            os.close(self._handle)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.make_room()
        self._flushing.shutdown()
        os.close(self._handle)

    def make_room(self) -> None:
        """Let go what is only of use while studies are measured."""
        shutil.rmtree(self.place / UNFINISHED, ignore_errors=True)
        self._reserve.give_back()

    def add(self, tasks: Iterable[tuple[StudyOutcome, ...]]) -> None:
        """Take finished tasks over: their folders get their names, then their lines.

        Raises
        ------
        OSError
            If the disk takes no more; what was done before stays as it is.
        """
        tasks = list(tasks)
        content = self.lines.written(tasks)
        drafts = [study for studies in tasks for study in studies if study.draft]
        unfinished = self.place / UNFINISHED
        self._pictures += sum(_picture_bytes(unfinished / one.draft) for one in drafts)
        self._reserve.grow(self.lines.end + len(content), self._pictures)
        # A disk takes many such orders at once about as quickly as one.
        list(self._flushing.map(self._flush, drafts))
        for study in drafts:
            self._publish(study)
        if drafts:
            flush_folder(self.place)
        self._append(content)
        self.lines.add(content)

    def _flush(self, study: StudyOutcome) -> None:
        """Force the files of a study to the disk, before its folder gets its name."""
        draft = self.place / UNFINISHED / study.draft
        for file in draft.iterdir():
            flush(file)
        flush_folder(draft)

    def _publish(self, study: StudyOutcome) -> None:
        target = self.place / study.folder
        if os.path.lexists(target):
            if self.lines.folders.get(study.folder, study.study_uid) != study.study_uid:
                raise FileExistsError(
                    errno.EEXIST, "two studies of one name", str(target)
                )
            # Its line was never written: an earlier run ended between the two.
            shutil.rmtree(target)
        os.rename(self.place / UNFINISHED / study.draft, target)

    def _append(self, content: bytes) -> None:
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
            os.fsync(self._handle)
        except OSError:
            # Half a line would end what can be read of the file.
            with suppress(OSError):
                os.ftruncate(self._handle, self.lines.end)
            raise


def _picture_bytes(folder: Path) -> int:
    """Return the bytes of what the contact sheet shows of a study."""
    from osteotrace.reports.results.studies import SMALL_PICTURE

    try:
        return (folder / SMALL_PICTURE).stat().st_size
    except OSError:
        return 0


def _locked(handle: int) -> bool:
    try:
        return lock(handle)
    except OSError:
        return True  # A file system without locks: nobody can be kept out.


def _at_work(place: Path) -> OsteotraceError:
    return OsteotraceError(
        "a run that is at work in this folder",
        expected="one run at a time",
        advice="wait for it, or end it and go on with --resume",
        where=str(place),
        usage=True,
    )
