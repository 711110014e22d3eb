"""Columns that are missing, ambiguous or of the wrong type, and values that leave no line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import xlsxwriter

from support.bad_input import HEADER, ORDERS, Case, case, check
from support.cli import Rfm


def parquet(select: str) -> Callable[[Path], None]:
    """Return a function that writes the rows of a query to `a.parquet`."""

    def prepare(folder: Path) -> None:
        duckdb.connect().execute(f"COPY ({select}) TO '{folder / 'a.parquet'}'")

    return prepare


def one_column_workbook(folder: Path) -> None:
    """Write `a.xlsx`, whose first sheet has a single column."""
    with xlsxwriter.Workbook(str(folder / "a.xlsx")) as book:
        book.add_worksheet("Customers").write_column(0, 0, ["customer_id", "c1", "c2"])


def columns(header: str, line: str) -> dict[str, str]:
    return {"a.csv": f"{header}\n{line}\n"}


COLUMNS = [
    case("two candidates for the customer", "run a.csv", "customer_id", "`customer_id`, `user_id`",
         hints="--customer-id customer_id",
         files=columns("customer_id,user_id,ordered_at,amount", "c1,u1,2025-01-01,5")),
    case("two candidates for the date", "run a.csv", "ordered_at", "`Order Date`, `invoice_date`",
         hints="--ordered-at 'Order Date'",
         files=columns("customer_id,Order Date,invoice_date,amount", "c1,2025-01-01,2025-01-02,5")),
    case("amount or price", "run a.csv", "`amount` (5.50 in all) or `price` (6.00 in all)",
         hints="--amount amount, or --amount price",
         files=columns("customer_id,ordered_at,amount,price", "c1,2025-01-01,5.5,6")),
    case("amount, or quantity times price", "run a.csv", "`amount` (5.00 in all) or `qty` × `price` (8.00",
         hints="--quantity qty --unit-price price",
         files=columns("customer_id,ordered_at,amount,qty,price", "c1,2025-01-01,5,2,4")),
    case("amount given twice", "run a.csv --amount amount --unit-price price", "amount is configured twice",
         hints="keep --amount, or",
         files=columns("customer_id,ordered_at,amount,qty,price", "c1,2025-01-01,5,1,5")),
    case("customer not recognised", "run a.csv", "customer_id",
         hints="--customer-id COLUMN. The source has `who`",
         files=columns("who,ordered_at,amount", "c1,2025-01-01,5")),
    case("nothing recognised", "run a.csv", "customer_id or ordered_at or amount",
         hints="`x`, `y`, `z`", files=columns("x,y,z", "c1,2025-01-01,5")),
    case("one column", "run a.csv", "a single column, `customer_id`", hints="--delimiter",
         files=columns("customer_id", "c1")),
    case("one column in a workbook", "run a.xlsx", "a single column, `customer_id`", hints="--sheet",
         prepare=one_column_workbook),
    case("one column in Parquet", "run a.parquet", "a single column", hints="how the source was made",
         prepare=parquet("SELECT 'c1' AS customer_id")),
    case("no header", "run a.csv", "the first line", "looks like values (`2024-01-01`, `5`)",
         hints="give --no-header", files=columns("a,2024-01-01,5", "b,2024-01-02,6")),
    case("years as column names", "run a.csv", "No column was recognised as ordered_at or amount",
         hints="--ordered-at COLUMN", files=columns("customer,name,town,2023", "c1,x,y,6")),
    case("named column missing", "run orders.csv --customer-id custmer_id", "customer_id", "`custmer_id`",
         hints="did you mean `customer_id`?"),
    case("named column unlike any other", "run orders.csv --amount Betrag", "amount", "`Betrag`",
         hints="The source has `customer_id`, `order_id`, `ordered_at`, `amount`."),
    case("configured column missing", "run orders.csv", "order_id", "`invoice`", hints="`order_id`",
         toml="[columns]\norder_id = 'invoice'\n"),
    case("named column with SQL in it", "run orders.csv --amount 'amount\"; DROP TABLE x'", '`amount"; DROP',
         hints="`amount`"),
    case("customer configured as none", "run orders.csv --customer-id none", "customer_id is 'none'",
         hints="--customer-id COLUMN"),
    case("customer that is a list", "run a.parquet", "customer_id", "`customer_id`", "INTEGER[]",
         hints="--customer-id",
         prepare=parquet("SELECT [1, 2] AS customer_id, DATE '2025-01-01' AS ordered_at, 5 AS amount")),
    case("date that is true or false", "run a.parquet", "ordered_at takes a date", "BOOLEAN",
         hints="--ordered-at", prepare=parquet("SELECT 1 AS customer_id, TRUE AS ordered_at, 5 AS amount")),
    case("date that is a number", "run a.parquet", "`ordered_at`", "are no dates: 2025 (1)",
         hints="--ordered-at",
         prepare=parquet("SELECT 1 AS customer_id, 2025 AS ordered_at, 5 AS amount")),
    case("amount that is a date", "run a.parquet --amount shipped", "amount takes a number", "DATE",
         hints="--amount",
         prepare=parquet("SELECT 1 AS customer_id, DATE '2025-01-01' AS ordered_at, ordered_at AS shipped")),
]  # fmt: skip

DATES = [
    case("ambiguous date among others", "run a.csv", "03/04/2025 (1)", "`ordered_at`",
         hints="--date-format iso --date-format '%d/%m/%Y' or --date-format iso --date-format '%m/%d/%Y'",
         files={"a.csv": f"{ORDERS}c1,o99,03/04/2025,5\n"}),
    case("ambiguous dates", "run a.csv", "01.02.2025 is 2025-02-01 as %d.%m.%Y", "both fit 2 values",
         hints="--date-format '%d.%m.%Y' or --date-format '%m.%d.%Y'",
         files={"a.csv": f"{HEADER}c1,o1,01.02.2025,5\nc2,o2,02.01.2025,5\n"}),
    case("no date can be read", "run a.csv", "`ordered_at`", "are no dates: soon (1), next week (1)",
         hints="--ordered-at", files={"a.csv": f"{HEADER}c1,o1,soon,5\nc2,o2,next week,6\n"}),
    case("another date format", "run a.csv --date-format %d.%m.%Y", "%d.%m.%Y reads 0 of the 2 values",
         "2025-01-01 (1)", hints="--date-format iso",
         files={"a.csv": f"{HEADER}c1,o1,2025-01-01,5\nc2,o2,2025-01-02,6\n"}),
    case("day that is not in the calendar", "run a.csv", "`ordered_at`", "2025-02-30 (1)",
         hints="--date-format", files={"a.csv": f"{HEADER}c1,o1,2025-02-30,5\n"}),
    case("dates all in the future", "run a.csv", "The one line", "future_dated", hints="--as-of", code=3,
         files={"a.csv": f"{HEADER}c1,o1,2999-01-01,5\n"}),
]  # fmt: skip

AMOUNTS = [
    case("amounts in words", "run a.csv", "invalid_amount", "'five'", hints="--decimal", code=3,
         files={"a.csv": f"{HEADER}c1,o1,2025-01-01,five\nc2,o2,2025-01-02,\n"}),
    case("amounts with two decimal marks", "run a.csv", "`amount`", "'1.005,50'", "'2.50'",
         hints="--decimal ','",
         files={"a.csv": f'{HEADER}c1,o1,2025-01-01,"1.005,50"\nc2,o2,2025-01-01,2.50\n'}),
    case("amounts in two currencies", "run a.csv", "`amount`", "$ 1,234.50", "€ 5.00",
         hints="--currency USD",
         files={"a.csv": f'{HEADER}c1,o1,2025-01-01,"$1,234.50"\nc2,o2,2025-01-01,€5.00\n'}),
    case("amounts that may be thousands", "run a.csv", "`amount`", "'1,234' is 1234 or 1.234",
         hints="--thousands ',' reads 1234, and the total is 3,734.00; --decimal ',' reads 1.234",
         files={"a.csv": f'{HEADER}c1,o1,2025-01-01,"1,234"\nc2,o2,2025-01-01,"2,500"\n'}),
    case("amounts with the wrong decimal mark configured", "run a.csv --decimal ,", "'1,234.50'",
         hints="leave --decimal out", files={"a.csv": f'{HEADER}c1,o1,2025-01-01,"1,234.50"\n'}),
    case("unit of amounts unknown", "run a.csv --unit 0.05", "'0.05' is not a unit", hints="--unit",
         files={"a.csv": f"{HEADER}c1,o1,2025-01-01,1234\n"}),
    case("a comma for both marks", "run a.csv --decimal , --thousands ,", "both the decimal mark",
         hints="leave `thousands` out", files={"a.csv": f'{HEADER}c1,o1,2025-01-01,"1,234"\n'}),
    case("amounts that are no numbers", "run a.csv", "All 3 lines", "invalid_amount", "'NaN'",
         hints="--decimal", code=3,
         files={"a.csv": f"{HEADER}c1,o1,2025-01-01,NaN\nc2,o2,2025-01-02,inf\nc3,o3,2025-01-02,nan\n"}),
    case("infinite amounts", "run a.parquet --replace-source", "All 2 lines", "2 as invalid_amount",
         hints="--decimal",
         code=3, prepare=parquet("SELECT 1 AS customer_id, DATE '2025-01-01' AS ordered_at,"
                       " UNNEST(['Infinity'::DOUBLE, 'NaN'::DOUBLE]) AS amount")),
    case("amounts out of range", "run a.csv", "invalid_amount", "'1e400'", hints="--decimal", code=3,
         files={"a.csv": f"{HEADER}c1,o1,2025-01-01,1e400\nc2,o2,2025-01-02,{'9' * 40}\n"}),
    case("customers all missing", "run a.csv", "`customer_id`", "blank on all 2 lines", hints="--customer-id",
         files={"a.csv": f"{HEADER},o1,2025-01-01,5\n  ,o2,2025-01-02,6\n"}),
    case("orders all missing", "run a.csv --order-id order_id", "missing_order",
         hints="--order-id none", code=3,
         files={"a.csv": f"{HEADER}c1,,2025-01-01,5\n"}),
    case("returns only", "run a.csv", "non_positive_amount", hints="sign of amounts", code=3,
         files={"a.csv": f"{HEADER}c1,o1,2025-01-01,-5\n"}),
    case("quantities all negative", "run a.csv --replace-source", "non_positive_quantity",
         hints="sign of quantities", code=3,
         files=columns("customer_id,ordered_at,quantity,unit_price", "c1,2025-01-01,-1,5")),
    case("returns only, netted", "run a.csv --returns net", "no_positive_order", hints="sign of amounts",
         code=3, files={"a.csv": f"{HEADER}c1,o1,2025-01-01,-5\n"}),
]  # fmt: skip

NOTHING_LEFT = [
    case("all after the as-of date", "run orders.csv --as-of 2020-01-01", "All 12 lines were excluded",
         "12 as future_dated", hints="--as-of", code=3),
    case("all before the first date", "run orders.csv --since 2025-02-01", "12 as outside_window",
         hints="--since", code=3),
    case("all before the window", "run orders.csv --as-of 2025-12-31 --window 30d", "12 as outside_window",
         hints="--window", code=3),
    case("all excluded", "run orders.csv --exclude \"everyone=amount <> ''\"", "12 as everyone",
         hints="the exclusion `everyone`", code=3),
]  # fmt: skip


@pytest.mark.parametrize("bad_case", [*COLUMNS, *DATES, *AMOUNTS, *NOTHING_LEFT])
def test_columns_and_values_without_a_result_change_nothing(
    bad_case: Case, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(bad_case, tmp_path, rfm, monkeypatch)
