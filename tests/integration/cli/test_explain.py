"""`rfm explain` on a small made-up shop and on a real one: terminal and JSON output, errors, unusual ids."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from support.cli import Rfm
from support.databases import empty_database
from support.orders import ORDERS, published, refused

MAP = """
[scoring]
bins = 2
method = "fixed"
recency.edges = [30]
frequency.edges = [2]
monetary.edges = [100]
[segments]
name = "test map"
rules = [
  { segment = "Best", r = 2, f = 2, m = 2, action = "Thank them." },
  { segment = "Many", f = 2 },
  { segment = "Rich", cells = ["212", "112"] },
]
fallback = "Others"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "rfm.toml").write_text(MAP, encoding="utf-8")
    return tmp_path


def normalize_blanks(text: str) -> str:
    return " ".join(text.split())


# Output


def test_a_customer_is_explained(shop: Path, rfm: Rfm) -> None:
    finished = rfm("explain", "bob", "orders.csv")
    assert (finished.code, finished.stderr) == (0, "")
    output = normalize_blanks(finished.stdout)
    assert "bob Others as of 2024-03-01" in output
    assert "recency (" not in output
    assert "recency 10 days 2 of 2 up to 30 days (4 customers)" in output
    assert "frequency 2 orders 1 of 2 up to 2 orders (4 customers)" in output
    assert "monetary 30.00 1 of 2 up to 100.00 (3 customers)" in output
    assert "211: The fallback (no rule matches) gives Others" in output
    assert "2 lines counted, in 2 orders: 30.00; 1 excluded 1 non_positive_quantity -2.50" in output
    assert "2024-02-25 C3 1 -2.50 non_positive_quantity 2024-02-20 C2 1 10.00 counted" in output
    assert "Many one more order, worth up to 70.00 (an average one is 15.00)" in output
    assert "Best one more order, worth 70.01 or more" in output
    assert "Time alone leads to no other segment" in output
    assert not (shop / "rfm.duckdb").exists(), "nothing is published"
    assert "Valid for these edges" not in output
    (shop / "rfm.toml").unlink()
    output = normalize_blanks(rfm("explain", "bob", "orders.csv").stdout)
    assert "Valid for these edges; a later run computes its own" in output


@pytest.mark.slow
def test_the_matched_rule_and_the_effect_of_time_are_printed(shop: Path, rfm: Rfm) -> None:
    output = normalize_blanks(rfm("explain", "007", "orders.csv").stdout)
    assert "212: Rule 3 (the cell 212) gives Rich" in output
    assert "None of the customer's lines was excluded" in output
    assert "Best one more order Time alone leads to no other segment" in output
    explanation = rfm("explain", "007", "orders.csv", "--json").json
    assert explanation["rule"] == {"number": 3, "conditions": "the cell 212", "description": "", "action": ""}
    output = normalize_blanks(rfm("explain", "007", "orders.csv", "--window", "60 days").stdout)
    assert "Not in the result on 2024-04-30, without an order until then" in output
    assert "Best one more order by 2024-03-09" in output, (
        "after that the order of January is outside the window"
    )


def test_json_output_is_one_object(shop: Path, rfm: Rfm) -> None:
    explanation = rfm("explain", "bob", "orders.csv", "--json").json
    assert re.fullmatch("[0-9a-f]{12}", explanation.pop("config_hash"))
    explanation.pop("rule")
    assert explanation == {
        "customer_id": "bob",
        "as_of": "2024-03-01",
        "source": "orders.csv",
        "engine": "duckdb",
        "segment": "Others",
        "values": {
            "recency_days": 10,
            "frequency": 2,
            "monetary": "30.00",
            "avg_order_value": "15.00",
            "first_order_date": "2023-12-31",
            "last_order_date": "2024-02-20",
        },
        "scores": {"r": 2, "f": 1, "m": 1, "rfm_score": "211"},
        "dimensions": [
            dimension("recency", 10, 2, [30], 4),
            dimension("frequency", 2, 1, [2], 4),
            dimension("monetary", "30.00", 1, ["100.00"], 3),
        ],
        "lines": {
            "counted": 2,
            "amount": "30.00",
            "excluded": {"non_positive_quantity": {"lines": 1, "amount": "-2.50", "example": None}},
        },
        "orders": [
            order("C3", "2024-02-25", "-2.50", "non_positive_quantity"),
            order("C2", "2024-02-20", "10.00"),
            order("C1", "2023-12-31", "20.00"),
        ],
        "orders_left_out": 0,
        "changes": {
            "edges": "fixed",
            "why_none": None,
            "until": None,
            "more_orders": [
                way("Many", 1, "0.01", "70.00", is_usual=True),
                way("Best", 1, "70.01", None, is_usual=False),
            ],
            "no_order": [],
        },
        "published": None,
        "differences": [],
        "history": [],
        "unread": None,
    }


def dimension(name: str, value: Any, score: int, edges: list[Any], customers: int) -> dict[str, Any]:
    return {
        "dimension": name,
        "method": "fixed",
        "value": value,
        "score": score,
        "bins": 2,
        "edges": edges,
        "customers_with_this_score": customers,
    }


def order(name: str, day: str, amount: str, reason: str | None = None) -> dict[str, Any]:
    columns = {"order_id": name, "order_date": day, "lines": 1, "amount": amount}
    return {**columns, "counted": reason is None, "reason": reason, "written": None}


def way(segment: str, orders: int, low: str, high: str | None, *, is_usual: bool) -> dict[str, Any]:
    amounts = {"amount_at_least": low, "amount_at_most": high}
    return {"segment": segment, "orders": orders, **amounts, "by": None, "is_usual": is_usual}


def test_unreadable_values_are_printed_as_written(shop: Path, rfm: Rfm) -> None:
    output = normalize_blanks(rfm("explain", "cyd", "orders.csv").stdout)
    assert "– E1 1 9.00 invalid_date, such as '2024-02-30'" in output
    assert "1 invalid_date 9.00 such as '2024-02-30'" in output


@pytest.mark.slow
def test_the_newest_orders_are_listed_or_all_with_a_flag(tmp_path: Path, rfm: Rfm) -> None:
    lines = [f"ann,O{number:02},2024-01-{number:02},5" for number in range(1, 26)]
    (tmp_path / "o.csv").write_text("\n".join(["customer_id,order_id,order_date,amount", *lines]))
    explanation = rfm("explain", "ann", "o.csv", "--json").json
    assert [row["order_id"] for row in explanation["orders"]] == [
        f"O{number:02}" for number in range(25, 5, -1)
    ]
    assert explanation["orders_left_out"] == 5
    assert "and 5 more rows" in rfm("explain", "ann", "o.csv").stdout
    every = rfm("explain", "ann", "o.csv", "--json", "--all").json
    assert (len(every["orders"]), every["orders_left_out"]) == (25, 0)


@pytest.mark.slow
def test_without_order_ids_each_line_is_an_order(tmp_path: Path, rfm: Rfm) -> None:
    (tmp_path / "o.csv").write_text("customer_id,order_date,amount\nann,2024-01-01,5\nann,2024-01-01,5\n")
    finished = rfm("explain", "ann", "o.csv", "--window", "3 days", "--method", "quantile")
    assert "2 lines counted, in 2 orders: 10.00" in finished.stdout
    assert "Order " not in finished.stdout
    explanation = rfm("explain", "ann", "o.csv", "--window", "3 days", "--json").json
    assert [(row["order_id"], row["lines"]) for row in explanation["orders"]] == [(None, 1), (None, 1)]
    assert explanation["changes"]["no_order"][-1] == {"segment": None, "as_of": "2024-01-04"}


@pytest.mark.slow
def test_ntile_gives_no_predictions(shop: Path, rfm: Rfm) -> None:
    (shop / "rfm.toml").unlink()
    finished = rfm("explain", "ann", "orders.csv", "--method", "ntile")
    assert "No prediction of segment changes: ntile has no edges" in normalize_blanks(finished.stdout)
    explanation = rfm("explain", "ann", "orders.csv", "--method", "ntile", "--json").json
    assert explanation["changes"]["no_order"] == []


@pytest.mark.slow
def test_future_dated_lines_limit_the_predictions(shop: Path, rfm: Rfm) -> None:
    explanation = rfm("explain", "007", "orders.csv", "--as-of", "2024-02-20", "--json").json
    assert explanation["changes"]["until"] == "2024-02-29"
    assert {way["by"] for way in explanation["changes"]["more_orders"]} == {"2024-02-29"}
    output = normalize_blanks(rfm("explain", "007", "orders.csv", "--as-of", "2024-02-20").stdout)
    assert "Nothing later than 2024-02-29 is predicted" in output
    output = normalize_blanks(rfm("explain", "007", "orders.csv", "--as-of", "2024-02-29").stdout)
    assert "lines of the customer are dated 2024-03-01, and will count from then on" in output


# Errors


def test_a_customer_without_counted_lines_and_an_unknown_one_are_different_errors(
    shop: Path, rfm: Rfm
) -> None:
    sentence, hint = refused(rfm("explain", "cyd", "orders.csv", "--as-of", "2024-02-10"))
    assert sentence == "The customer 'cyd' has 3 lines, and none counted: 2 future_dated, 1 invalid_date."
    sentence, hint = refused(rfm("explain", "Cyd", "orders.csv"))
    assert sentence == "There is no customer 'Cyd' in orders.csv."
    assert hint.startswith("1 customer has a similar id, which a terminal shows")


@pytest.mark.slow
def test_fully_returned_orders_are_reported_as_no_positive_order(tmp_path: Path, rfm: Rfm) -> None:
    lines = "ann,A,2024-01-01,5\nbob,B,2024-01-02,5\nbob,B,2024-01-03,-5\n"
    (tmp_path / "o.csv").write_text(f"customer_id,order_id,order_date,amount\n{lines}")
    for window in ((), ("--window", "1 year")):
        sentence, _ = refused(rfm("explain", "bob", "o.csv", "--returns", "net", *window))
        assert sentence == "The customer 'bob' has 2 lines, and none counted: 2 no_positive_order."


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("typed", "suggested"),
    [("12347.0", "12347"), ("12374", "12347"), ("0012347", "12347"), ("1234", "12347")],
)
def test_similar_ids_are_suggested_on_a_terminal(
    typed: str, suggested: str, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "o.csv").write_text("customer_id,order_date,amount\n12347,2024-01-01,5\n99999,2024-01-01,5\n")
    sentence, hint = refused(rfm("explain", typed, "o.csv"))
    assert sentence == f"There is no customer '{typed}' in o.csv."
    assert hint.startswith("1 customer has a similar id, which a terminal shows; ")
    main = sys.modules["rfm_pipeline.cli.main"]
    monkeypatch.setattr(main, "_hint", lambda error: error.terminal_hint)
    _, hint = refused(rfm("explain", typed, "o.csv"))
    assert hint.startswith(f"did you mean '{suggested}'?")


@pytest.mark.slow
def test_blanks_around_an_id_are_removed_and_addresses_are_folded(tmp_path: Path, rfm: Rfm) -> None:
    (tmp_path / "o.csv").write_text(
        'customer_id,order_date,amount\nann,2024-01-01,5\n" bob",2024-01-01,6\nAl@X.com,2024-01-01,6\n'
    )
    assert rfm("explain", " ann ", "o.csv", "--json").json["customer_id"] == "ann"
    assert rfm("explain", " bob", "o.csv", "--json").json["customer_id"] == "bob"
    assert rfm("explain", "AL@x.com", "o.csv", "--json").json["customer_id"] == "al@x.com"
    assert refused(rfm("explain", "  ", "o.csv"))[0] == "The customer is blank."
    assert "is not text in UTF-8" in refused(rfm("explain", "a\udcff", "o.csv"))[0]


HOSTILE = ["O'Brien", "x' OR '1'='1", "'; DROP TABLE explained; --", 'a"b', "back\\slash", "a\nb",
           "\x1b[31mred", "FROM customers", "[bold]x[/bold]", "\u202egnp", "%", "Zoë 😀", "-5"]  # fmt: skip


@pytest.mark.matrix
@pytest.mark.parametrize("customer", HOSTILE)
def test_ids_with_special_characters_are_literal_text(customer: str, tmp_path: Path, rfm: Rfm) -> None:
    with duckdb.connect(str(tmp_path / "o.duckdb")) as connection:
        connection.execute("CREATE TABLE o (customer_id VARCHAR, order_id VARCHAR, day DATE, amount INT)")
        for identity in [*HOSTILE, "plain"]:
            connection.execute("INSERT INTO o VALUES (?, ?, '2024-01-01', 5)", [identity, identity])
    source = ("duckdb:o.duckdb#o", "--ordered-at", "day")
    explanation = rfm("explain", "--json", *source[1:], "--", customer, source[0])
    assert explanation.code == 0, explanation.stderr
    assert (explanation.json["customer_id"], explanation.json["values"]["frequency"]) == (customer, 1)
    printed = rfm("explain", *source[1:], "--", customer, source[0])
    assert printed.code == 0
    assert all(character.isprintable() or character == "\n" for character in printed.stdout)
    shown = "".join(character if character.isprintable() else "\ufffd" for character in customer)
    assert printed.stdout.startswith(f"{shown}  ")
    sentence, _ = refused(rfm("explain", *source[1:], "--", f"{customer}?!", source[0]))
    assert sentence == normalize_blanks(f"There is no customer '{shown}?!' in o in o.duckdb.")


# Online Retail


@pytest.mark.slow
@pytest.mark.guarantee("explained")
def test_explanations_equal_the_published_rows(real_orders: Path, rfm: Rfm, tmp_path: Path) -> None:
    flags = ("--window", "6 months", "--returns", "net", "--preset", "shopify")
    assert rfm("run", real_orders, *flags).code == 0
    select = "SELECT customer_id, COLUMNS('_score$|segment$|_days$|frequency|monetary') FROM rfm_segments"
    rows = Random(1).sample(sorted(published(tmp_path / "rfm.duckdb", select)), k=6)
    for customer, recency, frequency, monetary, r, f, m, rfm_score, segment, *_ in rows:
        explanation = rfm("explain", customer, real_orders, *flags, "--json").json
        assert explanation["segment"] == segment
        assert explanation["scores"] == {"r": r, "f": f, "m": m, "rfm_score": rfm_score}
        values = explanation["values"]
        assert (values["recency_days"], values["frequency"]) == (recency, frequency)
        assert float(values["monetary"]) == float(monetary)


@pytest.mark.guarantee("explained")
def test_a_prediction_holds_when_the_orders_are_added(online_retail: Path, rfm: Rfm, tmp_path: Path) -> None:
    """With the printed edges in rfm.toml and the predicted orders in the source."""
    explanation = rfm("explain", "12350", online_retail, "--json").json
    (prediction,) = [
        way for way in explanation["changes"]["more_orders"] if way["segment"] == "Potential Loyalists"
    ]
    edges = "".join(
        f"{scores['dimension']}.edges = [{', '.join(map(str, scores['edges']))}]\n"
        for scores in explanation["dimensions"]
    )
    (tmp_path / "rfm.toml").write_text(f'[scoring]\nmethod = "fixed"\n{edges}')
    orders = ", ".join(
        f"('new {number}', 1, TIMESTAMP '2012-01-0{number + 1}', 0.01, 12350)"
        for number in range(prediction["orders"])
    )
    with empty_database() as connection:
        connection.execute(
            "COPY (SELECT InvoiceNo, Quantity, InvoiceDate, UnitPrice, CustomerID"
            f" FROM read_parquet('{online_retail}') UNION ALL VALUES {orders})"
            f" TO '{tmp_path}/more.parquet'"
        )
    assert rfm("run", "more.parquet").code == 0
    select = "SELECT segment, as_of_date FROM rfm_segments WHERE customer_id = '12350'"
    ((segment, as_of),) = published(tmp_path / "rfm.duckdb", select)
    assert (segment, str(as_of)) == ("Potential Loyalists", f"2012-01-0{prediction['orders']}")
