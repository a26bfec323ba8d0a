"""Records of other software: read as findings as far as they say."""
