"""The report tells what the tables hold, needs no network, and runs nothing that is in a name."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from by_hand import ORDERS, refused
from conftest import Rfm
from rfm_pipeline import words


@pytest.fixture
def published(tmp_path: Path, rfm: Rfm) -> Path:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for as_of in ("2024-02-25", "2024-03-01"):
        assert rfm("run", "orders.csv", "--as-of", as_of).code == 0
    return tmp_path


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<body")[2]).split())


def test_the_figures_are_those_of_the_tables(published: Path, rfm: Rfm) -> None:
    ended = rfm("report")
    assert ended.code == 0, ended.stderr
    page = (published / "report.html").read_text(encoding="utf-8")
    with closing(duckdb.connect(str(published / "rfm.duckdb"), read_only=True)) as connection:
        segments = connection.execute(
            "SELECT segment, COUNT(*), SUM(monetary) FROM rfm_segments GROUP BY segment"
        ).fetchall()
    shown = text_of(page)
    assert "2024-03-01" in page
    for segment, customers, revenue in segments:
        assert segment in shown
        assert re.search(rf"\b{customers}\b", shown)
        assert words.amount(revenue) in shown
    assert "163.50" in shown


def test_the_page_needs_no_network(published: Path, rfm: Rfm) -> None:
    assert rfm("report").code == 0
    page = (published / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?:https?:)?//""", page)
    assert "Content-Security-Policy" in page
    assert len(page.encode()) < 2_000_000


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>"])
def test_a_name_is_text_and_nothing_else(name: str, tmp_path: Path, rfm: Rfm) -> None:
    (tmp_path / "orders.csv").write_text(
        f"customer_id,order_id,date,amount\n{name},1,2025-01-01,5\nbob,2,2025-01-02,7\n", encoding="utf-8"
    )
    assert rfm("run", "orders.csv", "--report", "page.html").code == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert name not in page
    assert "<img src=x" not in page


def test_one_customer_without_a_history_is_reported(tmp_path: Path, rfm: Rfm) -> None:
    (tmp_path / "orders.csv").write_text("customer_id,order_id,date,amount\nann,1,2025-01-01,5\n")
    assert rfm("run", "orders.csv", "--method", "ntile").code == 0
    assert rfm("report", "-o", "one.html").code == 0
    assert "5.00" in text_of((tmp_path / "one.html").read_text(encoding="utf-8"))


def test_without_a_result_there_is_nothing_to_report(rfm: Rfm) -> None:
    sentence, hint = refused(rfm("report"))
    assert "rfm.duckdb" in sentence
    assert "rfm run" in hint
