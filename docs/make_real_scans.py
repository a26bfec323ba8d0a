"""The values of the real scans as a page, and a picture of each for eyes.

Writes docs/real_scans.md; pictures go to build/real_scans and are never committed. The
scans lie in ../shared/real_dicom beside the project.

    PYTHONPATH=. python docs/make_real_scans.py
"""

from __future__ import annotations

from pathlib import Path

from tests.fixtures.real_lesions import page, real_lesions
from tests.fixtures.real_scans import REAL_DICOM

from osteotrace.errors import OsteotraceError
from osteotrace.reports.figures import lesion_picture

ROOT = Path(__file__).parents[1]


def main() -> None:
    pictures = ROOT / "build" / "real_scans"
    pictures.mkdir(parents=True, exist_ok=True)
    lesions = list(real_lesions(REAL_DICOM))
    (ROOT / "docs" / "real_scans.md").write_text(page(lesions), encoding="utf-8")
    for lesion in lesions:
        name = lesion.finding.label.replace(" ", "_").replace(",", "")
        try:
            picture = lesion_picture(lesion.volume, lesion.finding)
        except OsteotraceError as problem:
            print(f"{lesion.finding.label}: no picture, {problem.found}")
            continue
        (pictures / f"{name}.png").write_bytes(picture)
    print(f"{len(lesions)} lesions; pictures in {pictures.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
