"""Patients' identities taken out of studies and readings (PS3.15 Annex E).

What is not known to be needed and harmless is removed; UIDs are mapped with a secret, so
that a reading still finds its images; findings are kept. Pixels stay as they are.
"""

from __future__ import annotations

from osteotrace.deidentify.options import Options
from osteotrace.deidentify.secret import Secret, read_secret
from osteotrace.deidentify.tree import Deidentified, deidentify_tree

__all__ = ["Deidentified", "Options", "Secret", "deidentify_tree", "read_secret"]
