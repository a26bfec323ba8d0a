"""Findings to DICOM and back, without loss."""
