"""Readings over the whole vocabulary come back with no difference, whatever they say.

The default run tries some; ``pytest -m slow`` tries 2,000.
"""

from __future__ import annotations

import datetime
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.fixtures.generated_assessments import (
    assessments,
    uids,
    whole_vocabulary,
)

from osteotrace import series
from osteotrace.findings import Assessment, from_json, to_json
from osteotrace.records import sr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.series import Catalogue

NOW = datetime.datetime(2024, 5, 1, 10, 30)
MANY = 2000
SOME = 30


def _examples(count: int) -> settings:
    """Return the same examples each time, each of which may take its time."""
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=[*HealthCheck],
    )


@pytest.fixture(scope="module")
def catalogue(small_study: Path) -> Catalogue:
    return series.scan(small_study)


# JSON ------------------------------------------------------------------------------


def _check_json(reading: Assessment) -> None:
    text = to_json(reading)
    back = from_json(text, Assessment)
    assert back == reading
    # JSON tells -0.0 from 0.0 and True from 1.0, which == does not.
    assert to_json(back) == text


@_examples(200)
@given(assessments(predecessors=uids))
def test_a_generated_reading_comes_back_from_json(reading: Assessment) -> None:
    _check_json(reading)


@pytest.mark.slow
@_examples(MANY)
@given(assessments(predecessors=uids))
def test_every_generated_reading_comes_back_from_json(reading: Assessment) -> None:
    _check_json(reading)


def test_every_word_of_the_vocabulary_comes_back_from_json() -> None:
    _check_json(whole_vocabulary())


# DICOM -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def check_dicom(
    catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Assessment], None]:
    """Return what writes a reading, reads it and compares, leaving nothing behind."""
    folder = tmp_path_factory.mktemp("generated") / "records"

    def check(reading: Assessment) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        back = sr.read(sr.write(reading, catalogue, folder, now=NOW))
        assert back == reading
        assert to_json(back) == to_json(reading)

    return check


@_examples(SOME)
@given(reading=assessments())
def test_a_generated_reading_comes_back_from_dicom(
    reading: Assessment, check_dicom: Callable[[Assessment], None]
) -> None:
    check_dicom(reading)


@pytest.mark.slow
@_examples(MANY)
@given(reading=assessments())
def test_every_generated_reading_comes_back_from_dicom(
    reading: Assessment, check_dicom: Callable[[Assessment], None]
) -> None:
    check_dicom(reading)


def test_every_word_of_the_vocabulary_comes_back_from_dicom(
    check_dicom: Callable[[Assessment], None],
) -> None:
    check_dicom(whole_vocabulary())
