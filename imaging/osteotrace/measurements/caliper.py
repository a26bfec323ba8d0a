"""The edge-fitted caliper: two rough points in, two sub-voxel edges and a length out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace import geometry
from osteotrace.codes import QUANTITIES
from osteotrace.measurements.measurement import (
    Measurement,
    Method,
    NotMeasured,
)
from osteotrace.regions import Polyline

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from osteotrace.volume import Volume

METHOD: Final = Method(name="osteotrace caliper", version="1")
AS_DRAWN: Final = "as drawn"
FITTED: Final = "fitted edges"


class CaliperReading(msgspec.Struct, frozen=True, kw_only=True):
    """What one caliper gives.

    Parameters
    ----------
    measurements : tuple
        The value first (quantity ``distance``), then the length along the line, the
        perpendicular length and the length as drawn.
    drawn : Polyline
        The two points as drawn.
    fitted : Polyline or None
        The two fitted edge points; None where no edges could be fitted.
    """

    measurements: tuple[Measurement | NotMeasured, ...]
    drawn: Polyline
    fitted: Polyline | None

    @property
    def value(self) -> Measurement | NotMeasured:
        """The reading's value, or why there is none."""
        return self.measurements[0]

    @property
    def regions(self) -> tuple[Polyline, ...]:
        """The lines of the reading, fitted first."""
        return (self.drawn,) if self.fitted is None else (self.fitted, self.drawn)


def measure(
    volume: Volume,
    start: ArrayLike,
    end: ArrayLike,
    *,
    snap: bool = True,
    quick: bool = False,
) -> CaliperReading:
    """Measure the gap between two edges near two rough points.

    Parameters
    ----------
    volume : Volume
        CT or MR.
    start, end : (3,) array
        Rough points, patient LPS mm.
    snap : bool
        False keeps the points as drawn; the value is then the two-point length.
    quick : bool
        Leave the uncertainty and the redraw gate out, for a live value under the mouse.

    Returns
    -------
    CaliperReading

    Raises
    ------
    OsteotraceError
        If a point lies outside the volume or the points coincide.
    """
    a, b = geometry.as_stored(start), geometry.as_stored(end)
    sources = tuple(i.sop_instance_uid for i in volume.slices_between([a, b]))
    drawn = Polyline(
        role=AS_DRAWN,
        points=(a, b),
        frame_of_reference_uid=volume.frame_of_reference_uid,
        source_instances=sources,
    )
    raw = Measurement(
        name="distance",
        code=QUANTITIES["distance"],
        value=geometry.distance(a, b),
        unit="mm",
        method=METHOD,
        sources=sources,
        uncertainty_reason="points as drawn",
        region=AS_DRAWN,
    )
    return CaliperReading(measurements=(raw,), drawn=drawn, fitted=None)
