"""Labels of other programs in a reading: opened, named anew, and recorded as findings.

Vertebrae are measured in their labels, all of them in one command. What is no vertebra
becomes a finding of the reader's choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.geometry import as_stored
from osteotrace.protocol.entries import VertebraEntry
from osteotrace.segmentation.label_names import site_of
from osteotrace.session import commands, level_labels, mark_entries, marking
from osteotrace.session.levels import column
from osteotrace.session.mask_parts import MASK_KEYS
from osteotrace.session.opened_labels import opened, renamed, shifted

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from osteotrace.findings import Finding
    from osteotrace.session.changes import Held
    from osteotrace.session.commands import Everything
    from osteotrace.session.marking import Prepared
    from osteotrace.session.opened_labels import NamedLabel, OpenedLabels
    from osteotrace.session.session import Session
    from osteotrace.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedLevels:
    """Vertebrae measured together, not held yet.

    Parameters
    ----------
    marks : tuple of Held
    volume : Volume
    what : str
        The command in words.
    before, after : tuple of Held
        What was held when they were measured, and with them.
    refused : dict of str to str
        Levels that could not be measured, with the reason.
    """

    marks: tuple[Held, ...]
    volume: Volume
    what: str
    before: Everything
    after: Everything
    refused: dict[str, str]


class ImportedLabels:
    """The label files that are open in a session, one a volume.

    Parameters
    ----------
    session : Session
        What records them.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._opened: dict[tuple[str, int], tuple[Volume, OpenedLabels]] = {}

    def open(
        self, file: str | os.PathLike[str], volume: Volume, **how: Any
    ) -> OpenedLabels:
        """Open a file for a volume, in place of the one before; see `opened`."""
        self._session.key_of(volume)
        return self._keep(volume, opened(file, volume, **how))

    def of(self, volume: Volume) -> OpenedLabels | None:
        """Return the labels that are open for a volume, None without any."""
        there, labels = self._opened.get(self._session.key_of(volume), (None, None))
        # The same series of another folder has labels of its own.
        return labels if there is volume else None

    def close(self, volume: Volume) -> None:
        """Put the labels of a volume away; what was recorded of them stays."""
        self._opened.pop(self._session.key_of(volume), None)

    def shift(self, volume: Volume, by: int) -> OpenedLabels:
        """Name every level so many further down; see `shifted`."""
        return self._keep(volume, shifted(self._there(volume), by, self._column(volume)))

    def rename(self, volume: Volume, number: int, level: str) -> OpenedLabels:
        """Call one label another level; see `renamed`."""
        return self._keep(volume, renamed(self._there(volume), number, level))

    def doubts(self, volume: Volume, label: NamedLabel) -> list[str]:
        """Return what the reader's own labels of levels say against one, in sentences."""
        levels = self._session.levels.of(volume)
        if levels is None or not label.is_measurable:
            return []
        middle = label.mask.grid.to_patient(np.argwhere(label.mask.voxels)).mean(axis=0)
        return level_labels.doubts(levels, label.level, [as_stored(middle)])

    def prepare_levels(
        self, volume: Volume, levels: Iterable[str] | None = None
    ) -> PreparedLevels:
        """Measure vertebrae in their labels and change nothing: `record_levels` does.

        Parameters
        ----------
        volume : Volume
        levels : iterable of str, optional
            All that can be measured by default. Those that were marked before are left
            as they are.

        Raises
        ------
        OsteotraceError
            If there is none to measure, or none could be measured.
        """
        opened_labels = self._there(volume)
        there = opened_labels.vertebrae
        wanted = list(there if levels is None else dict.fromkeys(levels))
        known = self._marked(volume)
        new = [level for level in wanted if level in there and level not in known]
        if not new:
            raise OsteotraceError(
                f"{', '.join(wanted) or 'no vertebra'} to be measured",
                expected="levels with a label, not marked before: "
                + (", ".join(level for level in there if level not in known) or "(none)"),
                advice="choose other levels, or delete those marked before",
            )
        used = set(self._session.draft.labels_used)
        marks = tuple(self._mark(volume, there[level], used) for level in new)
        what = f"{len(new)} levels of {opened_labels.file.name} added"
        return self._measured(marks, volume, what)

    def record_levels(self, prepared: PreparedLevels) -> tuple[Finding, ...]:
        """Hold vertebrae that were measured together: one command.

        Raises
        ------
        OsteotraceError
            If another study is read by now.
        """
        self._session.check_read(prepared.volume)
        if prepared.before != self._session.held:
            # Others were marked beside them in the meantime.
            prepared = self._measured(prepared.marks, prepared.volume, prepared.what)
        changes = commands.changes(prepared.before, prepared.after)
        self._session.commit(prepared.what, *changes, on=prepared.volume)
        old = {one.uid for one in prepared.before}
        return tuple(one.finding for one in prepared.after if one.uid not in old)

    def prepare(self, volume: Volume, number: int, tool: str, **said: Any) -> Prepared:
        """Measure any label as a finding: `Session.record` holds it.

        Parameters
        ----------
        number : int
            Of the label.
        tool : str
            One of `mask_parts.MASK_KEYS`.
        **said
            As `Session.add`; site and side by the name of the label where not given.
        """
        label = self._there(volume)[number]
        if tool not in MASK_KEYS:
            raise OsteotraceError(
                f"a label for {tool!r}",
                expected="one of " + ", ".join(MASK_KEYS),
                advice="choose what the label is to be recorded as",
                usage=True,
            )
        site, side = site_of(label.meant)
        where: dict[str, Any] = {MASK_KEYS[tool]: label.mask}
        if tool == "vertebra":
            where |= {"level": label.level}
        named = {
            key: text for key, text in (("site", site), ("laterality", side)) if text
        }
        return self._session.prepare(tool, volume, **(named | said | where))

    def _measured(
        self, marks: tuple[Held, ...], volume: Volume, what: str
    ) -> PreparedLevels:
        before = self._session.held
        after, refused = marking.held_with_each(
            before, marks, volume, self._session.new_uid
        )
        if len(refused) == len(marks):
            raise next(iter(refused.values()))
        return PreparedLevels(
            marks=marks,
            volume=volume,
            what=what,
            before=before,
            after=after,
            refused={label: problem.found for label, problem in refused.items()},
        )

    def _mark(self, volume: Volume, label: NamedLabel, used: set[str]) -> Held:
        """Return the mark of a vertebra, its label not given to another one."""
        where = {"level": label.level, "body": label.mask}
        name = mark_entries.next_label("vertebra", used, where)
        used.add(name)
        return mark_entries.marked("vertebra", volume, label=name, said={}, where=where)

    def _marked(self, volume: Volume) -> set[str]:
        """Return the levels that were marked on a volume before."""
        series_uid = volume.identity.series_uid
        return {
            one.entry.level.upper()
            for one in self._session.held
            if isinstance(one.entry, VertebraEntry)
            and one.finding.series_uid == series_uid
        }

    def _column(self, volume: Volume) -> tuple[str, ...]:
        """Return the levels of a spine, as the reader counted or the labels have them."""
        levels = {label.level for label in self._there(volume).labels}
        known = self._session.levels.of(volume)
        thoracic = 12 if known is None else known.thoracic
        lumbar = 5 if known is None else known.lumbar
        return column(
            max(thoracic, 13) if "T13" in levels else thoracic,
            max(lumbar, 6) if "L6" in levels else lumbar,
        )

    def _there(self, volume: Volume) -> OpenedLabels:
        found = self.of(volume)
        if found is None:
            raise OsteotraceError(
                "no labels on this series",
                expected="a label file that was opened for it",
                advice="open a DICOM SEG, NIfTI or NRRD file of labels first",
            )
        return found

    def _keep(self, volume: Volume, labels: OpenedLabels) -> OpenedLabels:
        self._opened[self._session.key_of(volume)] = volume, labels
        return labels
