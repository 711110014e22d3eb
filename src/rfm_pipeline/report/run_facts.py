"""HTML of the facts about the run: excluded lines, source, cost and audits."""

from __future__ import annotations

import re
from decimal import Decimal

from rfm_pipeline.common import formatting
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter, Phrase, escape_html
from rfm_pipeline.report.segment_view import SegmentView
from rfm_pipeline.report.tables import TableCell, html_table
from rfm_pipeline.results.run_record import RunRecord

_AUDIT_NAMES = {
    "source_not_empty": "The source has lines",
    "reconciliation": "Lines and money add up",
    "customers_unique": "One row per customer",
    "scores_in_range": "Scores are in range",
    "segments_total": "Every customer has a segment",
    "bins_collapsed": "Every score has customers",
    "dates_read": "Dates could be read",
    "amounts_read": "Amounts could be read",
    "excluded_share": "Share of excluded lines",
    "mostly_excluded": "Not nearly all lines excluded",
    "duplicate_orders": "Orders in several files",
    "largest_customer": "Largest customer",
    "max_age": "Age of the newest order",
    "rows_dropped": "Fewer lines than before",
    "customers_dropped": "Fewer customers than before",
    "duplicate_load": "Lines loaded twice",
    "segment_shares": "Changes of the segments",
}
"""What the built-in audits check, for readers who do not know the settings."""

_QUOTED_OR_NUMBER = re.compile(
    r"(?P<quoted>`[^`]*`|(?<!\w)'[^']*'(?!\w))"
    r"|(?<![\w.,])(?P<share>\d+\.\d) %"
    r"|(?<![\w.,])(?P<count>\d{1,3}(?:,\d{3})+)(?![\w.,]\d)"
)
"""Values of the source and settings, which stay as they are; percentages; and counts from 1,000."""


def run_facts(view: SegmentView, formatter: NumberFormatter) -> str:
    """Return what the run excluded, its facts and its audits; the filter does not change this section."""
    run = view.data.run
    facts = [
        ("As of", str(view.data.as_of)),
        ("Source", run.source or "–"),
        ("Result", view.data.label),
        ("Run", f"{run.run_id}, finished {run.finished_at:%Y-%m-%d %H:%M} UTC"),
        ("Computed by", f"{run.engine}, rfm-pipeline {run.version}, in {_seconds(run):.1f} s"),
        ("Segment map", str((run.rules.get("segments") or {}).get("name") or "–")),
        ("Bytes read", _bytes(run.usage.bytes_processed)),
    ]
    if run.usage.bytes_billed is not None:
        facts.append(("Bytes billed", _bytes(run.usage.bytes_billed)))
    listed = "".join(f"<div><dt>{name}</dt><dd>{escape_html(value)}</dd></div>" for name, value in facts)
    audits: list[list[TableCell]] = [
        [_audit_name(audit.name), audit.status.replace("_", " "), _finding(audit.detail, run, formatter)]
        for audit in run.audits
    ]
    audits_table = html_table("Audits", ("Audit", "Status", "Finding"), audits)
    return (
        f'<div class="cards"><section class="card"><h3>Excluded lines</h3>{_lines(run, formatter)}</section>'
        f'<section class="card"><h3>Facts</h3><dl class="facts">{listed}</dl></section>'
        f'<section class="card wide">{audits_table}</section></div>'
    )


def _plain(name: str) -> str:
    """Return the name of an exclusion or of an audit in words."""
    return formatting.capitalize_first(name.replace("_", " "))


def _audit_name(name: str) -> str:
    return _AUDIT_NAMES.get(name) or _plain(name)


def _finding(detail: str, run: RunRecord, formatter: NumberFormatter) -> Phrase:
    """Return an audit's finding with reasons in words, and with numbers in the form of the page."""
    reasons = [excluded.reason for excluded in run.statistics.exclusions] if run.statistics else []
    for reason in sorted(reasons, key=len, reverse=True):
        detail = re.sub(rf" as {re.escape(reason)}(?=\W|$)", f" as “{reason.replace('_', ' ')}”", detail)
    parts: list[str | FormattedNumber] = []
    end = 0
    for match in _QUOTED_OR_NUMBER.finditer(detail):
        number: str | FormattedNumber = match[0]
        if match["share"]:
            number = formatter.share(Decimal(match["share"]), 100)
        elif match["count"]:
            number = formatter.count(int(match["count"].replace(",", "")))
        parts += [detail[end : match.start()], number]
        end = match.end()
    return Phrase((*parts, detail[end:]))


def _lines(run: RunRecord, formatter: NumberFormatter) -> str:
    """Return the table of the source's lines by exclusion reason, followed by those that counted."""
    statistics = run.statistics
    assert statistics is not None  # an active result has statistics
    read, kept = statistics.rows_read, statistics.rows_kept
    rows: list[list[TableCell]] = [
        [
            _plain(excluded.reason),
            formatter.count(excluded.lines),
            formatter.share(excluded.lines, read),
            FormattedNumber("not readable") if excluded.amount is None else formatter.money(excluded.amount),
        ]
        for excluded in statistics.exclusions
    ]
    counted = formatter.money(statistics.amount_kept)
    rows.append(["Counted", formatter.count(kept), formatter.share(kept, read), counted])
    note = "" if statistics.exclusions else '<p class="summary">No line was excluded.</p>'
    return note + html_table("Lines of the source", ("Reason", "Lines", "Share", "Money"), rows)


def _seconds(run: RunRecord) -> float:
    return (run.finished_at - run.started_at).total_seconds()


def _bytes(number: int | None) -> str:
    return "–" if number is None else formatting.format_bytes(number)
