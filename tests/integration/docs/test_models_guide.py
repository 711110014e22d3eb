"""The guide to models: its commands print what it says, for a file in place of the table."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from rfm_pipeline.sql.models import TOOLS
from support.cli import Rfm
from support.googlesql_engine import googlesql
from support.markdown import blocks
from support.orders import ORDERS, published
from support.paths import ROOT

PAGE = (ROOT / "docs" / "guides" / "models.md").read_text(encoding="utf-8")
COMMANDS = [line for block in blocks("sh", PAGE) for line in block.splitlines()]
SOURCE = "bigquery://shop.sales.raw_transactions"


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_guide_prints_a_model(line: str, rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    command, _, redirected = line.partition(" > ")
    words = shlex.split(command.replace(SOURCE, "orders.csv --table shop.sales.raw_transactions"))[1:]
    ended = rfm(*words)
    assert ended.code == 0, ended.stderr
    files = [path for path in tmp_path.rglob("*") if path.suffix in {".sql", ".sqlx", ".yml"}]
    assert bool(files) == ("--output" in line)
    text = "".join(path.read_text(encoding="utf-8") for path in files) or ended.stdout
    # What the table of the guide says, without the empty cells and the references to the first tool.
    tool = words[words.index("--for") + 1]
    wanted = {"dbt": "accepted_values", "dataform": "uniqueKey", "scheduled-query": "ASSERT ("}
    assert wanted[tool] in text
    assert bool(redirected) == (tool == "scheduled-query")
    as_of = "DATE(@run_time, 'Europe/London')" if redirected else "CURRENT_DATE('Europe/London')"
    zone = "UTC" if "--timezone" not in line else "Europe/London"
    assert f"SELECT {as_of.replace('Europe/London', zone)} AS as_of_date" in text
    assert "The customer." in text


def test_the_movements_are_those_that_a_run_publishes(rfm: Rfm, tmp_path: Path) -> None:
    (query,) = blocks("sql", PAGE)
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for day in ("2024-01-31", "2024-02-20", "2024-03-05"):
        assert rfm("run", "orders.csv", "--as-of", day, "--quiet").code == 0
    file = tmp_path / "rfm.duckdb"
    stored = (
        "SELECT as_of_date, customer_id, previous_segment, segment FROM rfm_segments_history ORDER BY 1, 2"
    )
    rows = published(file, query)
    assert rows == published(file, stored)
    assert any(before and before != now for _, _, before, now in rows)


@pytest.mark.slow
@pytest.mark.xdist_group("googlesql")
def test_googles_analyser_accepts_the_query_of_movements() -> None:
    (query,) = blocks("sql", PAGE)
    columns = {"as_of_date": "DATE", "customer_id": "STRING", "segment": "STRING"}
    googlesql().analyse(query, {"rfm_segments_history": columns})


def test_the_guide_has_a_column_and_a_command_for_each_tool() -> None:
    shown = {re.findall(r"--for (\S+)", line)[0] for line in COMMANDS}
    assert shown == set(TOOLS)
    (head,) = re.findall(r"^\| part \| (.+) \|$", PAGE, re.MULTILINE)
    assert [name.lower().replace(" ", "-") for name in head.split(" | ")] == list(TOOLS)
