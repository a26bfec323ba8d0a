"""The Stage tab: intervals that can be read, why, and answers that narrow them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.fixtures.four_cases import maxilla, spine

from osteotrace.about import RESEARCH_USE_SHORT, RESEARCH_USE_STATEMENT
from osteotrace.findings import Fact, overridden
from osteotrace.reading.case_facts import CaseFacts
from osteotrace.session.questions import (
    StageSheet,
    decisive,
    form,
    profile,
    questions,
    stage_sheet,
)
from osteotrace.staging import stage, system_names
from osteotrace_napari.panels.stage_row import SHORT_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace.findings import Case
    from osteotrace.session import Session
    from osteotrace_napari.panels.answer_field import AnswerField
    from osteotrace_napari.panels.stage import StageTab
    from osteotrace_napari.panels.stage_row import StageRow

pytestmark = pytest.mark.plugin

PRESENTATION, LATER = "2023-06-20", "2024-01-15"
WIDTH_PX = 470


def sheet_of(case: Case, date: str, **changes: Any) -> StageSheet:
    results = stage(case, date)
    made = StageSheet(
        date=date,
        results=results,
        asked=questions(results, case),
        first=decisive(results, case),
        profile=profile(case, date),
    )
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def tab(qtbot: Any) -> StageTab:
    from osteotrace_napari.panels.stage import StageTab

    if not os.environ.get("DISPLAY"):
        pytest.fail("no display: run it under xvfb-run, as make test does")
    made = StageTab()
    qtbot.addWidget(made)
    made.resize(WIDTH_PX, 900)
    made.show()
    return made


@pytest.fixture
def said(tab: StageTab) -> list[tuple[Any, ...]]:
    """What the tab asks for, in order."""
    heard: list[tuple[Any, ...]] = []
    for name in (
        "answered",
        "overridden",
        "withdrawn",
        "drug_added",
        "drug_removed",
        "retracted",
        "left",
    ):
        getattr(tab, name).connect(lambda *told, name=name: heard.append((name, *told)))
    return heard


def row(tab: StageTab, system: str, site: str = "") -> StageRow:
    return next(one for one in tab.rows if one.key == (system, site))


def field(tab: StageTab, name: str, *, within: Any = None) -> AnswerField:
    """Return the answers to a fact where they are shown first."""
    from osteotrace_napari.panels.answer_field import AnswerField

    fields = (within or tab).findChildren(AnswerField)
    found: AnswerField = next(one for one in fields if one.form.name == name)
    return found


def click(qtbot: Any, button: Any) -> None:
    from qtpy.QtCore import Qt

    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def type_into(qtbot: Any, line: Any, words: str) -> None:
    from qtpy.QtCore import Qt

    line.setFocus()
    line.clear()
    qtbot.keyClicks(line, words)
    qtbot.keyClick(line, Qt.Key.Key_Return)


# Stages ----------------------------------------------------------------------------


def test_every_stage_stands_as_an_interval_in_the_order_of_the_results(
    tab: StageTab,
) -> None:
    sheet = sheet_of(maxilla(), PRESENTATION)
    tab.show_stagings(sheet)
    assert [one.key for one in tab.rows] == [(r.system, r.site) for r in sheet.results]
    assert row(tab, "aaoms_2022").stage.text() == "2 … 3"
    assert tab.heading.text() == f"Stages at {PRESENTATION}"


def test_every_system_has_a_name_that_fits(tab: StageTab) -> None:
    assert set(SHORT_NAMES) == set(system_names())


def test_nothing_is_wider_than_the_dock(tab: StageTab, qtbot: Any) -> None:
    for case, date in ((maxilla(), PRESENTATION), (spine(), "2023-09-27")):
        tab.show_stagings(sheet_of(case, date))
        for one in tab.rows:
            one.open()
        qtbot.wait(20)
        content = tab.area.widget()
        assert content.minimumSizeHint().width() <= tab.area.viewport().width()


def test_a_certain_stage_differs_from_an_interval_by_colour(tab: StageTab) -> None:
    tab.show_stagings(sheet_of(spine(), "2023-09-27"))
    certain = next(one for one in tab.rows if one.result.definite)
    open_ = next(one for one in tab.rows if not one.result.definite)
    assert certain.stage.styleSheet() != open_.stage.styleSheet()


def test_a_stage_opens_to_what_it_rests_on_and_what_is_missing(
    tab: StageTab, qtbot: Any
) -> None:
    from qtpy.QtWidgets import QLabel

    tab.show_stagings(sheet_of(maxilla(), PRESENTATION))
    one = row(tab, "aaoms_2022")
    assert not one.questions
    click(qtbot, one.arrow)
    assert len(one.questions) == len(tab.sheet.asked["aaoms_2022", ""])
    told = " ".join(label.text() for label in one.why.findChildren(QLabel))
    assert "because: exposed bone yes" in told
    assert "AAOMS22-STAGE-2" in told
    assert "J Oral Maxillofac Surg 2022" in told
    assert "not known" not in told


def test_what_is_open_stays_open_when_the_stages_change(tab: StageTab) -> None:
    tab.show_stagings(sheet_of(maxilla(), PRESENTATION))
    tab.open("aaoms_2022")
    tab.show_stagings(sheet_of(maxilla(), LATER))
    assert row(tab, "aaoms_2022").arrow.isChecked()
    assert not row(tab, "aaoms_2014").arrow.isChecked()


def test_a_contradiction_is_told_before_anything_is_opened_further(
    tab: StageTab,
) -> None:
    from qtpy.QtWidgets import QLabel

    sheet = sheet_of(maxilla(), PRESENTATION)
    results = tuple(
        msgspec.structs.replace(one, conflicts=("pus is stated in two ways",))
        for one in sheet.results
    )
    tab.show_stagings(msgspec.structs.replace(sheet, results=results))
    one = row(tab, "aaoms_2022")
    one.open()
    shown = [label.text() for label in one.findChildren(QLabel) if label.isVisibleTo(one)]
    assert "contradiction: pus is stated in two ways" in shown


def test_without_any_stage_it_says_what_to_do(tab: StageTab) -> None:
    tab.show_stagings(StageSheet(date=PRESENTATION))
    assert tab.rows == []
    assert tab._nothing.isVisibleTo(tab)


def test_what_does_not_count_and_what_to_check_are_said(tab: StageTab) -> None:
    sheet = StageSheet(
        date=PRESENTATION, not_counted="1 draft does not count", checks=("check: dates",)
    )
    tab.show_stagings(sheet)
    assert tab.not_counted.text() == "1 draft does not count"
    assert tab.checks.line.text() == "1 thing to check"


def test_the_statement_of_research_use_is_always_in_sight(tab: StageTab) -> None:
    assert tab.statement.text() == RESEARCH_USE_SHORT
    assert tab.statement.toolTip() == RESEARCH_USE_STATEMENT
    assert not tab.area.isAncestorOf(tab.statement)


# Answers -----------------------------------------------------------------------------


def test_the_most_decisive_question_stands_first(tab: StageTab) -> None:
    sheet = sheet_of(maxilla(), PRESENTATION)
    tab.show_stagings(sheet)
    assert tab.first[0].asked == sheet.first[0]
    assert len(tab.first) <= 3


@pytest.mark.parametrize(("words", "value"), [(0, True), (1, False), (2, None)])
def test_yes_no_and_unknown_are_one_click(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any, words: int, value: Any
) -> None:
    tab.show_stagings(sheet_of(maxilla(), PRESENTATION))
    tab.open("aaoms_2022")
    answers = field(tab, "path_fracture", within=row(tab, "aaoms_2022"))
    click(qtbot, list(answers.buttons.values())[words])
    assert said == [("answered", "path_fracture", value, "", "", "", "")]


def test_a_button_answers_the_question_that_stands_beside_it(tab: StageTab) -> None:
    """A part of a question is never answered by the words of the whole."""
    from qtpy.QtWidgets import QLabel

    tab.show_stagings(sheet_of(spine(), "2023-09-27"))
    for one in tab.rows:
        one.open()
    for one in tab.rows:
        for box in one.questions:
            shown = {label.text() for label in box.findChildren(QLabel)}
            for answers in box.fields:
                question = answers.form.question
                assert any(text.endswith(question) for text in shown)


def test_a_date_in_the_head_goes_with_the_answers(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    tab.show_stagings(sheet_of(maxilla(), PRESENTATION))
    assert tab.date.placeholderText() == PRESENTATION
    tab.date.setText("2023-06")
    tab.open("aaoms_2022")
    answers = field(tab, "path_fracture", within=row(tab, "aaoms_2022"))
    click(qtbot, answers.buttons[True])
    assert said[-1][-1] == "2023-06"


def test_a_question_of_one_bone_is_answered_for_that_bone(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    tab.show_stagings(sheet_of(spine(), "2023-09-27"))
    tab.open("of_class", "l2")
    answers = field(tab, "tension_band_failed", within=row(tab, "of_class", "l2"))
    click(qtbot, answers.buttons[False])
    assert said == [("answered", "tension_band_failed", False, "", "l2", "", "")]


def test_a_number_is_typed_with_its_unit(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    tab.show_stagings(sheet_of(spine(), "2023-09-27"))
    tab.open("of_class", "l2")
    answers = field(tab, "posterior_wall_percent", within=row(tab, "of_class", "l2"))
    type_into(qtbot, answers.text, "12,5")
    assert said[0] == ("answered", "posterior_wall_percent", 12.5, "%", "l2", "", "")


def test_what_is_no_number_is_said_beside_the_field_and_answers_nothing(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    tab.show_stagings(sheet_of(spine(), "2023-09-27"))
    tab.open("of_class", "l2")
    answers = field(tab, "posterior_wall_percent", within=row(tab, "of_class", "l2"))
    type_into(qtbot, answers.text, "much")
    assert answers.problem.text() == "not a number"
    assert not [one for one in said if one[0] == "answered"]


def test_a_unit_that_decides_has_to_be_chosen(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    from osteotrace_napari.panels.answer_field import AnswerField

    made = AnswerField(form("crp"))
    qtbot.addWidget(made)
    heard: list[tuple[object, str]] = []
    made.answered.connect(lambda value, unit: heard.append((value, unit)))
    type_into(qtbot, made.text, "1.7")
    assert (made.problem.text(), heard) == ("in which unit?", [])
    assert made.units is not None
    made.units.setCurrentText("mg/L")
    made.units.activated.emit(made.units.currentIndex())
    assert heard == [(1.7, "mg/L")]


def test_choices_are_buttons_where_they_are_short_and_a_list_where_they_are_long(
    tab: StageTab, qtbot: Any
) -> None:
    from osteotrace_napari.panels.answer_field import AnswerField

    heard: list[tuple[object, str]] = []
    grade, extent = AnswerField(form("genant_grade")), AnswerField(form("liquids"))
    for one in (grade, extent):
        qtbot.addWidget(one)
        one.answered.connect(lambda value, unit: heard.append((value, unit)))
    click(qtbot, grade.buttons["0.5"])
    assert extent.list is not None
    extent.list.activated.emit(2)
    assert heard == [("0.5", ""), (form("liquids").choices[1], "")]


def test_what_is_stated_is_shown_and_stays_until_another_answer_is_stated(
    tab: StageTab, qtbot: Any
) -> None:
    tab.show_stagings(sheet_of(maxilla(), LATER))
    tab.open("fap")
    answers = field(tab, "liquids_difficulty", within=row(tab, "fap"))
    assert answers.buttons[True].isChecked()
    click(qtbot, answers.buttons[False])
    # Nobody has stated it yet: a refusal would leave it so.
    assert answers.buttons[True].isChecked()
    assert not answers.buttons[False].isChecked()


def test_the_profile_is_asked_in_groups(tab: StageTab) -> None:
    from osteotrace_napari.panels.question_box import Fold

    tab.show_stagings(sheet_of(maxilla(), LATER))
    tab.open("fap")
    titles = [fold.line.text() for fold in row(tab, "fap").findChildren(Fold)]
    assert "Function: 9 questions" in titles
    assert "Aesthetics: 8 questions" in titles


def test_what_is_half_typed_is_taken_with_the_next_answer(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    tab.show_stagings(sheet_of(spine(), "2023-09-27"))
    tab.open("of_class", "l2")
    within = row(tab, "of_class", "l2")
    line = field(tab, "posterior_wall_percent", within=within).text
    assert line is not None
    line.setFocus()
    qtbot.keyClicks(line, "12")
    click(qtbot, field(tab, "frame_lost", within=within).buttons[False])
    assert [one[1:3] for one in said] == [
        ("posterior_wall_percent", 12.0),
        ("frame_lost", False),
    ]


def test_any_other_fact_is_found_by_its_words(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    tab.show_stagings(StageSheet(date=PRESENTATION))
    tab.other.parentWidget().parentWidget().line.setChecked(True)
    type_into(qtbot, tab.other.fact, "Was the jaw irradiated?")
    assert tab.other.box is not None
    click(qtbot, tab.other.box.fields[0].buttons[False])
    assert said == [("answered", "jaw_radiotherapy", False, "", "", "", "")]


def test_a_fact_of_a_bone_is_asked_once_the_bone_is_named(
    tab: StageTab, qtbot: Any
) -> None:
    from osteotrace_napari.panels.question_box import QuestionBox

    tab.other.parentWidget().parentWidget().line.setChecked(True)
    type_into(qtbot, tab.other.fact, "Is the vertebral frame lost")
    assert not tab.other.findChildren(QuestionBox)
    type_into(qtbot, tab.other.site, "L2")
    (box,) = tab.other.findChildren(QuestionBox)
    assert box.fields[0].form.site == "l2"


# Keys ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("letter", "value"), [("y", True), ("n", False), ("u", None)])
def test_the_letters_answer_where_a_question_has_the_keys(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any, letter: str, value: Any
) -> None:
    tab.show_stagings(sheet_of(maxilla(), PRESENTATION))
    tab.open("aaoms_2022")
    answers = field(tab, "path_fracture", within=row(tab, "aaoms_2022"))
    answers.start()
    qtbot.keyClicks(next(iter(answers.buttons.values())), letter)
    assert said == [("answered", "path_fracture", value, "", "", "", "")]


def test_enter_presses_the_button_that_has_the_keys(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    from qtpy.QtCore import Qt

    tab.show_stagings(sheet_of(maxilla(), PRESENTATION))
    tab.start()
    name = tab.first[0].fields[0].form.name
    yes = tab.first[0].fields[0].buttons[True]
    qtbot.keyClick(yes, Qt.Key.Key_Return)
    assert said == [("answered", name, True, "", "", "", "")]


def test_a_turning_wheel_changes_no_answer(tab: StageTab, qtbot: Any) -> None:
    from qtpy.QtCore import QPoint, QPointF, Qt
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    tab.show_stagings(sheet_of(maxilla(), LATER))
    tab.open("fap")
    answers = field(tab, "liquids", within=row(tab, "fap"))
    assert answers.list is not None
    turned = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(0, -120),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(answers.list, turned)
    assert answers.list.currentIndex() == 0


def test_escape_gives_the_keys_back(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    from qtpy.QtCore import Qt

    tab.show_stagings(sheet_of(maxilla(), PRESENTATION))
    tab.start()
    button = next(iter(tab.first[0].fields[0].buttons.values()))
    qtbot.keyClick(button, Qt.Key.Key_Escape)
    assert said == [("left",)]


def test_a_click_on_an_answer_leaves_the_keys_where_they_are(
    tab: StageTab, qtbot: Any
) -> None:
    from qtpy.QtCore import Qt

    tab.show_stagings(sheet_of(maxilla(), PRESENTATION))
    tab.open("aaoms_2022")
    for answers in tab.first[0].fields:
        for button in answers.buttons.values():
            assert button.focusPolicy() == Qt.FocusPolicy.TabFocus


def test_a_double_click_answers_one_question_alone(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    """The next question lies below the mouse when the second click comes."""
    from qtpy.QtCore import QEvent, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    tab.show_stagings(sheet_of(maxilla(), PRESENTATION))
    first, following = (box.fields[0].buttons[True] for box in tab.first[:2])
    click(qtbot, first)
    for kind in (QEvent.Type.MouseButtonDblClick, QEvent.Type.MouseButtonRelease):
        place = QPointF(following.rect().center())
        event = QMouseEvent(
            kind,
            place,
            QPointF(following.mapToGlobal(place)),
            Qt.MouseButton.LeftButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(following, event)
    assert len(said) == 1
    assert said[0][1] == tab.sheet.first[0].forms[0].name
    click(qtbot, following)
    assert len(said) == 2


# Stages that are set, drugs, statements -----------------------------------------------


def test_another_stage_is_set_above_the_questions_that_are_open(tab: StageTab) -> None:
    tab.show_stagings(sheet_of(maxilla(), PRESENTATION))
    one = row(tab, "aaoms_2022")
    one.open()
    assert one.questions
    inside = one.body.layout()
    assert inside.indexOf(one.override) < inside.indexOf(one.questions[0])


def test_a_stage_is_set_with_its_reason(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    tab.show_stagings(sheet_of(maxilla(), PRESENTATION))
    one = row(tab, "aaoms_2022")
    one.open()
    one.override.line.setChecked(True)
    one.choice.setCurrentText("3")
    type_into(qtbot, one.reason, "bone beyond the alveolus")
    expected = ("overridden", "aaoms_2022", "", "3", "bone beyond the alveolus")
    assert said == [expected]


def test_no_stage_is_set_by_chance(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    tab.show_stagings(sheet_of(maxilla(), PRESENTATION))
    one = row(tab, "aaoms_2022")
    one.open()
    one.override.line.setChecked(True)
    click(qtbot, one.set_button)
    assert said == []


def test_a_stage_that_is_set_is_shown_with_the_computed_one_and_can_be_withdrawn(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    from qtpy.QtWidgets import QLabel, QPushButton

    sheet = sheet_of(maxilla(), PRESENTATION)
    results = tuple(
        overridden(one, "3", reason="seen", author="Dr Kim", recorded="2024-01-01")
        if one.system == "aaoms_2022"
        else one
        for one in sheet.results
    )
    tab.show_stagings(msgspec.structs.replace(sheet, results=results))
    one = row(tab, "aaoms_2022")
    assert one.stage.text() == "3 (set by the reader; computed 2 … 3)"
    one.open()
    told = [label.text() for label in one.findChildren(QLabel)]
    assert "set by Dr Kim: 3, because seen" in told
    one.override.line.setChecked(True)
    (again,) = (
        button
        for button in one.override.findChildren(QPushButton)
        if button.text() == "Leave it as computed"
    )
    click(qtbot, again)
    assert said == [("withdrawn", "aaoms_2022", "")]


def test_a_profile_has_no_stage_to_set(tab: StageTab) -> None:
    tab.show_stagings(sheet_of(maxilla(), LATER))
    tab.open("fap")
    assert not hasattr(row(tab, "fap"), "override")


def test_a_drug_is_added_by_the_keyboard_alone(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    type_into(qtbot, tab.drugs.drug, "denos")
    type_into(qtbot, tab.drugs.route, "under the skin")
    type_into(qtbot, tab.drugs.first, "2020-02")
    type_into(qtbot, tab.drugs.last, "2022-10-27")
    expected = ("drug_added", "denosumab", "subcutaneous", "2020-02", "2022-10-27")
    assert said == [expected]


def test_without_a_drug_nothing_is_added(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    click(qtbot, tab.drugs.add)
    assert said == []


def test_drugs_and_facts_of_the_reading_are_listed_and_taken_out(
    tab: StageTab, said: list[tuple[Any, ...]], qtbot: Any
) -> None:
    from qtpy.QtWidgets import QPushButton

    course = maxilla().drugs[0]
    fact = Fact(name="pus", value=True, source="entered", author="K", recorded="")
    stated = CaseFacts(facts=(fact,), drugs=(course,))
    tab.show_stagings(sheet_of(maxilla(), PRESENTATION, stated=stated))
    assert tab.stated.line.text() == "Stated at this reading: 1"
    tab.stated.line.setChecked(True)
    (remove,) = tab.stated.findChildren(QPushButton)
    click(qtbot, remove)
    remove = next(one for one in tab.drugs.findChildren(QPushButton) if one.text() == "×")
    click(qtbot, remove)
    assert said == [("retracted", fact), ("drug_removed", course)]


def test_a_refusal_is_said_at_the_top(tab: StageTab) -> None:
    tab.say_problem("found a dose without unit")
    assert tab.problem.text() == "found a dose without unit"
    tab.show_stagings(StageSheet(date=""))
    assert tab.problem.text() == ""


# With a session ------------------------------------------------------------------------


def test_an_answer_narrows_the_stage_at_once_and_asks_what_is_next(
    tab: StageTab, qtbot: Any, make_session: Callable[..., Session]
) -> None:
    statements = make_session().statements
    statements.add_drug("denosumab")
    statements.state("exposed_bone", True)

    def take(name: str, value: Any, unit: str, site: str, _side: str, _on: str) -> None:
        statements.state(name, value, unit=unit, site=site)
        tab.show_stagings(stage_sheet(statements))

    tab.answered.connect(take)
    tab.show_stagings(stage_sheet(statements))
    tab.open("aaoms_2022")
    before = row(tab, "aaoms_2022").stage.text()
    asked = row(tab, "aaoms_2022").questions[0]
    asked.start()
    click(qtbot, asked.fields[0].buttons[True])
    now = row(tab, "aaoms_2022")
    assert now.stage.text() != before
    assert asked.asked.criterion not in [one.asked.criterion for one in now.questions]
    # The keys went on to the question that is first now.
    assert now.questions[0].fields[0].isAncestorOf(tab.window().focusWidget())
