"""The doctor: finds what is wrong with a lake, its settings, its key and its API, and makes lost state again.

Looking never writes. `repair` is the only part that does, and it deletes no data: what cannot be read is moved aside.
"""
