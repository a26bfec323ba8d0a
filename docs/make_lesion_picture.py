"""Make docs/pictures/sequestrum.png: the largest sequestrum of the sample maxilla.

The very picture that ``osteotrace measure`` leaves beside the record.
"""

from __future__ import annotations

from pathlib import Path

import osteotrace as ot
from osteotrace.findings import marked_volume
from osteotrace.reports.figures import lesion_picture

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLES = REPOSITORY / "sample_dicom"
CASE, FINDING = "maxilla_before", "SEQ/1"


def main() -> None:
    protocol = SAMPLES / "protocols" / f"{CASE}.toml"
    assessment = ot.measure(SAMPLES / CASE, protocol)
    finding = next(one for one in assessment.findings if one.label == FINDING)
    series = (one for one in ot.scan(SAMPLES / CASE) if one.identity.modality == "CT")
    volume = ot.load(next(series))
    assert marked_volume(finding, [volume]) is volume
    picture = lesion_picture(volume, finding)
    (REPOSITORY / "docs" / "pictures" / "sequestrum.png").write_bytes(picture)


if __name__ == "__main__":
    main()
