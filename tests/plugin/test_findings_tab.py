"""The Findings tab: rows that follow the findings, a form that the keyboard fills in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from osteotrace.codes import QUANTITIES
from osteotrace.findings import Finding
from osteotrace.measurements.measurement import Measurement, Method, NotMeasured
from osteotrace_napari.panels.finding_rows import FindingRow, PriorValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from osteotrace_napari.panels.findings import FindingsList

pytestmark = pytest.mark.plugin

# For slow machines; nothing waits this long that goes well.
PATIENCE_MS = 60_000

METHOD = Method(name="test", version="1")


def length(value: float, *, flags: tuple[str, ...] = ()) -> Measurement:
    return Measurement(
        name="palatal_gap_ap",
        code=QUANTITIES["palatal_gap_ap"],
        value=value,
        unit="mm",
        method=METHOD,
        sources=(),
        uncertainty=0.021,
        flags=flags,
    )


REFUSED = NotMeasured(
    name="distance", code=QUANTITIES["distance"], reason="no wall", method=METHOD
)


def finding(number: int, **said: Any) -> Finding:
    given = {
        "kind": "palatal_bony_defect",
        "site": "hard_palate",
        "measurements": (length(12.0712),),
        **said,
    }
    return Finding(tracking_uid=f"2.25.{number}", label=f"CAL-{number}", **given)


GAP = FindingRow(finding=finding(1), accepted=True)
DOUBTED = FindingRow(finding=finding(2, measurements=(length(3.0, flags=("rival",)),)))
REFUSED_ROW = FindingRow(finding=finding(3, measurements=(REFUSED,)))
SEQUESTRA = FindingRow(finding=finding(4, kind="sequestrum", site="maxilla"))
PARTS = tuple(
    FindingRow(finding=finding(n, kind="sequestrum", site="maxilla"), leader="2.25.4")
    for n in (5, 6)
)


@pytest.fixture
def tab(qtbot: Any) -> FindingsList:
    """Give the tab, shown, with its window active."""
    if not os.environ.get("DISPLAY"):
        pytest.fail("no display: run it under xvfb-run, as make test does")
    from osteotrace_napari.panels.findings import FindingsList

    made = FindingsList()
    qtbot.addWidget(made)
    made.resize(490, 760)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow, timeout=PATIENCE_MS)
    return made


@pytest.fixture
def focus(qtbot: Any, tab: FindingsList) -> Callable[..., None]:
    """Wait for the focus, on a field where one is given."""
    from qtpy.QtWidgets import QApplication

    def focus(field: Any = None) -> None:
        if field is not None:
            field.setFocus()

        def is_there() -> bool:
            held = QApplication.focusWidget()
            if held is None:
                # No window manager hands on what a window that went away has held.
                tab.activateWindow()
            return held is not None and field in (None, held)

        qtbot.waitUntil(is_there, timeout=PATIENCE_MS)

    return focus


@pytest.fixture
def press(qtbot: Any, focus: Callable[..., None]) -> Callable[..., None]:
    """Press keys where the focus is: text as typed, or one key by its Qt name."""
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    def press(*keys: str) -> None:
        for key in keys:
            focus()
            target = QApplication.focusWidget()
            code = getattr(Qt.Key, f"Key_{key}", None) if len(key) > 1 else None
            if code is None:
                qtbot.keyClicks(target, key)
            else:
                qtbot.keyClick(target, code)

    return press


def edits(tab: FindingsList) -> list[tuple[str, str, str]]:
    heard: list[tuple[str, str, str]] = []
    tab.edited.connect(lambda *told: heard.append(told))
    return heard


# The table


def test_a_row_says_what_where_how_much_and_how_far(tab: FindingsList) -> None:
    said = finding(1, laterality="right", site="maxilla")
    tab.show_findings([FindingRow(finding=said, accepted=True)])
    assert tab.table.said("2.25.1", 0) == ("Palatal defect", "CAL-1 · Right maxilla")
    assert tab.table.said("2.25.1", 1) == ("12.07 ± 0.02 mm", "antero-posterior")
    assert tab.table.said("2.25.1", 3) == ("accepted", "")


@pytest.mark.parametrize(
    ("row", "value", "state"),
    [
        (GAP, "12.07 ± 0.02 mm", ("accepted", "")),
        (FindingRow(finding=finding(1), accepted=True, saved=True), None, ("saved", "")),
        (DOUBTED, "3.00 ± 0.02 mm", ("draft", "flagged")),
        (REFUSED_ROW, "—", ("draft", "not measured")),
        (
            FindingRow(
                finding=finding(7, measurements=(), presence="absent"), accepted=True
            ),
            "absent",
            ("accepted", ""),
        ),
    ],
)
def test_every_state_is_said_in_words(
    tab: FindingsList, row: FindingRow, value: str | None, state: tuple[str, str]
) -> None:
    tab.show_findings([row])
    assert value in (None, tab.table.said(row.uid, 1)[0])
    assert tab.table.said(row.uid, 3) == state


def test_parts_are_folded_under_their_leader_and_found_when_selected(
    tab: FindingsList,
) -> None:
    tab.show_findings([GAP, SEQUESTRA, *PARTS])
    assert tab.table.topLevelItemCount() == 2
    leader = tab.table.topLevelItem(1)
    assert leader.childCount() == 2
    assert not leader.isExpanded()
    assert [tab.step(1) for _ in range(3)] == ["2.25.1", "2.25.4", "2.25.1"]
    tab.select("2.25.6")
    assert leader.isExpanded()
    assert tab.current == "2.25.6"


def test_a_part_whose_leader_is_gone_stands_alone(tab: FindingsList) -> None:
    tab.show_findings([SEQUESTRA, *PARTS])
    tab.show_findings(PARTS)
    assert tab.table.topLevelItemCount() == 2


def test_the_prior_stands_beside_the_value_only_where_there_is_one(
    tab: FindingsList,
) -> None:
    tab.show_findings([GAP])
    assert tab.table.isColumnHidden(2)
    prior = PriorValue(
        value="14.50 ± 0.03 mm",
        date="2023-06-20",
        verdict="decreased",
        sentence="decreased (-2.4 mm, -17 %; repeatability 0.3 mm, assumed)",
    )
    tab.show_findings([FindingRow(finding=finding(1), prior=prior)])
    assert not tab.table.isColumnHidden(2)
    assert tab.table.said("2.25.1", 2) == ("14.50 ± 0.03 mm", "2023-06 decreased")
    tip = tab.table.topLevelItem(0).toolTip(2)
    assert "2023-06-20" in tip
    assert "repeatability 0.3 mm" in tip
    proposed = PriorValue(value="14.50 ± 0.03 mm", date="2023-06-20", proposed=True)
    tab.show_findings([FindingRow(finding=finding(1), prior=proposed)])
    assert tab.table.said("2.25.1", 2)[0] == "14.50 ± 0.03 mm ?"


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("not comparable", "no verdict"),
        ("within measurement error", "within error"),
        ("increased", "increased"),
    ],
)
def test_a_value_and_a_verdict_of_usual_length_are_not_cut(
    tab: FindingsList, verdict: str, words: str
) -> None:
    from qtpy.QtGui import QImage, QPainter

    from osteotrace_napari.panels import finding_table

    prior = PriorValue(value="12.08 ± 0.03 mm", date="2023-06-20", verdict=verdict)
    tab.show_findings([FindingRow(finding=finding(1), prior=prior)])
    above, below = tab.table.said("2.25.1", finding_table.PRIOR)
    assert below == f"2023-06 {words}"
    image = QImage(10, 10, QImage.Format.Format_ARGB32)
    painter = QPainter(image)
    for column, size, said in (
        (finding_table.PRIOR, 1, f"{above} ?"),
        (finding_table.PRIOR, finding_table.SMALL, below),
        (finding_table.VALUE, 1, "9199 ± 1223 mm3"),
    ):
        font = tab.table.font()
        font.setPointSizeF(font.pointSizeF() * size)
        font.setBold(column == finding_table.VALUE)
        width = tab.table.columnWidth(column) - 2 * finding_table.MARGIN_PX
        assert finding_table.fitted(painter, font, said, width) == said
    painter.end()


def test_a_changed_value_changes_in_its_row_and_the_selection_stays(
    tab: FindingsList,
) -> None:
    tab.show_findings([GAP, SEQUESTRA, *PARTS], select="2.25.5")
    moved = FindingRow(finding=finding(1, measurements=(length(9.5),)))
    tab.show_findings([moved, SEQUESTRA, *PARTS])
    assert tab.table.said("2.25.1", 1)[0] == "9.50 ± 0.02 mm"
    assert tab.current == "2.25.5"


def test_a_row_that_goes_takes_the_selection_with_it(tab: FindingsList) -> None:
    chosen: list[str] = []
    tab.show_findings([GAP, DOUBTED], select="2.25.2")
    tab.chosen.connect(chosen.append)
    tab.show_findings([GAP])
    assert tab.current == ""
    assert chosen == [""]
    assert not tab.form.isEnabled()


def test_a_click_on_a_row_asks_to_go_there(tab: FindingsList, qtbot: Any) -> None:
    from qtpy.QtCore import Qt

    tab.show_findings([GAP, DOUBTED])
    item = tab.table.topLevelItem(1)
    with qtbot.waitSignal(tab.selected) as heard:
        qtbot.mouseClick(
            tab.table.viewport(),
            Qt.MouseButton.LeftButton,
            pos=tab.table.visualItemRect(item).center(),
        )
    assert heard.args == ["2.25.2"]


def test_a_mark_selected_elsewhere_asks_for_no_jump(tab: FindingsList) -> None:
    asked: list[str] = []
    tab.show_findings([GAP, DOUBTED])
    tab.selected.connect(asked.append)
    tab.select("2.25.2")
    assert (tab.current, asked) == ("2.25.2", [])


def test_the_values_say_every_measurement_and_each_doubt(tab: FindingsList) -> None:
    both = finding(1, measurements=(length(3.0, flags=("a rival edge <2 mm",)), REFUSED))
    tab.show_findings([FindingRow(finding=both)], select="2.25.1")
    said = tab.values.toPlainText()
    for words in ("3.00 ± 0.02 mm", "check: a rival edge <2 mm", "no wall"):
        assert words in said


def test_five_hundred_findings_are_listed_and_stepped_through(tab: FindingsList) -> None:
    rows = [FindingRow(finding=finding(n)) for n in range(500)]
    tab.show_findings(rows)
    seen = {tab.step(1) for _ in range(500)}
    assert seen == {row.uid for row in rows}


# The form


def test_a_site_is_found_by_a_few_letters_and_by_a_synonym(
    tab: FindingsList, press: Callable[..., None]
) -> None:
    tab.show_findings([GAP], select="2.25.1")
    heard = edits(tab)
    for typed, key in (("upper jaw", "maxilla"), ("L1", "l1"), ("ramus o", None)):
        tab.start_form()
        press(typed, "Return")
        assert key in (None, heard[-1][2])
    assert heard[-1] == ("2.25.1", "site", "ramus_of_mandible")


def test_words_that_mean_no_site_are_not_taken_and_enter_stays_with_them(
    tab: FindingsList, press: Callable[..., None]
) -> None:
    tab.show_findings([GAP], select="2.25.1")
    heard, left = edits(tab), []
    tab.left.connect(lambda: left.append("left"))
    site = tab.form.fields["site"]
    tab.start_form()
    press("xyzzy", "Return")
    assert (heard, left) == ([], [])
    assert site.hasFocus()
    assert site.toolTip()
    press("maxilla")
    assert not site.toolTip()
    press("Return")
    assert heard == [("2.25.1", "site", "maxilla")]
    assert left == ["left"]


def test_every_field_lists_all_its_choices(tab: FindingsList, qtbot: Any) -> None:
    import gc

    from osteotrace_napari import choices

    tab.show_findings([GAP], select="2.25.1")
    # A list that nobody owns would be gone by now.
    gc.collect()
    listed = {
        "kind": choices.KIND_CHOICES,
        "site": choices.SITE_CHOICES,
        "laterality": choices.SIDE_CHOICES,
        "certainty": choices.CERTAINTY_CHOICES,
        "presence": choices.PRESENCE_CHOICES,
    }
    for form in (tab.form, tab.absent):
        for name, one in form.fields.items():
            if name in listed:
                one.completer().setCompletionPrefix("")
                assert one.completer().completionCount() == len(listed[name])
    from qtpy.QtCore import Qt

    side = tab.form.fields["laterality"]
    qtbot.mouseClick(side.arrow, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(side.completer().popup().isVisible)
    side.completer().popup().hide()


def test_what_is_typed_after_a_click_takes_the_place_of_what_was(
    tab: FindingsList, press: Callable[..., None], qtbot: Any
) -> None:
    from qtpy.QtCore import Qt

    tab.show_findings([GAP], select="2.25.1")
    heard = edits(tab)
    side = tab.form.fields["laterality"]
    # A real click gives the keys first.
    side.setFocus(Qt.FocusReason.MouseFocusReason)
    qtbot.mouseClick(side, Qt.MouseButton.LeftButton)
    press("righ", "Return")
    assert heard == [("2.25.1", "laterality", "right")]


def test_a_field_shows_the_beginning_of_what_is_too_long(
    tab: FindingsList, focus: Callable[..., None]
) -> None:
    tab.show_findings(
        [FindingRow(finding=finding(1, kind="moth_eaten"))], select="2.25.1"
    )
    kind = tab.form.fields["kind"]
    assert kind.cursorPosition() == 0
    focus(kind)
    assert kind.cursorPosition() == 0
    assert kind.selectedText() == kind.text()


def test_the_form_says_what_its_keys_do(tab: FindingsList) -> None:
    for key in ("Tab", "Enter", "Esc"):
        assert key in tab.form.hint.text()


def test_tab_goes_from_site_to_side_certainty_presence_and_note(
    tab: FindingsList, press: Callable[..., None]
) -> None:
    tab.show_findings([GAP], select="2.25.1")
    heard = edits(tab)
    tab.start_form()
    press("mandible", "Tab", "left", "Tab", "prob", "Tab", "unk", "Tab", "older")
    press("Return")
    assert [told[1:] for told in heard] == [
        ("site", "mandible"),
        ("laterality", "left"),
        ("certainty", "probable"),
        ("presence", "unknown"),
        ("note", "older"),
    ]


def test_a_side_is_taken_back_by_emptying_its_field(
    tab: FindingsList, press: Callable[..., None]
) -> None:
    tab.show_findings(
        [FindingRow(finding=finding(1, laterality="left"))], select="2.25.1"
    )
    heard = edits(tab)
    field = tab.form.fields["laterality"]
    field.setFocus()
    field.selectAll()
    press("Delete", "Return")
    assert heard == [("2.25.1", "laterality", "")]


def test_escape_puts_back_and_both_keys_give_the_canvas_its_keys(
    tab: FindingsList, press: Callable[..., None], qtbot: Any
) -> None:
    tab.show_findings([GAP], select="2.25.1")
    heard = edits(tab)
    tab.start_form()
    with qtbot.waitSignal(tab.left):
        press("mandible", "Escape")
    assert heard == []
    assert tab.form.fields["site"].text() == "Hard palate structure"
    with qtbot.waitSignal(tab.left):
        press("Return")
    assert heard == []


def test_enter_in_a_field_goes_no_further(
    tab: FindingsList, press: Callable[..., None], focus: Callable[..., None]
) -> None:
    """A form in a window takes Enter; the window must not see it and accept."""
    from qtpy.QtCore import QEvent, QObject

    class Listener(QObject):  # type: ignore[misc]
        heard = 0

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            self.heard += event.type() == QEvent.Type.KeyPress
            return False

    listener = Listener()
    tab.installEventFilter(listener)
    tab.show_findings([GAP], select="2.25.1")
    for name in tab.form.fields:
        for key in ("Return", "Escape"):
            focus(tab.form.fields[name])
            press("m", key)
    assert listener.heard == 0


def test_a_note_half_typed_is_taken_before_a_command(
    tab: FindingsList, press: Callable[..., None]
) -> None:
    tab.show_findings([GAP], select="2.25.1")
    heard = edits(tab)
    tab.form.fields["note"].setFocus()
    press("seen on both")
    tab.commit()
    tab.commit()
    assert heard == [("2.25.1", "note", "seen on both")]


def test_a_value_that_changes_meanwhile_leaves_what_is_being_typed(
    tab: FindingsList, press: Callable[..., None]
) -> None:
    tab.show_findings([GAP], select="2.25.1")
    tab.form.fields["note"].setFocus()
    press("half")
    moved = FindingRow(finding=finding(1, measurements=(length(9.5),)))
    tab.show_findings([moved])
    assert tab.form.fields["note"].text() == "half"


def test_every_field_has_a_letter_of_its_own_that_no_menu_has(tab: FindingsList) -> None:
    from qtpy.QtWidgets import QLabel

    titles = [label.text() for label in tab.form.findChildren(QLabel) if label.buddy()]
    letters = [title[title.index("&") + 1].lower() for title in titles]
    assert len(set(letters)) == len(tab.form.fields)
    assert not set(letters) & set("fvlpwhsct")


# Buttons


def test_a_kind_button_takes_up_its_tool_and_shows_its_key(
    tab: FindingsList, qtbot: Any
) -> None:
    from qtpy.QtCore import Qt

    made = tab.tools.buttons["sequestra"]
    assert made.key.text() == "Shift+Q"
    with qtbot.waitSignal(tab.tool_chosen) as heard:
        qtbot.mouseClick(made, Qt.MouseButton.LeftButton)
    assert heard.args == ["sequestra"]
    assert not made.isChecked()
    tab.show_tool("sequestra")
    assert made.isChecked()
    tab.show_tool("gas")
    assert not made.isChecked()
    assert tab.tools.more.isChecked()


def test_a_rarer_tool_is_in_the_menu_with_its_key(tab: FindingsList, qtbot: Any) -> None:
    action = tab.tools.actions_of["gas"]
    assert action.text() == "Gas\tShift+G"
    with qtbot.waitSignal(tab.tool_chosen) as heard:
        action.trigger()
    assert heard.args == ["gas"]


def test_a_tool_that_the_room_does_not_have_is_not_offered(tab: FindingsList) -> None:
    tab.tools.offer({"caliper", "gas"})
    assert tab.tools.buttons["caliper"].isEnabled()
    assert not tab.tools.buttons["mask"].isEnabled()
    shown = {name for name, one in tab.tools.actions_of.items() if one.isVisible()}
    assert shown == {"gas"}


def test_buttons_ask_for_their_command(tab: FindingsList) -> None:
    asked: list[str] = []
    tab.show_findings([DOUBTED], select="2.25.2")
    tab.asked.connect(asked.append)
    for name in ("accept", "delete", "copy_text"):
        tab.actions_row[name].click()
    assert asked == ["accept", "delete", "copy_text"]


def test_an_accepted_finding_is_not_offered_for_acceptance(tab: FindingsList) -> None:
    tab.show_findings([GAP], select="2.25.1")
    assert not tab.actions_row["accept"].isEnabled()


def test_looked_for_and_absent_is_stated_without_a_mark_by_keys_alone(
    tab: FindingsList, press: Callable[..., None], qtbot: Any
) -> None:
    tab.start_absent()
    with qtbot.waitSignal(tab.absent_stated) as heard:
        press("sequ", "Return", "lower jaw", "Return", "left", "Return")
    assert heard.args == ["sequestrum", "mandible", "left"]
    assert tab.absent.isHidden()


def test_what_was_looked_for_needs_a_kind_and_a_site(
    tab: FindingsList, press: Callable[..., None]
) -> None:
    stated: list[object] = []
    tab.absent_stated.connect(lambda *told: stated.append(told))
    tab.start_absent()
    press("gas", "Return", "Return", "Return")
    assert stated == []
    assert tab.absent.fields["site"].hasFocus()
    press("Escape")
    assert tab.absent.isHidden()


def test_no_words_are_cut_at_the_panels_least_width(
    tab: FindingsList, qtbot: Any
) -> None:
    from napari.qt import get_stylesheet
    from qtpy.QtGui import QFont, QFontMetrics
    from qtpy.QtWidgets import QPushButton

    tab.setStyleSheet(get_stylesheet("dark"))
    tab.resize(470, 760)
    rows = [GAP, DOUBTED, REFUSED_ROW, *PARTS, SEQUESTRA]
    tab.show_findings(rows, select="2.25.2")
    qtbot.wait(1)
    for made in tab.findChildren(QPushButton):
        words = made.text() or made.accessibleName()
        room = made.contentsRect().width()
        assert QFontMetrics(made.font()).horizontalAdvance(words) <= room, words
    bold = QFont(tab.table.font())
    bold.setBold(True)
    small = QFont(tab.table.font())
    small.setPointSizeF(small.pointSizeF() * 0.88)
    for row in rows:
        for column, above in ((1, bold), (3, tab.table.font())):
            room = tab.table.columnWidth(column) - 12
            for words, font in zip(
                tab.table.said(row.uid, column), (above, small), strict=True
            ):
                assert QFontMetrics(font).horizontalAdvance(words) <= room, words


def test_a_low_window_leaves_its_room_to_the_table(tab: FindingsList) -> None:
    tab.resize(490, 380)
    assert not tab.values.isVisible()
    assert tab.table.height() >= 72
    tab.resize(490, 760)
    assert tab.values.isVisible()
