"""From a folder to patients, studies, series and volumes, by headers alone.

`scan` reads every DICOM header below a path and says for each volume whether its slices
form a stack that can be measured: its verdicts. They come from ImagePositionPatient,
ImageOrientationPatient and PixelSpacing alone; SliceThickness, the tilt tag and file
order decide nothing. No pixel is read here.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import Grid
from osteotrace.pseudonym import pseudonym

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydicom import Dataset

# Two slices share an orientation when no cosine differs by more than this: DS strings
# carry about six digits, and 1e-3 is 0.06 degrees.
COSINE_TOLERANCE: Final = 1e-3
# A gap is regular when it differs from the median gap by less than this share of it.
GAP_TOLERANCE: Final = 0.01
# Slices nearer than this share of the in-plane spacing lie at one position.
DUPLICATE_TOLERANCE: Final = 0.01
# A stack leans when its origins leave the normal by this angle (degrees): 0.1 degrees
# moves the last of 200 slices of 1 mm by 0.35 mm.
TILT_TOLERANCE_DEG: Final = 0.1

PROJECTION_MODALITIES: Final = frozenset({"CR", "DX", "RG", "PX", "IO", "MG", "RF"})
MEASURED_MODALITIES: Final = frozenset({"CT", "MR"})
ENHANCED_SOP_CLASSES: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
        "1.2.840.10008.5.1.4.1.1.4.3",  # Enhanced MR Color
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR
    }
)

# Every header element that is read, by keyword.
_HEADER: Final = [
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
    "Modality", "SeriesDescription", "SeriesDate", "StudyDate", "AcquisitionDate",
    "PatientID", "IssuerOfPatientID", "ImageType", "InstanceNumber",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    "FrameOfReferenceUID", "Rows", "Columns", "NumberOfFrames", "EchoTime",
    "SamplesPerPixel", "BodyPartExamined",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesIdentity:
    """Which series this is, with the patient as a pseudonym."""

    study_uid: str
    series_uid: str
    modality: str
    description: str
    date: str
    patient: str
    patient_id: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One image of a series: its file and its place, as the header states them."""

    path: Path = field(repr=False)
    sop_instance_uid: str
    sop_class_uid: str
    number: int
    rows: int
    columns: int
    frame_of_reference_uid: str
    image_type: tuple[str, ...]
    echo_time: float | None
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeHeader:
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
        What sets it apart inside its series (plane, echo, image type).
    verdicts : tuple of str
        ``regular`` alone means that it can be loaded and measured.
    """

    k: int
    identity: SeriesIdentity
    instances: tuple[Instance, ...]
    grid: Grid | None
    kind: str
    verdicts: tuple[str, ...]

    @property
    def frame_of_reference_uid(self) -> str:
        """FrameOfReferenceUID shared by the slices."""
        return self.instances[0].frame_of_reference_uid

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
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series with its volumes and what was noticed about it."""

    identity: SeriesIdentity
    volumes: tuple[VolumeHeader, ...]
    notes: tuple[str, ...] = ()

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
            "volumes": [volume.as_dict() for volume in self.volumes],
        }


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that is no readable DICOM, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What lies below a path; iterates over its series."""

    root: Path
    series: tuple[Series, ...]
    skipped: tuple[SkippedFile, ...]

    def __iter__(self) -> Iterator[Series]:
        return iter(self.series)

    def __len__(self) -> int:
        return len(self.series)

    def choose(
        self, series_uid: str | None = None, volume: int | None = None
    ) -> VolumeHeader:
        """Return the one volume meant.

        Parameters
        ----------
        series_uid : str, optional
            SeriesInstanceUID; not needed where one CT or MR volume is there.
        volume : int, optional
            Number of the volume inside the series.

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
        measurable = [header for header in fitting if header.verdicts == ("regular",)]
        if series_uid is None and measurable:
            fitting = measurable
        if len(fitting) == 1:
            return fitting[0]
        raise self._no_choice(fitting)

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
            advice=f"choose one of: {listing}",
            where=str(self.root),
            usage=True,
        )


def scan(path: str | os.PathLike[str]) -> Catalogue:
    """Read the headers of every DICOM file below a path.

    Parameters
    ----------
    path : path
        A file or a folder of any depth.

    Returns
    -------
    Catalogue
        Series in the order of study date, study, series number of first appearance.

    Raises
    ------
    OsteotraceError
        If the path does not exist or holds no DICOM file.
    """
    root = Path(path)
    found: dict[str, list[tuple[Path, Dataset]]] = defaultdict(list)
    skipped: list[SkippedFile] = []
    for file in _files(root):
        try:
            header = _read_header(file)
        except OsteotraceError as problem:
            skipped.append(SkippedFile(file, problem.found))
        else:
            found[str(header.get("SeriesInstanceUID", ""))].append((file, header))
    if not found:
        raise _nothing_found(root, skipped)
    series = [_series(members) for members in found.values()]
    series.sort(key=lambda s: (s.identity.date, s.identity.study_uid))
    return Catalogue(root=root, series=tuple(series), skipped=tuple(skipped))


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    if not root.is_dir():
        raise OsteotraceError(
            "no such file or folder",
            expected="a DICOM file or a folder that holds some",
            advice="check the path",
            where=str(root),
            usage=True,
        )
    for folder, names, files in os.walk(root):
        names.sort()
        for name in sorted(files):
            yield Path(folder, name)


def _nothing_found(root: Path, skipped: list[SkippedFile]) -> OsteotraceError:
    if root.is_file():
        found = skipped[0].reason
    elif skipped:
        reasons = Counter(file.reason for file in skipped).most_common(3)
        found = "no DICOM file among " + ", ".join(
            f"{n} × {reason}" for reason, n in reasons
        )
    else:
        found = "an empty folder"
    return OsteotraceError(
        found,
        expected="DICOM files (Part 10: 'DICM' at byte 128)",
        advice="give the folder or file that holds the CT or MR images",
        where=str(root),
    )


def _read_header(file: Path) -> Dataset:
    """Read the elements of `_HEADER`, or raise with why the file is none of ours."""
    from pydicom import dcmread

    try:
        with file.open("rb") as stream:
            stream.seek(128)
            if stream.read(4) != b"DICM":
                raise _unusable("a file that is not DICOM", file)
        header = dcmread(file, stop_before_pixels=True, specific_tags=list(_HEADER))
        for keyword in _HEADER:  # Values are parsed on access: damage shows here.
            header.get(keyword)
    except OsteotraceError:
        raise
    except OSError as problem:
        raise _unusable(f"a file that cannot be read ({problem.strerror})", file) from (
            problem
        )
    # Damaged headers raise some ten exception types inside pydicom: one boundary.
    except Exception as problem:
        raise _unusable(
            f"a damaged DICOM header ({type(problem).__name__})", file
        ) from problem
    if "SOPInstanceUID" not in header or "SeriesInstanceUID" not in header:
        raise _unusable("a DICOM file without SOP or Series Instance UID", file)
    return header


def _unusable(found: str, file: Path) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="a readable DICOM file",
        advice="fetch it again from its source",
        where=str(file),
    )


def _series(members: list[tuple[Path, Dataset]]) -> Series:
    first = members[0][1]
    identity = _identity(first)
    notes = []
    groups: dict[tuple[object, ...], list[Instance]] = defaultdict(list)
    seen: set[str] = set()
    for path, header in members:
        instance = _instance(path, header)
        if instance.sop_instance_uid in seen:
            notes.append("the same SOP instance lies there twice; one copy is used")
            continue
        seen.add(instance.sop_instance_uid)
        groups[_group_key(instance)].append(instance)
    enhanced = {h.get("SOPClassUID") for _, h in members} & ENHANCED_SOP_CLASSES
    if enhanced:
        notes.append("enhanced multi-frame images are listed, not yet read")
    ordered = sorted(groups.values(), key=lambda g: min(i.number for i in g))
    volumes = tuple(
        _volume(k, identity, group, has_pixels="Rows" in first)
        for k, group in enumerate(ordered)
    )
    return Series(identity=identity, volumes=volumes, notes=tuple(dict.fromkeys(notes)))


def _identity(header: Dataset) -> SeriesIdentity:
    dates = (header.get(k) for k in ("StudyDate", "SeriesDate", "AcquisitionDate"))
    date = str(next((d for d in dates if d), ""))
    patient_id = str(header.get("PatientID") or "")
    return SeriesIdentity(
        study_uid=str(header.get("StudyInstanceUID") or ""),
        series_uid=str(header.SeriesInstanceUID),
        modality=str(header.get("Modality") or ""),
        description=str(header.get("SeriesDescription") or ""),
        date=f"{date[:4]}-{date[4:6]}-{date[6:8]}" if len(date) >= 8 else date,
        patient=pseudonym(patient_id, str(header.get("IssuerOfPatientID") or "")),
        patient_id=patient_id,
    )


def _numbers(header: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    value = header.get(keyword)
    if value is None or isinstance(value, (str, bytes)):
        return None
    try:
        numbers = tuple(float(v) for v in value)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def _instance(path: Path, header: Dataset) -> Instance:
    image_type = header.get("ImageType") or ()
    if isinstance(image_type, str):
        image_type = (image_type,)
    echo = header.get("EchoTime")
    return Instance(
        path=path,
        sop_instance_uid=str(header.SOPInstanceUID),
        sop_class_uid=str(header.get("SOPClassUID") or ""),
        number=int(header.get("InstanceNumber") or 0),
        rows=int(header.get("Rows") or 0),
        columns=int(header.get("Columns") or 0),
        frame_of_reference_uid=str(header.get("FrameOfReferenceUID") or ""),
        image_type=tuple(str(v) for v in image_type),
        echo_time=None if echo is None else float(echo),
        position=_numbers(header, "ImagePositionPatient", 3),
        orientation=_numbers(header, "ImageOrientationPatient", 6),
        pixel_spacing=_numbers(header, "PixelSpacing", 2),
    )


def _group_key(instance: Instance) -> tuple[object, ...]:
    cosines = instance.orientation
    return (
        instance.rows,
        instance.columns,
        None if cosines is None else tuple(np.round(cosines, 3) + 0.0),
        instance.pixel_spacing,
        instance.frame_of_reference_uid,
        instance.image_type[2:],
        instance.echo_time,
    )


def _volume(
    k: int, identity: SeriesIdentity, group: list[Instance], *, has_pixels: bool
) -> VolumeHeader:
    verdicts: tuple[str, ...]
    refused = _no_stack(identity, group, has_pixels=has_pixels)
    if refused:
        ordered, grid, verdicts = group, None, (refused,)
    else:
        ordered, grid, verdicts = _stack(group)
    return VolumeHeader(
        k=k,
        identity=identity,
        instances=tuple(ordered),
        grid=grid,
        kind=_kind(ordered[0]),
        verdicts=verdicts,
    )


def _no_stack(
    identity: SeriesIdentity, group: list[Instance], *, has_pixels: bool
) -> str:
    """Return the verdict that rules a stack out, or an empty string."""
    first = group[0]
    if identity.modality in PROJECTION_MODALITIES:
        return "projection"
    if not has_pixels or identity.modality not in MEASURED_MODALITIES:
        return "not_an_image"
    if any(i.sop_class_uid in ENHANCED_SOP_CLASSES for i in group):
        return "unreadable"
    if "LOCALIZER" in first.image_type:
        return "localizer"
    if first.pixel_spacing is None or min(first.pixel_spacing) <= 0:
        return "no_spacing"
    if first.orientation is None or any(i.position is None for i in group):
        return "not_an_image"
    return ""


def _kind(instance: Instance) -> str:
    words = []
    if instance.orientation is not None:
        normal = np.cross(instance.orientation[:3], instance.orientation[3:])
        words.append(("sagittal", "coronal", "axial")[int(np.argmax(np.abs(normal)))])
    if instance.echo_time is not None:
        words.append(f"TE {instance.echo_time:g} ms")
    words.extend(instance.image_type[2:3])
    return ", ".join(words)


def _stack(
    group: list[Instance],
) -> tuple[list[Instance], Grid | None, tuple[str, ...]]:
    """Order the slices along the normal and judge them."""
    orientation = np.array(group[0].orientation, dtype=np.float64)
    row, column = orientation[:3], orientation[3:]
    if np.abs(
        np.array([row @ row, column @ column, row @ column]) - [1, 1, 0]
    ).max() > (COSINE_TOLERANCE):
        return group, None, ("unreadable",)
    normal = np.cross(row, column)
    positions = np.array([i.position for i in group], dtype=np.float64)
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    ordered = [group[n] for n in order]
    gaps = np.diff(heights[order])
    spacing = np.array(group[0].pixel_spacing, dtype=np.float64)
    if len(group) > 1 and gaps.min() < DUPLICATE_TOLERANCE * spacing.min():
        return ordered, None, ("duplicate_positions",)
    grid = Grid(
        row_direction=row / np.linalg.norm(row),
        column_direction=column / np.linalg.norm(column),
        pixel_spacing=spacing,
        origins=positions[order],
        rows=group[0].rows,
        columns=group[0].columns,
    )
    return ordered, grid, _verdicts(grid)


def _verdicts(grid: Grid) -> tuple[str, ...]:
    gaps = grid.slice_gaps
    if len(gaps) == 0:
        return ("single_slice",)
    verdicts = []
    if np.abs(gaps - np.median(gaps)).max() > GAP_TOLERANCE * np.median(gaps):
        multiples = gaps / gaps.min()
        whole = np.abs(multiples - np.round(multiples)).max() <= GAP_TOLERANCE * (
            multiples.max()
        )
        verdicts.append("missing_slices" if whole else "uneven")
    along = grid.origins[-1] - grid.origins[0]
    lean = np.degrees(np.arccos(min(1.0, along @ grid.normal / np.linalg.norm(along))))
    if lean > TILT_TOLERANCE_DEG:
        verdicts.append("tilted")
    return tuple(verdicts) or ("regular",)


def instances_by_uid(volumes: Iterable[VolumeHeader]) -> dict[str, Instance]:
    """Return the instances of some volumes by SOPInstanceUID."""
    return {i.sop_instance_uid: i for v in volumes for i in v.instances}
