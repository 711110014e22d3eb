"""The commands `run`, `check` and `sql`; errors of every command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from support.cli import Outcome, Rfm
from support.databases import empty_database
from support.orders import EXPECTED_ROWS, ORDERS, contents, published, refused, run_python


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


# Errors


def test_in_a_container_the_hint_names_bigquery_its_variables_and_the_mount_of_the_key(
    rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTAINER_IMAGE", "rfm-pipeline")
    sentence, hint = refused(rfm("run"))
    assert sentence == "There is no source to read."
    for words in (
        "-e RFM_SOURCE=bigquery://PROJECT.DATASET.TABLE -e RFM_TO=bigquery://PROJECT.DATASET ",
        ' -v "$PWD/credentials.json:/run/secrets/credentials.json:ro"',
        " -e GOOGLE_APPLICATION_CREDENTIALS=/run/secrets/credentials.json;",
        "`run orders.csv`",
        "`demo`",
    ):
        assert words in hint


@pytest.mark.guarantee("errors", "exit-codes")
@pytest.mark.parametrize(
    ("arguments", "sentence", "hint"),
    [
        (["bogus"], "No such command 'bogus'.", "`rfm --help`"),
        (["run", "--binz", "3"], "No such option: --binz", "`rfm run --help`"),
        (["run", "a.csv", "b.csv"], "unexpected extra argument", "`rfm run --help`"),
        (["run", "--bins", "many"], "Invalid value for '--bins'", "`rfm run --help`"),
        (["run"], "There is no source to read.", "name a file, as in `rfm run orders.csv`"),
        (["run", "order.csv"], "order.csv does not exist.", "did you mean orders.csv?"),
        (["check", "orders.csv", "-p", "gird"], 'There is no preset "gird".', 'did you mean "grid"?'),
        (["sql", "orders.csv", "--dialect", "oracle"], "There is no dialect 'oracle'.", "choose duckdb or"),
        (["run", "orders.csv", "--exclude", "x"], "--exclude takes NAME=CONDITION, not 'x'.", "for example"),
        (
            ["run", "orders.csv", "-o", "a.pdf"],
            "The output a.pdf has no known format",
            "end its name in one of",
        ),
        (["demo", "--lines", "many"], "--lines takes a whole number, not 'many'.", "for example --lines"),
        (["demo", "--source", "orders.csv"], "orders.csv exists already.", "`--force` overwrites it."),
        (["presets", "clasic"], 'There is no preset "clasic".', 'did you mean "classic"?'),
        (["presets", "--toml"], "--toml needs the name of a preset.", "for example"),
    ],
)
def test_an_error_is_one_sentence_and_a_hint(
    arguments: list[str], sentence: str, hint: str, rfm: Rfm, orders: Path
) -> None:
    before = contents(orders.parent)
    printed_sentence, printed_hint = refused(rfm(*arguments))
    assert sentence in printed_sentence
    assert hint in printed_hint
    assert contents(orders.parent) == before


@pytest.mark.guarantee("errors", "exit-codes")
def test_a_bug_is_reported_in_one_sentence_without_a_traceback(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_with_bug(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nothing by nothing\nand more")

    monkeypatch.setattr("rfm_pipeline.pipeline.run.run", run_with_bug)
    sentence, hint = refused(rfm("run", orders), code=1)
    assert sentence == "A bug in rfm: ZeroDivisionError: nothing by nothing."
    assert "rfm --debug" in hint


@pytest.mark.slow
def test_debug_adds_the_traceback_and_keeps_the_exit_code(tmp_path: Path) -> None:
    done = run_python("-m", "rfm_pipeline", "--debug", "run", str(tmp_path / "nothing.csv"))
    assert done.returncode == 2
    assert "Traceback (most recent call last):" in done.stderr
    assert done.stderr.splitlines()[-2].startswith("error: ")
    assert done.stdout == ""


@pytest.mark.guarantee("audited", "previous-result-unchanged", "exit-codes")
def test_a_failed_audit_has_exit_code_3_and_keeps_the_published_result(rfm: Rfm, orders: Path) -> None:
    assert rfm("run", orders).code == 0
    before = contents(orders.parent)
    sentence, hint = refused(rfm("run", orders, "--as-of", "2001-01-01", "-o", "segments.csv"), code=3)
    # Two of the eleven lines have no customer or no valid date.
    assert "11 lines" in sentence
    assert "9 as future_dated" in sentence
    assert "source_not_empty" in hint
    assert contents(orders.parent) == before


@pytest.mark.guarantee("exit-codes")
def test_a_locked_destination_has_exit_code_5_and_names_the_process(rfm: Rfm, orders: Path) -> None:
    assert rfm("run", orders).code == 0
    lock = "import duckdb; c = duckdb.connect('rfm.duckdb'); print('locked', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", lock], cwd=orders.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        (orders.parent / "rfm.toml").write_text("duckdb.lock_timeout = 0\n", encoding="utf-8")
        sentence, _ = refused(rfm("run", orders), code=5)
        holder.communicate(b"\n")
    assert f"(process {holder.pid})" in sentence
    assert rfm("run", orders).code == 0


# rfm run


def test_a_run_publishes_the_figures_computed_by_hand(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    ended = rfm("run", orders, "--json")
    assert (ended.code, ended.stderr) == (0, "")
    columns = "customer_id, recency_days, frequency, monetary, first_order_date::TEXT, last_order_date::TEXT"
    assert (
        published(tmp_path / "rfm.duckdb", f"SELECT {columns} FROM rfm_segments ORDER BY customer_id")
        == EXPECTED_ROWS
    )
    result = ended.json
    assert result["rows"] == {
        "read": 11,
        "kept": 7,
        "excluded": {
            "invalid_date": 1,
            "missing_customer": 1,
            "non_positive_price": 1,
            "non_positive_quantity": 1,
        },
    }
    assert result["amount"] == {
        "kept": "163.4999",
        "excluded": {
            "invalid_date": "9.00",
            "missing_customer": "9.00",
            "non_positive_price": "0.00",
            "non_positive_quantity": "-2.50",
        },
        "repeated_total": None,
    }
    assert (result["customers"], result["orders"], result["revenue"]) == (4, 6, "163.4999")
    assert (result["as_of"], result["engine"], result["status"]) == ("2024-03-01", "duckdb", "published")
    assert result["destination"] == "duckdb:rfm.duckdb#rfm_segments"


def test_json_is_one_object_with_the_documented_keys(rfm: Rfm, orders: Path) -> None:
    result = rfm("run", orders, "--json", "-o", "a.csv", "-o", "b.parquet").json
    assert set(result) >= {
        "run_id", "status", "as_of", "engine", "rows", "amount", "customers", "orders", "revenue", "edges",
        "segments", "audits", "destination", "outputs", "duration_s", "bytes_processed",
    }  # fmt: skip
    assert set(result["rows"]) == {"read", "kept", "excluded"}
    assert set(result["amount"]) == {"kept", "excluded", "repeated_total"}
    assert set(result["edges"]) == {"recency_days", "frequency", "monetary"}
    assert all(set(audit) == {"name", "status", "detail", "rows"} for audit in result["audits"])
    assert {"segment", "customers", "revenue"} <= set(result["segments"][0])
    assert [entry["segment"] for entry in result["segments"]][:2] == ["Champions", "Loyal Customers"]
    assert result["outputs"] == ["a.csv", "b.parquet"]
    assert result["bytes_processed"] == len(ORDERS)
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{6}", result["run_id"])


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("columns", "revenue"),
    [
        ("9.99::FLOAT AS amount", "2997.00"),
        ("3::FLOAT AS quantity, 9.99::FLOAT AS unit_price", "8991.00"),
        ("0.1::FLOAT AS quantity, 9.99::DOUBLE AS unit_price", "299.70"),
        ("9.99::FLOAT AS amount, 1.01::FLOAT AS refund", "2694.00"),
        ("9.99::DOUBLE AS amount, 1.01::DOUBLE AS refund", "2694.00"),
        ("{'paid': 9.99::FLOAT} AS money", "2997.00"),
    ],
)
def test_a_32_bit_float_is_read_as_its_shortest_decimal(
    columns: str, revenue: str, rfm: Rfm, tmp_path: Path
) -> None:
    lines = f"SELECT n % 7 AS customer_id, n AS order_id, DATE '2025-01-01' AS ordered_at, {columns}"
    duckdb.connect().execute(
        f"COPY ({lines} FROM range(300) t(n)) TO '{tmp_path / 'a.parquet'}' (FORMAT parquet)"
    )
    flags = (["--refund", "refund"] if "refund" in columns else []) + (
        ["--amount", "money.paid"] if "money" in columns else []
    )
    assert rfm("run", "a.parquet", "--json", *flags).json["revenue"] == revenue


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("flags", "revenue", "detail"),
    [
        ((), "3002.00", "1 line left out as invalid_amount: '1,234' can be read in two ways"),
        (("--thousands", ","), "4236.00", "No line was left out"),
        (("--decimal", ","), "3003.234", "No line was left out"),
    ],
)
def test_an_ambiguous_number_below_whole_ones_is_reported_until_it_is_settled(
    flags: tuple[str, ...], revenue: str, detail: str, rfm: Rfm, tmp_path: Path
) -> None:
    lines = [f"a{number},{number},2025-01-01,1" for number in range(3_002)]
    lines.append('a,a,2025-01-01,"1,234"')
    (tmp_path / "a.csv").write_text("\n".join(["customer_id,order_id,ordered_at,Total", *lines]))
    result = rfm("run", "a.csv", "--json", *flags).json
    (audit,) = [audit["detail"] for audit in result["audits"] if audit["name"] == "amounts_read"]
    assert audit.startswith(detail)
    assert result["revenue"] == revenue


def test_money_in_json_is_an_exact_decimal_string(rfm: Rfm, orders: Path) -> None:
    result = rfm("run", orders, "--json").json
    money = [
        result["revenue"],
        result["amount"]["kept"],
        *result["amount"]["excluded"].values(),
        *result["edges"]["monetary"],
        *(entry["revenue"] for entry in result["segments"]),
    ]
    assert all(isinstance(value, str) and re.fullmatch(r"-?\d+\.\d{2,9}", value) for value in money), money
    assert result["edges"]["monetary"] == ["0.9999", "7.00", "30.00"]


def test_the_terminal_shows_the_figures_of_the_json_output(rfm: Rfm, orders: Path) -> None:
    result = rfm("run", orders, "--json").json
    ended = rfm("run", orders)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.startswith("orders.csv  as of 2024-03-01\n")
    assert "11 lines read, 7 kept (63.6 %), 4 excluded\n" in ended.stdout
    assert re.search(r"\n  1  missing_customer +9\.00", ended.stdout)
    assert re.search(r"\n  1  invalid_date +9\.00  such as '2024-02-30'", ended.stdout)
    assert "\n4 customers, 6 orders, revenue 163.50\n" in ended.stdout
    for entry in result["segments"]:
        assert re.search(rf"\n{entry['segment']} +{entry['customers']} ", ended.stdout)
    assert "\nPublished duckdb:rfm.duckdb#rfm_segments\n" in ended.stdout
    warnings = [audit["detail"] for audit in result["audits"] if audit["status"] == "warning"]
    assert len(warnings) == 3
    assert all(f"! {warning}" in " ".join(ended.stdout.split()) for warning in warnings)


def test_quiet_publishes_and_prints_nothing(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    ended = rfm("run", orders, "--quiet")
    assert ended == Outcome(0, "", "")
    assert len(published(tmp_path / "rfm.duckdb")) == 4


@pytest.mark.slow
def test_the_source_dash_is_stdin(orders: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rfm_pipeline", "run", "-", "--json"],
        cwd=tmp_path, input=orders.read_bytes(), capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["source"] == "standard input"
    assert [row[0] for row in published(tmp_path / "rfm.duckdb")] == ["007", "ann", "bob", "cyd"]


@pytest.mark.slow
def test_a_source_in_the_destinations_file_is_not_changed(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    file = tmp_path / "shop.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE SCHEMA raw; CREATE TABLE raw.orders AS FROM read_csv('{orders}')")
    lines = published(file, "FROM raw.orders ORDER BY ALL")
    for _ in range(2):
        ended = rfm("run", f"duckdb:{file}#raw.orders", "--to", f"duckdb:{file}")
        assert ended.code == 0, ended.stderr
    assert published(file, "FROM raw.orders ORDER BY ALL") == lines
    assert len(published(file)) == 4


def test_a_table_of_another_schema_is_never_replaced(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "rfm.duckdb")) as connection:
        connection.execute("CREATE TABLE rfm_segments AS SELECT 1 AS other")
    before = contents(tmp_path)
    sentence, hint = refused(rfm("run", orders))
    assert "rfm_segments" in sentence
    assert "--to" in hint
    assert contents(tmp_path) == before


def test_the_source_is_never_overwritten(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    before = contents(tmp_path)
    assert (
        refused(rfm("run", "orders.csv", "--output", orders))[0]
        == f"The output {orders} is the source itself."
    )
    assert contents(tmp_path) == before


def test_the_destination_is_the_named_table(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert rfm("run", orders, "--to", "duckdb:shop.duckdb#daily").code == 0
    assert len(published(tmp_path / "shop.duckdb", "FROM daily")) == 4
    assert not (tmp_path / "rfm.duckdb").exists()


# rfm check


@pytest.mark.guarantee("check-writes-nothing")
def test_a_check_writes_nothing(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    before = contents(tmp_path)
    ended = rfm("check", orders, "--output", "segments.csv")
    assert (ended.code, ended.stderr) == (0, "")
    assert "duckdb:rfm.duckdb#rfm_segments" in ended.stdout
    assert contents(tmp_path) == before
    assert rfm("run", orders).code == 0
    before = contents(tmp_path)
    ended = rfm("check", orders)
    assert "4 customers as of 2024-03-01" in ended.stdout
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_a_check_as_json_has_columns_destination_and_outputs(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    result = rfm("check", orders, "--json", "--unit-price", "unit_price", "-o", "a.csv").json
    assert result["columns"] == {
        "customer_id": {"column": "customer_id", "type": "VARCHAR", "configured": False},
        "order_id": {"column": "order_id", "type": "VARCHAR", "configured": False},
        "ordered_at": {"column": "order_date", "type": "VARCHAR", "configured": False},
        "quantity": {"column": "quantity", "type": "VARCHAR", "configured": False},
        "unit_price": {"column": "unit_price", "type": "VARCHAR", "configured": True},
    }
    assert result["destination"] == "duckdb:rfm.duckdb#rfm_segments"
    assert result["published"] == {"as_of": None, "customers": 0}
    assert (result["recognised"], result["outputs"]) == (None, ["a.csv"])
    assert len(result["segments"]) == 10
    assert rfm("run", orders).code == 0
    assert rfm("check", orders, "--json").json["published"] == {"as_of": "2024-03-01", "customers": 4}


@pytest.mark.guarantee("check-writes-nothing")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--exclude", "odd=contry = 'FR'"],
        ["--exclude", "odd=SUM(quantity) > 1"],
        ["--customer-id", "cutomer"],
        ["--bins", "3"],
        ["--as-of", "2024-02-30"],
        ["--to", "duckdb:nowhere/rfm.duckdb"],
        ["--output", "nowhere/segments.csv"],
    ],
)
def test_a_check_fails_with_the_errors_of_a_run(arguments: list[str], rfm: Rfm, orders: Path) -> None:
    before = contents(orders.parent)
    checked, ran = rfm("check", orders, *arguments), rfm("run", orders, *arguments)
    assert checked.code == 2
    assert (checked.stdout, checked.stderr) == (ran.stdout, ran.stderr)
    assert contents(orders.parent) == before


# rfm sql


@pytest.mark.guarantee("one-query")
def test_the_printed_query_returns_the_published_rows(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    before = contents(tmp_path)
    query = rfm("sql", orders.name, "--exclude", "foreign=country = 'FR' AND quantity = '4'").stdout
    assert contents(tmp_path) == before
    assert rfm("run", orders, "--exclude", "foreign=country = 'FR' AND quantity = '4'").code == 0
    with empty_database() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        cursor = connection.execute(query)
        names = [column[0] for column in cursor.description or ()]
        rows = cursor.fetchall()
    assert rows == published(
        tmp_path / "rfm.duckdb", f"SELECT {', '.join(names)} FROM rfm_segments ORDER BY 1"
    )


def test_the_query_for_bigquery_reads_the_named_table(rfm: Rfm, orders: Path) -> None:
    named = rfm("sql", orders, "--dialect", "bigquery", "--table", "shop.sales.lines").stdout
    assert "FROM `shop`.`sales`.`lines`" in named
    assert "SAFE_CAST" in named
    assert "read_csv" not in named
    assert "FROM `project`.`dataset`.`transactions`" in rfm("sql", orders, "--dialect", "bigquery").stdout


CHECKED = {
    "an order that differs between files": {
        "a/1.csv": "order_id,customer_id,date,amount\n1,a,2026-01-05,10\n2,b,2026-01-06,20\n",
        "a/2.csv": "order_id,customer_id,date,amount\n1,a,2026-01-05,30\n3,b,2026-02-06,20\n",
    },
    "hardly any customer": {
        "a/1.csv": "order_id,customer_id,date,amount\n1,a,2026-01-05,10\n"
        + "".join(f"{n},,2026-01-06,20\n" for n in range(2, 42))
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKED)
def test_a_check_refuses_what_a_run_of_the_same_lines_refuses(name: str, rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for path, text in CHECKED[name].items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    checked, ended = rfm("check", tmp_path / "a"), rfm("run", tmp_path / "a")
    assert checked.code == ended.code != 0
    # A run also says where the staged tables are kept.
    said = [outcome.stderr.split(" The staged tables")[0].strip() for outcome in (checked, ended)]
    assert said[0] == said[1]
