"""A comparison as rows: one row a lesion, quantity and step, as CSV and as Parquet.

Both files say the same. Numbers keep every digit; the research-use statement is a column,
as in `osteotrace.reports.tables`. A step without any change to tell, such as that of a
lesion that is gone, has one row, so that no state is lost.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.codes import QUANTITIES
from osteotrace.errors import OsteotraceError
from osteotrace.records import store
from osteotrace.reports import tables
from osteotrace.reports.comparison import words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from osteotrace.comparison import Comparison, Lesion, Link, QuantityChange, Step
    from osteotrace.reports.tables import Row

CSV: Final = "comparison.csv"
PARQUET: Final = "comparison.parquet"

# Name and type of each column, in their order; it is part of the format.
#   span         "step" from one date at which it was read to the next, "whole" from the
#                first date to the last
#   state        of the lesion over that span, with why; proposed is true where no reader
#                has confirmed what it rests on
#   is_primary   true of the one quantity that decides the state
#   is_real      true where the change exceeds what reading it twice gives
#   earlier_u    standard uncertainty in the unit of the value
#   delta        later less earlier; delta_low and delta_high where only ranges are known
#   limit        what a change has to exceed, in the unit, and where that comes from
#   inapplicable differences of the studies for which that limit does not hold
COLUMNS: Final = {
    **dict.fromkeys(
        ("patient", "label", "kind", "site", "laterality", "tracking_uid", "span"),
        "string",
    ),
    **dict.fromkeys(("earlier_study", "later_study"), "int64"),
    **dict.fromkeys(
        ("earlier_date", "later_date", "earlier_name", "later_name", "state"), "string"
    ),
    "state_reason": "string",
    "proposed": "bool",
    "match_basis": "string",
    **dict.fromkeys(("match_overlap", "match_distance_mm", "match_u_mm"), "double"),
    **dict.fromkeys(
        ("confirmed_by", "quantity", "code", "coding_scheme"), "string"
    ),
    "is_primary": "bool",
    "verdict": "string",
    "is_real": "bool",
    **dict.fromkeys(
        (
            "earlier_value", "earlier_u", "later_value", "later_u",
        ),
        "double",
    ),
    "unit": "string",
    **dict.fromkeys(
        (
            "delta", "delta_low", "delta_high", "percent", "months_low", "months_high",
            "per_month", "limit",
        ),
        "double",
    ),
    "limit_origin": "string",
    "u_registration": "double",
    **dict.fromkeys(
        (
            "inapplicable", "reason", "notes", "earlier_assessment_uid",
            "later_assessment_uid", "reader", "recorded", "software", "statement",
        ),
        "string",
    ),
}  # fmt: skip


def write_tables(folder: Path, comparison: Comparison) -> tuple[Path, Path]:
    """Write ``comparison.csv`` and ``comparison.parquet``, both or none.

    Parameters
    ----------
    folder : Path
        Made where it is missing; other files may be in it.
    comparison : Comparison

    Returns
    -------
    tuple of two Path
        The CSV and the Parquet file.

    Raises
    ------
    OsteotraceError
        If one of them exists or cannot be written.
    """
    table = rows(comparison)
    content = {
        folder / CSV: tables.to_csv(table, COLUMNS).encode(),
        folder / PARQUET: _parquet(table),
    }
    written: list[Path] = []
    try:
        for path, data in content.items():
            written.append(store.write_once(path, data))
    except OsteotraceError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return folder / CSV, folder / PARQUET


def rows(comparison: Comparison) -> list[Row]:
    """Return one row a lesion, quantity and step, in the order of the lesions.

    Each has every key of `COLUMNS`; None where there is nothing to tell.
    """
    return [
        dict.fromkeys(COLUMNS) | row
        for lesion in comparison.lesions
        for row in _of_lesion(comparison, lesion)
    ]


def _of_lesion(comparison: Comparison, lesion: Lesion) -> Iterator[Row]:
    common = {
        "patient": comparison.patient,
        "label": lesion.label,
        "kind": lesion.kind,
        "site": lesion.site,
        "laterality": lesion.laterality,
        "tracking_uid": lesion.tracking_uid,
        "reader": comparison.reader,
        "recorded": comparison.recorded,
        "software": comparison.software,
        "statement": RESEARCH_USE_SHORT,
    }
    spans = [("step", step) for step in lesion.steps]
    if lesion.whole is not None:
        spans.append(("whole", lesion.whole))
    for span, step in spans:
        told = common | {"span": span} | _of_step(comparison, lesion, step)
        for changed in step.changes:
            yield told | _of_change(changed, is_primary=changed.name == step.primary)
        if not step.changes:
            yield told | _named(step.primary) | {"is_primary": bool(step.primary)}


def _of_step(comparison: Comparison, lesion: Lesion, step: Step) -> Row:
    earlier, later = comparison.studies[step.earlier], comparison.studies[step.later]
    return {
        "earlier_study": step.earlier,
        "later_study": step.later,
        "earlier_date": earlier.date,
        "later_date": later.date,
        "earlier_name": earlier.name,
        "later_name": later.name,
        "earlier_assessment_uid": earlier.assessment_uid,
        "later_assessment_uid": later.assessment_uid,
        "state": step.state,
        "state_reason": step.reason,
        "proposed": step.proposed,
        **_of_links(words.links_of(lesion, step)),
    }


def _of_links(links: tuple[Link, ...]) -> Row:
    """Return how findings were matched; figures only where there is one link."""
    one = links[0] if len(links) == 1 else None
    return {
        "match_basis": "; ".join(dict.fromkeys(link.basis for link in links)),
        "match_overlap": one.overlap if one else None,
        "match_distance_mm": one.distance_mm if one else None,
        "match_u_mm": one.u_mm if one else None,
        "confirmed_by": "; ".join(
            dict.fromkeys(link.confirmed_by for link in links if link.confirmed_by)
        ),
    }


def _named(name: str) -> Row:
    coded = QUANTITIES.get(name)
    return {
        "quantity": name,
        "code": coded.value if coded else "",
        "coding_scheme": coded.scheme if coded else "",
    }


def _of_change(changed: QuantityChange, *, is_primary: bool) -> Row:
    told = changed.change
    low, high = told.between or (None, None)
    fewest, most = changed.months or (None, None)
    return _named(told.name) | {
        "is_primary": is_primary,
        "verdict": told.verdict,
        "is_real": changed.is_real,
        "earlier_value": told.earlier,
        "earlier_u": changed.uncertainties[0],
        "later_value": told.later,
        "later_u": changed.uncertainties[1],
        "unit": told.unit,
        "delta": told.delta,
        "delta_low": low,
        "delta_high": high,
        "percent": told.percent,
        "months_low": fewest,
        "months_high": most,
        "per_month": changed.per_month,
        "limit": told.limit,
        "limit_origin": told.limit_origin,
        "u_registration": changed.u_registration,
        "inapplicable": "; ".join(changed.inapplicable),
        "reason": told.reason,
        "notes": "; ".join(told.notes),
    }


def _parquet(table: list[Row]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types: dict[str, Any] = {
        "string": pa.string(),
        "int64": pa.int64(),
        "double": pa.float64(),
        "bool": pa.bool_(),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(table, schema=schema), out)
    return out.getvalue()
