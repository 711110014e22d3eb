"""GoogleSQL's analyser accepts the query for all settings: the whole, and each step over the earlier tables.

There are too many combinations of settings and types: the cases are a pairwise covering, in which each value
occurs, and each pair of values that change the shape of the query.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest

from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.edge_drift import edge_drift_sql
from rfm_pipeline.sql.result_rows import result_sql
from support.engines import Question, staged_types
from support.generated import SEGMENT_PRESETS, preset
from support.golden_queries import QUERIES
from support.googlesql import GoogleSql

pytestmark = pytest.mark.xdist_group("googlesql")

EVENT = "STRUCT<id STRING, paid STRUCT<total FLOAT64, back NUMERIC>>"
MAP = {"rules": [{"segment": "Best", "r": ">=2", "fm": 2}], "fallback": "Can't say"}
EDGES: Mapping[str, Sequence[Any]] = {
    "recency": [10, 20, 30, 40, 50, 60, 70, 80, 90],
    "frequency": [1, 2, 3, 4, 5, 6, 7, 8, 9],
    "monetary": ["-1", 0, "0.5", 10, 20, 30, 40, 50, "123456789012.123456789"],
}

FACTORS: Mapping[str, Sequence[Any]] = {
    "customer_id": ["STRING", "INT64", "NUMERIC", "BIGNUMERIC", "FLOAT64"],
    "order_id": [None, "STRING", "INT64", "FLOAT64", "event.id"],
    "ordered_at": [
        *("DATE", "DATETIME", "TIMESTAMP", "STRING iso"),
        *("INT64 %Y%m%d", "STRING %d/%m/%Y %H:%M", "STRING iso,%b %d %Y %I:%M %p,%d.%m.%y"),
    ],
    "money": [
        *("amount NUMERIC", "amount FLOAT64", "amount STRING", "amount INT64", "amount BIGNUMERIC"),
        *("quantity INT64 unit_price NUMERIC", "quantity FLOAT64 unit_price FLOAT64"),
        *("quantity STRING unit_price STRING", "quantity NUMERIC unit_price BIGNUMERIC"),
        *("amount STRING refund STRING", "amount NUMERIC refund INT64", "amount event.paid.total"),
    ],
    "decimal": [".", ",", ". ,"],
    "returns": ["exclude", "net"],
    "dates": [
        *(
            {},
            {"window": "365 days"},
            {"window": "24 months", "since": "2020-02-29"},
            {"since": "2020-01-01"},
        ),
        *({"as_of": "2024-12-31"}, {"as_of": "2024-12-31", "window": "2 years"}, {"window": "8 weeks"}),
    ],
    "timezone": ["UTC", "America/New_York"],
    "conditions": [
        {},
        {
            "exclude": {
                "cancelled": {"column": "status", "equals": ["cancelled", "It's", "back\\slash", "😀"]}
            }
        },
        {
            "skip": {"other": {"column": "status", "not_equals": ["purchase"]}},
            "exclude": {"big": "size > 10"},
        },
        {"skip": {"empty": {"column": "status", "blank": True}}},
        {
            "exclude": {
                "test": "LOWER(status) LIKE '%test%' OR status IS NULL",
                "sized": {"column": "size", "blank": False},
            }
        },
    ],
    "scoring": [
        *(f"{bins} quantile quantile quantile" for bins in range(2, 11)),
        *("2 fixed fixed fixed", "10 fixed fixed fixed", "3 ntile ntile ntile", "10 ntile ntile ntile"),
        *("2 frozen frozen frozen", "10 frozen frozen frozen", "4 frozen ntile frozen"),
        *("4 fixed quantile ntile", "5 ntile fixed quantile", "6 quantile ntile fixed"),
        *SEGMENT_PRESETS,
    ],
}
SHAPING = ("order_id", "returns", "dates", "conditions", "decimal")
"""Factors of which every pair of values has a case; of the others, as many pairs as fit."""
COUNT = 42

Case = tuple[int, ...]


def covering() -> list[Case]:
    """Return the cases, chosen greedily by the number of missing pairs among random ones; always the same."""
    random = Random(0)
    levels = [len(values) for values in FACTORS.values()]
    factors = list(itertools.combinations(range(len(levels)), 2))
    missing = {
        pair for a, b in factors for pair in itertools.product([a], range(levels[a]), [b], range(levels[b]))
    }
    cases: list[Case] = []
    for _ in range(COUNT):
        shaping = sorted(pair for pair in missing if _is_shaping(pair))
        a, x, b, y = shaping[0] if shaping else min(missing)
        drawn = []
        for _ in range(60):
            case = [random.randrange(level) for level in levels]
            case[a], case[b] = x, y
            drawn.append(tuple(case))
        best = max(drawn, key=lambda case: _worth(case, missing))
        cases.append(best)
        missing -= _pairs(best)
    return cases


Pair = tuple[int, int, int, int]


def _pairs(case: Case) -> set[Pair]:
    return {(a, case[a], b, case[b]) for a, b in itertools.combinations(range(len(case)), 2)}


def _is_shaping(pair: Pair) -> bool:
    names = list(FACTORS)
    return names[pair[0]] in SHAPING and names[pair[2]] in SHAPING


def _worth(case: Case, missing: set[Pair]) -> int:
    return sum(20 if _is_shaping(pair) else 1 for pair in _pairs(case) & missing)


def question(case: Case) -> Question:
    chosen = {name: values[level] for (name, values), level in zip(FACTORS.items(), case, strict=True)}
    columns = {"status": "STRING", "size": "INT64", "event": EVENT}
    roles: dict[str, str] = {"order_id": "none"}
    words = chosen["money"].split()
    typed = {"customer_id": chosen["customer_id"], **dict(zip(words[::2], words[1::2], strict=True))}
    if chosen["order_id"]:
        typed["order_id"] = chosen["order_id"]
    kind, _, formats = chosen["ordered_at"].partition(" ")
    typed["ordered_at"] = kind
    for role, text in typed.items():
        roles[role] = text if text.startswith("event.") else role
        if role == roles[role]:
            columns[role] = text
    settings: dict[str, Any] = {
        "columns": roles,
        **dict(zip(("decimal", "thousands"), chosen["decimal"].split(), strict=False)),
        "returns": chosen["returns"],
        "timezone": chosen["timezone"],
        "date_format": formats.split(",") if formats else ["iso"],
        **chosen["dates"],
        **chosen["conditions"],
    }
    scored, frozen = _scored(chosen["scoring"])
    return Question(columns, settings={**settings, **scored}, frozen=frozen)


def _scored(text: str) -> tuple[dict[str, Any], dict[str, Sequence[Any]]]:
    """Return the settings of scores and segments, and frozen edges."""
    if text in SEGMENT_PRESETS:
        return preset(text), {}
    bins, *methods = text.split()
    scoring: dict[str, Any] = {"bins": int(bins)}
    frozen: dict[str, Sequence[Any]] = {}
    for (name, every), method in zip(EDGES.items(), methods, strict=True):
        edges = every[: int(bins) - 1]
        scoring[name] = {"method": "quantile" if method == "frozen" else method}
        if method == "fixed":
            scoring[name]["edges"] = edges
        elif method == "frozen":
            frozen[name] = edges
    return {"scoring": scoring, "segments": MAP}, frozen


CASES = covering()


@functools.cache
def analyse(text: str, tables: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> None:
    """Analyse SQL once, because many cases share the steps that read staging tables."""
    GoogleSql.load().analyse(text, {name: dict(columns) for name, columns in tables})


def hashable(tables: Mapping[str, Mapping[str, str]]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    return tuple((name, tuple(columns.items())) for name, columns in tables.items())


def analyse_all(input_question: Question) -> None:
    """Analyse the whole query, each step as CREATE TABLE, and the result over the last step."""
    tables: dict[str, Mapping[str, str]] = {"p.d.orders": input_question.columns}
    spec = input_question.spec("bigquery", dialect_of("bigquery").table("p.d.orders"))
    pipeline = input_question.pipeline("bigquery", spec.relation)
    analyse(pipeline.query(), hashable(tables))
    for step in pipeline.steps(lambda name: f"`p.d.staged_{name}`"):
        text = f"CREATE TABLE `p.d.staged_{step.name}` AS\n{step.select}"
        reads = {name: columns for name, columns in tables.items() if f"`{name}`" in text.replace("`.`", ".")}
        analyse(text, hashable(reads))
        tables[f"p.d.staged_{step.name}"] = staged_types(input_question, step.name)
        if step.name == "segments":
            for select in over_segments(f"(\n{step.select}\n)"):
                analyse(select, hashable(reads))
    if spec.frozen:
        staged = {name: tables[f"p.d.staged_{name}"] for name in ("segments", "edges")}
        analyse(edge_drift_sql(spec, *staged), hashable(staged))


def over_segments(segments: str) -> tuple[str, ...]:
    """Return the queries of a run over the last step, which is not materialized."""
    earlier = "(SELECT 'a' AS customer_id, 'Lost' AS segment, DATE '2020-01-01' AS segment_since)"
    return (
        f"SELECT MAX(as_of_date) AS as_of_date FROM {segments}",
        *(result_sql(segments, previous, "run", dialect_of("bigquery")) for previous in (None, earlier)),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_googlesql_accepts_the_query_and_its_steps(case: Case) -> None:
    analyse_all(question(case))


@pytest.mark.parametrize("name", QUERIES)
def test_googlesql_accepts_the_golden_queries(name: str) -> None:
    analyse_all(QUERIES[name])


def test_the_cases_cover_each_value_and_each_pair_that_shapes_the_query() -> None:
    met = set().union(*map(_pairs, CASES))
    for (a, x), (b, y) in itertools.combinations(enumerate(FACTORS.items()), 2):
        for i, j in itertools.product(range(len(x[1])), range(len(y[1]))):
            assert (a, i, b, j) in met or not _is_shaping((a, i, b, j)), (x[0], x[1][i], y[0], y[1][j])
    for factor, (name, values) in enumerate(FACTORS.items()):
        assert {case[factor] for case in CASES} == set(range(len(values))), name


# Invalid SQL is rejected; otherwise, acceptance would prove nothing.

PLAIN = Question({"customer_id": "STRING", "order_id": "STRING", "ordered_at": "DATE", "amount": "NUMERIC"})


def rejection(text: str, tables: Mapping[str, Mapping[str, str]]) -> str:
    with pytest.raises(AssertionError, match="GoogleSQL") as caught:
        GoogleSql.load().analyse(text, tables)
    return str(caught.value).splitlines()[0]


def test_googlesql_rejects_the_query_of_the_other_dialect() -> None:
    columns = {**PLAIN.columns, "customer_id": "INT64", "order_id": "INT64"}
    text = Question(columns).pipeline("duckdb").query().replace('"', "`")
    assert "Syntax error" in rejection(text, {"source": columns})


def test_googlesql_rejects_an_unknown_column() -> None:
    columns = {name: kind for name, kind in PLAIN.columns.items() if name != "amount"}
    text = PLAIN.pipeline("bigquery").query()
    assert "Unrecognized name: amount" in rejection(text, {"source": columns})


def test_googlesql_rejects_a_column_of_another_type() -> None:
    text = PLAIN.pipeline("bigquery").query()
    assert "No matching signature" in rejection(text, {"source": {**PLAIN.columns, "customer_id": "INT64"}})


def test_googlesql_rejects_a_step_over_a_table_of_other_types() -> None:
    edges = next(step for step in PLAIN.pipeline("bigquery").steps(lambda name: name) if step.name == "edges")
    good = staged_types(PLAIN, "customers")
    GoogleSql.load().analyse(edges.select, {"customers": good})
    assert "No matching signature" in rejection(edges.select, {"customers": {**good, "monetary": "STRING"}})


def test_googlesql_rejects_an_exclusion_in_the_dialect_of_the_other_engine() -> None:
    input_question = Question(
        PLAIN.columns, settings={"exclude": {"odd": "TRY_CAST(order_id AS INTEGER) > 5"}}
    )
    assert "TRY_CAST" in rejection(input_question.pipeline("bigquery").query(), {"source": PLAIN.columns})
