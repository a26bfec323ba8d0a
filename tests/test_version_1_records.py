"""Records of schema version 1 still read.

The files in ``data`` were written by osteotrace at commit 45d29a4, the last of version
1: the caliper's reading of the small study, with facts named as people pleased.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from tests.fixtures.assessments import caliper_finding

from osteotrace.errors import OsteotraceError
from osteotrace.findings import (
    SCHEMA_VERSION,
    Assessment,
    Fact,
    check,
    from_json,
    to_json,
)
from osteotrace.records import assessments, sr

DATA = Path(__file__).parent / "data"
REPORT = DATA / "assessment_version_1.dcm"
JSON = DATA / "assessment_version_1.json"


@pytest.fixture(scope="module", params=["report", "json"])
def reading(request: pytest.FixtureRequest) -> Assessment:
    if request.param == "report":
        return sr.read(REPORT)
    return from_json(JSON.read_bytes(), Assessment)


def test_json_of_version_1_which_had_no_digest_is_read() -> None:
    assert assessments.read(JSON) == from_json(JSON.read_bytes(), Assessment)


def test_the_finding_and_its_numbers_are_as_they_were(reading: Assessment) -> None:
    expected = caliper_finding()
    value, _, refused = expected.measurements
    assert reading.findings == (
        msgspec.structs.replace(
            expected, regions=expected.regions[:1], measurements=(value, refused)
        ),
    )
    assert (reading.patient, reading.reader) == ("P-ABCDEFGH", "Jörg Kim")


def test_it_is_a_reading_of_the_present_version(reading: Assessment) -> None:
    assert reading.schema_version == SCHEMA_VERSION
    assert (reading.drugs, reading.stagings, reading.not_understood) == ((), (), ())
    check(reading)
    assert from_json(to_json(reading), Assessment) == reading


def test_facts_of_the_vocabulary_keep_their_names(reading: Assessment) -> None:
    exposed, pus, pain = reading.facts[:3]
    assert (exposed.name, exposed.value) == ("exposed_bone", None)
    assert (pus.name, pus.value) == ("pus", False)
    assert (pain.name, pain.value, pain.unit) == ("pain_vas", 3.0, "1")
    assert {fact.note for fact in reading.facts[:3]} == {""}
    assert exposed.recorded == "2024-05-01T10:21:00+02:00"


def test_a_fact_held_at_the_date_of_its_study_and_does_so_still(
    reading: Assessment,
) -> None:
    """Version 1 said so of one without a date; today it would hold at every date."""
    assert {fact.date for fact in reading.facts} == {reading.study_date} == {"2024-01-02"}


def test_any_other_fact_is_kept_as_text_with_its_words_in_the_note(
    reading: Assessment,
) -> None:
    others = reading.facts[3:]
    assert {(fact.name, fact.unit, fact.author) for fact in others} == {
        ("other", "", "Jörg Kim")
    }
    assert [(fact.value, fact.note) for fact in others] == [
        # Today's pain is yes or no: the number stands in the note.
        ("7.0", "pain: 7.0 1"),
        ("9.5", "weeks exposed: 9.5 1"),
        ("True", "smoker: True"),
        ("Streptococcus anginosus", "Erreger: Streptococcus anginosus"),
        (None, "old question: None"),
    ]


def test_both_files_are_of_version_1() -> None:
    assert json.loads(JSON.read_bytes())["schema_version"] == 1
    assert sr.read(REPORT) == from_json(JSON.read_bytes(), Assessment)


def test_a_fact_of_version_2_is_never_renamed() -> None:
    fields = json.loads(to_json(sr.read(REPORT)))
    fields["facts"] = [
        msgspec.to_builtins(
            Fact(name="smoker", value=True, source="entered", author="", recorded="")
        )
    ]
    with pytest.raises(OsteotraceError, match="clinical fact 'smoker'"):
        from_json(json.dumps(fields), Assessment)
