"""Bounds of a run whose window ends on the newest order: the newest partitions, or all of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rfm_pipeline.common.schema import Kind, Partition
from rfm_pipeline.warehouse.base import SourceTable
from rfm_pipeline.warehouse.duckdb.warehouse import DuckDBWarehouse
from support.cli import Rfm
from support.databases import empty_database
from support.orders import refused

# The lines of 2023 are old; those of the newest partition have no customer.
LINES = """\
customer_id,order_id,order_date,amount
ann,1,2023-01-05,10
ann,2,2024-03-01,20
bob,3,2024-02-20,30
"""
LATE = ",4,2024-06-01,5\n"


def write_lines(lines: str) -> None:
    Path("lines.csv").write_text(lines, encoding="utf-8")
    types = "{'customer_id': 'VARCHAR', 'order_id': 'VARCHAR', 'order_date': 'DATE', 'amount': 'INTEGER'}"
    with empty_database() as connection:
        connection.execute(f"COPY (FROM read_csv('lines.csv', columns = {types})) TO 'lines.parquet'")


@pytest.fixture
def partitioned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Write lines, as a table with partitions of a day; return a function that does."""
    monkeypatch.chdir(tmp_path)
    open_file = DuckDBWarehouse.open_source

    def write(lines: str, newest: date | None, *, is_required: bool) -> None:
        write_lines(lines)
        partition = Partition("order_date", Kind.DATE, is_required)

        def open_source(warehouse: DuckDBWarehouse) -> SourceTable:
            # BigQuery declares no rows.
            return replace(open_file(warehouse), partition=partition, rows=None)

        monkeypatch.setattr(DuckDBWarehouse, "open_source", open_source)
        monkeypatch.setattr(DuckDBWarehouse, "newest_partition", lambda *_: newest)

    return write


RUN = ("run", "lines.parquet", "--window", "30 days", "--json")


@pytest.mark.slow
def test_older_partitions_are_not_read(partitioned: Any, rfm: Rfm) -> None:
    partitioned(LINES, date(2024, 3, 1), is_required=True)
    result = rfm(*RUN).json
    assert (result["rows"]["read"], result["customers"], result["as_of"]) == (2, 2, "2024-03-01")
    assert "only partitions of `order_date` from 2024-01-23 on are read" in result["notes"]


@pytest.mark.slow
def test_all_partitions_are_read_where_no_line_of_the_newest_ones_counts(partitioned: Any, rfm: Rfm) -> None:
    partitioned(LINES + LATE, date(2024, 6, 1), is_required=False)
    result = rfm(*RUN).json
    assert (result["rows"]["read"], result["customers"], result["as_of"]) == (4, 2, "2024-03-01")
    assert not any("partitions" in note for note in result["notes"])


@pytest.mark.slow
def test_a_table_that_requires_a_filter_then_needs_a_date(partitioned: Any, rfm: Rfm) -> None:
    partitioned(LINES + LATE, date(2024, 6, 1), is_required=True)
    sentence, hint = refused(rfm(*RUN))
    assert "No order of the newest partitions of lines.parquet counts" in sentence
    assert "--as-of yesterday" in hint
    assert rfm(*RUN, "--as-of", "2024-03-01").code == 0


@pytest.mark.slow
def test_a_narrower_read_is_no_drop_of_the_lines(partitioned: Any, rfm: Rfm) -> None:
    old = "".join(f"ann,old{number},2023-01-05,10\n" for number in range(20))
    partitioned(LINES + old, None, is_required=False)
    assert rfm(*RUN).json["rows"]["read"] == 23
    partitioned(LINES + old, date(2024, 3, 1), is_required=False)
    assert rfm(*RUN).json["rows"]["read"] == 2


@pytest.mark.slow
def test_a_report_has_no_cohorts_where_older_partitions_were_not_read(partitioned: Any, rfm: Rfm) -> None:
    """Ann is no new customer of March: her first order is in a partition that no run has read."""
    partitioned(LINES, None, is_required=True)
    for day in ("2024-02-25", "2024-03-01"):
        assert "outside_window" not in rfm(*RUN, "--as-of", day).json["rows"]["excluded"]
    assert rfm("report", "-o", "report.html").code == 0
    assert "there are no cohorts" in Path("report.html").read_text(encoding="utf-8")
