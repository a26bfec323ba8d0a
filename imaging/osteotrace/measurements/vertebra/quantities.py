"""Heights of a body to the measurements that every way of reading them gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.measurements.measurement import (
    Detail,
    Measurement,
    Method,
    NotMeasured,
    measured,
    not_measured,
)
from osteotrace.measurements.vertebra.grading import (
    Loss,
    deformity_type,
    proposed_grade,
)
from osteotrace.measurements.vertebra.records import WHERE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osteotrace.measurements.vertebra.records import Heights

OWN: Final = "the own posterior height"
HEIGHT_NAMES: Final = tuple(f"height_{where}" for where in WHERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What every measurement of one reading says.

    Parameters
    ----------
    method : Method
    sources : tuple of str
    flags : tuple of str
    basis : str
        The definition of the heights.
    regions : tuple of str
        Role of the region of each height, front to back.
    """

    method: Method
    sources: tuple[str, ...]
    flags: tuple[str, ...]
    basis: str
    regions: tuple[str, str, str] = ("", "", "")

    def measured(
        self,
        name: str,
        value: float,
        unit: str,
        u: float,
        *,
        definition: str,
        region: str = "",
        details: tuple[Detail, ...] = (),
    ) -> Measurement:
        """Return a measurement of this reading."""
        return measured(
            name,
            value,
            unit,
            method=self.method,
            sources=self.sources,
            uncertainty=u,
            region=region,
            definition=definition,
            flags=self.flags,
            details=details,
        )

    def refused(self, name: str, reason: str) -> NotMeasured:
        """Return that a quantity of this reading was not measured."""
        return not_measured(name, reason, method=self.method, sources=self.sources)


def height_measurements(
    heights: Heights, said: Said, terms: tuple[Mapping[str, float], ...]
) -> tuple[Measurement, ...]:
    """Return the three heights in mm, each with the terms of its uncertainty."""
    return tuple(
        said.measured(
            f"height_{where}",
            float(heights.values[k]),
            "mm",
            float(heights.u[k]),
            definition=said.basis,
            region=said.regions[k],
            details=tuple(Detail(n, float(v), "mm") for n, v in terms[k].items()),
        )
        for k, where in enumerate(WHERE)
    )


def loss_measurements(heights: Heights, said: Said) -> tuple[Measurement, ...]:
    """Return losses against the own posterior height, grade and type."""
    rows: list[Measurement] = []
    for loss in own_losses(heights):
        rows.append(
            said.measured(
                f"height_loss_own_{loss.where}",
                loss.value,
                "%",
                loss.u,
                definition=f"100 (1 - {loss.where} / posterior height); {said.basis}",
            )
        )
    losses = own_losses(heights)
    rows.append(
        proposed_grade(losses, method=said.method, sources=said.sources, flags=said.flags)
    )
    rows.append(deformity_type(losses, method=said.method, sources=said.sources))
    return tuple(rows)


def own_losses(heights: Heights) -> tuple[Loss, ...]:
    """Return the losses of the anterior and middle against the posterior height."""
    losses = []
    for k, where in enumerate(WHERE[:2]):
        value, u = heights.own_loss(k)
        losses.append(Loss(where=where, against=OWN, value=value, u=u))
    return tuple(losses)
