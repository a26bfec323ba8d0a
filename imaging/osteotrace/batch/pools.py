"""Where tasks are measured: in processes of this machine, or in a Dask cluster.

Both take tasks and give futures of the standard library, and both call the same function,
`osteotrace.batch.isolation.isolated`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from osteotrace.batch.isolation import end_all, end_idle, isolated
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from osteotrace.batch.tasks import Outcome, Task

RESUME: Final = "go on with --resume (resume=True)"
# Tasks a worker: one in work and one that waits, so that it is never without one.
_TASKS_A_WORKER: Final = 2
# A cluster that does not answer or has no worker for so long (s) is none.
CONNECT_SECONDS: Final = 20.0
WORKERS_SECONDS: Final = 60.0
# A study is tried again by the run itself, alone: that of Dask is not enough of a rule.
_LOST_WORKER: Final = "KilledWorker"


class Pool(Protocol):
    """Something that measures tasks."""

    def slots(self) -> int:
        """Return how many tasks it takes at a time."""

    def submit(self, task: Task) -> Future[Outcome]:
        """Begin to measure a task."""

    def lost(self, problem: BaseException) -> str:
        """Return how the task's process ended if that is the problem, else nothing."""


class _Here:
    """Threads of this process, each of which waits for a process that measures."""

    def __init__(self, workers: int, executor: ThreadPoolExecutor) -> None:
        self._workers, self._executor = workers, executor

    def slots(self) -> int:
        return self._workers * _TASKS_A_WORKER

    def submit(self, task: Task) -> Future[Outcome]:
        return self._executor.submit(isolated, task)

    def lost(self, problem: BaseException) -> str:
        return ""


class _Cluster:
    """The workers that a Dask scheduler has at the moment."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor = client.get_executor(pure=False)

    def slots(self) -> int:
        # Without a worker the tasks wait for one that comes back.
        with _scheduler_there():
            threads = sum(map(int, self._client.nthreads().values()))
        return max(1, threads) * _TASKS_A_WORKER

    def submit(self, task: Task) -> Future[Outcome]:
        with _scheduler_there():
            future: Future[Outcome] = self._executor.submit(isolated, task)
        return future

    def lost(self, problem: BaseException) -> str:
        lost = type(problem).__name__ == _LOST_WORKER
        return "the workers that tried it were lost" if lost else ""


@contextmanager
def _scheduler_there() -> Iterator[None]:
    """Turn whatever Dask says of a scheduler that is gone into an error of ours."""
    try:
        yield
    except Exception as problem:
        raise scheduler_gone() from problem


def scheduler_gone() -> OsteotraceError:
    """Return the error of a scheduler that went in the middle of a run."""
    return OsteotraceError(
        "a scheduler that is gone",
        expected="one that is there until the run is done",
        advice=f"put it right, and {RESUME}",
    )


@contextmanager
def here(workers: int) -> Iterator[Pool]:
    """Give a pool of processes on this machine; none is left behind.

    Parameters
    ----------
    workers : int
        Studies that are measured at once.

    Raises
    ------
    OsteotraceError
        If that is less than one.
    """
    if workers < 1:
        raise OsteotraceError(
            f"{workers} workers",
            expected="one or more",
            advice="leave --workers out for one",
            usage=True,
        )
    executor = ThreadPoolExecutor(workers, thread_name_prefix="osteotrace-study")
    try:
        yield _Here(workers, executor)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        end_all()
        executor.shutdown()


@contextmanager
def cluster(address: str) -> Iterator[Pool]:
    """Give the workers of a Dask cluster; their processes are ended with the run.

    Parameters
    ----------
    address : str
        Of its scheduler, such as ``tcp://10.0.0.5:8786``, or its scheduler file.

    Raises
    ------
    OsteotraceError
        If Dask is not installed, or no scheduler or no worker is there.
    """
    client = _client(address)
    try:
        yield _Cluster(client)
    finally:
        try:
            # Those at work may be of another run on the same cluster.
            client.run(end_idle, on_error="ignore")
        # Whatever Dask says where the scheduler is gone: idle processes end themselves.
        except Exception:
            pass
        finally:
            client.close()


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as problem:
        raise OsteotraceError(
            "no Dask",
            expected="the extra 'dask'",
            advice='install it: pip install "osteotrace[dask]"',
            where="--scheduler",
            usage=True,
        ) from problem
    file = address.endswith(".json")
    given = {"scheduler_file": address} if file else {"address": address}
    try:
        client = Client(**given, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as problem:
        raise OsteotraceError(
            f"no Dask scheduler that answers ({type(problem).__name__})",
            expected="the address that 'dask scheduler' prints, such as tcp://host:8786",
            advice="start the scheduler, or check address and firewall",
            where=address,
        ) from problem
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except (OSError, TimeoutError) as problem:
        client.close()
        raise OsteotraceError(
            f"a scheduler without a worker for {WORKERS_SECONDS:g} s",
            expected="one worker or more",
            advice="start workers with 'dask worker ADDRESS'",
            where=address,
        ) from problem
    return client
