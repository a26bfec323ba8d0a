"""What systems of the spine share: levels, grades, courses of denosumab, the flag."""
