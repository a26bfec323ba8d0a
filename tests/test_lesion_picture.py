"""A lesion's picture: three planes, what was marked where it was marked, what it read."""

from __future__ import annotations

import io
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from PIL import Image

from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Finding
from osteotrace.geometry import as_stored
from osteotrace.measurements.measurement import Method, measured, not_measured
from osteotrace.phantoms.in_memory import as_volume, straight_grid
from osteotrace.regions import Polyline
from osteotrace.reports import figures
from osteotrace.reports.figures.planes import Plane, share_of_mask
from osteotrace.segmentation.marked import ball, from_voxels

CENTRE = (3.0, -20.0, 100.0)
RADIUS = 9.0
VOLUME = as_volume(
    np.zeros((30, 100, 120)),
    straight_grid((60.0, 50.0, 60.0), (2.0, 0.5, 0.5), centre=CENTRE),
)
MASK = ball(VOLUME, CENTRE, RADIUS, role="fragment")
METHOD = Method(name="test", version="1")


def finding() -> Finding:
    ends = [as_stored((CENTRE[0] + dx, *CENTRE[1:])) for dx in (-RADIUS, RADIUS)]
    across = Polyline(
        role="longest diameter",
        points=tuple(ends),
        frame_of_reference_uid=MASK.frame_of_reference_uid,
        source_instances=MASK.source_instances,
    )
    value = measured(
        "longest_diameter", 2 * RADIUS, "mm", method=METHOD, sources=(), uncertainty=0.04,
        region="fragment", flags=["the slices are thick"],
    )  # fmt: skip
    lacking = not_measured("lucent_rim_width", "no host bone", method=METHOD)
    return Finding(
        tracking_uid="2.25.1",
        label="SEQ-1",
        kind="sequestrum",
        site="maxilla",
        regions=(MASK, across),
        measurements=(value, lacking),
    )


# Across 2 mm slices the circle is a stack of strips; slices lie at ±1, 3, 5 and 7 mm.
STRIPS = 2 * 2 * sum(2 * np.sqrt(RADIUS**2 - h**2) for h in (1, 3, 5, 7))


@pytest.mark.parametrize(
    ("down", "expected"),
    [((0.0, 1.0, 0.0), np.pi * RADIUS**2), ((0.0, 0.0, -1.0), STRIPS)],
)
def test_the_outline_of_a_ball_is_its_circle(
    down: tuple[float, ...], expected: float
) -> None:
    plane = Plane(
        name="",
        centre=np.array(CENTRE),
        right=np.array([1.0, 0, 0]),
        down=np.array(down),
        width=40.0,
    )
    share = share_of_mask(MASK, plane, VOLUME.grid)
    area = (share > 0.5).mean() * plane.width**2
    assert area == pytest.approx(expected, rel=0.03)
    assert share[0].max() == 0.0


@pytest.mark.parametrize("own", [False, True], ids=["image", "image with other slices"])
def test_a_mask_in_one_slice_is_drawn_as_thick_as_the_slice(own: bool) -> None:
    voxels = np.zeros(VOLUME.grid.shape, dtype=bool)
    voxels[14, 40:60, 50:70] = True
    grid = VOLUME.grid
    if own:
        heights = np.where(np.arange(30) > 14, 1.5, 0.0)[:, None] * grid.normal
        grid = replace(grid, origins=grid.origins + heights)
    mask = from_voxels(replace(VOLUME, grid=grid), voxels, role="one slice")
    plane = Plane(
        name="",
        centre=mask.grid.corners().mean(axis=0),
        right=np.array([1.0, 0, 0]),
        down=np.array([0, 0, -1.0]),
        width=20.0,
    )
    shown = share_of_mask(mask, plane, grid) > 0.5
    thickness = shown[:, 320].mean() * plane.width
    assert thickness == pytest.approx(2.0 + 0.75 * own, abs=0.05)


def test_the_picture_is_the_same_each_time_and_three_squares_wide() -> None:
    first, second = (figures.lesion_picture(VOLUME, finding()) for _ in range(2))
    assert first == second
    width, height = Image.open(io.BytesIO(first)).size
    assert width == pytest.approx(3 * 4 * 130, abs=2)
    assert height > width / 3


def test_the_marks_are_drawn_in_the_colour_of_the_value() -> None:
    pixels = np.asarray(
        Image.open(io.BytesIO(figures.lesion_picture(VOLUME, finding()))).convert("RGB")
    ).astype(int)
    # Yellow is the outline, blue the other region; the image itself is grey.
    red, green, blue = np.moveaxis(pixels, -1, 0)
    assert ((red > 200) & (green > 150) & (blue < 120)).sum() > 500
    assert ((red < 120) & (green > 150) & (blue > 180)).sum() > 100


def test_the_picture_says_every_value_and_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.text import Text

    written: list[str] = []
    set_text = Text.set_text

    def note(self: Text, words: str) -> None:
        written.append(words)
        set_text(self, words)

    monkeypatch.setattr(Text, "set_text", note)
    figures.lesion_picture(VOLUME, finding())
    said = "\n".join(written)
    for words in (
        "SEQ-1: Sequestrum, Maxilla",
        "Maximum 3D Diameter of a Mesh: 18.00 ± 0.04 mm",
        "Lucent rim width: not measured: no host bone",
        "doubt: the slices are thick",
        "axial",
        "coronal",
        "sagittal",
        "10 mm",
        "RESEARCH",
        RESEARCH_USE_SHORT,
    ):
        assert words in said


def test_a_finding_of_another_space_has_no_picture() -> None:
    elsewhere = msgspec.structs.replace(MASK, frame_of_reference_uid="2.25.77")
    other = msgspec.structs.replace(finding(), regions=(elsewhere,))
    with pytest.raises(OsteotraceError, match="frame of reference"):
        figures.lesion_picture(VOLUME, other)
