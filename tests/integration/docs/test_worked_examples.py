"""docs/worked-examples.md: each table is computed from the lines that the page shows."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any, Final

import pytest

import rfm_pipeline as rfm
from rfm_pipeline.evaluation.statistics import wilson_interval
from support.cli import Rfm
from support.paths import ROOT

FILE: Final = ROOT / "docs" / "worked-examples.md"
PAGE: Final = FILE.read_text(encoding="utf-8")
UPDATE: Final = bool(os.environ.get("RFM_UPDATE_GOLDEN"))
_TABLE: Final = r"<!-- computed: {name} -->\n\|[^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n)*)"
# Eleven runs, which the fast lane tests elsewhere.
pytestmark = pytest.mark.slow
CAUSES: Final = ("time", "behaviour", "edges")
MONTHS: Final = ("2025-05-31", "2025-06-30")

Rows = list[tuple[str, ...]]
Table = Callable[[Path, Rfm], Rows]
TABLES: Final[dict[str, Table]] = {}


def table(name: str) -> Callable[[Table], Table]:
    """Register the function that computes a table of the page."""

    def register(function: Table) -> Table:
        TABLES[name] = function
        return function

    return register


def customers(lines: Path, **arguments: Any) -> dict[str, dict[str, Any]]:
    """Return the customers of a result, by id."""
    return {row["customer_id"]: row for row in rfm.segment(lines, **arguments).to_arrow().to_pylist()}


def money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


@table("metrics")
def metrics(lines: Path, _: Rfm) -> Rows:
    return [
        (
            name,
            f"{row['last_order_date']}",
            f"{row['recency_days']}",
            f"{row['frequency']}",
            money(row["monetary"]),
        )
        for name, row in customers(lines).items()
    ]


@table("thresholds")
def thresholds(lines: Path, _: Rfm) -> Rows:
    result, rows = rfm.segment(lines), customers(lines).values()
    found = []
    for dimension in ("recency_days", "frequency", "monetary"):
        values = sorted(row[dimension] for row in rows)
        exact = [values[ceil(len(values) * k / 4) - 1] for k in (1, 2, 3)]
        edges = result.edges[dimension]
        assert edges is not None
        texts = [
            ", ".join(money(value) if dimension == "monetary" else f"{value:.0f}" for value in numbers)
            for numbers in (values, exact, edges)
        ]
        found.append((dimension.removesuffix("_days"), *texts))
    return found


@table("scores")
def scores(lines: Path, _: Rfm) -> Rows:
    return [
        (
            name, f"{row['recency_days']}", f"{row['r_score']}", f"{row['frequency']}", f"{row['f_score']}",
            money(row["monetary"]), f"{row['m_score']}",
        )
        for name, row in customers(lines).items()
    ]  # fmt: skip


@table("segments")
def segments(lines: Path, _: Rfm) -> Rows:
    return [
        (name, row["rfm_score"], f"{ceil((row['f_score'] + row['m_score']) / 2)}", row["segment"])
        for name, row in customers(lines).items()
    ]


def side_by_side(one: dict[str, Any], other: dict[str, Any], *columns: str) -> Iterator[tuple[str, ...]]:
    """Yield, for each customer, a column of both results after the other; a dash where there is none."""
    for name in sorted({*one, *other}):
        cells = [name]
        for column in columns:
            for rows in (one, other):
                value = rows[name][column] if name in rows else None
                cells.append("–" if value is None else money(value) if column == "monetary" else f"{value}")
        yield tuple(cells)


@table("window")
def window(lines: Path, _: Rfm) -> Rows:
    recent, all_time = (customers(lines, as_of=MONTHS[1], window=days) for days in ("90 days", None))
    pairs = side_by_side(recent, all_time, "frequency", "monetary")
    return [(name, f1, m1, f2, m2) for name, f1, f2, m1, m2 in pairs]


@table("returns")
def returns(lines: Path, _: Rfm) -> Rows:
    return list(side_by_side(customers(lines), customers(lines, returns="net"), "monetary", "frequency"))


@table("as-of")
def as_of(lines: Path, _: Rfm) -> Rows:
    earlier, later = (customers(lines, as_of=day) for day in MONTHS)
    return list(side_by_side(earlier, later, "recency_days", "frequency"))


@table("reconciliation")
def reconciliation(lines: Path, command: Rfm) -> Rows:
    result = command("run", lines, "--json", "--to", "duckdb:reconciled.duckdb").json
    rows, amount = result["rows"], result["amount"]
    parts = [
        ("kept", rows["kept"], amount["kept"]),
        *((f"`{reason}`", count, amount["excluded"][reason]) for reason, count in rows["excluded"].items()),
    ]
    assert sum(count for _, count, _ in parts) == rows["read"]
    total = sum((Decimal(value) for *_, value in parts), Decimal())
    read = sum((Decimal(line.split(",")[3]) for line in lines.read_text().splitlines()[1:]), Decimal())
    assert total == read
    return [("read", f"{rows['read']}", money(read)), *((n, f"{c}", money(Decimal(v))) for n, c, v in parts)]


@table("causes")
def causes(lines: Path, command: Rfm) -> Rows:
    for day in MONTHS:
        assert command("run", lines, "--as-of", day, "--quiet").code == 0
    flows = command("transitions", "--json").json["flows"]
    return [
        (
            flow["from"],
            flow["to"],
            f"{flow['customers']}",
            *(f"{flow['causes'].get(cause, 0)}" for cause in CAUSES),
        )
        for flow in flows
        if flow["causes"]
    ]


@table("evaluation")
def evaluation(lines: Path, _: Rfm) -> Rows:
    rows = [row for row in rfm.evaluate(lines, horizon="86d", as_of="2025-03-31").rows() if row["customers"]]
    share_of_all = sum(row["bought_again"] for row in rows) / sum(row["customers"] for row in rows)
    for row in rows:
        assert row["bought_again_share"] == row["bought_again"] / row["customers"]
        assert row["lift"] == pytest.approx(row["bought_again_share"] / share_of_all)
    return [
        (
            row["segment"], f"{row['customers']}", f"{row['bought_again']}",
            f"{row['bought_again_share']:.0%}".replace("%", " %"), f"{row['lift']:.2f}",
        )
        for row in rows
    ]  # fmt: skip


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Return a file of the lines of the page."""
    rows = re.findall(r"^\| (\w*) ?\| (\d+) \| (2025-\d\d-\d\d) \| (-?\d+\.\d\d) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 16
    text = "\n".join(["customer_id,order_id,order_date,amount", *(",".join(row) for row in rows)])
    (tmp_path / "orders.csv").write_text(text + "\n", encoding="utf-8")
    return tmp_path / "orders.csv"


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_computed_from_the_lines(name: str, lines: Path, rfm: Rfm) -> None:
    computed = "".join(f"| {' | '.join(row)} |\n" for row in TABLES[name](lines, rfm))
    page = FILE.read_text(encoding="utf-8")
    shown = re.search(_TABLE.format(name=name), page)
    assert shown is not None
    if UPDATE:
        FILE.write_text(page[: shown.start(1)] + computed + page[shown.end(1) :], encoding="utf-8")
        return
    assert shown[1] == computed


def test_every_table_is_computed() -> None:
    assert re.findall(r"<!-- computed: ([\w-]+) -->", PAGE) == list(TABLES)


@pytest.mark.parametrize("customers", [20, 100, 1000])
def test_an_interval_of_the_questions_and_answers_is_wilsons(customers: int) -> None:
    text = " ".join((ROOT / "docs" / "faq.md").read_text(encoding="utf-8").split())
    shown = re.search(rf"(\d+) % and (\d+) % (?:\(95 %, Wilson\) )?with {customers:,}\b", text)
    interval = wilson_interval(customers // 2, customers)
    assert shown is not None
    assert [int(bound) for bound in shown.groups()] == [round(100 * bound) for bound in interval]
