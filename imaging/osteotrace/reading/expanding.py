"""From what a protocol asks for to what one study holds of it: an entry a finding.

An entry may stand for every label of a pattern, every labelled vertebra, or everything
that readers have marked; what is optional and not there is left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from osteotrace.codes import SITES
from osteotrace.errors import NothingSelectedError, OsteotraceError
from osteotrace.protocol import Where
from osteotrace.protocol.choices import patterns
from osteotrace.protocol.entries import VertebraEntry
from osteotrace.protocol.entry import Entry, regions
from osteotrace.protocol.marked import MarkedEntry
from osteotrace.reading.label_pools import match_of, passed_over_words
from osteotrace.reading.marks import marked_again
from osteotrace.segmentation.label_names import LEVELS, site_of, standard_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from osteotrace.findings import Finding
    from osteotrace.reading.images import StudyImages
    from osteotrace.volume import Volume


# Words of labels that name no place.
_NO_PLACE: Final = ("marrow", "edema", "oedema", "lesion", "bone")


def expanded(entries: Iterable[Entry], images: StudyImages) -> tuple[Entry, ...]:
    """Return the entries of one study: each of them one finding, or its parts.

    Parameters
    ----------
    entries : iterable of Entry
        Of a protocol.
    images : StudyImages

    Raises
    ------
    OsteotraceError
        If nothing is left, entries of two kinds come to one label, or there is no
        volume, or more than one, that an entry means.
    """
    asked = tuple(entries)
    found: dict[str, Entry] = {}
    for one in (one for entry in asked for one in _of_study(entry, images)):
        first = found.setdefault(one.label, one)
        if first.series_uid != one.series_uid:
            # Another series of several that are all measured.
            again = _numbered(one, found)
            found[again.label] = again
        # One lesion that two patterns fit, or that is marked and labelled, is one.
        elif type(first) is not type(one):
            raise OsteotraceError(
                f"the label {one.label!r} for two kinds of findings",
                expected="a label for each",
                advice="tell the entries of the protocol apart by their labels",
                usage=True,
            )
    if asked and not found:
        # What is meant and cannot be measured is told by name, optional or not.
        for entry in asked:
            if images.means(entry) and not images.fits(entry):
                images.volume(entry)
        raise _nothing(asked, images)
    return tuple(found.values())


def _numbered(entry: Entry, found: Mapping[str, Entry]) -> Entry:
    """Return an entry under a label that no other one has; the same for one series."""
    number = 2
    while (label := f"{entry.label} ({number})") in found and (
        found[label].series_uid != entry.series_uid
    ):
        number += 1
    return found.get(label) or msgspec.structs.replace(entry, label=label)


def _nothing(asked: tuple[Entry, ...], images: StudyImages) -> OsteotraceError:
    there = "; ".join(
        f"{volume.identity.modality} {volume.identity.description!r} with the labels "
        + (", ".join(images.label_names(volume)) or "(none)")
        for volume in images.volumes
    )
    over = passed_over_words(images.passed_over())
    return NothingSelectedError(
        "a study in which the protocol selects nothing: none of its "
        f"{len(asked)} entries has a series with its label or mark here"
        + (f", only {there}" if there else ""),
        expected="a study with what the protocol measures",
        advice="check the protocol against 'osteotrace scan' and the names of "
        f"labels{over}",
    )


def _of_study(entry: Entry, images: StudyImages) -> Iterator[Entry]:
    if entry.optional and not images.fits(entry):
        return
    if isinstance(entry, MarkedEntry):
        # A mark says itself on which series it is.
        yield from _marked(entry, images)
        return
    for one in images.each(entry):
        if isinstance(one, VertebraEntry) and one.levels and not one.level:
            yield from _levels(one, images)
        elif any("*" in (where.label or "") for _, where in regions(one)):
            yield from _labels(one, images)
        else:
            yield from _as_it_is(one, images)


def _as_it_is(entry: Entry, images: StudyImages) -> Iterator[Entry]:
    """Yield an entry without the labels it can do without and that are not there."""
    optional = [key for key, where in regions(entry) if where.optional]
    named = [(key, where.label) for key, where in regions(entry) if where.label]
    if not optional and not (entry.optional and named):
        yield entry
        return
    volume = images.volume(entry)
    missing = {key for key, label in named if not images.has_label(volume, label)}
    if entry.optional and missing - set(optional):
        return
    keys: dict[str, Any] = {
        key: None if key in missing else _plain(where)
        for key, where in regions(entry)
        if where.optional
    }
    yield msgspec.structs.replace(entry, optional=False, **keys)


def _labels(entry: Entry, images: StudyImages) -> Iterator[Entry]:
    """Yield an entry for each label that fits its pattern."""
    volume = images.volume(entry)
    ((wild, where),) = [
        (key, where) for key, where in regions(entry) if "*" in (where.label or "")
    ]
    pattern = where.label or ""
    # A label that is called so itself is no pattern.
    exact = images.has_label(volume, pattern)
    found = {pattern: pattern} if exact else images.labels_like(volume, pattern)
    if not found and not entry.optional:
        # It is refused by name when it is measured.
        found = {pattern: pattern}
    for name, match in found.items():
        told = {"name": name, "match": match}
        keys = _region_keys(entry, told) | {wild: Where(label=name)}
        one = _called(entry, told, keys, site=_place(name, match))
        yield from _as_it_is(one, images)


def _levels(entry: VertebraEntry, images: StudyImages) -> Iterator[Entry]:
    """Yield an entry for each vertebra with a label, or each that is asked for."""
    volume = images.volume(entry)
    found = images.levels(volume) if entry.body is None else _bodies(entry, images)
    wanted = list(found) if isinstance(entry.levels, str) else list(entry.levels)
    if isinstance(entry.levels, str):
        wanted = [level for level in wanted if _has_endplates(level)]
        if not wanted and not entry.optional:
            # It is refused with the labels that there are when it is measured.
            wanted, found = ["*"], {"*": "* body"}
    for level in wanted:
        label = found.get(level.upper(), f"{level} body")
        if level.upper() not in found and entry.optional:
            continue
        keys = {
            # Kept: nobody has said whether such a level is fractured.
            "levels": (level.upper(),),
            "level": level.upper(),
            "body": Where(label=label),
            "optional": False,
        }
        one = _called(entry, {"level": level.upper()}, keys)
        if level == "*":
            one = msgspec.structs.replace(one, label=entry.called)
        yield one


def _bodies(entry: VertebraEntry, images: StudyImages) -> dict[str, str]:
    """Return the labels by level where the protocol says how bodies are called."""
    assert entry.body is not None
    assert entry.body.label is not None
    pattern = entry.body.label.replace("{level}", "*")
    names = images.labels_like(images.volume(entry), pattern)
    named = {match.upper(): name for name, match in names.items()}
    return {level: named[level] for level in LEVELS if level in named}


def _has_endplates(level: str) -> bool:
    return next(iter(VertebraEntry(label="", level=level).wrong()), ("",))[0] != "level"


def _marked(entry: MarkedEntry, images: StudyImages) -> Iterator[Entry]:
    """Yield an entry for each mark of a reader that fits, the latest reading first."""
    seen: set[str] = set()
    made: list[Entry] = []
    for reading in images.readings:
        for finding in reading.findings:
            if finding.tracking_uid in seen or not _is_meant(finding, entry):
                continue
            seen.add(finding.tracking_uid)
            made += _mark(finding, entry, images)
    yield from made
    if not made and not entry.optional:
        raise OsteotraceError(
            f"no mark of a reader for {entry.called}: "
            + ", ".join(patterns(entry.marks)),
            expected="a saved reading of the study with such a mark on that series",
            advice="save a reading with the study or below --masks, or make the entry "
            "optional",
        )


def _is_meant(finding: Finding, entry: MarkedEntry) -> bool:
    return finding.presence == "present" and any(
        match_of(pattern, said) is not None
        for pattern in patterns(entry.marks)
        for said in (finding.label, finding.kind)
    )


def _mark(finding: Finding, entry: MarkedEntry, images: StudyImages) -> Iterator[Entry]:
    """Yield what measures one mark again, on the series that it was made on."""
    volume = _volume_of(finding, entry, images)
    if volume is None:
        return
    try:
        made, masks = marked_again(finding, volume)
    except OsteotraceError:
        # A result without a mark is nothing that could be measured again.
        return
    keys: dict[str, Any] = {"label": entry.label.replace("{name}", finding.label)}
    for key, where in regions(made):
        if where.label in masks:
            name = f"{finding.label} {key}"
            images.draw(name, masks[where.label])
            keys[key] = Where(label=name)
    if finding.kind in ("", "lesion"):
        keys["kind"] = entry.kind
    if finding.site in ("", "unspecified"):
        keys["site"] = entry.site
    yield msgspec.structs.replace(made, **keys)


def _volume_of(
    finding: Finding, entry: MarkedEntry, images: StudyImages
) -> Volume | None:
    """Return the volume that a mark was made on, where the entry means that one."""
    if finding.series_uid:
        own = msgspec.structs.replace(entry, series_uid=finding.series_uid)
        if images.fits(own):
            return images.volume(own)
    frames = {region_frame(one) for one in finding.regions} - {""}
    volume = images.volume(entry)
    return volume if frames <= {volume.frame_of_reference_uid} else None


def region_frame(region: object) -> str:
    """Return the frame of reference of a region; points on an image have none."""
    return str(getattr(region, "frame_of_reference_uid", "image"))


def _called(
    entry: Entry, told: Mapping[str, str], keys: Mapping[str, Any], *, site: str = ""
) -> Entry:
    """Return an entry under the name of what it was found by."""
    label = _filled(entry.label, told)
    if label == entry.label:
        label = f"{entry.label} {next(iter(told.values()))}"
    place, _, side = site.partition("/")
    said: dict[str, Any] = {"label": label, **keys}
    if place:
        said["site"] = place
    if side and not entry.laterality:
        said["laterality"] = side
    return msgspec.structs.replace(entry, **said)


def _region_keys(entry: Entry, told: Mapping[str, str]) -> dict[str, Any]:
    return {
        key: msgspec.structs.replace(where, label=_filled(where.label, told))
        for key, where in regions(entry)
        if where.label is not None
    }


def _filled(text: str, told: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: told.get(found[1], found[0]), text)


def _plain(where: Where) -> Where:
    return msgspec.structs.replace(where, optional=None)


def _place(name: str, match: str) -> str:
    """Return the site and the side that a label's name tells, as ``site/side``."""
    for said in (match, name):
        site, side = site_of(standard_name(said))
        if site:
            return f"{site}/{side}"
        words = [word.lower() for word in re.findall(r"[^\W_]+", said)]
        sides = [word for word in words if word in ("left", "right")]
        rest = "_".join(word for word in words if word not in (*sides, *_NO_PLACE))
        if len(sides) <= 1 and (rest in SITES or (sides and not rest)):
            return f"{rest}/{''.join(sides)}"
    return ""
