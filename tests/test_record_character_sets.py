"""What osteotrace itself writes into DICOM is ASCII: a PACS may convert the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from pydicom import dcmread
from tests.fixtures.assessments import assessment, caliper_finding
from tests.fixtures.generated_assessments import whole_vocabulary
from tests.fixtures.small_study import CT_FRAME_UID
from tests.fixtures.stated_assessments import stated_assessment

from osteotrace import about, series
from osteotrace.findings import Assessment, from_json, to_json
from osteotrace.phantoms.in_memory import straight_grid
from osteotrace.records import sr
from osteotrace.records.report_content.items import END_SIGN
from osteotrace.regions import Mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

    from osteotrace.series import Catalogue


@pytest.fixture(scope="module")
def catalogue(small_study: Path) -> Catalogue:
    return series.scan(small_study)


def with_mask() -> Assessment:
    grid = straight_grid((6.0, 6.0, 3.2), (0.8, 0.5, 0.6), centre=(0.0, 0.0, 0.0))
    marked = np.ones(grid.shape, dtype=bool)
    mask = Mask.of(marked, grid, role="fragment", frame_of_reference_uid=CT_FRAME_UID)
    finding = msgspec.structs.replace(
        caliper_finding(), regions=(*caliper_finding().regions, mask)
    )
    return assessment(finding)


def within(encoding: str, reading: Assessment) -> Assessment:
    """Return a reading in whose own texts every other sign is a question mark."""
    text = to_json(reading).decode().encode(encoding, "replace").decode(encoding)
    return from_json(text, Assessment)


def texts(dataset: Dataset) -> Iterator[str]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from texts(item)
        elif not isinstance(element.value, bytes):
            yield str(element.value)


@pytest.mark.parametrize("make", [with_mask, stated_assessment, whole_vocabulary])
def test_every_constant_text_of_report_and_segmentation_is_ascii(
    catalogue: Catalogue, tmp_path: Path, make: Callable[[], Assessment]
) -> None:
    sr.write(within("ascii", make()), catalogue, tmp_path)
    files = list(tmp_path.iterdir())
    assert len(files) == (2 if make is with_mask else 1)
    for file in files:
        every = list(texts(dcmread(file)))
        assert len(every) > 100
        # A line that is empty has the sign of its end.
        assert {one for one in every if not one.isascii()} <= {END_SIGN}


def test_the_statement_in_ascii_says_the_same() -> None:
    statement = about.RESEARCH_USE_STATEMENT_ASCII
    assert statement.isascii()
    assert len(statement) == len(about.RESEARCH_USE_STATEMENT)
    assert "functional-aesthetic profile is a proposal" in statement


@pytest.mark.parametrize("make", [with_mask, whole_vocabulary])
def test_a_record_that_a_pacs_converts_to_latin_1_is_read(
    catalogue: Catalogue, tmp_path: Path, make: Callable[[], Assessment]
) -> None:
    reading = within("latin-1", make())
    assert "Jörg" in to_json(reading).decode()
    path = sr.write(reading, catalogue, tmp_path)
    converted = dcmread(path)
    converted.decode()
    converted.SpecificCharacterSet = "ISO_IR 100"
    converted.save_as(path)
    assert b"ISO_IR 100" in path.read_bytes()
    assert sr.read(path) == reading
