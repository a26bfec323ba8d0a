"""ISO 8601 dates and times as DICOM ones, where they come back exactly."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

import osteotrace as ot
from osteotrace.records.report_content.date_times import (
    dicom_date,
    dicom_datetime,
    iso_datetime,
    moment,
)
from osteotrace.reports import results

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("iso", "stamp"),
    [
        ("2024-05-01T10:20:30", "20240501102030"),
        ("2024-05-01T10:20:30.000125-03:30", "20240501102030.000125-0330"),
        ("2024-05-01T10:20:30-12:00", "20240501102030-1200"),
        ("2024-05-01T10:20:30+14:00", "20240501102030+1400"),
    ],
)
def test_a_time_is_a_dicom_time_and_back(iso: str, stamp: str) -> None:
    assert dicom_datetime(iso) == stamp
    assert iso_datetime(stamp) == iso


@pytest.mark.parametrize(
    "iso",
    [
        "2024-05-01T10:20:30+00:00",
        "1912-01-01T00:00:00-00:16:08",
        "2024-05-01T10:20:30-12:01",
        "2024-05-01T10:20:30+14:01",
        "0999-05-01T10:20:30",
        "3000-05-01T10:20:30",
        "2024-05-01T10:20",
        "in May",
    ],
    ids=[
        "no offset for dcmtk",
        "offset with seconds",
        "too far west",
        "too far east",
        "year of three digits",
        "year beyond dicom3tools",
        "no seconds",
        "no time",
    ],
)
def test_a_time_that_dicom_would_not_give_back_is_none(iso: str) -> None:
    assert dicom_datetime(iso) is None


@pytest.mark.parametrize(
    ("iso", "day"),
    [
        ("2024-05-01", "20240501"),
        ("2999-12-31", "29991231"),
        ("3000-01-01", None),
        ("0999-01-01", None),
        ("2024-05", None),
        ("20240501", None),
    ],
)
def test_a_day_is_a_dicom_date_where_it_comes_back(iso: str, day: str | None) -> None:
    assert dicom_date(iso) == day


@pytest.mark.parametrize("text", ["", "in May", "2024-13-01", "after the operation"])
def test_what_states_no_time_is_of_the_present(text: str) -> None:
    assert abs(moment(text) - datetime.now()) < timedelta(minutes=1)


def test_what_states_a_time_is_of_that_time() -> None:
    assert moment("2024-05-01T10:20:30") == datetime(2024, 5, 1, 10, 20, 30)
    assert moment("2024-05-01T10:20:30-03:30").isoformat() == "2024-05-01T10:20:30-03:30"


@pytest.mark.parametrize("recorded", ["", "in May"])
def test_a_reading_that_does_not_say_when_it_was_made_is_saved_as_it_is(
    small_study: Path, small_protocol: Path, tmp_path: Path, recorded: str
) -> None:
    made = ot.measure(small_study, small_protocol)
    undated = msgspec.structs.replace(made, recorded=recorded)
    saved = ot.save(undated, tmp_path / "records", images=ot.scan(small_study))
    assert ot.read(saved) == undated
    with results.result_folder(tmp_path / "out") as folder:
        written = folder.add(undated, [], ot.scan(small_study))
    assert ot.read(written[1]) == undated
