"""Arguments and options that several verbs share."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osteotrace.about import SOFTWARE_NAME
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from osteotrace.volume import Volume

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


def load(path: Path, series_uid: str | None, volume: int | None) -> "Volume":
    """Load the volume meant; where none was named among several, say which it is.

    Raises
    ------
    OsteotraceError
        As `osteotrace.load`.
    """
    from osteotrace import reading, series

    catalogue = series.scan(path)
    header = catalogue.choose(series_uid, volume)
    others = catalogue.passed_over(header)
    if series_uid is None and others:
        who = header.identity
        typer.echo(
            f"{SOFTWARE_NAME}: used {who.modality} series {who.series_uid}, the only one "
            f"of {len(others) + 1} that can be measured (--series chooses)",
            err=True,
        )
    return reading.load(header)


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
