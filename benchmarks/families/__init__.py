"""The phantom families of the accuracy table, one module a family.

Each has ``rows(repeats)``: osteotrace beside naive and peer methods on the same phantoms.
"""
