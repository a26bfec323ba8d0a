"""Records as tables: what `frame` gives, in the columns of the files where there are any.

Measurements have the columns of ``measurements.csv``, comparisons those of
``comparison.csv``. Numbers keep every digit.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch
from typing import TYPE_CHECKING, Any, Final

from osteotrace.comparison import Comparison, Lesion
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Case, Finding, StagingResult
from osteotrace.geometry import Grid
from osteotrace.measurements.caliper import CaliperReading
from osteotrace.measurements.measurement import LesionReading, Measurement, NotMeasured
from osteotrace.regions import ImagePoints, Mask, Points, Polyline
from osteotrace.reports import tables
from osteotrace.reports.comparison import tables as comparison_tables
from osteotrace.reports.shown.cards import OwnCard
from osteotrace.series import Catalogue, Series, VolumeHeader
from osteotrace.shown import Shown
from osteotrace.volume import Volume

if TYPE_CHECKING:
    import pandas as pd

    from osteotrace.reports.tables import Row

VOLUME_COLUMNS: Final = (
    "patient", "study_uid", "date", "series_uid", "modality", "description", "volume",
    "kind", "n_slices", "rows", "columns", "slice_mm", "row_mm", "column_mm", "tilt_deg",
    "verdicts", "measurable", "notes",
)  # fmt: skip
STAGE_COLUMNS: Final = (
    "system", "version", "site", "date", "lowest", "highest", "definite", "stage",
    "set_by_reader", "possible", "not_known", "ask", "parts", "notes", "source",
)  # fmt: skip
# What a value says without the reading that it is of.
_OF_A_VALUE: Final = (
    "quantity", "status", "value", "unit", "u", "interval95_low", "interval95_high",
    "u_reason", "reason", "flags", "definition", "method", "method_version", "code",
    "coding_scheme", "n_sources", "statement",
)  # fmt: skip
_OF_A_FINDING: Final = (
    "label", "kind", "site", "laterality", "primary", *_OF_A_VALUE[:-1], "points_lps_mm",
    "tracking_uid", "series_uid", "statement",
)  # fmt: skip


def frame(things: object) -> pd.DataFrame:
    """Return records as one data frame.

    Parameters
    ----------
    things : record or iterable of records
        What `osteotrace.scan`, `load`, `measure`, `measure_studies`, `stage`, `compare`
        or `read` gave, or several of one kind.

    Returns
    -------
    pandas.DataFrame
        One row a volume, a measurement, a stage, or a step of a lesion; numbers with
        every digit, in the unit that their column or their row names.

    Raises
    ------
    OsteotraceError
        If it is none of these, or records of several kinds.
    """
    import pandas as pd

    if not isinstance(things, Shown):
        return _together(things)
    if isinstance(things, OwnCard):
        return things.frame()
    columns, rows = rows_of(things)
    return pd.DataFrame(rows, columns=list(columns))


def _together(things: object) -> pd.DataFrame:
    import pandas as pd

    every = list(things) if isinstance(things, Iterable) else [things]
    frames = []
    for one in every:
        if not isinstance(one, Shown):
            raise _no_rows(one)
        frames.append(frame(one))
    if not frames:
        return pd.DataFrame()
    kinds = {tuple(one.columns) for one in frames}
    if len(kinds) > 1:
        raise OsteotraceError(
            "records of " + " and ".join(sorted({type(one).__name__ for one in every})),
            expected="records of one kind for one table",
            advice="make a data frame of each kind",
            usage=True,
        )
    # A frame without rows would make every column one of objects.
    return pd.concat([one for one in frames if len(one)] or frames[:1], ignore_index=True)


@singledispatch
def rows_of(thing: object) -> tuple[tuple[str, ...], list[Row]]:
    """Return the columns and the rows of a record's table."""
    raise _no_rows(thing)


# What was scanned --------------------------------------------------------------------


@rows_of.register(Catalogue)
def _(catalogue: Catalogue) -> tuple[tuple[str, ...], list[Row]]:
    volumes = (volume for series in catalogue for volume in series.volumes)
    return VOLUME_COLUMNS, [_header_row(volume) for volume in volumes]


@rows_of.register(Series)
def _(series: Series) -> tuple[tuple[str, ...], list[Row]]:
    return VOLUME_COLUMNS, [_header_row(volume) for volume in series.volumes]


@rows_of.register(VolumeHeader)
def _(header: VolumeHeader) -> tuple[tuple[str, ...], list[Row]]:
    return VOLUME_COLUMNS, [_header_row(header)]


@rows_of.register(Volume)
def _(volume: Volume) -> tuple[tuple[str, ...], list[Row]]:
    who = _identity_row(volume)
    return VOLUME_COLUMNS, [
        who | _grid_row(volume.grid) | {"notes": "; ".join(volume.notes)}
    ]


@rows_of.register(Grid)
def _(grid: Grid) -> tuple[tuple[str, ...], list[Row]]:
    row = _grid_row(grid)
    return tuple(row), [row]


def _identity_row(one: VolumeHeader | Volume) -> Row:
    who = one.identity
    return {
        "patient": who.patient,
        "study_uid": who.study_uid,
        "date": who.date,
        "series_uid": who.series_uid,
        "modality": who.modality,
        "description": who.description,
    }


def _header_row(header: VolumeHeader) -> Row:
    first = header.instances[0] if header.instances else None
    return {
        **_identity_row(header),
        "volume": header.k,
        "kind": header.kind,
        "n_slices": len(header.instances),
        "rows": first.rows if first else 0,
        "columns": first.columns if first else 0,
        **({} if header.grid is None else _grid_row(header.grid)),
        "verdicts": " ".join(header.verdicts),
        "measurable": header.measurable,
        "notes": "; ".join(header.notes),
    }


def _grid_row(grid: Grid) -> Row:
    slices, rows, columns = grid.shape
    between, row_mm, column_mm = map(float, grid.spacing)
    return {
        "n_slices": slices,
        "rows": rows,
        "columns": columns,
        "slice_mm": between,
        "row_mm": row_mm,
        "column_mm": column_mm,
        "tilt_deg": grid.tilt_deg,
    }


# What was read -----------------------------------------------------------------------


@rows_of.register(Assessment)
def _(assessment: Assessment) -> tuple[tuple[str, ...], list[Row]]:
    return tables.COLUMNS, tables.rows(assessment)


@rows_of.register(Case)
def _(case: Case) -> tuple[tuple[str, ...], list[Row]]:
    read = (row for one in case.current() for row in tables.rows(one))
    return tables.COLUMNS, list(read)


@rows_of.register(Finding)
def _(finding: Finding) -> tuple[tuple[str, ...], list[Row]]:
    return _OF_A_FINDING, tables.rows(_nobodys(finding))


@rows_of.register(LesionReading)
@rows_of.register(CaliperReading)
def _(reading: LesionReading | CaliperReading) -> tuple[tuple[str, ...], list[Row]]:
    return _values(reading.measurements)


@rows_of.register(Measurement)
@rows_of.register(NotMeasured)
def _(one: Measurement | NotMeasured) -> tuple[tuple[str, ...], list[Row]]:
    return _values((one,))


def _values(
    measurements: tuple[Measurement | NotMeasured, ...],
) -> tuple[tuple[str, ...], list[Row]]:
    bare = Finding(
        tracking_uid="",
        label="",
        kind="lesion",
        site="unspecified",
        measurements=measurements,
    )
    return _OF_A_VALUE, tables.rows(_nobodys(bare))


def _nobodys(finding: Finding) -> Assessment:
    """Return a reading around a finding, so that its rows are made in one place."""
    return Assessment(
        assessment_uid="",
        study_uid="",
        patient="",
        study_date="",
        reader="",
        recorded="",
        series=(),
        software="",
        findings=(finding,),
    )


@rows_of.register(Polyline)
def _(region: Polyline) -> tuple[tuple[str, ...], list[Row]]:
    names = ("x_mm", "y_mm", "z_mm")
    return names, [dict(zip(names, one, strict=True)) for one in region.points]


@rows_of.register(Points)
def _(region: Points) -> tuple[tuple[str, ...], list[Row]]:
    names = ("role", "x_mm", "y_mm", "z_mm")
    pairs = zip(_roles(region), region.points, strict=True)
    return names, [dict(zip(names, (role, *one), strict=True)) for role, one in pairs]


@rows_of.register(ImagePoints)
def _(region: ImagePoints) -> tuple[tuple[str, ...], list[Row]]:
    names = ("role", "column", "row")
    pairs = zip(_roles(region), region.image_points, strict=True)
    return names, [dict(zip(names, (role, *one), strict=True)) for role, one in pairs]


def _roles(region: Points | ImagePoints) -> tuple[str, ...]:
    points = region.points if isinstance(region, Points) else region.image_points
    return region.point_roles or (region.role,) * len(points)


@rows_of.register(Mask)
def _(region: Mask) -> tuple[tuple[str, ...], list[Row]]:
    row = {"role": region.role, "voxels": int(region.voxels.sum())}
    row |= _grid_row(region.grid)
    return tuple(row), [row]


# What was staged and compared --------------------------------------------------------


@rows_of.register(StagingResult)
def _(result: StagingResult) -> tuple[tuple[str, ...], list[Row]]:
    plain: dict[str, Any] = {
        name: getattr(result, name)
        for name in ("system", "version", "site", "date", "lowest", "highest", "source")
    }
    return STAGE_COLUMNS, [
        plain
        | {
            "definite": result.definite,
            "stage": result.as_text,
            "set_by_reader": result.override.stage if result.override else "",
            "possible": "; ".join(result.possible),
            "not_known": "; ".join(one.criterion for one in result.blocking),
            "ask": result.ask.text if result.ask else "",
            "parts": "; ".join(one.text for one in result.parts if one.text),
            "notes": "; ".join((*result.notes, *result.conflicts)),
        }
    ]


@rows_of.register(Comparison)
def _(comparison: Comparison) -> tuple[tuple[str, ...], list[Row]]:
    return tuple(comparison_tables.COLUMNS), comparison_tables.rows(comparison)


@rows_of.register(Lesion)
def _(lesion: Lesion) -> tuple[tuple[str, ...], list[Row]]:
    names = ("label", "earlier_study", "later_study", "state", "primary", "reason")
    steps = [*lesion.steps, *([lesion.whole] if lesion.whole else [])]
    rows = [
        {
            "label": lesion.label,
            "earlier_study": one.earlier,
            "later_study": one.later,
            "state": one.state,
            "primary": one.primary,
            "reason": one.reason,
        }
        for one in steps
    ]
    return names, rows


def _no_rows(thing: object) -> OsteotraceError:
    return OsteotraceError(
        f"{type(thing).__name__} for a data frame",
        expected="a record of osteotrace, or several of one kind",
        advice="give what osteotrace.scan, load, measure, stage or compare returned",
        usage=True,
    )
