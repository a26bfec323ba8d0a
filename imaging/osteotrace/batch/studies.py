"""The one function of a run: from a task to its rows, wherever it is called.

It knows nothing of processes or clusters. What it writes waits in a folder of its own
until the run takes it over, so that a task that is done twice leaves one result.
"""

from __future__ import annotations

import errno
import platform
import shutil
import traceback
import uuid
from typing import TYPE_CHECKING, Final

import osteotrace
from osteotrace.batch.software import differing, versions
from osteotrace.batch.tasks import Outcome, Problem, Settings, Study, StudyOutcome, Task
from osteotrace.errors import NothingSelectedError, OsteotraceError
from osteotrace.reading.assessing import SOFTWARE, content_uid
from osteotrace.records.publication import OWNER_ONLY_FOLDER
from osteotrace.records.store import OWNER_ONLY_FILE

if TYPE_CHECKING:
    from osteotrace.batch.tasks import Row
    from osteotrace.findings import Assessment
    from osteotrace.reading import StudyReading

# No other study can be written either: no room, a quota, a disk that takes nothing.
_NO_PLACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE})


def measured(task: Task) -> Outcome:
    """Measure the studies of a task, write their files, and return their rows.

    Parameters
    ----------
    task : Task

    Returns
    -------
    Outcome
        A study that fails is a row with the reason. Where nothing can be written, the
        folders are not there, or other versions would measure, ``stop`` says so.
    """
    if (problem := _unready(task.settings)) is not None:
        return Outcome(stop=problem)
    outcomes: list[StudyOutcome] = []
    earlier = list(task.earlier)
    for study in task.studies:
        try:
            outcomes.append(_measured(study, task.settings, earlier))
        except _NoPlaceError as full:
            return Outcome(stop=Problem.of(full.error))
    failed = any(one.error is not None for one in outcomes)
    unseen = failed and not task.settings.root.exists()
    return Outcome(studies=tuple(outcomes), unseen=unseen)


def failed(study: Study, settings: Settings, error: OsteotraceError) -> StudyOutcome:
    """Return the outcome of a study that was not measured: one row, the reason."""
    return failure(study.uid, settings, error, patient=study.patient, date=study.date)


def failure(
    study_uid: str,
    settings: Settings,
    error: OsteotraceError,
    *,
    patient: str = "",
    date: str = "",
) -> StudyOutcome:
    """Return the outcome of a study of which no more than the UID may be known."""
    from osteotrace.reports import tables

    row = tables.failure_row(
        study_uid,
        patient,
        error,
        study_date=date,
        protocol=settings.protocol.name,
        protocol_sha256=settings.protocol.sha256,
        reader=settings.reader,
        software=SOFTWARE,
    )
    return StudyOutcome(
        study_uid=study_uid,
        patient=patient,
        date=date,
        rows=[_without_empties(row)],
        error=Problem(found=error.found, expected=error.expected, advice=error.advice),
        selected=not isinstance(error, NothingSelectedError),
    )


class _NoPlaceError(BaseException):
    """Nothing can be written any more: no fault of a study, so none of its boundary."""

    def __init__(self, error: OsteotraceError) -> None:
        self.error = error
        super().__init__(str(error))


def _unready(settings: Settings) -> Problem | None:
    """Return why this process cannot take part in the run."""
    if other := differing(settings.software, versions()):
        return Problem(
            found=f"other versions on {platform.node()}: the run began with {other}",
            expected="the same versions wherever a run measures",
            advice="install the same on every machine, and go on with --resume",
        )
    if settings.masks is not None and not settings.masks.exists():
        return Problem(
            found=f"no labels (--masks) on {platform.node()}",
            expected="their folder, shared under the same path by every machine",
            advice="share it, and go on with --resume",
            where=str(settings.masks),
        )
    if not settings.unfinished.is_dir():
        return Problem(
            found=f"no folder of this run on {platform.node()}",
            expected="the folder of --out, shared under the same path by every machine",
            advice="share it, and go on with --resume",
            where=str(settings.unfinished.parent),
        )
    return None


def _measured(
    study: Study, settings: Settings, earlier: list[Assessment]
) -> StudyOutcome:
    """Measure and write one study; whatever goes wrong in it is a row."""
    try:
        reading = _read(study, settings, earlier)
        if reading.error is not None:
            return failed(study, settings, reading.error)
        assert reading.assessment is not None
        done = _written(study, reading, reading.assessment, settings)
        earlier.append(reading.assessment)
        return done
    except OsteotraceError as problem:
        return failed(study, settings, problem)
    except OSError as problem:
        return failed(study, settings, _unreadable(problem))
    except MemoryError:
        return failed(study, settings, _too_little_memory())
    # Whatever a damaged file makes a library raise: the other studies are measured.
    except Exception as problem:
        return failed(study, settings, _unexpected(problem))


def _read(study: Study, settings: Settings, earlier: list[Assessment]) -> StudyReading:
    from dataclasses import replace

    from msgspec.structs import replace as with_fields

    from osteotrace.reading.studies import read_study, volumes_of

    reading = read_study(
        study.catalogue,
        settings.protocol,
        masks=settings.masks,
        scans=(*volumes_of(study.catalogue), *study.alike),
        facts=settings.facts,
        earlier=earlier,
        reader=settings.reader,
        now=settings.now,
        allow_gaps=settings.allow_gaps,
    )
    if reading.assessment is None:
        return reading
    uid = content_uid(reading.assessment)
    return replace(
        reading, assessment=with_fields(reading.assessment, assessment_uid=uid)
    )


def _written(
    study: Study, reading: StudyReading, assessment: Assessment, settings: Settings
) -> StudyOutcome:
    from osteotrace.reports import results, tables

    draft = settings.unfinished / uuid.uuid4().hex
    try:
        draft.mkdir(mode=OWNER_ONLY_FOLDER)
        results.write_study(
            draft,
            assessment,
            reading.volumes,
            study.catalogue,
            records=settings.records,
            pictures=settings.pictures,
        )
        for file in draft.iterdir():
            file.chmod(OWNER_ONLY_FILE)
    except (OSError, OsteotraceError) as problem:
        shutil.rmtree(draft, ignore_errors=True)
        if _is_of_the_place(problem):
            raise _NoPlaceError(_full(problem)) from problem
        raise
    return StudyOutcome(
        study_uid=study.uid,
        patient=study.patient,
        date=study.date,
        rows=[_without_empties(row) for row in tables.rows(assessment, study.catalogue)],
        folder=results.study_folder(assessment),
        draft=draft.name,
    )


def _is_of_the_place(problem: BaseException) -> bool:
    """Tell whether an error comes from a place that takes nothing, not from a study."""
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NO_PLACE:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _full(problem: OSError | OsteotraceError) -> OsteotraceError:
    if isinstance(problem, OsteotraceError):
        return problem
    return OsteotraceError(
        f"a place that takes no more ({problem.strerror or problem})",
        expected="room for the results",
        advice="make room",
    )


def _unreadable(problem: OSError) -> OsteotraceError:
    return OsteotraceError(
        f"files that cannot be read ({problem.strerror or type(problem).__name__})",
        expected="the files that were there when the run began",
        advice="see that they are there and may be read",
    )


def _without_empties(row: Row) -> Row:
    return {name: value for name, value in row.items() if value not in (None, "")}


def _too_little_memory() -> OsteotraceError:
    return OsteotraceError(
        "too little memory for this study",
        expected="memory for one study a process",
        advice="measure it by itself, or with fewer --workers",
    )


def _unexpected(problem: Exception) -> OsteotraceError:
    """Return the error for what nothing below has foreseen, without its words.

    They may hold a path or a name; the place in the code is told instead.
    """
    places = [
        f"{frame.filename.rpartition('osteotrace/')[2]} line {frame.lineno}"
        for frame in traceback.extract_tb(problem.__traceback__)
        if frame.filename.startswith(osteotrace.__path__[0])
    ]
    where = places[-1] if places else "reading"
    return OsteotraceError(
        f"an unforeseen {type(problem).__name__} in {where}",
        expected="a study that can be read, or a reason why it cannot",
        advice="check the study with 'osteotrace scan', and report this line",
    )
