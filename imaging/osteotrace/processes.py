"""Plain processes of osteotrace's own code, and the messages to and from them.

They are not those of `multiprocessing`: nothing of the caller's program is run again in
them, and no state of it is copied. A message is its length in four bytes, big endian,
and its msgpack.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Final, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

# A longer message is none: something else was printed where its length should be.
MAX_MESSAGE_BYTES: Final = 1 << 28
_LENGTH_BYTES: Final = 4

_Message = TypeVar("_Message", bound=msgspec.Struct)


def cores() -> int:
    """Return how many cores this process may use."""
    if sys.platform == "linux":
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return count


def started(
    module: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that runs ``serve()`` of a module.

    Parameters
    ----------
    module : str
        Full name; no text of a user.
    environment : mapping, optional
        Variables beside those of this process.

    Raises
    ------
    OSError
        If there is no process to be had.
    """
    # The caller's own module path comes as arguments: it may differ from the usual one.
    program = (
        f"import sys; sys.path[:] = sys.argv[1:]; from {module} import serve; serve()"
    )
    return subprocess.Popen(
        [sys.executable, "-P", "-c", program, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )


def send(stream: IO[bytes], message: msgspec.Struct) -> None:
    """Write a message."""
    packed = msgspec.msgpack.encode(message)
    stream.write(len(packed).to_bytes(_LENGTH_BYTES, "big") + packed)
    stream.flush()


def receive(stream: IO[bytes], kind: type[_Message]) -> _Message | None:
    """Read a message, None where the other side is gone or sends something else.

    Raises
    ------
    msgspec.MsgspecError
        If what comes is no message of this kind.
    """
    length = int.from_bytes(stream.read(_LENGTH_BYTES), "big")
    if not 0 < length <= MAX_MESSAGE_BYTES:
        return None
    packed = stream.read(length)
    if len(packed) < length:
        return None
    return msgspec.msgpack.decode(packed, type=kind)
