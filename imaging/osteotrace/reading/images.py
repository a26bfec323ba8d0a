"""The volumes and regions of one study, loaded when an entry of a protocol asks for them.

A region is a ball or a box in patient space, or a label: of the DICOM SEG in the study
that refer to the series, or of the label files that were given beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.protocol import Entry, Where, meant_volume
from osteotrace.segmentation import marked
from osteotrace.segmentation.labels import read_labels
from osteotrace.volume import load as load_volume
from osteotrace.volume.image_files import READERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from osteotrace.regions import Mask
    from osteotrace.segmentation.labels import LabelMap
    from osteotrace.series import Catalogue
    from osteotrace.volume import Volume

SEGMENTATION: Final = "SEG"


class StudyImages:
    """The volumes and masks of one study.

    Parameters
    ----------
    study : Catalogue
        The study's series.
    masks : Path or None
        A file or folder of labels beside the study's own DICOM SEG.
    """

    def __init__(self, study: Catalogue, masks: Path | None) -> None:
        self._study, self._masks = study, masks
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
            If the region lies outside the volume or there is no label of that name.
        """
        if where.centre is not None and where.radius is not None:
            return marked.ball(volume, where.centre, where.radius, role=role)
        if where.corners is not None:
            return marked.box(volume, *where.corners, role=role)
        assert where.label is not None
        series_uid = volume.identity.series_uid
        if series_uid not in self._labels:
            self._labels[series_uid] = _Labels(volume, self._study, self._masks)
        return self._labels[series_uid].mask(where.label, role)

    def optional(self, volume: Volume, where: Where | None, role: str) -> Mask | None:
        """Return the region, or None where the entry names none."""
        return None if where is None else self.region(volume, where, role)


class _Labels:
    """Every label that lies on a volume, by name."""

    def __init__(self, volume: Volume, study: Catalogue, masks: Path | None) -> None:
        self._maps: list[LabelMap] = []
        self._passed_over: list[str] = []
        for file in (*_segmentations(volume, study), *_label_files(masks)):
            try:
                self._maps.append(read_labels(file, like=volume))
            except OsteotraceError as problem:
                self._passed_over.append(f"{file.name}: {problem.found}")

    def mask(self, name: str, role: str) -> Mask:
        fitting = [labels for labels in self._maps if name in labels]
        if len(fitting) == 1:
            return msgspec.structs.replace(fitting[0][name].mask, role=role)
        known = sorted({label.name for labels in self._maps for label in labels})
        passed = "; passed over: " + "; ".join(self._passed_over)
        raise OsteotraceError(
            f"{len(fitting)} segmentations with the label {name!r}",
            expected="one, among the labels " + (", ".join(known) or "(none)"),
            advice="correct the label, or give the segmentation with --masks"
            + (passed if self._passed_over else ""),
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


def _label_files(masks: Path | None) -> list[Path]:
    if masks is None:
        return []
    if masks.is_dir():
        endings = (".dcm", *READERS)
        return sorted(f for f in masks.rglob("*") if f.name.lower().endswith(endings))
    if not masks.is_file():
        raise OsteotraceError(
            "no such file or folder",
            expected="DICOM SEG, NIfTI or NRRD labels, or a folder of them",
            advice="check the path of --masks",
            where=str(masks),
            usage=True,
        )
    return [masks]
