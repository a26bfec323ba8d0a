"""What spine systems share: the levels in words, and what stays once it was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osteotrace.findings.dates import days, not_after
from osteotrace.staging.evidence import Evidence
from osteotrace.staging.rule_table import TRUTH, Observed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from osteotrace.findings import Finding


def shown(levels: Iterable[str]) -> str:
    """Return levels as people write them: ``L1, L2``."""
    return ", ".join(level.upper() for level in levels)


def before(evidence: Evidence) -> tuple[Evidence, ...]:
    """Return what is known at every earlier date, oldest first."""
    case = evidence.case
    said = [one.study_date for one in case.current()]
    said += [fact.date for fact in case.facts]
    said += [fact.date for one in case.current() for fact in one.facts]
    earlier = {
        text.split("T")[0]
        for text in said
        if text and not_after(text, evidence.date) and days(text) != days(evidence.date)
    }
    return tuple(Evidence(case, text) for text in sorted(earlier, key=days))


def lasting_truth(
    evidence: Evidence,
    name: str = "",
    *,
    site: str,
    kinds: Collection[str] = (),
    where: Callable[[Finding], bool] | None = None,
) -> Observed:
    """Return whether something holds that does not undo itself, such as a deformity.

    Once a reader saw it, it stays; that it was not there before says nothing of now. A
    suspicion stays a suspicion. Parameters as in `Evidence.truth`.
    """

    def at(moment: Evidence) -> Observed:
        return moment.truth(name, kinds=kinds, sites={site}, site=site, where=where)

    now, earlier = at(evidence), [at(moment) for moment in before(evidence)]
    seen = [one for one in earlier if one.possible == (True,)]
    if seen and now.possible == (False,):
        evidence.conflicts.append(
            f"{site.upper()}: {'; '.join(seen[-1].because)}, but later "
            f"{'; '.join(now.because)}"
        )
        return Observed(possible=TRUTH, because=(*seen[-1].because, *now.because))
    if now.known or (now.because and not seen):
        return now
    if seen:
        return seen[-1]
    suspected = [one for one in earlier if not one.known and one.because]
    return suspected[-1] if suspected else now
