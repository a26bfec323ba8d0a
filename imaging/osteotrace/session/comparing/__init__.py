"""The comparison of the reading in hand with others of its patient, without a window.

`comparing` is the front door, a session's ``comparing``. ``known_studies`` says which
studies there are, ``aligned_series`` lays two over each other, ``agreements`` keeps what
readers say of matches, ``carried_marks`` brings marks of another date into the draft as
proposals, ``sheet`` is all that a window shows.
"""
