"""Write the words that osteotrace's own code puts into records, for de-identification.

python docs/make_software_words.py

Reads the texts of the code that makes, measures, stages and compares findings, and of the
ready protocols; not what only a program's user reads. Run it when records say new words:
a word that is missing is removed from a de-identified record, never kept by mistake.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "imaging" / "osteotrace"
# What talks to users alone, or makes the sample cases.
SILENT = ("cli", "session", "phantoms", "pacs", "deidentify", "batch")


def texts(tree: ast.Module) -> Iterator[str]:
    """Yield the texts of a module that are no documentation."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if id(node) in documentation or not isinstance(node, ast.Constant):
            continue
        if isinstance(node.value, str):
            yield node.value


def words() -> set[str]:
    """Return every word, lower case, whole and in its parts at low lines."""
    found: set[str] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in SILENT:
            continue
        for text in texts(ast.parse(path.read_text("utf-8"))):
            found |= set(re.findall(r"\w+", text.lower()))
    for path in sorted(PACKAGE.rglob("*.toml")):
        found |= set(re.findall(r"\w+", path.read_text("utf-8").lower()))
    parts = {part for word in found for part in word.split("_")}
    return {word for word in found | parts if word and not word.isdigit()}


def main() -> None:
    """Write the list beside the code that reads it."""
    lines = ["# Made by docs/make_software_words.py; one word a line.", *sorted(words())]
    place = PACKAGE / "deidentify" / "software_words.txt"
    place.write_text("\n".join(lines) + "\n", "utf-8")
    print(f"{len(lines) - 1} words in {place}")


if __name__ == "__main__":
    main()
