"""An archive spoken to over DIMSE (PS3.7): C-FIND, C-GET or C-MOVE, C-STORE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osteotrace.errors import OsteotraceError
from osteotrace.pacs import answers, faults
from osteotrace.pacs.associations import (
    EXPLICIT,
    IMPLICIT,
    Association,
    associated,
    contexts,
)
from osteotrace.pacs.peer import Held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydicom.dataset import Dataset

    from osteotrace.pacs.archive import Archive
    from osteotrace.pacs.outgoing import Outgoing
    from osteotrace.pacs.records import Query

# SOP classes of the Study Root information model's C-FIND (PS3.4 C.6.2) and of C-ECHO.
FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
VERIFICATION: Final = "1.2.840.10008.1.1"
# PS3.7 annex C: what a response says.
_SUCCESS: Final = 0x0000
_PENDING: Final = frozenset({0xFF00, 0xFF01})
_STORED: Final = frozenset({0x0000, 0xB000, 0xB006, 0xB007})
_CANCELLED: Final = 0xFE00
_OUT_OF_RESOURCES: Final = frozenset({0xA700, 0xA701, 0xA702})


class DimsePeer:
    """A DIMSE peer; see `osteotrace.pacs.peer.Peer`. Each call is one association."""

    def __init__(self, archive: Archive) -> None:
        faults.library("pynetdicom")
        # Said when the connection is made, not in its middle.
        archive.password()
        archive.token()
        self._archive = archive

    def check(self) -> None:
        """Refuse where the peer does not answer or does not let us in."""
        asked = contexts([(VERIFICATION, None)])
        with associated(self._archive, asked) as association:
            self._status(association.send_c_echo())

    def studies(self, query: Query) -> list[Dataset]:
        """Return what the peer answers to a query for studies."""
        keys = dict.fromkeys(answers.STUDY_KEYWORDS, "") | query.keys()
        with associated(self._archive, contexts([(FIND, None)])) as association:
            return list(self._found(association, "STUDY", keys, query.limit))

    def instances(self, study_uid: str, series_uid: str = "") -> list[Held]:
        """Return the instances of a study, or of one series of it; none is empty."""
        with associated(self._archive, contexts([(FIND, None)])) as association:
            keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
            found: list[Held] = []
            for series in list(self._found(association, "SERIES", keys)):
                asked = {
                    "StudyInstanceUID": study_uid,
                    "SeriesInstanceUID": str(series.get("SeriesInstanceUID") or ""),
                    "SOPInstanceUID": "",
                    "SOPClassUID": "",
                }
                images = self._found(association, "IMAGE", asked)
                found += [_held(image, asked) for image in images]
        return found

    def holders(self, sop_uids: Sequence[str]) -> list[Held]:
        """Return where instances lie, as far as the peer takes such a question.

        Only a peer that knows relational queries (PS3.4 C.4.1.2.2.1) does.
        """
        keys = dict.fromkeys(("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID"), "")
        found: list[Held] = []
        with associated(self._archive, contexts([(FIND, None)])) as association:
            for sop_uid in sop_uids:
                asked = keys | {"SOPInstanceUID": sop_uid}
                try:
                    images = list(self._found(association, "IMAGE", asked))
                except faults.Unavailable:
                    raise
                except OsteotraceError:
                    break
                found += [_held(image, {}) for image in images]
        return [
            one
            for one in found
            if one.study_uid and one.series_uid and one.sop_uid in sop_uids
        ]

    def retrieve(
        self, wanted: Sequence[Held], receive: Callable[[bytes], None], *, whole: bool
    ) -> None:
        """Have instances sent: a series at once, or one by one."""
        from osteotrace.pacs import retrieving

        retrieving.retrieve(self._archive, wanted, receive, whole=whole)

    def store(
        self, files: Sequence[Outgoing], stored: Callable[[Outgoing], None]
    ) -> None:
        """Send files, as they are encoded; the uncompressed as the peer wants."""
        pairs = dict.fromkeys(pair for one in files for pair in _encodings(one))
        with associated(self._archive, contexts(pairs)) as association:
            for one in files:
                self._store(association, one)
                stored(one)

    def close(self) -> None:
        """Nothing is held between calls."""

    def _store(self, association: Association, one: Outgoing) -> None:
        import pydicom

        try:
            answer = association.send_c_store(pydicom.dcmread(one.path))
        # No context for it: the peer took neither its class nor its transfer syntax.
        except ValueError:
            reason = "it takes no such object in this transfer syntax"
            raise faults.not_taken(self._archive, one.path.name, reason) from None
        status = self._status(answer, allowed=None)
        if status in _OUT_OF_RESOURCES:
            raise faults.busy(self._archive, f"out of resources, status {status:#06x}")
        if status not in _STORED:
            reason = f"status {status:#06x}"
            raise faults.not_taken(self._archive, one.path.name, reason)

    def _found(
        self, association: Association, level: str, keys: dict[str, str], limit: int = 0
    ) -> Iterator[Dataset]:
        """Yield the answers to a C-FIND; what is beyond the limit is cancelled."""
        asked = _identifier(level, keys)
        responses = association.send_c_find(asked, FIND, msg_id=1)
        given = 0
        for answer, identifier in responses:
            status = self._status(answer, allowed=None)
            if status not in _PENDING:
                if status not in (_SUCCESS, _CANCELLED):
                    raise faults.refused(self._archive, f"C-FIND status {status:#06x}")
                return
            if limit and given >= limit:
                continue
            if identifier is None:
                raise faults.busy(self._archive, "it gave an answer that is no dataset")
            given += 1
            yield identifier
            if given == limit:
                association.send_c_cancel(1, query_model=FIND)

    def _status(self, answer: Any, allowed: int | None = _SUCCESS) -> int:
        return status_of(self._archive, answer, allowed)


def status_of(archive: Archive, answer: Any, allowed: int | None = None) -> int:
    """Return the status of a response; none came where the peer went away.

    Raises
    ------
    OsteotraceError
        If the peer did not answer, or answered other than is allowed.
    """
    status = getattr(answer, "Status", None)
    if status is None:
        # Orthanc breaks off where it does not know the title.
        known = f"does it know {archive.calling_aet!r}?"
        raise faults.busy(archive, f"it broke off or was not in time; {known}")
    if allowed is not None and status != allowed:
        raise faults.refused(archive, f"status {status:#06x}")
    return int(status)


def _encodings(one: Outgoing) -> list[tuple[str, str | None]]:
    """Return the contexts that a file can be sent in."""
    own = (one.sop_class_uid, one.transfer_syntax_uid)
    native = one.transfer_syntax_uid in (EXPLICIT, IMPLICIT)
    # Offered together too: some peers take only one of the two.
    return [own, (one.sop_class_uid, None)] if native else [own]


def _identifier(level: str, keys: dict[str, str]) -> Dataset:
    from pydicom.dataset import Dataset

    asked = Dataset()
    if not all(value.isascii() for value in keys.values()):
        asked.SpecificCharacterSet = "ISO_IR 192"
    asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    return asked


def _held(answer: Dataset, asked: dict[str, str]) -> Held:
    def text(keyword: str) -> str:
        return str(answer.get(keyword) or asked.get(keyword, ""))

    return Held(
        text("StudyInstanceUID"),
        text("SeriesInstanceUID"),
        text("SOPInstanceUID"),
        text("SOPClassUID"),
    )
