"""The sample cases: which anatomy, scanned how, with which true lengths.

A case is a scene, the scans of it and its known gaps, all in one anatomical frame.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.errors import OsteotraceError
from osteotrace.phantoms import (
    crmo,
    crmo_cases,
    mandible_cases,
    maxilla_after,
    maxilla_before,
    spine_cases,
)
from osteotrace.phantoms.rendering import correlated_noise, render, seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.phantoms.scans import PhantomCase, Scan
    from osteotrace.phantoms.shapes import Array


_CASES: Final[dict[str, Callable[[], PhantomCase]]] = {
    "maxilla_after": maxilla_after.case,
    "maxilla_before": maxilla_before.case,
    **{name: partial(mandible_cases.case, name) for name in mandible_cases.CASES},
    **{name: partial(spine_cases.case, name) for name in spine_cases.CASES},
    **{name: partial(crmo_cases.case, name) for name in crmo.CASES},
}
CASES: Final = tuple(_CASES)


def phantom_case(name: str) -> PhantomCase:
    """Return the description of a sample case.

    Raises
    ------
    OsteotraceError
        If there is no case of that name.
    """
    if name not in _CASES:
        raise OsteotraceError(
            f"no sample case {name!r}",
            expected=f"one of {', '.join(CASES)}",
            advice="choose one of these",
            usage=True,
        )
    return _CASES[name]()


def image(case: PhantomCase, scan: Scan, *, noise: bool = True) -> Array:
    """Return the image of one scan in HU or signal, (slices, rows, columns) float64.

    MR is the magnitude of two channels with independent noise (Rician); CT noise is
    additive.
    """
    clean = render(
        case.parts(),
        scan.levels,
        scan.grid,
        scan.pose,
        psf_sigma_mm=scan.psf_sigma_mm,
        subsamples=scan.subsamples,
    )
    if not noise:
        return clean
    if scan.modality == "CT":
        return np.asarray(clean + noise_field(case, scan, "attenuation"))
    real = clean + noise_field(case, scan, "real")
    return np.asarray(np.hypot(real, noise_field(case, scan, "imaginary")))


def noise_field(case: PhantomCase, scan: Scan, channel: str) -> Array:
    """Return the noise of one channel, seeded by the names of case, series, channel."""
    return correlated_noise(
        scan.grid.shape,
        scan.grid.spacing,
        sd=scan.noise_sd,
        correlation_fwhm_mm=scan.noise_correlation_fwhm_mm,
        seed=seed(case.name, scan.label.name, channel),
    )
