"""What a protocol must be able to do; all else is the same for every one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydicom.dataset import Dataset

    from osteotrace.pacs.outgoing import Outgoing
    from osteotrace.pacs.records import Query


@dataclass(frozen=True, slots=True)
class Held:
    """An instance that an archive says it holds.

    Parameters
    ----------
    study_uid, series_uid, sop_uid : str
        Study, Series and SOP Instance UID.
    sop_class_uid : str
        SOP Class UID; empty where the archive does not state it.
    """

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class_uid: str = ""


class Peer(Protocol):
    """An archive, spoken to in one protocol; every failure is an OsteotraceError."""

    def check(self) -> None:
        """Refuse where the archive does not answer or does not let us in."""

    def studies(self, query: Query) -> list[Dataset]:
        """Return what the archive answers to a query for studies."""

    def instances(self, study_uid: str, series_uid: str = "") -> list[Held]:
        """Return the instances of a study, or of one series of it; none is empty."""

    def holders(self, sop_uids: Sequence[str]) -> list[Held]:
        """Return where instances lie, in whatever study, as far as can be asked."""

    def retrieve(
        self, wanted: Sequence[Held], receive: Callable[[bytes], None], *, whole: bool
    ) -> None:
        """Have instances sent, as files' bytes; what is not there does not come.

        Parameters
        ----------
        wanted : sequence of Held
            Of one study.
        receive : callable
            Takes one instance; what it raises ends the transfer and is passed on.
        whole : bool
            True where ``wanted`` is all that its series hold.
        """

    def store(
        self, files: Sequence[Outgoing], stored: Callable[[Outgoing], None]
    ) -> None:
        """Send files, and tell of each that the archive took."""

    def close(self) -> None:
        """Give the connection back."""
