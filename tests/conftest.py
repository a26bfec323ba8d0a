"""Fixtures, split by subject: see tests/fixtures."""

pytest_plugins = [
    "tests.fixtures.command_line",
    "tests.fixtures.own_index",
    "tests.fixtures.real_scans",
    "tests.fixtures.small_study",
    "tests.fixtures.small_protocol",
    "tests.fixtures.enhanced_study",
    "tests.fixtures.shown_records",
    "tests.fixtures.synthetic",
    "tests.fixtures.sample_cases",
    "tests.fixtures.peers",
    "tests.fixtures.study_trees",
    "tests.fixtures.square_study",
    "tests.fixtures.kept_readings",
    "tests.fixtures.sessions",
    "tests.fixtures.fake_mouse",
    "tests.fixtures.before_and_after",
    "tests.fixtures.orthanc",
    "tests.fixtures.planted_case",
]
