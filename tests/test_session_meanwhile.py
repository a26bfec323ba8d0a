"""What is said of findings while they are measured; labels and levels stay theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fixtures.sessions import END, START, loaded

from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import Measurement
from osteotrace.protocol.entries import VertebraEntry

if TYPE_CHECKING:
    from osteotrace.findings import Finding
    from osteotrace.regions import Point
    from osteotrace.session import Session


@pytest.fixture
def session(reading_session: Session) -> Session:
    return reading_session


def value(finding: Finding) -> float:
    first = finding.measurements[0]
    assert isinstance(first, Measurement)
    return first.value


def six(height: float) -> dict[str, Point]:
    """Return the marks of a vertebra of some height, mm, and of 16 mm depth."""
    return {
        f"{plate}_{where}": (0.0, y, z)
        for plate, z in (("superior", height / 2), ("inferior", -height / 2))
        for where, y in (("posterior", 8.0), ("middle", 0.0), ("anterior", -8.0))
    }


def test_an_entry_says_what_was_said_of_its_finding_while_it_was_measured(
    session: Session,
) -> None:
    (finding,) = session.add("caliper", loaded(session), start=START, end=END)
    uid = finding.tracking_uid
    prepared = session.prepare_move(uid, end=(0.3, 5.4, 0.0))
    session.edit_finding(uid, site="maxilla", laterality="left", note="seen")
    session.record(prepared)
    held = session.held_finding(uid)
    assert held.entry is not None
    for said in (held.finding, held.entry):
        assert (said.site, said.laterality, said.note) == ("maxilla", "left", "seen")
    assert 'site = "maxilla"' in session.protocol_text()


def test_each_vertebra_has_its_own_numbers_whatever_it_is_called(
    session: Session,
) -> None:
    volume = loaded(session)
    (first,) = session.add("vertebra", volume, level="L1", points=six(12.0))
    session.edit_finding(first.tracking_uid, label="mine")
    session.add("vertebra", volume, level="L2", points=six(9.0), label="VERT-L1")
    places = [(one.finding.label, one.finding.site) for one in session.held]
    assert places == [("mine", "l1"), ("VERT-L1", "l2")]
    heights = [value(one.finding) for one in session.held]
    assert heights == [pytest.approx(12.0, abs=0.01), pytest.approx(9.0, abs=0.01)]
    # Either moves as itself.
    session.move(first.tracking_uid, points=six(10.0))
    again = [value(one.finding) for one in session.held]
    assert again == [pytest.approx(10.0, abs=0.01), pytest.approx(9.0, abs=0.01)]
    assert [one.finding.label for one in session.held] == ["mine", "VERT-L1"]


def test_a_vertebra_is_not_said_to_be_another_level_than_was_marked(
    session: Session,
) -> None:
    (first,) = session.add("vertebra", loaded(session), level="L1", points=six(12.0))
    with pytest.raises(OsteotraceError, match="marked as L1, at the site l4"):
        session.edit_finding(first.tracking_uid, site="l4")
    (held,) = session.held
    assert isinstance(held.entry, VertebraEntry)
    assert (held.finding.site, held.entry.level) == ("l1", "L1")


def test_a_label_that_was_given_stays_and_one_that_was_counted_counts_on(
    session: Session,
) -> None:
    volume = loaded(session)
    (first,) = session.add("caliper", volume, start=START, end=END)
    session.edit_finding(first.tracking_uid, label="GAP")
    (given,) = session.add("caliper", volume, start=START, end=END, label="CAL-1")
    assert given.label == "CAL-1"
    (counted,) = session.add("caliper", volume, start=START, end=END)
    assert counted.label == "CAL-2"
    prepared = session.prepare("caliper", volume, start=START, end=END, label="CAL-9")
    session.edit_finding(counted.tracking_uid, label="CAL-9")
    with pytest.raises(OsteotraceError, match="'CAL-9' twice"):
        session.record(prepared)
