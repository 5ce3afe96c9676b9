"""Automation: which days are stale, what a run builds, and events for what happened outside Dagster."""
