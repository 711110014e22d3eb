"""Grammar of the users' SQL: exclusions, audits, and sources that are a SELECT."""

from __future__ import annotations

from hypothesis import strategies as st

from support.fuzz import Input
from support.fuzz_settings import toml
from support.fuzz_values import encodable

COLUMNS = (
    "customer_id",
    "order_id",
    "ordered_at",
    "amount",
    '"amount"',
    "AMOUNT",
    "x",
    "t.amount",
    "segments.segment",
    "segment",
    "*",
    "é",
)
ATOMS = (
    "1", "-1.5", "1e400", "NULL", "TRUE", "'x'", "''", "'it''s'", "'unclosed", "DATE '2025-01-05'",
    "DATE 'x'", "INTERVAL 1 DAY", "?", "$1",
    ":name", "@x", "CURRENT_DATE", "now()", "random()", "[1, 2]", "{'a': 1}", "(1, 2)", "x'00'", "'\x00'",
    "$$a$$", "E'\\n'", "1_000", "0x1F",
)  # fmt: skip
OPERATORS = (
    "+",
    "-",
    "*",
    "/",
    "%",
    "||",
    "=",
    "<>",
    "<",
    ">=",
    "AND",
    "OR",
    "LIKE",
    "IN",
    "IS",
    "~",
    "::",
    "->",
    "BETWEEN",
    ",",
    ";",
    "COLLATE",
    "^@",
)
CALLS = (
    "LOWER({})", "CAST({} AS INTEGER)", "TRY_CAST({} AS DATE)", "COUNT({})", "SUM({}) OVER ()",
    "ROW_NUMBER() OVER (ORDER BY {})", "NOT {}",
    "({})", "(({}))", "CASE WHEN {} THEN 1 END", "{} IS NULL", "{} IN (1, 'x')", "EXISTS (SELECT {})",
    "(SELECT {})", "COALESCE({}, 1)",
    "getenv('HOME')", "read_csv('orders.csv')", "error('{}')", "regexp_matches({}, '(')",
    "list_transform([1], x -> {})", "x -> {}",
    "UNNEST([{}])", "COLUMNS('.*') {}", "strftime({}, '%Y')", "{} AS x", "-- {}", "/* {}", "{} -- end",
    "SAFE_CAST({} AS INT64)", "[{}]",
)  # fmt: skip
STATEMENTS = (
    "SELECT {}", "SELECT * FROM segments WHERE {}", "SELECT customer_id, {} FROM segments",
    "SELECT * FROM previous WHERE {}",
    "SELECT * FROM segments s JOIN previous p ON {}", "WITH x AS (SELECT {}) FROM x", "FROM segments",
    "VALUES ({})", "TABLE segments",
    "SELECT {} FROM segments GROUP BY ALL", "SELECT {} UNION ALL SELECT 1", "SELECT * FROM 'orders.csv'",
    "SELECT * FROM orders WHERE {}",
    "DELETE FROM segments", "DROP TABLE segments", "COPY segments TO 'stolen.csv'", "ATTACH 'stolen.duckdb'",
    "PRAGMA database_list",
    "INSTALL spatial", "SET threads = 1", "EXPLAIN SELECT {}", "CALL pragma_version()",
    "SELECT 1; SELECT {}", "EXPORT DATABASE 'stolen'",
    "SELECT * FROM read_text('rfm.toml')", "SELECT * FROM duckdb_secrets()", "SUMMARIZE segments",
    "DESCRIBE segments", "BEGIN", "",
    "SELECT * EXCLUDE (customer_id) FROM segments WHERE {}", "PIVOT segments ON segment",
    "SELECT * FROM segments LIMIT {}", "UPDATE x SET y = {}",
)  # fmt: skip
LINES = (
    "SELECT * FROM 'orders.csv'",
    "SELECT *, {} AS extra FROM 'orders.csv'",
    "SELECT * FROM 'orders.csv' WHERE {}",
)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    """Draw an expression, which mostly can be parsed."""
    kind = draw(st.integers(0, 9)) if depth else draw(st.integers(0, 4))
    if kind <= 4:
        atom: str = draw(st.sampled_from(draw(st.sampled_from([COLUMNS, ATOMS]))))
        return atom
    inner = draw(expressions(depth - 1))
    if kind <= 7:
        return f"{inner} {draw(st.sampled_from(OPERATORS))} {draw(expressions(depth - 1))}"
    if kind == 8:
        return draw(st.sampled_from(CALLS)).replace("{}", inner)
    return f"{inner} {draw(encodable)}"


@st.composite
def inputs(draw: st.DrawFn) -> Input:
    """Draw an exclusion, an audit or a source, and a command that uses it."""
    text = draw(expressions())
    command = draw(st.sampled_from(["check", "sql", "run"]))
    writes = ("rfm.duckdb",) if command == "run" else ()
    place = draw(st.sampled_from(["flag", "exclude", "skip", "audit", "audit", "source"]))
    if place == "flag":
        flags = [
            "--exclude",
            f"{draw(st.sampled_from(['x', 'x', 'x', 'X', '', '9', 'future_dated']))}={text}".replace(
                "\0", ""
            ),
        ]
        return Input((command, "orders.csv", *flags), {}, {}, writes)
    if place in {"exclude", "skip"}:
        return Input(
            (command, "orders.csv"),
            {"rfm.toml": f"{place}.x = {toml(text)}\n".encode("utf-8", "replace")},
            {},
            writes,
        )
    statements = STATEMENTS if place == "audit" else (*LINES, *LINES, *LINES, *STATEMENTS)
    query = draw(st.sampled_from(statements)).replace("{}", text)
    if place == "audit":
        level = draw(st.sampled_from(["block", "warn", "off", "x"]))
        config = f'audits.queries.x = {{ query = {toml(query)}, level = "{level}" }}\n'
        return Input((command, "orders.csv"), {"rfm.toml": config.encode("utf-8", "replace")}, {}, writes)
    to = ["--replace-source"] if command == "run" else []
    return Input((command, "lines.sql", *to), {"lines.sql": query.encode("utf-8", "replace")}, {}, writes)
