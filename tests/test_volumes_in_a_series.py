"""Several volumes under one series, and several series of one whole-body exam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from tests.fixtures.odd_series import (
    CORONAL,
    Stack,
    check_places,
    grid_of,
    only_volume,
    place_values,
    put,
    rewrite,
    volumes_of,
    write_stack,
)
from tests.fixtures.synthetic import SERIES_UID

from osteotrace.series import scan
from osteotrace.volume import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_two_echoes_in_one_series_are_two_volumes(tmp_path: Path) -> None:
    def echo(number: int) -> Callable[[Dataset, int], None]:
        def edit(data: Dataset, n: int) -> None:
            data.EchoTime, data.InstanceNumber = 30 * number, 2 * n + number

        return edit

    for number in (1, 2):
        write_stack(
            tmp_path / str(number),
            Stack(),
            offset=100.0 * number,
            group=number,
            edit=echo(number),
            modality="MR",
        )
    rewrite(tmp_path, _rescale_like_ct)
    first, second = volumes_of(scan(tmp_path))
    assert (first.verdicts, second.verdicts) == (("regular",), ("regular",))
    assert "30" in first.kind
    assert "60" in second.kind
    check_places(load(first), 100.0)
    check_places(load(second), 200.0)


def _rescale_like_ct(data: Dataset) -> None:
    """Give an MR the rescale that `SeriesSpec` writes for CT alone."""
    if "RescaleSlope" not in data:
        offset = 100.0 if data.EchoTime == 30 else 200.0
        data.RescaleSlope = 0.1
        data.RescaleIntercept = float(np.floor(place_values(Stack(), offset).min()))


TIMES = 5


def five_time_points(folder: Path, tell: Callable[[Dataset, int, int], None]) -> Path:
    """Write five time points under one series; ``tell(data, slice, time)`` marks them."""
    for time in range(TIMES):

        def edit(data: Dataset, n: int, time: int = time) -> None:
            del data.InstanceNumber
            tell(data, n, time)

        write_stack(
            folder / f"part{(3 * time) % TIMES}",
            Stack(),
            offset=50.0 * time,
            group=time + 1,
            edit=edit,
        )
    return folder


def _identifier(data: Dataset, n: int, time: int) -> None:
    data.TemporalPositionIdentifier = time + 1
    data.NumberOfTemporalPositions = TIMES


def _slices_first(data: Dataset, n: int, time: int) -> None:
    data.InstanceNumber = 5 * time + n + 1


def _times_first(data: Dataset, n: int, time: int) -> None:
    data.InstanceNumber = TIMES * n + time + 1


def _acquisition_time(data: Dataset, n: int, time: int) -> None:
    # Interleaved slices, each at its own moment: no two images share a time.
    data.AcquisitionTime = f"1200{4 * time + 0.7 * ((3 * n) % 5):09.6f}"


def _acquisition_time_at_midnight(data: Dataset, n: int, time: int) -> None:
    seconds = 86390 + 4 * time
    data.AcquisitionDate = f"2026010{2 + seconds // 86400}"
    seconds %= 86400
    data.AcquisitionTime = f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"


def _trigger_time(data: Dataset, n: int, time: int) -> None:
    data.TriggerTime = 40 * time
    data.InstanceNumber = TIMES * n + time + 1


@pytest.mark.parametrize(
    "tell",
    [
        _identifier,
        _slices_first,
        _times_first,
        _acquisition_time,
        _acquisition_time_at_midnight,
        _trigger_time,
    ],
)
def test_five_time_points_in_one_series_are_five_volumes_in_their_order(
    tmp_path: Path, tell: Callable[[Dataset, int, int], None]
) -> None:
    volumes = volumes_of(scan(five_time_points(tmp_path, tell)))
    assert [v.verdicts for v in volumes] == [("regular",)] * TIMES
    assert [v.k for v in volumes] == list(range(TIMES))
    assert len({v.kind for v in volumes}) == TIMES
    for time, header in enumerate(volumes):
        check_places(load(header), 50.0 * time)


def test_a_time_point_that_lacks_a_slice_is_not_made_up(tmp_path: Path) -> None:
    five_time_points(tmp_path, _identifier)
    for file in tmp_path.rglob("*.dcm"):
        if dcmread(file).SOPInstanceUID == f"{SERIES_UID}.3.3":
            file.unlink()
    volumes = volumes_of(scan(tmp_path))
    assert sorted(len(v.instances) for v in volumes) == [4, 5, 5, 5, 5]
    for time, header in enumerate(volumes):
        if time == 2:
            assert header.verdicts == ("missing_slices",)
        else:
            check_places(load(header), 50.0 * time)


def test_slices_with_a_frame_of_reference_each_are_one_volume_in_none(
    tmp_path: Path,
) -> None:
    def own(data: Dataset, n: int) -> None:
        data.FrameOfReferenceUID = f"2.25.900{n}"

    header = only_volume(scan(write_stack(tmp_path, Stack(), edit=own)))
    assert header.verdicts == ("regular",)
    assert header.frame_of_reference_uid == ""
    assert any("frames of reference" in note for note in header.notes)
    volume = load(header)
    assert volume.frame_of_reference_uid == ""
    check_places(volume)


def test_two_complete_stacks_in_two_frames_are_two_volumes(tmp_path: Path) -> None:
    for number in (1, 2):
        write_stack(
            tmp_path / str(number),
            Stack(),
            offset=100.0 * number,
            group=number,
            frame_uid=f"2.25.80{number}",
        )
    volumes = volumes_of(scan(tmp_path))
    frames = {v.frame_of_reference_uid: v for v in volumes}
    assert len(volumes) == 2
    assert set(frames) == {"2.25.801", "2.25.802"}
    for number in (1, 2):
        check_places(load(frames[f"2.25.80{number}"]), 100.0 * number)


# Patches of a body under one series: three coronal stacks, 40 mm of overlap.
STATION: dict[str, Any] = {
    **CORONAL,
    "heights": (0.0, 8.0, 16.0, 24.0),
    "spacing": (20.0, 15.0),
    "rows": 12,
    "columns": 10,
}
TOPS = (0.0, -200.0, -400.0)


def station(top: float) -> Stack:
    return Stack(**STATION, origin=(-70.0, -12.0, top))


def test_stations_inside_one_series_are_separate_volumes(tmp_path: Path) -> None:
    for number, top in enumerate(TOPS):
        write_stack(
            tmp_path / str(number),
            station(top),
            offset=100.0 * number,
            group=number + 1,
            edit=lambda data, n, number=number: setattr(  # type: ignore[misc]
                data, "InstanceNumber", 4 * number + n + 1
            ),
        )
    volumes = volumes_of(scan(tmp_path))
    assert [v.verdicts for v in volumes] == [("regular",)] * 3
    tops = [grid_of(v).origins[0][2] for v in volumes]
    assert tops == pytest.approx(list(TOPS), abs=1e-3)
    for number, header in enumerate(volumes):
        check_places(load(header), 100.0 * number)


@pytest.mark.parametrize(
    "descriptions",
    [("STIR cor",) * 3, ("STIR cor 1", "STIR cor 2", "STIR cor 3")],
    ids=["one name", "numbered"],
)
def test_stations_of_a_whole_body_exam_are_one_exam(
    tmp_path: Path, descriptions: tuple[str, ...]
) -> None:
    # Written from the feet up, and beside a T1 of the first station alone.
    order = [2, 0, 1]
    for place, number in enumerate(order):
        write_stack(
            tmp_path / str(place),
            station(TOPS[number]),
            modality="MR",
            series_uid=f"2.25.60{number}",
            description=descriptions[number],
            edit=put(SeriesNumber=place + 1, EchoTime=60, ProtocolName="WB STIR"),
        )
    write_stack(
        tmp_path / "other",
        Stack(),
        series_uid="2.25.700",
        description="T1 sag spine",
        modality="MR",
        edit=put(SeriesNumber=9, EchoTime=10, ProtocolName="spine"),
    )
    catalogue = scan(tmp_path)
    exams = {s.identity.series_uid: s.exam for s in catalogue}
    assert len(exams) == 4
    assert exams.pop("2.25.700") == ""
    (name,) = set(exams.values())
    assert name
    assert list(catalogue.exams) == [name]
    uids = [series.identity.series_uid for series in catalogue.exams[name]]
    assert uids == ["2.25.600", "2.25.601", "2.25.602"]
    assert {s.as_dict()["exam"] for s in catalogue} == {name, ""}


def test_series_of_one_region_are_no_whole_body_exam(tmp_path: Path) -> None:
    for number, echo in enumerate((10, 80)):
        write_stack(
            tmp_path / str(number),
            station(0.0),
            modality="MR",
            series_uid=f"2.25.60{number}",
            edit=put(SeriesNumber=number + 1, EchoTime=echo),
        )
    catalogue = scan(tmp_path)
    assert [s.exam for s in catalogue] == ["", ""]
    assert not catalogue.exams


def test_stations_of_two_patients_are_no_exam(tmp_path: Path) -> None:
    for number in (0, 1):
        write_stack(
            tmp_path / str(number),
            station(TOPS[number]),
            modality="MR",
            series_uid=f"2.25.60{number}",
            study_uid=f"2.25.50{number}",
            patient_id=f"TEST-{number}",
        )
    assert not scan(tmp_path).exams
