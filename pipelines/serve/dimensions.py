"""The tables that give ids of agents and phone numbers their names, for left joins that lose no call.

They have a row for each id that the marts know, named or not, and for each name, called or not; never two for one id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from pipelines.dictionary import Column, ColumnType, Table
from pipelines.lake.names import AGENTS, PHONE_NUMBERS
from pipelines.serve import ddl

NAMES: Final = "known_names"
"""The relation with the columns kind, id and name that has to be there where a dimension is made."""
_MARTS: Final = ("call_metrics_daily", "transfer_metrics_daily")


def _dimension(kind: str, title: str, one: str, column: str, named: str) -> Table:
    return Table(
        name=kind,
        title=title,
        description=(
            f"A name for each {one}, to left join with {column}. {named}, else those in data/lookups/{kind}.csv; an id "
            "without either has none."
        ),
        grain=f"one row per {one}",
        key=("id",),
        columns=(
            Column("id", ColumnType.TEXT, f"Id of the {one}: what other tables call {column}.", nullable=False),
            Column("name", ColumnType.TEXT, f"Name of the {one}; null where none is known."),
            Column("first_seen", ColumnType.DATE, "First day with calls or transfers; null where there are none."),
            Column("last_seen", ColumnType.DATE, "Last day with calls or transfers; null where there are none."),
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
"""The tables by the column of other tables that they explain."""


def dimension_query(table: Table, column: str) -> str:
    """Return the query for a dimension's rows: the ids of the marts, and the names that are known."""
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
