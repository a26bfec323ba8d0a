"""What an export for a viewer states of a reading, and what it says it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from pydicom import dcmread
from tests.fixtures.assessments import METHOD, assessment, caliper_finding, ct_image
from tests.fixtures.small_study import CT_FRAME_UID

import osteotrace as ot
from osteotrace import series
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding
from osteotrace.measurements.measurement import Measurement, measured
from osteotrace.records import profiles
from osteotrace.regions import Mask, Polyline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom import Dataset

    Exported = Callable[..., list[Dataset]]

PRESENT = caliper_finding()
ABSENT = msgspec.structs.replace(PRESENT, tracking_uid="2.25.1", presence="absent")
UNSURE = msgspec.structs.replace(PRESENT, tracking_uid="2.25.2", presence="unknown")
VIEWERS = ["ohif", "slicer"]


@pytest.fixture
def exported(small_study: Path, tmp_path: Path) -> Exported:
    """Return what exports findings for a viewer and reads the reports."""

    def written(profile: Any, *findings: Finding) -> list[Dataset]:
        files = profiles.write(
            assessment(*findings), series.scan(small_study), tmp_path, profile=profile
        )
        made = [dcmread(file) for file in files]
        return [one for one in made if one.Modality == "SR"]

    return written


@pytest.fixture(scope="module")
def masks(small_study: Path) -> Callable[..., Finding]:
    """Return what makes a finding of masks, and of values of the first one."""
    volume = ot.load(small_study / "ct")

    def made(count: int, *values: Measurement, uid: str = "2.25.11") -> Finding:
        voxels = np.zeros(volume.grid.shape, bool)
        voxels[2:5, 4:9, 6:16] = True
        return Finding(
            tracking_uid=uid,
            label="SEQ-1",
            kind="sequestrum",
            site="mandible",
            measurements=values,
            regions=tuple(
                Mask.of(
                    voxels,
                    volume.grid,
                    role=f"mask {n}",
                    frame_of_reference_uid=CT_FRAME_UID,
                    source_instances=tuple(ct_image(k) for k in range(1, 21)),
                )
                for n in range(count)
            ),
        )

    return made


def _groups(document: Dataset) -> list[Dataset]:
    (measurements,) = (
        one
        for one in document.ContentSequence
        if one.ConceptNameCodeSequence[0].CodeValue == "126010"
    )
    return list(measurements.ContentSequence)


def _stated(group: Dataset, code: str) -> list[Dataset]:
    return [
        one
        for one in group.ContentSequence
        if one.ConceptNameCodeSequence[0].CodeValue == code
    ]


def _text(group: Dataset, code: str) -> str:
    (item,) = _stated(group, code)
    return str(item.get("TextValue") or item.get("UID"))


def _note(document: Dataset) -> str:
    return str(document.ContentSequence[-1].TextValue)


@pytest.mark.parametrize(("profile", "groups"), [("ohif", 1), ("slicer", 4)])
def test_what_was_looked_for_and_not_there_is_left_out_and_counted(
    exported: Exported, profile: str, groups: int
) -> None:
    (document,) = exported(profile, ABSENT, PRESENT, UNSURE)
    assert len(_groups(document)) == groups
    note = _note(document)
    assert "Findings of the record that are not here: 2." in note
    assert "Of these absent, or not known to be present: 2." in note


@pytest.mark.parametrize("profile", VIEWERS)
def test_a_reading_of_nothing_present_is_not_exported(
    exported: Exported, profile: str
) -> None:
    with pytest.raises(OsteotraceError, match="of something present"):
        exported(profile, ABSENT, UNSURE)


@pytest.mark.parametrize(
    ("profile", "shown"), [("ohif", "121106"), ("slicer", "112039")], ids=VIEWERS
)
def test_certainty_and_doubts_stand_in_what_the_viewer_shows(
    exported: Exported, profile: str, shown: str
) -> None:
    doubtful = msgspec.structs.replace(PRESENT, certainty="possible")
    (document,) = exported(profile, doubtful)
    words = _text(_groups(document)[0], shown)
    assert words.endswith(", possible, doubtful: rival edge on the second side")


def test_a_mask_says_what_speaks_against_it(
    exported: Exported, masks: Callable[..., Finding]
) -> None:
    volume = _volume(flags=("touches the edge",))
    finding = msgspec.structs.replace(masks(1, volume), certainty="probable")
    (document,) = exported("slicer", finding)
    (group,) = _groups(document)
    assert _text(group, "112039") == (
        "SEQ-1 (mask 0), probable, doubtful: touches the edge"
    )


def _volume(**more: Any) -> Measurement:
    return measured(
        "voxel_volume",
        43.2,
        "mm3",
        method=METHOD,
        sources=(),
        uncertainty_reason="a range alone is honest",
        region="mask 0",
        **more,
    )


def test_the_middle_of_a_range_is_no_number_for_slicer(
    exported: Exported, masks: Callable[..., Finding]
) -> None:
    point, spread = _volume(), _volume(interval95=(20.0, 90.0))
    (document,) = exported("slicer", masks(1, spread, point))
    (group,) = _groups(document)
    assert [one.ValueType for one in group.ContentSequence].count("NUM") == 1
    assert "Values of the record that are not here: 1." in _note(document)


def test_every_mask_has_the_tracking_uid_of_its_segment(
    exported: Exported, masks: Callable[..., Finding], tmp_path: Path
) -> None:
    (document,) = exported("slicer", masks(2), masks(1, uid="2.25.12"))
    names = [_text(group, "112040") for group in _groups(document)]
    assert len(set(names)) == 3
    made = [dcmread(file) for file in tmp_path.iterdir()]
    (segmentation,) = (one for one in made if one.Modality == "SEG")
    assert sorted(names) == sorted(s.TrackingUID for s in segmentation.SegmentSequence)


def test_two_findings_of_one_lesion_have_a_tracking_uid_each(
    exported: Exported, masks: Callable[..., Finding]
) -> None:
    (document,) = exported("slicer", masks(1), masks(1))
    assert len({_text(group, "112040") for group in _groups(document)}) == 2


def test_a_second_height_that_ohif_is_not_given_is_counted(exported: Exported) -> None:
    lines = [
        msgspec.structs.replace(PRESENT.regions[0], role=role)
        for role in ("anterior", "posterior")
    ]
    heights = [
        measured(
            f"height_{role}",
            20.0,
            "mm",
            method=METHOD,
            sources=(),
            uncertainty=0.1,
            region=role,
        )
        for role in ("anterior", "posterior")
    ]
    vertebra = msgspec.structs.replace(
        PRESENT, regions=tuple(lines), measurements=tuple(heights)
    )
    (document,) = exported("ohif", vertebra)
    note = _note(document)
    assert "Findings of the record that are not here: 0." in note
    assert "Marked regions of the record that are not here: 1." in note
    assert "Values of the record that are not here: 1." in note


def test_a_curve_that_slicer_is_not_given_is_counted(exported: Exported) -> None:
    curve = Polyline(
        role="curve",
        points=((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (2.0, 1.0, 0.0)),
        frame_of_reference_uid=CT_FRAME_UID,
        source_instances=(ct_image(11),),
    )
    finding = msgspec.structs.replace(PRESENT, regions=(*PRESENT.regions, curve))
    (document,) = exported("slicer", finding)
    assert "Findings of the record that are not here: 0." in _note(document)
    assert "Marked regions of the record that are not here: 1." in _note(document)
    assert "Values of the record that are not here: 0." in _note(document)
