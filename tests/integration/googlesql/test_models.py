"""Models for dbt, Dataform and scheduled queries: the tools compile them, and they have a run's rows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from rfm_pipeline.common.schema import Column, Kind, Partition, Pseudocolumn
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.presets import load_preset
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.models.model import MODEL_COLUMNS
from rfm_pipeline.sql.partition_pruning import prune_partitions
from support import dataform, dbt_project
from support.cli import Rfm
from support.engines import fill, in_order
from support.googlesql import GoogleSql

pytestmark = pytest.mark.xdist_group("googlesql")

TODAY = datetime.now(UTC).date()
RUN_TIME = "@run_time"
COLUMNS = {
    "customer_id": "STRING", "order_id": "STRING", "order_date": "DATE", "amount": "NUMERIC",
    "country": "STRING",
}  # fmt: skip
ORDERS: list[dict[str, Any]] = [
    {
        "customer_id": f"c{number % 9}",
        "order_id": f"o{number}",
        "order_date": TODAY - timedelta(days=days),
        "amount": Decimal(amount),
        "country": "XX" if number % 11 == 0 else "FR",
    }
    for number, (days, amount) in enumerate(
        [(3 * n * n % 400, 7 + 13 * n % 50) for n in range(30)]
        + [(-3, 900), (0, 5), (1, 6), (2, -4), (800, 70), (350, 0)]
    )
]
PARTITIONS = [
    *(Partition("day", kind) for kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)),
    *(
        Partition(Pseudocolumn.INGESTION, Kind.TIMESTAMPTZ, unit=unit)
        for unit in ("HOUR", "DAY", "MONTH", "YEAR")
    ),
    *(Partition(Pseudocolumn.SHARD, Kind.TEXT, unit=unit) for unit in ("DAY", "MONTH", "YEAR")),
]
TYPES = {
    "customer_id": "STRING", "recency_days": "INT64", "frequency": "INT64", "monetary": "NUMERIC",
    "avg_order_value": "NUMERIC", "first_order_date": "DATE", "last_order_date": "DATE", "r_score": "INT64",
    "f_score": "INT64", "m_score": "INT64", "rfm_score": "STRING", "segment": "STRING", "as_of_date": "DATE",
}  # fmt: skip
CASES: Mapping[str, tuple[str, Sequence[str]]] = {
    "text": ("orders.csv", ["--timezone", "Pacific/Auckland", "--exclude", "tests=country = 'XX'"]),
    "latest": (
        "orders.parquet",
        ["--as-of", "latest", "--window", "13 months", "--returns", "net", "-p", "grid"],
    ),
    "yesterday": ("orders.parquet", ["--as-of", "yesterday", "--window", "90 days", "-p", "shopify"]),
    "awkward": (
        # In a comment of Dataform, a backslash and what follows it are an escape of JavaScript.
        r"or\x{1ders.parquet",
        ["--exclude", r"odd=country IN ('{{ x }}', '{% y', '${1 + 1}', 'js {', '--', '# `')"],
    ),
}  # fmt: skip


@pytest.fixture
def shop(rfm: Rfm, tmp_path: Path) -> Path:
    with duckdb.connect() as connection:
        fill(connection, "orders", COLUMNS, ORDERS)
        connection.execute(
            f"COPY orders TO '{tmp_path}/orders.parquet'; COPY orders TO '{tmp_path}/orders.csv'"
        )
    shutil.copy(tmp_path / "orders.parquet", tmp_path / CASES["awkward"][0])
    return tmp_path


@pytest.mark.parametrize(
    "case", ["text", "latest", pytest.param("yesterday", marks=pytest.mark.long), "awkward"]
)
def test_a_model_has_the_rows_of_a_run(case: str, shop: Path, rfm: Rfm) -> None:
    file, options = CASES[case]
    model = printed(rfm, file, "dbt", options)
    missing = re.search(r"-- Columns of rfm run that are not here: (.+)\.", model)
    assert missing is not None
    assert {*missing[1].split(", "), *MODEL_COLUMNS} == set(RESULT_COLUMNS)
    table = "`shop`.`sales`.`orders`"
    sql = dbt_project.rendered(model, {"sales.orders": table})
    rows = evaluated(sql, file)
    assert len(rows) >= 5
    (as_of,) = {row["as_of_date"] for row in rows}
    # The date on which the model was evaluated: midnight may have passed since.
    run = rfm("run", file, "--quiet", *without_as_of(options), "--as-of", as_of)
    assert run.code == 0, run.stderr
    with duckdb.connect(str(shop / "rfm.duckdb"), read_only=True) as connection:
        cursor = connection.execute(f"SELECT {', '.join(MODEL_COLUMNS)} FROM rfm_segments")
        published = [dict(zip(MODEL_COLUMNS, row, strict=True)) for row in cursor.fetchall()]
    assert in_order(rows) == in_order(published)
    # The other tools get the same query.
    script = printed(rfm, file, "scheduled-query", options)
    query = re.search(r"CREATE TEMP TABLE rfm_scored AS\n(.+?);\n\nASSERT", script, re.DOTALL)
    assert query is not None
    in_script = re.sub(r"DATE\(@run_time, ('[^']+')\)", r"CURRENT_DATE(\1)", query[1])
    assert in_script == sql[sql.index("WITH\n") :].rstrip()
    assert statements_of_dataform(rfm, shop, file, options) == sql[
        sql.index("-- RFM segments") :
    ].strip().replace(table, "`shop.sales.orders`")


def printed(rfm: Rfm, file: str, tool: str, options: Sequence[str] = ()) -> str:
    ended = rfm("sql", file, "--for", tool, "--table", "shop.sales.orders", *options)
    assert ended.code == 0, ended.stderr
    return ended.stdout


def evaluated(sql: str, file: str) -> list[dict[str, Any]]:
    """Return the rows of a query over the orders in a table of BigQuery."""
    rows, columns = ORDERS, COLUMNS
    if file.endswith(".csv"):
        columns = dict.fromkeys(COLUMNS, "STRING")
        rows = [{name: str(value) for name, value in row.items()} for row in ORDERS]
    name = "shop.sales.orders"
    return GoogleSql.load().execute(sql, {name: columns}, {name: rows})


def without_as_of(options: Sequence[str]) -> list[str]:
    named = [*options, "--as-of", ""]
    place = named.index("--as-of")
    return [*named[:place], *named[place + 2 : len(options)]]


def statements_of_dataform(rfm: Rfm, folder: Path, file: str, options: Sequence[str]) -> str:
    graph = compiled_by_dataform(rfm, folder / "definitions", file, options)
    (table,) = graph["tables"]
    return str(table["query"]).strip()


def compiled_by_dataform(rfm: Rfm, folder: Path, file: str, options: Sequence[str]) -> dict[str, Any]:
    arguments = ("sql", file, "--for", "dataform", "--table", "shop.sales.orders", "-o", folder, *options)
    assert rfm(*arguments).code == 0
    try:
        return dataform.compile_project(folder.parent)
    except dataform.UnavailableError as error:
        pytest.skip(str(error))


def test_a_name_of_a_column_reaches_the_query_as_it_is(shop: Path, rfm: Rfm) -> None:
    names = ["Ann's id", "{{ order }} ${x}", "js {", "{% `day`"]
    lines = ["1,A,5,2024-01-02", "2,B,7,2024-01-03"]
    header = ",".join(f'"{name}"' for name in names)
    (shop / "names.csv").write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    roles = ("--customer-id", "--order-id", "--amount", "--ordered-at")
    options = [word for pair in zip(roles, names, strict=True) for word in pair]
    sql = dbt_project.rendered(
        printed(rfm, "names.csv", "dbt", options), {"sales.orders": "`shop.sales.orders`"}
    )
    for name in names:
        assert dialect_of("bigquery").quoted_name(name) in sql
    assert statements_of_dataform(rfm, shop, "names.csv", options) == sql[sql.index("-- RFM") :].strip()


@pytest.mark.parametrize("window", ["1 day", "3 weeks", "13 months", "2 years"])
def test_a_moving_bound_is_that_of_a_run_on_the_day(window: str) -> None:
    """The day before and after the turn of a year, in each kind of partition."""
    mapping = ColumnMapping(Column(("id",), Kind.TEXT, "STRING"), Column(("day",), Kind.DATE, "DATE"))
    pairs = []
    for as_of, partition in product((date(2024, 12, 31), date(2025, 1, 1)), PARTITIONS):
        options = Settings.of({**load_preset("classic"), "preset": (), "window": window, "as_of": as_of})
        arguments = ("t", partition, mapping, options, dialect_of("bigquery"))
        relations = (
            prune_partitions(*arguments),
            prune_partitions(*arguments, as_of=f"DATE '{as_of}'"),
        )
        bounds = [
            relation.partition(" >= ")[2].partition(" OR ")[0].removesuffix("\n)") for relation in relations
        ]
        assert bounds[0] != bounds[1]
        pairs.append(f"{bounds[0]} = {bounds[1]}")
    (row,) = GoogleSql.load().execute(f"SELECT {', '.join(pairs)}", {}, {})
    assert set(row.values()) == {True}


# Dataform


def test_a_file_of_dataform_has_its_config_and_assertions(shop: Path, rfm: Rfm) -> None:
    graph = compiled_by_dataform(rfm, shop / "definitions", "orders.parquet", ["-p", "grid"])
    (table,) = graph["tables"]
    assert table["target"] == {"database": "shop", "schema": "crm", "name": "rfm_segments"}
    assert table["bigquery"] == {"clusterBy": ["segment"], "labels": {"created_by": "rfm-pipeline"}}
    described = {column["path"][0] for column in table["actionDescriptor"]["columns"]}
    assert described == set(MODEL_COLUMNS)
    (declaration,) = graph["declarations"]
    assert declaration["target"] == {"database": "shop", "schema": "sales", "name": "orders"}
    segments = "`shop.crm.rfm_segments`"
    for assertion in graph["assertions"]:
        assert segments in assertion["query"]
        GoogleSql.load().analyse(assertion["query"], {"shop.crm.rfm_segments": TYPES})
    assert len(graph["assertions"]) == 2


def test_a_file_of_dataform_keeps_each_as_of_date(shop: Path, rfm: Rfm) -> None:
    options = ["--history", "--timezone", "Europe/London"]
    (table,) = compiled_by_dataform(rfm, shop / "definitions", "orders.parquet", options)["tables"]
    assert (table["type"], table["bigquery"]["partitionBy"]) == ("incremental", "as_of_date")
    (delete,) = [text for text in table["incrementalPreOps"] if text.strip()]
    name = "shop.crm.rfm_segments_history"
    assert delete.strip() == f"DELETE FROM `{name}` WHERE as_of_date = CURRENT_DATE('Europe/London')"
    GoogleSql.load().analyse(delete, {name: TYPES})
    assert not any(text.strip() for text in table.get("preOps", []))


def test_a_printed_file_of_dataform_compiles_alone(shop: Path, rfm: Rfm) -> None:
    """Where the project declares the source already."""
    folder = shop / "definitions"
    folder.mkdir()
    (folder / "rfm_segments.sqlx").write_text(printed(rfm, "orders.parquet", "dataform"), encoding="utf-8")
    declaration = 'config { type: "declaration", database: "shop", schema: "sales", name: "orders" }'
    (folder / "orders.sqlx").write_text(declaration, encoding="utf-8")
    try:
        graph = dataform.compile_project(shop)
    except dataform.UnavailableError as error:
        pytest.skip(str(error))
    assert [table["target"]["name"] for table in graph["tables"]] == ["rfm_segments"]


# Scheduled queries


@pytest.mark.parametrize("history", [[], ["--history"]], ids=["current", "history"])
def test_googles_analyser_accepts_a_scheduled_query(history: list[str], shop: Path, rfm: Rfm) -> None:
    options = [*history, "--window", "24 months", "--as-of", "yesterday", "-p", "grid"]
    script = printed(rfm, "orders.parquet", "scheduled-query", options)
    target = f"shop.sales.rfm_segments{'_history' if history else ''}"
    assert set(re.findall(r"@\w+", "\n".join(code_lines(script)))) == {RUN_TIME}
    tables = {"shop.sales.orders": COLUMNS, "rfm_scored": TYPES, target: TYPES}
    GoogleSql.load().analyse(script.replace(RUN_TIME, "TIMESTAMP '2025-12-31 05:33:00+00'"), tables)


def test_a_scheduled_query_stops_before_it_publishes_wrong_rows(shop: Path, rfm: Rfm) -> None:
    script = printed(rfm, "orders.parquet", "scheduled-query")
    assert script.rindex("ASSERT") < script.index("CREATE OR REPLACE TABLE")
    checks = re.findall(r"^ASSERT \((.+?)^\) AS '(.+?)';$", script, re.DOTALL | re.MULTILINE)
    good = {"customer_id": "a", "segment": "Champions", "r_score": 4, "f_score": 4, "m_score": 4}
    wrong = {
        "no line counts": [],
        "several rows": [good, good],
        "is not valid": [good, {**good, "customer_id": "b", "segment": None}],
    }
    for sql, message in checks:
        (rows,) = [rows for text, rows in wrong.items() if text in message]
        assert list(asserted(sql, [good]).values()) == [True], message
        assert list(asserted(sql, rows).values()) == [False], message
    assert len(checks) == len(wrong)


def asserted(sql: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    (row,) = GoogleSql.load().execute(sql, {"rfm_scored": TYPES}, {"rfm_scored": rows})
    return row


def code_lines(script: str) -> list[str]:
    return [line for line in script.splitlines() if not line.startswith("--")]


# dbt


@pytest.mark.long
def test_dbt_compiles_the_models_and_their_tests(shop: Path, rfm: Rfm, tmp_path: Path) -> None:
    files: dict[str, str] = {}
    wanted: dict[str, str] = {}
    for case, (file, options) in CASES.items():
        history = ["--history"] if case == "yesterday" else []
        arguments = [*options, *history, "--name", f"rfm_{case}", "--table", f"shop.sales_{case}.orders"]
        ended = rfm("sql", file, "--for", "dbt", *arguments, "-o", tmp_path / "written")
        assert ended.code == 0, ended.stderr
        table = f"`shop`.`sales_{case}`.`orders`"
        for path in (tmp_path / "written").glob(f"rfm_{case}.*"):
            files[path.name] = path.read_text(encoding="utf-8")
        wanted[f"rfm_{case}.sql"] = dbt_project.rendered(
            files[f"rfm_{case}.sql"], {f"sales_{case}.orders": table}
        )
    try:
        compiled = dbt_project.compiled(files, tmp_path / "project")
    except dbt_project.UnavailableError as error:
        pytest.skip(str(error))
    assert {name: compiled[name].strip() for name in wanted} == {
        name: text.strip() for name, text in wanted.items()
    }
    tests = {name: sql for name, sql in compiled.items() if name not in wanted}
    assert len(tests) >= 4 * (len(MODEL_COLUMNS) + 4)
    tables = {f"shop.crm.rfm_{case}": TYPES for case in CASES}
    for sql in tests.values():
        GoogleSql.load().analyse(sql, tables)


def test_the_properties_of_a_dbt_model_name_source_columns_and_tests(shop: Path, rfm: Rfm) -> None:
    ended = rfm(
        "sql",
        "orders.parquet",
        "--for",
        "dbt",
        "-p",
        "grid",
        "--table",
        "my-shop.ga.events_*",
        "-o",
        "models",
    )
    assert ended.stdout.splitlines() == ["Wrote models/rfm_segments.sql.", "Wrote models/rfm_segments.yml."]
    properties = yaml.safe_load((shop / "models" / "rfm_segments.yml").read_text(encoding="utf-8"))
    (source,) = properties["sources"]
    assert (source["database"], source["schema"]) == ("my-shop", "ga")
    assert [(table["name"], table["identifier"]) for table in source["tables"]] == [("events", "events_*")]
    (model,) = properties["models"]
    columns = {column["name"]: column for column in model["columns"]}
    assert list(columns) == list(MODEL_COLUMNS)
    assert all(column["description"] and "not_null" in column["data_tests"] for column in columns.values())
    assert "unique" in columns["customer_id"]["data_tests"]
    (accepted,) = [test for test in columns["segment"]["data_tests"] if isinstance(test, dict)]
    assert "Can\\'t Lose Them" in accepted["accepted_values"]["arguments"]["values"]
    printed_alone = rfm(
        "sql", "orders.parquet", "--for", "dbt", "-p", "grid", "--table", "my-shop.ga.events_*"
    ).stdout
    assert (shop / "models" / "rfm_segments.yml").read_text(encoding="utf-8") in printed_alone
