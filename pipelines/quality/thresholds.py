"""From where on something is unusual enough to tell somebody: all thresholds of the warnings, in one place."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

HISTORY_DAYS: Final = 28
"""A day's costs are held against those of so many days before it."""

MIN_HISTORY_DAYS: Final = 7
"""With fewer days than this to go by, costs are not judged."""

MIN_CALLS: Final = 20
"""Shares of fewer calls say nothing, and a weekday that usually has fewer may have none."""

MISSING_COST_SHARE_RISE: Final = 0.10
"""How far the share of calls without a cost may lie above its median, as a share of the calls."""

COST_PER_MINUTE_TOLERANCE: Final = 0.25
"""How far the cost per minute may lie outside the span of the days before it, as a share of the nearer end."""

MIN_MINUTES: Final = 10.0
"""The cost per minute of fewer minutes is not judged, and is no history for others."""

WEEKS: Final = 8
"""A day's calls are held against those of the same weekday in so many weeks before it."""

MIN_WEEKS: Final = 4
"""With fewer of that weekday to go by, the number of calls is not judged."""

MIN_CALL_VOLUME_SHARE: Final = 0.5
"""Fewer calls than this share of the weekday's median are far fewer."""

RECENT_DAYS: Final = 7
"""Whoever looks at the extraction is told of what was rejected, and of days that were too quiet, so many days back."""

EXTRACT_WARN_AFTER: Final = timedelta(hours=3)
"""The API is read every hour: two extracts in a row that bring no success are worth a look."""

EXTRACT_FAIL_AFTER: Final = timedelta(hours=26)
"""By then a night's full extract has been missed as well."""

TABLES_WARN_AFTER: Final = timedelta(days=3)
"""A table is built when calls arrive or change, so it rests over a weekend without calls, but no longer."""

TABLES_FAIL_AFTER: Final = timedelta(days=5)
"""Longer than a weekend with a holiday on either side."""
