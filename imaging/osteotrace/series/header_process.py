"""A process that reads headers beside its parent, a stretch of a folder at a time.

It takes requests on its standard input and answers on its standard output, until its
input ends; both are taken away from whatever else in the process reads or prints. It
greets first, so that nothing that was printed before is taken for an answer.
`osteotrace.series.many_headers` starts it.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

from osteotrace.processes import receive, send
from osteotrace.series.headers import FileHeader, HeaderReader
from osteotrace.series.instances import ImageAttributes, SeriesIdentity

# What comes before the first answer; no program prints this by chance.
GREETING: Final = b"\0\xf5osteotrace headers\xf5\0"


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """Files of one folder whose headers are wanted.

    Parameters
    ----------
    folder : bytes
        Path; a name need not be text.
    names : list of bytes
        Of the files.
    sizes : list of int
        Their lengths in bytes.
    """

    folder: bytes
    names: list[bytes]
    sizes: list[int]


class Headers(msgspec.Struct, frozen=True, array_like=True):
    """The headers of some files of one folder, with the tables they point into."""

    headers: list[FileHeader]
    identities: list[SeriesIdentity]
    attributes: list[ImageAttributes]


def read_stretch(stretch: Stretch) -> Headers:
    """Read the headers of some files of one folder."""
    reader, folder = HeaderReader(), os.fsdecode(stretch.folder)
    headers = [
        reader.read(os.path.join(folder, os.fsdecode(name)), size)
        for name, size in zip(stretch.names, stretch.sizes, strict=True)
    ]
    return Headers(headers, reader.identities, reader.attributes)


def serve() -> None:
    """Greet, then answer requests until there are no more."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    answers.write(GREETING)
    answers.flush()
    while (request := receive(requests, Stretch)) is not None:
        send(answers, read_stretch(request))
