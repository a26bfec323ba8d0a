"""Which series of a study a protocol means, by headers and by preference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fixtures.small_study import write_stack

from osteotrace import protocol
from osteotrace.errors import OsteotraceError
from osteotrace.protocol import SeriesChoice, fitting_volumes, meant_volume
from osteotrace.protocol.entries import IntensityEntry
from osteotrace.protocol.entry import Where
from osteotrace.series import Catalogue, scan

if TYPE_CHECKING:
    from pathlib import Path

AXIAL, SAGITTAL = (1.0, 0, 0, 0, 1, 0), (0.0, 1, 0, 0, 0, -1)
# Description, slices, gap between them, SliceThickness, further tags.
SERIES: dict[str, tuple[int, float, float | None, dict[str, object]]] = {
    "bone thin": (12, 0.6, 0.6, {"ConvolutionKernel": "B60s"}),
    "bone overlapping": (16, 0.5, 2.0, {"ConvolutionKernel": "B60s"}),
    "soft": (9, 1.5, 1.5, {"ConvolutionKernel": "B30f", "BodyPartExamined": "JAW"}),
    "soft contrast": (9, 1.5, None, {"ContrastBolusAgent": "iodine"}),
    "gap": (9, 1.5, 1.5, {"ConvolutionKernel": "B30f"}),
    "STIR": (7, 3.0, 3.0, {"Modality": "MR", "InversionTime": 150.0, "EchoTime": 60}),
    "T1": (7, 3.0, 3.0, {"Modality": "MR", "RepetitionTime": 500.0, "EchoTime": 10}),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Return a study of seven series that differ in what a protocol may ask for."""
    root = tmp_path_factory.mktemp("series")
    for number, (name, (slices, gap, thickness, more)) in enumerate(SERIES.items()):
        tags: dict[str, object] = {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
            "Modality": "CT",
            "FrameOfReferenceUID": f"2.25.90{number}",
            "RescaleSlope": 1,
            "RescaleIntercept": 0,
            "SeriesInstanceUID": f"2.25.80{number}",
            "SeriesDescription": name,
            "SeriesNumber": number,
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        } | more
        is_mr = tags["Modality"] == "MR"
        if is_mr:
            tags["SOPClassUID"] = "1.2.840.10008.5.1.4.1.1.4"
        write_stack(
            root / name,
            np.full((slices, 8, 9), 40, dtype=np.int16),
            origin=(0.0, 0, 0),
            cosines=SAGITTAL if is_mr else AXIAL,
            spacing=(gap, 0.5, 0.6),
            tags=tags,
        )
        _restate(root / name, thickness)
    (root / "gap" / "004.dcm").unlink()
    return scan(root)


def _restate(folder: Path, thickness: float | None) -> None:
    """Write another SliceThickness, or none."""
    from pydicom import dcmread

    for file in folder.iterdir():
        image = dcmread(file)
        if thickness is None:
            del image.SliceThickness
        else:
            image.SliceThickness = thickness
        image.save_as(file)


def entry(**choice: Any) -> IntensityEntry:
    own = SeriesChoice(**choice)
    return IntensityEntry(
        label="A", modality=own.modality, region=Where(label="x"), select=own
    )


def fitting(study: Catalogue, **choice: Any) -> set[str]:
    found = fitting_volumes(study, entry(**choice))
    return {header.identity.description for header in found.headers}


CT = {"bone thin", "bone overlapping", "soft", "soft contrast"}


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"modality": "CT"}, CT),
        ({}, {*CT, "STIR", "T1"}),
        ({"description": "BONE*"}, {"bone thin", "bone overlapping"}),
        ({"modality": "CT", "not_description": ("bone*", "*trast")}, {"soft"}),
        ({"modality": "CT", "kernel": "b60*"}, {"bone thin", "bone overlapping"}),
        ({"modality": "CT", "kernel": ("B30*", "")}, {"soft", "soft contrast"}),
        ({"body_part": "jaw"}, {"soft"}),
        # Slices 0.5 mm apart average 2 mm of tissue each.
        ({"modality": "CT", "thickness_mm": (0.0, 1.0)}, {"bone thin"}),
        ({"modality": "CT", "thickness_mm": (1.5, 1.5)}, {"soft", "soft contrast"}),
        ({"modality": "CT", "least_slices": 12}, {"bone thin", "bone overlapping"}),
        ({"verdicts": ("missing_slices",)}, {"gap"}),
        ({"orientation": "sagittal"}, {"STIR", "T1"}),
        ({"modality": "MR", "weighting": ("T2", "STIR")}, {"STIR"}),
        ({"modality": "MR", "fluid_sensitive": False}, {"T1"}),
        ({"modality": "CT", "contrast": True}, {"soft contrast"}),
        ({"modality": "CT", "cone_beam": True}, set()),
    ],
)
def test_a_series_fits_by_what_its_header_says(
    study: Catalogue, choice: dict[str, Any], names: set[str]
) -> None:
    assert fitting(study, **choice) == names


@pytest.mark.parametrize(
    ("prefer", "name"),
    [
        ("thinnest", "bone thin"),
        ("most_slices", "bone overlapping"),
        (("segmented", "thinnest"), "bone thin"),
    ],
)
def test_of_several_that_fit_the_preferred_one_is_taken(
    study: Catalogue, prefer: Any, name: str
) -> None:
    header = meant_volume(study, entry(modality="CT", prefer=prefer))
    assert header.identity.description == name


def test_two_that_fit_are_an_error_that_names_both(study: Catalogue) -> None:
    with pytest.raises(OsteotraceError) as caught:
        meant_volume(study, entry(modality="CT", description="soft*"))
    told = str(caught.value)
    assert caught.value.found.startswith("2 volumes that fit A: modality CT")
    assert "'soft', series 2.25.802 volume 0 (9 slices of 1.5 mm" in told
    assert "'soft contrast', series 2.25.803 volume 0" in told
    assert '"thinnest"' in caught.value.advice
    assert "\n" not in told


def test_two_that_are_alike_in_what_is_preferred_are_an_error(study: Catalogue) -> None:
    with pytest.raises(OsteotraceError, match="2 volumes that fit"):
        meant_volume(study, entry(modality="MR", prefer="most_slices"))


def test_where_nothing_fits_each_volume_says_why(study: Catalogue) -> None:
    with pytest.raises(OsteotraceError) as caught:
        meant_volume(study, entry(modality="CT", kernel="B60*", thickness_mm=(0, 0.4)))
    told = str(caught.value)
    assert told.startswith(str(study.root))
    assert "CT 'bone overlapping' (2 mm thick (slices 0.5 mm apart, SliceThick" in told
    assert "CT 'soft' (kernel 'B30f')" in told
    assert "CT 'gap' (missing slices)" in told
    assert "MR 'T1' (another modality)" in told


def test_a_series_named_by_its_uid_is_asked_for_its_geometry_alone(
    study: Catalogue,
) -> None:
    named = IntensityEntry(
        label="A",
        modality="CT",
        series_uid="2.25.802",
        region=Where(label="x"),
        select=SeriesChoice(kernel="B60*"),
    )
    assert meant_volume(study, named).identity.description == "soft"
    gap = IntensityEntry(
        label="A", modality="CT", series_uid="2.25.804", region=Where(label="x")
    )
    with pytest.raises(OsteotraceError, match="missing slices"):
        meant_volume(study, gap)
    assert meant_volume(study, gap, allow_gaps=True).identity.description == "gap"


@pytest.mark.parametrize("name", protocol.names())
def test_ready_protocols_never_take_gaps(name: str) -> None:
    entries = protocol.read(name).entries
    assert not any(one.select is not None and one.select.allow_gaps for one in entries)
