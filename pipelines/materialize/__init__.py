"""Puts the rooms together: raw in, a published day out. The command line and Dagster both build through here."""

from __future__ import annotations

import os

# polars reads this once, when it is imported; processes started from here inherit it. Days are built side by side, so
# that polars' own threads would only contend with other days for the same processors: a day takes 5 % more with them.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
