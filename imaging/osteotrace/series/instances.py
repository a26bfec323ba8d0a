"""One image of a series as its header states it: whose it is, where it lies, its bytes.

Plain frozen records, written to the index and handed to `osteotrace.volume` as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from osteotrace.uids import source_name

DEFLATED: Final = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
# Implicit and Explicit VR Little Endian, Explicit VR Big Endian (retired).
NATIVE: Final = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", BIG_ENDIAN})


# What may tell time points apart, in the order of `Instance.moment`. The last three, the
# clocks, run on from slice to slice.
MOMENTS: Final = (
    "temporal position", "acquisition number", "inversion time", "flip angle",
    "trigger time", "acquisition time", "content time",
)  # fmt: skip
CLOCKS: Final = 3


class SeriesIdentity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which series this is, with the patient as a pseudonym.

    Parameters
    ----------
    date : str
        Of the study, else the series or the acquisition, ISO 8601; may be empty.
    patient, patient_id, issuer : str
        The pseudonym; PatientID (0010,0020) and IssuerOfPatientID (0010,0021), which no
        representation shows.
    number : int or None
        SeriesNumber (0020,0011).
    device : str
        Manufacturer and model, as stated.
    """

    study_uid: str
    series_uid: str
    modality: str
    description: str
    date: str
    patient: str
    patient_id: str
    issuer: str = ""
    number: int | None = None
    study_description: str = ""
    protocol_name: str = ""
    body_part: str = ""
    device: str = ""

    def __repr__(self) -> str:
        return (
            f"SeriesIdentity({self.modality} {self.description!r}, {self.patient}, "
            f"{self.date}, series {self.series_uid})"
        )


class PixelFormat(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the pixel values of an image are written (PS3.3 C.7.6.3).

    Parameters
    ----------
    frames : int
        NumberOfFrames (0028,0008) of the file; 1 where it states none.
    rescale_type : str or None
        RescaleType (0028,1054), None where it is absent.
    high_bit : int
        HighBit (0028,0102).
    floating : bool
        True for Float and Double Float Pixel Data, which are no stored integers.
    modality_lut : bool
        True where a Modality LUT (0028,3000) takes the place of slope and intercept.
    """

    transfer_syntax: str
    bits_allocated: int
    bits_stored: int
    signed: bool
    samples: int
    photometric: str
    frames: int = 1
    rescale_type: str | None = None
    high_bit: int = 15
    floating: bool = False
    modality_lut: bool = False

    @property
    def native(self) -> bool:
        """True where the pixels lie in the file as they are (PS3.5 section 8.1.1)."""
        return self.transfer_syntax in NATIVE

    @property
    def little_endian(self) -> bool:
        """False for the retired big endian transfer syntax."""
        return self.transfer_syntax != BIG_ENDIAN


class ImageAttributes(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the images of one acquisition have in common.

    Parameters
    ----------
    rows, columns : int
        0 where the object is no image.
    orientation : six floats or None
        ImageOrientationPatient (0020,0037).
    pixel_spacing : two floats or None
        PixelSpacing (0028,0030): mm between rows, mm between columns.
    image_type : tuple of str
        ImageType (0008,0008), or the frame's FrameType (0008,9007).
    stack : str
        StackID (0020,9056).
    b_value : float or None
        DiffusionBValue (0018,9087), s/mm².
    modality : str
        Modality (0008,0060).
    kernel : str
        ConvolutionKernel (0018,1210).
    kvp : float or None
        KVP (0018,0060).
    component : str
        ComplexImageComponent (0008,9208): magnitude, phase, real or imaginary.
    """

    sop_class_uid: str
    rows: int
    columns: int
    frame_of_reference_uid: str
    image_type: tuple[str, ...]
    orientation: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    format: PixelFormat
    echo_time: float | None = None
    b_value: float | None = None
    stack: str = ""
    modality: str = ""
    kernel: str = ""
    kvp: float | None = None
    component: str = ""


class Instance(msgspec.Struct, frozen=True, gc=False):
    """One image: a single-frame file, or one frame of a multi-frame file.

    Parameters
    ----------
    file : str
        Its path.
    stamp : (int, int, int)
        Size in bytes, times of the last change of content and of status, ns, when its
        header was read.
    attributes : ImageAttributes
        What it shares with its neighbours.
    sop_instance_uid : str
        SOPInstanceUID (0008,0018).
    frame : int
        Frame number from 1 (PS3.3 C.7.6.6); 0 for a single-frame file.
    number : int
        InstanceNumber (0020,0013); 0 where it is absent.
    position : (x, y, z) or None
        ImagePositionPatient (0020,0032), LPS mm.
    slope, intercept : float or None
        RescaleSlope (0028,1053), RescaleIntercept (0028,1052); None where absent.
    moment : str
        What may tell time points apart: the values of `MOMENTS`, NUL between.
    pixel_offset, pixel_bytes : int
        Where the frame's native pixels lie in the file. For encapsulated and deflated
        files: where the value of PixelData begins, and -1.
    refers_to : tuple of str
        Series that the object names, or instances where it names no series.
    """

    file: str
    stamp: tuple[int, ...]
    attributes: ImageAttributes
    sop_instance_uid: str
    frame: int = 0
    number: int = 0
    position: tuple[float, ...] | None = None
    slope: float | None = None
    intercept: float | None = None
    moment: str = ""
    pixel_offset: int = 0
    pixel_bytes: int = 0
    refers_to: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.file)

    @property
    def source(self) -> str:
        """The image as findings name it: SOPInstanceUID, ``UID/frames/N`` for a frame."""
        return source_name(self.sop_instance_uid, self.frame)

    @property
    def rows(self) -> int:
        """Rows (0028,0010)."""
        return self.attributes.rows

    @property
    def columns(self) -> int:
        """Columns (0028,0011)."""
        return self.attributes.columns

    @property
    def orientation(self) -> tuple[float, ...] | None:
        """ImageOrientationPatient (0020,0037)."""
        return self.attributes.orientation

    @property
    def pixel_spacing(self) -> tuple[float, ...] | None:
        """PixelSpacing (0028,0030)."""
        return self.attributes.pixel_spacing

    @property
    def frame_of_reference_uid(self) -> str:
        """FrameOfReferenceUID (0020,0052), empty where it is absent."""
        return self.attributes.frame_of_reference_uid

    @property
    def sop_class_uid(self) -> str:
        """SOPClassUID (0008,0016), empty where it is absent."""
        return self.attributes.sop_class_uid

    def __repr__(self) -> str:
        return f"Instance({self.source}, at {self.position})"
