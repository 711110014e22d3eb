"""DuckDB's column types of the published tables, and the comparison of an existing table with them."""

from __future__ import annotations

from collections.abc import Mapping

from rfm_pipeline.results.tables import PUBLISHED_COLUMNS, STORED_COLUMNS, PublishedColumn

COLUMN_TYPES: Mapping[str, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "small": "INTEGER",
    "money": "DECIMAL(38,9)",
    "date": "DATE",
    "instant": "TIMESTAMP",
    "score": "UTINYINT",
    "flag": "BOOLEAN",
}
"""DuckDB type for each value of `PublishedColumn.holds`, as `duckdb_columns` prints it."""

COLUMNS: Mapping[str, Mapping[str, PublishedColumn]] = {**PUBLISHED_COLUMNS, **STORED_COLUMNS}
"""The columns of each table and view of a DuckDB file, by role."""

_MAX_LISTED = 3


def published_schema_differences(name: str, columns: Mapping[str, str]) -> str | None:
    """Return how a table differs from the published table `name`; None if it has the same columns in order.

    Args:
        name: Role of the table.
        columns: Column names and DuckDB types of the table, in order.
    """
    expected = {column: COLUMN_TYPES[about.holds] for column, about in COLUMNS[name].items()}
    if list(columns.items()) == list(expected.items()):
        return None
    missing = [column for column in expected if column not in columns]
    surplus = [column for column in columns if column not in expected]
    if not missing and not surplus:
        surplus = [
            f"{column} as {columns[column]} in place of {type_}"
            for column, type_ in expected.items()
            if columns[column] != type_
        ]
    differences = [
        f"{verb} {', '.join(listed[:_MAX_LISTED])}"
        for verb, listed in (("lacks", missing), ("has", surplus))
        if listed
    ]
    return " and ".join(differences) or "has its columns in another order"
