"""The export of Google Analytics 4 as a source: a table a day, nested revenue, events sent twice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.partition_pruning import prune_partitions
from rfm_pipeline.warehouse.bigquery.partitions import shards_of
from support.engines import Question
from support.googlesql import GoogleSql

pytestmark = pytest.mark.xdist_group("googlesql")

COLUMNS = {
    "event_date": "STRING",
    "event_timestamp": "INT64",
    "event_name": "STRING",
    "user_pseudo_id": "STRING",
    "ecommerce": "STRUCT<transaction_id STRING, purchase_revenue FLOAT64>",
}
TABLE = {"events_*": {**COLUMNS, "_TABLE_SUFFIX": "STRING"}}
SETTINGS = {"preset": ["ga4", "classic"], "since": "2024-01-03", "as_of": "2024-01-31"}


def event(
    table: str, user: str, transaction: str, revenue: float | None, name: str = "purchase"
) -> dict[str, Any]:
    return {
        "_TABLE_SUFFIX": table,
        "event_date": table[-8:],
        "event_timestamp": 1_704_300_000_000_000,
        "event_name": name,
        "user_pseudo_id": user,
        "ecommerce": {"transaction_id": transaction, "purchase_revenue": revenue},
    }


EVENTS = [
    event("20240101", "early", "T0", 9.0),
    event("20240103", "ann", "T1", 10.5),
    event("20240103", "ann", "T1", 10.5),
    event("20240104", "ann", "T2", 1.25),
    event("20240104", "ann", "(not set)", None, "page_view"),
    event("20240104", "bob", "(not set)", 5.0),
    event("20240104", "bob", "T3", 20.0),
    event("intraday_20240105", "cyd", "T4", 99.0),
]


def test_each_purchase_counts_once_and_todays_table_is_left_out() -> None:
    question, bigquery = Question(COLUMNS, settings=SETTINGS, today=date(2024, 1, 31)), dialect_of("bigquery")
    tables = [f"events_{suffix}" for suffix in ("20240101", "20240103", "20240104", "intraday_20240105")]
    shards = shards_of("events_*", tables, BigQuerySettings())
    spec = question.spec("bigquery")
    relation = prune_partitions("`events_*`", shards.partition, spec.mapping, spec.settings, bigquery)
    assert "_TABLE_SUFFIX >= '20240102'" in relation
    query = question.pipeline("bigquery", relation).query()
    rows = GoogleSql.load().execute(query, TABLE, {"events_*": EVENTS})
    assert {row["customer_id"]: (row["frequency"], row["monetary"]) for row in rows} == {
        "ann": (2, Decimal("11.75")),
        "bob": (1, Decimal(20)),
    }


@pytest.mark.parametrize(("timezone", "day"), [("UTC", date(2024, 1, 3)), ("Asia/Tokyo", date(2024, 1, 4))])
def test_the_microseconds_of_an_event_can_be_the_order_date(timezone: str, day: date) -> None:
    settings = {
        **SETTINGS,
        "columns": {"ordered_at": "event_timestamp"},
        "date_format": "epoch_us",
        "timezone": timezone,
    }
    question = Question(COLUMNS, settings=settings, today=date(2024, 1, 31))
    # At 15:00 UTC a day begins in Tokyo; the last microsecond before it is of the day before.
    begin = 1_704_294_000_000_000
    times = {"ann": begin, "bob": begin - 1}
    events = [
        {**event("20240103", user, f"T{user}", 5.0), "event_timestamp": at} for user, at in times.items()
    ]
    query = question.pipeline("bigquery", "`events_*`").query()
    rows = GoogleSql.load().execute(query, TABLE, {"events_*": events})
    assert {row["customer_id"]: row["last_order_date"] for row in rows} == {
        "ann": day,
        "bob": date(2024, 1, 3),
    }
