"""Call analytics for Chorus AI voice agents: from the calls API to Parquet, DuckDB and Dagster."""

__version__ = "0.1.0"
