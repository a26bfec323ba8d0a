"""Rigid registration by others, as their own introductions show it, for the benchmark.

SimpleITK: the textbook example (centred start, line search, three levels). elastix: its
default parameter map for a rigid transform, told to begin with the middles of both images
on each other, since it fails on nearly every pair without. Both are given the images
alone, as they are, and each says where a point of the first lies in the second.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.alignment.transform import RigidTransform

if TYPE_CHECKING:
    from osteotrace.geometry import Array
    from osteotrace.phantoms.moved_studies import MovedPair
    from osteotrace.volume import Volume

# Of the example: bins, share of the voxels, steps, voxels a step, blur a level.
BINS: Final = 50
SAMPLED: Final = 0.01
ITERATIONS: Final = 100
SHRINK: Final = [4, 2, 1]
SMOOTH: Final = [2.0, 1.0, 0.0]
# A random sample is drawn anew in each run unless the seed is given.
SEED: Final = 20


def set_threads(count: int) -> None:
    """Give every library the same number of threads."""
    import itk
    import SimpleITK as sitk

    sitk.ProcessObject.GlobalWarningDisplayOff()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(count)
    itk.MultiThreaderBase.SetGlobalMaximumNumberOfThreads(count)


def warm_up(pair: MovedPair, threads: int) -> None:
    """Register once, uncounted: itk loads its parts, ten seconds, when first used."""
    # A pair that it gives up on has loaded them too.
    with suppress(RuntimeError):
        by_elastix(pair.earlier, pair.later, threads)


def by_simpleitk(earlier: Volume, later: Volume, measure: str) -> RigidTransform:
    """Return what the textbook example ends with.

    Parameters
    ----------
    measure : {"Mattes", "correlation"}
    """
    import SimpleITK as sitk

    fixed, moving = _sitk_image(earlier), _sitk_image(later)
    start = sitk.CenteredTransformInitializer(
        fixed,
        moving,
        sitk.Euler3DTransform(),
        sitk.CenteredTransformInitializerFilter.GEOMETRY,
    )
    method = sitk.ImageRegistrationMethod()
    if measure == "Mattes":
        method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=BINS)
    else:
        method.SetMetricAsCorrelation()
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(SAMPLED, SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsGradientDescentLineSearch(
        learningRate=1.0,
        numberOfIterations=ITERATIONS,
        convergenceMinimumValue=1e-6,
        convergenceWindowSize=10,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(SHRINK)
    method.SetSmoothingSigmasPerLevel(SMOOTH)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(start, inPlace=False)
    found = method.Execute(fixed, moving)
    return _rigid(found.TransformPoint, earlier, later)


def by_elastix(earlier: Volume, later: Volume, threads: int) -> RigidTransform:
    """Return what elastix ends with; RuntimeError where it gives up."""
    import itk
    import SimpleITK as sitk

    maps = itk.ParameterObject.New()
    rigid = maps.GetDefaultParameterMap("rigid")
    rigid["AutomaticTransformInitialization"] = ["true"]
    maps.AddParameterMap(rigid)
    filter_ = itk.ElastixRegistrationMethod.New(_itk_image(earlier), _itk_image(later))
    filter_.SetParameterObject(maps)
    filter_.SetNumberOfThreads(threads)
    filter_.SetLogToConsole(False)
    filter_.UpdateLargestPossibleRegion()
    found = filter_.GetTransformParameterObject().GetParameterMap(0)
    angles_and_shift = [float(v) for v in found["TransformParameters"]]
    transform = sitk.Euler3DTransform()
    transform.SetCenter([float(v) for v in found["CenterOfRotationPoint"]])
    transform.SetComputeZYX(found["ComputeZYX"][0] == "true")
    transform.SetRotation(*angles_and_shift[:3])
    transform.SetTranslation(angles_and_shift[3:])
    return _rigid(transform.TransformPoint, earlier, later)


def _rigid(to_later: Any, earlier: Volume, later: Volume) -> RigidTransform:
    origin, *ends = (np.array(to_later(p)) for p in np.vstack([np.zeros(3), np.eye(3)]))
    turn = np.stack([end - origin for end in ends], axis=1)
    u, _, v = np.linalg.svd(turn)
    return RigidTransform.of(
        u @ v,
        origin,
        from_frame_uid=earlier.frame_of_reference_uid,
        to_frame_uid=later.frame_of_reference_uid,
    )


def _directions(volume: Volume) -> tuple[Array, Array, Array]:
    """Return directions (a column an axis), spacing and origin, x first."""
    grid = volume.grid
    axes = np.stack([grid.row_direction, grid.column_direction, grid.normal], axis=1)
    return axes, grid.spacing[::-1], grid.origins[0]


def _sitk_image(volume: Volume) -> Any:
    import SimpleITK as sitk

    axes, spacing, origin = _directions(volume)
    image = sitk.GetImageFromArray(volume.rescaled().astype(np.float32))
    image.SetDirection(axes.ravel().tolist())
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(origin.tolist())
    return image


def _itk_image(volume: Volume) -> Any:
    import itk

    axes, spacing, origin = _directions(volume)
    image = itk.image_from_array(volume.rescaled().astype(np.float32))
    image.SetDirection(itk.matrix_from_array(np.ascontiguousarray(axes)))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(origin.tolist())
    return image
