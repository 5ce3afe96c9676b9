"""Serving: the DuckDB catalog that analysts and BI tools open, and what the command line shows of the lake."""
