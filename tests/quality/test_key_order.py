"""The check for duplicate keys finds what a plain comparison of each key with the one before finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.dictionary import TABLES
from pipelines.dictionary.schemas import polars_schema
from pipelines.quality import CHECKS
from tests.support.examples import examples
from tests.support.frames import DAY

TABLE = "transfer_metrics_daily"
KEY = TABLES[TABLE].key
UNIQUE_KEYS = next(check for check in CHECKS if check.name == "unique_keys")

# Few values, so that keys are often the same, and some that sort otherwise as text than as bytes or numbers.
values = st.sampled_from([None, "", "a", "B", "é", "10", "9"])
keys = st.tuples(st.just("org_1"), values, st.none(), values, values)


class Pieces:
    """A day of which only one table has rows, handed out in pieces of a given height."""

    day = DAY

    def __init__(self, rows: pl.DataFrame, height: int) -> None:
        self._rows = rows
        self._height = height

    def schema(self, table: str) -> pl.Schema:
        return polars_schema(table)

    def rows(self, table: str) -> int:
        return self.frame(table, []).height

    def frame(self, table: str, columns: Sequence[str]) -> pl.DataFrame:
        return self._rows.select(columns) if table == TABLE else polars_schema(table).to_frame().select(columns)

    def batches(self, table: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        yield from self.frame(table, columns).iter_slices(self._height)


def sortable(key: tuple[str | None, ...]) -> list[tuple[bool, bytes]]:
    """Return the key in a form that Python sorts as the lake does: nulls first, text by its UTF-8 bytes."""
    return [(part is not None, (part or "").encode()) for part in key]


@settings(max_examples=examples(100))
@given(st.lists(keys, max_size=8), st.booleans(), st.integers(1, 4))
def test_every_key_that_does_not_rise_is_counted(drawn, in_order, height):
    if in_order:
        drawn = sorted(drawn, key=sortable)
    rows = pl.DataFrame(drawn, schema=dict.fromkeys(KEY, pl.String), orient="row")
    verdict = UNIQUE_KEYS.run(Pieces(rows, height))
    assert verdict.rows == sum(sortable(before) >= sortable(after) for before, after in pairwise(drawn))
    if in_order:
        assert verdict.passed == (len(set(drawn)) == len(drawn))
