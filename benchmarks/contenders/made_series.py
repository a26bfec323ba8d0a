"""Series to list and to load; `benchmarks/loading.py` has them written."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final


def ct_header(rows: int, bits: int) -> Any:
    """Return a CT header as a scanner writes it, 113 elements, no pixels."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

    data = Dataset()
    data.SpecificCharacterSet, data.ImageType = (
        "ISO_IR 100",
        ["ORIGINAL", "PRIMARY", "AXIAL"],
    )
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, UID(_SOP.format(99999, 99999))
    for day in ("Study", "Series", "Acquisition", "Content"):
        setattr(data, f"{day}Date", "20260102")
        setattr(data, f"{day}Time", "101112.130000")
    data.InstanceCreationDate, data.InstanceCreationTime = "20260102", "101112.130000"
    data.AccessionNumber, data.Modality, data.Manufacturer = "A-1", "CT", "Phantom works"
    data.InstitutionName, data.ReferringPhysicianName = "Nowhere", ""
    data.StationName, data.StudyDescription = "CT01", "Head and neck"
    data.SeriesDescription, data.ManufacturerModelName = "Bone 1.0", "Phantom 64"
    data.PatientName, data.PatientID = "Phantom^Bench", "BENCH-1"
    data.PatientBirthDate, data.PatientSex, data.PatientAge = "19700101", "O", "056Y"
    data.PatientWeight, data.BodyPartExamined, data.SliceThickness = "70", "HEAD", "1"
    data.KVP, data.DataCollectionDiameter, data.DeviceSerialNumber = "120", "500", "1"
    data.SoftwareVersions, data.ProtocolName = "phantom 1", "HeadBone"
    data.ReconstructionDiameter, data.DistanceSourceToDetector = "250", "1085.6"
    data.DistanceSourceToPatient, data.GantryDetectorTilt = "595", "0"
    data.TableHeight, data.RotationDirection, data.ExposureTime = "150", "CW", "1000"
    data.XRayTubeCurrent, data.Exposure, data.FilterType = "200", "200", "FLAT"
    data.GeneratorPower, data.FocalSpots, data.ConvolutionKernel = "24", "1.2", "H70h"
    data.DateOfLastCalibration, data.TimeOfLastCalibration = "20260102", "070000"
    data.PatientPosition, data.SingleCollimationWidth = "HFS", 0.6
    data.TotalCollimationWidth, data.TableSpeed, data.SpiralPitchFactor = 38.4, 38.4, 1.0
    data.CTDIvol, data.ExposureModulationType = 18.5, "XYZ_EC"
    data.StudyInstanceUID, data.SeriesInstanceUID = "2.25.70", UID(_SERIES.format(99999))
    data.StudyID, data.SeriesNumber, data.AcquisitionNumber = "1", "2", "3"
    data.InstanceNumber = _NUMBER.format(99999)
    data.ImagePositionPatient = ["-120.5", "-118.25", _HEIGHT.format(9999.999)]
    data.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = "2.25.73", ""
    data.SliceLocation = _HEIGHT.format(9999.999)
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows = data.Columns = rows
    data.PixelSpacing = ["0.48828125", "0.46"]
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, bits, bits - 1
    data.PixelRepresentation = int(bits == 16)
    data.WindowCenter, data.WindowWidth = ["450", "50"], ["1500", "350"]
    data.RescaleIntercept, data.RescaleSlope = "0" if bits == 16 else "-1024", "1"
    data.RescaleType, data.LossyImageCompression = "HU", "00"
    for group in (0x0009, 0x0019, 0x0021, 0x0029):
        block = data.private_block(group, "PHANTOM WORKS CT", create=True)
        for element in range(0x10, 0x16):
            block.add_new(element, "LO", f"private {element}")
    block.add_new(0x20, "OB", bytes(range(256)) * 5)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data


# What is left of a header that was written by a converter or stripped of identities.
BARE: Final = [
    "SOPClassUID", "SOPInstanceUID", "StudyDate", "StudyTime", "Modality", "PatientName",
    "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "ImageType",
    "SeriesDescription", "SliceThickness", "InstanceNumber", "ImagePositionPatient",
    "ImageOrientationPatient", "FrameOfReferenceUID", "SamplesPerPixel", "Rows",
    "Columns", "PhotometricInterpretation", "PixelSpacing", "BitsAllocated", "BitsStored",
    "HighBit", "PixelRepresentation", "RescaleIntercept", "RescaleSlope",
]  # fmt: skip
_SERIES: Final = "2.25.71{:05d}"
_SOP: Final = "2.25.72{:05d}{:05d}"
_NUMBER: Final = "{:06d}"
_HEIGHT: Final = "{:+09.3f}"


class Template:
    """The bytes of a file in which the few values that differ are put."""

    def __init__(self, rows: int, bits: int, *, bare: bool = False) -> None:
        from io import BytesIO

        data = ct_header(rows, bits)
        if bare:
            kept = {data.data_element(keyword).tag for keyword in BARE}
            for tag in set(data.keys()) - kept:
                del data[tag]
        data.PixelData = bytes(2 * rows * rows)
        stream = BytesIO()
        data.save_as(stream, enforce_file_format=True)
        self.head = stream.getvalue()[: -2 * rows * rows]

    def file(self, series: int, number: int, pixels: bytes) -> bytes:
        """Return the file of one slice, 1 mm above the one before."""
        head = self.head.replace(
            _SOP.format(99999, 99999).encode(), _SOP.format(series, number).encode()
        )
        head = head.replace(
            _SERIES.format(99999).encode(), _SERIES.format(series).encode()
        )
        head = head.replace(
            _NUMBER.format(99999).encode(), _NUMBER.format(number).encode()
        )
        height = _HEIGHT.format(number - 250.0).encode()
        return head.replace(_HEIGHT.format(9999.999).encode(), height) + pixels


def write_many(
    folder: str, series: int, slices: int, rows: int, *, bare: bool = False
) -> None:
    """Write small series, each in a folder of its own, two levels down."""
    template, pixels = Template(rows, 12, bare=bare), os.urandom(rows * rows)
    pixels = b"".join(bytes([b, b & 7]) for b in pixels)
    for s in range(series):
        place = Path(folder, f"study{s // 10}", f"series{s}")
        place.mkdir(parents=True)
        for n in range(slices):
            (place / f"IM{n:05d}").write_bytes(template.file(s, n, pixels))


def write_volume(
    folder: str, slices: int, rows: int, bits: int, syntax: str = ""
) -> None:
    """Write one large CT series of a smooth image with noise, compressed if asked."""
    import numpy as np

    template = Template(rows, bits)
    generator = np.random.default_rng(1)
    Path(folder).mkdir(parents=True)
    y, x = np.mgrid[:rows, :rows] / rows - 0.5
    disc = 1500.0 * (x * x + y * y < 0.16) + 300 * np.sin(9 * x) * np.cos(7 * y)
    for n in range(slices):
        noisy = disc + 20 * n % 400 + generator.normal(0, 12, (rows, rows))
        pixels = np.clip(noisy, 0, 4095).astype("<i2")
        name = Path(folder, f"IM{(7919 * n) % slices:05d}")
        name.write_bytes(template.file(1, n, pixels.tobytes()))
        if syntax:
            _compress(name, syntax)


def _compress(file: Path, syntax: str) -> None:
    import gdcm
    from pydicom import dcmread
    from pydicom.uid import UID

    reader = gdcm.ImageReader()
    reader.SetFileName(str(file))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(f"{file}.c")
    assert writer.Write()
    data = dcmread(file)
    data["PixelData"] = dcmread(f"{file}.c")["PixelData"]
    os.unlink(f"{file}.c")
    data.file_meta.TransferSyntaxUID = UID(syntax)
    data.save_as(file)


def main() -> None:
    """Write ``many|bare SERIES SLICES ROWS`` or ``volume SLICES ROWS BITS SYNTAX``."""
    folder, kind, *rest = sys.argv[1:]
    if kind in ("many", "bare"):
        series, slices, rows = map(int, rest)
        write_many(folder, series, slices, rows, bare=kind == "bare")
    else:
        slices, rows, bits = map(int, rest[:3])
        write_volume(folder, slices, rows, bits, rest[3] if len(rest) > 3 else "")


if __name__ == "__main__":
    main()
