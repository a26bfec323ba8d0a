"""A thousand small studies: what a run costs beside the measuring, and beside others.

Generated spine CTs (`contenders.small_studies`), a vertebral body's mask each. They are
measured one by one in a plain loop (bare), by `osteotrace.measure_tree` with one worker
and with two; the memory of the run and of its process is read on the way. pyradiomics and
TPTBox measure the same masks, given as NIfTI: what all share is the volume, and with
TPTBox the heights. Each step runs in a process of its own, with one thread a process.

    python benchmarks/batch.py                              # some ten minutes
    python benchmarks/batch.py --studies 60                 # to try it
    python benchmarks/batch.py --peers FOLDER --keep build/batch.jsonl

FOLDER is a virtual environment of TPTBox and pyradiomics, which have to be built apart:
`python -m venv FOLDER`, then with its pip `install TPTBox rtree numpy cython versioneer
wheel "setuptools<80"` and `install --no-build-isolation pyradiomics`.
With ``--keep`` steps that are done are not done again. Memory is read on Linux alone.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from contenders.small_studies import MadeStudy

    from osteotrace.batch import Progress

STUDIES: Final = 1000
THREADS: Final = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    ),
    "1",
)
BARE, ONE, TWO, EVERYTHING = "bare", "1 worker", "2 workers", "SR, SEG and picture"
OURS: Final = (BARE, ONE, TWO, EVERYTHING)
PEERS: Final = ("pyradiomics", "tptbox")
# Studies of the step that writes everything; the memory is read so many times.
EVERYTHING_OF, READINGS = 100, 10
# What is asked for: share of the bare time, and times as quick.
MOST_OVERHEAD, LEAST_GAIN = 0.10, 1.8
HEIGHTS: Final = ("anterior", "middle", "posterior")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory in use (proportional set size), MB, when so many studies were done."""

    done: int
    run_mb: float
    measuring_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One method over the studies.

    Parameters
    ----------
    name : str
    studies : int
        That were given; ``measured`` of them have values.
    seconds : float
        From the folder to the tables or values, without the start of Python.
    cpu_seconds : float
        Of the processor, all processes together, from their start to their end.
    memory : tuple of Memory
    found : list of dict
        Volume (mm³) and heights (mm) of each study, as far as the method gives them.
    """

    name: str
    studies: int
    measured: int
    seconds: float
    cpu_seconds: float = 0.0
    memory: tuple[Memory, ...] = ()
    found: list[dict[str, float]] = field(default_factory=list)


# The steps, each in a process of its own


def bare(folder: Path) -> Step:
    """Measure one study after another; nothing is written."""
    from contenders.small_studies import DICOM, MASKS

    from osteotrace.reading import measure_studies

    began = time.perf_counter()
    readings = measure_studies(
        folder / DICOM, folder / "protocol.toml", masks=folder / MASKS
    )
    good = [reading.error is None for reading in readings]
    seconds = time.perf_counter() - began
    return Step(name=BARE, studies=len(good), measured=sum(good), seconds=seconds)


def batch(folder: Path, name: str) -> Step:
    """Measure all studies as a run."""
    import osteotrace as ot

    whole = name == EVERYTHING
    path = folder / (SOME if whole else _dicom())
    count = sum(1 for _ in path.iterdir())
    memory: list[Memory] = []

    def note(progress: Progress) -> None:
        if progress.done >= (len(memory) + 1) * max(1, count // READINGS):
            memory.append(_memory(progress.done))

    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    run = ot.measure_tree(
        path,
        folder / "protocol.toml",
        out,
        masks=folder / "masks",
        workers=2 if name == TWO else 1,
        records=whole,
        pictures="case" if whole else "none",
        progress=note,
    )
    seconds = time.perf_counter() - began
    found = [] if whole else _found(run.frame(), _made(folder))
    shutil.rmtree(out)
    return Step(
        name=name,
        studies=run.n_done + run.n_failed,
        measured=run.n_done,
        seconds=seconds,
        memory=tuple(memory),
        found=found,
    )


SOME: Final = "some"


def _dicom() -> str:
    from contenders.small_studies import DICOM

    return DICOM


def _made(folder: Path) -> list[MadeStudy]:
    from contenders.small_studies import LIST, MadeStudy

    return [MadeStudy(**one) for one in json.loads((folder / LIST).read_text())]


def _found(frame: Any, made: Sequence[MadeStudy]) -> list[dict[str, float]]:
    """Return our values in the order in which the studies were made."""
    names = {"volume": "body_volume"} | {one: f"height_{one}" for one in HEIGHTS}
    wide = frame.pivot_table(index="study_uid", columns="quantity", values="value")
    return [
        {name: float(wide[key][one.study_uid]) for name, key in names.items()}
        for one in made
        if one.study_uid in wide.index
    ]


def _memory(done: int) -> Memory:
    own, children = os.getpid(), list(_children(os.getpid()))
    return Memory(
        done=done, run_mb=_pss_mb(own), measuring_mb=sum(map(_pss_mb, children))
    )


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from _children(child)


def _pss_mb(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return float("nan")


# One step after another


def steps(folder: Path, wanted: Sequence[str], asked: argparse.Namespace) -> list[Step]:
    """Return every step, those from the file as they are there."""
    kept = _kept(asked.keep, asked.studies)
    for name in wanted:
        if name in kept:
            continue
        print(f"… {name}", file=sys.stderr, flush=True)
        _prepare(folder, asked.studies)
        before = _children_seconds()
        step = _peer(folder, name, asked.peers) if name in PEERS else _own(folder, name)
        step["cpu_seconds"] = _children_seconds() - before
        kept[name] = step
        if asked.keep is not None:
            with asked.keep.open("a") as lines:
                lines.write(json.dumps({"of": asked.studies, **step}) + "\n")
    return [_step(kept[name]) for name in wanted]


def _kept(file: Path | None, studies: int) -> dict[str, dict[str, Any]]:
    if file is None or not file.is_file():
        return {}
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return {one["name"]: one for one in lines if one.pop("of") == studies}


def _step(told: dict[str, Any]) -> Step:
    memory = tuple(Memory(**one) for one in told.get("memory", ()))
    return Step(**(told | {"memory": memory}))


def _prepare(folder: Path, studies: int) -> None:
    """Write the studies where they are not there, and look at each header once."""
    from contenders.small_studies import DICOM, PROTOCOL, write_studies

    import osteotrace as ot

    if (folder / "protocol.toml").is_file():
        return
    print(f"… {studies} studies are made", file=sys.stderr, flush=True)
    write_studies(folder, studies)
    for study in sorted((folder / DICOM).iterdir())[:EVERYTHING_OF]:
        shutil.copytree(study, folder / SOME / study.name)
    # Headers are kept in the index: every step finds them there.
    for name in (DICOM, SOME):
        ot.scan(folder / name)
    (folder / "protocol.toml").write_text(PROTOCOL)


def _own(folder: Path, name: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--folder", str(folder), "--step", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=_environment())
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _peer(folder: Path, name: str, peers: Path) -> dict[str, Any]:
    from contenders.small_studies import LIST

    script = Path(__file__).parent / "contenders" / "mask_batch.py"
    out = folder / f"{name}.json"
    command = [peers / "bin" / "python", script, name, folder / LIST, out]
    subprocess.run(
        [str(part) for part in command],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(),
    )
    told: dict[str, Any] = json.loads(out.read_text())
    count = len(told["found"])
    return {"name": name, "studies": count, "measured": count} | told


def _environment() -> dict[str, str]:
    return {**os.environ, **THREADS}


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# Tables


def report(done: list[Step], made: Sequence[MadeStudy]) -> None:
    """Print all tables."""
    by_name = {step.name: step for step in done}
    _speed_table(done)
    if {BARE, ONE, TWO} <= set(by_name):
        _verdicts(by_name)
    if ONE in by_name and by_name[ONE].memory:
        _memory_table(by_name[ONE].memory)
    _value_table(done, made)


def _speed_table(done: list[Step]) -> None:
    print("| method | studies | s | studies a minute | CPU s a study |")
    print("|---|---|---|---|---|")
    for step in done:
        a_minute = 60 * step.studies / step.seconds
        cpu = step.cpu_seconds / step.studies
        print(
            f"| {step.name} | {step.measured} of {step.studies} | {step.seconds:.0f} | "
            f"{a_minute:.0f} | {cpu:.3f} |"
        )


def _verdicts(by_name: dict[str, Step]) -> None:
    alone, one, two = (by_name[name] for name in (BARE, ONE, TWO))
    overhead = one.seconds / alone.seconds - 1
    cpu = one.cpu_seconds / alone.cpu_seconds - 1
    gain = one.seconds / two.seconds
    print(
        f"\nOverhead of a run over the bare measuring: {100 * overhead:.1f} % of the "
        f"time, {100 * cpu:.1f} % of the processor's (asked: {100 * MOST_OVERHEAD:.0f} "
        f"%). Two workers are {gain:.2f} times as quick as one (asked: {LEAST_GAIN})."
    )


def _memory_table(memory: Sequence[Memory]) -> None:
    print("\nMemory with one worker, MB:\n")
    print("| studies done | the run | the process that measures |")
    print("|---|---|---|")
    for one in memory:
        print(f"| {one.done} | {one.run_mb:.0f} | {one.measuring_mb:.0f} |")


def _value_table(done: list[Step], made: Sequence[MadeStudy]) -> None:
    """Print how far the heights are off the truth, and the volumes off each other's."""
    compared = [step for step in done if step.found and step.name != TWO]
    ours = next((step for step in compared if step.name == ONE), None)
    if ours is None:
        return
    print("\nMean distance from the truth (heights, mm), and from ours (volume, %):\n")
    print(f"| method | {' | '.join(HEIGHTS)} | volume |")
    print("|---|---|---|---|---|")
    for step in compared:
        cells = [
            _off([one.get(name) for one in step.found], [getattr(m, name) for m in made])
            for name in HEIGHTS
        ]
        volumes = [one["volume"] for one in step.found]
        true = [one["volume"] for one in ours.found]
        share = 100 * np.mean(np.abs(np.array(volumes) / np.array(true) - 1))
        print(f"| {step.name} | {' | '.join(cells)} | {share:.2f} |")


def _off(found: Sequence[float | None], true: Sequence[float]) -> str:
    if any(value is None for value in found) or len(found) != len(true):
        return "–"
    return f"{np.mean(np.abs(np.array(found, dtype=float) - np.array(true))):.2f}"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=STUDIES)
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="their environment")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="JSON lines")
    parser.add_argument("--folder", type=Path, help="where the studies are kept")
    parser.add_argument("--step", choices=OURS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        folder = asked.folder
        step = bare(folder) if asked.step == BARE else batch(folder, asked.step)
        print(json.dumps(asdict(step)))
        return
    # Before anything is loaded that would start threads of its own.
    os.environ.update(THREADS)
    wanted = (*OURS, *(PEERS if asked.peers else ()))
    with tempfile.TemporaryDirectory(prefix="batch-") as scratch:
        folder = asked.folder or Path(scratch)
        # An index of its own: that of the user is left alone.
        os.environ.setdefault("XDG_CACHE_HOME", str(folder / "cache"))
        done = steps(folder, wanted, asked)
        report(done, _truth(folder, asked.studies))


def _truth(folder: Path, studies: int) -> list[MadeStudy]:
    from contenders.small_studies import LIST

    # Where every step came from the file, the studies were not made.
    return _made(folder)[:studies] if (folder / LIST).is_file() else []


if __name__ == "__main__":
    main()
