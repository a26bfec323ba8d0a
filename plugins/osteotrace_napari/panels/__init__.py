"""The reading panel, one file a part."""
