"""The helper tables of the catalog: calendar, names, freshness, state of the lake, and the data dictionary.

Tools that show no comments find the dictionary in `_tables` and `_columns`; `_lake` and `_days` show which state of the
lake the catalog was made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from pipelines.dictionary import Column, ColumnType, Table
from pipelines.lake.names import AGENTS, PHONE_NUMBERS
from pipelines.serve import ddl

_TEXT, _COUNT, _FLAG = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.FLAG
_DATE, _INSTANT = ColumnType.DATE, ColumnType.INSTANT

DIM_DATE: Final = Table(
    name="dim_date",
    title="Calendar",
    description="The days of whole years around the published days, to join with call_date or local_date.",
    grain="one row per day",
    key=("date",),
    columns=(
        Column("date", _DATE, "The day.", nullable=False),
        Column("iso_year", _COUNT, "Year that the ISO week belongs to."),
        Column("iso_week", _COUNT, "ISO week, 1 to 53; weeks begin on Monday."),
        Column("year", _COUNT, "Calendar year."),
        Column("quarter", _COUNT, "Quarter of the year, 1 to 4."),
        Column("month", _COUNT, "Month of the year, 1 to 12."),
        Column("month_name", _TEXT, "Name of the month, in English."),
        Column("weekday", _COUNT, "Day of the week: 1 is Monday, 7 is Sunday."),
        Column("weekday_name", _TEXT, "Name of the day of the week, in English."),
        Column("is_weekend", _FLAG, "Whether the day is a Saturday or a Sunday."),
        Column("week_start", _DATE, "Monday of the day's week, to group by week."),
        Column("month_start", _DATE, "First day of the month, to group by month."),
        Column("quarter_start", _DATE, "First day of the quarter, to group by quarter."),
    ),
)

LAKE: Final = Table(
    name="_lake",
    title="State of the lake",
    description="Which state of the lake this catalog was made from.",
    grain="one row",
    key=(),
    columns=(
        Column("generation", _COUNT, "How many times days have been published, this time included."),
        Column("committed_at", _INSTANT, "When days were last published; null if never."),
        Column("made_at", _INSTANT, "When this file was written."),
        Column("currency", _TEXT, "Label of the currency, as set; null without one."),
        Column("newest_call_at", _INSTANT, "When the newest published call was created; else, when it started."),
        Column("names", _TEXT, "Hash of the names of agents and phone numbers that it shows; empty without names."),
        Column("signature", _TEXT, "Hash of program, dictionary, place and currency; null in a catalog to hand out."),
    ),
)

DAYS: Final = Table(
    name="_days",
    title="Published days",
    description="The days this catalog shows, with the version of each.",
    grain="one row per published day",
    key=("call_date",),
    columns=(
        Column("call_date", _DATE, "UTC day.", nullable=False),
        Column("version", _TEXT, "Version of the day: the fingerprint of what it was built from."),
        Column("published_at", _INSTANT, "When that version was published."),
        Column("calls", _COUNT, "Rows of the day in the table calls.", unit="calls"),
        Column("landed", _TEXT, "State of the landed calls it was built from; null if newer ones had landed."),
        Column("lacking", _TEXT, "Tables of the day whose files lack columns that were added since; null if none."),
    ),
)

FRESHNESS: Final = Table(
    name="data_freshness",
    title="Freshness of the data",
    description=(
        "How far the tables reach, and whether anything is pending. Scans and landed data are read from the lake at "
        "the time of the query; in a catalog to hand out, they are as of the time when it was written."
    ),
    grain="one row",
    key=(),
    columns=(
        Column("newest_call_at", _INSTANT, "When the newest published call was created; else, when it started."),
        Column("newest_landed_at", _INSTANT, "When a new or changed call last landed, published or not."),
        Column("last_scan_at", _INSTANT, "When the last scan of the API began, full or incremental."),
        Column("last_scan_complete", _FLAG, "Whether that scan was complete for its mode."),
        Column("last_full_scan_at", _INSTANT, "When the last full scan of the API began."),
        Column("last_full_scan_complete", _FLAG, "Whether that scan was complete."),
        Column("last_complete_full_scan_at", _INSTANT, "When the last complete full scan began."),
        Column(
            "last_full_scan_calls_deleted",
            _COUNT,
            "Known calls that the last full scan marked as deleted, since the API no longer listed them.",
            unit="calls",
        ),
        Column(
            "last_full_scan_calls_moved",
            _COUNT,
            "Known calls that the last full scan removed from their day, since the API listed them on another.",
            unit="calls",
        ),
        Column("landed_days", _COUNT, "Days with landed calls or rejected items.", unit="days"),
        Column("published_days", _COUNT, "Days that the tables show.", unit="days"),
        Column("first_published_day", _DATE, "First of these days."),
        Column("last_published_day", _DATE, "Last of these days."),
        Column("stale_days", _COUNT, "Landed days whose newest state is not published yet.", unit="days"),
        Column("oldest_stale_day", _DATE, "First of these days; null if none is stale."),
        Column("rejected_items", _COUNT, "Items of the API that could not be assigned to a day.", unit="items"),
        Column("committed_at", _INSTANT, "When days were last published."),
        Column("generation", _COUNT, "How many times days have been published, this time included."),
    ),
)

TABLES_TABLE: Final = Table(
    name="_tables",
    title="Dictionary of tables",
    description="What each table and view of the catalog is for.",
    grain="one row per table or view",
    key=("table_name",),
    columns=(
        Column("table_name", _TEXT, "Name of the table or view.", nullable=False),
        Column("kind", _TEXT, "core (calls and what they consist of), mart (aggregated) or helper."),
        Column("title", _TEXT, "Title for people."),
        Column("description", _TEXT, "What it is for."),
        Column("grain", _TEXT, "What one row is."),
        Column("key", _TEXT, "Columns that are unique together within one call_date; null without a key."),
    ),
)

COLUMNS_TABLE: Final = Table(
    name="_columns",
    title="Dictionary of columns",
    description="What each column of each table and view of the catalog means.",
    grain="one row per column",
    key=("table_name", "position"),
    columns=(
        Column("table_name", _TEXT, "Table or view that the column belongs to.", nullable=False),
        Column("position", _COUNT, "Position of the column, from 1.", nullable=False),
        Column("column_name", _TEXT, "Name of the column.", nullable=False),
        Column("type", _TEXT, "Type of its values."),
        Column("unit", _TEXT, "Unit of its values; null without one."),
        Column("description", _TEXT, "Meaning."),
        Column("formula", _TEXT, "How it is computed; null if it is as sent."),
        Column("additivity", _TEXT, "How it may be summed; null if it is no measure."),
        Column("personal", _TEXT, "What it can reveal about a person, or none."),
    ),
)


NAMES: Final = "known_names"
"""The relation with the columns kind, id and name that a dimension's query reads."""
_MARTS: Final = ("call_metrics_daily", "transfer_metrics_daily")


def _dimension(kind: str, title: str, one: str, column: str, named: str) -> Table:
    return Table(
        name=kind,
        title=title,
        description=(
            f"A name for each {one}, to left join with {column}. {named}, else those in data/lookups/{kind}.csv. One "
            "row for each id in the marts, named or not, and for each name, with calls or not."
        ),
        grain=f"one row per {one}",
        key=("id",),
        columns=(
            Column("id", ColumnType.TEXT, f"Id of the {one}, which other tables call {column}.", nullable=False),
            Column("name", ColumnType.TEXT, f"Name of the {one}; null if unknown."),
            Column("first_seen", ColumnType.DATE, "First day with calls or transfers; null without any."),
            Column("last_seen", ColumnType.DATE, "Last day with calls or transfers; null without any."),
        ),
    )


DIMENSIONS: Final[Mapping[str, Table]] = {
    "agent_id": _dimension(AGENTS, "Agents", "agent", "agent_id", "Names are the API's, as last read"),
    "phone_number_id": _dimension(
        PHONE_NUMBERS,
        "Phone numbers",
        "phone number of the account",
        "phone_number_id",
        "Names are the API's, as last read (the number itself where it has no name)",
    ),
}
"""The dimensions by the column of other tables that they name."""


def dimension_query(table: Table, column: str) -> str:
    """Return the query for a dimension's rows: one for each id in the marts or among the known names."""
    seen = " UNION ALL ".join(
        f"SELECT {column} AS id, NULL AS name, call_date FROM {mart} WHERE {column} IS NOT NULL"  # noqa: S608 - own names
        for mart in _MARTS
    )
    known = f"SELECT id, name, NULL FROM {NAMES} WHERE kind = {ddl.literal(table.name)}"  # noqa: S608 - own names
    return (
        f"SELECT id, any_value(name), min(call_date), max(call_date) FROM ({seen} UNION ALL {known}) "  # noqa: S608
        "GROUP BY id ORDER BY id"
    )


def names_relation(names: Mapping[str, Mapping[str, str]]) -> pa.Table:
    """Return names as the relation that the queries read."""
    rows = [(kind, one, name) for kind, known in names.items() for one, name in known.items()]
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
    return pa.table(columns, names=["kind", "id", "name"])
