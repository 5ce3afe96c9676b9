"""Extraction: brings every call of the API into the raw layer, and proves that none was skipped."""
