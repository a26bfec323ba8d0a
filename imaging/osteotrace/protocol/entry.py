"""What every entry of a protocol says: which series it means, and where on it to look.

Points are patient LPS mm; a region is a ball, a box or a label. An entry may stand for
several findings: one a label that fits a pattern.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar

import msgspec

from osteotrace.findings import Laterality
from osteotrace.protocol.choices import SeriesChoice
from osteotrace.regions import Point

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.series import SeriesIdentity


class Where(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A marked region: a ball, a box, or a label of a segmentation; exactly one of them.

    Parameters
    ----------
    centre, radius : (x, y, z) and float
        A ball, LPS mm.
    corners : two (x, y, z)
        Opposite corners of a box along the axes of the patient, LPS mm.
    label : str
        Name of a label in the study's DICOM SEG or in the mask files. With ``*`` in it,
        every label that fits, each of them a finding; in the other regions of the entry
        ``{name}`` is then the label's name and ``{match}`` what stood for the ``*``.
    optional : bool or None
        True where the entry is measured without it if there is no such label.
    """

    centre: Point | None = None
    radius: float | None = None
    corners: tuple[Point, Point] | None = None
    label: str | None = None
    optional: bool | None = None

    @property
    def points(self) -> tuple[Point, ...]:
        """The LPS mm points it names."""
        return (*((self.centre,) if self.centre else ()), *(self.corners or ()))


class Entry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    # A journal holds entries of any type: each says which. Protocols need not.
    tag=True,
    tag_field="table",
):
    """What every entry says.

    Parameters
    ----------
    label : str
        Tracking identifier of the finding, unique in the protocol.
    modality : str
        Modality (0008,0060) of the series; that of ``[series]`` where it is left out.
    kind, site : str
        Keys of `osteotrace.codes.KINDS` and `SITES`; of an entry that stands for every
        label of a pattern, what is taken where a label's name tells no site.
    frame_of_reference_uid : str
        FrameOfReferenceUID that the points live in; a series in another is refused. May
        be left out where an entry names labels alone.
    series : str
        Shell pattern for SeriesDescription (0008,103E), letter case ignored.
    series_uid : str
        SeriesInstanceUID (0020,000E), where the description tells too little.
    laterality : str
        Key of `osteotrace.codes.LATERALITIES` or empty.
    note : str
        Free text for the finding.
    select : SeriesChoice or None
        What the series has to be beside; a protocol's ``[series]`` stands beneath it.
    optional : bool
        Whether it is left out of studies that hold no such series or label.

    Attributes
    ----------
    primary : str
        Key of `osteotrace.codes.QUANTITIES`: the first value of the finding.
    """

    primary: ClassVar[str] = "distance"
    label: str
    modality: str = ""
    kind: str
    site: str
    frame_of_reference_uid: str = ""
    series: str = "*"
    series_uid: str = ""
    laterality: Laterality = ""
    note: str = ""
    select: SeriesChoice | None = None
    optional: bool = False

    def fits(self, identity: SeriesIdentity) -> bool:
        """Tell whether a series is one that this entry means."""
        description = identity.description.casefold()
        return (
            self.modality in ("", identity.modality)
            and fnmatchcase(description, self.series.casefold())
            and self.series_uid in ("", identity.series_uid)
        )

    @property
    def called(self) -> str:
        """What messages call it: its label, its kind where the label is a template."""
        return self.kind if "{" in self.label else self.label

    def wrong(self) -> Iterator[tuple[str, str, str]]:
        """Yield what the types cannot tell: key, what was found, what was expected."""
        return iter(())


def places(entry: Entry) -> Iterator[tuple[str, Point]]:
    """Yield every LPS mm point of an entry with the key it stands under."""
    for key in entry.__struct_fields__:
        value = getattr(entry, key)
        if isinstance(value, Where):
            yield from ((key, point) for point in value.points)
        elif isinstance(value, dict):
            yield from ((key, point) for point in value.values())
        elif isinstance(value, tuple) and len(value) == 3 and isinstance(value[0], float):
            yield key, value


def regions(entry: Entry) -> Iterator[tuple[str, Where]]:
    """Yield every marked region of an entry with its key."""
    for key in entry.__struct_fields__:
        if isinstance(value := getattr(entry, key), Where):
            yield key, value
