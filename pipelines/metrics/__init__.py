"""The marts: what a day's calls and transfer legs come to, as counts, sums and the ratios between them.

Each mart is a function from frames to a frame and knows neither files nor schedules. The `*_COLUMNS` say what it reads,
so that a caller loads no more.
"""

from __future__ import annotations

from pipelines.metrics.call_metrics import CALL_COLUMNS, call_metrics_daily
from pipelines.metrics.call_volume import HOURLY_CALL_COLUMNS, call_volume_hourly
from pipelines.metrics.transfer_metrics import LEG_COLUMNS, transfer_metrics_daily

__all__ = [
    "CALL_COLUMNS",
    "HOURLY_CALL_COLUMNS",
    "LEG_COLUMNS",
    "call_metrics_daily",
    "call_volume_hourly",
    "transfer_metrics_daily",
]
