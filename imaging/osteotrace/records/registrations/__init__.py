"""The parts of a DICOM Spatial Registration object: written, and read."""
