"""DuckDB reads text as the decimal that it is, and a double as its shortest decimal, to the last digit."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan, nextafter
from typing import Any

import pytest

from rfm_pipeline.common.number_format import COMMA, POINT, NumberSeparators
from rfm_pipeline.common.schema import Kind
from rfm_pipeline.sql.dialects.registry import dialect_of
from support.databases import empty_database
from support.exact_numbers import SIZES, awkward_doubles, awkward_exponents, read_double, read_exponent

TYPES = {Kind.FLOAT: "DOUBLE", Kind.TEXT: "VARCHAR"}


def read(
    values: Sequence[Any], kind: Kind, size: tuple[int, int], separators: NumberSeparators = POINT
) -> dict[Any, Any]:
    number = dialect_of("duckdb").number("value", kind, size, separators)
    with empty_database() as connection:
        rows = connection.execute(
            f"SELECT value, {number} FROM (SELECT UNNEST($1::{TYPES[kind]}[]) AS value)", [list(values)]
        ).fetchall()
    return dict(rows)


@pytest.mark.parametrize("size", SIZES)
def test_a_double_is_its_shortest_decimal(size: tuple[int, int]) -> None:
    values = awkward_doubles(2_000)
    assert read(values, Kind.FLOAT, size) == {value: read_double(value, size) for value in values}


def test_a_double_whose_product_is_a_tie_is_read_from_its_text() -> None:
    """The cheap way alone would round the tie 1.0000000005 down, and 8388608.000000001 to another number."""
    values = [1.0000000005, nextafter(1.0000000005, inf), 4_194_304.123456789, 8_388_608.000000001]
    assert read(values, Kind.FLOAT, (30, 9)) == {value: read_double(value, (30, 9)) for value in values}


def test_a_double_that_is_no_number_is_unreadable() -> None:
    assert set(read([nan, inf, -inf, None], Kind.FLOAT, (30, 9)).values()) == {None}


@pytest.mark.parametrize("size", SIZES)
def test_text_with_an_exponent_is_the_decimal_that_it_is(size: tuple[int, int]) -> None:
    texts = awkward_exponents(2_000)
    wanted = {text: read_exponent(text, size) for text in texts}
    assert read(texts, Kind.TEXT, size) == wanted
    with_commas = {text.replace(".", ","): number for text, number in wanted.items()}
    assert read(list(with_commas), Kind.TEXT, size, COMMA) == with_commas


@pytest.mark.parametrize("text", ["1e400", "1e99999999999", "e5", "1e", "1e5.0", "1_0e5", "1e+-5", "1e5e5"])
def test_an_exponent_that_is_out_of_range_or_broken_is_unreadable(text: str) -> None:
    assert read([text], Kind.TEXT, (30, 9)) == {text: None}


@pytest.mark.parametrize("text", ["1e-400", "-1e-99", "0e99"])
def test_an_exponent_may_leave_nothing(text: str) -> None:
    assert read([text], Kind.TEXT, (30, 9)) == {text: 0}
