"""How often a change is called where there is none, and where there is one.

Lesions (`families.repeats`) are scanned and measured twice. Without a change the verdict
"increased" or "decreased" is to come in 5 % at most, by the assumed repeatability and by
the one that a site estimates from its own repeats; with a true change of twice the
repeatability in 95 % at least. A site is some lesions read twice; each judges all of the
other pairs, which it was not estimated from.

    python benchmarks/change.py                     # an hour on one core
    python benchmarks/change.py --repeats 60 --changed 30
    python benchmarks/change.py --keep build/change.jsonl    # goes on where it was
    python benchmarks/change.py --sites 320      # repeats that sites estimate from
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from families.repeats import LESIONS, POSES, SUBJECTS, Subject

from osteotrace.change import (
    Absolute,
    Change,
    Conditions,
    Percent,
    Repeatability,
    change,
    default_repeatability,
    site_repeatability,
)
from osteotrace.change.repeatability import coefficient
from osteotrace.measurements.measurement import Measurement, NotMeasured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPEATS: Final = 400
CHANGED: Final = 200
# Lesions that a site has read twice.
SITES: Final = (5, 10, 20, 40)
ADVISED: Final = 20
# Sites of each size that judge, and draws of the interval over them.
MOST_SITES, DRAWS = 20, 2000
MOST_FALSE, LEAST_FOUND = 0.05, 0.95
# Numbers of the pairs that sites estimate from: none that is judged is among them.
OF_SITES: Final = 100 * LESIONS * POSES * (POSES - 1)
CLASSICAL, COUNTED = "2.77 wSD", "as counted"
REAL: Final = ("increased", "decreased")


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two readings of one lesion, and by how much it has truly changed."""

    subject: str
    number: int
    by: float
    earlier: Measurement | NotMeasured
    later: Measurement | NotMeasured


class Tally:
    """How often a verdict was a real change, of how many that compare.

    Parameters
    ----------
    verdicts : sequence of sequences of str
        Each site's word for each pair, in one order of the pairs.
    """

    def __init__(self, verdicts: Sequence[Sequence[str]]) -> None:
        told = np.array(verdicts)
        self.refused = int((told == "not comparable").sum())
        self.compared = told.shape[1] - self.refused // len(told)
        self._real = np.isin(told, REAL).astype(float)
        self._counts = (told != "not comparable").astype(float)

    @property
    def rate(self) -> float:
        return float(self._real.sum() / max(1.0, self._counts.sum()))

    @property
    def interval95(self) -> tuple[float, float]:
        """Interval of the rate: exact for one site, else sites and pairs drawn anew.

        The words of one site are not independent: they share its coefficient.
        """
        sites, pairs = self._real.shape
        if sites == 1 or self.rate in (0.0, 1.0):
            from scipy.stats import binomtest

            told = round(self.rate * self.compared), self.compared
            found = binomtest(*told).proportion_ci(0.95, method="exact")
            return float(found.low), float(found.high)
        draw, rates = np.random.default_rng(5), []
        for _ in range(DRAWS):
            rows = np.bincount(draw.integers(sites, size=sites), minlength=sites)
            columns = np.bincount(draw.integers(pairs, size=pairs), minlength=pairs)
            counted = max(1.0, float(rows @ self._counts @ columns))
            rates.append(float(rows @ self._real @ columns) / counted)
        low, high = np.quantile(rates, (0.025, 0.975))
        return float(low), float(high)

    @property
    def as_text(self) -> str:
        low, high = self.interval95
        share = f"{100 * self.rate:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        sites = f" by {len(self._real)} sites" if len(self._real) > 1 else ""
        return f"{share} of {self.compared}{sites}"


# Pairs ---------------------------------------------------------------------------------


class Kept:
    """Pairs that were measured before, in a file of JSON lines; none without a file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._pairs: dict[tuple[str, int, float], Pair] = {}
        if path is not None and path.exists():
            for line in path.read_bytes().splitlines():
                pair = msgspec.json.decode(line, type=Pair)
                self._pairs[pair.subject, pair.number, pair.by] = pair

    def pairs(self, subject: Subject, numbers: Sequence[int], by: float) -> list[Pair]:
        """Return pairs of a subject, measured where they are not kept."""
        return [self._pair(subject, number, by) for number in numbers]

    def _pair(self, subject: Subject, number: int, by: float) -> Pair:
        key = subject.name, number, by
        if key not in self._pairs:
            earlier, later = subject.twice(number, by)
            pair = self._pairs[key] = Pair(
                subject=subject.name, number=number, by=by, earlier=earlier, later=later
            )
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._path.open("ab") as lines:
                    lines.write(msgspec.json.encode(pair) + b"\n")
        return self._pairs[key]


def verdict(subject: Subject, pair: Pair, told: Repeatability | None) -> str:
    """Return the word for a pair, by the default repeatability or by a site's own."""
    return judged(subject, pair, told).verdict


def judged(subject: Subject, pair: Pair, told: Repeatability | None) -> Change:
    """Return what is said of a pair, by the default repeatability or by a site's own."""
    return change(
        pair.earlier,
        pair.later,
        same_reader=True,
        points="transferred",
        slice_mm=subject.slice_mm,
        voxel_mm=subject.voxel_mm,
        repeatability=told,
    )


def values(pairs: Sequence[Pair]) -> list[tuple[float, float]]:
    """Return what a site has of its repeats: those with two values and without a flag."""
    return [
        (pair.earlier.value, pair.later.value)
        for pair in pairs
        if isinstance(pair.earlier, Measurement)
        and isinstance(pair.later, Measurement)
        and not (pair.earlier.flags or pair.later.flags)
    ]


def site(
    subject: Subject, repeats: Sequence[Pair], *, classical: bool, alone: bool = True
) -> Repeatability:
    """Return the coefficient that a site estimates: 2.77 wSD, or as it is counted.

    Parameters
    ----------
    subject, repeats
    classical : bool
        2.77 wSD and no more.
    alone : bool
        False lets each reading's own uncertainty count where it is more.
    """
    unit = next(p.earlier.unit for p in repeats if isinstance(p.earlier, Measurement))
    own = site_repeatability(
        subject.quantity,
        values(repeats),
        unit,
        relative=subject.relative,
        scanned_twice=alone,
    )
    if not classical:
        return own.repeatability
    formula = (
        Percent(percent=own.coefficient, of="smaller")
        if subject.relative
        else Absolute(value=own.coefficient, unit=unit)
    )
    return msgspec.structs.replace(own.repeatability, same_reader=formula)


def by_assumed(subject: Subject, pairs: Sequence[Pair]) -> Tally:
    """Return the verdicts by the default repeatability."""
    return Tally([[verdict(subject, pair, None) for pair in pairs]])


def by_sites(
    subject: Subject,
    pairs: Sequence[Pair],
    repeats: Sequence[Pair],
    lesions: int,
    *,
    classical: bool = False,
    alone: bool = True,
) -> Tally:
    """Return the verdicts of sites that each read some other lesions twice.

    Every site judges every pair, as many as `MOST_SITES` of them.
    """
    told = []
    for k in range(min(MOST_SITES, max(1, len(repeats) // lesions))):
        own = repeats[k * lesions : (k + 1) * lesions]
        by = site(subject, own, classical=classical, alone=alone)
        told.append([verdict(subject, pair, by) for pair in pairs])
    return Tally(told)


# Changes -------------------------------------------------------------------------------


def assumed_change(subject: Subject, pairs: Sequence[Pair]) -> float:
    """Return twice the default repeatability: mm, or a share of the volume."""
    told = default_repeatability(subject.quantity)
    assert told is not None
    assert told.same_reader is not None
    conditions = Conditions(
        same_reader=True,
        points="transferred",
        slice_mm=subject.slice_mm,
        voxel_mm=subject.voxel_mm,
    )
    if isinstance(told.same_reader, Percent):
        return 2 * told.same_reader.percent / 100
    largest = max(max(pair) for pair in values(pairs))
    found = coefficient(told.same_reader, largest, largest, "mm", conditions)
    assert isinstance(found, float)
    return 2 * found


def stated_change(
    subject: Subject, pairs: Sequence[Pair], repeats: Sequence[Pair]
) -> float:
    """Return twice what `change` states as the repeatability, in the median pair.

    More than the site's coefficient where each reading's own uncertainty is.
    """
    shares = []
    sites = max(1, len(repeats) // ADVISED)
    for k in range(sites):
        own = repeats[k * ADVISED : (k + 1) * ADVISED]
        told = site(subject, own, classical=False, alone=False)
        for pair in pairs[k::sites]:
            found = judged(subject, pair, told)
            if found.limit is not None and found.earlier and found.later:
                least = min(found.earlier, found.later)
                shares.append(found.limit / (least if subject.relative else 1.0))
    return round(2 * float(np.median(shares)) + 0.00005, 4)


def estimated_change(subject: Subject, repeats: Sequence[Pair]) -> float:
    """Return twice the coefficient of all repeats together, rounded up."""
    told = site(subject, repeats, classical=True).same_reader
    if isinstance(told, Percent):
        return round(2 * told.percent / 100 + 0.00005, 4)
    assert isinstance(told, Absolute)
    return round(2 * told.value + 0.00005, 4)


# Tables --------------------------------------------------------------------------------


def rows(
    subject: Subject, kept: Kept, repeats: int, changed: int, of_sites: int
) -> Iterator[tuple[str, ...]]:
    """Yield the rows of one subject."""
    pairs = kept.pairs(subject, range(repeats), 0.0)
    others = kept.pairs(subject, range(OF_SITES, OF_SITES + of_sites), 0.0)
    by = assumed_change(subject, pairs)
    found = by_assumed(subject, kept.pairs(subject, range(changed), by))
    assumed = by_assumed(subject, pairs)
    yield _row(subject, "assumed", assumed, found, by)
    by = estimated_change(subject, others)
    truly = kept.pairs(subject, range(changed), by)
    for lesions in SITES:
        for way in (CLASSICAL, COUNTED):
            classical = way == CLASSICAL
            wrong = by_sites(subject, pairs, others, lesions, classical=classical)
            right = by_sites(subject, truly, others, lesions, classical=classical)
            told = f"{lesions} lesions read twice, {way}"
            yield _row(subject, told, wrong, right, by)
    by = stated_change(subject, pairs, others)
    wrong = by_sites(subject, pairs, others, ADVISED, alone=False)
    truly = kept.pairs(subject, range(changed), by)
    right = by_sites(subject, truly, others, ADVISED, alone=False)
    told = f"{ADVISED} lesions read twice, or each reading's own u where more"
    yield _row(subject, told, wrong, right, by)


def _row(
    subject: Subject, told: str, wrong: Tally, right: Tally, by: float
) -> tuple[str, ...]:
    amount = f"{100 * by:.1f} %" if subject.relative else f"{by:.2f} mm"
    return (
        subject.name,
        told,
        wrong.as_text,
        "yes" if wrong.interval95[0] <= MOST_FALSE else "NO",
        amount,
        right.as_text,
        "yes" if right.rate >= LEAST_FOUND else "NO",
        str(wrong.refused + right.refused),
    )


HEADER: Final = (
    "what is read twice", "repeatability", "no change: called real (95 % interval)",
    "≤ 5 %", "true change", "called real", "≥ 95 %", "not comparable",
)  # fmt: skip


def spread(subject: Subject, kept: Kept, repeats: int) -> str:
    """Return how far two readings differ, and why pairs do not compare."""
    pairs = kept.pairs(subject, range(repeats), 0.0)
    told = np.array(values(pairs))
    apart = np.diff(np.log(told) if subject.relative else told, axis=1).ravel()
    scale, unit = (100, "%") if subject.relative else (1, "mm")
    sd = scale * float(np.sqrt((apart**2).mean() / 2))
    flags = Counter(
        flag
        for pair in pairs
        for one in (pair.earlier, pair.later)
        for flag in (one.flags if isinstance(one, Measurement) else (one.reason,))
    )
    why = "; ".join(f"{count} × {flag}" for flag, count in flags.most_common(3))
    u = [
        one.uncertainty
        for pair in pairs
        for one in (pair.earlier, pair.later)
        if isinstance(one, Measurement) and one.uncertainty
    ]
    said = f"{subject.name}: wSD {sd:.3g} {unit}, mean difference "
    said += f"{scale * apart.mean():+.3g} {unit}"
    if u:
        middle = scale * float(np.median(u))
        middle /= float(np.median(told)) if subject.relative else 1.0
        said += f", own u {middle:.3g} {unit}"
    return said + (f"; flagged or refused: {why}" if why else "")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--changed", type=int, default=CHANGED)
    parser.add_argument("--sites", type=int, help="as many as repeats by default")
    parser.add_argument("--subject", type=int, action="append", help="from 0")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="JSON lines")
    asked = parser.parse_args()
    of_sites = asked.repeats if asked.sites is None else asked.sites
    chosen = [SUBJECTS[k] for k in asked.subject or range(len(SUBJECTS))]
    kept = Kept(asked.keep)
    print("| " + " | ".join(HEADER) + " |")
    print("|" + "---|" * len(HEADER))
    for subject in chosen:
        for row in rows(subject, kept, asked.repeats, asked.changed, of_sites):
            print("| " + " | ".join(row) + " |", flush=True)
    print()
    for subject in chosen:
        print(spread(subject, kept, asked.repeats))


if __name__ == "__main__":
    main()
