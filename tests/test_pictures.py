"""What cannot be measured is looked at: frames in order, the reason in place of mm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from tests.fixtures.odd_series import Stack, only_volume, rewrite, write_stack
from tests.fixtures.synthetic import SeriesSpec, write_to

from osteotrace.errors import OsteotraceError
from osteotrace.series import scan
from osteotrace.volume import ARBITRARY, HOUNSFIELD, pictures
from osteotrace.volume.pictures import Pictures, open_pictures, why_not_viewable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from osteotrace.series import VolumeHeader

FRAMES, ROWS, COLUMNS = 4, 6, 8
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
# The luminance of each (ITU-R BT.601).
LUMINANCE = {RED: 76, GREEN: 150, BLUE: 29, WHITE: 255, (0, 0, 0): 0}


def numbered(frames: int = FRAMES) -> NDArray[Any]:
    """Return frames whose every pixel names its place, below 4096."""
    k, r, c = np.ogrid[:frames, :ROWS, :COLUMNS]
    return np.asarray(1000 * k + 10 * r + c, dtype=np.uint16)


def shown(folder: Path) -> Pictures:
    return open_pictures(only_volume(scan(folder)))


def series_of(
    folder: Path, change: Callable[[Dataset], None], **options: Any
) -> VolumeHeader:
    """Write a plain series, change each file, and return its only volume."""
    write_to(folder, SeriesSpec(voxels=numbered(), intercept=0.0, **options))
    rewrite(folder, change)
    return only_volume(scan(folder))


def one_file(
    folder: Path,
    pixels: NDArray[Any],
    *,
    photometric: str,
    planar: int = 0,
    **elements: Any,
) -> VolumeHeader:
    """Write one secondary capture of (rows, columns[, 3]) or more frames of it."""
    folder.mkdir(exist_ok=True)
    write_to(folder, SeriesSpec(voxels=numbered(1), modality="OT"))
    (file,) = folder.iterdir()
    data = dcmread(file)
    for keyword in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"):
        delattr(data, keyword)
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = (
        SecondaryCaptureImageStorage
    )
    data.PhotometricInterpretation = photometric
    data.SamplesPerPixel = 1 if photometric.startswith(("MONO", "PALETTE")) else 3
    data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
    data.HighBit = data.BitsStored - 1
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = planar
    frames = pixels.shape[0] if pixels.ndim == 2 + (data.SamplesPerPixel == 3) + 1 else 1
    if frames > 1:
        data.NumberOfFrames = frames
    data.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    data.save_as(file)
    return only_volume(scan(folder))


# Series with a reason


def test_a_series_without_spacing_is_shown_as_stored_and_says_why(
    tmp_path: Path,
) -> None:
    def blank(data: Dataset) -> None:
        del data.PixelSpacing

    seen = open_pictures(series_of(tmp_path / "a", blank, modality="MR"))
    assert (seen.frames == numbered()).all()
    assert [i.number for i in seen.instances] == [1, 2, 3, 4]
    assert seen.badge == "cannot be measured: no pixel spacing: no mm"
    assert "PixelSpacing" in str(seen.refusal)
    assert seen.aspect == 1.0
    assert seen.unit == ARBITRARY


def test_ct_is_shown_in_hounsfield_units_in_the_order_of_its_slices(
    tmp_path: Path,
) -> None:
    # One of five slices is missing: 0, 1, 2, 4.
    stack = Stack(heights=(0.0, 1.0, 2.0, 4.0), rows=ROWS, columns=COLUMNS)
    values = 100.0 * np.arange(4)[:, None, None] + np.zeros((4, ROWS, COLUMNS)) - 50
    seen = shown(write_stack(tmp_path / "a", stack, values=values))
    assert seen.reason == "1 slice missing"
    assert seen.frames[:, 0, 0] == pytest.approx([-50, 50, 150, 250], abs=0.06)
    assert seen.unit == HOUNSFIELD
    assert seen.aspect == pytest.approx(0.45 / 0.4)


def test_a_localizer_is_shown(small_study: Path) -> None:
    (header,) = (
        v for s in scan(small_study) for v in s.volumes if v.verdicts == ("localizer",)
    )
    seen = open_pictures(header)
    assert seen.frames.shape == (1, 40, 30)
    assert seen.badge == "cannot be measured: a localizer"
    assert "choose the series that the localizer was made for" in str(seen.refusal)


def test_a_volume_that_can_be_measured_may_be_shown_for_a_reason_of_its_own(
    small_study: Path,
) -> None:
    header = scan(small_study / "ct").choose()
    seen = open_pictures(header, reason="a Modality LUT, which is not applied")
    assert seen.badge == "cannot be measured: a Modality LUT, which is not applied"


def test_progress_counts_the_frames(small_study: Path) -> None:
    told: list[tuple[int, int]] = []
    header = scan(small_study / "ct").choose()
    open_pictures(header, progress=lambda done, total: told.append((done, total)))
    assert told == [(n + 1, 20) for n in range(20)]


def test_pictures_cannot_be_written_to(small_study: Path) -> None:
    seen = open_pictures(scan(small_study / "ct").choose())
    with pytest.raises(ValueError, match="read-only"):
        seen.frames[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("name", "reason", "frames"),
    [
        ("ct_missing_slice", "1 slice missing", 4),
        ("ct_not_a_volume", "several images at one position", 4),
    ],
)
def test_real_series_that_cannot_be_measured_are_shown(
    real_dicom: Path, name: str, reason: str, frames: int
) -> None:
    seen = shown(real_dicom / name)
    assert seen.reason == reason
    assert seen.frames.shape == (frames, 512, 512)
    for picture, instance in zip(seen.frames, seen.instances, strict=True):
        header = dcmread(instance.path)
        slope, intercept = float(header.RescaleSlope), float(header.RescaleIntercept)
        assert (picture == header.pixel_array * slope + intercept).all()


# Kinds of pixels


@pytest.mark.parametrize("planar", [0, 1])
def test_colours_become_their_luminance(tmp_path: Path, planar: int) -> None:
    pixels = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    for row, colour in enumerate(LUMINANCE):
        pixels[row] = colour
    stored = np.moveaxis(pixels, -1, 0).copy() if planar else pixels
    header = one_file(tmp_path / "a", stored, photometric="RGB", planar=planar)
    seen = open_pictures(header)
    assert seen.frames.dtype == np.uint8
    assert seen.frames[0, :5, 0].tolist() == list(LUMINANCE.values())
    assert (seen.frames[0] == seen.frames[0][:, :1]).all()


def test_several_colour_frames_come_in_order(tmp_path: Path) -> None:
    pixels = np.zeros((3, ROWS, COLUMNS, 3), np.uint8)
    pixels[0], pixels[1], pixels[2] = RED, WHITE, BLUE
    seen = open_pictures(one_file(tmp_path / "a", pixels, photometric="RGB"))
    assert seen.frames[:, 0, 0].tolist() == [76, 255, 29]
    assert [i.frame for i in seen.instances] == [1, 2, 3]
    assert "no CT or MR slice" in seen.reason


def test_luminance_and_chrominance_become_luminance(tmp_path: Path) -> None:
    pixels = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    # Y, then no colour at all: Cb and Cr of 128.
    pixels[..., 0], pixels[..., 1:] = 93, 128
    seen = open_pictures(one_file(tmp_path / "a", pixels, photometric="YBR_FULL"))
    assert np.abs(seen.frames.astype(int) - 93).max() <= 1


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    pixels = np.tile(np.arange(COLUMNS, dtype=np.uint8) % 3, (ROWS, 1))
    header = one_file(tmp_path / "a", pixels, photometric="PALETTE COLOR")
    data = dcmread(header.instances[0].path)
    colours = zip(RED, WHITE, BLUE, strict=True)
    for name, values in zip(("Red", "Green", "Blue"), colours, strict=True):
        table = f"{name}PaletteColorLookupTable"
        data.add_new(f"{table}Descriptor", "US", [4, 0, 8])
        data.add_new(f"{table}Data", "OW", bytes([*values, 0]))
    data.save_as(header.instances[0].path)
    header = only_volume(scan(tmp_path / "a"))
    seen = open_pictures(header)
    assert seen.frames[0, 0, :3].tolist() == [76, 255, 29]


@pytest.mark.parametrize("syntax", [JPEGLSLossless, RLELossless])
def test_compressed_colour_is_decoded(tmp_path: Path, syntax: Any) -> None:
    pixels = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    for row, colour in enumerate(LUMINANCE):
        pixels[row] = colour
    header = one_file(tmp_path / "a", pixels, photometric="RGB")
    stream = get_encoder(syntax).encode(
        pixels,
        rows=ROWS,
        columns=COLUMNS,
        number_of_frames=1,
        samples_per_pixel=3,
        planar_configuration=0,
        photometric_interpretation="RGB",
        bits_allocated=8,
        bits_stored=8,
        pixel_representation=0,
    )
    file = header.instances[0].path
    data = dcmread(file)
    data.PixelData = encapsulate([stream])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = syntax
    data.save_as(file)
    assert shown(tmp_path / "a").frames[0, :5, 0].tolist() == list(LUMINANCE.values())


def test_frames_of_one_grey_file_come_in_order(tmp_path: Path) -> None:
    pixels = numbered()
    header = one_file(tmp_path / "a", pixels, photometric="MONOCHROME2")
    assert len(header.instances) == 1
    seen = open_pictures(header)
    assert (seen.frames == pixels).all()
    assert [i.source.rsplit("/", 1)[-1] for i in seen.instances] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("signed", [False, True])
def test_what_is_stored_dark_for_high_is_turned(tmp_path: Path, signed: bool) -> None:
    stored = numbered(1)[0] % 4096

    def turned(data: Dataset) -> None:
        data.PhotometricInterpretation = "MONOCHROME1"
        data.PixelRepresentation = int(signed)
        data.BitsStored, data.HighBit = 12, 11
        del data.PixelSpacing

    seen = open_pictures(series_of(tmp_path / "a", turned, modality="MR"))
    first = seen.frames[0].astype(int)
    # Unsigned: 4095 - v. Signed, 12 bits: -1 - v.
    assert (first == (-1 if signed else 4095) - stored.astype(int)).all()


# What is refused


def test_objects_that_are_no_pictures_say_what_they_are(tmp_path: Path) -> None:
    def report(data: Dataset) -> None:
        data.Modality = "SR"
        for keyword in ("Rows", "Columns", "PixelData"):
            delattr(data, keyword)

    write_to(tmp_path / "a", SeriesSpec(voxels=numbered()))
    rewrite(tmp_path / "a", report)
    header = only_volume(scan(tmp_path / "a"))
    assert why_not_viewable(header) == "a structured report"
    with pytest.raises(OsteotraceError, match="nothing to look at: a structured report"):
        open_pictures(header)


def test_a_real_segmentation_is_no_picture(real_dicom: Path) -> None:
    (header,) = only(scan(real_dicom / "seg_liver_ct" / "liver.dcm"))
    assert why_not_viewable(header) == "a segmentation"


def only(catalogue: Any) -> tuple[VolumeHeader, ...]:
    (series,) = catalogue
    found: tuple[VolumeHeader, ...] = series.volumes
    return found


def test_frames_that_no_memory_holds_are_refused_before_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.zeros((2, ROWS, COLUMNS, 3), np.uint8)
    header = one_file(
        tmp_path / "a", pixels, photometric="RGB", NumberOfFrames=2_000_000_000
    )
    with pytest.raises(OsteotraceError, match="more than 20,000 frames"):
        open_pictures(header)
    monkeypatch.setattr(pictures, "MOST_BYTES", 100)
    with pytest.raises(OsteotraceError, match="GiB of them"):
        shown(write_stack(tmp_path / "b", Stack()))


def test_frames_that_are_not_there_are_one_error_that_names_the_file(
    tmp_path: Path,
) -> None:
    pixels = np.zeros((2, ROWS, COLUMNS, 3), np.uint8)
    header = one_file(tmp_path / "a", pixels, photometric="RGB", NumberOfFrames=3)
    with pytest.raises(OsteotraceError, match=r"frame 3.*bytes short") as refused:
        open_pictures(header)
    assert refused.value.where == header.instances[0].file


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    folder = write_stack(tmp_path / "a", Stack(heights=(0.0, 1.0, 2.0, 4.0)))
    header = only_volume(scan(folder))
    with header.instances[2].path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(OsteotraceError, match="changed after its folder was scanned"):
        open_pictures(header)
