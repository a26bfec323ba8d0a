"""What became of each study of a worklist: a CSV file that grows line by line.

A line stands when its study is done. After a stop, the lines that still hold are kept and
the others are worked on again.
"""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.records.publication import flush
from osteotrace.records.store import OWNER_ONLY_FILE
from osteotrace.reports import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Row = dict[str, str]

FAILED: Final = "failed"


class Ledger:
    """A ledger that is open for writing.

    Parameters
    ----------
    path : Path
        The file; made where it does not exist.
    columns : sequence of str
        Its columns.
    holds : callable
        Tells of a line that is there whether it still holds.

    Attributes
    ----------
    rows : list of Row
        The lines that hold, then those that were added.

    Raises
    ------
    OsteotraceError
        If the file is another kind of table, or cannot be written.
    """

    def __init__(
        self, path: Path, columns: Sequence[str], holds: Callable[[Row], bool]
    ) -> None:
        self.path = path
        self._columns = tuple(columns)
        self.rows = [row for row in self._there() if holds(row)]
        self._write_anew()

    def add(self, row: Row) -> None:
        """Add a line, forced to disk.

        Raises
        ------
        OsteotraceError
            If the file cannot be written.
        """
        line = tables.to_csv([row], self._columns).partition("\r\n")[2]
        try:
            with self.path.open("a", encoding="utf-8", newline="") as stream:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as problem:
            raise self._unwritable(problem) from problem
        self.rows.append(row)

    def _there(self) -> list[Row]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as problem:
            raise self._another() from problem
        lines = list(csv.reader(io.StringIO(text, newline="")))
        if lines and tuple(lines[0]) != self._columns:
            raise self._another()
        # A line that was cut off by a stop is none.
        whole = [cells for cells in lines[1:] if len(cells) == len(self._columns)]
        return [dict(zip(self._columns, cells, strict=True)) for cells in whole]

    def _write_anew(self) -> None:
        draft = self.path.with_name(f".{self.path.name}.draft")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8", newline="") as stream:
                draft.chmod(OWNER_ONLY_FILE)
                tables.write_csv(stream, self.rows, self._columns)
            flush(draft)
            draft.replace(self.path)
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def _unwritable(self, problem: OSError) -> OsteotraceError:
        return OsteotraceError(
            f"a place that cannot be written to ({problem.strerror or problem})",
            expected="a folder with room and the right to write",
            advice="make room and call again: what is done stays done",
            where=str(self.path),
        )

    def _another(self) -> OsteotraceError:
        return OsteotraceError(
            "another file of the ledger's name",
            expected=f"a table of the columns {', '.join(self._columns)}",
            advice="choose another folder or name, or move the file away",
            where=str(self.path),
            usage=True,
        )
