"""What a reader marks as an entry of a protocol, its points as a record stores them.

A drawn mask is a label that the entry names. Nothing here measures.
"""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING, Any, Final

import msgspec

from osteotrace import geometry
from osteotrace.codes import KINDS, SITES, look_up
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding
from osteotrace.protocol import TABLES, Entry, Where
from osteotrace.protocol.entries import AngleEntry, IntensityEntry
from osteotrace.protocol.entry import regions
from osteotrace.reading.calipers import marked_caliper
from osteotrace.regions import Mask
from osteotrace.session.changes import Held

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osteotrace.regions import Point
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
# SegmentLabel (0062,0005) holds 64 characters; a number may follow the name.
_LONGEST_NAME: Final = 56
# Of a lesion that was looked for and is not there.
ABSENT: Final = "ABS"
# What a reader who says nothing has said of a place: nothing.
_DEFAULTS: Final = {"kind": "lesion", "site": "unspecified", "quantity": "distance"}


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
    if issubclass(entry_type, AngleEntry | IntensityEntry):
        asked.add("site")
    keys, drawn = _keys(label, where)
    keys |= {key: text for key, text in said.items() if text}
    keys = {key: text for key, text in _DEFAULTS.items() if key in asked} | keys
    keys |= {
        "label": label,
        "modality": volume.identity.modality,
        "series": glob.escape(volume.identity.description),
        "series_uid": volume.identity.series_uid,
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
        held,
        entry=_entry(type(entry), every | keys),
        masks={**held.masks, **drawn},
        # No transform has put it there.
        registration={},
    )


def told_apart(every: Iterable[Held]) -> tuple[tuple[Held, ...], dict[str, Mask]]:
    """Return marks that call no two masks by one name, and all of their masks.

    The names are such as a segmentation gives back as they were written.
    """
    masks: dict[str, Mask] = {}
    marks = []
    for one in every:
        names = {}
        for name, mask in one.masks.items():
            plain = free = _written(name)
            number = 1
            while masks.get(free, mask) != mask:
                number += 1
                free = f"{plain} {number}"
            masks[free], names[name] = mask, free
        marks.append(_renamed(one, names))
    return tuple(marks), masks


def _written(name: str) -> str:
    """Return a mask's name as DICOM holds one: short, on one line, no backslash."""
    kept = (sign if sign.isprintable() and sign != "\\" else " " for sign in name)
    return " ".join("".join(kept).split())[:_LONGEST_NAME].strip() or "mask"


def _renamed(held: Held, names: Mapping[str, str]) -> Held:
    """Return a mark whose entry calls its masks by other names."""
    if held.entry is None or all(old == new for old, new in names.items()):
        return held
    keys = {
        key: Where(label=names[where.label])
        for key, where in regions(held.entry)
        if where.label is not None and where.label in names
    }
    return msgspec.structs.replace(
        held,
        entry=msgspec.structs.replace(held.entry, **keys),
        masks={names[name]: mask for name, mask in held.masks.items()},
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
        elif isinstance(value, dict):
            keys[key] = {name: geometry.as_stored(point) for name, point in value.items()}
        elif isinstance(value, Where):
            keys[key] = _plain(value)
        elif isinstance(value, float):
            keys[key] = float(value)
        elif value is None or isinstance(value, str | bool | int):
            keys[key] = value
        else:
            keys[key] = geometry.as_stored(value)
    return keys, drawn


def _plain(where: Where) -> Where:
    """Return a region of plain numbers, none of numpy's: those are what JSON holds."""
    centre, radius, corners = where.centre, where.radius, where.corners
    return Where(
        centre=None if centre is None else _point(centre),
        radius=None if radius is None else float(radius),
        corners=None if corners is None else (_point(corners[0]), _point(corners[1])),
        label=where.label,
    )


def _point(point: Point) -> Point:
    x, y, z = map(float, point)
    return x, y, z


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


def rebuilt(held: Held, volume: Volume) -> Held:
    """Return a caliper of another record with the entry that it would have.

    Raises
    ------
    OsteotraceError
        If it is no caliper: what was marked is not known then.
    """
    entry = marked_caliper(held.finding, volume)
    return msgspec.structs.replace(held, entry=entry)
