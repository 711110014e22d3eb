"""The tables at a destination: the current result, its history and the runs.

    rfm_segments            current   one row per customer: what BI reads
    rfm_segments_history    history   the same rows, for each as-of date
    rfm_segments_runs       runs      one row per run, whether it published or not

The first name is the user's to choose, and the others follow it, so that pipelines can share a dataset or a
file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from rfm_pipeline._version import __version__

SUFFIXES: Mapping[str, str] = {"current": "", "history": "_history", "runs": "_runs"}
"""What each table's name has behind the current result's."""


class PublishedColumn(Struct, frozen=True):
    """A column of a published table: what it holds, and means.

    It holds `text`, `integer`, `small` (an integer that is never large), `money`, `date` or `instant`, which
    is a time in UTC.
    """

    holds: str
    description: str


RESULT_COLUMNS: Mapping[str, PublishedColumn] = {
    "customer_id": PublishedColumn("text", "The customer."),
    "recency_days": PublishedColumn("small", "Days from the last order to the as-of date."),
    "frequency": PublishedColumn("integer", "Number of distinct orders."),
    "monetary": PublishedColumn("money", "What the customer spent."),
    "avg_order_value": PublishedColumn("money", "monetary / frequency."),
    "first_order_date": PublishedColumn("date", "Date of the first order."),
    "last_order_date": PublishedColumn("date", "Date of the last order."),
    "r_score": PublishedColumn("small", "Recency score, 1 is worst."),
    "f_score": PublishedColumn("small", "Frequency score, 1 is worst."),
    "m_score": PublishedColumn("small", "Monetary score, 1 is worst."),
    "rfm_score": PublishedColumn("text", "The three scores side by side, such as 444."),
    "segment": PublishedColumn("text", "The segment that the scores lead to."),
    "previous_segment": PublishedColumn("text", "The segment at the as-of date before this one."),
    "segment_since": PublishedColumn("date", "The as-of date since which the segment is the same."),
    "as_of_date": PublishedColumn("date", "The date from which recency is counted."),
    "run_id": PublishedColumn("text", "The run that published this row."),
}
"""The columns of the current result, and of its history, in their order."""

RUN_COLUMNS: Mapping[str, PublishedColumn] = {
    "run_id": PublishedColumn("text", "The run."),
    "kind": PublishedColumn("text", "What it was: run, backfill, rollback or calibration."),
    "status": PublishedColumn(
        "text",
        "How it ended: published, history_only, calibrated, rejected (by an audit) or failed.",
    ),
    "started_at": PublishedColumn("instant", "When it began, in UTC."),
    "finished_at": PublishedColumn("instant", "When it ended, in UTC."),
    "as_of_date": PublishedColumn("date", "The date from which recency is counted."),
    "source": PublishedColumn("text", "Where the lines came from, as it was configured."),
    "engine": PublishedColumn("text", "What computed it: duckdb or bigquery."),
    "version": PublishedColumn("text", "The version of rfm-pipeline."),
    "config_hash": PublishedColumn("text", "Changes when anything changes that can change the result."),
    "rules": PublishedColumn("text", "Scoring and segments as they were configured, in JSON."),
    "rows_read": PublishedColumn("integer", "Lines that were read."),
    "rows_kept": PublishedColumn("integer", "Lines that counted."),
    "amount_kept": PublishedColumn("money", "Their money."),
    "customers": PublishedColumn("integer", "Customers in the result."),
    "orders": PublishedColumn("integer", "Their orders."),
    "revenue": PublishedColumn("money", "Their money."),
    "newest_order_date": PublishedColumn("date", "The date of the newest order that counted."),
    "exclusions": PublishedColumn("text", "Lines and money that did not count, by reason, in JSON."),
    "edges": PublishedColumn("text", "The edges between scores, by dimension, in JSON."),
    "segments": PublishedColumn("text", "Customers, orders and money by segment, in JSON."),
    "audits": PublishedColumn("text", "The audits and what they found, in JSON."),
    "bytes_processed": PublishedColumn("integer", "What was read, in bytes."),
    "bytes_billed": PublishedColumn("integer", "What is paid for, in bytes."),
    "slot_ms": PublishedColumn("integer", "The milliseconds of all workers together."),
    "jobs": PublishedColumn("text", "The ids of its BigQuery jobs, in JSON."),
    "restored_run_id": PublishedColumn("text", "Of a rollback: the run whose result it brought back."),
    "history_from": PublishedColumn("date", "The oldest as-of date that the history kept after it."),
    "error": PublishedColumn("text", "Why it published nothing."),
}
"""The columns of the table of runs, in their order."""

COLUMNS: Mapping[str, Mapping[str, PublishedColumn]] = {
    "current": RESULT_COLUMNS,
    "history": RESULT_COLUMNS,
    "runs": RUN_COLUMNS,
}
"""The columns of each table."""


def newer_version(written_by: str | None) -> str | None:
    """The version that wrote a destination, where it is above ours; None where it is not, or is not known.

    >>> newer_version("999.1.0"), newer_version("0.0.9"), newer_version(None)
    ('999.1.0', None, None)
    """
    is_newer = written_by and _numbers(written_by) > _numbers(__version__)
    return written_by if is_newer else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3])


class Tables(Struct, frozen=True):
    """The tables of a destination, as they stand behind FROM."""

    current: str
    history: str
    runs: str
