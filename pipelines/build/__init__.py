"""Puts the rooms together: raw in, a published day out. The command line and Dagster both build through here."""
