"""How a series was made: kernel, slices, contrast agent, sequence, field, device.

Read from the header of one image of it. It decides nothing about geometry; it tells
whether values of two series can be compared.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec
import numpy as np

from osteotrace.series.elements import DamagedHeader, ElementReader
from osteotrace.series.values import first_item, items, number, read_double, text, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.geometry import Grid
    from osteotrace.series.elements import Elements, Value
    from osteotrace.series.instances import Instance, SeriesIdentity

    Items = dict[int, Value]

Weighting = Literal["T1", "T2", "PD", "STIR", "FLAIR", ""]

# Inversion times that null fat, from 0.2 to 3 T, and those that null fluid, ms (textbook
# values: fat 85 to 250, cerebrospinal fluid 1700 and up).
STIR_MS: Final = (70.0, 260.0)
FLAIR_MS: Final = 1500.0
# Echo and repetition times of a spin echo, ms: shorter is T1, a long echo is T2, what
# lies between is proton density (textbook values).
SHORT_ECHO_MS, LONG_ECHO_MS, SHORT_REPETITION_MS = 30.0, 60.0, 1000.0

_TAGS: Final = {
    "kernel": 0x00181210, "thickness": 0x00180050, "kvp": 0x00180060,
    "agent": 0x00180010, "field": 0x00180087, "sequence": 0x00180020,
    "variant": 0x00180021, "options": 0x00180022, "echo": 0x00180081,
    "repetition": 0x00180080, "inversion": 0x00180082, "manufacturer": 0x00080070,
    "model": 0x00081090, "description": 0x0008103E, "protocol": 0x00181030,
    "sequence_name": 0x00180024, "pulse_sequence": 0x00189005,
    "echo_pulse": 0x00189008,
}  # fmt: skip
_AGENTS: Final = 0x00180012
_SHARED, _PER_FRAME = 0x52009229, 0x52009230
# Functional groups (PS3.3 C.8.13, C.8.15) and what is read in them.
_MEASURES, _MR_ECHO, _MR_TIMING, _MR_MODIFIER = (
    0x00289110, 0x00189114, 0x00189112, 0x00189115,
)  # fmt: skip
_CT_RECONSTRUCTION, _CT_X_RAY, _CONTRAST_USE = 0x00189314, 0x00189325, 0x00189341
_EFFECTIVE_ECHO, _INVERSIONS = 0x00189082, 0x00189079
_CODE_VALUE, _CODE_MEANING = 0x00080100, 0x00080104
_READER: Final = ElementReader(
    (*_TAGS.values(), _AGENTS, _SHARED, _PER_FRAME),
    (
        _AGENTS, _SHARED, _PER_FRAME, _MEASURES, _MR_ECHO, _MR_TIMING, _MR_MODIFIER,
        _CT_RECONSTRUCTION, _CT_X_RAY, _CONTRAST_USE,
    ),
)  # fmt: skip
# What series are called that show fluid bright and fat dark, or were given an agent.
_FLUID: Final = re.compile(
    r"stir|tirm|spair|\bt2|\bpd\b.*\bf[s_]|dixon.*water|fluid", re.I
)
_SAID_STIR: Final = re.compile(r"\bstir\b|tirm|\bstir_|_stir", re.I)
_SAID_WEIGHTING: Final = re.compile(r"(?<![a-z0-9])(t1|t2|pd)(?![0-9])", re.I)
_SAID_AGENT: Final = re.compile(
    r"\bgd\b|gado|\bce\b|c\+|\+c\b|post[ -]?contrast|with contrast", re.I
)


class Acquisition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one series was made, as its header states it.

    Parameters
    ----------
    series_uid, modality, description : str
    kernel : str
        ConvolutionKernel (0018,1210).
    slice_thickness_mm : float or None
        SliceThickness (0018,0050): how much tissue a slice averages; not its spacing.
    spacing_mm : (slices, rows, columns) or None
        Of the volume.
    kvp : float or None
        KVP (0018,0060).
    contrast_agent : str
        ContrastBolusAgent (0018,0010), or what the description says of one; empty where
        none is named, which is no proof that none was given.
    scanning_sequence, sequence_variant : tuple of str
        (0018,0020) and (0018,0021).
    sequence : str
        Name of the pulse sequence, where it is stated.
    echo_time_ms, repetition_time_ms, inversion_time_ms : float or None
    field_strength_t : float or None
        MagneticFieldStrength (0018,0087).
    manufacturer, model : str
    """

    series_uid: str
    modality: str
    description: str = ""
    kernel: str = ""
    slice_thickness_mm: float | None = None
    spacing_mm: tuple[float, float, float] | None = None
    kvp: float | None = None
    contrast_agent: str = ""
    scanning_sequence: tuple[str, ...] = ()
    sequence_variant: tuple[str, ...] = ()
    sequence: str = ""
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_time_ms: float | None = None
    field_strength_t: float | None = None
    manufacturer: str = ""
    model: str = ""

    @property
    def weighting(self) -> Weighting:
        """What the sequence shows, by its times, else as it is called; empty if unknown.

        Only for MR.
        """
        if self.modality != "MR":
            return ""
        inversion = self.inversion_time_ms or 0.0
        if STIR_MS[0] <= inversion <= STIR_MS[1] or _SAID_STIR.search(self.description):
            return "STIR"
        if inversion >= FLAIR_MS:
            return "FLAIR"
        said = _SAID_WEIGHTING.search(self.description)
        if said:
            found = said.group(1).upper()
            return "T1" if found == "T1" else "T2" if found == "T2" else "PD"
        return self._by_times()

    def _by_times(self) -> Weighting:
        echo, repetition = self.echo_time_ms, self.repetition_time_ms
        if echo is None or "GR" in self.scanning_sequence:
            return ""
        if echo >= LONG_ECHO_MS:
            return "T2"
        if repetition is None:
            return ""
        if repetition < SHORT_REPETITION_MS:
            return "T1" if echo < SHORT_ECHO_MS else ""
        return "PD"

    @property
    def fluid_sensitive(self) -> bool | None:
        """Whether fluid is bright on it; None where that is not known, or no MR."""
        if self.modality != "MR":
            return None
        if self.weighting in ("STIR", "T2"):
            return True
        if _FLUID.search(self.description):
            return True
        return False if self.weighting else None

    @property
    def device(self) -> str:
        """Manufacturer and model."""
        return " ".join(part for part in (self.manufacturer, self.model) if part)


class _Images(Protocol):
    @property
    def identity(self) -> SeriesIdentity: ...
    @property
    def instances(self) -> Sequence[Instance]: ...
    @property
    def grid(self) -> Grid | None: ...


def acquisition_of(volume: _Images) -> Acquisition:
    """Return how a volume's series was made, from the header of its middle image.

    Parameters
    ----------
    volume : VolumeHeader or Volume
        Its first images may be of the edge of what was scanned; the middle one is not.

    Returns
    -------
    Acquisition
        With what its identity alone says where the file can no longer be read.
    """
    who = volume.identity
    known = Acquisition(
        series_uid=who.series_uid,
        modality=who.modality,
        description=who.description,
        spacing_mm=_spacing(volume.grid),
    )
    if not volume.instances:
        return known
    image = volume.instances[len(volume.instances) // 2]
    try:
        found = _READER.read(image.file, Path(image.file).stat().st_size)
    except (OSError, DamagedHeader):
        found = None
    return known if found is None else _stated(known, found, max(image.frame - 1, 0))


def _spacing(grid: Grid | None) -> tuple[float, float, float] | None:
    if grid is None or not np.isfinite(grid.spacing).all():
        return None
    slices, rows, columns = (float(mm) for mm in grid.spacing)
    return slices, rows, columns


class _Header:
    """The elements of one image: its functional groups, else the top level."""

    def __init__(self, found: Elements, frame: int) -> None:
        self._values, self._little = found.values, found.little_endian
        frames = items(found.values, _PER_FRAME)
        self._own = frames[frame] if frame < len(frames) else {}
        self._shared = first_item(found.values, _SHARED)

    def _group(self, group: int) -> Items:
        return first_item(self._own, group) or first_item(self._shared, group)

    def text(self, name: str, group: int = 0) -> str:
        inside = text(self._group(group), _TAGS[name]) if group else ""
        return inside or text(self._values, _TAGS[name])

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(filter(None, words(self._values, _TAGS[name])))

    def number(self, name: str, group: int = 0) -> float | None:
        """Return a number of a group or the top level, in whichever form it is."""
        tag = _TAGS[name]
        for values in ((self._group(group),) if group else ()) + (self._values,):
            try:
                found = number(values, tag)
            except DamagedHeader:
                # What is written in binary reads as no decimal.
                found = read_double(values.get(tag), little_endian=self._little)
            if found is not None and np.isfinite(found):
                return found
        return None

    def double(self, group: int, tag: int) -> float | None:
        raw = self._group(group).get(tag)
        first = raw[:8] if isinstance(raw, bytes) else None
        return read_double(first, little_endian=self._little)

    @property
    def agent(self) -> str:
        """The contrast agent, by name or code."""
        named = self.text("agent")
        if named:
            return named
        item = first_item(self._values, _AGENTS)
        return text(item, _CODE_MEANING) or text(item, _CODE_VALUE)

    @property
    def agent_used(self) -> bool:
        """True unless an enhanced object says of this frame that none was there."""
        used = self._group(_CONTRAST_USE)
        return not used or text(used, 0x00189342) != "NO"


def _stated(known: Acquisition, found: Elements, frame: int) -> Acquisition:
    header = _Header(found, frame)
    described = " ".join(filter(None, (known.description, header.text("protocol"))))
    agent = header.agent if header.agent_used else ""
    said = _SAID_AGENT.search(described)
    inversion = header.number("inversion")
    return msgspec.structs.replace(
        known,
        description=known.description or header.text("description"),
        kernel=" ".join(header.text("kernel", _CT_RECONSTRUCTION).split("\\")),
        slice_thickness_mm=header.number("thickness", _MEASURES),
        kvp=header.number("kvp", _CT_X_RAY),
        contrast_agent=agent or (f"by its description: {said.group()}" if said else ""),
        scanning_sequence=header.words("sequence") or header.words("echo_pulse"),
        sequence_variant=header.words("variant"),
        sequence=header.text("sequence_name") or header.text("pulse_sequence"),
        echo_time_ms=(
            header.number("echo")
            if header.number("echo") is not None
            else header.double(_MR_ECHO, _EFFECTIVE_ECHO)
        ),
        repetition_time_ms=header.number("repetition", _MR_TIMING),
        inversion_time_ms=(
            inversion
            if inversion is not None
            else header.double(_MR_MODIFIER, _INVERSIONS)
        ),
        field_strength_t=header.number("field"),
        manufacturer=header.text("manufacturer"),
        model=header.text("model"),
    )
