"""The workflow of a comparison: studies and readings in, a `Comparison` out.

``gathering`` finds studies and saved readings, ``reading_studies`` measures what nobody
read, ``aligning`` lays series over each other, ``carrying`` and ``proposing`` look for
lesions that a later reading does not speak of, ``workflow`` joins them.
"""

from osteotrace.reading.comparing.workflow import ComparisonReading, compare

__all__ = ["ComparisonReading", "compare"]
