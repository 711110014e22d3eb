"""`segment`: the pipeline in Python, from a data frame or a file to scored and segmented customers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import date
from os import PathLike
from typing import Any

from rfm_pipeline.api.argument_hints import hints_as_arguments
from rfm_pipeline.api.arguments import NOT_SETTINGS, configuration_of, with_source
from rfm_pipeline.api.frames import FrameKind, frame_kind
from rfm_pipeline.api.segmentation import Segmentation
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.plan import open_plan
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run_records import RunStart, build_run_record, new_run_id
from rfm_pipeline.pipeline.staging import audit_error, stage_result


def segment(  # noqa: D417 - arguments that belong together are described together
    source: Any,
    *,
    customer_id: str | None = None,
    order_id: str | None = None,
    ordered_at: str | None = None,
    amount: str | None = None,
    quantity: str | None = None,
    unit_price: str | None = None,
    discount: str | None = None,
    refund: str | None = None,
    frequency: str | None = None,
    monetary: str | None = None,
    as_of: date | str | None = None,
    window: str | None = None,
    since: date | str | None = None,
    timezone: str | None = None,
    returns: str | None = None,
    amount_of: str | None = None,
    same_order: str | None = None,
    zero_customer: str | None = None,
    exclude: Mapping[str, Any] | None = None,
    status_column: str | None = None,
    currency: str | None = None,
    currency_column: str | None = None,
    line_types: str | None = None,
    date_format: str | list[str] | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    unit: str | float | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    skip_lines: int | None = None,
    header: bool | None = None,
    bins: int | None = None,
    method: str | None = None,
    preset: str | list[str] | None = None,
    memory_limit: str | None = None,
    threads: int | None = None,
    thresholds: Segmentation | None = None,
    frames: FrameKind | None = None,
    settings: Mapping[str, Any] | None = None,
    config: str | PathLike[str] | None = None,
) -> Segmentation:
    """Compute recency, frequency and monetary value of every customer, and score and segment the customers.

    The computation is that of `rfm run`, with the same query. Nothing is published: no table, no file, no run
    record. Neither `rfm.toml` nor `RFM_*` variables are read, so that the same call returns the same result
    everywhere; `config` reads a file explicitly.

    Args:
        source: Transaction lines: a pandas or Polars data frame, an Arrow table or stream, a DuckDB relation,
            or the path of a file, a glob, a folder or `duckdb:FILE#table`. Frames are read without a copy;
            sources that yield their rows only once, such as Arrow streams, are copied first. Instead of a
            line, a row may be a customer with `frequency` and `monetary`.
        customer_id, order_id, ordered_at, amount, quantity, unit_price, discount, refund: Name of the column
            with each role, if it is not detected. `order_id="none"` makes each line its own order.
        frequency, monetary: Name of the column with a customer's number of orders, and with what the customer
            spent, if a row is a customer; `ordered_at` is then the date of the last order. By default such
            columns are detected; `frequency="none"` takes each row as a line.
        as_of: As-of date of the recency, or `today` or `yesterday` in `timezone`; default: date of the newest
            order.
        window: Length of the time window before the as-of date, such as `"24 months"`; default: no limit.
        since: First date of the time window.
        timezone: The shop's time zone, an IANA name; default: UTC.
        returns: Treatment of negative lines: `"exclude"` (default), or `"net"`, which subtracts them from the
            customer's monetary value.
        amount_of: `"order"` if the amount is the order's total, repeated on each of its lines, which then
            counts once; `"line"` if each line counts; default: detected.
        same_order: Which lines count of an order that is in several files: those of the `"first"` or `"last"`
            file, or of `"both"`; default: equal copies count once, and different ones are an error.
        zero_customer: `"keep"` customer 0, or `"missing"` if lines of customer 0 have no customer; default:
            detected.
        exclude: SQL conditions of lines to exclude, by name.
        status_column: Name of the column with the order's or payment's status, if it is not detected;
            `"none"` excludes no status.
        currency, currency_column: Currency whose lines count where there are several, such as `"EUR"`, and
            the name of its column; `"none"` takes all amounts as one currency.
        line_types: `"all"` counts lines of tax and shipping; `"net"` subtracts lines of refunds; by default,
            such lines are an error.
        date_format: Format of dates in text, such as `"%d/%m/%Y"`, or several formats.
        decimal, thousands: Decimal and thousands separators of numbers in text; default: detected.
        unit: Unit of amounts: `0.01` if they are in cents.
        delimiter, encoding: Delimiter of CSV files, and encoding of text files; default: detected.
        sheet: Sheet of a workbook; default: the sheets whose columns have known names.
        skip_lines: Number of lines above the header row; default: detected.
        header: False if the first line is data, and the columns are `column1`, `column2`, ...
        bins: Number of scores per dimension, 2 to 10; default: 4.
        method: Scoring method: `"quantile"` (default), `"fixed"` or `"ntile"`.
        preset: Name of a segment map or of a well-known export format, or a list of names.
        memory_limit, threads: Limits of DuckDB.
        thresholds: An earlier result of `segment`, by whose thresholds the customers are scored: equal values
            get the scores that they got then. Its bins and methods must be those of this call.
        frames: Kind of the frames of the result: `"pandas"`, `"polars"`, `"arrow"` or `"duckdb"`; default:
            that of the source. For a path it is `"duckdb"`, a relation, which needs no package.
        settings: Other settings, in the structure of `rfm.toml`; the arguments above take precedence.
        config: Path of an `rfm.toml`, which has the lowest precedence.

    Returns:
        The scored and segmented customers, with statistics of the run.

    Raises:
        RfmError: If the computation fails, with the errors of `rfm run`: a missing column, an incomplete
            segment map, thresholds of another scoring. The class and `hint` give details.
        AuditError: If a blocking audit fails.
    """
    arguments = {name: value for name, value in locals().items() if value is not None}
    named = {name: arguments[name] for name in arguments.keys() - {"source", *NOT_SETTINGS}}
    configuration = configuration_of(named, settings, config)
    with hints_as_arguments():
        if thresholds is not None and not isinstance(thresholds, Segmentation):
            raise UsageError(
                f"`thresholds` is a {type(thresholds).__name__}, not a result.", "give a result of `segment`."
            )
        return _segment(source, configuration, frame_kind(source, frames), thresholds)


def _segment(
    source: Any, configuration: Configuration, kind: FrameKind, thresholds: Segmentation | None
) -> Segmentation:
    from rfm_pipeline.warehouse.duckdb.warehouse import DuckDBWarehouse

    configuration, opens = with_source(
        source, configuration, "segment", "use `rfm run`, and read the result from its destination."
    )
    start = RunStart(new_run_id(), "run")
    with ExitStack() as stack:
        record = thresholds.record if thresholds is not None else None
        plan = stack.enter_context(
            open_plan(configuration, publishes=False, opens=opens, thresholds_of=record)
        )
        result = stage_result(start, plan, NullObserver())
        if result.is_rejected:
            raise audit_error(result)
        assert isinstance(plan.warehouse, DuckDBWarehouse)
        connection = plan.warehouse.keep_only(StagingTable.RESULT)
        # The type that the published table and all files have.
        connection.execute(f"ALTER TABLE {StagingTable.RESULT} ALTER recency_days TYPE INTEGER")
        return Segmentation(
            result,
            build_run_record(start, plan, result),
            plan.spec.segment_map,
            configuration,
            kind=kind,
            connection=connection,
            close=stack.pop_all().close,
        )
