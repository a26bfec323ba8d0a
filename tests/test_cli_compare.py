"""``osteotrace compare``: what it prints, what it writes, and how it fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.fixtures.followed_studies import followed

from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.records import comparison_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.command_line import Outcome

    Run = Callable[..., Outcome]

PROTOCOL = """\
name = "ball"

[[intensity]]
label = "REG-1"
modality = "CT"
site = "maxilla"
series = "bone*"
frame_of_reference_uid = "2.25.1005"
region = { centre = [0.0, -0.25, 0.0], radius = 3.0 }
"""


@pytest.fixture
def later(small_study: Path, tmp_path: Path) -> Path:
    """Return the study of half a year later, in the same frame of reference."""
    return followed(small_study, tmp_path / "later")


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    """Return a protocol that measures the values in a ball."""
    file = tmp_path / "ball.toml"
    file.write_text(PROTOCOL)
    return file


def test_two_studies_are_told_and_written(
    osteotrace: Run, small_study: Path, later: Path, ball: Path, tmp_path: Path
) -> None:
    page, tables = tmp_path / "report.html", tmp_path / "tables"
    saved = tmp_path / "new" / "records"
    outcome = osteotrace(
        *("compare", small_study, later, "--protocol", ball),
        *("--out", page, "--tables", tables, "--save", saved),
    )
    assert outcome.code == 0, outcome.err
    for words in ("before", "after", "REG-1", "stable", "one frame of reference"):
        assert words in outcome.out
    assert RESEARCH_USE_SHORT in outcome.out
    assert page.read_text().startswith("<!doctype html>")
    assert {file.name for file in tables.iterdir()} == {
        "comparison.csv",
        "comparison.parquet",
    }
    (record,) = saved.iterdir()
    assert [one.label for one in comparison_report.read(record).lesions] == ["REG-1"]
    assert saved.stat().st_mode & 0o077 == 0


def test_json_is_the_comparison(
    osteotrace: Run, small_study: Path, later: Path, ball: Path
) -> None:
    from osteotrace.comparison.json_records import from_json

    outcome = osteotrace(
        *("compare", small_study, later, "--protocol", ball, "--json"),
    )
    assert outcome.code == 0
    found = from_json(outcome.out)
    assert [one.state for one in found.lesions] == ["stable"]
    assert json.loads(outcome.out)["patient"] == found.patient


def test_two_patients_are_one_line(
    osteotrace: Run, small_study: Path, tmp_path: Path, ball: Path
) -> None:
    other = followed(small_study, tmp_path / "other", PatientID="TEST-2")
    outcome = osteotrace("compare", small_study, other, "--protocol", ball)
    assert outcome.code == 1
    assert outcome.out == ""
    assert len(outcome.err.splitlines()) == 1
    assert "2 patients" in outcome.err
    assert "--other-patient" in outcome.err
    allowed = osteotrace(
        *("compare", small_study, other, "--protocol", ball),
        *("--other-patient", "--no-registration"),
    )
    assert allowed.code == 0


def test_what_cannot_be_read_is_told_and_the_rest_is_done(
    osteotrace: Run, small_study: Path, later: Path, tmp_path: Path, ball: Path
) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    outcome = osteotrace("compare", small_study, nothing, later, "--protocol", ball)
    assert outcome.code == 1
    assert "stable" in outcome.out
    assert str(nothing) in outcome.err


def test_wrong_use_is_code_2(
    osteotrace: Run, small_study: Path, later: Path, tmp_path: Path, ball: Path
) -> None:
    taken = tmp_path / "taken.html"
    taken.write_text("mine")
    half = tmp_path / "half"
    half.mkdir()
    (half / "comparison.parquet").write_text("mine")
    for arguments in (
        (small_study,),
        (small_study, small_study),
        (small_study, "2.25.1"),
        (small_study, later, "--out", taken),
        (small_study, later, "--save", taken),
        (small_study, later, "--tables", taken),
        (small_study, later, "--tables", half),
        (small_study, later, "--out", taken / "report.html"),
        (small_study, later, "--facts", tmp_path / "none.toml"),
        (small_study, later, "--repeatability", taken),
        (small_study, later, "--confirm", "A=B", "--refuse", "A=B", "--reader", "R"),
        (small_study, later, "--confirm", "PAL-1"),
        (small_study, later, "--protocol", ball, "--protocol", ball, "--protocol", ball),
    ):
        outcome = osteotrace("compare", "--protocol", ball, *arguments)
        assert outcome.code == 2, arguments
        assert outcome.out == ""
    assert taken.read_text() == "mine"
    assert [file.name for file in half.iterdir()] == ["comparison.parquet"]


def test_what_cannot_be_written_is_told_and_leaves_no_half(
    osteotrace: Run,
    small_study: Path,
    later: Path,
    ball: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(comparison_report, "write", full)
    saved, page = tmp_path / "saved", tmp_path / "report.html"
    outcome = osteotrace(
        *("compare", small_study, later, "--protocol", ball, "--no-registration"),
        *("--out", page, "--save", saved),
    )
    assert outcome.code == 1
    assert page.exists()
    assert "No space left" in outcome.err
    assert not [file for file in saved.glob("**/*") if file.is_file()]


def test_a_prior_without_a_reading_has_nothing_to_follow(
    osteotrace: Run, small_study: Path, later: Path
) -> None:
    outcome = osteotrace("compare", small_study, later)
    assert outcome.code == 1
    assert "nothing to follow" in outcome.err


def test_a_lesion_is_a_block_that_no_terminal_cuts(
    osteotrace: Run,
    small_study: Path,
    later: Path,
    ball: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    outcome = osteotrace(
        *("compare", small_study, later, "--protocol", ball, "--no-registration")
    )
    lines = outcome.out.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("1 lesion: "))
    assert lines[first] == "1 lesion: 1 stable. One of these is a proposal."
    assert lines[first + 1].startswith("REG-1: = stable (proposed) · ")
    block = " ".join(line.strip() for line in lines[first + 2 : first + 5])
    assert "→" in block
    assert "within measurement error" in block
    assert all(len(line) <= 80 for line in lines[first : first + 5])
