"""What may be kept beyond the basic profile, and how that is said in a file."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from osteotrace import about

Dates = Literal["remove", "keep", "shift"]

# PS3.16 CID 7050, De-identification Method.
_BASIC: Final = ("113100", "Basic Application Confidentiality Profile")
_CLEAN_STRUCTURED: Final = ("113104", "Clean Structured Content Option")
_CLEAN_DESCRIPTORS: Final = ("113105", "Clean Descriptors Option")
_FULL_DATES: Final = (
    "113106",
    "Retain Longitudinal Temporal Information Full Dates Option",
)
_MODIFIED_DATES: Final = (
    "113107",
    "Retain Longitudinal Temporal Information Modified Dates Option",
)
_PATIENT: Final = ("113108", "Retain Patient Characteristics Option")
_DEVICE: Final = ("113109", "Retain Device Identity Option")
# Longitudinal Temporal Information Modified (0028,0303).
TEMPORAL: Final[dict[Dates, str]] = {
    "remove": "REMOVED",
    "keep": "UNMODIFIED",
    "shift": "MODIFIED",
}


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept beyond the basic profile of PS3.15 Annex E.

    Parameters
    ----------
    dates : ``"remove"``, ``"keep"`` or ``"shift"``
        Shifted dates keep the time between a patient's studies.
    device : bool
        Keep which scanner it was: serial number, station, software.
    patient : bool
        Keep sex, age (at most 90 years), size and weight.
    burned_in : bool
        Take images that say that text is burned into them, and secondary captures: the
        pixels stay as they are.
    """

    dates: Dates = "remove"
    device: bool = False
    patient: bool = False
    burned_in: bool = False

    @property
    def method_codes(self) -> tuple[tuple[str, str], ...]:
        """Code values and meanings of the profile and its options, scheme DCM."""
        told = [_BASIC, _CLEAN_STRUCTURED, _CLEAN_DESCRIPTORS]
        if self.dates == "keep":
            told.append(_FULL_DATES)
        if self.dates == "shift":
            told.append(_MODIFIED_DATES)
        told += [_PATIENT] * self.patient + [_DEVICE] * self.device
        return tuple(told)

    @property
    def method(self) -> str:
        """De-identification Method (0012,0063), one value of at most 64 characters."""
        return f"{about.SOFTWARE_NAME} {about.VERSION}, PS3.15 Annex E; pixels untouched"
