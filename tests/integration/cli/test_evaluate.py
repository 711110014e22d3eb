"""`rfm evaluate` on small made-up shops: output, configurations, wrong inputs, and without scipy."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest

import rfm_pipeline
from rfm_pipeline.common.installation import extra_hint
from rfm_pipeline.evaluation.evaluate import NO_SCIPY
from rfm_pipeline.evaluation.stability import DimensionStability
from support.cli import Rfm
from support.orders import refused

pytestmark = pytest.mark.usefixtures("few_replicates")

START = date(2024, 1, 1)


def write_shop(folder: Path, customers: int = 150, days: int = 400, seed: int = 3) -> Path:
    """Write orders of customers who buy at rates of their own."""
    random = Random(seed)
    lines = ["customer_id,order_id,date,amount"]
    for customer in range(customers):
        rate, number = random.gammavariate(0.8, 1 / 30), 0
        day = {0: 0, 1: days - 1}.get(customer, random.randrange(days))
        while day < days:
            amount = random.randrange(100, 9_999) / 100
            lines.append(f"c{customer},{customer}-{number},{START + timedelta(days=day)},{amount}")
            day, number = day + 1 + int(random.expovariate(rate + 1e-3)), number + 1
    path = folder / "orders.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path)


# Output


@pytest.mark.slow
def test_json_has_the_shape_that_the_guide_describes(shop: Path, rfm: Rfm, tmp_path: Path) -> None:
    ended = rfm("evaluate", shop, "--json", "--horizon", "60d")
    assert (ended.code, ended.stderr) == (0, "")
    assert list(ended.json) == [
        "source", "engine", "rows", "first_order_date", "newest_order_date", "evaluations", "comparisons",
        "stability", "conclusions", "notes",
    ]  # fmt: skip
    assert ended.json["stability"] == []
    assert len(ended.json["evaluations"]) == 4
    for one in ended.json["evaluations"]:
        assert one["horizon_days"] == 60
        segments = one["segments"]
        for total in ("customers", "bought_again", "orders"):
            assert one[total] == sum(segment[total] for segment in segments)
        assert Decimal(one["revenue"]) == sum(Decimal(segment["revenue"]) for segment in segments)
        assert sum(segment["revenue_share"] for segment in segments) == pytest.approx(1)
        assert list(one["statistics"]["auc"]) == [
            "map", "rfm_sum", "recency", "frequency", "monetary", "bg_nbd",
        ]  # fmt: skip
    assert not list(tmp_path.glob("*.duckdb*")), "nothing is published"
    assert rfm("evaluate", shop, "--json", "--horizon", "60d").stdout == ended.stdout


@pytest.mark.slow
def test_horizons_follow_each_other_up_to_the_newest_order(shop: Path, rfm: Rfm) -> None:
    output = rfm("evaluate", shop, "--json", "--horizon", "8 weeks").json
    ends = [one["until"] for one in output["evaluations"]]
    assert ends[-1] == output["newest_order_date"]
    assert [one["as_of"] for one in output["evaluations"]][1:] == ends[:-1]


@pytest.mark.matrix
@pytest.mark.parametrize("width", ["60", "80", "120", "160"])
def test_the_terminal_shows_dates_segments_and_conclusions(
    width: str, shop: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    ended = rfm("evaluate", shop, "--compare", "preset=grid")
    assert (ended.code, ended.stderr) == (0, "")
    assert max(map(len, ended.stdout.splitlines())) <= int(width)
    words = " ".join(ended.stdout.split())
    assert "classic, 4 bins, as of 2024-11-" in words
    assert "BG/NBD" in words
    assert "preset=grid" in words
    assert "…" not in ended.stdout


@pytest.mark.slow
def test_a_window_and_net_returns_apply_as_in_a_run(shop: Path, rfm: Rfm, tmp_path: Path) -> None:
    shop.write_text(shop.read_text("utf-8") + "c1,back,2024-12-20,-5.00\n", encoding="utf-8")
    rules = ("--window", "90 days", "--returns", "net", "--as-of", "2024-10-01", "--json")
    (one,) = rfm("evaluate", shop, *rules).json["evaluations"]
    run = rfm("run", shop, *rules).json
    assert one["customers"] == run["customers"]
    counted = {row["segment"]: row["customers"] for row in run["segments"]}
    assert {row["segment"]: row["customers"] for row in one["segments"]} == counted
    gross = rfm("evaluate", shop, "--window", "90 days", "--as-of", "2024-10-01", "--json").json
    paid = sum(Decimal(each["revenue"]) for each in (one, one["not_scored"]))
    before = gross["evaluations"][0]
    assert paid == sum(Decimal(each["revenue"]) for each in (before, before["not_scored"])) - 5


def test_python_gives_the_figures_of_the_command(shop: Path, rfm: Rfm) -> None:
    frame = pd.read_csv(shop)
    asked: dict[str, Any] = {"horizon": "30d", "as_of": "2024-09-01", "preset": "grid"}
    found = rfm_pipeline.evaluate(frame, **asked, compare={"preset": "classic"}).to_json()
    flags = ("--horizon", "30d", "--as-of", "2024-09-01", "--preset", "grid", "--compare", "preset=classic")
    wanted = rfm("evaluate", shop, *flags, "--json").json
    for name in ("evaluations", "comparisons", "conclusions"):
        assert pd.io.json.ujson_dumps(found[name]) == pd.io.json.ujson_dumps(wanted[name])
    evaluation = rfm_pipeline.evaluate(shop, **asked)
    assert [row["segment"] for row in evaluation.rows()] == [
        row["segment"] for row in wanted["evaluations"][0]["segments"]
    ]
    areas = wanted["evaluations"][0]["statistics"]["auc"]
    assert {row["score"]: row["auc"] for row in evaluation.score_rows()} == {
        score: area and area["auc"] for score, area in areas.items()
    }
    assert repr(evaluation) == "<Evaluation: grid, 5 bins; as of 2024-09-01>"
    with pytest.raises(TypeError, match="unexpected keyword argument 'horizons'"):
        rfm_pipeline.evaluate(shop, horizons="30d")


@pytest.mark.slow
def test_without_scipy_all_but_bg_nbd_is_computed_and_said(
    shop: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("evaluate", shop, "--as-of", "2024-09-01", "--json")
    (complete,) = rfm(*asked).json["evaluations"]
    assert complete["statistics"]["bg_nbd"] is not None
    monkeypatch.setattr("rfm_pipeline.evaluation.bgnbd.find_spec", lambda name: None)
    monkeypatch.setitem(__import__("sys").modules, "scipy", None)
    output = rfm(*asked).json
    assert f"{NO_SCIPY}{extra_hint('evaluate')}" in output["notes"]
    (one,) = output["evaluations"]
    complete["statistics"]["bg_nbd"] = complete["statistics"]["auc"]["bg_nbd"] = None
    assert one == complete
    assert NO_SCIPY.strip() in " ".join(rfm(*asked[:-1]).stdout.split())


@pytest.mark.slow
def test_a_shop_without_dropout_is_told_with_the_figures(rfm: Rfm, tmp_path: Path) -> None:
    """Each of 60 customers orders at a steady pace to the end."""
    random = Random(8)
    lines = []
    for number in range(60):
        day = random.randrange(30)
        while day < 400:
            lines.append(f"c{number},{START + timedelta(days=day)},5")
            day += 10 + 3 * (number % 10) + random.randrange(8)
    (tmp_path / "o.csv").write_text("\n".join(["customer_id,date,amount", *lines]), encoding="utf-8")
    asked = ("evaluate", "o.csv", "--as-of", "2024-10-01", "--horizon", "20d")
    output = rfm(*asked, "--json").json
    note = "BG/NBD as of 2024-10-01: no sign that customers stop for good (a / b near 0)"
    assert note in output["notes"]
    assert note in " ".join(rfm(*asked).stdout.split())
    statistics = output["evaluations"][0]["statistics"]
    assert statistics["bg_nbd"]["has_dropout"] is False
    assert statistics["auc"]["bg_nbd"] is not None


@pytest.mark.slow
def test_where_nobody_bought_again_nothing_is_claimed(rfm: Rfm, tmp_path: Path) -> None:
    lines = [f"c{number},{START + timedelta(days=number)},5" for number in range(60)]
    (tmp_path / "o.csv").write_text("\n".join(["customer_id,date,amount", *lines]), encoding="utf-8")
    ended = rfm("evaluate", "o.csv", "--horizon", "20d", "--json")
    assert ended.code == 0, ended.stderr
    for one in ended.json["evaluations"]:
        assert one["bought_again"] == 0
        assert set(one["statistics"]["auc"].values()) == {None}
        assert one["statistics"]["spearman_revenue"] is one["statistics"]["bg_nbd"] is None
        assert {row["lift"] for row in one["segments"]} == {None}
    (conclusion,) = ended.json["conclusions"]
    assert conclusion.startswith("The map of classic, 4 bins is not compared")
    assert rfm("evaluate", "o.csv", "--horizon", "20d").code == 0


# Configurations


@pytest.mark.slow
def test_a_compared_preset_has_its_own_scoring_whatever_the_run_has(
    shop: Path, rfm: Rfm, tmp_path: Path
) -> None:
    (tmp_path / "rfm.toml").write_text("[scoring]\nbins = 4\n", encoding="utf-8")
    asked = ("evaluate", shop, "--as-of", "2024-09-01", "--json")
    evaluations = rfm(*asked, "--bins", "4", "--compare", "preset=klaviyo").json["evaluations"]
    (tmp_path / "rfm.toml").unlink()
    (alone,) = rfm(*asked, "--preset", "klaviyo").json["evaluations"]
    assert evaluations[1]["segments"] == alone["segments"]


# Stability


def test_a_day_earlier_and_later_is_a_run_as_of_that_day(shop: Path) -> None:
    first_orders = pd.read_csv(shop).groupby("customer_id").date.min()
    day = date.fromisoformat(first_orders[first_orders < "2024-10-01"].max())
    asked: dict[str, Any] = {"preset": "grid", "window": "180 days"}
    before, own, after = (
        {
            row["customer_id"]: row["segment"]
            for row in rfm_pipeline.segment(shop, as_of=day + timedelta(days=days), **asked)
            .to_arrow()
            .to_pylist()
        }
        for days in (-1, 0, 1)
    )
    assert own.keys() - before.keys(), "some ordered for the first time"
    (stability,) = rfm_pipeline.evaluate(shop, horizon="30d", as_of=day, stability=True, **asked).stability
    assert (stability.as_of, stability.replicates) == (day, 50)

    def shares(segments: set[str]) -> list[float | None]:
        members = [customer for customer, segment in own.items() if segment in segments]
        stay = []
        for other in (before, after):
            known = [customer for customer in members if customer in other]
            kept = sum(own[customer] == other[customer] for customer in known)
            stay.append(kept / len(known) if known else None)
        return stay

    for segment in stability.segments:
        assert [segment.day_earlier, segment.day_later] == shares({segment.segment})
        assert segment.customers == list(own.values()).count(segment.segment)
    everyone = stability.everyone
    assert [everyone.day_earlier, everyone.day_later] == shares(set(own.values()))
    total = sum(one.customers * one.resampled for one in stability.segments if one.resampled is not None)
    assert everyone.resampled == pytest.approx(total / len(own))
    assert everyone.resampled is not None
    assert 0.5 < everyone.resampled < 1


def test_too_many_bins_are_told_with_the_number_that_would_do(rfm: Rfm, tmp_path: Path) -> None:
    """Of 300 customers, 60 have two orders and the others one."""
    lines = [
        f"c{number},{START + timedelta(days=(7 * number + 90 * again) % 200)},{number}.{again + 1}"
        for number in range(300)
        for again in range(1 + (number % 5 == 0))
    ]
    lines.append(f"c0,{START + timedelta(days=240)},5")
    (tmp_path / "o.csv").write_text("\n".join(["customer_id,date,amount", *lines]), encoding="utf-8")
    flags = ("--as-of", "2024-07-15", "--horizon", "40d", "--preset", "grid", "--stability")
    output = rfm("evaluate", "o.csv", *flags, "--json").json
    (stability,) = output["stability"]
    recency, frequency, monetary = stability["dimensions"]
    assert not recency["too_many_bins"]
    assert not monetary["too_many_bins"]
    assert frequency["empty_scores"] == [2, 3, 4]
    assert (frequency["too_many_bins"], frequency["enough_bins"]) == (True, 2)
    sentence = "5 bins are too many for frequency: no customer scores 2, 3 or 4; 2 would do."
    assert output["conclusions"][-1] == f"grid, 5 bins: {sentence}"
    shown = " ".join(rfm("evaluate", "o.csv", *flags).stdout.split())
    assert sentence in shown
    assert "Segment Customers Resampled Day earlier Day later" in shown


def bins_stability(folder: Path, customers: int, bins: int) -> DimensionStability:
    """Return the stability of the recency of customers who last ordered on days of their own."""
    lines = [f"c{number},{START + timedelta(days=number % 300)},5" for number in range(customers)]
    lines.append(f"late,{START + timedelta(days=400)},5")
    (folder / "o.csv").write_text("\n".join(["customer_id,date,amount", *lines]), encoding="utf-8")
    rules = [{"segment": "Recent", "r": bins}]
    (stability,) = rfm_pipeline.evaluate(
        folder / "o.csv",
        horizon="30d",
        as_of=START + timedelta(days=320),
        stability=True,
        settings={"scoring": {"bins": bins}, "segments": {"rules": rules, "fallback": "Others"}},
    ).stability
    return stability.dimensions[0]


@pytest.mark.slow
def test_bins_whose_scores_few_customers_keep_are_too_many(tmp_path: Path) -> None:
    found = bins_stability(tmp_path, 200, 10)
    assert (found.dimension, found.empty_scores) == ("recency", ())
    assert found.resampled < 0.9
    enough = found.enough_bins
    assert enough is not None
    assert found.sentence() == (
        f"10 bins are too many for recency: {100 * found.resampled:.0f} % keep their score under resampling;"
        f" {enough} would do."
    )
    assert not bins_stability(tmp_path, 200, enough).has_too_many_bins
    assert bins_stability(tmp_path, 200, enough + 1).has_too_many_bins


def test_with_few_customers_no_number_of_bins_would_do(tmp_path: Path) -> None:
    found = bins_stability(tmp_path, 5, 3)
    assert (found.empty_scores, found.enough_bins, found.has_too_many_bins) == ((), None, True)
    assert found.resampled < 0.9
    assert found.sentence().endswith(" keep their score under resampling; no number of bins would do.")


def test_fixed_edges_do_not_depend_on_the_customers_and_ntile_is_not_resampled(
    shop: Path, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"horizon": "30d", "as_of": "2024-09-01", "stability": True}
    fixed = {"method": "fixed", "recency": {"edges": [30, 90, 180]}, "frequency": {"edges": [1, 2, 4]}}
    scoring = {"scoring": {**fixed, "monetary": {"edges": [50, 100, 200]}}}
    (stability,) = rfm_pipeline.evaluate(shop, **asked, settings=scoring).stability
    assert (stability.replicates, stability.dimensions) == (0, ())
    assert {one.resampled for one in stability.segments if one.customers} == {1.0}
    (stability,) = rfm_pipeline.evaluate(shop, **asked, method="ntile").stability
    assert {one.resampled for one in stability.segments} == {None}
    assert stability.everyone.day_later is not None


# Wrong inputs


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (
            ("--horizon", "500d"),
            (
                "The orders are of 2024-01-01 to 2025-02-03, 399 days apart, and the horizon is 500 days:"
                " none is left to score customers by."
            ),
            "give a shorter horizon, as in --horizon 133d.",
        ),
        (
            ("--horizon", "3 months"),
            "The horizon is '3 months', and months differ in length.",
            "give days or weeks, as in --horizon 90d.",
        ),
        (
            ("--horizon", "soon"),
            "'soon' is not a horizon, which is a number of days or weeks.",
            "for example --horizon 90d.",
        ),
        (
            ("--as-of", "2025-01-20"),
            "After 2025-01-20 there are orders of 14 days, up to 2025-02-03, and the horizon is 90 days.",
            "choose a date up to 2024-11-05, or a shorter horizon, as in --horizon 14d.",
        ),
        (
            ("--as-of", "2030-01-01"),
            "After 2030-01-01 there are orders of 0 days, up to 2025-02-03, and the horizon is 90 days.",
            "choose a date up to 2024-11-05.",
        ),
        (
            ("--as-of", "2020-01-01"),
            "No order is as old as 2020-01-01: the first one is of 2024-01-01.",
            "choose a date from 2024-01-01 to 2024-11-05.",
        ),
        (
            ("--as-of", "soon"),
            "--as-of is 'soon', which is not a date such as 2025-12-31.",
            "write year, month and day.",
        ),
        (
            ("--compare", "window=12m"),
            "A configuration to compare sets 'window'; it takes preset, bins and method.",
            "for example --compare preset=grid, or --compare method=ntile.",
        ),
        (
            ("--compare", "grid"),
            "A configuration to compare is 'grid', not NAME=VALUE; it takes preset, bins and method.",
            "for example --compare preset=grid, or --compare method=ntile.",
        ),
        (
            ("--compare", "preset=online-retail"),
            "The preset 'online-retail' of --compare is an export format, not a segment map.",
            "`rfm presets` lists both.",
        ),
    ],
)
def test_a_wrong_input_is_one_sentence_with_a_hint(
    arguments: tuple[str, ...], message: str, hint: str, shop: Path, rfm: Rfm
) -> None:
    assert refused(rfm("evaluate", shop, *arguments)) == (message, hint)


@pytest.mark.slow
def test_following_the_hint_of_a_late_date_works(shop: Path, rfm: Rfm) -> None:
    assert rfm("evaluate", shop, "--as-of", "2025-01-20", "--horizon", "14d").code == 0
    assert rfm("evaluate", shop, "--horizon", "133d").code == 0


def test_one_customer_is_not_compared(rfm: Rfm, tmp_path: Path) -> None:
    lines = [f"c1,{START + timedelta(days=number)},5" for number in range(200)]
    (tmp_path / "o.csv").write_text("\n".join(["customer_id,date,amount", *lines]), encoding="utf-8")
    sentence, _ = refused(rfm("evaluate", "o.csv", "--horizon", "30d"))
    assert sentence.endswith("one customer is scored, and an evaluation compares customers.")


def test_a_source_with_a_line_per_customer_is_refused(rfm: Rfm, tmp_path: Path) -> None:
    lines = ["customer_id,last_order_date,orders_count,total_spent"]
    lines += [f"c{n},2024-0{1 + n % 9}-01,{n},{n * 10}.00" for n in range(1, 40)]
    (tmp_path / "o.csv").write_text("\n".join(lines), encoding="utf-8")
    flags = ("--frequency", "orders_count", "--monetary", "total_spent", "--ordered-at", "last_order_date")
    sentence, _ = refused(rfm("evaluate", "o.csv", *flags))
    assert sentence == (
        "Each line of o.csv is a customer with a number of orders, in `orders_count`, and an evaluation needs"
        " the date of each order."
    )


def test_a_source_without_a_line_that_counts_is_refused(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("customer_id,date,amount\nc1,2024-01-01,-5\n", encoding="utf-8")
    sentence, _ = refused(rfm("evaluate", "o.csv"))
    assert sentence == "No line of o.csv counts, so there is nothing to evaluate."
