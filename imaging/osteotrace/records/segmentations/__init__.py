"""DICOM segmentations: which masks share one, its frames, its segments, and back."""
