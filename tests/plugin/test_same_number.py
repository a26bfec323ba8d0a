"""One number, five front doors: library, command line, viewer, table and DICOM SR."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pytest

import osteotrace as ot
from osteotrace import protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fixtures.command_line import Outcome

    from osteotrace_napari.room import ReadingRoom

pytestmark = pytest.mark.plugin

SAMPLE = Path(__file__).parents[2] / "sample_dicom" / "maxilla_after"
PATIENCE_MS = 60_000


def numbers_in(item: pydicom.Dataset) -> Iterator[tuple[str, float]]:
    """Yield concept and 64-bit value of every NUM below a content item, as stored."""
    for child in item.get("ContentSequence", ()):
        for value in child.get("MeasuredValueSequence", ()):
            concept = child.ConceptNameCodeSequence[0].CodeValue
            yield concept, float(value.FloatingPointValue)
        yield from numbers_in(child)


def test_the_palatal_gap_is_one_number_everywhere_bit_for_bit(
    room: ReadingRoom, qtbot: Any, osteotrace: Callable[..., Outcome], tmp_path: Path
) -> None:
    entry = protocol.read("sample_maxilla").entries[0]
    assert isinstance(entry, protocol.CaliperEntry)
    header = next(
        volume
        for series in ot.scan(SAMPLE)
        for volume in series.volumes
        if volume.frame_of_reference_uid == entry.frame_of_reference_uid
    )
    library = ot.caliper(
        ot.load(header), entry.start, entry.end, between=entry.between, walls=entry.walls
    ).value
    assert isinstance(library, ot.Measurement)
    assert library.value == pytest.approx(12.07, abs=0.05)

    points = [",".join(map(repr, point)) for point in (entry.start, entry.end)]
    ran = osteotrace(
        "caliper", SAMPLE, "--series", header.identity.series_uid, "--json",
        "--from", points[0], "--to", points[1],
        "--between", entry.between, "--walls", entry.walls,
    )  # fmt: skip
    printed = json.loads(ran.out)["findings"][0]["measurements"][0]
    assert printed["value"] == library.value
    assert printed["uncertainty"] == library.uncertainty

    out = tmp_path / "results"
    assert osteotrace("measure", SAMPLE, "--out", out).code == 0
    with (out / "measurements.csv").open(newline="") as table:
        row = next(r for r in csv.DictReader(table) if r["quantity"] == "palatal_gap_ap")
    assert float(row["value"]) == library.value

    (record,) = out.glob("*/*.dcm")
    (finding, _) = ot.read(record).findings
    assert isinstance(finding.measurements[0], ot.Measurement)
    assert finding.measurements[0].value == library.value
    assert ("M-GAPAP", library.value) in set(numbers_in(pydicom.dcmread(record)))

    room.opening.open(SAMPLE)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    room.opening.load(header)
    qtbot.waitUntil(lambda: not room.busy, timeout=PATIENCE_MS)
    room.marking.record("caliper", room.view, start=entry.start, end=entry.end)
    (drawn,) = room.session.findings
    assert isinstance(drawn.measurements[0], ot.Measurement)
    assert drawn.measurements[0].value == library.value
    assert drawn.measurements[0].uncertainty == library.uncertainty
