"""Which volume of a study an entry means: by its headers, and by preference.

A header is opened again only where the choice asks for what the scan does not keep:
slice thickness, the sequence, the contrast agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.protocol.choices import SeriesChoice, patterns
from osteotrace.series.acquisition import acquisition_of
from osteotrace.series.catalogue import ALLOWABLE, MEASURABLE, NO_VOLUME
from osteotrace.series.kinds import is_cone_beam

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.protocol.choices import Patterns, Preference
    from osteotrace.protocol.entry import Entry
    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.series.acquisition import Acquisition
    from osteotrace.series.instances import SeriesIdentity

# Volumes that an error lists.
MOST_TOLD: Final = 8
# Positions are written with so many digits.
ROUNDING_MM: Final = 1e-3
SEGMENTATION: Final = "SEG"
# Axis of the patient that a stack's normal runs along.
_ORIENTATIONS: Final = ("sagittal", "coronal", "axial")


@dataclass(frozen=True, slots=True)
class Fitting:
    """The volumes of a study that fit an entry, and why the others do not.

    Parameters
    ----------
    headers : tuple of VolumeHeader
    others : tuple of str
        A line a volume that does not fit, with the reason.
    unmeasurable : bool
        Whether one of these would fit if its geometry could be measured: it is meant,
        and that it cannot be is a failure.
    """

    headers: tuple[VolumeHeader, ...]
    others: tuple[str, ...]
    unmeasurable: bool = False


def fitting_volumes(
    study: Catalogue, entry: Entry, *, allow_gaps: bool = False
) -> Fitting:
    """Return the volumes of a study that an entry could be measured on.

    Parameters
    ----------
    study : Catalogue
    entry : Entry
        A series that it names by its UID is not asked for anything but its geometry.
    allow_gaps : bool
        Whether missing and duplicate slices will do.
    """
    headers, others, unmeasurable = [], [], False
    choice = entry.select or SeriesChoice()
    if entry.series_uid:
        choice = SeriesChoice(verdicts=choice.verdicts)
    for series in study:
        for header in series.volumes:
            why = _other_series(series.identity, entry)
            bad = "" if why else _unfit_geometry(header, choice, allow_gaps)
            why = why or bad or next(_unfit(header, choice), "")
            if not why:
                headers.append(header)
                continue
            if not NO_VOLUME.issuperset(header.verdicts):
                others.append(f"{_called(header)} ({why})")
            unmeasurable |= bool(bad) and _is_meant(header, choice)
    return Fitting(
        headers=tuple(headers), others=tuple(others), unmeasurable=unmeasurable
    )


def meant_volumes(
    study: Catalogue, entry: Entry, *, allow_gaps: bool = False
) -> tuple[VolumeHeader, ...]:
    """Return the volumes of a study that an entry means, those that are preferred.

    Parameters
    ----------
    study, entry, allow_gaps
        As in `fitting_volumes`.

    Raises
    ------
    OsteotraceError
        If none fits.
    """
    found = fitting_volumes(study, entry, allow_gaps=allow_gaps)
    if not found.headers:
        raise _none_fits(study, f"{entry.called}: {asked(entry)}", found.others)
    return _preferred(found.headers, entry, study)


def meant_volume(
    study: Catalogue, entry: Entry, *, allow_gaps: bool = False
) -> VolumeHeader:
    """Return the one volume of a study that an entry means.

    Parameters
    ----------
    study, entry, allow_gaps
        As in `fitting_volumes`.

    Raises
    ------
    OsteotraceError
        If none or more than one fits, or it lies in another frame of reference.
    """
    preferred = meant_volumes(study, entry, allow_gaps=allow_gaps)
    meant = f"{entry.called}: {asked(entry)}"
    if len(preferred) > 1:
        raise OsteotraceError(
            f"{len(preferred)} volumes that fit {meant}: "
            + "; ".join(_told(one) for one in preferred[:MOST_TOLD]),
            expected="one volume that the protocol means",
            advice="narrow the protocol's choice of series, or say which it should "
            'prefer ("thinnest" or "most_slices"), or ask for each',
            where=str(study.root),
            usage=True,
        )
    (header,) = preferred
    frame = header.frame_of_reference_uid
    if entry.frame_of_reference_uid not in ("", frame):
        raise OsteotraceError(
            f"{meant} in the frame of reference {frame or '(none)'}",
            expected=f"the protocol's, {entry.frame_of_reference_uid}",
            advice="give the points in the frame of reference of this scan",
            where=str(study.root),
        )
    return header


def thickness_mm(header: VolumeHeader) -> tuple[float, float | None]:
    """Return how far apart slices lie at most, and how thick the header says they are.

    Parameters
    ----------
    header : VolumeHeader

    Returns
    -------
    gap, stated : float and float or None
        mm; the largest distance between neighbours by their positions, 0 of a single
        slice, and SliceThickness (0018,0050) of its middle image.
    """
    return _gap(header), acquisition_of(header).slice_thickness_mm


def asked(entry: Entry) -> str:
    """Return in words which series an entry means."""
    said = [f"modality {entry.modality}"] if entry.modality else []
    if entry.series != "*":
        said.append(f"description {entry.series!r}")
    if entry.series_uid:
        said.append(f"series {entry.series_uid}")
    choice = entry.select or SeriesChoice()
    for key in choice.__struct_fields__:
        value = getattr(choice, key)
        if key not in ("modality", "prefer", "each") and value != getattr(_ANY, key):
            words = ", ".join(map(str, value)) if isinstance(value, tuple) else value
            said.append(f"{key} {words!s}")
    return ", ".join(said)


_ANY: Final = SeriesChoice()


def _other_series(identity: SeriesIdentity, entry: Entry) -> str:
    """Return why a series is not called as an entry says, empty where it is."""
    if entry.fits(identity):
        return ""
    if entry.modality not in ("", identity.modality):
        return "another modality"
    return "another series" if entry.series_uid else "another description"


def _unfit_geometry(header: VolumeHeader, choice: SeriesChoice, allow_gaps: bool) -> str:
    """Return what keeps the geometry of a volume from being measured, if anything."""
    allowed = set(choice.verdicts or MEASURABLE) | (ALLOWABLE if allow_gaps else set())
    bad = sorted(set(header.verdicts) - allowed)
    if bad or header.grid is None:
        return " and ".join(bad).replace("_", " ") or "no geometry"
    return ""


def _is_meant(header: VolumeHeader, choice: SeriesChoice) -> bool:
    """Tell whether a volume whose geometry does not do is one that a choice means."""
    if not NO_VOLUME.isdisjoint(header.verdicts):
        return False
    if header.grid is not None and MEASURABLE.issuperset(header.verdicts):
        return False  # The protocol wants another geometry, as it may another kernel.
    if header.grid is None:
        choice = msgspec.structs.replace(choice, orientation="", thickness_mm=None)
    return not any(_unfit(header, choice))


def _unfit(header: VolumeHeader, choice: SeriesChoice) -> Iterator[str]:
    """Yield what else keeps a volume from fitting, what is cheapest to tell first."""
    who, first = header.identity, header.instances[0].attributes
    yield from _unlike("description", who.description, choice.description)
    for pattern in patterns(choice.not_description):
        if _fits(who.description, pattern):
            yield f"description {who.description!r}"
    yield from _unlike("body part", who.body_part, choice.body_part)
    yield from _unlike("kernel", first.kernel, choice.kernel)
    if len(header.instances) < choice.least_slices:
        yield f"{len(header.instances)} slices"
    if choice.orientation and _orientation(header) != choice.orientation:
        yield _orientation(header)
    if choice.cone_beam not in (None, is_cone_beam(who, first)):
        yield "no cone beam" if choice.cone_beam else "cone beam"
    yield from _unfit_acquisition(header, choice)


def _unfit_acquisition(header: VolumeHeader, choice: SeriesChoice) -> Iterator[str]:
    """Yield what its own header has to be opened for."""
    asks = choice.thickness_mm, choice.fluid_sensitive, choice.contrast
    if asks == (None, None, None) and not choice.weighting:
        return
    made = acquisition_of(header)
    if choice.thickness_mm is not None:
        least, most = choice.thickness_mm
        gap, stated = _gap(header), made.slice_thickness_mm
        coarser = max(gap, stated or 0.0)
        if not least - ROUNDING_MM <= coarser <= most + ROUNDING_MM:
            tag = "no SliceThickness" if stated is None else f"SliceThickness {stated:g}"
            yield f"{coarser:g} mm thick (slices {gap:g} mm apart, {tag})"
    if choice.weighting and made.weighting not in patterns(choice.weighting):
        yield f"weighting {made.weighting or 'unknown'}"
    if choice.fluid_sensitive not in (None, made.fluid_sensitive):
        yield "fluid is not bright" if choice.fluid_sensitive else "fluid may be bright"
    if choice.contrast not in (None, bool(made.contrast_agent)):
        yield "no contrast agent named" if choice.contrast else "with contrast agent"


def _unlike(what: str, said: str, asked: Patterns) -> Iterator[str]:
    wanted = patterns(asked)
    if wanted and not any(_fits(said, pattern) for pattern in wanted):
        yield f"{what} {said!r}"


def _fits(said: str, pattern: str) -> bool:
    return fnmatchcase(said.casefold(), pattern.casefold())


def _gap(header: VolumeHeader) -> float:
    gaps = () if header.grid is None else header.grid.slice_gaps
    return round(float(np.max(gaps)), 3) if len(gaps) else 0.0


def _orientation(header: VolumeHeader) -> str:
    assert header.grid is not None
    return _ORIENTATIONS[int(np.argmax(np.abs(header.grid.normal)))]


def _preferred(
    headers: tuple[VolumeHeader, ...], entry: Entry, study: Catalogue
) -> tuple[VolumeHeader, ...]:
    """Return the volumes that none is preferred to."""
    for preference in entry.select.preferences if entry.select is not None else ():
        if len(headers) > 1:
            ranks = [_rank(one, preference, study) for one in headers]
            least = min(ranks) + ROUNDING_MM
            pairs = zip(headers, ranks, strict=True)
            headers = tuple(one for one, rank in pairs if rank <= least)
    return headers


def _rank(header: VolumeHeader, preference: Preference, study: Catalogue) -> float:
    """Return what is least of the volume that is preferred."""
    match preference:
        case "thinnest":
            return _coarser(header)
        case "most_slices":
            return -len(header.instances)
        case "segmented":
            referred = {
                uid
                for series in study
                if series.identity.modality == SEGMENTATION
                for uid in series.refers_to
            }
            return float(header.identity.series_uid not in referred)


def _coarser(header: VolumeHeader) -> float:
    gap, stated = thickness_mm(header)
    return max(gap, stated or 0.0)


def _none_fits(study: Catalogue, meant: str, others: tuple[str, ...]) -> OsteotraceError:
    rest = len(others) - MOST_TOLD
    more = f"; and {rest} more" if rest > 0 else ""
    return OsteotraceError(
        f"no series for {meant}; there is "
        + ("; ".join(others[:MOST_TOLD]) + more if others else "none that is an image"),
        expected="one series that the protocol means",
        advice="check the protocol's choice of series against 'osteotrace scan'",
        where=str(study.root),
    )


def _called(header: VolumeHeader) -> str:
    who = header.identity
    return f"{who.modality} {who.description!r}"


def _told(header: VolumeHeader) -> str:
    made: Acquisition = acquisition_of(header)
    words = [
        f"{len(header.instances)} slices of {max(_gap(header), 0.0):g} mm",
        header.kind,
        made.kernel,
    ]
    listed = ", ".join(filter(None, words))
    return (
        f"{_called(header)}, series {header.identity.series_uid} volume {header.k} "
        f"({listed})"
    )
