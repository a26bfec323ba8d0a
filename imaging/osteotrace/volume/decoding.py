"""Compressed and deflated images to voxels, in processes that may crash or hang.

The codecs are native code, and files from anywhere reach them. They run in worker
processes (`osteotrace.volume.decoder_process`) on the cores there are; whatever happens
to one becomes one `OsteotraceError` that names the file. The processes are plain ones,
not those of `multiprocessing`: nothing of the caller's program is run again in them.
"""

from __future__ import annotations

import math
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from osteotrace.errors import OsteotraceError
from osteotrace.processes import cores, receive, send, started
from osteotrace.volume.decoder_process import (
    FRAME_SECONDS,
    Answer,
    Request,
)
from osteotrace.volume.loading import MAX_SLICE_PIXELS, undecodable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from osteotrace.series import Instance

# More processes than this wait for the disk and for each other.
MAX_WORKERS: Final = 4
# A process takes about as long to start as this many slices of 512² to decode.
FRAMES_PER_WORKER: Final = 8
# How often late processes are looked for, seconds.
_WATCH_SECONDS: Final = 0.5
# A process that is told to end does so at once; it is waited for no longer than this.
_END_SECONDS: Final = 5.0

_DECODER: Final = "osteotrace.volume.decoder_process"
# One image at a time needs no threads, and each would take address space.
_ENVIRONMENT: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def decode_into(
    voxels: NDArray[Any],
    instances: Sequence[Instance],
    progress: Callable[[int], None] | None = None,
    *,
    colour: bool = False,
) -> None:
    """Decode images, each into its place.

    Parameters
    ----------
    voxels : array of shape (images, rows, columns)
        Filled with the stored values; C order, of a type that holds those of every
        image. After an error its content means nothing.
    instances : sequence of Instance
        One a slice: encapsulated, deflated or native, of the rows and columns of
        ``voxels``.
    progress : callable, optional
        Called in the caller's thread with the number of images decoded so far.
    colour : bool
        Whether the brightness of colour images will do, 8 bits of it.

    Raises
    ------
    OsteotraceError
        If an image cannot be decoded, is not the grey-scale image of its header, or
        its decoder crashes, runs out of memory, or gives no answer in time: the first
        such image of ``instances``, by name of its file.
    """
    for instance in instances:
        _check(instance, voxels.shape[1:], colour=colour)
    todo: SimpleQueue[int] = SimpleQueue()
    for k in range(len(instances)):
        todo.put(k)
    events: SimpleQueue[_Event] = SimpleQueue()
    with _processes(instances[0], _count(len(instances))) as workers:
        for worker in workers:
            worker.thread = threading.Thread(
                target=_feed,
                args=(worker, todo, voxels, instances, events, colour),
                name="decoding",
                daemon=True,
            )
            worker.thread.start()
        _watch(workers, todo, events, progress)


class _Event(NamedTuple):
    """An image is done or has a problem; with no image, a thread has ended."""

    k: int | None
    problem: Exception | None = None


@dataclass(slots=True)
class _Worker:
    """A process and the thread that feeds it; when its present image was begun."""

    process: subprocess.Popen[bytes]
    thread: threading.Thread | None = None
    since: float = math.inf
    late: bool = False


def _check(instance: Instance, shape: tuple[int, ...], *, colour: bool) -> None:
    """Refuse what must not reach a codec."""
    pixels, form = instance.rows * instance.columns, instance.attributes.format
    if not 0 < pixels <= MAX_SLICE_PIXELS:
        size = f"{instance.rows} × {instance.columns}"
        raise undecodable(instance, f"{size} pixels, which no slice has")
    if form.samples not in ((1, 3) if colour else (1,)):
        raise undecodable(instance, f"{form.samples} samples a pixel")
    if (instance.rows, instance.columns) != shape:
        raise ValueError(f"{instance!r} is not of shape {shape}")


def _count(images: int) -> int:
    return min(MAX_WORKERS, cores(), math.ceil(images / FRAMES_PER_WORKER))


@contextmanager
def _processes(first: Instance, count: int) -> Iterator[list[_Worker]]:
    """Start processes; whatever happens, leave none behind."""
    workers: list[_Worker] = []
    try:
        for _ in range(count):
            workers.append(_Worker(_started(first)))
        yield workers
    finally:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            if worker.thread is not None:
                worker.thread.join()
            # Closes the pipes and waits.
            with suppress(BrokenPipeError):
                worker.process.__exit__(None, None, None)


def _started(first: Instance) -> subprocess.Popen[bytes]:
    try:
        return started(_DECODER, _ENVIRONMENT)
    except OSError as problem:
        raise OsteotraceError(
            f"no decoder process to be had ({problem.strerror})",
            expected="one, to decode compressed images in",
            advice="close other programs, or start osteotrace with a Python of its own",
            where=first.file,
        ) from problem


def _feed(
    worker: _Worker,
    todo: SimpleQueue[int],
    voxels: NDArray[Any],
    instances: Sequence[Instance],
    events: SimpleQueue[_Event],
    colour: bool,
) -> None:
    """Give a process one image after the other until none is left or one fails."""
    k = None
    try:
        while True:
            k = todo.get_nowait()
            worker.since = time.monotonic()
            problem = _exchange(worker, instances[k], voxels[k], colour=colour)
            worker.since = math.inf
            events.put(_Event(k, problem))
            if problem is not None:
                break
    except Empty:
        pass
    # Whatever else goes wrong belongs into the caller's thread.
    except Exception as problem:
        events.put(_Event(k, problem))
    finally:
        events.put(_Event(None))


def _watch(
    workers: list[_Worker],
    todo: SimpleQueue[int],
    events: SimpleQueue[_Event],
    progress: Callable[[int], None] | None,
) -> None:
    """Follow the threads to their end; raise the problem of the first image with one.

    Images are given out in order: all before a bad one are done or being done by then.
    """
    running, done = len(workers), 0
    problems: dict[int, Exception] = {}
    while running:
        _end_late(workers)
        try:
            event = events.get(timeout=_WATCH_SECONDS)
        except Empty:
            continue
        if event.k is None:
            running -= 1
        elif event.problem is not None:
            problems[event.k] = event.problem
            _empty(todo)
        else:
            done += 1
            if progress is not None:
                progress(done)
    if problems:
        raise problems[min(problems)]


def _empty(todo: SimpleQueue[int]) -> None:
    with suppress(Empty):
        while True:
            todo.get_nowait()


def _end_late(workers: list[_Worker]) -> None:
    for worker in workers:
        if time.monotonic() - worker.since > FRAME_SECONDS:
            worker.late = True
            worker.process.kill()


def _exchange(
    worker: _Worker, instance: Instance, target: NDArray[Any], *, colour: bool
) -> OsteotraceError | None:
    """Have one image decoded; return its problem."""
    requests, answers = worker.process.stdin, worker.process.stdout
    assert isinstance(requests, BufferedWriter)
    assert isinstance(answers, BufferedReader)
    try:
        send(requests, Request.of(instance, target.dtype, colour=colour))
        answer = receive(answers, Answer)
        if answer is not None and answer.problem:
            return undecodable(instance, _of_frame(instance) + answer.problem)
        if answer is not None and _fill(target, answers):
            return None
    except BrokenPipeError:
        pass
    return _ended(worker, instance)


def _fill(target: NDArray[Any], answers: BufferedReader) -> bool:
    """Read the values straight into their place; False where they end too soon."""
    return answers.readinto(target.data.cast("B")) == target.nbytes


def _of_frame(instance: Instance) -> str:
    return f"frame {instance.frame}: " if instance.frame else ""


def _ended(worker: _Worker, instance: Instance) -> OsteotraceError:
    """Say how a decoder ended."""
    try:
        code = worker.process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        code = worker.process.wait()
    if worker.late:
        found = f"an image that is not decoded after {FRAME_SECONDS} s"
    elif code < 0:
        found = f"an image whose decoder stopped ({_of_frame(instance)}signal {-code})"
    else:
        found = f"an image whose decoder stopped ({_of_frame(instance)}exit code {code})"
    return OsteotraceError(
        found,
        expected=f"{instance.rows} × {instance.columns} grey values in PixelData "
        "(7FE0,0010)",
        advice="the file is damaged or more than its decoder can take: fetch it again "
        "from its source, uncompressed if that is offered",
        where=instance.file,
    )
