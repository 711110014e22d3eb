"""`rfm sql`: the computation printed as one query."""

from __future__ import annotations

from msgspec.structs import replace

from rfm_pipeline.common.untrusted_text import replace_unprintable
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import ConfigurationError, ExpressionError, UsageError
from rfm_pipeline.pipeline.plan import Plan, open_plan
from rfm_pipeline.pipeline.shared_orders import comparing_files
from rfm_pipeline.sql.dialects.registry import DIALECTS, dialect_of
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.query_spec import QuerySpec
from rfm_pipeline.sql.stages.clean import AMBIGUOUS_DATE

PLACEHOLDER_TABLE = "project.dataset.transactions"
"""Table that a query for BigQuery reads if the source is a file, and the user names no table."""


def query(configuration: Configuration, dialect: str | None, table: str | None) -> str:
    """Return the computation as one query that runs without changes.

    Args:
        configuration: All layers of settings.
        dialect: SQL dialect, `duckdb` or `bigquery`; None for that of the source's engine.
        table: Table to read in place of the source, as `project.dataset.table`; None for the source itself,
            or for a placeholder if the dialect is not that of the source's engine.

    Raises:
        RfmError: If any check of a plan fails.
    """
    if dialect is not None and dialect not in DIALECTS:
        raise ConfigurationError(f"There is no dialect '{dialect}'.", f"choose {' or '.join(DIALECTS)}.")
    with open_plan(configuration, publishes=False) as opened:
        plan = comparing_files(opened)
        dialect = dialect or plan.warehouse.engine
        printed = dialect_of(dialect)
        refuse_other_dialect(plan, dialect)
        relation, before = plan.spec.relation, plan.source.setup_statement
        title = _title(plan)
        if table is None and (dialect != plan.warehouse.engine or plan.source.is_temporary):
            table = "transactions" if dialect == "duckdb" else PLACEHOLDER_TABLE
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
    rules = described_rules(plan, plan.spec)
    listed = "".join(f"\n--   {name}: {value}" for name, value in rules.items())
    return f"-- RFM segments from {replace_unprintable(plan.source.label)}, one row per customer.{listed}"


def refuse_other_dialect(plan: Plan, dialect: str) -> None:
    """Raise if the SQL of an exclusion would mean something else in the dialect of the printed query.

    Args:
        plan: The plan of a run, whose exclusions are in the dialect of its engine.
        dialect: The dialect of the printed query.

    Raises:
        ExpressionError: If an exclusion has a double quote, which is around a name in DuckDB and around a
            text in BigQuery, or a backslash, which only BigQuery reads as an escape.
    """
    if dialect == plan.warehouse.engine:
        return
    for name, condition in {**plan.settings.skip, **plan.settings.exclude}.items():
        if isinstance(condition, str) and ('"' in condition or "\\" in condition):
            sign = "double quotes" if '"' in condition else "backslashes"
            raise ExpressionError(
                f"The exclusion `{name}` has {sign}, which DuckDB and BigQuery read in different ways.",
                "write it in rfm.toml without SQL:"
                f' {name} = {{ column = "Country", equals = ["Nowhere"] }}, in [exclude].',
            )


def described_rules(plan: Plan, spec: QuerySpec) -> dict[str, str]:
    """Return the rules of a printed query by name, printable.

    Args:
        plan: The plan of a run.
        spec: What is printed.
    """
    rules = plan.rules()
    # Audits check the result and are no part of the query.
    del rules["audits"]
    if not spec.as_of and not spec.run_dates:
        rules["future"] = f"after {spec.today}, the day on which this was printed"
    if spec.may_be_ambiguous:
        rules["dates"] = f"what can be read in two ways is left out as {AMBIGUOUS_DATE}; a run stops at it"
    currency = spec.reading.sales.currency
    if currency and currency.stops_at_others:
        codes = ", ".join(known.code for known in currency.counted)
        rules["currency"] = f"{codes}; lines in others are left out; a run stops at them"
    return {name: replace_unprintable(value) for name, value in rules.items()}
