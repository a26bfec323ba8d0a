"""Files on their way into an archive: looked for, sent, read back and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.pacs import contents, faults
from osteotrace.pacs.outgoing import Outgoing, outgoing
from osteotrace.pacs.peer import Held
from osteotrace.pacs.records import Sent

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from osteotrace.pacs.archive import Archive
    from osteotrace.pacs.peer import Peer


def send(
    archive: Archive,
    peer: Peer,
    files: Iterable[str | os.PathLike[str]],
    progress: Callable[[int, int], None] | None,
) -> Sent:
    """Send files; see `osteotrace.pacs.Connection.send`."""
    going = outgoing(files)
    there = _already_there(archive, peer, going)
    fresh = [one for one in going if one.sop_uid not in there]
    done = len(there)

    def tell() -> None:
        if progress is not None:
            progress(done, len(going))

    tell()
    for batch in _by_study(fresh):
        _store(archive, peer, batch)
        _check_kept(archive, batch, _kept(archive, peer, batch))
        done += len(batch)
        tell()
    return Sent(stored=tuple(one.sop_uid for one in fresh), already_there=tuple(there))


def _already_there(archive: Archive, peer: Peer, going: Sequence[Outgoing]) -> list[str]:
    """Return what the archive holds with the same content.

    Raises
    ------
    OsteotraceError
        If it holds other content under one of the UIDs.
    """
    found: list[str] = []
    for batch in _by_study(going):
        wrong = _read_back(archive, peer, _holders(archive, peer, batch), batch)
        differing = {uid: names for uid, names in wrong.items() if names}
        if differing:
            raise _changed(archive, differing, batch)
        found += [one.sop_uid for one in batch if one.sop_uid in wrong]
    return found


def _held_beside(archive: Archive, peer: Peer, batch: Sequence[Outgoing]) -> list[Held]:
    """Return all that an archive holds in the series of files of one study."""
    held: list[Held] = []
    for series in dict.fromkeys((one.study_uid, one.series_uid) for one in batch):
        held += faults.repeated(archive, lambda at=series: peer.instances(*at))  # type: ignore[misc]
    return held


def _holders(archive: Archive, peer: Peer, batch: Sequence[Outgoing]) -> list[Held]:
    """Return what an archive holds beside files or, elsewhere, under their UIDs."""
    held = _held_beside(archive, peer, batch)
    known = {one.sop_uid for one in held}
    unknown = [one.sop_uid for one in batch if one.sop_uid not in known]
    if unknown:
        held += faults.repeated(archive, lambda: peer.holders(unknown))
    return held


def _kept(
    archive: Archive, peer: Peer, batch: Sequence[Outgoing]
) -> dict[str, list[str]]:
    """Return in which elements what an archive keeps differs from what it was sent.

    Raises
    ------
    OsteotraceError
        If something is not there, however often it is looked for: archives list what
        they take after a while.
    """
    found: dict[str, list[str]] = {}

    def look() -> None:
        left = [one for one in batch if one.sop_uid not in found]
        held = _held_beside(archive, peer, left)
        listed = {one.sop_uid for one in held}
        held += [
            Held(one.study_uid, one.series_uid, one.sop_uid, one.sop_class_uid)
            for one in left
            if one.sop_uid not in listed
        ]
        found.update(_read_back(archive, peer, held, left))
        missing = [one for one in left if one.sop_uid not in found]
        if missing:
            raise faults.Unavailable(
                f"{missing[0].path.name} sent, but not there when read back",
                expected="what was sent, the same as the file",
                advice="send it again; if that does not help, ask the administrator",
                where=archive.where,
            )

    faults.repeated(archive, look)
    return found


def _read_back(
    archive: Archive, peer: Peer, held: Sequence[Held], batch: Sequence[Outgoing]
) -> dict[str, list[str]]:
    """Return the elements in which an archive's instances differ from the files."""
    ours = {one.sop_uid: one for one in batch}
    differing: dict[str, list[str]] = {}

    def compare(content: bytes) -> None:
        theirs = contents.read(content, archive.where)
        one = ours.get(str(theirs.SOPInstanceUID))
        if one is not None:
            names = contents.differing(one.path, one.content, theirs, archive.may_change)
            differing[one.sop_uid] = names

    for group in _by_series(held):
        wanted = [one for one in group if one.sop_uid in ours]

        def ask(wanted: list[Held] = wanted, all_held: list[Held] = group) -> None:
            left = [one for one in wanted if one.sop_uid not in differing]
            if len(left) * 2 > len(all_held):
                # At once is quicker, and what is not ours is left alone.
                peer.retrieve(all_held, compare, whole=True)
            elif left:
                peer.retrieve(left, compare, whole=False)

        faults.repeated(archive, ask)
    return differing


def _by_series(held: Sequence[Held]) -> list[list[Held]]:
    found: dict[tuple[str, str], list[Held]] = {}
    for one in held:
        found.setdefault((one.study_uid, one.series_uid), []).append(one)
    return list(found.values())


def _store(archive: Archive, peer: Peer, batch: Sequence[Outgoing]) -> None:
    taken: set[str] = set()

    def ask() -> None:
        left = [one for one in batch if one.sop_uid not in taken]
        if left:
            peer.store(left, lambda one: taken.add(one.sop_uid))

    faults.repeated(archive, ask)


def _check_kept(
    archive: Archive, batch: Sequence[Outgoing], kept: dict[str, list[str]]
) -> None:
    """Refuse where an archive keeps something else than it was sent."""
    for one in batch:
        if kept[one.sop_uid]:
            raise OsteotraceError(
                f"{one.path.name} kept with other content than was sent: "
                f"{_names(kept[one.sop_uid])}",
                expected="what was sent, the same as the file",
                advice="ask the administrator; name in may_change what the archive is "
                "meant to change",
                where=archive.where,
            )


def _changed(
    archive: Archive, differing: dict[str, list[str]], batch: Sequence[Outgoing]
) -> OsteotraceError:
    first = next(one for one in batch if one.sop_uid in differing)
    names = differing[first.sop_uid]
    others = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
    return OsteotraceError(
        f"other content under the UID of {first.path.name}{others}, which differs in "
        f"{_names(names)}; nothing was sent",
        expected="a new SOP Instance UID for changed content",
        advice="save the change as an amendment, which gets its own UID: the archive "
        "would keep the old content and say that all went well",
        where=archive.where,
    )


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _by_study(going: Sequence[Outgoing]) -> list[list[Outgoing]]:
    """Return files study by study; within one, reports stay last."""
    found: dict[str, list[Outgoing]] = {}
    for one in going:
        found.setdefault(one.study_uid, []).append(one)
    return list(found.values())
