"""What `segment` gives: the customers with their segments, and what was found on the way."""

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
from rfm_pipeline.api.notebook_html import page_of
from rfm_pipeline.api.segment_summary import SegmentSummary
from rfm_pipeline.common import formatting
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

COLUMNS = (
    "customer_id", "recency_days", "frequency", "monetary", "avg_order_value", "first_order_date",
    "last_order_date", "r_score", "f_score", "m_score", "rfm_score", "segment", "as_of_date",
)  # fmt: skip
"""The columns of the customers: those of `rfm_segments` but what only a history can tell."""


class Segmentation:
    """Customers with their scores and segments. Any consumer of Arrow streams takes it as a table.

    The rows stay in DuckDB until they are asked for, sorted by `customer_id`. Leaving it as a context, or
    `close`, frees them; so does the garbage collector.

    Attributes:
        as_of: The date that recency is counted from.
        customers: How many customers there are; `len` gives the same.
        orders: How many orders they made.
        revenue: What they spent.
    """

    def __init__(
        self,
        result: RunResult,
        record: RunRecord,
        segment_map: SegmentMap,
        configuration: Configuration,
        connection: Any,
        close: Callable[[], object],
    ) -> None:
        self._result = result
        self._record = record
        self._segment_map = segment_map
        self._configuration = configuration
        self._connection = connection
        self._close = weakref.finalize(self, close)
        assert result.as_of is not None  # an empty result does not pass the audits
        self.as_of: date = result.as_of
        self.customers: int = result.statistics.customers
        self.orders: int = result.statistics.orders
        self.revenue: Decimal = result.statistics.revenue

    # What was found

    @property
    def summary(self) -> tuple[SegmentSummary, ...]:
        """Every segment of the map, the empty ones too, in the order of the map."""
        told = self._result.to_json()["segments"]
        return tuple(
            SegmentSummary(
                found.segment,
                found.customers,
                shares["customers_share"],
                found.orders,
                found.revenue,
                shares["revenue_share"],
                segment.description,
                segment.action,
            )
            for segment, found, shares in zip(
                self._segment_map.segments, self._result.statistics.segments, told, strict=True
            )
        )

    @property
    def edges(self) -> Mapping[str, tuple[Decimal, ...] | None]:
        """By `recency_days`, `frequency` and `monetary`, the edges between scores; None for `ntile`.

        In days they are the most for each score, best first; else a value above k edges scores 1 + k.
        """
        names = ("recency_days", "frequency", "monetary")
        return {name: scores.edges for name, scores in zip(names, self._result.statistics.edges, strict=True)}

    @property
    def exclusions(self) -> tuple[Excluded, ...]:
        """The lines that did not count, by reason, the most first."""
        return self._result.statistics.exclusions

    @property
    def audits(self) -> tuple[Audit, ...]:
        """The audits and what they found. None of them failed, but some may have warned."""
        return self._result.audits

    @property
    def columns(self) -> Mapping[str, str]:
        """Which column of the source plays which role."""
        return dict(self._result.columns)

    def to_json(self) -> dict[str, Any]:
        """One object with plain values, as `rfm run --json` prints it, but for what a publish adds."""
        said = self._result.to_json()
        for name in ("run_id", "status", "destination", "outputs", "duration_s", "bytes_processed",
                     "bytes_billed", "slot_ms", "jobs", "engine"):  # fmt: skip
            del said[name]
        return said

    # The customers

    def to_pandas(self) -> pd.DataFrame:
        """The customers as a data frame of pandas, where money becomes a float; elsewhere it is exact."""
        with _needs("pandas"):
            return self._rows().df()

    def to_polars(self) -> pl.DataFrame:
        """The customers as a data frame of Polars."""
        with _needs("polars"):
            import polars as pl

            return pl.DataFrame(self)

    def to_arrow(self) -> pa.Table:
        """The customers as an Arrow table of pyarrow's."""
        with _needs("pyarrow"):
            import pyarrow as pa

            return pa.table(self)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The customers as an Arrow stream, for whatever takes one; nothing else is needed for it."""
        return self._rows().__arrow_c_stream__(requested_schema)

    def report(
        self,
        path: str | PathLike[str],
        *,
        currency: str | None = None,
        locale: str | None = None,
        top_customers: int | None = None,
    ) -> None:
        """Writes the page that `rfm report` writes, with what a history alone can tell left out.

        Args:
            path: An .html file; one that is there is replaced.
            currency: The money's currency, such as `"GBP"`.
            locale: How numbers are written, such as `"en-GB"`.
            top_customers: How many customers are named for each segment, 10 unless given. Where any are, only
                the file's owner may read it.

        Raises:
            RfmError: The file can't be written, or a setting is none.
        """
        from rfm_pipeline.report.data import ReportSource
        from rfm_pipeline.report.write import check_report_path, write_report

        given = {"currency": currency, "locale": locale, "top_customers": top_customers}
        said = {name: value for name, value in given.items() if value is not None}
        runs = {self.as_of: self._record}
        about = ReportSource(self._result.source, self._selected, "duckdb", "result", None, runs)
        with hints_as_arguments():
            flags = merge([self._configuration.flags, {"report": said}])
            settings = replace(self._configuration, flags=flags).settings.report
            check_report_path(Path(path))
            write_report(about, settings, Path(path))

    def _selected(self, select: str) -> list[dict[str, Any]]:
        self._check_open()
        from rfm_pipeline.common.duckdb_engine import fetch_dicts

        return fetch_dicts(self._connection.cursor().execute(select))

    def _check_open(self) -> None:
        if not self._close.alive:
            raise UsageError("The segmentation was closed, and its customers are gone.", "segment once more.")

    def _rows(self) -> Any:
        self._check_open()
        # What makes relations and streams; the engine alone, which paths are read with, has neither.
        import duckdb as _bridges  # noqa: F401

        # A relation of its own cursor: two streams may be read side by side.
        return self._connection.cursor().sql(f"SELECT {', '.join(COLUMNS)} FROM result ORDER BY customer_id")

    def __len__(self) -> int:
        """How many customers there are."""
        return self.customers

    def close(self) -> None:
        """Frees the customers; what was found stays."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # For people

    def __repr__(self) -> str:
        """What was found, in one line."""
        return f"<Segmentation: {self._in_words()}, as of {self.as_of}>"

    def _in_words(self) -> str:
        customers, orders = (
            formatting.format_count(self.customers, "customer"),
            formatting.format_count(self.orders, "order"),
        )
        return f"{customers}, {orders}, revenue {formatting.format_amount(self.revenue)}"

    def _repr_html_(self) -> str:
        """The segments as a table, for a notebook."""
        return page_of(self._result, self.summary, self._in_words())


@contextmanager
def _needs(package: str) -> Iterator[None]:
    """Says what to install where a package is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{package} is not installed.", f"pip install {package}, or take the customers in another form."
        ) from error
