"""Workflows: what one command, or one step of Dagster, does from its first check to its last; each is written once."""
