"""Suppression: the list of erased customers and calls, its filter for landing, and the identifiers it covers."""
