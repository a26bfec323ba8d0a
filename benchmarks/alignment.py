"""Registration of two studies beside SimpleITK and elastix, on pairs of known motion.

Phantoms (`osteotrace.phantoms.moved_studies`) are scanned twice: turned by up to 60
degrees, cut by up to 40 %, on other voxels, with new noise and a changed lesion. Each
method gets the same two images in one process, with the same number of threads; ours is
told the lesion besides. Then come pairs that are to be refused. A silent failure is an
answer that is wrong by more than the bar at any target: the lesion's place and the
corners of a cube around it.

    python benchmarks/alignment.py                   # some two hours on one core
    python benchmarks/alignment.py --cases 12 --refusals 5
    python benchmarks/alignment.py --keep build/alignment.jsonl    # goes on where it was

Needs elastix: `pip install --group bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.phantoms.moved_motions import (
    BANDS_DEG,
    CASES,
    REFUSALS,
    Motion,
    motions,
    refusals,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from osteotrace.alignment.transform import RigidTransform
    from osteotrace.geometry import Array
    from osteotrace.phantoms.moved_studies import MovedPair

# An answer that is off by more than this anywhere is a failure, mm.
BAR_MM: Final = {"CT-CT": 1.0, "CT-MR": 2.0, "MR-MR": 2.0}
OURS: Final = "osteotrace"
ELASTIX: Final = "elastix rigid"
MATTES: Final = "SimpleITK Mattes MI"
CORRELATION: Final = "SimpleITK correlation"
METHODS: Final = (OURS, ELASTIX, MATTES, CORRELATION)
COVERAGE_FACTOR: Final = 1.96
# ITK's errors name the object in memory.
_ADDRESS: Final = re.compile(r"\(0x[0-9a-f]+\)")
# Some pairs once more on voxels of a head or jaw CT, for the time alone: their number
# counts from here, mm, and how many.
FINER_FROM, FINER_MM, FINER = 5000, 0.45, 4
TWICE_EACH: Final = 2 * len(REFUSALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One method on one pair.

    Parameters
    ----------
    number, pair, rotation_deg, refusal
        Of the motion.
    errors_mm : (9, 3) lists
        Off the true place, along each axis; empty where there was no answer.
    seconds : float
        Of the processor, all threads together: a busy machine adds nothing.
    reason : str
        Why there was no answer.
    u_mm : 9 floats
        Standard uncertainty along one axis at each target, where the method gives one.
    """

    number: int
    method: str
    pair: str
    rotation_deg: float
    refusal: str
    seconds: float
    errors_mm: list[list[float]] = field(default_factory=list)
    u_mm: list[float] = field(default_factory=list)
    similarity: float = float("nan")
    reason: str = ""

    @property
    def answered(self) -> bool:
        return bool(self.errors_mm)

    @property
    def target_errors(self) -> Array:
        """Distance of each target from its true place, mm."""
        return np.asarray(np.linalg.norm(np.array(self.errors_mm), axis=1))

    @property
    def is_silent_failure(self) -> bool:
        return self.answered and bool(self.target_errors.max() > BAR_MM[self.pair])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a method gave."""

    transform: RigidTransform
    u_mm: list[float] = field(default_factory=list)
    similarity: float = float("nan")


def _ours(pair: MovedPair) -> Answer:
    from osteotrace.alignment import align

    found = align(pair.earlier, pair.later, left_out=[pair.lesion])
    return Answer(
        transform=found.transform,
        u_mm=[found.uncertainty_at(point) for point in pair.targets],
        similarity=found.similarity,
    )


def _methods(threads: int) -> dict[str, Callable[[MovedPair], Answer]]:
    from contenders import registrations

    registrations.set_threads(threads)

    def elastix(pair: MovedPair) -> Answer:
        return Answer(
            transform=registrations.by_elastix(pair.earlier, pair.later, threads)
        )

    def simpleitk(pair: MovedPair, measure: str) -> Answer:
        return Answer(
            transform=registrations.by_simpleitk(pair.earlier, pair.later, measure)
        )

    return {
        OURS: _ours,
        ELASTIX: elastix,
        MATTES: lambda pair: simpleitk(pair, "Mattes"),
        CORRELATION: lambda pair: simpleitk(pair, "correlation"),
    }


def _run(method: str, act: Callable[[MovedPair], Answer], pair: MovedPair) -> Run:
    began = time.process_time()
    answer, reason = None, ""
    try:
        answer = act(pair)
    except OsteotraceError as refusal:
        reason = refusal.found
    except RuntimeError as failure:
        reason = _ADDRESS.sub("", str(failure).strip().splitlines()[-1])
    seconds = time.process_time() - began
    return Run(
        number=pair.motion.number,
        method=method,
        pair=pair.motion.pair,
        rotation_deg=pair.motion.rotation_deg,
        refusal=pair.motion.refusal,
        seconds=seconds,
        errors_mm=[] if answer is None else pair.errors(answer.transform).tolist(),
        u_mm=[] if answer is None else answer.u_mm,
        similarity=float("nan") if answer is None else answer.similarity,
        reason=reason,
    )


def finer(motion: Motion) -> Motion:
    """Return a motion that is to be rendered as it is and resampled to fine voxels."""
    return replace(motion, number=FINER_FROM + motion.number)


def _pair(motion: Motion) -> MovedPair:
    from osteotrace.phantoms.moved_studies import moved_pair

    if motion.number < FINER_FROM or motion.refusal:
        return moved_pair(motion)
    pair = moved_pair(replace(motion, number=motion.number - FINER_FROM))
    return replace(
        pair,
        motion=motion,
        earlier=pair.earlier.rectified(FINER_MM),
        later=pair.later.rectified(FINER_MM),
    )


def runs(
    asked: Sequence[Motion], methods: Sequence[str], threads: int, keep: Path | None
) -> list[Run]:
    """Return a run for each pair and method; those kept in a file are not run again."""
    done = {(run.number, run.method): run for run in _kept(keep)}
    acts = _methods(threads)
    warm = ELASTIX not in methods
    for motion in asked:
        missing = [name for name in methods if (motion.number, name) not in done]
        if not missing:
            continue
        pair = _pair(motion)
        if not warm:
            from contenders import registrations

            registrations.warm_up(pair, threads)
            warm = True
        for name in missing:
            run = done[motion.number, name] = _run(name, acts[name], pair)
            print(_told(motion, run), flush=True)
            if keep is not None:
                keep.parent.mkdir(parents=True, exist_ok=True)
                with keep.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(asdict(run)) + "\n")
    wanted = [(motion.number, name) for motion in asked for name in methods]
    return [done[key] for key in wanted]


def _kept(keep: Path | None) -> Iterator[Run]:
    if keep is None or not keep.exists():
        return
    for line in keep.read_text(encoding="utf-8").splitlines():
        yield Run(**json.loads(line))


def _told(motion: Motion, run: Run) -> str:
    how = f"refused: {run.reason}"
    if run.answered:
        how = f"{run.target_errors.max():.3f} mm"
        how += "  <-- WRONG" if run.is_silent_failure else ""
    return f"  {motion.name} | {run.method} | {how} | {run.seconds:.1f} s"


# Tables ------------------------------------------------------------------------------


def clopper_pearson(count: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share."""
    from scipy.stats import binomtest

    if not of:
        return 0.0, 1.0
    found = binomtest(count, of).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print("\n| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def _errors_of(done: Sequence[Run]) -> str:
    answered = [run for run in done if run.answered]
    if not answered:
        return "no answer"
    errors = np.concatenate([run.target_errors for run in answered])
    return (
        f"{np.median(errors):.3f} / {np.percentile(errors, 95):.3f} / {errors.max():.3f}"
    )


def _failures_of(done: Sequence[Run]) -> str:
    answered = sum(run.answered for run in done)
    wrong = sum(run.is_silent_failure for run in done)
    # One-sided: no more than this share of the answers is wrong.
    from scipy.stats import beta

    if not answered:
        return "0 of 0"
    upper = 1.0 if wrong == answered else beta.ppf(0.95, wrong + 1, answered - wrong)
    return f"{wrong} of {answered} (under {100 * upper:.1f} %)"


def accuracy_table(done: Sequence[Run], methods: Sequence[str]) -> None:
    """Print target errors and silent failures by method and pair of modalities."""
    rows = []
    for pair in BAR_MM:
        for method in methods:
            own = [run for run in done if run.method == method and run.pair == pair]
            if own:
                rows.append([pair, method, _errors_of(own), _failures_of(own)])
    for method in methods:
        own = [run for run in done if run.method == method]
        rows.append(["all", method, _errors_of(own), _failures_of(own)])
    bars = ", ".join(f"{pair} {bar:g} mm" for pair, bar in BAR_MM.items())
    print(f"\nTarget error where there is an answer; a failure is over {bars} anywhere.")
    _table(
        (
            "pair",
            "method",
            "median / 95 % / largest, mm",
            "silent failures (one-sided 95 % bound)",
        ),
        rows,
    )


def bands_table(done: Sequence[Run], methods: Sequence[str]) -> None:
    """Print what share is answered rightly, by rotation."""
    rows = []
    for method in methods:
        row = [method]
        for low, high in (*BANDS_DEG, (0.0, 45.0)):
            own = [
                run
                for run in done
                if run.method == method and low <= run.rotation_deg < high
            ]
            right = sum(run.answered and not run.is_silent_failure for run in own)
            row.append(f"{right} of {len(own)}")
        rows.append(row)
    names = [f"{low:.0f}-{high:.0f}°" for low, high in (*BANDS_DEG, (0.0, 45.0))]
    print("\nAnswered, and rightly, by the rotation between the studies.")
    _table(("method", *names), rows)


def refusal_table(done: Sequence[Run], methods: Sequence[str]) -> None:
    """Print what became of the pairs that are to be refused."""
    rows = []
    for kind in REFUSALS:
        for method in methods:
            own = [run for run in done if run.method == method and run.refusal == kind]
            if own:
                wrong = sum(run.is_silent_failure for run in own)
                refused = sum(not run.answered for run in own)
                rows.append([kind, method, f"{refused} of {len(own)}", str(wrong)])
    print("\nPairs that are to be refused.")
    _table(("why", "method", "refused", "answered wrongly"), rows)


def time_table(done: Sequence[Run], methods: Sequence[str]) -> None:
    """Print seconds, and the ratio to elastix on the same pair."""
    elastix = {run.number: run.seconds for run in done if run.method == ELASTIX}
    rows = []
    for method in methods:
        own = [run for run in done if run.method == method]
        seconds = np.array([run.seconds for run in own])
        ratios = [r.seconds / elastix[r.number] for r in own if r.number in elastix]
        times = f"{np.median(seconds):.1f} ({seconds.max():.1f})"
        ratio = f"{np.median(ratios):.2f} ({max(ratios):.2f})" if ratios else ""
        rows.append([method, times, ratio])
    print("\nTime of the processor: median (longest).")
    _table(("method", "s", "× one elastix run"), rows)


def coverage_line(done: Sequence[Run]) -> None:
    """Print how often our own uncertainty holds the error, axis by axis."""
    for pair in BAR_MM:
        held, ratios = [], []
        for run in done:
            if run.pair == pair and run.u_mm:
                z = np.array(run.errors_mm) / np.array(run.u_mm)[:, None]
                held += (np.abs(z) <= COVERAGE_FACTOR).ravel().tolist()
                ratios.append(float(np.sqrt((z**2).mean())))
        if held:
            print(
                f"{pair}: {100 * np.mean(held):.1f} % of {len(held)} errors within 1.96 u"
                f" along one axis; root mean square of error / u {np.median(ratios):.2f}"
                f" in the median pair, {max(ratios):.2f} in the worst"
            )


def reasons(done: Sequence[Run], methods: Sequence[str]) -> None:
    """Print why there was no answer where there should have been one."""
    for method in methods:
        told = Counter(
            run.reason for run in done if run.method == method and not run.answered
        )
        for reason, count in told.most_common():
            print(f"{method}, no answer, {count}: {reason}")


def report(done: Sequence[Run], methods: Sequence[str]) -> None:
    """Print all tables."""
    right = [run for run in done if not run.refusal and run.number < FINER_FROM]
    accuracy_table(right, methods)
    bands_table(right, methods)
    refusal_table([run for run in done if run.refusal], methods)
    everything = [r for r in done if r.method == OURS and r.number < FINER_FROM]
    if everything:
        print(f"\nAll pairs, {OURS}: silent failures {_failures_of(everything)}")
        coverage_line([run for run in right if run.method == OURS])
    time_table(right, methods)
    fine = [run for run in done if run.number >= FINER_FROM]
    if fine:
        print(f"\nThe first pairs again, on voxels of {FINER_MM} mm.")
        time_table(fine, methods)
    print()
    reasons(right, methods)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--refusals", type=int, default=TWICE_EACH)
    parser.add_argument("--finer", type=int, default=FINER)
    parser.add_argument("--method", action="append", choices=METHODS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="JSON lines")
    asked = parser.parse_args()
    # Before anything is loaded that would start threads of its own.
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    methods = tuple(asked.method or METHODS)
    wanted = (
        *motions(asked.cases),
        *refusals(asked.refusals),
        *(finer(motion) for motion in motions(asked.finer)),
    )
    report(runs(wanted, methods, asked.threads, asked.keep), methods)


if __name__ == "__main__":
    main()
