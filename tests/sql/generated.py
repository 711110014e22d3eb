"""Questions that hypothesis makes up: small tables full of ties and gaps, under settings of every kind."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib import resources
from typing import Any

from engines import Question
from hypothesis import strategies as st
from reference import covers

START = date(2024, 1, 20)
"""Days are counted from here: the end of a month, and a leap day, lie ahead."""

SEGMENT_PRESETS = ("classic", "grid", "klaviyo", "pymc", "r-rfm", "shopify")
TIMEZONES = ("UTC", "Europe/London", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
DIMENSIONS = ("recency", "frequency", "monetary")

# An id in text: numbers with and without the `.0` of a float, and look-alikes in another case.
IDS: Mapping[str, tuple[Any, ...]] = {
    "STRING": (
        *("1", "1.0", "2", "02", "10", "17850", "17850.0", "1.00", "-1.0", "A", "a", "A ", " A", "c-7", "C-7"),
        *("Ünal", "😀", "O'Hara", "back\\slash", "x" * 60),
    ),
    "INT64": (0, 1, 2, 3, 4, 5, 6, 7, 10, 17850, -4, 2**53 + 1, -(2**63)),
    "FLOAT64": (0.0, 1.0, 2.0, 2.5, 3.0, 4.0, 10.0, 17850.0, 123456789012.0, -1.0),
    "NUMERIC": tuple(Decimal(number) for number in (0, 1, 2, 3, 4, 10, 17850, 10**20)),
}
NO_IDS: Mapping[str, tuple[Any, ...]] = {
    "STRING": ("", "  ", "\t", None),
    "INT64": (None,),
    "FLOAT64": (float("nan"), None),
    "NUMERIC": (None,),
}
BROKEN_DATES = ("", " ", "never", "2024-02-30", "2024-13-01", "20240131", "2024-1-5", None)
BROKEN_NUMBERS = ("", " ", "free", "1,5", "1.2.3", "--1", "12 EUR", "0x10", "1_000", None)


def preset(name: str) -> dict[str, Any]:
    """What a segment preset says about scores and segments."""
    text = resources.files("rfm_pipeline.presets").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    settings = tomllib.loads(text)
    return {"scoring": settings["scoring"], "segments": settings["segments"]}


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """A table and settings; every role is configured."""
    columns: dict[str, str] = {}
    cells: dict[str, st.SearchStrategy[Any]] = {}
    settings: dict[str, Any] = {}
    draw(_ids(columns, cells))
    draw(_dates(columns, cells, settings))
    draw(_money(columns, cells, settings))
    columns["status"] = "STRING"
    cells["status"] = st.sampled_from(["paid", "Paid", "cancelled", "void'd", "", None])
    size = draw(st.sampled_from([40, 25, 12, 5, 1, 0]))
    rows = draw(st.lists(st.fixed_dictionaries(cells), min_size=size // 2, max_size=size))
    roles = ("order_id", "amount", "quantity", "unit_price", "refund")
    settings["columns"] = {
        "customer_id": "customer_id",
        "ordered_at": "ordered_at",
        **{role: role if role in columns else "none" for role in roles},
    }
    settings |= draw(_rules())
    settings |= draw(scorings())
    today = START + timedelta(days=draw(st.sampled_from([30, 45, 400])))
    return Question(columns, tuple(rows), settings, today)


@st.composite
def scorings(draw: st.DrawFn) -> dict[str, Any]:
    """Scores and segments: a preset as it is or scored otherwise, or any bins with a map made for them."""
    if draw(st.booleans()):
        chosen = preset(draw(st.sampled_from(SEGMENT_PRESETS)))
        bins = chosen["scoring"]["bins"] if "bins" in chosen["scoring"] else 4
        if draw(st.booleans()):
            return chosen
        sides = (bins, bins, bins)
        segments = chosen["segments"]
    else:
        side = st.integers(2, 10)
        sides = draw(st.one_of(side.map(lambda n: (n, n, n)), st.tuples(side, side, side)))
        segments = draw(segment_maps(sides))
    scoring = {name: draw(_dimension(name, count)) for name, count in zip(DIMENSIONS, sides, strict=True)}
    return {"scoring": scoring, "segments": segments}


@st.composite
def segment_maps(draw: st.DrawFn, sides: tuple[int, int, int]) -> dict[str, Any]:
    """A total map without dead rules: those of the drawn rules that take a cell, and a fallback if one is left."""
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
    return {"rules": rules, **({"fallback": "Others"} if left else {})}


@st.composite
def _rule(draw: st.DrawFn, sides: tuple[int, int, int]) -> dict[str, Any]:
    name = draw(st.sampled_from(["Best", "Can't Lose Them", "New", "Früher", "Back\\slash", "❄ Cold"]))
    if draw(st.integers(0, 3)) == 0:
        cell = st.tuples(*(st.integers(1, side) for side in sides))
        cells = draw(st.lists(cell, min_size=1, max_size=4, unique=True))
        return {"segment": name, "cells": ["-".join(map(str, cell)) for cell in cells]}
    highest = {"r": sides[0], "f": sides[1], "m": sides[2], "fm": -(-(sides[1] + sides[2]) // 2)}
    asked = draw(st.lists(st.sampled_from(list(highest)), min_size=1, max_size=3, unique=True))
    return {"segment": name, **{dimension: draw(_scores(highest[dimension])) for dimension in asked}}


@st.composite
def _scores(draw: st.DrawFn, highest: int) -> int | str:
    low, high = sorted(draw(st.tuples(st.integers(1, highest), st.integers(1, highest))))
    return draw(st.sampled_from([low, f"{low}-{high}", f">={low}", f"<={high}"]))


@st.composite
def _dimension(draw: st.DrawFn, name: str, bins: int) -> dict[str, Any]:
    method = draw(st.sampled_from(["quantile", "quantile", "fixed", "ntile"]))
    if method != "fixed":
        return {"bins": bins, "method": method}
    edge: st.SearchStrategy[Any] = {
        "recency": st.integers(-1, 60),
        "frequency": st.integers(0, 12),
        "monetary": st.decimals(-50, 500, places=4).map(str),
    }[name]
    edges = draw(st.lists(edge, min_size=bins - 1, max_size=bins - 1, unique_by=Decimal))
    return {"bins": bins, "method": "fixed", "edges": sorted(edges, key=Decimal)}


@st.composite
def _ids(draw: st.DrawFn, columns: dict[str, str], cells: dict[str, st.SearchStrategy[Any]]) -> None:
    roles = draw(st.sampled_from([("customer_id", "order_id"), ("customer_id",)]))
    for role in roles:
        kind = draw(st.sampled_from(list(IDS)))
        columns[role] = kind
        cells[role] = _rarely(st.sampled_from(NO_IDS[kind]), _from_few(draw, st.sampled_from(IDS[kind])))


@st.composite
def _dates(
    draw: st.DrawFn, columns: dict[str, str], cells: dict[str, st.SearchStrategy[Any]], settings: dict[str, Any]
) -> None:
    kind = draw(st.sampled_from(["DATE", "DATETIME", "TIMESTAMP", "STRING"]))
    columns["ordered_at"] = kind
    settings["timezone"] = draw(st.sampled_from(TIMEZONES))
    day = st.integers(0, draw(st.sampled_from([50, 6, 2, 0]))).map(lambda days: START + timedelta(days=days))
    clock = st.sampled_from([time(0), time(5, 29, 59), time(18, 30), time(23, 59, 59, 999999)])
    moment = st.builds(datetime.combine, day, clock)
    if kind == "STRING":
        written = draw(st.sampled_from([["iso"], ["%d.%m.%Y"], ["iso", "%d.%m.%Y"]]))
        settings["date_format"] = written
        texts = [day.map(str), *([day.map(lambda d: f"{d:%d.%m.%Y}")] if "%d.%m.%Y" in written else [])]
        if "iso" in written:
            texts += [moment.map(lambda m: m.isoformat(" ")), moment.map(lambda m: f"{m:%Y-%m-%dT%H:%M}Z")]
            texts += [moment.map(lambda m: f"{m:%Y-%m-%d %H:%M:%S}+05:30"), day.map(lambda d: f" {d}\t")]
        if draw(st.integers(0, 9)) == 0:
            texts.append(st.just("03/04/2024"))
        cells["ordered_at"] = _rarely(st.sampled_from(BROKEN_DATES), st.one_of(texts))
    else:
        typed = {"DATE": day, "DATETIME": moment, "TIMESTAMP": moment.map(lambda m: m.replace(tzinfo=UTC))}
        cells["ordered_at"] = _rarely(st.none(), typed[kind])


@st.composite
def _money(
    draw: st.DrawFn, columns: dict[str, str], cells: dict[str, st.SearchStrategy[Any]], settings: dict[str, Any]
) -> None:
    kinds = st.sampled_from(["NUMERIC", "FLOAT64", "INT64", "STRING", "BIGNUMERIC"])
    settings["decimal"] = draw(st.sampled_from([".", ".", ","]))
    roles = draw(st.sampled_from([("amount",), ("amount", "refund"), ("quantity", "unit_price")]))
    for role in roles:
        kind = draw(kinds)
        columns[role] = kind
        plain, broken = _amounts(kind, settings["decimal"])
        cells[role] = _rarely(broken, _from_few(draw, plain))


def _amounts(kind: str, decimal: str) -> tuple[st.SearchStrategy[Any], st.SearchStrategy[Any]]:
    """Amounts, and what is none."""
    small = st.sampled_from(["0", "-1", "1", "2", "10", "9.99", "10.01", "999.99", "1000", "0.0001", "-0.01"])
    exact = st.one_of(
        small.map(Decimal),
        st.decimals(-200, 2000, places=4),
        st.decimals(1, 300, places=2),
        st.decimals(0, 10**9, places=0),
    )
    match kind:
        case "INT64":
            return exact.map(int), st.none()
        case "FLOAT64":
            return exact.map(float), st.sampled_from([None, float("nan"), float("inf")])
        case "STRING":
            text = exact.map(lambda value: f"{value:f}".replace(".", decimal))
            return st.one_of(text, text.map(lambda written: f" {written} ")), st.sampled_from(BROKEN_NUMBERS)
        case _:
            return exact, st.none()


def _from_few(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One of a few drawn values: ties are the rule, and sometimes everything is equal."""
    size = draw(st.sampled_from([12, 5, 2, 1]))
    return st.sampled_from(draw(st.lists(values, min_size=size, max_size=size)))


def _rarely(rare: st.SearchStrategy[Any], common: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 11).flatmap(lambda chance: rare if chance == 7 else common)


@st.composite
def _rules(draw: st.DrawFn) -> dict[str, Any]:
    """Returns, dates and exclusions; only what is drawn is set."""
    rules: dict[str, Any] = {"returns": draw(st.sampled_from(["exclude", "net"]))}
    if draw(st.booleans()):
        rules["as_of"] = START + timedelta(days=draw(st.integers(5, 60)))
    if draw(st.booleans()):
        rules["window"] = draw(st.sampled_from(["1 day", "10 days", "3 weeks", "1 month", "2 months", "1 year"]))
    if draw(st.integers(0, 3)) == 0:
        rules["since"] = START + timedelta(days=draw(st.integers(0, 5)))
    conditions = [
        {"column": "status", "equals": ["cancelled", "void'd"]},
        {"column": "status", "not_equals": ["paid", "Paid", ""]},
        {"column": "status", "blank": True},
        {"column": "status", "blank": False},
    ]
    if draw(st.integers(0, 2)) == 0:
        rules["exclude"] = {"by_status": draw(st.sampled_from(conditions))}
    if draw(st.integers(0, 4)) == 0:
        rules["skip"] = {"no_order": draw(st.sampled_from(conditions[:3]))}
    return rules
