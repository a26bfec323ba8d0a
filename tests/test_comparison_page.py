"""The comparison's page: whole, self-contained, escaped, and readable without colours."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from PIL import Image
from tests.fixtures import comparisons

from osteotrace.about import RESEARCH_USE_SHORT, RESEARCH_USE_STATEMENT
from osteotrace.comparison import Comparison, StudyPair
from osteotrace.errors import OsteotraceError
from osteotrace.reports.comparison import (
    KeyPicture,
    page,
    timeline_picture,
    timeline_points,
    words,
    write_page,
)
from osteotrace.reports.comparison.page import in_css
from osteotrace.reports.comparison.timeline_figure import enlarged_span

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "img", "br", "col"}


class Read(HTMLParser):
    """A page as its parts: tags with attributes, and the text that is shown."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.markup = markup
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.shown: list[str] = []
        self.heads: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.shown.append(data)
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.heads.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.shown).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def picture(comparison: Comparison, lesion: int, study: int, **more: Any) -> KeyPicture:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return KeyPicture(
        tracking_uid=comparison.lesions[lesion].tracking_uid,
        study=study,
        png=out.getvalue(),
        caption=more.pop("caption", "axial; window −750 to 1750 HU"),
        letters=("R", "L", "A", "P"),
        plane="axial",
        same_plane=bool(study),
        is_marked=True,
    )


@pytest.fixture(scope="module")
def maxilla() -> Read:
    made = comparisons.maxilla()
    pictures = [picture(made, 0, study) for study in (0, 1)]
    return Read(page(made, pictures))


def test_every_tag_is_closed_and_the_language_told(maxilla: Read) -> None:
    assert maxilla.open == []
    assert maxilla.all("html") == [{"lang": "en"}]


def test_the_page_needs_nothing_else(maxilla: Read) -> None:
    assert not maxilla.all("script")
    assert not maxilla.all("link")
    assert all((one["src"] or "").startswith("data:image/") for one in maxilla.all("img"))
    (policy,) = (one["content"] for one in maxilla.all("meta") if one.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    told = re.sub(r"data:[^\"]*|http-equiv", "", maxilla.markup)
    assert "http" not in told
    assert "url(" not in told


def test_the_sections_stand_in_their_order(maxilla: Read) -> None:
    assert maxilla.heads == [
        "P-TEST0001",
        "Result",
        "Pictures",
        "PAL-1",
        "Timeline",
        "Stages",
        "Registration and differences of acquisition",
        "2023-06-20 → 2024-01-15",
        "Where this comes from",
        "Every quantity",
    ]
    # Whose it is, how long it took and what it is not stand before any result.
    before = maxilla.text[: maxilla.text.index("3 lesions")]
    assert "Interval 7 months" in before
    statement = RESEARCH_USE_STATEMENT.removeprefix(RESEARCH_USE_SHORT).strip()
    assert f"{RESEARCH_USE_SHORT} {statement}" in before


@pytest.mark.parametrize(
    "said",
    [
        # the result at a glance
        "3 lesions: 1 stable, 1 resolved, 1 not comparable. One of these is a proposal.",
        "12.07 ± 0.02", "12.09 ± 0.02", "+0.02", "+0.2 %", "+0.003", "0.32 mm assumed",
        "= within measurement error", "142 ± 4", "none found", "○ resolved",
        "≠ not judged", "The repeatability does not apply: kernel B70f, later B30f",
        "proposal", "Match proposed: overlap 62 %, distance 1.3 ± 0.2 mm",
        # the rest of the quantities
        "Not comparable: Cortical breach count. Not measured at the later date: too thin",
        "◆ Breached share of the cortex",
        # stages
        "MRONJ stage, AAOMS 2022 maxilla", "2..3", "0..1", "Holds: AAOMS22-STAGE2",
        "Not known at any date: necrosis beyond the alveolus",
        # the course
        "2019 to 2023-06 denosumab", "debridement", "pain VAS: 6",
        # registration
        "0.04 mm, 0.05°", "0.998 (least 0.970), correlation", "93 %",
        "Refused: MR to CT: correlation 0.42 below the least, 0.60",
        "kernel (CT) B70f B30f breached share of the cortex a sharp kernel",
        # origin
        "osteotrace 0.1.0", "test method, version 3", "test registration, version 2",
        "MRONJ stage, AAOMS 2022, rules version 1", "2.25.400", "2.25.301", "2.25.101",
        "studies read by reader one; compared by reader two", "Protocol sample",
        "2024-02-01 10:00 UTC", "Note: the gap was marked by a person at both dates",
    ],
)  # fmt: skip
def test_the_page_says(maxilla: Read, said: str) -> None:
    assert said in maxilla.text


def test_pictures_stand_side_by_side_with_their_words(maxilla: Read) -> None:
    shown = [one for one in maxilla.all("img") if "PAL-1" in (one["alt"] or "")]
    assert [one["alt"] for one in shown] == [
        f"PAL-1, Palatal bony defect, hard palate structure, {study}: axial; its mark "
        "drawn; letters: left R, right L, top A, bottom P"
        for study in ("before (2023-06-20)", "after (2024-01-15)")
    ]
    png = base64.b64decode((shown[0]["src"] or "").partition("base64,")[2])
    assert Image.open(io.BytesIO(png)).size == (8, 8)
    assert "No picture: SEQ-1, MOTH-1" in maxilla.text


def test_no_picture_is_without_words_and_no_head_without_scope(maxilla: Read) -> None:
    assert all(one["alt"] for one in maxilla.all("img"))
    assert all(one.get("scope") for one in maxilla.all("th"))


def hostile() -> Comparison:
    """Return a comparison in which every text of a person is markup."""
    made = comparisons.maxilla()
    bad = comparisons.HOSTILE
    replace = msgspec.structs.replace
    lesion = made.lesions[2]
    (step,) = lesion.steps
    step = replace(
        step, reason=bad, changes=(replace(step.changes[0], inapplicable=(bad,)),)
    )
    found = replace(lesion.seen[0].findings[0], note=bad, label=bad)
    seen = (replace(lesion.seen[0], findings=(found,)), *lesion.seen[1:])
    links = tuple(
        replace(one, confirmed_by=bad, basis="confirmed") for one in lesion.links
    )
    lesion = replace(lesion, label=bad, seen=seen, steps=(step,), links=links)
    (pair,) = made.pairs
    difference = replace(pair.differences[0], earlier=bad, later=bad, reason=bad)
    aligned = replace(pair.alignments[0], region=bad, notes=(bad,))
    pair = StudyPair(
        earlier=0, later=1, alignments=(aligned,), refusals=(bad,),
        differences=(difference,),
    )  # fmt: skip
    (row,) = made.stagings
    staged = tuple(replace(one, notes=(bad,)) for one in row.results if one is not None)
    return replace(
        made,
        patient=bad,
        reader=bad,
        software=bad,
        notes=(bad,),
        studies=tuple(
            replace(one, name=bad, reader=bad, protocol=bad) for one in made.studies
        ),
        lesions=(*made.lesions[:2], lesion),
        pairs=(pair,),
        stagings=(replace(row, results=staged),),
        events=tuple(replace(one, what=bad) for one in made.events),
        drugs=tuple(replace(one, drug=bad) for one in made.drugs),
    )


def test_no_text_of_a_record_becomes_markup() -> None:
    made = hostile()
    told = page(made, [picture(made, 2, 0, caption=comparisons.HOSTILE)])
    assert "<script" not in told
    read = Read(told)
    assert read.open == []
    assert read.text.count(comparisons.HOSTILE) >= 20
    assert all(comparisons.HOSTILE in (one["alt"] or "") for one in read.all("img")[:1])


def test_the_pseudonym_in_the_head_of_each_printed_page_ends_no_style() -> None:
    bad = '"; } body { display: none } </style><b>'
    made = msgspec.structs.replace(comparisons.many(1), patient=bad)
    told = page(made)
    style = told[told.index("<style>") : told.index("</style>")]
    assert f'@top-left {{ content: "{in_css(bad)}"' in style
    assert set(in_css(bad)) <= set("\\0123456789abcdefghijklmnopqrstuvwxyz ")
    assert in_css("P-1") == "P\\00002d 1"
    assert not Read(told).all("b")[0].get("display")
    assert Read(told).text.count(bad) == 2


def test_of_two_definitions_only_what_differs_is_said() -> None:
    reason = "Height: two definitions: at mid-depth; fitted; and: at mid-depth; read off"
    assert words.shorter(reason) == "Height: two definitions: fitted; and: read off"
    assert words.shorter("not measured; at all") == "not measured; at all"


@pytest.mark.parametrize(
    ("earlier", "later", "unit", "u", "said"),
    [
        (12.07, 12.09, "mm", 0.02, ("+0.02", "+0.2 %")),
        (12.0, 12.001, "mm", 0.2, ("0.0", "0.0 %")),
        (11250.0, 1480.0, "mm3", 60.0, ("−9770", "−87 %")),
        (30000.0, 18000.0, "mm3", 60.0, ("−12\N{NARROW NO-BREAK SPACE}000", "−40 %")),
        (4.4, 4.6, "%", 0.3, ("+0.2", "")),
        (-1.0, 4.0, "deg", 0.2, ("+5", "")),
        (0.1, 1.1, "mm", 0.3, ("+1.0", "")),
    ],
)
def test_a_change_is_said_in_the_digits_that_it_supports(
    earlier: float, later: float, unit: str, u: float, said: tuple[str, str]
) -> None:
    name = "edema_volume"
    one = comparisons.changed(
        comparisons.value(name, earlier, unit, u),
        comparisons.value(name, later, unit, u),
        months=7.0,
        limit=1.0,
    )
    assert (words.delta(one), words.percent(one)) == said


# Files


def test_the_page_is_written_once_and_whole(tmp_path: Path) -> None:
    made = comparisons.many(1)
    path = write_page(tmp_path / "new" / "comparison.html", made)
    written = path.read_text(encoding="utf-8")
    assert written == page(made)
    with pytest.raises(OsteotraceError, match="a file that exists"):
        write_page(path, comparisons.many(2))
    assert path.read_text(encoding="utf-8") == written
    assert [one.name for one in path.parent.iterdir()] == ["comparison.html"]


def test_one_lesion_and_sixty_have_their_rows() -> None:
    for count in (1, 60):
        read = Read(page(comparisons.many(count)))
        labels = re.findall(r"LES-\d+ Lesion, femur", read.text)
        # once at a glance, once with every quantity
        assert len(labels) == 2 * count
        assert f"{count} lesion" in read.text


def test_a_comparison_of_nothing_is_a_page() -> None:
    empty = Comparison(patient="", recorded="", software="x", studies=())
    read = Read(page(empty))
    assert "Patient without a pseudonym" in read.text
    assert "No lesion was read at any date." in read.text


def test_several_dates_tell_the_course_and_the_whole() -> None:
    read = Read(page(comparisons.mandible()))
    course = (
        "2007-08-11 ○ resolved 2012-03-14 – absent 2012-10-11 + new 2014-03-17 ○ resolved"
    )
    assert course in read.text
    assert "2007-03-12 → 2014-03-17, first to last" in read.text
    assert "▼ real change: decreased" in read.text


def test_paper_has_what_did_not_change_in_a_line_and_the_screen_its_rows() -> None:
    made = comparisons.many(1)
    (lesion,) = made.lesions
    (step,) = lesion.steps
    beside = [comparisons.value(name, 4.02) for name in ("width", "height")]
    quiet = [
        comparisons.changed(one, one, months=7.0, limit=comparisons.LIMIT)
        for one in beside
    ]
    step = msgspec.structs.replace(step, changes=(*step.changes, *quiet))
    lesion = msgspec.structs.replace(lesion, steps=(step,))
    told = page(msgspec.structs.replace(made, lesions=(lesion,)))
    assert ".screen, .many .details { display: none; }" in told
    assert told.count('<tr class="screen">') == 2
    (folded,) = re.findall(r'<tr class="remark paper">.*</tr>', told)
    assert "Width 4.02 ± 0.02 → 4.02 ± 0.02 mm; Height 4.02" in folded
    # What decides is a row on paper too.
    assert "Longest diameter" not in folded


@pytest.mark.parametrize(
    ("origin", "short"),
    [
        ("Edmondston, Osteoporos Int 1999;10:7-13", "Edmondston 1999"),
        ("assumed", "assumed"),
        ("1.96 times both uncertainties", "1.96 times both uncertainties"),
    ],
)
def test_a_paper_is_told_by_author_and_year(origin: str, short: str) -> None:
    assert words.short_origin(origin) == short


def test_a_sentence_has_printed_signs_and_leaves_names_alone() -> None:
    told = "decreased (-4216 mm3, -61 %) of CNO-2, 2023-07-15"
    assert words.in_signs(told) == "decreased (−4216 mm³, −61 %) of CNO-2, 2023-07-15"


def test_a_first_and_a_last_study_are_joined_through_those_between() -> None:
    made = comparisons.mandible()
    (one,) = comparisons.maxilla().pairs[0].alignments
    ways = [
        msgspec.structs.replace(
            one,
            transform=msgspec.structs.replace(
                one.transform, from_frame_uid=f"2.25.{k}", to_frame_uid=f"2.25.{k + 1}"
            ),
        )
        for k in range(2)
    ]
    pairs = (
        StudyPair(earlier=0, later=1, alignments=(ways[0],)),
        StudyPair(earlier=1, later=2, alignments=(ways[1],)),
        StudyPair(earlier=0, later=2),
    )
    joined = Read(page(msgspec.structs.replace(made, pairs=pairs))).text
    assert "Joined through the studies in between." in joined
    assert "not registered" not in joined.lower()
    # Two transforms of other series lead nowhere.
    other = msgspec.structs.replace(pairs[1], alignments=(ways[0],))
    apart = page(msgspec.structs.replace(made, pairs=(pairs[0], other, pairs[2])))
    assert "1 of 3 pairs of studies are not registered" in apart


def test_fractures_are_listed_by_level_and_date() -> None:
    read = Read(page(comparisons.spine()))
    assert "L3 2023-09-27 2023-09-03 definite stated as new" in read.text
    assert "L1 2023-07-15 not looked at before" in read.text


# The timeline


def test_dates_stay_as_they_were_given_and_span_their_days() -> None:
    points = timeline_points(comparisons.maxilla())
    (done,) = (one for one in points if one.lane == "procedure")
    assert (done.start, str(done.first), str(done.last)) == (
        "2023-07",
        "2023-07-01",
        "2023-07-31",
    )
    (drug,) = (one for one in points if one.lane == "drug")
    assert (str(drug.first), str(drug.last)) == ("2019-01-01", "2023-06-30")
    assert (drug.ongoing, drug.approximate) == (False, True)


def test_values_have_their_interval_study_and_lesion() -> None:
    made = comparisons.maxilla()
    first = next(one for one in timeline_points(made) if one.lane == "value")
    assert (first.label, first.value, first.unit, first.study) == (
        "PAL-1",
        12.07,
        "mm",
        0,
    )
    assert first.low == pytest.approx(12.07 - 1.96 * 0.02)
    assert first.tracking_uid == made.lesions[0].tracking_uid
    assert first.text == "PAL-1, hard palate structure: 12.07 ± 0.02 mm, 2023-06-20"
    gone = [one for one in timeline_points(made) if one.absent]
    assert [(one.label, one.value, one.study) for one in gone] == [("SEQ-1", None, 1)]


def test_a_course_that_nobody_ended_goes_on() -> None:
    points = [
        one for one in timeline_points(comparisons.mandible()) if one.lane == "drug"
    ]
    assert [(one.row, one.ongoing) for one in points] == [
        ("naproxen", False),
        ("pamidronate", False),
        ("naproxen", True),
    ]


def test_studies_that_the_whole_course_hides_are_enlarged() -> None:
    assert enlarged_span(comparisons.mandible()) is None
    part = enlarged_span(comparisons.spine())
    assert part is not None
    assert (str(part[0]), str(part[1])) == ("2023-07-11", "2023-10-01")


def test_the_timeline_is_the_same_file_each_time() -> None:
    made = comparisons.many(1)
    first = timeline_picture(made)
    assert first == timeline_picture(made)
    assert b"<svg" in first


def test_without_a_date_the_timeline_says_so() -> None:
    made = comparisons.many(2)
    studies = tuple(msgspec.structs.replace(one, date="") for one in made.studies)
    undated = msgspec.structs.replace(made, studies=studies)
    assert all(one.first is None for one in timeline_points(undated))
    assert Image.open(io.BytesIO(timeline_picture(undated, "png"))).width > 1000
    assert "not known" in Read(page(undated)).text


def test_what_is_gone_is_not_called_incomparable_beside_its_state() -> None:
    steps = (step for one in comparisons.maxilla().lesions for step in one.steps)
    step = next(one for one in steps if one.primary == "cortical_breach_fraction")
    (bare,) = (one for one in step.changes if one.name == "breach_count")
    gone = msgspec.structs.replace(step, state="resolved", primary=bare.name)
    assert words.verdict(bare, gone).words == "resolved"
    assert words.verdict(bare, step).words == "not comparable"
