"""Stagings as Measurement Groups (PS3.16 TID 1501), written and read side by side.

The group's Finding is the staging system, its method the system with the edition of the
rules, and its qualitative evaluations are the stage and one item a criterion; the rules
that fired hang below the stage as its rationale. What a viewer shows of a stage is a
code; where the code's meaning is not the stage to the character, that stands below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from osteotrace.codes import (
    BASES,
    EVIDENCES,
    KINDS,
    REPORT,
    SITES,
    STAGINGS,
    TRUTH_VALUES,
    look_up,
    name_of,
    stage_concept,
)
from osteotrace.findings import (
    FiredRule,
    Override,
    Question,
    Reason,
    StagingPart,
    StagingResult,
)
from osteotrace.records.report_content.items import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    HAS_PROPERTIES,
    child,
    children,
    code,
    code_below,
    concept_of,
    container,
    holding,
    moment,
    moment_below,
    same_code,
    text,
    text_below,
    text_of,
    texts_below,
    uid,
)
from osteotrace.records.report_content.statements import (
    name_below,
    named,
    stated_by,
    truth,
    truth_below,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from highdicom.sr import ContentItem
    from pydicom.dataset import Dataset

    from osteotrace.findings.staging_results import Basis, Evidence
    from osteotrace.records.report_content.items import Relation

# The values of a criterion that have a code.
_CODED_VALUES: Final = {"yes": "true", "no": "false", "unknown": "unknown"}


# Writing -----------------------------------------------------------------------------


def staging_group(result: StagingResult, tracking_uid: str) -> ContentItem:
    """Return the Measurement Group of a staging (TID 1501).

    Raises
    ------
    OsteotraceError
        If the system, a site or a kind is not in `osteotrace.codes`.
    """
    system = look_up(STAGINGS, result.system, "staging system")
    site = look_up(SITES, result.site, "site").meaning if result.site else ""
    method = code(REPORT["measurement_method"], system, HAS_CONCEPT_MOD)
    return container(
        REPORT["measurement_group"],
        [
            text(
                REPORT["tracking_identifier"],
                f"{system.meaning}, {site}" if site else system.meaning,
                HAS_OBS_CONTEXT,
            ),
            uid(REPORT["tracking_uid"], tracking_uid, HAS_OBS_CONTEXT),
            code(REPORT["finding"], system, CONTAINS),
            holding(method, _edition(result)),
            *named("finding_site", SITES, result.site, HAS_CONCEPT_MOD),
            *moment(REPORT["staged_date"], result.date, CONTAINS),
            *_stages(result),
            *map(_reason, result.reasons),
            *(_question("blocking", question) for question in result.blocking),
            *([_question("ask", result.ask)] if result.ask else []),
            *map(_part, result.parts),
            *_lines("staging_note", result.notes, CONTAINS),
            *_lines("conflict", result.conflicts, CONTAINS),
            *([_override(result)] if result.override else []),
            text(REPORT["comment"], _in_words(result), CONTAINS),
        ],
        template="1501",
    )


def _edition(result: StagingResult) -> list[ContentItem]:
    return [
        text(REPORT["rules_version"], result.version, HAS_CONCEPT_MOD),
        text(REPORT["publication"], result.source, HAS_CONCEPT_MOD),
    ]


def _lines(
    concept: str, lines: Iterable[str], relation: Relation
) -> Iterable[ContentItem]:
    """Return each line as a TEXT item; an empty one too, for none may get lost."""
    return (text(REPORT[concept], line, relation) for line in lines)


def _stage(concept: str, system: str, stage: str) -> ContentItem:
    """Return a stage as a CODE item that gives it back to the character."""
    coded_stage = stage_concept(system, stage)
    item = code(REPORT[concept], coded_stage, CONTAINS)
    if coded_stage.meaning == stage:
        return item
    return holding(item, [text(REPORT["exact_stage"], stage, HAS_PROPERTIES)])


def _stages(result: StagingResult) -> list[ContentItem]:
    """Return the stage with the rules below it, then the interval and the scale."""
    several = (("stage_possible", result.possible), ("stage_of_system", result.stages))
    ends = (("stage_lowest", result.lowest), ("stage_highest", result.highest))
    shown = (
        _stage("stage", result.system, result.lowest)
        if result.definite and result.override is None
        else text(REPORT["stage"], result.as_text, CONTAINS)
    )
    return [
        holding(shown, map(_rule, result.rules)),
        *(_stage(concept, result.system, stage) for concept, stage in ends),
        *(
            _stage(concept, result.system, stage)
            for concept, stages in several
            for stage in stages
        ),
    ]


def _rule(rule: FiredRule) -> ContentItem:
    return holding(
        text(REPORT["rule"], rule.text, HAS_PROPERTIES),
        [
            text(REPORT["rule_id"], rule.id, HAS_CONCEPT_MOD),
            text(REPORT["rules_version"], rule.version, HAS_CONCEPT_MOD),
            text(REPORT["rule_outcome"], rule.outcome, HAS_PROPERTIES),
            truth("rule_certain", rule.certain, HAS_PROPERTIES),
            text(REPORT["publication"], rule.source, HAS_CONCEPT_MOD),
            code(REPORT["rule_evidence"], EVIDENCES[rule.evidence], HAS_PROPERTIES),
        ],
    )


def _reason(reason: Reason) -> ContentItem:
    coded_value = _CODED_VALUES.get(reason.value)
    return holding(
        text(REPORT["criterion"], reason.value, CONTAINS)
        if coded_value is None
        else code(REPORT["criterion"], TRUTH_VALUES[coded_value], CONTAINS),
        [
            text(REPORT["criterion_name"], reason.criterion, HAS_CONCEPT_MOD),
            code(REPORT["criterion_basis"], BASES[reason.basis], HAS_CONCEPT_MOD),
            *_lines("criterion_because", reason.because, HAS_PROPERTIES),
        ],
    )


def _question(concept: str, question: Question) -> ContentItem:
    return holding(
        text(REPORT[concept], question.text, CONTAINS),
        [
            text(REPORT["criterion_name"], question.criterion, HAS_CONCEPT_MOD),
            *_lines("answered_by_fact", question.facts, HAS_PROPERTIES),
            *(
                code(
                    REPORT["answered_by_kind"],
                    look_up(KINDS, kind, "kind"),
                    HAS_PROPERTIES,
                )
                for kind in question.kinds
            ),
            *named("finding_site", SITES, question.site, HAS_CONCEPT_MOD),
        ],
    )


def _part(part: StagingPart) -> ContentItem:
    return holding(
        text(REPORT["part"], part.text, CONTAINS),
        [
            text(REPORT["part_name"], part.name, HAS_CONCEPT_MOD),
            text(REPORT["part_lowest"], part.lowest, HAS_PROPERTIES),
            text(REPORT["part_highest"], part.highest, HAS_PROPERTIES),
        ],
    )


def _override(result: StagingResult) -> ContentItem:
    override = cast("Override", result.override)
    return holding(
        _stage("stage_set", result.system, override.stage),
        [
            text(REPORT["stage_set_reason"], override.reason, HAS_PROPERTIES),
            *stated_by(REPORT["author"], override.author, override.recorded),
        ],
    )


def _in_words(result: StagingResult) -> str:
    """Return the staging as a sentence or more, for those who read no codes."""
    meaning = STAGINGS[result.system].meaning
    told = [f"{meaning}, rules {result.version}, {result.date}: {result.as_text}."]
    told += [
        f"{rule.id} ({rule.outcome}){'' if rule.certain else ' may hold'}: {rule.text}."
        for rule in result.rules
    ]
    if result.blocking:
        unknowns = ", ".join(question.criterion for question in result.blocking)
        told.append(f"Not known: {unknowns}.")
    if result.ask is not None:
        told.append(f"To ask first: {result.ask.text}")
    return "\n".join(told)


# Reading -----------------------------------------------------------------------------


def is_staging(group: Dataset) -> bool:
    """Return whether a Measurement Group is a staging: its Finding is a system."""
    finding = code_below(group, REPORT["finding"])
    return any(same_code(finding, system) for system in STAGINGS.values())


def staging_of(group: Dataset) -> StagingResult:
    """Return the staging that a Measurement Group of `staging_group` holds."""
    method = child(group, REPORT["measurement_method"])
    overrides = map(_override_of, children(group, REPORT["stage_set"], "CODE"))
    asked = map(_question_of, children(group, REPORT["ask"], "TEXT"))
    blocking = children(group, REPORT["blocking"], "TEXT")
    (lowest,) = _stages_of(group, "stage_lowest")
    (highest,) = _stages_of(group, "stage_highest")
    return StagingResult(
        system=name_of(STAGINGS, code_below(group, REPORT["finding"])),
        version=text_below(method, REPORT["rules_version"]),
        date=moment_below(group, REPORT["staged_date"]),
        stages=_stages_of(group, "stage_of_system"),
        lowest=lowest,
        highest=highest,
        possible=_stages_of(group, "stage_possible"),
        source=text_below(method, REPORT["publication"]),
        site=name_below(group, "finding_site", SITES),
        rules=tuple(
            map(_rule_of, children(child(group, REPORT["stage"]), REPORT["rule"]))
        ),
        reasons=tuple(map(_reason_of, children(group, REPORT["criterion"]))),
        blocking=tuple(map(_question_of, blocking)),
        ask=next(asked, None),
        parts=tuple(map(_part_of, children(group, REPORT["part"], "TEXT"))),
        notes=texts_below(group, REPORT["staging_note"]),
        conflicts=texts_below(group, REPORT["conflict"]),
        override=next(overrides, None),
    )


def _stage_of(item: Dataset) -> str:
    exact = texts_below(item, REPORT["exact_stage"])
    return exact[0] if exact else concept_of(item.ConceptCodeSequence).meaning


def _stages_of(group: Dataset, concept: str) -> tuple[str, ...]:
    return tuple(map(_stage_of, children(group, REPORT[concept], "CODE")))


def _rule_of(item: Dataset) -> FiredRule:
    evidence = name_of(EVIDENCES, code_below(item, REPORT["rule_evidence"]))
    return FiredRule(
        id=text_below(item, REPORT["rule_id"]),
        version=text_below(item, REPORT["rules_version"]),
        outcome=text_below(item, REPORT["rule_outcome"]),
        certain=truth_below(item, "rule_certain") or False,
        text=text_of(item),
        source=text_below(item, REPORT["publication"]),
        evidence=cast("Evidence", evidence),
    )


def _reason_of(item: Dataset) -> Reason:
    value = text_of(item) if item.ValueType == "TEXT" else _coded_value(item)
    basis = name_of(BASES, code_below(item, REPORT["criterion_basis"]))
    return Reason(
        criterion=text_below(item, REPORT["criterion_name"]),
        value=value,
        basis=cast("Basis", basis),
        because=texts_below(item, REPORT["criterion_because"]),
    )


def _coded_value(item: Dataset) -> str:
    name = name_of(TRUTH_VALUES, concept_of(item.ConceptCodeSequence))
    return next(value for value, known in _CODED_VALUES.items() if known == name)


def _question_of(item: Dataset) -> Question:
    kinds = children(item, REPORT["answered_by_kind"], "CODE")
    return Question(
        criterion=text_below(item, REPORT["criterion_name"]),
        text=text_of(item),
        facts=texts_below(item, REPORT["answered_by_fact"]),
        kinds=tuple(name_of(KINDS, concept_of(k.ConceptCodeSequence)) for k in kinds),
        site=name_below(item, "finding_site", SITES),
    )


def _part_of(item: Dataset) -> StagingPart:
    return StagingPart(
        name=text_below(item, REPORT["part_name"]),
        lowest=text_below(item, REPORT["part_lowest"]),
        highest=text_below(item, REPORT["part_highest"]),
        text=text_of(item),
    )


def _override_of(item: Dataset) -> Override:
    return Override(
        stage=_stage_of(item),
        reason=text_below(item, REPORT["stage_set_reason"]),
        author=text_below(item, REPORT["author"]),
        recorded=moment_below(item, REPORT["recorded"]),
    )
