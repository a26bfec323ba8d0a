"""What a scan finds: volumes, series and the catalogue of a path."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.series.exams import head_to_feet
from osteotrace.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from osteotrace.geometry import Grid
    from osteotrace.series.instances import Instance, SeriesIdentity

# Every slice lies where its header says; nothing is missing, nothing there twice.
MEASURABLE: Final = frozenset({"regular", "tilted", "uneven"})
# What a caller may accept; the volume's notes then say what was done.
ALLOWABLE: Final = frozenset({"missing_slices", "duplicate_positions"})
# Nobody looks for a volume there.
NO_VOLUME: Final = frozenset({"localizer", "projection", "not_an_image", "no_spacing"})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VolumeHeader(Shown):
    """One volume of a series, not yet loaded: its slices, grid and verdicts.

    Parameters
    ----------
    k : int
        Number of the volume within its series, from 0.
    identity : SeriesIdentity
        The series it belongs to.
    instances : tuple of Instance
        In ascending order along the normal where there is a grid.
    grid : Grid or None
        None where no geometry could be built.
    kind : str
        What sets it apart inside its series (plane, echo, time point, image type).
    verdicts : tuple of str
        ``regular``, ``tilted`` and ``uneven`` volumes can be loaded and measured.
    notes : tuple of str
        What a reader should know of it.
    damaged : tuple of str
        Names of files that say they belong to its series and cannot be used.
    """

    k: int
    identity: SeriesIdentity
    instances: tuple[Instance, ...]
    grid: Grid | None
    kind: str
    verdicts: tuple[str, ...]
    notes: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()

    @property
    def measurable(self) -> bool:
        """True where it can be loaded as it is, every slice in its true place."""
        return self.grid is not None and MEASURABLE.issuperset(self.verdicts)

    @property
    def frame_of_reference_uid(self) -> str:
        """FrameOfReferenceUID of the slices; empty where they do not share one."""
        frames = {i.attributes.frame_of_reference_uid for i in self.instances}
        return frames.pop() if len(frames) == 1 else ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields of ``osteotrace scan --json``."""
        first, grid = self.instances[0], self.grid
        gaps = [] if grid is None else np.round(grid.slice_gaps, 3).tolist()
        spacing = first.pixel_spacing
        return {
            "k": self.k,
            "rows": first.rows,
            "columns": first.columns,
            "n_slices": len(self.instances),
            "pixel_spacing_mm": None if spacing is None else list(spacing),
            "slice_gaps_mm": {str(gap): n for gap, n in sorted(Counter(gaps).items())},
            "row_direction": None if grid is None else grid.row_direction.tolist(),
            "column_direction": (
                None if grid is None else grid.column_direction.tolist()
            ),
            "tilt_deg": None if grid is None else round(grid.tilt_deg, 4),
            "kind": self.kind,
            "verdicts": list(self.verdicts),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Series(Shown):
    """A series with its volumes and what was noticed about it.

    Parameters
    ----------
    identity : SeriesIdentity
        Its UIDs, modality, description and date; the patient as a pseudonym.
    volumes : tuple of VolumeHeader
        One a stack of slices that belong together: plane, echo, time point.
    notes : tuple of str
        What was noticed about the whole series.
    refers_to : tuple of str
        SeriesInstanceUIDs that its objects name (SR, SEG, contours, presentation
        states), or SOPInstanceUIDs whose series is not there.
    exam : str
        Name shared by the stations of one whole-body exam; empty for others.
    """

    identity: SeriesIdentity
    volumes: tuple[VolumeHeader, ...]
    notes: tuple[str, ...] = ()
    refers_to: tuple[str, ...] = ()
    exam: str = ""

    @property
    def n_instances(self) -> int:
        """Number of instances over all volumes."""
        return sum(len(volume.instances) for volume in self.volumes)

    def as_dict(self, *, identities: bool = False) -> dict[str, Any]:
        """Return the fields of ``osteotrace scan --json``."""
        who = self.identity
        return {
            "study_uid": who.study_uid,
            "series_uid": who.series_uid,
            "modality": who.modality,
            "description": who.description,
            "date": who.date,
            "n_instances": self.n_instances,
            "patient": who.patient_id if identities else who.patient,
            "notes": list(self.notes),
            "refers_to": list(self.refers_to),
            "exam": self.exam,
            "volumes": [volume.as_dict() for volume in self.volumes],
        }


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that is no readable DICOM image, and why.

    Parameters
    ----------
    path : Path
        The file.
    reason : str
        Why it is left out.
    damaged : bool
        True where it says that it is DICOM: an image may be missing because of it.
    """

    path: Path
    reason: str
    damaged: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Catalogue(Shown):
    """What lies below a path; iterates over its series.

    Parameters
    ----------
    root : Path
        The path that was scanned.
    series : tuple of Series
        By study date, study and first appearance.
    skipped : tuple of SkippedFile
        Files that are no readable DICOM, and why.
    """

    root: Path
    series: tuple[Series, ...]
    skipped: tuple[SkippedFile, ...]

    def __iter__(self) -> Iterator[Series]:
        return iter(self.series)

    def __len__(self) -> int:
        return len(self.series)

    def __getitem__(self, which: int | str) -> Series:
        """Return a series by its number or its SeriesInstanceUID; else LookupError."""
        if isinstance(which, int):
            return self.series[which]
        for series in self.series:
            if series.identity.series_uid == which:
                return series
        raise KeyError(which)

    @property
    def studies(self) -> tuple[Catalogue, ...]:
        """One catalogue a study, in the order of the series."""
        members: dict[str, list[Series]] = defaultdict(list)
        for series in self.series:
            members[series.identity.study_uid].append(series)
        # What was left out belongs to no study: it is not said again for each.
        return tuple(
            Catalogue(root=self.root, series=tuple(group), skipped=())
            for group in members.values()
        )

    @property
    def exams(self) -> dict[str, tuple[Series, ...]]:
        """The whole-body exams: their stations by name, head to feet."""
        found: dict[str, list[Series]] = defaultdict(list)
        for series in self.series:
            if series.exam:
                found[series.exam].append(series)
        return {name: head_to_feet(stations) for name, stations in found.items()}

    def choose(
        self,
        series_uid: str | None = None,
        volume: int | None = None,
        *,
        allow_gaps: bool = False,
    ) -> VolumeHeader:
        """Return the one volume meant.

        Parameters
        ----------
        series_uid : str, optional
            SeriesInstanceUID; not needed where one CT or MR volume is there.
        volume : int, optional
            Number of the volume inside the series.
        allow_gaps : bool
            Whether missing and duplicate slices will do.

        Raises
        ------
        OsteotraceError
            If nothing or more than one volume fits; the candidates are listed.
        """
        fitting = [
            header
            for series in self.series
            for header in series.volumes
            if series_uid in (None, series.identity.series_uid)
            and volume in (None, header.k)
        ]
        measurable = [header for header in fitting if header.measurable]
        if allow_gaps and not measurable:
            measurable = [
                header
                for header in fitting
                if not set(header.verdicts) - MEASURABLE - ALLOWABLE
            ]
        if series_uid is None and measurable:
            fitting = measurable
        if len(fitting) == 1:
            return fitting[0]
        raise self._no_choice(fitting)

    def passed_over(self, chosen: VolumeHeader) -> tuple[VolumeHeader, ...]:
        """Return the other CT and MR volumes; localizers and the like are none."""
        return tuple(
            volume
            for series in self.series
            for volume in series.volumes
            if volume is not chosen and not NO_VOLUME.issuperset(volume.verdicts)
        )

    def _no_choice(self, fitting: list[VolumeHeader]) -> OsteotraceError:
        shown = fitting or [v for series in self.series for v in series.volumes]
        listing = "; ".join(
            f"--series {v.identity.series_uid} --volume {v.k} ({v.identity.modality}, "
            f"{len(v.instances)} slices, {', '.join(v.verdicts)})"
            for v in shown[:12]
        )
        count = f"{len(fitting)} volumes" if fitting else "no volume"
        return OsteotraceError(
            f"{count} that fit the choice",
            expected="exactly one",
            advice=f"choose one of (in Python: series_uid=, volume=): {listing}",
            where=str(self.root),
            usage=True,
        )


def instances_by_uid(volumes: Iterable[VolumeHeader]) -> dict[str, Instance]:
    """Return the instances of some volumes by SOPInstanceUID."""
    return {i.sop_instance_uid: i for v in volumes for i in v.instances}
