"""A process that measures studies for its parent, one at a time.

It takes tasks on its standard input and answers on its standard output; both are taken
away from whatever else in the process reads or prints. Where its parent is gone it ends
at once, in the middle of a study too: nobody would take the result.
`osteotrace.batch.isolation` starts it.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
from typing import IO, Final

import msgspec

from osteotrace.processes import receive, send

# What comes before the first answer; no program prints this by chance.
GREETING: Final = b"\0\xf5osteotrace studies\xf5\0"
# A process that is given nothing for so long (s) ends: a cluster outlives its runs.
IDLE_SECONDS: Final = 120.0


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A pickled task; it comes from this process's own parent and from nobody else."""

    task: bytes


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """A pickled outcome."""

    outcome: bytes


def serve() -> None:
    """Greet, then measure what is asked until there is nothing more."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    # Ctrl-C reaches every process of a terminal: the run decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers.write(GREETING)
    answers.flush()
    asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, asked), daemon=True).start()

    from osteotrace.batch.studies import measured

    while True:
        try:
            request = asked.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return
        outcome = measured(pickle.loads(request.task))
        send(answers, Answered(pickle.dumps(outcome)))


def _listen(requests: IO[bytes], asked: queue.SimpleQueue[Asked]) -> None:
    try:
        while (request := receive(requests, Asked)) is not None:
            asked.put(request)
    finally:
        # The parent is gone, or speaks of something else.
        os._exit(0)
