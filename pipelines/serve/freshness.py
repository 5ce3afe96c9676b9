"""The view data_freshness: what is published, from the catalog, and what has landed since, from the lake.

Days turn stale and scans end without a new catalog, so the view reads these from the lake's state at query time.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.lake import layout, state
from pipelines.lake.identity import load_table_settings
from pipelines.lake.state import Landed, Manifest
from pipelines.lake.storage import Storage
from pipelines.lake.versions import fingerprint
from pipelines.serve.ddl import exact_path


def landed_states(storage: Storage, manifest: Manifest) -> dict[date, str | None]:
    """Return which state of the landed calls each published day was built from; None if newer ones have landed.

    Returns:
        Digests of the day and of the day before, with a space between; empty for a day of which nothing landed.
    """
    landed = state.load_landed(storage).value
    settings = load_table_settings(storage)
    return {
        day: _state(landed, day) if settings and published.version == fingerprint(landed, day, settings) else None
        for day, published in manifest.days.items()
    }


def _state(landed: Landed, day: date) -> str:
    days = (landed.days.get(day), landed.days.get(day - timedelta(days=1)))
    return " ".join(known.digest if known else "" for known in days)


def newest_call(storage: Storage, manifest: Manifest) -> datetime | None:
    """Return when the newest published call was created, or started if that is unknown; None without calls."""
    days = [day for day, published in manifest.days.items() if published.rows.get("calls")]
    if not days:
        return None
    newest = max(days)
    file = storage.open_input(layout.table_file(newest, manifest.days[newest].version, "calls"))
    times = pq.read_table(file, columns=["created_at", "started_at"])
    moment: datetime | None = pc.max(pc.coalesce(times["created_at"], times["started_at"])).as_py()
    return moment


# DuckDB refuses a view over a missing file, and before the first sync there is no record of scans. This file without
# rows is stored next to that record, and the view reads both.
_NO_SCANS: Final = "state/no_scans.parquet"
_SCAN_COLUMNS: Final = pa.schema(
    [
        ("started_at", pa.timestamp("us", "UTC")),
        ("mode", pa.string()),
        ("complete", pa.bool_()),
        ("calls_deleted", pa.int64()),
        ("calls_moved", pa.int64()),
    ]
)
_LANDED_TYPE: Final = (
    '{"newest_landed_at": "VARCHAR", '
    '"days": "MAP(VARCHAR, STRUCT(digest VARCHAR, rejected MAP(VARCHAR, STRUCT(\\"rows\\" BIGINT))))"}'
)
_QUERY: Final = """
WITH state AS (
    SELECT from_json(content, '{landed_type}') AS landed FROM read_text({landed})
), landed AS (
    SELECT CAST(day.key AS DATE) AS call_date, day.value.digest AS digest, map_values(day.value.rejected) AS rejected
    FROM (SELECT unnest(map_entries(landed.days)) AS day FROM state)
), rejected AS (
    SELECT unnest(rejected) AS file FROM landed
), stale AS (
    SELECT landed.call_date
    FROM landed
    LEFT JOIN landed AS before ON before.call_date = landed.call_date - 1
    LEFT JOIN _days AS published ON published.call_date = landed.call_date
    WHERE published.landed IS DISTINCT FROM landed.digest || ' ' || coalesce(before.digest, '')
), scans AS (
    SELECT started_at, mode, complete, calls_deleted, calls_moved FROM read_parquet({scans}, union_by_name = true)
)
SELECT
    _lake.newest_call_at,
    (SELECT CAST(landed.newest_landed_at AS TIMESTAMP WITH TIME ZONE) FROM state) AS newest_landed_at,
    (SELECT max(started_at) FROM scans) AS last_scan_at,
    (SELECT arg_max(complete, started_at) FROM scans) AS last_scan_complete,
    (SELECT max(started_at) FROM scans WHERE mode = 'full') AS last_full_scan_at,
    (SELECT arg_max(complete, started_at) FROM scans WHERE mode = 'full') AS last_full_scan_complete,
    (SELECT max(started_at) FROM scans WHERE mode = 'full' AND complete) AS last_complete_full_scan_at,
    (SELECT arg_max(calls_deleted, started_at) FROM scans WHERE mode = 'full') AS last_full_scan_calls_deleted,
    (SELECT arg_max(calls_moved, started_at) FROM scans WHERE mode = 'full') AS last_full_scan_calls_moved,
    (SELECT count(*) FROM landed) AS landed_days,
    (SELECT count(*) FROM _days) AS published_days,
    (SELECT min(call_date) FROM _days) AS first_published_day,
    (SELECT max(call_date) FROM _days) AS last_published_day,
    (SELECT count(*) FROM stale) AS stale_days,
    (SELECT min(call_date) FROM stale) AS oldest_stale_day,
    (SELECT CAST(coalesce(sum(file.rows), 0) AS BIGINT) FROM rejected) AS rejected_items,
    _lake.committed_at,
    _lake.generation
FROM _lake
"""


def freshness_query(storage: Storage) -> str:
    """Return the query behind `data_freshness`: the catalog's own `_lake` and `_days`, and the state of the lake."""
    scans = exact_path(storage.address(layout.SCANS)).replace("/scans.parquet'", "/*scans.parquet'")
    return _QUERY.format(landed_type=_LANDED_TYPE, landed=exact_path(storage.address(layout.LANDED)), scans=scans)


def ensure_scans_readable(storage: Storage) -> None:
    """Write the file without rows that the view reads with the record of scans, unless it has the view's columns."""
    if storage.size(_NO_SCANS) is None or pq.read_schema(storage.open_input(_NO_SCANS)) != _SCAN_COLUMNS:
        with storage.create(_NO_SCANS) as stream:
            pq.write_table(_SCAN_COLUMNS.empty_table(), stream)
