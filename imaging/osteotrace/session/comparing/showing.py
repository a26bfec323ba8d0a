"""The comparison of a session as the sheet that a window shows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from osteotrace.errors import OsteotraceError
from osteotrace.reports.comparison.timeline import timeline_points
from osteotrace.session.comparing.sheet import (
    CompareSheet,
    StudyChoice,
    alone,
    difference_lines,
    lesion_rows,
    match_rows,
)
from osteotrace.session.comparing.standards import doubts

if TYPE_CHECKING:
    from osteotrace.comparison import Comparison
    from osteotrace.session.comparing.comparing import Comparing
    from osteotrace.session.comparing.known_studies import KnownStudy

ONE_STUDY: Final = (
    "One study of this patient is known. Open the folder of another one to compare with."
)


def compare_sheet(comparing: Comparing) -> CompareSheet:
    """Return what a window shows of a session's comparison now."""
    studies = comparing.studies
    read = next((one for one in studies if one.is_read), None)
    chosen = comparing.chosen
    if read is None:
        return CompareSheet(problem="No study is read: open one first.")
    if comparing.why_hidden:
        return CompareSheet(hidden=comparing.why_hidden)
    choices = tuple(_choice(one, read) for one in studies)
    if chosen is None:
        return CompareSheet(studies=choices, problem=ONE_STUDY)
    problem = _nothing_read(chosen)
    found = over_time = None
    try:
        found, over_time = comparing.comparison(), comparing.over_time()
    except OsteotraceError as refused:
        problem = f"{refused.found}; expected {refused.expected}; {refused.advice}"
    results = comparing.transforms.results(*chosen)
    sheet = CompareSheet(
        studies=choices,
        earlier_uid=chosen[0].study_uid,
        later_uid=chosen[1].study_uid,
        registration=tuple(f"{one.pair.as_text}: {one.as_text}" for one in results),
        is_aligned=any(one.alignment is not None for one in results),
        can_align=all(one.headers for one in chosen),
        to_carry=tuple(one.label for one in comparing.to_carry),
        not_carried=tuple(
            f"{label}: {why}" for label, why in comparing.not_carried.items()
        ),
        timeline=() if over_time is None else timeline_points(over_time),
        timeline_uids=()
        if over_time is None
        else tuple(one.study_uid for one in over_time.studies),
        problem=problem,
    )
    return sheet if found is None else _with(sheet, found, comparing)


def _with(sheet: CompareSheet, found: Comparison, comparing: Comparing) -> CompareSheet:
    return replace(
        sheet,
        lesions=lesion_rows(found, comparing.drafts),
        matches=match_rows(found, comparing.said_by),
        alone=alone(found),
        differences=difference_lines(found),
        notes=found.notes,
        doubts=tuple(
            (flag, flag in comparing.standards.accepted_flags) for flag in doubts(found)
        ),
        judged_by=comparing.standards.source,
    )


def _choice(study: KnownStudy, read: KnownStudy) -> StudyChoice:
    findings = len(study.findings)
    if study.reading is None:
        told = "not read"
    else:
        told = f"{findings} finding{'' if findings == 1 else 's'}"
        if study.reading.reader and not study.is_read:
            told += f" by {study.reading.reader}"
    notes = (
        "read now" if study.is_read else study.apart(read),
        told,
        "" if study.headers else "images not open",
    )
    return StudyChoice(
        study_uid=study.study_uid,
        name=study.name,
        note=", ".join(filter(None, notes)),
        is_read=study.is_read,
        has_images=bool(study.headers),
    )


def _nothing_read(chosen: tuple[KnownStudy, KnownStudy]) -> str:
    """Return which of two studies nobody has read; empty where both are."""
    without = [one.name for one in chosen if one.reading is None]
    if not without:
        return ""
    return (
        f"No saved reading of {' and '.join(without)}: images can be looked at beside "
        "each other, but there is nothing to compare"
    )
