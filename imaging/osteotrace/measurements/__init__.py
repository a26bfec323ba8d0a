"""Regions and volumes in, measurements out: one file a subject.

`measurement` holds the record that every subject returns.
"""
