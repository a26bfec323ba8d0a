"""From a volume's header to its voxels, strictly: what cannot be right is refused.

Native pixels are read from each file straight into one array; compressed and deflated
ones are decoded by `osteotrace.volume.decoding` in processes of their own.
"""

from __future__ import annotations

import math
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.series import without_duplicates
from osteotrace.series.catalogue import ALLOWABLE, MEASURABLE
from osteotrace.series.kinds import is_cone_beam
from osteotrace.volume.brightness import is_colour
from osteotrace.volume.carrier import ARBITRARY, HOUNSFIELD, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from osteotrace.series import Instance, PixelFormat, VolumeHeader

# No detector gives a larger slice; a damaged header may claim one.
MAX_SLICE_PIXELS: Final = 8192 * 8192
ADVICE: Final = {
    "missing_slices": "fetch the missing slices from the archive, or allow gaps: each "
    "slice then keeps its true position",
    "duplicate_positions": "give one acquisition (one time point, one echo) alone, or "
    "allow gaps: one slice a position is then kept",
    "single_slice": "give the whole series; one slice has no extent across it",
    "localizer": "choose the series that the localizer was made for",
    "projection": "radiographs have no patient space; choose a CT or MR series",
    "not_an_image": "choose a CT or MR image series",
    "no_spacing": "without PixelSpacing (0028,0030) no mm exist; use the original scan",
    "unreadable": "use CT or MR images whose orientation and frames are stated",
}


def load(
    header: VolumeHeader,
    *,
    allow_gaps: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Volume:
    """Read the pixels of a volume.

    Parameters
    ----------
    header : VolumeHeader
        From `osteotrace.series.scan`; ``regular``, ``tilted`` or ``uneven``.
    allow_gaps : bool, default False
        Whether a volume with missing or duplicate slices is read as well: each slice at
        its true position, one a position. `Volume.notes` say what was done.
    progress : callable, optional
        Called with the number of slices read so far and the number of all.

    Returns
    -------
    Volume

    Raises
    ------
    OsteotraceError
        If the verdict forbids it, a file changed since the scan, a slice cannot be
        decoded, is not grey-scale, or is shorter than its header says.
    """
    header = _allowed(header, allow_gaps=allow_gaps)
    assert header.grid is not None  # a verdict that is allowed comes with one
    for instance in header.instances:
        _check_pixels(instance)
    count = len(header.instances)
    voxels = read_stored(
        header.instances, None if progress is None else lambda n: progress(n, count)
    )
    return Volume(
        voxels=voxels,
        grid=header.grid,
        slope=_rescale(header.instances, "RescaleSlope"),
        intercept=_rescale(header.instances, "RescaleIntercept"),
        unit=unit_of(header),
        frame_of_reference_uid=header.frame_of_reference_uid,
        instances=header.instances,
        identity=header.identity,
        notes=header.notes,
    )


def _allowed(header: VolumeHeader, *, allow_gaps: bool) -> VolumeHeader:
    """Return the volume as it may be read; refuse it where its verdict forbids."""
    if allow_gaps and "duplicate_positions" in header.verdicts:
        header = without_duplicates(header)
    forbidden = set(header.verdicts) - MEASURABLE
    if header.grid is None or forbidden - (ALLOWABLE if allow_gaps else set()):
        raise _refused(header)
    if not forbidden:
        return header
    gaps = header.grid.slice_gaps
    usual, widest = gaps.min(), gaps.max()
    missing = round(float((gaps / usual - 1).sum()))
    slices = "slice" if missing == 1 else "slices"
    note = (
        f"{missing} {slices} missing, gaps up to {widest:.4g} mm where {usual:.4g} mm is "
        "usual; every slice kept at its true position, nothing filled in"
    )
    from dataclasses import replace

    return replace(header, notes=(*header.notes, note))


def _refused(header: VolumeHeader) -> OsteotraceError:
    bad = [verdict for verdict in header.verdicts if verdict not in MEASURABLE]
    words = [f"series {header.identity.series_uid}, volume {header.k}"]
    if header.damaged:
        words.append(f"damaged and left out: {', '.join(header.damaged)}")
    return OsteotraceError(
        f"a volume that is {' and '.join(bad)} ({'; '.join(words)})",
        expected="parallel slices of one CT or MR acquisition, none missing or twice",
        advice="; ".join(ADVICE[verdict] for verdict in bad),
        where=os.path.dirname(header.instances[0].file),
    )


def unit_of(header: VolumeHeader) -> str:
    """Return the UCUM unit of the rescaled values (PS3.3 C.8.2.1.1, C.11.1.1.2)."""
    # Without a rescale the numbers are whatever the scanner stored.
    hounsfield = all(
        i.attributes.modality == "CT"
        and i.intercept is not None
        and i.attributes.format.rescale_type in (None, "", "HU")
        and not is_cone_beam(header.identity, i.attributes)
        for i in header.instances
    )
    return HOUNSFIELD if hounsfield else ARBITRARY


def _rescale(instances: Sequence[Instance], keyword: str) -> NDArray[np.float64]:
    """Return slope or intercept of each slice, none meaning that nothing is changed."""
    slope = keyword == "RescaleSlope"
    values = [i.slope if slope else i.intercept for i in instances]
    if None in values and any(value is not None for value in values):
        without = instances[values.index(None)]
        raise OsteotraceError(
            f"an image without {keyword} among others that have one",
            expected="a rescale on every image, or on none",
            advice="use the series as the scanner sent it",
            where=without.file,
        )
    for instance, value in zip(instances, values, strict=True):
        if value is not None and (not math.isfinite(value) or (slope and value == 0)):
            tag = "(0028,1053)" if slope else "(0028,1052)"
            raise OsteotraceError(
                f"a {keyword} {tag} of {value:g}",
                expected="a finite number" + (" other than zero" if slope else ""),
                advice="use the series as the scanner sent it",
                where=instance.file,
            )
    absent = 1.0 if slope else 0.0
    return np.array([absent if value is None else value for value in values])


def _check_pixels(instance: Instance) -> None:
    """Refuse what is no grey-scale slice before a byte of it is read."""
    form = instance.attributes.format
    if instance.rows * instance.columns > MAX_SLICE_PIXELS:
        raise undecodable(instance, "larger than any slice")
    if form.frames != 1 and not instance.frame:
        raise undecodable(instance, f"{form.frames} frames in one image")
    if form.samples != 1 or not form.photometric.startswith("MONOCHROME"):
        colour = form.photometric or "missing"
        raise undecodable(instance, f"photometric interpretation {colour}")
    if form.bits_allocated not in (8, 16, 32) or not (
        0 < form.bits_stored <= form.bits_allocated
    ):
        bits = f"{form.bits_stored} of {form.bits_allocated} bits"
        raise undecodable(instance, f"{bits} a pixel")
    if form.high_bit != form.bits_stored - 1:
        raise undecodable(instance, f"HighBit {form.high_bit}, {form.bits_stored} bits")
    if form.modality_lut:
        raise undecodable(instance, "a Modality LUT (0028,3000), which is not applied")


def undecodable(instance: Instance, reason: str) -> OsteotraceError:
    """Return the error of an image whose pixels cannot be had."""
    return OsteotraceError(
        f"an image whose pixels cannot be read ({' '.join(reason.split())[:160]})",
        expected=f"{instance.rows} × {instance.columns} grey values in PixelData "
        "(7FE0,0010)",
        advice="the file is damaged or cut off: fetch it again from its source",
        where=instance.file,
    )


def stored_type(form: PixelFormat) -> np.dtype[Any]:
    """Return the type of stored values in memory, of a colour image of its brightness."""
    if is_colour(form):
        return np.dtype(np.uint8)
    return np.dtype(f"{'i' if form.signed else 'u'}{form.bits_allocated // 8}")


def read_stored(
    instances: Sequence[Instance],
    progress: Callable[[int], None] | None,
    *,
    colour: bool = False,
) -> NDArray[Any]:
    """Return the stored values of all slices, (slices, rows, columns).

    Where colour will do, the brightness of colour images as `decode_into` gives it.
    """
    voxels = _room(instances)
    if all(_lies_as_it_is(i.attributes.format) for i in instances):
        _read_native(voxels, instances, progress)
    else:
        from osteotrace.volume.decoding import decode_into

        _check_unchanged(instances)
        decode_into(voxels, instances, progress, colour=colour)
    return voxels


def _lies_as_it_is(form: PixelFormat) -> bool:
    if not form.native or is_colour(form):
        return False
    # Big endian words swap the bytes of 8-bit pixels in pairs (PS3.5 section 8.1.1).
    return form.little_endian or form.bits_allocated > 8


def _room(instances: Sequence[Instance]) -> NDArray[Any]:
    """Return an array for all slices, in a type that holds the values of each."""
    first = instances[0]
    shape = (len(instances), first.rows, first.columns)
    common = np.result_type(*{stored_type(i.attributes.format) for i in instances})
    try:
        return np.empty(shape, dtype=common)
    except MemoryError as problem:
        size = math.prod(shape) * common.itemsize / 2**30
        raise OsteotraceError(
            f"a volume of {size:.0f} GiB ({shape[0]} × {shape[1]} × {shape[2]})",
            expected="one that fits into the memory of this machine",
            advice="check NumberOfFrames, Rows and Columns, or use a larger machine",
            where=first.file,
        ) from problem


def _check_unchanged(instances: Sequence[Instance]) -> None:
    for file, instance in {i.file: i for i in instances}.items():
        try:
            state = os.stat(file)
        except OSError as problem:
            raise undecodable(instance, problem.strerror or str(problem)) from problem
        _check_stamp(instance, state)


def _check_stamp(instance: Instance, state: os.stat_result) -> None:
    stamp = (state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    if stamp[: len(instance.stamp)] != instance.stamp:
        raise OsteotraceError(
            "a file that changed after its folder was scanned",
            expected="the file as it was",
            advice="scan the folder again",
            where=instance.file,
        )


def _read_native(
    voxels: NDArray[Any],
    instances: Sequence[Instance],
    progress: Callable[[int], None] | None,
) -> None:
    """Read uncompressed slices, each into its place."""
    with ExitStack() as opened:
        descriptor, file = -1, ""
        for k, instance in enumerate(instances):
            try:
                if instance.file != file:
                    opened.close()
                    file = instance.file
                    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
                    opened.callback(os.close, descriptor)
                    _check_stamp(instance, os.fstat(descriptor))
                _read_slice(voxels[k], instance, descriptor)
            except OSError as problem:
                reason = problem.strerror or str(problem)
                raise undecodable(instance, reason) from problem
            if progress is not None:
                progress(k + 1)


def _read_slice(target: NDArray[Any], instance: Instance, descriptor: int) -> None:
    """Read one slice into an array of its own size, whatever its stored type."""
    form = instance.attributes.format
    stored = stored_type(form)
    direct = stored == target.dtype
    pixels = target if direct else np.empty(target.shape, dtype=stored)
    _fill(memoryview(pixels.data).cast("B"), instance, descriptor)
    if not form.little_endian and stored.itemsize > 1:
        pixels.byteswap(inplace=True)
    correct_unused_bits(pixels, form)
    if not direct:
        target[...] = pixels


def _fill(buffer: memoryview[int], instance: Instance, descriptor: int) -> None:
    os.lseek(descriptor, instance.pixel_offset, os.SEEK_SET)
    with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as stream:
        while buffer:
            count = stream.readinto(buffer)
            if not count:
                raise undecodable(instance, f"{len(buffer)} bytes short")
            buffer = buffer[count:]


def correct_unused_bits(pixels: NDArray[Any], form: PixelFormat) -> None:
    """Give the bits above BitsStored (0028,0101) the value that the number needs.

    They may hold overlays or nothing in particular (PS3.5 section 8.1.1).
    """
    unused = form.bits_allocated - form.bits_stored
    if not unused:
        return
    if form.signed:
        np.left_shift(pixels, unused, out=pixels)
        np.right_shift(pixels, unused, out=pixels)
    else:
        np.bitwise_and(pixels, (1 << form.bits_stored) - 1, out=pixels)
