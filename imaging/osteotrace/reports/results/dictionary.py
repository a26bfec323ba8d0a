"""The data dictionary: every column of a run's tables and every quantity in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TextIO

from osteotrace.codes import QUANTITIES, STAGINGS
from osteotrace.reports import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from osteotrace.reports.columns import Column
    from osteotrace.reports.tables import Row

COLUMNS: Final = ("of", "name", "type", "unit", "code", "meaning")
QUANTITY: Final = "quantity"


@dataclass(slots=True)
class Quantities:
    """The quantities and staging systems that a run has rows of, with their units."""

    _units: dict[str, set[str]] = field(default_factory=dict)

    def add(self, rows: Iterable[Row]) -> None:
        """Note those of some rows."""
        for row in rows:
            if row["quantity"]:
                units = self._units.setdefault(row["quantity"], set())
                units.update(filter(None, (row["unit"],)))

    def rows(self) -> Iterator[Row]:
        """Yield a row of the dictionary for each, by name."""
        for name, units in sorted(self._units.items()):
            concept = QUANTITIES.get(name) or STAGINGS.get(name)
            yield {
                "of": QUANTITY,
                "name": name,
                "type": "string" if name in STAGINGS else "double",
                "unit": " or ".join(sorted(units)) or "text",
                "code": f"{concept.value} {concept.scheme}" if concept else "",
                "meaning": concept.meaning if concept else name,
            }


def write_dictionary(
    stream: TextIO, of: Mapping[str, Iterable[Column]], quantities: Quantities
) -> None:
    """Write the dictionary of some tables as CSV.

    Parameters
    ----------
    stream : text stream
        Opened with ``newline=""``.
    of : mapping of str to columns
        By the name of the table.
    quantities : Quantities
    """
    told = (
        {
            "of": table,
            "name": column.name,
            "type": column.kind,
            "unit": column.unit,
            "meaning": column.meaning,
        }
        for table, columns in of.items()
        for column in columns
    )
    tables.write_csv(stream, [*told, *quantities.rows()], COLUMNS)
