"""What other software states wrongly or twice: kept as unknown, and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.foreign_reports import (
    FINDING,
    LATERALITY,
    SITE,
    code,
    group,
    modifier,
    report,
    saved,
)

import osteotrace as ot
from osteotrace.findings import Assessment, check, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import Dataset

    from osteotrace.findings import Finding

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
