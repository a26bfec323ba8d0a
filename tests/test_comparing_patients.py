"""Whose studies are compared, and what a comparison must not tell: paths, strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from tests.fixtures.compared import finding, reading
from tests.fixtures.followed_studies import followed

from osteotrace.comparison import to_json
from osteotrace.findings import DrugCourse
from osteotrace.protocol import Protocol, Where
from osteotrace.protocol.entries import IntensityEntry
from osteotrace.reading.comparing import compare
from osteotrace.records.sealed_json import sealed

if TYPE_CHECKING:
    from pathlib import Path

BALL = IntensityEntry(
    label="REG-1",
    modality="CT",
    site="maxilla",
    frame_of_reference_uid="2.25.1005",
    region=Where(centre=(0.0, -0.25, 0.0), radius=3.0),
)


def protocol(*entries: IntensityEntry) -> Protocol:
    return Protocol(name="by hand", entries=entries, sha256="ab" * 32)


def test_what_is_stated_of_another_patient_is_not_taken_for_this_one(
    tmp_path: Path,
) -> None:
    gas = [finding("GAS", uid="2.25.1", gas_volume=mm3) for mm3 in (500.0, 900.0)]
    dates = ("2023-06-20", "2024-01-15")
    both = [reading(date, one) for date, one in zip(dates, gas, strict=True)]
    when = "2023-01-01T00:00:00+00:00"
    stated = [
        msgspec.structs.replace(
            reading("2023-01-01"),
            patient=patient,
            study_uid="",
            series=(),
            drugs=(DrugCourse(drug=drug, author="Dr Kim", recorded=when),),
        )
        for patient, drug in (("P-1", "zoledronate"), ("P-STRANGER", "denosumab"))
    ]
    for one in (*both, *stated):
        named = msgspec.structs.replace(one, software="osteotrace 0")
        (tmp_path / f"{one.assessment_uid}.json").write_bytes(sealed(named))
    found = compare(tmp_path)
    assert [one.drug for one in found.comparison.drugs] == ["zoledronate"]


def test_a_comparison_tells_no_path(small_study: Path, tmp_path: Path) -> None:
    undated = followed(small_study, tmp_path / "DOE_JANE", date="")
    later = followed(small_study, tmp_path / "later", date="20250101", series="mr")
    found = compare(
        *(undated, later),
        protocols=[protocol(BALL), protocol()],
        carry=True,
    )
    assert found.comparison.studies[0].date == ""
    assert "DOE_JANE" not in to_json(found.comparison).decode()
    again = followed(small_study, tmp_path / "again", date="20250202")
    found = compare(undated, again, protocols=[protocol(BALL), protocol()])
    assert found.assessments[1].findings
    assert "DOE_JANE" not in to_json(found.comparison).decode()


def test_two_identifiers_of_one_patient_are_named_without_paths(
    small_study: Path, tmp_path: Path
) -> None:
    undated = followed(small_study, tmp_path / "DOE_JANE", date="", PatientID="OTHER")
    found = compare(
        *(small_study, undated),
        protocols=[protocol(BALL)],
        register=False,
        allow_two_patients=True,
    )
    assert any("compared as one patient" in note for note in found.comparison.notes)
    assert "DOE_JANE" not in to_json(found.comparison).decode()
