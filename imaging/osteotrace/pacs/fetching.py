"""A study on its way from an archive into a folder: all of it, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError
from osteotrace.pacs import contents, faults
from osteotrace.pacs.records import Fetched
from osteotrace.records import store
from osteotrace.uids import is_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from osteotrace.pacs.archive import Archive
    from osteotrace.pacs.peer import Held, Peer


def fetch(
    archive: Archive,
    peer: Peer,
    study_uid: str,
    series_uid: str,
    folder: Path,
    progress: Callable[[int, int], None] | None,
) -> Fetched:
    """Fetch a study; see `osteotrace.pacs.Connection.fetch`."""
    wanted = faults.repeated(archive, lambda: peer.instances(study_uid, series_uid))
    # Some archives list late what they were just sent.
    wanted = wanted or peer.instances(study_uid, series_uid)
    if not wanted:
        raise faults.no_such_study(archive, study_uid, series_uid)
    _check_names(archive, wanted)
    with store.new_folder(folder) as draft:
        arriving = Arriving(archive, draft, wanted, progress)
        for series in dict.fromkeys(one.series_uid for one in wanted):
            _fetch_series(archive, peer, series, arriving)
        arriving.check_whole()
    return Fetched(
        study_uid=study_uid,
        folder=folder,
        n_series=len({one.series_uid for one in wanted}),
        n_instances=len(arriving.files),
        n_bytes=sum(arriving.files.values()),
    )


def _fetch_series(archive: Archive, peer: Peer, series: str, into: Arriving) -> None:
    """Have a series sent, and again what is missing where the archive broke off."""

    def ask() -> None:
        missing = into.missing(series)
        if missing:
            whole = len(missing) == into.size(series)
            peer.retrieve(missing, into.receive, whole=whole)

    faults.repeated(archive, ask)
    # Some archives leave out what they fail to send, and say so nowhere.
    if into.missing(series):
        faults.repeated(archive, ask)


def _check_names(archive: Archive, wanted: Sequence[Held]) -> None:
    for one in wanted:
        # They become names of folders and files.
        if not (is_uid(one.series_uid) and is_uid(one.sop_uid)):
            raise faults.unexpected(archive, "an instance without proper UIDs")


class Arriving:
    """The instances of a study that came so far.

    Parameters
    ----------
    archive : Archive
        Where they come from.
    folder : Path
        Where they go.
    wanted : sequence of Held
        All that shall come.
    progress : callable, optional
        Called with what came and what there is.

    Attributes
    ----------
    files : dict of str to int
        Sizes in bytes of what came, by SOP Instance UID.
    """

    def __init__(
        self,
        archive: Archive,
        folder: Path,
        wanted: Sequence[Held],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.files: dict[str, int] = {}
        self._archive, self._folder, self._progress = archive, folder, progress
        self._wanted = {one.sop_uid: one for one in wanted}

    def size(self, series_uid: str) -> int:
        """Return how many instances a series has."""
        return sum(one.series_uid == series_uid for one in self._wanted.values())

    def missing(self, series_uid: str) -> list[Held]:
        """Return the instances of a series that have not come."""
        return [
            one
            for uid, one in self._wanted.items()
            if one.series_uid == series_uid and uid not in self.files
        ]

    def receive(self, content: bytes) -> None:
        """Keep an instance; what was not asked for, or is not whole, is refused.

        Raises
        ------
        OsteotraceError
            If it is no whole DICOM file or of another study.
        """
        dataset = contents.read(content, self._archive.where)
        held = self._wanted.get(str(dataset.SOPInstanceUID))
        found = (dataset.get("StudyInstanceUID"), dataset.get("SeriesInstanceUID"))
        if held is None or found != (held.study_uid, held.series_uid):
            raise faults.unexpected(self._archive, "an instance that nobody asked for")
        if held.sop_uid in self.files:
            return
        path = store.record_path(self._folder / held.series_uid, held.sop_uid)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        self.files[held.sop_uid] = len(content)
        if self._progress is not None:
            self._progress(len(self.files), len(self._wanted))

    def check_whole(self) -> None:
        """Refuse where something is missing."""
        if len(self.files) < len(self._wanted):
            raise OsteotraceError(
                f"{len(self.files)} of {len(self._wanted)} instances of the study",
                expected="all that the archive says it holds",
                advice="try again, and ask the archive's administrator for the rest",
                where=self._archive.where,
            )
