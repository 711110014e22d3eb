"""The map `lifecycle`, and maps of the user's with conditions on days, in the commands."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

import rfm_pipeline as rfm_api
from rfm_pipeline.pipeline.configurations import parse_choice
from support.cli import Rfm

START = date(2024, 1, 1)
DAYS = {
    "steady": range(0, 180, 20),
    "late": range(0, 120, 30),
    "slipping": range(0, 100, 20),
    "gone": range(0, 20, 5),
    "once": [60],
    "twice-a-day": [70, 70],
    "fresh": [160, 178],
}
"""Days of the orders by customer; the as-of date is day 180."""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    lines = [
        f"{customer},{customer}-{number},{START + timedelta(days=day)},{10 + number}"
        for customer, days in DAYS.items()
        for number, day in enumerate(days)
    ]
    text = "\n".join(["customer_id,order_id,ordered_at,amount", *lines])
    (tmp_path / "orders.csv").write_text(text, encoding="utf-8")
    return tmp_path


def segments(path: Path, **arguments: object) -> dict[str, str]:
    as_of = (START + timedelta(days=180)).isoformat()
    result = rfm_api.segment(path, as_of=as_of, **arguments)  # type: ignore[arg-type]
    return {row["customer_id"]: row["segment"] for row in result.to_arrow().to_pylist()}


def test_the_names_hold_by_definition(shop: Path) -> None:
    named = segments(shop / "orders.csv", preset="lifecycle")
    # Days since the last order over the median gap: 20/20, 90/30, 100/20 (with a recency score of 3), 165/5,
    # none, none, and 2/18.
    assert named == {
        "steady": "Champions",
        "late": "Slipping",
        "slipping": "Slipping",
        "gone": "Lost",
        "once": "One-time",
        "twice-a-day": "One-time",
        "fresh": "New",
    }


@pytest.mark.slow
def test_a_map_of_the_configuration_file_may_use_days(shop: Path, rfm: Rfm) -> None:
    (shop / "rfm.toml").write_text(
        '[segments]\nname = "mine"\nfallback = "Others"\n'
        '[[segments.rules]]\nsegment = "Fresh"\nfirst_order_days = "<=20"\n'
        '[[segments.rules]]\nsegment = "Late"\ngap = ">=3"\nr = "1-3"\n',
        encoding="utf-8",
    )
    result = rfm("run", "orders.csv", "--as-of", START + timedelta(days=180), "--json").json
    assert {entry["segment"]: entry["customers"] for entry in result["segments"]} == {
        "Fresh": 1,
        "Late": 3,
        "Others": 3,
    }
    printed = rfm("sql", "orders.csv").stdout
    assert "WHEN first_order_days <= 20 THEN 'Fresh'" in printed
    assert "2 * recency_days >= 3 * twice_median_gap" in printed


def test_a_rule_for_no_customer_is_refused(shop: Path, rfm: Rfm) -> None:
    (shop / "rfm.toml").write_text(
        '[segments]\nname = "mine"\n'
        '[[segments.rules]]\nsegment = "A"\ngap = "<=1"\n[[segments.rules]]\nsegment = "B"\ngap = ">1"\n',
        encoding="utf-8",
    )
    failed = rfm("run", "orders.csv")
    assert failed.code == 2
    assert "no rule covers 111 (gap none)" in failed.stderr


@pytest.mark.slow
def test_explain_prints_the_days_and_the_rule(shop: Path, rfm: Rfm) -> None:
    as_of = START + timedelta(days=180)
    printed = " ".join(
        rfm("explain", "late", "orders.csv", "--preset", "lifecycle", "--as-of", as_of).stdout.split()
    )
    assert "First order 180 days ago; 3.00 median gaps of 30 days have passed since the last order" in printed
    assert "(gap <=4) gives Slipping" in printed
    once = rfm("explain", "once", "orders.csv", "--preset", "lifecycle", "--as-of", as_of, "--json").json
    values = once["values"]
    assert (values["first_order_days"], values["median_gap_days"], values["gap"]) == (120, None, None)
    assert once["rule"]["conditions"] == "gap none"
    classic = rfm("explain", "once", "orders.csv", "--json").json
    assert "gap" not in classic["values"]


def test_a_source_of_one_line_per_customer_is_refused(shop: Path, rfm: Rfm) -> None:
    (shop / "customers.csv").write_text(
        "customer_id,number_of_orders,recency_days,revenue,last_order_date\n"
        "a,3,4,50,2024-01-05\nb,1,9,20,2024-02-01\nc,2,1,30,2024-03-01\n",
        encoding="utf-8",
    )
    arguments = (
        "--frequency",
        "number_of_orders",
        "--monetary",
        "revenue",
        "--ordered-at",
        "last_order_date",
    )
    failed = rfm("run", "customers.csv", *arguments, "--preset", "lifecycle")
    assert failed.code == 2
    assert "conditions on days between orders" in failed.stderr
    assert rfm("run", "customers.csv", *arguments, "--preset", "classic").code == 0


def test_presets_show_the_rules_and_the_notes(rfm: Rfm) -> None:
    shown = rfm("presets", "lifecycle").stdout
    assert "first_order_days <=30" in shown
    assert "gap none" in shown
    assert "median gap is that of the days between order days" in " ".join(shown.split())
    assert rfm("presets", "pymc", "--json").json["notes"]


@pytest.mark.slow
def test_the_map_can_be_evaluated_beside_another_one(shop: Path, rfm: Rfm) -> None:
    assert parse_choice("preset=lifecycle") == {"preset": "lifecycle"}
    with (shop / "orders.csv").open("a", encoding="utf-8") as file:
        for number in range(40):
            for day in range(number % 7, 180, 9 + number):
                file.write(f"\nm{number},m{number}-{day},{START + timedelta(days=day)},{number + 5}")
    as_of = START + timedelta(days=120)
    evaluated = rfm(
        "evaluate",
        "orders.csv",
        "--horizon",
        "30d",
        "--as-of",
        as_of,
        "--compare",
        "preset=lifecycle",
        "--json",
    ).json
    by_map = {one["configuration"]: one["segments"] for one in evaluated["evaluations"]}
    names = {segment["segment"] for segment in by_map["preset=lifecycle"]}
    assert {"Due", "Slipping"} <= names
