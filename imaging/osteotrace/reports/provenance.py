"""Where a row's value comes from: the scan, its stack of slices and how it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osteotrace.findings import marked_volume
from osteotrace.series.acquisition import acquisition_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.findings import Assessment, Finding
    from osteotrace.series import Series, VolumeHeader

_SPACINGS: Final = ("slice_spacing_mm", "row_spacing_mm", "column_spacing_mm")


class Scans:
    """What rows say of the scans of one study; each header is read once.

    Parameters
    ----------
    assessment : Assessment
    images : iterable of Series
        The study's; empty where only the record is at hand: then a row says of its scan
        what the record does.
    """

    def __init__(self, assessment: Assessment, images: Iterable[Series] = ()) -> None:
        self._assessment = assessment
        self._series = {one.identity.series_uid: one for one in images}
        self._told: dict[tuple[str, int], dict[str, Any]] = {}

    def of(self, finding: Finding) -> dict[str, Any]:
        """Return the columns that tell which scan a finding was measured on, and how."""
        frames = {region.frame_of_reference_uid for region in finding.regions}
        series_uid = finding.series_uid or self._only_series(frames)
        told = {"series_uid": series_uid, **self._recorded(series_uid)}
        series = self._series.get(series_uid)
        volume = None if series is None else _measured(finding, series)
        return told if volume is None else told | self._of_volume(volume)

    def _only_series(self, frames: set[str]) -> str:
        """Return the one series of some frames; of several none is named."""
        series = [
            one.series_uid
            for one in self._assessment.series
            if one.frame_of_reference_uid in frames
        ]
        return series[0] if len(series) == 1 else ""

    def _recorded(self, series_uid: str) -> dict[str, Any]:
        for one in self._assessment.series:
            if one.series_uid == series_uid:
                spacings = one.spacing_mm or (None, None, None)
                return {
                    "series_description": one.description,
                    "modality": one.modality,
                    **dict(zip(_SPACINGS, spacings, strict=True)),
                }
        return {}

    def _of_volume(self, volume: VolumeHeader) -> dict[str, Any]:
        key = volume.identity.series_uid, volume.k
        if key not in self._told:
            self._told[key] = _columns(volume)
        return self._told[key]


def _measured(finding: Finding, series: Series) -> VolumeHeader | None:
    """Return the volume of a series that a finding was marked on, or its only one."""
    found = marked_volume(finding, series.volumes)
    only = series.volumes[0] if len(series.volumes) == 1 else None
    return found or only


def _columns(volume: VolumeHeader) -> dict[str, Any]:
    made = acquisition_of(volume)
    return {
        "geometry": "; ".join(volume.verdicts),
        "volume_notes": "; ".join(volume.notes),
        "kernel": made.kernel,
        "slice_thickness_mm": made.slice_thickness_mm,
        "device": made.device or volume.identity.device,
        "field_strength_t": made.field_strength_t,
        **_spacings(volume),
    }


def _spacings(volume: VolumeHeader) -> dict[str, float | None]:
    spacings: list[float | None] = [None, None, None]
    if volume.grid is not None:
        spacings = [float(mm) for mm in volume.grid.spacing]
    if len(volume.instances) == 1:
        # One slice has no neighbour.
        spacings[0] = None
    return dict(zip(_SPACINGS, spacings, strict=True))
