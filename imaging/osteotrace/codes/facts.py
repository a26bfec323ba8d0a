"""Clinical facts that may be stated: their questions, answers and units.

Each is only ever entered by a person or accepted by a reader; no number measured on
images becomes one by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from osteotrace.codes.concepts import Concept, table
from osteotrace.errors import OsteotraceError

if TYPE_CHECKING:
    from collections.abc import Iterator

Answer = Literal["truth", "number", "choice", "text"]


class FactDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """What a clinical fact asks, and how it may be answered.

    Parameters
    ----------
    question : str
        In words, as a reader is asked.
    group : str
        Heading that it is listed under.
    answer : str
        ``truth`` (true or false), ``number``, ``choice`` (one of ``choices``) or
        ``text``. Unknown is an answer to every one.
    units : tuple of str
        UCUM units that a number may be given in; the first is meant where none is
        asked for.
    choices : tuple of str
        The answers of a choice, in order.
    unit_stated : bool
        True where a number means nothing without the unit that it was reported in.
    least, most : float or None
        Limits of a number in the first unit.
    fraction_up_to : float or None
        A number above zero and up to here may be meant as a fraction: it is refused.
    lasting : bool
        True where it holds from its date on (a history); else it is a state, which
        holds on its date alone.
    sited : bool
        True where it may be of one bone: a vertebra, or a bone unit.
    site_optional : bool
        True where a file may state it without that bone.
    """

    question: str
    group: str
    answer: Answer = "truth"
    units: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    unit_stated: bool = False
    least: float | None = None
    most: float | None = None
    fraction_up_to: float | None = None
    lasting: bool = False
    sited: bool = False
    site_optional: bool = False

    @property
    def limits(self) -> str:
        """The limits of a number in words, empty where it has none."""
        if self.least is None:
            return ""
        ends = f"{self.least:g} to {self.most:g}" if self.most is not None else ""
        return ends or f"{self.least:g} or more"

    def check_answer(self, value: bool | float | str, unit: str) -> None:
        """Refuse a value that is no answer, or a unit that is not the fact's.

        Raises
        ------
        OsteotraceError
            With what the fact takes.
        """
        problem = next(self._problems(value, unit), None)
        if problem is not None:
            raise OsteotraceError(
                f"{value!r}{f' {unit}' if unit not in ('', '1') else ''} "
                f"to {self.question!r}",
                expected=problem,
                advice="correct the fact, or state it as unknown",
            )

    def _problems(self, value: bool | float | str, unit: str) -> Iterator[str]:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if self.answer == "truth" and not isinstance(value, bool):
            yield "true, false or unknown"
        elif self.answer == "number" and not is_number:
            yield "a number or unknown"
        elif self.answer == "choice" and value not in self.choices:
            yield "one of " + ", ".join(self.choices)
        elif self.answer == "text" and not isinstance(value, str):
            yield "a text"
        if self.answer != "number" and unit:
            yield "no unit"
        elif self.answer == "number" and unit not in self.units:
            units = [unit for unit in self.units if unit != "1"]
            yield "a number" + (f" in {' or '.join(units)}" if units else ", no unit")
        elif isinstance(value, int | float) and is_number and unit == self.units[0]:
            low = self.least if self.least is not None else value
            high = self.most if self.most is not None else value
            if not low <= value <= high:
                yield self.limits
            elif self.fraction_up_to is not None and 0 < value <= self.fraction_up_to:
                yield f"percent: {value:g} may be meant as {100 * value:g} %"


def _truths(
    group: str, *, lasting: bool = False, sited: bool = False, **questions: str
) -> dict[str, FactDefinition]:
    return {
        name: FactDefinition(question=text, group=group, lasting=lasting, sited=sited)
        for name, text in questions.items()
    }


def _number(
    group: str,
    question: str,
    *units: str,
    least: float | None = 0,
    most: float | None = None,
    lasting: bool = False,
    sited: bool = False,
    unit_stated: bool = False,
    fraction_up_to: float | None = None,
) -> FactDefinition:
    return FactDefinition(
        question=question,
        group=group,
        answer="number",
        units=units,
        unit_stated=unit_stated,
        least=least,
        most=most,
        fraction_up_to=fraction_up_to,
        lasting=lasting,
        sited=sited,
    )


def _choice(
    group: str, question: str, *choices: str, sited: bool = False
) -> FactDefinition:
    return FactDefinition(
        question=question, group=group, answer="choice", choices=choices, sited=sited
    )


PATIENT: Final = "Patient"
HISTORY: Final = "History"
JAW: Final = "Jaw, examined"
JAW_IMAGES: Final = "Jaw, on images"
PALATE: Final = "Palatal defect"
SPINE: Final = "Spine"
VERTEBRA: Final = "One vertebra"
BONE_UNIT: Final = "One bone unit (MRI)"
FUNCTION: Final = "Function"
AESTHETICS: Final = "Aesthetics"
PAIN: Final = "Pain"
LABORATORY: Final = "Laboratory"
RISK: Final = "Fracture risk"

FACTS: Final[dict[str, FactDefinition]] = {
    # Patient and history -------------------------------------------------------------
    "age": _number(PATIENT, "Age of the patient?", "a", most=130),
    "sex": _choice(PATIENT, "Sex of the patient?", "female", "male", "other"),
    **_truths(
        HISTORY,
        lasting=True,
        jaw_radiotherapy="Was the jaw irradiated?",
        jaw_metastasis="Is there metastatic disease of the jaw?",
        cancer="Is there, or was there, a cancer?",
        prior_osteoporotic_fracture="Was there an osteoporotic fracture before?",
        adrenal_insufficiency="Is there adrenal insufficiency?",
        drug_antiresorptive="Was an antiresorptive drug ever given?",
        drug_antiangiogenic="Was an antiangiogenic drug ever given?",
        drug_immune_modulator="Was an immune modulator ever given?",
        cno="Is chronic nonbacterial osteomyelitis established?",
        infection_was_active="Was there an active infection of the jaw before?",
    ),
    "antiresorptive_follow_on": FactDefinition(
        question="Was another antiresorptive drug started within seven months of the "
        "last dose of denosumab?",
        group=HISTORY,
        lasting=True,
    ),
    "explained_by_other_disease": FactDefinition(
        question="Does another disease explain the symptoms and signs of the jaw (such "
        "as chronic nonbacterial osteomyelitis, an odontogenic cause or a tumour)?",
        group=HISTORY,
    ),
    "malignancy_excluded": FactDefinition(
        question="Is a malignant cause of the disease of the jaw or face excluded?",
        group=HISTORY,
    ),
    "fracture_malignancy_excluded": FactDefinition(
        question="Is a malignant cause of the vertebral fracture excluded?",
        group=HISTORY,
    ),
    "fracture_infection_excluded": FactDefinition(
        question="Is an infectious cause of the vertebral fracture excluded?",
        group=HISTORY,
    ),
    # The jaw, clinically -------------------------------------------------------------
    **_truths(
        JAW,
        exposed_bone="Is bone of the jaw exposed?",
        fistula_probes_bone="Can bone be probed through an intraoral or extraoral "
        "fistula?",
        swelling_or_erythema="Is there swelling or erythema?",
        pus="Is there pus or purulent drainage?",
        intraoral_fistula="Is there a mucosal (intraoral) fistula?",
        extraoral_fistula="Is there an extraoral (muco-cutaneous) fistula?",
        draining_fistula="Does a fistula drain?",
        oroantral_or_oronasal="Is there an oro-antral or oro-nasal communication?",
        nasal_leakage="Do fluids leak through the nose?",
        abscess="Is there an abscess?",
        loose_tooth="Is a tooth loose without periodontitis explaining it?",
        non_healing_socket="Is there a socket that does not heal?",
        trismus="Is there trismus?",
        jaw_deformity="Is the jaw deformed?",
        lip_paresthesia="Is the lower lip numb?",
        deep_pocket="Is there a deep periodontal pocket?",
        mucosal_ulcer="Is there an ulcer of the mucosa?",
        jaw_pain_not_of_a_tooth="Is there dull jaw or sinus pain not of a tooth?",
        odontalgia_unexplained="Is there toothache without an odontogenic cause?",
        mandible_displaced_or_mobile="Is the mandible displaced or abnormally mobile?",
        jaw_pain="Is there pain of the jaw?",
        nonspecific_symptom_or_sign="Is there any nonspecific symptom or sign of the "
        "jaw (loose tooth, swelling, pain, numb lip, deep pocket, ulcer, abscess, "
        "trismus, fistula)?",
        minor_sign="Is there any minor clinical sign of the jaw (SICMF-SIPMO list)?",
        scar="Has the lesion healed with a scar?",
    ),
    "duration_weeks": _number(
        JAW, "For how long has bone been exposed or probed?", "wk", "d", "mo"
    ),
    "status": _choice(JAW, "Is the disease active or healed?", "active", "healed"),
    # The jaw on images, accepted by a reader -----------------------------------------
    **_truths(
        JAW_IMAGES,
        stage0_imaging="Do images show a change of stage 0 (unexplained alveolar bone "
        "loss, changed trabeculae, sclerosis, thick or obscured periodontal ligament)?",
        beyond_alveolus="Does the necrotic bone reach beyond the alveolus (inferior "
        "border, ramus, maxillary sinus, zygoma)?",
        path_fracture="Is there a pathological fracture of the jaw?",
        lysis_to_inferior_border_or_sinus_floor="Does osteolysis reach the inferior "
        "border of the mandible or the floor of the maxillary sinus?",
        density_alveolar="Is density increased in the alveolar process (trabecular "
        "thickening, focal sclerosis)?",
        density_basal="Does the increased density reach the basal bone?",
        prominent_mandibular_canal="Is the mandibular canal prominent?",
        periosteal_reaction="Is there a periosteal reaction?",
        sinusitis="Is there maxillary sinusitis?",
        sequestrum="Is there a sequestrum?",
        lysis_to_sinus="Does osteolysis reach into the maxillary sinus?",
        sclerosis_zygoma_or_hard_palate="Is the zygoma or the hard palate sclerotic?",
        gas_outside_airway="Is there gas in bone or soft tissue outside the airway?",
    ),
    # Palatal defect (Brown & Shaw) ---------------------------------------------------
    **_truths(
        PALATE,
        oronasal_fistula="Is there an oro-nasal fistula?",
        alveolus_involved="Is the alveolus part of the defect?",
        orbital_adnexa_involved="Is the orbital floor or adnexa part of the defect?",
        eye_removed="Was the eye removed?",
        orbit_removed_with_maxilla="Does an orbito-maxillary defect leave the palate?",
        nasomaxillary="Is the defect naso-maxillary, the palate kept?",
    ),
    "alveolar_extent": _choice(
        PALATE,
        "How much of the alveolus and palate is lost?",
        "palate only",
        "half or less, unilateral",
        "half or less, bilateral or transverse anterior",
        "more than half",
    ),
    # Spine ---------------------------------------------------------------------------
    # Of one vertebra; without one it is of the only new fracture of its day.
    "high_energy_trauma": FactDefinition(
        question="Was the vertebral fracture caused by a high-energy trauma?",
        group=SPINE,
        sited=True,
        site_optional=True,
    ),
    "back_pain": FactDefinition(question="Is there pain of the back?", group=SPINE),
    "transitional_vertebra": FactDefinition(
        question="Is there a transitional vertebra?", group=SPINE, lasting=True
    ),
    **_truths(
        VERTEBRA,
        sited=True,
        superior_endplate_deformed="Is the superior endplate deformed?",
        inferior_endplate_deformed="Is the inferior endplate deformed?",
        tension_band_failed="Has the anterior or posterior tension band failed "
        "(distraction, rotation, translation)?",
        frame_lost="Is the vertebral frame lost (collapse or pincer type)?",
        vertebral_edema="Is there marrow edema of the vertebra on STIR?",
        vcf_new="Is the vertebral fracture new since the last images?",
    ),
    "posterior_wall_percent": _number(
        VERTEBRA,
        "How many percent of the posterior wall are involved (30 for 30 %)?",
        "%",
        most=100,
        sited=True,
        fraction_up_to=1,
    ),
    "genant_grade": _choice(
        VERTEBRA,
        "Which semiquantitative grade has the vertebra?",
        "0",
        "0.5",
        "1",
        "2",
        "3",
        sited=True,
    ),
    # Bone units of CNO ---------------------------------------------------------------
    **_truths(
        BONE_UNIT,
        sited=True,
        signal_hyperintense="Is there hyperintense marrow signal?",
        soft_tissue_or_periosteal="Is there soft-tissue or periosteal hyperintensity?",
        bone_expansion="Is the bone expanded?",
        vertebral_collapse="Is the vertebra collapsed?",
    ),
    "signal_extension": _number(
        BONE_UNIT,
        "How much of the bone unit shows the signal?",
        "%",
        most=100,
        sited=True,
    ),
    # Function and aesthetics ---------------------------------------------------------
    "liquids": _choice(
        FUNCTION,
        "How are liquids kept in the mouth?",
        "no leak",
        "leak with thin liquids when hurried, or needs straw or posture",
        "regular leak, or cannot suck liquids",
        "nasal regurgitation, or cannot take liquids",
    ),
    "liquids_difficulty": FactDefinition(
        question="Are liquids hard to control, in a way not described further?",
        group=FUNCTION,
    ),
    "pss_diet": _number(FUNCTION, "PSS-HN normalcy of diet?", "1", most=100),
    "pss_speech": _number(FUNCTION, "PSS-HN understandability of speech?", "1", most=100),
    "pss_eating_in_public": _number(FUNCTION, "PSS-HN eating in public?", "1", most=100),
    "fois": _number(FUNCTION, "Functional Oral Intake Scale?", "1", least=1, most=7),
    "eat10": _number(FUNCTION, "EAT-10 sum?", "1", most=40),
    "obturator_worn": FactDefinition(question="Is an obturator worn?", group=FUNCTION),
    "ofs": _number(FUNCTION, "Obturator Functioning Scale, sum?", "1", most=75),
    "bothered": FactDefinition(
        question="Is the patient bothered by the appearance?", group=AESTHETICS
    ),
    "visible_at_rest": FactDefinition(
        question="Is the deformity visible at rest?", group=AESTHETICS
    ),
    "lip_or_nasal_support_lost": FactDefinition(
        question="Is the support of lip or nose lost in full?", group=AESTHETICS
    ),
    "own_rating": _number(
        AESTHETICS, "The patient's own rating of appearance, 0 to 10?", "1", most=10
    ),
    "photo_asymmetry": FactDefinition(
        question="Do photographs show facial asymmetry?", group=AESTHETICS
    ),
    "reported_palatal_gap": _number(
        AESTHETICS, "Palatal gap as reported elsewhere?", "mm"
    ),
    "reported_soft_tissue_defect": _number(
        AESTHETICS, "Soft-tissue defect as reported elsewhere?", "mm"
    ),
    "soft_tissue_definition": _choice(
        AESTHETICS,
        "What was the reported soft-tissue defect?",
        "notch width",
        "shortening",
    ),
    # Pain ----------------------------------------------------------------------------
    "pain": FactDefinition(question="Is there pain?", group=PAIN),
    "pain_vas": _number(PAIN, "Pain on a scale of 0 to 10 (VAS or NRS)?", "1", most=10),
    # Laboratory ----------------------------------------------------------------------
    "crp": _number(LABORATORY, "C-reactive protein?", "mg/dL", "mg/L", unit_stated=True),
    "esr": _number(LABORATORY, "Erythrocyte sedimentation rate?", "mm/h"),
    "wbc": _number(LABORATORY, "White blood cells?", "10*3/uL"),
    "neutrophils": _number(LABORATORY, "Neutrophils?", "%", most=100),
    "lymphocytes": _number(LABORATORY, "Lymphocytes?", "%", most=100),
    "organism": FactDefinition(
        question="Which organism grew?", group=LABORATORY, answer="text"
    ),
    "cytology": FactDefinition(
        question="What did cytology or biopsy show?", group=LABORATORY, answer="text"
    ),
    "specimen_size": _number(
        LABORATORY,
        "Longest diameter of the specimen (pathology)?",
        "mm",
        "cm",
        unit_stated=True,
    ),
    # Fracture risk -------------------------------------------------------------------
    "t_score": _number(RISK, "Lowest T-score?", "1", least=-10, most=10),
    "frax_mof": _number(
        RISK, "FRAX, major osteoporotic fracture in ten years?", "%", most=100
    ),
    "frax_hip": _number(RISK, "FRAX, hip fracture in ten years?", "%", most=100),
    "steroid_dose": _number(RISK, "Daily glucocorticoid, as prednisone?", "mg/d"),
    "weight": _number(PATIENT, "Body weight?", "kg", most=500),
    # What has no name of its own -----------------------------------------------------
    "other": FactDefinition(
        question="What else is to be kept?", group=HISTORY, answer="text"
    ),
}

# The facts that DICOM PS3.16 has a concept for.
FACT_CONCEPTS: Final[dict[str, Concept]] = {
    **table("DCM", age=("121033", "Subject Age"), sex=("121032", "Subject Sex")),
    **table(
        "SCT",
        abscess=("44132006", "Abscess"),
        pain_vas=("225908003", "Pain score"),
    ),
}
