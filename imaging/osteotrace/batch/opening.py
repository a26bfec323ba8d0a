"""The folder of a run: begun, gone on with, and left with its tables."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from osteotrace.batch.head import check_head, head_of, write_head
from osteotrace.batch.journal import RUN, Journal
from osteotrace.batch.run import Run
from osteotrace.errors import OsteotraceError
from osteotrace.records import store
from osteotrace.records.publication import OWNER_ONLY_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from osteotrace.batch.head import Head
    from osteotrace.batch.lines import Lines
    from osteotrace.batch.tasks import Row, Settings

# What a writer that was killed may have left beside nothing else.
_LEFT: tuple[str, ...] = (".osteotrace-",)


def check_place(place: Path, *, resume: bool) -> None:
    """Check, before anything is scanned, that a run can have a folder.

    Raises
    ------
    OsteotraceError
        If it is taken, or cannot be written to.
    """
    try:
        free = _is_free(place)
    except OSError as problem:
        raise _unwritable(place, problem) from problem
    if free:
        store.check_room(place)
    elif not resume:
        raise _taken(place)


@contextmanager
def opened(place: Path, settings: Settings, *, resume: bool) -> Iterator[Journal]:
    """Begin a run in a new folder, or open one that was stopped.

    Raises
    ------
    OsteotraceError
        If the folder is taken, is that of another run, or cannot be written to.
    """
    head = head_of(settings)
    try:
        if _is_free(place):
            place.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
            _begin(place, head)
        elif resume:
            check_head(place, head)
        else:
            raise _taken(place)
        journal = Journal(place)
    except OSError as problem:
        raise _unwritable(place, problem) from problem
    with journal:
        yield journal


def _begin(place: Path, head: Head) -> None:
    try:
        write_head(place, head)
    except OsteotraceError as problem:
        if (place / RUN).exists():
            # Another run began there at the same moment.
            raise _taken(place) from problem
        raise


def _unwritable(place: Path, problem: OSError) -> OsteotraceError:
    return OsteotraceError(
        f"a place that cannot be written to ({problem.strerror or problem})",
        expected="a folder with room and the right to write",
        advice="choose another place or make room",
        where=str(place),
    )


def _is_free(place: Path) -> bool:
    if not os.path.lexists(place):
        return True
    return place.is_dir() and all(name.startswith(_LEFT) for name in os.listdir(place))


def _taken(place: Path) -> OsteotraceError:
    begun = (place / RUN).is_file()
    what = "a folder that is not empty" if place.is_dir() else "a file that exists"
    return OsteotraceError(
        "a run that was begun there" if begun else what,
        expected="a new folder: what is saved is never overwritten",
        advice="go on with it by --resume, or choose another name"
        if begun
        else "choose another name, or move the old one away",
        where=str(place),
        usage=True,
    )


def write_tables(journal: Journal, *, make_room: bool = False) -> Run:
    """Make the tables of what is done, in the place of those that are there.

    Parameters
    ----------
    journal : Journal
    make_room : bool
        Give back the room that was kept for them first.

    Raises
    ------
    OsteotraceError
        If they cannot be written; those that are there stay whole.
    """
    from osteotrace.reports import results

    if make_room:
        journal.make_room()
    counted = _Counted(journal.lines)
    with _uninterrupted():
        files = results.write_tables(journal.place, counted.rows(), replace=True)
    lines = journal.lines
    return Run(
        folder=journal.place,
        n_done=len(lines) - lines.n_failed - lines.n_not_selected,
        n_failed=lines.n_failed,
        n_not_selected=lines.n_not_selected,
        n_not_measured=counted.n_not_measured,
        tables=tuple(files),
    )


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C, a second one too, wait out what takes seconds: it changes nothing."""
    before = {}
    with suppress(ValueError):  # Another thread is not interrupted.
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


class _Counted:
    """The rows of a run, whole and in their order, and what is counted on the way."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.n_not_measured = 0

    def rows(self) -> Iterator[Row]:
        from osteotrace.reports.columns import whole_row

        for kept in self._lines.studies():
            for row in kept.rows:
                if row.get("primary") and row.get("status") == "not_measured":
                    self.n_not_measured += 1
                yield whole_row(row)
