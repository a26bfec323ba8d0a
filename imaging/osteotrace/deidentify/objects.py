"""A DICOM object without what tells whose it is: element by element, at any depth.

Every element is made anew from what its rule lets through; nothing is carried over.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from osteotrace.deidentify import coded
from osteotrace.deidentify.elements import Rule, rules
from osteotrace.deidentify.options import TEMPORAL
from osteotrace.deidentify.terms import is_term
from osteotrace.deidentify.vocabulary import cleaned, imaging_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    from osteotrace.deidentify.options import Options
    from osteotrace.deidentify.subject import Subject

# A record nests six deep; a hostile one exhausts the stack.
DEEPEST_NESTING: Final = 32
# PS3.5 6.2: decimal and integer strings.
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,11}")
_BINARY: Final = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})
_BULK: Final = frozenset({"OB", "OW", "OF", "OD", "OV", "OL"})
# A kernel's name, such as B70f, Br40d, Hr68, FC30 or H60s, with its strength.
_KERNEL: Final = re.compile(r"[A-Za-z]{1,2}[0-9]{2,3}[a-z]{0,2}")
_KERNELS: Final = ("ConvolutionKernel", "FilterType", "SequenceName")
_LONG_STRING: Final = 64
_SHORT_STRING: Final = 16
# PS3.15 E.2: an age of 90 or more may tell who it is.
_AGE: Final = re.compile(r"([0-9]{3})([DWMY])")
_OLDEST_YEARS: Final = 90
# Segmentations, registrations and reports, by the roots of their storage classes.
_REPORTS: Final = "1.2.840.10008.5.1.4.1.1.88."
_CREATED: Final = ("1.2.840.10008.5.1.4.1.1.66.", _REPORTS)
# Terms that stand for themselves: without one, the others still say the same.
_SETS: Final = ("ScanOptions", "ScanningSequence", "SequenceVariant", "FilterMaterial")
# Series that show what a screen showed, burned-in text included (PS3.3 C.7.6.1.1.2).
_SCREENS: Final = ("SCREEN SAVE", "SCREEN_SAVE", "SCREENSHOT", "PASTED")


def cleaned_object(source: Dataset, subject: Subject) -> Dataset:
    """Return an object made anew, with patient and method stated.

    Parameters
    ----------
    source : Dataset
        As read; it stays as it is.
    subject : Subject
        Whose it is.

    Raises
    ------
    ValueError
        If items nest deeper than `DEEPEST_NESTING`.
    """
    made = cleaned_items(source, subject, depth=0)
    made.PatientID = made.PatientName = subject.patient_id
    _complete(source, made)
    state_method(made, subject.options)
    return made


def _complete(source: Dataset, made: Dataset) -> None:
    """Give an object what the standard wants where cleaning left nothing, in place."""
    for keyword in ("PatientBirthDate", "PatientSex"):
        if keyword not in made:
            setattr(made, keyword, "")
    kind = str(made.get("SOPClassUID"))
    if kind.startswith(_CREATED) or "PerFrameFunctionalGroupsSequence" in made:
        # When it was made is type 1 there.
        for keyword, dummy in (("ContentDate", "19000101"), ("ContentTime", "000000")):
            if not made.get(keyword):
                setattr(made, keyword, dummy)
    if (
        not kind.startswith(_REPORTS)
        and "ReferencedPerformedProcedureStepSequence" in made
    ):
        # Type 2 in reports; elsewhere it has an item or is not there.
        del made.ReferencedPerformedProcedureStepSequence
    placed = ("BodyPartExamined", "AnatomicRegionSequence")
    if "BodyPartExamined" in source and not any(place in made for place in placed):
        # Type 2C: whether it is one of a pair is not known any more.
        made.Laterality = made.get("Laterality", "")


def state_method(made: Dataset, options: Options) -> None:
    """State in an object that identities were removed, and how (PS3.15 E.1.1)."""
    from pydicom.dataset import Dataset

    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = options.method
    items = []
    for value, meaning in options.method_codes:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = value, "DCM"
        item.CodeMeaning = meaning
        items.append(item)
    made.DeidentificationMethodCodeSequence = items
    made.LongitudinalTemporalInformationModified = TEMPORAL[options.dates]


def cleaned_items(source: Dataset, subject: Subject, *, depth: int) -> Dataset:
    """Return one item, or the object itself, with the elements that may stay."""
    from pydicom.dataset import Dataset

    if depth > DEEPEST_NESTING:
        raise ValueError(f"items nested more than {DEEPEST_NESTING} deep")
    made, known = Dataset(), rules()
    for tag in sorted(source.keys()):
        rule = known.get(int(tag))
        if rule is None:
            continue
        try:
            element = source[tag]
        # A value that pydicom cannot read is none that may stay.
        except Exception:
            continue
        value = _value(element, rule, subject, source, depth)
        if value is not None:
            made.add_new(tag, element.VR, value)
    return made


def _value(
    element: DataElement, rule: Rule, subject: Subject, source: Dataset, depth: int
) -> Any:
    """Return what an element holds from now on, None where it goes."""
    from pydicom.datadict import dictionary_VR

    # An element of another kind than the standard's holds something else.
    if element.VR not in dictionary_VR(element.tag).split(" or "):
        return None
    match rule.treatment:
        case "items":
            return [cleaned_items(i, subject, depth=depth + 1) for i in element.value]
        case "codes":
            return [cleaned_code_item(i, subject, depth=depth + 1) for i in element.value]
        case "pixels":
            return _pixels(element, source)
        case "number":
            return _number(element, source)
        case "tags":
            return _tags(element)
        case "empty":
            return [] if element.VR == "SQ" else ""
        case "dummy":
            return rule.fallback
        case "device" | "patient":
            return _optional(element, rule, subject)
        case "label":
            return labelled(str(element.value or ""), subject)
        case _:
            return _texts(element, rule, subject)


def cleaned_code_item(item: Dataset, subject: Subject, *, depth: int) -> Dataset:
    """Return an item that is a code, with its modifiers."""
    made = cleaned_items(item, subject, depth=depth)
    value, scheme, meaning = coded.cleaned_code(item, subject)
    made.CodeValue, made.CodingSchemeDesignator = value, scheme
    made.CodeMeaning = meaning
    if len(value) > _SHORT_STRING:
        made.LongCodeValue = value
        del made.CodeValue
    return made


def values_of(element: DataElement) -> list[Any]:
    """Return the values of an element as a list."""
    if element.value is None or element.VM == 0:
        return []
    return list(element.value) if element.VM > 1 else [element.value]


def _texts(element: DataElement, rule: Rule, subject: Subject) -> Any:
    """Return the values of a text, each cleaned; the fallback where none may stay."""
    said = [str(one).strip(" \0") for one in values_of(element)]
    keyword = element.keyword
    if not any(said):
        return ""
    match rule.treatment:
        case "uid":
            return [mapped_uid(one, subject) for one in said]
        case "term":
            kept = _terms(keyword, said, subject)
        case "date":
            kept = [_moment(element.VR, one, subject) for one in said]
        case _:
            kept = [described(keyword, one, subject) for one in said]
    if all(kept):
        return kept
    return rule.fallback


def _moment(vr: str, text: str, subject: Subject) -> str:
    how = {"DA": subject.date, "TM": subject.time, "DT": subject.date_time}
    return how[vr](text)


def mapped_uid(uid: str, subject: Subject) -> str:
    """Return the UID in place of another; those that DICOM registers stay."""
    from pydicom._uid_dict import UID_dictionary

    return uid if not uid or uid in UID_dictionary else subject.secret.uid(uid)


def _terms(keyword: str, said: list[str], subject: Subject) -> list[str]:
    """Return defined terms; of an image type's others, words without a meaning.

    Those still tell images of one kind from those of another.
    """
    if keyword in ("ImageType", "FrameType"):
        return [
            one if is_term(keyword, one) else subject.secret.word("term", one)
            for one in said
        ]
    if keyword == "BodyPartExamined":
        return [described(keyword, one, subject).upper()[:_SHORT_STRING] for one in said]
    known = [one for one in said if one and is_term(keyword, one)]
    whole = len(known) == len(said) or keyword in _SETS
    return known if known and whole else [""]


def described(keyword: str, text: str, subject: Subject) -> str:
    """Return a description with words of imaging alone."""

    def allowed(word: str) -> bool:
        return (
            keyword in _KERNELS
            and word.lower() not in subject.names
            and _KERNEL.fullmatch(word) is not None
        )

    told = cleaned(_ascii(text), imaging_words(), subject.names, allow=allowed, gap="")
    return told[:_LONG_STRING].strip()


def _ascii(text: str) -> str:
    """Return a text in the signs of DICOM's default character set: none else is named."""
    return text.encode("ascii", "replace").decode()


def labelled(text: str, subject: Subject) -> str:
    """Return what a lesion is called: known words as they are, else a keyed word."""
    if not text or described("TrackingID", text, subject) == text:
        return text
    return subject.secret.word("label", text, "T-")


def _number(element: DataElement, source: Dataset) -> Any:
    """Return numbers that are some, None where one is not."""
    said = values_of(element)
    match element.VR:
        case "DS" | "IS":
            form = _DECIMAL if element.VR == "DS" else _INTEGER
            texts = [str(one).strip() for one in said]
            good = all(form.fullmatch(one) for one in texts)
            return (texts if texts else "") if good else None
        case vr if vr in _BINARY:
            if element.keyword.endswith("Data") and element.VR in ("US", "SS"):
                return element.value if _is_table(element, source) else None
            good = all(isinstance(one, int) or not math.isnan(one) for one in said)
            return element.value if good else None
        case vr if vr in _BULK:
            return element.value if _is_table(element, source) else None
    return None


def _is_table(element: DataElement, source: Dataset) -> bool:
    """Tell whether bytes are a lookup table as long as its descriptor says."""
    keyword = element.keyword.replace("Data", "Descriptor")
    described = source.get(keyword)
    if described is None or len(described) != 3:
        return False
    entries = int(described[0]) or 1 << 16
    width = 2 if int(described[2]) > 8 else 1
    if element.VR in ("US", "SS"):
        return entries == element.VM
    length = len(element.value)
    return length in (entries * width, entries * 2, entries * width + entries % 2)


def _tags(element: DataElement) -> Any:
    """Return names of elements that the standard knows, None where one is private."""
    from pydicom.datadict import dictionary_has_tag

    said = values_of(element)
    return said if all(dictionary_has_tag(int(tag)) for tag in said) else None


def _optional(element: DataElement, rule: Rule, subject: Subject) -> Any:
    """Return what an option keeps: of the device, or of the patient's body."""
    options = subject.options
    wanted = options.device if rule.treatment == "device" else options.patient
    said = [str(one).strip(" \0") for one in values_of(element)]
    if not wanted or not any(said):
        return rule.fallback if said else ""
    if element.VR == "UI":
        return [mapped_uid(one, subject) for one in said]
    if element.VR == "AS":
        age = _AGE.fullmatch(said[0])
        if age is None:
            return None
        old = age[2] == "Y" and int(age[1]) >= _OLDEST_YEARS
        return f"0{_OLDEST_YEARS}Y" if old else said[0]
    if element.VR == "CS":
        return said[0] if is_term(element.keyword, said[0]) else ""
    if element.VR == "DS":
        return said if all(_DECIMAL.fullmatch(one) for one in said) else None
    kept = [_ascii(one)[:_LONG_STRING] for one in said if not words_in(one, subject)]
    return kept or rule.fallback


def words_in(text: str, subject: Subject) -> bool:
    """Tell whether a text holds a word of the patient's names or numbers."""
    from osteotrace.deidentify.vocabulary import words_of

    return bool(words_of(text) & subject.names)


def _pixels(element: DataElement, source: Dataset) -> Any:
    """Return the pixels as they are; what follows the last one of plain pixels goes.

    Raises
    ------
    ValueError
        If there are fewer than the header says.
    """
    if element.keyword != "PixelData" or source.file_meta.TransferSyntaxUID.is_compressed:
        return element.value
    bits = math.prod(
        int(source.get(keyword) or 1)
        for keyword in (
            "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated",
        )
    )  # fmt: skip
    if source.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    length = -(-bits // 8)
    if len(element.value) < length:
        raise ValueError("an image cut off")
    return element.value[: length + length % 2]


def burned_in(source: Dataset) -> str:
    """Return why the pixels may hold text, empty where nothing says so."""
    if str(source.get("BurnedInAnnotation") or "").strip().upper() == "YES":
        return "an image that says that text is burned into it (0028,0301)"
    kinds: Iterable[str] = source.get("ImageType") or ()
    kinds = [kinds] if isinstance(kinds, str) else [str(kind) for kind in kinds]
    if any(kind.strip().upper() in _SCREENS for kind in kinds):
        return "a picture of a screen (Image Type, 0008,0008)"
    return ""
