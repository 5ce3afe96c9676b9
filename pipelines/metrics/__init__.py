"""The marts: a day's calls and transfer legs as counts, sums and the ratios between them.

Each mart is a pure function from frames to a frame. The `*_COLUMNS` list the columns it reads, so that a caller loads
no others.
"""

from __future__ import annotations

from pipelines.metrics.marts import (
    CALL_COLUMNS,
    HOURLY_CALL_COLUMNS,
    LEG_COLUMNS,
    call_metrics_daily,
    call_volume_hourly,
    ratio_of_sums,
    transfer_metrics_daily,
)

__all__ = [
    "CALL_COLUMNS",
    "HOURLY_CALL_COLUMNS",
    "LEG_COLUMNS",
    "call_metrics_daily",
    "call_volume_hourly",
    "ratio_of_sums",
    "transfer_metrics_daily",
]
