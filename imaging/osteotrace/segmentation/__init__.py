"""Masks: marked by hand, grown, or read from files; each on a grid, with its images.

`marked` makes them from balls, boxes, outlines and arrays. Nothing here measures.
"""
