"""What is pasted into a report: every finding, in the digits of the table, no advice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.fixtures.four_cases import finding, maxilla, reading, spine

import osteotrace as ot
from osteotrace import findings, staging
from osteotrace.about import RESEARCH_USE_SHORT
from osteotrace.findings import Case
from osteotrace.measurements.measurement import Method, measured, not_measured
from osteotrace.reading.case_facts import read_facts
from osteotrace.reading.cases import staged
from osteotrace.regions import ImagePoints
from osteotrace.reports import text
from osteotrace.reports.export import export
from osteotrace.reports.paragraph import UNCERTAINTY, paragraph

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.command_line import Outcome

    from osteotrace.findings import Assessment, Finding
    from osteotrace.measurements.measurement import Measurement, NotMeasured

SAMPLES = Path(__file__).parents[1] / "sample_dicom"
DATE = "2023-06-20"


def value(name: str, number: float, unit: str, u: float | None, **more: Any) -> Any:
    reason = "" if u is not None else "counted"
    return measured(
        name,
        number,
        unit,
        method=Method(name="by hand", version="1"),
        sources=(),
        uncertainty=u,
        uncertainty_reason=reason,
        **more,
    )


def refused(name: str, reason: str) -> NotMeasured:
    return not_measured(name, reason, method=Method(name="by hand", version="1"))


def fragment(number: int, mm: float, *flags: str) -> Finding:
    return finding(
        f"SEQ/{number}",
        "sequestrum",
        "maxilla",
        value("longest_diameter", mm, "mm", 0.12),
        value("median_value", 100 * mm, "[hnsf'U]", 20, flags=flags),
        laterality="right",
    )


def sequestra(*parts: Finding) -> tuple[Finding, ...]:
    count = value("fragment_count", len(parts), "{counts}", None)
    summary = finding("SEQ", "sequestrum", "maxilla", count, laterality="right")
    return (summary, *parts)


def lines(*findings: Finding, **options: Any) -> list[str]:
    """Return what is said of findings: neither the study nor the statement."""
    return paragraph(reading(DATE, *findings), **options).splitlines()[1:-1]


def one(*findings: Finding, **options: Any) -> str:
    (line,) = lines(*findings, **options)
    return line


# Numbers ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def after() -> Assessment:
    """The maxilla after treatment, whose gap is known to be 12.07 mm."""
    return ot.measure(SAMPLES / "maxilla_after", SAMPLES / "protocols/maxilla_after.toml")


def test_the_known_gap_of_the_sample_stands_in_the_paragraph(after: Assessment) -> None:
    said = paragraph(after)
    found = re.search(
        r"antero-posterior gap (\d+\.\d+) ± (\d+\.\d+) mm, transverse", said
    )
    assert found is not None
    assert float(found[1]) == pytest.approx(12.07, abs=0.3)
    assert "Soft-tissue defect at the premaxilla" in said


def test_every_number_has_the_digits_of_the_table(after: Assessment) -> None:
    said = paragraph(after)
    shown = [text.value(one) for found in after.findings for one in text.headlines(found)]
    assert len(shown) == 5
    assert all(number in said for number in shown)


def test_a_finding_is_said_with_kind_side_site_and_every_headline() -> None:
    gap = finding(
        "PAL-1",
        "palatal_bony_defect",
        "hard_palate",
        value("palatal_gap_ap", 12.0712, "mm", 0.021),
        value("palatal_gap_area", 230.94, "mm2", 0.8),
        value("length_as_drawn", 12.4, "mm", None),
        laterality="left",
    )
    assert one(gap) == (
        "Palatal bony defect at the left hard palate (PAL-1): antero-posterior gap "
        "12.07 ± 0.02 mm, projected area 230.9 ± 0.8 mm2."
    )


def test_a_region_is_said_with_its_volume_and_only_a_region() -> None:
    drawn = value("voxel_volume", 904.8, "mm3", 31)
    values = (
        value("mean_value", 60.2, "[hnsf'U]", 1.1, flags=("streaks",)),
        value("median_value", 59.0, "[hnsf'U]", 1.4, flags=("streaks",)),
        value("value_sd", 25.0, "[hnsf'U]", None),
    )
    region = finding("REG-1", "region", "mandible", *values, drawn)
    assert one(region) == (
        "Measured region at the mandible (REG-1): mean 60 ± 1 HU, median 59 ± 1 HU, "
        "volume 905 ± 31 mm3 (check: mean, median: streaks)."
    )
    lucent = value("trabecular_lucent_fraction", 12, "%", 2)
    assert "volume" not in one(finding("MOTH", "moth_eaten", "maxilla", lucent, drawn))


def test_what_could_not_be_measured_says_why_in_words() -> None:
    reason = "bone_width_right not measured: no edge can be fitted"
    expansion = finding(
        "EXP", "bone_expansion", "mandible", refused("asymmetry_index", reason)
    )
    assert one(expansion) == (
        "Bone expansion at the mandible (EXP): asymmetry index of width not measured "
        "(right width not measured: no edge can be fitted)."
    )


def test_what_shows_as_zero_has_no_sign() -> None:
    lucent = value("trabecular_lucent_fraction", -0.2, "%", 2)
    moth = finding("MOTH", "moth_eaten", "maxilla", lucent)
    assert one(moth).endswith("reference 0 ± 2 %.")


# Doubts, presence, certainty, note ---------------------------------------------------


def test_a_doubt_of_every_value_is_said_once() -> None:
    flags = ("slices of 2.7 mm",)
    rim = finding(
        "RIM",
        "sclerotic_rim",
        "maxilla",
        value("sclerotic_rim_thickness", 2.1, "mm", 0.2, flags=flags),
        value("sclerotic_rim_completeness", 36, "%", 6, flags=flags),
    )
    assert one(rim).endswith("completeness 36 ± 6 % (check: slices of 2.7 mm).")


def test_a_doubt_of_one_value_names_it() -> None:
    said = one(*sequestra(fragment(1, 11.2, "partial volume")))
    assert said.endswith("(check: median: partial volume).")


def test_a_doubt_of_a_level_is_said_once_whoever_names_it() -> None:
    spoken = one(
        finding(
            "VERT-L1",
            "vertebra",
            "l1",
            value("height_anterior", 20, "mm", 0.3, flags=("slices of 2.7 mm",)),
            value("genant_grade", 1, "{0:3}", 0.2, flags=("L1: slices of 2.7 mm",)),
        )
    )
    assert spoken.count("slices of 2.7 mm") == 1
    beside = "L2: slices of 2.7 mm"
    grade = value("genant_grade", 1, "{0:3}", 0.2, flags=(beside,))
    assert beside in one(finding("VERT-L1", "vertebra", "l1", grade))


def test_dates_and_names_in_doubts_are_no_numbers_to_make_a_range_of() -> None:
    flags = [f"mask of 2023-06-{day} named L{day}, 20230{day}" for day in (10, 20)]
    said = one(*sequestra(fragment(1, 11.2, flags[0]), fragment(2, 7.3, flags[1])))
    assert f"median: {flags[0]}; median: {flags[1]}" in said


def test_a_reason_is_said_without_the_advice_that_goes_with_it() -> None:
    problem = refused(
        "distance",
        "the start point (1.00, 2.00, 3.00) outside the volume; expected a point in "
        "patient LPS mm inside it; check the sign of x and y",
    )
    assert one(finding("CAL-1", "lesion", "maxilla", problem)).endswith(
        "distance not measured (the start point (1.00, 2.00, 3.00) outside the volume)."
    )


def test_doubts_that_differ_in_numbers_alone_are_one_with_their_range() -> None:
    flags = [f"partial volume: {percent} % lies within the blur" for percent in (74, 50)]
    said = one(*sequestra(fragment(1, 11.2, flags[0]), fragment(2, 7.3, flags[1])))
    assert said.endswith(
        "(check: median: partial volume: 50 to 74 % lies within the blur)."
    )


def test_fragments_stand_with_the_sequestra_they_are_of() -> None:
    assert one(*sequestra(fragment(1, 11.2), fragment(2, 7.3))) == (
        "Sequestrum at the right maxilla (SEQ): 2 separate fragments; "
        "(1) longest diameter 11.2 ± 0.1 mm, median 1120 ± 20 HU; "
        "(2) longest diameter 7.3 ± 0.1 mm, median 730 ± 20 HU."
    )


def test_what_was_looked_for_and_not_found_is_said() -> None:
    absent = finding("", "sequestrum", "maxilla", presence="absent", laterality="left")
    unknown = finding("G", "gas", "jaw", presence="unknown")
    assert lines(absent, unknown) == [
        "No sequestrum at the left maxilla.",
        "Gas collection in bone or soft tissue at the jaw region: not known whether "
        "present (G).",
    ]


def test_a_search_of_a_region_says_where_it_looked_and_what_it_left_out() -> None:
    region = ImagePoints(
        role="marked region",
        image_points=((1.0, 1.0),),
        point_roles=("a",),
        source_instances=("2.25.5",),
    )
    left_out = "1 separate piece(s) at the edge of the region left out"
    (summary,) = sequestra()
    for presence, flags, said in (
        ("absent", (), "No sequestrum in the region marked at the right maxilla (SEQ)."),
        (
            "unknown",
            (left_out,),
            "Sequestrum in the region marked at the right maxilla: not known whether "
            f"present (SEQ) (check: {left_out}).",
        ),
    ):
        count = value("fragment_count", 0, "{counts}", None, flags=flags)
        found = msgspec.structs.replace(
            summary, presence=presence, regions=(region,), measurements=(count,)
        )
        assert one(found) == said


@pytest.mark.parametrize(
    ("certainty", "words"),
    [
        ("definite", "Sequestrum at"),
        ("probable", "Probable sequestrum at"),
        ("possible", "Possible sequestrum at"),
        ("unknown", "Sequestrum, certainty not stated at"),
    ],
)
def test_how_sure_the_reader_is_is_said(certainty: Any, words: str) -> None:
    said = one(finding("SEQ", "sequestrum", "maxilla", certainty=certainty))
    assert said == f"{words} the maxilla (SEQ)."


def test_both_sides_and_an_unknown_side_are_said() -> None:
    both = finding("A", "gas", "maxilla", laterality="bilateral")
    either = finding("B", "gas", "maxilla", laterality="unilateral")
    nowhere = finding("C", "gas", "unspecified", laterality="left")
    said = " ".join(lines(both, either, nowhere))
    assert "at both sides of the maxilla (A)" in said
    assert "at one side of the maxilla, which is not stated (B)" in said
    assert "at a left site that is not stated (C)" in said


def test_a_note_of_several_lines_follows_as_a_sentence() -> None:
    noted = msgspec.structs.replace(
        finding("G", "gas", "maxilla"), note="Beside the root\nof tooth 13"
    )
    assert one(noted).endswith("at the maxilla (G). Beside the root of tooth 13.")


def test_what_was_read_before_follows_its_finding() -> None:
    gap = finding("G", "gas", "maxilla")
    said = one(gap, before={gap.tracking_uid: "2023-01-01: 12.1 ± 0.3 mm"})
    assert said.endswith("(G). 2023-01-01: 12.1 ± 0.3 mm.")


# Vertebrae -----------------------------------------------------------------------------


def height(mm: float, *flags: str) -> Measurement:
    found: Measurement = value("height_anterior", mm, "mm", 0.3, flags=flags)
    return found


def test_vertebrae_are_said_from_above_each_level_once() -> None:
    said = lines(
        finding("L2", "vertebra", "l2", height(26.7)),
        finding("T12", "vcf", "t12", height(19.6, "cemented")),
        finding("L2 edema", "marrow_edema", "l2", value("edema_volume", 980, "mm3", 40)),
        finding("L1", "vcf", "l1", presence="absent"),
    )
    assert said == [
        "T12: vertebral compression fracture, anterior height 19.6 ± 0.3 mm "
        "(check: cemented).",
        "L1: no vertebral compression fracture.",
        "L2: measured, anterior height 26.7 ± 0.3 mm; bone marrow edema-like signal, "
        "volume 980 ± 40 mm3.",
    ]


# Stages, study, ends -------------------------------------------------------------------


def test_stages_are_intervals_with_what_is_missing_in_few_words() -> None:
    results = staging.stage(maxilla(), DATE, systems=["aaoms_2022"])
    whole = msgspec.structs.replace(reading(DATE), stagings=results)
    (line,) = (one for one in paragraph(whole).splitlines() if "AAOMS" in one)
    assert line.startswith("MRONJ stage, AAOMS 2022: 2..3 (not known: ")
    assert line.endswith(" and 2 more).")
    assert "_" not in line


def test_a_stage_set_by_a_reader_says_by_whom_and_why() -> None:
    (result,) = staging.stage(maxilla(), DATE, systems=["aaoms_2022"])
    own = findings.overridden(
        result, "1", reason="bone\nnot exposed any more.", author="Dr Lee", recorded=""
    )
    whole = msgspec.structs.replace(reading(DATE), stagings=(own,))
    (line,) = (one for one in paragraph(whole).splitlines() if "AAOMS" in one)
    assert line == (
        "MRONJ stage, AAOMS 2022: 1 (set by Dr Lee: bone not exposed any more; "
        "computed 2..3)."
    )


def test_a_stage_that_is_open_from_end_to_end_is_short() -> None:
    case = Case(patient="P", assessments=(reading(DATE, finding("S", "gas", "jaw")),))
    results = staging.stage(case, DATE, systems=["aaoms_2022"])
    whole = msgspec.structs.replace(reading(DATE), stagings=results)
    (line,) = (one for one in paragraph(whole).splitlines() if "AAOMS" in one)
    assert re.fullmatch(
        r"MRONJ stage, AAOMS 2022: not applicable\.\.3, open \(\d+ not known\)\.", line
    )


def test_grades_of_several_levels_stand_in_one_line() -> None:
    case = spine()
    day = "2023-09-27"
    results = staging.stage(case, day, systems=["genant"])
    whole = msgspec.structs.replace(reading(day), stagings=results)
    grades = [one for one in paragraph(whole).splitlines() if "Genant" in one]
    assert len(grades) == 1
    assert all(result.site.upper() in grades[0] for result in results)


def test_facts_of_the_sample_are_staged_into_the_paragraph(after: Assessment) -> None:
    stated = read_facts(SAMPLES / "facts/maxilla_after.toml")
    said = paragraph(staged(after, stated))
    assert "Maxillary defect class, Brown and Shaw (borrowed): I..II (not known: " in said


def test_the_first_line_names_study_and_reader(after: Assessment) -> None:
    nobody = msgspec.structs.replace(after, reader="")
    assert paragraph(nobody).startswith(
        "CT and MR of 2024-01-15, not accepted by a named reader.\n"
    )
    assert "read by Dr Kim." in paragraph(msgspec.structs.replace(after, reader="Dr Kim"))


def test_it_ends_with_what_the_sign_means_and_the_statement(after: Assessment) -> None:
    assert paragraph(after).endswith(f"\n{UNCERTAINTY} {RESEARCH_USE_SHORT}\n")


def test_a_reading_without_findings_says_so() -> None:
    assert "No finding is recorded." in paragraph(reading(DATE))


def test_no_pseudonym_and_no_uid_is_pasted(after: Assessment) -> None:
    said = paragraph(after)
    assert after.patient not in said
    assert "2.25." not in said


def test_nothing_is_advised() -> None:
    results = staging.stage(maxilla(), DATE)
    said = paragraph(msgspec.structs.replace(reading(DATE), stagings=results)).lower()
    advice = ("recommend", "should", "advise", "consider", "suggest", "treat")
    assert not [word for word in advice if word in said]


def test_plain_ascii_on_request_keeps_every_number(after: Assessment) -> None:
    named = msgspec.structs.replace(after, reader="Jörg Weiß 김")
    said = paragraph(named, ascii_only=True)
    assert said.isascii()
    assert "read by Jorg Weiss ?" in said
    assert said.replace("+/-", "±").count("±") == paragraph(named).count("±")


def test_the_command_line_writes_it(
    osteotrace: Callable[..., Outcome], tmp_path: Path
) -> None:
    record, out = tmp_path / "2.25.1.json", tmp_path / "report.txt"
    whole = reading(DATE, finding("G", "gas", "maxilla"))
    export(whole, record, form="json")
    assert osteotrace("export", record, "--out", out, "--format", "paragraph").code == 0
    assert out.read_text(encoding="utf-8") == paragraph(whole)
