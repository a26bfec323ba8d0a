"""Where a finding lies: jaws, palate, every vertebra, and the bones that CNO counts."""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import PRIVATE_SCHEME, Concept, table

SITES: Final[dict[str, Concept]] = {
    **table(
        "SCT",
        hard_palate=("90228003", "Hard palate structure"),
        soft_palate=("49460000", "Soft palate"),
        maxilla=("70925003", "Maxilla"),
        mandible=("91609006", "Mandible"),
        palatine_bone=("51283005", "Palatine bone"),
        jaw=("661005", "Jaw region"),
        facial_bones=("91397008", "Facial bones"),
        spine=("421060004", "Spine"),
        thoracic_spine=("122495006", "Thoracic spine"),
        lumbar_spine=("122496007", "Lumbar spine"),
        sacrum=("54735007", "Sacrum"),
        c1=("14806007", "C1 vertebra"),
        c2=("39976000", "C2 vertebra"),
        c3=("113205007", "C3 vertebra"),
        c4=("5329002", "C4 vertebra"),
        c5=("36978003", "C5 vertebra"),
        c6=("36054005", "C6 vertebra"),
        c7=("87391001", "C7 vertebra"),
        t1=("64864005", "T1 vertebra"),
        t2=("53733008", "T2 vertebra"),
        t3=("1626008", "T3 vertebra"),
        t4=("73071006", "T4 vertebra"),
        t5=("56401006", "T5 vertebra"),
        t6=("45296009", "T6 vertebra"),
        t7=("62487009", "T7 vertebra"),
        t8=("11068009", "T8 vertebra"),
        t9=("82687006", "T9 vertebra"),
        t10=("7610001", "T10 vertebra"),
        t11=("12989004", "T11 vertebra"),
        t12=("23215003", "T12 vertebra"),
        l1=("66794005", "L1 vertebra"),
        l2=("14293000", "L2 vertebra"),
        l3=("36470004", "L3 vertebra"),
        l4=("11994002", "L4 vertebra"),
        l5=("49668003", "L5 vertebra"),
        zygoma=("13881006", "Zygoma"),
        maxillary_sinus=("15924003", "Maxillary sinus"),
        femur=("71341001", "Femur"),
        tibia=("12611008", "Tibia"),
        fibula=("87342007", "Fibula"),
        humerus=("85050009", "Humerus"),
        radius=("131190003", "Radius"),
        ulna=("23416004", "Ulna"),
        clavicle=("51299004", "Clavicle"),
        sternum=("56873002", "Sternum"),
        scapula=("79601000", "Scapula"),
        rib=("113197003", "Rib"),
        pelvis=("816092008", "Pelvis"),
        hand=("85562004", "Hand"),
        foot=("56459004", "Foot"),
    ),
    **table(PRIVATE_SCHEME, premaxilla=("A-PREMAX", "Premaxilla")),
}

# Every level with a body or a name of its own, from the skull down.
VERTEBRAE: Final[tuple[str, ...]] = tuple(
    f"{part}{n}"
    for part, count in (("c", 7), ("t", 12), ("l", 5))
    for n in range(1, count + 1)
)
