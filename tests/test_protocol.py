"""A protocol is checked when it is read; what is wrong has a file, a line and a key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from osteotrace import protocol
from osteotrace.errors import OsteotraceError
from osteotrace.protocol import SIX_POINTS, TABLES, CaliperEntry
from osteotrace.series import SeriesIdentity

GOOD = """\
name = "jaw"
description = "one gap"

[[caliper]]
label = "PAL-1"
kind = "palatal_bony_defect"
site = "hard_palate"
quantity = "palatal_gap_ap"
modality = "CT"
series = "*BONE*"
frame_of_reference_uid = "1.2.3"
start = [1.0, -20, 4.5]
end = [1.0, -8.0, 4.5]
"""


def parsed(text: str) -> protocol.Protocol:
    return protocol.parse(text.encode(), Path("jaw.toml"))


def refused(text: str) -> OsteotraceError:
    with pytest.raises(OsteotraceError) as caught:
        parsed(text)
    return caught.value


def test_a_good_protocol_is_read_whole() -> None:
    read = parsed(GOOD)
    (entry,) = read.entries
    assert isinstance(entry, CaliperEntry)
    assert (read.name, read.description) == ("jaw", "one gap")
    assert entry.label == "PAL-1"
    assert entry.start == (1.0, -20.0, 4.5)
    assert entry.snap
    assert read.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()


def test_a_file_and_its_text_give_the_same_protocol(tmp_path: Path) -> None:
    file = tmp_path / "jaw.toml"
    file.write_text(GOOD)
    assert protocol.read(file) == parsed(GOOD)


def identity(modality: str, description: str) -> SeriesIdentity:
    return SeriesIdentity(
        study_uid="1",
        series_uid="2",
        modality=modality,
        description=description,
        date="",
        patient="P-X",
        patient_id="",
    )


@pytest.mark.parametrize(
    ("modality", "description", "fits"),
    [
        ("CT", "Jaw bone 0.6", True),
        ("CT", "Jaw soft", False),
        ("MR", "Jaw bone 0.6", False),
    ],
)
def test_a_series_fits_by_modality_and_description(
    modality: str, description: str, fits: bool
) -> None:
    assert parsed(GOOD).entries[0].fits(identity(modality, description)) is fits


@pytest.mark.parametrize(
    ("right", "wrong", "line", "key"),
    [
        ("start = [1.0, -20, 4.5]", 'start = [1.0, "x", 4.5]', 12, "start"),
        ("start = [1.0, -20, 4.5]", "start = [1.0, -20]", 12, "start"),
        ("start = [1.0, -20, 4.5]", "start = [1.0, nan, 4.5]", 12, "start"),
        ("end = [1.0, -8.0, 4.5]", "end = [1.0, -20.0, 4.5]", 13, "end"),
        ('kind = "palatal_bony_defect"', 'kind = "hole"', 6, "kind"),
        ('site = "hard_palate"', 'site = "nose"', 7, "site"),
        ('quantity = "palatal_gap_ap"', 'quantity = "gap"', 8, "quantity"),
        ('modality = "CT"', 'modality = ""', 9, "modality"),
        ('series = "*BONE*"', 'seires = "*BONE*"', 10, "seires"),
        ('uid = "1.2.3"', 'uid = "../etc"', 11, "frame_of_reference_uid"),
        ('uid = "1.2.3"', 'uid = "1.2.٣"', 11, "frame_of_reference_uid"),
        ('label = "PAL-1"', "label = 1", 5, "label"),
        ('label = "PAL-1"\n', "", 4, "label"),
        ('name = "jaw"', "name = 3", 1, "name"),
        ('kind = "p', 'laterality = "middle"\nkind = "p', 6, "laterality"),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_key(
    right: str, wrong: str, line: int, key: str
) -> None:
    assert right in GOOD
    error = refused(GOOD.replace(right, wrong))
    assert error.where == f"jaw.toml, line {line}"
    assert repr(key) in error.advice
    assert error.usage


def test_the_second_of_two_equal_labels_is_named() -> None:
    error = refused(GOOD + GOOD[GOOD.index("[[caliper]]") :])
    assert error.found == "the label 'PAL-1' more than once"
    assert error.where == "jaw.toml, line 15"


def test_a_mistake_in_the_second_entry_is_found_there() -> None:
    second = GOOD[GOOD.index("[[caliper]]") :].replace("PAL-1", "PAL-2")
    error = refused(GOOD + second.replace("hard_palate", "nose"))
    assert error.where == "jaw.toml, line 17"


def test_text_that_is_not_toml_is_refused_with_its_line() -> None:
    error = refused(GOOD.replace("start = [", "start = "))
    assert "line 12" in error.found


@pytest.mark.parametrize("text", ["", 'name = "jaw"\ncaliper = []\n'])
def test_a_protocol_without_entries_is_refused(text: str) -> None:
    assert refused(text).usage


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(OsteotraceError, match="not TOML"):
        protocol.parse(b"\xff\xfe", Path("jaw.toml"))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(OsteotraceError) as caught:
        protocol.read("sample_maxila")
    assert caught.value.usage
    for name in protocol.names():
        assert name in caught.value.expected


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.toml"
    file.write_bytes(b"#" * (protocol.MAX_BYTES + 1))
    with pytest.raises(OsteotraceError, match="over 1 MB"):
        protocol.read(file)


@pytest.mark.parametrize("name", protocol.names())
def test_every_protocol_that_comes_with_osteotrace_is_good(name: str) -> None:
    assert protocol.read(name).name == name


def test_the_sample_protocol_has_the_rough_points_of_the_sample_s_truth() -> None:
    from osteotrace.phantoms import truth

    case = truth("maxilla_after")
    bony, soft = protocol.read("sample_maxilla").entries
    for entry, name in ((bony, "palatal_gap"), (soft, "soft_tissue_gap")):
        assert isinstance(entry, CaliperEntry)
        quantity = case.quantities[name]
        assert entry.modality == quantity.modality
        assert entry.frame_of_reference_uid == quantity.frame_of_reference_uid
        for point, edge in zip((entry.start, entry.end), quantity.edges, strict=True):
            assert point == pytest.approx(edge.rough_point_lps_mm, abs=1e-5)


# Every lesion ------------------------------------------------------------------------

FRAME = 'frame_of_reference_uid = "1.2.3"'
BALL = "{ centre = [1, 2, 3], radius = 4 }"
SIX = ", ".join(f"{key} = [0, 0, {n}]" for n, key in enumerate(SIX_POINTS))
SAME = ", ".join(f"{key} = [0, 0, 1]" for key in SIX_POINTS)
LENGTH = 'kind = "lesion"\nsite = "jaw"\nstart = [1, 2, 3]\nend = [1, 2, 9]'
ARMS = "start = [1, 2, 3]\nvertex = [1, 2, 9]\nend = [5, 2, 9]"
ASKED = {
    "angle": ARMS,
    "palatal_defect": "seed = [1, 2, 3]",
    "soft_tissue_gap": "start = [1, 2, 3]\nend = [1, 2, 9]",
    "sequestra": f"region = {BALL}",
    "gas": f'region = {BALL}\nairway = {{ label = "airway" }}',
    "moth_eaten": f'region = {BALL}\nreference = {{ label = "right" }}',
    "sclerotic_rim": f"lesion = {BALL}",
    "periosteal_reaction": f"region = {BALL}",
    "vertebra": f'level = "L1"\npoints = {{ {SIX} }}',
    "cement": "region = { corners = [[0, 0, 0], [1, 1, 1]] }",
    "marrow_edema": f"seed = [1, 2, 3]\nreference = {BALL}",
    "expansion": 'left = { label = "left" }\nright = { label = "right" }',
    "intensity": f"region = {BALL}",
}


def asking(table: str, keys: str) -> str:
    head = f'name = "all"\n\n[[{table}]]\nlabel = "X-1"\nmodality = "CT"\n'
    return head + f"{FRAME}\n{keys}\n"


@pytest.mark.parametrize("table", ASKED)
def test_every_lesion_can_be_asked_for(table: str) -> None:
    (entry,) = parsed(asking(table, ASKED[table])).entries
    assert type(entry) is TABLES[table]


def test_no_table_is_forgotten() -> None:
    assert set(ASKED) | {"caliper"} == set(TABLES)


@pytest.mark.parametrize(
    ("table", "keys", "line", "found"),
    [
        ("palatal_defect", "start = [1, 2, 3]", 7, "1 of start and end"),
        ("palatal_defect", "seed = [1, 2, 3]\nstart = [1, 2, 3]", 8, "1 of start"),
        ("sequestra", "region = { radius = 4 }", 7, "half a ball"),
        ("sequestra", "region = { centre = [1, 2, 3], radius = 0 }", 7, "half a ball"),
        ("gas", 'region = { label = "x", centre = [1, 2, 3], radius = 1 }', 7, "2 of"),
        ("gas", "region = { }", 7, "0 of ball, box and label"),
        ("vertebra", 'level = "L1"', 3, "both or neither"),
        ("vertebra", 'level = "L1"\npoints = { a = [1, 2, 3] }', 8, "a"),
        ("marrow_edema", "seed = [1, 2, 3]", 3, "a seed without a reference"),
        ("marrow_edema", f"edema = {BALL}\nwithin = {BALL}", 8, "within without a seed"),
        ("sequestrum", f"region = {BALL}", 3, "the key 'sequestrum'"),
        ("moth_eaten", f"region = {BALL}\nreference = {BALL}", 8, "the region itself"),
        ("expansion", f"left = {BALL}\nright = {BALL}", 8, "the left side"),
        ("gas", 'region = { label = " " }', 7, "an empty label"),
        ("gas", "region = { corners = [[1, 2, 3], [1, 5, 6]] }", 7, "without thickness"),
        ("vertebra", f'level = "X9"\npoints = {{ {SIX} }}', 7, "the level 'X9'"),
        ("vertebra", f'level = "C2"\npoints = {{ {SIX} }}', 7, "the level C2"),
        ("vertebra", f'level = "L1"\npoints = {{ {SAME} }}', 8, "one place for two"),
        ("angle", "start = [1, 2, 3]", 7, "1 of start, vertex, end and 0 ends"),
        ("angle", f"{ARMS}\nfirst_end = [1, 2, 3]", 7, "3 of start"),
        ("angle", f'{ARMS}\nquantity = "local_kyphosis"', 10, "of three points"),
        ("angle", f'{ARMS}\nquantity = "distance"', 10, "which is no angle"),
        ("caliper", f'{LENGTH}\nquantity = "voxel_volume"', 11, "which is no length"),
    ],
)
def test_what_a_lesion_lacks_is_named(
    table: str, keys: str, line: int, found: str
) -> None:
    error = refused(asking(table, keys))
    assert error.where == f"jaw.toml, line {line}"
    assert found in error.found


def test_points_need_their_frame_of_reference_and_labels_do_not() -> None:
    named = asking("expansion", ASKED["expansion"]).replace(FRAME, "")
    assert parsed(named).entries[0].frame_of_reference_uid == ""
    error = refused(asking("sequestra", ASKED["sequestra"]).replace(FRAME, ""))
    assert "frame_of_reference_uid" in str(error)


def test_a_second_entry_of_a_table_has_its_own_lines() -> None:
    gas = asking("gas", ASKED["gas"])
    second = gas + '\n[[moth_eaten]]\nlabel = "M"\n\n[[gas]]\nlabel = "G"\nregion = 3\n'
    assert refused(second).where == f"jaw.toml, line {len(second.splitlines())}"
