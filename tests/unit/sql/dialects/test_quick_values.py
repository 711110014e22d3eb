"""Quick expressions of DuckDB read what the general expressions read, whatever the text."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.common.schema import Kind
from rfm_pipeline.sql.dialects.base import QUICK_DATES
from rfm_pipeline.sql.dialects.registry import dialect_of
from support.databases import empty_database
from support.lanes import max_examples

DIALECT = dialect_of("duckdb")
CHARACTERS = (*"019 \t\n\x0b-/:.+TZe_\xa0\u0661", "", "00", "  ")
FORMS = ("2024-01-02 09:04:18", "2024-01-02T09:04:18", "2024-01-02 09:04", "2024-01-02T09:04", "2024-01-02")


def differences(texts: list[str], zone: str = "Asia/Kolkata") -> list[tuple[object, ...]]:
    """Return the texts that the quick and the general expression read as different dates."""
    quick = DIALECT.quick_date("v", ["iso"])
    trimmed = DIALECT.date_text("v", Kind.TEXT)
    general = DIALECT.local_date("trimmed", Kind.TEXT, zone, ["iso"])
    with empty_database() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(
            f"""
            SELECT v, quick_date, general_date
            FROM (
              SELECT v, quick_date, {general} AS general_date
              FROM (SELECT v, {quick} AS quick_date, {trimmed} AS trimmed FROM (SELECT UNNEST($texts) AS v))
            )
            WHERE quick_date BETWEEN DATE '{QUICK_DATES[0]}' AND DATE '{QUICK_DATES[1]}'
              AND quick_date IS DISTINCT FROM general_date
            """,
            {"texts": texts},
        ).fetchall()


@pytest.mark.parametrize("form", FORMS)
def test_a_quick_date_is_that_of_the_general_expression_where_two_characters_are_others(form: str) -> None:
    texts = [
        form[:first] + one + form[first + 1 : second] + two + form[second + 1 :]
        for first, second in combinations(range(len(form)), 2)
        for one, two in product(CHARACTERS, repeat=2)
    ]
    assert differences(texts) == []


def test_the_quick_expression_reads_the_usual_forms() -> None:
    with empty_database() as connection:
        quick = DIALECT.quick_date("v", ["iso"])
        rows = connection.execute(f"SELECT {quick} FROM (SELECT UNNEST($texts) AS v)", {"texts": list(FORMS)})
        assert {str(day) for (day,) in rows.fetchall()} == {"2024-01-02"}


PARTS = (
    *(
        "2024",
        "202",
        "0999",
        "3000",
        "1",
        "01",
        "9",
        "13",
        "31",
        "30",
        "60",
        "24",
        "-",
        ":",
        "/",
        ".",
        " ",
        "  ",
    ),
    *("\t", "\n", "\x0b", "\r", "\xa0", "T", "Z", "+05:30", "-0800", "AM", "pm", " UTC", "epoch", "infinity"),
)


# Most of the time is that of a query, whatever its rows.
@max_examples(15)
@given(
    st.lists(st.lists(st.sampled_from(PARTS), min_size=3, max_size=13).map("".join), min_size=40, max_size=80)
)
def test_a_quick_date_is_that_of_the_general_expression_for_any_text(texts: list[str]) -> None:
    assert differences([*texts, *(text[:length] for text in texts for length in (10, 16, 19))]) == []
