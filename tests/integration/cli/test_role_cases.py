"""Columns whose names mislead: exports are read right, or questioned with a hint that works."""

from __future__ import annotations

import re
import shlex
from decimal import Decimal
from pathlib import Path

import pytest

from rfm_pipeline.api.segment import segment
from rfm_pipeline.errors import ColumnError
from support.cli import Outcome, Rfm
from support.paths import TEST_DATA

CASES = TEST_DATA / "cases"
COLUMN_FLAG = (
    r"""--(?:customer-id|order-id|ordered-at|amount|quantity|unit-price|discount) (?:'[^']*'|[\w-]+)"""
)


def figures(outcome: Outcome) -> tuple[int, int, str]:
    """Return customers, orders and revenue of a result."""
    assert outcome.code == 0, outcome.stderr
    return outcome.json["customers"], outcome.json["orders"], outcome.json["revenue"]


def question(outcome: Outcome) -> tuple[str, list[list[str]]]:
    """Return the message of a question, and the choices of its hint as arguments."""
    assert outcome.code == 2, outcome.stderr
    message, _, hint = (" ".join(part.split()) for part in outcome.stderr.partition("hint: "))
    choices = re.findall(rf"{COLUMN_FLAG}(?: {COLUMN_FLAG})*", hint)
    return message, [shlex.split(choice) for choice in choices]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def copy_of(name: str, folder: Path, without: str = "", lines: int | None = None) -> Path:
    """Copy a case, or its first lines.

    `without` names a column that is renamed, so that no preset recognises the file.
    """
    path = folder / name
    text = "".join((CASES / name).read_text(encoding="utf-8-sig").splitlines(keepends=True)[:lines])
    path.write_text(text.replace(without, f"{without}_", 1) if without else text, encoding="utf-8")
    return path


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("olist_merged.csv", (9, 35, "1750.00")),
        ("unit_cost_only.csv", (8, 40, "1000.00")),
        ("cost_and_net_total.csv", (8, 40, "1000.00")),
        ("price_is_line_total.csv", (8, 40, "4365.20")),
        ("sale_price_is_unit.csv", (8, 40, "4365.20")),
    ],
)
def test_a_case_has_the_right_figures(name: str, right: tuple[int, int, str], rfm: Rfm) -> None:
    assert figures(rfm("run", CASES / name, "--json")) == right


def test_olist_without_its_preset_has_the_customer_that_repeats(folder: Path, rfm: Rfm) -> None:
    done = rfm(
        "run", copy_of("olist_merged.csv", folder, without="freight_value"), "--json", "--preset", "none"
    )
    assert figures(done) == (9, 35, "1750.00")
    note = "the customer is `customer_unique_id`, as `customer_id` is another one in each order"
    assert note in done.json["notes"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lines", "message", "revenues"),
    [
        (
            # Eight lines do not show whether a price is that of one unit.
            "sale_price_is_unit.csv",
            9,
            ("The amount of a line could be `Quantity` × `Sale Price` (505.10 in all) or `Sale Price`"
            " (240.90 in all)."),
            ["505.10", "240.90"],
        ),
        (
            "northwind.csv",
            None,
            ("`Discount` holds shares of the price up to 0.15: the amount of a line could be `Quantity` ×"
            " `UnitPrice` less that discount (1,643.60 in all), or without regard to it (1,904.00)."),
            ["1643.60", "1904.00"],
        ),
    ],
)  # fmt: skip
def test_the_hint_of_a_question_gives_each_total(
    name: str, lines: int | None, message: str, revenues: list[str], rfm: Rfm
) -> None:
    path = copy_of(name, Path(), lines=lines)
    said, choices = question(rfm("run", path))
    assert said == f"error: {message}"
    answers = [rfm("run", path, *choice, "--to", f"duckdb:{index}.duckdb", "--json")
               for index, choice in enumerate(choices)]  # fmt: skip
    assert [answer.json["revenue"] for answer in answers] == revenues


def test_check_and_init_ask_what_a_run_asks(folder: Path, rfm: Rfm) -> None:
    path = copy_of("sale_price_is_unit.csv", folder, lines=9)
    asked = {(ended.code, ended.stderr) for ended in (rfm(name, path) for name in ("run", "check", "init"))}
    ((code, message),) = asked
    assert code == 2
    assert "505.10" in message


def test_init_writes_the_columns_that_a_run_would_choose(folder: Path, rfm: Rfm) -> None:
    assert rfm("init", copy_of("unit_cost_only.csv", folder)).code == 0
    text = (folder / "rfm.toml").read_text(encoding="utf-8")
    assert 'amount = "Net Sales"' in text
    assert figures(rfm("run", "--json")) == (8, 40, "1000.00")


def test_an_export_with_names_for_customers_is_read_if_they_are_chosen(folder: Path, rfm: Rfm) -> None:
    path = folder / "orders.csv"
    path.write_text(
        "Order,Customer,Date,Total\n1,Ann Lee,2026-01-05,10\n2,Bob Ray,2026-01-06,20\n"
        "3,Ann Lee,2026-01-07,5\n",
        encoding="utf-8",
    )
    message, choices = question(rfm("run", path))
    assert message.startswith("error: No column identifies the customer: `Customer` holds names")
    assert choices == [["--customer-id", "Customer"]]
    assert figures(rfm("run", path, *choices[0], "--json")) == (2, 3, "35.00")


def test_a_discount_is_a_share_of_the_amount_from_0_to_1(folder: Path, rfm: Rfm) -> None:
    path = folder / "orders.csv"
    path.write_text(
        "customer_id,order_date,amount,share\na,2026-01-05,10.01,0.333333\nb,2026-01-06,20,\n"
        "c,2026-01-07,30,15\nd,2026-01-07,40,much\ne,2026-01-08,50,-0.1\nf,2026-01-08,60,0\n",
        encoding="utf-8",
    )
    done = rfm("run", path, "--discount", "share", "--json")
    assert figures(done) == (3, 3, "86.67333667")
    assert done.json["rows"]["excluded"] == {"invalid_amount": 3}


def test_the_columns_of_a_paypal_file_without_its_preset_are_found(folder: Path, rfm: Rfm) -> None:
    path = copy_of("paypal.csv", folder, without="Reference Txn ID")
    message, choices = question(rfm("run", path, "--preset", "none", "--date-format", "%d/%m/%Y"))
    assert "`Gross` (" in message
    assert choices == [["--amount", "Gross"], ["--amount", "Net"]]
    checked = rfm("check", path, "--preset", "none", "--date-format", "%d/%m/%Y", *choices[0], "--json")
    columns = {role: each["column"] for role, each in checked.json["columns"].items()}
    assert columns == {
        "customer_id": "From Email Address",
        "order_id": "Transaction ID",
        "ordered_at": "Date",
        "amount": "Gross",
    }


def test_the_arguments_of_python_choose_as_flags_do(folder: Path) -> None:
    source = copy_of("sale_price_is_unit.csv", folder, lines=9)
    with pytest.raises(ColumnError) as raised:
        segment(str(source))
    assert raised.value.hint == ("set quantity='Quantity' unit_price='Sale Price', or amount='Sale Price'.")
    chosen = segment(str(source), quantity="Quantity", unit_price="Sale Price")
    assert chosen.revenue == Decimal("505.10")
