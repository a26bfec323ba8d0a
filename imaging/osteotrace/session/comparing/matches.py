"""A reader's word on a match: the same lesion, or not; each one undoable command.

Where the finding of the draft is the lesion's, it takes the lesion's tracking UID, so
that the record keeps one UID through the years. A saved reading is never changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.session.changes import AgreedChange, FindingChange
from osteotrace.session.comparing.agreements import Agreement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osteotrace.session.changes import Held
    from osteotrace.session.session import Session


def confirm(
    session: Session,
    earlier_uid: str,
    later_uid: str,
    *,
    draft_is_later: bool,
    elsewhere: Iterable[str],
    at: str,
    by_hand: bool = False,
) -> None:
    """Say that two findings are one lesion.

    Parameters
    ----------
    session : Session
    earlier_uid, later_uid : str
        Their tracking UIDs.
    draft_is_later : bool
        Which of the two is the draft's.
    elsewhere : iterable of str
        Tracking UIDs that saved readings of other dates hold.
    at : str
        When it is said, ISO 8601.
    by_hand : bool
        Whether nothing had proposed it.

    Raises
    ------
    OsteotraceError
        If no reader is named, or the draft has no such finding.
    """
    own, lesion = _sides(earlier_uid, later_uid, draft_is_later=draft_is_later)
    held = session.held_finding(own)
    taken = {one.uid for one in session.held}
    # A UID that other dates hold already has to stay what they call the lesion.
    keeps = lesion in taken or own in set(elsewhere)
    told = Agreement(
        earlier_uid=earlier_uid,
        later_uid=later_uid,
        is_same=True,
        by=_reader(session),
        at=at,
        by_hand=by_hand,
        was_uid="" if keeps else own,
    )
    changes = () if keeps else _renamed(session.held, own, lesion)
    _say(session, f"{held.finding.label} confirmed as the same lesion", told, changes)


def refuse(
    session: Session, earlier_uid: str, later_uid: str, *, draft_is_later: bool, at: str
) -> None:
    """Say that two findings are two lesions; one that shared a UID gets its own.

    Parameters and errors as `confirm`.
    """
    own, lesion = _sides(earlier_uid, later_uid, draft_is_later=draft_is_later)
    held = session.held_finding(own)
    changes: tuple[FindingChange, ...] = ()
    if own == lesion:
        own = _own_uid(session, lesion)
        changes = _renamed(session.held, lesion, own)
    told = Agreement(
        earlier_uid=lesion if draft_is_later else own,
        later_uid=own if draft_is_later else lesion,
        is_same=False,
        by=_reader(session),
        at=at,
    )
    _say(session, f"{held.finding.label} told apart", told, changes)


def _sides(earlier: str, later: str, *, draft_is_later: bool) -> tuple[str, str]:
    """Return the tracking UID of the draft's finding, then that of the other date."""
    return (later, earlier) if draft_is_later else (earlier, later)


def _own_uid(session: Session, lesion: str) -> str:
    """Return the UID that a finding had before it took a lesion's; a new one without."""
    taken = {one.uid for one in session.held}
    for one in reversed(session.draft.agreed.matches):
        is_meant = one.is_same and lesion in one.pair
        if is_meant and one.was_uid and one.was_uid not in taken:
            return one.was_uid
    return session.new_uid()


def _renamed(held: tuple[Held, ...], old: str, new: str) -> tuple[FindingChange, ...]:
    """Return the changes that give a finding another tracking UID, its parts with it."""
    changes = []
    for position, one in enumerate(held):
        after = one
        if one.uid == old:
            finding = msgspec.structs.replace(one.finding, tracking_uid=new)
            after = msgspec.structs.replace(one, finding=finding)
        elif one.leader == old:
            after = msgspec.structs.replace(one, leader=new)
        if after is not one:
            changes.append(FindingChange(before=one, after=after, position=position))
    return tuple(changes)


def _say(
    session: Session, what: str, told: Agreement, changes: tuple[FindingChange, ...]
) -> None:
    before = session.draft.agreed
    after = before.with_match(told)
    session.commit(what, *changes, AgreedChange(before=before, after=after))


def _reader(session: Session) -> str:
    reader = session.reader.strip()
    if reader:
        return reader
    raise OsteotraceError(
        "a match that nobody confirms",
        expected="the name of the reader: it is kept with what is said",
        advice="name the reader first",
        usage=True,
    )
