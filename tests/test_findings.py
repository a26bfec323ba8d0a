"""Findings to JSON and back: nothing lost, nothing guessed."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fixtures.assessments import (
    NUMBERS,
    TEXTS,
    assessment,
    caliper_finding,
    random_assessment,
)

from osteotrace import findings
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, Case, from_json, to_json
from osteotrace.measurements.measurement import Detail, Measurement

SCHEMA_FILE = Path(__file__).parents[1] / "docs" / "finding.schema.json"


def _edited(**changes: Any) -> bytes:
    """Return the JSON of a reading with top-level fields changed."""
    fields = json.loads(to_json(assessment(caliper_finding())))
    return json.dumps(fields | changes).encode()


def test_parts_are_known_by_their_label_and_kind_wherever_their_leader_stands() -> None:
    labels = ("SEQ/1", "CAL-1", "SEQ", "SEQ/2", "", "/1", "GAP/1", "SEQ/1/2")
    every = [
        msgspec.structs.replace(caliper_finding(), label=label, kind="sequestrum")
        for label in labels
    ]
    every.append(msgspec.structs.replace(every[0], kind="gas", label="SEQ/3"))
    assert findings.leaders_of_parts(every) == {0: 2, 3: 2, 7: 0}


@pytest.mark.parametrize("seed", range(100))
def test_any_assessment_comes_back_equal(seed: int) -> None:
    drawn = random_assessment(seed)
    text = to_json(drawn)
    assert from_json(text, Assessment) == drawn
    assert to_json(from_json(text, Assessment)) == text


@pytest.mark.parametrize("seed", range(5))
def test_any_case_comes_back_equal(seed: int) -> None:
    drawn = [random_assessment(10 * seed + n) for n in range(3)]
    case = Case(patient="P-1", assessments=tuple(drawn), facts=drawn[0].facts)
    assert from_json(to_json(case), Case) == case


def test_numbers_keep_every_bit() -> None:
    details = tuple(Detail("number", value, "mm") for value in NUMBERS)
    value = msgspec.structs.replace(caliper_finding().measurements[0], details=details)
    finding = msgspec.structs.replace(caliper_finding(), measurements=(value,))
    back = from_json(to_json(assessment(finding)), Assessment)
    measured = back.findings[0].measurements[0]
    assert isinstance(measured, Measurement)
    assert [struct.pack("<d", d.value) for d in measured.details] == [
        struct.pack("<d", number) for number in NUMBERS
    ]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_texts_keep_every_character(text: str) -> None:
    finding = msgspec.structs.replace(caliper_finding(), note=text)
    back = from_json(to_json(assessment(finding)), Assessment)
    assert back.findings[0].note == text


def test_an_assessment_without_findings_comes_back_equal() -> None:
    assert from_json(to_json(assessment()), Assessment) == assessment()


def test_a_known_record_is_written_in_a_known_form() -> None:
    fields = json.loads(to_json(assessment(caliper_finding())))
    (finding,) = fields["findings"]
    value = finding["measurements"][0]
    assert value["type"] == "Measurement"
    assert value["value"] == 12.070000000000001
    assert value["unit"] == "mm"
    assert finding["measurements"][2]["type"] == "NotMeasured"
    assert finding["regions"][0]["type"] == "Polyline"
    assert fields["facts"][0]["value"] is None


# Strictness ----------------------------------------------------------------------


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(OsteotraceError, match="unknown field `treatment`"):
        from_json(_edited(treatment="none"), Assessment)


@pytest.mark.parametrize(
    "changes",
    [
        {"study_uid": 12},
        {"findings": {}},
        {"findings": [{"label": "PAL-1"}]},
        {"facts": [{"name": "pain"}]},
        {"schema_version": "1"},
    ],
    ids=["number for text", "object for list", "missing", "missing too", "text"],
)
def test_a_field_of_another_type_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(OsteotraceError, match="no Assessment"):
        from_json(_edited(**changes), Assessment)


def _changed_finding(**changes: Any) -> bytes:
    fields = json.loads(to_json(assessment(caliper_finding())))
    fields["findings"][0] |= changes
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"presence": "perhaps"}, "presence"),
        ({"laterality": "middle"}, "laterality"),
        ({"certainty": None}, "certainty"),
        ({"regions": [{"type": "Sphere"}]}, "regions"),
    ],
)
def test_a_word_outside_the_vocabulary_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(OsteotraceError, match=message):
        from_json(_changed_finding(**changes), Assessment)


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ((), "kind"),
        ((), "site"),
        (("measurements", 0), "name"),
        (("measurements", 2), "name"),
        (("measurements", 0), "unit"),
        (("measurements", 0, "details", 0), "unit"),
    ],
)
def test_a_kind_site_quantity_or_unit_that_is_none_is_refused(
    place: tuple[str | int, ...], key: str
) -> None:
    fields = json.loads(to_json(assessment(caliper_finding())))
    part = fields["findings"][0]
    for step in place:
        part = part[step]
    part[key] = "nonsense"
    with pytest.raises(OsteotraceError, match=r"'nonsense'.*expected one of"):
        from_json(json.dumps(fields), Assessment)
    case = {"patient": "P-1", "assessments": [fields]}
    with pytest.raises(OsteotraceError, match="'nonsense'"):
        from_json(json.dumps(case), Case)


def test_a_fact_with_a_unit_that_is_none_is_refused() -> None:
    fields = json.loads(to_json(assessment()))
    fact = {"name": "pain_vas", "value": 3.0, "unit": "furlong", "source": "entered"}
    fields["facts"] = [fact | {"author": "A", "recorded": "2026-01-02T00:00:00"}]
    with pytest.raises(OsteotraceError, match=r"3\.0 furlong.*a number, no unit"):
        from_json(json.dumps(fields), Assessment)


def test_a_point_that_float32_does_not_hold_is_refused() -> None:
    (region, _) = json.loads(to_json(assessment(caliper_finding())))["findings"][0][
        "regions"
    ]
    region["points"][0] = [0.1, 0.2, 0.3]
    with pytest.raises(OsteotraceError, match="float32"):
        from_json(_changed_finding(regions=[region]), Assessment)


def test_a_later_version_is_refused() -> None:
    with pytest.raises(OsteotraceError, match=r"schema version 3.*schema version 2"):
        from_json(_edited(schema_version=3), Assessment)


def test_a_cut_off_text_is_refused_wherever_it_is_cut() -> None:
    text = to_json(assessment(caliper_finding()))
    for length in range(0, len(text) - 2, 97):
        with pytest.raises(OsteotraceError, match="no Assessment"):
            from_json(text[:length], Assessment)


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"hello"])
def test_what_is_no_record_is_refused_in_one_line(text: bytes) -> None:
    with pytest.raises(OsteotraceError) as caught:
        from_json(text, Assessment)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [Assessment, Case])
@pytest.mark.parametrize(
    "text",
    [
        '{"schema_version": 1, "assessments": null}',
        '{"schema_version": 1, "assessments": [5]}',
        '{"schema_version": 1, "facts": [5]}',
        '{"schema_version": 1, "facts": 5}',
        '{"schema_version": 1, "facts": [{"name": []}]}',
        '{"schema_version": 1, "study_date": [], "facts": [{}]}',
        "[" * 100_000,
        '{"schema_version": 1, "facts": ' + "[" * 100_000,
        '{"schema_version": 1, "note": "\ud800"}',
    ],
    ids=range(9),
)
def test_what_only_looks_like_version_1_is_refused_in_one_line(
    text: str, kind: type[Any]
) -> None:
    with pytest.raises(OsteotraceError, match="a text that is no") as refused:
        from_json(text, kind)
    assert "\n" not in str(refused.value)


def test_a_case_is_no_assessment() -> None:
    with pytest.raises(OsteotraceError, match="no Assessment"):
        from_json(to_json(Case(patient="P-1")), Assessment)


# The published schema ----------------------------------------------------------------


def test_the_published_schema_is_current() -> None:
    current = json.loads(json.dumps(findings.json_schema()))
    assert json.loads(SCHEMA_FILE.read_text()) == current


def test_the_schema_names_every_record() -> None:
    definitions = findings.json_schema()["$defs"]
    assert isinstance(definitions, dict)
    assert {
        "Assessment",
        "Finding",
        "Fact",
        "Measurement",
        "NotMeasured",
        "Polyline",
        "Points",
    } <= set(definitions)
