"""Scans: the pure decisions of reading a list that changes while it is read."""
