"""Real scans of several makers load as the same volumes once they are nobody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread
from tests.fixtures.planted_case import SECRET

import osteotrace as ot
from osteotrace.deidentify import deidentify_tree

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.series import Catalogue, VolumeHeader

QUICK = ("ct_tilt_no_tag", "enh_mr_siemens")
LONG = (
    "compressed_mr", "ct_missing_slice", "ct_not_a_volume", "dynamic_mr_philips",
    "enh_mr_philips", "jaw_ct_cerr", "mixed_junk_folder", "mr_nonsquare",
    "mr_two_orientations", "oblique_ct_synth", "seg_liver_ct", "spine_ct_j2k",
)  # fmt: skip


def volumes(found: Catalogue) -> dict[tuple[str, ...], VolumeHeader]:
    """Return the volumes by what they are, not by what they are called."""
    return {
        (
            volume.identity.modality,
            str(volume.identity.number),
            str(volume.k),
            str(len(volume.instances)),
            *volume.verdicts,
        ): volume
        for series in found
        for volume in series.volumes
        if volume.identity.modality in ("CT", "MR")
    }


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(one, marks=pytest.mark.slow) for one in LONG)]
)
def test_a_real_scan_gives_the_same_volumes_and_voxels(
    name: str, real_dicom: Path, tmp_path: Path
) -> None:
    done = deidentify_tree(real_dicom / name, tmp_path / "out", SECRET)
    before = volumes(ot.scan(real_dicom / name))
    after = volumes(ot.scan(done.folder))
    assert set(after) == set(before)
    for key, header in before.items():
        if header.measurable:
            old, new = ot.load(header), ot.load(after[key])
            assert (new.unit, new.grid.shape) == (old.unit, old.grid.shape)
            assert np.array_equal(new.grid.origins, old.grid.origins)
            assert np.array_equal(new.voxels, old.voxels)
    for _, made in done.written[:20]:
        assert dcmread(made, stop_before_pixels=True).PatientIdentityRemoved == "YES"
