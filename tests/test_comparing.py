"""The workflow of a comparison: what is gathered, refused, aligned, carried forward."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from tests.fixtures import compared
from tests.fixtures.followed_studies import (
    LATER_FRAME,
    MOVED_MM,
    U_MM,
    followed,
    known_alignment,
)
from tests.fixtures.small_study import GAP_MM, STUDY_UID

import osteotrace as ot
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import Measurement, NotMeasured
from osteotrace.protocol import Protocol, Where
from osteotrace.protocol.entries import (
    AbsentEntry,
    CaliperEntry,
    GasEntry,
    IntensityEntry,
    MarrowEdemaEntry,
)
from osteotrace.reading.comparing import ComparisonReading, aligning, carrying, compare
from osteotrace.reading.comparing.carrying import TETRAHEDRON, why_not_carried

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from osteotrace.findings import Assessment, Finding
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

    Refusal = Callable[[Callable[[], object]], OsteotraceError]

NOW = datetime(2024, 7, 3, 8, 9, 10, tzinfo=UTC)
FRAME = "2.25.1005"
GAP = CaliperEntry(
    label="PAL-1",
    modality="CT",
    kind="palatal_bony_defect",
    site="hard_palate",
    quantity="palatal_gap_ap",
    frame_of_reference_uid=FRAME,
    series="bone*",
    start=(0.0, -7.0, 0.0),
    end=(0.0, 6.5, 0.0),
)
BALL = IntensityEntry(
    label="REG-1",
    modality="CT",
    site="maxilla",
    frame_of_reference_uid=FRAME,
    series="bone*",
    region=Where(centre=(0.0, -0.25, 0.0), radius=3.0),
)


def protocol(*entries: Any) -> Protocol:
    return Protocol(name="by hand", entries=entries, sha256="ab" * 32)


@pytest.fixture
def later(small_study: Path, tmp_path: Path) -> Path:
    """Return the study of half a year later, in the same frame of reference."""
    return followed(small_study, tmp_path / "later")


@pytest.fixture
def moved(small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a later study whose frame of reference is joined by a known transform."""

    def align(*volumes: Volume, **told: Any) -> Any:
        return known_alignment()

    monkeypatch.setattr(aligning, "align", align)
    return followed(
        small_study, tmp_path / "moved", frame_uid=LATER_FRAME, moved_mm=MOVED_MM
    )


def read(found: ComparisonReading, study: int, label: str) -> Finding:
    (one,) = (f for f in found.assessments[study].findings if f.label == label)
    return one


def value(finding: Finding) -> Measurement:
    first = finding.measurements[0]
    assert isinstance(first, Measurement)
    return first


# Gathering ----------------------------------------------------------------------------


def test_two_studies_measured_by_one_protocol_are_compared(
    small_study: Path, later: Path
) -> None:
    found = compare(small_study, later, protocols=[protocol(GAP)], now=NOW)
    (lesion,) = found.comparison.lesions
    assert lesion.state == "stable"
    assert lesion.steps[0].changes[0].change.verdict == "within measurement error"
    assert [one.date for one in found.comparison.studies] == ["2024-01-02", "2024-07-02"]
    assert not found.failures


def test_studies_stand_by_date_however_they_are_given(
    small_study: Path, later: Path
) -> None:
    found = compare(later, small_study, protocols=[protocol(BALL)], register=False)
    assert [one.date for one in found.comparison.studies] == ["2024-01-02", "2024-07-02"]


def test_a_folder_of_several_studies_gives_them_all(
    small_study: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    followed(small_study, tree / "b", date="20240702")
    followed(small_study, tree / "a", date="20250102")
    found = compare(tree, protocols=[protocol(BALL)], register=False)
    assert [one.date for one in found.comparison.studies] == ["2024-07-02", "2025-01-02"]


def test_a_study_uid_means_the_study_of_a_tree(
    small_study: Path, later: Path, refusal: Refusal
) -> None:
    uids = STUDY_UID, "2.25.1920240702"
    for study in (small_study, later):
        assert study.is_dir()
    found = compare(
        uids[0], later, tree=small_study, protocols=[protocol(BALL)], register=False
    )
    assert len(found.comparison.studies) == 2
    error = refusal(lambda: compare(*uids, protocols=[protocol(BALL)]))
    assert error.usage
    assert "--in" in error.advice


def test_a_zip_is_a_study(small_study: Path, later: Path, tmp_path: Path) -> None:
    packed = tmp_path / "later.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in later.iterdir():
            archive.write(file, file.name)
    found = compare(small_study, packed, protocols=[protocol(BALL)], register=False)
    assert found.comparison.lesions[0].state == "stable"


def test_saved_readings_are_compared_without_their_images(
    small_study: Path, later: Path, tmp_path: Path
) -> None:
    files = []
    for number, study in enumerate((small_study, later)):
        reading = ot.measure(study, protocol(BALL), now=NOW)
        files.append(ot.save(reading, tmp_path / f"{number}.json"))
    found = compare(*files)
    assert found.comparison.lesions[0].state == "stable"
    assert "no images" in found.comparison.pairs[0].refusals[0]
    assert found.volumes == {0: (), 1: ()}


def saved(folder: Path, study: Path, reader: str, end: float = 6.5) -> Assessment:
    entry = GAP if end == 6.5 else BALL
    reading = ot.measure(study, protocol(entry), reader=reader, now=NOW)
    folder.mkdir(exist_ok=True)
    ot.save(reading, folder / f"{reading.assessment_uid}.json")
    return reading


def test_a_saved_reading_comes_before_the_protocol_and_its_reader_is_chosen(
    small_study: Path, later: Path, tmp_path: Path
) -> None:
    records = tmp_path / "records"
    kim = saved(records, small_study, "Kim")
    lee = saved(records, small_study, "Lee", end=1.0)
    for reader, own in (("Kim", kim), ("Lee", lee)):
        found = compare(
            small_study,
            later,
            records=records,
            protocols=[protocol(GAP)],
            reader=reader,
            register=False,
        )
        assert found.assessments[0] == own
        assert found.comparison.studies[1].reader == reader


# Refusals -----------------------------------------------------------------------------


def test_two_patients_are_refused_unless_told(
    small_study: Path, tmp_path: Path, refusal: Refusal
) -> None:
    other = followed(small_study, tmp_path / "other", PatientID="TEST-2")
    error = refusal(lambda: compare(small_study, other, protocols=[protocol(BALL)]))
    assert "2 patients" in error.found
    assert not error.usage
    found = compare(
        small_study,
        other,
        protocols=[protocol(BALL)],
        allow_two_patients=True,
        register=False,
    )
    assert any("2 patients" in note for note in found.comparison.notes)


def test_one_study_and_the_same_study_twice_are_refused(
    small_study: Path, tmp_path: Path, refusal: Refusal
) -> None:
    error = refusal(lambda: compare(small_study, protocols=[protocol(BALL)]))
    assert error.found == "one study"
    assert error.usage
    twice = refusal(lambda: compare(small_study, small_study, protocols=[protocol(BALL)]))
    assert "twice" in twice.found
    assert twice.usage


def test_a_study_that_cannot_be_read_keeps_nobody_from_the_rest(
    small_study: Path, later: Path, tmp_path: Path, refusal: Refusal
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    found = compare(small_study, empty, later, protocols=[protocol(BALL)], register=False)
    assert len(found.comparison.studies) == 2
    assert [error.where for error in found.failures] == [str(empty)]
    alone = refusal(lambda: compare(small_study, empty, protocols=[protocol(BALL)]))
    assert alone.where == str(empty)


def test_a_study_without_a_date_is_kept_and_nothing_is_said_per_month(
    small_study: Path, tmp_path: Path
) -> None:
    undated = followed(small_study, tmp_path / "undated", date="")
    found = compare(small_study, undated, protocols=[protocol(BALL)], register=False)
    (lesion,) = found.comparison.lesions
    assert lesion.steps[0].changes[0].per_month is None
    assert any("no date" in note for note in found.comparison.notes)


def test_a_prior_without_findings_has_nothing_to_follow(
    small_study: Path, later: Path, refusal: Refusal
) -> None:
    error = refusal(lambda: compare(small_study, later))
    assert error.found.startswith("nothing to follow")
    empty = ot.measure(small_study, protocol(BALL), now=NOW)
    assert empty.findings
    only_later = [protocol(BALL)]
    mr = followed(small_study, later.with_name("mr"), series="mr", date="20230102")
    found = compare(mr, later, protocols=only_later, register=False)
    assert any(e.found.startswith("nothing to follow") for e in found.failures)
    assert found.comparison.lesions


def test_ct_against_a_localizer_says_so(small_study: Path, tmp_path: Path) -> None:
    scout = followed(
        small_study, tmp_path / "scout", series="localizer", frame_uid=LATER_FRAME
    )
    found = compare(small_study, scout, protocols=[protocol(GAP)], now=NOW)
    (told,) = found.comparison.pairs[0].refusals
    assert "localizer" in told
    assert found.comparison.lesions[0].state == "not assessed"


def test_a_refused_alignment_leaves_what_matches_by_site(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def align(*volumes: Volume, **told: Any) -> Any:
        raise OsteotraceError(
            "an overlap of 3 %", expected="at least 20 %", advice="nothing helps"
        )

    monkeypatch.setattr(aligning, "align", align)
    other = followed(small_study, tmp_path / "other", frame_uid=LATER_FRAME)
    entries = (GAP, AbsentEntry(label="GAS-1", modality="CT", kind="gas", site="maxilla"))
    later_gap = CaliperEntry(
        **{name: getattr(GAP, name) for name in GAP.__struct_fields__}
        | {"frame_of_reference_uid": LATER_FRAME}
    )
    found = compare(
        small_study,
        other,
        protocols=[protocol(GAP), protocol(later_gap, *entries[1:])],
        now=NOW,
    )
    (pair,) = found.comparison.pairs
    assert not pair.alignments
    assert "an overlap of 3 %" in pair.refusals[0]
    states = {one.label: one.state for one in found.comparison.lesions}
    assert states["PAL-1"] == "stable"


# Carrying -----------------------------------------------------------------------------


def test_marks_are_carried_through_the_transform_and_fitted_anew(
    small_study: Path, moved: Path
) -> None:
    found = compare(small_study, moved, protocols=[protocol(GAP)], now=NOW)
    before, after = (read(found, k, "PAL-1") for k in (0, 1))
    assert after.tracking_uid == before.tracking_uid
    assert after.certainty == "possible"
    assert after.note.startswith("a proposal")
    assert value(after).value == pytest.approx(GAP_MM, abs=0.05)
    # The very voxels at another place: the refit finds the edges where they went.
    ends = [np.array(f.regions[0].points) for f in (before, after)]  # type: ignore[union-attr]
    assert np.abs(ends[1] - ends[0] - MOVED_MM).max() < 0.02
    assert found.comparison.studies[1].carried
    (lesion,) = found.comparison.lesions
    assert lesion.state == "stable"
    assert lesion.steps[0].proposed
    assert lesion.links[0].basis == "carried"


def test_the_error_of_the_transform_is_carried_into_the_change(
    small_study: Path, moved: Path
) -> None:
    slope = IntensityEntry(
        **{name: getattr(BALL, name) for name in BALL.__struct_fields__}
        # A ball on the edge of a wall: its mean depends on where it lies along y.
        | {"region": Where(centre=(0.0, -6.25, 0.0), radius=2.0)}
    )
    found = compare(small_study, moved, protocols=[protocol(slope)], now=NOW)
    changes = found.comparison.lesions[0].steps[0].changes
    (change,) = (one for one in changes if one.name == "mean_value")
    # The wall is 1160 HU high and a ball of radius 2 mm is cut by it in the middle: a
    # step of d moves 3 d / (4 r) of its volume.
    expected = 1160 * 3 / (4 * 2.0) * U_MM
    assert change.u_registration == pytest.approx(expected, rel=0.3)


def test_four_displaced_marks_have_the_spread_of_the_place() -> None:
    covariance = np.cov(TETRAHEDRON.T, bias=True)
    assert np.allclose(covariance, np.eye(3))


def test_what_no_displaced_mark_could_look_for_is_not_gone() -> None:
    absent = compared.finding("GAS-1", presence="absent")
    present = compared.finding("GAS-1", presence="present")
    for own, displaced, left in (
        (absent, [], "unknown"),
        (absent, [present] * 4, "unknown"),
        (absent, [absent] * 4, "absent"),
        (present, [], "present"),
    ):
        found, spread = carrying._with_spread(own, displaced)
        assert (found.presence, spread) == (left, {})


def test_a_search_that_finds_nothing_is_resolved(small_study: Path, later: Path) -> None:
    gas = GasEntry(
        label="GAS-1",
        modality="CT",
        site="maxilla",
        frame_of_reference_uid=FRAME,
        series="bone*",
        region=Where(centre=(0.0, -0.25, 0.0), radius=3.0),
    )
    reading = ot.measure(small_study, protocol(gas), now=NOW)
    # There is no gas in it; as if there had been, it is looked for at the later date.
    (finding,) = reading.findings
    seen = msgspec.structs.replace(finding, presence="present")
    prior = later.with_name("prior.json")
    ot.save(msgspec.structs.replace(reading, findings=(seen,)), prior)
    found = compare(small_study, prior, later, now=NOW)
    assert read(found, 1, "GAS-1").presence == "absent"
    assert found.comparison.lesions[0].state == "resolved"


def test_what_was_drawn_around_is_not_carried() -> None:
    edema = MarrowEdemaEntry(label="E", modality="MR", edema=Where(label="edema"))
    assert "outline" in why_not_carried(edema)
    as_drawn = CaliperEntry(
        **{name: getattr(GAP, name) for name in GAP.__struct_fields__} | {"snap": False}
    )
    assert "not fitted" in why_not_carried(as_drawn)
    assert not why_not_carried(GAP)


def test_a_place_outside_the_later_images_is_not_judged(
    small_study: Path, tmp_path: Path
) -> None:
    # The patient lies 40 mm aside in the same frame: the gap is not imaged.
    aside = followed(small_study, tmp_path / "aside", moved_mm=(40.0, 0.0, 0.0))
    found = compare(small_study, aside, protocols=[protocol(BALL), protocol(GAP)])
    told = [f for f in found.assessments[1].findings if f.label.startswith("REG-1")]
    assert not told or isinstance(told[0].measurements[0], NotMeasured)
    (lesion,) = (one for one in found.comparison.lesions if one.label == "REG-1")
    assert lesion.state == "not assessed"


def test_bones_around_a_lesion_are_not_left_out_of_the_alignment(
    small_study: Path,
) -> None:
    volume = ot.load(small_study, series_uid="2.25.1002")
    reading = ot.measure(small_study, protocol(GAP, BALL), now=NOW)
    masks: list[Mask] = list(aligning.lesions_on(reading.findings, volume))
    assert {mask.role for mask in masks} >= {"lesion", "region"}
    bones = tuple(
        msgspec.structs.replace(one, kind="vertebra") for one in reading.findings
    )
    assert not list(aligning.lesions_on(bones, volume))


# What a reader says -------------------------------------------------------------------


def test_a_reader_confirms_and_refuses_matches(
    small_study: Path, later: Path, refusal: Refusal
) -> None:
    other = CaliperEntry(
        **{name: getattr(GAP, name) for name in GAP.__struct_fields__}
        | {"label": "PAL-7"}
    )
    common: dict[str, Any] = {
        "protocols": [protocol(GAP), protocol(other)],
        "register": False,
    }
    pair = [("PAL-1", "PAL-7")]
    found = compare(small_study, later, confirmed=pair, reader="Kim", **common)
    assert found.comparison.lesions[0].links[0].confirmed_by == "Kim"
    assert not found.comparison.lesions[0].steps[0].proposed
    apart = compare(small_study, later, refused=pair, **common)
    assert len(apart.comparison.lesions) == 2
    assert refusal(
        lambda: compare(small_study, later, confirmed=pair, **common)
    ).found.startswith("a match that nobody")
    assert (
        "PAL-7"
        in refusal(
            lambda: compare(
                small_study, later, confirmed=[("PAL-1", "X")], reader="Kim", **common
            )
        ).advice
    )


def test_the_same_studies_give_the_same_comparison(
    small_study: Path, moved: Path
) -> None:
    def once() -> object:
        uids = (f"2.25.77.{k}" for k in range(100))
        return compare(
            small_study,
            moved,
            protocols=[protocol(GAP)],
            now=NOW,
            uids=lambda: next(uids),
        ).comparison

    assert once() == once()


# Sample cases -------------------------------------------------------------------------


@pytest.mark.slow
def test_the_maxilla_before_and_after(tmp_path: Path) -> None:
    """Sequestra resolved, the defect of 12.07 mm within measurement error."""
    from osteotrace.phantoms import write_samples

    cases = "maxilla_before", "maxilla_after"
    folders = write_samples(tmp_path, cases)
    protocols = [tmp_path / "protocols" / f"{name}.toml" for name in cases]
    found = compare(
        *folders,
        protocols=protocols,
        facts=tmp_path / "facts" / "maxilla_before.toml",
        reader="Kim",
        now=NOW,
    )
    (alignment,) = found.comparison.pairs[0].alignments
    assert alignment.u_mm < 0.1
    lesions = {one.label: one for one in found.comparison.lesions}
    gap = lesions["palatal_gap"].steps[0].changes[0].change
    assert (gap.earlier, gap.later) == pytest.approx((12.07, 12.07), abs=0.05)
    assert gap.verdict == "within measurement error"
    assert lesions["SEQ"].state == lesions["SEQ/1"].state == "resolved"
    # The air over the cheek lies outside the later images: nothing is said of it.
    assert lesions["GAS-2"].state == "not assessed"
    assert {row.system for row in found.comparison.stagings} >= {"aaoms_2022", "brown"}


@pytest.mark.slow
def test_the_childs_jaw_over_seven_years(tmp_path: Path) -> None:
    """Edema gone, back at month 67, gone again; asymmetry falls."""
    from osteotrace.phantoms import write_samples

    cases = tuple(f"mandible_month{month}" for month in ("00", "05", "60", "67", "84"))
    folders = write_samples(tmp_path, cases)
    found = compare(
        *folders,
        protocols=[tmp_path / "protocols" / f"{name}.toml" for name in cases],
        facts=tmp_path / "facts" / f"{cases[0]}.toml",
        accepted_flags=("no plane of symmetry", "slices of 2.7 mm"),
        register=False,
        now=NOW,
    )
    lesions = {one.label: one for one in found.comparison.lesions}
    states = [step.state for step in lesions["EDEMA"].steps]
    assert states == ["resolved", "absent", "new", "resolved"]
    whole = lesions["EXPANSION"].whole
    assert whole is not None
    change = whole.changes[0].change
    assert change.name == "asymmetry_index_volume"
    assert change.verdict == "decreased"
    assert any("child" in note for note in found.comparison.notes)


@pytest.mark.slow
def test_the_spine_over_ten_weeks(tmp_path: Path) -> None:
    """L2 and then L3 found as new, cement at the treated levels, the flag raised."""
    from osteotrace.phantoms import write_samples

    cases = "spine_2023-07", "spine_2023-09-03", "spine_2023-09-27"
    folders = write_samples(tmp_path, cases)
    found = compare(
        *folders,
        protocols=[tmp_path / "protocols" / f"{name}.toml" for name in cases],
        facts=tmp_path / "facts" / f"{cases[0]}.toml",
        reader="Kim",
        register=False,
        now=NOW,
    )
    incident = {one.site: one.first_seen for one in found.comparison.fractures}
    assert incident["l2"] == "2023-09-03"
    assert incident["l3"] == "2023-09-27"
    lesions = {one.label: one for one in found.comparison.lesions}
    assert lesions["L3"].state == "new"
    assert lesions["L4 cement"].state == "stable"
    (flag,) = (
        row for row in found.comparison.stagings if row.system == "rebound_fracture"
    )
    assert all(result is not None for result in flag.results)
