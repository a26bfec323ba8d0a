"""Masks: marked by hand, grown, or read from files; each on a grid, with its images.

`marked` makes them from balls, boxes, outlines and arrays; `thresholds` finds the bone in
a region by the image itself, `growing` what hangs together with a point; `labels` reads
DICOM SEG, NIfTI and NRRD; `totalsegmentator` runs that program. Nothing here measures.
"""
