"""A comparison as JSON: nothing lost, nothing guessed; any two readings compare."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.fixtures.compared import aligned, case, compared, finding, motion, reading
from tests.fixtures.generated_assessments import assessments, texts, uids

from osteotrace.alignment import Start
from osteotrace.comparison import (
    Comparison,
    Difference,
    Link,
    StudyPair,
    compare,
    from_json,
    is_comparison,
    to_json,
)
from osteotrace.errors import OsteotraceError
from osteotrace.findings import to_json as record_to_json

BEFORE, AFTER = "2023-06-20", "2024-01-15"


def small() -> Comparison:
    pair = StudyPair(
        earlier=0,
        later=1,
        alignments=(
            msgspec.structs.replace(
                aligned(motion("2.25.1", "2.25.2")),
                starts=(Start(rotation_deg=30.0, similarity=0.1 + 0.2, apart_mm=1e-9),),
                notes=("turned",),
            ),
        ),
        refusals=("MR: too little overlap",),
        differences=(Difference(kind="kernel", earlier="B70f", later="B30f"),),
    )
    findings = [
        finding("PAL-1", "palatal_bony_defect", palatal_gap_ap=mm)
        for mm in (12.07, 12.05)
    ]
    readings = reading(BEFORE, findings[0]), reading(AFTER, findings[1])
    return compared(*readings, pairs=[pair])


def edited(**changes: Any) -> bytes:
    return json.dumps(json.loads(to_json(small())) | changes).encode()


def test_a_comparison_comes_back_equal() -> None:
    one = small()
    text = to_json(one)
    assert from_json(text) == one
    assert to_json(from_json(text)) == text
    (start,) = from_json(text).pairs[0].alignments[0].starts
    assert struct.pack("<d", start.similarity) == struct.pack("<d", 0.1 + 0.2)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.generate, Phase.shrink],
)
@given(
    readings=st.lists(assessments(), min_size=2, max_size=4),
    links=st.lists(
        st.builds(
            Link,
            earlier_uid=uids,
            later_uid=uids,
            basis=st.sampled_from(["confirmed", "carried", "overlap"]),
            overlap=st.none() | st.floats(0, 1),
            confirmed_by=texts,
            reason=texts,
        ),
        max_size=2,
    ),
    reader=texts,
)
def test_any_readings_compare_and_come_back_equal(
    readings: list[Any], links: list[Link], reader: str
) -> None:
    apart = [
        msgspec.structs.replace(
            one,
            study_uid=f"2.25.6.{n}",
            assessment_uid=f"2.25.5.{n}",
            # What one reading describes the next one does too.
            findings=(*one.findings, *readings[n - 1].findings),
        )
        for n, one in enumerate(readings)
    ]
    one = compare(case(*apart), confirmed=links, reader=reader)
    assert from_json(to_json(one)) == one
    assert len(one.studies) == len(apart)
    for lesion in one.lesions:
        assert [step.later for step in lesion.steps] == sorted(
            {step.later for step in lesion.steps}
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"treatment": "none"},
        {"studies": {}},
        {"patient": 7},
        {"records_kind": "osteotrace assessment"},
        {"lesions": [{"label": "PAL-1"}]},
    ],
    ids=["unknown field", "object for list", "number for text", "other kind", "missing"],
)
def test_a_text_that_is_no_comparison_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(OsteotraceError, match="no comparison"):
        from_json(edited(**changes))


def test_no_json_is_refused() -> None:
    for text in ("", "{", b"\xff", "[" * 100_000):
        with pytest.raises(OsteotraceError, match="no comparison"):
            from_json(text)


def test_another_version_is_refused() -> None:
    with pytest.raises(OsteotraceError, match="version 2"):
        from_json(edited(comparison_version=2))


def test_a_word_outside_the_vocabulary_is_refused() -> None:
    fields = json.loads(to_json(small()))
    fields["lesions"][0]["kind"] = "wart"
    with pytest.raises(OsteotraceError, match="wart"):
        from_json(json.dumps(fields))


def test_a_matrix_that_is_no_rotation_is_refused() -> None:
    fields = json.loads(to_json(small()))
    fields["pairs"][0]["alignments"][0]["transform"]["matrix"][0][0] = math.pi
    with pytest.raises(OsteotraceError, match="no rotation"):
        from_json(json.dumps(fields))


def test_a_comparison_is_told_from_other_records() -> None:
    assert is_comparison(to_json(small()))
    assert not is_comparison(record_to_json(reading(BEFORE)))
    assert not is_comparison(b"\xff")
