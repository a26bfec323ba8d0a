"""A protocol's series, masks, stagings and results: each mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from osteotrace import protocol
from osteotrace.errors import OsteotraceError
from osteotrace.protocol import Results, SeriesChoice, Stagings
from osteotrace.protocol.entries import IntensityEntry

WHOLE = """\
name = "whole"

[[series]]
modality = "CT"
body_part = ["*SPINE*", ""]
kernel = "B*"
thickness_mm = [0.0, 1.5]
verdicts = ["regular", "missing_slices"]
prefer = ["segmented", "thinnest"]

[[series]]
modality = "MR"
weighting = ["T2", "STIR"]
contrast = false

[masks]
sources = ["seg", "beside", "marks", "threshold", "totalsegmentator"]
beside = "{study_uid}/*.nii.gz"
table = "totalsegmentator total"
resample = true

[[masks.threshold]]
label = "metal"
above = 3000.0
largest = true

[[masks.threshold]]
label = "bone"
bone = true
within = { corners = [[0, 0, 0], [9, 9, 9]] }

[masks.totalsegmentator]
task = "total"
device = "cpu"

[[vertebra]]
label = "{level}"
modality = "CT"
levels = "all"

[[marrow_edema]]
label = "{match} edema"
modality = "MR"
edema = { label = "* edema" }
bone = { label = "{match} body", optional = true }
select = { orientation = "sagittal" }
optional = true

[[marked]]
modality = "CT"
marks = ["palatal*", "PAL-*"]

[staging]
systems = ["genant"]

[results]
records = false
pictures = "case"
"""


def parsed(text: str) -> protocol.Protocol:
    return protocol.parse(text.encode(), Path("whole.toml"))


def test_everything_that_a_protocol_may_say_is_read() -> None:
    read = parsed(WHOLE)
    assert [choice.modality for choice in read.series] == ["CT", "MR"]
    assert read.series[0].preferences == ("segmented", "thinnest")
    assert read.series[0].allow_gaps
    assert not read.series[1].allow_gaps
    assert read.masks.sources[-1] == "totalsegmentator"
    assert [one.label for one in read.masks.threshold] == ["metal", "bone"]
    assert read.masks.totalsegmentator.device == "cpu"
    assert read.staging == Stagings(systems=("genant",))
    assert read.results == Results(records=False, pictures="case")


def test_a_protocol_travels_as_its_bytes() -> None:
    read = parsed(WHOLE)
    assert read.content == WHOLE.encode()
    assert protocol.parse(read.content, Path("elsewhere.toml")) == read


def test_an_entry_stands_on_the_series_of_its_modality() -> None:
    vertebra, edema, marked = parsed(WHOLE).entries
    assert vertebra.select == parsed(WHOLE).series[0]
    assert edema.select is not None
    assert edema.select.weighting == ("T2", "STIR")
    assert edema.select.orientation == "sagittal"
    assert edema.select.kernel == ()
    assert marked.select == vertebra.select


def test_one_series_gives_its_modality_to_entries_without() -> None:
    text = 'name = "one"\n[series]\nmodality = "CT"\ndescription = "*bone*"\n'
    text += '[[gas]]\nlabel = "G"\nregion = { label = "g" }\n'
    named = text + '[[gas]]\nlabel = "H"\nseries = "*soft*"\nregion = { label = "g" }\n'
    first, second = parsed(named).entries
    assert first.modality == second.modality == "CT"
    assert first.select is not None
    assert second.select is not None
    assert first.select.description == "*bone*"
    # An entry that says how its series is called is not asked for both.
    assert second.select.description == ()


def test_a_protocol_without_sections_is_as_before() -> None:
    text = 'name = "old"\n[[gas]]\nlabel = "G"\nmodality = "CT"\n'
    read = parsed(text + 'region = { label = "g" }\n')
    (entry,) = read.entries
    assert isinstance(entry, protocol.Entry)
    assert entry.select is None
    assert read.masks.sources == ()
    assert read.results == Results()


MISTAKES = [
    ('kernel = "B*"', "kernel = 3", 6, "kernel"),
    ('kernel = "B*"', 'kernal = "B*"', 6, "kernal"),
    ("thickness_mm = [0.0, 1.5]", "thickness_mm = [2.0, 1.5]", 7, "thickness_mm"),
    ("thickness_mm = [0.0, 1.5]", "thickness_mm = 1.5", 7, "thickness_mm"),
    ('"missing_slices"]', '"broken"]', 8, "verdicts"),
    ('"thinnest"]', '"biggest"]', 9, "prefer"),
    ('modality = "MR"\nweighting', "weighting", 11, "modality"),
    ('"MR"\nweighting = ["T2", "STIR"]\n', '"CT"\n', 12, "modality"),
    ('"STIR"]', '"T3"]', 13, "weighting"),
    ("contrast = false", 'kernel = "B*"', 14, "kernel"),
    ('sources = ["seg",', 'sources = ["seg", "seg",', 17, "sources"),
    ('sources = ["seg",', 'sources = ["pacs",', 17, "sources"),
    ('"threshold", "total', '"total', 17, "sources"),
    ('"{study_uid}/*.nii.gz"', '"/etc/*.nii.gz"', 18, "beside"),
    ('"{study_uid}/*.nii.gz"', '"../*.nii.gz"', 18, "beside"),
    ('"{study_uid}/*.nii.gz"', '"{name}/*.nii.gz"', 18, "beside"),
    ('table = "totalsegmentator total"', 'table = "mine"', 19, "table"),
    ("resample = true", "resample = 1", 20, "resample"),
    ("above = 3000.0", 'above = "3000"', 24, "above"),
    ("above = 3000.0", "above = nan", 24, "above"),
    ("bone = true", "below = 1.0\nabove = 2.0", 30, "above"),
    ("[9, 9, 9]", "[0, 9, 9]", 30, "within"),
    ('task = "total"', 'task = "heart"', 33, "task"),
    ('levels = "all"', 'levels = ["L1", "X9"]', 39, "levels"),
    ('levels = "all"', 'levels = ["L1", "L1"]', 39, "levels"),
    ('levels = "all"', 'levels = "some"', 39, "levels"),
    ('levels = "all"', 'levels = "all"\nlevel = "L1"', 40, "level"),
    ('levels = "all"', 'levels = "all"\nbody = { label = "L1" }', 40, "body"),
    ('"{level}"', '"{part}"', 37, "label"),
    ('"{match} edema"', '"{which} edema"', 42, "label"),
    ('"{match} body"', '"* body"', 45, "bone"),
    ('orientation = "sagittal"', 'orientation = "oblique"', 46, "select"),
    ('orientation = "sagittal"', 'kernel = "B*"', 46, "select"),
    ('marks = ["palatal*", "PAL-*"]', "marks = []", 51, "marks"),
    ('"marks", "threshold"', '"threshold"', 51, "marks"),
    ('systems = ["genant"]', 'systems = ["tnm"]', 54, "systems"),
    ('pictures = "case"', 'pictures = "all"', 58, "pictures"),
    ("records = false", 'records = "no"', 57, "records"),
]


@pytest.mark.parametrize(
    ("right", "mistake", "line", "key"),
    MISTAKES,
    ids=[f"{m[3]} {m[1]}" for m in MISTAKES],
)
def test_a_mistake_is_named_with_its_line(
    right: str, mistake: str, line: int, key: str
) -> None:
    assert WHOLE.count(right) == 1
    with pytest.raises(OsteotraceError) as caught:
        parsed(WHOLE.replace(right, mistake))
    assert caught.value.where == f"whole.toml, line {line}", str(caught.value)
    assert repr(key) in caught.value.advice
    assert caught.value.usage


def test_two_patterns_that_fit_each_other_may_share_a_template() -> None:
    text = WHOLE + '[[intensity]]\nlabel = "{name}"\nmodality = "CT"\n'
    text += 'site = "jaw"\nregion = { label = "a*" }\n'
    text += '[[intensity]]\nlabel = "{name}"\nmodality = "CT"\n'
    text += 'site = "jaw"\nregion = { label = "*b" }\n'
    same = [one for one in parsed(text).entries if isinstance(one, IntensityEntry)]
    assert [one.label for one in same] == ["{name}", "{name}"]


def test_what_an_entry_says_stands_over_what_the_series_says() -> None:
    series = SeriesChoice(modality="CT", kernel="B*", least_slices=10)
    own = SeriesChoice(kernel="H*", prefer="thinnest")
    both = series.beneath(own)
    assert (both.modality, both.kernel, both.least_slices) == ("CT", "H*", 10)
    assert both.preferences == ("thinnest",)


@pytest.mark.parametrize(
    ("right", "mistake", "found", "expected"),
    [
        ("resample = true", "resample = 1", "a whole number", "true or false"),
        ("[0.0, 1.5]", "[0.0, 1.5, 2.0]", "3 values", "2 values"),
        ('kernel = "B*"', 'kernal = "B*"', "the unknown key 'kernal'", ""),
        ('"thinnest"]', '"biggest"]', "'biggest', which is none of the choices", ""),
        ('marks = ["palatal*", "PAL-*"]', "", "no key 'marks'", ""),
    ],
)
def test_a_mistake_is_told_in_plain_words(
    right: str, mistake: str, found: str, expected: str
) -> None:
    with pytest.raises(OsteotraceError) as caught:
        parsed(WHOLE.replace(right, mistake))
    assert caught.value.found == found
    assert expected in caught.value.expected
