"""What other software states wrongly or twice: kept as unknown, and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.foreign_reports import (
    FINDING,
    LATERALITY,
    LENGTH,
    MM,
    SITE,
    code,
    coded,
    group,
    modifier,
    number,
    report,
    saved,
    text,
)

import osteotrace as ot
from osteotrace.codes import QUANTITIES, UNITS
from osteotrace.codes.dimensions import UNITS_OF
from osteotrace.findings import Assessment, check, from_json, to_json
from osteotrace.measurements.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import Dataset

    from osteotrace.findings import Finding

HU = ("[hnsf'U]", "UCUM", "Hounsfield unit")
DEGREE = ("deg", "UCUM", "degree")
ATTENUATION = ("112031", "DCM", "Attenuation Coefficient")
DERIVATION = ("121401", "DCM", "Derivation")
DEVIATION = ("386136009", "SCT", "Standard Deviation")
AREA = ("42798000", "SCT", "Area")
MAXILLA = ("70925003", "SCT", "Maxilla")
SEQUESTRUM = ("4857006", "SCT", "Sequestrum")
PRESENCE = ("121052", "DCM", "Presence of property")
LEFT = ("7771000", "SCT", "Left")
RIGHT = ("24028007", "SCT", "Right")
BILATERAL = ("51440002", "SCT", "Bilateral")


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Assessment]:
    """Return what saves a report of some groups and reads it."""

    def saved_and_read(*groups: Dataset, **elements: Any) -> Assessment:
        found = ot.read(saved(report(*groups, **elements), tmp_path / "report.dcm"))
        # Whatever is read can be saved as a record of our own.
        check(found)
        assert from_json(to_json(found), Assessment) == found
        return found

    return saved_and_read


def _only(found: Assessment) -> Finding:
    (finding,) = found.findings
    return finding


# What a group states of its finding ----------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "presence"),
    [
        (("121053", "DCM", "Present"), "present"),
        (("52101004", "SCT", "Present"), "present"),
        (("121054", "DCM", "Absent"), "absent"),
        (("272519000", "SCT", "Absent"), "absent"),
        (("121059", "DCM", "Presence Undetermined"), "unknown"),
    ],
)
def test_presence_is_read_in_both_vocabularies(
    read: Callable[..., Assessment], answer: tuple[str, str, str], presence: str
) -> None:
    found = read(group("1", code(FINDING, SEQUESTRUM), code(PRESENCE, answer)))
    assert _only(found).presence == presence
    assert found.not_understood == ()


def test_a_presence_that_is_not_understood_is_unknown_and_listed(
    read: Callable[..., Assessment],
) -> None:
    odd = code(PRESENCE, ("Z1", "99PEER", "Hardly"))
    found = read(group("1", code(FINDING, SEQUESTRUM), odd))
    assert _only(found).presence == "unknown"
    (line,) = found.not_understood
    assert line.endswith("Presence of property: CODE Hardly (Z1 99PEER)")


def test_a_finding_both_present_and_absent_is_unknown_and_listed(
    read: Callable[..., Assessment],
) -> None:
    answers = [("121053", "DCM", "Present"), ("272519000", "SCT", "Absent")]
    found = read(group("1", *(code(PRESENCE, answer) for answer in answers)))
    assert _only(found).presence == "unknown"
    assert len(found.not_understood) == 2


def test_a_group_that_is_not_asked_for_presence_is_present(
    read: Callable[..., Assessment],
) -> None:
    assert _only(read(group("1", code(FINDING, SEQUESTRUM)))).presence == "present"


@pytest.mark.parametrize("sides", [(LEFT, RIGHT), (RIGHT, LEFT), (BILATERAL, LEFT)])
def test_two_sides_of_one_site_are_no_side_and_listed(
    read: Callable[..., Assessment], sides: tuple[tuple[str, str, str], ...]
) -> None:
    stated = [modifier(LATERALITY, side) for side in sides]
    found = read(group("1", code(SITE, MAXILLA, *stated)))
    finding = _only(found)
    assert (finding.site, finding.laterality) == ("maxilla", "")
    assert [line.split(" / ")[-1] for line in found.not_understood] == [
        f"Laterality: CODE {meaning} ({value} SCT)" for value, _, meaning in sides
    ]
    assert all(f"Laterality as reported: {side[2]}" in finding.note for side in sides)


def test_one_side_stated_twice_is_that_side(read: Callable[..., Assessment]) -> None:
    stated = [modifier(LATERALITY, LEFT), modifier(LATERALITY, LEFT)]
    found = read(group("1", code(SITE, MAXILLA, *stated)))
    assert _only(found).laterality == "left"
    assert found.not_understood == ()


def test_two_groups_of_one_tracking_uid_are_both_kept_and_listed(
    read: Callable[..., Assessment],
) -> None:
    found = read(
        group("1", uid="2.25.7"), group("2", uid="2.25.8"), group("3", uid="2.25.7")
    )
    assert [one.tracking_uid for one in found.findings] == ["2.25.7", "2.25.8", "2.25.7"]
    assert found.not_understood == (
        "Measurement Groups 1, 3: one Tracking Unique Identifier, 2.25.7",
    )


# Numbers -------------------------------------------------------------------------------


def test_every_quantity_has_units_that_there_are() -> None:
    assert set(UNITS_OF) == set(QUANTITIES)
    assert {unit for units in UNITS_OF.values() for unit in units} <= set(UNITS)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        (LENGTH, DEGREE),
        (ATTENUATION, MM),
        (AREA, MM),
        (("118565006", "SCT", "Volume"), ("mm2", "UCUM", "mm2")),
        (("285285000", "SCT", "Cobb angle"), MM),
        (DEVIATION, ("%", "UCUM", "percent")),
    ],
    ids=lambda code: code[2],
)
def test_a_unit_that_is_none_of_the_quantity_makes_no_value(
    read: Callable[..., Assessment],
    name: tuple[str, str, str],
    unit: tuple[str, str, str],
) -> None:
    found = read(group("1", number(name, "3", unit)))
    assert _only(found).measurements == ()
    (line,) = found.not_understood
    assert line.endswith(f"{name[2]}: NUM 3 {unit[0]}")


def _twice() -> Dataset:
    made = number(LENGTH, "12", MM)
    made.MeasuredValueSequence = [
        *number(LENGTH, "12", MM).MeasuredValueSequence,
        *number(LENGTH, "17", MM).MeasuredValueSequence,
    ]
    return made


def _in_two_forms(text_form: str, floating: float) -> Dataset:
    made = number(LENGTH, text_form, MM)
    made.MeasuredValueSequence[0].FloatingPointValue = floating
    return made


def _several_in_one() -> Dataset:
    made = number(LENGTH, "12", MM)
    made.MeasuredValueSequence[0].NumericValue = ["12", "17"]
    return made


@pytest.mark.parametrize(
    "stated",
    [
        _twice(),
        _in_two_forms("12", 17.0),
        _in_two_forms("12.07", 12.1),
        _several_in_one(),
    ],
    ids=["two values", "two forms", "rounded beyond its digits", "a list"],
)
def test_a_number_that_contradicts_itself_is_not_taken(
    read: Callable[..., Assessment], stated: Dataset
) -> None:
    found = read(group("1", stated))
    assert _only(found).measurements == ()
    assert len(found.not_understood) == 1


def test_a_number_in_full_beside_its_rounded_form_is_taken(
    read: Callable[..., Assessment],
) -> None:
    found = read(group("1", _in_two_forms("12.07", 12.0712345)))
    (value,) = _only(found).measurements
    assert isinstance(value, Measurement)
    assert (value.value, value.flags) == (12.0712345, ())


@pytest.mark.parametrize("floating", [12.0, float("nan")])
def test_a_number_of_no_form_is_listed(
    read: Callable[..., Assessment], floating: float
) -> None:
    stated = _several_in_one()
    stated.MeasuredValueSequence[0].FloatingPointValue = floating
    found = read(group("1", stated))
    assert _only(found).measurements == ()
    assert len(found.not_understood) == 1


def test_a_qualifier_beside_a_value_makes_it_doubtful(
    read: Callable[..., Assessment],
) -> None:
    stated = number(LENGTH, "12", MM)
    reason = coded(("114000", "DCM", "Not a number"))
    stated.NumericValueQualifierCodeSequence = reason
    (value,) = _only(read(group("1", stated))).measurements
    assert isinstance(value, Measurement)
    assert value.flags == ("qualified by Not a number",)


def test_a_derivation_of_the_whole_group_is_one_of_its_numbers(
    read: Callable[..., Assessment],
) -> None:
    found = read(group("1", code(DERIVATION, DEVIATION), number(ATTENUATION, "9", HU)))
    (value,) = _only(found).measurements
    assert value.name == "value_sd"
    assert found.not_understood == ()


@pytest.mark.parametrize(
    "group_is_meant", [False, True], ids=["of the number", "of the group"]
)
def test_a_derivation_in_words_is_not_read_as_the_value_itself(
    read: Callable[..., Assessment], group_is_meant: bool
) -> None:
    words = text(DERIVATION, "Standard Deviation")
    stated = number(ATTENUATION, "9", HU, *([] if group_is_meant else [words]))
    found = read(group("1", *([words] if group_is_meant else []), stated))
    assert _only(found).measurements == ()
    assert len(found.not_understood) == 2
