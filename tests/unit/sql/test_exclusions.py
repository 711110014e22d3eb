"""Exclusions in both engines: valid and invalid SQL of users, and conditions on one column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import Phase, example, given
from hypothesis import strategies as st

from rfm_pipeline.errors import ColumnError, ExpressionError
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.exclusions import condition_sql
from support.databases import empty_database
from support.engines import Answer, Question, ask_duckdb, ask_google, quoted, schema_of
from support.generated import preset
from support.googlesql_engine import googlesql
from support.lanes import max_examples

pytestmark = pytest.mark.xdist_group("googlesql")

DAY = date(2024, 5, 17)
COLUMNS: Mapping[str, str] = {
    "customer_id": "STRING",
    "ordered_at": "DATE",
    "amount": "NUMERIC",
    "status": "STRING",
    "size": "INT64",
    "Ship To": "STRING",
    "gift": "BOOL",
}
ROLES = {"customer_id": "customer_id", "ordered_at": "ordered_at", "amount": "amount", "order_id": "none"}

# One line per customer: the customers that remain are those whose line does not meet the condition.
LINES: Mapping[str, Mapping[str, Any]] = {
    "plain": {"status": "paid", "size": 3, "Ship To": "Germany", "gift": False},
    "upper": {"status": "PAID", "size": 10, "Ship To": "France", "gift": True},
    "test": {"status": "test order", "size": 12, "Ship To": "Germany", "gift": False},
    "bare": {"status": "", "size": 0, "Ship To": " ", "gift": True},
    "nothing": {},
    "percent": {"status": "100%", "size": -7, "Ship To": "Côte d'Ivoire", "gift": False},
}


def question(condition: str | Mapping[str, Any], lines: Mapping[str, Mapping[str, Any]] = LINES) -> Question:
    rows = [
        {"customer_id": customer, "ordered_at": DAY, "amount": Decimal(1), **values}
        for customer, values in lines.items()
    ]
    return Question(
        COLUMNS, rows, {"columns": ROLES, **preset("classic"), "exclude": {"unwanted": condition}}
    )


def excluded(answer: Answer, lines: Mapping[str, Any] = LINES) -> set[str]:
    """Return the excluded customers; assert that their lines are counted under the exclusion's name."""
    gone = lines.keys() - {row["customer_id"] for row in answer.segments}
    assert answer.excluded == ({"unwanted": (len(gone), Decimal(len(gone)))} if gone else {})
    return set(gone)


def passed(text: str, dialect: str = "duckdb") -> str:
    return condition_sql(text, "unwanted", schema_of(COLUMNS), dialect_of(dialect))


def assert_refused(text: str, dialect: str = "duckdb") -> None:
    with pytest.raises(ExpressionError) as caught:
        passed(text, dialect)
    assert "`unwanted`" in caught.value.message, "the message names the exclusion"
    assert caught.value.hint, "the error has a hint"


# SQL that is valid in both engines

COMMON = {
    "status = 'paid'": {"plain"},
    "status <> 'paid'": {"upper", "test", "bare", "percent"},
    "status != 'paid' OR status IS NULL": {"upper", "test", "bare", "nothing", "percent"},
    "size > 10": {"test"},
    "size >= 10 AND size < 12": {"upper"},
    "size BETWEEN 0 AND 3": {"plain", "bare"},
    "size IN (3, 10)": {"plain", "upper"},
    "size NOT IN (3, 10)": {"test", "bare", "percent"},
    "status LIKE '%test%'": {"test"},
    "status NOT LIKE '%a%'": {"upper", "test", "bare", "percent"},
    "status IS NULL": {"nothing"},
    "status IS NOT NULL": {"plain", "upper", "test", "bare", "percent"},
    "NOT gift": {"plain", "test", "percent"},
    "gift": {"upper", "bare"},
    "gift IS TRUE OR gift IS NULL": {"upper", "bare", "nothing"},
    "(size > 5) = gift": {"plain", "upper", "percent"},
    "LOWER(status) = 'paid'": {"plain", "upper"},
    "COALESCE(status, '') = ''": {"bare", "nothing"},
    "NULLIF(status, '') IS NULL": {"bare", "nothing"},
    "LENGTH(TRIM(status)) > 5": {"test"},
    "CASE WHEN size > 5 THEN 'big' ELSE 'small' END = 'big'": {"upper", "test"},
    "CASE status WHEN 'paid' THEN TRUE ELSE FALSE END": {"plain"},
    "CAST(amount AS NUMERIC) + size = 4": {"plain"},
    "-size > 5": {"percent"},
    "size / 2 > 5.5": {"test"},
    "ordered_at >= DATE '2024-01-01' AND size = 3": {"plain"},
    "EXTRACT(YEAR FROM ordered_at) = 2024 AND size = 3": {"plain"},
    "status = '100%'": {"percent"},
    "status = 'a; b' OR status = 'paid'": {"plain"},
    "status = 'a -- b' OR status = 'paid'": {"plain"},
    "status = '/* a */' OR status = 'paid'": {"plain"},
    "status = '#1' OR status = 'paid'": {"plain"},
    "  status\n  =\n  'paid'  ": {"plain"},
    "((status = 'paid'))": {"plain"},
    "(status = 'paid') OR (size = 12)": {"plain", "test"},
    "TRUE": set(LINES),
    "FALSE": set(),
}  # fmt: skip

DUCKDB = {
    "\"Ship To\" = 'Germany'": {"plain", "test"},
    "\"Ship To\" = 'Côte d''Ivoire'": {"percent"},
    "TRY_CAST(status AS INTEGER) IS NULL": set(LINES),
    "status ILIKE 'Paid'": {"plain", "upper"},
    "regexp_matches(status, '^[0-9]+%$')": {"percent"},
    "starts_with(status, 'test')": {"test"},
    "size::VARCHAR = '12'": {"test"},
    "STATUS = 'paid' AND \"Status\" = 'paid'": {"plain"},
}
BIGQUERY = {
    "`Ship To` = 'Germany'": {"plain", "test"},
    '`Ship To` = "Côte d\'Ivoire"': {"percent"},
    "`Ship To` = 'Côte d\\'Ivoire'": {"percent"},
    "SAFE_CAST(status AS INT64) IS NULL": set(LINES),
    "REGEXP_CONTAINS(status, r'^[0-9]+%$')": {"percent"},
    "STARTS_WITH(status, 'test')": {"test"},
    "IFNULL(size, 12) = 12": {"test", "nothing"},
    "IF(size > 5, TRUE, FALSE)": {"upper", "test"},
}


@pytest.mark.parametrize("text", COMMON | DUCKDB)
def test_a_condition_excludes_the_lines_for_which_it_is_true(text: str) -> None:
    assert excluded(ask_duckdb(question(text))) == (COMMON | DUCKDB)[text]


@pytest.mark.slow
def test_a_condition_is_true_for_the_same_lines_on_bigquery() -> None:
    """All conditions in one query, each in the form in which it stands in CASE."""
    conditions = COMMON | BIGQUERY
    tests = [f"CASE WHEN {passed(text, 'bigquery')} THEN 1 END AS t{n}" for n, text in enumerate(conditions)]
    rows = googlesql().execute(
        f"SELECT customer_id, {', '.join(tests)} FROM source",
        {"source": COLUMNS},
        {"source": question("TRUE").rows},
    )
    met = {text: {row["customer_id"] for row in rows if row[f"t{n}"]} for n, text in enumerate(conditions)}
    assert met == conditions


@pytest.mark.slow
@pytest.mark.parametrize("text", ["status <> 'paid'", '`Ship To` = "Côte d\'Ivoire"', "gift"])
def test_a_condition_excludes_the_lines_for_which_it_is_true_on_bigquery(text: str) -> None:
    assert excluded(ask_google(question(text))) == (COMMON | BIGQUERY)[text]


def test_the_engine_gets_the_text_of_the_user_unchanged() -> None:
    text = "status  =\n'paid'   and nOt  gift"
    for dialect in ("duckdb", "bigquery"):
        assert passed(text, dialect) == f"({text})"
        query = question(text).pipeline(dialect).query()
        assert "(status = 'paid' and nOt gift)" in " ".join(query.split())


@pytest.mark.slow
def test_the_first_of_several_conditions_names_the_reason() -> None:
    input_question = question("status = 'paid'")
    conditions = {"small": "size < 5", "paid": "status = 'paid'", "any_size": "size IS NOT NULL"}
    input_question = Question(
        COLUMNS, input_question.rows, {**input_question.settings, "exclude": conditions}
    )
    for answer in (ask_duckdb(input_question), ask_google(input_question)):
        assert {reason: lines for reason, (lines, _) in answer.excluded.items()} == {
            "small": 3,
            "any_size": 2,
        }


# Invalid SQL

NOT_ONE_EXPRESSION = (
    "",
    "   ",
    "status =",
    "status = 'paid",
    "status = 'paid')",
    "(status = 'paid'",
    "TRUE) OR (TRUE",
    "status = 'a') FROM source WHERE (TRUE",
    "status = 'a', size = 3",
    "status = 'a') AS a, (size = 3",
    "status = 'a' size = 3",
    "status = 'a' ORDER BY 1",
    "status = 'a' LIMIT 1",
    "status = 'a' GROUP BY 1",
    "status = 'a' QUALIFY TRUE",
    "status = 'a' UNION ALL SELECT TRUE",
    "TRUE) UNION ALL SELECT (TRUE",
    "SELECT TRUE",
    "DROP TABLE source",
    "WHERE status = 'a'",
)
SEVERAL_STATEMENTS = ("status = 'a';", "TRUE; DROP TABLE source", "TRUE); DROP TABLE source; SELECT (TRUE")
COMMENTS = (
    "status = 'a' -- paid",
    "-- paid\nTRUE",
    "TRUE /* so */",
    "status = /* ' */ 'a'",
    "TRUE --",
    "TRUE) --",
)
READS_ELSEWHERE = (
    "size IN (SELECT 1)",
    "size = (SELECT MAX(size) FROM source)",
    "EXISTS (SELECT 1 FROM source)",
    "NOT EXISTS (SELECT * FROM source)",
    "size > ALL (SELECT 1)",
    "CASE WHEN (SELECT TRUE) THEN TRUE ELSE FALSE END",
)
LOOKS_AT_OTHER_LINES = (
    "COUNT(*) > 1",
    "SUM(size) > 10",
    "size = MAX(size)",
    "ANY_VALUE(status) = 'a'",
    "ARRAY_AGG(size) IS NULL",
    "ROW_NUMBER() OVER (ORDER BY size) = 1",
    "SUM(size) OVER () > 1",
    "LAG(size) OVER (ORDER BY ordered_at) = size",
    "NOT (size > AVG(size))",
)
NOT_TRUE_OR_FALSE = ("size + 1", "'paid'", "1", "NULL", "-size", "status || 'x'")
OTHER = ("*", "size = ?", "size = :size", "status AS paid")
DUCKDB_ONLY = (
    "size = (FROM source)",
    "unnest([TRUE, FALSE])",
    "size = unnest([1, 2])",
    "list_filter([1], x -> x > size) = [1]",
    "size = $1",
    "size = $size",
)
BIGQUERY_ONLY = (
    "size = @size",
    "@@project_id = 'a'",
    "status = 'a' # paid",
    "ARRAY_LENGTH(ARRAY(SELECT 1)) = 1",
    "COUNTIF(gift) > 1",
    "LOGICAL_OR(gift)",
    "APPROX_COUNT_DISTINCT(status) > 1",
)
NONDETERMINISTIC = (
    *("CURRENT_DATE > ordered_at", "CURRENT_TIMESTAMP IS NULL", "CURRENT_DATE = ordered_at AND size = 1"),
    *("ordered_at < CAST(CURRENT_TIMESTAMP AS DATE)", "LOWER(CAST(CURRENT_DATE AS TEXT)) = status"),
)
UNREPEATABLE_IN_DUCKDB = (
    *(
        "random() < 0.5",
        "uuid() = status",
        "gen_random_uuid() IS NULL",
        "uuidv7() IS NULL",
        "now() > ordered_at",
    ),
    *(
        "today() > ordered_at",
        "getenv('HOME') = status",
        "nextval('s') = 1",
        "current_setting('threads') = 'a'",
    ),
    *(
        "localtimestamp > ordered_at",
        "transaction_timestamp() IS NULL",
        "current_user = status",
        "version() = 'a'",
    ),
    *("getvariable('x') = 1", "ago(INTERVAL 1 DAY) > ordered_at", "coalesce(size, random()) > 1"),
)
UNREPEATABLE_IN_BIGQUERY = (
    *("RAND() < 0.5", "GENERATE_UUID() = status", "CURRENT_DATE('Asia/Tokyo') > ordered_at"),
    *(
        "CURRENT_DATETIME() IS NULL",
        "CURRENT_TIME() IS NULL",
        "SESSION_USER() = status",
        "ERROR('a') = status",
    ),
)

REFUSED = {
    text: why
    for texts, why in [
        (
            NOT_ONE_EXPRESSION,
            r"it can't be parsed|it is not one expression|it is not a condition|it uses a subquery",
        ),
        (SEVERAL_STATEMENTS, "it has a semicolon|it can't be parsed"),
        (COMMENTS, "it has a comment"),
        (READS_ELSEWHERE, "it uses a subquery"),
        (LOOKS_AT_OTHER_LINES, "it uses (an aggregate|a window|`\\*`)"),
        (NOT_TRUE_OR_FALSE, "it is not a condition that is true or false"),
        (OTHER, "it uses (`\\*`|a parameter|)"),
        (NONDETERMINISTIC, "does not depend on the line alone|may only use values of the line itself"),
    ]
    for text in texts
}


@pytest.mark.parametrize("dialect", ["duckdb", "bigquery"])
@pytest.mark.parametrize("text", REFUSED)
def test_sql_that_is_not_one_condition_on_a_line_is_rejected(text: str, dialect: str) -> None:
    assert_refused(text, dialect)


@pytest.mark.parametrize("text", [text for text in REFUSED if text not in NOT_ONE_EXPRESSION])
def test_the_error_says_why_the_sql_is_invalid(text: str) -> None:
    with pytest.raises(ExpressionError, match=REFUSED[text]):
        passed(text)


@pytest.mark.parametrize("text", [*DUCKDB_ONLY, *UNREPEATABLE_IN_DUCKDB])
def test_invalid_sql_of_duckdb_only_is_rejected(text: str) -> None:
    assert_refused(text, "duckdb")


@pytest.mark.parametrize("text", [*BIGQUERY_ONLY, *UNREPEATABLE_IN_BIGQUERY])
def test_invalid_sql_of_bigquery_only_is_rejected(text: str) -> None:
    assert_refused(text, "bigquery")


# Patch releases of DuckDB also mark functions of dates, such as `year`, as consistent within a query only.
CURRENT = (
    "current_database", "current_date", "current_schema", "current_schemas", "current_setting",
    "get_current_time", "get_current_timestamp", "getvariable", "in_search_path", "now", "today",
    "transaction_timestamp", "txid_current",
)  # fmt: skip


def test_every_volatile_function_of_duckdb_is_rejected() -> None:
    with empty_database() as connection:
        functions = connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions()"
            " WHERE function_type = 'scalar' AND stability = 'VOLATILE' ORDER BY ALL"
        ).fetchall()
    names = [name for (name,) in functions]
    assert {"random", "nextval", "uuid"} <= set(names)
    for name in (*names, *CURRENT):
        assert_refused(f"{name}() = status")
        assert_refused(f"LOWER({name}(status)) = 'a'")


def test_age_is_rejected() -> None:
    assert_refused("age(ordered_at) > INTERVAL 1 YEAR")


def test_a_columns_expression_is_rejected() -> None:
    assert_refused("COLUMNS('s') = 'a'")


@pytest.mark.parametrize(
    "text", ["AI.GENERATE(status).result = 'a'", "KEYS.NEW_KEYSET('AEAD_AES_GCM_256') IS NULL"]
)
def test_a_volatile_function_of_bigquery_is_rejected(text: str) -> None:
    assert_refused(text, "bigquery")


@pytest.mark.slow
def test_a_number_sign_after_an_escaped_quote_is_not_a_comment() -> None:
    assert excluded(ask_google(question("status = 'it\\'s #1' OR status = 'paid'"))) == {"plain"}


@pytest.mark.slow
def test_a_list_in_an_array_is_valid_on_bigquery() -> None:
    assert excluded(ask_google(question("status IN UNNEST(['paid', 'PAID'])"))) == {"plain", "upper"}


def test_like_with_an_escape_is_valid() -> None:
    assert excluded(ask_duckdb(question("status LIKE '%$%' ESCAPE '$'"))) == {"percent"}


@pytest.mark.parametrize(
    "text", ["state = 'paid'", "LOWER(Stattus) = 'a'", "\"status \" = 'a'", "source.size = 1"]
)
def test_the_error_names_an_unknown_column(text: str) -> None:
    with pytest.raises(ColumnError) as caught:
        passed(text)
    assert "`unwanted`" in caught.value.message
    assert "status" in (caught.value.hint or "")


def test_valid_sql_does_not_end_the_enclosing_parenthesis() -> None:
    """A valid text is one expression: as a column of a SELECT, it changes no other column."""
    for text in COMMON:
        with empty_database() as connection:
            connection.execute(
                "CREATE TABLE source (status VARCHAR, size INT, gift BOOL, amount INT, ordered_at DATE)"
            )
            bound = connection.sql(f"SELECT 1 AS one, NOT {passed(text)} AS two, 3 AS three FROM source")
            assert bound.columns == ["one", "two", "three"]


# Conditions on one column, without SQL

NASTY: tuple[str, ...] = (
    "",
    " ",
    "\t",
    "a",
    "A",
    "a ",
    "it's",
    "''",
    '"',
    "back\\slash",
    "\\",
    "\\n",
    "line\nbreak",
    "\r",
    "%",
    "_",
)
NASTY += (
    "😀",
    "Ünal",
    "0",
    "null",
    "NULL",
    "--",
    ";",
    "a'); DROP TABLE source; --",
    "{}",
    "?",
    "$1",
    "@a",
    "\u2028",
)
texts = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
)


def meets(test: Mapping[str, Any], value: str | None) -> bool:
    if "blank" in test:
        return bool(value is None or not value.strip("\t\n\v\f\r\x85 \xa0\u2028")) == bool(test["blank"])
    listed: Sequence[str] = test.get("equals") or test["not_equals"]
    return (value in listed) == ("equals" in test)


def lines_with(values: list[str | None]) -> dict[str, dict[str, Any]]:
    return {f"c{number:02}": {"status": value} for number, value in enumerate(values)}


@max_examples(60)
@given(
    st.lists(st.one_of(texts, st.none()), min_size=1, max_size=12),
    st.lists(texts, min_size=1, max_size=4),
    st.booleans(),
)
@example([*NASTY, None], list(NASTY[3:]), True)
@example([*NASTY, None], ["a"], False)
def test_values_are_compared_exactly(values: list[str | None], listed: list[str], equal: bool) -> None:
    """NULL equals none of the listed values."""
    test = {"column": "status", "equals" if equal else "not_equals": listed}
    lines = lines_with(values)
    answer = ask_duckdb(question(test, lines))
    assert excluded(answer, lines) == {name for name, line in lines.items() if meets(test, line["status"])}


@pytest.mark.slow
@max_examples(10, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    st.lists(st.one_of(texts, st.none()), min_size=1, max_size=12),
    st.lists(texts, min_size=1, max_size=4),
    st.booleans(),
)
@example([*NASTY, None], list(NASTY[3:]), True)
@example([*NASTY, None], ["a"], False)
def test_values_are_compared_exactly_on_bigquery(
    values: list[str | None], listed: list[str], equal: bool
) -> None:
    test = {"column": "status", "equals" if equal else "not_equals": listed}
    lines = lines_with(values)
    answer = ask_google(question(test, lines))
    assert excluded(answer, lines) == {name for name, line in lines.items() if meets(test, line["status"])}


@pytest.mark.parametrize("ask", [ask_duckdb, pytest.param(ask_google, marks=pytest.mark.slow)])
@pytest.mark.parametrize("blank", [True, False])
def test_blank_is_null_or_whitespace(blank: bool, ask: Any) -> None:
    lines = lines_with([*NASTY, None, "\n \t\r", "\xa0", " a "])
    test = {"column": "status", "blank": blank}
    gone = excluded(ask(question(test, lines)), lines)
    assert gone == {name for name, line in lines.items() if meets(test, line["status"])}
    assert 3 < len(gone) < len(lines) - 3


@pytest.mark.parametrize("ask", [ask_duckdb, pytest.param(ask_google, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("test", "gone"),
    [
        ({"column": "size", "equals": ["3", "12", "paid"]}, {"plain", "test"}),
        ({"column": "size", "equals": "3"}, {"plain"}),
        ({"column": "size", "not_equals": ["3"]}, {"upper", "test", "bare", "nothing", "percent"}),
        ({"column": "size", "blank": True}, {"nothing"}),
        ({"column": "size", "blank": False}, LINES.keys() - {"nothing"}),
        ({"column": "gift", "equals": ["true"]}, {"upper", "bare"}),
        ({"column": "ordered_at", "equals": ["2024-05-17"]}, set(LINES)),
        ({"column": "ordered_at", "not_equals": ["2024-05-17"]}, set()),
        ({"column": "Ship To", "equals": ["Côte d'Ivoire", " "]}, {"percent", "bare"}),
        ({"column": "ship to", "equals": ["France"]}, {"upper"}),
    ],
)
def test_a_column_of_any_type_is_compared_by_its_text(test: dict[str, Any], gone: set[str], ask: Any) -> None:
    assert excluded(ask(question(test))) == gone


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "value", "written"), [("NUMERIC", Decimal("1.5"), "1.5"), ("FLOAT64", 2.0, "2")]
)
def test_a_number_with_decimals_is_compared_by_the_same_text_in_both_engines(
    kind: str, value: Any, written: str
) -> None:
    columns = {**COLUMNS, "weight": kind}
    input_question = question({"column": "weight", "equals": [written]}, {"one": {"weight": value}})
    input_question = Question(columns, input_question.rows, input_question.settings)
    assert ask_google(input_question).segments == []
    assert ask_duckdb(input_question).segments == []


@pytest.mark.slow
def test_a_column_of_any_name_is_quoted() -> None:
    for name in (
        "Ship To",
        'a "quoted" one',
        "it's",
        "select",
        "back\\slash",
        "Ünal",
        "x.y",
        "line\nbreak",
        "😀",
    ):
        columns = {**COLUMNS, name: "STRING"}
        test = {"column": name, "equals": ["here"]}
        input_question = question(test, {"one": {name: "here"}, "other": {name: "there"}})
        input_question = Question(columns, input_question.rows, input_question.settings)
        assert [row["customer_id"] for row in ask_duckdb(input_question).segments] == ["other"], name
        assert quoted(name) in input_question.pipeline("duckdb").query()


def test_the_error_names_an_unknown_column_of_a_condition() -> None:
    with pytest.raises(ColumnError, match="`Stattus`") as caught:
        question({"column": "Stattus", "blank": True}).pipeline("duckdb")
    assert "did you mean `status`" in (caught.value.hint or "")
