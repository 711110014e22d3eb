"""Each question of the product is asked of a small input, and its hint is followed literally.

A hint works if the command with a flag of the hint publishes a result, or leads to another question.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
import xlsxwriter

from rfm_pipeline.cli.options import FLAGS
from rfm_pipeline.config.questions import questions
from support.cli import Outcome, Rfm
from support.databases import empty_database

FLAGS_WITHOUT_VALUE = {"--no-header", "--replace-source"}
_FLAG = re.compile(r"""--[a-z-]+(?: (?:'[^']*'|"[^"]*"|[^\s,;()'"]+))?""")
_HEADER = "customer_id,order_id,ordered_at,amount"
_PARTS = (("H", "12.30"), ("L", "5.10"), ("L", "7.20"))
_LINES = "a,1,2024-01-15,10\na,2,2024-02-15,20\nb,3,2024-03-15,30\n"

Write = Callable[[Path], object]


@dataclass(frozen=True)
class Asked:
    """An input that a question is asked of.

    Attributes:
        text: The source, a file `orders.csv`.
        columns: Names that the message must contain.
        arguments: Further arguments of `rfm run`.
        files: Further files, or sources of other formats: functions that write them into a folder.
        source: Name of the source.
        fill: Replacement of each placeholder in the hint, such as COLUMN.
        instead: Arguments in place of `arguments` that follow a hint to leave something out.
    """

    text: str = f"{_HEADER}\n{_LINES}"
    columns: Sequence[str] = ()
    arguments: str = ""
    files: Sequence[Write] = ()
    source: str = "orders.csv"
    fill: Mapping[str, str] = field(default_factory=dict)
    instead: Sequence[str] = ()


def text_file(name: str, text: str) -> Write:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def parquet(query: str) -> Write:
    def write(folder: Path) -> None:
        with empty_database() as connection:
            connection.execute(f"COPY ({query}) TO '{folder / 'orders.parquet'}' (FORMAT parquet)")

    return write


def workbook(**sheets: Sequence[Sequence[object]]) -> Write:
    def write(folder: Path) -> None:
        with xlsxwriter.Workbook(str(folder / "orders.xlsx")) as book:
            for name, rows in sheets.items():
                sheet = book.add_worksheet(name)
                for number, row in enumerate(rows):
                    sheet.write_row(number, 0, row)

    return write


def lines(header: str, *rows: str) -> str:
    return "\n".join([header, *rows, ""])


def many(header: str, row: Callable[[int], str], count: int = 40) -> str:
    return lines(header, *(row(number) for number in range(1, count + 1)))


def day(number: int) -> str:
    return f"2024-{1 + number % 12:02d}-{1 + number % 28:02d}"


def status_rows(status: Callable[[int], str]) -> Callable[[int], str]:
    return lambda n: f"c{n % 4},o{n},{day(n)},{n},{status(n)}"


ASKED = {
    # Columns
    "missing_roles": Asked(
        lines("buyer,stamp,worth", "a,2024-01-05,5", "b,2024-02-05,6"),
        ["`stamp`", "`worth`"],
        "--customer-id buyer",
        fill={"--ordered-at COLUMN": "--ordered-at stamp", "--amount COLUMN": "--amount worth"},
    ),
    "amount_in_two_columns": Asked(
        lines(
            "customer_id,ordered_at,debit,credit", "a,2024-01-15,10,", "b,2024-01-16,11,", "a,2024-01-17,,4"
        ),
        ["`debit`", "`credit`"],
    ),
    "header_of_values": Asked(
        lines("2024-01-15,7,5", "who,stamp,worth", "a,x,y", "b,x,z"),
        ["`2024-01-15`", "`5`"],
        fill={"N": "1"},
    ),
    "single_column": Asked(
        files=[parquet("SELECT 'a' AS customer_id")], source="orders.parquet", columns=["`customer_id`"]
    ),
    "single_column_of_csv": Asked(
        lines("customer_id~ordered_at~amount", "a~2024-01-15~5", "b~2024-02-15~6"),
        ["`customer_id~ordered_at~amount`"],
        fill={"CHARACTER": "'~'"},
    ),
    "single_column_of_sheet": Asked(
        files=[
            workbook(
                Cover=[["About"], ["x"]],
                Data=[["customer_id", "ordered_at", "amount"], ["a", "2024-01-15", 5]],
            )
        ],
        source="orders.xlsx",
        columns=["`About`"],
        arguments="--sheet Cover",
        fill={"NAME": "Data"},
    ),
    "role_without_column": Asked(
        arguments="--customer-id none", columns=["customer_id"], fill={"COLUMN": "customer_id"}
    ),
    "wrong_type": Asked(
        files=[
            parquet(
                "SELECT ['a'] AS customer_id, 'b' || i AS who, DATE '2024-01-15' AS ordered_at, 5 AS amount"
                " FROM range(3) AS r(i)"
            )
        ],
        source="orders.parquet",
        columns=["`customer_id`"],
        fill={"COLUMN": "who"},
    ),
    "amount_configured_twice": Asked(
        lines("customer_id,ordered_at,amount,qty,price", "a,2024-01-15,5,1,5"),
        ["`amount`", "`qty` × `price`"],
        "--amount amount --quantity qty --unit-price price",
        instead=["--amount amount", "--quantity qty --unit-price price"],
    ),
    "several_columns": Asked(
        many("customer_id,user_id,order_id,ordered_at,amount", lambda n: f"{n % 8},u{n % 3},o{n},{day(n)},5"),
        ["`customer_id`", "`user_id`"],
    ),
    "id_or_email": Asked(
        many(
            "Customer ID,Email,order_id,ordered_at,amount",
            lambda n: f"{'' if n % 10 < 3 else n % 6},p{n % 6}@example.com,o{n},{day(n)},5",
        ),
        ["`Customer ID`", "`Email`"],
    ),
    "names_of_people": Asked(
        lines(
            "Customer Name,ordered_at,amount",
            *(f"{name},2024-01-{n:02d},5" for n, name in enumerate(["Ada Lovelace", "Max Planck"] * 5, 1)),
        ),
        ["`Customer Name`"],
    ),
    "duplicate_column": Asked(
        lines("customer_id,ordered_at,amount,Amount", "a,2024-01-15,5,6", "b,2024-01-16,5,6"),
        ["'amount'", "'Amount'"],
    ),
    "blank_column": Asked(
        lines("customer_id,ordered_at,amount,worth", "a,2024-01-15,,5", "b,2024-01-16,,6"),
        ["`amount`"],
        "--amount amount",
        fill={"COLUMN": "worth"},
    ),
    "blank_column_of_sheet": Asked(
        files=[
            workbook(
                Orders=[
                    ["customer_id", "ordered_at", "amount", "worth"],
                    ["a", "2024-01-15", None, 5],
                    ["b", "2024-01-16", None, 6],
                ]
            )
        ],
        source="orders.xlsx",
        columns=["`amount`"],
        arguments="--amount amount",
        fill={"COLUMN": "worth"},
    ),
    "money_and_roles": Asked(
        many("buyer,stamp,quantity,price", lambda n: f"c{n % 4},{day(n)},2,{n}"),
        ["`quantity` × `price`", "`stamp`"],
        "--customer-id buyer",
        fill={"COLUMN": "stamp"},
    ),
    # Layout of files
    "title_row": Asked(
        lines("Orders of January", "a,2024-01-15,5", "b,2024-01-16,6"), ["'Orders of January'"]
    ),
    "several_sheets": Asked(
        files=[
            workbook(
                Orders=[["customer_id", "ordered_at", "amount"], ["a", "2024-01-15", 5]],
                Archive=[
                    ["customer_id", "ordered_at", "amount", "note"],
                    ["a", "2023-01-15", 5, "x"],
                ],
            )
        ],
        source="orders.xlsx",
        columns=["'Orders'", "'Archive'"],
    ),
    # Dates
    "no_dates": Asked(
        lines("customer_id,ordered_at,amount,sent", "a,15~01~2024,5,2024-01-15", "b,16~01~2024,6,2024-02-15"),
        ["`ordered_at`"],
        "--ordered-at ordered_at",
        fill={"--ordered-at COLUMN": "--ordered-at sent", "FORMAT": "'%d~%m~%Y'"},
    ),
    "dates_without_day": Asked(
        lines("customer_id,ordered_at,amount,when", "a,Jan 2025,5,2025-01-04", "b,Feb 2025,6,2025-02-05"),
        ["`ordered_at`", "Jan 2025"],
        fill={"COLUMN": "when"},
    ),
    "few_dates": Asked(
        lines("customer,ordered_at,amount,sent", *["a,soon,5,2024-01-15"] * 3, "b,2024-02-15,6,2024-02-16"),
        ["`ordered_at`"],
        "--ordered-at ordered_at",
        fill={"--ordered-at COLUMN": "--ordered-at sent", "FORMAT": "'%d/%m/%Y'"},
    ),
    "dates_that_are_numbers": Asked(
        files=[
            parquet(
                "SELECT i % 7 AS customer_id, CASE WHEN i > 5000 THEN 20240115 END AS ordered_at, 5 AS amount"
                " FROM range(30000) AS r(i)"
            )
        ],
        source="orders.parquet",
        columns=["`ordered_at`"],
        instead=["--date-format '%Y%m%d'"],
    ),
    "ambiguous_dates": Asked(
        lines("customer_id,ordered_at,amount", "a,03/04/2024,5", "b,05/06/2024,6"), ["`ordered_at`"]
    ),
    "late_ambiguous_date": Asked(
        many("customer_id,ordered_at,amount", lambda n: f"c{n % 9},{day(n)},5", 2500) + "a,03/04/2024,5\n",
        ["`ordered_at`"],
    ),
    "several_date_formats": Asked(
        lines("customer_id,ordered_at,amount", "a,15.01.2024,5", "b,2024/03/25,5", "b,16.01.2024,6"),
        ["`ordered_at`"],
    ),
    "dates_by_file": Asked(
        lines("customer_id,ordered_at,amount", "a,15/01/2024,5", "b,16/01/2024,6"),
        ["`ordered_at`"],
        files=[
            text_file("us.csv", lines("customer_id,ordered_at,amount", "a,01/25/2024,5", "b,02/26/2024,6"))
        ],
        source="*.csv",
    ),
    "contradictory_dates": Asked(
        lines("customer_id,ordered_at,amount", *["a,15/01/2024,5"] * 5, "b,01/25/2024,6"), ["`ordered_at`"]
    ),
    "other_date_format": Asked(
        lines("customer_id,ordered_at,amount", "a,15/01/2024,5", "b,16/01/2024,6"),
        ["`ordered_at`"],
        "--date-format %m/%d/%Y",
        instead=["--date-format %d/%m/%Y"],
    ),
    "unfitting_date_format": Asked(
        lines("customer_id,ordered_at,amount", "a,15/01/2024,5", "b,01/16/2024,6", "b,17.01.2024,6"),
        ["`ordered_at`"],
        "--date-format %Y%m%d",
        instead=[""],
    ),
    # Numbers
    "ambiguous_numbers": Asked(
        lines("customer_id;ordered_at;amount", "a;2024-01-15;1,234", "b;2024-01-16;2,500"), ["`amount`"]
    ),
    "two_decimal_marks": Asked(
        lines("customer_id;ordered_at;amount", "a;2024-01-15;1,50", "b;2024-01-16;2.75"), ["`amount`"]
    ),
    "other_decimal_mark": Asked(
        lines("customer_id;ordered_at;amount", "a;2024-01-15;1,50", "b;2024-01-16;2,75"),
        ["`amount`"],
        "--decimal .",
        instead=[""],
    ),
    "words_beside_numbers": Asked(
        lines("customer,order_date,qty,unit_price,number", "a,2024-01-15,1 kg,5,1", "b,2024-01-16,2 kg,6,2"),
        ["`qty`", "'kg'", "'1 kg'"],
        fill={"COLUMN": "number"},
    ),
    "scaled_numbers": Asked(
        lines("customer,order_date,total,number", "a,2024-01-15,1.5k,1500", "b,2024-01-16,2.5k,2500"),
        ["`total`", "'k'", "'1.5k'"],
        fill={"COLUMN": "number"},
    ),
    # The amount
    "ambiguous_amount": Asked(
        many("customer_id,order_id,ordered_at,quantity,price", lambda n: f"c{n % 4},o{n},{day(n)},2,{n}"),
        ["`quantity` × `price`", "`price`"],
    ),
    "several_prices": Asked(
        many("customer,ordered_at,qty,unit_price,price_each", lambda n: f"c{n % 4},{day(n)},2,{n},{n + 1}"),
        ["`qty` × `unit_price` (", "`qty` × `price_each` ("],
        "--quantity qty",
    ),
    "shares_of_discount": Asked(
        many("customer,ordered_at,quantity,unit_price,discount", lambda n: f"c{n % 4},{day(n)},2,{n},0.15"),
        ["`discount`", "`quantity` × `unit_price`"],
    ),
    "discount_is_no_share": Asked(
        many("customer_id,ordered_at,quantity,unit_price,rabatt", lambda n: f"c{n % 4},{day(n)},2,{n},150"),
        ["`rabatt`"],
        "--discount rabatt",
    ),
    "amount_less_refunds": Asked(
        many(
            "customer_id,order_id,ordered_at,net_sales,refund_amount",
            lambda n: f"c{n % 4},o{n},{day(n)},{n},{2.5 if n % 5 == 0 else 0}",
        ),
        ["`net_sales`", "`refund_amount`"],
    ),
    "refunds_twice": Asked(
        lines(
            "customer_id,order_id,ordered_at,amount,refund",
            "a,1,2024-01-15,10,4", "a,1,2024-01-16,-4,0", "b,2,2024-01-17,20,0", "c,3,2024-01-17,20,0",
        ),
        ["`refund`"],
        "--returns net --refund refund",
    ),
    "repeated_amount": Asked(
        lines(
            "customer_id,order_id,ordered_at,amount",
            *(f"c{n % 7},o{n},{day(n)},{n * 3.17:.2f}" for n in range(1, 61) for _ in range(3)),
        ),
        ["`amount`", "`order_id`"],
    ),
    "total_without_orders": Asked(
        lines("customer_id,when,amount,slip", "a,2024-01-15,5,x", "b,2024-01-16,6,y"),
        ["`amount`"],
        "--ordered-at when --amount-of order",
        fill={"COLUMN": "slip"},
    ),
    "total_of_factors": Asked(
        lines("customer_id,order_id,ordered_at,quantity,unit_price,worth", "a,1,2024-01-15,5,2,10"),
        ["`quantity` × `unit_price`"],
        "--amount-of order --quantity quantity --unit-price unit_price",
        fill={"COLUMN": "worth"},
    ),
    # What a sale is
    "status_of_customer": Asked(
        many(
            "customer_id,order_id,ordered_at,amount,order_status",
            status_rows(lambda n: "cancelled" if n % 4 == 0 else "paid"),
        ),
        ["`order_status`"],
    ),
    "statuses_disagree": Asked(
        many(
            "customer_id,order_id,ordered_at,amount,order_status,payment_status",
            status_rows(lambda n: "cancelled,paid" if n % 5 == 0 else "completed,paid"),
        ),
        ["`order_status`", "`payment_status`"],
    ),
    "lines_of_no_goods": Asked(
        many(
            "customer_id,order_id,ordered_at,amount,line_type",
            status_rows(lambda n: "shipping" if n % 5 == 0 else "product"),
        ),
        ["`line_type`"],
    ),
    "lines_of_refunds": Asked(
        many(
            "customer_id,order_id,ordered_at,amount,line_type",
            status_rows(lambda n: "refund" if n % 5 == 0 else "product"),
        ),
        ["`line_type`"],
    ),
    "other_events": Asked(
        lines(
            "event_name,user_id,timestamp,transaction_id,value",
            "add_to_cart,c1,2026-01-01 09:00:00,,12.30",
            "purchase,c1,2026-01-01 09:05:00,1,5.10",
            "view_item,c3,2026-01-02 09:00:00,,99.00",
            "purchase,c2,2026-01-02 09:05:00,2,10.90",
        ),
        ["`event_name`"],
    ),
    "totals_among_lines": Asked(
        lines(
            "kind,order_id,customer_id,order_date,amount",
            *(f"{kind},{n},c{n},2026-01-0{n},{amount}" for n in range(1, 5) for kind, amount in _PARTS),
        ),
        ["`kind`"],
    ),
    "totals_without_mark": Asked(
        lines(
            "order_id,customer_id,order_date,amount",
            *(f"{n},c{n},2026-01-0{n},{amount}" for n in range(1, 5) for _, amount in _PARTS),
        ),
        ["49.20"],
    ),
    # Currencies
    "several_currencies": Asked(
        lines(f"{_HEADER},currency", "a,1,2024-01-15,9,EUR", "b,2,2024-01-16,11,USD", "b,3,2024-01-16,8,EUR"),
        ["`currency`"],
    ),
    "several_currency_signs": Asked(
        lines("customer_id,ordered_at,amount", "a,2024-01-15,$5", "a,2024-01-15,$6", "b,2024-01-16,€7"),
        ["`amount`"],
    ),
    "currency_not_found": Asked(
        lines(f"{_HEADER},currency", "a,1,2024-01-15,10,EUR", "b,2,2024-01-16,11,EUR"),
        ["`currency`"],
        "--currency USD",
    ),
    "currency_without_rate": Asked(
        lines(f"{_HEADER},currency", "a,1,2024-01-15,10,EUR", "b,2,2024-01-16,11,USD"),
        ["`currency`"],
        files=[text_file("rfm.toml", "[currency]\nrates = { EUR = 1 }\n")],
    ),
    "amounts_in_one_currency": Asked(
        lines(
            "customer_id,ordered_at,total_eur,total,currency",
            "a,2024-01-15,10,12,USD",
            "b,2024-01-16,11,9,EUR",
        ),
        ["`total_eur`"],
        "--amount total_eur --currency USD",
        instead=["--amount total_eur", "--amount total --currency USD"],
    ),
    "no_currency_column": Asked(
        lines(f"{_HEADER},money", "a,1,2024-01-15,10,EUR", "b,2,2024-01-16,11,EUR"),
        ["`money`"],
        "--currency EUR",
        fill={"COLUMN": "money"},
    ),
    # Customers and orders
    "ids_of_customers_cut_off": Asked(
        lines("customer_id,ordered_at,amount,email", "4.5E+11,2024-01-15,5,a@example.com"),
        ["`customer_id`"],
        "--customer-id customer_id",
        fill={"COLUMN": "email"},
    ),
    "ids_of_orders_cut_off": Asked(
        lines("customer_id,order_id,ordered_at,amount,bon", "a,4.5E+11,2024-01-15,5,x"),
        ["`order_id`"],
        fill={"COLUMN": "bon"},
    ),
    "customer_zero": Asked(
        many(
            "customer_id,order_id,ordered_at,amount",
            lambda n: f"{n % 40 if n < 2100 else 0},o{n},{day(n)},5",
            3000,
        ),
        ["`customer_id`"],
    ),
    "different_orders": Asked(
        source=".",
        files=[
            text_file("january.csv", f"{_HEADER}\na,1,2024-01-15,10\nb,2,2024-01-16,5\n"),
            text_file("february.csv", f"{_HEADER}\na,1,2024-01-15,12\nb,3,2024-02-16,5\n"),
            lambda folder: (folder / "orders.csv").unlink(),
        ],
        columns=["order 1"],
    ),
    # Tables with one line per customer
    "maybe_customer_table": Asked(
        many(
            "customer_id,number_of_orders,total_spent,last_order",
            lambda n: f"c{n},{1 + n % 5},{n},{day(n)}",
            2500,
        ),
        ["`number_of_orders`", "`customer_id`"],
    ),
    "several_frequencies": Asked(
        many(
            "customer_id,orders_count,number_of_orders,total_spent,last_order",
            lambda n: f"c{n},{1 + n % 5},{1 + n % 4},{n},{day(n)}",
        ),
        ["`customer_id`", "`orders_count`", "`number_of_orders`"],
    ),
    "several_monetaries": Asked(
        many(
            "customer_id,number_of_orders,total_spent,lifetime_value,last_order",
            lambda n: f"c{n},{1 + n % 5},{n},{n + 1},{day(n)}",
        ),
        ["`total_spent` (820.00 in all)", "`lifetime_value` (860.00 in all)"],
    ),
    "several_last_dates": Asked(
        many(
            "customer_id,number_of_orders,total_spent,last_order_date,last_purchase_date",
            lambda n: f"c{n},{1 + n % 5},{n},{day(n)},{day(n + 1)}",
        ),
        ["`last_order_date`", "`last_purchase_date`"],
    ),
    "monetary_and_amount": Asked(
        columns=["`amount`"],
        arguments="--monetary amount --amount amount",
        instead=["--monetary amount", "--amount amount"],
    ),
    "frequency_and_order": Asked(
        many("customer_id,n,total,last", lambda n: f"c{n},{n % 5},{n},{day(n)}"),
        ["`n`", "`total`"],
        "--frequency n --order-id total",
        instead=["--frequency n", "--order-id total"],
    ),
    "monetary_without_frequency": Asked(
        many("customer_id,n,total,last", lambda n: f"c{n},{n % 5},{n},{day(n)}"),
        ["`total`"],
        "--monetary total --ordered-at last",
        fill={"COLUMN": "n"},
    ),
    # Recognised exports
    "amazon_without_customer": Asked(
        lines(
            "amazon-order-id\tpurchase-date\torder-status\titem-price\tsku\tbuyer",
            "1\t2024-01-15T10:00:00+00:00\tShipped\t10.00\tX\ta",
        ),
        ["Amazon"],
        fill={"buyer-email": "buyer"},
    ),
    "magento_without_customer": Asked(
        lines(
            "ID,Purchase Point,Purchase Date,Bill-to Name,Grand Total (Base),Status",
            '1,Main,"2024-01-15 10:00:00",Ada Lovelace,10.00,Complete',
        ),
        ["`Customer Email`"],
    ),
    "prestashop_without_customer": Asked(
        lines(
            "ID;Reference;New client;Customer;Total;Payment;Status;Date",
            "1;AAA;1;A. Lovelace;10.00;Card;Delivered;2024-01-15 10:00:00",
        ),
        ["`Customer`"],
    ),
    # The destination
    "other_source": Asked(
        lines("customer_id,bon,ordered_at,amount", "a,1,2024-01-15,10"),
        ["order_id"],
        "--order-id bon",
        fill={"DESTINATION": "duckdb:other.duckdb"},
    ),
}  # fmt: skip


def question_of(outcome: Outcome) -> tuple[str, str, str]:
    """Return the id of the question that an error asks, its message and its hint."""
    message, _, hint = " ".join(outcome.stderr.split()).partition("hint: ")
    message = message.strip()
    for name, texts in questions().items():
        sentence, answer = (
            re.sub(r"\\\{\w+\\\}", ".*", re.escape(text.replace("{{", "(").replace("}}", ")")))
            for text in (texts.message, texts.hint)
        )
        written = hint.replace("rates = {", "rates = (").replace("RATE }", "RATE )")
        if re.search(sentence, message) and re.fullmatch(answer, written.strip()):
            return name, message, hint
    pytest.fail(f"no known question: {outcome.stderr}")


def choices(hint: str) -> list[list[str]]:
    """Return the arguments of each choice that a hint gives, as a shell splits them."""
    found: list[list[str]] = []
    end = -2
    for match in _FLAG.finditer(hint):
        written = match[0]
        if written.split()[0] in FLAGS_WITHOUT_VALUE:
            written = written.split()[0]
        elif not hint[match.end() :] or hint[match.end()].isspace():
            written = written.removesuffix(".")
        arguments = shlex.split(written)
        # Flags beside each other belong together.
        if match.start() == end + 1:
            found[-1] += arguments
        else:
            found.append(arguments)
        end = match.start() + len(written)
    return found


def test_flags_beside_each_other_are_one_choice() -> None:
    hint = "set --quantity 'a b' --unit-price p, or --amount x; --skip-lines 1 --no-header, or --sheet Old."
    assert choices(hint) == [
        ["--quantity", "a b", "--unit-price", "p"],
        ["--amount", "x"],
        ["--skip-lines", "1", "--no-header"],
        ["--sheet", "Old"],
    ]


def test_every_question_has_an_input() -> None:
    assert ASKED.keys() == questions().keys()
    assert {"--no-header"} == FLAGS_WITHOUT_VALUE & {
        name.removeprefix(" /") for flag in FLAGS for name in flag.names if flag.kind is bool
    }


FOLLOWED_BY = {
    "header_of_values": {"missing_roles"},
    "title_row": {"missing_roles"},
    "several_frequencies": {"missing_roles"},
    "frequency_and_order": {"missing_roles"},
    "money_and_roles": {"ambiguous_amount", "missing_roles"},
    "monetary_without_frequency": {"monetary_and_amount"},
    "monetary_and_amount": {"monetary_without_frequency"},
    "total_of_factors": {"amount_configured_twice"},
    "few_dates": {"other_date_format"},
    "unfitting_date_format": {"contradictory_dates"},
}
"""Questions, some of whose answers leave another question open."""
FIGURES_OF_PARTS = {"refunds_twice", "several_currencies", "different_orders"}
"""Questions whose figures are not the revenue of each answer: of one currency, or of a part of the orders."""
_MONEY = re.compile(r"[0-9][0-9,]*[.][0-9]{2}(?![0-9])")


@pytest.mark.matrix
@pytest.mark.guarantee("no-guess")
@pytest.mark.parametrize("name", ASKED)
def test_a_question_is_asked_and_its_hint_works(
    name: str, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    case = ASKED[name]
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "orders.csv").write_text(case.text, encoding="utf-8")
    for write in case.files:
        write(folder)
    config = ["--config", str(folder / "rfm.toml")] if (folder / "rfm.toml").exists() else []
    if name == "other_source":
        (tmp_path / "before.csv").write_text(f"{_HEADER}\n{_LINES}", encoding="utf-8")
        assert rfm("run", "before.csv").code == 0
    run = ["run", str(folder / case.source), *config]
    asked = rfm(*run, *shlex.split(case.arguments))
    assert asked.code == 2, asked
    found, message, hint = question_of(asked)
    assert found == name, asked.stderr
    for column in case.columns:
        assert column in message + hint
    assert "{" not in message
    for word, text in case.fill.items():
        hint = re.sub(rf"(?<![\w-]){word}(?![\w-])", text, hint)
    follow = [shlex.split(each) for each in case.instead]
    follow = follow or [[*shlex.split(case.arguments), *choice] for choice in choices(hint)]
    assert bool(follow) == bool(questions()[name].flags)
    for number, arguments in enumerate(follow):
        to = [] if "--to" in arguments else ["--to", f"duckdb:{number}.duckdb"]
        followed = rfm(*run, *arguments, *to, "--json")
        if followed.code:
            assert followed.code == 2, followed
            assert question_of(followed)[0] in FOLLOWED_BY.get(name, ()), followed
        elif name not in FIGURES_OF_PARTS and (figures := _MONEY.findall(message + hint)):
            assert f"{Decimal(followed.json['revenue']):,.2f}" in figures, followed


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("first", "second"), [("debit", "credit"), ("Soll", "Haben"), ("Debe", "Haber"), ("Débit", "Crédit")]
)
def test_the_query_for_an_amount_in_two_columns_is_a_source(
    tmp_path: Path, rfm: Rfm, first: str, second: str
) -> None:
    source = tmp_path / "book.csv"
    rows = ["a,2024-01-15,10.50,", "b,2024-01-16,11,", "a,2024-01-17,,4"]
    source.write_text(lines(f"customer_id,ordered_at,{first},{second}", *rows), encoding="utf-8")
    name, _, hint = question_of(rfm("run", source))
    assert name == "amount_in_two_columns"
    query = re.search("`(SELECT [^`]*)`", hint)
    assert query
    (tmp_path / "orders.sql").write_text(query[1].replace("SOURCE", str(source)), encoding="utf-8")
    (tmp_path / "rfm.toml").write_text("returns = 'net'\n", encoding="utf-8")
    arguments = ["--config", tmp_path / "rfm.toml", "--to", f"duckdb:{tmp_path}/a.duckdb", "--json"]
    assert rfm("run", tmp_path / "orders.sql", *arguments).json["revenue"] == "17.50"


@pytest.mark.slow
@pytest.mark.parametrize(("first", "more"), [("", "USD"), ("EUR = 1", "USD")])
def test_the_rates_of_a_hint_are_a_configuration(tmp_path: Path, rfm: Rfm, first: str, more: str) -> None:
    source, config = tmp_path / "orders.csv", tmp_path / "rfm.toml"
    source.write_text(
        lines(f"{_HEADER},currency", "a,1,2024-01-15,10,EUR", f"b,2,2024-01-16,11,{more}"), encoding="utf-8"
    )
    config.write_text(f"[currency]\nrates = {{ {first} }}\n", encoding="utf-8")
    arguments = ["--config", config, "--to", f"duckdb:{tmp_path}/a.duckdb", "--json"]
    name, _, hint = question_of(rfm("run", source, *arguments))
    if first:
        assert name == "currency_without_rate"
        rates = f"{first}, {hint.removeprefix('add ').partition(' to rates')[0]}"
    else:
        assert name == "several_currencies"
        rates = re.sub(r".*rates = \{ (.*) \} under .*", r"\1", hint)
    config.write_text(f"[currency]\nrates = {{ {rates.replace('RATE', '0.5')} }}\n", encoding="utf-8")
    assert rfm("run", source, *arguments).json["revenue"] == "15.50"
