"""The volumes and regions of one study, loaded when an entry of a protocol asks for them.

A region is a ball or a box in patient space, or a label: of the DICOM SEG in the study
that refer to the series, of the label files that were given beside it, or of the other
sources that the protocol names.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from osteotrace import geometry
from osteotrace.errors import OsteotraceError
from osteotrace.protocol import (
    Entry,
    Fitting,
    MaskSources,
    Where,
    fitting_volumes,
    meant_volume,
    meant_volumes,
)
from osteotrace.protocol.entry import regions
from osteotrace.reading import label_makers
from osteotrace.reading.label_pools import LabelPool, LabelSources
from osteotrace.reading.mask_files import files_beside, segmentations
from osteotrace.reading.mask_files import label_files as label_files
from osteotrace.regions import Points
from osteotrace.segmentation import marked
from osteotrace.volume import load as load_volume
from osteotrace.volume.stored_image import SAME_GRID_MM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from osteotrace.findings import Assessment
    from osteotrace.geometry import Grid
    from osteotrace.protocol.mask_sources import Source
    from osteotrace.regions import Mask, Point
    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.volume import Volume


class StudyImages:
    """The volumes and masks of one study.

    Parameters
    ----------
    study : Catalogue
        The study's series.
    masks : Path or None
        A file or folder of labels beside the study's own DICOM SEG.
    scans : iterable of VolumeHeader
        Every volume that is measured in the same run, those of other studies too: a
        label file that names no patient and fits several of them is not used.
    sources : MaskSources
        Where labels come from (`osteotrace.protocol.Protocol.masks`).
    allow_gaps : bool
        Whether missing and duplicate slices will do.
    """

    def __init__(
        self,
        study: Catalogue,
        masks: Path | None = None,
        scans: Iterable[VolumeHeader] = (),
        *,
        sources: MaskSources | None = None,
        allow_gaps: bool = False,
    ) -> None:
        self._study, self._masks, self._scans = study, masks, tuple(scans)
        self._sources = sources or MaskSources()
        self._allow_gaps = allow_gaps
        self._volumes: dict[tuple[str, int], Volume] = {}
        self._labels: dict[tuple[str, int], LabelSources] = {}
        self._given: dict[str, Mask] = {}
        # Headers are opened to tell which volume is meant: once a choice.
        self._meant: dict[tuple[object, ...], VolumeHeader] = {}

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """What was loaded so far."""
        return tuple(self._volumes.values())

    @cached_property
    def readings(self) -> tuple[Assessment, ...]:
        """The saved readings of the study, the latest first."""
        return self._saved[0]

    @cached_property
    def _saved(self) -> tuple[tuple[Assessment, ...], tuple[str, ...]]:
        from osteotrace.reading.saved_readings import readings_of

        return readings_of(self._study, self._masks)

    def volume(self, entry: Entry) -> Volume:
        """Return the one volume that an entry means; errors as `meant_volume`."""
        asked = (
            entry.modality,
            entry.series,
            entry.series_uid,
            entry.frame_of_reference_uid,
            entry.select,
        )
        header = self._meant.get(asked)
        if header is None:
            header = meant_volume(self._study, entry, allow_gaps=self._allow_gaps)
            self._meant[asked] = header
        key = (header.identity.series_uid, header.k)
        if key not in self._volumes:
            allowed = entry.select is not None and entry.select.allow_gaps
            gaps = self._allow_gaps or allowed
            self._volumes[key] = load_volume(header, allow_gaps=gaps)
        return self._volumes[key]

    def each(self, entry: Entry) -> tuple[Entry, ...]:
        """Return an entry for every series that it means, where it asks for each.

        Raises
        ------
        OsteotraceError
            As `meant_volumes`.
        """
        if entry.select is None or not entry.select.each or entry.series_uid:
            return (entry,)
        headers = meant_volumes(self._study, entry, allow_gaps=self._allow_gaps)
        series = dict.fromkeys(header.identity.series_uid for header in headers)
        return tuple(
            msgspec.structs.replace(entry, series_uid=one) for one in sorted(series)
        )

    def fits(self, entry: Entry) -> bool:
        """Tell whether the study holds a volume that an entry means, or several."""
        return bool(self._fitting(entry).headers)

    def means(self, entry: Entry) -> bool:
        """Tell the same of volumes whose geometry cannot be measured, too."""
        found = self._fitting(entry)
        return bool(found.headers) or found.unmeasurable

    def _fitting(self, entry: Entry) -> Fitting:
        return fitting_volumes(self._study, entry, allow_gaps=self._allow_gaps)

    def passed_over(self) -> tuple[str, ...]:
        """Return which labels were found and not used so far, each with the reason."""
        told = (
            reason
            for sources in self._labels.values()
            for pool in sources
            for reason in pool.passed_over
        )
        return tuple(dict.fromkeys(told))

    def region(self, volume: Volume, where: Where, role: str) -> Mask:
        """Return the voxels of a volume that an entry's region means.

        Parameters
        ----------
        volume : Volume
        where : Where
        role : str
            What the voxels are within their finding.

        Raises
        ------
        OsteotraceError
            If the region lies outside the volume, or there is no label of that name on
            the voxels of the volume, or more than one.
        """
        if where.centre is not None and where.radius is not None:
            return marked.ball(volume, where.centre, where.radius, role=role)
        if where.corners is not None:
            return marked.box(volume, *where.corners, role=role)
        assert where.label is not None
        mask = self._given.get(where.label)
        if mask is None:
            mask = self._labels_of(volume).holding(where.label)[where.label].mask
        return msgspec.structs.replace(mask, role=role)

    def optional(self, volume: Volume, where: Where | None, role: str) -> Mask | None:
        """Return the region, or None where the entry names none."""
        return None if where is None else self.region(volume, where, role)

    def draw(self, label: str, mask: Mask) -> None:
        """Hold a mask that a label of an entry means, before any source is asked."""
        self._given[label] = mask

    def has_label(self, volume: Volume, label: str) -> bool:
        """Tell whether there is a label of a name on a volume."""
        return label in self._given or self._labels_of(volume).has(label)

    def labels_like(self, volume: Volume, pattern: str) -> dict[str, str]:
        """Return the labels on a volume that fit a pattern.

        Returns
        -------
        dict of str to str
            What stood for the ``*``, by the label's name; of the first source with any.
        """
        return self._labels_of(volume).fitting(pattern)

    def levels(self, volume: Volume) -> dict[str, str]:
        """Return the labels of vertebral bodies, or of vertebrae, by level."""
        return self._labels_of(volume).levels()

    def label_names(self, volume: Volume) -> tuple[str, ...]:
        """Return the names of all labels on a volume, every source looked into."""
        maps = [one for pool in self._labels_of(volume) for one in pool.maps]
        return tuple(dict.fromkeys(label.name for one in maps for label in one))

    def notes_of(self, entry: Entry, volume: Volume) -> tuple[str, ...]:
        """Return what was done to the labels of an entry on the way here, in words.

        Empty for balls, boxes and masks that were drawn. Errors as `region`.
        """
        held = [
            self._labels_of(volume).holding(where.label).notes
            for _, where in regions(entry)
            if where.label is not None and where.label not in self._given
        ]
        return tuple(dict.fromkeys(note for notes in held for note in notes))

    def _labels_of(self, volume: Volume) -> LabelSources:
        key = next(
            (key for key, one in self._volumes.items() if one is volume),
            (volume.identity.series_uid, 0),
        )
        if key not in self._labels:
            self._labels[key] = LabelSources(self._pools(volume))
        return self._labels[key]

    def _pools(self, volume: Volume) -> Iterator[LabelPool]:
        """Yield the labels of each source, made when it is asked for."""
        twins = self._twins(volume)
        if not self._sources.sources:
            pool = self._pool(twins)
            for file in segmentations(self._study, volume):
                pool.add(file, volume)
            for file in label_files(self._masks):
                pool.add(file, volume)
            yield pool
            return
        for source in self._sources.sources:
            pool = self._pool(twins)
            try:
                self._fill(source, pool, volume)
            except OsteotraceError as problem:
                told = f"{source}: {problem.found}; {problem.advice}"
                pool.passed_over.append(told)
            yield pool
            if source == "seg" and self._sources.resample:
                others = self._pool(twins)
                for file in segmentations(self._study, volume, own=False):
                    others.add(file, volume)
                yield others

    def _pool(self, twins: int) -> LabelPool:
        table, resample = self._sources.table, self._sources.resample
        return LabelPool(twins=twins, table=table, resample=resample)

    def _fill(self, source: Source, pool: LabelPool, volume: Volume) -> None:
        """Put the labels of a source into a pool."""
        match source:
            case "seg":
                for file in segmentations(self._study, volume):
                    pool.add(file, volume)
            case "beside":
                wanted = self._sources.beside
                for file in files_beside(self._masks, self._study, wanted):
                    pool.add(file, volume)
            case "marks":
                pool.passed_over.extend(self._saved[1])
                labels = label_makers.reading_labels(volume, self.readings)
                if labels is not None:
                    pool.add_map("a saved reading", labels, volume)
            case "threshold":
                self._threshold(pool, volume)
            case "totalsegmentator":
                program = self._sources.totalsegmentator
                drawn = label_makers.program_labels(volume, program)
                pool.add_map("TotalSegmentator", drawn, volume)

    def _threshold(self, pool: LabelPool, volume: Volume) -> None:
        for threshold in self._sources.threshold:
            try:
                label, note = label_makers.threshold_labels(
                    volume, threshold, self._earlier_region(volume)
                )
            except OsteotraceError as problem:
                pool.passed_over.append(f"threshold {threshold.label}: {problem.found}")
            else:
                made = label_makers.labels_on(volume, (label,), note)
                pool.add_map(threshold.label, made, volume)

    def _earlier_region(self, volume: Volume) -> label_makers.Region:
        """Return what gives a place by the sources that were looked into before."""
        sources = self._labels_of(volume)

        def region(_: Volume, where: Where, role: str) -> Mask:
            if where.label is None:
                return self.region(volume, where, role)
            mask = sources.so_far(where.label)[where.label].mask
            return msgspec.structs.replace(mask, role=role)

        return region

    def _twins(self, volume: Volume) -> int:
        """Return how many other scans have the grid of a volume, in another space."""
        return sum(
            header.grid is not None
            and header.identity.series_uid != volume.identity.series_uid
            and not _share_space(header, volume)
            and _fill_one_box(header.grid, volume.grid)
            for header in self._scans
        )


def _share_space(header: VolumeHeader, volume: Volume) -> bool:
    """Tell whether two scans are of one patient in one frame of reference."""
    frame = volume.frame_of_reference_uid
    same = bool(frame) and header.frame_of_reference_uid == frame
    return same and header.identity.patient_id == volume.identity.patient_id


def _fill_one_box(first: Grid, second: Grid) -> bool:
    """Tell whether two grids have as many voxels between the same corners."""
    if sorted(first.shape) != sorted(second.shape):
        return False
    apart = np.linalg.norm(first.corners()[:, None] - second.corners(), axis=-1)
    return bool(apart.min(axis=0).max() <= SAME_GRID_MM)


def points_of(volume: Volume, role: str, named: Mapping[str, Point]) -> Points:
    """Return the named points of an entry as a region; ``_`` in a name is a space."""
    stored = tuple(geometry.as_stored(point) for point in named.values())
    return Points(
        role=role,
        points=stored,
        point_roles=tuple(name.replace("_", " ") for name in named),
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=tuple(image.source for image in volume.slices_between(stored)),
    )
