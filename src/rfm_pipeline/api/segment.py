"""`segment`: the pipeline in Python, from a data frame or a file to scored and segmented customers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import date
from os import PathLike
from pathlib import Path
from typing import Any

from rfm_pipeline.api.argument_hints import hints_as_arguments
from rfm_pipeline.api.segmentation import Segmentation
from rfm_pipeline.config.loader import CONFIG_FILE, Configuration, merge, read_config
from rfm_pipeline.config.source_location import BigQueryTable, parse_source
from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.plan import open_plan
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run_records import RunStart, build_run_record, new_run_id
from rfm_pipeline.pipeline.staging import audit_error, stage_result

_TABLES: Mapping[str, tuple[str, ...]] = {
    "columns": ("customer_id", "order_id", "ordered_at", "amount", "quantity", "unit_price", "refund"),
    "scoring": ("bins", "method"),
    "duckdb": ("memory_limit", "threads"),
}
"""The arguments that are settings of a table, as they stand in `rfm.toml`."""


def segment(  # noqa: D417 - arguments that belong together are described together
    source: Any,
    *,
    customer_id: str | None = None,
    order_id: str | None = None,
    ordered_at: str | None = None,
    amount: str | None = None,
    quantity: str | None = None,
    unit_price: str | None = None,
    refund: str | None = None,
    as_of: date | str | None = None,
    window: str | None = None,
    since: date | str | None = None,
    timezone: str | None = None,
    returns: str | None = None,
    exclude: Mapping[str, Any] | None = None,
    date_format: str | list[str] | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    bins: int | None = None,
    method: str | None = None,
    preset: str | list[str] | None = None,
    memory_limit: str | None = None,
    threads: int | None = None,
    settings: Mapping[str, Any] | None = None,
    config: str | PathLike[str] | None = None,
) -> Segmentation:
    """Computes recency, frequency and monetary value of every customer, scores and segments them.

    It is what `rfm run` computes, by the same query, and nothing is published: no table, no file, no record.
    Neither `rfm.toml` nor `RFM_*` variables are looked at, so that the same call gives the same answer
    everywhere; `config` reads a file all the same.

    Args:
        source: Transaction lines: a data frame of pandas or Polars, an Arrow table or stream, a relation of
            DuckDB's, or the path of a file, a glob, a folder or `duckdb:FILE#table`. A frame is read where
            it is; what gives its rows only once, such as an Arrow stream, is copied first.
        customer_id, order_id, ordered_at, amount, quantity, unit_price, refund: The column of each role,
            where it is not found by its name; `order_id="none"` makes each line its own order.
        as_of: The date that recency is counted from; the newest order's unless given.
        window: How far back lines count, such as `"24 months"`.
        since: The first date that counts.
        timezone: The shop's time zone; UTC unless given.
        returns: `"exclude"` negative lines, the default, or `"net"` them off the customer's money.
        exclude: Lines that are not to count: conditions in SQL by their names.
        date_format: How dates in text are written, such as `"%d/%m/%Y"`.
        decimal, thousands: The marks in numbers in text.
        bins: Scores run from 1 to this, 2 to 10.
        method: `"quantile"`, `"fixed"` or `"ntile"`.
        preset: A segment map or a well-known export by name.
        memory_limit, threads: What DuckDB may use.
        settings: Any other setting, in the shape of `rfm.toml`; the arguments above win over it.
        config: An `rfm.toml`, below both.

    Returns:
        The customers with their scores and segments, and what was found on the way.

    Raises:
        RfmError: What a run would end with: a column that is not there, a map that is not total. Its class
            and its `hint` say more.
        AuditError: The result failed an audit that blocks.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    flags = _layer({name: given[name] for name in given.keys() - {"source", "settings", "config"}})
    path = None if config is None else Path(config)
    configuration = Configuration(
        flags=merge([settings or {}, flags]),
        file=read_config(path) if path else {},
        origin=path or Path(CONFIG_FILE),
    )
    with hints_as_arguments():
        return _segmented(source, configuration)


def _layer(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments in the shape of `rfm.toml`."""
    layer: dict[str, Any] = {}
    for name, value in arguments.items():
        table = next((table for table, names in _TABLES.items() if name in names), None)
        plain = value.isoformat() if isinstance(value, date) else value
        if table:
            layer.setdefault(table, {})[name] = plain
        else:
            layer[name] = plain
    return layer


def _segmented(source: Any, configuration: Configuration) -> Segmentation:
    from rfm_pipeline.source.dataframe import is_frame, opener_of
    from rfm_pipeline.warehouse.duckdb.warehouse import DuckDBWarehouse

    opens = None
    if is_frame(source):
        opens = opener_of(source)
    else:
        flags = {**configuration.flags, "source": str(source)}
        configuration = Configuration(flags, {}, configuration.file, configuration.origin)
        if isinstance(parse_source(str(source)), BigQueryTable):
            raise UsageError(
                f"{source} is segmented in BigQuery, and this computes here.",
                "`rfm run` does that; read the result from its destination.",
            )
    begun = RunStart(new_run_id(), "run")
    with ExitStack() as stack:
        plan = stack.enter_context(open_plan(configuration, publishes=False, opens=opens))
        result = stage_result(begun, plan, NullObserver())
        if result.is_rejected:
            raise audit_error(result)
        assert isinstance(plan.warehouse, DuckDBWarehouse)
        connection = plan.warehouse.keep_only("result")
        record = build_run_record(begun, plan, result)
        return Segmentation(
            result, record, plan.spec.segment_map, configuration, connection, stack.pop_all().close
        )
