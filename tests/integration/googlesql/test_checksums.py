"""Google's evaluator computes checksums, and finds and hashes customers, as the emulator and DuckDB do."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from rfm_pipeline.results.forgotten import Forgotten
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.checksums import checksums_sql
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.forget import normalized_ids_sql, rows_of_customers_sql
from rfm_pipeline.warehouse.bigquery.schema import COLUMN_TYPES
from support.googlesql import GoogleSql

pytestmark = pytest.mark.xdist_group("googlesql")

HISTORY = {name: COLUMN_TYPES[column.holds] for name, column in RESULT_COLUMNS.items()}
BIGQUERY = dialect_of("bigquery")


def row(number: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        "text": f"text {number}", "integer": number, "small": number % 5, "money": Decimal(number) / 4,
        "date": date(2024, 1, number),
    }  # fmt: skip
    shared = {"as_of_date": date(2024, 2, 1 + number % 2), "previous_segment": None}
    return {name: values[column.holds] for name, column in RESULT_COLUMNS.items()} | shared


def checksums(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    query = checksums_sql("history", BIGQUERY)
    return list(GoogleSql.load().execute(query, {"history": HISTORY}, {"history": rows}))


def test_each_column_changes_the_checksum_of_its_date_only() -> None:
    rows = [row(number) for number in range(1, 9)]
    before = checksums(rows)
    assert [found["customers"] for found in before] == [4, 4]
    assert checksums(rows[::-1]) == before
    for name in HISTORY:
        if name == "as_of_date":
            continue
        edited = [
            {**each, name: "Lost" if name == "previous_segment" else row(20)[name]} if number == 3 else each
            for number, each in enumerate(rows)
        ]
        after = checksums(edited)
        assert after[0] != before[0], name
        assert after[1] == before[1], name


def test_ids_are_normalized_hashed_and_found() -> None:
    google = GoogleSql.load()
    typed = [" JANE@example.COM", "ÉVA@example.com", "17850.0", "O'Neil ", " "]
    given = google.execute(normalized_ids_sql(typed, BIGQUERY), {}, {})
    by_position = {found["position"]: found["customer_id"] for found in given}
    assert [by_position[number] for number in range(5)] == [
        "jane@example.com", "éva@example.com", "17850", "O'Neil", None,
    ]  # fmt: skip
    (hashed,) = google.execute(f"SELECT {BIGQUERY.sha256(BIGQUERY.literal('saltéva'))} AS digest", {}, {})
    assert hashed["digest"] == Forgotten("salt").hash_of("éva")
    query = rows_of_customers_sql("history", ["text 3", "text 30"], BIGQUERY)
    (found,) = google.execute(query, {"history": HISTORY}, {"history": [row(3), row(4)]})
    assert (found["customer_id"], found["as_of_date"], found["customers"]) == ("text 3", date(2024, 2, 2), 1)
