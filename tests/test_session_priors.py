"""What was read before is found again, told with its date, and compared with care."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.fixtures.four_cases import finding, reading
from tests.fixtures.kept_readings import gap

from osteotrace.codes import QUANTITIES
from osteotrace.findings.dates import interval
from osteotrace.measurements.measurement import Measurement
from osteotrace.records.sealed_json import sealed
from osteotrace.reports.paragraph import paragraph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.findings import Assessment, Finding
    from osteotrace.session import Session
    from osteotrace.session.priors import Prior

KIND, SITE = "palatal_bony_defect", "hard_palate"


def keep(folder: Path, session: Session, assessment: Assessment, uid: str) -> Assessment:
    """Save a reading of the session's patient as a record."""
    assert session.assessment is not None
    kept = msgspec.structs.replace(
        assessment,
        assessment_uid=uid,
        patient=session.assessment.patient,
        series=session.assessment.series,
    )
    folder.mkdir(exist_ok=True)
    (folder / f"{uid}.json").write_bytes(sealed(kept))
    session.priors.refresh()
    return kept


def before(now: Finding, wider_by: float, **changes: Any) -> Finding:
    """Return a finding as it would have been read earlier, on other images."""
    values = tuple(
        msgspec.structs.replace(
            one,
            value=one.value + wider_by,
            interval95=None,
            sources=(f"2.25.44.{number}",),
        )
        for number, one in enumerate(now.measurements)
        if isinstance(one, Measurement)
    )
    was: Finding = msgspec.structs.replace(now, measurements=values, **changes)
    return was


@pytest.fixture
def now(reading_session: Session) -> Finding:
    return gap(reading_session, kind=KIND, site=SITE)


def prior(session: Session, one: Finding) -> Prior:
    found = session.priors.of(one)
    assert found is not None
    return found


def test_a_patient_without_records_has_no_prior(
    reading_session: Session, now: Finding
) -> None:
    assert reading_session.priors.records == ()
    assert reading_session.priors.of(now) is None
    assert reading_session.priors.all() == {}


def test_the_same_tracking_uid_is_the_same_lesion_whatever_it_is_called(
    reading_session: Session, now: Finding, tmp_path: Path
) -> None:
    was = before(now, 0.05, label="OLD-7", site="maxilla", kind="lesion")
    keep(tmp_path / "records", reading_session, reading("2023-06-20", was), "2.25.31")
    found = prior(reading_session, now)
    assert (found.matched, found.date, found.reader) == (
        "tracked",
        "2023-06-20",
        "Dr Kim",
    )
    assert found.finding == was
    assert found.interval == "6 months"


def test_a_lesion_of_the_same_kind_and_place_is_proposed(
    reading_session: Session, now: Finding, tmp_path: Path
) -> None:
    was = before(now, 0.0, tracking_uid="2.25.55")
    keep(tmp_path / "records", reading_session, reading("2023-06-20", was), "2.25.31")
    found = prior(reading_session, now)
    assert found.matched == "proposed"
    assert "proposed by kind and site" in found.as_text


@pytest.mark.parametrize(
    "changes", [{"site": "maxilla"}, {"kind": "lesion"}, {"laterality": "left"}]
)
def test_another_place_kind_or_side_is_another_lesion(
    reading_session: Session, now: Finding, tmp_path: Path, changes: dict[str, Any]
) -> None:
    was = before(now, 0.0, tracking_uid="2.25.55", **changes)
    keep(tmp_path / "records", reading_session, reading("2023-06-20", was), "2.25.31")
    assert reading_session.priors.of(now) is None


@pytest.mark.parametrize("said", [{"kind": "lesion"}, {"site": "unspecified"}])
def test_what_tells_no_lesion_from_another_has_no_proposal(
    reading_session: Session, now: Finding, tmp_path: Path, said: dict[str, str]
) -> None:
    plain = msgspec.structs.replace(now, **said)
    was = before(plain, 0.0, tracking_uid="2.25.55")
    keep(tmp_path / "records", reading_session, reading("2023-06-20", was), "2.25.31")
    assert reading_session.priors.of(plain) is None
    tracked = msgspec.structs.replace(plain, tracking_uid="2.25.55")
    assert prior(reading_session, tracked).matched == "tracked"


def test_another_quantity_of_the_same_place_is_not_proposed(
    reading_session: Session, now: Finding, tmp_path: Path
) -> None:
    was = before(now, 0.0, tracking_uid="2.25.55")
    first = msgspec.structs.replace(
        was.measurements[0], name="asymmetry_index", code=QUANTITIES["asymmetry_index"]
    )
    was = msgspec.structs.replace(was, measurements=(first,))
    keep(tmp_path / "records", reading_session, reading("2023-06-20", was), "2.25.31")
    assert reading_session.priors.of(now) is None


def test_of_several_that_may_be_meant_none_is_proposed_but_by_label(
    reading_session: Session, now: Finding, tmp_path: Path
) -> None:
    ones = [before(now, 0.0, tracking_uid=f"2.25.{n}", label=f"OLD-{n}") for n in (1, 2)]
    keep(tmp_path / "records", reading_session, reading("2023-06-20", *ones), "2.25.31")
    assert reading_session.priors.of(now) is None
    named = msgspec.structs.replace(now, label="OLD-2")
    assert prior(reading_session, named).finding == ones[1]


def test_a_measured_vertebra_that_broke_since_is_the_same_level(
    reading_session: Session, tmp_path: Path
) -> None:
    was = finding("L2", "vertebra", "l2")
    keep(tmp_path / "records", reading_session, reading("2023-06-20", was), "2.25.31")
    broken = msgspec.structs.replace(finding("X", "vcf", "l2"), tracking_uid="2.25.9")
    assert prior(reading_session, broken).finding == was


@pytest.mark.parametrize(
    ("wider_by", "verdict"),
    [
        (0.1, "within measurement error"),
        (-4.0, "increased"),
        (4.0, "decreased"),
    ],
)
def test_change_is_called_beyond_repeatability_alone(
    reading_session: Session,
    now: Finding,
    tmp_path: Path,
    wider_by: float,
    verdict: str,
) -> None:
    was = before(now, wider_by)
    keep(tmp_path / "records", reading_session, reading("2023-06-20", was), "2.25.31")
    found = prior(reading_session, now)
    assert found.verdict == verdict
    first = was.measurements[0]
    assert isinstance(first, Measurement)
    assert found.value == first.as_text
    assert first.as_text in found.as_text
    assert verdict in found.as_text


def test_what_does_not_compare_says_so_in_a_few_words(
    reading_session: Session, now: Finding, tmp_path: Path
) -> None:
    was = before(now, 0.0)
    doubted = tuple(
        msgspec.structs.replace(one, flags=("a rival edge", "thick slices"))
        for one in was.measurements
    )
    was = msgspec.structs.replace(was, measurements=doubted)
    keep(tmp_path / "records", reading_session, reading("2023-06-20", was), "2.25.31")
    found = prior(reading_session, now)
    assert found.as_text.endswith("not comparable (the earlier value is flagged).")
    assert found.change is not None
    assert "a rival edge; thick slices" in found.change.as_text


def test_an_earlier_absence_is_told_as_that(
    reading_session: Session, now: Finding, tmp_path: Path
) -> None:
    was = msgspec.structs.replace(now, presence="absent", measurements=(), regions=())
    keep(tmp_path / "records", reading_session, reading("2023-06-20", was), "2.25.31")
    found = prior(reading_session, now)
    assert (found.value, found.verdict) == ("absent", "")
    assert found.as_text == "Before, on 2023-06-20 (6 months before): absent."


def test_the_latest_earlier_reading_counts_later_ones_and_amended_ones_do_not(
    reading_session: Session, now: Finding, tmp_path: Path
) -> None:
    folder = tmp_path / "records"
    for uid, date, by in (
        ("2.25.31", "2022-01-01", 3.0),
        ("2.25.32", "2023-06-20", 2.0),
        ("2.25.33", "2024-01-02", 1.0),
        ("2.25.34", "2025-01-01", 0.5),
    ):
        keep(folder, reading_session, reading(date, before(now, by)), uid)
    assert prior(reading_session, now).date == "2023-06-20"
    amendment = msgspec.structs.replace(reading("2023-06-20"), predecessor_uid="2.25.32")
    keep(folder, reading_session, amendment, "2.25.35")
    assert prior(reading_session, now).date == "2022-01-01"


def test_records_of_another_patient_are_no_priors(
    reading_session: Session, now: Finding, tmp_path: Path
) -> None:
    (tmp_path / "records").mkdir()
    file = tmp_path / "records" / "2.25.31.json"
    file.write_bytes(sealed(reading("2023-06-20", before(now, 0.0))))
    assert reading_session.priors.of(now) is None


def test_a_record_that_cannot_be_read_is_told_and_hides_no_other(
    reading_session: Session, now: Finding, tmp_path: Path
) -> None:
    keep(
        tmp_path / "records",
        reading_session,
        reading("2023-06-20", before(now, 0.0)),
        "2.25.31",
    )
    (tmp_path / "records" / "2.25.32.json").write_bytes(b'{"osteotrace_record": 1')
    reading_session.priors.refresh()
    assert reading_session.priors.of(now) is not None
    assert len(reading_session.priors.failures) == 1


def test_a_folder_may_be_given_and_the_one_beside_the_images_is_the_default(
    make_session: Callable[..., Session], small_study: Path, tmp_path: Path
) -> None:
    session = make_session()
    assert session.priors.folder == tmp_path / "records"
    session.priors.use(None)
    assert session.priors.folder == small_study.parent / "osteotrace-records"
    session.priors.use(tmp_path / "nowhere")
    assert session.priors.records == ()


def test_what_was_saved_is_seen_at_once(
    reading_session: Session, now: Finding, tmp_path: Path
) -> None:
    assert [one.findings for one in reading_session.priors.records] == []
    reading_session.save(tmp_path / "records")
    assert [one.findings for one in reading_session.priors.records] == [(now,)]
    assert reading_session.priors.readings == ()


def test_the_paragraph_tells_the_earlier_value_beside_the_new_one(
    reading_session: Session, now: Finding, tmp_path: Path
) -> None:
    was = before(now, 0.1)
    keep(tmp_path / "records", reading_session, reading("2023-06-20", was), "2.25.31")
    assert reading_session.assessment is not None
    said = paragraph(
        reading_session.assessment, before=reading_session.priors.sentences()
    )
    assert "Before, on 2023-06-20 (6 months before): " in said
    assert "within measurement error" in said


@pytest.mark.parametrize(
    ("earlier", "later", "words"),
    [
        ("2023-09-03", "2023-09-27", "24 days"),
        ("2023-09-26", "2023-09-27", "1 day"),
        ("2023-06-20", "2024-01-15", "7 months"),
        ("2019-01-15", "2024-01-15", "60 months"),
        ("2023", "2024-01-15", "0 to 12 months"),
        ("", "2024-01-15", ""),
    ],
)
def test_an_interval_is_told_in_days_or_months(
    earlier: str, later: str, words: str
) -> None:
    assert interval(earlier, later) == words
