"""Diagnose a lake, its settings, its key and its API, and rebuild lost state.

Examining never writes. Only `repair` does, and it deletes no data: what cannot be read is moved aside.
"""
