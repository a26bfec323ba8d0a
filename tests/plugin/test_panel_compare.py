"""The Compare tab: what it shows is the sheet, and it asks for what is pressed."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.reports.comparison.timeline import TimelinePoint
from osteotrace.session.comparing.sheet import (
    CompareSheet,
    LesionRow,
    MatchRow,
    StudyChoice,
)

if TYPE_CHECKING:
    from osteotrace_napari.panels.compare import CompareTab

pytestmark = pytest.mark.plugin

WIDTH_PX = 470
BEFORE, AFTER, LATER = "2.25.1", "2.25.2", "2.25.3"
REGISTERED = "CT 2023-06-20 → CT 2024-01-15: CT-CT, whole image: u 0.02 mm"
REFUSED = "CT 2023-06-20 → CT 2024-01-15: refused: two starts that end 3.1 mm apart"
STABLE = LesionRow(
    tracking_uid="2.25.11",
    label="PAL-1",
    what="Palatal bony defect, hard palate",
    state="stable",
    quantity="Antero-posterior gap",
    earlier="12.08 ± 0.02 mm",
    later="12.07 ± 0.02 mm",
    delta="−0.01 mm (−0.1 %), −0.001 a month",
    limit="RC 0.32 mm, assumed",
    verdict="= within measurement error",
    reason="the gap decides",
    others=("Transverse gap: 20.0 → 20.1 mm; = within measurement error",),
    earlier_uids=("2.25.11",),
    later_uids=("2.25.11",),
)
GONE = replace(
    STABLE,
    tracking_uid="2.25.12",
    label="SEQ-1",
    what="Sequestrum, maxilla",
    state="resolved",
    is_proposed=True,
    is_draft=True,
    quantity="",
    earlier="4 fragments",
    later="absent",
    delta="",
    limit="",
    verdict="",
    others=(),
)
MATCH = MatchRow(
    earlier_uid="2.25.13",
    later_uid="2.25.14",
    earlier="GAS-1 · 67 ± 2 mm3",
    later="GAS-2 · 60 ± 2 mm3",
    why="distance 1.2 ± 0.1 mm",
    is_proposed=True,
    detail="GAS-3 of the later date fits too (2.0 mm)",
)


def point(number: int, day: date, label: str) -> TimelinePoint:
    return TimelinePoint(
        lane="study",
        row="Studies",
        label=label,
        what=label,
        text=f"{label}, {day}",
        start=str(day),
        first=day,
        last=day,
        study=number,
    )


def value(number: int, day: date, mm: float) -> TimelinePoint:
    return TimelinePoint(
        lane="value",
        row="Antero-posterior gap",
        label="PAL-1",
        what="PAL-1",
        text=f"PAL-1: {mm} mm",
        start=str(day),
        first=day,
        last=day,
        value=mm,
        low=mm - 0.04,
        high=mm + 0.04,
        unit="mm",
        study=number,
        tracking_uid=STABLE.tracking_uid,
    )


DAYS = (date(2023, 6, 20), date(2024, 1, 15), date(2024, 9, 1))
SHEET = CompareSheet(
    studies=(
        StudyChoice(study_uid=BEFORE, name="2023-06-20", note="7 months before"),
        StudyChoice(study_uid=AFTER, name="2024-01-15", note="read now", is_read=True),
        StudyChoice(study_uid=LATER, name="2024-09-01", has_images=False),
    ),
    earlier_uid=BEFORE,
    later_uid=AFTER,
    registration=(REGISTERED,),
    is_aligned=True,
    can_align=True,
    lesions=(GONE, STABLE),
    matches=(MATCH,),
    alone=((("2.25.15", "CTX-1"),), (("2.25.16", "CTX-2"),)),
    to_carry=("GAS-2", "MOTH-1"),
    differences=("kernel (CT): B70f → B30f",),
    timeline=(
        *(
            point(n, day, name)
            for n, (day, name) in enumerate(
                zip(DAYS, ("before", "after", "late"), strict=True)
            )
        ),
        *(value(n, day, 12.0 + n / 10) for n, day in enumerate(DAYS)),
    ),
    timeline_uids=(BEFORE, AFTER, LATER),
)


@pytest.fixture
def tab(qtbot: Any) -> CompareTab:
    from osteotrace_napari.panels.compare import CompareTab

    if not os.environ.get("DISPLAY"):
        pytest.fail("no display: run it under xvfb-run, as make test does")
    made = CompareTab()
    qtbot.addWidget(made)
    made.resize(WIDTH_PX, 900)
    made.show()
    return made


@pytest.fixture
def said(tab: CompareTab) -> list[tuple[Any, ...]]:
    """What the tab asks for, in order."""
    heard: list[tuple[Any, ...]] = []
    for source, names in (
        (
            tab,
            "carry_asked export_asked save_asked confirmed refused linked "
            "lesion_chosen study_chosen doubt_settled",
        ),
        (
            tab.studies,
            "pair_chosen study_wanted align_asked stop_asked shown mode_chosen "
            "link_toggled",
        ),
    ):
        for name in names.split():
            getattr(source, name).connect(
                lambda *told, name=name: heard.append((name, *told))
            )
    return heard


def click(qtbot: Any, widget: Any, **where: Any) -> None:
    from qtpy.QtCore import Qt

    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, **where)


def texts(widget: Any) -> str:
    """Return every text that is to be seen in a widget."""
    from qtpy.QtWidgets import QLabel

    return "\n".join(
        label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget)
    )


# What is shown ----------------------------------------------------------------------


def test_the_registration_and_its_error_stand_above_what_scrolls(
    tab: CompareTab,
) -> None:
    tab.show_comparison(SHEET)
    assert tab.studies.registration.text() == f"✓ {REGISTERED}"
    assert tab.studies.registration.isVisible()
    assert not tab.area.isAncestorOf(tab.studies.registration)


def test_a_refusal_is_shown_in_full_with_a_sign_of_its_own(tab: CompareTab) -> None:
    sheet = replace(SHEET, registration=(REFUSED,), is_aligned=False)
    tab.show_comparison(sheet)
    assert tab.studies.registration.text() == f"✗ {REFUSED}"
    assert not tab.carry.isEnabled()


def test_a_lesion_says_its_state_in_words_both_values_delta_limit_and_verdict(
    tab: CompareTab,
) -> None:
    tab.show_comparison(SHEET)
    gone, stable = tab.lesions
    assert stable.state.text() == "= stable"
    assert gone.state.text() == "○ resolved, proposed"
    assert "12.08 ± 0.02 mm → 12.07 ± 0.02 mm" in texts(stable)
    for words in (STABLE.delta, "RC 0.32 mm", STABLE.verdict):
        assert words in texts(stable)
    assert "Enter accepts it" in texts(gone)
    assert "Transverse gap" not in texts(stable)
    stable.more.line.setChecked(True)
    assert "Transverse gap" in texts(stable)
    assert "RC 0.32 mm, assumed" in texts(stable)


def test_what_was_open_and_chosen_stays_when_the_comparison_is_shown_anew(
    tab: CompareTab,
) -> None:
    tab.show_comparison(SHEET)
    tab.choose(STABLE.tracking_uid)
    tab.lesions[1].more.line.setChecked(True)
    tab.show_comparison(replace(SHEET, notes=("a child grows",)))
    assert tab.lesions[1].more.line.isChecked()
    assert tab.chosen == STABLE.tracking_uid
    assert "To mind: 1" in tab.notes.line.text()


def test_a_match_says_why_and_what_else_would_fit(tab: CompareTab) -> None:
    tab.show_comparison(SHEET)
    (box,) = tab.matches
    assert tab.matches_title.text() == "Matches to confirm: 1"
    assert "GAS-1 · 67 ± 2 mm3  ↔  GAS-2 · 60 ± 2 mm3" in texts(box)
    assert "distance 1.2 ± 0.1 mm; GAS-3 of the later date" in texts(box)


def test_a_match_that_is_settled_stands_apart_and_can_be_taken_back(
    tab: CompareTab,
) -> None:
    settled = replace(MATCH, is_proposed=False, said_by="Dr Kim, 2024-05-06")
    tab.show_comparison(replace(SHEET, matches=(settled,)))
    assert not tab.matches_title.isVisible()
    tab.settled.line.setChecked(True)
    (box,) = tab.matches
    assert "Dr Kim, 2024-05-06" in texts(box)
    assert box.no.isVisible()
    assert not box.yes.isVisible()


def test_a_blinded_reading_shows_nothing_of_other_dates(tab: CompareTab) -> None:
    tab.show_comparison(
        CompareSheet(hidden="Blinded: other dates are hidden until you accept.")
    )
    assert "Blinded" in texts(tab)
    assert not tab.lesions
    assert not tab.matches
    assert not tab.timeline.isVisible()
    for made in (tab.carry, tab.export, tab.studies.align, tab.studies.beside):
        assert not made.isEnabled()


def test_no_study_to_compare_with_says_what_to_do(tab: CompareTab) -> None:
    tab.show_comparison(CompareSheet(problem="One study of this patient is known."))
    assert "One study of this patient" in texts(tab)
    assert tab.studies.add.isEnabled()


def test_nothing_is_wider_than_the_dock(tab: CompareTab) -> None:
    tab.show_comparison(SHEET)
    assert tab.minimumSizeHint().width() <= WIDTH_PX


# What is asked for --------------------------------------------------------------------


def test_showing_a_comparison_asks_for_nothing(
    tab: CompareTab, said: list[tuple[Any, ...]]
) -> None:
    from osteotrace_napari.panels.compare_studies import SeenTogether

    tab.show_comparison(SHEET)
    seen = SeenTogether(is_on=True, mode="swipe", linked=frozenset({"zoom"}))
    tab.studies.show_seen(seen)
    assert said == []
    assert tab.studies.links["zoom"].isChecked()
    assert not tab.studies.links["cursor"].isChecked()
    assert tab.studies.mode.currentText() == "swipe"


def test_each_button_asks_for_its_own(
    tab: CompareTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    tab.show_comparison(SHEET)
    (box,) = tab.matches
    assert tab.carry.text() == "Carry 2 marks forward"
    for made in (box.yes, box.no, tab.carry, tab.export, tab.save, tab.studies.align):
        click(qtbot, made)
    click(qtbot, tab.studies.add)
    click(qtbot, tab.lesions[1])
    assert said == [
        ("confirmed", "2.25.13", "2.25.14"),
        ("refused", "2.25.13", "2.25.14"),
        ("carry_asked",),
        ("export_asked",),
        ("save_asked",),
        ("align_asked",),
        ("study_wanted",),
        ("lesion_chosen", STABLE.tracking_uid),
    ]


def test_a_doubt_about_values_is_let_pass_by_the_reader(
    tab: CompareTab, said: list[tuple[Any, ...]]
) -> None:
    from qtpy.QtWidgets import QCheckBox

    assert not tab.doubts.isVisibleTo(tab)
    doubts = (("slices of 2.7 mm", True), ("no plane of symmetry", False))
    tab.show_comparison(replace(SHEET, doubts=doubts, judged_by="own.json"))
    assert tab.doubts.line.text() == "Doubts about values: 2, 1 let pass"
    tab.doubts.line.setChecked(True)
    first, last = tab.doubts.findChildren(QCheckBox)
    assert (first.isChecked(), last.isChecked()) == (True, False)
    assert said == []
    last.setChecked(True)
    assert said == [("doubt_settled", "no plane of symmetry", True)]
    assert "no plane of symmetry" in texts(tab)
    assert "Judged by this site's repeatability: own.json" in texts(tab)


def test_the_alignment_at_work_can_be_stopped_and_is_told(
    tab: CompareTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    tab.show_comparison(replace(SHEET, registration=(), is_aligned=False))
    tab.studies.show_aligning(30, 100)
    assert "Aligning" in tab.studies.registration.text()
    click(qtbot, tab.studies.align)
    assert said == [("stop_asked",)]
    tab.studies.show_aligned()
    tab.show_comparison(SHEET)
    assert tab.studies.align.text() == "Align again"
    assert tab.studies.registration.text() == f"✓ {REGISTERED}"


def test_two_findings_are_linked_by_hand(
    tab: CompareTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    tab.show_comparison(SHEET)
    (box,) = tab.matches
    click(qtbot, box.other)
    # The later finding of that match is chosen already.
    assert tab.last.currentData() == "2.25.14"
    click(qtbot, tab.link)
    assert said == [("linked", "2.25.15", "2.25.14")]


def test_another_pair_of_studies_is_asked_for_once_it_is_chosen(
    tab: CompareTab, said: list[tuple[Any, ...]]
) -> None:
    tab.show_comparison(SHEET)
    assert tab.studies.earlier.currentData() == BEFORE
    tab.studies.later.setCurrentIndex(2)
    tab.studies.later.activated.emit(2)
    assert said == [("pair_chosen", BEFORE, LATER)]


def test_lesions_follow_each_other_both_ways(tab: CompareTab) -> None:
    tab.show_comparison(SHEET)
    assert tab.next_lesion(1) == GONE.tracking_uid
    tab.choose(GONE.tracking_uid)
    assert tab.next_lesion(1) == STABLE.tracking_uid
    assert tab.next_lesion(-1) == STABLE.tracking_uid
    tab.choose(STABLE.tracking_uid)
    assert tab.next_lesion(1) == GONE.tracking_uid


# The timeline ---------------------------------------------------------------------------


def test_a_click_on_a_study_of_the_timeline_asks_for_that_study(
    tab: CompareTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    tab.show_comparison(SHEET)
    for number, uid in enumerate((BEFORE, AFTER, LATER)):
        said.clear()
        click(qtbot, tab.timeline, pos=tab.timeline.place_of(number).toPoint())
        assert said == [("study_chosen", uid)]


def test_studies_stand_in_the_order_and_at_the_distance_of_their_dates(
    tab: CompareTab,
) -> None:
    tab.show_comparison(SHEET)
    xs = [tab.timeline.place_of(number).x() for number in range(3)]
    days = [day.toordinal() for day in DAYS]
    assert (xs[1] - xs[0]) / (xs[2] - xs[0]) == pytest.approx(
        (days[1] - days[0]) / (days[2] - days[0]), abs=0.01
    )


def test_the_chosen_lesions_values_are_plotted_and_no_others(tab: CompareTab) -> None:
    tab.show_comparison(SHEET)
    before = tab.timeline.height()
    plotted = []
    for uid in ("", STABLE.tracking_uid, GONE.tracking_uid):
        tab.choose(uid)
        plotted.append((len(tab.timeline.values), tab.timeline.height() > before))
    assert plotted == [(0, False), (3, True), (0, False)]
