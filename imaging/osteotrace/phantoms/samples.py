"""The sample cases as DICOM folders with their truth beside them.

A case folder is there whole or not at all; what exists is compared, never replaced.
"""

from __future__ import annotations

import filecmp
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.errors import OsteotraceError
from osteotrace.phantoms.cases import CASES, image, phantom_case
from osteotrace.phantoms.dicom_series import write_ct_series, write_mr_series
from osteotrace.phantoms.ground_truth import CaseTruth, TrueFinding, truth
from osteotrace.phantoms.label_series import label_of, write_label_series
from osteotrace.phantoms.sample_facts import facts_toml
from osteotrace.phantoms.sample_protocols import protocol_toml
from osteotrace.records.store import new_folder, write_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TRUTH_FILE: Final = "truth.json"
README_FILE: Final = "README.md"
PROTOCOLS: Final = "protocols"
FACTS: Final = "facts"
_WRITERS: Final = {"CT": write_ct_series, "MR": write_mr_series}


class SampleTruth(msgspec.Struct, frozen=True, kw_only=True):
    """The content of truth.json: every case, those not written here included."""

    about: str
    coordinates: str
    cases: dict[str, CaseTruth]


def write_case(
    folder: Path, name: str, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write the series of one case into an existing folder, one subfolder each.

    ``progress`` is called with the number of series written and the number of all.
    """
    case = phantom_case(name)
    tell = progress or (lambda done, total: None)
    tell(0, len(case.scans))
    for number, scan in enumerate(case.scans, 1):
        voxels = image(case, scan)
        images = _WRITERS[scan.modality](
            folder / scan.label.name, voxels, scan.grid, scan.label
        )
        if scan.segments():
            write_label_series(folder / label_of(scan.label).name, scan, images)
        tell(number, len(case.scans))


def write_samples(
    folder: str | os.PathLike[str], cases: Iterable[str] | None = None
) -> tuple[Path, ...]:
    """Write sample cases, a protocol and facts for each, truth.json and README.md.

    Writing again over the same content changes nothing.

    Parameters
    ----------
    folder : path
        Made where it does not exist.
    cases : iterable of str, optional
        Names from `CASES`; all of them when left out.

    Returns
    -------
    tuple of Path
        The case folders.

    Raises
    ------
    OsteotraceError
        If a name is unknown, or something else is already there.
    """
    folder = Path(folder)
    names = tuple(CASES if cases is None else cases)
    for name in names:
        phantom_case(name)
    documents = {TRUTH_FILE: truth_json(), README_FILE: readme()}
    for name in names:
        documents[f"{PROTOCOLS}/{name}.toml"] = protocol_toml(name)
        documents[f"{FACTS}/{name}.toml"] = facts_toml(name)
    for file, text in documents.items():
        path = folder / file
        if os.path.lexists(path) and path.read_bytes() != text.encode():
            raise _different(path)
    for name in names:
        _write_or_compare(folder / name, name)
    for file, text in documents.items():
        if not (folder / file).exists():
            write_once(folder / file, text.encode())
    return tuple(folder / name for name in names)


def _write_or_compare(path: Path, name: str) -> None:
    if not os.path.lexists(path):
        with new_folder(path) as draft:
            write_case(draft, name)
        return
    with tempfile.TemporaryDirectory(prefix="osteotrace-") as temporary:
        write_case(Path(temporary), name)
        if not _same_content(path, Path(temporary)):
            raise _different(path)


def _same_content(first: Path, second: Path) -> bool:
    files = [
        sorted(p.relative_to(root) for p in root.rglob("*") if not p.is_dir())
        for root in (first, second)
    ]
    return files[0] == files[1] and all(
        filecmp.cmp(first / file, second / file, shallow=False) for file in files[0]
    )


def _different(path: Path) -> OsteotraceError:
    return OsteotraceError(
        "something else of that name",
        expected="a place without it, or the sample itself",
        advice="choose another folder, or move the old one away",
        where=str(path),
        usage=True,
    )


def truth_json() -> str:
    """Return truth.json: every known value, with its place, of every case."""
    known = SampleTruth(
        about=f"Synthetic phantoms by osteotrace. {RESEARCH_USE_SHORT}",
        coordinates="patient LPS mm of the named frame of reference",
        cases={name: truth(name) for name in CASES},
    )
    return msgspec.json.format(msgspec.json.encode(known), indent=2).decode() + "\n"


def readme() -> str:
    """Return the README of the sample folder, with the expected values."""
    rows = []
    scans = []
    for name in CASES:
        known = truth(name)
        for quantity, length in known.quantities.items():
            series = known.series[length.modality]
            rows.append(
                f"| `{name}` | {quantity.replace('_', ' ')} | {series.modality} "
                f"| {length.value:.2f} {length.unit} ± {length.tolerance:.2f} |"
            )
        rows += [
            f"| `{name}` | {label} ({finding.kind.replace('_', ' ')}) "
            f"| {finding.modality} | {_values(finding)} |"
            for label, finding in known.findings.items()
        ]
        for series in known.series.values():
            scans.append(_series_row(series.folder, name, series.modality))
    return _README.format(
        research_use=RESEARCH_USE_SHORT, values="\n".join(rows), scans="\n".join(scans)
    )


def _values(finding: TrueFinding) -> str:
    return "; ".join(
        f"{name.replace('_', ' ')} {known.value:.4g} {_UNIT_WORDS.get(known.unit, '')} "
        f"± {known.tolerance:.2g}".replace("  ", " ")
        for name, known in finding.values.items()
    )


# Units as the README prints them.
_UNIT_WORDS: Final = {"mm": "mm", "mm2": "mm²", "mm3": "mm³", "%": "%", "deg": "°"}


def _series_row(folder: str, name: str, modality: str) -> str:
    scan = phantom_case(name).scan(modality)
    between, rows, columns = (f"{value:g}" for value in scan.grid.spacing)
    blur = " × ".join(f"{sigma:.2f}" for sigma in scan.psf_sigma_mm)
    unit = "HU" if modality == "CT" else "of signal"
    return (
        f"| `{folder}` | {between} × {rows} × {columns} | {blur} "
        f"| {scan.noise_sd:g} {unit} |"
    )


_README: Final = """\
# Sample cases

Synthetic DICOM studies with known lengths, computed from analytic shapes: no patient,
no scanner. {research_use}

| case | quantity or finding | images | true value ± how near a reading should come |
|---|---|---|---|
{values}

A gap is the perpendicular distance between two flat parallel walls.
[truth.json](truth.json) holds, for every value, its definition, and where it lies in
patient LPS mm: centres and normals of walls, rough points as a reader would click them
(1 to 2 mm off), balls around regions, labels of segments, and the UIDs of series and
frame of reference. A folder that ends in `-labels` holds the true masks of the series
beside it as a DICOM Segmentation. Another date is another study, with its own frames of
reference and another pose. `protocols` holds, for every case here, what to measure:
`osteotrace measure CASE --protocol protocols/CASE.toml --out DIR`. `facts` holds what is
stated of each patient, reduced from the case report that the phantom follows, at the
dates of the synthetic studies: `osteotrace stage DIR --facts facts/CASE.toml`.

| series | mm between slices × rows × columns | point spread, sigma mm | noise, SD |
|---|---|---|---|
{scans}

Voxels are means over their own box, blurred by a Gaussian point spread of the sigma
given (slice × row × column); the noise is spatially correlated, and Rician on MR. CT
and MR are in frames of reference of their own, with the head in slightly different
poses. In the maxilla the bony defect is filled with soft tissue; the notch in the soft
tissue below it is packed with gauze, which is dark on MR.

Write the cases again with `osteotrace samples DIR`: under the versions in
constraints.txt the bytes are the same; elsewhere within one stored unit.
"""
