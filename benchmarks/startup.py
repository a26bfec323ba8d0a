"""How long a user waits: whole processes, each paired with ``import numpy``.

Prints medians of interleaved repeats, so that a busy machine slows both sides of a pair
alike; the ratio to numpy says more than the seconds do. Run on a quiet machine:

    python benchmarks/startup.py [--repeats N]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def seconds(arguments: list[str]) -> float:
    """Return the wall time of one Python process; it must succeed."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def sample_caliper(folder: Path) -> list[str]:
    """Return the arguments of one ``osteotrace caliper`` on the CT of the sample case."""
    if (SAMPLE / "truth.json").is_file():
        folder = SAMPLE
    else:
        seconds(["-m", "osteotrace.cli", "samples", str(folder)])
    from osteotrace import protocol, scan

    entry = protocol.read("sample_maxilla").calipers[0]
    case = folder / "maxilla_after"
    series = next(s.identity for s in scan(case) if entry.fits(s.identity))
    start, end = (",".join(map(str, point)) for point in (entry.start, entry.end))
    return [
        *["-m", "osteotrace.cli", "caliper", str(case)],
        *["--series", series.series_uid, f"--from={start}", f"--to={end}"],
    ]


def report(times: dict[str, list[float]], goals: dict[str, str]) -> None:
    """Print medians, ratios to numpy within each round, and the goals."""
    numpy = times["import numpy"]
    heads = ("median s", "min s", "over numpy s", "× numpy")
    print(f"{'process':<28}{heads[0]:>9}{heads[1]:>8}{heads[2]:>14}{heads[3]:>9}  goal")
    for name, measured in times.items():
        over = statistics.median(a - b for a, b in zip(measured, numpy, strict=True))
        ratio = statistics.median(a / b for a, b in zip(measured, numpy, strict=True))
        middle, least = statistics.median(measured), min(measured)
        print(
            f"{name:<28}{middle:>9.3f}{least:>8.3f}{over:>14.3f}{ratio:>9.2f}  "
            f"{goals[name]}"
        )


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
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.repeats):
            for name, (arguments, _goal) in commands.items():
                times[name].append(seconds(arguments))
    if options.json:
        print(json.dumps(times, indent=2))
    else:
        report(times, {name: goal for name, (_, goal) in commands.items()})


if __name__ == "__main__":
    main()
