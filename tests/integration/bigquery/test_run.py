"""`rfm run bigquery://... --to bigquery://...` on the emulator publishes the same as on DuckDB."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rfm_pipeline.results.tables import PUBLISHED_COLUMNS, SUFFIXES
from support.bigquery_proxy import Proxy, Request, Response
from support.bigquery_shop import ORDER_LINES, PROJECT, Shop
from support.cli import Rfm
from support.generated import SEGMENT_PRESETS
from support.orders import EXPECTED_ROWS, ORDERS, published, refused, without_run_id

pytestmark = pytest.mark.xdist_group("bigquery")

RETAIL = {
    "InvoiceNo": "STRING",
    "StockCode": "STRING",
    "Description": "STRING",
    "Quantity": "INT64",
    "InvoiceDate": "DATETIME",
    "UnitPrice": "FLOAT64",
    "CustomerID": "FLOAT64",
    "Country": "STRING",
}

FIXED = """\
[scoring]
method = "fixed"
[scoring.recency]
edges = [30, 90, 365]
[scoring.frequency]
edges = [1, 2, 5]
[scoring.monetary]
edges = [100, 500.5, 2000]
"""

QUESTIONS = {
    **{preset: ("--preset", preset) for preset in SEGMENT_PRESETS},
    "ntile": ("--method", "ntile", "--preset", "classic"),
    "fixed": ("--config", "fixed.toml"),
    "net, in a moving window": ("--returns", "net", "--window", "6 months"),
    "as of a date": ("--as-of", "2011-06-30", "--window", "90 days", "--since", "2011-01-01"),
    "with an exclusion": ("--exclude", "wholesale=Quantity > 500 OR Country = 'Netherlands'"),
}


@pytest.fixture(scope="module")
def retail(emulator: str) -> Any:
    """The Online Retail data set as a table."""
    from support.real_data import real_data

    shop = Shop(emulator)
    shop.load_table("lines", RETAIL, real_data("online_retail.parquet"))
    yield shop
    shop.close()


@pytest.mark.guarantee("equal-scores")
@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.usefixtures("proxy")
def test_a_run_publishes_the_same_as_on_duckdb(
    question: str, retail: Shop, online_retail: Path, rfm: Rfm, tmp_path: Path
) -> None:
    (tmp_path / "fixed.toml").write_text(FIXED, encoding="utf-8")
    arguments = QUESTIONS[question]
    for suffix in SUFFIXES.values():
        retail.execute(f"DROP TABLE IF EXISTS {retail.name(f'rfm_segments{suffix}')}")
    on_bigquery = rfm("run", retail.source("lines"), "--to", retail.destination, *arguments, "--json")
    assert on_bigquery.code == 0, on_bigquery.stderr
    on_duckdb = rfm("run", online_retail, "--to", "duckdb:here.duckdb", *arguments, "--json")
    assert on_duckdb.code == 0, on_duckdb.stderr
    rows = without_run_id(tmp_path / "here.duckdb")
    assert len(rows) > 900
    assert retail.published_without_run_id() == rows
    same = ("as_of", "rows", "amount", "customers", "orders", "revenue", "edges", "segments", "audits")
    assert {name: on_bigquery.json[name] for name in same} == {name: on_duckdb.json[name] for name in same}


def test_previous_segments_equal_those_on_duckdb(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    source = bigquery_shop.create_table()
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for as_of in ("2024-01-31", "2024-02-25", "2024-02-25", "2024-03-01"):
        on_bigquery = rfm("run", source, "--to", bigquery_shop.destination, "--as-of", as_of)
        on_duckdb = rfm("run", "orders.csv", "--as-of", as_of)
        assert (on_bigquery.code, on_duckdb.code) == (0, 0), on_bigquery.stderr
        assert bigquery_shop.published_without_run_id() == without_run_id(tmp_path / "rfm.duckdb")
    previous = {row[0]: (row[-4], row[-3]) for row in bigquery_shop.published_rows()}
    assert previous["cyd"] == (None, previous["cyd"][1])
    assert previous["bob"][0] is not None


def test_a_run_publishes_the_hand_computed_result(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.create_table()
    ended = rfm("run", source, "--to", bigquery_shop.destination, "--json")
    assert ended.code == 0, ended.stderr
    rows = [(*row[:4], str(row[5]), str(row[6])) for row in bigquery_shop.published_rows()]
    assert rows == EXPECTED_ROWS
    result = ended.json
    assert result["engine"] == "bigquery"
    assert result["destination"] == f"{bigquery_shop.destination}.rfm_segments"
    assert {row[-1] for row in bigquery_shop.published_rows()} == {result["run_id"]}


def test_only_the_three_published_tables_remain(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.create_table()
    for window in ((), ("--window", "24 months")):
        ended = rfm("run", source, "--to", f"{bigquery_shop.destination}.vip", *window)
        assert ended.code == 0, ended.stderr
        assert bigquery_shop.tables() == ["orders", "vip", "vip_history", "vip_runs"]


@pytest.mark.guarantee("one-scan")
def test_the_source_is_read_once_and_jobs_have_ids_labels_and_limits(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy
) -> None:
    source = bigquery_shop.create_table()
    for window in ((), ("--window", "24 months", "--returns", "net", "--exclude", "far=country = 'FR'")):
        proxy.reset()
        ended = rfm("run", source, "--to", bigquery_shop.destination, "--json", *window)
        assert ended.code == 0, ended.stderr
        run_id = ended.json["run_id"]
        reads = [sql for sql in proxy.statements if bigquery_shop.name("orders") in sql]
        assert len(reads) == 1
        submitted = [request for request in proxy.requests if request.kind == "insert"]
        assert len(submitted) >= 8
        for request in submitted:
            configuration = request.json["configuration"]
            assert request.job_id.startswith(f"rfm-{run_id}-")
            assert request.job_id.endswith("-a1")
            assert configuration["query"]["maximumBytesBilled"] == str(2**40)
            assert configuration["jobTimeoutMs"] == "3600000"
            assert configuration["labels"]["rfm_run"] == run_id.lower()
            assert set(configuration["labels"]) == {"rfm_run", "rfm_step", "rfm_sql"}
            assert all(re.fullmatch("[a-z0-9_-]{1,63}", text) for text in configuration["labels"].values())
            assert request.json["jobReference"]["location"] == "US"
        assert ended.json["jobs"] == [request.job_id for request in submitted]
        assert len(set(ended.json["jobs"])) == len(submitted)


def test_staged_tables_have_an_expiry(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.create_table()
    assert rfm("run", source, "--to", bigquery_shop.destination, "--window", "24 months").code == 0
    created = [sql for sql in proxy.statements if sql.startswith("CREATE")]
    staged = [sql for sql in created if "rfm_segments__" in sql.partition("\n")[0]]
    assert len(staged) >= 4
    assert all("expiration_timestamp = TIMESTAMP '" in sql for sql in staged)
    assert len([sql for sql in created if sql not in staged]) == 1


def test_published_tables_are_typed_described_partitioned_and_clustered(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy
) -> None:
    assert rfm("run", bigquery_shop.create_table(), "--to", bigquery_shop.destination).code == 0
    (script,) = [sql for sql in proxy.statements if sql.startswith("CREATE TABLE IF NOT EXISTS")]
    statements = script.split(";\n")
    for statement, (name, columns) in zip(statements[:3], PUBLISHED_COLUMNS.items(), strict=True):
        table = f"{PROJECT}.{bigquery_shop.dataset}.rfm_segments{SUFFIXES[name]}"
        schema = bigquery_shop.client.get_table(table).schema
        types = {field.name: field.field_type for field in schema}
        assert list(types) == list(columns)
        assert statement.count("OPTIONS (description = '") == len(types) + 1
        assert "labels = [('created_by', 'rfm-pipeline')]" in statement
    assert {types["started_at"], types["as_of_date"], types["revenue"]} == {"TIMESTAMP", "DATE", "NUMERIC"}
    assert "CLUSTER BY segment" in statements[0]
    assert "PARTITION BY as_of_date\nCLUSTER BY segment" in statements[1]
    # Otherwise they have the default expirations of the dataset.
    never = ["SET OPTIONS (expiration_timestamp = NULL)"] * 3
    never[1] = "SET OPTIONS (expiration_timestamp = NULL, partition_expiration_days = NULL)"
    named = [bigquery_shop.name(f"rfm_segments{suffix}") for suffix in SUFFIXES.values()]
    assert statements[3:] == [
        f"ALTER TABLE {table} {options}" for table, options in zip(named, never, strict=True)
    ]


def test_the_usage_of_all_jobs_is_recorded(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    proxy.bytes_processed = 1000
    result = rfm("run", bigquery_shop.create_table(), "--to", bigquery_shop.destination, "--json").json
    jobs = len(result["jobs"])
    assert (result["bytes_processed"], result["bytes_billed"], result["slot_ms"]) == (
        jobs * 1000,
        jobs * 1000,
        jobs * 7,
    )


def test_the_log_links_to_each_job_in_the_console(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    ended = rfm("--debug", "run", bigquery_shop.create_table(), "--to", bigquery_shop.destination)
    assert ended.code == 0
    links = re.findall(r"^(\S+) (https://console\.cloud\.google\.com/\S+)$", ended.stderr, re.MULTILINE)
    submitted = [request.job_id for request in proxy.requests if request.kind == "insert"]
    for job_id, (_, link) in zip(submitted, links, strict=True):
        assert f"project={PROJECT}&j=bq:US:{job_id}&" in link
    assert f", 0 bytes read in {len(submitted)} jobs" in " ".join(ended.stdout.split())


def test_output_files_equal_those_of_duckdb(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    source = bigquery_shop.create_table()
    ended = rfm("run", source, "--to", bigquery_shop.destination, "-o", "a.csv", "-o", "a.parquet")
    assert ended.code == 0, ended.stderr
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    assert rfm("run", "orders.csv", "-o", "b.csv").code == 0
    ours, theirs = ((tmp_path / name).read_text(encoding="utf-8").splitlines() for name in ("a.csv", "b.csv"))
    assert [line.rpartition(",")[0] for line in ours] == [line.rpartition(",")[0] for line in theirs]
    assert duckdb.connect().execute(f"SELECT COUNT(*) FROM '{tmp_path / 'a.parquet'}'").fetchone() == (4,)


# Sources


def test_views_and_wildcard_tables_are_sources(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    bigquery_shop.create_table()
    bigquery_shop.execute(
        f"CREATE VIEW {bigquery_shop.name('seen')} AS SELECT * FROM {bigquery_shop.name('orders')}"
    )
    for part, month in (("2023", "'2023-12'"), ("2024", "'2024-01', '2024-02', '2024-03'")):
        bigquery_shop.create_table(
            f"part_{part}", f"SELECT * FROM ({ORDER_LINES}) WHERE SUBSTR(order_date, 1, 7) IN ({month})"
        )
    for source in ("orders", "seen", "part_*"):
        ended = rfm("run", bigquery_shop.source(source), "--to", bigquery_shop.destination, "--json")
        assert ended.code == 0, ended.stderr
        assert [row[:3] for row in bigquery_shop.published_rows()] == [row[:3] for row in EXPECTED_ROWS]
        assert ended.json["rows"]["read"] == 11


def test_a_table_of_a_catalog_is_a_source(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    bigquery_shop.create_table()
    # The emulator has no catalogs, and as in BigQuery, the API has no metadata of their tables.
    catalog = f"`{PROJECT}`.`lake`.`sales`.`orders`"
    proxy.rewrites.append((re.escape(catalog), bigquery_shop.name("orders")))
    source, to = f"bigquery://{PROJECT}.lake.sales.orders", ("--to", bigquery_shop.destination)
    access = rfm("check", source, *to, "--json").json["access"]
    assert all(permission["granted"] for permission in access["permissions"])
    ended = rfm("run", source, *to, "--json")
    assert ended.code == 0, ended.stderr
    assert [row[:3] for row in bigquery_shop.published_rows()] == [row[:3] for row in EXPECTED_ROWS]
    assert len([sql for sql in proxy.statements if catalog in sql]) == 1
    sentence, hint = refused(rfm("run", source.replace("orders", "nowhere"), *to))
    assert sentence.startswith(f"{PROJECT}.lake.sales.nowhere can't be read: ")
    assert hint == "check its name."


DATED_LINES = (
    "SELECT customer_id, order_id, SAFE_CAST(order_date AS DATE) AS order_date, unit_price AS amount"
    f" FROM ({ORDER_LINES}) WHERE order_id <> 'E1'"
)


def create_partitioned_table(shop: Shop, proxy: Proxy) -> str:
    """Create a table that is partitioned by `order_date`; return its SOURCE argument."""
    shop.execute(f"CREATE TABLE {shop.name('partitioned')} PARTITION BY order_date AS {DATED_LINES}")
    respond = proxy.respond

    def partitioned(request: Request) -> Response:
        response = respond(request)
        if request.kind != "table" or "/tables/partitioned" not in request.path:
            return response
        # The emulator does not return these properties.
        partitioning = {
            "timePartitioning": {"type": "DAY", "field": "order_date"},
            "requirePartitionFilter": True,
        }
        return Response.of(200, {**json.loads(response.body), **partitioning})

    proxy.respond = partitioned  # type: ignore[method-assign]
    return shop.source("partitioned")


def test_irrelevant_partitions_are_not_read(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = create_partitioned_table(bigquery_shop, proxy)
    to = ("--to", bigquery_shop.destination)
    sentence, hint = refused(rfm("run", source, *to))
    assert sentence.startswith("The source can only be read with a filter on `order_date`")
    assert "--since" in hint
    ended = rfm("run", source, *to, "--since", "2024-02-01", "--json")
    assert ended.code == 0, ended.stderr
    assert "from 2024-01-31 on are read" in rfm("check", source, *to, "--since", "2024-02-01").stdout
    (read,) = [sql for sql in proxy.statements if bigquery_shop.name("partitioned") in sql]
    assert "WHERE (`order_date` >= DATE '2024-01-31' OR `order_date` IS NULL)" in read
    # The lines of December and January are not read.
    assert ended.json["rows"]["read"] == 7
    assert {row[0] for row in bigquery_shop.published_rows()} == {"007", "ann", "bob", "cyd"}


def test_a_window_that_ends_on_the_newest_order_reads_the_newest_partitions(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy
) -> None:
    source = create_partitioned_table(bigquery_shop, proxy)
    flags = ("--to", bigquery_shop.destination, "--window", "14 days")
    ended = rfm("run", source, *flags, "--json")
    assert ended.code == 0, ended.stderr
    (read,) = [sql for sql in proxy.statements if bigquery_shop.name("partitioned") in sql]
    assert "`order_date` >= DATE '2024-02-08'" in read
    assert any("only partitions of `order_date` from 2024-02-08 on" in note for note in ended.json["notes"])
    # The lines of December, January and the first of February are not read.
    assert (ended.json["rows"]["read"], ended.json["as_of"]) == (6, "2024-03-01")


TYPES = {
    "a float for a customer": (
        "SELECT 17850.0 AS customer_id, DATE '2024-01-01' AS order_date, 1.5 AS amount",
        ("17850", "1.5"),
    ),
    "an integer and a datetime": (
        "SELECT 7 AS customer_id, DATETIME '2024-01-01 23:30:00' AS order_date, NUMERIC '2.25' AS amount",
        ("7", "2.25"),
    ),
    "a timestamp and wide money": (
        "SELECT 'x' AS customer_id, TIMESTAMP '2024-01-01 10:00:00+00' AS at, BIGNUMERIC '3.25' AS amount",
        ("x", "3.25"),
    ),
    "all of them text": (
        "SELECT ' y' AS customer_id, '2024-01-01T10:00:00Z' AS order_date, '1e2' AS amount",
        ("y", "100"),
    ),
}


@pytest.mark.parametrize("what", TYPES)
def test_columns_of_all_types_are_read(what: str, bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    select, (customer, amount) = TYPES[what]
    source = bigquery_shop.create_table("typed", select)
    day = "at" if " AS at," in select else "order_date"
    ended = rfm("run", source, "--to", bigquery_shop.destination, "--ordered-at", day, "--json")
    assert ended.code == 0, ended.stderr
    ((*row, _),) = [(row[0], str(row[3].normalize() + 0), row[-1]) for row in bigquery_shop.published_rows()]
    assert row[0] == customer
    assert float(row[1]) == float(amount)
    assert ended.json["as_of"] == "2024-01-01"


@pytest.mark.guarantee("one-query")
def test_the_printed_query_runs(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.create_table()
    ended = rfm("sql", source)
    assert ended.code == 0, ended.stderr
    assert f"FROM {bigquery_shop.name('orders')}" in ended.stdout
    assert len(bigquery_shop.execute(ended.stdout)) == len(EXPECTED_ROWS)
    assert "rfm_segments" not in bigquery_shop.tables()


def test_init_writes_a_configuration_for_a_table(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    source = bigquery_shop.create_table()
    assert rfm("init", source).code == 0
    text = (tmp_path / "rfm.toml").read_text(encoding="utf-8")
    assert f'source = "{source}"' in text
    assert 'ordered_at = "order_date"' in text
    assert bigquery_shop.tables() == ["orders"]
    assert rfm("run", "--to", bigquery_shop.destination).code == 0
    assert len(bigquery_shop.published_rows()) == len(EXPECTED_ROWS)


def test_another_project_can_be_billed(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    to = ("--to", bigquery_shop.destination)
    assert rfm("run", bigquery_shop.create_table(), *to, "--project", "shop-jobs").code == 0
    paths = [request.path for request in proxy.requests if request.kind in {"insert", "dry-run", "job"}]
    assert paths
    assert all(path.startswith("/bigquery/v2/projects/shop-jobs/jobs") for path in paths)
    assert len(bigquery_shop.published_rows()) == len(EXPECTED_ROWS)


def test_the_address_of_an_emulator_needs_no_scheme(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.address.removeprefix("http://"))
    assert rfm("check", bigquery_shop.create_table(), "--to", bigquery_shop.destination).code == 0


# Refusals


def test_missing_tables_and_datasets_are_named(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    to = ("--to", bigquery_shop.destination)
    sentence, _ = refused(rfm("run", bigquery_shop.source("nowhere"), *to))
    missing = f"{PROJECT}.{bigquery_shop.dataset}.nowhere"
    assert sentence == f"There is no table {missing} in BigQuery, or no permission to see it."
    sentence, hint = refused(
        rfm("run", bigquery_shop.create_table(), "--to", f"bigquery://{PROJECT}.nowhere")
    )
    assert f"no dataset {PROJECT}.nowhere" in sentence
    assert "bq mk" in hint
    sentence, _ = refused(rfm("run", bigquery_shop.source("nothing_*"), *to))
    assert sentence.startswith(f"No table matches {PROJECT}.{bigquery_shop.dataset}.nothing_*")
    sentence, hint = refused(rfm("run", bigquery_shop.source()))
    assert "published to BigQuery" in sentence
    assert bigquery_shop.destination in hint


def test_a_table_with_other_columns_is_not_replaced(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.create_table()
    assert rfm("run", source, "--to", bigquery_shop.destination).code == 0
    result = bigquery_shop.name("rfm_segments")
    bigquery_shop.execute(
        f"CREATE OR REPLACE TABLE {result} AS SELECT * EXCEPT (segment_since, r_score),"
        f" CAST(r_score AS STRING) AS r_score, 1 AS extra FROM {result}"
    )
    sentence, _ = refused(rfm("run", source, "--to", bigquery_shop.destination))
    assert sentence == (
        f"{PROJECT}.{bigquery_shop.dataset}.rfm_segments is not a result of this pipeline:"
        " it lacks segment_since DATE and has extra INT64, r_score as STRING in place of INT64."
    )
    bigquery_shop.execute(f"CREATE VIEW {bigquery_shop.name('seen')} AS SELECT 1 AS one")
    sentence, _ = refused(rfm("run", source, "--to", f"{bigquery_shop.destination}.seen"))
    assert sentence.endswith("seen is a view, not a table of rfm.")
    sentence, _ = refused(rfm("run", source, "--to", source))
    assert sentence == f"The source {source} is a table of the destination, which a run replaces."
    assert len(bigquery_shop.execute(f"SELECT * FROM {bigquery_shop.name('orders')}")) == 11


def test_an_exclusion_that_bigquery_rejects_is_named(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    to = ("--to", bigquery_shop.destination)
    sentence, _ = refused(
        rfm("run", bigquery_shop.create_table(), *to, "--exclude", "odd=NO_SUCH(country) > 1")
    )
    assert sentence.startswith("The exclusion `odd` is not usable")
    assert proxy.statements == []


@pytest.mark.guarantee("audited", "previous-result-unchanged")
def test_after_a_failed_audit_nothing_is_published(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.create_table()
    assert rfm("run", source, "--to", bigquery_shop.destination).code == 0
    before = bigquery_shop.published_rows()
    sentence, hint = refused(
        rfm("run", source, "--to", bigquery_shop.destination, "--since", "2030-01-01"), code=3
    )
    assert sentence.startswith("Nothing was published, because an audit failed")
    assert bigquery_shop.published_rows() == before
    # The staged tables are retained until they expire.
    retained = [name for name in bigquery_shop.tables() if "__" in name]
    assert [name.rpartition("__")[2] for name in retained] == ["customers", "edges", "result"]
    record = rfm("runs", "--to", bigquery_shop.destination, "--json").json["runs"][0]
    assert (record["status"], record["error"]) == ("rejected", sentence)
    assert hint.endswith(f"{retained[0].rpartition('__')[0]}__* for 24 hours.")
    # The next run does not drop them.
    assert rfm("run", source, "--to", bigquery_shop.destination).code == 0
    assert [name for name in bigquery_shop.tables() if "__" in name] == retained


def test_user_audits_find_the_same_rows_as_on_duckdb(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    source = bigquery_shop.create_table()
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "rfm.toml").write_text(
        "[audits.queries]\n"
        "rich.query = 'SELECT customer_id, monetary FROM segments WHERE monetary > 50'\n"
        "rich.level = 'warn'\n"
        "moved = { query = 'SELECT s.customer_id, p.segment FROM segments AS s JOIN previous AS p"
        " ON p.customer_id = s.customer_id WHERE p.segment <> s.segment ORDER BY 1', level = 'warn' }\n",
        encoding="utf-8",
    )
    for as_of in ("2024-02-25", "2024-03-01"):
        arguments = ("--as-of", as_of, "--json")
        on_bigquery = rfm("run", source, "--to", bigquery_shop.destination, *arguments)
        assert on_bigquery.code == 0, on_bigquery.stderr
        on_duckdb = rfm("run", "orders.csv", *arguments)
        assert on_bigquery.json["audits"] == on_duckdb.json["audits"]
    rows = {audit["name"]: audit["rows"] for audit in on_bigquery.json["audits"]}
    assert rows["rich"] == [{"customer_id": "0...", "monetary": "125.50"}]
    assert len(rows["moved"]) > 1
    before = bigquery_shop.published_rows()
    (tmp_path / "rfm.toml").write_text("audits.queries.rich = 'SELECT * FROM segments'\n", encoding="utf-8")
    sentence, _ = refused(rfm("run", source, "--to", bigquery_shop.destination), code=3)
    assert sentence.endswith("`rich` found 4 rows.")
    (tmp_path / "rfm.toml").write_text("audits.queries.rich = 'SELECT no_such FROM segments'\n")
    proxy.reset()
    sentence, _ = refused(rfm("run", source, "--to", bigquery_shop.destination))
    assert sentence.startswith("The audit `rich` is not usable: ")
    assert "no_such" in sentence
    assert proxy.statements == []
    assert bigquery_shop.published_rows() == before


# Cost


@pytest.mark.guarantee("permissions", "check-writes-nothing")
def test_a_check_shows_the_cost_and_executes_nothing(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    proxy.bytes_processed = 3 * 2**38
    ended = rfm("check", bigquery_shop.create_table(), "--to", bigquery_shop.destination, "--json")
    assert ended.code == 0, ended.stderr
    assert ended.json["cost"] == {"bytes_processed": 3 * 2**38, "dollars": "4.6875", "accuracy": "about"}
    shown = rfm("check", bigquery_shop.source(), "--to", bigquery_shop.destination).stdout
    assert "and read 768 GiB, for about $4.69" in " ".join(shown.split())
    assert proxy.statements == []
    assert bigquery_shop.tables() == ["orders"]


@pytest.mark.guarantee("cost-limit", "exit-codes")
def test_over_the_cost_limit_only_the_dry_run_is_sent(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.create_table()
    assert rfm("run", source, "--to", bigquery_shop.destination).code == 0
    before = bigquery_shop.published_rows()
    proxy.reset()
    proxy.bytes_processed = 2 * 2**30
    to = ("--to", bigquery_shop.destination)
    sentence, hint = refused(rfm("run", source, *to, "--max-bytes", "1.5 GiB"), code=6)
    assert sentence == "The run would read 2 GiB, about $0.01, and the limit is 1.5 GiB."
    assert "--max-bytes '2.2 GiB'" in hint
    assert [request.kind for request in proxy.requests if "/jobs" in request.path] == ["dry-run"]
    assert bigquery_shop.published_rows() == before
    proxy.bytes_processed = 2 * 2**30 - 1
    assert rfm("run", source, *to, "--max-bytes", "2GiB").code == 0


def test_runs_on_duckdb_have_no_cost_and_no_jobs(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    assert rfm("check", "orders.csv", "--json").json["cost"] is None
    assert rfm("run", "orders.csv", "--json").json["jobs"] == []
    assert len(published(tmp_path / "rfm.duckdb")) == 4


def test_transitions_and_movers_equal_those_on_duckdb(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    source = bigquery_shop.create_table()
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for as_of in ("2024-01-31", "2024-02-25", "2024-03-01"):
        assert rfm("run", source, "--to", bigquery_shop.destination, "--as-of", as_of).code == 0
        assert rfm("run", "orders.csv", "--as-of", as_of).code == 0
    for dates in ((), ("--from", "2024-01-31", "--until", "2024-03-01")):
        on_bigquery = rfm("transitions", *dates, "--to", bigquery_shop.destination, "--json")
        assert on_bigquery.code == 0, on_bigquery.stderr
        on_duckdb = rfm("transitions", *dates, "--json").json
        same = ("stayed", "moved", "new", "lapsed", "causes", "segments", "flows")
        assert {name: on_bigquery.json[name] for name in same} == {name: on_duckdb[name] for name in same}
        assert on_duckdb["new"] + on_duckdb["moved"] > 0
    columns = ("--columns", "customer_id,segment,monetary", "-o", "woke.csv")
    for command in (("movers",), ("export", "--reason", "woke_up", *columns)):
        results, files = [], []
        for to in (bigquery_shop.destination, "duckdb:rfm.duckdb"):
            ended = rfm(*command, "--from", "2024-01-31", "--to", to, "--json")
            assert ended.code == 0, ended.stderr
            own = {"destination", "source"}
            results.append({name: value for name, value in ended.json.items() if name not in own})
            files.append(Path("woke.csv").read_text(encoding="utf-8") if "export" in command else "")
        assert results[0] == results[1]
        assert files[0] == files[1]
    assert results[0]["exported"] == len(files[0].splitlines()) - 1 > 0


def test_an_edited_history_is_neither_restored_nor_compared(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy
) -> None:
    source, to = bigquery_shop.create_table(), ("--to", bigquery_shop.destination)
    for as_of in ("2024-02-25", "2024-03-01"):
        assert rfm("run", source, *to, "--as-of", as_of).code == 0
    assert rfm("transitions", *to).code == 0
    bigquery_shop.execute(
        f"UPDATE {bigquery_shop.name('rfm_segments_history')} SET monetary = monetary + 1"
        " WHERE as_of_date = '2024-02-25' AND customer_id = '007'"
    )
    before = bigquery_shop.published_rows()
    for command in ("rollback", "transitions"):
        sentence, hint = refused(rfm(command, *to))
        assert sentence.startswith("The checksum of the history's 3 rows as of 2024-02-25 is not that of ")
        assert hint == "compute them again: rfm run --as-of 2024-02-25."
    sentence, _ = refused(rfm("report", *to))
    assert "rows as of 2024-02-25 is not that of " in sentence
    explained = rfm("explain", "007", source, *to, "--json").json
    assert explained["differences"] == [sentence]
    assert bigquery_shop.published_rows() == before
    assert rfm("run", source, *to, "--as-of", "2024-02-25").code == 0
    restored = rfm("rollback", *to, "--json")
    assert restored.code == 0, restored.stderr
    assert restored.json["is_checked"]


def test_forgotten_customers_leave_the_results_and_stay_out_of_later_runs(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    source, to = bigquery_shop.create_table(), ("--to", bigquery_shop.destination)
    for as_of in ("2024-02-25", "2024-03-01"):
        assert rfm("run", source, *to, "--as-of", as_of).code == 0
    (tmp_path / "rejecting.toml").write_text(
        '[audits.queries]\nnever = "SELECT 1 AS one FROM segments"\n', encoding="utf-8"
    )
    assert rfm("run", source, *to, "--as-of", "2024-03-01", "--config", "rejecting.toml").code == 3
    assert any("__" in table for table in bigquery_shop.tables())
    ended = rfm("forget", " bob ", *to, "--json")
    assert ended.code == 0, ended.stderr
    numbers = {name: ended.json[name] for name in ("current", "history", "dates", "kept_results", "left_out")}
    assert numbers == {"current": 1, "history": 2, "dates": 2, "kept_results": 1, "left_out": 1}
    for table in bigquery_shop.tables():
        assert "'bob'" not in str(bigquery_shop.execute(f"SELECT * FROM {bigquery_shop.name(table)}")) or (
            table == "orders"
        )
    assert rfm("transitions", *to).code == 0
    # Later runs are as if the source had no line of the customer.
    (tmp_path / "orders.csv").write_text(
        "\n".join(line for line in ORDERS.splitlines() if not line.startswith("bob")) + "\n", encoding="utf-8"
    )
    for flags in (("--as-of", "2024-03-01"), ("--window", "24 months", "--as-of", "latest")):
        run = rfm("run", source, *to, *flags, "--json")
        assert run.code == 0, run.stderr
        assert run.json["rows"]["excluded"]["forgotten"] == 2
        assert rfm("run", "orders.csv", *flags).code == 0
        assert [row[:12] for row in bigquery_shop.published_rows()] == [
            row[:12] for row in published(tmp_path / "rfm.duckdb", "FROM rfm_segments ORDER BY customer_id")
        ]
    assert rfm("forget", "bob", "--undo", *to).code == 0
    assert "forgotten" not in rfm("run", source, *to, "--json").json["rows"]["excluded"]
