"""The images below one path: what is there, and the volumes that were loaded of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from osteotrace.findings import Finding
    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.series.sources import Source
    from osteotrace.volume import Volume

    Progress = Callable[[int, int], None]


class OpenImages:
    """The studies below a path and the volumes that were loaded; nothing is read yet.

    Attributes
    ----------
    catalogue : Catalogue or None
        What lies below the opened path.
    """

    def __init__(self) -> None:
        self.catalogue: Catalogue | None = None
        self._volumes: dict[tuple[str, int], Volume] = {}
        self._source: Source | None = None

    def open(
        self, path: str | os.PathLike[str], progress: Progress | None = None
    ) -> Catalogue:
        """Read the headers of a folder, file, DICOMDIR or zip.

        The draft being edited stays until a load.

        Raises
        ------
        OsteotraceError
            If nothing there is DICOM; what was open before then stays open.
        """
        from osteotrace.series.sources import open_source

        source = open_source(path, progress)
        self._close_source()
        self._volumes.clear()
        self._source, self.catalogue = source, source.catalogue
        return source.catalogue

    def view(self, header: VolumeHeader, progress: Progress | None = None) -> Volume:
        """Load a volume to look at, of whatever study; the reading stays as it is.

        Raises
        ------
        OsteotraceError
            If the volume is refused.
        """
        from osteotrace.volume import load

        key = header.identity.series_uid, header.k
        if key not in self._volumes:
            self._volumes[key] = load(header, progress=progress)
        return self._volumes[key]

    def header_of(self, finding: Finding) -> VolumeHeader | None:
        """Return the volume that a finding was marked on, None where it is not there."""
        from osteotrace.findings import marked_volume

        headers = (h for series in self.catalogue or () for h in series.volumes)
        return marked_volume(finding, headers)

    def volume_of(self, finding: Finding) -> Volume:
        """Return the volume that a finding was marked on, loaded where it is not yet.

        Raises
        ------
        OsteotraceError
            If it marks no image, its images are not below the opened path, or they
            cannot be read.
        """
        if not finding.source_instances:
            raise OsteotraceError(
                f"{finding.label}, which marks no place on the images",
                expected="a finding that was marked on a series",
                advice="mark it on its series as a new finding, then delete this one",
            )
        header = self.header_of(finding)
        if header is None:
            raise OsteotraceError(
                f"{finding.label} without its images",
                expected="the images that it was marked on below the opened folder",
                advice="open the folder of the study",
            )
        return self.view(header)

    def key_of(self, volume: Volume) -> tuple[str, int]:
        """Return the series and the number in it of a volume that was loaded here.

        Raises
        ------
        OsteotraceError
            If it is no volume of this session, as one that was resampled.
        """
        for key, one in self._volumes.items():
            if one is volume:
                return key
        raise OsteotraceError(
            "a volume that was not loaded as it is",
            expected="a series as it was scanned, on its own slices",
            advice="show the series itself, not a plane that was resampled from it",
        )

    def _opened(self) -> Catalogue:
        if self.catalogue is None:
            raise nothing_open()
        return self.catalogue

    def _close_source(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = None


def nothing_open() -> OsteotraceError:
    """Return the error of what needs a study where none is read."""
    return OsteotraceError(
        "no study",
        expected="an open study",
        advice="open a folder and load one of its series first",
    )
