"""Where a finding lies: jaws, palate, every vertebra, and the bones that CNO counts.

A site has no side: left and right stand beside it as its laterality. Where DICOM names no
such part (half of the long bones' ends, most parts of the jaws) the code is of 99OSTEO.
"""

from __future__ import annotations

from typing import Final

from osteotrace.codes.concepts import PRIVATE_SCHEME, Concept, table

_HEAD: Final[dict[str, Concept]] = {
    **table(
        "SCT",
        hard_palate=("90228003", "Hard palate structure"),
        soft_palate=("49460000", "Soft palate"),
        maxilla=("70925003", "Maxilla"),
        mandible=("91609006", "Mandible"),
        palatine_bone=("51283005", "Palatine bone"),
        jaw=("661005", "Jaw region"),
        facial_bones=("91397008", "Facial bones"),
        alveolar_process_of_mandible=("38754007", "Alveolar process of mandible"),
        maxillary_dental_arch=("39481002", "Maxillary dental arch"),
        mandibular_dental_arch=("88176008", "Mandibular dental arch"),
        temporomandibular_joint=("53620006", "Temporomandibular joint"),
        zygoma=("13881006", "Zygoma"),
        maxillary_sinus=("15924003", "Maxillary sinus"),
        nasal_bone=("74386004", "Nasal bone"),
        vomer=("87166008", "Vomer bone"),
        nasal_cavity=("279549004", "Nasal cavity"),
        oral_cavity=("74262004", "Oral cavity"),
        orbit=("363654007", "Orbit"),
        face=("89545001", "Face"),
        cheek=("60819002", "Cheek"),
        lip=("48477009", "Lip"),
        skull=("89546000", "Skull"),
        temporal_bone=("60911003", "Temporal Bone"),
        sphenoid_bone=("73117003", "Sphenoid bone"),
        cervical_lymph_nodes=("81105003", "Cervical lymph node"),
    ),
    **table(
        "FMA",
        hard_palate_mucosa=("289677", "Mucosa of oral segment of hard palate"),
        nasion=("264779", "Nasion"),
    ),
    **table(
        PRIVATE_SCHEME,
        premaxilla=("A-PREMAX", "Premaxilla"),
        alveolar_process_of_maxilla=("A-ALVMAX", "Alveolar process of maxilla"),
        body_of_mandible=("A-MANDBODY", "Body of mandible"),
        ramus_of_mandible=("A-MANDRAMUS", "Ramus of mandible"),
        condyle_of_mandible=("A-MANDCOND", "Condyle of mandible"),
    ),
}

_SPINE: Final[dict[str, Concept]] = table(
    "SCT",
    spine=("421060004", "Spine"),
    cervical_spine=("122494005", "Cervical spine"),
    thoracic_spine=("122495006", "Thoracic spine"),
    lumbar_spine=("122496007", "Lumbar spine"),
    sacrum=("54735007", "Sacrum"),
    coccyx=("64688005", "Coccyx"),
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
)

_TRUNK: Final[dict[str, Concept]] = {
    **table(
        "SCT",
        clavicle=("51299004", "Clavicle"),
        sternoclavicular_joint=("7844006", "Sternoclavicular joint"),
        acromioclavicular_joint=("85856004", "Acromioclavicular joint"),
        scapula=("79601000", "Scapula"),
        sternum=("56873002", "Sternum"),
        manubrium=("37285002", "Manubrium of sternum"),
        body_of_sternum=("52509009", "Body of sternum"),
        rib=("113197003", "Rib"),
        pelvis=("816092008", "Pelvis"),
        ilium=("22356005", "Ilium"),
        ischium=("85710004", "Ischium"),
        pubic_symphysis=("82561000", "Symphysis pubis"),
        acetabulum=("37783008", "Acetabulum"),
        sacroiliac_joint=("39723000", "Sacroiliac joint"),
    ),
    **table(PRIVATE_SCHEME, pubis=("A-PUBIS", "Pubis")),
}

_LIMBS: Final[dict[str, Concept]] = {
    **table(
        "SCT",
        humerus=("85050009", "Humerus"),
        proximal_humerus=("119524001", "Proximal Humerus"),
        shaft_of_humerus=("20760004", "Shaft of Humerus"),
        distal_humerus=("118495001", "Distal Humerus"),
        radius=("62413002", "Radius"),
        proximal_radius=("12881000", "Proximal Radius"),
        shaft_of_radius=("47728000", "Shaft of Radius"),
        distal_radius=("75129005", "Distal Radius"),
        ulna=("23416004", "Ulna"),
        proximal_ulna=("34318004", "Proximal Ulna"),
        shaft_of_ulna=("21133008", "Shaft of Ulna"),
        distal_ulna=("91238003", "Distal Ulna"),
        hand=("85562004", "Hand"),
        bones_of_hand=("24097009", "Hand bone"),
        carpus=("8205005", "Carpus"),
        metacarpus=("36455000", "Metacarpus"),
        finger=("7569003", "Finger"),
        femur=("71341001", "Femur"),
        proximal_femur=("310651003", "Proximal Femur"),
        shaft_of_femur=("41111004", "Shaft of Femur"),
        distal_femur=("310652005", "Distal Femur"),
        patella=("64234005", "Patella"),
        tibia=("12611008", "Tibia"),
        shaft_of_tibia=("52687003", "Shaft of Tibia"),
        distal_tibia=("64605006", "Distal Tibia"),
        fibula=("87342007", "Fibula"),
        foot=("56459004", "Foot"),
        tarsus=("108371006", "Tarsus"),
        talus=("67453005", "Talus"),
        calcaneus=("80144004", "Calcaneus"),
        metatarsus=("280711000", "Metatarsus"),
        toe=("29707007", "Toe"),
    ),
    **table(
        PRIVATE_SCHEME,
        proximal_tibia=("A-TIBPROX", "Proximal tibia"),
        proximal_fibula=("A-FIBPROX", "Proximal fibula"),
        shaft_of_fibula=("A-FIBSHAFT", "Shaft of fibula"),
        distal_fibula=("A-FIBDIST", "Distal fibula"),
    ),
}

SITES: Final[dict[str, Concept]] = {
    **_HEAD,
    **_SPINE,
    **_TRUNK,
    **_LIMBS,
    **table(PRIVATE_SCHEME, unspecified=("A-UNSPEC", "Site not stated")),
}

# Every level with a body or a name of its own, from the skull down.
VERTEBRAE: Final[tuple[str, ...]] = tuple(
    f"{part}{n}"
    for part, count in (("c", 7), ("t", 12), ("l", 5))
    for n in range(1, count + 1)
)

# A bone that CNO scoring counts as one unit, or the ends and shaft that it is counted by
# (whole-body MRI; Zhao, J Rheumatol 2020).
BONE_UNITS: Final[tuple[str, ...]] = (
    *("skull", "mandible", "maxilla", "zygoma", "facial_bones"),
    *("clavicle", "scapula", "sternum", "manubrium", "body_of_sternum", "rib"),
    *VERTEBRAE,
    *("sacrum", "coccyx"),
    *("pelvis", "ilium", "ischium", "pubis", "acetabulum"),
    *(
        name
        for bone in ("humerus", "radius", "ulna", "femur", "tibia", "fibula")
        for name in (bone, f"proximal_{bone}", f"shaft_of_{bone}", f"distal_{bone}")
    ),
    *("patella", "talus", "calcaneus", "tarsus", "metatarsus", "toe", "foot"),
    *("carpus", "metacarpus", "bones_of_hand", "finger", "hand"),
)
