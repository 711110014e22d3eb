"""Ids, order totals and customer tables: DuckDB and GoogleSQL's evaluator return equal rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from operator import itemgetter
from typing import Any

import pytest

from rfm_pipeline.common.schema import Kind
from rfm_pipeline.source.profile.customers import known_placeholders
from rfm_pipeline.sql.dialects.ids import is_scientific
from rfm_pipeline.sql.dialects.registry import dialect_of
from support.databases import empty_database
from support.engine_agreement import assert_equal
from support.engines import Question, ask_duckdb, ask_google
from support.generated import preset
from support.googlesql import GoogleSql

pytestmark = pytest.mark.xdist_group("googlesql")

IDS = (
    "17850", "17850.0", " 17850", "17850\t", "\u200317850\u00a0", "017850", "0", "0.0", "-1", "12,345", "1.0",
    "Ann@X.com", " ann@x.com\r\n", "ANN@İ.ΣΑΣ", "ünal@X.Com", "É@x.É", "Ann@9", "@", "a@", "Bob@B1 ",
    "NULL", "nan", " Guest ", "N/A", "(not set)", "#N/A", "-", "?", "\\N", "INVITÉ", "gue\u017ft", "NA",
    "anna",
    "NULL" + " " * 40, "x" * 60, "C-7", "C 7 ", "c-7.0", "😀", "a\u0301", "\u0085x", "\u200bx", "\x1fx", "",
    "C-70", "C7\u3000", "C7\t", "C7\u0085", "c70 ", "C70.0", "170.0", "170", "5\u0665", "B@x.5\u00a0",
    "B@x.\u0665", "B@x.…", "C7\u00a0B@x", "E-3f9A", "\u00a0C7", "   ", "6.01235E+12", "6.01235E+12 ",
    "5,49e+4", "1234e567", "12E12", "+3E+4", "A@x5\u0301", "1\u20e3", "C9\u007f", "9", "C-.0", "C:", "a@\tb",
    "Ann@x.co\u200b", "Ann@x\x00z", "\u0661", None,
)  # fmt: skip
PLACEHOLDERS = ((), ("0", "-1"), (*known_placeholders(), "0", "0.0", "-1"), ("till 9", "a@", "C-7"))


@pytest.mark.parametrize("placeholders", PLACEHOLDERS)
def test_both_engines_read_equal_ids(placeholders: tuple[str, ...]) -> None:
    def query(name: str) -> str:
        dialect = dialect_of(name)
        reversed_text = dialect.reversed_text("id") or "NULL"
        keys = [
            f"{dialect.customer_key('id', Kind.TEXT, placeholders, column)} AS {name}"
            for name, column in (("customer", None), ("quick_customer", "reversed_id"))
        ]
        scientific = f"CASE WHEN {is_scientific(dialect, 'id')} THEN 1 ELSE 0 END"
        order = dialect.order_key("id", Kind.TEXT)
        columns = ["n", *keys, f"{order} AS order_id", f"{scientific} AS scientific"]
        ids = f"(SELECT n, id, {reversed_text} AS reversed_id FROM ids) AS reversed"
        return f"SELECT {', '.join(columns)} FROM {ids}"

    rows = [{"n": number, "id": text} for number, text in enumerate(IDS)]
    google = GoogleSql.load().execute(
        query("bigquery"), {"ids": {"n": "INT64", "id": "STRING"}}, {"ids": rows}
    )
    with empty_database() as connection:
        connection.execute("CREATE TABLE ids (n BIGINT, id VARCHAR)")
        connection.executemany("INSERT INTO ids VALUES (?, ?)", [[row["n"], row["id"]] for row in rows])
        cursor = connection.execute(query("duckdb"))
        names = [column[0] for column in cursor.description]
        local = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert sorted(google, key=itemgetter("n")) == sorted(local, key=itemgetter("n"))
    assert [row["quick_customer"] for row in local] == [row["customer"] for row in local]


LINES = {
    "customer_id": "STRING",
    "order_id": "STRING",
    "ordered_at": "DATE",
    "total": "NUMERIC",
    "back": "NUMERIC",
}


def line(
    customer: str | None, order: str | None, day: int, total: str, back: str | None = None
) -> dict[str, Any]:
    return {
        "customer_id": customer,
        "order_id": order,
        "ordered_at": date(2024, 1 + day // 28, 1 + day % 28),
        "total": Decimal(total),
        "back": Decimal(back) if back else None,
    }


TOTALS = [
    *[line("Ann@x.com", "1", 1, "50.00", "10")] * 2, line("ann@x.com", "1", 1, "50.00"),
    line("b", "2", 40, "20.00"), line("b", "2", 80, "20.00"), line("b", "2", 40, "5.50"),
    *[line("c", "3", 60, "30.00", "30")] * 3,
    line("b", "3", 60, "8.25"), line("d", "4", 90, "7.00"),
    line("d", "4", 90, "-7.00"), line("d", "4", 90, "-7.00"),
    line(None, "5", 90, "9.00"), line(None, "5", 90, "9.00"),
    line("d", None, 90, "9.00"), line("d", None, 90, "9.00"),
    line("d", "6", 100, "12.00"), line("guest", "7", 100, "3.00"),
]  # fmt: skip


@pytest.mark.parametrize("refund", [True, False])
@pytest.mark.parametrize("returns", ["exclude", "net"])
@pytest.mark.parametrize("window", [None, "2 months"])
def test_both_engines_count_a_repeated_total_once(refund: bool, returns: str, window: str | None) -> None:
    columns = {
        "customer_id": "customer_id",
        "order_id": "order_id",
        "ordered_at": "ordered_at",
        "amount": "total",
    }
    settings = {
        "columns": {**columns, "refund": "back" if refund else "none"},
        "amount_of": "order",
        "returns": returns,
        **({"window": window} if window else {}),
        **preset("classic"),
    }
    question = Question(LINES, TOTALS, settings)
    assert_equal(ask_google(question), ask_duckdb(question))
    in_steps = ask_duckdb(question, steps=True)
    assert_equal(ask_google(question, steps=True), in_steps)
    kept = [row for row in in_steps.tables["customers"] if row["reason"] is None]
    if not window and returns == "exclude":
        spent = {row["customer_id"]: row["monetary"] for row in kept}
        rest = {"c": Decimal(30)} if not refund else {}
        ann = Decimal(40) if refund else Decimal(50)
        assert spent == {"ann@x.com": ann, "b": Decimal("33.75"), "d": Decimal(19), **rest}


@pytest.mark.parametrize("window", [None, "2 months"])
@pytest.mark.parametrize("returns", ["exclude", "net"])
@pytest.mark.parametrize("kind", ["STRING", "INT64", "FLOAT64", "NUMERIC"])
def test_both_engines_read_a_table_with_one_line_per_customer(
    kind: str, returns: str, window: str | None
) -> None:
    columns = {"customer_id": "STRING", "orders": kind, "spent": "NUMERIC", "last": "DATE"}
    counts: dict[str, list[Any]] = {
        "STRING": ["3", "1", "0", "x", "2.5", "-1", None, "12"],
        "INT64": [3, 1, 0, 7, 2, -1, None, 12],
        "FLOAT64": [3.0, 1.0, 0.0, 7.0, 2.5, -1.0, None, 12.0],
        "NUMERIC": [Decimal(text) if text else None for text in ("3", "1", "0", "7", "2.5", "-1", "", "12")],
    }
    rows = [
        {"customer_id": f"c{n}", "orders": count, "spent": Decimal(10 * n - 5), "last": date(2024, 1 + n, 5)}
        for n, count in enumerate(counts[kind])
    ]
    settings = {
        "columns": {
            "customer_id": "customer_id",
            "ordered_at": "last",
            "monetary": "spent",
            "frequency": "orders",
        },
        "returns": returns,
        **({"window": window} if window else {}),
        **preset("classic"),
    }
    question = Question(columns, rows, settings)
    answer = ask_duckdb(question, steps=True)
    assert_equal(ask_google(question, steps=True), answer)
    reasons = {row["reason"] for row in answer.tables["customers"]}
    assert {"no_orders", "invalid_frequency"} <= reasons
