"""The headers of many files, read on all the cores there are.

A stretch of a folder is the unit of work. This process reads from the front; where there
are enough files, processes of their own (`osteotrace.series.header_process`) read from
the back. They are plain processes, not those of `multiprocessing`: nothing of the
caller's program runs again in them. What one of them fails to give is read here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.series.header_process import (
    Headers,
    Stretch,
    read_stretch,
    receive,
    send,
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

# The caller's own module path comes as arguments: it may differ from the usual one.
_PROGRAM: Final = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from osteotrace.series.header_process import serve; serve()"
)


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
    with _processes(files) as processes:
        helpers = [
            threading.Thread(
                target=_feed, args=(process, stretches, todo, done), daemon=True
            )
            for process in processes
        ]
        for helper in helpers:
            helper.start()
        read = 0
        for n, stretch in enumerate(stretches):
            if _takes_first(todo, n):
                done[n] = read_stretch(stretch)
            elif n not in done:
                # The last ones are being read by others, and there is nothing else to do.
                for helper in helpers:
                    helper.join()
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


@contextmanager
def _processes(files: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start as many processes as pay; whatever happens, leave none behind."""
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    count = min(cores - 1, MAX_PROCESSES, files // FILES_PER_PROCESS - 1)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        with suppress(OSError):  # Without them it takes longer, that is all.
            for _ in range(count):
                processes.append(_started())
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            with suppress(BrokenPipeError):
                process.__exit__(None, None, None)  # Closes the pipes and waits.


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _feed(
    process: subprocess.Popen[bytes],
    stretches: Sequence[Stretch],
    todo: deque[int],
    done: dict[int, Headers],
) -> None:
    """Give a process stretches from the back until none is left or it fails."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(OSError, IndexError, ValueError, msgspec.MsgspecError):
        while True:
            n = todo.pop()
            send(process.stdin, stretches[n])
            answer = receive(process.stdout)
            if answer is None:
                return
            done[n] = msgspec.msgpack.decode(answer, type=Headers)
