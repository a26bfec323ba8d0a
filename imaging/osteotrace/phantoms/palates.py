"""Vaulted palates with a hole of known outline: the phantom of the palatal defect.

A bony plate of uneven thickness on a curved mid-surface, with mucosa and air above it,
mucosa and mouth below it, alveolar processes with teeth beside it and the vomer on it.
The hole is a prism through the plate, so its rim on the mid-surface is known in closed
form. Coordinates are mm in the anatomical frame: left, posterior, superior of the middle
of the hole. Nothing is written to disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.phantoms.in_memory import straight_grid
from osteotrace.phantoms.rendering import Layer, Level, Part, Pose, render
from osteotrace.phantoms.shapes import (
    complement,
    ellipsoid,
    grown,
    halfspace,
    intersection,
    mirrored,
    remembered,
    rounded_box,
    union,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.geometry import Array, Grid
    from osteotrace.phantoms.shapes import Shape

# Usual values at 120 kV, HU.
HOUNSFIELD: Final = {
    "air": Level(-1000.0),
    "soft tissue": Level(50.0),
    "bone": Level(900.0),
    "dentine": Level(1600.0),
    "enamel": Level(2550.0),
    "metal": Level(8000.0),
}
# Half the width and half the length of the plate between its ends, mm.
HALF_WIDTH_MM: Final = 18.0
HALF_LENGTH_MM: Final = 23.0
NASAL_MUCOSA_MM: Final = 1.2
ORAL_MUCOSA_MM: Final = 2.5
# Soft tissue that lines a hole with air in it.
LINING_MM: Final = 1.2
TEETH_POSTERIOR_MM: Final = (-18.0, -9.5, -1.0, 8.0, 17.0)
# Corners of the true rim.
RIM_CORNERS: Final = 2000
SIDES: Final = ("anterior", "posterior", "left", "right")


@dataclass(frozen=True, slots=True, kw_only=True)
class Palate:
    """A palate and its hole.

    Parameters
    ----------
    radii_mm : (posterior, left)
        Half axes of the hole's outline.
    waves : sequence of (order, share, phase)
        What makes it irregular: waves of the radius around the outline.
    thickness_mm : float
        Of the plate at the hole, vertically.
    thinning : float
        Share of the thickness lost over 20 mm towards posterior.
    vault_mm : float
        Radius of the vault from side to side.
    slope_deg : float
        Fall of the plate towards anterior.
    inside : {"soft tissue", "air"}
        What fills the hole; air is lined with `LINING_MM` of soft tissue.
    open_to : str
        Side that the hole is open to (`SIDES`), or nothing.
    texture : float
        SD of the bone's trabecular texture, HU.
    metal : bool
        A metal crown beside the hole.
    """

    radii_mm: tuple[float, float] = (5.0, 5.0)
    waves: Sequence[tuple[int, float, float]] = ()
    thickness_mm: float = 3.0
    thinning: float = 0.2
    vault_mm: float = 35.0
    slope_deg: float = 6.0
    inside: str = "soft tissue"
    open_to: str = ""
    texture: float = 20.0
    metal: bool = False

    def middle(self, left: Array, posterior: Array) -> Array:
        """Return the height of the mid-surface, mm."""
        rise = np.tan(np.radians(self.slope_deg)) * posterior
        return np.asarray(rise - left**2 / (2 * self.vault_mm))

    def thickness(self, posterior: Array) -> Array:
        """Return the vertical thickness of the plate, mm."""
        share = 1 - self.thinning * np.clip(posterior, -20, 20) / 20
        return np.asarray(self.thickness_mm * share)

    def radius(self, angle: Array) -> Array:
        """Return the radius of the hole at angles from posterior to left, mm."""
        a, b = self.radii_mm
        plain = a * b / np.hypot(b * np.cos(angle), a * np.sin(angle))
        wave = sum(share * np.cos(k * angle + phase) for k, share, phase in self.waves)
        return np.asarray(plain * (1 + wave))

    @property
    def rim(self) -> Array:
        """The (n, 3) rim of the hole on the mid-surface, anatomical mm."""
        angle = 2 * np.pi * np.arange(RIM_CORNERS) / RIM_CORNERS
        radius = self.radius(angle)
        left, posterior = radius * np.sin(angle), radius * np.cos(angle)
        return np.stack([left, posterior, self.middle(left, posterior)], axis=1)

    @property
    def truth(self) -> Truth:
        """The sizes of the hole, by the definition of the measurement."""
        return _truth(self.rim)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """True sizes of a hole.

    Parameters
    ----------
    ap_mm, transverse_mm : float
        Greatest distances between two points of the rim in one sagittal and in one
        coronal plane.
    area_mm2 : float
        Inside the rim, projected on its plane of least squares.
    ap_ends : (2, 3) float64
        Anterior and posterior end, anatomical mm.
    """

    ap_mm: float
    transverse_mm: float
    area_mm2: float
    ap_ends: Array


def _truth(rim: Array) -> Truth:
    middle = rim.mean(axis=0)
    normal = np.linalg.svd(rim - middle)[2][2]
    normal = normal * np.sign(normal[2])
    left = np.array([1.0, 0.0, 0.0]) - normal[0] * normal
    left /= np.linalg.norm(left)
    frame = np.stack([np.cross(normal, left), left, normal])
    flat = (rim - middle) @ frame.T
    ends = [_widest(flat, axis) for axis in (0, 1)]
    after = np.roll(flat, -1, axis=0)
    twice = np.sum(flat[:, 0] * after[:, 1] - flat[:, 1] * after[:, 0])
    return Truth(
        ap_mm=float(np.linalg.norm(ends[0][1] - ends[0][0])),
        transverse_mm=float(np.linalg.norm(ends[1][1] - ends[1][0])),
        area_mm2=0.5 * abs(float(twice)),
        ap_ends=ends[0] @ frame + middle,
    )


def _widest(flat: Array, axis: int) -> Array:
    """Return the ends of the longest chord along an axis, (2, 3), lesser end first."""
    across = flat[:, 1 - axis]
    order = np.argsort(across)
    upper = flat[:, axis] > np.interp(across, across[order][[0, -1]], [0, 0])
    places = np.linspace(across.min(), across.max(), 801)[1:-1]
    sides = []
    for side in (~upper, upper):
        part = flat[side][np.argsort(across[side])]
        sides.append(
            np.stack(
                [np.interp(places, part[:, 1 - axis], part[:, k]) for k in range(3)], 1
            )
        )
    best = int(np.argmax(sides[1][:, axis] - sides[0][:, axis]))
    return np.stack([sides[0][best], sides[1][best]])


def _hole(palate: Palate) -> Shape:
    """Return the prism of the hole; its distance is first order."""

    def distance(points: Array) -> Array:
        left, posterior = points[0], points[1]
        angle = np.arctan2(left, posterior)
        radius = palate.radius(angle)
        turn = (palate.radius(angle + 1e-4) - palate.radius(angle - 1e-4)) / 2e-4
        level = np.hypot(left, posterior) - radius
        # Near the middle the angle says nothing: any negative number will do.
        slope = turn / np.maximum(np.hypot(left, posterior), 0.5 * radius)
        return np.asarray(level / np.sqrt(1 + slope**2))

    half, far = min(palate.radii_mm), 60.0
    canal = {
        "anterior": rounded_box((0, -far, 0), (half, far, np.inf)),
        "posterior": rounded_box((0, far, 0), (half, far, np.inf)),
        "left": rounded_box((far, 0, 0), (far, half, np.inf)),
        "right": rounded_box((-far, 0, 0), (far, half, np.inf)),
    }
    if palate.open_to:
        return remembered(union(distance, canal[palate.open_to]))
    return remembered(distance)


def parts(palate: Palate) -> tuple[Part, ...]:
    """Return the palate as layers to render."""
    hole = _hole(palate)

    def above(points: Array) -> Array:
        """Height over the mid-surface, across it."""
        lean = np.hypot(points[0] / palate.vault_mm, np.tan(np.radians(palate.slope_deg)))
        height = points[2] - palate.middle(points[0], points[1])
        return np.asarray(height / np.sqrt(1 + lean**2))

    def slab(points: Array) -> Array:
        lean = np.hypot(points[0] / palate.vault_mm, np.tan(np.radians(palate.slope_deg)))
        half = 0.5 * palate.thickness(points[1]) / np.sqrt(1 + lean**2)
        return np.asarray(np.abs(above(points)) - half)

    bounds = rounded_box((0, 0, 0), (HALF_WIDTH_MM + 3, HALF_LENGTH_MM, np.inf))
    plate = remembered(intersection(slab, bounds))
    rise = HALF_WIDTH_MM**2 / (2 * palate.vault_mm)
    ridge = mirrored(
        rounded_box(
            (HALF_WIDTH_MM + 2.5, 0, -rise - 3.0), (4.0, HALF_LENGTH_MM, 6.0), rounding=2
        )
    )
    behind = palate.radii_mm[0] + 4.0
    vomer = intersection(
        rounded_box((0, 0, 8), (0.8, HALF_LENGTH_MM, 9)),
        halfspace(1, behind, above=True),
    )
    bone = intersection(union(plate, ridge, vomer), complement(hole))
    half = 0.5 * palate.thickness_mm
    nose = intersection(
        lambda points: half + NASAL_MUCOSA_MM - above(points),
        rounded_box((0, 0, 10), (14, np.inf, np.inf), rounding=0),
        complement(grown(vomer, 1.0)),
    )
    mouth = intersection(
        lambda points: above(points) + half + ORAL_MUCOSA_MM,
        rounded_box((0, 0, 0), (12, HALF_LENGTH_MM, np.inf)),
    )
    layers = [
        Layer(shape=nose, tissue="air"),
        Layer(shape=mouth, tissue="air"),
        Layer(shape=bone, tissue="bone"),
        *_teeth(-rise - 8.0),
    ]
    if palate.inside == "air":
        lined = intersection(
            grown(hole, -LINING_MM), lambda points: np.abs(above(points)) - half - 4
        )
        layers.append(Layer(shape=lined, tissue="air"))
    if palate.metal:
        beside = palate.radii_mm[1] + 3.0
        crown = ellipsoid((beside, 0, -3), (2.5, 2.5, 3))
        layers.append(Layer(shape=crown, tissue="metal"))
    far = 200.0
    box = ((-far, -far, -far), (far, far, far))
    return (Part(name="palate", layers=tuple(layers), box=box),)


def _teeth(height: float) -> list[Layer]:
    layers = []
    for posterior in TEETH_POSTERIOR_MM:
        centre = (HALF_WIDTH_MM + 2.5, posterior, height)
        root = mirrored(ellipsoid(centre, (2.6, 2.8, 9.0)))
        crown = mirrored(ellipsoid((centre[0], posterior, height - 7.0), (3.4, 3.6, 4.0)))
        layers.append(Layer(shape=root, tissue="dentine"))
        layers.append(Layer(shape=crown, tissue="enamel"))
    return layers


def clean_image(
    palate: Palate,
    *,
    spacing_mm: Sequence[float],
    pose: Pose | None = None,
    blur_mm: float = 0.6,
    extent_mm: Sequence[float] = (50.0, 54.0, 34.0),
    subsamples: Sequence[int] = (3, 3, 3),
    grid: Grid | None = None,
) -> tuple[Array, Grid]:
    """Return a noise-free image of a palate, HU, and its grid around the hole.

    Parameters
    ----------
    spacing_mm : (slice, row, column)
        mm between voxels.
    pose : Pose, optional
        How the head lies; unturned, the hole at the origin, by default.
    blur_mm : float
        Sigma of the isotropic point spread.
    extent_mm : (x, y, z)
        mm that the image covers.
    grid : Grid, optional
        Where the voxels lie, in place of an even axial stack.
    """
    lying = pose or Pose.turned()
    grid = grid or straight_grid(extent_mm, spacing_mm, centre=(0.0, 0.0, -1.0))
    image = render(
        parts(palate),
        {**HOUNSFIELD, "bone": Level(HOUNSFIELD["bone"].mean, palate.texture)},
        grid,
        lying,
        background="soft tissue",
        psf_sigma_mm=(blur_mm, blur_mm, blur_mm),
        subsamples=subsamples,
    )
    return image, grid
