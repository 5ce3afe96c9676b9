"""All thresholds of the anomaly checks and freshness checks, in one place."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

HISTORY_DAYS: Final = 28
"""A day's costs are compared with those of this many days before it."""

MIN_HISTORY_DAYS: Final = 7
"""With fewer comparable days than this, costs are not checked."""

MIN_CALLS: Final = 20
"""Shares of fewer calls are not checked, and a weekday whose median is lower may have no calls at all."""

MISSING_COST_SHARE_RISE: Final = 0.10
"""How far the share of calls without a cost may rise above its median, as a share of the calls."""

COST_PER_MINUTE_TOLERANCE: Final = 0.25
"""How far the cost per minute may be outside the range of the days before it, as a share of the nearer bound."""

MIN_MINUTES: Final = 10.0
"""The cost per minute of fewer minutes is not checked, and is not compared with."""

WEEKS: Final = 8
"""A day's calls are compared with those of the same weekday in this many weeks before it."""

MIN_WEEKS: Final = 4
"""With fewer of that weekday, the number of calls is not checked."""

MIN_CALL_VOLUME_SHARE: Final = 0.5
"""Fewer calls than this share of the weekday's median are an anomaly."""

RECENT_DAYS: Final = 7
"""The checks of the extraction report rejected items and days with too few calls for this many days."""

EXTRACT_WARN_AFTER: Final = timedelta(hours=3)
"""The API is read every hour: warn after two extracts in a row without success."""

EXTRACT_FAIL_AFTER: Final = timedelta(hours=26)
"""By then a nightly full extract has been missed as well."""

TABLES_WARN_AFTER: Final = timedelta(days=3)
"""A table is built when calls arrive or change, so it may be unchanged over a weekend without calls, but no longer."""

TABLES_FAIL_AFTER: Final = timedelta(days=5)
"""Longer than a weekend with a holiday on either side."""
