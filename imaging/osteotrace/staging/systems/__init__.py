"""The systems: one module each, found by its file.

A module has ``SYSTEMS``, ``ENABLED`` and ``stage(case, date)``: see `osteotrace.staging`.
"""
