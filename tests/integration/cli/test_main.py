"""The commands `run`, `check` and `sql`, and how any command starts, speaks and fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline import __version__
from rfm_pipeline.cli.help import COMMANDS
from support.cli import Outcome, Rfm
from support.orders import BY_HAND, ORDERS, child, contents, published, refused


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


# Starting up

LOADED = """
import json, sys
from rfm_pipeline.cli import main
try:
    main()
except SystemExit:
    print("\\n" + json.dumps(sorted(sys.modules)))
"""
ENGINES = {
    "duckdb",
    "_duckdb",
    "sqlglot",
    "pydantic",
    "fastexcel",
    "xlsxwriter",
    "rfm_pipeline.config.loader",
}


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], ENGINES | {"msgspec", "typer", "rich"}),
        (["--version"], ENGINES | {"msgspec", "typer", "rich"}),
        *((([command, "--help"]), ENGINES) for command in COMMANDS),
        (["run", "--nonsense"], ENGINES),
        (["presets"], {"_duckdb", "fastexcel", "xlsxwriter"}),
        (["presets", "grid"], {"_duckdb", "fastexcel", "xlsxwriter"}),
        (["init"], {"_duckdb", "sqlglot", "fastexcel", "xlsxwriter"}),
        (["schedule", "cron", "--program", "/opt/rfm"], ENGINES | {"yaml"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_loads_only_what_it_needs(
    arguments: list[str], unwanted: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = child("-c", LOADED, *arguments)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "rfm_pipeline.cli.main" in loaded
    assert unwanted & loaded == set()


def test_a_run_loads_no_optional_part(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(orders.parent)
    loaded = json.loads(child("-c", LOADED, "run", str(orders)).stdout.splitlines()[-1])
    # The engine is loaded without what its package puts around it.
    assert "_duckdb" in loaded
    absent = {"duckdb", "pydantic", "fastexcel", "xlsxwriter", "pandas", "polars", "pyarrow", "google.cloud"}
    assert not absent & set(loaded)


@pytest.mark.parametrize("arguments", [["--version"], ["run", "--help"], ["presets", "--json"]])
def test_python_dash_m_is_the_command(arguments: list[str], rfm: Rfm) -> None:
    done = child("-m", "rfm_pipeline", *arguments, COLUMNS="120")
    assert (done.returncode, done.stderr) == (0, "")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert plain == re.sub(r"\x1b\[[0-9;]*m", "", rfm(*arguments).stdout)


def test_the_version_is_the_packages(rfm: Rfm) -> None:
    assert rfm("--version").stdout == f"rfm {__version__}\n"


def test_the_commands_are_these() -> None:
    assert sorted(COMMANDS) == [
        "backfill", "calibrate", "check", "demo", "explain", "export", "init", "load", "presets", "report",
        "rollback", "run", "runs", "schedule", "sql", "transitions",
    ]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_help_says_what_it_does_and_gives_examples(command: str, rfm: Rfm) -> None:
    ended = rfm(command, "--help")
    text = re.sub(r"\x1b\[[0-9;]*m", "", ended.stdout)
    assert (ended.code, ended.stderr) == (0, "")
    assert f"Usage: rfm {command} [OPTIONS]" in text
    function = getattr(import_module(f"rfm_pipeline.cli.commands.{command}"), command)
    summary = function.__doc__.splitlines()[0]
    assert re.fullmatch(r"[A-Z].{20,}\.", summary)
    # What `rfm --help` says without loading the command.
    assert summary == COMMANDS[command]
    about, _, examples = text.partition("Examples:")
    assert summary in " ".join(about.split())
    assert re.search(rf"\n +rfm {command}\b", examples)
    assert rfm(command, "-h").stdout == ended.stdout


def test_the_overview_says_what_each_command_does(rfm: Rfm) -> None:
    ended = rfm("--help")
    assert (ended.code, ended.stderr) == (0, "")
    text = re.sub(r"[│╭╮╰╯─\s]+", " ", ended.stdout)
    for command, summary in COMMANDS.items():
        assert f" {command} {summary} " in text
    for arguments in (["-h"], ["--help", "run"], ["--debug", "--help"]):
        assert rfm(*arguments).stdout == ended.stdout


@pytest.mark.parametrize("columns", [40, 80, 300])
def test_the_overview_is_as_wide_as_the_terminal_and_no_wider(columns: int) -> None:
    lines = child("-m", "rfm_pipeline", "--help", COLUMNS=str(columns)).stdout.splitlines()
    frames = [line for line in lines if line.startswith(("╭", "│", "╰"))]
    assert {len(line) for line in frames} == {min(columns, 100)}
    assert max(map(len, lines)) == min(columns, 100)


@pytest.mark.parametrize(
    ("environ", "is_coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_the_overview_is_in_colour_where_that_is_wanted(environ: dict[str, str], is_coloured: bool) -> None:
    assert ("\x1b[" in child("-m", "rfm_pipeline", "--help", **environ).stdout) is is_coloured


def test_without_a_command_it_says_how_to_start(rfm: Rfm) -> None:
    ended = rfm()
    assert ended.code == 2
    assert "Usage: rfm" in re.sub(r"\x1b\[[0-9;]*m", "", ended.stdout)
    assert (
        ended.stderr
        == "error: No command was given.\nhint: start with `rfm demo`, or with `rfm run orders.csv`.\n"
    )


# Errors


@pytest.mark.parametrize(
    ("arguments", "sentence", "hint"),
    [
        (["bogus"], "No such command 'bogus'.", "`rfm --help` lists what there is."),
        (["run", "--binz", "3"], "No such option: --binz", "`rfm run --help` lists what there is."),
        (["run", "a.csv", "b.csv"], "unexpected extra argument", "`rfm run --help` lists what there is."),
        (["run", "--bins", "many"], "Invalid value for '--bins'", "`rfm run --help` lists what there is."),
        (["run"], "There is no source to read.", "name a file, as in `rfm run orders.csv`"),
        (["run", "order.csv"], "order.csv does not exist.", "did you mean orders.csv?"),
        (["check", "orders.csv", "-p", "gird"], 'There is no preset "gird".', 'did you mean "grid"?'),
        (["sql", "orders.csv", "--dialect", "oracle"], "There is no dialect 'oracle'.", "choose duckdb or"),
        (["run", "orders.csv", "--exclude", "x"], "--exclude takes NAME=CONDITION, not 'x'.", "for example"),
        (["run", "orders.csv", "-o", "a.pdf"], "The output a.pdf has no format", "end its name in one of"),
        (["demo", "--lines", "many"], "--lines takes a whole number, not 'many'.", "for example --lines"),
        (["demo", "--source", "orders.csv"], "orders.csv is there already.", "`--force` overwrites it."),
        (["presets", "clasic"], 'There is no preset "clasic".', 'did you mean "classic"?'),
        (["presets", "--toml"], "--toml prints one preset, and none is named.", "for example"),
    ],
)
def test_an_error_is_one_sentence_and_a_hint(
    arguments: list[str], sentence: str, hint: str, rfm: Rfm, orders: Path
) -> None:
    before = contents(orders.parent)
    said = refused(rfm(*arguments))
    assert sentence in said[0]
    assert hint in said[1]
    assert contents(orders.parent) == before


def test_a_bug_of_ours_is_said_and_not_dumped(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nothing by nothing\nand more")

    monkeypatch.setattr("rfm_pipeline.pipeline.run.run", broken)
    sentence, hint = refused(rfm("run", orders), code=1)
    assert sentence == "A bug in rfm: ZeroDivisionError: nothing by nothing."
    assert "rfm --debug" in hint


def test_debug_shows_the_traceback_too_and_keeps_the_exit_code(tmp_path: Path) -> None:
    done = child("-m", "rfm_pipeline", "--debug", "run", str(tmp_path / "nothing.csv"))
    assert done.returncode == 2
    assert "Traceback (most recent call last):" in done.stderr
    assert done.stderr.splitlines()[-2].startswith("error: ")
    assert done.stdout == ""


def test_a_failed_audit_is_exit_code_3_and_leaves_what_was_published(rfm: Rfm, orders: Path) -> None:
    assert rfm("run", orders).code == 0
    before = contents(orders.parent)
    sentence, hint = refused(rfm("run", orders, "--as-of", "2001-01-01", "-o", "segments.csv"), code=3)
    # Eleven lines; two of them name no customer or no date.
    assert sentence == (
        "Nothing was published, because an audit failed: All 11 lines were excluded, 9 as future_dated."
    )
    assert "source_not_empty" in hint
    assert contents(orders.parent) == before


def test_a_destination_that_is_held_is_exit_code_5_and_names_the_holder(rfm: Rfm, orders: Path) -> None:
    assert rfm("run", orders).code == 0
    hold = "import duckdb; c = duckdb.connect('rfm.duckdb'); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], cwd=orders.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        (orders.parent / "rfm.toml").write_text("duckdb.lock_timeout = 0\n", encoding="utf-8")
        sentence, _ = refused(rfm("run", orders), code=5)
        holder.communicate(b"\n")
    assert f"(process {holder.pid})" in sentence
    assert rfm("run", orders).code == 0


# rfm run


def test_a_run_publishes_what_was_computed_by_hand(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    ended = rfm("run", orders, "--json")
    assert (ended.code, ended.stderr) == (0, "")
    columns = "customer_id, recency_days, frequency, monetary, first_order_date::TEXT, last_order_date::TEXT"
    assert (
        published(tmp_path / "rfm.duckdb", f"SELECT {columns} FROM rfm_segments ORDER BY customer_id")
        == BY_HAND
    )
    said = ended.json
    assert said["rows"] == {
        "read": 11,
        "kept": 7,
        "excluded": {
            "invalid_date": 1,
            "missing_customer": 1,
            "non_positive_price": 1,
            "non_positive_quantity": 1,
        },
    }
    assert said["amount"] == {
        "kept": "163.4999",
        "excluded": {
            "invalid_date": "9.00",
            "missing_customer": "9.00",
            "non_positive_price": "0.00",
            "non_positive_quantity": "-2.50",
        },
    }
    assert (said["customers"], said["orders"], said["revenue"]) == (4, 6, "163.4999")
    assert (said["as_of"], said["engine"], said["status"]) == ("2024-03-01", "duckdb", "published")
    assert said["destination"] == "duckdb:rfm.duckdb#rfm_segments"


def test_json_is_one_object_with_the_keys_of_the_design(rfm: Rfm, orders: Path) -> None:
    said = rfm("run", orders, "--json", "-o", "a.csv", "-o", "b.parquet").json
    assert set(said) >= {
        "run_id", "status", "as_of", "engine", "rows", "amount", "customers", "orders", "revenue", "edges",
        "segments", "audits", "destination", "outputs", "duration_s", "bytes_processed",
    }  # fmt: skip
    assert set(said["rows"]) == {"read", "kept", "excluded"}
    assert set(said["amount"]) == {"kept", "excluded"}
    assert set(said["edges"]) == {"recency_days", "frequency", "monetary"}
    assert all(set(audit) == {"name", "status", "detail", "rows"} for audit in said["audits"])
    assert {"segment", "customers", "revenue"} <= set(said["segments"][0])
    assert [entry["segment"] for entry in said["segments"]][:2] == ["Champions", "Loyal Customers"]
    assert said["outputs"] == ["a.csv", "b.parquet"]
    assert said["bytes_processed"] == len(ORDERS)
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{6}", said["run_id"])


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
def test_a_number_of_32_bits_is_the_one_that_it_prints_as(
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


@pytest.mark.parametrize(
    ("flags", "revenue", "told"),
    [
        ((), "3900101.00", "1 line left out as invalid_amount: '1,234' can be read in two ways"),
        (("--thousands", ","), "3901335.00", "No number was left out"),
    ],
)
def test_a_number_that_can_be_read_in_two_ways_is_told_until_it_is_said_which(
    flags: tuple[str, ...], revenue: str, told: str, rfm: Rfm, tmp_path: Path
) -> None:
    lines = ['a,1,2025-01-01,"1,234"', 'b,2,2025-01-02,"3,900,100"', "c,3,2025-01-03,1"]
    (tmp_path / "a.csv").write_text("\n".join(["customer_id,order_id,ordered_at,Total", *lines]))
    said = rfm("run", "a.csv", "--json", *flags).json
    (audit,) = [audit["detail"] for audit in said["audits"] if audit["name"] == "amounts_read"]
    assert audit.startswith(told)
    assert said["revenue"] == revenue


def test_money_in_json_is_an_exact_decimal_string(rfm: Rfm, orders: Path) -> None:
    said = rfm("run", orders, "--json").json
    money = [
        said["revenue"],
        said["amount"]["kept"],
        *said["amount"]["excluded"].values(),
        *said["edges"]["monetary"],
        *(entry["revenue"] for entry in said["segments"]),
    ]
    assert all(isinstance(value, str) and re.fullmatch(r"-?\d+\.\d{2,9}", value) for value in money), money
    assert said["edges"]["monetary"] == ["0.9999", "7.00", "30.00"]


def test_a_table_for_people_tells_what_json_tells(rfm: Rfm, orders: Path) -> None:
    said = rfm("run", orders, "--json").json
    ended = rfm("run", orders)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.startswith("orders.csv  as of 2024-03-01\n")
    assert "11 lines read, 7 kept (63.6 %), 4 excluded\n" in ended.stdout
    assert re.search(r"\n  1  missing_customer +9\.00", ended.stdout)
    assert re.search(r"\n  1  invalid_date +9\.00  such as '2024-02-30'", ended.stdout)
    assert "\n4 customers, 6 orders, revenue 163.50\n" in ended.stdout
    for entry in said["segments"]:
        assert re.search(rf"\n{entry['segment']} +{entry['customers']} ", ended.stdout)
    assert "\nPublished duckdb:rfm.duckdb#rfm_segments\n" in ended.stdout
    # A collapsed bin is the only thing to be warned of here.
    (warning,) = [audit["detail"] for audit in said["audits"] if audit["status"] == "warning"]
    assert f"! {warning}" in " ".join(ended.stdout.split())


def test_quiet_prints_nothing_and_publishes_all_the_same(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    ended = rfm("run", orders, "--quiet")
    assert ended == Outcome(0, "", "")
    assert len(published(tmp_path / "rfm.duckdb")) == 4


def test_stdin_is_read_where_the_source_is_a_dash(orders: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rfm_pipeline", "run", "-", "--json"],
        cwd=tmp_path, input=orders.read_bytes(), capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["source"] == "standard input"
    assert [row[0] for row in published(tmp_path / "rfm.duckdb")] == ["007", "ann", "bob", "cyd"]


def test_a_source_in_the_destinations_own_file_stays_as_it_was(
    rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    file = tmp_path / "shop.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE SCHEMA raw; CREATE TABLE raw.orders AS FROM read_csv('{orders}')")
    lines = published(file, "FROM raw.orders ORDER BY ALL")
    for _ in range(2):
        ended = rfm("run", f"duckdb:{file}#raw.orders", "--to", f"duckdb:{file}")
        assert ended.code == 0, ended.stderr
    assert published(file, "FROM raw.orders ORDER BY ALL") == lines
    assert len(published(file)) == 4


def test_a_table_of_another_shape_is_never_replaced(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "rfm.duckdb")) as connection:
        connection.execute("CREATE TABLE rfm_segments AS SELECT 1 AS precious")
    before = contents(tmp_path)
    sentence, hint = refused(rfm("run", orders))
    assert "rfm_segments" in sentence
    assert "--to" in hint
    assert contents(tmp_path) == before


def test_the_source_is_never_written_over(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    before = contents(tmp_path)
    assert (
        refused(rfm("run", "orders.csv", "--output", orders))[0]
        == f"The output {orders} is the source itself."
    )
    assert contents(tmp_path) == before


def test_the_destination_is_the_table_that_was_named(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert rfm("run", orders, "--to", "duckdb:shop.duckdb#daily").code == 0
    assert len(published(tmp_path / "shop.duckdb", "FROM daily")) == 4
    assert not (tmp_path / "rfm.duckdb").exists()


# rfm check


def test_a_check_writes_nothing(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    before = contents(tmp_path)
    ended = rfm("check", orders, "--output", "segments.csv")
    assert (ended.code, ended.stderr) == (0, "")
    assert "A run would publish duckdb:rfm.duckdb#rfm_segments,\nwhere there is no result yet" in ended.stdout
    assert contents(tmp_path) == before
    assert rfm("run", orders).code == 0
    before = contents(tmp_path)
    ended = rfm("check", orders)
    assert "in place of 4 customers as of 2024-03-01." in ended.stdout
    assert contents(tmp_path) == before


def test_a_check_tells_machines_what_a_run_would_do(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    said = rfm("check", orders, "--json", "--unit-price", "unit_price", "-o", "a.csv").json
    assert said["columns"] == {
        "customer_id": {"column": "customer_id", "type": "VARCHAR", "configured": False},
        "order_id": {"column": "order_id", "type": "VARCHAR", "configured": False},
        "ordered_at": {"column": "order_date", "type": "VARCHAR", "configured": False},
        "quantity": {"column": "quantity", "type": "VARCHAR", "configured": False},
        "unit_price": {"column": "unit_price", "type": "VARCHAR", "configured": True},
    }
    assert said["destination"] == "duckdb:rfm.duckdb#rfm_segments"
    assert said["published"] == {"as_of": None, "customers": 0}
    assert (said["recognised"], said["outputs"]) == (None, ["a.csv"])
    assert len(said["segments"]) == 10
    assert rfm("run", orders).code == 0
    assert rfm("check", orders, "--json").json["published"] == {"as_of": "2024-03-01", "customers": 4}


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
def test_a_check_refuses_what_a_run_would_refuse(arguments: list[str], rfm: Rfm, orders: Path) -> None:
    before = contents(orders.parent)
    checked, ran = rfm("check", orders, *arguments), rfm("run", orders, *arguments)
    assert checked.code == 2
    assert (checked.stdout, checked.stderr) == (ran.stdout, ran.stderr)
    assert contents(orders.parent) == before


# rfm sql


def test_the_printed_query_gives_the_published_rows_by_hand(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    before = contents(tmp_path)
    query = rfm("sql", orders.name, "--exclude", "foreign=country = 'FR' AND quantity = '4'").stdout
    assert contents(tmp_path) == before
    assert rfm("run", orders, "--exclude", "foreign=country = 'FR' AND quantity = '4'").code == 0
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        by_hand = connection.execute(query)
        names = [column[0] for column in by_hand.description or ()]
        rows = by_hand.fetchall()
    assert rows == published(
        tmp_path / "rfm.duckdb", f"SELECT {', '.join(names)} FROM rfm_segments ORDER BY 1"
    )


def test_the_query_for_bigquery_reads_the_table_that_was_named(rfm: Rfm, orders: Path) -> None:
    named = rfm("sql", orders, "--dialect", "bigquery", "--table", "shop.sales.lines").stdout
    assert "FROM `shop`.`sales`.`lines`" in named
    assert "SAFE_CAST" in named
    assert "read_csv" not in named
    assert "FROM `project`.`dataset`.`transactions`" in rfm("sql", orders, "--dialect", "bigquery").stdout
