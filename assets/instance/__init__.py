"""The Dagster instance on one machine: its home, its launcher, run retention, and runs in this process."""
