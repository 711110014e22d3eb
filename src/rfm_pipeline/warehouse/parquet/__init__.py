"""Parquet files as a destination, which DuckDB reads and writes."""
