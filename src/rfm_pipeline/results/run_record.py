"""The record of one run, and its form as a row of the runs table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import asdict, replace

from rfm_pipeline.results.json_values import to_plain
from rfm_pipeline.results.statistics import Audit, DimensionScores, RunStatistics, Usage
from rfm_pipeline.results.tables import RUN_COLUMNS

_JSON_COLUMNS = ("rules", "exclusions", "edges", "segments", "audits", "jobs")
"""The columns of the runs table whose values are JSON text."""
_NOT_RECORDED = (("exclusions", "example"), ("exclusions", "more_examples"), ("audits", "rows"))
"""Column with JSON, and the key of values of the source in it, which are not recorded."""


class SourceIdentity(Struct, frozen=True, omit_defaults=True):
    """What tells one source from another.

    Attributes:
        kind: `files` (also standard input), `query` (a .sql file), `duckdb`, `bigquery` or `frame`.
        export: Preset of the export that the source is; None if it is no known export.
        columns: Name of the column for each role.
    """

    kind: str
    export: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


class Checksum(Struct, frozen=True):
    """What tells whether the history's rows of an as-of date are those that were published.

    Attributes:
        customers: Number of rows.
        rows: Checksum of the rows, see `sql.checksums`.
    """

    customers: int
    rows: str


class RunRecord(Struct, frozen=True):
    """One run on record: one row of the runs table, whose columns `results.tables.RUN_COLUMNS` describes.

    Attributes:
        run_id: Id of the run.
        kind: `run`, `backfill`, `rollback` or `calibration`.
        status: `published`, `history_only`, `calibrated`, `rejected` or `failed`.
        started_at, finished_at: In UTC, without a time zone.
        as_of_date: The as-of date; None if the run failed before it was known.
        source: The source as configured; None if it was a data frame.
        engine, version, config_hash: What computed the result, and from which settings.
        rules: `scoring` and `segments` as configured, `scoring_version` and `checksum`, in plain values; and
            `reads_from`, if partitions before that day were not read.
        identity: What identifies the source; stored with the rules. None if an earlier version recorded the
            run.
        statistics: What was computed; None if the run failed. What an incremental run read is stored with
            the rules.
        audits: The audits without the rows that they found.
        usage: What the run cost.
        restored_run_id: Of a rollback, the run whose result it restored.
        history_from: The oldest as-of date that retention kept; None if all were kept.
        error: Why nothing was published; None if something was.
    """

    run_id: str
    kind: str
    status: str
    started_at: datetime
    finished_at: datetime
    as_of_date: date | None = None
    source: str | None = None
    engine: str = ""
    version: str = ""
    config_hash: str = ""
    rules: Mapping[str, Any] = field(default_factory=dict)
    identity: SourceIdentity | None = None
    statistics: RunStatistics | None = None
    audits: tuple[Audit, ...] = ()
    usage: Usage = Usage()
    restored_run_id: str | None = None
    history_from: date | None = None
    error: str | None = None

    @property
    def checksum(self) -> Checksum | None:
        """Checksum of the rows that the run wrote; None if it wrote none, or has an earlier version."""
        checksum = self.rules.get("checksum")
        return msgspec.convert(checksum, Checksum) if checksum else None

    def with_checksum(self, checksum: Checksum) -> RunRecord:
        """Return the record with a checksum, which is stored with the rules."""
        return replace(self, rules={**self.rules, "checksum": to_plain(checksum)})

    @property
    def customers(self) -> int | None:
        """Customers of the result; None if the run failed."""
        return self.statistics.customers if self.statistics else None

    @property
    def edges(self) -> tuple[DimensionScores, ...]:
        """How each dimension was scored; empty if the run failed."""
        return self.statistics.edges if self.statistics else ()

    @property
    def scoring_version(self) -> int:
        """Version of the scoring rule (`config.scoring.SCORING_VERSION`); 1 if the record has none."""
        return int(self.rules.get("scoring_version", 1))

    @property
    def leaves_out_older_orders(self) -> bool:
        """Whether orders before a time window were left out: excluded by it, or not read."""
        exclusions = self.statistics.exclusions if self.statistics else ()
        is_excluded = any(excluded.reason == "outside_window" and excluded.lines for excluded in exclusions)
        return is_excluded or "reads_from" in self.rules

    @property
    def is_in_history(self) -> bool:
        """Whether the run wrote the history's rows of its as-of date."""
        return self.status in {"published", "history_only"} and self.kind != "rollback"

    def to_row(self) -> dict[str, Any]:
        """Return the values of the columns by name; nested values are JSON text."""
        row = self._columns()
        for name, nested in self._nested().items():
            row[name] = msgspec.json.encode(nested).decode()
        return row

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `rfm runs --json` prints them."""
        plain: dict[str, Any] = to_plain({**self._columns(), **self._nested()})
        return plain

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> RunRecord:
        """Build a record from the values of the columns by name; the inverse of `to_row`."""
        values: dict[str, Any] = {
            name: msgspec.json.decode(value or "null") or () if name in _JSON_COLUMNS else value
            for name, value in row.items()
        }
        for name in ("started_at", "finished_at"):
            values[name] = values[name].replace(tzinfo=None)
        rules = dict(values["rules"])
        # Statistics that only the audits of the run itself need are no columns.
        statistics = {name: values.pop(name) for name in RunStatistics.__struct_fields__ if name in values}
        statistics["parts"] = rules.pop("parts", None)
        usage = {name: values.pop(name) for name in Usage.__struct_fields__}
        return msgspec.convert(
            {
                **values,
                "identity": rules.pop("source", None),
                "rules": rules,
                "statistics": None if statistics["rows_read"] is None else statistics,
                "usage": usage,
            },
            cls,
        )

    def _columns(self) -> dict[str, Any]:
        values = {**asdict(self), **asdict(self.usage)}
        values |= {name: getattr(self.statistics, name, None) for name in RunStatistics.__struct_fields__}
        return {name: values[name] for name in RUN_COLUMNS}

    def _nested(self) -> dict[str, Any]:
        statistics = self.statistics
        parts = statistics.parts if statistics else None
        beside = {"source": self.identity, "parts": parts}
        nested = {
            "rules": {**self.rules, **{name: to_plain(value) for name, value in beside.items() if value}},
            "exclusions": to_plain(statistics.exclusions) if statistics else [],
            "edges": [scores.to_json() for scores in self.edges],
            "segments": to_plain(statistics.segments) if statistics else [],
            "audits": to_plain(self.audits),
            "jobs": list(self.usage.jobs),
        }
        for column, name in _NOT_RECORDED:
            for value in nested[column]:
                del value[name]
        return nested
