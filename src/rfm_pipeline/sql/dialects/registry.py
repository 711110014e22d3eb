"""Lookup of the dialects by name."""

from __future__ import annotations

from rfm_pipeline.sql.dialects.base import Dialect

DIALECTS = ("duckdb", "bigquery")


def dialect_of(name: str) -> Dialect:
    """Return the dialect with a name of `DIALECTS`."""
    if name == "bigquery":
        from rfm_pipeline.sql.dialects.bigquery import BigQuery

        return BigQuery()
    from rfm_pipeline.sql.dialects.duckdb import DuckDB

    return DuckDB()
