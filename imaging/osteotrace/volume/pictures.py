"""A series for looking at only: its frames in order, without a place in the patient.

What cannot be measured (no spacing, a localizer, missing slices) can still be looked at.
`Pictures` has no geometry to measure with; the reason stands in the place of the mm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.series.wording import OBJECTS, verdict_in_words
from osteotrace.volume.brightness import GREY, PALETTE, is_colour
from osteotrace.volume.image_decoding import frame_bytes
from osteotrace.volume.loading import (
    ADVICE,
    MAX_SLICE_PIXELS,
    read_stored,
    unit_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from osteotrace.series import Instance, SeriesIdentity, VolumeHeader

# Frames of this many bytes together, and so many of them, are more than a film has.
MOST_BYTES: Final = 2 << 30
MOST_FRAMES: Final = 20_000
_DARK_IS_HIGH: Final = "MONOCHROME1"
_DEPTHS: Final = (8, 16, 32)
_COLOURS: Final = ("RGB", "YBR", PALETTE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pictures:
    """The frames of a volume that is looked at and not measured.

    Parameters
    ----------
    frames : (frames, rows, columns) array, read-only
        Rescaled values where the images state a rescale, else stored ones; brightness 0
        to 255 of colour images. The larger the brighter, whatever the images say.
    unit : str
        UCUM unit of the values.
    aspect : float
        Height of a pixel by its width; 1 where it is not known. Never to measure with.
    reason : str
        Why nothing can be measured, in words.
    header : VolumeHeader
        What the frames are of, in the order of its images.
    instances : tuple of Instance
        The image of each frame.
    """

    frames: NDArray[Any] = field(repr=False)
    unit: str
    aspect: float
    reason: str
    header: VolumeHeader = field(repr=False)
    instances: tuple[Instance, ...] = field(repr=False)

    def __post_init__(self) -> None:
        self.frames.setflags(write=False)

    @property
    def identity(self) -> SeriesIdentity:
        """The series."""
        return self.header.identity

    @property
    def is_colour(self) -> bool:
        """True where the values are the brightness of colours."""
        return any(is_colour(i.attributes.format) for i in self.instances)

    @property
    def badge(self) -> str:
        """What stands beside the picture in place of its scale."""
        return f"cannot be measured: {self.reason}"

    @property
    def refusal(self) -> OsteotraceError:
        """The error of a tool that is asked to measure here."""
        advice = [ADVICE[v] for v in self.header.verdicts if v in ADVICE]
        return OsteotraceError(
            f"pictures without a place in the patient ({self.reason})",
            expected="a series that can be measured",
            advice="; ".join(advice) or "choose a series that can be measured",
        )


def why_not_viewable(header: VolumeHeader) -> str:
    """Return why a volume cannot even be looked at, empty where it can.

    Decided by the headers alone; a damaged image is found when it is opened.
    """
    first = header.instances[0]
    form = first.attributes.format
    if header.identity.modality in OBJECTS:
        return OBJECTS[header.identity.modality]
    if not first.rows or not first.columns:
        return "no image"
    if form.floating:
        return "a map of a quantity, not of grey values"
    if form.bits_allocated not in _DEPTHS or not form.bits_stored:
        return f"{form.bits_allocated} bits a pixel"
    if form.high_bit != form.bits_stored - 1:
        return f"HighBit {form.high_bit} of {form.bits_stored} bits"
    if not form.photometric.startswith((GREY, *_COLOURS)):
        return f"photometric interpretation {form.photometric or 'missing'}"
    return ""


def open_pictures(
    header: VolumeHeader,
    *,
    reason: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Pictures:
    """Read the frames of a volume, whatever its verdict.

    Parameters
    ----------
    header : VolumeHeader
        From `osteotrace.series.scan`. Images of another size are another volume.
    reason : str, optional
        Why it cannot be measured; its verdict in words by default.
    progress : callable, optional
        Called with the number of frames read so far and the number of all.

    Raises
    ------
    OsteotraceError
        If it is no picture, a file changed since the scan, a frame cannot be decoded,
        or the frames need more than `MOST_BYTES`.
    """
    _check_viewable(header)
    frames = _all_frames(header)
    _check_room(frames)
    return _read(header, frames, reason, progress)


def one_picture(header: VolumeHeader) -> Pictures:
    """Read the middle frame of a volume alone; errors as `open_pictures`."""
    _check_viewable(header)
    frames = _all_frames(header)
    return _read(header, frames[len(frames) // 2 :][:1])


def _check_viewable(header: VolumeHeader) -> None:
    if words := why_not_viewable(header):
        raise OsteotraceError(
            f"nothing to look at: {words}",
            expected="grey or colour images",
            advice="choose another series",
            where=header.instances[0].file,
        )


def _all_frames(header: VolumeHeader) -> list[Instance]:
    for instance in header.instances:
        _check_size(instance)
    return [frame for instance in header.instances for frame in _frames_of(instance)]


def _read(
    header: VolumeHeader,
    frames: list[Instance],
    reason: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Pictures:
    told = None if progress is None else lambda done: progress(done, len(frames))
    stored = read_stored(frames, told, colour=True)
    return Pictures(
        frames=_as_shown(stored, frames),
        unit=unit_of(header),
        aspect=_aspect(header),
        reason=reason or verdict_in_words(header),
        header=header,
        instances=tuple(frames),
    )


def _frames_of(instance: Instance) -> list[Instance]:
    """Return the frames of an image, which a scan keeps as one where it has no place."""
    form = instance.attributes.format
    if instance.frame or form.frames == 1:
        return [instance]
    # Only native pixels lie in the file as they are.
    step = frame_bytes(instance) if form.native else 0
    return [
        msgspec.structs.replace(
            instance, frame=k + 1, pixel_offset=instance.pixel_offset + k * step
        )
        # A damaged header may promise any number: one too many will do.
        for k in range(min(form.frames, MOST_FRAMES + 1))
    ]


def _check_size(instance: Instance) -> None:
    if instance.rows * instance.columns > MAX_SLICE_PIXELS:
        raise OsteotraceError(
            f"an image of {instance.rows} × {instance.columns} pixels",
            expected=f"at most {MAX_SLICE_PIXELS:,} pixels",
            advice="the file is damaged, or no radiological image",
            where=instance.file,
        )


def _check_room(frames: Sequence[Instance]) -> None:
    first = frames[0]
    size = 1 if is_colour(first.attributes.format) else _bytes_a_pixel(frames)
    total = len(frames) * first.rows * first.columns * size
    if total > MOST_BYTES or len(frames) > MOST_FRAMES:
        raise OsteotraceError(
            f"more than {MOST_FRAMES:,} frames, or than {MOST_BYTES >> 30} GiB of them",
            expected="fewer, or smaller ones",
            advice="give a part of the series, if its headers are right",
            where=first.file,
        )


def _bytes_a_pixel(frames: Sequence[Instance]) -> int:
    return max(frame.attributes.format.bits_allocated for frame in frames) // 8


def _as_shown(stored: NDArray[Any], frames: Sequence[Instance]) -> NDArray[Any]:
    """Return values that are the brighter the larger, rescaled where that is stated."""
    if any(i.attributes.format.photometric == _DARK_IS_HIGH for i in frames):
        for values, instance in zip(stored, frames, strict=True):
            if instance.attributes.format.photometric == _DARK_IS_HIGH:
                _turn(values, instance)
    slope = np.array([_number(i.slope, 1.0) or 1.0 for i in frames])
    intercept = np.array([_number(i.intercept, 0.0) for i in frames])
    colour = any(is_colour(i.attributes.format) for i in frames)
    if colour or ((slope == 1).all() and (intercept == 0).all()):
        return stored
    rescaled = stored.astype(np.float32)
    for values, a, b in zip(rescaled, slope, intercept, strict=True):
        values *= np.float32(a)
        values += np.float32(b)
    return rescaled


def _turn(values: NDArray[Any], instance: Instance) -> None:
    """Turn dark into bright, in place, within the range of stored values."""
    form = instance.attributes.format
    lowest = -(1 << (form.bits_stored - 1)) if form.signed else 0
    highest = lowest + (1 << form.bits_stored) - 1
    # The sum of both ends fits the type: they are as far from zero on either side.
    np.subtract(values.dtype.type(lowest + highest), values, out=values)


def _number(stated: float | None, absent: float) -> float:
    return stated if stated is not None and math.isfinite(stated) else absent


def _aspect(header: VolumeHeader) -> float:
    spacing = header.instances[0].pixel_spacing
    if spacing is None or min(spacing) <= 0:
        return 1.0
    return spacing[0] / spacing[1]
