"""Exclusions: only a single condition over the values of one line is valid; errors name the exclusion."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.errors import ExpressionError
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.exclusions import condition_sql
from support.bad_input import Case, case, check, make_shop
from support.cli import Rfm
from support.databases import empty_database

CONDITION = 'TRY_CAST("Quantity" AS DECIMAL) > 100'


def exclusion(name: str, condition: str, *message_parts: str, hints: str = CONDITION) -> Any:
    """Return a case of `--exclude odd=CONDITION`."""
    return case(
        name,
        f"run orders.csv --exclude {shlex.quote(f'odd={condition}')}",
        "`odd`",
        *message_parts,
        hints=hints,
    )


MORE_THAN_A_CONDITION = [
    exclusion("subquery", "amount > (SELECT 1)", "it uses a subquery", "(amount > (SELECT 1))"),
    exclusion("subquery behind IN", "customer_id IN (SELECT 'c1')", "it uses a subquery"),
    exclusion("subquery that begins with FROM", "customer_id IN (FROM 'orders.csv')", "it uses a subquery"),
    exclusion("EXISTS", "EXISTS (SELECT 1)", "it uses a subquery"),
    exclusion("count", "COUNT(*) > 1", "it uses an aggregate", "(COUNT(*) > 1)"),
    exclusion("sum", "SUM(TRY_CAST(amount AS DOUBLE)) > 1", "it uses an aggregate"),
    exclusion("aggregate by another name", "histogram(amount) IS NULL", "several lines"),
    exclusion("aggregate made of others", "json_group_object('a', amount) IS NULL", "several lines"),
    exclusion("window", "ROW_NUMBER() OVER () > 1", "it uses a window"),
    exclusion("several lines from one", "unnest([true, false])", "it uses unnest"),
    exclusion("several lines by another name", "regexp_split_to_table(amount, ' ') = '1'", "several lines"),
    exclusion("comment", "amount = '1' -- yes", "it has a comment"),
    exclusion("comment in the middle", "amount /* yes */ = '1'", "it has a comment"),
    exclusion("comment of another engine", "amount = '1' # yes", "it has a comment"),
    exclusion("semicolon", "amount = '1';", "it has a semicolon"),
    exclusion("two statements", "amount = '1'; DROP TABLE rfm_segments", "it has a semicolon"),
    exclusion("statement", "DROP TABLE rfm_segments", "it can't be parsed", "(DROP TABLE rfm_segments)"),
    exclusion("query", "SELECT 1", "it is not one expression"),
    exclusion("two expressions", "amount = '1', order_id = 'o1'", "it is not one expression"),
    exclusion("unmatched closing parenthesis", "amount = '1') OR (1 = 1", "it is not one expression"),
    exclusion("two unmatched closing parentheses", "amount = '1')) FROM x WHERE ((1 = 1", "parsed"),
    exclusion("alias", "amount = '1' AS yes", "a name given with AS"),
    exclusion("union", "amount = '1' UNION SELECT 1", "it can't be parsed"),
    exclusion("quote that is not closed", "amount = '1", "it can't be parsed"),
    exclusion("parenthesis that is not closed", "(amount = '1'", "it can't be parsed"),
    exclusion("parameter", "amount = ?", "it uses a parameter"),
    exclusion("all columns", "COLUMNS(*) = '1'", "it calls columns"),
    exclusion("nested too deeply", f"{'(' * 2000}amount = '1'{')' * 2000}", "nested too deeply"),
]

NOT_DETERMINED_BY_THE_LINE = [
    exclusion("random", "random() > 0.5", "does not depend on the line alone", "(random() > 0.5)"),
    exclusion("today", "ordered_at < today()::TEXT", "does not depend on the line alone"),
    exclusion("today by a keyword", "ordered_at < CURRENT_DATE::TEXT", "it calls current_date"),
    exclusion("environment", "getenv('HOME') = '1'", "it calls getenv"),
    exclusion("setting of the session", "getvariable('x') = '1'", "it calls getvariable"),
    exclusion("sleep", "sleep_ms(60000) IS NULL", "it calls sleep_ms"),
    exclusion("file", "read_text('/etc/passwd') IS NULL", "it calls read_text"),
    exclusion("table function", "read_csv('orders.csv') IS NULL", "read_csv reads a table"),
    exclusion("query behind FROM", "(FROM read_csv('orders.csv')) IS NULL", "it uses a subquery"),
]

NOT_TRUE_OR_FALSE = [
    exclusion("column alone", "amount", "its value is text, not true or false"),
    exclusion("number", "1", "not a condition that is true or false"),
    exclusion("nothing", "NULL", "not a condition that is true or false"),
    exclusion("arithmetic", "TRY_CAST(amount AS DOUBLE) * 2", "not a condition that is true or false"),
    exclusion("text", "upper(amount)", "its value is text, not true or false"),
    exclusion("number of a case", "CASE WHEN amount = '1' THEN 1 END", "its value is a number, not true"),
    exclusion("text compared with a number", "amount > 100", "it compares text with a number"),
    exclusion("text compared with a date", "ordered_at > DATE '2025-01-01'", "it compares text with a date"),
    exclusion("assignment", "amount := '1'", "not a condition"),
]

UNKNOWN_NAMES = [
    exclusion("column", "amout = '1'", "`amout`", hints="did you mean `amount`?"),
    exclusion("column of another table", "lines.amount = '1'", "`lines.amount`", hints="`amount`"),
    exclusion("internal column of the engine", "rowid = 1", "`rowid`", hints="The source has"),
    exclusion("text in double quotes", 'customer_id = "c1"', "`c1`", hints="plain single quotes"),
    exclusion("text in typographic quotes", "customer_id = \u2018c1\u2019", hints="plain single quotes"),
    exclusion("function", "weekday_of(ordered_at) = 7", "there is no function weekday_of"),
    exclusion("function of an extension", "st_area(amount) > 1", "there is no function st_area"),
    exclusion("arguments of other types", "abs(amount) > 1", "there is no abs(text)"),
    exclusion("values of two types", "COALESCE((1, 2), 1) = 1", "INTEGER) and number in COALESCE operator ("),
]

CONFIGURATION = [
    case("cast that fails at run time", "run orders.csv --exclude 'odd=CAST(customer_id AS INTEGER) > 1'",
         "'c1'", "`customer_id`", hints="TRY_CAST"),
    case("flag without a name", "run orders.csv --exclude \"amount > '1'\"", "NAME=CONDITION",
         hints="for example"),
    case("flag without a condition", "run orders.csv --exclude odd=", "NAME=CONDITION", hints="for example"),
    case("name twice", "run orders.csv --exclude \"odd=amount='1'\" --exclude \"odd=amount='2'\"", "'odd'",
         "two conditions", hints="OR"),
    case("name of a built-in exclusion", "run orders.csv --exclude \"missing_customer=amount='1'\"",
         "'missing_customer'", "choose another name", hints="--exclude"),
    case("name in capitals", "run orders.csv --exclude \"Odd=amount='1'\"", "'Odd'", "lower-case",
         hints="--exclude"),
    case("skipped and excluded", "run orders.csv", "'odd' is both in [skip] and in [exclude]",
         hints="another name", toml="[skip]\nodd = \"amount = '1'\"\n[exclude]\nodd = \"amount = '2'\"\n"),
    case("condition in a variable", "run orders.csv", "`odd`", "`amout`", hints="did you mean `amount`?",
         environment={"RFM_EXCLUDE__ODD": "amout = '1'"}),
    case("test of an unknown column", "run orders.csv", "`odd`", "`amout`", hints="`amount`",
         toml="[exclude]\nodd = { column = 'amout', equals = '1' }\n"),
    case("test without a comparison", "run orders.csv", "exactly one of equals, not_equals and blank",
         hints="`exclude.odd`", toml="[exclude]\nodd = { column = 'amount' }\n"),
    case("two tests", "run orders.csv", "exactly one of equals, not_equals and blank", hints="`exclude.odd`",
         toml="[exclude]\nodd = { column = 'amount', equals = '1', blank = true }\n"),
    case("test for an empty list", "run orders.csv", "at least one value", hints="`exclude.odd` in rfm.toml",
         toml="[exclude]\nodd = { column = 'amount', equals = [] }\n"),
    case("test for a number", "run orders.csv", "`exclude.odd.equals` is 1, and must be text",
         hints="rfm.toml", toml="[exclude]\nodd = { column = 'amount', equals = 1 }\n"),
    case("condition that is a number", "run orders.csv", "`exclude.odd` is 1", "text or a table",
         hints="rfm.toml", toml="[exclude]\nodd = 1\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    "bad_case",
    [*MORE_THAN_A_CONDITION, *NOT_DETERMINED_BY_THE_LINE, *NOT_TRUE_OR_FALSE, *UNKNOWN_NAMES, *CONFIGURATION],
)
def test_an_invalid_exclusion_is_an_error_and_changes_nothing(
    bad_case: Case, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(bad_case, tmp_path, rfm, monkeypatch)


HARMLESS = [
    "customer_id = 'c1' OR customer_id = '-- c2; DROP TABLE rfm_segments /* # */'",
    "customer_id = 'it''s' OR customer_id = 'c1'",
    "customer_id IN ('c1', '\u2018c2\u2019', '?', ':name', '$1')",
    "CASE WHEN \"customer_id\" = 'c1' THEN TRUE ELSE FALSE END",
    f"{'(' * 20}customer_id = 'c1'{')' * 20}",
    f"customer_id IN ({', '.join(map(repr, map(str, range(3000))))}, 'c1')",
    "TRY_CAST(amount AS DECIMAL(10, 2)) < 11 AND NOT regexp_matches(customer_id, ';')",
]


@pytest.mark.matrix
@pytest.mark.parametrize("condition", HARMLESS, ids=range(len(HARMLESS)))
def test_a_valid_condition_with_suspicious_characters_in_its_values_is_applied(
    condition: str, tmp_path: Path, rfm: Rfm
) -> None:
    outcome = rfm("run", make_shop(tmp_path) / "orders.csv", "--exclude", f"odd={condition}", "--json")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.json["rows"] == {"read": 12, "kept": 11, "excluded": {"odd": 1}}


def test_a_column_name_may_contain_forbidden_terms(tmp_path: Path, rfm: Rfm) -> None:
    (tmp_path / "a.csv").write_text(
        'user,ordered_at,amount,"a;b--c","CURRENT_DATE()"\nu1,2025-01-01,5,x,y\nu2,2025-01-02,5,z,z\n',
        encoding="utf-8",
    )
    for condition in ("user = 'u1'", "\"a;b--c\" = 'x'", "\"CURRENT_DATE()\" = 'y'"):
        outcome = rfm("run", "a.csv", "--exclude", f"odd={condition}", "--json")
        assert outcome.json["rows"]["excluded"] == {"odd": 1}, condition


# From DuckDB 2.0.1 on, functions of times with a zone are consistent within a query only: they depend on the
# session's time zone, which is always UTC here.
ZONED = "TIME(STAMP)? WITH TIME ZONE|TIMESTAMPTZ_NS"
CHANGES = f"""
stability = 'VOLATILE' OR stability = 'CONSISTENT_WITHIN_QUERY' AND (
  LEN(parameter_types) = 0 OR NOT REGEXP_MATCHES(CONCAT_WS(' ', return_type, parameter_types), '{ZONED}')
)
"""


def volatile_functions() -> list[str]:
    """Return DuckDB's functions whose value depends on more than the arguments, and macros that call them."""
    with empty_database() as connection:
        functions = connection.execute(
            f"SELECT DISTINCT function_name, {CHANGES}, macro_definition FROM duckdb_functions()"
            " WHERE function_type IN ('scalar', 'macro') AND REGEXP_MATCHES(function_name, '^[a-z]')"
        ).fetchall()
    volatile = {name for name, changes, _ in functions if changes}
    while more := {
        name
        for name, _, body in functions
        if name not in volatile and body and any(f"{other}(" in body.replace('"', "") for other in volatile)
    }:
        volatile |= more
    return sorted(volatile)


def test_volatile_functions_are_errors() -> None:
    schema = (Column(("amount",), Kind.TEXT, "VARCHAR"),)
    names = volatile_functions()
    assert {"random", "now", "nextval", "uuid", "current_setting", "pg_sleep"} <= set(names)
    # A macro that aggregates: the engine reports conditions over several lines.
    names.remove("json_group_object")
    for name in names:
        for arguments in ("", "amount", "amount, amount"):
            try:
                condition_sql(f"{name}({arguments}) IS NULL", "odd", schema, dialect_of("duckdb"))
            except ExpressionError:
                continue
            pytest.fail(f"{name}({arguments}) is accepted")
