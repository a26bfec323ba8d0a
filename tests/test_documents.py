"""What the documents say is so: links, commands, versions, examples, nothing private."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import osteotrace
from osteotrace import about
from osteotrace.measurements.measurement import shown

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("sample_dicom/*.md")]
)
PINNED_PYTHONS = ("3.11", "3.12", "3.13")

# Folders of one machine, and hosts that serve packages: neither belongs in a repository.
PRIVATE = re.compile(
    rb"/(?:work|farm|root)/[A-Za-z0-9._]"
    rb"|/home/[a-z]"
    rb"|https?://[^\s)\"]*(?:pypi|pythonhosted|npmjs|deb\.debian)"
    rb"|file:/{3}"
)


def tracked_files() -> list[Path]:
    """Every file that git tracks and that still exists."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout to know which files are tracked")
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    paths = (ROOT / name.decode() for name in names.split(b"\0") if name)
    return [path for path in paths if path.is_file()]


def heading_anchors(text: str) -> set[str]:
    """The anchors that a rendered Markdown file offers, one a heading."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def code_blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of one language in a Markdown file."""
    fence = rf"^```{language}\n(.*?)^```$"
    return re.findall(fence, path.read_text(), re.MULTILINE | re.DOTALL)


def shell_commands(path: Path) -> list[list[str]]:
    """The words of each command in the ``sh`` blocks of a Markdown file."""
    lines = "".join(code_blocks(path, "sh")).replace("\\\n", " ").splitlines()
    commands = (line.split("#")[0].split() for line in lines)
    return [words for words in commands if words]


def assert_examples_run(path: Path, *, least: int) -> None:
    """Run the examples of a page as one session, and fail with what differs."""
    source = "\n".join(code_blocks(path, "python"))
    page = doctest.DocTestParser().get_doctest(source, {}, path.name, None, 0)
    printed: list[str] = []
    outcome = doctest.DocTestRunner().run(page, out=printed.append)
    assert outcome.attempted >= least
    assert not outcome.failed, "".join(printed)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def pins() -> dict[str, str]:
    """The names and versions of constraints.txt, names normalised."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {normalised(name): version.split(";")[0].strip() for name, version in pairs}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_exist(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text())
    for link in links:
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in heading_anchors(target.read_text()), f"no heading {link}"


def test_every_make_command_in_the_documents_is_a_target() -> None:
    named = {
        target
        for document in DOCUMENTS
        for target in re.findall(r"(?:^|`)make ([a-z]+)", document.read_text(), re.M)
    }
    assert {"demo", "test", "setup"} <= named
    assert named <= make_targets()


def test_every_osteotrace_command_in_the_readme_exists_with_its_options() -> None:
    commands = [
        words[1:]
        for words in shell_commands(ROOT / "README.md")
        if Path(words[0]).name == "osteotrace"
    ]
    assert commands
    for verb in {words[0] for words in commands}:
        shown = subprocess.run(
            [sys.executable, "-m", "osteotrace.cli", verb, "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={"COLUMNS": "200", "TERM": "dumb"},
        ).stdout
        used = {w for words in commands if words[0] == verb for w in words}
        for option in {word for word in used if word.startswith("--")}:
            assert option in shown, f"osteotrace {verb} knows no {option}"


def test_the_python_in_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert_examples_run(ROOT / "README.md", least=5)


def test_the_readme_shows_the_values_that_the_demonstration_prints() -> None:
    (printed,) = code_blocks(ROOT / "README.md", "text")
    assessment = osteotrace.measure(ROOT / "sample_dicom/maxilla_after", "sample_maxilla")
    for finding in assessment.findings:
        value = finding.measurements[0]
        assert isinstance(value, osteotrace.Measurement)
        row = next(line for line in printed.splitlines() if finding.label in line)
        assert shown(value.value, value.unit, value.uncertainty) in row


def test_the_readme_carries_the_whole_research_use_statement() -> None:
    readme = (ROOT / "README.md").read_text().replace("**", "").replace("\n>", "\n")
    assert about.RESEARCH_USE_STATEMENT in " ".join(readme.split())


def test_the_changelog_opens_with_the_version_of_the_software() -> None:
    versions = re.findall(
        r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert versions[0] == about.VERSION


def test_the_page_on_coordinates_runs() -> None:
    assert_examples_run(ROOT / "docs/coordinates.md", least=20)


def test_every_example_in_a_docstring_runs() -> None:
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    printed: list[str] = []
    for found in pkgutil.walk_packages(osteotrace.__path__, "osteotrace."):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        # Looking through every object of every module takes longer than the examples.
        if ">>>" not in Path(str(module.__file__)).read_text():
            continue
        for example in finder.find(module):
            runner.run(example, out=printed.append)
    assert runner.summarize(verbose=False).attempted > 5
    assert not printed, "".join(printed)


def test_decisions_are_numbered_without_a_gap_and_share_their_headings() -> None:
    decisions = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
    numbers = [int(path.name[:4]) for path in decisions]
    assert numbers == list(range(1, len(numbers) + 1))
    for path in decisions:
        headings = re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)
        assert headings == ["Status", "Context", "Decision", "Consequences"], path.name
        assert path.read_text().startswith(f"# {path.name[:4]} "), path.name


def test_constraints_hold_names_and_versions_only() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if not line.startswith("#"):
            assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+( ; [^/@]+)?", line), line


def test_constraints_pin_every_direct_dependency_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["napari"],
        *project["dependency-groups"]["dev"],
    ]
    requirements = pytest.importorskip("packaging.requirements")
    pinned = pins()
    for text in wanted:
        requirement = requirements.Requirement(text)
        version = pinned[normalised(requirement.name)]
        for python in PINNED_PYTHONS:
            marker = requirement.marker
            if marker is None or marker.evaluate({"python_version": python}):
                assert requirement.specifier.contains(version), f"{text} on {python}"


def test_the_environment_of_this_run_is_the_pinned_one() -> None:
    installed = {normalised(d.name): d.version for d in metadata.distributions()}
    pinned = pins()
    differing = {
        name: (version, installed[name])
        for name, version in pinned.items()
        if name in installed and installed[name] != version
    }
    assert not differing, "pinned and installed versions differ; run make setup"


def test_no_tracked_file_holds_a_path_of_a_machine_or_a_package_host() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in tracked_files()
        for match in PRIVATE.finditer(path.read_bytes())
    ]
    assert not found


def test_the_private_patterns_catch_what_they_are_for() -> None:
    host = "https" + "://files.python" + "hosted.org/packages/x.whl"
    for text in ("/ho" + "me/someone/data", "/wo" + "rk/scan", host):
        assert PRIVATE.search(text.encode()), text
    assert not PRIVATE.search(b"see https://www.dicomstandard.org and docs/work/")


def test_continuous_integration_runs_the_readme_s_test_command_and_nothing_else() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands == ["set -e", 'cd "$(dirname "$0")/.."', "make test"]
    assert ["make", "test"] in shell_commands(ROOT / "README.md")
