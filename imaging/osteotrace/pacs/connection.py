"""One connection to an archive: find, fetch, send, whatever it is spoken to in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.pacs import answers, faults, fetching, sending
from osteotrace.uids import is_uid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from osteotrace.pacs.archive import Archive
    from osteotrace.pacs.peer import Peer
    from osteotrace.pacs.records import Fetched, Query, Sent, StudyFound

    Progress = Callable[[int, int], None]


def connect(archive: Archive) -> Connection:
    """Return a connection to an archive; nothing is said to it before the first call.

    Parameters
    ----------
    archive : Archive
        From `osteotrace.pacs.named`, or made in a script.

    Returns
    -------
    Connection
        To be closed, or used in a ``with`` block.

    Raises
    ------
    OsteotraceError
        If the packages of the extra ``pacs`` are missing, or a secret or a certificate
        cannot be read.
    """
    if archive.web:
        from osteotrace.pacs.dicomweb import WebPeer

        return Connection(archive, WebPeer(archive))
    from osteotrace.pacs.dimse import DimsePeer

    return Connection(archive, DimsePeer(archive))


class Connection:
    """A connection to an archive.

    One thread at a time may use it. An exception that ``progress`` raises stops a call,
    and leaves nothing behind.

    Parameters
    ----------
    archive : Archive
        Which it is to.
    peer : Peer
        Its protocol.
    """

    def __init__(self, archive: Archive, peer: Peer) -> None:
        self.archive = archive
        self._peer = peer

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._peer.close()

    def check(self) -> None:
        """Refuse where the archive does not answer or does not let us in.

        Raises
        ------
        OsteotraceError
            If it cannot be reached, the credentials are wrong, the certificate is not
            trusted, or it refuses the association.
        """
        faults.repeated(self.archive, self._peer.check)

    def find(self, query: Query) -> tuple[StudyFound, ...]:
        """Return the studies that a query means, newest first.

        Parameters
        ----------
        query : Query
            What is meant.

        Returns
        -------
        tuple of StudyFound
            At most ``query.limit``; which they are, where there are more, is the
            archive's choice.

        Raises
        ------
        OsteotraceError
            As `check`, or if the archive's answer is none.
        """
        found = faults.repeated(self.archive, lambda: self._peer.studies(query))
        return answers.studies_found(found, query.limit)

    def fetch(
        self,
        study_uid: str,
        folder: str | os.PathLike[str],
        *,
        series_uid: str = "",
        progress: Progress | None = None,
    ) -> Fetched:
        """Fetch a study, or one series of it, into a new folder: whole or not at all.

        Parameters
        ----------
        study_uid : str
            StudyInstanceUID (0020,000D).
        folder : path
            Of this study alone; must not exist, or be empty.
        series_uid : str
            SeriesInstanceUID (0020,000E), empty for all series.
        progress : callable, optional
            Called with the instances that came and those that there are.

        Returns
        -------
        Fetched
            What lies in the folder, a folder a series.

        Raises
        ------
        OsteotraceError
            As `check`; or if the archive has no such study, does not send all of it, or
            sends something else, or the folder is taken or cannot be written.
        """
        for uid in filter(None, (study_uid, series_uid)):
            _check_uid(uid)
        return fetching.fetch(
            self.archive, self._peer, study_uid, series_uid, Path(folder), progress
        )

    def send(
        self,
        files: Iterable[str | os.PathLike[str]],
        *,
        progress: Progress | None = None,
    ) -> Sent:
        """Send files, read each back, and compare it with what was sent.

        What the archive already holds with the same content is not sent again, so that
        a call that was broken off can be repeated.

        Parameters
        ----------
        files : iterable of path
            DICOM files, or folders of which every DICOM file is sent.
        progress : callable, optional
            Called with the files that are done and those that there are.

        Returns
        -------
        Sent
            What was sent, and what was there before.

        Raises
        ------
        OsteotraceError
            As `check`. Before anything is sent: if a file is damaged, or the archive
            holds other content under its SOP Instance UID. After: if the archive refuses
            a file or what it holds is not what was sent.
        """
        return sending.send(self.archive, self._peer, files, progress)


def _check_uid(uid: str) -> None:
    if not is_uid(uid):
        raise OsteotraceError(
            f"the UID {uid[:64]!r}",
            expected="a DICOM UID",
            advice="take it from 'osteotrace query'",
            usage=True,
        )
