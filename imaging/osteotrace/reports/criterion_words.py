"""Criteria, facts and kinds of findings as people call them, in place of their keys.

Records and JSON keep the keys; lines that people read have these words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from osteotrace.codes import FACTS, KINDS, SITES

if TYPE_CHECKING:
    from collections.abc import Collection
    from re import Match

# Where the key, its underscores as spaces, would not say it.
WORDS: Final = {
    # The jaw
    "drug_antiresorptive": "antiresorptive drug",
    "drug_antiangiogenic": "antiangiogenic drug",
    "drug_immune_modulator": "immune modulator",
    "fistula_probes_bone": "bone probed through a fistula",
    "swelling_or_erythema": "swelling or erythema",
    "path_fracture": "pathological fracture of the jaw",
    "oroantral_or_oronasal": "oro-antral or oro-nasal communication",
    "oronasal_fistula": "oro-nasal fistula",
    "lysis_to_inferior_border_or_sinus_floor": (
        "osteolysis to the inferior border or the sinus floor"
    ),
    "lysis_to_sinus": "osteolysis into the maxillary sinus",
    "beyond_alveolus": "necrosis beyond the alveolus",
    "explained_by_other_disease": "explanation by another disease",
    "other_nonspecific": "another nonspecific symptom or sign",
    "nonspecific_symptom_or_sign": "nonspecific symptom or sign",
    "stage0_imaging": "change of stage 0 on images",
    "over_8_weeks": "bone exposed or probed for over 8 weeks",
    "duration_weeks": "duration of exposed or probed bone",
    "jaw_radiotherapy": "radiotherapy of the jaw",
    "jaw_metastasis": "metastasis of the jaw",
    "density_alveolar": "increased density of the alveolar process",
    "density_basal": "increased density of the basal bone",
    "sclerosis_zygoma_or_hard_palate": "sclerosis of the zygoma or the hard palate",
    "nasal_leakage": "leak of fluids through the nose",
    "mandible_displaced_or_mobile": "displaced or mobile mandible",
    "gas_outside_airway": "gas outside the airway",
    "malignancy_excluded": "malignant cause in jaw or face excluded",
    "jaw_pain_not_of_a_tooth": "jaw pain not of a tooth",
    "odontalgia_unexplained": "unexplained toothache",
    "lip_paresthesia": "numb lip",
    "infection_was_active": "active infection of the jaw before",
    "was_active": "active infection before",
    "cno": "chronic nonbacterial osteomyelitis",
    # A palatal defect
    "orbital_adnexa_involved": "orbital floor or adnexa in the defect",
    "alveolus_involved": "alveolus in the defect",
    "eye_removed": "removal of the eye",
    "orbit_removed_with_maxilla": "orbito-maxillary defect that leaves the palate",
    "nasomaxillary": "naso-maxillary defect that keeps the palate",
    "alveolar_extent": "share of alveolus and palate that is lost",
    # The spine
    "reader_grade": "grade by a reader",
    "measured_grade": "grade by the heights",
    "genant_grade": "grade by a reader",
    "tension_band_failed": "failed tension band",
    "superior_endplate_deformed": "deformed superior endplate",
    "inferior_endplate_deformed": "deformed inferior endplate",
    "an_endplate_deformed": "a deformed endplate",
    "frame_lost": "loss of the vertebral frame",
    "posterior_wall": "share of the posterior wall",
    "posterior_wall_percent": "share of the posterior wall",
    "vertebral_edema": "marrow edema of the vertebra",
    "vcf_new": "new vertebral fracture",
    "new_vcf": "new vertebral fracture",
    "denosumab_last_date_known": "day of the last dose of denosumab",
    "high_energy_trauma": "high-energy trauma",
    "within_7_to_24_months": "fracture within 7 to 24 months after the last dose",
    "antiresorptive_started_within_7_months": (
        "antiresorptive drug begun within 7 months after the last dose"
    ),
    "antiresorptive_follow_on": (
        "antiresorptive drug begun within 7 months after the last dose"
    ),
    "flagged": "fracture with the flag",
    "fracture_malignancy_excluded": "malignant cause of the fracture excluded",
    "fracture_infection_excluded": "infectious cause of the fracture excluded",
    "t_score": "T-score",
    "frax_mof": "FRAX of a major fracture",
    "frax_hip": "FRAX of a hip fracture",
    # Bone units
    "signal_hyperintense": "hyperintense marrow signal",
    "soft_tissue_or_periosteal": "soft-tissue or periosteal hyperintensity",
    "extension": "extension of the signal",
    "signal_extension": "extension of the signal",
    "vertebral_collapse": "collapse of the vertebra",
    # Function, appearance, pain
    "pss_diet": "PSS-HN diet",
    "pss_speech": "PSS-HN speech",
    "pss_eating_in_public": "PSS-HN eating in public",
    "liquids_difficulty": "difficulty with liquids",
    "lip_or_nasal_support_lost": "loss of lip or nasal support",
    "bothered": "bothered by the appearance",
    "visible_at_rest": "visible at rest",
    "own_rating": "own rating of appearance",
    "photo_asymmetry": "asymmetry on photographs",
    "reported_palatal_gap": "reported palatal gap",
    "reported_soft_tissue_defect": "reported soft-tissue defect",
    "soft_tissue_definition": "definition of the soft-tissue defect",
    "soft_tissue_defect": "soft-tissue defect",
    "premaxilla_depression": "depression of the premaxilla",
    "pain_vas": "pain score",
    "eat10": "EAT-10",
    "fois": "FOIS",
    "ofs": "Obturator Functioning Scale",
}
# A key, that of one bone with its site before it: l2.posterior_wall.
_KEY: Final = re.compile(r"\b[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?\b")


def words_of(key: str, *, site: str = "") -> str:
    """Return what a criterion, fact or kind of finding is called.

    Parameters
    ----------
    key : str
        As a result keeps it; with a site before it where it is of one bone.
    site : str
        The bone that is spoken of anyway: it is not named again.

    Examples
    --------
    >>> words_of("over_8_weeks")
    'bone exposed or probed for over 8 weeks'
    >>> words_of("l2.frame_lost")
    'loss of the vertebral frame (L2 vertebra)'
    >>> words_of("l2.frame_lost", site="l2")
    'loss of the vertebral frame'
    """
    place, _, name = key.rpartition(".")
    if name in WORDS:
        words = WORDS[name]
    elif name in KINDS and name not in FACTS:
        meaning = KINDS[name].meaning
        words = meaning[0].lower() + meaning[1:]
    else:
        words = name.replace("_", " ")
    if not place or place == site:
        return words
    return f"{words} ({SITES[place].meaning if place in SITES else place})"


def in_words(text: str, keys: Collection[str] = (), *, site: str = "") -> str:
    """Return a line with the keys in it in words.

    A word that is a key too, such as pus, is left as it stands: who wrote it may have
    meant the word.

    Parameters
    ----------
    text : str
        A reason, note or contradiction of a result.
    keys : collection of str
        Criteria of the result, beside every fact and kind of finding.
    site : str
        As for `words_of`.
    """

    def replaced(found: Match[str]) -> str:
        key = found.group()
        place, _, name = key.rpartition(".")
        is_key = key in keys or name in FACTS or name in KINDS
        if not is_key or (place not in SITES if place else "_" not in name):
            return key
        return words_of(key, site=site)

    return _KEY.sub(replaced, text)
