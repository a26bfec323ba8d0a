"""Images made ready for alignment: clamped, smoothed, and read at any point.

`Field` reads values and gradients between voxels; `Prepared` gives an image as fields of
any coarseness and knows where it has anything to say: inside what was scanned, inside
the region that is aligned, outside the lesions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.volume import HOUNSFIELD, Volume, to_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from osteotrace.geometry import Array, Grid
    from osteotrace.regions import Mask

# HU: below, air and fat and the table are one; above, metal is as bright as enamel.
BONE_WINDOW: Final = (-200.0, 1800.0)
# HU for the comparison with MR: fat and muscle, which MR tells apart, stay apart.
TISSUE_WINDOW: Final = (-350.0, 1200.0)
# CT values below this were never measured: scanners pad the corners with them.
PADDING_HU: Final = -1500.0
# Brightest share of MR voxels that counts as one: vessels and coil hot spots.
BRIGHTEST: Final = 0.003
# Voxels of the finest field: about 350³; finer images are halved first.
MOST_VOXELS: Final = 40_000_000
# Below this a stack stands straight, degrees.
LEAST_TILT_DEG: Final = 0.01
# Step of the map of where an image may be used, mm.
ALLOWED_STEP_MM: Final = 1.5
# Sigma of the smoothing before sampling on cubes, as a share of their size; and what a
# voxel smooths by itself, its own box, as a share of its width (1 / √12).
SIGMA_SHARE: Final = 0.55
OWN_SIGMA_SHARE: Final = 0.29
# A smoothing by this share of a voxel, no more than so many mm, keeps noise from pulling
# the pose to where interpolation smooths the most.
FINE_SIGMA: Final = (0.7, 0.8)


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """An image that is read between its voxels, linearly.

    Parameters
    ----------
    values : (slices, rows, columns) array
    origin : (3,) array
        LPS mm of the first voxel.
    steps : (3, 3) array
        LPS mm from a voxel to the next along slices, rows and columns, as columns.
    """

    values: NDArray[Any]
    origin: Array
    steps: Array

    @property
    def spacing(self) -> Array:
        """Mm between voxels along slices, rows and columns."""
        return np.asarray(np.linalg.norm(self.steps, axis=0))

    def index(self, points: Array) -> Array:
        """Return (n, 3) LPS mm as fractional indices."""
        return np.asarray((points - self.origin) @ np.linalg.inv(self.steps).T)

    def points(self, index: Array) -> Array:
        """Return (n, 3) indices as LPS mm."""
        return np.asarray(index @ self.steps.T + self.origin)

    def corners(self) -> Array:
        """Return the (8, 3) LPS mm of the corner voxels."""
        picks = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), axis=-1)
        return self.points(picks.reshape(-1, 3) * (np.array(self.values.shape) - 1.0))

    def nearest(self, points: Array) -> NDArray[Any]:
        """Return the values of the nearest voxels at (n, 3) LPS mm; 0 outside."""
        at = np.rint(self.index(points)).astype(np.intp)
        size = np.array(self.values.shape)
        inside = ((at >= 0) & (at < size)).all(axis=1)
        at = np.clip(at, 0, size - 1)
        found = self.values[at[:, 0], at[:, 1], at[:, 2]]
        return np.where(inside, found, np.zeros((), self.values.dtype))

    def at(self, points: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Return values, gradients and which points lie between voxels.

        Parameters
        ----------
        points : (n, 3) array
            LPS mm.

        Returns
        -------
        values : (n,) array
        gradients : (n, 3) array
            Per mm along LPS; of the linear interpolation, so exact for it.
        inside : (n,) bool array
        """
        at = self.index(points)
        size = np.array(self.values.shape)
        inside = np.asarray(((at >= 0) & (at <= size - 1)).all(axis=1))
        low = np.clip(np.floor(at), 0, size - 2).astype(np.intp)
        s, r, c = (np.clip(at - low, 0.0, 1.0)).astype(np.float32).T
        _, rows, columns = self.values.shape
        first = (low[:, 0] * rows + low[:, 1]) * columns + low[:, 2]
        flat = self.values.reshape(-1)
        jump = (0, 1, columns, columns + 1)
        near = [flat[first + step] for step in jump]
        far = [flat[first + rows * columns + step] for step in jump]
        # Along columns, then rows, then slices; each difference is a derivative.
        n0, n1 = near[0] + c * (near[1] - near[0]), near[2] + c * (near[3] - near[2])
        f0, f1 = far[0] + c * (far[1] - far[0]), far[2] + c * (far[3] - far[2])
        n, f = n0 + r * (n1 - n0), f0 + r * (f1 - f0)
        by_row = (n1 - n0) + s * ((f1 - f0) - (n1 - n0))
        n_step = (near[1] - near[0]) + r * (near[3] - near[2] - near[1] + near[0])
        f_step = (far[1] - far[0]) + r * (far[3] - far[2] - far[1] + far[0])
        by_column = n_step + s * (f_step - n_step)
        by_index = np.stack([f - n, by_row, by_column], axis=-1).astype(np.float64)
        gradients = by_index @ np.linalg.inv(self.steps)
        return (n + s * (f - n)).astype(np.float64), gradients, inside


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One study made ready.

    Parameters
    ----------
    image : SimpleITK.Image
        float32, clamped, rectilinear.
    allowed : Field or None
        Where it may be used, as bool; everywhere where None.
    volume : Volume
    """

    image: Any
    allowed: Field | None
    volume: Volume

    @property
    def spacing(self) -> Array:
        """Mm between slices, rows and columns."""
        return np.array(self.image.GetSpacing()[::-1])

    def may_use(self, points: Array) -> NDArray[np.bool_]:
        """Tell for (n, 3) LPS mm whether the image may be used there."""
        if self.allowed is None:
            return np.ones(len(points), dtype=bool)
        return np.asarray(self.allowed.nearest(points), dtype=bool)

    def fine(self) -> Field:
        """Return the image at its own voxels, or at twice as wide ones where too many."""
        import SimpleITK as sitk

        image = self.image
        while image.GetNumberOfPixels() > MOST_VOXELS:
            least = min(image.GetSpacing())
            image = sitk.BinShrink(
                image, [2 if step < 1.9 * least else 1 for step in image.GetSpacing()]
            )
        share, most = FINE_SIGMA
        sigma = [min(share * step, most) for step in image.GetSpacing()]
        return field_of(_smoothed(image, sigma))

    def coarse(self, step_mm: float) -> Field:
        """Return the image smoothed, on cubes of a given size along its own axes."""
        import SimpleITK as sitk

        image = self._binned(step_mm)
        spacing = np.array(image.GetSpacing())
        wanted = (SIGMA_SHARE * step_mm) ** 2 - (OWN_SIGMA_SHARE * spacing) ** 2
        smooth = _smoothed(image, np.sqrt(np.maximum(wanted, 1e-6)).tolist())
        extent = spacing * (np.array(image.GetSize()) - 1)
        size = np.floor(extent / step_mm).astype(int) + 1
        rest = (extent - (size - 1) * step_mm) / 2
        start = image.TransformContinuousIndexToPhysicalPoint((rest / spacing).tolist())
        return field_of(
            sitk.Resample(
                smooth,
                size.tolist(),
                sitk.Transform(),
                sitk.sitkLinear,
                start,
                [step_mm] * 3,
                self.image.GetDirection(),
                0.0,
            )
        )

    def _binned(self, step_mm: float) -> Any:
        """Return means over blocks a third of the step wide: quick to smooth on."""
        import SimpleITK as sitk

        blocks = [max(1, int(step_mm / (3 * s))) for s in self.image.GetSpacing()]
        return sitk.BinShrink(self.image, blocks) if max(blocks) > 1 else self.image


def prepared(
    volume: Volume,
    *,
    beside_mr: bool,
    region: Mask | None = None,
    left_out: Sequence[Mask] = (),
    margin_mm: float = 2.0,
) -> Prepared:
    """Return a volume made ready.

    Parameters
    ----------
    volume : Volume
    beside_mr : bool
        It is compared with MR, or is MR.
    region : Mask, optional
        What is aligned, in its frame; it is widened by `margin_mm`, since what places a
        bone is its edge.
    left_out : sequence of Mask
        Lesions, in its frame, widened alike.
    """
    import SimpleITK as sitk

    raw = sitk.Cast(to_image(volume), sitk.sitkFloat32)
    if volume.unit == HOUNSFIELD:
        low, high = TISSUE_WINDOW if beside_mr else BONE_WINDOW
    else:
        sample = sitk.GetArrayViewFromImage(raw).reshape(-1)[::7]
        low, high = (float(v) for v in np.quantile(sample, [BRIGHTEST, 1 - BRIGHTEST]))
    image = sitk.Clamp(raw, sitk.sitkFloat32, low, max(high, low + 1))
    allowed = _allowed(volume, raw, region, left_out, margin_mm)
    return Prepared(image, allowed, volume)


def field_of(image: Any) -> Field:
    """Return a SimpleITK image as a field."""
    import SimpleITK as sitk

    direction = np.array(image.GetDirection()).reshape(3, 3)
    steps = (direction * np.array(image.GetSpacing()))[:, ::-1]
    values = np.ascontiguousarray(sitk.GetArrayFromImage(image))
    return Field(values, np.array(image.GetOrigin()), np.ascontiguousarray(steps))


def _smoothed(image: Any, sigma_mm: Sequence[float]) -> Any:
    import SimpleITK as sitk

    spacing = image.GetSpacing()
    for axis, (sigma, step) in enumerate(zip(sigma_mm, spacing, strict=True)):
        # The recursive filter needs four voxels, and does not know widths below a third.
        if sigma > 0.33 * step and image.GetSize()[axis] >= 4:
            image = sitk.RecursiveGaussian(image, sigma=sigma, direction=axis)
    return image


def _allowed(
    volume: Volume, raw: Any, region: Mask | None, left_out: Sequence[Mask], margin: float
) -> Field | None:
    """Return where a volume may be used, on cubes, or nothing where everywhere."""
    import SimpleITK as sitk

    source = volume.source_grid or volume.grid
    leaning = not source.is_even or abs(source.tilt_deg) > LEAST_TILT_DEG
    lowest = float(sitk.GetArrayViewFromImage(raw).min())
    padded = volume.unit == HOUNSFIELD and lowest < PADDING_HU
    if not (leaning or padded or region or left_out or volume.source_grid):
        return None
    field = _cubes(raw)
    wanted = _Widened.of(region, margin) if region else None
    lesions = [_Widened.of(mask, margin) for mask in left_out]
    inside = np.ones(field.values.shape, dtype=bool)
    for k, plane in enumerate(inside):
        index = np.full((plane.size, 3), float(k))
        index[:, 1:] = np.indices(plane.shape).reshape(2, -1).T
        points = field.points(index)
        good = source.contains(points)
        if padded:
            good &= field.values[k].reshape(-1) >= PADDING_HU
        if wanted is not None:
            good &= wanted.holds(points)
        for lesion in lesions:
            good &= ~lesion.holds(points)
        plane[:] = good.reshape(plane.shape)
    return Field(inside, field.origin, field.steps)


@dataclass(frozen=True, slots=True, eq=False)
class _Widened:
    """A mask with a margin around it."""

    voxels: NDArray[np.bool_]
    grid: Grid
    pad: NDArray[np.intp]

    @classmethod
    def of(cls, mask: Mask, margin: float) -> _Widened:
        from scipy.ndimage import distance_transform_edt

        grid = mask.grid
        spacing = np.where(np.isnan(grid.spacing), 1.0, grid.spacing)
        pad = np.ceil(margin / spacing).astype(np.intp) + 1
        padded = np.pad(mask.voxels, [(n, n) for n in pad])
        away = distance_transform_edt(~padded, sampling=spacing.tolist())
        return cls(np.asarray(away <= margin), grid, pad)

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Tell which (n, 3) LPS mm points lie in it."""
        at = np.rint(self.grid.to_index(points)) + self.pad
        size = np.array(self.voxels.shape)
        inside = ((at >= 0) & (at < size)).all(axis=1)
        at = np.clip(at, 0, size - 1).astype(np.intp)
        return np.asarray(inside & self.voxels[at[:, 0], at[:, 1], at[:, 2]])


def _cubes(raw: Any) -> Field:
    import SimpleITK as sitk

    spacing = np.array(raw.GetSpacing())
    size = np.maximum(
        np.ceil(spacing * (np.array(raw.GetSize()) - 1) / ALLOWED_STEP_MM).astype(int)
        + 1,
        1,
    )
    step, towards = [ALLOWED_STEP_MM] * 3, raw.GetDirection()
    nearest, start = sitk.sitkNearestNeighbor, raw.GetOrigin()
    return field_of(
        sitk.Resample(
            raw, size.tolist(), sitk.Transform(), nearest, start, step, towards, 0.0
        )
    )
