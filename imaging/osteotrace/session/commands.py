"""The commands of a reading on its findings: from the findings held to those held next.

Each command is a function of what is held; `changes` turns the two sides of it into the
lines of a journal. A marking is a leader, which holds the entry, and its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.protocol import TABLES
from osteotrace.session.changes import FindingChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from osteotrace.findings import Finding
    from osteotrace.session.changes import Held

Everything = tuple["Held", ...]
# What a reader says of a marking as a whole: parts that said the same follow it.
_OF_ALL: Final = ("kind", "site", "laterality", "certainty", "presence")


def changes(before: Everything, after: Everything) -> tuple[FindingChange, ...]:
    """Return the changes from what is held to what is held next; the order stays."""
    kept = {one.uid for one in after}
    gone = [
        FindingChange(before=one, after=None, position=position)
        for position, one in enumerate(before)
        if one.uid not in kept
    ]
    there = {one.uid: one for one in before if one.uid in kept}
    rest = [
        FindingChange(before=there.get(one.uid), after=one, position=position)
        for position, one in enumerate(after)
        if there.get(one.uid) != one
    ]
    return (*reversed(gone), *rest)


def marking(held: Everything, uid: str) -> Everything:
    """Return the leader of a finding with all of its parts."""
    (one,) = (one for one in held if one.uid == uid)
    leader = one.leader or one.uid
    return tuple(one for one in held if leader in (one.uid, one.leader))


def with_findings(
    held: Everything,
    mark: Held,
    found: tuple[Finding, ...],
    new_uid: Callable[[], str],
) -> Everything:
    """Return what is held with a marking as it was measured, in place of the old.

    Parameters
    ----------
    held : tuple of Held
    mark : Held
        The leader, with its entry; without a tracking UID it is a new one.
    found : tuple of Finding
        What its entry gave, the leader first.
    new_uid : callable
        Gives a finding its tracking UID where it has none yet.
    """
    assert mark.entry is not None
    old = {
        one.part: one
        for one in held
        if mark.finding.tracking_uid in (one.uid, one.leader)
        and mark.finding.tracking_uid
    } or {"": mark}
    leader = mark.uid or new_uid()
    new: list[Held] = []
    for finding in found:
        part = finding.label.removeprefix(mark.entry.label)
        before = old.get(part, old[""])
        own = leader if not part else old[part].uid if part in old else new_uid()
        new.append(
            msgspec.structs.replace(
                before,
                finding=_kept(before if part in old else None, old[""], finding, own),
                entry=None if part else mark.entry,
                masks={} if part else mark.masks,
                leader=leader if part else "",
                part=part,
                edited=before.edited if part in old else (),
            )
        )
    if not mark.uid:
        return (*held, *new)
    place = next(n for n, one in enumerate(held) if one.uid == mark.uid)
    first, rest = held[:place], held[place:]
    keep = tuple(one for one in rest if mark.uid not in (one.uid, one.leader))
    return (*first, *new, *keep)


def _kept(before: Held | None, leader: Held, finding: Finding, uid: str) -> Finding:
    """Return a measured finding with its identity and what the reader said of it."""
    said = leader if before is None else before
    fields = {
        "tracking_uid": uid,
        "certainty": said.finding.certainty,
        "presence": said.finding.presence,
    }
    if before is not None:
        fields |= {name: getattr(before.finding, name) for name in before.edited}
    return msgspec.structs.replace(finding, **fields)


def edited(held: Everything, uid: str, said: Mapping[str, str]) -> Everything:
    """Return what is held with another word of the reader on a finding.

    Its parts follow where they said the same, and so do their labels.
    """
    every = marking(held, uid)
    (one,) = (one for one in every if one.uid == uid)
    after = {uid: _edited(one, said)}
    for part in every:
        if part.leader == uid:
            follows = {
                name: text
                for name, text in said.items()
                if name in _OF_ALL
                and getattr(part.finding, name) == getattr(one.finding, name)
            }
            if "label" in said and part.finding.label == one.finding.label + part.part:
                follows["label"] = said["label"] + part.part
            after[part.uid] = _edited(part, follows)
    return tuple(after.get(one.uid, one) for one in held)


def _edited(held: Held, said: Mapping[str, str]) -> Held:
    new = {k: v for k, v in said.items() if v != getattr(held.finding, k)}
    return msgspec.structs.replace(
        held,
        finding=msgspec.structs.replace(held.finding, **new),
        edited=tuple(dict.fromkeys((*held.edited, *new))),
    )


def accepted(held: Everything, uid: str, *, is_accepted: bool) -> Everything:
    """Return what is held with a marking accepted, or a draft again."""
    meant = {one.uid for one in marking(held, uid)}
    return tuple(
        msgspec.structs.replace(one, accepted=is_accepted) if one.uid in meant else one
        for one in held
    )


def without(held: Everything, uid: str) -> Everything:
    """Return what is held without a finding and its parts."""
    return tuple(one for one in held if uid not in (one.uid, one.leader))


def named(held: Held) -> str:
    """Return a finding in words: its tool and label."""
    return f"{tool_of(held).replace('_', ' ')} {held.finding.label}"


def tool_of(held: Held) -> str:
    """Return the tool that a finding was marked with, ``finding`` where not known."""
    return next(_tools(held), "finding")


def _tools(held: Held) -> Iterator[str]:
    return (name for name, kind in TABLES.items() if type(held.entry) is kind)
