"""`rfm sql --for` and `--compatible-view`: files that are written, names, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.cli import Rfm
from support.orders import ORDERS, refused


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    return tmp_path


# Models


@pytest.mark.parametrize(
    ("arguments", "subject"),
    [
        (["--for", "looker"], "There is no model for 'looker'."),
        (["--history"], "--history is an option of models."),
        (["--output", "models"], "--output is an option of models."),
        (["--name", "rfm"], "--name is an option of models and views."),
        (["--for", "dbt", "--dialect", "duckdb"], "A model is in the dialect of BigQuery, not of duckdb."),
        (["--for", "dbt", "--name", "crm.rfm"], "'crm.rfm' is no name of a dbt model."),
        (["--for", "dataform", "--name", "crm.rfm"], "'crm.rfm' is no name of a Dataform action."),
        (["--for", "dbt", "--table", "a..b"], "'a..b' is no table."),
        (["--for", "scheduled-query", "--table", "orders"], "'orders' names no dataset"),
        (
            ["--for", "scheduled-query", "--table", "shop.crm.lines", "--name", "shop.crm.lines"],
            "The scheduled query would replace shop.crm.lines, which it reads.",
        ),
        (
            ["--for", "dataform", "--history", "--as-of", "latest"],
            "Dataform can't replace the rows of an as-of date that is not known before the query.",
        ),
        (["--for", "dbt", "--output", "https://shop.example/models"], "is an address, not a folder"),
        (["--for", "dbt", "--exclude", "test=\"country\" = 'DE'"], "The exclusion `test` has double quotes"),
        (
            ["--dialect", "bigquery", "--exclude", r"test=country = 'D\E'"],
            "The exclusion `test` has backslashes",
        ),
    ],
)
def test_what_a_model_can_not_be_is_refused(arguments: list[str], subject: str, shop: Path, rfm: Rfm) -> None:
    ended = rfm("sql", "orders.csv", *arguments)
    assert refused(ended)
    assert subject in ended.stderr
    assert sorted(path.name for path in shop.iterdir()) == ["orders.csv"]


def test_an_exclusion_without_sql_is_written_in_the_dialect_of_the_model(shop: Path, rfm: Rfm) -> None:
    """As the hint says."""
    ended = rfm("sql", "orders.csv", "--for", "dbt", "--exclude", "test=\"country\" = 'DE'")
    (setting,) = re.findall(r"rfm.toml without SQL: (.+), in \[exclude\]", ended.stderr)
    setting = setting.replace("Country", "country")
    (shop / "rfm.toml").write_text(f"[exclude]\n{setting}\n", encoding="utf-8")
    ended = rfm("sql", "orders.csv", "--for", "dbt")
    assert "WHEN `country` IN ('Nowhere') THEN 'test'" in ended.stdout


def test_a_file_of_somebody_else_is_not_replaced(shop: Path, rfm: Rfm) -> None:
    folder = shop / "models"
    folder.mkdir()
    (folder / "rfm_segments.sql").write_text("SELECT 1 AS mine", encoding="utf-8")
    ended = rfm("sql", "orders.csv", "--for", "dbt", "-o", folder)
    assert refused(ended)
    assert [path.name for path in folder.iterdir()] == ["rfm_segments.sql"]
    (folder / "rfm_segments.sql").unlink()
    for _ in range(2):
        assert rfm("sql", "orders.csv", "--for", "dbt", "-o", folder).code == 0


def test_a_segment_that_dbt_would_evaluate_is_refused(shop: Path, rfm: Rfm) -> None:
    rules = '[segments]\nname = "x"\nfallback = "{{ best }}"\nrules = [{ segment = "Old", r = 1 }]\n'
    (shop / "rfm.toml").write_text(rules, encoding="utf-8")
    ended = rfm("sql", "orders.csv", "--for", "dbt")
    assert refused(ended)
    assert "'{{ best }}'" in ended.stderr


def test_a_model_of_a_file_says_where_its_lines_have_to_be(shop: Path, rfm: Rfm) -> None:
    printed = rfm("sql", "orders.csv", "--for", "dataform").stdout
    assert "-- Load orders.csv into project.dataset.transactions, or give your table with --table." in printed
    assert '${ref("project", "dataset", "transactions")}' in printed
    assert (
        "{{ ref('stg_orders') }}" in rfm("sql", "orders.csv", "--for", "dbt", "--table", "stg_orders").stdout
    )
    assert "-- Load" not in rfm("sql", "orders.csv", "--for", "dbt", "--table", "stg_orders").stdout


@pytest.mark.parametrize(
    ("as_of", "wanted"),
    [
        ([], "SELECT CURRENT_DATE('Asia/Tokyo') AS as_of_date"),
        (
            ["--as-of", "yesterday"],
            "SELECT DATE_SUB(CURRENT_DATE('Asia/Tokyo'), INTERVAL 1 DAY) AS as_of_date",
        ),
        (["--as-of", "2024-03-01"], "SELECT DATE '2024-03-01' AS as_of_date"),
        (["--as-of", "latest"], "SELECT MAX(last_order_date) AS as_of_date"),
    ],
)
def test_a_model_counts_from_the_configured_as_of_date(
    as_of: list[str], wanted: str, shop: Path, rfm: Rfm
) -> None:
    printed = rfm("sql", "orders.csv", "--for", "dbt", "--timezone", "Asia/Tokyo", *as_of).stdout
    assert wanted in printed
    dates = set(re.findall(r"DATE '\d{4}-\d\d-\d\d'", printed))
    assert dates == ({"DATE '2024-03-01'"} if "2024-03-01" in as_of else set())


# The view for readers of an older table


@pytest.mark.parametrize(
    ("arguments", "subject"),
    [
        (
            ["--compatible-view", "days=recency_days", "--to", "a.parquet"],
            "a.parquet is a destination of Parquet files, which has no views.",
        ),
        (["--compatible-view", "recency"], "--compatible-view takes OLD=COLUMN, not 'recency'."),
        (["--compatible-view", "x=recency"], "The result has no column 'recency'."),
        (["--compatible-view", "Segment=rfm_score"], "The view would have two columns 'segment'."),
        (["--compatible-view", "a=segment,a=monetary"], "The view would have two columns 'a'."),
        (
            ["--compatible-view", "x=segment", "--name", "rfm_segments"],
            "'rfm_segments' can't be the name of a view",
        ),
        (["--compatible-view", "x=segment", "--for", "dbt"], "reads no source"),
        (["orders.csv", "--compatible-view", "x=segment"], "reads no source"),
    ],
)
def test_a_view_that_can_not_be_is_refused(arguments: list[str], subject: str, shop: Path, rfm: Rfm) -> None:
    ended = rfm("sql", *arguments)
    assert refused(ended)
    assert subject in ended.stderr


def test_a_view_of_bigquery_is_beside_the_result_unless_it_is_named(rfm: Rfm) -> None:
    to = ("sql", "--to", "bigquery://shop.crm", "--compatible-view", "old_segment=segment,seg=segment")
    printed = rfm(*to).stdout
    assert printed.startswith("CREATE OR REPLACE VIEW `shop`.`crm`.`rfm_segments_compatible` AS\nSELECT\n")
    assert "  segment AS `old_segment`,\n  segment AS `seg`,\n" in printed
    assert printed.endswith("FROM `shop`.`crm`.`rfm_segments`;\n")
    assert "VIEW `shop`.`old`.`rfm` AS" in rfm(*to, "--name", "old.rfm").stdout
    assert "VIEW `x`.`old`.`rfm` AS" in rfm(*to, "--name", "x.old.rfm").stdout
