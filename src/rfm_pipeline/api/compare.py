"""`compare`: two segmentations of the same customers, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from os import PathLike
from typing import Any

from msgspec.structs import replace

from rfm_pipeline.api.argument_hints import hints_as_arguments
from rfm_pipeline.api.arguments import check_names, configuration_of, with_source
from rfm_pipeline.api.segmentation import Segmentation
from rfm_pipeline.comparison.compare import Request, open_comparison
from rfm_pipeline.comparison.result import SegmentComparison
from rfm_pipeline.comparison.sides import Side
from rfm_pipeline.pipeline.progress import NullObserver


def compare(  # noqa: D417 - arguments that belong together are described together
    a: Any,
    b: Any,
    *,
    as_of: date | str | None = None,
    customer_id: str | None = None,
    segment: str | None = None,
    monetary: str | None = None,
    rename: Mapping[str, str] | None = None,
    customers: str | None = None,
    settings: Mapping[str, Any] | None = None,
    config: str | PathLike[str] | None = None,
    **arguments: Any,
) -> SegmentComparison:
    """Compare two segmentations of the same customers, as `rfm compare` does. Nothing is published.

    Args:
        a: Side A: a result of `segment`, a data frame or the path of a file with a row per customer, a
            destination such as `"duckdb:rfm.duckdb"`, or a table; transaction lines if `b` is a mapping of
            settings.
        b: Side B: the same, or a mapping: `{"preset": "grid", "bins": 5}` segments the lines of `a` by these
            settings, and `{"as_of": "2025-11-30"}` is another date of the destination `a`.
        as_of: As-of date of both sides: of destinations, or of the lines of `a`.
        customer_id, segment, monetary: Names of columns, in the tables that have them, if they are not
            detected.
        rename: Names of segments on side A, by their names on side B.
        customers: A column, such as `"segment"`: `customers` of the result then has a row for each customer
            whose values differ.
        settings: Other settings, in the structure of `rfm.toml`; the arguments take precedence.
        config: Path of an `rfm.toml`, which has the lowest precedence.
        arguments: Other arguments of `segment`, such as `window` or `preset`.

    Returns:
        Customers and money by the segments of both sides, `share` of customers in the segment of the same
        name, Cohen's `kappa`, and `columns` with the number of customers whose values differ; `rows()` has
        one row per pair of segments, for a data frame.

    Raises:
        TypeError: If `segment` has no such argument.
        RfmError: If a side can't be read, or has several rows of a customer.
    """
    check_names("compare", arguments)
    chosen = {"customer_id": customer_id, "segment": segment, "monetary": monetary}
    columns = {role: name for role, name in chosen.items() if name is not None}
    named = {name: value for name, value in arguments.items() if value is not None}
    if as_of is not None:
        named["as_of"] = as_of
    if isinstance(b, Mapping) and "as_of" not in b and customer_id is not None:
        named["customer_id"] = customer_id
    configuration = configuration_of(named, settings, config)
    with hints_as_arguments():
        request = Request(columns=columns, renamed=rename or {})
        if isinstance(b, Mapping):
            request = replace(request, changes=b)
            if "as_of" in b:
                request = replace(request, a=str(a))
            else:
                configuration, opens = with_source(
                    a, configuration, "compare", "use `rfm compare`, which computes in BigQuery."
                )
                request = replace(request, opens=opens)
        else:
            request = replace(request, a=_side(a, "A"), b=_side(b, "B"))
        with open_comparison(configuration, request, NullObserver()) as comparison:
            if customers is None:
                return comparison.result
            rows = [row for page in comparison.customers(customers) for row in page]
            return replace(comparison.result, customers=tuple(rows))


def _side(table: Any, letter: str) -> str | Side:
    from rfm_pipeline.source.dataframe import dataframe_opener, is_dataframe

    if not is_dataframe(table):
        return str(table)
    side = Side(f"side {letter}", opens=dataframe_opener(table))
    if isinstance(table, Segmentation):
        side = replace(side, as_of=table.as_of, segments=tuple(one.segment for one in table.summary))
    return side
