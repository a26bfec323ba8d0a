"""A tree of studies from its scan to its tables: given out, kept, and tried again."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import FIRST_COMPLETED, CancelledError, wait
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from osteotrace.batch import opening, pools
from osteotrace.batch.alike import alike
from osteotrace.batch.journal import LINES, UNFINISHED
from osteotrace.batch.pools import RESUME
from osteotrace.batch.progress import Pace
from osteotrace.batch.software import versions
from osteotrace.batch.studies import failed, failure
from osteotrace.batch.tasks import Outcome, Settings, Study, Task
from osteotrace.errors import OsteotraceError
from osteotrace.pseudonym import is_named
from osteotrace.reading import by_study, patient_and_date, protocol_of
from osteotrace.reading.case_facts import CaseFacts, read_facts
from osteotrace.reading.studies import masks_below
from osteotrace.series import Catalogue, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from concurrent.futures import Future
    from datetime import datetime

    from osteotrace.batch.journal import Journal
    from osteotrace.batch.lines import Lines
    from osteotrace.batch.pools import Pool
    from osteotrace.batch.progress import Progress
    from osteotrace.batch.run import Run
    from osteotrace.batch.tasks import StudyOutcome
    from osteotrace.protocol import Protocol
    from osteotrace.protocol.outcomes import Pictures

_Asked = TypeVar("_Asked")


def measure_tree(
    path: str | os.PathLike[str] | Catalogue,
    protocol: Protocol | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    masks: str | os.PathLike[str] | None = None,
    facts: str | os.PathLike[str] | CaseFacts | None = None,
    reader: str = "",
    allow_gaps: bool = False,
    workers: int = 1,
    scheduler: str = "",
    resume: bool = False,
    records: bool | None = None,
    pictures: Pictures | None = None,
    only: Collection[str] | None = None,
    seconds: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    now: datetime | None = None,
) -> Run:
    """Measure every study below a path in many processes, and write their tables.

    A study that fails is a row with its reason. One that ends its process is tried once
    more, alone, and is then a row. What is done is kept on disk: after any stop the run
    goes on where it was.

    Parameters
    ----------
    path : path or Catalogue
        A folder of any depth, or what `osteotrace.scan` found in it.
    protocol : Protocol, str or path
        A protocol, its name, or its file.
    out : path
        A new folder; with ``resume`` that of a run that was stopped.
    masks : path, optional
        A file or folder of labels, as in `osteotrace.measure`.
    facts : path or CaseFacts, optional
        Clinical facts, with which each study is staged beside those before it.
    reader : str
        Who is responsible for the readings.
    allow_gaps : bool
        Whether missing and duplicate slices will do.
    workers : int
        Studies that are measured at once on this machine.
    scheduler : str
        Address or scheduler file of a Dask cluster, whose workers measure instead. They
        need the same versions, and the same folders under the same paths.
    resume : bool
        Go on with the run in ``out``: what was measured is not measured again, what
        failed is tried once more.
    records : bool, optional
        Whether DICOM SR and SEG are written; by default as the protocol says, else no.
    pictures : str, optional
        ``finding``, ``case`` or ``none``; by default as the protocol says, else one a
        case.
    only : collection of str, optional
        StudyInstanceUIDs of a worklist: no other study is measured, and one that is not
        there is a row that says so.
    seconds : float, optional
        A study that takes longer is given up.
    progress : callable, optional
        Called with a `Progress` now and then.
    now : datetime, optional
        Time of the readings; the clock's by default.

    Returns
    -------
    Run

    Raises
    ------
    OsteotraceError
        If the path, the protocol or an option is wrong, the folder is taken or is that
        of another run, or nothing can be written or measured any more; the tables then
        hold what was done.
    KeyboardInterrupt
        If it is stopped; the tables then hold what was done.
    """
    checked = protocol_of(protocol)
    where = masks_below(masks)
    stated = facts if isinstance(facts, CaseFacts | None) else read_facts(facts)
    place = Path(os.path.abspath(out))
    opening.check_place(place, resume=resume)
    catalogue = path if isinstance(path, Catalogue) else scan(path)
    catalogue = _without_results(catalogue, place)
    settings = Settings(
        protocol=checked,
        root=Path(os.path.abspath(catalogue.root)),
        unfinished=place / UNFINISHED,
        masks=None if where is None else Path(os.path.abspath(where)),
        facts=stated,
        reader=reader,
        allow_gaps=allow_gaps,
        records=_first(records, checked.results.records, False),
        pictures=_first(pictures, checked.results.pictures, "case"),
        now=now,
        software=versions(),
        seconds=seconds,
    )
    pool = pools.cluster(scheduler) if scheduler else pools.here(workers)
    with pool as measuring, opening.opened(place, settings, resume=resume) as journal:
        studies = by_study(catalogue)
        if only is not None:
            studies = [one for one in studies if _uid(one) in only]
        tasks = _tasks(studies, settings, journal.lines)
        missing = _missing(only or (), studies, settings)
        waiting = len(missing) + sum(len(task.studies) for task in tasks)
        total = len(studies) + len(missing)
        pace = Pace(total, total - waiting, progress)
        try:
            pace.say()
            _keep([(one,) for one in missing], journal, pace)
            _measure(tasks, measuring, journal, pace)
        except BaseException:
            # Whatever stopped it: the tables tell of what is done.
            opening.write_tables(journal, make_room=True)
            raise
        return opening.write_tables(journal)


def _without_results(catalogue: Catalogue, place: Path) -> Catalogue:
    """Return a catalogue without what this run and others wrote below the tree.

    Their DICOM SEG would be masks of the studies that they were measured on.
    """
    root = Path(os.path.abspath(catalogue.root))
    known: dict[Path, bool] = {root.parent: False}

    def of_a_run(folder: Path) -> bool:
        if folder not in known:
            known[folder] = (
                folder == place
                or (folder / LINES).is_file()
                or (folder != folder.parent and of_a_run(folder.parent))
            )
        return known[folder]

    kept = (
        series
        for series in catalogue
        if not all(
            of_a_run(Path(os.path.abspath(image.path)).parent)
            for volume in series.volumes
            for image in volume.instances
        )
    )
    return replace(catalogue, series=tuple(kept))


def _first(asked: _Asked | None, stated: _Asked | None, usual: _Asked) -> _Asked:
    """Return what was asked, else what the protocol states, else what is usual."""
    if asked is not None:
        return asked
    return usual if stated is None else stated


def _uid(study: Catalogue) -> str:
    return study.series[0].identity.study_uid


def _missing(
    wanted: Collection[str], studies: Iterable[Catalogue], settings: Settings
) -> list[StudyOutcome]:
    """Return the outcomes of studies that are wanted and not there."""
    problem = OsteotraceError(
        "no image of this study below the folder",
        expected="the studies of the worklist",
        advice=f"fetch it, and {RESUME}",
    )
    absent = set(wanted).difference(map(_uid, studies))
    return [failure(uid, settings, problem) for uid in sorted(absent)]


def _tasks(studies: list[Catalogue], settings: Settings, done: Lines) -> list[Task]:
    """Return what is to be done: a study each, or a patient's where they are staged."""
    studies = sorted(studies, key=patient_and_date)
    others = alike(studies)
    together = settings.facts is not None or bool(settings.protocol.staging.systems)
    groups: dict[str, list[Study]] = {}
    for one in studies:
        study = Study(one, others[_uid(one)])
        # Studies without a patient may be of several.
        whole = together and is_named(study.patient)
        groups.setdefault(study.patient if whole else study.uid, []).append(study)
    return [
        Task(tuple(group), settings)
        for group in groups.values()
        if not all(done.has_measured(study.uid) for study in group)
    ]


def _measure(tasks: list[Task], pool: Pool, journal: Journal, pace: Pace) -> None:
    """Measure tasks; those that end their process once more, each by itself."""
    for task in _once(deque(tasks), pool, journal, pace):
        _keep([_one_by_one(task, pool)], journal, pace)


def _once(waiting: deque[Task], pool: Pool, journal: Journal, pace: Pace) -> list[Task]:
    """Measure tasks; return those whose process ended."""
    running: dict[Future[Outcome], Task] = {}
    died: list[Task] = []
    while waiting or running:
        slots = pool.slots()
        while waiting and len(running) < slots:
            task = waiting.popleft()
            running[pool.submit(task)] = task
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        kept = []
        for future in finished:
            task = running.pop(future)
            outcome = _outcome(future, pool)
            if outcome.died:
                died.append(task)
            else:
                kept.append(_accepted(outcome, task))
        _keep(kept, journal, pace)
    return died


def _one_by_one(task: Task, pool: Pool) -> tuple[StudyOutcome, ...]:
    """Measure the studies of a task, each alone, beside those before it.

    One that ends its process again takes no other study of the patient with it.
    """
    from osteotrace.records.assessments import read
    from osteotrace.reports.results import RECORD

    done: list[StudyOutcome] = []
    earlier = task.earlier
    for study in task.studies:
        alone = Task((study,), task.settings, earlier)
        outcome = _outcome(pool.submit(alone), pool)
        if outcome.died:
            done.append(_given_up(study, task.settings, outcome.died))
            continue
        (one,) = _accepted(outcome, alone)
        if one.draft:
            earlier += (read(task.settings.unfinished / one.draft / RECORD),)
        done.append(one)
    return tuple(done)


def _outcome(future: Future[Outcome], pool: Pool) -> Outcome:
    """Return what a future gives, or how its process ended.

    Raises
    ------
    OsteotraceError
        If the pool cannot measure any more.
    """
    try:
        return future.result()
    except CancelledError as problem:
        raise pools.scheduler_gone() from problem
    except Exception as problem:
        if how := pool.lost(problem):
            return Outcome(died=how)
        words = [type(problem).__name__, *str(problem).splitlines()[:1]]
        found = f"a worker that cannot take part ({': '.join(words)})"
        raise _stopped(found, "osteotrace on every worker") from problem


def _accepted(outcome: Outcome, task: Task) -> tuple[StudyOutcome, ...]:
    """Return what became of a task's studies, or stop the run.

    Raises
    ------
    OsteotraceError
        If no task can be done as things are.
    """
    if outcome.stop is not None:
        stop = outcome.stop
        raise OsteotraceError(
            stop.found,
            expected=stop.expected,
            advice=stop.advice
            if "--resume" in stop.advice
            else f"{stop.advice}; {RESUME}",
            where=stop.where,
        )
    root = task.settings.root
    if outcome.unseen and root.exists():
        found = "a worker that does not see the folder of the images"
        raise _stopped(found, "the folder under the same path on every machine")
    return outcome.studies


def _stopped(found: str, expected: str) -> OsteotraceError:
    return OsteotraceError(found, expected=expected, advice=f"put it right, and {RESUME}")


def _given_up(study: Study, settings: Settings, how: str) -> StudyOutcome:
    problem = OsteotraceError(
        f"the process that measured it ended twice, the second time alone: {how}",
        expected="a study that one process can measure",
        advice="measure it by itself on a machine with more memory, or check its files",
    )
    return failed(study, settings, problem)


def _keep(done: Iterable[tuple[StudyOutcome, ...]], journal: Journal, pace: Pace) -> None:
    if not (done := list(done)):
        return
    try:
        journal.add(done)
    except OSError as problem:
        raise OsteotraceError(
            f"a place that takes no more ({problem.strerror or problem})",
            expected="room for the results",
            advice=f"make room, and {RESUME}",
            where=str(journal.place),
        ) from problem
    studies = [study for task in done for study in task]
    pace.say(len(studies), sum(study.failed for study in studies))
