"""Lesions on real scans read what they read before: the table in docs/real_scans.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.fixtures.real_lesions import real_lesions, rows

PAGE = Path(__file__).parents[1] / "docs" / "real_scans.md"
# Relative difference that another machine's arithmetic may make.
ARITHMETIC = 1e-4
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def test_every_value_on_the_real_scans_is_the_one_in_the_table(real_dicom: Path) -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.startswith("| ")][1:]
    now = [row for lesion in real_lesions(real_dicom) for row in rows(lesion)]
    assert [_words(row) for row in now] == [_words(row) for row in kept]
    for row, line in zip(now, kept, strict=True):
        assert _numbers(row) == pytest.approx(_numbers(line), rel=ARITHMETIC, abs=1e-6)


def _words(row: str) -> str:
    return _NUMBER.sub("#", row)


def _numbers(row: str) -> list[float]:
    return [float(number) for number in _NUMBER.findall(row)]
