"""The axes of the functional-aesthetic profile FAP-0: their tables and lengths."""
