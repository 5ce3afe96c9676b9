"""Automation: which days are stale, and what a run builds."""
