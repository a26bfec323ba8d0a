"""Arguments and options that several verbs share."""

import math
from pathlib import Path
from typing import Annotated

import typer

from osteotrace.errors import OsteotraceError

DicomPath = Annotated[
    Path,
    typer.Argument(metavar="PATH", help="A DICOM file or folder.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
SeriesUid = Annotated[
    str | None,
    typer.Option("--series", metavar="UID", help="SeriesInstanceUID to use."),
]
VolumeNumber = Annotated[
    int | None,
    typer.Option("--volume", metavar="K", help="Volume of the series; see scan."),
]


def point(words: str, option: str) -> tuple[float, float, float]:
    """Read a point ``x,y,z`` in LPS mm.

    Raises
    ------
    OsteotraceError
        If it is not three finite numbers with commas between.
    """
    try:
        numbers = [float(word) for word in words.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise OsteotraceError(
            repr(words),
            expected="three finite numbers x,y,z, patient LPS mm",
            advice="write them with commas and without blanks, such as 12.5,-40,103.2",
            where=option,
            usage=True,
        )
    x, y, z = numbers
    return x, y, z
