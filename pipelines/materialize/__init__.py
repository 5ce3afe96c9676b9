"""Build published days from raw. The command line and Dagster both build through here."""

from __future__ import annotations

import os

# polars reads this once, when it is imported; worker processes inherit it. Days are built in parallel, so polars' own
# threads would only compete with other days for the same processors: a day takes 5 % longer with them.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
