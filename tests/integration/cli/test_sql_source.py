"""A .sql file of one SELECT as the source: what it gives, what is refused, and the line in each error."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.cli import Rfm
from support.orders import contents, refused

LINES = """\
customer,order,day,sku,qty
c1,1,2024-01-01,A,2
c1,2,2024-01-05,B,1
c2,3,2024-01-07,A,4
"""
PRICES = "sku,price\nA,2.50\nB,10\n"
QUERY = """\
-- One row per line of an order.
SELECT
  customer AS customer_id, "order" AS order_id, day AS order_date, qty AS quantity, price AS unit_price
FROM read_csv('lines.csv', all_varchar = true)
JOIN read_csv('prices.csv', all_varchar = true) USING (sku)
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "lines.csv").write_text(LINES, encoding="utf-8")
    (tmp_path / "prices.csv").write_text(PRICES, encoding="utf-8")
    (tmp_path / "lines.sql").write_text(QUERY, encoding="utf-8")
    return tmp_path


def query(folder: Path, text: str) -> Path:
    path = folder / "lines.sql"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_query_is_segmented_as_a_file_is(rfm: Rfm, shop: Path) -> None:
    result = rfm("run", "lines.sql", "--json").json
    assert result["source"] == "lines.sql"
    assert (result["customers"], result["orders"], result["revenue"]) == (2, 3, "25.00")
    assert result["columns"]["ordered_at"] == "order_date"
    assert rfm("runs", "--json").json["runs"][0]["rules"]["source"]["kind"] == "query"


@pytest.mark.matrix
@pytest.mark.parametrize(
    "text",
    [
        f"{QUERY};\n-- the end; of it\n",
        f"\ufeff{QUERY}-- without a line break",
        f"WITH l AS ({QUERY})\nSELECT * FROM l",
        f"({QUERY})",
        f"FROM ({QUERY})",
        f"{QUERY} UNION ALL {QUERY}",
        f"{QUERY} ORDER BY 1 LIMIT 100",
        "/* a ; b */ " + QUERY,
    ],
)
def test_a_select_may_be_written_in_many_ways(rfm: Rfm, shop: Path, text: str) -> None:
    query(shop, text)
    assert rfm("run", "lines.sql", "--json").json["customers"] == 2


@pytest.mark.slow
def test_other_commands_take_a_query(rfm: Rfm, shop: Path) -> None:
    assert rfm("check", "lines.sql", "--json").json["columns"]["customer_id"]["column"] == "customer_id"
    assert "JOIN read_csv('prices.csv', all_varchar = true) USING (sku)" in rfm("sql", "lines.sql").stdout
    assert rfm("explain", "c1", "lines.sql", "--json").json["customer_id"] == "c1"
    assert "run lines.sql" in rfm("schedule", "cron", "--", "run", "lines.sql").stdout
    assert rfm("init", "lines.sql").code == 0
    assert 'source = "lines.sql"' in (shop / "rfm.toml").read_text(encoding="utf-8")
    assert rfm("run", "-q").code == 0


@pytest.mark.slow
def test_paths_are_relative_to_the_current_folder(rfm: Rfm, shop: Path) -> None:
    folder = shop / "queries"
    folder.mkdir()
    (shop / "lines.sql").rename(folder / "lines.sql")
    assert rfm("run", "queries/lines.sql", "-q").code == 0


def test_text_columns_of_a_query_are_checked_as_those_of_a_file(rfm: Rfm, shop: Path) -> None:
    (shop / "lines.csv").write_text(
        LINES.replace("2024-01-0", "03/0").replace(",A", "/2024,A"), encoding="utf-8"
    )
    query(shop, QUERY.replace("day AS", "'03/04/2024' AS"))
    sentence, _ = refused(rfm("run", "lines.sql"), code=2)
    assert "03/04/2024" in sentence


@pytest.mark.slow
def test_types_that_duckdb_chooses_are_said(rfm: Rfm, shop: Path) -> None:
    assert rfm("check", "lines.sql", "--json").json["notes"] == []
    query(shop, QUERY.replace(", all_varchar = true", ""))
    assert ["all_varchar = true" in note for note in rfm("check", "lines.sql", "--json").json["notes"]] == [
        True
    ]


# What is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lines.sql holds no query."),
        ("-- nothing\n", "lines.sql holds no query."),
        ("\nDROP TABLE x", "lines.sql, line 2: it begins with DROP."),
        ("COPY (SELECT 1) TO 'x.csv'", "lines.sql, line 1: it begins with COPY."),
        ("INSTALL httpfs", "lines.sql, line 1: it begins with INSTALL."),
        ("-- a\nATTACH 'x.duckdb'", "lines.sql, line 2: it begins with ATTACH."),
        ("SET threads = 1", "lines.sql, line 1: it begins with SET."),
        ("PRAGMA database_list", "lines.sql, line 1: it begins with PRAGMA."),
        ("DESCRIBE SELECT 1", "lines.sql, line 1: it begins with DESCRIBE."),
        ("SELECT 1;\n\nCOPY x TO 'y.csv'", "lines.sql, line 3: there is a second statement."),
        ("SELECT 1;;", "lines.sql, line 1: there is a second statement."),
        ("WITH x AS (DELETE FROM y RETURNING *) SELECT * FROM x", "it uses DELETE, but may only read."),
        ("SELECT * INTO x FROM y", "it uses INTO, but may only read."),
        ("SELECT a,\n  b FROM x WHERE", "lines.sql, line 2: the SQL can't be parsed near 'WHERE'."),
        ("SELECT 1) AS x, (SELECT 2", "the SQL can't be parsed"),
        ("SELECT 'a", "lines.sql can't be read as SQL: a quote is never closed."),
        ("SELECT *\nFROM x WHERE y = $1", "lines.sql: it has a parameter, $1, which has no value."),
    ],
)
def test_only_one_select_is_accepted(rfm: Rfm, shop: Path, text: str, message: str) -> None:
    query(shop, text)
    before = contents(shop)
    sentence, hint = refused(rfm("run", "lines.sql"), code=2)
    assert message in sentence
    assert hint
    assert contents(shop) == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("price AS", "prize AS", 'lines.sql, line 3: referenced column "prize" not found in FROM clause.'),
        ("'lines.csv'", "'line.csv'", "lines.sql, line 4: line.csv does not exist."),
        (
            "read_csv('prices",
            "reed_csv('prices",
            "lines.sql, line 5: table Function with name reed_csv does not",
        ),
        (
            "read_csv('lines.csv', all_varchar = true)",
            "orders",
            "lines.sql, line 4: table with name orders does",
        ),
        ("'lines.csv'", "'https://example.com/lines.csv'", "lines.sql needs DuckDB's extension httpfs"),
        ("USING (sku)", "USING (sku) WHERE price > 1 AND", "lines.sql, line 5: the SQL can't be parsed"),
    ],
)
def test_errors_of_a_query_name_the_line_of_the_file(
    rfm: Rfm, shop: Path, old: str, new: str, message: str
) -> None:
    query(shop, QUERY.replace(old, new, 1))
    sentence, hint = refused(rfm("check", "lines.sql"), code=2)
    assert sentence.startswith(message)
    assert "LINE" not in sentence + hint


def test_errors_of_a_file_that_a_query_reads_name_the_file(rfm: Rfm, shop: Path) -> None:
    (shop / "prices.parquet").write_bytes(b"PAR1 cut off")
    query(shop, QUERY.replace("read_csv('prices.csv', all_varchar = true)", "'prices.parquet'"))
    sentence, _ = refused(rfm("run", "lines.sql"), code=2)
    assert sentence.startswith("prices.parquet ")


def test_a_cast_that_fails_is_an_error_of_the_query(rfm: Rfm, shop: Path) -> None:
    query(
        shop,
        QUERY.replace("qty AS quantity", "CAST(l.sku AS INTEGER) AS quantity").replace(
            "\nJOIN", " AS l\nJOIN"
        ),
    )
    sentence, hint = refused(rfm("run", "lines.sql"), code=2)
    assert "'A' can't be cast to INT32" in sentence
    assert "TRY_CAST" in hint


def test_a_query_that_can_not_be_found_or_read_is_an_error(rfm: Rfm, shop: Path) -> None:
    sentence, hint = refused(rfm("run", "line.sql"), code=2)
    assert sentence == "line.sql does not exist."
    assert "lines." in hint
    (shop / "lines.sql").write_bytes(b"SELECT '\xff'")
    assert "not UTF-8" in refused(rfm("run", "lines.sql"), code=2)[0]
    (shop / "folder.sql").mkdir()
    assert "is a folder" in refused(rfm("run", "folder.sql"), code=2)[0]


def test_variables_of_the_program_are_no_tables(rfm: Rfm, shop: Path) -> None:
    for name in ("connection", "query", "schema"):
        query(shop, f"SELECT * FROM {name}")
        sentence, _ = refused(rfm("check", "lines.sql"), code=2)
        assert f"table with name {name} does not exist" in sentence
