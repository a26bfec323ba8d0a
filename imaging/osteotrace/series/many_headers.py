"""The headers of many files, read on all the cores there are.

A stretch of a folder is the unit of work. This process reads from the front; where there
are enough files, processes of their own (`osteotrace.series.header_process`) read from
the back. They are plain processes, not those of `multiprocessing`: nothing of the
caller's program runs again in them. What one of them fails to give, or does not give in
time, is read here.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from itertools import chain
from typing import IO, TYPE_CHECKING, Final

import msgspec

from osteotrace.processes import cores, receive, send, started
from osteotrace.series.header_process import (
    GREETING,
    Headers,
    Stretch,
    read_stretch,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from osteotrace.series.headers import FileHeader

# New places in a table by the old ones.
Places = list[int] | dict[int, int]

# Files that are given out at one go: some 20 ms of work.
STRETCH_FILES: Final = 200
# A process takes about as long to start as it takes to read this many headers.
FILES_PER_PROCESS: Final = 1500
# More processes than this wait for the disk and for each other.
MAX_PROCESSES: Final = 4
# Within this time (s) a process has greeted, or it is some other program.
GREETING_SECONDS: Final = 10.0
# Within this time (s) a process has read one stretch, even from a slow disc.
STRETCH_SECONDS: Final = 60.0
# What may be printed before the greeting, bytes.
_PRINTED_BYTES: Final = 1 << 16
# A process that is told to end does so at once; it is waited for no longer than this.
_END_SECONDS: Final = 2.0


def read_many(
    stretches: Sequence[Stretch], tell: Callable[[int], None]
) -> Iterator[Headers]:
    """Read stretches of files, in their order.

    Parameters
    ----------
    stretches : sequence of Stretch
    tell : callable
        Called now and then with the number of files read so far.
    """
    files = sum(len(stretch.names) for stretch in stretches)
    todo = deque(range(len(stretches)))
    done: dict[int, Headers] = {}
    with _readers(_count(files)) as readers:
        for reader in readers:
            reader.feed(stretches, todo, done)
        read = 0
        for n, stretch in enumerate(stretches):
            if _takes_first(todo, n):
                done[n] = read_stretch(stretch)
            elif n not in done:
                # The last ones are being read by others, and there is nothing else to do.
                for reader in readers:
                    reader.wait()
            for reader in readers:
                reader.end_if_late()
            found = done.pop(n, None) or read_stretch(stretch)
            read += len(stretch.names)
            tell(read)
            yield found


def _takes_first(todo: deque[int], n: int) -> bool:
    """Take the first stretch if it is this one; others take from the end meanwhile."""
    try:
        return todo[0] == n and todo.popleft() == n
    except IndexError:
        return False


def joined(parts: Iterable[Headers]) -> Headers:
    """Return parts of one folder as one, with one table for all of them."""
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    identities = list(dict.fromkeys(chain(*(part.identities for part in parts))))
    attributes = list(dict.fromkeys(chain(*(part.attributes for part in parts))))
    who = {identity: n for n, identity in enumerate(identities)}
    what = {attribute: n for n, attribute in enumerate(attributes)}
    headers = []
    for part in parts:
        to_who = [who[identity] for identity in part.identities]
        to_what = [what[attribute] for attribute in part.attributes]
        moved = to_who != [*range(len(to_who))] or to_what != [*range(len(to_what))]
        for header in part.headers:
            headers.append(_moved(header, to_who, to_what) if moved else header)
    return Headers(headers, identities, attributes)


def pruned(part: Headers) -> Headers:
    """Return headers with tables of no more than they point into."""
    used = sorted({h.identity for h in part.headers if h.identity >= 0})
    shown = sorted({i.attributes for h in part.headers for i in h.images})
    if len(used) == len(part.identities) and len(shown) == len(part.attributes):
        return part
    who = {old: new for new, old in enumerate(used)}
    what = {old: new for new, old in enumerate(shown)}
    return Headers(
        [_moved(header, who, what) for header in part.headers],
        [part.identities[place] for place in used],
        [part.attributes[place] for place in shown],
    )


def _moved(header: FileHeader, who: Places, what: Places) -> FileHeader:
    """Return a header that points into other tables."""
    images = tuple(
        msgspec.structs.replace(image, attributes=what[image.attributes])
        for image in header.images
    )
    place = who[header.identity] if header.identity >= 0 else -1
    return msgspec.structs.replace(header, identity=place, images=images)


def _count(files: int) -> int:
    """Return how many processes pay for so many files."""
    if not sys.executable or getattr(sys, "frozen", False):
        return 0  # What is there is no interpreter, but the caller's program.
    return max(min(cores() - 1, MAX_PROCESSES, files // FILES_PER_PROCESS - 1), 0)


@contextmanager
def _readers(count: int) -> Iterator[list[_Reader]]:
    """Start processes; whatever happens, leave none behind."""
    readers: list[_Reader] = []
    try:
        with suppress(OSError):  # Without them it takes longer, that is all.
            for _ in range(count):
                readers.append(_Reader())
        yield readers
    finally:
        for reader in readers:
            reader.process.kill()
        for reader in readers:
            reader.close()


class _Reader:
    """A process that reads headers, and the thread that feeds it."""

    def __init__(self) -> None:
        self.process = started("osteotrace.series.header_process")
        self._thread: threading.Thread | None = None
        self._until = time.monotonic() + GREETING_SECONDS
        self._has_greeted = False

    def feed(
        self, stretches: Sequence[Stretch], todo: deque[int], done: dict[int, Headers]
    ) -> None:
        """Begin to give it stretches from the back, until none is left or it fails."""
        self._thread = threading.Thread(
            target=self._feed, args=(stretches, todo, done), daemon=True
        )
        self._thread.start()

    def wait(self) -> None:
        """Wait until it has read all that it was given, or is late."""
        # Who never greeted was given nothing.
        if self._thread is not None and self._has_greeted:
            while (
                self._thread.is_alive() and (left := self._until - time.monotonic()) > 0
            ):
                self._thread.join(left)

    def end_if_late(self) -> None:
        """End it where the time for its greeting or its stretch is over."""
        if time.monotonic() > self._until:
            self.process.kill()

    def close(self) -> None:
        """Clear up after a process that was killed."""
        if self._thread is not None:
            self._thread.join(_END_SECONDS)
            if self._thread.is_alive():
                # A child of its own holds the pipe: closing would wait for it.
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(_END_SECONDS)
                return
        with suppress(BrokenPipeError):
            self.process.__exit__(None, None, None)  # Closes the pipes and waits.

    def _feed(
        self, stretches: Sequence[Stretch], todo: deque[int], done: dict[int, Headers]
    ) -> None:
        requests, answers = self.process.stdin, self.process.stdout
        assert requests is not None
        assert answers is not None
        with suppress(OSError, IndexError, ValueError, msgspec.MsgspecError):
            _await_greeting(answers)
            while True:
                self._until = time.monotonic() + STRETCH_SECONDS
                self._has_greeted = True
                n = todo.pop()
                send(requests, stretches[n])
                headers = receive(answers, Headers)
                if headers is None or len(headers.headers) != len(stretches[n].names):
                    return
                done[n] = headers


def _await_greeting(stream: IO[bytes]) -> None:
    """Pass over what was printed before the greeting; ValueError where none comes."""
    seen = bytearray()
    while not seen.endswith(GREETING):
        byte = stream.read(1)
        if not byte or len(seen) > _PRINTED_BYTES:
            raise ValueError("no greeting")
        seen += byte
