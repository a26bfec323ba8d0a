"""A reading written for others: one function, six forms, nothing overwritten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydicom import dcmread
from tests.fixtures.assessments import assessment, caliper_finding

import osteotrace as ot
from osteotrace import series
from osteotrace.errors import OsteotraceError
from osteotrace.records import sr
from osteotrace.reports import markups, tables, text
from osteotrace.reports.export import FORMS, export

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.series import Catalogue

READING = assessment(caliper_finding())
WRITTEN = {
    "csv": tables.to_csv(tables.rows(READING)),
    "text": text.report(READING),
    "markups": markups.to_markups(READING),
}


@pytest.fixture(scope="module")
def catalogue(small_study: Path) -> Catalogue:
    return series.scan(small_study)


@pytest.mark.parametrize("form", sorted(WRITTEN))
def test_a_file_holds_what_its_writer_gives(tmp_path: Path, form: Any) -> None:
    (file,) = export(READING, tmp_path / "out", form=form)
    assert file == tmp_path / "out"
    assert file.read_bytes().decode() == WRITTEN[form]


def test_json_comes_back_equal(tmp_path: Path) -> None:
    (file,) = export(READING, tmp_path / "reading.json", form="json")
    assert ot.read(file) == READING


def test_markups_are_read_again(tmp_path: Path) -> None:
    (file,) = export(READING, tmp_path / "reading.mrk.json", form="markups")
    assert json.loads(file.read_text())["markups"][0]["coordinateSystem"] == "LPS"
    assert ot.read(file).findings[0].label == "PAL-1"


@pytest.mark.parametrize("form", ["ohif", "slicer"])
def test_a_viewer_gets_dicom_objects_that_name_the_record(
    tmp_path: Path, catalogue: Catalogue, form: Any
) -> None:
    record = sr.write(READING, catalogue, tmp_path / "records")
    files = export(READING, tmp_path / "out", form=form, images=catalogue, record=record)
    assert [file.parent for file in files] == [tmp_path / "out"] * len(files)
    document = dcmread(files[-1])
    assert files[-1].stem == document.SOPInstanceUID != READING.assessment_uid
    assert "PredecessorDocumentsSequence" in document


@pytest.mark.parametrize("form", ["ohif", "slicer"])
def test_a_viewer_needs_the_images(tmp_path: Path, form: Any) -> None:
    with pytest.raises(OsteotraceError, match="without the images"):
        export(READING, tmp_path / "out", form=form)


def test_an_unknown_form_is_refused_with_those_there_are(tmp_path: Path) -> None:
    unknown: Any = "xlsx"
    with pytest.raises(OsteotraceError, match="the form 'xlsx'") as caught:
        export(READING, tmp_path / "out", form=unknown)
    assert all(form in caught.value.expected for form in FORMS)


@pytest.mark.parametrize("form", ["csv", "json", "text", "paragraph", "markups"])
def test_a_file_that_is_there_stays(tmp_path: Path, form: Any) -> None:
    out = tmp_path / "out"
    out.write_text("before")
    with pytest.raises(OsteotraceError, match="a file that exists"):
        export(READING, out, form=form)
    assert out.read_text() == "before"
