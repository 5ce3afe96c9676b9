"""From the JSON of a day's calls to the five tables of its parts.

The fast way decodes a whole call into typed values; a call that does not fit is taken apart field by field, so that a
bad value costs its field and nothing else. A day's tables are a pure function of what has landed.
"""
