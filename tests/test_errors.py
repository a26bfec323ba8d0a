"""The one error class says what was found, what was expected and what to do."""

import pickle

from osteotrace.errors import OsteotraceError


def error(**changes: object) -> OsteotraceError:
    parts = {"expected": "a CT", "advice": "choose another", "where": "a.dcm"} | changes
    return OsteotraceError("a PET", **parts)  # type: ignore[arg-type]


def test_the_message_is_one_line_with_place_found_expected_and_advice() -> None:
    assert str(error()) == "a.dcm: found a PET; expected a CT; choose another"


def test_without_a_place_the_message_starts_with_what_was_found() -> None:
    assert str(error(where="")).startswith("found a PET")


def test_it_survives_the_way_between_processes() -> None:
    again = pickle.loads(pickle.dumps(error(usage=True)))
    assert str(again) == str(error())
    assert again.usage


def test_its_parts_are_available_by_name() -> None:
    assert error().as_dict() == {
        "found": "a PET",
        "expected": "a CT",
        "advice": "choose another",
        "where": "a.dcm",
    }
