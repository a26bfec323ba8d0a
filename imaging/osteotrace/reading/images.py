"""The volumes and regions of one study, loaded when an entry of a protocol asks for them.

A region is a ball or a box in patient space, or a label: of the DICOM SEG in the study
that refer to the series, or of the label files that were given beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace import geometry
from osteotrace.errors import OsteotraceError
from osteotrace.protocol import Entry, Where, meant_volume
from osteotrace.protocol.entry import regions
from osteotrace.regions import Points
from osteotrace.segmentation import marked
from osteotrace.segmentation.dicom_frames import STORAGE_CLASSES, storage_class
from osteotrace.segmentation.labels import READERS, read_labels
from osteotrace.volume import load as load_volume
from osteotrace.volume.stored_image import SAME_GRID_MM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from osteotrace.geometry import Grid
    from osteotrace.regions import Mask, Point
    from osteotrace.segmentation.labels import LabelMap
    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.volume import Volume

SEGMENTATION: Final = "SEG"
# Files that an error lists of those that were passed over.
MOST_TOLD: Final = 5


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
    """

    def __init__(
        self,
        study: Catalogue,
        masks: Path | None = None,
        scans: Iterable[VolumeHeader] = (),
    ) -> None:
        self._study, self._masks, self._scans = study, masks, tuple(scans)
        self._volumes: dict[tuple[str, int], Volume] = {}
        self._labels: dict[str, _Labels] = {}

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """What was loaded so far."""
        return tuple(self._volumes.values())

    def volume(self, entry: Entry) -> Volume:
        """Return the one volume that an entry means; errors as `meant_volume`."""
        header = meant_volume(self._study, entry)
        key = (header.identity.series_uid, header.k)
        if key not in self._volumes:
            self._volumes[key] = load_volume(header)
        return self._volumes[key]

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
        mask = self._labels_of(volume).holding(where.label)[where.label].mask
        return msgspec.structs.replace(mask, role=role)

    def optional(self, volume: Volume, where: Where | None, role: str) -> Mask | None:
        """Return the region, or None where the entry names none."""
        return None if where is None else self.region(volume, where, role)

    def notes_of(self, entry: Entry, volume: Volume) -> tuple[str, ...]:
        """Return what was done to the labels of an entry on the way here, in words.

        Empty for balls and boxes. Errors as `region`.
        """
        held = [
            self._labels_of(volume).holding(where.label).notes
            for _, where in regions(entry)
            if where.label is not None
        ]
        return tuple(dict.fromkeys(note for notes in held for note in notes))

    def _labels_of(self, volume: Volume) -> _Labels:
        series_uid = volume.identity.series_uid
        if series_uid not in self._labels:
            found = _Labels(self._twins(volume))
            for file in _segmentations(volume, self._study):
                found.add(file, volume)
            for file in label_files(self._masks):
                found.add(file, volume)
            self._labels[series_uid] = found
        return self._labels[series_uid]

    def _twins(self, volume: Volume) -> int:
        """Return how many other scans have the grid of a volume, in another space."""
        return sum(
            header.grid is not None
            and header.identity.series_uid != volume.identity.series_uid
            and not _share_space(header, volume)
            and _fill_one_box(header.grid, volume.grid)
            for header in self._scans
        )


@dataclass(slots=True)
class _Labels:
    """Every label that lies on the voxels of a volume, file by file.

    Parameters
    ----------
    twins : int
        Scans of another space on the same grid: files that name no space fit them too.
    """

    twins: int
    _maps: dict[Path, LabelMap] = field(default_factory=dict)
    _passed_over: list[str] = field(default_factory=list)

    def add(self, file: Path, volume: Volume) -> None:
        """Read a file, or keep why its labels are not used."""
        if file.resolve() in self._maps:
            return
        try:
            labels = read_labels(file, like=volume)
        except OsteotraceError as problem:
            self._passed_over.append(f"{file.name}: {problem.found}")
            return
        if any(_are_one(labels, known) for known in self._maps.values()):
            return
        why = self._unfit(labels, volume)
        if why:
            self._passed_over.append(f"{file.name}: {why}")
        else:
            self._maps[file.resolve()] = labels

    def _unfit(self, labels: LabelMap, volume: Volume) -> str:
        """Return why labels are not those of a volume, empty where they are."""
        if labels.series_uid not in ("", volume.identity.series_uid):
            return f"drawn on another series, {labels.series_uid}"
        if labels.grid is not volume.grid:
            return "on another grid than the image, onto which nothing moves it unasked"
        if self.twins and not labels.source:
            return (
                f"names no patient, and {self.twins} more of the scans have the same "
                "grid: measure each by itself, or give its labels as DICOM SEG"
            )
        return ""

    def holding(self, name: str) -> LabelMap:
        """Return the one map that holds a label of a name.

        Raises
        ------
        OsteotraceError
            If none or more than one does, or one holds it twice.
        """
        fitting = {file: labels for file, labels in self._maps.items() if name in labels}
        files = ", ".join(file.name for file in fitting)
        if len(fitting) == 1:
            (found,) = fitting.values()
            try:
                found[name]
            except OsteotraceError as problem:
                raise _no_label(f"{problem.found} in {files}", self._told()) from problem
            return found
        where = f": {files}" if files else ""
        raise _no_label(
            f"{len(fitting)} segmentations with the label {name!r}{where}", self._told()
        )

    def _told(self) -> tuple[str, str]:
        """Return the labels that there are, and what was passed over."""
        known = sorted({label.name for one in self._maps.values() for label in one})
        told, rest = self._passed_over[:MOST_TOLD], self._passed_over[MOST_TOLD:]
        more = [f"and {len(rest)} more files"] if rest else []
        passed = "; passed over: " + "; ".join([*told, *more]) if told else ""
        return ", ".join(known) or "(none)", passed


def _no_label(found: str, told: tuple[str, str]) -> OsteotraceError:
    known, passed = told
    return OsteotraceError(
        found,
        expected=f"one, among the labels {known}",
        advice=f"correct the label, or give the segmentation with --masks{passed}",
    )


def _segmentations(volume: Volume, study: Catalogue) -> Iterator[Path]:
    """Yield the DICOM SEG of a study that refer to a volume's series."""
    for series in study:
        if series.identity.modality != SEGMENTATION:
            continue
        if volume.identity.series_uid in (
            series.refers_to or (volume.identity.series_uid,)
        ):
            files = (image.path for part in series.volumes for image in part.instances)
            yield from dict.fromkeys(files)


def label_files(masks: Path | None) -> list[Path]:
    """Return the file of labels, or the files in a folder that may hold some.

    Raises
    ------
    OsteotraceError
        If there is no such file or folder.
    """
    if masks is None:
        return []
    if masks.is_dir():
        return sorted(file for file in masks.rglob("*") if _may_hold_labels(file))
    if not masks.is_file():
        raise OsteotraceError(
            "no such file or folder",
            expected="DICOM SEG, NIfTI or NRRD labels, or a folder of them",
            advice="check the path of --masks",
            where=str(masks),
            usage=True,
        )
    return [masks]


def _may_hold_labels(file: Path) -> bool:
    """Tell by its name, or by what DICOM says it is, whether a file may hold labels."""
    if not file.is_file():
        return False
    if file.name.lower().endswith(tuple(READERS)):
        return True
    kind = storage_class(file)
    # One that is damaged is looked at, so that an error can say so.
    return file.suffix.lower() == ".dcm" if not kind else kind in STORAGE_CLASSES


def _are_one(first: LabelMap, second: LabelMap) -> bool:
    """Tell whether two files are copies of one DICOM segmentation."""
    same = bool(first.source) and first.source == second.source
    return same and first.labels == second.labels


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
