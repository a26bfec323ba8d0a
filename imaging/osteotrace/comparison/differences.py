"""How two series were made differently, and for which quantities that matters.

A repeatability coefficient holds for two readings made alike. Where they were not, a
change of the quantities concerned is shown and not judged. `MATTERS` says for each kind
of difference which quantities these are, why, and where that is known from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.codes import QUANTITIES
from osteotrace.comparison.records import Difference, DifferenceKind
from osteotrace.findings.staging_results import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from osteotrace.series.acquisition import Acquisition

# Values of voxels.
DENSITY: Final = (
    *("mean_value", "median_value", "value_sd", "minimum_value", "maximum_value"),
    *("attenuation", "mean_attenuation", "contrast_to_host"),
)
# What is about as thin as the blur of the image.
THIN: Final = (
    *("cortical_thickness", "cortical_breach_fraction", "breach_count", "breach_area"),
    *("trabecular_lucent_fraction", "sclerotic_rim_thickness", "lucent_rim_width"),
    *("sclerotic_rim_completeness", "periosteal_thickness", "periosteal_length"),
    "separated_fraction",
)
# What is summed over voxels, or counted among them.
VOLUMES: Final = (
    *("volume", "voxel_volume", "excess_density_volume", "gas_volume", "cement_volume"),
    *("edema_volume", "edema_percent", "bone_volume_left", "bone_volume_right"),
    *("asymmetry_index_volume", "body_volume", "fragment_count"),
)
# What follows the contrast of an MR image.
MR_SIGNAL: Final = ("edema_volume", "edema_percent", "signal_ratio_to_muscle", *DENSITY)
# Distances between places: they are in mm whatever the image shows.
LENGTHS: Final = (
    *("distance", "length", "width", "height", "long_axis", "short_axis"),
    *("line_length", "path_length", "length_as_drawn", "length_along_line"),
    *("length_perpendicular", "longest_diameter", "palatal_gap_ap"),
    *("palatal_gap_transverse", "palatal_gap_on_line", "soft_tissue_notch"),
    *("soft_tissue_shortening", "height_anterior", "height_middle"),
    *("height_posterior", "bone_width_left", "bone_width_right"),
    *("landmark_asymmetry", "premaxilla_depression", "endplate_depression_superior"),
    *("endplate_depression_inferior", "angle", "cobb_angle", "wedge_angle"),
    *("local_kyphosis", "segmental_kyphosis", "asymmetry_index"),
)
NOT_LENGTHS: Final = tuple(name for name in QUANTITIES if name not in LENGTHS)

# Slices, and voxels, that differ by more than this ratio are other ones; vendors round
# thickness to 0.1 mm.
THICKNESS_RATIO: Final = 1.2
# Volumes are read alike up to this ratio of the spacings.
VOLUME_RATIO: Final = 1.5
# Times of a sequence within this share are one sequence (sites adapt them to a patient).
TIME_SHARE: Final = 0.2
# Field strengths within this are one, T: 1.494 and 1.5 are written for one magnet.
FIELD_T: Final = 0.2
# Tube voltages within this are one, kV.
VOLTAGE_KV: Final = 1.0


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """For which quantities one kind of difference matters.

    Parameters
    ----------
    kind : str
        As in `Difference`.
    quantities : tuple of str
        Keys of `osteotrace.codes.QUANTITIES`; empty where it matters for none.
    reason : str
        Why, in words.
    source : str
        Where that is known from.
    evidence : str
        How it was checked, as in `osteotrace.findings.FiredRule`.
    modality : str
        Of which it is true; empty for every one.
    """

    kind: DifferenceKind
    quantities: tuple[str, ...]
    reason: str
    source: str
    evidence: Evidence
    modality: str = ""


_RESAMPLED: Final = "phantoms and resampled scans of this project (docs/change.md)"
MATTERS: Final[tuple[Matter, ...]] = (
    Matter(
        kind="modality",
        quantities=NOT_LENGTHS,
        reason="what is bright on one is not on the other: lengths alone compare",
        source="two methods on the same scans differ by 39-123 % in the volume of edema: "
        "10.1186/1471-2474-15-447",
        evidence="V",
    ),
    Matter(
        kind="kernel",
        quantities=(*DENSITY, *THIN),
        reason="a sharper kernel raises edges and noise: densities, and what is as thin "
        "as the blur, read differently",
        source=_RESAMPLED,
        evidence="D",
        modality="CT",
    ),
    Matter(
        kind="slice thickness",
        quantities=(*DENSITY, *THIN),
        reason="a thicker slice averages more tissue: densities, and what is as thin as "
        "the slice, read differently",
        source="mean HU of small fragments is 250-475 HU low by partial volume: "
        + _RESAMPLED,
        evidence="D",
    ),
    Matter(
        kind="voxels",
        quantities=(*VOLUMES, *THIN),
        reason="voxels over 1.5 times as large change what is summed and what is missed",
        source="20-24 of 30 fragments at slices of 2-3 mm, 27-30 at 1 mm: " + _RESAMPLED,
        evidence="D",
    ),
    Matter(
        kind="contrast",
        quantities=(*DENSITY, "signal_ratio_to_muscle", "edema_volume", "edema_percent"),
        reason="a contrast agent brightens what takes it up",
        source="general knowledge",
        evidence="K",
    ),
    Matter(
        kind="sequence",
        quantities=MR_SIGNAL,
        reason="another sequence shows edema by another contrast",
        source="Kieninger, BJR 2022;95:20211091, 10.1259/bjr.20211091: follow-up by the "
        "ratio on one sequence; two methods differ by 39-123 %: "
        "10.1186/1471-2474-15-447",
        evidence="V",
        modality="MR",
    ),
    Matter(
        kind="timing",
        quantities=MR_SIGNAL,
        reason="echo, repetition and inversion times set how bright edema is",
        source="general knowledge",
        evidence="K",
        modality="MR",
    ),
    Matter(
        kind="field strength",
        quantities=MR_SIGNAL,
        reason="relaxation times, and so signals, depend on the field",
        source="general knowledge",
        evidence="K",
        modality="MR",
    ),
    Matter(
        kind="tube voltage",
        quantities=DENSITY,
        reason="the density of bone in HU depends on the tube voltage",
        source="general knowledge",
        evidence="K",
        modality="CT",
    ),
    Matter(
        kind="device",
        quantities=DENSITY,
        reason="raw MR signal and CBCT grey values of two scanners never compare; "
        "lengths and volumes do",
        source="Guggenberger, Skeletal Radiol 2014;43:1669, 10.1007/s00256-014-1951-1",
        evidence="V",
    ),
)
_BY_KIND: Final = {one.kind: one for one in MATTERS}


def differences(
    earlier: Sequence[Acquisition], later: Sequence[Acquisition]
) -> tuple[Difference, ...]:
    """Return how two studies, or two series, were made differently.

    Parameters
    ----------
    earlier, later : sequence of Acquisition
        The series that were read. Each later one is compared with the earlier one of its
        modality that is most like it.

    Returns
    -------
    tuple of Difference
        Each once; what one of both does not state is no difference.
    """
    found: list[Difference] = []
    modalities = [sorted({one.modality for one in each}) for each in (earlier, later)]
    if modalities[0] != modalities[1] and all(modalities):
        found.append(_of_modalities(*modalities))
    for one in later:
        alike = [_of_two(other, one) for other in earlier if _comparable(other, one)]
        if alike:
            nearest = min(alike, key=lambda each: (_weight(each), len(each)))
            found += nearest
    return tuple(dict.fromkeys(found))


def _comparable(one: Acquisition, other: Acquisition) -> bool:
    return one.modality == other.modality


def _weight(found: Sequence[Difference]) -> int:
    """Return how much a pair of series differs: another sequence the most."""
    return sum(100 if one.kind == "sequence" else 1 for one in found)


def _of_modalities(earlier: list[str], later: list[str]) -> Difference:
    row = _BY_KIND["modality"]
    shared = set(earlier) & set(later)
    if shared:
        return Difference(
            kind="modality",
            earlier=", ".join(earlier),
            later=", ".join(later),
            reason=f"{', '.join(sorted(shared))} of both dates compare",
        )
    return Difference(
        kind="modality",
        earlier=", ".join(earlier),
        later=", ".join(later),
        matters_for=row.quantities,
        reason=row.reason,
    )


def _of_two(earlier: Acquisition, later: Acquisition) -> list[Difference]:
    """Return how two series of one modality differ."""
    found = [one for look in _LOOKS for one in look(earlier, later)]
    return [
        one
        for one in found
        if _BY_KIND[one.kind].modality in ("", later.modality)
        or later.modality not in ("CT", "MR")
    ]


def _difference(kind: DifferenceKind, said: tuple[str, str], modality: str) -> Difference:
    earlier, later = said
    row = _BY_KIND[kind]
    return Difference(
        kind=kind,
        earlier=earlier,
        later=later,
        modality=modality,
        matters_for=row.quantities,
        reason=row.reason,
    )


def _kernel(one: Acquisition, other: Acquisition) -> Iterable[Difference]:
    if one.kernel and other.kernel and one.kernel != other.kernel:
        yield _difference("kernel", (one.kernel, other.kernel), other.modality)


def _thickness(one: Acquisition, other: Acquisition) -> Iterable[Difference]:
    before, after = one.slice_thickness_mm, other.slice_thickness_mm
    if _ratio(before, after) > THICKNESS_RATIO:
        said = f"{before:g} mm", f"{after:g} mm"
        yield _difference("slice thickness", said, other.modality)


def _voxels(one: Acquisition, other: Acquisition) -> Iterable[Difference]:
    if one.spacing_mm is None or other.spacing_mm is None:
        return
    ratios = map(_ratio, one.spacing_mm, other.spacing_mm)
    largest = max(ratios)
    if largest > THICKNESS_RATIO:
        sizes = _size(one.spacing_mm), _size(other.spacing_mm)
        found = _difference("voxels", sizes, other.modality)
        if largest <= VOLUME_RATIO:
            found = msgspec.structs.replace(
                found, matters_for=(), reason="up to 1.5 times as large: read alike"
            )
        yield found


def _contrast(one: Acquisition, other: Acquisition) -> Iterable[Difference]:
    if bool(one.contrast_agent) != bool(other.contrast_agent):
        none = "none named"
        said = one.contrast_agent or none, other.contrast_agent or none
        yield _difference("contrast", said, other.modality)


def _sequence(one: Acquisition, other: Acquisition) -> Iterable[Difference]:
    pairs = (
        (one.weighting, other.weighting),
        (
            _fluid(one.fluid_sensitive),
            _fluid(other.fluid_sensitive),
        ),
        ("\\".join(one.scanning_sequence), "\\".join(other.scanning_sequence)),
    )
    for before, after in pairs:
        if before and after and before != after:
            yield _difference("sequence", (before, after), other.modality)
            return


def _fluid(sensitive: bool | None) -> str:
    return {None: "", True: "fluid-sensitive", False: "not fluid-sensitive"}[sensitive]


def _timing(one: Acquisition, other: Acquisition) -> Iterable[Difference]:
    times = (
        ("TE", one.echo_time_ms, other.echo_time_ms),
        ("TR", one.repetition_time_ms, other.repetition_time_ms),
        ("TI", one.inversion_time_ms, other.inversion_time_ms),
    )
    apart = [row for row in times if _ratio(row[1], row[2]) > 1 + TIME_SHARE]
    if apart:
        before = ", ".join(f"{name} {first:g} ms" for name, first, _ in apart)
        after = ", ".join(f"{name} {last:g} ms" for name, _, last in apart)
        yield _difference("timing", (before, after), other.modality)


def _field(one: Acquisition, other: Acquisition) -> Iterable[Difference]:
    fields = one.field_strength_t, other.field_strength_t
    if fields[0] and fields[1] and abs(fields[0] - fields[1]) > FIELD_T:
        said = f"{fields[0]:g} T", f"{fields[1]:g} T"
        yield _difference("field strength", said, other.modality)


def _voltage(one: Acquisition, other: Acquisition) -> Iterable[Difference]:
    if one.kvp and other.kvp and abs(one.kvp - other.kvp) > VOLTAGE_KV:
        said = f"{one.kvp:g} kV", f"{other.kvp:g} kV"
        yield _difference("tube voltage", said, other.modality)


def _device(one: Acquisition, other: Acquisition) -> Iterable[Difference]:
    if one.device and other.device and one.device.lower() != other.device.lower():
        yield _difference("device", (one.device, other.device), other.modality)


_LOOKS: Final[tuple[Callable[[Acquisition, Acquisition], Iterable[Difference]], ...]] = (
    *(_kernel, _thickness, _voxels, _voltage, _contrast, _sequence, _timing, _field),
    _device,
)


def _ratio(one: float | None, other: float | None) -> float:
    """Return how many times the smaller the larger is; 1 where one is not known."""
    if not one or not other or min(one, other) <= 0:
        return 1.0
    return max(one, other) / min(one, other)


def _size(spacing: Sequence[float]) -> str:
    return " × ".join(f"{mm:.2g}" for mm in spacing) + " mm"


def in_words(one: Difference) -> str:
    """Return a difference as sentences name it, e.g. ``"kernel B70f, then B30f"``."""
    of = f"{one.modality} " if one.modality else ""
    return f"{of}{one.kind} {one.earlier}, then {one.later}"
