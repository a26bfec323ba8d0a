"""Names of labels: as other programs write them, and as osteotrace calls the same thing.

A standard name is a level (``"L1"``: the whole vertebra), a level and its part (``"L1
body"``, ``"L1 disc"``: the one below it, ``"L1 endplate"``), or a structure (``"vertebral
body"``, ``"sacrum"``, ``"left femur"``). What is not known here has no standard name;
nothing is guessed from a part of a text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from osteotrace.codes import SITES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Six lumbar and thirteen thoracic vertebrae are met with.
LEVELS: Final = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 14)),
    *(f"L{n}" for n in range(1, 7)),
    *(f"S{n}" for n in range(1, 7)),
)
_USUAL: Final = tuple(level for level in LEVELS[:25] if level != "T13")

# Numbers and class names of TotalSegmentator 2, as its class_map states them
# (github.com/wasserth/TotalSegmentator, totalsegmentator/map_to_binary.py, read from
# its copy of 2025; Apache-2.0): what lies in or beside bone.
_TOTAL: Final = {
    25: "sacrum",
    26: "vertebrae_S1",
    **{27 + k: f"vertebrae_{level}" for k, level in enumerate(reversed(_USUAL))},
    69: "humerus_left", 70: "humerus_right", 71: "scapula_left", 72: "scapula_right",
    73: "clavicula_left", 74: "clavicula_right", 75: "femur_left", 76: "femur_right",
    77: "hip_left", 78: "hip_right", 79: "spinal_cord",
    80: "gluteus_maximus_left", 81: "gluteus_maximus_right",
    82: "gluteus_medius_left", 83: "gluteus_medius_right",
    84: "gluteus_minimus_left", 85: "gluteus_minimus_right",
    86: "autochthon_left", 87: "autochthon_right",
    88: "iliopsoas_left", 89: "iliopsoas_right", 91: "skull",
    **{91 + n: f"rib_left_{n}" for n in range(1, 13)},
    **{103 + n: f"rib_right_{n}" for n in range(1, 13)},
    116: "sternum", 117: "costal_cartilages",
}  # fmt: skip
_VERTEBRAE_MR: Final = {
    1: "sacrum",
    **{2 + k: f"vertebrae_{level}" for k, level in enumerate(reversed(_USUAL))},
}
_TOTAL_MR: Final = {
    18: "sacrum", 19: "vertebrae", 20: "intervertebral_discs", 21: "spinal_cord",
    30: "humerus_left", 31: "humerus_right", 32: "scapula_left", 33: "scapula_right",
    34: "clavicula_left", 35: "clavicula_right", 36: "femur_left", 37: "femur_right",
    38: "hip_left", 39: "hip_right", 46: "autochthon_left", 47: "autochthon_right",
    48: "iliopsoas_left", 49: "iliopsoas_right",
}  # fmt: skip
# Bodies level by level: its spine report says "vertebrae_pp_refined contains per-vertebra
# body segmentations (C1-L5)"; the names in the file are those of whole vertebrae.
_BODIES: Final = {k: f"vertebrae_{level} body" for k, level in enumerate(_USUAL, 1)}

# Numbers and names of TPTBox (github.com/Hendrik-code/TPTBox, TPTBox/core/
# vert_constants.py, enumerations Vertebra_Instance and Location; Apache-2.0).
_TPTBOX_LEVELS: Final = {
    **dict(enumerate(_USUAL, 1)),
    25: "L6", 26: "S1", 27: "Cocc", 28: "T13",
    **{27 + n: f"S{n}" for n in range(2, 7)},
}  # fmt: skip
_TPTBOX_VERTEBRAE: Final = {
    **_TPTBOX_LEVELS,
    **{100 + n: f"{level}_ivd" for n, level in _TPTBOX_LEVELS.items()},
    **{200 + n: f"{level}_endplate" for n, level in _TPTBOX_LEVELS.items()},
}
_TPTBOX_SUBREGIONS: Final = {
    26: "sacrum", 40: "Vertebra_Full", 41: "Arcus_Vertebrae", 42: "Spinosus_Process",
    43: "Costal_Process_Left", 44: "Costal_Process_Right",
    45: "Superior_Articular_Left", 46: "Superior_Articular_Right",
    47: "Inferior_Articular_Left", 48: "Inferior_Articular_Right",
    49: "Vertebra_Corpus_border", 50: "Vertebra_Corpus", 60: "Spinal_Cord",
    61: "Spinal_Canal", 62: "Endplate", 63: "Rib_Left", 64: "Rib_Right",
    100: "Vertebra_Disc",
}  # fmt: skip

# What a number stands for in files that name nothing themselves, by program and task.
TABLES: Final[dict[str, Mapping[int, str]]] = {
    "totalsegmentator total": _TOTAL,
    "totalsegmentator total_mr": _TOTAL_MR,
    "totalsegmentator vertebrae_mr": _VERTEBRAE_MR,
    "totalsegmentator vertebrae_body": {1: "vertebrae_body", 2: "intervertebral_discs"},
    "totalsegmentator vertebrae_pp_refined": _BODIES,
    "tptbox vertebrae": _TPTBOX_VERTEBRAE,
    "tptbox subregions": _TPTBOX_SUBREGIONS,
}
# Parts of file names by which those programs tell their outputs apart.
FILE_NAMES: Final[dict[str, str]] = {
    "vertebrae_pp_refined": "totalsegmentator vertebrae_pp_refined",
    "seg-vert_": "tptbox vertebrae",
    "seg-subreg_": "tptbox subregions",
}

# Words of a name, in any order, after its level and side.
_PARTS: Final[dict[frozenset[str], str]] = {
    frozenset(words.split()): part
    for words, part in {
        "": "", "vertebra": "", "vertebrae": "", "vertebra full": "",
        "body": "body", "vertebra body": "body", "vertebrae body": "body",
        "vertebral body": "body", "corpus": "body", "vertebra corpus": "body",
        "vertebra corpus border": "body",
        "disc": "disc", "disk": "disc", "ivd": "disc", "intervertebral disc": "disc",
        "intervertebral discs": "disc", "intervertebral disk": "disc",
        "vertebra disc": "disc", "endplate": "endplate",
    }.items()
}  # fmt: skip
# What the parts are called where no level is given.
_WITHOUT_LEVEL: Final = {
    "": "vertebra", "body": "vertebral body", "disc": "disc", "endplate": "endplate",
}  # fmt: skip
_STRUCTURES: Final[dict[frozenset[str], str]] = {
    frozenset(words.split()): structure
    for words, structure in {
        "sacrum": "sacrum", "cocc": "coccyx", "coccyx": "coccyx",
        "spinal cord": "spinal cord", "spinal canal": "spinal canal",
        "arcus vertebrae": "vertebral arch", "vertebral arch": "vertebral arch",
        "spinosus process": "spinous process", "spinous process": "spinous process",
        "costal process": "costal process",
        "superior articular": "superior articular process",
        "inferior articular": "inferior articular process",
        "mandible": "mandible", "maxilla": "maxilla", "skull": "skull",
        "premaxilla": "premaxilla", "zygoma": "zygoma",
        "hard palate": "hard palate", "soft palate": "soft palate",
        "sinus maxillary": "maxillary sinus", "teeth upper": "upper teeth",
        "teeth lower": "lower teeth", "clavicula": "clavicle", "clavicle": "clavicle",
        "scapula": "scapula", "humerus": "humerus", "radius": "radius", "ulna": "ulna",
        "hip": "hip bone", "hip bone": "hip bone", "femur": "femur", "tibia": "tibia",
        "fibula": "fibula", "patella": "patella", "sternum": "sternum", "rib": "rib",
        "costal cartilages": "costal cartilage", "iliopsoas": "iliopsoas muscle",
        "autochthon": "autochthonous back muscle",
        "gluteus maximus": "gluteus maximus muscle",
        "gluteus medius": "gluteus medius muscle",
        "gluteus minimus": "gluteus minimus muscle",
    }.items()
}  # fmt: skip
_SIDES: Final = ("left", "right")
# Sites of findings (`osteotrace.codes.SITES`) whose name differs from the structure's.
_SITES: Final = {
    "hip bone": "pelvis", "vertebral body": "spine", "vertebra": "spine", "disc": "spine",
    "endplate": "spine", "vertebral arch": "spine", "hard palate": "hard_palate",
    "soft palate": "soft_palate", "maxillary sinus": "maxillary_sinus",
}  # fmt: skip
_WORDS: Final = re.compile(r"[^\W_]+")


def standard_name(name: str) -> str:
    """Return what osteotrace calls a label of some name; empty where it is unknown.

    Every word of the name must be understood: ``"T2"`` is a vertebra, ``"T2 lesion"``
    is none.

    Examples
    --------
    >>> standard_name("vertebrae_L1"), standard_name("T12-L1 disc"), standard_name("T2w")
    ('L1', 'T12 disc', '')
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    levels = [word.upper() for word in words if word.upper() in LEVELS]
    sides = [word for word in words if word in _SIDES]
    numbers = [word for word in words if word.isdecimal()]
    known = {*sides, *numbers, *(level.lower() for level in levels)}
    rest = frozenset(word for word in words if word not in known)
    if len(sides) > 1 or len(numbers) > 1 or not words:
        return ""
    if rest in _PARTS and not sides and not numbers:
        return _of_level(levels, _PARTS[rest])
    structure = _STRUCTURES.get(rest, "")
    # Of all structures only ribs are numbered.
    if levels or not structure or (numbers and structure != "rib"):
        return ""
    return " ".join([*sides, structure, *(str(int(number)) for number in numbers)])


def _of_level(levels: list[str], part: str) -> str:
    if not levels:
        return _WITHOUT_LEVEL[part]
    if len(levels) == 2 and part == "disc" and _are_neighbours(*levels):
        return f"{levels[0]} disc"
    return " ".join([levels[0], part]).strip() if len(levels) == 1 else ""


def _are_neighbours(upper: str, lower: str) -> bool:
    """Tell whether one level can lie right below another one."""
    # T11, T12 or T13 can be the last of its kind, as can L4, L5 and L6.
    lasts = {"T1": ("C7",), "L1": ("T11", "T12", "T13"), "S1": ("L4", "L5", "L6")}
    if upper in lasts.get(lower, ()):
        return True
    return upper[0] == lower[0] and int(lower[1:]) == int(upper[1:]) + 1


def standard_name_of_codes(codes: Iterable[tuple[str, str]]) -> str:
    """Return the standard name of the first code that names a site, else nothing.

    Parameters
    ----------
    codes : iterable of (scheme, value)
        Such as ``("SCT", "66794005")``, the first lumbar vertebra.
    """
    for scheme, value in codes:
        for site, concept in SITES.items():
            if (concept.scheme, concept.value) == (scheme, value):
                return site.upper() if site.upper() in LEVELS else site.replace("_", " ")
    return ""


def site_of(standard: str) -> tuple[str, str]:
    """Return the site of a finding in a label, and its side.

    Parameters
    ----------
    standard : str
        A standard name.

    Returns
    -------
    site, laterality : str
        Short names of `osteotrace.codes.SITES` and `LATERALITIES`; either may be empty.

    Examples
    --------
    >>> site_of("L1 body"), site_of("left femur")
    (('l1', ''), ('femur', 'left'))
    """
    words = standard.split()
    side = words.pop(0) if words and words[0] in _SIDES else ""
    if words and words[0] in LEVELS:
        place = words[0].lower()
    else:
        if words and words[-1].isdecimal():
            words.pop()
        structure = " ".join(words)
        place = _SITES.get(structure, structure)
    sacral = re.fullmatch(r"s\d", place) is not None
    return ("sacrum" if sacral else place if place in SITES else ""), side


def table_for(file_name: str) -> str:
    """Return the table that a file's own name points to, empty where there is none.

    Examples
    --------
    >>> table_for("sub-01_seg-vert_msk.nii.gz")
    'tptbox vertebrae'
    """
    for part, table in FILE_NAMES.items():
        if part in file_name:
            return table
    return ""
