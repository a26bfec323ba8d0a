"""Whether a message of many parts came to its end.

Where the length of an answer is not told, a connection that breaks off looks like the
answer's end, and the last part is taken for whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOUNDARY: Final = re.compile(r"multipart/.*;\s*boundary=\"?([^\";]+)", re.IGNORECASE)
# What may follow the last delimiter, an epilogue, is empty in practice.
_TAIL_BYTES: Final = 512


def check_whole(response: Any, **_: object) -> Any:
    """Have an answer raise where its closing delimiter (RFC 2046 5.1.1) is missing.

    Parameters
    ----------
    response : requests.Response
        Before its content was read.
    """
    found = _BOUNDARY.match(response.headers.get("Content-Type", ""))
    if found is not None:
        given = response.iter_content
        closing = f"--{found[1]}--".encode()
        response.iter_content = lambda *args, **kwargs: _checked(
            given(*args, **kwargs), closing
        )
    return response


def _checked(chunks: Iterator[bytes], closing: bytes) -> Iterator[bytes]:
    tail = b""
    for chunk in chunks:
        tail = (tail + chunk)[-_TAIL_BYTES:]
        yield chunk
    if closing not in tail:
        from requests.exceptions import ChunkedEncodingError

        raise ChunkedEncodingError("no closing delimiter")
