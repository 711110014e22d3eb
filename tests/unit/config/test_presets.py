"""The presets of the package are complete and valid, and agree with their published sources."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rfm_pipeline.common.date_formats import format_regex
from rfm_pipeline.config import presets
from rfm_pipeline.config.day_conditions import Rhythm
from rfm_pipeline.config.segment_map import SegmentMap, SegmentsConfig, cell_text
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.explain.order_timeline import twice_median_gap
from support.databases import empty_database
from support.paths import SHARED_DATA

SEGMENT_MAPS = {
    "classic": 4, "grid": 5, "klaviyo": 3, "lifecycle": 4, "pymc": 4, "r-rfm": 5, "shopify": 5,
}  # fmt: skip
SOURCES = (
    "amazon-orders", "bigcommerce-orders", "ebay-orders", "etsy-items", "etsy-orders", "ga4",
    "klaviyo-events", "magento-orders",
    "olist", "online-retail", "online-retail-ii", "paypal-activity", "prestashop-orders", "shopify-orders",
    "square-items", "stripe-payments", "thelook", "woocommerce-analytics", "woocommerce-order-export",
)  # fmt: skip
ROLES = {
    "customer_id", "customer_fallback", "order_id", "ordered_at", "amount", "quantity", "unit_price",
    "refund", "refund_of", "total", "adjusted_total",
}  # fmt: skip


def build_map(name: str) -> SegmentMap:
    bins = SEGMENT_MAPS[name]
    config = SegmentsConfig.of(presets.load_preset(name)["segments"])
    return SegmentMap.from_config(config, (bins, bins, bins))


def cells_by_segment(segment_map: SegmentMap) -> dict[str, set[str]]:
    cells = defaultdict(set)
    for cell, segment in segment_map.cells().items():
        cells[segment].add(cell_text(cell, segment_map.bins))
    return dict(cells)


# All presets


def test_all_presets_are_listed() -> None:
    assert presets.names() == tuple(sorted([*SEGMENT_MAPS, *SOURCES]))


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_is_a_segment_map_or_a_source_with_a_description(name: str) -> None:
    settings, info = presets.load_preset(name), presets.info(name)
    assert ("segments" in settings) != ("columns" in settings)
    assert info.kind == ("segments" if name in SEGMENT_MAPS else "source")
    assert (info.name, info.title) == (name, settings["preset"]["title"])
    assert info.title.strip()
    assert info.description.endswith(".")
    assert set(settings["preset"]) <= {"title", "description", "signatures", "notes", "question"}


def test_changing_a_loaded_preset_does_not_change_the_next_load() -> None:
    presets.load_preset("classic")["segments"].clear()
    assert presets.load_preset("classic")["segments"]["rules"]


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("clasic", "classic"),
        ("r_rfm", "r-rfm"),
        ("Shopify", "shopify"),
        ("GA4", "ga4"),
        ("online_retail", "online-retail"),
    ],
)
def test_an_unknown_preset_is_rejected_with_the_closest_name(name: str, closest: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        presets.load_preset(name)
    assert caught.value.message == f'There is no preset "{name}".'
    assert caught.value.hint == f'did you mean "{closest}"? `rfm presets` lists them.'


@pytest.mark.parametrize("name", ["zzzz", "", "../presets/classic", "classic.toml"])
def test_text_that_is_no_preset_name_opens_no_file(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        presets.load_preset(name)
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("`rfm presets` lists them.")
    with pytest.raises(ConfigurationError):
        presets.info(name)


# Segment maps


@pytest.mark.parametrize("name", SEGMENT_MAPS)
def test_a_segment_map_is_valid_for_its_bins(name: str) -> None:
    assert presets.load_preset(name)["scoring"]["bins"] == SEGMENT_MAPS[name]
    assert len(build_map(name).cells()) == SEGMENT_MAPS[name] ** 3


@pytest.mark.parametrize("name", SEGMENT_MAPS)
def test_a_segment_map_has_notes_on_its_names_and_its_original(name: str) -> None:
    notes = presets.info(name).notes
    assert notes
    assert all(note.endswith(".") for note in notes)


def test_the_customers_in_the_notes_are_in_the_segments_that_the_notes_name() -> None:
    assert build_map("r-rfm").segment_of(4, 4, 4) == "Potential Loyalist"
    assert build_map("shopify").segment_of(5, 1, 2) == "Active"
    assert build_map("shopify").segment_of(5, 1, 1) == "New"
    frequent = {"Premium Customer", "Repeat Customer"}
    assert not [cell for cell, name in build_map("pymc").cells().items() if cell[1] == 2 and name in frequent]
    days = [date(2024, 1, 1) + timedelta(days=day) for day in (1, 11, 41)]
    usual = twice_median_gap(days)
    assert usual == 40
    lifecycle = build_map("lifecycle")
    on = {day: lifecycle.segment_of(3, 3, 3, Rhythm(day - 1, day - 41, usual)) for day in (61, 62)}
    assert on == {61: "Loyal", 62: "Due"}


@pytest.mark.parametrize("name", SEGMENT_MAPS)
def test_a_segment_map_has_the_name_of_its_preset(name: str) -> None:
    assert build_map(name).name == name
    assert build_map(name).description.endswith(".")


@pytest.mark.parametrize("name", SEGMENT_MAPS)
def test_every_segment_has_a_one_line_description_and_action(name: str) -> None:
    segments = build_map(name).segments
    for text in [line for segment in segments for line in (segment.description, segment.action)]:
        assert re.fullmatch(r"[A-Z][^\n]{20,118}\.", text), text
    assert len({segment.description for segment in segments}) == len(segments)
    assert len({segment.action for segment in segments}) == len(segments)


SEGMENTS_IN_ORDER = """
classic: Champions, Loyal Customers, Potential Loyalists, New Customers, Promising, Needs Attention, \
About to Sleep, At-Risk, Hibernating, Lost
grid: Champions, Loyal Customers, Potential Loyalists, New Customers, Need Attention, Promising, \
Can't Lose Them, About to Sleep, At Risk, Hibernating
klaviyo: Champions, Loyal, Recent, Needs Attention, At Risk, Inactive
lifecycle: Champions, Loyal, Active, New, Due, One-time, Slipping, Dormant, Lost
pymc: Premium Customer, Top Spender, Repeat Customer, At-Risk Customer, Inactive Customer, Other
r-rfm: Champions, Potential Loyalist, New Customers, Promising, At Risk, Can't Lose Them, Loyal Customers, \
Need Attention, About To Sleep, Lost, Others
shopify: Champions, Loyal, Active, Previously Loyal, New, Needs Attention, Promising, At Risk, Almost Lost, \
Dormant
"""


def test_a_segment_map_has_the_published_segments_from_best_to_worst() -> None:
    listed = [
        f"{name}: {', '.join(segment.name for segment in build_map(name).segments)}" for name in SEGMENT_MAPS
    ]
    assert listed == SEGMENTS_IN_ORDER.strip().splitlines()


def test_klaviyos_groups_have_the_published_cells() -> None:
    assert cells_by_segment(build_map("klaviyo")) == {
        "Champions": {"333", "332", "323"},
        "Loyal": {"321", "322", "331", "232", "233"},
        "Recent": {"312", "313", "311", "222", "223"},
        "Needs Attention": {"213", "221", "123", "132", "133"},
        "At Risk": {"231", "212", "122", "131", "211"},
        "Inactive": {"111", "112", "113", "121"},
    }


def test_klaviyos_recency_is_split_at_180_and_365_days() -> None:
    assert presets.load_preset("klaviyo")["scoring"] == {
        "bins": 3,
        "recency": {"method": "fixed", "edges": [180, 365]},
    }


def test_pymcs_segments_have_the_published_cells() -> None:
    by_segment = cells_by_segment(build_map("pymc"))
    assert {name: " ".join(sorted(cells)) for name, cells in by_segment.items()} == {
        "Premium Customer": "333 334 343 344 433 434 443 444",
        "Repeat Customer": "143 232 233 234 243 244 332",
        "Top Spender": "124 133 134 144 224 313 314 323 324 413 414 423 424",
        "At-Risk Customer": "122 123 132 212 214 222 223 312 322 412 422",
        "Inactive Customer": "111 112 113 114 211 311 411",
        "Other": "121 131 141 142 213 221 231 241 242 321 331 341 342 421 431 432 441 442",
    }


def test_shopifys_groups_are_cells_of_recency_and_rounded_mean() -> None:
    # The published grid: a row for each recency score, a column for each rounded-up mean of f and m.
    grid = {
        5: ["New", "Active", "Active", "Champions", "Champions"],
        4: ["Promising", "Active", "Active", "Loyal", "Loyal"],
        3: ["Almost Lost", "Almost Lost", "Needs Attention", "Loyal", "Loyal"],
        2: ["Dormant", "Dormant", "At Risk", "At Risk", "Previously Loyal"],
        1: ["Dormant", "Dormant", "At Risk", "At Risk", "Previously Loyal"],
    }
    # The f and m that have each mean, as pairs of digits.
    means = [
        "11",
        "12 21 13 31 22",
        "14 41 23 32 15 51 24 42 33",
        "25 52 34 43 35 53 44",
        "45 54 55",
    ]
    shopify = build_map("shopify")
    seen = 0
    for r, row in grid.items():
        for segment, pairs in zip(row, means, strict=True):
            for pair in pairs.split():
                f, m = int(pair[0]), int(pair[1])
                assert shopify.segment_of(r, f, m) == segment, (r, f, m)
                seen += 1
    assert seen == len(shopify.cells())


@pytest.mark.parametrize(
    ("cells", "segment"),
    [
        ("444", "Champions"),
        ("441 443", "Loyal Customers"),
        ("331 344 434 431", "Potential Loyalists"),
        ("411 424", "New Customers"),
        ("311 324", "Promising"),
        ("231 244", "Needs Attention"),
        ("211 224", "About to Sleep"),
        ("131 144", "At-Risk"),
        ("121 124", "Hibernating"),
        ("111 114", "Lost"),
    ],
)
def test_classic_assigns_the_corner_cells_of_each_segment(cells: str, segment: str) -> None:
    classic = build_map("classic")
    assert {classic.segment_of(int(r), int(f), int(m)) for r, f, m in map(tuple, cells.split())} == {segment}


def test_grid_is_a_grid_of_recency_and_frequency() -> None:
    rows = {
        5: ["New Customers", "Potential Loyalists", "Potential Loyalists", "Champions", "Champions"],
        4: ["Promising", "Potential Loyalists", "Potential Loyalists", "Loyal Customers", "Loyal Customers"],
        3: ["About to Sleep", "About to Sleep", "Need Attention", "Loyal Customers", "Loyal Customers"],
        2: ["Hibernating", "Hibernating", "At Risk", "At Risk", "Can't Lose Them"],
        1: ["Hibernating", "Hibernating", "At Risk", "At Risk", "Can't Lose Them"],
    }
    grid = build_map("grid")
    assert not grid.uses_m
    assert {r: [grid.segment_of(r, f, 3) for f in range(1, 6)] for r in rows} == rows


def test_r_rfm_leaves_ten_cells_to_its_fallback() -> None:
    others = sorted(cells_by_segment(build_map("r-rfm"))["Others"])
    assert others == ["215", "241", "251", "252", "341", "351", "441", "451", "541", "551"]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared data sets are missing")
def test_r_rfm_reproduces_the_published_result_of_the_r_package() -> None:
    orders: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    with (SHARED_DATA / "rfm_data_orders.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            orders[line["customer_id"]].append(
                (date.fromisoformat(line["order_date"]), Decimal(line["revenue"]))
            )
    r_rfm = build_map("r-rfm")
    customers: Counter[str] = Counter()
    revenue: Counter[str] = Counter()
    for lines in orders.values():
        days = (date(2006, 12, 31) - max(day for day, _ in lines)).days
        spent = sum(amount for _, amount in lines)
        segment = r_rfm.segment_of(
            5 - sum(days > edge for edge in (114, 180, 297, 481)),
            1 + sum(len(lines) > edge for edge in (3, 4, 5, 7)),
            1 + sum(spent > edge for edge in (255, 381, 506, 665)),
        )
        customers[segment] += 1
        revenue[segment] += int(spent)
    assert customers == {
        "About To Sleep": 102,
        "At Risk": 28,
        "Can't Lose Them": 47,
        "Champions": 35,
        "Lost": 148,
        "Loyal Customers": 170,
        "Need Attention": 10,
        "New Customers": 104,
        "Potential Loyalist": 342,
        "Promising": 9,
    }
    assert revenue["Potential Loyalist"] == 204_856


# Sources


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_maps_existing_roles_and_the_amount_in_one_way(name: str) -> None:
    columns = presets.load_preset(name)["columns"]
    assert set(columns) <= ROLES
    question = presets.info(name).question
    assert {"customer_id", "order_id", "ordered_at"} <= {*columns, *([question.role] if question else [])}
    assert ("amount" in columns) != ({"quantity", "unit_price"} <= set(columns))


@pytest.mark.parametrize("name", SOURCES)
def test_each_condition_of_a_source_has_one_test_and_a_unique_name(name: str) -> None:
    settings = presets.load_preset(name)
    assert not set(settings.get("skip", {})) & set(settings.get("exclude", {}))
    tests: dict[str, dict[str, Any]] = {**settings.get("skip", {}), **settings.get("exclude", {})}
    for reason, test in tests.items():
        assert re.fullmatch("[a-z][a-z0-9_]*", reason)
        assert test["column"]
        assert len({"equals", "not_equals", "blank"} & set(test)) == 1
        assert set(test) <= {"column", "equals", "not_equals", "blank"}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_contains_only_settings_of_sources(name: str) -> None:
    allowed = {
        "preset", "columns", "skip", "exclude", "timezone", "date_format", "returns", "window", "audits",
        "amount_of",
    }  # fmt: skip
    assert set(presets.load_preset(name)) <= allowed


@pytest.mark.parametrize("name", SOURCES)
def test_no_signature_contains_the_signature_of_another_source(name: str) -> None:
    def normalized(names: tuple[str, ...]) -> set[str]:
        return {re.sub("[^a-z0-9]", "", column.lower()) for column in names}

    for signature in map(normalized, presets.info(name).signatures):
        assert len(signature) >= 4
        assert not [
            other
            for other in SOURCES
            for another in presets.info(other).signatures
            if other != name and normalized(another) <= signature
        ]


def test_a_segment_map_has_no_signature() -> None:
    assert {presets.info(name).signatures for name in SEGMENT_MAPS} == {()}


@pytest.mark.slow
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared data sets are missing")
def test_the_online_retail_file_has_its_signature_and_its_columns() -> None:
    with empty_database() as connection:
        path = str(SHARED_DATA / "online_retail.parquet")
        columns = {
            row[0] for row in connection.execute("SELECT name FROM parquet_schema(?)", [path]).fetchall()
        }
    assert set(presets.info("online-retail").signatures[0]) <= columns
    assert set(presets.load_preset("online-retail")["columns"].values()) <= columns


SHOPIFY_ORDERS = """\
Name,Email,Financial Status,Total,Created at,Lineitem quantity,Lineitem name,Cancelled at,Refunded Amount
#1001,ada@example.com,paid,30.00,2025-10-07 09:50:26 +0200,1,Mug,,0.00
#1001,ada@example.com,,,2025-10-07 09:50:26 +0200,2,Cup,,
#1002,bob@example.com,partially_refunded,50.00,2025-10-08 09:50:26 +0200,1,Pot,,20.00
#1003,bob@example.com,refunded,10.00,2025-10-08 10:50:26 +0200,1,Mug,,10.00
#1004,cy@example.com,voided,10.00,2025-10-09 09:50:26 +0200,1,Mug,2025-10-09 10:00:00 +0200,0.00
#1005,cy@example.com,expired,10.00,2025-10-09 09:50:26 +0200,1,Mug,,0.00
#1006,di@example.com,pending,12.00,2025-10-10 09:50:26 +0200,1,Mug,,0.00
"""


def test_shopify_orders_keeps_one_line_an_order_and_what_customers_owe_or_paid() -> None:
    settings = presets.load_preset("shopify-orders")

    def applies(test: dict[str, Any], line: dict[str, str]) -> bool:
        value = line[test["column"]]
        return (value == "") == test["blank"] if "blank" in test else value in test["equals"]

    lines = list(csv.DictReader(SHOPIFY_ORDERS.splitlines()))
    assert set(presets.info("shopify-orders").signatures[0]) <= set(lines[0])
    reasons = Counter(
        next(
            (name for name, test in (settings["skip"] | settings["exclude"]).items() if applies(test, line)),
            "",
        )
        for line in lines
    )
    assert reasons == {"": 3, "continuation_line": 1, "cancelled": 1, "refunded": 1, "unpaid": 1}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("online-retail", "12/1/2010 8:26", "2010-12-01 08:26:00"),
        ("ga4", "20240131", "2024-01-31 00:00:00"),
    ],
)
def test_a_sources_date_format_reads_what_the_export_writes(name: str, text: str, expected: str) -> None:
    written = presets.load_preset(name)["date_format"]
    [format_] = [one for one in ([written] if isinstance(written, str) else written) if one != "iso"]
    assert re.fullmatch(format_regex(format_), text)
    with empty_database() as connection:
        query = "SELECT CAST(try_strptime(?, ?) AS VARCHAR)"
        assert connection.execute(query, [text, format_]).fetchall() == [(expected,)]


@pytest.mark.parametrize("name", presets.names())
def test_an_export_is_recognised_by_each_of_its_signatures(name: str) -> None:
    """`recognise` finds signatures in the text of the files, `info` in the parsed files."""
    for signature in presets.info(name).signatures:
        assert presets.recognise(signature) == name
