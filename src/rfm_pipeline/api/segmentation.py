"""`Segmentation`, the result of `segment`: scored and segmented customers, with statistics of the run."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from msgspec.structs import replace

from rfm_pipeline.api.argument_hints import hints_as_arguments
from rfm_pipeline.api.notebook_html import result_html
from rfm_pipeline.api.segment_summary import SegmentSummary
from rfm_pipeline.common import formatting
from rfm_pipeline.common.installation import package_hint
from rfm_pipeline.config.loader import Configuration, merge
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.errors import UsageError
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.run_result import RunResult
from rfm_pipeline.results.statistics import Audit, Excluded

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

SEGMENTATION_COLUMNS = (
    "customer_id", "recency_days", "frequency", "monetary", "avg_order_value", "first_order_date",
    "last_order_date", "r_score", "f_score", "m_score", "rfm_score", "segment", "as_of_date",
)  # fmt: skip
"""Columns of the customers: those of `rfm_segments` without the ones that need a history."""


class Segmentation:
    """Customers with their scores and segments, which any consumer of Arrow streams reads as a table.

    The rows stay in DuckDB until they are read, sorted by `customer_id`. They are freed by `close`, at the
    end of a `with` block, or by the garbage collector.

    Attributes:
        as_of: As-of date of the recency.
        customers: Number of customers; equal to `len`.
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
        connection: Any,
        close: Callable[[], object],
    ) -> None:
        self._result = result
        self._record = record
        self._segment_map = segment_map
        self._configuration = configuration
        self._connection = connection
        self._close = weakref.finalize(self, close)
        assert result.as_of is not None  # a built-in audit rejects an empty result
        self.as_of: date = result.as_of
        self.customers: int = result.statistics.customers
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
    def exclusions(self) -> tuple[Excluded, ...]:
        """Excluded lines by reason, most frequent reason first."""
        return self._result.statistics.exclusions

    @property
    def audits(self) -> tuple[Audit, ...]:
        """Results of all audits, which passed or gave a warning."""
        return self._result.audits

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

    def to_pandas(self) -> pd.DataFrame:
        """Return the customers as a pandas data frame. Money is a float there; all other forms are exact."""
        with _needs("pandas"):
            return self._rows().df()

    def to_polars(self) -> pl.DataFrame:
        """Return the customers as a Polars data frame."""
        with _needs("polars"):
            import polars as pl

            return pl.DataFrame(self)

    def to_arrow(self) -> pa.Table:
        """Return the customers as a pyarrow table."""
        with _needs("pyarrow"):
            import pyarrow as pa

            return pa.table(self)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the customers as an Arrow stream; needs no other package."""
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
        from rfm_pipeline.report.data import ReportSource
        from rfm_pipeline.report.write import check_report_path, write_report

        options = {"currency": currency, "locale": locale, "top_customers": top_customers}
        report_settings = {name: value for name, value in options.items() if value is not None}
        runs = {self.as_of: self._record}
        report_source = ReportSource(self._result.source, self._fetch, "duckdb", "result", None, runs)
        with hints_as_arguments():
            flags = merge([self._configuration.flags, {"report": report_settings}])
            settings = replace(self._configuration, flags=flags).settings.report
            check_report_path(Path(path))
            refuse_overwriting([("report", Path(path))], self._configuration)
            write_report(report_source, settings, Path(path))

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
        self._check_open()
        # The package duckdb adds relations and Arrow streams to the engine module _duckdb.
        import duckdb as _bridges  # noqa: F401

        # One cursor per relation, so that two streams can be read at the same time.
        columns = ", ".join(SEGMENTATION_COLUMNS)
        return self._connection.cursor().sql(f"SELECT {columns} FROM result ORDER BY customer_id")

    def __len__(self) -> int:
        """Return the number of customers."""
        return self.customers

    def close(self) -> None:
        """Free the customers; the statistics stay available."""
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
            formatting.format_count(self.customers, "customer"),
            formatting.format_count(self.orders, "order"),
        )
        return f"{customers}, {orders}, revenue {formatting.format_amount(self.revenue)}"

    def _repr_html_(self) -> str:
        """Return the segments as an HTML table for notebooks."""
        return result_html(self._result, self.summary, self._headline())


@contextmanager
def _needs(package: str) -> Iterator[None]:
    """Raise an error with an installation hint if the body can't import `package`."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{package} is not installed.", f"{package_hint(package)}, or use another to_... method."
        ) from error
