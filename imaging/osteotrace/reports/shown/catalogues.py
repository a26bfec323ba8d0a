"""What is shown of what was scanned and loaded: catalogue, series, volumes, grids.

No path and no file name is shown: folders are often named after patients.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.codes import UNITS
from osteotrace.geometry import Grid, patient_letters
from osteotrace.measurements.measurement import SPOKEN
from osteotrace.reports.figures.drawing import grey_window
from osteotrace.reports.shown.cards import (
    MOST_ROWS,
    Card,
    Picture,
    card_of,
    counted,
    series_name,
    table,
    title_of,
)
from osteotrace.series import Catalogue, Series, VolumeHeader
from osteotrace.series.wording import tilt_in_words, verdict_in_words
from osteotrace.volume import ARBITRARY, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from osteotrace.reports.shown.cards import Table
    from osteotrace.series import SeriesIdentity

_OF_A_VOLUME: Final = ("volume", "voxels", "spacing mm", "geometry")
_COLUMNS: Final = ("#", "patient", "study", "series", *_OF_A_VOLUME)
# Series that are named behind a note that several of them have.
_MOST_NAMED: Final = 8
# Pixels of the longer side of a volume's picture.
PICTURE_SIZE: Final = 256


@title_of.register(Catalogue)
def _(catalogue: Catalogue) -> str:
    who = {(one.identity.patient_id, one.identity.issuer) for one in catalogue}
    studies = {one.identity.study_uid for one in catalogue}
    volumes = [volume for series in catalogue for volume in series.volumes]
    good = sum(volume.measurable for volume in volumes)
    if not catalogue.series:
        return "no series"
    return (
        f"{counted(len(who), 'patient')}, {counted(len(studies), 'study', 'studies')}, "
        f"{len(catalogue)} series; {counted(good, 'volume')} can be measured"
    )


@card_of.register(Catalogue)
def _(catalogue: Catalogue) -> Card:
    return Card(
        kind="Catalogue",
        title=title_of(catalogue),
        tables=(_overview(catalogue.series),),
        lines=(*_exams(catalogue), *_notes(catalogue.series), *_skipped(catalogue)),
    )


@title_of.register(Series)
def _(series: Series) -> str:
    volumes = counted(len(series.volumes), "volume")
    return f"{_named(series.identity)}: {volumes}, {counted(series.n_instances, 'image')}"


@card_of.register(Series)
def _(series: Series) -> Card:
    return Card(
        kind="Series",
        title=title_of(series),
        facts=_identity(series.identity),
        tables=(_volumes(series),),
        lines=tuple(dict.fromkeys(_notes_of(series))),
    )


@title_of.register(VolumeHeader)
def _(header: VolumeHeader) -> str:
    what = ", ".join(filter(None, (_size(header), verdict_in_words(header))))
    return f"{_named(header.identity)}: {what}"


@card_of.register(VolumeHeader)
def _(header: VolumeHeader) -> Card:
    facts = (*_identity(header.identity), ("volume", str(header.k)))
    return Card(
        kind="Volume, not loaded",
        title=title_of(header),
        facts=(*facts, ("kind", header.kind), *_grid_facts(header.grid)),
        lines=header.notes,
    )


@title_of.register(Volume)
def _(volume: Volume) -> str:
    return f"{_named(volume.identity)}: {_shape(volume.grid)}"


@card_of.register(Volume)
def _(volume: Volume) -> Card:
    unit = "MR signal, no unit" if volume.unit == ARBITRARY else _unit(volume.unit)
    facts = (
        *_identity(volume.identity),
        *_grid_facts(volume.grid),
        ("values", f"{unit}, stored as {volume.voxels.dtype}"),
    )
    return Card(
        kind="Volume",
        title=title_of(volume),
        facts=facts,
        lines=volume.notes,
        picture=lambda: _middle(volume),
    )


@title_of.register(Grid)
def _(grid: Grid) -> str:
    return _shape(grid)


@card_of.register(Grid)
def _(grid: Grid) -> Card:
    return Card(kind="Grid", title=title_of(grid), facts=_grid_facts(grid))


# Words -------------------------------------------------------------------------------


def _overview(every: Sequence[Series]) -> Table:
    """Return a row a volume; what the row above says already is left empty.

    A scan may hold thousands: rows are made of those alone that are shown.
    """
    rows: list[tuple[str, ...]] = []
    above: tuple[str, str] | None = None
    for number, series in enumerate(every[:MOST_ROWS]):
        who = series.identity
        study = who.patient, who.date or who.study_uid
        named = ("", "") if study == above else study
        above = study
        head: tuple[str, ...] = (str(number), *named, _name(who))
        for header in series.volumes:
            rows.append((*head, *_volume_row(header, len(series.volumes))))
            head = ("",) * len(head)
        if not series.volumes:
            rows.append((*head, "", "", "", "no image"))
    shown = table(_COLUMNS, rows)
    there = sum(max(len(series.volumes), 1) for series in every)
    return replace(shown, left_out=there - len(shown.rows))


def _volumes(series: Series) -> Table:
    count = len(series.volumes)
    rows = [(*_volume_row(one, count), one.kind) for one in series.volumes]
    return table((*_OF_A_VOLUME, "what sets it apart"), rows)


def _volume_row(header: VolumeHeader, count: int) -> tuple[str, str, str, str]:
    spacing = "" if header.grid is None else _spacing(header.grid)
    number = str(header.k) if count > 1 else ""
    return number, _size(header), spacing, verdict_in_words(header)


def _identity(who: SeriesIdentity) -> tuple[tuple[str, str], ...]:
    return (
        ("patient", who.patient),
        ("study", who.date),
        ("series", _name(who)),
        ("series UID", who.series_uid),
    )


def _named(who: SeriesIdentity) -> str:
    return ", ".join(filter(None, (_name(who), who.patient, who.date)))


def _name(who: SeriesIdentity) -> str:
    return series_name(who.modality, who.description)


def _size(header: VolumeHeader) -> str:
    first = header.instances[0] if header.instances else None
    if first is None or not first.rows:
        return ""
    return f"{len(header.instances)} × {first.rows} × {first.columns}"


def _shape(grid: Grid) -> str:
    return f"{' × '.join(map(str, grid.shape))} voxels of {_spacing(grid)} mm"


def _spacing(grid: Grid) -> str:
    return " × ".join(f"{mm:.4g}" for mm in grid.spacing if not math.isnan(mm))


def _grid_facts(grid: Grid | None) -> tuple[tuple[str, str], ...]:
    if grid is None:
        return (("geometry", "none"),)
    corners = grid.corners()
    low, high = corners.min(axis=0), corners.max(axis=0)
    ends = "; ".join(
        f"{axis} {a:.1f} to {b:.1f}" for axis, a, b in zip("xyz", low, high, strict=True)
    )
    steps = "even" if grid.is_even else "uneven: each slice keeps its true place"
    return (
        ("slices × rows × columns", " × ".join(map(str, grid.shape))),
        ("spacing mm", _spacing(grid)),
        ("slices", ", ".join(filter(None, (steps, tilt_in_words(grid))))),
        ("extent LPS mm", ends),
    )


def _unit(unit: str) -> str:
    return SPOKEN.get(unit, "") or (UNITS[unit].meaning if unit in UNITS else unit)


def _notes_of(series: Series) -> Iterator[str]:
    yield from series.notes
    for one in series.volumes:
        yield from one.notes


def _notes(every: Sequence[Series]) -> Iterator[str]:
    """Yield each note once, with the numbers of the series that have it."""
    having: dict[str, list[int]] = {}
    for number, series in enumerate(every):
        for note in dict.fromkeys(_notes_of(series)):
            having.setdefault(note, []).append(number)
    for note, numbers in list(having.items())[:MOST_ROWS]:
        named = ", ".join(map(str, numbers[:_MOST_NAMED]))
        more = len(numbers) - _MOST_NAMED
        yield f"series {named}{f' and {more} more' if more > 0 else ''}: {note}"
    if len(having) > MOST_ROWS:
        yield f"and {len(having) - MOST_ROWS} other notes: see .frame()"


def _exams(catalogue: Catalogue) -> Iterator[str]:
    for name, stations in catalogue.exams.items():
        yield f"whole-body exam {name}: {counted(len(stations), 'station')}"


def _skipped(catalogue: Catalogue) -> Iterator[str]:
    for damaged, what in ((True, "damaged"), (False, "left out")):
        reasons = Counter(
            one.reason for one in catalogue.skipped if one.damaged is damaged
        )
        for reason, count in reasons.most_common():
            yield f"{what}: {counted(count, 'file')}, {reason}"


# Picture -----------------------------------------------------------------------------


def _middle(volume: Volume) -> Picture | None:
    """Return the middle slice of a volume as a picture, pixels as wide as high."""
    from PIL import Image

    k = volume.grid.shape[0] // 2
    values = volume.rescaled((slice(k, k + 1), slice(None), slice(None)))[0]
    low, high = grey_window(values, volume.unit)
    grey = np.rint(255 * np.clip((values - low) / (high - low), 0, 1)).astype(np.uint8)
    height, width = np.array(values.shape) * volume.grid.pixel_spacing
    scale = PICTURE_SIZE / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    page = io.BytesIO()
    Image.fromarray(grey).resize(size, Image.Resampling.BOX).save(page, "PNG")
    return Picture(png=page.getvalue(), caption=f"slice {k}; {_sides(volume.grid)}")


def _sides(grid: Grid) -> str:
    left, right, top, bottom = (patient_letters(direction) for direction in _edges(grid))
    return f"left {left}, right {right}, top {top}, bottom {bottom}"


def _edges(grid: Grid) -> tuple[NDArray[Any], ...]:
    row, column = grid.row_direction, grid.column_direction
    return -row, row, -column, column
