"""One reader at work in this process; `benchmarks/loading.py` starts it.

python readers.py NAME FOLDER [--warm TINY [--idle]]
python readers.py --compare FOLDER
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# What `osteotrace.series` reads of every header: the same for the others where they
# can be told.
KEYWORDS: Final = [
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality",
    "SeriesDescription", "StudyDescription", "ProtocolName", "BodyPartExamined",
    "Manufacturer", "ManufacturerModelName", "SpecificCharacterSet", "SeriesNumber",
    "StudyDate", "SeriesDate", "AcquisitionDate", "PatientID", "IssuerOfPatientID",
    "ImageType", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient",
    "PixelSpacing", "FrameOfReferenceUID", "Rows", "Columns", "EchoTime", "BitsAllocated",
    "BitsStored", "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation",
    "NumberOfFrames", "RescaleType", "RescaleSlope", "RescaleIntercept",
    "TemporalPositionIdentifier", "AcquisitionNumber", "TriggerTime",
    "AcquisitionDateTime", "AcquisitionTime", "ContentTime",
]  # fmt: skip
# The least that sorts slices.
FEW: Final = [
    "SOPInstanceUID", "SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient",
    "ImageOrientationPatient",
]  # fmt: skip


def files_below(folder: str) -> list[str]:
    """Return every file below a folder, in order."""
    return sorted(
        os.path.join(d, name) for d, _, names in os.walk(folder) for name in names
    )


# Catalogues: each reader imports what it needs and returns the work that is timed, which
# returns the number of images of each series.


def scan_cold(folder: str) -> Callable[[], Any]:
    """Read every header, without the index."""
    from osteotrace import scan

    return lambda: [s.n_instances for s in scan(folder, index=False)]


def scan_indexed(folder: str) -> Callable[[], Any]:
    """Use the index; the first time every header is read and the index is written."""
    from osteotrace import scan

    return lambda: [s.n_instances for s in scan(folder)]


def stat_walk(folder: str) -> Callable[[], Any]:
    """Ask the size and time of every file, and nothing else."""

    def work() -> list[int]:
        counts = []
        for place, _, names in os.walk(folder):
            for name in names:
                os.stat(os.path.join(place, name))
            counts.append(len(names))
        return counts

    return work


def gdcm_scanner(folder: str, keywords: list[str] | None = None) -> Callable[[], Any]:
    """Let GDCM's scanner read the same elements, or others."""
    import gdcm
    from pydicom.datadict import tag_for_keyword

    def work() -> list[int]:
        listing, scanner = gdcm.Directory(), gdcm.Scanner()
        for keyword in keywords or KEYWORDS:
            tag = tag_for_keyword(keyword) or 0
            scanner.AddTag(gdcm.Tag(tag >> 16, tag & 0xFFFF))
        listing.Load(folder, True)
        names = listing.GetFilenames()
        assert scanner.Scan(names)
        uid = gdcm.Tag(0x20, 0xE)
        return _counts(scanner.GetValue(name, uid) for name in names)

    return work


def gdcm_few(folder: str) -> Callable[[], Any]:
    """Let GDCM's scanner read no more than sorts slices into series."""
    return gdcm_scanner(folder, FEW)


def pydicom_headers(folder: str) -> Callable[[], Any]:
    """Read the same elements with pydicom, file by file."""
    from pydicom import dcmread

    def work() -> list[int]:
        options: dict[str, Any] = {"stop_before_pixels": True, "specific_tags": KEYWORDS}
        return _counts(
            dcmread(f, **options).SeriesInstanceUID for f in files_below(folder)
        )

    return work


def simpleitk_series(folder: str) -> Callable[[], Any]:
    """List each folder's series and their files with SimpleITK."""
    import SimpleITK as sitk

    def work() -> list[int]:
        reader, counts = sitk.ImageSeriesReader, []
        for place, _, names in os.walk(folder):
            for uid in reader.GetGDCMSeriesIDs(place) if names else ():
                counts.append(len(reader.GetGDCMSeriesFileNames(place, uid)))
        return counts

    return work


def _counts(uids: Iterable[str]) -> list[int]:
    found: dict[str, int] = {}
    for uid in uids:
        found[uid] = found.get(uid, 0) + 1
    return list(found.values())


# Loading: the work returns the voxels.


def load_cold(folder: str) -> Callable[[], Any]:
    """Scan the folder without the index, and load."""
    from osteotrace import load, scan

    return lambda: load(scan(folder, index=False).choose()).voxels


def load_indexed(folder: str) -> Callable[[], Any]:
    """Scan with the index, and load."""
    from osteotrace import load, scan

    return lambda: load(scan(folder).choose()).voxels


def load_warm(folder: str) -> Callable[[], Any]:
    """Load a volume whose headers are known."""
    from osteotrace import load, scan

    header = scan(folder, index=False).choose()
    return lambda: load(header).voxels


def raw_read(folder: str) -> Callable[[], Any]:
    """Read the bytes of every file into one array: open and readinto."""
    import numpy as np

    names = files_below(folder)
    sizes = [os.path.getsize(name) for name in names]

    def work() -> Any:
        target = np.empty(sum(sizes), np.uint8)
        view, at = target.data, 0
        for name, size in zip(names, sizes, strict=True):
            with open(name, "rb", buffering=0) as stream:
                stream.readinto(view[at : at + size])
            at += size
        return target

    return work


def simpleitk_load(folder: str) -> Callable[[], Any]:
    """Let SimpleITK (GDCM) find and read the series."""
    import SimpleITK as sitk

    def work() -> Any:
        image = simpleitk_image(folder)
        # The view does not keep the image alive.
        work.image = image  # type: ignore[attr-defined]
        return sitk.GetArrayViewFromImage(image)

    return work


def simpleitk_image(folder: str) -> Any:
    """Return a series as SimpleITK reads it."""
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder))
    return reader.Execute()


def pydicom_load(folder: str) -> Callable[[], Any]:
    """Read every file with pydicom, sort by position, stack."""
    import numpy as np
    from pydicom import dcmread

    def work() -> Any:
        slices = [dcmread(name) for name in files_below(folder)]
        slices.sort(key=lambda data: float(data.ImagePositionPatient[2]))
        return np.stack([data.pixel_array for data in slices])

    return work


def highdicom_load(folder: str) -> Callable[[], Any]:
    """Let highdicom make its volume of datasets that pydicom read."""
    import highdicom
    from pydicom import dcmread

    def work() -> Any:
        series = [dcmread(name) for name in files_below(folder)]
        return highdicom.get_volume_from_series(series).array

    return work


def dicom2nifti_load(folder: str) -> Callable[[], Any]:
    """Let dicom2nifti write an uncompressed NIfTI file."""
    import dicom2nifti

    target = os.path.join(os.environ["OUT"], "d2n.nii")

    def work() -> Any:
        done = dicom2nifti.dicom_series_to_nifti(folder, target, reorient_nifti=False)
        return done["NII"].dataobj

    return work


READERS: Final[dict[str, Callable[[str], Callable[[], Any]]]] = {
    "osteotrace": scan_cold,
    "osteotrace, index": scan_indexed,
    "stat walk": stat_walk,
    "GDCM scanner": gdcm_scanner,
    "GDCM scanner, 5 elements": gdcm_few,
    "pydicom headers": pydicom_headers,
    "SimpleITK series": simpleitk_series,
    "osteotrace scan + load": load_cold,
    "osteotrace index + load": load_indexed,
    "osteotrace load": load_warm,
    "raw read": raw_read,
    "SimpleITK": simpleitk_load,
    "pydicom loop": pydicom_load,
    "highdicom": highdicom_load,
    "dicom2nifti": dicom2nifti_load,
}


def dcm2niix_image(folder: str) -> Any:
    """Return what dcm2niix writes, as an image."""
    import SimpleITK as sitk
    from dcm2niix import bin_path

    out = os.environ["OUT"]
    options = ["-z", "n", "-b", "n", "-w", "1", "-f", "compared", "-o", out, folder]
    subprocess.run([str(bin_path), *options], check=True, capture_output=True)
    (written,) = Path(out).glob("compared*.nii")
    image = sitk.ReadImage(str(written))
    written.unlink()
    return image


def dicom2nifti_image(folder: str) -> Any:
    """Return what dicom2nifti writes, as an image."""
    import SimpleITK as sitk

    dicom2nifti_load(folder)()
    return sitk.ReadImage(os.path.join(os.environ["OUT"], "d2n.nii"))


def compare(folder: str, names: list[str]) -> None:
    """Print how each reader's voxels and geometry differ from osteotrace's."""
    import numpy as np
    import SimpleITK as sitk

    from osteotrace import load, scan

    volume = load(scan(folder, index=False).choose())
    spacing = " × ".join(f"{mm:g}" for mm in volume.grid.spacing)
    print(f"  osteotrace: {volume.voxels.shape} {volume.voxels.dtype}, {spacing} mm")
    images = {
        "SimpleITK": simpleitk_image,
        "dcm2niix": dcm2niix_image,
        "dicom2nifti": dicom2nifti_image,
    }
    for name in names:
        if name in images:
            image = images[name](folder)
            voxels, place = sitk.GetArrayFromImage(image), _misplaced(volume, image)
        else:
            voxels, place = np.asarray(READERS[name](folder)()), ""
        print(f"  {name}: {_difference(volume, voxels)}{place}")


def _difference(volume: Any, theirs: Any) -> str:
    """Say how voxels differ, whatever direction their axes have."""
    import numpy as np

    for rescaled in (False, True):
        ours = volume.rescaled() if rescaled else volume.voxels
        for axes in ((), (0,), (1,), (0, 1)):
            if np.array_equal(np.flip(theirs, axes) if axes else theirs, ours):
                turned = f", axes {axes} turned" if axes else ""
                return f"equal voxel by voxel{' in HU' if rescaled else ''}{turned}"
    return f"DIFFERENT: {theirs.shape} {theirs.dtype}"


def _misplaced(volume: Any, image: Any) -> str:
    """Say how far the corner voxels of an image lie from osteotrace's."""
    import numpy as np

    last = [n - 1 for n in image.GetSize()]
    ends = [
        image.TransformIndexToPhysicalPoint(
            [b * n for b, n in zip(bits, last, strict=True)]
        )
        for bits in np.ndindex(2, 2, 2)
    ]
    apart = np.array(ends)[:, None] - volume.grid.corners()
    farthest = np.linalg.norm(apart, axis=-1).min(axis=1).max()
    return f"; corner voxels within {farthest:.4f} mm"


def main() -> None:
    """Run one reader, or compare all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="+")
    parser.add_argument("folder")
    parser.add_argument("--warm", help="a small folder to read first")
    parser.add_argument("--idle", action="store_true", help="do not read the folder")
    parser.add_argument("--compare", action="store_true")
    options = parser.parse_args()
    if options.compare:
        compare(options.folder, options.names)
        return
    (name,) = options.names
    if options.warm:
        READERS[name](options.warm)()
    work = READERS[name](options.folder)
    if options.idle:
        return
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    shape = getattr(result, "shape", None)
    found = sorted(shape) if shape else [len(result), sum(result)]
    print(json.dumps({"seconds": seconds, "found": found}))


if __name__ == "__main__":
    main()
