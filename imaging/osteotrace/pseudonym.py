"""Stable pseudonyms: the same patient gets the same short name in every table.

A pseudonym keeps names and identifiers out of logs and tables. It is a label, not
anonymisation: without a secret key, someone who can list all patient identifiers can
list their pseudonyms too. Set ``OSTEOTRACE_PSEUDONYM_KEY`` to a secret to prevent that.
"""

from __future__ import annotations

import base64
import hashlib
import os

KEY_VARIABLE = "OSTEOTRACE_PSEUDONYM_KEY"
_LENGTH = 8
UNKNOWN_PATIENT = "P-UNKNOWN"


def is_named(patient: str) -> bool:
    """Tell whether a pseudonym is of anybody: two nameless patients may be two people."""
    return patient not in ("", UNKNOWN_PATIENT)


def pseudonym(patient_id: str, issuer: str = "") -> str:
    """Return the pseudonym of a patient identifier.

    Parameters
    ----------
    patient_id : str
        PatientID (0010,0020), surrounding blanks ignored.
    issuer : str, optional
        IssuerOfPatientID (0010,0021): the same number at two hospitals is two people.

    Returns
    -------
    str
        ``P-`` and eight letters or digits; ``P-UNKNOWN`` for an empty identifier.

    Examples
    --------
    >>> pseudonym("12345") == pseudonym(" 12345 ")
    True
    >>> pseudonym("")
    'P-UNKNOWN'
    """
    identity = patient_id.strip()
    if not identity:
        return UNKNOWN_PATIENT
    key = os.environ.get(KEY_VARIABLE, "").encode()[:64]
    message = f"{issuer.strip()}\x1f{identity}".encode()
    digest = hashlib.blake2b(message, key=key, digest_size=10).digest()
    return "P-" + base64.b32encode(digest).decode()[:_LENGTH]
