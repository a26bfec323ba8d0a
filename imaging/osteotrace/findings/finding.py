"""One lesion as read at one date, and the images that it was read on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import msgspec

from osteotrace.measurements.measurement import Measurement, NotMeasured, Presence
from osteotrace.regions import ImagePoints, Mask, Points, Polyline
from osteotrace.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osteotrace.regions import Region
    from osteotrace.series import Instance

Certainty = Literal["definite", "probable", "possible", "unknown"]
Laterality = Literal["left", "right", "bilateral", "unilateral", ""]


class Finding(
    Shown, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """One lesion as read at one date.

    Parameters
    ----------
    tracking_uid : str
        Tracking Unique Identifier (DCM 112040): the same lesion keeps it for years.
    label : str
        Tracking Identifier (DCM 112039), the short name people use, e.g. ``"PAL-1"``.
    kind : str
        Key of `osteotrace.codes.KINDS`.
    site : str
        Key of `osteotrace.codes.SITES`.
    laterality : str
        Key of `osteotrace.codes.LATERALITIES` or empty.
    presence : str
        ``absent`` means looked for and not there; not looked for is ``unknown``.
    certainty : str
        The reader's own.
    note : str
        Free text.
    regions : tuple of Region
        What was marked.
    measurements : tuple of Measurement or NotMeasured
        The first one is the finding's primary value.
    series_uid : str
        SeriesInstanceUID of the images that it was marked on, empty where not known: a
        frame of reference may hold several series.
    """

    tracking_uid: str
    label: str
    kind: str
    site: str
    laterality: Laterality = ""
    presence: Presence = "present"
    certainty: Certainty = "definite"
    note: str = ""
    regions: tuple[Polyline | Points | Mask | ImagePoints, ...] = ()
    measurements: tuple[Measurement | NotMeasured, ...] = ()
    series_uid: str = ""

    def __getitem__(self, name: str) -> Measurement | NotMeasured:
        """Return the measurement of a quantity by its name; KeyError without one."""
        for reading in self.measurements:
            if reading.name == name:
                return reading
        raise KeyError(name)

    @property
    def source_instances(self) -> tuple[str, ...]:
        """Images that the finding was marked on, each once, named as in its regions."""
        uids = (uid for region in self.regions for uid in region.source_instances)
        return tuple(dict.fromkeys(uids))


class SeriesReference(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A series that was read: its UIDs and what it is.

    Parameters
    ----------
    series_uid, frame_of_reference_uid : str
        SeriesInstanceUID, and the space of its images; empty where they name none.
    modality : str
        As in DICOM, e.g. ``"CT"``.
    description : str
        SeriesDescription.
    spacing_mm : (slices, rows, columns) or None
        Typical distance between slices, rows and columns of the volume that was read;
        None where it has none, as a single image, or where volumes of the series differ.
    """

    series_uid: str
    frame_of_reference_uid: str
    modality: str
    description: str = ""
    spacing_mm: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if not all(0 < mm < math.inf for mm in self.spacing_mm or ()):
            raise ValueError(f"a spacing of {self.spacing_mm} mm, which is no length")


def leaders_of_parts(findings: Sequence[Finding]) -> dict[int, int]:
    """Return which findings are parts of another one, by their places.

    Parts, such as the fragments of sequestra, have the label of their leader, a stroke
    and a number: ``SEQ-1/2`` of ``SEQ-1``.

    Returns
    -------
    dict of int to int
        The place of the leader, by that of the part.
    """
    places = {(one.label, one.kind): place for place, one in enumerate(findings)}
    above = [(one.label.rpartition("/")[0], one.kind) for one in findings]
    return {
        place: places[key] for place, key in enumerate(above) if key[0] and key in places
    }


class _HasInstances(Protocol):
    @property
    def instances(self) -> tuple[Instance, ...]: ...


Marked = TypeVar("Marked", bound=_HasInstances)


def marked_volume(finding: Finding, volumes: Iterable[Marked]) -> Marked | None:
    """Return the volume, or volume header, whose images a finding was marked on.

    None where no volume has any of them.
    """
    marked = set(finding.source_instances)
    for volume in volumes:
        if any(instance.source in marked for instance in volume.instances):
            return volume
    return None


class _HasSpace(_HasInstances, Protocol):
    @property
    def frame_of_reference_uid(self) -> str: ...


def shares_space(finding: Finding, region: Region, volume: _HasSpace) -> bool:
    """Tell whether a region of a finding has its place in a volume.

    It has where both name one frame of reference. Volumes without one may lie anywhere:
    then only the images that were marked tell.
    """
    if region.frame_of_reference_uid != volume.frame_of_reference_uid:
        return False
    return bool(
        region.frame_of_reference_uid
        or not finding.source_instances
        or marked_volume(finding, [volume]) is not None
    )
