"""Properties of the published result for random shops of thousands of lines and all settings."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.pipeline import printed_query
from support.databases import empty_database
from support.generated import DIMENSIONS, preset, scorings
from support.generated_shop import (
    COLUMNS,
    SETTINGS,
    TODAY,
    Line,
    Published,
    examples,
    folder,
    rules,
    run,
    run_source,
    seeds,
    shop,
    write,
)
from support.lanes import max_examples
from support.reference import expected, segment_of

DAY_COLUMNS = {"first_order_days", "twice_median_gap"}
"""Columns that the query has for a map with conditions on days; they are not published."""
VALUES = {"recency": "recency_days", "frequency": "frequency", "monetary": "monetary"}


def shuffled(lines: Sequence[Line], seed: int) -> list[Line]:
    copy = list(lines)
    Random(seed).shuffle(copy)
    return copy


def without_days(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in DAY_COLUMNS}


def money(line: Line) -> Decimal | None:
    """Return the amount of a line; None if it is unreadable."""
    try:
        return Decimal(line["quantity"]) * Decimal(line["unit_price"])
    except ArithmeticError:
        return None


# The order and files of lines do not matter


@pytest.mark.guarantee("equal-scores")
@examples
@given(seeds, rules(), scorings())
def test_the_order_of_the_lines_changes_nothing(
    seed: int, options: dict[str, Any], scored: dict[str, Any]
) -> None:
    lines = shop(seed)
    one, other = run(lines, **options, **scored), run(shuffled(lines, seed), **options, **scored)
    assert one.rows == other.rows
    assert one.exclusions == other.exclusions
    assert one.result.statistics.edges == other.result.statistics.edges


@max_examples(6)
@given(seeds, rules(), scorings(), st.integers(2, 9), st.sampled_from([2, 3, 8]))
def test_the_number_of_files_and_threads_changes_nothing(
    seed: int, options: dict[str, Any], scored: dict[str, Any], files: int, threads: int
) -> None:
    """Also if the lines of an order are in several files, all of which count."""
    lines = shop(seed)
    options |= {"same_order": "both"} if seed % 2 else {}
    one = run(lines, **options, **scored, duckdb={"threads": 1})
    other = run(lines, files=files, **options, **scored, duckdb={"threads": threads})
    assert one.rows == other.rows
    assert one.exclusions == other.exclusions


@pytest.mark.guarantee("one-query")
@examples
@given(seeds, rules(), scorings())
def test_the_printed_query_returns_the_published_rows(
    seed: int, options: dict[str, Any], scored: dict[str, Any]
) -> None:
    with folder() as directory:
        source = write(directory / "orders.csv", shop(seed))
        published = run_source(source, directory, **options, **scored)
        text = printed_query.query(
            Configuration(flags={**SETTINGS, "source": str(source), **options, **scored}), "duckdb", None
        )
        with empty_database() as connection:
            read = connection.execute(text)
            columns = [column[0] for column in read.description or ()]
            rows = [without_days(dict(zip(columns, row, strict=True))) for row in read.fetchall()]
    names = [name for name in columns if name not in DAY_COLUMNS]
    assert rows == [{name: row[name] for name in names} for row in published.rows]
    assert {"customer_id", "segment", "as_of_date"} <= set(names)


@max_examples(6)
@given(seeds, rules(), scorings())
def test_the_result_of_thousands_of_lines_equals_the_reference(
    seed: int, options: dict[str, Any], scored: dict[str, Any]
) -> None:
    lines = shop(seed)
    published = run(lines, **options, **scored)
    reference = expected(dict.fromkeys(COLUMNS, "STRING"), lines, {**SETTINGS, **options, **scored}, TODAY)
    by_id = {row["customer_id"]: without_days(row) for row in reference.segments}
    assert [{name: row[name] for name in by_id[row["customer_id"]]} for row in published.rows] == [
        by_id[name] for name in sorted(by_id)
    ]
    excluded = {
        reason.reason: (reason.lines, reason.amount) for reason in published.result.statistics.exclusions
    }
    assert excluded == reference.excluded


# Equal values, equal scores


@pytest.mark.guarantee("equal-scores")
@examples
@given(seeds, rules(), scorings(methods=("quantile", "fixed")))
def test_equal_values_get_equal_scores(seed: int, options: dict[str, Any], scored: dict[str, Any]) -> None:
    rows = run(shop(seed, customers=400, prices=1), **options, **scored).rows
    for dimension in DIMENSIONS:
        scores = defaultdict(set)
        for row in rows:
            scores[row[VALUES[dimension]]].add(row[f"{dimension[0]}_score"])
        assert len(scores) < len(rows), f"{dimension}: without ties there is nothing to see"
        assert {value: different for value, different in scores.items() if len(different) > 1} == {}


def test_only_ntile_gives_equal_values_different_scores() -> None:
    """Customers with one order each: this is why quantiles are the default."""
    lines = [
        {
            "customer_id": f"C{n}",
            "order_id": str(n),
            "ordered_at": "2024-05-01",
            "quantity": "1",
            "unit_price": "5",
            "status": "",
        }
        for n in range(40)
    ]
    tiles = Counter(row["f_score"] for row in run(lines, scoring={"method": "ntile"}).rows)
    assert tiles == {1: 10, 2: 10, 3: 10, 4: 10}
    assert {row["rfm_score"] for row in run(lines).rows} == {"411"}


@examples
@given(seeds, rules(), scorings())
def test_a_better_value_never_has_a_worse_score(
    seed: int, options: dict[str, Any], scored: dict[str, Any]
) -> None:
    rows = run(shop(seed), **options, **scored).rows
    for dimension in DIMENSIONS:
        sign = -1 if dimension == "recency" else 1
        best_first = sorted(rows, key=lambda row: sign * row[VALUES[dimension]], reverse=True)
        for better, worse in pairwise(best_first):
            if better[VALUES[dimension]] != worse[VALUES[dimension]]:
                assert better[f"{dimension[0]}_score"] >= worse[f"{dimension[0]}_score"], dimension


@examples
@given(seeds, rules(), st.integers(2, 10))
def test_at_most_the_share_of_one_bin_is_above_the_last_edge(
    seed: int, options: dict[str, Any], bins: int
) -> None:
    """The definition of quantile edges, for money, of which hardly any two customers have the same."""
    rows = run(shop(seed), **options, **quantiles(bins)).rows
    for k in range(1, bins):
        above = sum(row["m_score"] > k for row in rows)
        assert above * bins <= len(rows) * (bins - k)
    assert {row["m_score"] for row in rows} == set(range(1, bins + 1)), "money is spread: no bin is empty"


def quantiles(bins: int) -> dict[str, Any]:
    segments = {"rules": [{"segment": "Best", "r": bins}], "fallback": "Others"}
    return {"scoring": {"bins": bins}, "segments": segments}


# All lines and all money are counted


@pytest.mark.guarantee("every-line")
@examples
@given(seeds, rules())
def test_every_line_and_all_money_is_kept_or_excluded(seed: int, options: dict[str, Any]) -> None:
    lines = shop(seed)
    result = run(lines, **options).result
    assert result.statistics.rows_read == len(lines)
    assert result.statistics.rows_kept + sum(reason.lines for reason in result.statistics.exclusions) == len(
        lines
    )
    assert len(result.statistics.exclusions) >= 6, "a shop with reasons to exclude"
    readable = sum(amount for line in lines if (amount := money(line)) is not None)
    assert (
        result.statistics.amount_kept + sum(reason.amount or 0 for reason in result.statistics.exclusions)
        == readable
    )


@examples
@given(seeds, rules())
def test_customers_money_is_the_money_kept(seed: int, options: dict[str, Any]) -> None:
    published = run(shop(seed), **options)
    total = sum(row["monetary"] for row in published.rows)
    assert total == published.result.statistics.amount_kept == published.result.statistics.revenue
    assert total == sum(segment.revenue for segment in published.result.statistics.segments)
    orders = sum(row["frequency"] for row in published.rows)
    assert (
        orders
        == published.result.statistics.orders
        == sum(segment.orders for segment in published.result.statistics.segments)
    )


@examples
@given(seeds, rules(), scorings())
def test_every_customer_is_in_the_one_segment_of_its_scores(
    seed: int, options: dict[str, Any], scored: dict[str, Any]
) -> None:
    published = run(shop(seed), **options, **scored)
    rows, result = published.rows, published.result
    assert len({row["customer_id"] for row in rows}) == len(rows) == result.statistics.customers
    # The result does not have the gaps between orders: one of each interval that generated maps name.
    gaps = (None, *(Fraction(tenths, 10) for tenths in (5, 10, 12, 15, 20, 25, 30, 40, 50)))
    for row in rows:
        scores = row["r_score"], row["f_score"], row["m_score"]
        days = (row["as_of_date"] - row["first_order_date"]).days
        assert row["segment"] in {segment_of(scored["segments"], *scores, (days, gap)) for gap in gaps}
    counted = Counter(row["segment"] for row in rows)
    assert {
        segment.segment: segment.customers for segment in result.statistics.segments if segment.customers
    } == counted


# Changes that must not matter


@examples
@given(seeds, rules(), scorings(methods=("quantile", "ntile")))
def test_prices_in_another_unit_change_no_score(
    seed: int, options: dict[str, Any], scored: dict[str, Any]
) -> None:
    assume("fixed" not in str(scored["scoring"].get("monetary")))
    lines = shop(seed)
    tenfold = [{**line, "unit_price": times_ten(line["unit_price"])} for line in lines]
    one, other = run(lines, **options, **scored), run(tenfold, **options, **scored)
    assert one.scores == other.scores
    assert [row["monetary"] * 10 for row in one.rows] == [row["monetary"] for row in other.rows]


def times_ten(price: str) -> str:
    try:
        return str(Decimal(price) * 10)
    except ArithmeticError:
        return price


@examples
@given(seeds, rules(), scorings(methods=("quantile", "fixed")))
def test_other_customer_ids_change_no_score(
    seed: int, options: dict[str, Any], scored: dict[str, Any]
) -> None:
    lines = shop(seed)
    names = sorted({line["customer_id"] for line in lines if line["customer_id"].strip()})
    other_names = {name: f"{number * 7919 % 10007} customer" for number, name in enumerate(reversed(names))}
    assert len(set(other_names.values())) == len(names)
    renamed = [{**line, "customer_id": other_names.get(line["customer_id"], "")} for line in lines]
    one, other = run(lines, **options, **scored), run(renamed, **options, **scored)
    assert {other_names[name]: scores for name, scores in one.scores.items()} == other.scores


EXCLUDED: Mapping[str, Mapping[str, str]] = {
    "missing_customer": {"customer_id": " "},
    "missing_order": {"order_id": ""},
    "invalid_date": {"ordered_at": "2024-04-31"},
    "invalid_amount": {"quantity": "a dozen"},
    "future_dated": {"ordered_at": "2025-02-02"},
    "outside_window": {"ordered_at": "2023-11-30"},
    "cancelled": {"status": "cancelled"},
    "non_positive_quantity": {"quantity": "0"},
    "non_positive_price": {"unit_price": "-0.01"},
}


WINDOWS: Mapping[str, Mapping[str, Any]] = {
    "moving": {"window": "13 months"},
    "fixed": {"as_of": date(2024, 12, 31)},
}
LARGE: Line = {
    "customer_id": "C0001",
    "order_id": "new",
    "ordered_at": "2024-12-30",
    "quantity": "500",
    "unit_price": "9999.99",
    "status": "paid",
}


@functools.cache
def usual(window: str) -> Published:
    return run(shop(7), since=date(2023, 12, 1), **WINDOWS[window])


@pytest.mark.matrix
@pytest.mark.parametrize("reason", EXCLUDED)
@pytest.mark.parametrize("window", WINDOWS)
def test_an_excluded_line_changes_no_customer(reason: str, window: str) -> None:
    """The line is only counted under its reason, however large it is and whichever customer it has."""
    lines = [*shop(7), {**LARGE, **EXCLUDED[reason]}]
    one, other = usual(window), run(lines, since=date(2023, 12, 1), **WINDOWS[window])
    assert one.rows == other.rows
    assert one.result.statistics.edges == other.result.statistics.edges
    assert counts(other) == counts(one) + Counter({reason: 1})


@pytest.mark.parametrize("window", WINDOWS)
def test_a_kept_line_changes_its_customer(window: str) -> None:
    one, other = usual(window), run([*shop(7), LARGE], since=date(2023, 12, 1), **WINDOWS[window])
    changed = [row["customer_id"] for row, before in zip(other.rows, one.rows, strict=True) if row != before]
    assert "C0001" in changed
    assert counts(other) == counts(one)


def counts(published: Published) -> Counter[str]:
    return Counter({reason.reason: reason.lines for reason in published.result.statistics.exclusions})


@max_examples(10)
@given(seeds, rules(), st.tuples(*[st.integers(2, 5)] * 3))
def test_quantile_edges_used_as_fixed_edges_give_the_same_scores(
    seed: int, options: dict[str, Any], sides: tuple[int, int, int]
) -> None:
    segments = (
        preset("klaviyo")["segments"]
        if sides == (3, 3, 3)
        else {
            "rules": [{"segment": "Best", "r": sides[0], "fm": ">=2"}, {"segment": "Lost", "r": 1}],
            "fallback": "Others",
        }
    )
    lines = shop(seed, customers=60)
    scoring = {name: {"bins": bins} for name, bins in zip(DIMENSIONS, sides, strict=True)}
    one = run(lines, **options, scoring=scoring, segments=segments)
    edges = {dimension.name: dimension.edges or () for dimension in one.result.statistics.edges}
    # Many ties make equal edges, which the method `fixed` does not accept.
    assume(all(len(set(values)) == len(values) for values in edges.values()))
    event(f"bins {sides}")
    fixed_edges = {
        name: {"bins": bins, "method": "fixed", "edges": [str(edge) for edge in edges[name]]}
        for name, bins in zip(DIMENSIONS, sides, strict=True)
    }
    other = run(lines, **options, scoring=fixed_edges, segments=segments)
    assert one.rows == other.rows
    assert [dimension.edges for dimension in other.result.statistics.edges] == list(edges.values())
