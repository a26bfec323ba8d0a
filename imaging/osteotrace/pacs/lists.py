"""Many studies, one after the other: a failure is a line, and a stop is gone on from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.pacs import faults, outgoing
from osteotrace.pacs.ledger import FAILED, Ledger, Row
from osteotrace.records.publication import ABANDONED_AFTER_S, sweep

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from osteotrace.pacs.connection import Connection
    from osteotrace.pacs.records import StudyFound
    from osteotrace.pacs.worklist import Wanted

    Progress = Callable[[int, int], None]

# A call in which nothing came for this long (s) was killed, or its archive is gone.
_SILENT_S: Final = 600.0
FETCHED_FILE: Final = "fetched.csv"
FETCHED: Final = "fetched"
SENT: Final = "sent"
ALREADY_THERE: Final = "already there"
FETCHED_COLUMNS: Final = (
    "line", "status", "study_uid", "series_uid", "patient", "date", "n_series",
    "n_instances", "n_bytes", "folder", "reason",
)  # fmt: skip
SENT_COLUMNS: Final = ("status", "study_uid", "n_sent", "n_already_there", "reason")


def fetch_all(
    connection: Connection,
    wanted: Sequence[Wanted],
    out: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
) -> tuple[Row, ...]:
    """Fetch what a worklist names into a folder: a folder a study, named by its UID.

    Parameters
    ----------
    connection : Connection
        To the archive.
    wanted : sequence of Wanted
        From `osteotrace.pacs.worklist.read`.
    out : path
        Folder of the studies and of ``fetched.csv``, which has a line for each study:
        fetched, or failed with the reason. A second call skips what is there.
    progress : callable, optional
        Called with the lines that are done and those that there are.

    Returns
    -------
    tuple of dict
        The lines of ``fetched.csv``.

    Raises
    ------
    OsteotraceError
        If the archive cannot be reached or does not let us in, or the folder cannot be
        written; what was fetched until then stays.
    """
    folder = Path(out)
    connection.check()
    # What a killed call left holds images of patients under a hidden name.
    sweep(folder, now=time.time() + ABANDONED_AFTER_S - _SILENT_S)
    # Lines without a UID are asked for again: what they mean may be another study now.
    named = {(str(one.line), one.study_uid, one.series_uid) for one in wanted}
    ledger = Ledger(
        folder / FETCHED_FILE,
        FETCHED_COLUMNS,
        lambda row: _asked_for(row) in named and _is_there(folder, row),
    )
    done = {_asked_for(row) for row in ledger.rows}
    for number, one in enumerate(wanted, start=1):
        if (str(one.line), one.study_uid, one.series_uid) not in done:
            for row in _fetch_line(connection, one, folder):
                ledger.add(row)
        if progress is not None:
            progress(number, len(wanted))
    return tuple(sorted(ledger.rows, key=lambda row: int(row["line"])))


def send_all(
    connection: Connection,
    paths: Iterable[str | os.PathLike[str]],
    *,
    ledger: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Row, ...]:
    """Send files study by study; a study that is refused keeps no other back.

    Parameters
    ----------
    connection : Connection
        To the archive.
    paths : iterable of path
        As for `osteotrace.pacs.Connection.send`.
    ledger : path, optional
        CSV file with a line for each study. A second call sends what failed or changed;
        the archive is asked what it holds.
    progress : callable, optional
        Called with the studies that are done and those that there are.

    Returns
    -------
    tuple of dict
        A line a study: sent, already there, or failed with the reason.

    Raises
    ------
    OsteotraceError
        If the archive cannot be reached or does not let us in, there is nothing to send,
        or the ledger cannot be written.
    """
    studies = outgoing.by_study(paths)
    connection.check()
    kept = None if ledger is None else Ledger(Path(ledger), SENT_COLUMNS, lambda _: False)
    rows: list[Row] = []
    for number, (study_uid, files) in enumerate(studies, start=1):
        rows.append(_send_study(connection, study_uid, files))
        if kept is not None:
            kept.add(rows[-1])
        if progress is not None:
            progress(number, len(studies))
    return tuple(rows)


def _asked_for(row: Row) -> tuple[str, str, str]:
    return row["line"], row["study_uid"], row["series_uid"]


def _is_there(folder: Path, row: Row) -> bool:
    return row["status"] == FETCHED and (folder / row["folder"]).is_dir()


def _fetch_line(connection: Connection, one: Wanted, out: Path) -> list[Row]:
    """Return the lines of the ledger for one of the worklist: one a study."""
    line: Row = {"line": str(one.line), "study_uid": one.study_uid}
    try:
        found = [study for study in connection.find(one.query()) if one.means(study)]
        if not found:
            raise _none_found(connection)
    except OsteotraceError as problem:
        return [line | _failure(connection, problem)]
    return [_fetch_study(connection, one, study, out) for study in found]


def _fetch_study(
    connection: Connection, one: Wanted, study: StudyFound, out: Path
) -> Row:
    name = "_".join(filter(None, (study.study_uid, one.series_uid)))
    line: Row = {
        "line": str(one.line),
        "study_uid": study.study_uid,
        "series_uid": one.series_uid,
        "patient": study.patient,
        "date": study.date,
    }
    # Fetched for another line, or before a stop that came before its line.
    if (out / name).is_dir() and any((out / name).iterdir()):
        return line | _what_lies(out / name)
    try:
        got = connection.fetch(study.study_uid, out / name, series_uid=one.series_uid)
    except OsteotraceError as problem:
        return line | _failure(connection, problem)
    return line | {
        "status": FETCHED,
        "folder": name,
        "n_series": str(got.n_series),
        "n_instances": str(got.n_instances),
        "n_bytes": str(got.n_bytes),
    }


def _what_lies(folder: Path) -> Row:
    files = list(folder.rglob("*.dcm"))
    return {
        "status": FETCHED,
        "folder": folder.name,
        "n_series": str(len({file.parent for file in files})),
        "n_instances": str(len(files)),
        "n_bytes": str(sum(file.stat().st_size for file in files)),
    }


def _send_study(connection: Connection, study_uid: str, files: Sequence[Path]) -> Row:
    try:
        sent = connection.send(files)
    except OsteotraceError as problem:
        return {"study_uid": study_uid} | _failure(connection, problem)
    return {
        "status": SENT if sent.stored else ALREADY_THERE,
        "study_uid": study_uid,
        "n_sent": str(len(sent.stored)),
        "n_already_there": str(len(sent.already_there)),
        "reason": "",
    }


def _failure(connection: Connection, problem: OsteotraceError) -> Row:
    """Return a failed line's part; where the archive is gone, nothing more will come.

    Raises
    ------
    OsteotraceError
        If the archive answers no more: the rest is for the next call.
    """
    if isinstance(problem, faults.Unavailable):
        connection.check()
    return {"status": FAILED, "reason": str(problem)}


def _none_found(connection: Connection) -> OsteotraceError:
    return OsteotraceError(
        "no such study",
        expected="a study that the archive holds",
        advice="check the line of the worklist",
        where=connection.archive.where,
    )
