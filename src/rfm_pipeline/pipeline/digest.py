"""The weekly digest: three sentences about a result, for the chat that gets the notifications."""

from __future__ import annotations

from datetime import datetime

from rfm_pipeline.errors import RfmError
from rfm_pipeline.pipeline.checksums import refuse_edited_results
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.results.run_history import read_state


def weekly_digest(plan: Plan, started_at: datetime) -> tuple[str, ...]:
    """Return three sentences about the published result; none if no digest is due, or a date was edited.

    A digest is due after the first run of each week, Monday to Sunday in UTC, that publishes a result.

    Args:
        plan: The plan of the run.
        started_at: Start of the run, in UTC.
    """
    if plan.settings.notify.digest is None or any(
        record.kind == "run"
        and record.status == "published"
        and record.finished_at.isocalendar()[:2] == started_at.isocalendar()[:2]
        for record in plan.state.records
    ):
        return ()
    from rfm_pipeline.report.data import collect_report_data, dates_read, report_source
    from rfm_pipeline.report.number_format import NumberFormatter
    from rfm_pipeline.report.summary import summary_sentences

    destination = plan.warehouse.destination
    try:
        with destination.open_for_reading():
            state = read_state(destination)
            source = report_source(destination, state)
            refuse_edited_results(destination, state, dates_read(source, state.as_of))
            data = collect_report_data(source, top_customers=0)
    except RfmError:
        # The result is published: a message about it does not decide the outcome of the run.
        return ()
    sentences = summary_sentences(data, NumberFormatter(plan.settings.report))
    return tuple(sentence.text for sentence in sentences)
