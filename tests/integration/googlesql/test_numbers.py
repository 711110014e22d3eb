"""DuckDB, GoogleSQL's evaluator and Python read the same number from a text, to the last digit, or none."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, cast

import duckdb
import pytest

from rfm_pipeline.common.number_format import COMMA, POINT, NumberSeparators, parse_number
from rfm_pipeline.common.schema import Kind
from rfm_pipeline.sql.dialects.registry import dialect_of
from support.databases import empty_database
from support.exact_numbers import awkward_doubles, awkward_exponents, read_double, read_exponent
from support.googlesql import GoogleSql
from support.written_numbers import written_number

pytestmark = pytest.mark.xdist_group("googlesql")

DOLLARS = ("$", "US$", "USD", "Rs.", "kr")
EUROS = ("€", "EUR", "kr.", "zł", "AU $")
DECORATIONS = (
    *(
        "",
        "",
        "",
        "$",
        "US$",
        "usd",
        "€",
        "EUR",
        "kr.",
        "Rs.",
        "zł",
        "AU $",
        "-",
        "\u2212",
        "\u2013",
        "+",
        "(",
        ")",
    ),
    *(" ", "\u00a0", "\u202f", "\u2009", "\t", "'", "\u2019", ".", "e"),
)
DIGITS = (
    *(
        "1234",
        "12.50",
        "12,50",
        "1,234",
        "1.234",
        "1,234.50",
        "1.234,50",
        "1 234.5",
        "1\u202f234,5",
        "1'234.50",
    ),
    *(
        "1\u2019234",
        "1\u00a0234",
        "1,23,456.00",
        "1.23.456,00",
        "1,234,567",
        "1.234.567",
        "0.123",
        "0,123",
        ".5",
    ),
    *(
        ",5",
        "12.",
        "12,",
        "12.-",
        "12,-",
        "12.--",
        "12,\u2013",
        "5",
        "0",
        "1e3",
        "1.5E2",
        "1,5e2",
        "1_000",
        "000123",
    ),
    *(
        "123456789012345678901234567890",
        "0.0000000005",
        "-0.0000000005",
        "1 23",
        "1 234'567",
        "12 345 678.999999999",
    ),
    *("1,2345", "12345,678", "1234.567.890", "", "n/a", "0x10", "1.2.3"),
)
SIZES = ((30, 9), (12, 3))


def texts(count: int) -> list[str]:
    """Return digits with decorations on both sides, and each of the digits alone."""
    drawn = random.Random(8)

    def side() -> str:
        return "".join(drawn.choice(DECORATIONS) for _ in range(drawn.randint(0, 3)))

    return sorted({*DIGITS, *(side() + drawn.choice(DIGITS) + side() for _ in range(count))})


def fitted(number: Decimal | None, size: tuple[int, int]) -> Decimal | None:
    """Return a number rounded to a type's scale; None if it is too large."""
    if number is None:
        return None
    precision, scale = size
    with localcontext(prec=60):
        rounded = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    return rounded if abs(rounded) < Decimal(10) ** (precision - scale) else None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "separators",
    [
        NumberSeparators(),
        POINT,
        COMMA,
        NumberSeparators(".", "", DOLLARS),
        NumberSeparators(".", ",", DOLLARS),
        NumberSeparators(",", ".", EUROS),
    ],
)
def test_the_engines_read_the_same_numbers(separators: NumberSeparators, size: tuple[int, int]) -> None:
    values = texts(800)
    expressions = {
        name: dialect_of(name).number("written", Kind.TEXT, size, separators)
        for name in ("duckdb", "bigquery")
    }
    with empty_database() as connection:
        connection.execute("CREATE TABLE source AS SELECT UNNEST($1) AS written", [values])
        by_duckdb = dict(
            connection.execute(f"SELECT written, {expressions['duckdb']} FROM source").fetchall()
        )
    rows = GoogleSql.load().execute(
        f"SELECT written, {expressions['bigquery']} AS number FROM source",
        {"source": {"written": "STRING"}},
        {"source": [{"written": value} for value in values]},
    )
    by_google = {row["written"]: row["number"] for row in rows}
    by_python = {value: fitted(parse_number(value, separators), size) for value in values}
    assert by_duckdb == by_google
    assert by_duckdb == by_python
    assert sum(number is not None for number in by_duckdb.values()) > len(DIGITS) / 2
    if not separators.currencies:
        certain = bool(separators.thousands)
        for value in values:
            number = written_number(value, separators.decimal, is_certain=certain)
            assert by_duckdb[value] == fitted(number, size), value


@pytest.mark.parametrize("unit", ["0.1", "0.01", "0.001"])
@pytest.mark.parametrize(
    "amount", ["1.005", "-1.005", "0.000000005", "999999999999999999999.999999999", "-7", "333"]
)
def test_both_engines_multiply_by_the_unit_exactly(amount: str, unit: str) -> None:
    with localcontext(prec=60):
        product = (Decimal(amount) * Decimal(unit)).quantize(Decimal("1e-9"), ROUND_HALF_UP)
    duck, google = (dialect_of(name) for name in ("duckdb", "bigquery"))
    in_duckdb = duck.in_unit(f"(CAST({amount} AS DECIMAL(30, 9)))", Decimal(unit))
    in_google = google.in_unit(f"(NUMERIC '{amount}')", Decimal(unit))
    assert duckdb.execute(f"SELECT {in_duckdb}").fetchall() == [(product,)]
    assert GoogleSql.load().execute(f"SELECT {in_google} AS product", {}, {}) == [{"product": product}]


@pytest.mark.parametrize("size", SIZES)
def test_googlesql_reads_doubles_and_exponents_exactly(size: tuple[int, int]) -> None:
    """As DuckDB does in tests/unit/sql/dialects/test_exact_numbers.py."""
    doubles, texts = awkward_doubles(240), awkward_exponents(120)
    bigquery, google = dialect_of("bigquery"), GoogleSql.load()
    columns: tuple[tuple[Kind, str, Sequence[Any]], ...] = (
        (Kind.FLOAT, "FLOAT64", doubles),
        (Kind.TEXT, "STRING", texts),
    )
    for kind, type_, values in columns:
        number = bigquery.number("value", kind, size, POINT)
        rows = google.execute(
            f"SELECT i, {number} AS number FROM source",
            {"source": {"i": "INT64", "value": type_}},
            {"source": [{"i": i, "value": value} for i, value in enumerate(values)]},
        )
        read = {values[cast("int", row["i"])]: row["number"] for row in rows}
        if kind is Kind.FLOAT:
            assert read == {value: read_double(value, size) for value in doubles}
        else:
            assert read == {text: read_exponent(text, size) for text in texts}
