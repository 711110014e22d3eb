"""The published tables: the current result, its history and the runs.

    rfm_segments            current   one row per customer: what BI reads
    rfm_segments_history    history   the same rows, for each as-of date
    rfm_segments_runs       runs      one row per run, whether it published or not

The user chooses the first name, and the others are derived from it, so that pipelines can share a dataset or
a file.

In BigQuery all three are tables, and incremental runs keep orders in a fourth one, `rfm_segments_orders`. In
a DuckDB file the first two are views over two tables, in which the rows of each as-of date are stored once:

    rfm_segments_rows       rows      the columns that can't be derived, of each as-of date
    rfm_segments_dates      dates     one row per as-of date, one of which is current

At a Parquet destination they are files, which DuckDB reads through views of these names. The table of the
dates exists in memory only, and a publish is prepared in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from rfm_pipeline._version import __version__

SUFFIXES: Mapping[str, str] = {"current": "", "history": "_history", "runs": "_runs"}
"""The suffix of each table's name, after the name of the current result."""


KEPT_SUFFIX = "_orders"
"""Suffix of the table in BigQuery with the orders that incremental runs keep; no reader needs it."""


class Layout(Struct, frozen=True):
    """How a kind of destination stores the published tables.

    Attributes:
        format: Version of the layout, which the tables' marks state.
        suffixes: The suffix of the name of each table and view, by role.
        views: Roles that are views.
        kept_suffix: Suffix of the table with the orders that incremental runs keep; None if they keep files.
    """

    format: int
    suffixes: Mapping[str, str]
    views: frozenset[str]
    kept_suffix: str | None = None


LAYOUTS: Mapping[str, Layout] = {
    "bigquery": Layout(1, SUFFIXES, frozenset(), KEPT_SUFFIX),
    "duckdb": Layout(2, {**SUFFIXES, "rows": "_rows", "dates": "_dates"}, frozenset(("current", "history"))),
    "parquet": Layout(1, {**SUFFIXES, "dates": "_dates"}, frozenset(("current", "history"))),
}
"""The layout of each kind of destination.

DuckDB's format 1 was that of BigQuery; the next change converts it.
"""

PUBLISHED_STATUSES = ("published", "history_only")
"""The statuses of runs that wrote a result, in the runs table."""
UNPUBLISHED_STATUSES = ("calibrated", "rejected", "failed")
"""The statuses of runs that left the result and the history as they were."""


class PublishedColumn(Struct, frozen=True):
    """A column of a published table.

    Attributes:
        holds: Kind of value: `text`, `integer`, `small` (a 32-bit integer), `score` (a byte), `money` (a
            decimal), `date`, `instant` (a time in UTC), or `flag` (true or false).
        description: Meaning of the column, as the table's own metadata has it.
    """

    holds: str
    description: str


RESULT_COLUMNS: Mapping[str, PublishedColumn] = {
    "customer_id": PublishedColumn("text", "The customer."),
    "recency_days": PublishedColumn("small", "Days from the last order to the as-of date."),
    "frequency": PublishedColumn("integer", "Number of distinct orders."),
    "monetary": PublishedColumn("money", "Sum of the amounts of the kept lines of the customer."),
    "avg_order_value": PublishedColumn("money", "monetary / frequency."),
    "first_order_date": PublishedColumn("date", "Date of the first order."),
    "last_order_date": PublishedColumn("date", "Date of the last order."),
    "r_score": PublishedColumn("small", "Recency score, 1 is worst."),
    "f_score": PublishedColumn("small", "Frequency score, 1 is worst."),
    "m_score": PublishedColumn("small", "Monetary score, 1 is worst."),
    "rfm_score": PublishedColumn("text", "The three scores side by side, such as 444."),
    "segment": PublishedColumn("text", "Segment of the customer."),
    "previous_segment": PublishedColumn("text", "Segment at the previous as-of date."),
    "segment_since": PublishedColumn("date", "First as-of date of the current stay in this segment."),
    "as_of_date": PublishedColumn("date", "The as-of date: recency is counted back from it."),
    "run_id": PublishedColumn("text", "The run that published this row."),
}
"""The columns of the current result and of its history, in order."""

RUN_COLUMNS: Mapping[str, PublishedColumn] = {
    "run_id": PublishedColumn("text", "The run."),
    "kind": PublishedColumn("text", "Kind of run: run, backfill, rollback, calibration or forget."),
    "status": PublishedColumn(
        "text",
        "Outcome: published, history_only, calibrated, rejected (by an audit), failed, forgotten or undone.",
    ),
    "started_at": PublishedColumn("instant", "Start time in UTC."),
    "finished_at": PublishedColumn("instant", "End time in UTC."),
    "as_of_date": PublishedColumn("date", "The as-of date: recency is counted back from it."),
    "source": PublishedColumn("text", "Source as configured."),
    "engine": PublishedColumn("text", "Engine: duckdb or bigquery."),
    "version": PublishedColumn("text", "Version of rfm-pipeline."),
    "config_hash": PublishedColumn("text", "Hash of the settings that can change the result."),
    "rules": PublishedColumn(
        "text",
        "Scoring and segments as configured, what identifies the source, the rows' checksum, the parts that"
        " an incremental run read, and the first day of the partitions that were read, in JSON.",
    ),
    "rows_read": PublishedColumn("integer", "Number of lines read."),
    "rows_kept": PublishedColumn("integer", "Number of lines kept."),
    "amount_kept": PublishedColumn("money", "Sum of the amounts of the kept lines."),
    "customers": PublishedColumn("integer", "Number of customers."),
    "orders": PublishedColumn("integer", "Number of orders."),
    "revenue": PublishedColumn("money", "Sum of the monetary values of the customers."),
    "newest_order_date": PublishedColumn("date", "Date of the newest kept order."),
    "exclusions": PublishedColumn("text", "Excluded lines and amounts by reason, in JSON."),
    "edges": PublishedColumn("text", "Score edges by dimension, in JSON."),
    "segments": PublishedColumn("text", "Customers, orders and revenue by segment, in JSON."),
    "audits": PublishedColumn("text", "Results of the audits, in JSON."),
    "bytes_processed": PublishedColumn("integer", "Bytes read."),
    "bytes_billed": PublishedColumn("integer", "Bytes billed."),
    "slot_ms": PublishedColumn("integer", "BigQuery slot milliseconds."),
    "jobs": PublishedColumn("text", "Ids of the BigQuery jobs, in JSON."),
    "restored_run_id": PublishedColumn("text", "Of a rollback: id of the run whose result it restored."),
    "history_from": PublishedColumn("date", "Oldest as-of date that retention kept."),
    "error": PublishedColumn("text", "Reason why nothing was published."),
}
"""The columns of the runs table, in order."""

PUBLISHED_COLUMNS: Mapping[str, Mapping[str, PublishedColumn]] = {
    "current": RESULT_COLUMNS,
    "history": RESULT_COLUMNS,
    "runs": RUN_COLUMNS,
}
"""The columns of each table that readers see."""

STORED_COLUMNS: Mapping[str, Mapping[str, PublishedColumn]] = {
    "rows": {
        "as_of_date": RESULT_COLUMNS["as_of_date"],
        **{
            name: RESULT_COLUMNS[name]
            for name in ("customer_id", "frequency", "monetary", "first_order_date", "last_order_date")
        },
        **{
            name: PublishedColumn("score", RESULT_COLUMNS[name].description)
            for name in ("r_score", "f_score", "m_score")
        },
        **{name: RESULT_COLUMNS[name] for name in ("segment", "previous_segment", "segment_since")},
    },
    "dates": {
        "as_of_date": RESULT_COLUMNS["as_of_date"],
        "run_id": PublishedColumn("text", "The run that published the rows of this date."),
        "score_separator": PublishedColumn("text", "What separates the scores in rfm_score: - or nothing."),
        "is_current": PublishedColumn("flag", "Whether the rows of this date are the current result."),
    },
}
"""The columns of the tables behind the views of a DuckDB file."""


def newer_version(written_by: str | None) -> str | None:
    """Return the version that wrote a destination if it is newer than this one; else, or if unknown, None.

    >>> newer_version("999.1.0"), newer_version("0.0.9"), newer_version(None)
    ('999.1.0', None, None)
    """
    is_newer = written_by and _numbers(written_by) > _numbers(__version__)
    return written_by if is_newer else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3])


class Tables(Struct, frozen=True):
    """SQL identifiers of the tables of a destination.

    Attributes:
        current: The current result.
        history: The history.
        runs: The runs.
        rows: The rows behind the views `current` and `history`; None if these are tables or files.
        dates: The dates behind these views or files; None if these are tables.
    """

    current: str
    history: str
    runs: str
    rows: str | None = None
    dates: str | None = None
