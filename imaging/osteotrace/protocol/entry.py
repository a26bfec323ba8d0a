"""What every entry of a protocol says: which series it means, and where on it to look.

Points are patient LPS mm; a region is a ball, a box or a label.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar

import msgspec

from osteotrace.findings import Laterality
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
        Name of a label in the study's DICOM SEG or in the mask files.
    """

    centre: Point | None = None
    radius: float | None = None
    corners: tuple[Point, Point] | None = None
    label: str | None = None

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
        Modality (0008,0060) of the series.
    kind, site : str
        Keys of `osteotrace.codes.KINDS` and `SITES`.
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

    Attributes
    ----------
    primary : str
        Key of `osteotrace.codes.QUANTITIES`: the first value of the finding.
    """

    primary: ClassVar[str] = "distance"
    label: str
    modality: str
    kind: str
    site: str
    frame_of_reference_uid: str = ""
    series: str = "*"
    series_uid: str = ""
    laterality: Laterality = ""
    note: str = ""

    def fits(self, identity: SeriesIdentity) -> bool:
        """Tell whether a series is one that this entry means."""
        description = identity.description.casefold()
        return (
            identity.modality == self.modality
            and fnmatchcase(description, self.series.casefold())
            and self.series_uid in ("", identity.series_uid)
        )

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
        elif isinstance(value, tuple) and len(value) == 3:
            yield key, value


def regions(entry: Entry) -> Iterator[tuple[str, Where]]:
    """Yield every marked region of an entry with its key."""
    for key in entry.__struct_fields__:
        if isinstance(value := getattr(entry, key), Where):
            yield key, value
