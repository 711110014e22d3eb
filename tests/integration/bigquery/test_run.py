"""`rfm run bigquery://... --to bigquery://...`, against a server: as on DuckDB."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rfm_pipeline.results.tables import COLUMNS, SUFFIXES
from support.bigquery_proxy import Answer, Proxy, Request
from support.bigquery_shop import LINES, PROJECT, Shop
from support.cli import Rfm
from support.orders import BY_HAND, ORDERS, published, refused, without_run_id

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
    **{preset: ("--preset", preset) for preset in ("classic", "grid", "shopify", "klaviyo", "r-rfm", "pymc")},
    "ntile": ("--method", "ntile", "--preset", "classic"),
    "fixed": ("--config", "fixed.toml"),
    "net, in a moving window": ("--returns", "net", "--window", "6 months"),
    "as of a date": ("--as-of", "2011-06-30", "--window", "90 days", "--since", "2011-01-01"),
    "with an exclusion": ("--exclude", "wholesale=Quantity > 500 OR Country = 'Netherlands'"),
}


@pytest.fixture(scope="module")
def retail(emulator: str) -> Any:
    """The real data set as a table."""
    from support.real_data import real_data

    shop = Shop(emulator)
    shop.load("lines", RETAIL, real_data("online_retail.parquet"))
    yield shop
    shop.close()


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.usefixtures("proxy")
def test_a_run_publishes_what_it_publishes_on_duckdb(
    question: str, retail: Shop, online_retail: Path, rfm: Rfm, tmp_path: Path
) -> None:
    (tmp_path / "fixed.toml").write_text(FIXED, encoding="utf-8")
    asked = QUESTIONS[question]
    for suffix in SUFFIXES.values():
        retail.execute(f"DROP TABLE IF EXISTS {retail.name(f'rfm_segments{suffix}')}")
    there = rfm("run", retail.source("lines"), "--to", retail.destination, *asked, "--json")
    assert there.code == 0, there.stderr
    here = rfm("run", online_retail, "--to", "duckdb:here.duckdb", *asked, "--json")
    assert here.code == 0, here.stderr
    rows = without_run_id(tmp_path / "here.duckdb")
    assert len(rows) > 900
    assert retail.without_run_id() == rows
    same = ("as_of", "rows", "amount", "customers", "orders", "revenue", "edges", "segments", "audits")
    assert {name: there.json[name] for name in same} == {name: here.json[name] for name in same}


def test_a_customer_keeps_where_it_came_from_as_on_duckdb(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    source = bigquery_shop.make()
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for as_of in ("2024-01-31", "2024-02-25", "2024-02-25", "2024-03-01"):
        on_bigquery = rfm("run", source, "--to", bigquery_shop.destination, "--as-of", as_of)
        on_duckdb = rfm("run", "orders.csv", "--as-of", as_of)
        assert (on_bigquery.code, on_duckdb.code) == (0, 0), on_bigquery.stderr
        assert bigquery_shop.without_run_id() == without_run_id(tmp_path / "rfm.duckdb")
    previous = {row[0]: (row[-4], row[-3]) for row in bigquery_shop.published()}
    assert previous["cyd"] == (None, previous["cyd"][1])
    assert previous["bob"][0] is not None


def test_a_run_gives_what_was_computed_by_hand(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.make()
    ended = rfm("run", source, "--to", bigquery_shop.destination, "--json")
    assert ended.code == 0, ended.stderr
    rows = [(*row[:4], str(row[5]), str(row[6])) for row in bigquery_shop.published()]
    assert rows == BY_HAND
    found = ended.json
    assert found["engine"] == "bigquery"
    assert found["destination"] == f"{bigquery_shop.destination}.rfm_segments"
    assert {row[-1] for row in bigquery_shop.published()} == {found["run_id"]}


def test_a_run_leaves_its_three_tables_and_nothing_else(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.make()
    for window in ((), ("--window", "24 months")):
        ended = rfm("run", source, "--to", f"{bigquery_shop.destination}.vip", *window)
        assert ended.code == 0, ended.stderr
        assert bigquery_shop.tables() == ["orders", "vip", "vip_history", "vip_runs"]


def test_the_source_is_read_once_and_each_job_is_named_labelled_and_bounded(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy
) -> None:
    source = bigquery_shop.make()
    for window in ((), ("--window", "24 months", "--returns", "net", "--exclude", "far=country = 'FR'")):
        proxy.forget()
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


def test_what_is_staged_expires_by_itself(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.make()
    assert rfm("run", source, "--to", bigquery_shop.destination, "--window", "24 months").code == 0
    made = [sql for sql in proxy.statements if sql.startswith("CREATE")]
    staged = [sql for sql in made if "rfm_segments__" in sql.partition("\n")[0]]
    assert len(staged) >= 4
    assert all("expiration_timestamp = TIMESTAMP '" in sql for sql in staged)
    assert len([sql for sql in made if sql not in staged]) == 1


def test_the_published_tables_are_typed_described_and_cut(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy
) -> None:
    assert rfm("run", bigquery_shop.make(), "--to", bigquery_shop.destination).code == 0
    (made,) = [sql for sql in proxy.statements if sql.startswith("CREATE TABLE IF NOT EXISTS")]
    statements = made.split(";\n")
    for statement, (name, columns) in zip(statements, COLUMNS.items(), strict=True):
        table = f"{PROJECT}.{bigquery_shop.dataset}.rfm_segments{SUFFIXES[name]}"
        schema = bigquery_shop.client.get_table(table).schema
        types = {field.name: field.field_type for field in schema}
        assert list(types) == list(columns)
        assert statement.count("OPTIONS (description = '") == len(types) + 1
        assert "labels = [('created_by', 'rfm-pipeline')]" in statement
    assert {types["started_at"], types["as_of_date"], types["revenue"]} == {"TIMESTAMP", "DATE", "NUMERIC"}
    assert "CLUSTER BY segment" in statements[0]
    assert "PARTITION BY as_of_date\nCLUSTER BY segment" in statements[1]


def test_the_bytes_of_all_jobs_are_on_record(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    proxy.bytes_processed = 1000
    found = rfm("run", bigquery_shop.make(), "--to", bigquery_shop.destination, "--json").json
    jobs = len(found["jobs"])
    assert (found["bytes_processed"], found["bytes_billed"], found["slot_ms"]) == (
        jobs * 1000,
        jobs * 1000,
        jobs * 7,
    )


def test_the_log_links_to_each_job_in_the_console(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    ended = rfm("--debug", "run", bigquery_shop.make(), "--to", bigquery_shop.destination)
    assert ended.code == 0
    links = re.findall(r"^(\S+) (https://console\.cloud\.google\.com/\S+)$", ended.stderr, re.MULTILINE)
    submitted = [request.job_id for request in proxy.requests if request.kind == "insert"]
    for job_id, (_, link) in zip(submitted, links, strict=True):
        assert f"project={PROJECT}&j=bq:US:{job_id}&" in link
    assert f", 0 bytes read in {len(submitted)} jobs" in " ".join(ended.stdout.split())


def test_outputs_are_those_of_duckdb(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path) -> None:
    source = bigquery_shop.make()
    ended = rfm("run", source, "--to", bigquery_shop.destination, "-o", "a.csv", "-o", "a.parquet")
    assert ended.code == 0, ended.stderr
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    assert rfm("run", "orders.csv", "-o", "b.csv").code == 0
    ours, theirs = ((tmp_path / name).read_text(encoding="utf-8").splitlines() for name in ("a.csv", "b.csv"))
    assert [line.rpartition(",")[0] for line in ours] == [line.rpartition(",")[0] for line in theirs]
    assert duckdb.connect().execute(f"SELECT COUNT(*) FROM '{tmp_path / 'a.parquet'}'").fetchone() == (4,)


# Sources


def test_a_view_and_tables_by_a_wildcard_are_sources(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    bigquery_shop.make()
    bigquery_shop.execute(
        f"CREATE VIEW {bigquery_shop.name('seen')} AS SELECT * FROM {bigquery_shop.name('orders')}"
    )
    for part, month in (("2023", "'2023-12'"), ("2024", "'2024-01', '2024-02', '2024-03'")):
        bigquery_shop.make(
            f"part_{part}", f"SELECT * FROM ({LINES}) WHERE SUBSTR(order_date, 1, 7) IN ({month})"
        )
    for source in ("orders", "seen", "part_*"):
        ended = rfm("run", bigquery_shop.source(source), "--to", bigquery_shop.destination, "--json")
        assert ended.code == 0, ended.stderr
        assert [row[:3] for row in bigquery_shop.published()] == [row[:3] for row in BY_HAND]
        assert ended.json["rows"]["read"] == 11


def test_only_the_partitions_that_can_count_are_read(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    select = (
        "SELECT customer_id, order_id, SAFE_CAST(order_date AS DATE) AS order_date, unit_price AS amount"
        f" FROM ({LINES}) WHERE order_id <> 'E1'"
    )
    bigquery_shop.make("cut", select)
    answer = proxy.answer

    def partitioned(request: Request) -> Answer:
        answered = answer(request)
        if request.kind != "table" or "/tables/cut" not in request.path:
            return answered
        # What the emulator does not read back.
        cut = {"timePartitioning": {"type": "DAY", "field": "order_date"}, "requirePartitionFilter": True}
        return Answer.of(200, {**json.loads(answered.body), **cut})

    proxy.answer = partitioned  # type: ignore[method-assign]
    source, to = bigquery_shop.source("cut"), ("--to", bigquery_shop.destination)
    sentence, hint = refused(rfm("run", source, *to))
    assert sentence.startswith("The source is only read with a filter on `order_date`")
    assert "--since" in hint
    ended = rfm("run", source, *to, "--since", "2024-02-01", "--json")
    assert ended.code == 0, ended.stderr
    assert "from 2024-01-31 on are read" in rfm("check", source, *to, "--since", "2024-02-01").stdout
    (read,) = [sql for sql in proxy.statements if bigquery_shop.name("cut") in sql]
    assert "WHERE `order_date` >= DATE '2024-01-31'" in read
    # Those of December and January are not among the lines that were read.
    assert ended.json["rows"]["read"] == 7
    assert {row[0] for row in bigquery_shop.published()} == {"007", "ann", "bob", "cyd"}


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
        (" y", "100"),
    ),
}


@pytest.mark.parametrize("what", TYPES)
def test_columns_of_any_type_are_read(what: str, bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    select, (customer, amount) = TYPES[what]
    source = bigquery_shop.make("typed", select)
    day = "at" if " AS at," in select else "order_date"
    ended = rfm("run", source, "--to", bigquery_shop.destination, "--ordered-at", day, "--json")
    assert ended.code == 0, ended.stderr
    ((*found, _),) = [(row[0], str(row[3].normalize() + 0), row[-1]) for row in bigquery_shop.published()]
    assert found[0] == customer
    assert float(found[1]) == float(amount)
    assert ended.json["as_of"] == "2024-01-01"


def test_the_query_of_a_table_is_printed(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.make()
    ended = rfm("sql", source, "--dialect", "bigquery")
    assert ended.code == 0, ended.stderr
    assert f"FROM {bigquery_shop.name('orders')}" in ended.stdout
    assert len(bigquery_shop.execute(ended.stdout)) == len(BY_HAND)
    assert "rfm_segments" not in bigquery_shop.tables()


def test_a_configuration_is_written_for_a_table(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    source = bigquery_shop.make()
    assert rfm("init", source).code == 0
    text = (tmp_path / "rfm.toml").read_text(encoding="utf-8")
    assert f'source = "{source}"' in text
    assert 'ordered_at = "order_date"' in text
    assert bigquery_shop.tables() == ["orders"]
    assert rfm("run", "--to", bigquery_shop.destination).code == 0
    assert len(bigquery_shop.published()) == len(BY_HAND)


def test_another_project_may_run_the_jobs_and_pay(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    to = ("--to", bigquery_shop.destination)
    assert rfm("run", bigquery_shop.make(), *to, "--project", "shop-jobs").code == 0
    paths = [request.path for request in proxy.requests if request.kind in {"insert", "dry-run", "job"}]
    assert paths
    assert all(path.startswith("/bigquery/v2/projects/shop-jobs/jobs") for path in paths)
    assert len(bigquery_shop.published()) == len(BY_HAND)


def test_an_emulator_may_be_named_without_its_scheme(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.address.removeprefix("http://"))
    assert rfm("check", bigquery_shop.make(), "--to", bigquery_shop.destination).code == 0


# What is refused


def test_what_is_not_there_is_named(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    to = ("--to", bigquery_shop.destination)
    sentence, _ = refused(rfm("run", bigquery_shop.source("nowhere"), *to))
    there = f"{PROJECT}.{bigquery_shop.dataset}.nowhere"
    assert sentence == f"There is no table {there} in BigQuery, or no permission to see it."
    sentence, hint = refused(rfm("run", bigquery_shop.make(), "--to", f"bigquery://{PROJECT}.nowhere"))
    assert f"no dataset {PROJECT}.nowhere" in sentence
    assert "bq mk" in hint
    sentence, _ = refused(rfm("run", bigquery_shop.source("nothing_*"), *to))
    assert sentence.startswith(f"No table matches {PROJECT}.{bigquery_shop.dataset}.nothing_*")
    sentence, hint = refused(rfm("run", bigquery_shop.source()))
    assert "published to BigQuery" in sentence
    assert bigquery_shop.destination in hint


def test_a_table_of_another_shape_is_not_replaced(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.make()
    assert rfm("run", source, "--to", bigquery_shop.destination).code == 0
    result = bigquery_shop.name("rfm_segments")
    bigquery_shop.execute(
        f"CREATE OR REPLACE TABLE {result} AS SELECT * EXCEPT (segment_since, r_score),"
        f" CAST(r_score AS STRING) AS r_score, 1 AS extra FROM {result}"
    )
    sentence, _ = refused(rfm("run", source, "--to", bigquery_shop.destination))
    assert sentence == (
        f"The table {PROJECT}.{bigquery_shop.dataset}.rfm_segments does not have the columns of a result:"
        " it lacks segment_since DATE and has extra INT64, r_score as STRING in place of INT64."
    )
    bigquery_shop.execute(f"CREATE VIEW {bigquery_shop.name('seen')} AS SELECT 1 AS one")
    sentence, _ = refused(rfm("run", source, "--to", f"{bigquery_shop.destination}.seen"))
    assert sentence.endswith("seen is a view, not a table of ours.")
    sentence, _ = refused(rfm("run", source, "--to", source))
    assert "does not have the columns of a result" in sentence
    assert len(bigquery_shop.execute(f"SELECT * FROM {bigquery_shop.name('orders')}")) == 11


def test_an_exclusion_that_bigquery_refuses_is_named(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    to = ("--to", bigquery_shop.destination)
    sentence, _ = refused(rfm("run", bigquery_shop.make(), *to, "--exclude", "odd=NO_SUCH(country) > 1"))
    assert sentence.startswith("The exclusion `odd` is not usable")
    assert proxy.statements == []


def test_an_audit_that_fails_publishes_nothing(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.make()
    assert rfm("run", source, "--to", bigquery_shop.destination).code == 0
    before = bigquery_shop.published()
    sentence, hint = refused(
        rfm("run", source, "--to", bigquery_shop.destination, "--since", "2030-01-01"), code=3
    )
    assert sentence.startswith("Nothing was published, because an audit failed")
    assert bigquery_shop.published() == before
    # What was staged is kept for a look at it, and expires.
    kept = [name for name in bigquery_shop.tables() if "__" in name]
    assert [name.rpartition("__")[2] for name in kept] == ["customers", "edges", "result"]
    record = rfm("runs", "--to", bigquery_shop.destination, "--json").json["runs"][0]
    assert (record["status"], record["error"]) == ("rejected", sentence)
    assert hint.endswith(f"{kept[0].rpartition('__')[0]}__* for 24 hours.")
    # The next run leaves them alone.
    assert rfm("run", source, "--to", bigquery_shop.destination).code == 0
    assert [name for name in bigquery_shop.tables() if "__" in name] == kept


def test_audits_of_ones_own_find_what_they_find_on_duckdb(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    source = bigquery_shop.make()
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
        asked = ("--as-of", as_of, "--json")
        there = rfm("run", source, "--to", bigquery_shop.destination, *asked)
        assert there.code == 0, there.stderr
        here = rfm("run", "orders.csv", *asked)
        assert there.json["audits"] == here.json["audits"]
    found = {audit["name"]: audit["rows"] for audit in there.json["audits"]}
    assert found["rich"] == [{"customer_id": "007", "monetary": "125.50"}]
    assert len(found["moved"]) > 1
    before = bigquery_shop.published()
    (tmp_path / "rfm.toml").write_text("audits.queries.rich = 'SELECT * FROM segments'\n", encoding="utf-8")
    sentence, _ = refused(rfm("run", source, "--to", bigquery_shop.destination), code=3)
    assert sentence.endswith("`rich` found 4 rows.")
    (tmp_path / "rfm.toml").write_text("audits.queries.rich = 'SELECT no_such FROM segments'\n")
    proxy.forget()
    sentence, _ = refused(rfm("run", source, "--to", bigquery_shop.destination))
    assert sentence.startswith("The audit `rich` is not usable: ")
    assert "no_such" in sentence
    assert proxy.statements == []
    assert bigquery_shop.published() == before


# What it costs


def test_a_check_says_what_a_run_would_cost_and_runs_nothing(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy
) -> None:
    proxy.bytes_processed = 3 * 2**38
    found = rfm("check", bigquery_shop.make(), "--to", bigquery_shop.destination, "--json")
    assert found.code == 0, found.stderr
    assert found.json["cost"] == {"bytes_processed": 3 * 2**38, "dollars": "4.6875"}
    shown = rfm("check", bigquery_shop.source(), "--to", bigquery_shop.destination).stdout
    assert "and read 768 GiB, for about $4.69" in " ".join(shown.split())
    assert proxy.statements == []
    assert bigquery_shop.tables() == ["orders"]


def test_over_the_limit_nothing_runs_but_the_dry_run(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.make()
    assert rfm("run", source, "--to", bigquery_shop.destination).code == 0
    before = bigquery_shop.published()
    proxy.forget()
    proxy.bytes_processed = 2 * 2**30
    to = ("--to", bigquery_shop.destination)
    sentence, hint = refused(rfm("run", source, *to, "--max-bytes", "1.5 GiB"), code=6)
    assert sentence == "The run would read 2 GiB, about $0.01, and the limit is 1.5 GiB."
    assert "--max-bytes '2.2 GiB'" in hint
    assert [request.kind for request in proxy.requests if "/jobs" in request.path] == ["dry-run"]
    assert bigquery_shop.published() == before
    proxy.bytes_processed = 2 * 2**30 - 1
    assert rfm("run", source, *to, "--max-bytes", "2GiB").code == 0


def test_duckdb_is_where_it_was(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    assert rfm("check", "orders.csv", "--json").json["cost"] is None
    assert rfm("run", "orders.csv", "--json").json["jobs"] == []
    assert len(published(tmp_path / "rfm.duckdb")) == 4


def test_transitions_are_those_of_duckdb(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path) -> None:
    source = bigquery_shop.make()
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for as_of in ("2024-01-31", "2024-02-25", "2024-03-01"):
        assert rfm("run", source, "--to", bigquery_shop.destination, "--as-of", as_of).code == 0
        assert rfm("run", "orders.csv", "--as-of", as_of).code == 0
    for dates in ((), ("--from", "2024-01-31", "--until", "2024-03-01")):
        there = rfm("transitions", *dates, "--to", bigquery_shop.destination, "--json")
        assert there.code == 0, there.stderr
        here = rfm("transitions", *dates, "--json").json
        same = ("stayed", "moved", "new", "lapsed", "causes", "segments", "flows")
        assert {name: there.json[name] for name in same} == {name: here[name] for name in same}
        assert here["new"] + here["moved"] > 0
