"""Acquisitions that share a series go apart where tags say so, and never by a guess."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from osteotrace.errors import OsteotraceError
from osteotrace.series import scan
from osteotrace.volume import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pydicom import Dataset
    from tests.fixtures.synthetic import WriteSeries

    from osteotrace.series import VolumeHeader

    Edit = Callable[[Dataset, int], None]


def slices(count: int) -> NDArray[Any]:
    """Return slices of which each voxel names its slice."""
    names = np.arange(count, dtype=np.uint16)[:, None, None]
    return np.broadcast_to(1000 + names, (count, 4, 5)).copy()


def volumes(write_series: WriteSeries, count: int, **options: Any) -> list[VolumeHeader]:
    folder = write_series(slices(count), row=(1, 0, 0), column=(0, 1, 0), **options)
    (series,) = scan(folder)
    return list(series.volumes)


def members(header: VolumeHeader) -> list[int]:
    """Return which slices a volume holds, from bottom to top."""
    return [i.number - 1 for i in header.instances]


def tagged(keyword: str, values: list[Any]) -> Edit:
    def edit(data: Dataset, number: int) -> None:
        setattr(data, keyword, values[number])

    return edit


TWO_AT_EACH_PLACE = (*range(6), *range(6))
HALF_A_GAP_APART = (*range(6), *(n + 0.5 for n in range(6)))


@pytest.mark.parametrize("heights", [TWO_AT_EACH_PLACE, HALF_A_GAP_APART])
@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("AcquisitionNumber", [1] * 6 + [2] * 6),
        ("TemporalPositionIdentifier", [1] * 6 + [2] * 6),
        ("InversionTime", [150] * 6 + [900] * 6),
        ("ConvolutionKernel", ["H30"] * 6 + ["H70"] * 6),
        ("KVP", [80] * 6 + [140] * 6),
        ("ImageType", [["ORIGINAL", "PRIMARY"]] * 6 + [["DERIVED", "PRIMARY"]] * 6),
        ("EchoTime", [10] * 6 + [80] * 6),
    ],
)
def test_what_a_tag_tells_apart_is_two_volumes_wherever_it_lies(
    write_series: WriteSeries, heights: tuple[float, ...], keyword: str, values: list[Any]
) -> None:
    found = volumes(write_series, 12, heights=heights, edit=tagged(keyword, values))
    assert [members(v) for v in found] == [[*range(6)], [*range(6, 12)]]
    assert {v.verdicts for v in found} == {("regular",)}


def test_a_place_repeated_with_a_little_motion_is_still_repeated(
    write_series: WriteSeries,
) -> None:
    heights = (*range(6), *(n + 0.006 for n in range(6)))
    found = volumes(
        write_series,
        12,
        heights=heights,
        edit=tagged("TemporalPositionIdentifier", [1] * 6 + [2] * 6),
    )
    assert [members(v) for v in found] == [[*range(6)], [*range(6, 12)]]


def test_slices_acquired_in_two_passes_stay_one_stack(write_series: WriteSeries) -> None:
    # Odd and even slices of one MR stack differ by the clock alone.
    times = [f"10000{n % 2}" for n in range(8)]
    (found,) = volumes(write_series, 8, edit=tagged("AcquisitionTime", times))
    assert found.verdicts == ("regular",)


def test_rotations_of_a_sequential_scan_stay_one_stack(write_series: WriteSeries) -> None:
    numbers = [1 + n // 2 for n in range(8)]
    (found,) = volumes(write_series, 8, edit=tagged("AcquisitionNumber", numbers))
    assert found.verdicts == ("regular",)


def test_one_repeated_rotation_is_no_time_point(write_series: WriteSeries) -> None:
    found = volumes(
        write_series,
        10,
        heights=(0, 1, 2, 3, 4, 5, 6, 7, 2, 3),
        edit=tagged("AcquisitionNumber", [1 + n // 2 for n in range(10)]),
    )
    assert [v.verdicts for v in found] == [("duplicate_positions",)]


def test_trigger_times_pair_the_phases_of_a_heart_beat(write_series: WriteSeries) -> None:
    # Slice by slice, phase by phase; instance numbers run the other way.
    place = [(phase, n) for n in range(3) for phase in range(4)]

    def edit(data: Dataset, number: int) -> None:
        phase, n = place[number]
        data.TriggerTime = 33 * phase + n
        data.InstanceNumber = 100 - number

    heights = tuple(float(n) for _, n in place)
    found = volumes(write_series, 12, heights=heights, edit=edit)
    assert [[place[100 - i.number][0] for i in v.instances] for v in found] == [
        [phase] * 3 for phase in range(4)
    ]


def test_two_frames_of_reference_are_never_joined(write_series: WriteSeries) -> None:
    uids = ["2.25.81", "2.25.82"] * 4
    found = volumes(write_series, 8, edit=tagged("FrameOfReferenceUID", uids))
    assert {v.frame_of_reference_uid for v in found} == {"2.25.81", "2.25.82"}
    assert [members(v) for v in found] == [[0, 2, 4, 6], [1, 3, 5, 7]]


def test_a_tilted_stack_with_a_repeated_slice_is_not_cut_into_stations(
    write_series: WriteSeries,
) -> None:
    heights = (*(5.0 * n for n in range(20)), 50.0)
    (found,) = volumes(write_series, 21, heights=heights, shear=0.36)
    assert found.verdicts == ("duplicate_positions",)


def test_two_slabs_in_one_series_are_two_volumes(write_series: WriteSeries) -> None:
    heights = (*(3.3 * n for n in range(5)), *(80 + 3.3 * n for n in range(5)))
    found = volumes(write_series, 10, heights=heights)
    assert [members(v) for v in found] == [[*range(5)], [*range(5, 10)]]
    assert {v.verdicts for v in found} == {("regular",)}
    assert [v.kind.rsplit(", ", 1)[-1] for v in found] == ["slab 1 of 2", "slab 2 of 2"]


@pytest.mark.parametrize(
    ("gaps", "verdict"),
    [
        ((5.0, 5.0, 10.0), "missing_slices"),
        ((5.0, 5.0, 5.0, 25.0), "missing_slices"),
        ((0.1, 5.03, 5.04), "uneven"),
        ((1.0, 1.0, 60.4), "uneven"),
        ((4.0, 7.0, 1.1), "uneven"),
    ],
)
def test_slices_are_missing_only_where_gaps_are_whole_multiples(
    write_series: WriteSeries, gaps: tuple[float, ...], verdict: str
) -> None:
    heights = (0.0, *itertools.accumulate(gaps))
    (found,) = volumes(write_series, len(heights), heights=heights)
    assert found.verdicts == (verdict,)


def test_file_names_decide_nothing(write_series: WriteSeries) -> None:
    """Orientations that drift by less than the tolerance, and echoes numbered alike."""

    def edit(data: Dataset, number: int) -> None:
        turn = 0.0008 * (number // 4)
        data.ImageOrientationPatient = [np.cos(turn), np.sin(turn), 0, -np.sin(turn),
                                        np.cos(turn), 0]  # fmt: skip
        data.EchoTime, data.InstanceNumber = 10 + 70 * (number % 2), 1 + number // 2

    folder = write_series(slices(12), row=(1, 0, 0), column=(0, 1, 0), edit=edit)

    def said() -> list[Any]:
        (series,) = scan(folder)
        return [
            (v.kind, [i.sop_instance_uid for i in v.instances], v.as_dict())
            for v in series.volumes
        ]

    first = said()
    for n, file in enumerate(sorted(folder.iterdir(), reverse=True)):
        file.rename(folder / f"renamed{n * 7 % 13:02}")
    assert said() == first


def test_an_image_without_a_place_leaves_the_others_theirs(
    write_series: WriteSeries,
) -> None:
    def edit(data: Dataset, number: int) -> None:
        if number == 0:
            del data.ImagePositionPatient

    found = volumes(write_series, 6, edit=edit)
    assert sorted(v.verdicts for v in found) == [("not_an_image",), ("regular",)]


def test_a_capture_in_a_ct_series_leaves_the_ct_its_verdict(
    write_series: WriteSeries,
) -> None:
    def edit(data: Dataset, number: int) -> None:
        if number == 0:
            data.Modality = "OT"

    found = volumes(write_series, 6, edit=edit)
    assert sorted(v.verdicts for v in found) == [("not_an_image",), ("regular",)]
    assert {v.identity.modality for v in found} == {"CT"}


def test_many_orientations_are_told_apart_in_little_time(
    write_series: WriteSeries,
) -> None:
    def edit(data: Dataset, number: int) -> None:
        turn = 0.002 * number
        data.ImageOrientationPatient = [np.cos(turn), np.sin(turn), 0, -np.sin(turn),
                                        np.cos(turn), 0]  # fmt: skip

    found = volumes(write_series, 300, edit=edit)
    assert len(found) == 300


def float_pixels(data: Dataset, _: int) -> None:
    data.FloatPixelData = np.full(20, 0.0015, dtype="<f4").tobytes()
    data.BitsAllocated = 32
    del data.PixelData, data.BitsStored, data.HighBit, data.PixelRepresentation


def mosaic(data: Dataset, _: int) -> None:
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]


@pytest.mark.parametrize(
    ("edit", "verdict"), [(float_pixels, "not_an_image"), (mosaic, "unreadable")]
)
def test_maps_and_mosaics_are_no_slices(
    write_series: WriteSeries, edit: Edit, verdict: str
) -> None:
    found = volumes(write_series, 5, modality="MR", edit=edit)
    assert {v.verdicts for v in found} == {(verdict,)}


def high_bit(data: Dataset, _: int) -> None:
    data.BitsStored, data.HighBit = 12, 15


def rescale_missing_once(data: Dataset, number: int) -> None:
    if number == 2:
        del data.RescaleIntercept


def modality_lut(data: Dataset, _: int) -> None:
    from pydicom import Dataset as Item

    item = Item()
    item.LUTDescriptor, item.ModalityLUTType = [4096, 0, 16], "HU"
    data.ModalityLUTSequence = [item]


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (high_bit, "HighBit 15, 12 bits"),
        (rescale_missing_once, "without RescaleIntercept among others that have one"),
        (modality_lut, "a Modality LUT"),
    ],
)
def test_values_that_would_be_wrong_are_refused(
    write_series: WriteSeries, edit: Edit, found: str
) -> None:
    (header,) = volumes(write_series, 5, edit=edit)
    with pytest.raises(OsteotraceError) as caught:
        load(header)
    assert found in caught.value.found
