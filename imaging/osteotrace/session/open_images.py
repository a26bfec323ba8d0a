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
        What lies below the path that is read: the one opened last, once a volume of it
        was loaded or where none is.
    """

    def __init__(self) -> None:
        self.catalogue: Catalogue | None = None
        self._volumes: dict[tuple[str, int], Volume] = {}
        self._source: Source | None = None
        # What was opened since, and was only looked at.
        self._next_volumes: dict[tuple[str, int], Volume] = {}
        self._next_source: Source | None = None

    def open(
        self, path: str | os.PathLike[str], progress: Progress | None = None
    ) -> Catalogue:
        """Read the headers of a folder, file, DICOMDIR or zip.

        What is read stays until a volume of it is loaded: its draft, its volumes and
        where its records go.

        Raises
        ------
        OsteotraceError
            If nothing there is DICOM; what was open before then stays open.
        """
        from osteotrace.series.sources import open_source

        source = open_source(path, progress)
        _close(self._next_source)
        self._next_source, self._next_volumes = source, {}
        if not self._volumes:
            self._go_on_to_next()
        return source.catalogue

    def view(self, header: VolumeHeader, progress: Progress | None = None) -> Volume:
        """Load a volume to look at, of whatever study; the reading stays as it is.

        Raises
        ------
        OsteotraceError
            If the volume is refused.
        """
        from osteotrace.volume import load

        volumes = self._next_volumes if self._is_of_next(header) else self._volumes
        key = header.identity.series_uid, header.k
        if key not in volumes:
            volumes[key] = load(header, progress=progress)
        return volumes[key]

    @property
    def catalogues(self) -> tuple[Catalogue, ...]:
        """What lies below the path that is read, and below the one opened since."""
        following = None if self._next_source is None else self._next_source.catalogue
        return tuple(c for c in (self.catalogue, following) if c is not None)

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
        for volumes in (self._volumes, self._next_volumes):
            for key, one in volumes.items():
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

    def _is_of_next(self, header: VolumeHeader) -> bool:
        """Tell whether a volume lies below what was opened last and is not read yet."""
        source = self._next_source
        series = () if source is None else source.catalogue
        return any(one is header for each in series for one in each.volumes)

    def _turn_to(self, header: VolumeHeader) -> None:
        """Let go of the path that was read where a volume of the next one is read."""
        if self._is_of_next(header):
            self._go_on_to_next()

    def _go_on_to_next(self) -> None:
        source, self._next_source = self._next_source, None
        assert source is not None
        _close(self._source)
        self._source, self.catalogue = source, source.catalogue
        self._volumes, self._next_volumes = self._next_volumes, {}

    def _close_sources(self) -> None:
        for source in (self._source, self._next_source):
            _close(source)
        self._source = self._next_source = None


def _close(source: Source | None) -> None:
    if source is not None:
        source.close()


def nothing_open() -> OsteotraceError:
    """Return the error of what needs a study where none is read."""
    return OsteotraceError(
        "no study",
        expected="an open study",
        advice="open a folder and load one of its series first",
    )
