"""Hypothesis strategies of questions: small tables with many ties and missing values, and all settings."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib import resources
from random import Random
from typing import Any

from hypothesis import strategies as st

from support.engines import Question
from support.reference import covers

START = date(2024, 1, 20)
"""First day of generated orders; the end of a month and a leap day follow soon."""

SEGMENT_PRESETS = ("classic", "grid", "klaviyo", "lifecycle", "pymc", "r-rfm", "shopify")
TIMEZONES = ("UTC", "Europe/London", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
DIMENSIONS = ("recency", "frequency", "monetary")
ROLES = ("customer_id", "order_id", "ordered_at", "amount", "quantity", "unit_price", "refund")

# Text ids: numbers with and without the `.0` of a float, and ids that differ in case only.
IDS: Mapping[str, tuple[Any, ...]] = {
    "STRING": (
        *(
            "1",
            "1.0",
            "2",
            "02",
            "10",
            "17850",
            "17850.0",
            "1.00",
            "-1.0",
            "A",
            "a",
            "A ",
            " A",
            "c-7",
            "C-7",
            "ann@x.com",
            "Ann@X.com ",
            "ANN@x.COM",
            "Ann@9",
            "\u00a017850\u2003",
        ),
        *("Ünal", "😀", "O'Hara", "back\\slash", "x" * 60),
    ),
    "INT64": (0, 1, 2, 3, 4, 5, 6, 7, 10, 17850, -4, 2**53 + 1, -(2**63)),
    "FLOAT64": (0.0, 1.0, 2.0, 2.5, 3.0, 4.0, 10.0, 17850.0, 123456789012.0, -1.0),
    "NUMERIC": tuple(
        Decimal(number) for number in ("0", "1", "2", "2.5", "3", "4", "10", "17850", "-0.001", "1e20")
    ),
}
NO_IDS: Mapping[str, tuple[Any, ...]] = {
    "STRING": ("", "  ", "\t", "\u00a0", None, "NULL", " guest", "N/a", "-", "(Not Set)", "INVITÉ\n"),
    "INT64": (None,),
    "FLOAT64": (float("nan"), None),
    "NUMERIC": (None,),
}
NO_DATES = (
    "",
    " ",
    "never",
    "2024-02-30",
    "2024-13-01",
    "20240131",
    "2024-1-5",
    "32.01.2024",
    "03/04/2024",
    None,
)
NO_DAYS_IN_NUMBERS = (0, 7, 20240230, 20241301, 202401, None)
"""Integers that are not a day in the format %Y%m%d."""
NO_AMOUNTS: Mapping[str, tuple[Any, ...]] = {
    "STRING": (
        "",
        " ",
        "free",
        "1;5",
        "1.2.3",
        "--1",
        "12 EUR",
        "0x10",
        "1_000",
        "1,234e5",
        "1,23,45.5",
        "1 23",
        "(5",
        "5,00-.",
        None,
    ),
    "INT64": (None,),
    "FLOAT64": (float("nan"), float("inf"), None),
    "NUMERIC": (None,),
    "BIGNUMERIC": (None,),
}
EDGES: Mapping[str, st.SearchStrategy[Any]] = {
    "recency": st.integers(-1, 60),
    "frequency": st.integers(0, 12),
    "monetary": st.decimals(-50, 500, places=4).map(str),
}
COMMAS = {"decimal": ".", "thousands": ","}
CLOCK_OF_TWELVE = "%m/%d/%y %I:%M %p"
CLOCKS = (time(0), time(5, 29, 59), time(12), time(18, 30), time(23, 59, 59, 999999))
STATUSES = ("paid", "paid", "paid", "Paid", "cancelled", "void'd", "", None)


def preset(name: str) -> dict[str, Any]:
    """Return the settings `scoring` and `segments` of a segment preset."""
    text = resources.files("rfm_pipeline.config.presets").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    settings = tomllib.loads(text)
    return {"scoring": settings["scoring"], "segments": settings["segments"]}


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Draw a table and settings in which every role is configured.

    Each line depends on the seed and its number only, so that a failure shrinks to fewer of the same lines.
    """
    shape = draw(shapes())
    lines = draw(st.integers(0, 60))
    seed = draw(st.integers(0, 2**32))
    settings = {
        **shape.settings,
        "columns": {role: role if role in shape.columns else "none" for role in ROLES},
        **draw(rules()),
        **draw(scorings()),
    }
    if shape.columns.keys() >= {"order_id", "amount"}:
        settings |= draw(st.sampled_from([{}, {"amount_of": "order"}]))
    today = START + timedelta(days=draw(st.sampled_from([400, 60, 45])))
    return Question(
        shape.columns, shape.rows(seed, lines), settings, today, draw(frozen_edges(settings["scoring"]))
    )


@st.composite
def frozen_edges(draw: st.DrawFn, scoring: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Draw frozen edges of each quantile dimension, some of them equal; mostly none."""
    if draw(st.integers(0, 2)) < 2:
        return {}
    drawn = {}
    for name in DIMENSIONS:
        dimension = {"bins": 4, "method": "quantile", **scoring, **scoring.get(name, {})}
        if dimension["method"] == "quantile":
            count = dimension["bins"] - 1
            edges = draw(st.lists(EDGES[name], min_size=count, max_size=count))
            drawn[name] = sorted(edges, key=Decimal)
    return drawn


@dataclass(frozen=True)
class Shape:
    """The columns of a table, and parameters of its random lines."""

    columns: dict[str, str]
    settings: dict[str, Any]
    """Settings of the input format: date formats, separators, time zone."""
    customers: int
    orders: int
    amounts: int
    """Number of distinct values of each amount column; few values make ties."""
    days: int
    broken: float
    """Share of unreadable values."""

    def rows(self, seed: int, count: int) -> tuple[dict[str, Any], ...]:
        pools = {name: self._pool(name, Random(f"{seed} {name}")) for name in self.columns}
        return tuple(self._row(Random(f"{seed} {number}"), pools) for number in range(count))

    def _row(
        self, random: Random, pools: Mapping[str, tuple[Sequence[Any], Sequence[Any]]]
    ) -> dict[str, Any]:
        return {
            name: random.choice(broken if random.random() < self.broken else plain)
            for name, (plain, broken) in pools.items()
        }

    def _pool(self, name: str, random: Random) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return the valid values of a column, and the invalid ones."""
        kind = self.columns[name]
        if name == "status":
            return STATUSES, STATUSES
        if name == "ordered_at":
            return self._moments(kind, random)
        if name in {"customer_id", "order_id"}:
            size = self.customers if name == "customer_id" else self.orders
            return random.sample(IDS[kind], k=min(size, len(IDS[kind]))), NO_IDS[kind]
        return self._amounts(name, kind, random), NO_AMOUNTS[kind]

    def _moments(self, kind: str, random: Random) -> tuple[Sequence[Any], Sequence[Any]]:
        days = [START + timedelta(days=day) for day in range(self.days)]
        moments = [datetime.combine(day, random.choice(CLOCKS)) for day in days]
        if kind == "INT64":
            return [int(f"{day:%Y%m%d}") for day in days], NO_DAYS_IN_NUMBERS
        if kind != "STRING":
            typed: dict[str, Sequence[Any]] = {
                "DATE": days,
                "DATETIME": moments,
                "TIMESTAMP": [m.replace(tzinfo=UTC) for m in moments],
            }
            return typed[kind], [None]
        formats = self.settings["date_format"]
        texts = []
        if "iso" in formats:
            texts += [str(day) for day in days] + [f" {moment}\t" for moment in moments]
            texts += [f"{moment:%Y-%m-%dT%H:%M:%S}Z" for moment in moments]
            texts += [f"{moment:%Y-%m-%d %H:%M}+05:30" for moment in moments]
        if "%d.%m.%Y" in formats:
            texts += [f"{day:%d.%m.%Y}" for day in days] + [
                f"{day.day}.{day.month}.{day.year}" for day in days
            ]
        if CLOCK_OF_TWELVE in formats:
            texts += [f"{moment:{CLOCK_OF_TWELVE}}" for moment in moments]
        return texts, NO_DATES

    def _amounts(self, name: str, kind: str, random: Random) -> list[Any]:
        """Return amounts; a third of them also negated, as returns of a whole order."""
        values = [self._amount(name, kind, random) for _ in range(self.amounts)]
        return [
            self._written(value, kind, random) for value in [*values, *(-value for value in values[1::3])]
        ]

    def _amount(self, name: str, kind: str, random: Random) -> Decimal:
        decimals = [0, 0, 1, 3] if name == "quantity" else [0, 1, 2, 2, 3, 4]
        places = 0 if kind == "INT64" else random.choice(decimals)
        largest = random.choice([1, 10, 1000, 1000, 10**6])
        value = Decimal(random.randint(0, largest)).scaleb(-places)
        return random.choice([value, value, value, -value, Decimal(10)])

    def _written(self, value: Decimal, kind: str, random: Random) -> Any:
        match kind:
            case "INT64":
                return int(value)
            case "FLOAT64":
                return float(value)
            case "STRING":
                return self._written_text(value, random)
            case _:
                return value

    def _written_text(self, value: Decimal, random: Random) -> str:
        has_comma = self.settings.get("decimal") == ","
        text, grouped = f"{value:f}", f"{value:,f}"
        if has_comma:
            text, grouped = text.replace(".", ","), grouped.translate(str.maketrans(".,", ",."))
        mark = "." if has_comma else ","
        blanks, quotes = grouped.replace(mark, "\u202f"), grouped.replace(mark, "'")
        forms = [text, text, f" {text} ", f"+{text}".replace("+-", "-"), f"0{text}", grouped, blanks, quotes]
        if value < 0:
            size = text[1:]
            forms += [f"({size})", f"{size}-", f"\u2212{size}", f"- {size}", f"'-{size}"]
        return random.choice(forms)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Draw the columns of a table, of all types that are valid for the roles."""
    columns = {"customer_id": draw(st.sampled_from(list(IDS)))}
    if draw(st.booleans()):
        columns["order_id"] = draw(st.sampled_from(list(IDS)))
    columns["ordered_at"] = draw(
        st.sampled_from(["DATE", "DATETIME", "TIMESTAMP", "STRING", "STRING", "INT64"])
    )
    for role in draw(st.sampled_from([("amount",), ("amount", "refund"), ("quantity", "unit_price")])):
        columns[role] = draw(st.sampled_from(list(NO_AMOUNTS)))
    columns["status"] = "STRING"
    settings: dict[str, Any] = {
        "timezone": draw(st.sampled_from(TIMEZONES)),
        **draw(st.sampled_from([{}, {"decimal": "."}, {"decimal": ","}, COMMAS])),
        "date_format": ["%Y%m%d"],
    }
    if columns["ordered_at"] != "INT64":
        formats = [["iso"], ["%d.%m.%Y"], ["iso", "%d.%m.%Y"], ["iso", CLOCK_OF_TWELVE]]
        settings["date_format"] = draw(st.sampled_from(formats))
    return Shape(
        columns,
        settings,
        customers=draw(st.integers(1, 18)),
        orders=draw(st.integers(1, 18)),
        amounts=draw(st.integers(1, 30)),
        days=draw(st.integers(1, 50)),
        broken=draw(st.sampled_from([0.0, 0.02, 0.1])),
    )


@st.composite
def scorings(
    draw: st.DrawFn, methods: Sequence[str] = ("quantile", "quantile", "fixed", "ntile")
) -> dict[str, Any]:
    """Draw scoring and segments: a preset, a preset with another scoring, or any bins with a map for them."""
    if draw(st.booleans()):
        chosen = preset(draw(st.sampled_from(SEGMENT_PRESETS)))
        if draw(st.booleans()):
            return chosen
        sides = (chosen["scoring"]["bins"],) * 3
        segments = chosen["segments"]
    else:
        side = st.integers(2, 10)
        sides = draw(st.one_of(side.map(lambda n: (n, n, n)), st.tuples(side, side, side)))
        segments = draw(segment_maps(sides))
    scoring = {
        name: draw(_dimension(name, count, methods)) for name, count in zip(DIMENSIONS, sides, strict=True)
    }
    return {"scoring": scoring, "segments": segments}


@st.composite
def segment_maps(draw: st.DrawFn, sides: tuple[int, int, int]) -> dict[str, Any]:
    """Draw a valid map: rules that each match new scores, and a fallback if scores are left unmatched."""
    drawn = draw(st.lists(_rule(sides), min_size=1, max_size=6))
    left = set(itertools.product(*(range(1, side + 1) for side in sides)))
    rules = []
    for rule in drawn:
        taken = {cell for cell in left if covers(rule, *cell)}
        if taken:
            rules.append(rule)
            left -= taken
    if not rules:
        rules, left = [{"segment": "Best", "r": sides[0]}], {(1, 1, 1)}
    # Rules on days before the others leave customers of every cell to these.
    return {"rules": [*draw(_day_rules()), *rules], **({"fallback": "Others"} if left else {})}


def _day_rules() -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.sampled_from(
        [
            [],
            [],
            [{"segment": "Fresh", "first_order_days": "<=20"}],
            [{"segment": "Even", "first_order_days": "3-9", "gap": "<2"}, {"segment": "Late", "gap": ">=3"}],
            [{"segment": "Once", "gap": "none"}, {"segment": "Due", "gap": ">1", "fm": 1}],
        ]
    )


@st.composite
def _rule(draw: st.DrawFn, sides: tuple[int, int, int]) -> dict[str, Any]:
    name = draw(st.sampled_from(["Best", "Can't Lose Them", "New", "Früher", "Back\\slash", "❄ Cold"]))
    if draw(st.integers(0, 3)) == 0:
        cell = st.tuples(*(st.integers(1, side) for side in sides))
        cells = draw(st.lists(cell, min_size=1, max_size=4, unique=True))
        return {"segment": name, "cells": ["-".join(map(str, cell)) for cell in cells]}
    highest = {"r": sides[0], "f": sides[1], "m": sides[2], "fm": -(-(sides[1] + sides[2]) // 2)}
    dimensions = draw(st.lists(st.sampled_from(list(highest)), min_size=1, max_size=3, unique=True))
    return {"segment": name, **{dimension: draw(_scores(highest[dimension])) for dimension in dimensions}}


@st.composite
def _scores(draw: st.DrawFn, highest: int) -> int | str:
    low, high = sorted(draw(st.tuples(st.integers(1, highest), st.integers(1, highest))))
    written: list[int | str] = [low, f"{low}-{high}", f">={low}", f"<={high}"]
    return draw(st.sampled_from(written))


@st.composite
def _dimension(draw: st.DrawFn, name: str, bins: int, methods: Sequence[str]) -> dict[str, Any]:
    method = draw(st.sampled_from(methods))
    if method != "fixed":
        return {"bins": bins, "method": method}
    edges = draw(st.lists(EDGES[name], min_size=bins - 1, max_size=bins - 1, unique_by=Decimal))
    return {"bins": bins, "method": "fixed", "edges": sorted(edges, key=Decimal)}


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Draw settings of returns, dates and exclusions; each may be absent."""
    rules: dict[str, Any] = {"returns": draw(st.sampled_from(["exclude", "net"]))}
    as_of = draw(st.sampled_from([None, None, None, 70, 45, 10]))
    if as_of is not None:
        rules["as_of"] = START + timedelta(days=as_of)
    window = draw(
        st.sampled_from([None, None, None, "1 year", "2 months", "1 month", "3 weeks", "10 days", "1 day"])
    )
    if window is not None:
        rules["window"] = window
    if draw(st.integers(0, 3)) == 3:
        rules["since"] = START + timedelta(days=draw(st.integers(0, 3)))
    if draw(st.integers(0, 2)) == 2:
        rules["exclude"] = {"by_status": draw(_condition())}
    if draw(st.integers(0, 3)) == 3:
        rules["skip"] = {"no_order": draw(_condition()), "no_status": {"column": "status", "blank": True}}
    return rules


def _condition() -> st.SearchStrategy[dict[str, Any]]:
    tests: list[dict[str, Any]] = [
        {"equals": ["cancelled", "void'd"]},
        {"not_equals": ["paid", "Paid", ""]},
        {"blank": True},
    ]
    return st.sampled_from([{"column": "status", **test} for test in tests])
