"""TPTBox and pyradiomics over many masks, each as its own documents show a batch.

Run by `benchmarks/batch.py` with the Python that they are installed in; it needs neither
osteotrace nor anything else::

    python mask_batch.py tptbox studies.json out.json
    python mask_batch.py pyradiomics studies.json out.json

pyradiomics runs its own command for a table of cases, with its shape features alone.
"""

from __future__ import annotations

import csv
import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from unittest.mock import MagicMock, patch

# L1 as TPTBox numbers it.
LABEL: Final = 20
SHAPE_ALONE: Final = "featureClass:\n  shape:\n"


def by_tptbox(studies: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Return volume and heights of each vertebral body.

    It takes the directions of a vertebra from the arches of its spine; here it is told
    them, which costs it nothing. Version 1.1.0 takes the axis as minus the lower point
    minus the middle; it is told the point that gives the true axis so.
    """
    # Imported so because it is not there where this file is checked.
    tptbox = importlib.import_module("TPTBox")
    location = tptbox.Location
    vertebrae = importlib.import_module(
        "TPTBox.spine.spinestats.measure_ivd_and_vertebra_geometry"
    )
    towards = {
        location.Vertebra_Direction_Posterior: (1, 0, 0),
        location.Vertebra_Direction_Right: (0, 0, 1),
    }
    found = []
    for study in studies:
        # The orientation that it measures in.
        body = tptbox.NII.load(study["mask"], seg=True).reorient(
            ("P", "I", "R"), verbose=False
        )
        centre = body.center_of_masses()[LABEL]
        points = {(LABEL, location.Vertebra_Corpus.value): tuple(centre)}
        for place, step in towards.items():
            ends = tuple(a + 10 * b for a, b in zip(centre, step, strict=True))
            points[LABEL, place.value] = ends
        x, y, z = centre
        points[LABEL, location.Vertebra_Direction_Inferior.value] = (-x, 10 - y, -z)
        told = tptbox.POI(points, **body._extract_affine())
        known = MagicMock(return_value=told)
        with patch.object(vertebrae, "calc_poi_from_subreg_vert", known):
            measured = vertebrae.measure_ivd_and_vertebra_geometry(
                None, body, body, structure_label=0
            )
        (one,) = measured.values()
        if "error" in one:
            raise SystemExit(one["error"])
        found.append(
            {
                "volume": one["volume_voxel"],
                "middle": one["height_center"],
                "anterior": one["anterior_height_x1"],
                "posterior": one["posterior_height_x2"],
            }
        )
    return found


def by_pyradiomics(studies: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Return the volume of each vertebral body."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases, features = folder / "cases.csv", folder / "features.csv"
        with cases.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["Image", "Mask", "Label"])
            writer.writerows([one["image"], one["mask"], LABEL] for one in studies)
        parameters = folder / "shape.yaml"
        parameters.write_text(SHAPE_ALONE)
        command = [str(Path(sys.executable).parent / "pyradiomics"), str(cases)]
        command += ["-o", str(features), "-f", "csv", "-p", str(parameters)]
        subprocess.run([*command, "--jobs", "1"], check=True, capture_output=True)
        with features.open(newline="") as stream:
            return [
                {
                    "volume": float(row["original_shape_VoxelVolume"]),
                    "diameter": float(row["original_shape_Maximum3DDiameter"]),
                }
                for row in csv.DictReader(stream)
            ]


def main() -> None:
    """Measure and write what was found, with the seconds it took."""
    method, listed, out = sys.argv[1:]
    studies = json.loads(Path(listed).read_text())
    run = {"tptbox": by_tptbox, "pyradiomics": by_pyradiomics}[method]
    began = time.perf_counter()
    found = run(studies)
    seconds = time.perf_counter() - began
    Path(out).write_text(json.dumps({"seconds": seconds, "found": found}))


if __name__ == "__main__":
    main()
