"""A thousand small spine CTs with a vertebral body's mask each, for the batch benchmark.

A few vertebrae of known heights are rendered; each study has one of them at a place of
its own, with noise of its own, as a DICOM series. The mask lies beside it as NIfTI. For
programs that read no DICOM the image is written as NIfTI too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from osteotrace.phantoms import vertebrae
from osteotrace.phantoms.dicom_series import SeriesLabel, write_ct_series
from osteotrace.phantoms.in_memory import noisy, true_mask

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from osteotrace.geometry import Array, Grid

SPACING_MM: Final = (1.5, 1.0, 1.0)
# Vertebrae that are rendered; studies share them in turn.
SHAPES: Final = 10
NOISE_HU, NOISE_FWHM_MM = 25.0, (1.0, 1.0, 1.0)
# L1 as TPTBox numbers it.
LABEL: Final = 20
DICOM, MASKS, NIFTI, LIST = "dicom", "masks", "nifti", "studies.json"

PROTOCOL: Final = f"""\
name = "batch_benchmark"

[series]
modality = "CT"

[masks]
sources = ["beside"]
beside = "{{study_uid}}.nii.gz"

[[vertebra]]
label = "L1"
level = "l1"
body = {{ label = "label {LABEL}" }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeStudy:
    """One study on disk.

    Parameters
    ----------
    study_uid : str
    image, mask : str
        NIfTI files: the image, and the vertebral body as label 20.
    anterior, middle, posterior : float
        True heights, mm.
    """

    study_uid: str
    image: str
    mask: str
    anterior: float
    middle: float
    posterior: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """A vertebra as it is rendered, once for many studies."""

    truth: vertebrae.Truth
    grid: Grid
    clean: Array
    body: NDArray[np.bool_]


def write_studies(folder: Path, count: int) -> list[MadeStudy]:
    """Write studies into a folder, or return those that are there.

    Parameters
    ----------
    folder : Path
        With ``dicom`` (a folder a study), ``masks``, ``nifti`` and a list of all.
    count : int
    """
    known = folder / LIST
    if known.is_file():
        made = [MadeStudy(**one) for one in json.loads(known.read_text())]
        if len(made) == count:
            return made
        raise SystemExit(f"{folder} holds {len(made)} studies: give another folder")
    for name in (DICOM, MASKS, NIFTI):
        (folder / name).mkdir(parents=True, exist_ok=True)
    shapes = [_shape(number) for number in range(min(SHAPES, count))]
    made = [_study(folder, n, shapes[n % len(shapes)]) for n in range(count)]
    known.write_text(json.dumps([asdict(one) for one in made]))
    return made


def _shape(number: int) -> _Shape:
    draw = np.random.default_rng(8000 + number)
    height = float(draw.uniform(22, 29))
    loss = float(draw.uniform(0.2, 0.4)) if number % 3 == 1 else 0.03
    made = vertebrae.Vertebra(
        depth=float(draw.uniform(28, 34)),
        posterior=height,
        anterior=height * (1 - loss),
        disc=float(draw.uniform(6, 9)),
    )
    grid = vertebrae.grid_around(made, SPACING_MM)
    return _Shape(
        truth=vertebrae.truth(made),
        grid=grid,
        clean=vertebrae.clean_image(made, grid),
        body=true_mask(vertebrae.body(made), grid).on(grid),
    )


def _study(folder: Path, number: int, shape: _Shape) -> MadeStudy:
    label = SeriesLabel(
        study=f"batch {number}",
        name="CT",
        patient_id=f"BATCH-{number // 2:05}",
        description="spine bone",
        body_part="SPINE",
        date=f"20{10 + number % 2}0102",
    )
    # No two patients lie alike.
    place = np.array([0.37 * (number % 53), 0.29 * (number % 61), 0.11 * number])
    grid = replace(shape.grid, origins=shape.grid.origins + place)
    volume = noisy(
        shape.clean,
        shape.grid,
        noise=NOISE_HU,
        correlation_fwhm_mm=NOISE_FWHM_MM,
        seed=number,
    )
    values = volume.rescaled()
    write_ct_series(folder / DICOM / f"{number:05}", values, grid, label)
    image = folder / NIFTI / f"{number:05}.nii.gz"
    mask = folder / MASKS / f"{label.study_uid}.nii.gz"
    _write_nifti(image, values.astype(np.int16), grid)
    _write_nifti(mask, shape.body.astype(np.uint8) * LABEL, grid)
    return MadeStudy(
        study_uid=label.study_uid,
        image=str(image),
        mask=str(mask),
        anterior=shape.truth.anterior,
        middle=shape.truth.middle,
        posterior=shape.truth.posterior,
    )


def _write_nifti(file: Path, voxels: Any, grid: Grid) -> None:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing([float(mm) for mm in grid.spacing[::-1]])
    image.SetOrigin([float(mm) for mm in grid.origins[0]])
    sitk.WriteImage(image, str(file))
