"""Golden SQL: files in `tests/data/sql` with questions and the SQL that is expected for them.

A fixture, such as `stages/clean.sql`, is a list of cases. A case is a question as TOML in a block comment and
the expected SQL below it, first in DuckDB's and then in BigQuery's dialect. CTEs that are the same as in the
first case, or the same in both dialects, are written once; a comment names them where they are left out. The
keys of a question:

- `name`: name of the case.
- `columns`: the source's columns with BigQuery's types; `LINES` if omitted.
- `preset`: segment preset whose `[scoring]` and `[segments]` are used.
- `settings`: settings in the shape of `rfm.toml`.
- `frozen`: frozen edges by dimension.

A case of `transitions.sql` has the tables `earlier` and `later` instead, with the keys `as_of`, `preset`,
`scoring` and `edges`. A case of `movers.sql` has them, too, and the table `chosen`, with the fields of
`MoverFilter` and `limit`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.sql.dialects.registry import DIALECTS, dialect_of
from rfm_pipeline.sql.movers import MoverFilter, listing_ctes, movers_ctes, movers_sql
from rfm_pipeline.sql.pipeline import with_ctes
from rfm_pipeline.sql.query_spec import Cte, QuerySpec
from rfm_pipeline.sql.stages.clean import clean_ctes
from rfm_pipeline.sql.stages.metrics import metrics_ctes
from rfm_pipeline.sql.stages.scores import scores_ctes
from rfm_pipeline.sql.stages.segments import segments_ctes
from rfm_pipeline.sql.transitions import ScoredSnapshot, transitions_ctes, transitions_sql
from support.engines import Question
from support.generated import preset
from support.paths import TEST_DATA

GOLDEN_SQL = TEST_DATA / "sql"
STAGES: Mapping[str, Callable[[QuerySpec], tuple[Cte, ...]]] = {
    "clean": clean_ctes,
    "metrics": metrics_ctes,
    "scores": scores_ctes,
    "segments": segments_ctes,
}
LINES: Mapping[str, str] = {
    "Customer ID": "INT64",
    "Invoice": "STRING",
    "InvoiceDate": "TIMESTAMP",
    "Quantity": "INT64",
    "Price": "NUMERIC",
    "Country": "STRING",
}
"""Columns of the source in cases that name none."""

_CASE = re.compile(r"^/\*\n(?P<question>.*?)^\*/\n(?P<sql>.*?)(?=^/\*$|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """A question, and the expected SQL in every dialect."""

    question: Mapping[str, Any]
    header: str
    """The question as it is written in the fixture, with the block comment around it."""
    sql: str

    @property
    def name(self) -> str:
        return str(self.question["name"])


@dataclass(frozen=True)
class Fixture:
    """A file of cases."""

    path: Path
    introduction: str
    cases: Sequence[Case]

    @classmethod
    def read(cls, path: Path) -> Fixture:
        text = path.read_text(encoding="utf-8")
        matches = list(_CASE.finditer(text))
        cases = [
            Case(tomllib.loads(match["question"]), f"/*\n{match['question']}*/\n", match["sql"].strip("\n"))
            for match in matches
        ]
        return cls(path, text[: matches[0].start()], cases)

    def with_sql(self, sql_by_case: Mapping[str, str]) -> Fixture:
        """Return the fixture with other expected SQL."""
        return replace(self, cases=[replace(case, sql=sql_by_case[case.name]) for case in self.cases])

    def write(self) -> None:
        """Write the file if it has changed, atomically: several test processes may read and write it."""
        cases = "\n".join(f"{case.header}{case.sql}\n" for case in self.cases)
        text = f"{self.introduction}{cases}"
        if text != self.path.read_text(encoding="utf-8"):
            draft = self.path.with_suffix(f".{os.getpid()}")
            draft.write_text(text, encoding="utf-8")
            draft.replace(self.path)

    def sql_by_case(self) -> dict[str, str]:
        return {case.name: case.sql for case in self.cases}


def stage_fixture(stage: str) -> Fixture:
    return Fixture.read(GOLDEN_SQL / "stages" / f"{stage}.sql")


def transitions_fixture() -> Fixture:
    return Fixture.read(GOLDEN_SQL / "transitions.sql")


def movers_fixture() -> Fixture:
    return Fixture.read(GOLDEN_SQL / "movers.sql")


def question_of(case: Case) -> Question:
    """Return the question of a case of a stage."""
    chosen = preset(case.question["preset"]) if "preset" in case.question else {}
    return Question(
        case.question.get("columns", LINES),
        settings={**chosen, **case.question.get("settings", {})},
        frozen=case.question.get("frozen", {}),
    )


def snapshots_of(case: Case) -> tuple[ScoredSnapshot, ScoredSnapshot]:
    """Return the earlier and the later snapshot of a case of the transitions."""
    return _snapshot(case.question["earlier"]), _snapshot(case.question["later"])


def _snapshot(table: Mapping[str, Any]) -> ScoredSnapshot:
    chosen = preset(table["preset"])
    scored = {**chosen, "scoring": table["scoring"]} if "scoring" in table else chosen
    settings = Configuration(flags=scored).settings
    edges: Mapping[str, Sequence[str]] = table.get("edges", {})
    return ScoredSnapshot(
        table["as_of"],
        settings.scoring.dimensions,
        {
            dimension.name: tuple(map(Decimal, edges[dimension.name])) if dimension.name in edges else None
            for dimension in settings.scoring.dimensions
        },
        SegmentMap.from_config(settings.segments, settings.scoring.bins_by_dimension),
    )


@dataclass(frozen=True)
class Built:
    """A query that the code builds: its CTEs, and the SELECT below them."""

    dialect: str
    ctes: tuple[Cte, ...]
    select: str

    @property
    def sql(self) -> str:
        return with_ctes(self.ctes, self.select, self.dialect)

    def shown(self, first_case: Built | None, other_dialect: Built | None) -> str:
        """Return the SQL as it is written in a fixture: without the CTEs of two other queries."""
        left_out = {
            "as in the first case": first_case.ctes if first_case else (),
            "as in duckdb": other_dialect.ctes if other_dialect else (),
        }
        title, shown = [f"-- {self.dialect}"], self.ctes
        for label, ctes in left_out.items():
            if names := [cte.name for cte in shown if cte in ctes]:
                title.append(f"{label}: {', '.join(names)}")
            shown = tuple(cte for cte in shown if cte not in ctes)
        sql = f"\n{with_ctes(shown, self.select, self.dialect)};" if shown else ""
        return "; ".join(title) + sql


def build_stage(stage: str, case: Case, dialect: str) -> Built:
    """Return the query of one stage, which reads the last CTE of the stage before it."""
    ctes = STAGES[stage](question_of(case).spec(dialect))
    return Built(dialect, ctes, f"SELECT *\nFROM {ctes[-1].name}")


def build_transitions(case: Case, dialect: str) -> Built:
    """Return the query of the transitions."""
    earlier, later = snapshots_of(case)
    ctes = transitions_ctes("history", earlier, later, dialect_of(dialect))
    query = transitions_sql("history", earlier, later, dialect_of(dialect))
    with_clause = with_ctes(ctes, "", dialect)
    assert query.startswith(with_clause)
    return Built(dialect, ctes, query.removeprefix(with_clause))


def build_movers(case: Case, dialect: str) -> Built:
    """Return the query of the movers."""
    earlier, later = snapshots_of(case)
    limit, chosen = chosen_of(case)
    arguments = ("history", earlier, later, chosen, dialect_of(dialect))
    ctes = (*movers_ctes(*arguments), *listing_ctes(limit))
    query, with_clause = movers_sql(*arguments, limit=limit), with_ctes(ctes, "", dialect)
    assert query.startswith(with_clause)
    return Built(dialect, ctes, query.removeprefix(with_clause))


def chosen_of(case: Case) -> tuple[int | None, MoverFilter]:
    """Return the limit and the conditions of a case of the movers; an empty segment of a move is any."""
    chosen: Mapping[str, Any] = case.question["chosen"]
    moves = tuple((start or None, end or None) for start, end in chosen.get("moves", ()))
    return chosen.get("limit"), MoverFilter(
        moves, tuple(chosen.get("reasons", ())), tuple(chosen.get("segments", ()))
    )


def fixture_sql(fixture: Fixture, build: Callable[[Case, str], Built]) -> dict[str, str]:
    """Return the SQL of each case in the form of the fixture."""
    first = [build(fixture.cases[0], dialect) for dialect in DIALECTS]
    sql = {}
    for case in fixture.cases:
        built = [build(case, dialect) for dialect in DIALECTS]
        firsts = [None, None] if case is fixture.cases[0] else first
        duckdb, bigquery = built
        sql[case.name] = f"{duckdb.shown(firsts[0], None)}\n\n{bigquery.shown(firsts[1], duckdb)}"
    return sql


def stage_questions(stage: str) -> dict[str, Question]:
    """Return the question of each case of a stage."""
    return {case.name: question_of(case) for case in stage_fixture(stage).cases}


def _different_questions() -> dict[str, Question]:
    questions: dict[str, Question] = {}
    for stage in STAGES:
        for name, question in stage_questions(stage).items():
            if question not in questions.values():
                questions[f"{stage}/{name}"] = question
    return questions


QUERIES: Mapping[str, Question] = _different_questions()
"""The different questions of all stages, by stage and case."""
TRANSITIONS: Mapping[str, tuple[ScoredSnapshot, ScoredSnapshot]] = {
    case.name: snapshots_of(case) for case in transitions_fixture().cases
}
WHOLE_QUERIES: Mapping[str, Question] = {
    "default": QUERIES["clean/defaults"],
    "frozen-edges": QUERIES["scores/frozen-edges"],
}
"""The questions whose whole queries are in `tests/data/sql/queries`, one file per dialect."""
