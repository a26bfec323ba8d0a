"""How long a folder of reports takes to be listed: read anew, and from the index.

Reports are copies of one that osteotrace wrote of a sample case, each with a UID and a
digest of its own. Every listing is a process of its own; files are cached by the system.
The index that is rebuilt must be the same to the byte.

    python benchmarks/record_index.py [--reports N]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).parents[1]
SAMPLE: Final = ROOT / "sample_dicom" / "maxilla_after"
# Files younger than the step of a disk's clock are read twice.
SETTLED_S: Final = 2.5

_LISTING: Final = """
import sys, time
from osteotrace.records import record_folder
start = time.perf_counter()
found = record_folder.contents(sys.argv[1], index=sys.argv[2] == "index")
spent = time.perf_counter() - start
assert not found.refused, found.refused[0]
print(len(found.records), spent)
"""


def copies(templates: list[Path], count: int) -> None:
    """Put copies of reports beside them that differ in UID and digest.

    Parameters
    ----------
    templates : list of Path
        Reports of osteotrace, named by their UIDs; taken in turn.
    count : int
        How many copies to make.
    """
    from pydicom import dcmread

    from osteotrace.records.report_content.digest import content_sha256

    whole = [(path, path.read_bytes()) for path in templates]
    digests = [content_sha256(dcmread(path)).encode() for path in templates]
    for n in range(count):
        (path, content), digest = whole[n % len(whole)], digests[n % len(whole)]
        own = path.stem.encode()
        # A UID of the same length, so that no length around it changes.
        ending = b"%d" % (10 ** (len(own) - 3) + n)
        new = b"1." + ending[: len(own) - 2]
        if len(new) != len(own):
            raise ValueError(f"{path.stem} is too short a UID for {count} copies")
        changed = content.replace(own, new)
        changed = changed.replace(
            digest, content_sha256(dcmread(io.BytesIO(changed))).encode()
        )
        path.with_name(f"{new.decode()}.dcm").write_bytes(changed)


def made(folder: Path, count: int) -> int:
    """Write one report of the sample case and copy it; return its bytes."""
    from osteotrace import measure, scan
    from osteotrace.protocol import read
    from osteotrace.records import record_folder

    one = measure(SAMPLE, read("sample_maxilla"))
    one = msgspec.structs.replace(one, assessment_uid="2.25.123456789012")
    path = record_folder.add(folder, one, scan(SAMPLE))
    copies([path], count - 1)
    return path.stat().st_size


def listed(folder: Path, index: str, count: int) -> float:
    """List the folder in a process of its own and return the seconds of the listing."""
    words = [sys.executable, "-c", _LISTING, str(folder), index]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found, spent = done.stdout.split()
    if int(found) != count:
        raise SystemExit(f"{found} reports found of {count}")
    return float(spent)


def kept(folder: Path) -> str:
    """Return a digest of what the index keeps of a folder."""
    from osteotrace.catalogue_index import CatalogueIndex, default_path
    from osteotrace.records.folder.index import FILE_NAME

    index = CatalogueIndex(default_path().with_name(FILE_NAME))
    entries = index.entries(os.path.realpath(folder))
    index.close()
    return hashlib.sha256(entries or b"").hexdigest()


def main() -> None:
    """Make the folder, list it in each way, and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="print the raw seconds")
    options = parser.parse_args()
    count = options.reports
    with tempfile.TemporaryDirectory(prefix="osteotrace-records-") as name:
        os.environ["XDG_CACHE_HOME"] = str(Path(name, "cache"))
        folder = Path(name, "records")
        size = made(folder, count)
        time.sleep(SETTLED_S)
        times = {"built": [listed(folder, "index", count)]}
        first = kept(folder)
        for file in Path(name, "cache").rglob("*.sqlite"):
            file.unlink()
        times["rebuilt"] = [listed(folder, "index", count)]
        same = kept(folder) == first
        times["from the index"] = [listed(folder, "index", count) for _ in range(7)]
    if options.json:
        print(json.dumps({"same": same, "seconds": times}, indent=2))
        return
    print(f"{count} reports of {size:,} bytes each")
    for what, seconds in times.items():
        spent = statistics.median(seconds)
        print(f"{what:<16}{spent:>9.3f} s{1e3 * spent / count:>9.2f} ms a report")
    print("the index rebuilt is", "the same to the byte" if same else "ANOTHER")
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
