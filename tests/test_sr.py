"""A reading saved as a DICOM structured report comes back equal, or not at all."""

from __future__ import annotations

import datetime
import random
import struct
from typing import TYPE_CHECKING

import msgspec
import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian
from tests.fixtures.assessments import (
    ASSESSMENT_UID,
    NUMBERS,
    TEXTS,
    assessment,
    caliper_finding,
    ct_image,
    random_assessment,
)
from tests.fixtures.small_study import CT_FRAME_UID, CT_SERIES_UID, STUDY_UID
from tests.fixtures.stated_assessments import (
    set_by_the_reader,
    stated_drugs,
    stated_facts,
)

from osteotrace import about, series
from osteotrace.codes import PRIVATE_SCHEME, PRIVATE_SCHEME_UID, QUANTITIES
from osteotrace.errors import OsteotraceError
from osteotrace.findings import to_json
from osteotrace.measurements.measurement import Detail, Measurement
from osteotrace.records import assessments, sr
from osteotrace.records.report_content import reading as sr_reading
from osteotrace.regions import extent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    from osteotrace.findings import Assessment, Finding
    from osteotrace.series import Catalogue

NOW = datetime.datetime(2024, 5, 1, 10, 30)


@pytest.fixture(scope="module")
def catalogue(small_study: Path) -> Catalogue:
    return series.scan(small_study)


@pytest.fixture(scope="module")
def saved(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The caliper reading of the small study as a report."""
    folder = tmp_path_factory.mktemp("records")
    return sr.write(assessment(caliper_finding()), catalogue, folder, now=NOW)


@pytest.fixture(scope="module")
def document(saved: Path) -> Dataset:
    return dcmread(saved)


def _items(item: Dataset) -> Iterator[Dataset]:
    """Yield every content item below one, at any depth."""
    for child in item.get("ContentSequence", []):
        yield child
        yield from _items(child)


def _named(item: Dataset, value: str) -> list[Dataset]:
    return [i for i in _items(item) if i.ConceptNameCodeSequence[0].CodeValue == value]


def _with_finding(**changes: object) -> Assessment:
    return assessment(msgspec.structs.replace(caliper_finding(), **changes))


def _with_value(**changes: object) -> Assessment:
    value = msgspec.structs.replace(caliper_finding().measurements[0], **changes)
    return _with_finding(measurements=(value,))


# Nothing is lost -----------------------------------------------------------------


def test_a_caliper_reading_comes_back_equal(saved: Path) -> None:
    assert sr.read(saved) == assessment(caliper_finding())


@pytest.mark.parametrize("seed", range(12))
def test_any_reading_comes_back_equal(
    catalogue: Catalogue, tmp_path: Path, seed: int
) -> None:
    drawn = random_assessment(seed)
    back = sr.read(sr.write(drawn, catalogue, tmp_path, now=NOW))
    assert back == drawn
    assert to_json(back) == to_json(drawn)


def test_a_reading_without_findings_comes_back_equal(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    empty = msgspec.structs.replace(assessment(), facts=(), series=())
    assert sr.read(sr.write(empty, catalogue, tmp_path)) == empty


def test_every_number_comes_back_to_the_bit(catalogue: Catalogue, tmp_path: Path) -> None:
    details = tuple(Detail(f"number {n}", v, "mm") for n, v in enumerate(NUMBERS))
    path = sr.write(_with_value(details=details), catalogue, tmp_path)
    back = sr.read(path).findings[0].measurements[0]
    assert isinstance(back, Measurement)
    assert [struct.pack("<d", d.value) for d in back.details] == [
        struct.pack("<d", value) for value in NUMBERS
    ]


def test_a_coordinate_of_minus_zero_keeps_its_sign(saved: Path) -> None:
    x = extent(sr.read(saved).findings[0].regions[0])[1][0]
    assert struct.pack("<d", x) == struct.pack("<d", -0.0)


def test_every_text_comes_back_to_the_character(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    findings = [
        msgspec.structs.replace(
            caliper_finding(), label=text, note=text, regions=(), measurements=()
        )
        for text in TEXTS
    ]
    back = sr.read(sr.write(assessment(*findings), catalogue, tmp_path))
    assert [(f.label, f.note) for f in back.findings] == [(t, t) for t in TEXTS]


@pytest.mark.parametrize(
    "reader", ["", "Kim^Jörg", "김철수", "a\\b=c", "n" * 200, "^^^^^^", "reader "]
)
def test_any_name_of_a_reader_comes_back(
    catalogue: Catalogue, tmp_path: Path, reader: str
) -> None:
    reading = msgspec.structs.replace(assessment(), reader=reader)
    assert sr.read(sr.write(reading, catalogue, tmp_path)) == reading


def test_whole_numbers_given_as_integers_are_saved(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    back = sr.read(sr.write(_with_value(value=12), catalogue, tmp_path))
    value = back.findings[0].measurements[0]
    assert isinstance(value, Measurement)
    assert value.value == 12.0


def test_a_mapping_of_files_serves_as_well_as_a_scan(
    catalogue: Catalogue, tmp_path: Path, saved: Path
) -> None:
    volumes = [volume for found in catalogue for volume in found.volumes]
    files = {u: i.path for u, i in series.instances_by_uid(volumes).items()}
    path = sr.write(assessment(caliper_finding()), files, tmp_path, now=NOW)
    assert path.read_bytes() == saved.read_bytes()


def test_a_reading_of_a_real_scan_comes_back_equal(
    real_dicom: Path, tmp_path: Path
) -> None:
    found = series.scan(real_dicom / "jaw_ct_cerr")
    header = found.choose()
    line = msgspec.structs.replace(
        caliper_finding().regions[0],
        frame_of_reference_uid=header.frame_of_reference_uid,
        source_instances=(header.instances[3].sop_instance_uid,),
    )
    reading = msgspec.structs.replace(
        _with_finding(regions=(line,), measurements=()),
        study_uid=header.identity.study_uid,
    )
    assert sr.read(sr.write(reading, found, tmp_path)) == reading


def test_another_encoding_of_the_same_content_is_read(
    saved: Path, tmp_path: Path
) -> None:
    document = dcmread(saved)
    document.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    document.save_as(tmp_path / "implicit.dcm", implicit_vr=True, little_endian=True)
    assert sr.read(tmp_path / "implicit.dcm") == assessment(caliper_finding())


# The file ------------------------------------------------------------------------


def test_the_same_input_gives_the_same_bytes(
    saved: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    again = sr.write(assessment(caliper_finding()), catalogue, tmp_path, now=NOW)
    assert again.read_bytes() == saved.read_bytes()


def test_uids_and_time_are_as_asked(catalogue: Catalogue, tmp_path: Path) -> None:
    path = sr.write(
        assessment(caliper_finding()),
        catalogue,
        tmp_path / "new folder",
        sop_instance_uid="2.25.1",
        series_uid="2.25.2",
        now=NOW,
    )
    document = dcmread(path)
    assert path.name == "2.25.1.dcm"
    assert document.SOPInstanceUID == "2.25.1"
    assert document.SeriesInstanceUID == "2.25.2"
    assert (document.ContentDate, document.ContentTime) == ("20240501", "103000")
    assert document.InstanceCreationDate == "20240501"
    assert sr.read(path).assessment_uid == ASSESSMENT_UID


def test_a_saved_report_is_never_overwritten(saved: Path, catalogue: Catalogue) -> None:
    before = saved.read_bytes()
    with pytest.raises(OsteotraceError, match=r"a file that exists.*amendment"):
        sr.write(_with_finding(note="changed"), catalogue, saved.parent, now=NOW)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("uid", ["../2.25.1", "2.25.1/../../x", "2.25.", "1." * 40, "x"])
def test_only_a_uid_becomes_a_file_name(
    catalogue: Catalogue, tmp_path: Path, uid: str
) -> None:
    with pytest.raises(OsteotraceError, match="UID"):
        sr.write(
            assessment(), catalogue, tmp_path / "records", sop_instance_uid=uid, now=NOW
        )
    assert list(tmp_path.iterdir()) == []


# What it says to others ------------------------------------------------------------


def test_it_is_partial_unverified_and_marked_for_research(document: Dataset) -> None:
    assert document.SOPClassUID.name == "Comprehensive 3D SR Storage"
    assert document.CompletionFlag == "PARTIAL"
    assert document.VerificationFlag == "UNVERIFIED"
    comments = [i.TextValue for i in _named(document, "121106")]
    assert about.RESEARCH_USE_STATEMENT_ASCII in comments


def test_patient_and_study_come_from_the_images(document: Dataset) -> None:
    assert document.PatientName == "Test^One"
    assert document.PatientID == "TEST-1"
    assert document.StudyInstanceUID == STUDY_UID
    assert document.StudyDate == "20240102"
    assert document.SpecificCharacterSet == "ISO_IR 192"


def test_the_reader_and_the_software_are_its_observers(document: Dataset) -> None:
    (person,) = [
        item
        for item in document.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "121008"
    ]
    (device,) = _named(document, "121013")
    assert str(person.PersonName) == "Jörg Kim^"
    assert device.TextValue == "osteotrace 0.1.0"
    assert document.SoftwareVersions == about.VERSION


def test_the_private_scheme_is_identified(document: Dataset) -> None:
    (scheme,) = document.CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == PRIVATE_SCHEME
    assert scheme.CodingSchemeUID == PRIVATE_SCHEME_UID


def test_the_image_library_lists_the_slices_used_and_no_others(
    document: Dataset,
) -> None:
    (library,) = _named(document, "111028")
    listed = [
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in _items(library)
        if item.ValueType == "IMAGE"
    ]
    assert listed == [ct_image(11), ct_image(12)]
    (evidence,) = document.CurrentRequestedProcedureEvidenceSequence
    (referenced,) = evidence.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == CT_SERIES_UID
    assert len(referenced.ReferencedSOPSequence) == 2


def test_a_caliper_is_a_planar_group_with_its_line_under_the_number(
    document: Dataset,
) -> None:
    (group,) = _named(document, "125007")
    assert group.ContentTemplateSequence[0].TemplateIdentifier == "1410"
    (image_region,) = _named(group, "111030")
    value = next(i for i in group.ContentSequence if i.ValueType == "NUM")
    (below,) = [i for i in value.ContentSequence if i.ValueType == "SCOORD3D"]
    assert image_region.GraphicType == below.GraphicType == "POLYLINE"
    assert list(image_region.GraphicData) == list(below.GraphicData)
    assert below.RelationshipType == "INFERRED FROM"
    assert image_region.ReferencedFrameOfReferenceUID == CT_FRAME_UID


def test_tracking_and_finding_and_site_are_where_the_template_has_them(
    document: Dataset,
) -> None:
    assert [i.TextValue for i in _named(document, "112039")] == ["PAL-1"]
    assert [i.UID for i in _named(document, "112040")] == ["2.25.3001"]
    (kind,) = _named(document, "121071")
    assert kind.ConceptCodeSequence[0].CodeValue == "F-PALBONE"
    (site,) = _named(document, "363698007")
    assert site.ConceptCodeSequence[0].CodeValue == "90228003"
    (side,) = _named(site, "272741003")
    assert side.ConceptCodeSequence[0].CodeMeaning == "Left"


def test_a_value_is_a_decimal_string_beside_its_bits(document: Dataset) -> None:
    value = next(i for i in _named(document, "M-GAPAP"))
    (measured,) = value.MeasuredValueSequence
    assert measured.FloatingPointValue == 12.070000000000001
    assert len(str(measured.NumericValue)) <= 16
    assert float(measured.NumericValue) == pytest.approx(12.07, abs=1e-12)
    assert measured.MeasurementUnitsCodeSequence[0].CodeValue == "mm"


def test_an_uncertainty_has_the_unit_of_its_value(document: Dataset) -> None:
    (uncertainty,) = _named(document, "371884006")
    (measured,) = uncertainty.MeasuredValueSequence
    assert measured.FloatingPointValue == 0.021
    assert measured.MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    assert uncertainty.RelationshipType == "HAS PROPERTIES"


def test_what_was_not_measured_is_a_number_without_value_that_says_why(
    document: Dataset,
) -> None:
    (refused,) = _named(document, "M-LPERP")
    assert len(refused.MeasuredValueSequence) == 0
    (qualifier,) = refused.NumericValueQualifierCodeSequence
    assert qualifier.CodeMeaning == "Measurement failure"
    assert [i.TextValue for i in _named(refused, "Q-NOTMEAS")] == [
        "the walls are not parallel"
    ]


def test_highdicom_reads_the_groups_by_their_template(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    from highdicom.sr import MeasurementReport, srread
    from pydicom.sr.coding import Code

    # highdicom 0.28 reads no document that holds a NUM without a value.
    measured = caliper_finding().measurements[:2]
    path = sr.write(_with_finding(measurements=measured), catalogue, tmp_path)
    report = srread(path).content
    assert isinstance(report, MeasurementReport)
    (group,) = report.get_planar_roi_measurement_groups()
    assert group.tracking_identifier == "PAL-1"
    assert group.tracking_uid == "2.25.3001"
    assert group.finding_type == Code("F-PALBONE", PRIVATE_SCHEME, "")
    assert group.roi is not None
    assert group.roi.value.shape == (2, 3)
    values = [m.value for m in group.get_measurements() if m.name.value == "M-GAPAP"]
    assert values == [12.070000000000001]


def test_no_item_carries_more_than_one_field_as_text(document: Dataset) -> None:
    longest = max(
        len(i.TextValue)
        for i in _items(document)
        if i.ValueType == "TEXT" and i.TextValue != about.RESEARCH_USE_STATEMENT_ASCII
    )
    # The SHA-256 digests and the definition; a blob of fields would be far longer.
    assert longest <= 64


def test_a_report_whose_uids_were_replaced_is_refused_and_told_why(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    path = sr.write(assessment(caliper_finding()), catalogue, tmp_path)
    document = dcmread(path)
    document.walk(_replace_uids)
    document.save_as(path)
    with pytest.raises(OsteotraceError) as caught:
        sr.read(path)
    assert "de-identification" in caught.value.advice
    assert "from the original" in caught.value.advice


def _replace_uids(_: Dataset, element: DataElement) -> None:
    """Do as de-identification does (PS3.15 E.3.9)."""
    if element.VR == "UI" and str(element.value).startswith("2.25."):
        element.value = f"{element.value}0"


# Amendments ------------------------------------------------------------------------


def test_an_amendment_names_its_predecessor(saved: Path, catalogue: Catalogue) -> None:
    amendment = msgspec.structs.replace(
        _with_finding(note="amended"),
        assessment_uid="2.25.2002",
        predecessor_uid=ASSESSMENT_UID,
    )
    path = sr.write(amendment, catalogue, saved.parent, now=NOW)
    try:
        (study,) = dcmread(path).PredecessorDocumentsSequence
        reference = study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == ASSESSMENT_UID
        assert sr.read(path) == amendment
        assert sr.read(saved) == assessment(caliper_finding())
    finally:
        path.unlink()


def test_a_predecessor_elsewhere_is_named_by_its_file(
    saved: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    amendment = msgspec.structs.replace(
        assessment(caliper_finding(), uid="2.25.2003"), predecessor_uid=ASSESSMENT_UID
    )
    with pytest.raises(OsteotraceError, match="no record there"):
        sr.write(amendment, catalogue, tmp_path)
    path = sr.write(amendment, catalogue, tmp_path, predecessor=saved)
    assert sr.read(path) == amendment


# What cannot be written --------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        (_with_finding(kind="unheard_of"), "kind 'unheard_of'"),
        (_with_finding(tracking_uid="PAL-1"), "'PAL-1' as Tracking Unique Identifier"),
        (_with_value(code=QUANTITIES["distance"]), "code 121206 of DCM"),
        (_with_finding(note="a \x00 in it"), "control character"),
        (_with_finding(label="half a pair \ud800"), "control character"),
    ],
    ids=["kind", "uid", "code", "nul", "surrogate"],
)
def test_what_dicom_cannot_hold_is_refused_and_nothing_is_left(
    catalogue: Catalogue, tmp_path: Path, reading: Assessment, message: str
) -> None:
    folder = tmp_path / "records"
    with pytest.raises(OsteotraceError, match=message):
        sr.write(reading, catalogue, folder)
    assert not folder.exists()


def _line(**changes: object) -> Finding:
    """Return the finding with its first line alone, changed."""
    line = msgspec.structs.replace(caliper_finding().regions[0], **changes)
    return msgspec.structs.replace(caliper_finding(), regions=(line,))


NO_FRAME = r"finding\(s\) without a FrameOfReferenceUID \(0020,0052\), first 'PAL-1'"
NO_IMAGE = r"finding\(s\) marked on no DICOM image, first 'PAL-1'"


@pytest.mark.parametrize(
    ("findings", "message"),
    [
        ([_line(frame_of_reference_uid="")], f"1 {NO_FRAME}"),
        ([_line(source_instances=())], f"1 {NO_IMAGE}"),
        (
            [_line(frame_of_reference_uid="", source_instances=())],
            f"1 {NO_FRAME}; 1 {NO_IMAGE}",
        ),
        ([caliper_finding(), _line(frame_of_reference_uid="")], f"1 {NO_FRAME}"),
        (2 * [_line(frame_of_reference_uid="")], f"2 {NO_FRAME}"),
    ],
    ids=["no frame", "no images", "neither", "one of two", "two"],
)
def test_a_finding_that_says_not_where_it_lies_lives_in_json_alone(
    catalogue: Catalogue, tmp_path: Path, findings: list[Finding], message: str
) -> None:
    reading = assessment(*findings)
    for images in (catalogue, None):
        with pytest.raises(OsteotraceError, match=message) as caught:
            assessments.save(reading, tmp_path / "records", images=images)
        assert caught.value.advice.startswith("keep this reading as JSON and tables")
    assert list(tmp_path.iterdir()) == []
    file = assessments.save(reading, tmp_path / "reading.json")
    assert assessments.read(file) == reading


def test_a_missing_image_is_named(catalogue: Catalogue, tmp_path: Path) -> None:
    line = msgspec.structs.replace(
        caliper_finding().regions[0], source_instances=("2.25.404",)
    )
    with pytest.raises(OsteotraceError, match=r"1 of the images absent.*2\.25\.404"):
        sr.write(_with_finding(regions=(line,)), catalogue, tmp_path)


def test_images_of_another_study_are_refused(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    other = msgspec.structs.replace(assessment(), study_uid="2.25.999")
    with pytest.raises(OsteotraceError, match=r"no image of the study 2\.25\.999"):
        sr.write(other, catalogue, tmp_path)
    volumes = [volume for found in catalogue for volume in found.volumes]
    files = {u: i.path for u, i in series.instances_by_uid(volumes).items()}
    with pytest.raises(OsteotraceError, match=rf"of the study {STUDY_UID}"):
        sr.write(other, files, tmp_path)


# Images that differ from the book ------------------------------------------------------


def _changed_image(catalogue: Catalogue, folder: Path, **changes: object) -> Path:
    """Write the first CT slice with header elements changed, or removed by None."""
    header = catalogue.choose(CT_SERIES_UID).instances[0]
    image = dcmread(header.path)
    for keyword, value in changes.items():
        if value is None:
            delattr(image, keyword)
        else:
            setattr(image, keyword, value)
    image.save_as(folder / "image.dcm")
    return folder / "image.dcm"


@pytest.mark.parametrize(
    "changes",
    [
        {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jürgen"},
        {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "김^철수"},
        {
            "SpecificCharacterSet": ["", "ISO 2022 IR 149"],
            "PatientName": "Kim^Chulsoo=金^喆洙=김^철수",
        },
        {"PatientName": ""},
        {"PatientName": "WithoutCaret"},
    ],
    ids=["latin", "utf-8", "korean", "empty", "one component"],
)
def test_a_patient_name_survives_the_change_of_character_set(
    catalogue: Catalogue, tmp_path: Path, changes: dict[str, object]
) -> None:
    image = _changed_image(catalogue, tmp_path, **changes)
    path = sr.write(assessment(), {ct_image(1): image}, tmp_path / "records")
    assert dcmread(path).PatientName == changes["PatientName"]


@pytest.mark.filterwarnings("ignore:Invalid value for VR AS")
def test_a_header_with_gaps_still_serves(catalogue: Catalogue, tmp_path: Path) -> None:
    image = _changed_image(
        catalogue,
        tmp_path,
        SliceThickness=None,
        AccessionNumber=None,
        StudyID=None,
        PatientSex="U",
        PatientBirthDate=None,
        PatientAge="7Y",
    )
    path = sr.write(assessment(), {ct_image(1): image}, tmp_path / "records")
    document = dcmread(path)
    assert document.AccessionNumber == ""
    assert document.PatientSex == ""
    assert "PatientAge" not in document
    assert _named(document, "112225") == []
    assert len(_named(document, "111026")) == 1


def test_no_patient_identity_is_logged(
    catalogue: Catalogue,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    image = _changed_image(catalogue, tmp_path, PatientName="Secretname")
    sr.write(assessment(), {ct_image(1): image}, tmp_path / "records")
    streams = capfd.readouterr()
    assert "Secretname" not in caplog.text + streams.out + streams.err


# What cannot be read -------------------------------------------------------------------


@pytest.fixture(scope="module")
def every_part(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small record with a finding, facts, a drug, a staging and its override."""
    finding = caliper_finding()
    value = msgspec.structs.replace(finding.measurements[0], region="", details=())
    reading = msgspec.structs.replace(
        assessment(msgspec.structs.replace(finding, measurements=(value,))),
        facts=stated_facts()[:4],
        drugs=stated_drugs()[:1],
        stagings=(set_by_the_reader(),),
        not_understood=("a container of another scheme",),
    )
    return sr.write(reading, catalogue, tmp_path_factory.mktemp("whole"), now=NOW)


def _flipped(content: bytes, chance: random.Random) -> bytes:
    """Return the content with one bit changed."""
    position = chance.randrange(len(content))
    flipped = content[position] ^ (1 << chance.randrange(8))
    return content[:position] + bytes([flipped]) + content[position + 1 :]


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def _refused(
    record: Path, file: Path, damage: Callable[[bytes, random.Random], bytes], count: int
) -> int:
    """Return how many damaged copies are refused; every other reads as the whole one."""
    whole, content, chance = sr.read(record), record.read_bytes(), random.Random(5)
    refused = 0
    for _ in range(count):
        file.write_bytes(damage(content, chance))
        try:
            back = sr.read(file)
        except OsteotraceError as problem:
            # An error that names no file would not count.
            refused += problem.where == str(file)
        else:
            assert back == whole
            assert to_json(back) == to_json(whole)
    return refused


@pytest.mark.parametrize(
    "count", [60, pytest.param(400, marks=pytest.mark.slow)], ids=["some", "400"]
)
def test_damage_never_yields_another_reading(
    every_part: Path, tmp_path: Path, count: int
) -> None:
    refused = _refused(every_part, tmp_path / "damaged.dcm", _flipped, count)
    # A bit of the header or of a length may change; most of the file is content.
    assert refused > 0.6 * count


@pytest.mark.parametrize(
    "count", [40, pytest.param(300, marks=pytest.mark.slow)], ids=["some", "300"]
)
def test_a_truncated_report_is_never_read(
    every_part: Path, tmp_path: Path, count: int
) -> None:
    assert _refused(every_part, tmp_path / "cut.dcm", _cut, count) == count


def test_a_changed_value_is_found_out(saved: Path, tmp_path: Path) -> None:
    document = dcmread(saved)
    value = _named(document, "M-GAPAP")[0]
    value.MeasuredValueSequence[0].FloatingPointValue = 12.08
    document.save_as(tmp_path / "edited.dcm")
    with pytest.raises(OsteotraceError, match="does not match its SHA-256"):
        sr.read(tmp_path / "edited.dcm")


def test_a_report_filed_under_another_study_is_refused(
    saved: Path, tmp_path: Path
) -> None:
    document = dcmread(saved)
    document.StudyInstanceUID = "2.25.999"
    document.save_as(tmp_path / "moved.dcm")
    with pytest.raises(OsteotraceError, match="filed under the study"):
        sr.read(tmp_path / "moved.dcm")


def test_a_report_of_a_later_version_is_refused(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sr_reading, "READABLE_VERSIONS", (1,))
    monkeypatch.setattr(sr, "_kept", {})
    with pytest.raises(OsteotraceError, match=r"schema version 2.*version 1"):
        sr.read(saved)


def test_a_report_of_other_software_is_refused(saved: Path, tmp_path: Path) -> None:
    document = dcmread(saved)
    document.ContentSequence = [
        item
        for item in document.ContentSequence
        if item.ConceptNameCodeSequence[0].CodingSchemeDesignator != PRIVATE_SCHEME
    ]
    document.save_as(tmp_path / "other.dcm")
    with pytest.raises(OsteotraceError, match="other software"):
        sr.read(tmp_path / "other.dcm")


def test_files_of_other_kinds_are_refused(
    catalogue: Catalogue, saved: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not DICOM\n" * 50)
    deflated = dcmread(saved)
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    deflated.save_as(tmp_path / "deflated.dcm")
    image = catalogue.choose(CT_SERIES_UID).instances[0].path
    for file, found in [
        (tmp_path / "empty", "not DICOM"),
        (tmp_path / "notes.txt", "not DICOM"),
        (tmp_path / "deflated.dcm", "transfer syntax"),
        (image, r"another kind \(CT Image Storage\)"),
        (tmp_path / "absent.dcm", "cannot be read"),
    ]:
        with pytest.raises(OsteotraceError, match=found) as caught:
            sr.read(file)
        assert caught.value.where == str(file)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("depth", [40, 3000])
def test_a_report_nested_beyond_reason_is_refused(
    saved: Path, tmp_path: Path, depth: int
) -> None:
    document = dcmread(saved)
    del document.ContentSequence
    document.save_as(tmp_path / "shallow.dcm")
    # Content Sequence (0040,A730) and an item of undefined length, again and again.
    opening = bytes.fromhex("400030a7") + b"SQ\0\0" + b"\xff" * 4
    opening += bytes.fromhex("feff00e0") + b"\xff" * 4
    nested = (tmp_path / "shallow.dcm").read_bytes() + opening * depth
    (tmp_path / "deep.dcm").write_bytes(nested)
    with pytest.raises(OsteotraceError):
        sr.read(tmp_path / "deep.dcm")
