"""`Segmentation`, the result of `segment`: scored and segmented customers, with statistics of the run."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from msgspec.structs import replace

from rfm_pipeline.api.argument_hints import hints_as_arguments
from rfm_pipeline.api.chart import Chart
from rfm_pipeline.api.frames import (
    FrameKind,
    create_table,
    select_ordered,
    to_arrow,
    to_frame,
    to_pandas,
    to_polars,
)
from rfm_pipeline.api.notebook_html import result_html
from rfm_pipeline.api.result_tables import (
    ResultTable,
    audits_table,
    exclusions_table,
    segments_table,
    thresholds_table,
)
from rfm_pipeline.api.segment_summary import SegmentSummary
from rfm_pipeline.common import formatting
from rfm_pipeline.config.loader import Configuration, merge
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.errors import UsageError
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.run_result import RunResult

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from rfm_pipeline.config.report import ReportSettings
    from rfm_pipeline.report.data import ReportSource

_RESULT = "result ORDER BY customer_id"
_CHARTS_OF_A_HISTORY = {"movements", "trend"}
_read_by_relations: set[Segmentation] = set()
"""Results whose customers a relation may still read: a relation, or one derived from it, has no reference."""
SEGMENTATION_COLUMNS = (
    "customer_id", "recency_days", "frequency", "monetary", "avg_order_value", "first_order_date",
    "last_order_date", "r_score", "f_score", "m_score", "rfm_score", "segment", "as_of_date",
)  # fmt: skip
"""Columns of the customers: those of `rfm_segments` without the ones that need a history."""


class Segmentation:
    """Customers with their scores and segments, which any consumer of Arrow streams reads as a table.

    The rows stay in DuckDB until they are read, sorted by `customer_id`. They are freed by `close`, at the
    end of a `with` block, or by the garbage collector. `len` is the number of customers.

    The properties `customers`, `segments`, `thresholds`, `exclusions` and `audits` are frames of the kind of
    the source: of pandas, Polars or pyarrow; of a path or another source, relations of DuckDB. Each access
    builds a new frame. Segments are ordered from worst to best: an ordered Categorical of pandas, an Enum of
    Polars, an ordered dictionary of Arrow, an ENUM of DuckDB.

    Attributes:
        as_of: As-of date of the recency.
        record: Record of the result, by which `segment(..., thresholds=result)` scores.
        orders: Number of orders.
        revenue: Sum of the monetary values.
    """

    def __init__(
        self,
        result: RunResult,
        record: RunRecord,
        segment_map: SegmentMap,
        configuration: Configuration,
        *,
        kind: FrameKind,
        connection: Any,
        close: Callable[[], object],
    ) -> None:
        self._result = result
        self.record = record
        self._segment_map = segment_map
        self._configuration = configuration
        self._kind = kind
        self._connection = connection
        self._close = weakref.finalize(self, close)
        assert result.as_of is not None  # a built-in audit rejects an empty result
        self.as_of: date = result.as_of
        self.orders: int = result.statistics.orders
        self.revenue: Decimal = result.statistics.revenue

    # Statistics

    @property
    def summary(self) -> tuple[SegmentSummary, ...]:
        """Totals of all segments of the map, including empty ones, from best to worst."""
        segments_json = self._result.to_json()["segments"]
        return tuple(
            SegmentSummary(
                totals.segment,
                totals.customers,
                shares["customers_share"],
                totals.orders,
                totals.revenue,
                shares["revenue_share"],
                segment.description,
                segment.action,
            )
            for segment, totals, shares in zip(
                self._segment_map.segments, self._result.statistics.segments, segments_json, strict=True
            )
        )

    @property
    def edges(self) -> Mapping[str, tuple[Decimal, ...] | None]:
        """Ascending score edges of `recency_days`, `frequency` and `monetary`; None for `ntile`.

        A recency of more than k edges scores `bins` - k; a frequency or monetary value above k edges
        scores 1 + k.
        """
        names = ("recency_days", "frequency", "monetary")
        return {name: scores.edges for name, scores in zip(names, self._result.statistics.edges, strict=True)}

    @property
    def segments(self) -> Any:
        """A frame with a row per segment of the map, including empty ones, from best to worst.

        Columns: `segment`, `customers`, `customers_share` (0 to 1), `orders`, `revenue`, `revenue_share`
        (None if the revenue is zero), `description`, `action`.
        """
        return self._frame(segments_table(self.summary))

    @property
    def thresholds(self) -> Any:
        """A frame with a row per dimension and score, from the best score down.

        A value v has the score if `above` < v <= `up_to`; None is no limit, and both are None for `ntile`.
        Columns: `dimension` (`recency_days`, `frequency`, `monetary`), `score`, `above`, `up_to`, `range` (in
        words), `customers`.
        """
        return self._frame(thresholds_table(self._result.statistics.edges))

    @property
    def exclusions(self) -> Any:
        """A frame with a row per reason for which lines were excluded, most frequent reason first.

        Columns: `reason`, `lines`, `amount` (None if none could be read), `example` (a value that could not
        be read, as the source has it; None if the reason is another).
        """
        return self._frame(exclusions_table(self._result.statistics.exclusions))

    @property
    def audits(self) -> Any:
        """A frame with a row per audit; none has failed, as there would be no result.

        Columns: `audit`, `status` (`passed`, `warning` or `not_compared`), `detail` (one sentence).
        """
        return self._frame(audits_table(self._result.audits))

    @property
    def notes(self) -> tuple[str, ...]:
        """How the source was read: what was recognised, decided or left out, one phrase each."""
        return self._result.notes

    @property
    def columns(self) -> Mapping[str, str]:
        """Name of the source column, by role."""
        return dict(self._result.columns)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of `rfm run --json`, without the keys that describe a publish."""
        document = self._result.to_json()
        for name in ("run_id", "status", "destination", "outputs", "duration_s", "bytes_processed",
                     "bytes_billed", "slot_ms", "jobs", "engine"):  # fmt: skip
            del document[name]
        return document

    # The customers

    @property
    def customers(self) -> Any:
        """A frame with a row per customer, sorted by `customer_id`.

        A relation of DuckDB reads the customers when it is used, so that only `close` frees them.

        Raises:
            UsageError: If the segmentation was closed, or the package of the frame is not installed.
        """
        rows = self._ordered_rows()
        if self._kind == "duckdb":
            _read_by_relations.add(self)
        return to_frame(rows, self._kind, self._segment_names())

    def to_pandas(self) -> pd.DataFrame:
        """Return the customers as a pandas data frame. Money is a float there; all other forms are exact."""
        return to_pandas(self._ordered_rows())

    def to_polars(self) -> pl.DataFrame:
        """Return the customers as a Polars data frame."""
        return to_polars(self._ordered_rows(), self._segment_names())

    def to_arrow(self) -> pa.Table:
        """Return the customers as a pyarrow table."""
        return to_arrow(self._ordered_rows())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the customers as an Arrow stream, with segments as text; needs no other package."""
        return self._rows().__arrow_c_stream__(requested_schema)

    def report(
        self,
        path: str | PathLike[str],
        *,
        currency: str | None = None,
        locale: str | None = None,
        top_customers: int | None = None,
    ) -> None:
        """Write the report of `rfm report`, without the sections that need a history.

        Args:
            path: An .html file; an existing file is replaced.
            currency: Currency code, such as `"GBP"`.
            locale: Locale of the number format, such as `"en-GB"`.
            top_customers: Number of customers listed per segment; default: 10. Unless it is 0, only the owner
                of the file can read it.

        Raises:
            RfmError: If the file can't be written, or a setting is invalid.
        """
        from rfm_pipeline.pipeline.output_paths import refuse_overwriting
        from rfm_pipeline.report.write import check_report_path, write_report

        with hints_as_arguments():
            settings = self._report_settings(currency=currency, locale=locale, top_customers=top_customers)
            check_report_path(Path(path))
            refuse_overwriting([("report", Path(path))], self._configuration)
            write_report(self._report_source(), settings, Path(path))

    def chart(
        self, name: str, *, segment: str | None = None, currency: str | None = None, locale: str | None = None
    ) -> Chart:
        """Return a chart of `rfm report`, which a notebook shows.

        Args:
            name: `"segments"`, `"grid"`, `"recency"`, `"frequency"`, `"monetary"` or `"concentration"`.
            segment: Name of the segment to draw; None for all customers.
            currency: Currency code, such as `"GBP"`.
            locale: Locale of the number format, such as `"en-GB"`.

        Raises:
            UsageError: If there is no such chart or segment, or the segmentation was closed.
            RfmError: If a setting is invalid.
        """
        from rfm_pipeline.pipeline.segment_names import resolve_segments
        from rfm_pipeline.report.data import collect_report_data
        from rfm_pipeline.report.write import CHARTS, render_chart

        with hints_as_arguments():
            names = [known for known in CHARTS if known not in _CHARTS_OF_A_HISTORY]
            if name not in names:
                raise UsageError(f"There is no chart '{name}'.", f"choose one of {', '.join(names)}.")
            settings = self._report_settings(currency=currency, locale=locale)
            (charted,) = resolve_segments((segment,), self._segment_names()) if segment else (None,)
            data = collect_report_data(self._report_source(), top_customers=0)
            return Chart(name, render_chart(data, settings, name, charted))

    def _report_settings(self, **options: Any) -> ReportSettings:
        given = {name: value for name, value in options.items() if value is not None}
        flags = merge([self._configuration.flags, {"report": given}])
        return replace(self._configuration, flags=flags).settings.report

    def _report_source(self) -> ReportSource:
        from rfm_pipeline.report.data import ReportSource

        runs = {self.as_of: self.record}
        return ReportSource(self._result.source, self._fetch, "duckdb", "result", None, runs)

    def _fetch(self, select: str) -> list[dict[str, Any]]:
        self._check_open()
        from rfm_pipeline.common.duckdb_engine import fetch_dicts

        return fetch_dicts(self._connection.cursor().execute(select))

    def _check_open(self) -> None:
        if not self._close.alive:
            raise UsageError(
                "The segmentation was closed, and its customers were freed.", "call segment() again."
            )

    def _rows(self) -> Any:
        return self._select(f"SELECT {', '.join(SEGMENTATION_COLUMNS)} FROM {_RESULT}")

    def _ordered_rows(self) -> Any:
        return self._select(select_ordered(_RESULT, SEGMENTATION_COLUMNS, self._segment_names()))

    def _select(self, query: str) -> Any:
        self._check_open()
        # The package duckdb adds relations and Arrow streams to the engine module _duckdb.
        import duckdb as _bridges  # noqa: F401

        # One cursor per relation, so that two streams can be read at the same time.
        return self._connection.cursor().sql(query)

    def _segment_names(self) -> list[str]:
        """Return the names of all segments of the map from best to worst."""
        return [segment.name for segment in self._segment_map.segments]

    def _frame(self, table: ResultTable) -> Any:
        import duckdb as _bridges  # noqa: F401

        from rfm_pipeline.common.duckdb_engine import connect_in_memory

        # A database of its own, as the statistics stay available after `close`.
        connection = connect_in_memory({"threads": "1"})
        create_table(connection, table.name, table.columns, table.rows)
        query = select_ordered(f"{table.name} ORDER BY position", list(table.columns), self._segment_names())
        return to_frame(connection.sql(query), self._kind, self._segment_names())

    def __len__(self) -> int:
        """Return the number of customers."""
        return self._result.statistics.customers

    def close(self) -> None:
        """Free the customers; the statistics stay available."""
        _read_by_relations.discard(self)
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Display

    def __repr__(self) -> str:
        """Return the totals in one line."""
        return f"<Segmentation: {self._headline()}, as of {self.as_of}>"

    def _headline(self) -> str:
        customers, orders = (
            formatting.format_count(len(self), "customer"),
            formatting.format_count(self.orders, "order"),
        )
        return f"{customers}, {orders}, revenue {formatting.format_amount(self.revenue)}"

    def _repr_html_(self) -> str:
        """Return the segments as an HTML table for notebooks."""
        return result_html(self._result, self.summary, self._headline())
