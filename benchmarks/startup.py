"""How long a user waits: whole processes, each paired with ``import numpy``.

Prints medians of interleaved repeats, so that a busy machine slows both sides of a pair
alike; the ratio to numpy and the processor's own seconds say more than the clock does
there. Run on a quiet machine:

    python benchmarks/startup.py [--repeats N]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_dicom"

# What is run, and its goal in seconds: alone, or over importing numpy.
NUMPY = ["-c", "import numpy"]
COMMANDS: dict[str, tuple[list[str], str]] = {
    "import numpy": (NUMPY, ""),
    "import osteotrace": (["-c", "import osteotrace"], "≤ 0.3 s over numpy"),
    "import osteotrace, numpy": (
        ["-c", "import osteotrace, numpy"],
        "≤ 0.3 s over numpy",
    ),
    "osteotrace --help": (["-m", "osteotrace.cli", "--help"], "≤ 0.4 s"),
}


class Spent(NamedTuple):
    """Seconds that one process took: on the clock, and of the processor."""

    wall: float
    cpu: float


def seconds(arguments: list[str]) -> Spent:
    """Run one Python process, which must succeed, and return the time it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(wall, cpu)


def sample_caliper(folder: Path) -> list[str]:
    """Return the arguments of one ``osteotrace caliper`` on the CT of the sample case."""
    if (SAMPLE / "truth.json").is_file():
        folder = SAMPLE
    else:
        seconds(["-m", "osteotrace.cli", "samples", str(folder)])
    from osteotrace import protocol, scan

    entry = protocol.read("sample_maxilla").entries[0]
    assert isinstance(entry, protocol.CaliperEntry)
    case = folder / "maxilla_after"
    series = next(s.identity for s in scan(case) if entry.fits(s.identity))
    start, end = (",".join(map(str, point)) for point in (entry.start, entry.end))
    return [
        *["-m", "osteotrace.cli", "caliper", str(case)],
        *["--series", series.series_uid, f"--from={start}", f"--to={end}"],
    ]


def report(times: dict[str, list[Spent]], goals: dict[str, str]) -> None:
    """Print medians, differences and ratios to numpy within each round, and the goals."""
    numpy = times["import numpy"]
    heads = ("wall s", "least", "cpu s", "over numpy", "× numpy")
    print(f"{'process':<28}" + "".join(f"{head:>11}" for head in heads) + "  goal")
    for name, spent in times.items():
        figures = (
            statistics.median(s.wall for s in spent),
            min(s.wall for s in spent),
            statistics.median(s.cpu for s in spent),
            statistics.median(s.wall - n.wall for s, n in zip(spent, numpy, strict=True)),
            statistics.median(s.wall / n.wall for s, n in zip(spent, numpy, strict=True)),
        )
        print(f"{name:<28}" + "".join(f"{f:>11.3f}" for f in figures), "", goals[name])


def main() -> None:
    """Run every command in turn, several times over, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--json", action="store_true", help="print the raw seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            **COMMANDS,
            "osteotrace caliper (sample)": (
                sample_caliper(Path(folder, "samples")),
                "≤ 2 s",
            ),
        }
        times: dict[str, list[Spent]] = {name: [] for name in commands}
        for _ in range(options.repeats):
            for name, (arguments, _goal) in commands.items():
                times[name].append(seconds(arguments))
    if options.json:
        print(json.dumps(times, indent=2))
    else:
        report(times, {name: goal for name, (_, goal) in commands.items()})


if __name__ == "__main__":
    main()
