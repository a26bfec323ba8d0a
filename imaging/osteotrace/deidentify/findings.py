"""osteotrace's own records with the identities taken out: readings and comparisons.

Every text of a record is cleaned to the words that the software itself writes, unless
its field is named here: then it is mapped, moved in time or dropped. What a later version
adds is cleaned too, since a field that nobody named counts as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import msgspec

from osteotrace.deidentify.objects import described, mapped_uid
from osteotrace.deidentify.vocabulary import (
    REMOVED,
    cleaned,
    software_words,
    words_of,
)
from osteotrace.findings import Assessment
from osteotrace.uids import is_uid, source_name, source_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.deidentify.subject import Subject

Action = Literal[
    "uid", "source", "person", "patient", "date", "recorded", "name", "label",
    "description", "dropped", "known", "published", "digest", "protocol", "withheld",
]  # fmt: skip
RecordType = TypeVar("RecordType", bound=msgspec.Struct)

# What is done with the fields of a record that hold more than the software's own words.
ACTIONS: Final[dict[str, Action]] = {
    "assessment_uid": "uid", "study_uid": "uid", "series_uid": "uid",
    "frame_of_reference_uid": "uid", "from_frame_uid": "uid", "to_frame_uid": "uid",
    "tracking_uid": "uid", "predecessor_uid": "uid", "first_uid": "uid",
    "second_uid": "uid", "earlier_uid": "uid", "later_uid": "uid", "readings": "uid",
    "part_of": "uid",
    "source_instances": "source", "sources": "source",
    "reader": "person", "readers": "person", "author": "person",
    "confirmed_by": "person",
    "patient": "patient",
    "date": "date", "until": "date", "study_date": "date", "first_dose": "date",
    "last_dose": "date", "start": "date", "end": "date", "first_seen": "date",
    "last_without": "date", "since": "date", "recorded": "recorded",
    "label": "label", "role": "name", "point_roles": "name", "region": "name",
    "description": "description",
    "note": "dropped", "not_understood": "dropped",
    "indication": "known", "protocol": "protocol", "protocol_sha256": "digest",
}  # fmt: skip
# Fields of the same name that mean something else in one record.
SPECIAL: Final[dict[tuple[str, str], Action]] = {
    ("Alignment", "region"): "known",
    ("Override", "reason"): "withheld",
    ("Link", "reason"): "withheld",
    ("Decision", "reason"): "withheld",
    ("FiredRule", "text"): "published", ("FiredRule", "source"): "published",
    ("FiredRule", "version"): "published", ("FiredRule", "id"): "published",
    ("FiredRule", "outcome"): "published",
    ("StagingResult", "source"): "published", ("StagingResult", "version"): "published",
    ("Method", "name"): "published", ("Method", "version"): "published",
    ("Change", "limit_origin"): "published",
}  # fmt: skip
# What stands for a time of recording that must go: a record cannot be without one.
NO_TIME: Final = "1900-01-01T00:00:00+00:00"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_ISO: Final = r"\b[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?(?:T[0-9:.]+(?:Z|[+-][0-9:]+)?)?\b"
_UID: Final = r"\b[0-9]+(?:\.[0-9]+){3,}\b"
_YEAR: Final = re.compile(r"(19|20)[0-9]{2}")
_LONGER_NUMBER: Final = re.compile(r"[0-9]{4}|[0-9]{4,6}\.[0-9]{1,6}")
# A shorter name is found in the middle of everything.
_SHORTEST_NAME: Final = 2


@dataclass(frozen=True, slots=True)
class Said:
    """What a record's texts may repeat: who wrote it, and what lesions are called.

    Parameters
    ----------
    subject : Subject
    persons, labels : dict of str to str
        What stands for each.
    """

    subject: Subject
    persons: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """Words that no text keeps."""
        told = (words_of(one) for one in self.persons)
        return self.subject.names.union(*told)

    def pattern(self) -> re.Pattern[str]:
        """What is replaced in a text before its words are judged."""
        named = sorted({*self.persons, *self.labels}, key=len, reverse=True)
        long = [re.escape(one) for one in named if len(one) >= _SHORTEST_NAME]
        return re.compile("|".join([*long, _ISO, _UID]))


@cache
def fixed_words() -> frozenset[str]:
    """Return the keys of the code tables and the words that fields are limited to.

    They stay whole, whoever is called so.
    """
    from osteotrace.codes import FACTS, UNITS
    from osteotrace.deidentify.coded import own_keys

    return own_keys() | frozenset(FACTS) | frozenset(UNITS)


def cleaned_record(record: RecordType, subject: Subject) -> RecordType:
    """Return a record without identities; equal but for UIDs, dates and texts.

    Parameters
    ----------
    record : Struct
        `Assessment`, `Comparison`, `Alignment` or another frozen record.
    subject : Subject
        Whose it is.
    """
    whole: msgspec.Struct = record
    if isinstance(record, Assessment):
        whole = _without_dated_facts(record, subject)
    said = Said(subject)
    for kind, text in _named(whole):
        if kind == "person":
            said.persons[text] = subject.person(text)
    for kind, text in _named(whole):
        if kind == "label":
            said.labels[text] = _label(text, said)
    made: RecordType = _mapped(whole, said)
    return made


def _without_dated_facts(reading: Assessment, subject: Subject) -> Assessment:
    """Return a reading without facts that would hold at every date without theirs."""
    if subject.options.dates != "remove":
        return reading
    facts = tuple(one for one in reading.facts if not (one.date or one.until))
    return msgspec.structs.replace(reading, facts=facts)


def _action(record: msgspec.Struct, name: str) -> Action | None:
    return SPECIAL.get((type(record).__name__, name)) or ACTIONS.get(name)


def _named(value: Any, action: Action | None = None) -> Iterator[tuple[str, str]]:
    """Yield the persons and the labels of a record."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _named(getattr(value, name), _action(value, name))
    elif isinstance(value, tuple):
        for one in value:
            yield from _named(one, action)
    elif isinstance(value, str) and value and action in ("person", "label"):
        yield action, value


def _mapped(value: Any, said: Said, action: Action | None = None) -> Any:
    if isinstance(value, msgspec.Struct):
        made = {
            name: _mapped(getattr(value, name), said, _action(value, name))
            for name in value.__struct_fields__
        }
        return type(value)(**made)
    if isinstance(value, tuple):
        if action == "dropped":
            return ()
        return tuple(_mapped(one, said, action) for one in value)
    return _text(value, said, action) if isinstance(value, str) and value else value


def _text(text: str, said: Said, action: Action | None) -> str:
    """Return what stands for one text that is not empty."""
    subject = said.subject
    match action:
        case "uid":
            return mapped_uid(text, subject) if is_uid(text) else ""
        case "source":
            return _source(text, subject)
        case "person":
            return subject.person(text)
        case "patient":
            return subject.pseudonym
        case "date" | "recorded":
            moved = moved_date(text, subject)
            return moved or (NO_TIME if action == "recorded" else "")
        case "label":
            return _label(text, said)
        case "name":
            return text if _sentence(text, said) == text else _keyed(text, subject)
        case "description":
            return described("SeriesDescription", text, subject)
        case "dropped":
            return ""
        case "withheld":
            return REMOVED
        case "known":
            return text if _sentence(text, said) == text else ""
        case "digest":
            return text if _SHA256.fullmatch(text) else ""
        case _ if text in fixed_words():
            return text
        case _:
            return _sentence(text, said, years=action in ("published", "protocol"))


def _source(text: str, subject: Subject) -> str:
    uid, frame = source_parts(text)
    return source_name(mapped_uid(uid, subject), frame)


def _keyed(text: str, subject: Subject, prefix: str = "T-") -> str:
    return subject.secret.word("label", text, prefix)


def _label(text: str, said: Said) -> str:
    """Return what a lesion is called: a part keeps its place below its leader."""
    leader, stroke, part = text.rpartition("/")
    if stroke and part.isdigit() and len(part) < 4:
        return f"{_label(leader, said)}/{part}"
    plain = cleaned(text, software_words(), said.names, gap="\N{REPLACEMENT CHARACTER}")
    return text if plain == text else _keyed(text, said.subject)


def _sentence(text: str, said: Said, *, years: bool = False) -> str:
    """Return a text: persons, labels, dates and UIDs mapped, strange words gone."""
    parts, end = [], 0
    for found in said.pattern().finditer(text):
        parts.append(_words(text[end : found.start()], said, years=years))
        parts.append(_replaced(found[0], said))
        end = found.end()
    parts.append(_words(text[end:], said, years=years))
    return "".join(parts)


def _words(text: str, said: Said, *, years: bool) -> str:
    keep_years = years or said.subject.options.dates == "keep"

    def allowed(word: str) -> bool:
        year = _YEAR.fullmatch(word) is not None
        return keep_years if year else _LONGER_NUMBER.fullmatch(word) is not None

    return cleaned(text, software_words(), said.names, allow=allowed)


def _replaced(text: str, said: Said) -> str:
    """Return what stands for a name, a label, a date or a UID in a text."""
    if text in said.labels:
        return said.labels[text]
    if text in said.persons:
        return said.persons[text]
    if is_uid(text):
        return mapped_uid(text, said.subject)
    return moved_date(text, said.subject) or "[date]"


def moved_date(text: str, subject: Subject) -> str:
    """Return an ISO date, of day, month or year, as the options want it; empty if gone.

    A month or a year is moved by its middle: it may come out one beside.
    """
    options = subject.options
    if options.dates == "remove":
        return ""
    try:
        if "T" in text:
            moment = datetime.fromisoformat(text)
            moved = moment if options.dates == "keep" else _later(moment, subject)
            return moved.isoformat()
        middle = {4: "-07-01", 7: "-15"}.get(len(text), "")
        day = date.fromisoformat(text + middle)
        if options.dates == "shift":
            day += timedelta(days=subject.days)
    except (ValueError, OverflowError):
        return ""
    return day.isoformat()[: len(text)]


def _later(moment: datetime, subject: Subject) -> datetime:
    return moment + timedelta(days=subject.days)


def lost_facts(reading: Assessment, subject: Subject) -> int:
    """Return how many facts a reading loses with its dates."""
    return len(reading.facts) - len(_without_dated_facts(reading, subject).facts)
