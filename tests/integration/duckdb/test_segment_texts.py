"""What presets say of a segment is true of nine in ten of its customers, in real and in generated shops."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

import rfm_pipeline as rfm
from rfm_pipeline.config import presets
from rfm_pipeline.config.day_conditions import Rhythm
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.explain.order_timeline import twice_median_gap
from support import cdnow
from support.databases import empty_database
from support.generated import SEGMENT_PRESETS
from support.paths import SHARED_DATA
from support.segment_claims import Customer, advice_claims, claims

Order = tuple[str, date, int]
"""Customer, day, and amount in cents."""

START = date(2024, 1, 1)
SCORED_BY = {3: "klaviyo", 4: "lifecycle", 5: "grid"}
"""A preset by its number of bins; all presets with so many have its scoring."""


def cdnow_orders() -> list[Order]:
    return [(one.customer_id, one.ordered_on, int(one.amount * 100)) for one in cdnow.sample()]


def subscriptions() -> list[Order]:
    """Monthly payments on one day: 80 customers still pay, 30 have stopped, 10 have just begun."""
    random = Random(1)
    begun = [(f"s{number}", random.randrange(12), 24) for number in range(80)]
    for number in range(30):
        first, end = sorted(random.sample(range(23), 2))
        begun.append((f"x{number}", first, end))
    begun += [(f"n{number}", 23, 24) for number in range(10)]
    return [
        (customer, date(2024 + month // 12, month % 12 + 1, 1), random.choice([990, 1990]))
        for customer, first, end in begun
        for month in range(first, end)
    ]


def one_time_buyers() -> list[Order]:
    """Nine in ten of 300 customers have one order; the others have two."""
    random = Random(2)
    orders = []
    for number in range(300):
        for _ in range(2 if number % 10 == 0 else 1):
            day = START + timedelta(days=random.randrange(500))
            orders.append((f"c{number}", day, random.randrange(500, 20_000)))
    return orders


def wholesale() -> list[Order]:
    """Sixty customers with 20 to 120 orders each, every few days, for large amounts; some have stopped.

    Six more have bought for small amounts for years, a few times, and on the newest day.
    """
    random = Random(3)
    orders = []
    for number in range(60):
        day, rhythm = START + timedelta(days=random.randrange(60)), random.randrange(4, 15)
        last = START + timedelta(days=random.choice([700, 700, 700, 500, 650]))
        while day <= last:
            orders.append((f"w{number}", day, random.randrange(10_000, 900_000)))
            day += timedelta(days=max(1, rhythm + random.randrange(-3, 4)))
    newest = max(day for _, day, _ in orders)
    for number in range(6):
        orders += [(f"small{number}", newest - timedelta(days=140 * ago), 900 + ago) for ago in range(5)]
    return orders


def online_retail() -> list[Order]:
    """The orders that a run counts: of the lines with a customer, a quantity and a price."""
    path = SHARED_DATA / "online_retail.parquet"
    columns = (
        "CustomerID::INTEGER::VARCHAR, MAX(InvoiceDate)::DATE, (100 * SUM(Quantity * UnitPrice))::BIGINT"
    )
    kept = "CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0"
    with empty_database() as connection:
        orders = f"SELECT {columns} FROM '{path}' WHERE {kept} GROUP BY CustomerID, InvoiceNo ORDER BY ALL"
        return connection.execute(orders).fetchall()


SHOPS: Mapping[str, Callable[[], list[Order]]] = {
    "cdnow": cdnow_orders,
    "online-retail": online_retail,
    "subscriptions": subscriptions,
    "one-time-buyers": one_time_buyers,
    "wholesale": wholesale,
}


def segment_map_of(preset: str) -> SegmentMap:
    settings = Configuration(flags={"preset": [preset]}).settings
    return SegmentMap.from_config(settings.segments, settings.scoring.bins_by_dimension)


def customers_of(
    rows: Sequence[Mapping[str, Any]], days: Mapping[str, Sequence[date]], preset: str
) -> list[Customer]:
    bins = max(segment_map_of(preset).bins)
    columns = ("recency_days", "frequency", "monetary")
    shop = {column: sorted(row[column] for row in rows) for column in columns}
    return [Customer(row, days[row["customer_id"]], bins, shop) for row in rows]


@pytest.fixture(scope="module")
def rows_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], list[Customer]]:
    """Segment a shop by a preset. Presets with equal bins share the scores of one run."""
    folder = tmp_path_factory.mktemp("shops")

    @cache
    def source(shop: str) -> tuple[Path, dict[str, list[date]]]:
        days = defaultdict(list)
        orders = SHOPS[shop]()
        for customer, day, cents in orders:
            if cents > 0:
                days[customer].append(day)
        path = folder / f"{shop}.csv"
        lines = [f"{customer},{day},{cents / 100}" for customer, day, cents in orders]
        path.write_text("\n".join(["customer_id,ordered_at,amount", *lines]), encoding="utf-8")
        return path, days

    @cache
    def scored(shop: str, preset: str) -> list[dict[str, Any]]:
        path, _ = source(shop)
        rows: list[dict[str, Any]] = rfm.segment(path, preset=preset).to_arrow().to_pylist()
        return rows

    def segmented(shop: str, preset: str) -> list[Customer]:
        segment_map, (_, days) = segment_map_of(preset), source(shop)
        rows = []
        for row in scored(shop, SCORED_BY[segment_map.bins[0]]):
            first = (row["as_of_date"] - row["first_order_date"]).days
            own = Rhythm(first, row["recency_days"], twice_median_gap(set(days[row["customer_id"]])))
            scores = row["r_score"], row["f_score"], row["m_score"]
            rows.append({**row, "segment": segment_map.segment_of(*scores, own)})
        return customers_of(rows, days, preset)

    return segmented


def assert_texts_hold(preset: str, customers: Sequence[Customer]) -> None:
    """Assert that each claim of each segment with customers is true of nine in ten of them."""
    members = defaultdict(list)
    for customer in customers:
        members[customer.row["segment"]].append(customer)
    for segment in segment_map_of(preset).segments:
        theirs = members[segment.name]
        for phrase, holds in [*claims(segment.description), *advice_claims(segment.action)]:
            true = sum(map(holds, theirs))
            assert 10 * true >= 9 * len(theirs), (
                f"{segment.name}: {phrase!r} holds for {true} of {len(theirs)}"
            )


needs_online_retail = (
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared data sets are missing"),
)
SHOP_CASES = [
    pytest.param(shop, marks=needs_online_retail if shop == "online-retail" else ()) for shop in SHOPS
]


@pytest.mark.matrix
@pytest.mark.parametrize("preset", SEGMENT_PRESETS)
@pytest.mark.parametrize("shop", SHOP_CASES)
def test_texts_are_true_of_nine_in_ten_customers(
    shop: str, preset: str, rows_of: Callable[[str, str], list[Customer]]
) -> None:
    customers = rows_of(shop, preset)
    assert len({one.row["segment"] for one in customers}) >= 2
    assert_texts_hold(preset, customers)


@pytest.mark.parametrize("preset", SEGMENT_PRESETS)
def test_the_scores_of_a_run_are_those_of_each_preset_with_its_bins(preset: str) -> None:
    scoring = presets.load_preset(preset)["scoring"]
    assert scoring == presets.load_preset(SCORED_BY[scoring["bins"]])["scoring"]


@pytest.mark.parametrize("preset", SEGMENT_PRESETS)
def test_every_part_of_a_description_is_checked(preset: str) -> None:
    for segment in segment_map_of(preset).segments:
        assert list(claims(segment.description)), segment


def test_a_claim_that_no_phrase_checks_is_an_error() -> None:
    with pytest.raises(AssertionError, match="claims something with"):
        list(claims("Bought for the first time, and at least as often as half of the customers."))


@pytest.mark.parametrize("preset", ["classic", "lifecycle"])
def test_a_false_text_is_found(preset: str, rows_of: Callable[[str, str], list[Customer]]) -> None:
    """The texts of another segment are false of the customers."""
    customers = rows_of("one-time-buyers", preset)
    names = [segment.name for segment in segment_map_of(preset).segments]
    following = dict(zip(names, [*names[1:], names[0]], strict=True))
    moved = [replace(one, row={**one.row, "segment": following[one.row["segment"]]}) for one in customers]
    with pytest.raises(AssertionError, match=r"holds for \d+ of \d+"):
        assert_texts_hold(preset, moved)


def test_names_that_mislead_are_told(rows_of: Callable[[str, str], list[Customer]]) -> None:
    """Where a segment named New has customers who have bought for years, the notes of the preset say so."""
    misleading = []
    for preset in SEGMENT_PRESETS:
        names = {
            one.row["segment"]
            for one in rows_of("wholesale", preset)
            if one.row["segment"].startswith("New")
            and (one.row["as_of_date"] - one.row["first_order_date"]).days > 365
        }
        notes = " ".join(presets.info(preset).notes)
        assert all(re.search(rf"(^|\. ){name} ", notes) for name in names)
        misleading += [preset] * len(names)
    assert misleading == ["classic", "grid", "r-rfm", "shopify"]


@pytest.mark.matrix
@pytest.mark.parametrize("preset", SEGMENT_PRESETS)
def test_each_segment_has_customers_in_a_shop(
    preset: str, rows_of: Callable[[str, str], list[Customer]]
) -> None:
    """No text is true only because it is said of nobody."""
    shops = [shop for shop in SHOPS if shop != "online-retail"]
    seen = {one.row["segment"] for shop in shops for one in rows_of(shop, preset)}
    assert seen == {segment.name for segment in segment_map_of(preset).segments}


@pytest.mark.slow
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared data sets are missing")
def test_the_notes_of_classic_count_the_new_customers_of_online_retail(
    rows_of: Callable[[str, str], list[Customer]],
) -> None:
    new = [one for one in rows_of("online-retail", "classic") if one.row["segment"] == "New Customers"]
    before = sum(one.row["frequency"] > 1 for one in new)
    assert f"of {len(new)} in the data set UCI Online Retail, {before} had bought before" in " ".join(
        presets.info("classic").notes
    )
