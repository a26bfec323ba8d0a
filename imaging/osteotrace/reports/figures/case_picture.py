"""One picture of a whole case: every finding with its value, to be looked through fast.

Few findings are shown on three planes each, many on the one plane that shows most of
them. A small copy without words goes into the contact sheet. Both carry RESEARCH.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.findings import marked_volume
from osteotrace.measurements.measurement import Measurement
from osteotrace.reports import text
from osteotrace.reports.figures.case_views import View, letters_of, views, write
from osteotrace.reports.figures.drawing import DOUBT_COLOUR, FITTED_COLOUR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from osteotrace.findings import Assessment, Finding
    from osteotrace.volume import Volume

# Width of the picture and heights of its head, its foot and the words of a view, pixels.
WIDTH, HEAD, FOOT, WORDS = 1200, 58, 30, 64
GAP: Final = 6
# Up to this many findings have three planes each; more have one.
FEW: Final = 2
# Views in a row, by the most findings that go so; more findings than the last are told.
VIEWS_IN_A_ROW: Final = {4: 2, 8: 4, 24: 6}
# The small copy: views in it, their side in pixels.
SMALL_VIEWS, SMALL = 3, 150
QUALITY, SMALL_QUALITY = 88, 72
GREY: Final = "#b0b0b0"
# Fewer than these say nothing.
FEWEST_LETTERS: Final = 6


@dataclass(frozen=True, slots=True)
class CasePicture:
    """A case as a picture, and as a small one.

    Parameters
    ----------
    whole, small : bytes
        JPEG files.
    """

    whole: bytes
    small: bytes


def case_picture(assessment: Assessment, volumes: Sequence[Volume]) -> CasePicture:
    """Return one picture of all findings of a reading.

    Parameters
    ----------
    assessment : Assessment
    volumes : sequence of Volume
        Those that were measured. A finding of another one has its words and no view.
    """
    findings = assessment.findings
    few = len(findings) <= FEW
    columns, shown = _layout(len(findings))
    side = (WIDTH - GAP * (columns + 1)) // columns
    rows = [
        _views(finding, volumes, most=3 if few else 1, pixels=side)
        for finding in findings[:shown]
    ]
    return CasePicture(
        whole=_jpeg(_page(assessment, rows, side, columns), QUALITY),
        small=_jpeg(_small([view for row in rows for view in row]), SMALL_QUALITY),
    )


def _layout(findings: int) -> tuple[int, int]:
    """Return how many views stand in a row, and how many findings are shown."""
    if findings <= FEW:
        return 3, findings
    for most, columns in VIEWS_IN_A_ROW.items():
        if findings <= most:
            return columns, findings
    return columns, most


def _views(
    finding: Finding, volumes: Sequence[Volume], *, most: int, pixels: int
) -> list[View]:
    volume = marked_volume(finding, volumes)
    if volume is None:
        return []
    return views(volume, finding, most=most, pixels=pixels)


def _page(
    assessment: Assessment, rows: list[list[View]], side: int, columns: int
) -> Image:
    from PIL import Image, ImageDraw

    few = len(assessment.findings) <= FEW
    lines = len(rows) if few else -(-len(rows) // columns)
    height = HEAD + max(lines, 1) * (side + WORDS + GAP) + FOOT
    page = Image.new("RGB", (WIDTH, height), "black")
    pen = ImageDraw.Draw(page)
    _head(pen, assessment, len(rows))
    for number, (finding, seen) in enumerate(
        zip(assessment.findings, rows, strict=False)
    ):
        line, column = (number, 0) if few else divmod(number, columns)
        top = HEAD + line * (side + WORDS + GAP)
        for place, view in enumerate(seen):
            left = GAP + (column + place) * (side + GAP)
            page.paste(view.image, (left, top))
        wide = WIDTH - 2 * GAP if few else side
        left = GAP + column * (side + GAP)
        _words(pen, finding, (left, top + side + 4), wide, any_view=bool(seen))
    y = height - FOOT / 2
    told = "yellow: the region of the value; blue: other regions; faint: off the plane"
    write(pen, (GAP, y), told, 12, colour=GREY, anchor="lm")
    write(pen, (WIDTH - GAP, y), RESEARCH_USE_SHORT, 12, anchor="rm", bold=True)
    return page


def _head(pen: object, assessment: Assessment, shown: int) -> None:
    who = f"{assessment.patient or 'no pseudonym'}   {assessment.study_date}"
    write(pen, (GAP, 8), who, 18, bold=True)
    count = len(assessment.findings)
    words = f"{count} finding{'s' * (count != 1)}"
    if shown < count:
        words += f", of which {shown} are shown"
    scans = ", ".join(f"{one.modality} {one.description!r}" for one in assessment.series)
    write(pen, (GAP, 34), _short(f"{words}; {scans}", 1000, 13), 13, colour=GREY)
    named = f"protocol {assessment.protocol}"
    write(pen, (WIDTH - GAP, 12), named, 13, colour=GREY, anchor="ra")


def _words(
    pen: object, finding: Finding, place: tuple[int, int], wide: int, *, any_view: bool
) -> None:
    """Write a finding's name, its value, and its doubts or why there is no view."""
    x, y = place
    write(pen, (x, y), _short(text.heading(finding), wide, 12), 12, colour=GREY)
    primary = finding.measurements[0] if finding.measurements else None
    if primary is None:
        write(pen, (x, y + 16), f"no value, {finding.presence}", 13)
        return
    good = isinstance(primary, Measurement) and primary.accepted
    size = 16 if isinstance(primary, Measurement) else 12
    told = _short(text.value(primary), wide, size, bold=good)
    colour = FITTED_COLOUR if good else DOUBT_COLOUR
    write(pen, (x, y + 16), told, size, colour=colour, bold=good)
    beside = x + letters_of(size, bold=good).getlength(told) + 8
    name = _short(primary.code.meaning, x + wide - beside, 11)
    write(pen, (beside, y + 21), name, 11, colour=GREY)
    doubts = primary.flags if isinstance(primary, Measurement) else ()
    more = [f"doubt: {doubt}" for doubt in doubts]
    if not any_view:
        more.append("no view: nothing was marked on a volume that was read")
    line = _short("; ".join(more), wide, 11)
    write(pen, (x, y + 38), line, 11, colour=DOUBT_COLOUR)


def _short(words: str, wide: float, size: int, *, bold: bool = False) -> str:
    """Return as much of a line as fits, with a sign where something is missing."""
    letters = letters_of(size, bold=bold)
    if letters.getlength(words) <= wide:
        return words
    most = int(len(words) * wide / letters.getlength(words)) - 2
    if most < FEWEST_LETTERS:
        return ""
    return wrap(words, most, break_long_words=True)[0] + " …"


def _small(seen: list[View]) -> Image:
    """Return the first views side by side, small."""
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (SMALL * SMALL_VIEWS, SMALL), "black")
    for number, view in enumerate(seen[:SMALL_VIEWS]):
        little = view.image.resize((SMALL, SMALL), Image.Resampling.LANCZOS)
        strip.paste(little, (number * SMALL, 0))
    pen = ImageDraw.Draw(strip)
    edge = (strip.width - 3, strip.height - 3)
    write(pen, edge, "RESEARCH", 10, anchor="rd", bold=True, rim=1)
    return strip


def _jpeg(image: Image, quality: int) -> bytes:
    out = io.BytesIO()
    # Colours keep every pixel: the lines are one or two pixels wide.
    image.save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()
