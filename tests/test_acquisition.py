"""How a series was made, read from its header: single images and enhanced objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from tests.fixtures.small_study import CT_SPACING, write_stack

from osteotrace import series
from osteotrace.series.acquisition import Acquisition, acquisition_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.enhanced_study import EnhancedStudy

CT = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    "Modality": "CT",
    "SeriesInstanceUID": "2.25.77",
    "FrameOfReferenceUID": "2.25.78",
    "SeriesDescription": "jaw",
    "RescaleSlope": 1,
    "RescaleIntercept": 0,
}


def written(folder: Path, **tags: Any) -> Acquisition:
    """Return what is read of a small stack with some tags."""
    write_stack(
        folder / "series",
        np.zeros((3, 8, 8), np.int16),
        origin=(0.0, 0.0, 0.0),
        cosines=(1, 0, 0, 0, 1, 0),
        spacing=CT_SPACING,
        tags=CT | tags,
    )
    (found,) = series.scan(folder, index=False)
    (volume,) = found.volumes
    return acquisition_of(volume)


def test_a_ct_says_kernel_slices_voltage_agent_and_device(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        ConvolutionKernel="B70f",
        KVP="120",
        ContrastBolusAgent="iohexol",
        Manufacturer="MAKER",
        ManufacturerModelName="One",
    )
    assert found == Acquisition(
        series_uid="2.25.77",
        modality="CT",
        description="jaw",
        kernel="B70f",
        slice_thickness_mm=0.8,
        spacing_mm=found.spacing_mm,
        kvp=120.0,
        contrast_agent="iohexol",
        manufacturer="MAKER",
        model="One",
    )
    assert found.spacing_mm == pytest.approx(CT_SPACING)
    assert found.device == "MAKER One"
    assert found.weighting == ""
    assert found.fluid_sensitive is None


def test_an_mr_says_its_sequence_times_and_field(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.4",
        Modality="MR",
        ScanningSequence=["SE", "IR"],
        SequenceVariant="SK",
        EchoTime=30.5,
        RepetitionTime=4000,
        InversionTime=160,
        MagneticFieldStrength=1.5,
    )
    assert found.scanning_sequence == ("SE", "IR")
    assert found.sequence_variant == ("SK",)
    times = found.echo_time_ms, found.repetition_time_ms, found.inversion_time_ms
    assert times == (30.5, 4000.0, 160.0)
    assert found.field_strength_t == 1.5
    assert found.weighting == "STIR"
    assert found.fluid_sensitive is True


@pytest.mark.parametrize(
    ("description", "tags", "weighting", "fluid"),
    [
        ("t2_tirm_cor", {}, "STIR", True),
        ("T1 SE sag", {}, "T1", False),
        ("T2 TSE FS", {}, "T2", True),
        ("PD FS tra", {}, "PD", True),
        ("sag", {"EchoTime": 10, "RepetitionTime": 500}, "T1", False),
        ("sag", {"EchoTime": 100, "RepetitionTime": 4000}, "T2", True),
        ("sag", {"EchoTime": 30, "RepetitionTime": 3000}, "PD", False),
        ("sag", {"InversionTime": 2200}, "FLAIR", False),
        ("sag", {"ScanningSequence": "GR", "EchoTime": 5}, "", None),
        ("sag", {}, "", None),
    ],
)
def test_what_a_sequence_shows_is_told_by_its_times_or_its_name(
    tmp_path: Path, description: str, tags: dict[str, Any], weighting: str, fluid: object
) -> None:
    found = written(tmp_path, Modality="MR", SeriesDescription=description, **tags)
    assert (found.weighting, found.fluid_sensitive) == (weighting, fluid)


def test_an_agent_that_the_description_alone_names_is_told_as_such(
    tmp_path: Path,
) -> None:
    found = written(tmp_path, Modality="MR", SeriesDescription="T1 FS +C sag")
    assert found.contrast_agent == "by its description: +C"


def test_what_is_not_stated_or_no_number_is_not_known(tmp_path: Path) -> None:
    found = written(tmp_path, KVP="")
    assert found.kvp is None
    assert found.kernel == ""
    assert found.contrast_agent == ""


def test_a_file_that_is_gone_leaves_what_its_identity_says(tmp_path: Path) -> None:
    write_stack(
        tmp_path / "series",
        np.zeros((3, 8, 8), np.int16),
        origin=(0.0, 0.0, 0.0),
        cosines=(1, 0, 0, 0, 1, 0),
        spacing=CT_SPACING,
        tags=CT | {"ConvolutionKernel": "B70f"},
    )
    (found,) = series.scan(tmp_path, index=False)
    (volume,) = found.volumes
    for image in volume.instances:
        image.path.unlink()
    gone = acquisition_of(volume)
    assert (gone.modality, gone.description, gone.kernel) == ("CT", "jaw", "")


def _item(**tags: Any) -> Sequence:
    item = Dataset()
    for keyword, value in tags.items():
        setattr(item, keyword, value)
    return Sequence([item])


def test_an_enhanced_object_says_it_in_its_functional_groups(
    enhanced_study: EnhancedStudy, tmp_path: Path
) -> None:
    image = dcmread(enhanced_study.images[enhanced_study.mr])
    image.SOPInstanceUID = "2.25.99"
    image.SeriesInstanceUID = "2.25.98"
    image.MagneticFieldStrength = 3.0
    shared = image.SharedFunctionalGroupsSequence[0]
    shared.MREchoSequence = _item(EffectiveEchoTime=70.25)
    shared.MRTimingAndRelatedParametersSequence = _item(RepetitionTime=3500.0)
    shared.MRModifierSequence = _item(InversionTimes=[150.0])
    image.save_as(tmp_path / "mr.dcm")
    found = [
        acquisition_of(volume)
        for each in series.scan(tmp_path, index=False)
        for volume in each.volumes
    ]
    assert found
    for one in found:
        times = one.echo_time_ms, one.repetition_time_ms, one.inversion_time_ms
        assert times == (70.25, 3500.0, 150.0)
        assert one.field_strength_t == 3.0
        assert one.weighting == "STIR"
        assert one.slice_thickness_mm is not None


def test_an_enhanced_ct_says_kernel_voltage_and_agent_of_its_frames(
    enhanced_study: EnhancedStudy, tmp_path: Path
) -> None:
    image = dcmread(enhanced_study.images[enhanced_study.ct])
    image.SeriesInstanceUID = "2.25.97"
    shared = image.SharedFunctionalGroupsSequence[0]
    shared.CTReconstructionSequence = _item(ConvolutionKernel=["Br64", "3"])
    shared.CTXRayDetailsSequence = _item(KVP=100.0)
    image.ContrastBolusAgentSequence = _item(
        CodeValue="1", CodingSchemeDesignator="X", CodeMeaning="iopromide"
    )
    image.save_as(tmp_path / "ct.dcm")
    (found, *_) = series.scan(tmp_path, index=False)
    one = acquisition_of(found.volumes[0])
    assert (one.kernel, one.kvp, one.contrast_agent) == ("Br64 3", 100.0, "iopromide")
    assert one.spacing_mm == pytest.approx(CT_SPACING)
