"""Removing for good what must not be kept: a person, a call, old days."""
