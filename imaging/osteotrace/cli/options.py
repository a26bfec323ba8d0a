"""Arguments and options that several verbs share."""

import math
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from osteotrace.about import SOFTWARE_NAME
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osteotrace.series import Catalogue
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


AllowGaps = Annotated[
    bool,
    typer.Option(
        "--allow-gaps", help="Accept missing or duplicate slices; the result says so."
    ),
]


Unit = Annotated[
    str | None,
    typer.Option(
        "--unit", metavar="UCUM", help="Unit of a NIfTI or NRRD file's values, or HU."
    ),
]


def scan(path: Path, *, index: bool = True) -> "Catalogue":
    """Scan a path, with a progress bar where somebody is watching."""
    from osteotrace import series

    with progress("reading headers") as tell:
        return series.scan(path, index=index, progress=tell)


@contextmanager
def progress(what: str) -> "Iterator[Callable[[int, int], None] | None]":
    """Show a progress bar on standard error if it is a terminal.

    Yields
    ------
    callable or None
        To be called with what is done and what there is in all.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def load(
    path: Path,
    series_uid: str | None,
    volume: int | None,
    *,
    allow_gaps: bool = False,
    unit: str | None = None,
) -> "Volume":
    """Load the volume meant; where none was named among several, say which it is.

    Raises
    ------
    OsteotraceError
        As `osteotrace.load`.
    """
    from osteotrace import reading
    from osteotrace.volume import HOUNSFIELD

    if reading.is_image_file(path):
        return reading.load(path, unit=HOUNSFIELD if unit == "HU" else unit)
    catalogue = scan(path)
    header = catalogue.choose(series_uid, volume, allow_gaps=allow_gaps)
    others = catalogue.passed_over(header)
    if series_uid is not None:
        others = tuple(o for o in others if o.identity.series_uid == series_uid)
    if volume is None and others:
        who = header.identity
        typer.echo(
            f"{SOFTWARE_NAME}: used {who.modality} series {who.series_uid}, volume "
            f"{header.k}, the only one of {len(others) + 1} volumes that can be measured "
            "(--series and --volume choose)",
            err=True,
        )
    with progress("reading slices") as tell:
        return reading.load(header, allow_gaps=allow_gaps, progress=tell)


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
