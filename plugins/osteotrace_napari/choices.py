"""What a reader may choose from in the form, and the words each is found by.

Keys are those of the vocabulary; the first word is shown, the others only find it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from osteotrace.codes import CERTAINTIES, KINDS, LATERALITIES, PRESENCES, SITES
from osteotrace_napari import wording

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osteotrace.codes import Concept


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a field.

    Parameters
    ----------
    key : str
        Of the vocabulary.
    words : str
        What is shown.
    synonyms : tuple of str
        What else it is found by.
    """

    key: str
    words: str
    synonyms: tuple[str, ...] = ()

    @property
    def search(self) -> str:
        """Everything it is found by, the key included."""
        return " · ".join((self.words, *self.synonyms, self.key.replace("_", " ")))


_SITE_SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    "hard_palate": ("bony palate", "roof of the mouth"),
    "soft_palate": ("velum",),
    "maxilla": ("upper jaw",),
    "mandible": ("lower jaw",),
    "jaw": ("upper or lower jaw",),
    "alveolar_process_of_maxilla": ("upper alveolar ridge", "upper alveolus"),
    "alveolar_process_of_mandible": ("lower alveolar ridge", "lower alveolus"),
    "maxillary_sinus": ("antrum", "Highmore"),
    "temporomandibular_joint": ("TMJ",),
    "zygoma": ("cheek bone", "malar"),
    "premaxilla": ("intermaxillary bone", "incisive bone"),
    "condyle_of_mandible": ("condylar process", "mandibular head"),
    "ramus_of_mandible": ("ascending ramus",),
    "body_of_mandible": ("corpus mandibulae", "horizontal ramus"),
    "skull": ("cranium", "calvaria"),
    "spine": ("vertebral column",),
    "sacrum": ("S1", "S2", "S3", "S4", "S5"),
    "coccyx": ("tail bone",),
    "clavicle": ("collar bone",),
    "scapula": ("shoulder blade",),
    "sternum": ("breast bone",),
    "patella": ("knee cap",),
    "tibia": ("shin bone",),
    "femur": ("thigh bone",),
    "calcaneus": ("heel bone",),
    "talus": ("ankle bone",),
    "carpus": ("wrist",),
    "pubic_symphysis": ("pubic symphysis",),
    "sacroiliac_joint": ("SI joint", "SIJ"),
    "proximal_femur": ("femoral neck", "femoral head", "hip"),
    "unspecified": ("unknown",),
}
_KIND_SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    "sequestrum": ("dead bone", "necrotic fragment"),
    "moth_eaten": ("permeative", "motheaten", "bone destruction"),
    "osteolysis": ("lytic lesion", "lucency"),
    "irregular_cortex": ("cortical breach", "erosion"),
    "gas": ("air",),
    "fistula": ("sinus tract",),
    "palatal_bony_defect": ("palatal gap", "palate defect"),
    "involucrum": ("new bone shell",),
    "marrow_edema": ("BME", "oedema", "osteitis"),
    "soft_tissue_edema": ("oedema", "swelling"),
    "diffuse_sclerosis": ("osteosclerosis",),
    "facial_asymmetry": ("jaw asymmetry",),
    "vcf": ("VCF", "wedge fracture", "vertebral fracture", "collapse"),
    "endplate_depression": ("Schmorl", "biconcave"),
    "cement": ("PMMA", "vertebroplasty", "kyphoplasty"),
    "intravertebral_cleft": ("Kümmell", "vacuum"),
    "oroantral_communication": ("OAC", "oro-nasal"),
    "lymphadenopathy": ("lymph node",),
    "region": ("HU", "density", "ROI"),
    "vertebra": ("vertebral body",),
}


def _choices(
    concepts: Mapping[str, Concept],
    synonyms: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[Choice, ...]:
    return tuple(
        Choice(key, concept.meaning, (synonyms or {}).get(key, ()))
        for key, concept in concepts.items()
    )


KIND_CHOICES: Final = _choices(KINDS, _KIND_SYNONYMS)
SITE_CHOICES: Final = _choices(SITES, _SITE_SYNONYMS)
SIDE_CHOICES: Final = (Choice("", wording.NO_SIDE), *_choices(LATERALITIES))
CERTAINTY_CHOICES: Final = _choices(CERTAINTIES)
PRESENCE_CHOICES: Final = (
    Choice("present", PRESENCES["present"].meaning),
    Choice("absent", "Looked for and absent", (PRESENCES["absent"].meaning,)),
    Choice("unknown", "Unknown", (PRESENCES["unknown"].meaning,)),
)


def matching(choices: Sequence[Choice], typed: str) -> Choice | None:
    """Return the choice that typed words mean: itself, its synonym, or the first like it.

    None where nothing is like it.
    """
    sought = " ".join(typed.split()).casefold()
    if not sought:
        return next((choice for choice in choices if not choice.key), None)
    exact = [c for c in choices if sought in map(str.casefold, (c.words, *c.synonyms))]
    begun = [c for c in choices if c.words.casefold().startswith(sought)]
    held = [c for c in choices if sought in c.search.casefold()]
    return next(iter([*exact, *begun, *held]), None)
