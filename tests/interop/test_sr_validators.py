"""Saved reports pass two validators: each misses what the other sees."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from pydicom import dcmread
from tests.fixtures.assessments import (
    ASSESSMENT_UID,
    assessment,
    caliper_finding,
    random_assessment,
)
from tests.fixtures.generated_assessments import assessments, whole_vocabulary
from tests.fixtures.stated_assessments import mronj_staging, stated_assessment

from osteotrace import series
from osteotrace.codes import KINDS, PRIVATE_SCHEME, PRIVATE_SCHEME_UID, SITES
from osteotrace.findings import Assessment, from_json, to_json
from osteotrace.measurements.measurement import Measurement
from osteotrace.records import sr
from osteotrace.uids import source_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.enhanced_study import EnhancedStudy

    from osteotrace.series import Catalogue

pytestmark = pytest.mark.interop

PACKAGES = {"dciodvfy": "dicom3tools", "dsrdump": "dcmtk"}
# dcmtk 3.6 checks no text against UTF-8, and says so of every such file.
UTF_8_UNCHECKED = (
    "The VR checker does not support this Specific Character Set: ISO_IR 192"
)


@pytest.fixture(scope="module")
def catalogue(small_study: Path) -> Catalogue:
    return series.scan(small_study)


def _output(program: str, *arguments: object) -> tuple[int, list[str], str]:
    """Return the exit code, the lines of standard error, and standard output."""
    if shutil.which(program) is None:
        pytest.fail(f"{program} is missing: apt-get install {PACKAGES[program]}")
    done = subprocess.run(
        [program, *map(str, arguments)],
        capture_output=True,
        text=True,
        # dciodvfy cuts what it quotes within a character.
        errors="replace",
        check=False,
    )
    return done.returncode, [x for x in done.stderr.split("\n") if x], done.stdout


def _readings() -> dict[str, Assessment]:
    """Return readings that together use every kind of item."""
    plain = assessment(caliper_finding())
    absent = msgspec.structs.replace(
        caliper_finding(),
        presence="absent",
        regions=(),
        measurements=(),
        note="",
        laterality="",
    )
    return {
        "caliper": plain,
        "absent finding": assessment(absent),
        "nothing found": msgspec.structs.replace(assessment(), facts=(), series=()),
        "no reader": msgspec.structs.replace(plain, reader=""),
        "Korean reader": msgspec.structs.replace(plain, reader="김철수"),
        "facts, drugs and stagings": stated_assessment(),
        "every word of the vocabulary": whole_vocabulary(),
    }


def _saved(
    reading: Assessment, images: Catalogue | dict[str, Path], folder: Path
) -> Path:
    return sr.write(reading, images, folder, now=datetime.datetime(2024, 5, 1, 10, 30))


@pytest.fixture(scope="module")
def saved(
    catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Save one of the readings, once for whoever looks at its report."""

    @cache
    def save(name: str) -> Path:
        return _saved(_readings()[name], catalogue, tmp_path_factory.mktemp("saved"))

    return save


def _without_tabs(reading: Assessment) -> Assessment:
    """Return a reading with blanks for tabs, which dicom3tools of 2022 refuses in UT."""
    return from_json(to_json(reading).replace(rb"\t", b" "), Assessment)


def _concerns(lines: list[str]) -> list[str]:
    """Return what a validator says beyond what is known and wanted."""
    return [
        line
        for line in lines
        # The private coding scheme, which no validator can know.
        if f"<{PRIVATE_SCHEME}>" not in line
        and f"<{PRIVATE_SCHEME_UID}>" not in line
        # dciodvfy names the kind of object it found.
        and line != "Comprehensive3DSR"
        and UTF_8_UNCHECKED not in line
    ]


def _check_valid(path: Path) -> None:
    for arguments in (("dciodvfy", "-new"), ("dsrdump",)):
        code, said, _ = _output(*arguments, path)
        assert _concerns(said) == []
        assert code == 0


@pytest.mark.parametrize("name", list(_readings()))
@pytest.mark.parametrize(
    "arguments", [("dciodvfy", "-new"), ("dsrdump",)], ids=lambda a: a[0]
)
def test_a_report_is_valid(
    saved: Callable[[str], Path], name: str, arguments: tuple[str, ...]
) -> None:
    code, said, _ = _output(*arguments, saved(name))
    assert _concerns(said) == []
    assert code == 0


@pytest.mark.parametrize("seed", range(6))
def test_any_report_has_no_error(catalogue: Catalogue, tmp_path: Path, seed: int) -> None:
    _check_valid(_saved(_without_tabs(random_assessment(seed)), catalogue, tmp_path))


@settings(
    max_examples=12,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[*HealthCheck],
)
@given(reading=assessments())
def test_any_generated_report_is_valid(
    reading: Assessment, catalogue: Catalogue, tmp_path: Path
) -> None:
    folder = tmp_path / "records"
    shutil.rmtree(folder, ignore_errors=True)
    _check_valid(_saved(_without_tabs(reading), catalogue, folder))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("modality", ["ct", "mr"])
def test_a_report_on_frames_of_an_enhanced_object_is_valid(
    enhanced_study: EnhancedStudy, tmp_path: Path, modality: str, seed: int
) -> None:
    enhanced = getattr(enhanced_study, modality)
    reading = _without_tabs(random_assessment(seed, frames_of=enhanced))
    path = _saved(reading, enhanced_study.images, tmp_path)
    _check_valid(path)


def test_dcmtk_reads_the_frames_that_were_marked(
    enhanced_study: EnhancedStudy, tmp_path: Path
) -> None:
    sources = tuple(source_name(enhanced_study.ct, n) for n in (3, 1, 12))
    line = msgspec.structs.replace(caliper_finding().regions[0], source_instances=sources)
    finding = msgspec.structs.replace(caliper_finding(), regions=(line,), measurements=())
    path = _saved(assessment(finding), enhanced_study.images, tmp_path)
    _check_valid(path)
    _, _, tree = _output("dsrdump", "+Pl", path)
    # As marked below the region, ascending in the library.
    assert 'inferred from IMAGE:(,,"Source")=(CTe image,,3,1,12)' in tree
    assert 'contains IMAGE:(,,"Source")=(CTe image,,1,3,12)' in tree


def test_a_report_on_a_real_enhanced_mr_is_valid(
    real_dicom: Path, tmp_path: Path
) -> None:
    (file,) = (real_dicom / "enh_mr_philips" / "anatomical").rglob("*.dcm")
    image = dcmread(file)
    # As the scanner sent it: the anonymiser took one away and cut the other short.
    image.FrameOfReferenceUID, image.PatientName = "2.25.77", "Test^One"
    image.save_as(tmp_path / "mr.dcm")
    catalogue = series.scan(tmp_path, index=False)
    header = catalogue.choose()
    line = msgspec.structs.replace(
        caliper_finding().regions[0],
        frame_of_reference_uid=header.frame_of_reference_uid,
        source_instances=tuple(i.source for i in header.instances[2:5]),
    )
    finding = msgspec.structs.replace(caliper_finding(), regions=(line,), measurements=())
    reading = msgspec.structs.replace(
        assessment(finding), study_uid=header.identity.study_uid
    )
    path = _saved(reading, catalogue, tmp_path / "records")
    _check_valid(path)
    assert sr.read(path) == reading


def test_an_amendment_is_valid(catalogue: Catalogue, tmp_path: Path) -> None:
    plain = assessment(caliper_finding())
    _saved(plain, catalogue, tmp_path)
    amendment = msgspec.structs.replace(
        plain, assessment_uid="2.25.2002", predecessor_uid=ASSESSMENT_UID
    )
    _check_valid(_saved(amendment, catalogue, tmp_path))


def test_dcmtk_reads_the_value_and_its_uncertainty(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    path = _saved(assessment(caliper_finding()), catalogue, tmp_path)
    _, _, tree = _output("dsrdump", path)
    assert 'NUM:(,,"Palatal gap, antero-posterior")="12.07" (mm,UCUM' in tree
    assert 'NUM:(,,"+/-, range of measurement uncertainty")="0.021" (mm,UCUM' in tree
    assert 'CODE:(,,"Finding")=(F-PALBONE,99OSTEO,"Palatal bony defect")' in tree


@pytest.mark.parametrize(
    "name", ["facts, drugs and stagings", "every word of the vocabulary"]
)
def test_dcmqi_reads_the_same_values_and_units(
    saved: Callable[[str], Path], tmp_path: Path, dcmqi: Callable[..., str], name: str
) -> None:
    reading = _readings()[name]
    groups = _groups_that_dcmqi_reads(saved(name), tmp_path / "groups.json", dcmqi)
    assert len(groups) == len(reading.findings) + len(reading.stagings)
    for finding, group in zip(reading.findings, groups, strict=False):
        assert group["Finding"]["CodeValue"] == KINDS[finding.kind].value
        assert group["FindingSite"]["CodeValue"] == SITES[finding.site].value
        items = group.get("measurementItems") or []
        for value, item in zip(finding.measurements, items, strict=True):
            assert item["quantity"]["CodeValue"] == value.code.value
            if isinstance(value, Measurement):
                assert item["units"]["CodeValue"] == value.unit
                # A decimal string has 16 characters (PS3.5 6.2, VR DS).
                assert float(item["value"]) == pytest.approx(value.value, rel=1e-13)
            else:
                assert item["value"] == ""


def test_dcmqi_reads_a_staging_as_qualitative_evaluations(
    catalogue: Catalogue, tmp_path: Path, dcmqi: Callable[..., str]
) -> None:
    reading = msgspec.structs.replace(assessment(), stagings=(mronj_staging(),))
    path = _saved(reading, catalogue, tmp_path)
    (group,) = _groups_that_dcmqi_reads(path, tmp_path / "groups.json", dcmqi)
    assert group["Finding"]["CodeValue"] == "S-AAOMS22"
    said = [
        (item["conceptCode"]["CodeValue"], item["conceptValue"]["CodeValue"])
        for item in group["qualitativeEvaluations"]
        if isinstance(item["conceptValue"], dict)
    ]
    assert ("G-LOWEST", "AAOMS22-1") in said
    assert ("G-HIGHEST", "AAOMS22-3") in said
    assert ("G-CRIT", "373066001") in said
    texts = [item["conceptValue"] for item in group["qualitativeEvaluations"]]
    assert "1..3" in texts


def _groups_that_dcmqi_reads(
    report: Path, metadata: Path, dcmqi: Callable[..., str]
) -> list[dict[str, Any]]:
    dcmqi("tid1500reader", "--inputDICOM", report, "--outputMetadata", metadata)
    groups: list[dict[str, Any]] = json.loads(metadata.read_text())["Measurements"]
    return groups


def test_a_damaged_report_is_noticed_by_a_validator(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    # The validators run for real: a report without its flag is an error to both.
    path = _saved(assessment(caliper_finding()), catalogue, tmp_path)
    document = dcmread(path)
    del document.CompletionFlag
    document.save_as(tmp_path / "damaged.dcm")
    for arguments in (("dciodvfy", "-new"), ("dsrdump",)):
        _, said, _ = _output(*arguments, tmp_path / "damaged.dcm")
        assert _concerns(said) != []
