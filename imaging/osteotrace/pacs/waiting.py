"""Waiting for an archive that may never answer: who waits can go away at any time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[int, int], None]

Answer = TypeVar("Answer")

# How often who waits is asked whether to go on, s.
STEP_S: Final = 0.1
# How long work that was left may take to clear up behind itself, s.
GRACE_S: Final = 2.0


class Left(Exception):
    """Nobody waits for the work any more."""


def waited_for(
    work: Callable[..., Answer], *, counts: bool = True, progress: Progress
) -> Answer:
    """Do work in a thread of its own, and wait for it.

    A program ends without waiting for that thread: an archive that took the question and
    keeps silent holds nobody up.

    Parameters
    ----------
    work : callable
        Called with ``progress=`` where it counts; what that raises must stop it.
    counts : bool
        Whether it tells how far it is.
    progress : callable
        Called ten times a second with the numbers told last, 0 and 0 before the first;
        an exception that it raises ends the waiting, and the work at its next step.

    Returns
    -------
    object
        What the work gives; what it raises is raised here.
    """
    told = 0, 0
    left, ended = threading.Event(), threading.Event()
    answers: list[Answer] = []
    problems: list[BaseException] = []

    def tell(done: int, of: int) -> None:
        nonlocal told
        told = done, of
        if left.is_set():
            raise Left

    def run() -> None:
        try:
            answers.append(work(progress=tell) if counts else work())
        # It is raised where somebody waits for it.
        except BaseException as problem:
            problems.append(problem)
        finally:
            ended.set()

    threading.Thread(target=run, name="archive", daemon=True).start()
    try:
        while not ended.wait(STEP_S):
            progress(*told)
    except BaseException:
        left.set()
        ended.wait(GRACE_S)
        raise
    if problems:
        raise problems[0]
    return answers[0]
