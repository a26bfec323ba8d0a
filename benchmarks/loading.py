"""How fast folders are listed and volumes are loaded, beside every other reader at hand.

Every run is a process of its own, files cached by the system, readers in turn within each
round, so that a busy machine slows them alike. Before anything is timed, what the readers
give is compared with what osteotrace gives. Printed are medians: seconds of a whole
process; seconds of the work alone, in a process that has read a small folder before; the
memory of its largest process at the peak and what the work adds to it. ``×`` is
osteotrace's time over the other's, the median of the ratios within each round. Data and
the index of headers lie in a temporary folder.

    python benchmarks/loading.py                  # some fifteen minutes, 2 GB of disk
    python benchmarks/loading.py --only catalogue --only load
    python benchmarks/loading.py --quick

The other readers: pip install dcm2niix dicom2nifti (dependency group ``bench``).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

# This process imports nothing heavy: a child's peak memory starts at its parent's.
CONTENDERS: Final = Path(__file__).parent / "contenders"
KIB: Final = 1024

OURS_COLD, OURS_WARM = "osteotrace", "osteotrace, index"
LOAD_COLD, LOAD_WARM = "osteotrace scan + load", "osteotrace load"
GDCM, GDCM_FEW = "GDCM scanner", "GDCM scanner, 5 elements"
LIST, CONVERT = "dcm2niix list", "dcm2niix convert"
# Readers that come with the dependency group ``bench``.
PACKAGES: Final = {
    LIST: "dcm2niix",
    CONVERT: "dcm2niix",
    "dcm2niix": "dcm2niix",
    "dicom2nifti": "dicom2nifti",
}
# The time a file may take ten times further on: the walk itself and the memory have
# their steps.
LINEAR: Final = 1.2
SYNTAXES: Final = {
    "RLE": "1.2.840.10008.1.2.5",
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
}


def present(names: Iterable[str]) -> list[str]:
    """Return the readers that are installed; print why another is left out."""
    found = []
    for name in names:
        package = PACKAGES.get(name)
        if package is None or importlib.util.find_spec(package):
            found.append(name)
        else:
            print(f"  {name}: left out, the package {package} is not installed")
    return found


def command(name: str, folder: str) -> list[str]:
    """Return the command of one reader.

    ``dcm2niix -n -1`` reads every header and prints each series, and writes nothing: its
    quickest way to tell what is there. To convert it writes an uncompressed file.
    """
    if name not in (LIST, CONVERT):
        return [sys.executable, str(CONTENDERS / "readers.py"), name, folder]
    from dcm2niix import bin_path

    out = ["-o", os.environ["OUT"], folder]
    if name == LIST:
        return [str(bin_path), "-d", "9", "-n", "-1", *out]
    return [str(bin_path), "-z", "n", "-b", "n", "-w", "1", "-f", "x", *out]


class Finished(NamedTuple):
    """A process that ended well: seconds, MB at its peak, and what it printed."""

    seconds: float
    peak: float
    printed: str


def run(arguments: list[str]) -> Finished:
    """Run a process to its end."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(arguments, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (output, errors):
            stream.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(arguments)} failed:\n{errors.read()[-2000:]}")
        return Finished(seconds, usage.ru_maxrss * KIB / 1e6, output.read())


class Spent(NamedTuple):
    """One round of a reader: seconds of the process and of the work, MB at the peak."""

    whole: float
    work: float
    peak: float
    found: list[int] | None


def once(name: str, folder: str) -> Spent:
    """Run a reader twice: at once, and after it has read a small folder."""
    whole = run(command(name, folder))
    if name in (LIST, CONVERT):
        return Spent(whole.seconds, whole.seconds, whole.peak, None)
    warm = run([*command(name, folder), "--warm", os.environ["TINY"]])
    told = json.loads(warm.printed.splitlines()[-1])
    return Spent(whole.seconds, told["seconds"], warm.peak, told["found"])


def idle_peak(name: str, folder: str) -> float:
    """Return the MB that a reader takes before the work begins."""
    if name in (LIST, CONVERT):
        return 0.0
    return run([*command(name, folder), "--warm", os.environ["TINY"], "--idle"]).peak


Rounds = dict[str, list[Spent]]


def rounds(folder: str, names: Iterable[str], repeats: int) -> Rounds:
    """Run every reader once to warm the files, then in turn, several times over."""
    there = present(names)
    for name in there:
        once(name, folder)
    spent: Rounds = {name: [] for name in there}
    for _ in range(repeats):
        for name, runs in spent.items():
            runs.append(once(name, folder))
    return spent


class Goal(NamedTuple):
    """A ratio of times that is not to be exceeded, here of two readers."""

    other: str
    limit: float


def report(folder: str, spent: Rounds, *goals: Goal, whole: bool = True) -> float:
    """Print the medians of each reader, and the first one's ratios with their goals.

    Returns the MB that the work of the first reader adds.
    """
    first, added = next(iter(spent)), {}
    heads = ("whole s", "work s", "peak MB", "work MB", "× whole", "× work")
    print(f"\n  {'':26}" + "".join(f"{head:>10}" for head in heads))
    for name, runs in spent.items():
        peak = max(spent.peak for spent in runs)
        added[name] = peak - idle_peak(name, folder)
        figures = (
            f"{statistics.median(r.whole for r in runs):10.3f}",
            f"{statistics.median(r.work for r in runs):10.3f}",
            f"{peak:10.0f}",
            f"{added[name]:10.0f}",
            f"{ratio(spent[first], runs, whole=True):10.2f}",
            f"{ratio(spent[first], runs, whole=False):10.2f}",
        )
        print(f"  {name:26}" + "".join(figures))
    for other, limit in goals:
        for of_whole in (True, False) if whole else (False,):
            if other in spent:
                what = "whole processes" if of_whole else "work alone"
                found = ratio(spent[first], spent[other], whole=of_whole)
                verdict(f"{first} / {other}, {what}", found, limit)
    return added[first]


def verdict(what: str, found: float, limit: float) -> None:
    """Print a figure beside its goal."""
    word = "reached" if found <= limit else "NOT REACHED"
    print(f"  goal: {what}: {found:.2f} ≤ {limit:g}  {word}")


def ratio(ours: list[Spent], others: list[Spent], *, whole: bool) -> float:
    """Return the median over the rounds of our time over the other's."""
    pairs = zip(ours, others, strict=True)
    if whole:
        return statistics.median(a.whole / b.whole for a, b in pairs)
    return statistics.median(a.work / b.work for a, b in pairs)


def made(place: Path, *arguments: Any) -> str:
    """Write series into a folder, in a process of its own; this one stays small."""
    script = [sys.executable, str(CONTENDERS / "made_series.py"), str(place)]
    run([*script, *map(str, arguments)])
    return str(place)


def compare(folder: str, names: list[str]) -> None:
    """Print whether other readers give the same voxels in the same places."""
    script = [sys.executable, str(CONTENDERS / "readers.py"), "--compare"]
    print(run([*script, *present(names), folder]).printed, end="")


def compare_counts(spent: Rounds) -> None:
    """Print whether every reader lists the same number of series and images."""
    right = spent[OURS_COLD][-1].found
    for name, runs in spent.items():
        found = runs[-1].found
        if found is not None:
            same = "the same" if found == right else f"NOT {right}"
            print(f"  {name}: series and images {found}, {same}")


# Sections ----------------------------------------------------------------------------


def catalogue(place: Path, quick: bool) -> None:
    """Cold and warm catalogue of many small files."""
    series, slices = (10, 20) if quick else (50, 100)
    names = [OURS_COLD, LIST, GDCM, GDCM_FEW, "pydicom headers", "SimpleITK series"]
    for kind, words in (("many", "headers of a scanner"), ("bare", "bare headers")):
        print(f"\n# Catalogue of {series * slices} CT files of 64 × 64, {words}, cold")
        folder = made(place / kind, kind, series, slices, 64)
        spent = rounds(folder, names, 3 if quick else 7)
        compare_counts(spent)
        goals = (Goal(LIST, 1.0), Goal(GDCM, 1.3), Goal(GDCM_FEW, 1.3))
        report(folder, spent, *goals)
        names = names[:4]
    folder = str(place / "many")
    print(f"\n# The {series * slices} files with headers of a scanner, in the index")
    spent = rounds(folder, [OURS_WARM, "stat walk"], 3 if quick else 15)
    report(folder, spent, Goal("stat walk", 4.0), whole=False)


def load(place: Path, quick: bool) -> None:
    """Cold and warm load of one large volume, and its memory."""
    slices, rows = (40, 256) if quick else (300, 512)
    slow = [CONVERT, "dicom2nifti", "highdicom", "pydicom loop"]
    for bits, others in ((16, slow), (12, [])):
        print(f"\n# Load of {slices} × {rows}² CT, {bits} of 16 bits stored")
        folder = made(place / f"large{bits}", "volume", slices, rows, bits)
        readers = ["SimpleITK", "dcm2niix", "dicom2nifti", "highdicom", "pydicom loop"]
        compare(folder, readers if others else ["SimpleITK"])
        spent = rounds(folder, [LOAD_COLD, "SimpleITK", *others], 3 if quick else 5)
        added = report(folder, spent, Goal("SimpleITK", 0.5))
        voxels = 2 * slices * rows * rows / 1e6
        verdict(f"{LOAD_COLD}: memory / {voxels:.0f} MB of voxels", added / voxels, 1.25)
        names = [LOAD_WARM, "raw read", "osteotrace index + load"]
        spent = rounds(folder, names, 3 if quick else 15)
        report(folder, spent, Goal("raw read", 3.0), whole=False)


def compressed(place: Path, quick: bool) -> None:
    """Load of compressed volumes."""
    slices, rows = (8, 128) if quick else (60, 512)
    for name, syntax in SYNTAXES.items():
        print(f"\n# Load of {slices} × {rows}² CT, {name}")
        folder = made(place / name, "volume", slices, rows, 12, syntax)
        compare(folder, ["SimpleITK", "dcm2niix", "pydicom loop"])
        names = [LOAD_COLD, "pydicom loop", "SimpleITK", CONVERT]
        report(folder, rounds(folder, names, 3))


def linear(place: Path, quick: bool) -> None:
    """Time of a catalogue for each file, at two sizes ten times apart."""
    few, many = (2, 20) if quick else (20, 200)
    print(f"\n# Catalogue of {few * 500} and of {many * 500} CT files of 16 × 16")
    folders = {n: made(place / f"tiny{n}", "many", n, 500, 16) for n in (few, many)}
    for name in (OURS_COLD, OURS_WARM, "stat walk"):
        runs: dict[int, list[Spent]] = {n: [] for n in folders}
        for repeat in range(4):
            for n, folder in folders.items():
                spent = once(name, folder)
                if repeat:  # The first one fills the system's cache and the index.
                    runs[n].append(spent)
        for n, spents in runs.items():
            each = statistics.median(s.work for s in spents) / (500 * n)
            peak = max(s.peak for s in spents)
            print(f"  {name}: {500 * n} files, {1e6 * each:.1f} µs each, {peak:.0f} MB")
        growth = ratio(runs[many], runs[few], whole=False) * few / many
        if name == "stat walk":
            print(f"  {name}: time a file, many / few: {growth:.2f}")
        else:
            verdict(f"{name}: time a file, many / few", growth, LINEAR)


SECTIONS: Final = {
    "catalogue": catalogue,
    "load": load,
    "compressed": compressed,
    "linear": linear,
}


def main() -> None:
    """Run the sections asked for in a temporary folder, with an index of their own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small data, few rounds")
    parser.add_argument("--only", action="append", choices=SECTIONS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="osteotrace-loading-") as name:
        place = Path(name)
        for variable in ("XDG_CACHE_HOME", "OUT"):
            (place / variable).mkdir()
            os.environ[variable] = str(place / variable)
        os.environ["TINY"] = made(place / "tiny", "volume", 5, 16, 12)
        for section in options.only or SECTIONS:
            SECTIONS[section](place, options.quick)


if __name__ == "__main__":
    main()
