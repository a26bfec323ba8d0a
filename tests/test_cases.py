"""A case is gathered from every record below a path, and staged with stated facts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.fixtures.assessments import assessment

import osteotrace as ot
from osteotrace.errors import OsteotraceError
from osteotrace.reading import cases
from osteotrace.records.sealed_json import sealed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.findings import Assessment

FACTS = """
author = "Dr Kim"
patient = "P-1"
[[drug]]
drug = "denosumab"
[[at]]
date = "2024-05-01"
exposed_bone = true
pus = true
"""


def _reading(uid: str, **changes: Any) -> Assessment:
    plain = msgspec.structs.replace(
        assessment(),
        assessment_uid=uid,
        patient="P-1",
        facts=(),
        study_date="2024-05-01",
    )
    return msgspec.structs.replace(plain, **changes)


def _saved(folder: Path, *readings: Assessment) -> Path:
    for one in readings:
        place = folder / one.assessment_uid.replace(".", "_") / "assessment.json"
        place.parent.mkdir(parents=True)
        place.write_bytes(sealed(one))
    return folder


def _facts(folder: Path, text: str = FACTS) -> Path:
    file = folder / "facts.toml"
    file.write_text(text)
    return file


def test_one_record_is_a_case(tmp_path: Path) -> None:
    one = _reading("1.2.1")
    _saved(tmp_path, one)
    read = cases.saved_cases(tmp_path / "1_2_1" / "assessment.json")
    assert [case.assessments for case in read.cases] == [(one,)]


def test_a_folder_is_one_case_a_patient_in_the_order_of_time(tmp_path: Path) -> None:
    later = _reading("1.2.1", study_date="2024-06-01")
    first = _reading("1.2.2")
    other = _reading("1.2.3", patient="P-0")
    read = cases.saved_cases(_saved(tmp_path, later, first, other))
    assert [case.patient for case in read.cases] == ["P-0", "P-1"]
    assert read.cases[1].assessments == (first, later)
    assert read.failures == ()


def test_a_damaged_record_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    _saved(tmp_path, _reading("1.2.1"), _reading("1.2.2"))
    file = tmp_path / "1_2_2" / "assessment.json"
    file.write_bytes(file.read_bytes()[:-40])
    read = cases.saved_cases(tmp_path)
    assert len(read.cases[0].assessments) == 1
    assert [str(file) in str(failure) for failure in read.failures] == [True]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda content: b"",
    "zeroed": lambda content: bytes(len(content)),
    "cut": lambda content: content[:60],
    "a key damaged": lambda content: content.replace(
        b'"assessment_uid"', b'"assessmelt_uid"', 1
    ),
}


@pytest.mark.parametrize("name", ["assessment.json", "1.2.2.json", "1.2.2.dcm"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_amendment_is_never_passed_by_in_silence(
    tmp_path: Path, damage: str, name: str
) -> None:
    _saved(tmp_path, _reading("1.2.1"))
    amendment = sealed(_reading("1.2.2", predecessor_uid="1.2.1"))
    file = tmp_path / name
    file.write_bytes(DAMAGE[damage](amendment))
    (failure,) = cases.saved_cases(tmp_path).failures
    assert str(file) in str(failure)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_sealed_record_of_any_name_is_a_failure(
    tmp_path: Path, damage: str
) -> None:
    _saved(tmp_path, _reading("1.2.1"))
    file = tmp_path / "second.json"
    file.write_bytes(DAMAGE[damage](sealed(_reading("1.2.2"))))
    (failure,) = cases.saved_cases(tmp_path).failures
    assert str(file) in str(failure)


def _meta(sop_class: bytes, *, length: int | None = None) -> bytes:
    """Return the start of a DICOM file that states a class."""
    padded = sop_class + b"\0" * (len(sop_class) % 2)
    stated = (len(padded) if length is None else length).to_bytes(2, "little")
    element = b"\x02\x00\x02\x00UI" + stated + padded
    return bytes(128) + b"DICM" + element + b"\x02\x00\x03\x00UI\x04\x001.2\0"


@pytest.mark.parametrize(
    ("content", "failures"),
    [
        (_meta(b"1.2.840.10008.5.1.4.1.1.2"), 0),
        (_meta(b"1.2.840.10008.5.1.4.1.1.66.4"), 0),
        (_meta(b"1.3.12.2.1107.5.9.1"), 0),
        (_meta(b"1.2.840.10008.5.1.4.1.1.88.34"), 1),
        (_meta(b"1.2.840.10008.5.1.4.1.1.2", length=40), 1),
        (_meta(b"1.2.840.10008.5.1.4.1.1.2")[128:], 1),
        (_meta(b"1.2.840.10008.5.1.4.1.1.2")[:145], 1),
        (_meta(b"1..2.840.10008.5.1.4.1.1.2"), 1),
    ],
    ids=[
        "CT image",
        "segmentation",
        "private class",
        "report without content",
        "class of another length",
        "without preamble",
        "cut within the class",
        "no UID",
    ],
)
def test_dicom_is_passed_by_only_where_it_says_clearly_that_it_is_no_report(
    tmp_path: Path, content: bytes, failures: int
) -> None:
    _saved(tmp_path, _reading("1.2.1"))
    (tmp_path / "image.dcm").write_bytes(content)
    assert len(cases.saved_cases(tmp_path).failures) == failures


def test_other_json_beside_records_is_passed_by(tmp_path: Path) -> None:
    _saved(tmp_path, _reading("1.2.1"))
    (tmp_path / "truth.json").write_text('{"volume_mm3": 12.5}')
    assert cases.saved_cases(tmp_path).failures == ()


def test_a_file_that_cannot_be_opened_is_a_failure(tmp_path: Path) -> None:
    _saved(tmp_path, _reading("1.2.1"))
    file = tmp_path / "1.2.2.json"
    os.symlink(tmp_path / "nowhere", file)
    (failure,) = cases.saved_cases(tmp_path).failures
    assert str(file) in str(failure)


def test_a_folder_that_cannot_be_looked_into_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _saved(tmp_path, _reading("1.2.1"))
    closed = tmp_path / "closed"
    closed.mkdir()
    scandir = os.scandir

    def refusing(path: str) -> Any:
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    (failure,) = cases.saved_cases(tmp_path).failures
    assert str(closed) in str(failure)


def test_two_readings_of_one_uid_are_named_with_what_differs(tmp_path: Path) -> None:
    first = _reading("1.2.1")
    _saved(tmp_path / "one", first)
    _saved(tmp_path / "two", _reading("1.2.1", patient="P-2", reader="another"))
    read = cases.saved_cases(tmp_path)
    assert [case.assessments for case in read.cases] == [(first,)]
    (failure,) = read.failures
    assert "differs in patient, reader" in str(failure)
    assert str(tmp_path / "one") in str(failure)
    assert str(tmp_path / "two") in str(failure)


def test_json_and_sr_of_one_reading_are_one(
    small_study: Path, small_protocol: Path, tmp_path: Path
) -> None:
    made = ot.measure(small_study, small_protocol)
    ot.save(made, tmp_path / "out" / "assessment.json")
    ot.save(made, tmp_path / "out", images=ot.scan(small_study))
    assert len(list((tmp_path / "out").iterdir())) == 2
    read = cases.saved_cases(tmp_path / "out")
    assert [case.assessments for case in read.cases] == [(made,)]
    assert read.failures == ()


def test_copies_of_one_reading_are_one(tmp_path: Path) -> None:
    for copy in ("one", "two"):
        _saved(tmp_path / copy, _reading("1.2.1"))
    read = cases.saved_cases(tmp_path)
    assert [len(case.assessments) for case in read.cases] == [1]
    assert read.failures == ()


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OsteotraceError, match="no record"):
        cases.saved_cases(tmp_path)


def test_a_reading_that_was_amended_no_longer_counts(tmp_path: Path) -> None:
    first = _reading("1.2.1")
    amended = _reading("1.2.2", predecessor_uid="1.2.1")
    (case,) = cases.saved_cases(_saved(tmp_path, first, amended)).cases
    assert case.assessments == (first, amended)
    assert case.current() == (amended,)


def test_facts_are_added_to_the_records_of_their_patient(tmp_path: Path) -> None:
    _saved(tmp_path / "out", _reading("1.2.1"), _reading("1.2.3", patient="P-0"))
    case, stated, _ = cases.one_case(tmp_path / "out", _facts(tmp_path))
    assert case.patient == "P-1"
    assert {fact.name for fact in case.facts} == {"exposed_bone", "pus"}
    assert case.drugs == stated.drugs


def test_facts_of_another_patient_are_refused(tmp_path: Path) -> None:
    _saved(tmp_path / "out", _reading("1.2.1", patient="P-7"))
    with pytest.raises(OsteotraceError, match=r"patient P-1.*facts of P-7"):
        cases.one_case(tmp_path / "out", _facts(tmp_path))


@pytest.mark.parametrize("others", [(), ("P-7",)])
def test_facts_that_name_a_patient_are_not_added_to_records_that_name_none(
    tmp_path: Path, others: tuple[str, ...]
) -> None:
    _saved(tmp_path / "out", _reading("1.2.1", patient=""))
    for patient in others:
        _saved(tmp_path / "out", _reading("1.2.2", patient=patient))
    with pytest.raises(OsteotraceError, match=r"patient P-1.*without a pseudonym"):
        cases.one_case(tmp_path / "out", _facts(tmp_path))


def test_a_refusal_names_the_record_of_the_patient_that_could_not_be_read(
    tmp_path: Path,
) -> None:
    folder = _saved(tmp_path / "out", _reading("1.2.1"), _reading("1.2.2", patient="P-7"))
    damaged = folder / "1_2_1" / "assessment.json"
    damaged.write_bytes(b"")
    with pytest.raises(OsteotraceError) as refused:
        cases.one_case(folder, _facts(tmp_path))
    assert str(damaged) in str(refused.value)


def test_facts_that_name_nobody_are_added_to_records_that_name_none(
    tmp_path: Path,
) -> None:
    _saved(tmp_path / "out", _reading("1.2.1", patient=""))
    facts = _facts(tmp_path, FACTS.replace('patient = "P-1"', ""))
    case, _, _ = cases.one_case(tmp_path / "out", facts)
    assert (case.patient, len(case.assessments)) == ("", 1)
    assert case.drugs


def test_records_of_two_patients_without_a_choice_are_refused(tmp_path: Path) -> None:
    _saved(tmp_path / "out", _reading("1.2.1"), _reading("1.2.3", patient="P-0"))
    with pytest.raises(OsteotraceError, match="2 patients: P-0, P-1"):
        cases.one_case(tmp_path / "out")


def test_facts_alone_are_a_case(tmp_path: Path) -> None:
    case, _, _ = cases.one_case(None, _facts(tmp_path))
    assert {result.lowest for result in cases.stages(case, systems=["aaoms_2022"])} == {
        "2"
    }


def test_nothing_given_is_refused() -> None:
    with pytest.raises(OsteotraceError, match="nothing to stage"):
        cases.one_case(None, None)


OVERRIDE = (
    FACTS
    + """
[[override]]
system = "aaoms_2022"
date = "2024-05-01"
stage = "{stage}"
reason = "seen at surgery"
"""
)


def test_a_stage_that_a_reader_sets_is_kept_with_its_reason(tmp_path: Path) -> None:
    facts = _facts(tmp_path, OVERRIDE.format(stage="3"))
    case, stated, _ = cases.one_case(None, facts)
    both = {one.system: one for one in cases.stages(case, stated=stated)}
    override = both["aaoms_2022"].override
    assert override is not None
    assert (override.stage, override.author) == ("3", "Dr Kim")
    assert both["aaoms_2022"].as_text == "3 (set by the reader; computed 2..3)"
    assert both["aaoms_2014"].override is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("{stage}", "4"), "the stage '4'"),
        (('"seen at surgery"', '" "'), "without a reason"),
        (('"aaoms_2022"', '"of_class"'), "for of_class"),
    ],
)
def test_a_stage_that_cannot_be_set_is_refused(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    text = OVERRIDE.replace(*change).replace("{stage}", "3")
    case, stated, _ = cases.one_case(None, _facts(tmp_path, text))
    with pytest.raises(OsteotraceError, match=message):
        cases.stages(case, stated=stated)


def test_a_stage_set_for_another_day_does_not_count(tmp_path: Path) -> None:
    text = OVERRIDE.format(stage="3").replace(
        'date = "2024-05-01"\nstage', 'date = "2024-05-02"\nstage'
    )
    case, stated, _ = cases.one_case(None, _facts(tmp_path, text))
    results = cases.stages(case, "2024-05-01", stated=stated)
    assert all(result.override is None for result in results)
