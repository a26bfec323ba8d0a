"""From what a reader marks to findings: a mark is an entry of a protocol.

What was marked with a tool on a volume becomes the entry that a protocol would hold, its
points as a record stores them; what is measured for it is measured by
`osteotrace.reading.lesions`, as for every protocol. So the numbers are the same, bit for
bit. A drawn mask is a label that the entry names.
"""

from __future__ import annotations

import glob
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from osteotrace import geometry
from osteotrace.codes import KINDS, SITES, look_up
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding, marked_volume
from osteotrace.measurements.caliper import AS_DRAWN
from osteotrace.measurements.measurement import NotMeasured
from osteotrace.protocol import TABLES, CaliperEntry, Entry, Where
from osteotrace.protocol.entries import LENGTHS, VertebraEntry
from osteotrace.reading.images import StudyImages
from osteotrace.reading.lesions import findings_of
from osteotrace.reading.naming import METHOD as PROTOCOL
from osteotrace.regions import Mask, Polyline
from osteotrace.session import commands
from osteotrace.session.changes import Held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from osteotrace.session.commands import Everything
    from osteotrace.volume import Volume

# What the labels of a tool's findings begin with.
PREFIXES: Final[dict[str, str]] = {
    "caliper": "CAL",
    "palatal_defect": "PAL",
    "soft_tissue_gap": "SOFT",
    "sequestra": "SEQ",
    "gas": "GAS",
    "moth_eaten": "MOTH",
    "sclerotic_rim": "RIM",
    "periosteal_reaction": "PERI",
    "vertebra": "VERT",
    "cement": "CEM",
    "marrow_edema": "EDEMA",
    "expansion": "EXP",
    "intensity": "REG",
    "angle": "ANG",
}
# Of a lesion that was looked for and is not there.
ABSENT: Final = "ABS"
_DEFAULTS: Final = {"kind": "lesion", "site": "jaw", "quantity": "distance"}


class LoadedVolume(StudyImages):
    """The one volume that was marked, where findings expect the images of a study.

    Parameters
    ----------
    volume : Volume
    masks : mapping of str to Mask
        What the entries' labels mean.
    """

    def __init__(self, volume: Volume, masks: Mapping[str, Mask]) -> None:
        self._volume, self._masks = volume, masks

    @property
    def volumes(self) -> tuple[Volume, ...]:
        return (self._volume,)

    def volume(self, entry: Entry) -> Volume:
        return self._volume

    def region(self, volume: Volume, where: Where, role: str) -> Mask:
        if where.label is None:
            return super().region(volume, where, role)
        if where.label not in self._masks:
            raise OsteotraceError(
                f"no mask {where.label!r}",
                expected="one that was drawn: " + (", ".join(self._masks) or "(none)"),
                advice="draw the region first",
            )
        return msgspec.structs.replace(self._masks[where.label], role=role)

    def notes_of(self, entry: Entry, volume: Volume) -> tuple[str, ...]:
        return ()


def next_label(tool: str, used: set[str], where: Mapping[str, Any]) -> str:
    """Return a label for the next finding of a tool that was never given before."""
    prefix = PREFIXES.get(tool, tool.upper().replace("_", "-"))
    if tool == "vertebra":
        prefix = f"{prefix}-{str(where.get('level', '')).upper()}"
        if prefix not in used:
            return prefix
    number = 1
    while f"{prefix}-{number}" in used:
        number += 1
    return f"{prefix}-{number}"


def marked(
    tool: str,
    volume: Volume,
    *,
    label: str,
    said: Mapping[str, str],
    where: Mapping[str, Any],
    masks: Mapping[str, Mask] | None = None,
) -> Held:
    """Return the entry that a mark stands for, and its masks, not measured yet.

    Parameters
    ----------
    tool : str
        Key of `osteotrace.protocol.TABLES`.
    volume : Volume
        What it was marked on.
    label : str
        Of the finding.
    said : mapping of str to str
        ``kind``, ``site``, ``laterality`` and ``note``; what is empty is left to the
        entry's default.
    where : mapping
        The entry's own keys: points, regions (`Where` or `Mask`), choices.
    masks : mapping of str to Mask, optional
        What labels in ``where`` mean.

    Raises
    ------
    OsteotraceError
        If there is no such tool, or what was marked does not make an entry of it.
    """
    entry_type = TABLES.get(tool)
    if entry_type is None:
        raise OsteotraceError(
            f"the tool {tool!r}",
            expected="one of " + ", ".join(TABLES),
            advice="choose another tool",
            usage=True,
        )
    asked = {name.name for name in msgspec.structs.fields(entry_type) if name.required}
    keys, drawn = _keys(label, where)
    keys |= {key: text for key, text in said.items() if text}
    keys = {key: text for key, text in _DEFAULTS.items() if key in asked} | keys
    keys |= {
        "label": label,
        "modality": volume.identity.modality,
        "series": glob.escape(volume.identity.description),
        "frame_of_reference_uid": volume.frame_of_reference_uid,
    }
    entry = _entry(entry_type, keys)
    return Held(finding=_blank(entry), entry=entry, masks={**(masks or {}), **drawn})


def moved(held: Held, where: Mapping[str, Any]) -> Held:
    """Return a finding with its entry marked elsewhere, not measured yet.

    Points that are named one by one, as the six of a vertebra, may be given in part.
    """
    entry = held.entry
    assert entry is not None
    keys, drawn = _keys(entry.label, where)
    for key, value in keys.items():
        old = getattr(entry, key, None)
        if isinstance(value, dict) and isinstance(old, dict):
            keys[key] = old | value
    every = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return msgspec.structs.replace(
        held, entry=_entry(type(entry), every | keys), masks={**held.masks, **drawn}
    )


def _keys(label: str, where: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Mask]]:
    """Return the keys of an entry with their points as stored, and the masks drawn."""
    keys: dict[str, Any] = {}
    drawn: dict[str, Mask] = {}
    for key, value in where.items():
        if isinstance(value, Mask):
            name = f"{label} {key}"
            drawn[name] = value
            keys[key] = Where(label=name)
        elif isinstance(value, Where):
            keys[key] = _stored_where(value)
        elif isinstance(value, dict):
            keys[key] = {name: geometry.as_stored(point) for name, point in value.items()}
        elif value is None or isinstance(value, str | bool | int | float):
            keys[key] = value
        else:
            keys[key] = geometry.as_stored(value)
    return keys, drawn


def _stored_where(where: Where) -> Where:
    return Where(
        centre=None if where.centre is None else geometry.as_stored(where.centre),
        radius=None if where.radius is None else float(where.radius),
        corners=None
        if where.corners is None
        else (
            geometry.as_stored(where.corners[0]),
            geometry.as_stored(where.corners[1]),
        ),
        label=where.label,
    )


def _entry(entry_type: type[Entry], keys: Mapping[str, Any]) -> Entry:
    try:
        entry = entry_type(**keys)
    except TypeError as problem:
        raise OsteotraceError(
            f"a mark that is none of this tool ({problem})",
            expected=", ".join(entry_type.__struct_fields__),
            advice="mark it again",
            usage=True,
        ) from problem
    look_up(KINDS, entry.kind, "kind")
    look_up(SITES, entry.site, "site")
    for key, found, expected in entry.wrong():
        raise OsteotraceError(
            f"{key}: {found}", expected=expected, advice="mark it again", usage=True
        )
    return entry


def _blank(entry: Entry) -> Finding:
    return Finding(tracking_uid="", label=entry.label, kind=entry.kind, site=entry.site)


def measured(marks: Iterable[Held], volume: Volume) -> dict[str, tuple[Finding, ...]]:
    """Return the findings of marks of one volume, by the label of their entries.

    Vertebrae are compared with each other; give all of the volume at once.

    Raises
    ------
    OsteotraceError
        If marks cannot stand beside each other, as one level named twice.
    """
    every = tuple(marks)
    masks = {name: mask for one in every for name, mask in one.masks.items()}
    found: dict[str, tuple[Finding, ...]] = {}
    series_uid = volume.identity.series_uid
    spine = [one.entry for one in every if isinstance(one.entry, VertebraEntry)]
    images = LoadedVolume(volume, masks)
    for finding in findings_of(spine, images):
        found[finding.label] = (finding,)
    for one in every:
        if one.entry is not None and not isinstance(one.entry, VertebraEntry):
            found[one.entry.label] = findings_of([one.entry], images)
    return {
        label: tuple(
            msgspec.structs.replace(one, series_uid=series_uid) for one in findings
        )
        for label, findings in found.items()
    }


def check_measurable(finding: Finding) -> None:
    """Refuse a mark that could not be measured at all: there is nothing to keep of it.

    Raises
    ------
    OsteotraceError
        With the reason, where the measurement refused the mark itself.
    """
    refused = [one for one in finding.measurements if one.method == PROTOCOL]
    if refused:
        raise OsteotraceError(
            str(getattr(refused[0], "reason", "")),
            expected="a mark that can be measured",
            advice="mark it again",
        )


def rebuilt(held: Held, volume: Volume) -> Held:
    """Return a caliper of another record with the entry that it would have.

    Raises
    ------
    OsteotraceError
        If it is no caliper: what was marked is not known then.
    """
    finding = held.finding
    drawn = [
        region
        for region in finding.regions
        if isinstance(region, Polyline) and region.role == AS_DRAWN
    ]
    if len(drawn) != 1 or not finding.measurements:
        raise OsteotraceError(
            f"{finding.label}, of which only the result is known",
            expected="a finding that was marked here, or a caliper",
            advice="delete it and mark it again",
        )
    quantity = finding.measurements[0].name
    entry = CaliperEntry(
        label=finding.label,
        modality=volume.identity.modality,
        kind=finding.kind,
        site=finding.site,
        laterality=finding.laterality,
        note=finding.note,
        series=glob.escape(volume.identity.description),
        frame_of_reference_uid=volume.frame_of_reference_uid,
        quantity=quantity if quantity in LENGTHS else "distance",
        start=drawn[0].points[0],
        end=drawn[0].points[-1],
        # Without snapping the line as drawn is the value, and there is no other line.
        snap=len(finding.regions) > 1 or isinstance(finding.measurements[0], NotMeasured),
    )
    return msgspec.structs.replace(held, entry=entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A mark with its measurements, not held yet.

    Parameters
    ----------
    mark : Held
        Its entry and masks; with a tracking UID it is one that was moved.
    volume : Volume
        What it was marked on.
    found : tuple of Finding
        What it gave; empty where that depends on others beside it.
    """

    mark: Held
    volume: Volume
    found: tuple[Finding, ...] = ()


def prepared(mark: Held, volume: Volume) -> Prepared:
    """Return a mark measured, as far as it does not depend on others.

    Raises
    ------
    OsteotraceError
        If the mark cannot be measured at all.
    """
    if has_neighbours(mark):
        return Prepared(mark=mark, volume=volume)
    assert mark.entry is not None
    found = measured([mark], volume)[mark.entry.label]
    check_measurable(found[0])
    return Prepared(mark=mark, volume=volume, found=found)


def held_with(
    held: Everything,
    mark: Held,
    volume: Volume,
    new_uid: Callable[[], str],
    *,
    found: tuple[Finding, ...] = (),
) -> Everything:
    """Return what is held with a mark measured; vertebrae beside it are measured anew.

    Parameters
    ----------
    found : tuple of Finding
        What the mark gave, where it was measured already.

    Raises
    ------
    OsteotraceError
        If the mark cannot be measured at all.
    """
    assert mark.entry is not None
    if found:
        return commands.with_findings(held, mark, found, new_uid)
    marks = [mark, *_beside(held, mark, volume)]
    return _with_measured(held, mark, marks, volume, new_uid)


def _with_measured(
    held: Everything,
    mark: Held,
    marks: list[Held],
    volume: Volume,
    new_uid: Callable[[], str],
) -> Everything:
    assert mark.entry is not None
    found = measured(marks, volume)
    check_measurable(found[mark.entry.label][0])
    return _with_each(held, marks, found, new_uid)


def held_without(
    held: Everything, gone: Held, volume: Volume | None, new_uid: Callable[[], str]
) -> Everything:
    """Return what is held without a finding; vertebrae beside it are measured anew.

    Parameters
    ----------
    volume : Volume or None
        What it was marked on; without it the others stay as they were measured.
    """
    left = commands.without(held, gone.uid)
    marks = [] if volume is None else _beside(left, gone, volume)
    return _with_each(left, marks, measured(marks, volume) if volume else {}, new_uid)


def has_neighbours(held: Held) -> bool:
    """Tell whether what is measured of a finding depends on others beside it."""
    return isinstance(held.entry, VertebraEntry)


def _beside(held: Everything, mark: Held, volume: Volume) -> list[Held]:
    """Return the other vertebrae of a volume, where the mark is one."""
    return [
        one
        for one in held
        if has_neighbours(mark)
        and has_neighbours(one)
        and one.uid != mark.uid
        and marked_volume(one.finding, [volume]) is not None
    ]


def _with_each(
    held: Everything,
    marks: Iterable[Held],
    found: Mapping[str, tuple[Finding, ...]],
    new_uid: Callable[[], str],
) -> Everything:
    for one in marks:
        assert one.entry is not None
        held = commands.with_findings(held, one, found[one.entry.label], new_uid)
    return held
