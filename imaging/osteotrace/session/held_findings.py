"""The findings of a reading: marked, measured, said of, accepted, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from osteotrace.codes import KINDS, SITES, look_up
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding
from osteotrace.session import commands, mark_entries, marking
from osteotrace.session.changes import Held
from osteotrace.session.open_study import OpenStudy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from osteotrace.findings import Certainty, Laterality, Presence
    from osteotrace.measurements.caliper import CaliperReading
    from osteotrace.measurements.doubts import Walls
    from osteotrace.measurements.edge_pairs import Between
    from osteotrace.regions import Mask
    from osteotrace.session.changes import Change
    from osteotrace.session.marking import Prepared
    from osteotrace.volume import Volume


class HeldFindings(OpenStudy):
    """The findings of the study that is read; each method is one undoable command.

    Parameters and attributes as in `OpenStudy`.
    """

    @property
    def held(self) -> tuple[Held, ...]:
        """The findings with what is known of them, in the order they were made."""
        return self.draft.held

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the reading, in the order they were made."""
        return tuple(one.finding for one in self.draft.held)

    def finding(self, tracking_uid: str) -> Finding:
        """Return one finding by its Tracking Unique Identifier."""
        return self.held_finding(tracking_uid).finding

    def held_finding(self, tracking_uid: str) -> Held:
        """Return one finding with what is known of it."""
        for one in self.draft.held:
            if one.uid == tracking_uid:
                return one
        raise OsteotraceError(
            f"no finding with the tracking UID {tracking_uid}",
            expected="one of the findings of this reading",
            advice="choose a finding from the list",
        )

    def caliper(
        self,
        volume: Volume,
        start: ArrayLike,
        end: ArrayLike,
        *,
        snap: bool = True,
        quick: bool = False,
        between: Between = "auto",
        walls: Walls = "any",
    ) -> CaliperReading:
        """Measure between two points, LPS mm; nothing is recorded.

        Parameters and errors as in `osteotrace.measurements.caliper.measure`.
        """
        from osteotrace.measurements.caliper import measure

        return measure(
            volume, start, end, snap=snap, quick=quick, between=between, walls=walls
        )

    def measure(
        self,
        tool: str,
        volume: Volume,
        *,
        masks: Mapping[str, Mask] | None = None,
        **where: Any,
    ) -> tuple[Finding, ...]:
        """Return what `add` would give, as far as the mark alone tells; not recorded."""
        mark = mark_entries.marked(
            tool, volume, label=tool, said={}, where=where, masks=masks
        )
        return marking.measured([mark], volume)[tool]

    def add(
        self,
        tool: str,
        volume: Volume,
        *,
        kind: str = "",
        site: str = "",
        laterality: Laterality = "",
        certainty: Certainty = "definite",
        note: str = "",
        label: str = "",
        masks: Mapping[str, Mask] | None = None,
        **where: Any,
    ) -> tuple[Finding, ...]:
        """Measure what was marked and hold it as a draft, not accepted yet.

        Parameters
        ----------
        tool : str
            Key of `osteotrace.protocol.TABLES`.
        volume : Volume
            What it was marked on.
        kind, site, laterality, certainty, note
            As in `osteotrace.findings.Finding`; kind and site by the tool where empty.
        label : str
            ``CAL-1``, ``SEQ-1``, ``VERT-L1``, … by default.
        masks : mapping of str to Mask
            What labels in regions of ``where`` mean.
        **where
            The entry's own keys: points, regions (`Where` or `Mask`), choices.

        Returns
        -------
        tuple of Finding
            The finding, and one more for each of its parts.

        Raises
        ------
        OsteotraceError
            If what was marked makes no entry, or cannot be measured at all.
        """
        return self.record(
            self.prepare(
                tool,
                volume,
                kind=kind,
                site=site,
                laterality=laterality,
                certainty=certainty,
                note=note,
                label=label,
                masks=masks,
                **where,
            )
        )

    def prepare(
        self,
        tool: str,
        volume: Volume,
        *,
        certainty: Certainty = "definite",
        label: str = "",
        masks: Mapping[str, Mask] | None = None,
        kind: str = "",
        site: str = "",
        laterality: Laterality = "",
        note: str = "",
        **where: Any,
    ) -> Prepared:
        """Measure what was marked and change nothing: `record` holds it.

        It may take its time, and may run beside the thread that changes the session.
        Parameters and errors as `add`.
        """
        self.check_read(volume)
        is_counted = not label
        label = label or self._next_label(tool, where)
        self._check_label(label)
        said = {"kind": kind, "site": site, "laterality": laterality, "note": note}
        mark = mark_entries.marked(
            tool, volume, label=label, said=said, where=where, masks=masks
        )
        finding = msgspec.structs.replace(mark.finding, certainty=certainty)
        return marking.prepared(
            msgspec.structs.replace(mark, finding=finding), volume, is_counted=is_counted
        )

    def record(self, prepared: Prepared, *along: Change) -> tuple[Finding, ...]:
        """Hold what was prepared, as one command; return its finding and its parts.

        Changes given ``along`` belong to the same command.

        Raises
        ------
        OsteotraceError
            If its label was given away, what was moved deleted, or another study taken
            up in the meantime.
        """
        # Another study may be taken up beside the window.
        with self.lock:
            self.check_read(prepared.volume)
            prepared = self._up_to_date(prepared)
            mark, held = prepared.mark, self.draft.held
            after = marking.held_with(
                held, mark, prepared.volume, self.new_uid, found=prepared.found
            )
            what = "moved" if mark.uid else "added"
            self._become(f"{commands.named(mark)} {what}", after, *along)
        uid = mark.uid or after[len(held)].uid
        return tuple(one.finding for one in commands.marking(after, uid))

    def move(self, tracking_uid: str, **where: Any) -> tuple[Finding, ...]:
        """Mark a finding elsewhere and measure it anew; what was said of it stays.

        Parameters
        ----------
        tracking_uid : str
            Of the finding or of a part of it.
        **where
            The keys of its entry that change; of named points, as the six of a
            vertebra, those that do.

        Raises
        ------
        OsteotraceError
            If it was not marked here and is no caliper, its images are not there, or it
            cannot be measured there; it then stays where it was.
        """
        return self.record(self.prepare_move(tracking_uid, **where))

    def prepare_move(self, tracking_uid: str, **where: Any) -> Prepared:
        """Measure a finding marked elsewhere and change nothing: `record` moves it.

        Parameters and errors as `move`.
        """
        self.held_finding(tracking_uid)
        leader = commands.marking(self.draft.held, tracking_uid)[0]
        volume = self.volume_of(leader.finding)
        if leader.entry is None:
            leader = mark_entries.rebuilt(leader, volume)
        return marking.prepared(mark_entries.moved(leader, where), volume)

    def edit_finding(
        self,
        tracking_uid: str,
        *,
        label: str | None = None,
        kind: str | None = None,
        site: str | None = None,
        laterality: Laterality | None = None,
        certainty: Certainty | None = None,
        note: str | None = None,
        presence: Presence | None = None,
    ) -> Finding:
        """Change what a reader says about a finding; its measurements stay.

        Raises
        ------
        OsteotraceError
            If there is no such finding, a kind or site is not in the vocabulary, the
            site is another level than was marked, or the label is another finding's.
        """
        before = self.held_finding(tracking_uid).finding
        given = {
            "label": label,
            "kind": kind,
            "site": site,
            "laterality": laterality,
            "certainty": certainty,
            "note": note,
            "presence": presence,
        }
        said = {name: text for name, text in given.items() if text is not None}
        if kind is not None:
            look_up(KINDS, kind, "kind")
        if site is not None:
            look_up(SITES, site, "site")
            commands.check_site(self.held_finding(tracking_uid), site)
        if label is not None and label != before.label:
            self._check_label(label)
        what = ", ".join(name for name in said if said[name] != getattr(before, name))
        self._become(
            f"{what} of {before.label} changed",
            commands.edited(self.draft.held, tracking_uid, said),
        )
        return self.finding(tracking_uid)

    def absent(
        self,
        kind: str,
        site: str,
        laterality: Laterality = "",
        note: str = "",
        *,
        accepted: bool = False,
    ) -> Finding:
        """Record that a lesion was looked for and is not there; a draft by default."""
        self._check_reading()
        look_up(KINDS, kind, "kind")
        look_up(SITES, site, "site")
        finding = Finding(
            tracking_uid=self.new_uid(),
            label=mark_entries.next_label(
                mark_entries.ABSENT, self.draft.labels_used, {}
            ),
            kind=kind,
            site=site,
            laterality=laterality,
            presence="absent",
            note=note,
        )
        self._become(
            f"absence {finding.label} stated",
            (*self.draft.held, Held(finding=finding, accepted=accepted)),
        )
        return finding

    def accept(self, tracking_uid: str) -> None:
        """Accept a finding and its parts: the next save writes them."""
        self._accept(tracking_uid, is_accepted=True)

    def unaccept(self, tracking_uid: str) -> None:
        """Make a finding and its parts drafts again, which no save writes."""
        self._accept(tracking_uid, is_accepted=False)

    def _accept(self, tracking_uid: str, *, is_accepted: bool) -> None:
        one = self.held_finding(tracking_uid)
        self._become(
            f"{commands.named(one)} {'accepted' if is_accepted else 'a draft again'}",
            commands.accepted(self.draft.held, tracking_uid, is_accepted=is_accepted),
        )

    def delete_finding(self, tracking_uid: str) -> None:
        """Take a finding and its parts out of the reading; `undo` brings them back."""
        gone = self.held_finding(tracking_uid)
        header = self.header_of(gone.finding) if marking.has_neighbours(gone) else None
        after = marking.held_without(
            self.draft.held,
            gone,
            None if header is None else self.view(header),
            self.new_uid,
        )
        self._become(f"{commands.named(gone)} deleted", after)

    def _next_label(self, tool: str, where: Mapping[str, Any]) -> str:
        return mark_entries.next_label(tool, self.draft.labels_used, where)

    def _up_to_date(self, prepared: Prepared) -> Prepared:
        """Return a mark with what became of it and of its label while it was measured."""
        mark = prepared.mark
        if mark.uid:
            return marking.said_since(prepared, self.held_finding(mark.uid))
        label, tool = mark.finding.label, commands.tool_of(mark)
        if prepared.is_counted and label in self.draft.labels_used:
            where = {"level": getattr(mark.entry, "level", "")}
            return marking.relabelled(prepared, self._next_label(tool, where))
        self._check_label(label)
        return prepared

    def _check_label(self, label: str) -> None:
        if not label.strip():
            raise OsteotraceError(
                "a finding without a label",
                expected="a label such as CAL-1",
                advice="write its label",
                usage=True,
            )
        if any(label == one.finding.label for one in self.draft.held):
            raise OsteotraceError(
                f"the label {label!r} twice",
                expected="a label of its own for each finding",
                advice="choose another label",
            )

    def _become(self, what: str, after: tuple[Held, ...], *along: Change) -> None:
        self.commit(what, *commands.changes(self.draft.held, after), *along)
