"""The accuracy table: every lesion on phantoms of known truth, beside other methods.

Each family (`families`) renders its phantoms, measures them with osteotrace and with the
naive and peer methods, and gives rows; the goals stand beside what was reached. The
speed of each measurement comes last, in the same run.

    python benchmarks/accuracy.py                       # an hour on two cores
    python benchmarks/accuracy.py --repeats 20 --family vertebra
    python benchmarks/accuracy.py --write docs/accuracy.md
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).parent))

from families.table import markdown

if TYPE_CHECKING:
    from families.table import Row

FAMILIES: Final = ("palate", "sequestra", "moth_eaten", "vertebra", "marrow_symmetry")
# Repeats a family, pooled over its conditions: what a coverage needs to be told to 2 %.
REPEATS: Final = 400
SPEED: Final = "speed"

_PAGE: Final = """\
# Accuracy

Printed by `python benchmarks/accuracy.py --write docs/accuracy.md`, {repeats} repeats a
family, with seeds on which no constant of a measurement was set. Phantoms have no beam
hardening, metal, sharp kernel or motion: the figures are the floor of the error, not a
promise. "bias ± SD unit (repeats)"; coverage is the share of 95 % intervals that held the
truth. The density of endplates was assumed after a look at 20 of the 80 vertebrae here. A
goal that was missed says so; [why](measurements.md#where-a-goal-is-missed).

{table}
"""


def family(name: str, repeats: int) -> list[Row]:
    """Return the rows of one family."""
    began = time.perf_counter()
    rows: list[Row] = import_module(f"families.{name}").rows(repeats)
    spent = time.perf_counter() - began
    print(f"{name}: {len(rows)} rows in {spent:.0f} s", file=sys.stderr)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--family", action="append", choices=(*FAMILIES, SPEED))
    parser.add_argument("--write", type=Path, metavar="FILE", help="the table as a page")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    names = asked.family or [*FAMILIES, SPEED]
    slow = [name for name in names if name != SPEED]
    with ProcessPoolExecutor(asked.workers) as pool:
        done = pool.map(family, slow, [asked.repeats] * len(slow))
        # Families run side by side: only the runs of their own tell a time.
        rows = [row for rows in done for row in rows if "time" not in row.quantity]
    # Alone on the machine, after everything else.
    if SPEED in names:
        rows += family(SPEED, asked.repeats)
    table = markdown(rows)
    print(table)
    if asked.write is not None:
        page = _PAGE.format(repeats=asked.repeats, table=table)
        asked.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
