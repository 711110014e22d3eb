"""`rfm sql`: the computation printed as one query."""

from __future__ import annotations

from msgspec.structs import replace

from rfm_pipeline.common.untrusted_text import replace_unprintable
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import ConfigurationError, UsageError
from rfm_pipeline.pipeline.plan import Plan, open_plan
from rfm_pipeline.pipeline.shared_orders import comparing_files
from rfm_pipeline.sql.dialects.registry import DIALECTS, dialect_of
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.stages.clean import AMBIGUOUS_DATE


def query(configuration: Configuration, dialect: str, table: str | None) -> str:
    """Return the computation as one query that runs without changes.

    Args:
        configuration: All layers of settings.
        dialect: SQL dialect, `duckdb` or `bigquery`.
        table: Table to read in place of the source, as `project.dataset.table`; None for the source itself,
            or for a placeholder if the dialect is not that of the source's engine.

    Raises:
        RfmError: If any check of a plan fails.
    """
    if dialect not in DIALECTS:
        raise ConfigurationError(f"There is no dialect '{dialect}'.", f"choose {' or '.join(DIALECTS)}.")
    printed = dialect_of(dialect)
    with open_plan(configuration, publishes=False) as opened:
        plan = comparing_files(opened)
        relation, before = plan.spec.relation, plan.source.setup_statement
        title = _title(plan)
        if table is None and (dialect != plan.warehouse.engine or plan.source.is_temporary):
            table = "transactions" if dialect == "duckdb" else "project.dataset.transactions"
            loaded = replace_unprintable(plan.source.label)
            title += f"\n-- Load {loaded} into the table {table}, or give yours with --table."
        if table is not None:
            if not all(table.split(".")):
                raise UsageError(f"'{table}' is no table.", "give a name, or project.dataset.table.")
            relation, before = printed.table(table), ""
            # The rows of a table have no files.
            plan = replace(plan, spec=replace(plan.spec, files=None, compares_files=False))
            if opened.spec.numbers_files:
                title += "\n-- Lines count as often as the table has them: load no file or order twice."
        spec = replace(plan.spec, dialect=printed, relation=relation)
        return f"{title}\n{before}{QueryPipeline.of(spec).query()}\n"


def _title(plan: Plan) -> str:
    """Return the rules of the query as SQL comments.

    Unprintable characters are replaced: a line break in a name would end the comment.
    """
    rules = plan.rules()
    # Audits check the result and are no part of the query.
    del rules["audits"]
    if not plan.spec.as_of:
        rules["future"] = f"after {plan.spec.today}, the day on which this was printed"
    if plan.spec.may_be_ambiguous:
        rules["dates"] = f"what can be read in two ways is left out as {AMBIGUOUS_DATE}; a run stops at it"
    currency = plan.spec.reading.sales.currency
    if currency and currency.stops_at_others:
        codes = ", ".join(known.code for known in currency.counted)
        rules["currency"] = f"{codes}; lines in others are left out; a run stops at them"
    listed = "".join(f"\n--   {name}: {replace_unprintable(value)}" for name, value in rules.items())
    return f"-- RFM segments from {replace_unprintable(plan.source.label)}, one row per customer.{listed}"
