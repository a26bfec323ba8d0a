"""The commands of a reading on its findings: from the findings held to those held next.

Each command is a function of what is held; `changes` turns the two sides of it into the
lines of a journal. A marking is a leader, which holds the entry, and its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.findings.carried_values import with_registration
from osteotrace.protocol import TABLES
from osteotrace.protocol.entries import GasEntry, SequestraEntry, VertebraEntry
from osteotrace.session.changes import FindingChange, Held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from osteotrace.findings import Finding
    from osteotrace.protocol import Entry

Everything = tuple["Held", ...]
# What a reader says of a marking as a whole: parts that said the same follow it.
_OF_ALL: Final = ("kind", "site", "laterality", "certainty", "presence", "note")
# What an entry says too: measured anew, new parts say it as well.
OF_ENTRY: Final = ("kind", "site", "laterality", "note")
# Entries that look for something in a region, and may find none.
_SEARCHES: Final = (GasEntry, SequestraEntry)


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
    every = marking(held, mark.uid) if mark.uid else ()
    old = {one.part: one for one in every}
    leader = old.get("", mark)
    uid = leader.uid or new_uid()
    new: list[Held] = []
    for finding in found:
        part = finding.label.removeprefix(mark.entry.label)
        before = old.get(part)
        own = uid if not part else new_uid() if before is None else before.uid
        if not part:
            finding = with_registration(finding, mark.registration)
        new.append(
            Held(
                finding=_kept(finding, own, before, leader, mark.entry),
                accepted=(before or leader).accepted,
                entry=None if part else mark.entry,
                masks={} if part else mark.masks,
                leader=uid if part else "",
                part=part,
                edited=() if before is None else before.edited,
                registration={} if part else mark.registration,
            )
        )
    if not every:
        return (*held, *new)
    place = held.index(every[0])
    gone = {one.uid for one in every}
    return (*held[:place], *new, *(one for one in held[place:] if one.uid not in gone))


def _kept(
    finding: Finding, uid: str, before: Held | None, leader: Held, entry: Entry
) -> Finding:
    """Return a measured finding with its identity and what the reader said of it."""
    said = leader if before is None else before
    fields = {"tracking_uid": uid, "certainty": said.finding.certainty}
    # A search tells whether something is there, where the reader has not said it.
    if "presence" in said.edited or not isinstance(entry, _SEARCHES):
        fields["presence"] = said.finding.presence
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
    entry = held.entry
    if entry is not None:
        of_entry = {name: text for name, text in new.items() if name in OF_ENTRY}
        entry = msgspec.structs.replace(entry, **of_entry)
    return msgspec.structs.replace(
        held,
        finding=msgspec.structs.replace(held.finding, **new),
        entry=entry,
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


def check_site(held: Held, site: str) -> None:
    """Refuse another site for a vertebra: its level is measured, not said.

    Raises
    ------
    OsteotraceError
        If the site is another one than was marked.
    """
    if isinstance(held.entry, VertebraEntry) and site != held.finding.site:
        raise OsteotraceError(
            f"{held.finding.label}, which was marked as {held.entry.level.upper()}, at "
            f"the site {site}",
            expected=f"{held.finding.site}, as its level is",
            advice="delete it and mark it as the other level, or label the levels anew",
        )


def named(held: Held) -> str:
    """Return a finding in words: its tool and label."""
    return f"{tool_of(held).replace('_', ' ')} {held.finding.label}"


def tool_of(held: Held) -> str:
    """Return the tool that a finding was marked with, ``finding`` where not known."""
    return next(_tools(held), "finding")


def _tools(held: Held) -> Iterator[str]:
    return (name for name, kind in TABLES.items() if type(held.entry) is kind)
