"""A reading as a protocol: `osteotrace measure` gives the identical numbers from it.

Every finding that was marked is an entry, as the reader has it now. Masks that were drawn
are labels that entries name; they are written beside the protocol as DICOM SEG.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from osteotrace import about
from osteotrace.findings import Assessment, Finding
from osteotrace.protocol import TABLES, Entry
from osteotrace.session.commands import tool_of
from osteotrace.session.mark_entries import told_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from osteotrace.regions import Mask
    from osteotrace.series import Catalogue
    from osteotrace.session.changes import Held

MASKS_FOLDER: Final = "masks"
PROTOCOL_FILE: Final = "protocol.toml"


def protocol_text(held: tuple[Held, ...], *, study_date: str = "") -> str:
    """Return the entries of a reading as the TOML text of a protocol.

    Findings that were not marked here have no entry; a comment names them.
    """
    marked, _ = told_apart(one for one in held if one.entry is not None)
    others = [one for one in held if one.entry is None and not one.leader]
    of_day = f" of the study of {study_date}" if study_date else ""
    described = f"A reading{of_day}, as marked in {about.SOFTWARE_NAME} {about.VERSION}"
    return "\n".join(
        [
            f'name = "reading"\ndescription = {_text(described)}',
            *(f"# {_line(one.finding)}" for one in others),
            *(
                _table(name, _entry_now(one))
                for name in TABLES
                for one in marked
                if tool_of(one) == name
            ),
            "",
        ]
    )


def write_protocol(
    reading: Assessment,
    held: tuple[Held, ...],
    catalogue: Catalogue,
    folder: Path,
    *,
    new_uid: Callable[[], str],
) -> tuple[Path, ...]:
    """Write a reading as a protocol, and the masks it names beside it.

    Parameters
    ----------
    reading : Assessment
        The reading that the findings are of.
    held : tuple of Held
        Its findings.
    catalogue : Catalogue
        The images that it was read on.
    folder : Path
        A new folder.
    new_uid : callable
        Returns a new UID.

    Returns
    -------
    tuple of Path
        The protocol, then the segmentations.

    Raises
    ------
    OsteotraceError
        If the folder is there and holds something, or cannot be written.
    """
    from osteotrace.records import store

    _, masks = told_apart(held)
    documents = _segmentations(reading, masks, catalogue, new_uid) if masks else {}
    text = protocol_text(held, study_date=reading.study_date)
    with store.new_folder(folder) as draft:
        (draft / PROTOCOL_FILE).write_text(text, encoding="utf-8", newline="\n")
        for uid, content in documents.items():
            (draft / MASKS_FOLDER).mkdir(exist_ok=True)
            (draft / MASKS_FOLDER / f"{uid}.dcm").write_bytes(content)
    beside = (store.record_path(folder / MASKS_FOLDER, uid) for uid in documents)
    return (folder / PROTOCOL_FILE, *beside)


def _segmentations(
    reading: Assessment,
    masks: dict[str, Mask],
    catalogue: Catalogue,
    new_uid: Callable[[], str],
) -> dict[str, bytes]:
    """Return segmentations with one segment a mask, by UID."""
    from osteotrace.records import seg
    from osteotrace.records.dicom_objects import encoded
    from osteotrace.records.report_content.source_images import headers

    labelled = msgspec.structs.replace(
        reading,
        findings=tuple(
            Finding(
                tracking_uid=new_uid(),
                label=name,
                kind="region",
                site="unspecified",
                # Its segment is named as the entry names it: by the label alone.
                regions=(msgspec.structs.replace(mask, role=""),),
            )
            for name, mask in masks.items()
        ),
    )
    made = seg.documents(
        labelled,
        headers(labelled, catalogue),
        record_uid=new_uid(),
        now=datetime.fromisoformat(reading.recorded),
    )
    return {str(one.dataset.SOPInstanceUID): encoded(one.dataset) for one in made}


def _entry_now(held: Held) -> Entry:
    """Return the entry of a finding under the label that it has now."""
    assert held.entry is not None
    return msgspec.structs.replace(held.entry, label=held.finding.label)


def _line(finding: Finding) -> str:
    absent = (
        "looked for and absent" if finding.presence == "absent" else "not marked here"
    )
    said = f"{finding.label}: {finding.kind} of {finding.site}, {absent}"
    return " ".join(said.split())


def _table(name: str, entry: Entry) -> str:
    """Return an entry as a TOML table, without what it leaves at its default."""
    return "\n".join([f"\n[[{name}]]", *_keys(entry)])


def _keys(entry: Entry) -> Iterator[str]:
    for one in msgspec.structs.fields(entry):
        value = getattr(entry, one.name)
        if one.required or value != one.default:
            yield f"{one.name} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, msgspec.Struct):
        value = {
            one.name: part
            for one in msgspec.structs.fields(value)
            if (part := getattr(value, one.name)) != one.default
        }
    if isinstance(value, dict):
        parts = (f"{name} = {_value(part)}" for name, part in value.items())
        return "{ " + ", ".join(parts) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_value, value)) + "]"
    # The shortest text that gives the number back to the bit.
    return repr(float(value))


def _text(text: str) -> str:
    # JSON writes a text as TOML does, but for the one control character above 0x1F.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
