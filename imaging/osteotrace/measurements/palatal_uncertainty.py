"""The standard uncertainty of a palatal defect, term by term.

Noise of the image's own correlation, read from its homogeneous blocks, is drawn anew
around the rim and pushed through the linearised fits; what every draw makes of the
outline is measured like the outline itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.measurements import noise
from osteotrace.measurements.palatal_rim import along_rim
from osteotrace.measurements.palatal_surface import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.geometry import Array
    from osteotrace.measurements.palatal_rim import Rim
    from osteotrace.measurements.palatal_surface import Surface
    from osteotrace.volume import Volume

DRAWS: Final = 32
# Noise is drawn this far around the rim's samples, mm.
AROUND_MM: Final = 1.5
# Homogeneous blocks are this large; around a palate there is often no larger one.
BLOCKS_MM: Final = (noise.BLOCK_MM, 9.0, 7.0)
# Half a block whose correlation is read, and how far apart noise is correlated, mm.
BLOCK_HALF_MM: Final = 3.5
LONGEST_LAG_MM: Final = 2.0
# Noise that does not come from the blocks is taken as this wide, mm, as CT's is.
USUAL_FWHM_MM: Final = 1.2
# Gaussian: full width at half maximum over standard deviation, 2 √(2 ln 2).
FWHM_OVER_SIGMA: Final = 2.3548


def seed(points: Array, frame_of_reference_uid: str) -> int:
    """Return a seed that the input alone decides."""
    text = repr((points.tolist(), frame_of_reference_uid)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RimNoise:
    """What the noise of the image makes of a rim.

    Parameters
    ----------
    displacements : (draws, n) float64
        mm outwards.
    standard_deviation : float
        Of single voxels; NaN where the image has no homogeneous block.
    """

    displacements: Array
    standard_deviation: float


def rim_noise(volume: Volume, surface: Surface, rim: Rim, first: int) -> RimNoise:
    """Draw what noise makes of a rim.

    Parameters
    ----------
    volume : Volume
    surface : Surface
    rim : Rim
    first : int
        Seed of the draws.
    """
    places = np.stack([surface.points(rim.places, h) for h in surface.layers])
    window = Window(volume, places.reshape(-1, 3), AROUND_MM)
    blocks = noise.NOTHING
    for size in BLOCKS_MM:
        if not len(blocks.centres):
            blocks = noise.homogeneous_blocks(
                volume,
                surface.frame.origin,
                floor=noise.AIR_CEILING_HU,
                residual=rim.residual,
                block_mm=size,
            )
    spectrum = _spectrum(volume, blocks, window.values.shape, rim.residual)
    index = window.index(places)
    profiles = np.stack(
        [
            along_rim(window.at_index(index, field).mean(axis=0))
            for field in _fields(spectrum, window.values.shape, first)
        ]
    )
    # Bone is uneven beyond its noise: the samples in it are scaled to what is there.
    drawn = float(np.sqrt(np.mean(profiles**2)))
    uneven = max(1.0, rim.roughness / max(drawn, 1e-9))
    middle = rim.places.shape[1] // 2
    profiles[:, :, middle:] *= uneven
    return RimNoise(
        displacements=np.stack([rim.displacement(profile) for profile in profiles]),
        standard_deviation=blocks.standard_deviation,
    )


def _fields(spectrum: Array, shape: tuple[int, ...], first: int) -> Iterator[Array]:
    generator = np.random.default_rng(first)
    for _ in range(DRAWS):
        white = np.fft.rfftn(generator.standard_normal(shape))
        yield np.fft.irfftn(white * spectrum, s=shape, axes=(0, 1, 2))


def _spectrum(
    volume: Volume, blocks: noise.NoiseField, shape: tuple[int, ...], residual: float
) -> Array:
    """Return the amplitude of the image's noise by frequency, on a box of a shape."""
    spacing = np.nan_to_num(volume.grid.spacing, nan=1.0)
    lags = np.round(LONGEST_LAG_MM / spacing).astype(int)
    lags = np.minimum(lags, (np.array(shape) - 1) // 2)
    correlation = _correlation(volume, blocks, lags)
    if correlation is None:
        places = np.meshgrid(
            *(np.arange(-n, n + 1) * s for n, s in zip(lags, spacing, strict=True)),
            indexing="ij",
        )
        width = USUAL_FWHM_MM / FWHM_OVER_SIGMA
        correlation = residual**2 * np.exp(-0.5 * sum(x**2 for x in places) / width**2)
    whole = np.zeros(shape)
    at = np.ix_(*(np.arange(-n, n + 1) for n in lags))
    whole[at] = correlation
    power = np.fft.rfftn(whole).real
    return np.sqrt(np.maximum(power, 0.0))


def _correlation(volume: Volume, blocks: noise.NoiseField, lags: Array) -> Array | None:
    """Return the mean autocovariance of the blocks at lags up to some, or None."""
    total, count = None, 0
    for centre in blocks.centres:
        box = volume.grid.box_around(centre, BLOCK_HALF_MM)
        values = _detrended(volume.rescaled(box))
        if (np.array(values.shape) <= 2 * lags).any():
            continue
        padded = [2 * n for n in values.shape]
        power = np.abs(np.fft.rfftn(values, s=padded, axes=(0, 1, 2))) ** 2
        covariance = np.fft.irfftn(power, s=padded, axes=(0, 1, 2))
        at = np.ix_(*(np.arange(-n, n + 1) for n in lags))
        pairs = np.ones(())
        for n, reach in zip(values.shape, lags, strict=True):
            pairs = np.multiply.outer(pairs, n - np.abs(np.arange(-reach, reach + 1)))
        share = covariance[at] / pairs
        total = share if total is None else total + share
        count += 1
    return None if total is None else np.asarray(total / count)


def _detrended(values: Array) -> Array:
    """Return values without their linear trend."""
    axes = np.indices(values.shape).reshape(3, -1).T
    terms = np.column_stack([np.ones(len(axes)), axes - axes.mean(axis=0)])
    flat = values.ravel()
    trend = terms @ np.linalg.lstsq(terms, flat, rcond=None)[0]
    return np.asarray((flat - trend).reshape(values.shape))
