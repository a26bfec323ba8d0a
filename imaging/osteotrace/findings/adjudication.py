"""Two readings of one study decided by a third person: lesion by lesion, with reasons.

Both readings stay as they are. What is decided becomes a reading of its own, whose
protocol names both (`Assessment.adjudicates`); a case follows that one. Why each lesion
was decided as it was stands in the record here, and in the note of each finding, so that
a structured report tells it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from osteotrace.errors import OsteotraceError
from osteotrace.findings.case import Assessment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osteotrace.findings.finding import Finding

ADJUDICATION_VERSION: Final = 1

Choice = Literal["both agree", "first", "second", "own", "none"]


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was decided of one lesion.

    Parameters
    ----------
    label : str
        What people call it.
    first_uid, second_uid : str
        Tracking UIDs in both readings; empty where that reader did not mark it.
    differences : tuple of str
        How both differ, in words; none where they agree.
    choice : str
        ``both agree``, the ``first`` or the ``second`` reader's finding, an ``own`` one
        of the adjudicator, or ``none``: it is no lesion.
    reason : str
        Why; empty where both agree.
    """

    label: str
    first_uid: str
    second_uid: str
    differences: tuple[str, ...] = ()
    choice: Choice = "both agree"
    reason: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The two tracking UIDs."""
        return self.first_uid, self.second_uid


class Adjudication(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who decided between two readings of a study, when and why.

    Parameters
    ----------
    assessment_uid : str
        The reading that came of it.
    study_uid, patient : str
    readings : (first, second)
        UIDs of both readings.
    readers : (first, second)
    author : str
        Who decided: neither of the two.
    recorded : str
        ISO 8601 date and time.
    decisions : tuple of Decision
    """

    assessment_uid: str
    study_uid: str
    patient: str
    readings: tuple[str, str]
    readers: tuple[str, str]
    author: str
    recorded: str
    decisions: tuple[Decision, ...]
    adjudication_version: int = ADJUDICATION_VERSION


def adjudicate(
    first: Assessment,
    second: Assessment,
    decisions: Sequence[Decision],
    *,
    author: str,
    recorded: str,
    assessment_uid: str,
    software: str,
    own: Mapping[tuple[str, str], Finding] | None = None,
) -> tuple[Adjudication, Assessment]:
    """Return the record of what was decided, and the reading that comes of it.

    Parameters
    ----------
    first, second : Assessment
        Two readings of one study by two people.
    decisions : sequence of Decision
        One a lesion of either (`osteotrace.comparison.adjudicating.lesions_of_both`
        lists them).
    author, recorded, assessment_uid, software : str
        Of the new reading.
    own : mapping of (first UID, second UID) to Finding, optional
        The adjudicator's own findings, for the choice ``own``.

    Raises
    ------
    OsteotraceError
        If the readings are of two studies, patients or of one person, the author is one
        of the readers or nameless, a lesion is not decided or twice, one that differs
        lacks its reason, or a choice has no finding.
    """
    _check_readings(first, second, author)
    _check_decisions(first, second, decisions)
    found = [
        kept
        for one in decisions
        if (kept := _kept(one, first, second, author, own or {})) is not None
    ]
    record = Adjudication(
        assessment_uid=assessment_uid,
        study_uid=first.study_uid,
        patient=first.patient,
        readings=(first.assessment_uid, second.assessment_uid),
        readers=(first.reader, second.reader),
        author=author.strip(),
        recorded=recorded,
        decisions=tuple(decisions),
    )
    both = f"{first.assessment_uid} and {second.assessment_uid}"
    return record, Assessment(
        assessment_uid=assessment_uid,
        study_uid=first.study_uid,
        patient=first.patient,
        study_date=first.study_date,
        reader=author.strip(),
        recorded=recorded,
        series=tuple(dict.fromkeys((*first.series, *second.series))),
        findings=tuple(found),
        facts=tuple(dict.fromkeys((*first.facts, *second.facts))),
        drugs=tuple(dict.fromkeys((*first.drugs, *second.drugs))),
        protocol=f"adjudication of {both}",
        software=software,
    )


def to_json(record: Adjudication) -> bytes:
    """Return a record as indented UTF-8 JSON."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def from_json(text: bytes | str) -> Adjudication:
    """Read a record back, strictly.

    Raises
    ------
    OsteotraceError
        If the text is no such record, or of a later version.
    """
    try:
        record = msgspec.json.decode(text, type=Adjudication)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as problem:
        raise OsteotraceError(
            f"a text that is no adjudication: {problem}",
            expected=f"adjudication JSON, version {ADJUDICATION_VERSION}",
            advice="use a file that osteotrace wrote, unedited",
        ) from problem
    if record.adjudication_version != ADJUDICATION_VERSION:
        raise OsteotraceError(
            f"version {record.adjudication_version} of an adjudication",
            expected=f"version {ADJUDICATION_VERSION}",
            advice="read it with the version of osteotrace that wrote it",
        )
    return record


def _check_readings(first: Assessment, second: Assessment, author: str) -> None:
    readers = {first.reader.strip(), second.reader.strip()}
    if (first.study_uid, first.patient) != (second.study_uid, second.patient):
        raise _refused("two readings of two studies", "give both readings of one study")
    if not first.study_uid or len(readers - {""}) < 2:
        raise _refused(
            "two readings that are not by two people",
            "let another person read the study",
        )
    if not author.strip() or author.strip() in readers:
        raise _refused(
            f"{author.strip() or 'nobody'} as the one who decides",
            "let a third person decide, under a name",
        )


def _check_decisions(
    first: Assessment, second: Assessment, decisions: Sequence[Decision]
) -> None:
    for side, reading in (("first_uid", first), ("second_uid", second)):
        told = [getattr(one, side) for one in decisions if getattr(one, side)]
        marked = [one.tracking_uid for one in reading.findings]
        if sorted(told) != sorted(marked):
            raise _refused(
                f"decisions on {len(told)} of the {len(marked)} findings of "
                f"{reading.reader}",
                "decide each finding of both readings once",
            )
    for one in decisions:
        if one.choice == "both agree":
            if one.differences or not all(one.key):
                raise _refused(
                    f"{one.label}: no choice where both differ", "choose, and say why"
                )
        elif not one.reason.strip():
            raise _refused(f"{one.label}: a choice without a reason", "say why")


def _kept(
    decision: Decision,
    first: Assessment,
    second: Assessment,
    author: str,
    own: Mapping[tuple[str, str], Finding],
) -> Finding | None:
    """Return the finding that was decided for, told so in its note."""
    sides = [
        next((one for one in reading.findings if one.tracking_uid == uid), None)
        for reading, uid in ((first, decision.first_uid), (second, decision.second_uid))
    ]
    if decision.choice == "both agree":
        return sides[0]
    if decision.choice == "none":
        return None
    chosen = {"first": sides[0], "second": sides[1], "own": own.get(decision.key)}
    finding = chosen[decision.choice]
    if finding is None:
        raise _refused(
            f"{decision.label}: no finding of the {decision.choice} to choose",
            "choose one that is there, or give your own",
        )
    whose = {
        "first": f"as {first.reader} read it",
        "second": f"as {second.reader} read it",
        "own": "own finding",
    }
    told = f"Adjudicated by {author.strip()}, {whose[decision.choice]}: "
    note = "\n".join(filter(None, (finding.note, told + decision.reason.strip())))
    return msgspec.structs.replace(finding, note=note)


def _refused(found: str, advice: str) -> OsteotraceError:
    return OsteotraceError(
        found,
        expected="two readings of one study by two people, decided by a third",
        advice=advice,
        usage=True,
    )
