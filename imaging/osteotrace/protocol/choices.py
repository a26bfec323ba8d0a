"""Which series a protocol means: what its header has to say, and which of two is taken.

A choice tells series apart by their headers alone; nothing here opens a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from osteotrace.series.catalogue import ALLOWABLE, MEASURABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

Orientation = Literal["axial", "coronal", "sagittal"]
Preference = Literal["thinnest", "most_slices", "segmented"]
Patterns = str | tuple[str, ...]

# Verdicts of a volume that a protocol may allow.
VERDICTS: Final = tuple(sorted(MEASURABLE | ALLOWABLE))
WEIGHTINGS: Final = ("T1", "T2", "PD", "STIR", "FLAIR")
# What tells MR sequences apart says nothing of CT, and the other way round.
_OF_MR: Final = ("weighting", "fluid_sensitive")
_OF_CT: Final = ("kernel", "cone_beam")


class SeriesChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a series has to be for an entry to be measured on it; empty keys ask nothing.

    Patterns are shell patterns (``*`` and ``?``) without regard to letter case; of
    several, one has to fit. ``""`` among them fits a header that says nothing.

    Parameters
    ----------
    modality : str
        Modality (0008,0060).
    description, not_description : str or tuple of str
        Patterns for SeriesDescription (0008,103E), and those that rule a series out.
    body_part : str or tuple of str
        Patterns for BodyPartExamined (0018,0015).
    kernel : str or tuple of str
        Patterns for ConvolutionKernel (0018,1210).
    thickness_mm : (least, most) or None
        Bounds, both included, of the coarser of the real gap between slices and
        SliceThickness (0018,0050); of the gap alone where no thickness is stated.
    least_slices : int
        Fewer slices do not fit.
    verdicts : tuple of str
        What `osteotrace.scan` may say of the volume's geometry; ``missing_slices`` and
        ``duplicate_positions`` have to be allowed by name.
    orientation : str
        ``axial``, ``coronal`` or ``sagittal``.
    weighting : str or tuple of str
        Of `WEIGHTINGS`, MR alone.
    fluid_sensitive : bool or None
        Whether fluid is bright, MR alone.
    contrast : bool or None
        Whether the header names a contrast agent.
    cone_beam : bool or None
        Whether a cone beam scanner made it.
    prefer : str or tuple of str
        Which of several is taken: ``thinnest``, ``most_slices``, or ``segmented`` (a
        DICOM SEG of the study refers to it); of several, one after the other. Where it is
        empty, or two are alike in it, several are an error that names them.
    each : bool
        Whether an entry is measured on every one of those instead, as on the stations of
        a whole-body exam.
    """

    modality: str = ""
    description: Patterns = ()
    not_description: Patterns = ()
    body_part: Patterns = ()
    kernel: Patterns = ()
    thickness_mm: tuple[float, float] | None = None
    least_slices: int = 1
    verdicts: tuple[str, ...] = ()
    orientation: Orientation | Literal[""] = ""
    weighting: Patterns = ()
    fluid_sensitive: bool | None = None
    contrast: bool | None = None
    cone_beam: bool | None = None
    prefer: Preference | Literal[""] | tuple[Preference, ...] = ""
    each: bool = False

    @property
    def allow_gaps(self) -> bool:
        """Whether volumes with missing or duplicate slices are allowed."""
        return not ALLOWABLE.isdisjoint(self.verdicts)

    @property
    def preferences(self) -> tuple[Preference, ...]:
        """What decides between several, in this order."""
        if isinstance(self.prefer, tuple):
            return self.prefer
        return (self.prefer,) if self.prefer else ()

    def beneath(self, own: SeriesChoice) -> SeriesChoice:
        """Return this choice with every key that another one gives put over it."""
        stated = {
            one.name: value
            for one in msgspec.structs.fields(own)
            if (value := getattr(own, one.name)) != one.default
        }
        return msgspec.structs.replace(self, **stated)

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        """Yield what the types cannot tell: key, what was found, what was expected."""
        for verdict in self.verdicts:
            if verdict not in VERDICTS:
                yield "verdicts", f"the verdict {verdict!r}", "of " + ", ".join(VERDICTS)
        for name in patterns(self.weighting):
            if name not in WEIGHTINGS:
                yield "weighting", f"{name!r}", "of " + ", ".join(WEIGHTINGS)
        if self.thickness_mm is not None:
            least, most = self.thickness_mm
            if not 0 <= least <= most < float("inf"):
                found = f"from {least:g} to {most:g} mm"
                yield "thickness_mm", found, "the least and the most, mm, ascending"
        if self.least_slices < 1:
            yield "least_slices", f"{self.least_slices} slices", "1 or more"
        others = {"CT": _OF_MR, "MR": _OF_CT}.get(self.modality, ())
        for key in others:
            if getattr(self, key) not in ((), "", None):
                found = f"{key} of a {self.modality} series"
                yield key, found, "no such key, or another modality"


def patterns(given: Patterns) -> tuple[str, ...]:
    """Return one or more patterns as a tuple."""
    return (given,) if isinstance(given, str) else given
