"""Flatten the JSON of a day's calls into the five core tables.

A day's tables are a pure function of what has landed. A call that does not have the documented types is decoded field
by field, so that a bad value costs its field and nothing else.
"""
