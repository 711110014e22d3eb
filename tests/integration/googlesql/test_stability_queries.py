"""The statements of `rfm evaluate --stability`: GoogleSQL accepts them, and both engines return the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import duckdb
import pytest

from rfm_pipeline.evaluation.bootstrap import draw_weights
from rfm_pipeline.sql import stability_queries as queries
from rfm_pipeline.sql.evaluation_queries import HASH_GROUPS
from support.engines import TABLES, Question, fill, in_order, rows_of
from support.generated import preset
from support.googlesql import GoogleSql

pytestmark = pytest.mark.xdist_group("googlesql")

COLUMNS = {"customer": "STRING", "day": "DATE", "amount": "NUMERIC"}
MAPPED = {"customer_id": "customer", "ordered_at": "day", "amount": "amount", "order_id": "none"}
SEGMENTS = TABLES["segments"]
DRAWS = dict.fromkeys(["replicate", "weight"], "INT64") | {"hash_group": "STRING"}
CASES: Mapping[str, tuple[dict[str, Any], dict[str, list[Any]]]] = {
    "classic": (preset("classic"), {}),
    "days in the rules": (preset("lifecycle"), {}),
    "fixed days": (preset("klaviyo"), {}),
    "frozen money": (preset("grid"), {"monetary": [5, 10, 20, 40]}),
}


def spec_of(case: str, dialect: str) -> Any:
    settings, frozen = CASES[case]
    return Question(COLUMNS, settings={**settings, "columns": MAPPED}, frozen=frozen).spec(dialect)


def customers(case: str) -> list[dict[str, Any]]:
    """Return rows of `segments`, scored and named at random: what is counted is who gets other scores."""
    random, names = Random(4), [segment.name for segment in spec_of(case, "duckdb").segment_map.segments]
    as_of = date(2025, 12, 31)
    rows = []
    for number in range(60):
        days = random.randrange(90)
        scores = {f"{initial}_score": random.randrange(1, 4) for initial in "rfm"}
        rows.append(
            {
                "customer_id": f"c{number}",
                "recency_days": days,
                "frequency": 1 + random.randrange(4),
                "monetary": Decimal(random.randrange(-500, 10_000)) / 100,
                **scores,
                "segment": random.choice(names),
                "first_order_days": days + random.randrange(50),
                "twice_median_gap": random.choice([None, 2, 15, 60]),
                "as_of_date": as_of,
                "last_order_date": as_of - timedelta(days=days),
            }
        )
    return rows


def statements(case: str, dialect: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the SELECT of each staging table, and of the figures."""
    spec = spec_of(case, dialect)
    dimensions, spoken = spec.settings.scoring.dimensions, spec.dialect
    yield "draws", queries.draws_sql(draw_weights(HASH_GROUPS)[:6], spoken)
    yield "resampled", queries.resampled_edges_sql(spec, dimensions, "segments", "draws", 60)
    yield "moves", queries.resampled_moves_sql(spec, "segments", "resampled")
    yield "dimension", queries.dimension_moves_sql(dimensions[1], "segments", "resampled", spoken)
    yield "replicates", queries.replicates_sql("resampled")
    yield "scores", queries.score_counts_sql("segments")
    yield "neighbour", queries.neighbour_sql("evaluated", 0, "segments")


def edge_types(case: str) -> dict[str, str]:
    return {"replicate": "INT64"} | {
        f"{dimension.name[0]}_edge_{k}": "NUMERIC" if dimension.name == "monetary" else "INT64"
        for dimension in spec_of(case, "duckdb").settings.scoring.dimensions
        for k in range(1, dimension.bins)
    }


def answers(case: str, dialect: str, run: Callable[[str, str], list[dict[str, Any]]]) -> dict[str, Any]:
    return {name: in_order(run(name, select)) for name, select in statements(case, dialect)}


@pytest.mark.parametrize("case", CASES)
def test_both_engines_return_the_same_figures(case: str) -> None:
    rows = customers(case)
    evaluated = [{"customer_id": row["customer_id"], "segment_0": row["segment"]} for row in rows[::2]]
    evaluated_types = {"customer_id": "STRING", "segment_0": "STRING"}
    with closing(duckdb.connect()) as connection:
        fill(connection, "segments", SEGMENTS, [{name: row.get(name) for name in SEGMENTS} for row in rows])
        fill(connection, "evaluated", evaluated_types, evaluated)

        def in_duckdb(name: str, select: str) -> list[dict[str, Any]]:
            connection.execute(f"CREATE TABLE of_{name} AS {select}")
            if name in {"draws", "resampled"}:
                connection.execute(f"CREATE VIEW {name} AS FROM of_{name}")
            return rows_of(connection.execute(f"FROM of_{name}"))

        found = answers(case, "duckdb", in_duckdb)
    google = GoogleSql.load()
    types: dict[str, Any] = {"segments": SEGMENTS, "evaluated": evaluated_types}
    tables: dict[str, Any] = {"segments": rows, "evaluated": evaluated}
    staged = {"draws": DRAWS, "resampled": edge_types(case)}

    def in_googlesql(name: str, select: str) -> list[dict[str, Any]]:
        answer = google.execute(select, types, tables)
        if name in staged:
            types[name], tables[name] = staged[name], answer
        return answer

    assert answers(case, "bigquery", in_googlesql) == found
    assert len(found["resampled"]) == 7
    assert sum(row["moved"] for row in found["moves"]) > 0
