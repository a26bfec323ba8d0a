"""A process that decodes one image at a time for `osteotrace.volume.decoding`.

The codecs are native code that a damaged file can crash or hang: here they take nothing
down but this process, which is bounded in memory and time. It reads requests from its
standard input and answers on its standard output; both are taken away from whatever the
codecs read or print. It ends when its input does, so that none is left behind.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from typing import IO, Any, BinaryIO, Final

import msgspec
import numpy as np

from osteotrace.processes import receive, send
from osteotrace.series.instances import Instance
from osteotrace.volume.image_decoding import decode

# Address space, bytes: enough for the largest slice (8192²) of every format.
MEMORY_BYTES: Final = 3 << 30
# Seconds for one image; the largest takes 16 on two busy cores (JPEG 2000).
FRAME_SECONDS: Final = 30
# Seconds after which the process ends itself, should nobody be left to end it.
_LAST_SECONDS: Final = FRAME_SECONDS + 5
# What the codecs may print before they are cut off, bytes.
_PRINTED_BYTES: Final = 1 << 16
# libjpeg's words for a damaged stream that it has decoded to something all the same.
_DAMAGE: Final = ("Corrupt JPEG data", "Premature end of JPEG")


class Request(msgspec.Struct, frozen=True):
    """One image to decode.

    Parameters
    ----------
    path : bytes
        Its file: a name need not be text.
    image : Instance
        With an empty name of its file.
    dtype : str
        Type of the values to answer with, as NumPy writes it (``<i2``).
    colour : bool
        Whether the brightness of a colour image will do.
    """

    path: bytes
    image: Instance
    dtype: str
    colour: bool = False

    @classmethod
    def of(
        cls, instance: Instance, dtype: np.dtype[Any], *, colour: bool = False
    ) -> Request:
        """Ask for an image in a type that holds its values."""
        nameless = msgspec.structs.replace(instance, file="")
        return cls(os.fsencode(instance.file), nameless, dtype.str, colour)

    @property
    def instance(self) -> Instance:
        """The image."""
        return msgspec.structs.replace(self.image, file=os.fsdecode(self.path))


class Answer(msgspec.Struct, frozen=True):
    """What became of a request; the values follow it where there is no problem.

    Parameters
    ----------
    problem : str
        Why the image cannot be decoded, empty where it can.
    """

    problem: str = ""


def serve() -> None:
    """Answer requests until there are no more, then end the process."""
    requests, answers, printed = _own_streams()
    _bound_resources()
    while (request := receive(requests, Request)) is not None:
        _alarm(_LAST_SECONDS)
        try:
            dtype = np.dtype(request.dtype)
            pixels = decode(request.instance, dtype, colour=request.colour)
            damage = [line for line in _said(printed) if line.startswith(_DAMAGE)]
            problem = damage[0] if damage else ""
        # A damaged image raises whatever its decoder raises: one boundary.
        except Exception as raised:
            problem = _reason(raised, _said(printed))
        _alarm(0)
        send(answers, Answer(problem))
        if not problem:
            answers.write(pixels.data)
            answers.flush()
    # Native libraries may crash when they are unloaded: do not let them.
    os._exit(0)


def _own_streams() -> tuple[BinaryIO, BinaryIO, IO[bytes]]:
    """Take standard input and output from the codecs; keep what they print apart."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    printed = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(printed.fileno(), 1)
    os.dup2(printed.fileno(), 2)
    return requests, answers, printed


def _bound_resources() -> None:
    import logging

    logging.disable(logging.CRITICAL)
    if sys.platform == "win32":
        return
    import resource

    # Ctrl-C reaches every process of a terminal: the one that asked ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, _PRINTED_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, hard))


def _alarm(seconds: int) -> None:
    """End the process in so many seconds, even inside native code; 0 for never."""
    if sys.platform != "win32":
        signal.alarm(seconds)


def _said(printed: IO[bytes]) -> list[str]:
    """Return the lines that the codecs printed since the last time."""
    # The codecs write through the same file position.
    printed.seek(0)
    text = printed.read(_PRINTED_BYTES).decode("utf-8", "replace")
    printed.seek(0)
    printed.truncate()
    return text.strip().splitlines()


def _reason(raised: Exception, said: list[str]) -> str:
    if isinstance(raised, OSError) and raised.strerror:
        return raised.strerror
    lines = str(raised).strip().splitlines() or [""]
    reason = lines[-1].strip()
    # This is how GDCM's refusal looks from Python.
    if "'NoneType' object has no attribute 'encode'" in reason:
        return said[-1] if said else "its codec gave up"
    return (
        reason if isinstance(raised, ValueError) else f"{type(raised).__name__}: {reason}"
    )
