"""The last step of every mart: ratios beside their sums, columns in the order of the data dictionary."""

from __future__ import annotations

import polars as pl

from pipelines.dictionary import TABLES, Ratio, ratios_of


def finish(sums: pl.DataFrame, table: str) -> pl.DataFrame:
    """Add a mart's ratios and put its columns in their order.

    Args:
        sums: The key, the counts and the sums of the mart, in any order.
        table: Name of the mart.

    Returns:
        Exactly the columns that the data dictionary gives the table, sorted by its key with nulls first.
    """
    definition = TABLES[table]
    ratios = {ratio.name: ratio_of_sums(ratio) for ratio in ratios_of(table)}
    return sums.with_columns(**ratios).select(definition.names).sort(definition.key)


def ratio_of_sums(ratio: Ratio) -> pl.Expr:
    """Divide a ratio's sums row by row.

    Returns:
        The ratio as Float64; null where a sum is null, where the denominator is zero, and where the quotient is too
        large to be a number.
    """
    denominator = pl.sum_horizontal(*ratio.denominator, ignore_nulls=False)
    quotient = ratio.factor * pl.col(ratio.numerator) / denominator
    return pl.when(quotient.is_finite()).then(quotient)
