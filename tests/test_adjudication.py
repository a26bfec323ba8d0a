"""Two readings of one study decided by a third person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.fixtures.two_readers import gap, reading

from osteotrace.comparison.adjudicating import LesionOfBoth, lesions_of_both
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Case, SeriesReference
from osteotrace.findings.adjudication import (
    Adjudication,
    Decision,
    adjudicate,
    from_json,
    to_json,
)

if TYPE_CHECKING:
    from osteotrace.findings.adjudication import Choice

NOW = "2024-05-03T10:00:00+00:00"
# What reading a line twice gives depends on the voxels.
SERIES = SeriesReference(
    series_uid="2.25.4",
    frame_of_reference_uid="2.25.5",
    modality="CT",
    spacing_mm=(0.6, 0.4, 0.4),
)


def two() -> tuple[Assessment, Assessment]:
    """Return readings that agree on one gap, differ on one, and each has one alone."""
    return (
        reading(
            "A",
            *(gap(0, 10.0, by="A"), gap(1, 12.0, by="A"), gap(5, 4.0, by="A")),
            series=(SERIES,),
        ),
        reading(
            "B",
            *(gap(0, 10.4, by="B"), gap(1, 19.0, by="B"), gap(9, 6.0, by="B")),
            series=(SERIES,),
        ),
    )


def decisions(*choices: Choice, reason: str = "seen on the sagittal") -> list[Decision]:
    return [
        Decision(
            label=lesion.label,
            first_uid=uid_of(lesion, "first"),
            second_uid=uid_of(lesion, "second"),
            differences=lesion.differences,
            choice=choice,
            reason="" if choice == "both agree" else reason,
        )
        for lesion, choice in zip(lesions_of_both(*two()), choices, strict=True)
    ]


def uid_of(lesion: LesionOfBoth, side: str) -> str:
    finding = getattr(lesion, side)
    return "" if finding is None else str(finding.tracking_uid)


def decided(*choices: Choice, author: str = "C") -> tuple[Adjudication, Assessment]:
    return adjudicate(
        *two(),
        decisions(*choices),
        author=author,
        recorded=NOW,
        assessment_uid="2.25.1.99",
        software="test",
    )


def test_where_both_agree_and_where_they_differ_is_told() -> None:
    agreed, differing, first_alone, second_alone = lesions_of_both(*two())
    # 0.4 mm is what reading a line twice gives; 7 mm is not.
    assert agreed.differences == ()
    (how,) = differing.differences
    assert "a reading difference, no change" in how
    assert first_alone.differences == ("marked by A alone",)
    assert second_alone.differences == ("marked by B alone",)
    assert second_alone.first is None


def test_what_is_decided_is_a_reading_that_names_both() -> None:
    record, read = decided("both agree", "second", "none", "second")
    first, second = two()
    assert read.reader == "C"
    assert read.adjudicates == (first.assessment_uid, second.assessment_uid)
    assert [one.label for one in read.findings] == ["LEN-0", "LEN-1", "LEN-9"]
    assert [one.measurements[0].name for one in read.findings] == ["line_length"] * 3
    assert read.findings[1].note == (
        "Adjudicated by C, as B read it: seen on the sagittal"
    )
    assert read.findings[0].note == ""
    assert record.readings == read.adjudicates
    assert [one.choice for one in record.decisions] == [
        *("both agree", "second", "none", "second")
    ]


def test_a_case_follows_what_was_decided_and_keeps_both() -> None:
    _, read = decided("both agree", "first", "first", "none")
    case = Case(patient="P-1", assessments=(*two(), read))
    assert case.current() == (read,)
    assert len(case.assessments) == 3


def test_an_own_finding_takes_the_place_of_both() -> None:
    told = decisions("both agree", "own", "none", "none")
    own = gap(1, 15.0, by="C")
    _, read = adjudicate(
        *two(),
        told,
        author="C",
        recorded=NOW,
        assessment_uid="2.25.1.99",
        software="test",
        own={told[1].key: own},
    )
    assert read.findings[1].measurements == own.measurements
    assert "own finding" in read.findings[1].note
    with pytest.raises(OsteotraceError, match="no finding of the own"):
        decided("both agree", "own", "none", "none")


def test_the_record_comes_back_equal_and_strictly() -> None:
    record, _ = decided("both agree", "first", "first", "none")
    assert from_json(to_json(record)) == record
    for edited in (
        to_json(record).replace(b'"author"', b'"autor"'),
        to_json(record).replace(
            b'"adjudication_version": 1', b'"adjudication_version": 2'
        ),
        b"{",
    ):
        with pytest.raises(OsteotraceError):
            from_json(edited)


def test_the_third_person_is_a_third_person_and_says_why() -> None:
    for author in ("A", "B ", " "):
        with pytest.raises(OsteotraceError, match="as the one who decides"):
            decided("both agree", "first", "first", "none", author=author)
    with pytest.raises(OsteotraceError, match="no choice where both differ"):
        decided("both agree", "both agree", "first", "none")
    first, second = two()

    def adjudicated(told: list[Decision], other: Assessment = second) -> None:
        adjudicate(
            first,
            other,
            told,
            author="C",
            recorded=NOW,
            assessment_uid="2.25.1.99",
            software="test",
        )

    every = decisions("both agree", "first", "first", "none")
    with pytest.raises(OsteotraceError, match="without a reason"):
        adjudicated(decisions("both agree", "first", "first", "none", reason=" "))
    with pytest.raises(OsteotraceError, match="decisions on 2 of the 3 findings of A"):
        adjudicated(every[1:])
    with pytest.raises(OsteotraceError, match="two studies"):
        adjudicated(every, msgspec.structs.replace(second, study_uid="2.25.2"))
    with pytest.raises(OsteotraceError, match="not by two people"):
        adjudicated(every, msgspec.structs.replace(second, reader="A"))
