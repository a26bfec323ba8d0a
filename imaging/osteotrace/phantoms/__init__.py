"""The sample cases as physics: analytic shapes to CT and MR DICOM with known truth.

``shapes``, ``scaling`` and ``rendering`` are the engine, ``dicom_series``,
``label_series`` and ``enhanced_ct`` the files. The anatomy: ``dentition``,
``soft_tissue``, ``maxilla``, ``maxilla_before``, ``mandible``, ``vertebral_column``,
``spine``, ``limbs`` and ``crmo``. ``scans`` says what a case is, ``cases`` which there
are, ``ground_truth`` and ``morphometry`` what is known of them, ``sample_protocols`` what
to measure, ``sample_facts`` what is stated, and ``samples`` the folders. The phantoms
that the accuracy table is drawn from are in memory (``in_memory``), one module a family.
"""

from osteotrace.phantoms.cases import CASES
from osteotrace.phantoms.dicom_series import (
    SeriesLabel,
    write_ct_series,
    write_mr_series,
)
from osteotrace.phantoms.enhanced_ct import write_enhanced_ct
from osteotrace.phantoms.ground_truth import CaseTruth, truth
from osteotrace.phantoms.rendering import (
    Layer,
    Level,
    Part,
    Pose,
    correlated_noise,
    render,
    seed,
)
from osteotrace.phantoms.samples import write_samples
from osteotrace.phantoms.scans import grid_around

__all__ = [
    "CASES",
    "CaseTruth",
    "Layer",
    "Level",
    "Part",
    "Pose",
    "SeriesLabel",
    "correlated_noise",
    "grid_around",
    "render",
    "seed",
    "truth",
    "write_ct_series",
    "write_enhanced_ct",
    "write_mr_series",
    "write_samples",
]
