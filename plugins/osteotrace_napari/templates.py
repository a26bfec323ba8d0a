"""What a reader said of the last finding of each tool: the next one starts from it.

A habit, no record: it is kept in the user's state folder, and a file that is damaged or
cannot be written costs a few clicks and nothing else.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import msgspec

from osteotrace.codes import CERTAINTIES, KINDS, LATERALITIES, SITES
from osteotrace.protocol.entries import TABLES
from osteotrace_napari import kept_files

if TYPE_CHECKING:
    from pathlib import Path

    from osteotrace.session import Held

FILE_NAME: Final = "templates.json"
# The level of a vertebra is its site, and whether it broke is its own: no level is like
# the last one.
_OWN_WORDS: Final = {"vertebra": ("site", "kind")}
_TOOLS: Final = {entry: tool for tool, entry in TABLES.items()}
_VOCABULARIES: Final[dict[str, frozenset[str]]] = {
    "kind": frozenset(KINDS),
    "site": frozenset(SITES),
    "laterality": frozenset(("", *LATERALITIES)),
    "certainty": frozenset(CERTAINTIES),
}


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of a finding.

    Parameters
    ----------
    kind, site, laterality, certainty : str
        As in `Finding`.
    """

    kind: str
    site: str
    laterality: str = ""
    certainty: str = "definite"

    @property
    def is_known(self) -> bool:
        """Whether the vocabulary has every word of it."""
        return all(getattr(self, name) in known for name, known in _VOCABULARIES.items())


class Templates:
    """The templates of one user, by tool.

    Parameters
    ----------
    folder : Path, optional
        Where they are kept; `kept_files.habits_folder` by default.
    """

    def __init__(self, folder: Path | None = None) -> None:
        folder = kept_files.habits_folder() if folder is None else folder
        self._file = folder / FILE_NAME
        self._templates: dict[str, Template] = {}
        with contextlib.suppress(OSError, msgspec.MsgspecError, ValueError):
            kept = msgspec.json.decode(self._file.read_bytes(), type=dict[str, Template])
            self._templates = {tool: one for tool, one in kept.items() if one.is_known}

    def said(self, tool: str) -> dict[str, str]:
        """Return what to say of the next finding of a tool, empty where nothing is known.

        Its keys are those that `osteotrace.session.Session.add` takes.
        """
        template = self._templates.get(tool)
        if template is None:
            return {}
        said: dict[str, str] = msgspec.structs.asdict(template)
        for word in _OWN_WORDS.get(tool, ()):
            del said[word]
        return said

    def remember(self, held: Held) -> None:
        """Take what is said of a finding for the next one of its tool."""
        tool = "" if held.entry is None else _TOOLS.get(type(held.entry), "")
        finding = held.finding
        if not tool or held.leader:
            return
        template = Template(
            kind=finding.kind,
            site=finding.site,
            laterality=finding.laterality,
            certainty=finding.certainty,
        )
        if template == self._templates.get(tool):
            return
        self._templates[tool] = template
        with contextlib.suppress(OSError):
            kept_files.replace(self._file, msgspec.json.encode(self._templates))
