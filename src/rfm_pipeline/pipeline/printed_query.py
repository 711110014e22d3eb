"""`rfm sql`: the whole computation printed as one query."""

from __future__ import annotations

from msgspec.structs import replace

from rfm_pipeline.common.formatting import replace_unprintable
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import ConfigurationError, UsageError
from rfm_pipeline.pipeline.plan import Plan, open_plan
from rfm_pipeline.sql.dialects.registry import DIALECTS, dialect_of
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.stages.clean import AMBIGUOUS_DATE


def query(configuration: Configuration, dialect: str, table: str | None) -> str:
    """The whole computation as one query that runs as it stands.

    Args:
        configuration: All layers of settings.
        dialect: Whose SQL, `duckdb` or `bigquery`.
        table: What the query reads in place of the source, as `project.dataset.table`; None is the source, or
            a placeholder where the dialect is not the source's engine's.

    Raises:
        RfmError: The first thing that is wrong.
    """
    if dialect not in DIALECTS:
        raise ConfigurationError(f"There is no dialect '{dialect}'.", f"choose {' or '.join(DIALECTS)}.")
    spoken = dialect_of(dialect)
    with open_plan(configuration, publishes=False) as plan:
        relation, before = plan.spec.relation, plan.source.before
        title = _title(plan)
        if table is None and (dialect != plan.warehouse.engine or plan.source.is_passing):
            table = "transactions" if dialect == "duckdb" else "project.dataset.transactions"
            loaded = replace_unprintable(plan.source.label)
            title += f"\n-- Load {loaded} into the table {table}, or give yours with --table."
        if table is not None:
            if not all(table.split(".")):
                raise UsageError(f"'{table}' is no table.", "give a name, or project.dataset.table.")
            relation, before = spoken.table(table), ""
        spec = replace(plan.spec, dialect=spoken, relation=relation)
        return f"{title}\n{before}{QueryPipeline.of(spec).query()}\n"


def _title(plan: Plan) -> str:
    """What the query answers, as comments. A name that is in it must not end one."""
    rules = plan.rules()
    # They are made of the result, and are no part of the query.
    del rules["audits"]
    if not plan.spec.as_of:
        rules["future"] = f"after {plan.spec.today}, the day on which this was printed"
    if plan.spec.may_be_ambiguous:
        rules["dates"] = f"what can be read in two ways is left out as {AMBIGUOUS_DATE}; a run stops at it"
    told = "".join(f"\n--   {name}: {replace_unprintable(value)}" for name, value in rules.items())
    return f"-- RFM segments from {replace_unprintable(plan.source.label)}, one row per customer.{told}"
