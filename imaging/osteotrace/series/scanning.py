"""From the headers below a path to its series: the scan."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import astuple

from osteotrace.errors import OsteotraceError
from osteotrace.pseudonym import pseudonym
from osteotrace.series.catalogue import Catalogue, Series, SkippedFile
from osteotrace.series.exams import named_exams
from osteotrace.series.folders import read_tree
from osteotrace.series.instances import ImageAttributes, Instance, SeriesIdentity
from osteotrace.series.volumes import series_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.series.folders import Folder, FolderHeaders

# What the images of one series share: the patient, and the series or its place.
Key = tuple[str, str]
Members = dict[SeriesIdentity, list[Instance]]


def scan(
    path: str | os.PathLike[str],
    *,
    index: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Catalogue:
    """Read the headers of every DICOM file below a path.

    Parameters
    ----------
    path : path
        A file or a folder of any depth.
    index : bool, default True
        Whether to use the cache of headers, which makes a second scan quick, and to add
        to it. It changes nothing but time.
    progress : callable, optional
        Called now and then with the number of files done and the number of all.

    Returns
    -------
    Catalogue
        Series in the order of study date, study and first appearance. Files that are
        left out are its ``skipped``, each with the reason.

    Raises
    ------
    OsteotraceError
        If the path does not exist or holds no DICOM file.
    """
    root = Path(path)
    if problem := _unusable(root):
        raise OsteotraceError(
            problem,
            expected="a DICOM file or a folder that holds some",
            advice="check the path",
            where=str(root),
            usage=True,
        )
    found = _Found()
    for folder, headers in read_tree(
        os.path.abspath(root), index=index, progress=progress
    ):
        found.add(folder, headers)
    if not found.members:
        raise _nothing_found(root, found.skipped)
    series = [
        series_of(members, tuple(found.damaged.get(key, ())))
        for key, members in found.members.items()
    ]
    series.sort(key=lambda s: (s.identity.date, s.identity.study_uid))
    return Catalogue(
        root=root,
        series=named_exams(_resolved(series)),
        skipped=tuple(found.skipped),
    )


def _unusable(root: Path) -> str:
    """Return why there is nothing to scan at a path, or nothing."""
    try:
        kind = root.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # A NUL in the name.
        return "no such file or folder"
    except OSError as problem:
        return f"a path that cannot be reached ({problem.strerror})"
    # Opening a pipe would wait for ever.
    usable = S_ISREG(kind) or S_ISDIR(kind)
    return "" if usable else "neither a file nor a folder"


class _Found:
    """The images of a tree by series, and the files that are left out."""

    def __init__(self) -> None:
        self.members: dict[Key, Members] = defaultdict(dict)
        self.damaged: dict[Key, list[str]] = defaultdict(list)
        self.skipped: list[SkippedFile] = []
        self._shared: dict[ImageAttributes, ImageAttributes] = {}
        self._names: dict[SeriesIdentity, SeriesIdentity] = {}

    def add(self, folder: Folder, found: FolderHeaders) -> None:
        """Add the files of one folder."""
        self.skipped += [SkippedFile(Path(p), why, False) for p, why in folder.problems]
        # One copy of what many folders share: groups are then found by identity.
        attributes = [self._shared.setdefault(a, a) for a in found.attributes]
        identities = [self._named(identity) for identity in found.identities]
        prefix = os.path.join(folder.path, "")
        homes: dict[tuple[int, int], list[Instance]] = {}
        # All at once, which is much quicker; no name holds a NUL.
        names = os.fsdecode(b"\0".join([row[0] for row in found.listing])).split("\0")
        for row, name, header in zip(found.listing, names, found.headers, strict=False):
            place = header.identity
            if not header.images:
                self._skip(prefix + name, header.reason, header.damaged)
                if place >= 0:
                    who = identities[place]
                    self.damaged[who.patient_id, who.series_uid].append(name)
                continue
            identity, stamp = identities[place], row[1:4]
            shared = header.images[0].attributes
            members = homes.get((place, shared))
            if members is None:
                frame = attributes[shared].frame_of_reference_uid
                members = self._members_of(identity, folder.path, frame)
                homes[place, shared] = members
            file = prefix + name
            for image in header.images:
                # Field by field this would take half the time of a warm scan.
                shared, *own = astuple(image)
                members.append(Instance(file, stamp, attributes[shared], *own))

    def _named(self, identity: SeriesIdentity) -> SeriesIdentity:
        """Return an identity with its pseudonym, by the key of this moment."""
        named = self._names.get(identity)
        if named is None:
            name = pseudonym(identity.patient_id, identity.issuer)
            named = msgspec.structs.replace(identity, patient=name)
            self._names[identity] = named
        return named

    def _skip(self, file: str, reason: str, damaged: bool) -> None:
        self.skipped.append(SkippedFile(Path(file), reason, damaged))

    def _members_of(
        self, identity: SeriesIdentity, folder: str, frame: str
    ) -> list[Instance]:
        """Return the images of the series that a file belongs to.

        One series UID under two patients is two series: patients are never mixed. Where
        the UID was blanked out, folder and frame of reference stand for it.
        """
        series = identity.series_uid or f"{folder} {frame}"
        return self.members[identity.patient_id, series].setdefault(identity, [])


def _resolved(series: list[Series]) -> list[Series]:
    """Turn references to instances into references to their series, where they are."""
    if not any(one.refers_to for one in series):
        return series
    home = {
        instance.sop_instance_uid: one.identity.series_uid
        for one in series
        for volume in one.volumes
        for instance in volume.instances
    }
    return [
        replace(
            one, refers_to=tuple(dict.fromkeys(home.get(u, u) for u in one.refers_to))
        )
        for one in series
    ]


def _nothing_found(root: Path, skipped: list[SkippedFile]) -> OsteotraceError:
    if root.is_file():
        found = skipped[0].reason
    elif skipped:
        reasons = Counter(file.reason for file in skipped).most_common(3)
        usable = "usable " if any(file.damaged for file in skipped) else ""
        found = f"no {usable}DICOM file among " + ", ".join(
            f"{n} × {reason}" for reason, n in reasons
        )
    else:
        found = "an empty folder"
    return OsteotraceError(
        found,
        expected="DICOM files (Part 10: 'DICM' at byte 128)",
        advice="give the folder or file that holds the CT or MR images",
        where=str(root),
    )
