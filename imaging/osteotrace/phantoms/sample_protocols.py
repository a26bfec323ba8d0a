"""A protocol for each sample case: what to measure, from the rough marks of its truth.

The text of a TOML file that `osteotrace.protocol` reads. Marks are those that truth.json
gives: up to 2 mm off the edges, balls around lesions, labels of the case's own masks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osteotrace.phantoms.ground_truth import truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osteotrace.phantoms.ground_truth import CaseTruth, TrueFinding, TrueLength

Table = tuple[str, dict[str, Any]]

# How a gap of the truth is asked for.
_GAPS: Final = {
    "palatal_gap": {
        "kind": "palatal_bony_defect",
        "site": "hard_palate",
        "quantity": "palatal_gap_ap",
        "between": "gap",
        "walls": "bone",
    },
    "soft_tissue_gap": {
        "kind": "soft_tissue_defect",
        "site": "premaxilla",
        "quantity": "soft_tissue_notch",
        "between": "gap",
    },
}


def protocol_toml(name: str) -> str:
    """Return the protocol of a sample case; raises as `truth`."""
    case = truth(name)
    lines = [
        f"# What is known of the sample case {name}, measured from rough marks.",
        f"name = {_written(name)}",
        f"description = {_written(case.title)}",
    ]
    for table, keys in tables(case):
        lines += ["", f"[[{table}]]"]
        lines += [f"{key} = {_written(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def tables(case: CaseTruth) -> Iterator[Table]:
    """Yield the entries of a case: name of the table, and its keys."""
    for name, length in case.quantities.items():
        yield "caliper", _gap(name, length)
    cemented = {f.site for f in case.findings.values() if f.kind == "cement"}
    for label, finding in case.findings.items():
        made = (
            _ENTRIES[finding.kind](label, finding) if finding.kind in _ENTRIES else None
        )
        if made is None:
            continue
        if made[0] == "vertebra":
            made[1]["cemented"] = finding.site in cemented
        yield made


def _gap(name: str, length: TrueLength) -> dict[str, Any]:
    start, end = (edge.rough_point_lps_mm for edge in length.edges)
    return {
        "label": name,
        "modality": length.modality,
        "frame_of_reference_uid": length.frame_of_reference_uid,
        **_GAPS[name],
        "start": start,
        "end": end,
    }


def _common(label: str, finding: TrueFinding) -> dict[str, Any]:
    keys = {
        "label": label,
        "modality": finding.modality,
        "frame_of_reference_uid": finding.frame_of_reference_uid,
        "kind": finding.kind,
        "site": finding.site,
        "laterality": finding.laterality,
    }
    return {key: value for key, value in keys.items() if value}


def _ball(finding: TrueFinding, role: str) -> dict[str, Any]:
    ball = finding.balls[role]
    return {"centre": ball.centre_lps_mm, "radius": ball.radius_mm}


def _label(finding: TrueFinding, role: str) -> dict[str, Any]:
    return {"label": finding.segments[role]}


def _palatal_defect(label: str, finding: TrueFinding) -> Table:
    points = finding.rough_points_lps_mm
    keys = {"start": points["start"], "end": points["end"]}
    return "palatal_defect", {**_common(label, finding), **keys}


def _sequestra(label: str, finding: TrueFinding) -> Table | None:
    # One entry looks for all of them; its fragments are findings of their own.
    if "fragment_count" not in finding.values:
        return None
    region = _ball(finding, "region")
    return "sequestra", {**_common(label, finding), "region": region}


def _gas(label: str, finding: TrueFinding) -> Table:
    return "gas", {**_common(label, finding), "region": _ball(finding, "region")}


def _moth_eaten(label: str, finding: TrueFinding) -> Table:
    keys = {role: _ball(finding, role) for role in ("region", "reference")}
    return "moth_eaten", {**_common(label, finding), **keys}


def _rim(label: str, finding: TrueFinding) -> Table:
    return "sclerotic_rim", {
        **_common(label, finding),
        "lesion": _label(finding, "lesion"),
    }


def _periosteum(label: str, finding: TrueFinding) -> Table:
    return "periosteal_reaction", {
        **_common(label, finding),
        "region": _ball(finding, "region"),
    }


def _vertebra(label: str, finding: TrueFinding) -> Table:
    keys = {
        "level": finding.site.upper(),
        "body": _label(finding, "body"),
        "fractured": finding.kind == "vcf",
    }
    return "vertebra", {**_common(label, finding), **keys}


def _cement(label: str, finding: TrueFinding) -> Table:
    keys = {"region": _ball(finding, "region"), "body": _label(finding, "body")}
    return "cement", {**_common(label, finding), **keys}


def _edema(label: str, finding: TrueFinding) -> Table:
    # No edema, no region: it was looked for, and there is nothing to measure.
    if "edema" not in finding.segments:
        return "absent", _common(label, finding)
    keys = {
        key: _label(finding, role)
        for key, role in (
            ("edema", "edema"),
            ("bone", "body"),
            ("bone", "bone"),
            ("muscle", "muscle"),
        )
        if role in finding.segments
    }
    return "marrow_edema", {**_common(label, finding), **keys}


def _expansion(label: str, finding: TrueFinding) -> Table:
    keys = {side: _label(finding, side) for side in ("left", "right")}
    return "expansion", {**_common(label, finding), **keys}


_ENTRIES: Final[dict[str, Callable[[str, TrueFinding], Table | None]]] = {
    "palatal_bony_defect": _palatal_defect,
    "sequestrum": _sequestra,
    "gas": _gas,
    "moth_eaten": _moth_eaten,
    "sclerotic_rim": _rim,
    "periosteal_reaction": _periosteum,
    "vertebra": _vertebra,
    "vcf": _vertebra,
    "cement": _cement,
    "marrow_edema": _edema,
    "bone_expansion": _expansion,
}


def _written(value: object) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_written(of)}" for key, of in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    return f"{value:.2f}"
