"""Regression audits: drops, duplicate loads and changed segment shares since the last run, and growth."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rfm_pipeline.config.audits import Audits
from rfm_pipeline.pipeline.audits.builtin import run_builtin_audits
from rfm_pipeline.pipeline.audits.statistics import AuditInput
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.statistics import Audit
from support.audit_statistics import EMPTY, changed, segments

COMPARING = ("rows_dropped", "customers_dropped", "duplicate_load", "segment_shares")
LAST_STATISTICS = replace(
    EMPTY,
    rows_read=1_200,
    rows_kept=1_000,
    customers=100,
    orders=400,
    revenue=Decimal(50_000),
    newest_order_date=date(2024, 2, 29),
    segments=segments({"Champions": 20, "Lost": 80}),
)
LAST = RunRecord(
    run_id="20240229T060000-abc123",
    kind="run",
    status="published",
    started_at=datetime(2024, 3, 1, 6),  # noqa: DTZ001 - records have naive times, in UTC
    finished_at=datetime(2024, 3, 1, 6, 1),  # noqa: DTZ001
    as_of_date=date(2024, 2, 29),
    config_hash="c0ffee",
    statistics=LAST_STATISTICS,
)
NOW = AuditInput(
    statistics=replace(
        LAST_STATISTICS,
        rows_read=1_210,
        rows_kept=1_010,
        amount_kept=Decimal(50_500),
        customers=101,
        orders=404,
        revenue=Decimal(50_500),
        newest_order_date=date(2024, 3, 1),
        segments=segments({"Champions": 21, "Lost": 80}),
    ),
    rows_declared=None,
    customers_kept=101,
    staged_rows=101,
    oldest_order_date=date(2024, 1, 1),
    config_hash="c0ffee",
    last=LAST,
)


def last_run(**changes: Any) -> RunRecord:
    return replace(LAST, statistics=replace(LAST_STATISTICS, **changes))


def audit(name: str, staged: AuditInput, **configured: Any) -> Audit:
    """Return the result of one audit."""
    (result,) = [each for each in run_builtin_audits(staged, Audits.of(configured)) if each.name == name]
    return result


@pytest.mark.parametrize("name", COMPARING)
def test_a_run_like_the_last_one_passes(name: str) -> None:
    assert audit(name, NOW).status == "passed"


FALLEN = changed(
    NOW,
    rows_read=1,
    rows_kept=1,
    customers=1,
    orders=1,
    revenue=Decimal(1),
    segments=segments({"Champions": 1}),
)
TWICE = changed(NOW, rows_read=2_420, rows_kept=2_020, revenue=Decimal(101_000))


@pytest.mark.parametrize("name", COMPARING)
def test_without_an_earlier_run_or_with_another_configuration_nothing_is_compared(name: str) -> None:
    changed = TWICE if name == "duplicate_load" else FALLEN
    assert audit(name, changed).status != "passed"
    assert audit(name, replace(changed, last=None)) == Audit(
        name, "not_compared", "Not compared: there is no earlier run."
    )
    assert audit(name, replace(changed, config_hash="another")) == Audit(
        name, "not_compared", "Not compared with the run as of 2024-02-29, which had another configuration."
    )
    assert audit(name, replace(changed, last_source_differs=True)) == Audit(
        name, "not_compared", "Not compared with the run as of 2024-02-29, which read another source."
    )


@pytest.mark.parametrize("name", COMPARING)
@pytest.mark.parametrize(("level", "status"), [("block", "failed"), ("warn", "warning")])
def test_the_level_decides_whether_a_violation_fails_or_warns(name: str, level: str, status: str) -> None:
    failing = TWICE if name == "duplicate_load" else FALLEN
    assert audit(name, failing, **{name: level}).status == status
    results = run_builtin_audits(failing, Audits.of({name: "off"}))
    assert name not in {result.name for result in results}


# Drops


def test_lines_and_customers_may_drop_by_their_limit_only() -> None:
    assert audit("rows_dropped", changed(NOW, rows_read=600)).status == "passed"
    dropped = audit("rows_dropped", changed(NOW, rows_read=599))
    assert (dropped.status, dropped.detail) == (
        "failed",
        "The lines fell by 50.1 %: there are 599 lines, and the run as of 2024-02-29 had 1,200.",
    )
    assert audit("rows_dropped", changed(NOW, rows_read=599), rows_dropped=0.6).status == "passed"
    assert audit("rows_dropped", changed(NOW, rows_read=1_199), rows_dropped=0).status == "failed"
    assert audit("customers_dropped", changed(NOW, customers=50)).status == "passed"
    dropped = audit("customers_dropped", changed(NOW, customers=49))
    assert dropped.status == "failed"
    assert "there are 49 customers, and the run as of 2024-02-29 had 100" in dropped.detail


def test_a_last_run_without_lines_is_not_compared() -> None:
    last = replace(LAST, statistics=EMPTY)
    assert {audit(name, changed(NOW, last=last)).status for name in COMPARING} == {"not_compared"}


# Duplicate loads


def test_a_duplicate_load_has_twice_the_lines_per_order() -> None:
    result = audit("duplicate_load", TWICE)
    ratios = "lines per order are 2.00 times those of the run as of 2024-02-29, and their money 2.00 times"
    assert (result.status, result.detail) == (
        "failed",
        f"The lines may have been loaded twice: {ratios}, with 101 customers in place of 100.",
    )
    assert audit("duplicate_load", TWICE, duplicate_load=2.5).status == "passed"


@pytest.mark.parametrize("doubles_orders", [True, False])
def test_a_duplicate_load_without_order_ids_has_twice_the_lines_per_day(doubles_orders: bool) -> None:
    # Without ids each line is its own order, so the number of orders can double too.
    staged = changed(TWICE, has_order_ids=False, orders=2_020 if doubles_orders else 404)
    result = audit("duplicate_load", staged)
    assert result.status == "failed"
    # 2.02 times the lines in 61 days instead of 60.
    assert "lines per day are 1.99 times those of the run as of 2024-02-29" in result.detail


GROWTH = {
    "a busy year with the same customers": changed(
        NOW, rows_kept=2_500, orders=1_000, revenue=Decimal(125_000), newest_order_date=date(2024, 12, 31)
    ),
    "a second month of the same customers, without order ids": changed(
        NOW, rows_kept=2_000, orders=2_000, revenue=Decimal(100_000),
        has_order_ids=False, newest_order_date=date(2024, 4, 29),
    ),
    "twice the lines with twice the customers": changed(TWICE, customers=200),
    "a line for each item, where there was one for each order": changed(TWICE, revenue=Decimal(50_500)),
    "prices that doubled": changed(NOW, revenue=Decimal(101_000)),
    "larger orders": changed(NOW, rows_kept=1_500, revenue=Decimal(75_000)),
}  # fmt: skip


@pytest.mark.parametrize("growth", GROWTH)
def test_growth_is_no_duplicate_load(growth: str) -> None:
    assert audit("duplicate_load", GROWTH[growth]).status == "passed"


@given(
    days=st.integers(1, 400),
    per_day=st.integers(1, 500),
    lines=st.integers(1, 9),
    later=st.integers(0, 400),
    has_order_ids=st.booleans(),
)
def test_a_steady_shop_passes_and_a_duplicate_load_of_it_fails(
    days: int, per_day: int, lines: int, later: int, has_order_ids: bool
) -> None:
    def line_counts(days: int) -> dict[str, Any]:
        orders = days * per_day
        return {"rows_kept": orders * lines, "orders": orders if has_order_ids else orders * lines}

    def day_number(days: int) -> date:
        return date.fromordinal(date(2020, 1, 1).toordinal() + days - 1)

    last = last_run(
        **line_counts(days), revenue=Decimal(10 * days * per_day * lines), newest_order_date=day_number(days)
    )
    now = changed(
        NOW,
        **line_counts(days + later),
        revenue=Decimal(10 * (days + later) * per_day * lines),
        oldest_order_date=day_number(1),
        newest_order_date=day_number(days + later),
        customers=100,
        has_order_ids=has_order_ids,
        last=last,
    )
    assert audit("duplicate_load", now).status == "passed"
    orders = now.statistics.orders if has_order_ids else 2 * now.statistics.orders
    twice = changed(
        now, rows_kept=2 * now.statistics.rows_kept, orders=orders, revenue=2 * now.statistics.revenue
    )
    assert audit("duplicate_load", twice).status == "failed"


# Segment shares


def test_a_changed_segment_share_is_reported_with_both_shares() -> None:
    result = audit("segment_shares", changed(NOW, segments=segments({"Champions": 50, "Lost": 50})))
    assert result == Audit(
        "segment_shares",
        "warning",
        "Champions has 50.0 % of the customers, and in the run as of 2024-02-29 it had 20.0 %.",
        (
            {"segment": "Champions", "before": "20.0 %", "now": "50.0 %"},
            {"segment": "Lost", "before": "80.0 %", "now": "50.0 %"},
        ),
    )


def test_segments_are_compared_by_name_even_if_only_one_run_has_them() -> None:
    assert (
        audit("segment_shares", changed(NOW, segments=segments({"Lost": 80, "Champions": 20}))).status
        == "passed"
    )
    renamed = audit(
        "segment_shares", changed(NOW, segments=segments({"Best": 20, "Lost": 80})), segment_shares=0.19
    )
    assert {row["segment"] for row in renamed.rows} == {"Best", "Champions"}


def test_a_share_may_change_by_its_limit() -> None:
    moved = changed(NOW, segments=segments({"Champions": 40, "Lost": 60}))
    assert audit("segment_shares", moved).status == "passed"
    assert audit("segment_shares", moved, segment_shares=0.19).status == "warning"
    few = {name: customers * 7 for name, customers in {"Champions": 1, "Lost": 4}.items()}
    assert audit("segment_shares", changed(NOW, segments=segments(few)), segment_shares=0).status == "passed"
