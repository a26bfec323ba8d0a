"""One file's header: whose images it holds and where they lie, or why it is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from osteotrace.pseudonym import pseudonym
from osteotrace.series.elements import DamagedHeader, ElementReader, Elements, Value
from osteotrace.series.instances import ImageAttributes, PixelFormat, SeriesIdentity
from osteotrace.series.values import (
    items,
    number,
    numbers,
    read_double,
    read_unsigned,
    text,
    whole,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# A DICOMDIR names files; it is no instance itself (PS3.10 section 8).
DICOMDIR: Final = b"1.2.840.10008.1.3.10"

_IDENTITY: Final = {
    "study_uid": 0x0020000D, "series_uid": 0x0020000E, "modality": 0x00080060,
    "description": 0x0008103E, "study_date": 0x00080020, "series_date": 0x00080021,
    "acquisition_date": 0x00080022, "patient_id": 0x00100020, "issuer": 0x00100021,
    "number": 0x00200011, "study_description": 0x00081030, "protocol": 0x00181030,
    "body_part": 0x00180015, "manufacturer": 0x00080070, "model": 0x00081090,
    "character_set": 0x00080005,
}  # fmt: skip
_ATTRIBUTES: Final = {
    "sop_class": 0x00080016, "rows": 0x00280010, "columns": 0x00280011,
    "frame_of_reference": 0x00200052, "image_type": 0x00080008,
    "orientation": 0x00200037, "pixel_spacing": 0x00280030, "echo_time": 0x00180081,
    "b_value": 0x00189087, "stack": 0x00209056, "bits_allocated": 0x00280100,
    "bits_stored": 0x00280101, "signed": 0x00280103, "samples": 0x00280002,
    "photometric": 0x00280004, "frames": 0x00280008, "rescale_type": 0x00281054,
    "high_bit": 0x00280102, "modality": 0x00080060, "kernel": 0x00181210,
    "kvp": 0x00180060, "component": 0x00089208,
}  # fmt: skip
_IDENTITY_TAGS: Final = tuple(_IDENTITY.values())
_ATTRIBUTE_TAGS: Final = tuple(_ATTRIBUTES.values())
_SOP_INSTANCE: Final = 0x00080018
_MEDIA_CLASS, _MEDIA_INSTANCE = 0x00020002, 0x00020003
_NUMBER, _POSITION = 0x00200013, 0x00200032
_SLOPE, _INTERCEPT = 0x00281053, 0x00281052
_SHARED_GROUPS, _FRAME_GROUPS = 0x52009229, 0x52009230
_TEMPORAL_POSITION, _ACQUISITION, _TRIGGER = 0x00200100, 0x00200012, 0x00181060
_INVERSION, _FLIP = 0x00180082, 0x00181314
# Date and time in one, else the date, else the time: of acquisition, of content.
_ACQUIRED: Final = (0x0008002A, 0x00080022, 0x00080032)
_CONTENT_DATE, _CONTENT_TIME = 0x00080023, 0x00080033
_MOMENTS: Final = (
    _TEMPORAL_POSITION, _ACQUISITION, _TRIGGER, _INVERSION, _FLIP, *_ACQUIRED,
    _CONTENT_DATE, _CONTENT_TIME,
)  # fmt: skip
_MODALITY_LUT: Final = 0x00283000
# Where an object names what it was made from or speaks of: evidence, series, studies,
# the frames of reference of contours.
_REFERENCES: Final = (0x0040A375, 0x0040A385, 0x00081115, 0x00081200, 0x30060010)
_REFERENCED_SERIES, _REFERENCED_INSTANCE = 0x0020000E, 0x00081155

_SEQUENCES: Final = (
    _SHARED_GROUPS, _FRAME_GROUPS, _MODALITY_LUT, *_REFERENCES,
    # Functional groups: plane position, orientation, pixel measures, rescale, content,
    # echo, diffusion, frame types (MR, CT, X-ray 3D), temporal position, cardiac
    # synchronisation, CT reconstruction, CT X-ray details.
    0x00209113, 0x00209116, 0x00289110, 0x00289145, 0x00209111, 0x00189114, 0x00189117,
    0x00189226, 0x00189329, 0x00189504, 0x00209310, 0x00189118, 0x00189314, 0x00189325,
    # References: series, instances, studies, frame of reference to series of contours.
    0x00081199, 0x0008114A, 0x30060012, 0x30060014, 0x30060016,
)  # fmt: skip


class Image(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One image of a file: the fields of `Instance` from its third on, in their order.

    ``attributes`` is the place of its `ImageAttributes` in the reader's table.
    """

    attributes: int
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


class FileHeader(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one file holds: images of one series, or the reason why it is left out.

    Parameters
    ----------
    identity : int
        Place of its `SeriesIdentity` in the reader's table; -1 where there is none.
    images : tuple of Image
        Empty where it is left out.
    reason : str
        Why it is left out.
    damaged : bool
        True where it says that it is DICOM: an image may be missing because of it.
    """

    identity: int = -1
    images: tuple[Image, ...] = ()
    reason: str = ""
    damaged: bool = False


# Segmentation, Surface Segmentation and Label Map Segmentation Storage.
SEGMENTATIONS: Final = "1.2.840.10008.5.1.4.1.1.66."
UNREADABLE: Final = "a file that cannot be read"
NOT_DICOM: Final = FileHeader(reason="a file that is not DICOM")


_ELEMENTS: Final = ElementReader(
    (
        *_IDENTITY.values(), *_ATTRIBUTES.values(), *_MOMENTS, *_REFERENCES,
        _SOP_INSTANCE, _MEDIA_CLASS, _MEDIA_INSTANCE, _NUMBER, _POSITION, _SLOPE,
        _INTERCEPT, _SHARED_GROUPS, _FRAME_GROUPS, _MODALITY_LUT,
    ),
    _SEQUENCES,
)  # fmt: skip


class HeaderReader:
    """Reads headers, keeping one copy of what many of them share.

    Parameters
    ----------
    identities : iterable of SeriesIdentity
    attributes : iterable of ImageAttributes
        Tables that `FileHeader.identity` and `Image.attributes` point into; what is
        read is added to them.
    """

    def __init__(
        self,
        identities: Iterable[SeriesIdentity] = (),
        attributes: Iterable[ImageAttributes] = (),
    ) -> None:
        self.identities = list(identities)
        self.attributes = list(attributes)
        self._identity_places: dict[Any, int] = {}
        self._attribute_places: dict[Any, int] = {}

    def read(self, file: str, size: int) -> FileHeader:
        """Read one file; what goes wrong is the reason of the result."""
        try:
            found = _ELEMENTS.read(file, size)
            return NOT_DICOM if found is None else self._file(found, size)
        except OSError as problem:
            return _left_out(f"{UNREADABLE} ({problem.strerror})")
        except DamagedHeader as problem:
            return _left_out(f"a damaged DICOM file: {problem}")
        except MemoryError:
            return _left_out(f"{UNREADABLE} (no memory left)")
        # A value that is no number, no UID or no text of its kind: one boundary.
        except Exception as problem:
            return _left_out(f"a damaged DICOM header ({type(problem).__name__})")

    def _file(self, found: Elements, size: int) -> FileHeader:
        values = found.values
        if values.get(_MEDIA_CLASS, b"").rstrip(b"\0 ") == DICOMDIR:  # type: ignore[union-attr]
            return FileHeader(reason="a DICOMDIR")
        uid = text(values, _SOP_INSTANCE) or text(values, _MEDIA_INSTANCE)
        if not uid or _IDENTITY["series_uid"] not in values:
            if _MEDIA_CLASS not in values and not uid:
                return NOT_DICOM  # Without preamble, and nothing else speaks for it.
            return _left_out("a DICOM file without SOP or Series Instance UID")
        place = self._attributes_of(found)
        attributes = self.attributes[place]
        identity = self._identity_of(values)
        if _FRAME_GROUPS in values or _SHARED_GROUPS in values:
            from osteotrace.series.functional_groups import frames

            images = frames(self, found, attributes, uid)
        else:
            images = (self._image(found, attributes, place, uid),)
        if not attributes.rows or attributes.sop_class_uid.startswith(SEGMENTATIONS):
            first = msgspec.structs.replace(images[0], refers_to=_references(values))
            images = (first, *images[1:])
        problem = _shortage(found, attributes, images, size)
        return _left_out(problem, identity) if problem else FileHeader(identity, images)

    def _image(
        self, found: Elements, attributes: ImageAttributes, place: int, uid: str
    ) -> Image:
        values = found.values
        offset, length = found.pixels or (0, 0)
        return Image(
            place,
            uid,
            0,
            whole(text(values, _NUMBER)),
            numbers(values, _POSITION, 3),
            number(values, _SLOPE),
            number(values, _INTERCEPT),
            _moment(values),
            offset,
            length if attributes.format.native else -1,
        )

    def _identity_of(self, values: dict[int, Value]) -> int:
        raw = tuple(map(values.get, _IDENTITY_TAGS))
        place = self._identity_places.get(raw)
        if place is None:
            made = _identity(dict(zip(_IDENTITY, raw, strict=True)))
            place = _put(self.identities, made)
            self._identity_places[raw] = place
        return place

    def _attributes_of(self, found: Elements) -> int:
        values = found.values
        raw = tuple(map(values.get, _ATTRIBUTE_TAGS))
        lut = _MODALITY_LUT in values
        key = (
            *raw,
            found.transfer_syntax,
            values.get(_MEDIA_CLASS),
            lut,
            found.floating,
        )
        place = self._attribute_places.get(key)
        if place is None:
            place = _put(self.attributes, _attributes(found))
            self._attribute_places[key] = place
        return place

    def place_of(self, attributes: ImageAttributes) -> int:
        """Return the place of some attributes in the table, where they are put once."""
        place = self._attribute_places.get(attributes)
        if place is None:
            place = _put(self.attributes, attributes)
            self._attribute_places[attributes] = place
        return place


def _put(table: list[Any], entry: Any) -> int:
    table.append(entry)
    return len(table) - 1


def _left_out(reason: str, identity: int = -1) -> FileHeader:
    return FileHeader(identity=identity, reason=reason, damaged=True)


def _shortage(
    found: Elements, attributes: ImageAttributes, images: tuple[Image, ...], size: int
) -> str:
    """Return what is wrong with the pixels that an image promises, or nothing."""
    if not attributes.rows or not attributes.columns or not images:
        return ""
    if found.pixels is None:
        return "an image without pixel data"
    if not attributes.format.native or attributes.format.floating:
        return ""
    offset, length = found.pixels
    form = attributes.format
    if form.samples != 1:
        return ""  # Colour, perhaps subsampled: listed, never measured.
    bits = attributes.rows * attributes.columns * form.samples * form.bits_allocated
    promised = -(-bits * form.frames // 8)
    if length < promised:
        return f"an image with {max(length, 0)} bytes of pixels instead of {promised}"
    if offset + length > size:
        left = max(size - offset, 0)
        return f"an image cut off: {left} of {length} bytes of pixels are there"
    return ""


def _moment(values: dict[int, Value]) -> str:
    """Return what the header says of the time, the values of `MOMENTS` in one text."""
    get = values.get
    position, acquisition, trigger, inversion, flip, moment, date, time, day, hour = [
        get(tag, b"").strip(b"\0 ")  # type: ignore[union-attr]
        for tag in _MOMENTS
    ]
    acquired = moment or date + time
    said = (position, acquisition, inversion, flip, trigger, acquired, day + hour)
    return b"\0".join(said).decode("latin-1")


def _identity(raw: dict[str, Any]) -> SeriesIdentity:
    said = _decoder((raw["character_set"] or b"").decode("ascii", "replace"))
    stated = {name: said(value or b"") for name, value in raw.items()}
    dates = (stated["study_date"], stated["series_date"], stated["acquisition_date"])
    date = next((d for d in dates if d), "")
    plain = len(date) == 8 and date.isdigit()
    return SeriesIdentity(
        study_uid=stated["study_uid"],
        series_uid=stated["series_uid"],
        modality=stated["modality"],
        description=stated["description"],
        date=f"{date[:4]}-{date[4:6]}-{date[6:]}" if plain else date,
        patient=pseudonym(stated["patient_id"], stated["issuer"]),
        patient_id=stated["patient_id"],
        issuer=stated["issuer"],
        number=whole(stated["number"]) if stated["number"] else None,
        study_description=stated["study_description"],
        protocol_name=stated["protocol"],
        body_part=stated["body_part"],
        device=" ".join(t for t in (stated["manufacturer"], stated["model"]) if t),
    )


def _decoder(character_set: str) -> Callable[[bytes], str]:
    """Return what turns raw text into characters (PS3.3 C.12.1.1.2)."""

    def decode(raw: bytes) -> str:
        if raw.isascii() and b"\x1b" not in raw:
            return raw.decode("ascii").strip("\0 ")
        from pydicom.charset import convert_encodings, decode_bytes
        from pydicom.valuerep import TEXT_VR_DELIMS

        encodings = convert_encodings(character_set.strip("\0 ").split("\\"))
        return decode_bytes(raw, encodings, TEXT_VR_DELIMS).strip("\0 ")

    return decode


def _attributes(found: Elements) -> ImageAttributes:
    values = found.values
    tag = _ATTRIBUTES

    def unsigned(name: str) -> int:
        return read_unsigned(values.get(tag[name]), little_endian=found.little_endian)

    sop_class = text(values, tag["sop_class"]) or text(values, _MEDIA_CLASS)
    b_value = values.get(tag["b_value"])
    stored = unsigned("bits_stored") or unsigned("bits_allocated")
    return ImageAttributes(
        sop_class_uid=sop_class,
        rows=unsigned("rows"),
        columns=unsigned("columns"),
        frame_of_reference_uid=text(values, tag["frame_of_reference"]),
        image_type=words(values, tag["image_type"]),
        orientation=numbers(values, tag["orientation"], 6),
        pixel_spacing=numbers(values, tag["pixel_spacing"], 2),
        format=PixelFormat(
            transfer_syntax=found.transfer_syntax,
            bits_allocated=unsigned("bits_allocated"),
            bits_stored=stored,
            signed=unsigned("signed") == 1,
            samples=unsigned("samples") or 1,
            photometric=text(values, tag["photometric"]),
            frames=max(whole(text(values, tag["frames"])), 1),
            rescale_type=(
                text(values, tag["rescale_type"])
                if tag["rescale_type"] in values
                else None
            ),
            high_bit=unsigned("high_bit") if tag["high_bit"] in values else stored - 1,
            floating=found.floating,
            modality_lut=_MODALITY_LUT in values,
        ),
        echo_time=number(values, tag["echo_time"]),
        b_value=read_double(b_value, little_endian=found.little_endian),
        stack=text(values, tag["stack"]),
        modality=text(values, tag["modality"]),
        kernel=text(values, tag["kernel"]),
        kvp=number(values, tag["kvp"]),
        component=text(values, tag["component"]),
    )


def _references(values: dict[int, Value]) -> tuple[str, ...]:
    """Return the series that an object names, else the instances."""
    found: dict[int, dict[str, None]] = {_REFERENCED_SERIES: {}, _REFERENCED_INSTANCE: {}}
    pending = [item for tag in _REFERENCES for item in items(values, tag)]
    while pending:
        item = pending.pop()
        for tag, value in item.items():
            if tag in found and (uid := text(item, tag)):
                found[tag][uid] = None
            elif isinstance(value, list):
                pending.extend(value)
    return tuple(sorted(found[_REFERENCED_SERIES] or found[_REFERENCED_INSTANCE]))
