"""Structured reports of other software: read as far as they say, the rest listed."""

from __future__ import annotations

import math
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import pytest
from pydicom import dcmread
from pydicom.sr._concepts_dict import concepts as published
from tests.fixtures import foreign_reports as sr_parts
from tests.fixtures.assessments import assessment, caliper_finding, ct_image
from tests.fixtures.foreign_reports import (
    COMMENT,
    COMPREHENSIVE_SR,
    FINDING,
    GROUP,
    IMPLICIT,
    LATERALITY,
    LENGTH,
    MM,
    SITE,
    code,
    group,
    image,
    in_space,
    item,
    modifier,
    no_number,
    number,
    on_image,
    report,
    saved,
    text,
)
from tests.fixtures.small_study import CT_FRAME_UID

import osteotrace as ot
from osteotrace import series
from osteotrace.codes import equivalents
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, check, from_json, to_json
from osteotrace.geometry import distance
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.records import profiles, sr
from osteotrace.records.foreign import report as foreign_sr
from osteotrace.regions import ImagePoints, Points, Polyline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import Dataset

    from osteotrace.codes import Concept
    from osteotrace.findings import Finding
    from osteotrace.measurements.measurement import Reading

HU = ("[hnsf'U]", "UCUM", "Hounsfield unit")
ATTENUATION = ("112031", "DCM", "Attenuation Coefficient")
DERIVATION = ("121401", "DCM", "Derivation")
SEQUESTRUM = ("4857006", "SCT", "Sequestrum")
DEFECT = ("6920004", "SCT", "Defect")
MAXILLA = ("70925003", "SCT", "Maxilla")
MEAN = ("373098007", "SCT", "Mean")
LINE = (0.0, -6.0, 1.0, 0.0, 6.0, 1.0)


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Assessment]:
    """Return what saves a report of some groups and reads it."""

    def saved_and_read(*groups: Dataset, **elements: Any) -> Assessment:
        file = saved(report(*groups, **elements), tmp_path / "report.dcm")
        found = ot.read(file)
        # Whatever is read can be saved as a record of our own.
        check(found)
        assert from_json(to_json(found), Assessment) == found
        return found

    return saved_and_read


def _only(found: Assessment) -> Finding:
    (finding,) = found.findings
    return finding


def _value(reading: Reading) -> Measurement:
    assert isinstance(reading, Measurement)
    return reading


# What a group says ---------------------------------------------------------------------


def test_a_length_in_space_is_read_whole(read: Callable[..., Assessment]) -> None:
    found = read(
        group(
            "PAL-1",
            code(FINDING, SEQUESTRUM),
            code(SITE, MAXILLA, modifier(LATERALITY, ("7771000", "SCT", "Left"))),
            number(LENGTH, "12", MM, in_space("POLYLINE", LINE, CT_FRAME_UID)),
            uid="2.25.77",
        )
    )
    finding = _only(found)
    assert finding.tracking_uid == "2.25.77"
    assert finding.label == "PAL-1"
    assert finding.kind == "sequestrum"
    assert (finding.site, finding.laterality) == ("maxilla", "left")
    # What the report does not say is not said for it.
    assert finding.certainty == "unknown"
    (line,) = finding.regions
    assert isinstance(line, Polyline)
    assert line.points == ((0.0, -6.0, 1.0), (0.0, 6.0, 1.0))
    assert line.frame_of_reference_uid == CT_FRAME_UID
    (length,) = finding.measurements
    value = _value(length)
    assert (value.name, value.value, value.unit) == ("length", 12.0, "mm")
    assert value.method.name == "as reported by Peer Reporter 3"
    assert value.uncertainty is None
    assert value.uncertainty_reason == "not stated by Peer Reporter 3"
    assert value.region == line.role
    assert value.flags == ()
    assert found.not_understood == ()


def test_a_report_names_its_study_patient_and_time(
    read: Callable[..., Assessment],
) -> None:
    found = read(group("1"))
    # It is a reading of the report, not the report.
    assert found.predecessor_uid == sr_parts.REPORT_UID
    assert found.assessment_uid != sr_parts.REPORT_UID
    assert found.study_uid == sr_parts.STUDY_UID
    assert found.study_date == "2024-01-02"
    assert found.recorded == "2024-02-03T04:05:06"
    assert found.software == "Peer Reporter 3"
    assert found.patient.startswith("P-")
    assert "TEST-1" not in to_json(found).decode()


def test_codes_of_the_older_snomed_are_understood(
    read: Callable[..., Assessment],
) -> None:
    found = read(
        group(
            "1",
            code(("G-C0E3", "SRT", "Finding Site"), ("T-11180", "SRT", "Mandible")),
            number(("G-D7FE", "SRT", "Length"), "3.5", MM),
            number(
                ATTENUATION,
                "37.3289",
                HU,
                modifier(DERIVATION, ("R-00317", "SRT", "Mean")),
            ),
        )
    )
    finding = _only(found)
    assert finding.site == "mandible"
    assert [_value(one).name for one in finding.measurements] == ["length", "mean_value"]
    mean = _value(finding.measurements[1])
    assert mean.value == 37.3289
    assert "Attenuation Coefficient (112031 DCM)" in mean.definition
    assert found.not_understood == ()


@pytest.mark.parametrize(
    ("stated", "at", "kind"),
    [
        (("21947006", "SCT", "Compression fracture"), ("66794005", "SCT", "L1"), "vcf"),
        # Of a bone that is no vertebra it is another fracture.
        (("21947006", "SCT", "Compression fracture"), MAXILLA, "lesion"),
        (
            ("6920004", "SCT", "Defect"),
            ("90228003", "SCT", "Palate"),
            "palatal_bony_defect",
        ),
        (("6920004", "SCT", "Defect"), MAXILLA, "lesion"),
        (("F-MOTH", "99OSTEO", "Moth-eaten"), MAXILLA, "moth_eaten"),
        (MAXILLA, None, "region"),
    ],
)
def test_a_kind_is_what_code_and_site_say_together(
    read: Callable[..., Assessment],
    stated: tuple[str, str, str],
    at: tuple[str, str, str] | None,
    kind: str,
) -> None:
    found = read(group("1", code(FINDING, stated), *([code(SITE, at)] if at else [])))
    assert _only(found).kind == kind


def test_an_unknown_finding_and_site_are_kept_in_words_and_listed(
    read: Callable[..., Assessment],
) -> None:
    found = read(
        group(
            "1",
            code(FINDING, ("108369006", "SCT", "Neoplasm")),
            code(SITE, ("10200004", "SCT", "Liver")),
        )
    )
    finding = _only(found)
    assert (finding.kind, finding.site) == ("lesion", "unspecified")
    assert "Finding as reported: Neoplasm (108369006 SCT)" in finding.note
    assert "Finding Site as reported: Liver (10200004 SCT)" in finding.note
    assert [line.split(" / ")[-1] for line in found.not_understood] == [
        "Finding: CODE Neoplasm (108369006 SCT)",
        "Finding Site: CODE Liver (10200004 SCT)",
    ]


def test_a_group_that_names_nothing_is_a_region(read: Callable[..., Assessment]) -> None:
    finding = _only(read(group("1")))
    assert (finding.kind, finding.site, finding.note) == ("region", "unspecified", "")


def test_groups_without_tracking_keep_apart_from_each_other(
    read: Callable[..., Assessment],
) -> None:
    bare = [item("CONTAINER", GROUP, text(COMMENT, f"n {n}")) for n in (1, 2)]
    first, second = read(*bare).findings
    assert (first.label, second.label) == ("Measurement Group 1", "Measurement Group 2")
    assert first.tracking_uid != second.tracking_uid
    assert (first.tracking_uid, second.tracking_uid) == tuple(
        finding.tracking_uid for finding in read(*bare).findings
    )


@pytest.mark.parametrize(
    ("stated", "label"),
    [
        ("Cornerstone3DTools@^0.1.0:Length:PAL-1", "PAL-1"),
        ("Cornerstone3DTools@^0.1.0:Length", "gap of the palate"),
        ("cornerstoneTools@^4.0.0:Bidirectional", "gap of the palate"),
    ],
)
def test_a_tool_of_cornerstone_is_no_label(
    read: Callable[..., Assessment], stated: str, label: str
) -> None:
    found = read(group(stated, text(COMMENT, "gap of the palate")))
    assert _only(found).label == label


# Numbers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "unit", "quantity"),
    [
        (("103355008", "SCT", "Width"), MM, "width"),
        (("103339001", "SCT", "Long axis"), MM, "long_axis"),
        (("103340004", "SCT", "Short axis"), ("cm", "UCUM", "cm"), "short_axis"),
        (("42798000", "SCT", "Area"), ("mm2", "UCUM", "mm2"), "area"),
        (("118565006", "SCT", "Volume"), ("cm3", "UCUM", "cm3"), "volume"),
        (("118565006", "SCT", "Volume"), ("ml", "UCUM", "ml"), "volume"),
        (("121206", "DCM", "Distance"), MM, "distance"),
        (("110859", "DCM", "Angle"), ("deg", "UCUM", "degree"), "angle"),
        (("285285000", "SCT", "Cobb angle"), ("deg", "UCUM", "degree"), "cobb_angle"),
        (ATTENUATION, HU, "attenuation"),
        (MEAN, HU, "mean_value"),
        (("386136009", "SCT", "Standard Deviation"), HU, "value_sd"),
        (("255605001", "SCT", "Minimum"), HU, "minimum_value"),
        (("56851009", "SCT", "Maximum"), HU, "maximum_value"),
    ],
)
def test_a_quantity_is_known_by_its_code(
    read: Callable[..., Assessment],
    name: tuple[str, str, str],
    unit: tuple[str, str, str],
    quantity: str,
) -> None:
    (reading,) = _only(read(group("1", number(name, "7.25", unit)))).measurements
    value = _value(reading)
    assert (value.name, value.value, value.unit) == (quantity, 7.25, unit[0])


@pytest.mark.parametrize(
    ("stated", "shown"),
    [
        (number(("X1", "99PEER", "Fancy index"), "0.5", MM), "Fancy index: NUM 0.5 mm"),
        (number(LENGTH, "5", ("[in_i]", "UCUM", "inch")), "Length: NUM 5 [in_i]"),
        # A unit of another vocabulary may mean anything.
        (number(LENGTH, "5", ("mm", "99PEER", "made up")), "Length: NUM 5 mm"),
        # The mean of a length is no mean value of voxels.
        (number(LENGTH, "5", MM, modifier(DERIVATION, MEAN)), "Length: NUM 5 mm"),
    ],
)
def test_a_number_that_is_not_understood_is_listed_with_its_value(
    read: Callable[..., Assessment], stated: Dataset, shown: str
) -> None:
    found = read(group("1", stated))
    assert _only(found).measurements == ()
    assert any(line.endswith(shown) for line in found.not_understood)


def test_a_number_that_was_not_measured_says_why(
    read: Callable[..., Assessment],
) -> None:
    stated = no_number(LENGTH, ("114000", "DCM", "Not a number"))
    (reading,) = _only(read(group("1", stated))).measurements
    assert isinstance(reading, NotMeasured)
    assert reading.reason == "Not a number"


def test_a_modifier_that_is_not_known_makes_the_value_doubtful(
    read: Callable[..., Assessment],
) -> None:
    unknown = modifier(("A.13", "99TEST", "Filter"), ("A.14", "99TEST", "Secret"))
    found = read(group("1", number(LENGTH, "5", MM, unknown)))
    (reading,) = _only(found).measurements
    assert _value(reading).flags == ("qualified by Filter: Secret (A.14 99TEST)",)
    assert found.not_understood[0].endswith("Length / Filter: CODE Secret (A.14 99TEST)")


def test_how_a_number_came_about_is_kept(read: Callable[..., Assessment]) -> None:
    how = text(("111001", "DCM", "Algorithm Name"), "peer algorithm")
    found = read(group("1", number(LENGTH, "5", MM, how)))
    (reading,) = _only(found).measurements
    assert _value(reading).definition == "algorithm name: peer algorithm"
    assert found.not_understood == ()


def test_a_stated_range_is_no_standard_uncertainty(
    read: Callable[..., Assessment],
) -> None:
    spread = number(("371884006", "SCT", "+/-, range"), "0.4", MM)
    (reading,) = _only(read(group("1", number(LENGTH, "5", MM, spread)))).measurements
    value = _value(reading)
    assert value.uncertainty is None
    assert "a range whose meaning is not stated" in value.uncertainty_reason
    assert [(one.value, one.unit) for one in value.details] == [(0.4, "mm")]


def test_a_line_that_is_not_as_long_as_stated_is_flagged(
    read: Callable[..., Assessment],
) -> None:
    line = in_space("POLYLINE", LINE, CT_FRAME_UID)
    (reading,) = _only(read(group("1", number(LENGTH, "15", MM, line)))).measurements
    assert _value(reading).flags == ("the line is 12.00 mm long, 15.00 mm are stated",)


# Places --------------------------------------------------------------------------------


def _on_ct(graphic: str, numbers: tuple[float, ...]) -> Dataset:
    return on_image(graphic, numbers, image(ct_image(11)))


def test_coordinates_on_an_image_stay_there_without_the_image(
    read: Callable[..., Assessment],
) -> None:
    line = _on_ct("POLYLINE", (35.5, 24.5, 35.5, 48.5))
    (region,) = _only(read(group("1", number(LENGTH, "12", MM, line)))).regions
    assert isinstance(region, ImagePoints)
    assert region.image_points == ((35.5, 24.5), (35.5, 48.5))
    assert region.source_instances == (ct_image(11),)


def test_coordinates_on_an_image_become_points_in_the_patient(
    small_study: Path, tmp_path: Path
) -> None:
    # Column 35.5 is the centre of the pixel 35 (PS3.3 C.18.6.1.1): 0.6 mm a column from
    # x = -21, 0.5 mm a row from y = -24.
    line = _on_ct("POLYLINE", (35.5, 24.5, 35.5, 48.5))
    document = report(group("1", number(LENGTH, "12", MM, line)))
    file = saved(document, tmp_path / "report.dcm")
    images = series.scan(small_study)
    (finding,) = ot.read(file, images=images).findings
    (region,) = finding.regions
    assert isinstance(region, Polyline)
    header = dcmread(small_study / "ct" / "010.dcm", stop_before_pixels=True)
    z = float(header.ImagePositionPatient[2])
    expected = ((0.0, -12.0, z), (0.0, 0.0, z))
    for point, truth in zip(region.points, expected, strict=True):
        assert distance(point, truth) < 1e-4
    assert region.frame_of_reference_uid == CT_FRAME_UID


def test_cornerstone_on_pixels_that_are_not_square_stays_on_the_image(
    small_study: Path, tmp_path: Path
) -> None:
    # It takes the spacing of rows for that of columns, so the place is not known.
    line = _on_ct("POLYLINE", (35.5, 24.5, 35.5, 48.5))
    drawn = group("Cornerstone3DTools@^0.1.0:Length", number(LENGTH, "14.4", MM, line))
    file = saved(report(drawn), tmp_path / "report.dcm")
    (finding,) = ot.read(file, images=series.scan(small_study)).findings
    assert isinstance(finding.regions[0], ImagePoints)


@pytest.mark.parametrize(
    ("graphic", "numbers", "roles"),
    [
        ("POINT", (1, 2, 3), ("point",)),
        ("MULTIPOINT", (1, 2, 3, 4, 5, 6), ("point 1", "point 2")),
        (
            "ELLIPSE",
            tuple(range(12)),
            (
                "end of the major axis",
                "other end of the major axis",
                "end of the minor axis",
                "other end of the minor axis",
            ),
        ),
    ],
)
def test_points_in_space_say_what_they_are(
    read: Callable[..., Assessment],
    graphic: str,
    numbers: tuple[float, ...],
    roles: tuple[str, ...],
) -> None:
    (region,) = _only(read(group("1", in_space(graphic, numbers, CT_FRAME_UID)))).regions
    assert isinstance(region, Points)
    assert region.point_roles == roles


@pytest.mark.parametrize(
    "nowhere",
    [
        in_space("POLYLINE", LINE[:5], CT_FRAME_UID),
        in_space("POLYLINE", LINE, ""),
        in_space("HELIX", LINE, CT_FRAME_UID),
        in_space("POINT", (math.inf, 0, 0), CT_FRAME_UID),
        on_image("POLYLINE", (1, 2, 3, 4)),
        on_image("CIRCLE", (1, 2), image("2.25.1")),
    ],
    ids=["cut off", "no space", "unknown shape", "not finite", "no image", "one point"],
)
def test_coordinates_that_make_no_region_are_listed(
    read: Callable[..., Assessment], nowhere: Dataset
) -> None:
    found = read(group("1", nowhere))
    assert _only(found).regions == ()
    assert any("SCOORD" in line for line in found.not_understood)


# Everything else -----------------------------------------------------------------------


def test_every_item_is_read_or_listed(read: Callable[..., Assessment]) -> None:
    odd = [
        code(("246112005", "SCT", "Severity"), ("255604002", "SCT", "Mild")),
        item("DATE", ("111060", "DCM", "Study Date"), Date="20240102"),
        item("PNAME", ("121106", "99PEER", "Somebody"), PersonName="Kim^Jo"),
        item("TEXT", ("1", "99PEER", "Two\nlines"), TextValue="a\r\nb\tc"),
        item("TEXT", None, TextValue="nameless"),
        item("WAVEFORM", ("2", "99PEER", "Wave")),
        item("", None, ReferencedContentItemIdentifier=[1, 2]),
        item("CONTAINER", ("3", "99PEER", "Empty")),
        item("CONTAINER", ("4", "99PEER", "Box"), text(("5", "99PEER", "In"), "deep")),
    ]
    lines = read(group("1", *odd)).not_understood
    assert len(lines) == len(odd)
    shown = [
        line.removeprefix(
            "Imaging Measurement Report / Imaging Measurements / Measurement Group / "
        )
        for line in lines
    ]
    assert shown == [
        "Severity: CODE Mild (255604002 SCT)",
        "Study Date: DATE 20240102",
        "Somebody: PNAME Kim^Jo",
        "Two lines: TEXT a b c",
        "TEXT: TEXT nameless",
        "Wave: WAVEFORM of nothing",
        "an item by reference: refers to item [1, 2]",
        "Empty",
        "Box / In: TEXT deep",
    ]


def test_a_report_of_another_template_is_listed_whole(
    read: Callable[..., Assessment],
) -> None:
    found = read(
        kind=COMPREHENSIVE_SR,
        ConceptNameCodeSequence=sr_parts.coded(("111036", "DCM", "Mammography CAD")),
        ContentSequence=[code(("111017", "DCM", "CAD"), ("111242", "DCM", "Not done"))],
    )
    assert found.findings == ()
    assert found.not_understood == ("Mammography CAD / CAD: CODE Not done (111242 DCM)",)


def test_implicit_encoding_is_read_alike(
    read: Callable[..., Assessment], tmp_path: Path
) -> None:
    document = report(group("PAL-1", number(LENGTH, "12", MM)))
    explicit = ot.read(saved(document, tmp_path / "explicit.dcm"))
    implicit = ot.read(saved(document, tmp_path / "implicit.dcm", syntax=IMPLICIT))
    assert implicit == explicit


def test_a_foreign_reading_is_saved_as_a_record_that_names_it(
    small_study: Path, tmp_path: Path
) -> None:
    line = _on_ct("POLYLINE", (35.5, 24.5, 35.5, 48.5))
    drawn = group("PAL-1", code(SITE, MAXILLA), number(LENGTH, "12", MM, line))
    odd = code(("246112005", "SCT", "Severity"), ("255604002", "SCT", "Mild"))
    folder = tmp_path / "records"
    folder.mkdir()
    document = report(drawn, group("2", odd, uid="2.25.9101"))
    file = saved(document, folder / f"{sr_parts.REPORT_UID}.dcm")
    images = series.scan(small_study)
    reading = ot.read(file, images=images)
    assert len(reading.not_understood) == 1
    own = sr.write(reading, images, folder)
    assert ot.read(own) == reading
    previous = dcmread(own).PredecessorDocumentsSequence[0]
    named = previous.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == sr_parts.REPORT_UID


@pytest.mark.parametrize("seed", range(40))
def test_damage_gives_a_reading_that_can_be_saved_or_one_error(
    tmp_path: Path, seed: int
) -> None:
    file = _foreign_file(tmp_path)
    content = bytearray(file.read_bytes())
    chance = random.Random(seed)
    for _ in range(chance.choice([1, 3, 20])):
        content[chance.randrange(132, len(content))] = chance.randrange(256)
    file.write_bytes(content)
    found = None
    # Any other error than the one clear one fails the test.
    with suppress(OsteotraceError):
        found = ot.read(file)
    if found is not None:
        check(found)
        assert from_json(to_json(found), Assessment) == found


# Damage, and what is our own -----------------------------------------------------------


def _foreign_file(tmp_path: Path) -> Path:
    line = in_space("POLYLINE", LINE, CT_FRAME_UID)
    drawn = group("PAL-1", code(SITE, MAXILLA), number(LENGTH, "12", MM, line))
    return saved(report(drawn), tmp_path / "report.dcm")


@pytest.mark.parametrize("share", [n / 40 for n in range(1, 40)])
def test_no_part_of_a_report_is_read_as_a_report(tmp_path: Path, share: float) -> None:
    whole = _foreign_file(tmp_path)
    content = whole.read_bytes()
    whole.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(OsteotraceError) as caught:
        ot.read(whole)
    assert caught.value.where == str(whole)


@pytest.mark.parametrize("syntax", [sr_parts.EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("depth", [40, 3000])
def test_content_nested_without_end_is_refused(
    tmp_path: Path, depth: int, syntax: str
) -> None:
    # Undefined lengths, written by hand: pydicom itself recurses.
    head = b"\x40\x00\x30\xa7" + (b"SQ\0\0" if syntax == sr_parts.EXPLICIT else b"")
    nested = head + b"\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closed = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    document = report()
    del document.ContentSequence
    file = saved(document, tmp_path / "deep.dcm", syntax=syntax)
    file.write_bytes(file.read_bytes() + depth * nested + depth * closed)
    with pytest.raises(OsteotraceError):
        ot.read(file)


def test_an_image_is_no_record(small_study: Path) -> None:
    with pytest.raises(OsteotraceError, match="CT Image Storage"):
        ot.read(small_study / "ct" / "000.dcm")


def test_a_transfer_syntax_that_unfolds_is_refused(tmp_path: Path) -> None:
    file = saved(report(), tmp_path / "d.dcm", syntax="1.2.840.10008.1.2.1.99")
    with pytest.raises(OsteotraceError, match=r"1\.2\.840\.10008\.1\.2\.1\.99|cannot be"):
        ot.read(file)


@pytest.fixture
def own_report(small_study: Path, tmp_path: Path) -> Path:
    reading = assessment(caliper_finding())
    return sr.write(reading, series.scan(small_study), tmp_path / "own")


def _without_digest(document: Dataset) -> None:
    document.ContentSequence = [
        one
        for one in document.ContentSequence
        if one.ConceptNameCodeSequence[0].CodeValue != "D-SHA256"
    ]


def _manufacturer(document: Dataset) -> None:
    _without_digest(document)
    document.Manufacturer = "Peer"
    document.ManufacturerModelName = "Reporter"


def _scheme(document: Dataset) -> None:
    _manufacturer(document)
    del document.CodingSchemeIdentificationSequence


def _changed_value(document: Dataset) -> None:
    measurements = document.ContentSequence[-5:]
    document.ContentSequence = [*document.ContentSequence[:-5], *measurements[::-1]]


@pytest.mark.parametrize(
    "damage", [_without_digest, _manufacturer, _scheme, _changed_value]
)
def test_a_damaged_record_of_our_own_is_never_read_as_foreign(
    own_report: Path, damage: Callable[[Dataset], None]
) -> None:
    document = dcmread(own_report)
    damage(document)
    document.save_as(own_report)
    with pytest.raises(OsteotraceError):
        ot.read(own_report)
    with pytest.raises(OsteotraceError):
        foreign_sr.read(own_report)


def test_a_whole_record_of_our_own_is_read_as_ever(own_report: Path) -> None:
    assert ot.read(own_report) == assessment(caliper_finding())
    with pytest.raises(OsteotraceError, match="part of a record of osteotrace"):
        foreign_sr.read(own_report)


def test_an_export_is_not_read_for_the_record(small_study: Path, tmp_path: Path) -> None:
    reading = assessment(caliper_finding())
    (file,) = profiles.write(reading, series.scan(small_study), tmp_path, profile="ohif")
    with pytest.raises(OsteotraceError, match="export for a viewer"):
        ot.read(file)


# The table of equivalents --------------------------------------------------------------


def test_no_code_is_equivalent_to_two_kinds() -> None:
    single = [(code.value, code.scheme) for code in equivalents.KIND_EQUIVALENTS]
    paired = {code.value for code, _ in equivalents.KIND_EQUIVALENTS_AT}
    assert len(set(single)) == len(single)
    assert not paired & {value for value, _ in single}


@pytest.mark.parametrize(
    "known", [*equivalents.STATISTICS, *equivalents.VALUES], ids=lambda c: c.meaning
)
def test_a_statistic_is_the_one_that_dicom_publishes(known: Concept) -> None:
    schemes = cast("dict[str, dict[str, dict[str, tuple[str, object]]]]", published)
    meanings = {
        by_value[known.value][0].lower()
        for by_value in schemes[known.scheme].values()
        if known.value in by_value
    }
    assert known.meaning.lower() in meanings
