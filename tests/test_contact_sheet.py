"""The contact sheet: doubts first, nothing from a network, texts are never markup."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import msgspec
from tests.fixtures import assessments

from osteotrace.about import RESEARCH_USE_STATEMENT
from osteotrace.errors import OsteotraceError
from osteotrace.measurements.measurement import NotMeasured
from osteotrace.reports import results, tables, text
from osteotrace.reports.results import contact_sheet

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from osteotrace.findings import Assessment
    from osteotrace.reports.tables import Row

HOSTILE = '"><script>alert(1)</script>'


def assessment() -> Assessment:
    return assessments.assessment(assessments.caliper_finding())


def with_first(patient: str, **changes: Any) -> Assessment:
    """Return a reading of one finding whose own value was changed."""
    finding = assessment().findings[0]
    own = msgspec.structs.replace(finding.measurements[0], **changes)
    made = msgspec.structs.replace(finding, measurements=(own,))
    return msgspec.structs.replace(
        assessment(), patient=patient, study_uid=f"1.2.{len(patient)}", findings=(made,)
    )


def not_read(patient: str) -> Assessment:
    made = with_first(patient)
    own = made.findings[0].measurements[0]
    lacking = NotMeasured(
        name=own.name, code=own.code, reason="no wall", method=own.method
    )
    finding = msgspec.structs.replace(made.findings[0], measurements=(lacking,))
    return msgspec.structs.replace(made, findings=(finding,))


ACCEPTED = with_first("P-A", flags=())
DOUBTED = with_first("P-BB", flags=("thin wall",))
LACKING = not_read("P-CCC")
ERROR = OsteotraceError(HOSTILE, expected="one series", advice="name it")


def run() -> list[Row]:
    failed = tables.failure_row("1.2.9", "P-DDDD", ERROR)
    read = (ACCEPTED, DOUBTED, LACKING)
    return [*(row for one in read for row in tables.rows(one)), failed]


class Page(HTMLParser):
    """What a browser would find on a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(folder: Path, name: str = contact_sheet.PAGE) -> Page:
    return Page((folder / name).read_text(encoding="utf-8"))


def test_failures_come_first_then_what_is_missing_then_doubts(tmp_path: Path) -> None:
    results.write_tables(tmp_path, run())
    page = page_of(tmp_path)
    cards = [card["data-status"] for card in page.all("article")]
    assert cards == ["failed", "not_measured", "flagged", "accepted"]
    places = [page.words.index(f"P-{name}") for name in ("DDDD", "CCC", "BB", "A")]
    assert places == sorted(places)


def test_a_case_tells_its_value_with_its_uncertainty_and_its_doubts(
    tmp_path: Path,
) -> None:
    results.write_tables(tmp_path, run())
    words = page_of(tmp_path).words
    assert text.value(ACCEPTED.findings[0].measurements[0]) in words
    assert "thin wall" in words
    assert "no wall" in words
    assert RESEARCH_USE_STATEMENT.split(".")[1] in words


def test_no_text_of_a_record_becomes_markup(tmp_path: Path) -> None:
    hostile = with_first(HOSTILE, flags=(HOSTILE,))
    results.write_tables(tmp_path, [*tables.rows(hostile), run()[-1]])
    page = page_of(tmp_path)
    assert len(page.all("script")) == 1
    assert page.words.count(HOSTILE) >= 3


def test_a_page_needs_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / contact_sheet.PAGE
    results.write_tables(tmp_path, run())
    page = page_of(tmp_path)
    assert not page.all("link")
    assert all((image["src"] or "").startswith("data:") for image in page.all("img"))
    assert not re.search(r"https?://|@import|url\(", source.read_text(encoding="utf-8"))


def test_only_the_script_of_ours_may_run(tmp_path: Path) -> None:
    results.write_tables(tmp_path, run())
    source = (tmp_path / contact_sheet.PAGE).read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", source, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(
        one["content"] or ""
        for one in page_of(tmp_path).all("meta")
        if one.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_a_case_leads_to_its_folder_and_shows_its_picture(tmp_path: Path) -> None:
    folder = tmp_path / results.study_folder(ACCEPTED)
    folder.mkdir()
    (folder / "case.jpg").write_bytes(b"large")
    (folder / "case_small.jpg").write_bytes(b"small")
    results.write_tables(tmp_path, run())
    page = page_of(tmp_path)
    links = {one["href"] for one in page.all("a")}
    assert links == {f"{folder.name}/case.jpg"}
    (image,) = page.all("img")
    assert image["src"] == f"data:image/jpeg;base64,{base64.b64encode(b'small').decode()}"


def test_what_the_filter_looks_through_holds_patient_label_and_doubt(
    tmp_path: Path,
) -> None:
    results.write_tables(tmp_path, run())
    words = [card["data-words"] or "" for card in page_of(tmp_path).all("article")]
    label = DOUBTED.findings[0].label.lower()
    assert all(part in words[2] for part in ("p-bb", label, "thin wall"))


def test_many_cases_are_laid_on_several_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_sheet, "CASES_A_PAGE", 3)
    files = results.write_tables(tmp_path, run())
    names = [file.name for file in files if file.suffix == ".html"]
    assert names == ["contact_sheet.html", "contact_sheet_2.html"]
    pages = [page_of(tmp_path, name) for name in names]
    assert [len(page.all("article")) for page in pages] == [3, 1]
    assert {"href": "contact_sheet_2.html"} in pages[0].all("a")
    assert "4 studies" in pages[1].words
