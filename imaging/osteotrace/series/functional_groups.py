"""The frames of an enhanced multi-frame object, each with its own place and rescale.

Functional groups (PS3.3 C.7.6.16) hold what single-frame images hold at their top level:
per frame where it varies, shared where it does not. A frame's own group wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.series.elements import DamagedHeader
from osteotrace.series.headers import Image
from osteotrace.series.values import (
    first_item,
    number,
    numbers,
    read_double,
    read_unsigned,
    text,
    words,
)

if TYPE_CHECKING:
    from osteotrace.series.elements import Elements, Value
    from osteotrace.series.headers import HeaderReader
    from osteotrace.series.instances import ImageAttributes

    Items = dict[int, Value]

_SHARED, _PER_FRAME = 0x52009229, 0x52009230
_PLANE_POSITION, _POSITION = 0x00209113, 0x00200032
_PLANE_ORIENTATION, _ORIENTATION = 0x00209116, 0x00200037
_PIXEL_MEASURES, _PIXEL_SPACING = 0x00289110, 0x00280030
_PIXEL_VALUE, _SLOPE, _INTERCEPT, _RESCALE_TYPE = (
    0x00289145, 0x00281053, 0x00281052, 0x00281054,
)  # fmt: skip
_FRAME_CONTENT, _STACK, _TEMPORAL_INDEX = 0x00209111, 0x00209056, 0x00209128
_FRAME_NUMBER_IN_TIME, _FRAME_TIME, _REFERENCE_TIME = 0x00209156, 0x00189074, 0x00189151
_ECHO, _ECHO_TIME = 0x00189114, 0x00189082
_DIFFUSION, _B_VALUE = 0x00189117, 0x00189087
_TEMPORAL_POSITION, _TIME_OFFSET = 0x00209310, 0x0020930D
_CARDIAC, _TRIGGER_DELAY = 0x00189118, 0x00209153
_CT_RECONSTRUCTION, _KERNEL = 0x00189314, 0x00181210
_CT_X_RAY, _KVP = 0x00189325, 0x00180060
_COMPONENT: Final = 0x00089208
# Frame type of MR, CT and X-ray 3D frames.
_FRAME_TYPES: Final = (0x00189226, 0x00189329, 0x00189504)
_FRAME_TYPE: Final = 0x00089007
# No scanner makes more frames in one object than this.
MAX_FRAMES: Final = 100_000


def frames(
    reader: HeaderReader, found: Elements, whole: ImageAttributes, uid: str
) -> tuple[Image, ...]:
    """Return the frames of a multi-frame object in stored order.

    Parameters
    ----------
    reader : HeaderReader
        Keeps the attributes of the frames.
    found : Elements
        The header.
    whole : ImageAttributes
        What the top level says; the frames fill in the rest.
    uid : str
        SOPInstanceUID.

    Raises
    ------
    DamagedHeader
        If there are not as many groups as frames.
    """
    shared = first_item(found.values, _SHARED)
    groups = found.values.get(_PER_FRAME)
    count = whole.format.frames
    if not isinstance(groups, list) or len(groups) != count or count > MAX_FRAMES:
        have = len(groups) if isinstance(groups, list) else 0
        raise DamagedHeader(f"{count} frames with {have} functional groups")
    offset, _ = found.pixels or (0, 0)
    bits = whole.rows * whole.columns * whole.format.samples * whole.format.bits_allocated
    stored = bits // 8 if whole.format.native else -1
    images = []
    for n, own in enumerate(groups):
        groups_of = _Groups(own, shared, little_endian=found.little_endian)
        start = offset + n * stored if stored >= 0 else offset
        attributes = reader.place_of(groups_of.attributes(whole))
        images.append(groups_of.image(uid, attributes, n + 1, start, stored))
    return tuple(images)


class _Groups:
    """The functional groups of one frame: its own, else the shared ones."""

    def __init__(self, own: Items, shared: Items, *, little_endian: bool) -> None:
        self._own, self._shared, self._little = own, shared, little_endian

    def _group(self, tag: int) -> Items:
        return first_item(self._own, tag) or first_item(self._shared, tag)

    def attributes(self, whole: ImageAttributes) -> ImageAttributes:
        frame_type = next(filter(None, map(self._group, _FRAME_TYPES)), {})
        rescale = self._group(_PIXEL_VALUE)
        kind = text(rescale, _RESCALE_TYPE) if rescale else None
        form = msgspec.structs.replace(whole.format, rescale_type=kind)
        return msgspec.structs.replace(
            whole,
            orientation=numbers(self._group(_PLANE_ORIENTATION), _ORIENTATION, 6),
            pixel_spacing=numbers(self._group(_PIXEL_MEASURES), _PIXEL_SPACING, 2),
            image_type=words(frame_type, _FRAME_TYPE) or whole.image_type,
            format=form,
            echo_time=self._double(_ECHO, _ECHO_TIME),
            b_value=self._double(_DIFFUSION, _B_VALUE),
            stack=text(self._group(_FRAME_CONTENT), _STACK),
            component=text(frame_type, _COMPONENT) or whole.component,
            kernel=text(self._group(_CT_RECONSTRUCTION), _KERNEL) or whole.kernel,
            kvp=self._double(_CT_X_RAY, _KVP) or whole.kvp,
        )

    def image(
        self, uid: str, attributes: int, frame: int, start: int, stored: int
    ) -> Image:
        content, rescale = self._group(_FRAME_CONTENT), self._group(_PIXEL_VALUE)
        index = read_unsigned(content.get(_TEMPORAL_INDEX), little_endian=self._little)
        acquisition = read_unsigned(
            content.get(_FRAME_NUMBER_IN_TIME), little_endian=self._little
        )
        delay = self._double(_CARDIAC, _TRIGGER_DELAY)
        if delay is None:
            delay = self._double(_TEMPORAL_POSITION, _TIME_OFFSET)
        # In the order of `MOMENTS`; inversion time and flip angle have no such group.
        moment = [
            str(index or ""),
            str(acquisition or ""),
            "",
            "",
            "" if delay is None else repr(delay),
            *(text(content, tag) for tag in (_FRAME_TIME, _REFERENCE_TIME)),
        ]
        return Image(
            attributes,
            uid,
            frame,
            frame,
            numbers(self._group(_PLANE_POSITION), _POSITION, 3),
            number(rescale, _SLOPE),
            number(rescale, _INTERCEPT),
            "\0".join(moment),
            start,
            stored,
        )

    def _double(self, group: int, tag: int) -> float | None:
        value = self._group(group).get(tag)
        return read_double(value, little_endian=self._little)
