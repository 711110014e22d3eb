"""`evaluate`: how well the scores of dates in the past separate the customers who bought afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from os import PathLike
from typing import Any

from rfm_pipeline.api.argument_hints import hints_as_arguments
from rfm_pipeline.api.arguments import check_names, configuration_of, with_source
from rfm_pipeline.common.date_formats import parse_iso_date
from rfm_pipeline.errors import UsageError
from rfm_pipeline.evaluation.evaluate import Request
from rfm_pipeline.evaluation.evaluate import evaluate as evaluate_scores
from rfm_pipeline.evaluation.origins import parse_horizon
from rfm_pipeline.evaluation.result import Evaluation
from rfm_pipeline.pipeline.progress import NullObserver


def evaluate(
    source: Any,
    *,
    horizon: str = "90d",
    as_of: date | str | Sequence[date | str] = (),
    compare: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] = (),
    stability: bool = False,
    settings: Mapping[str, Any] | None = None,
    config: str | PathLike[str] | None = None,
    **arguments: Any,
) -> Evaluation:
    """Score customers on dates in the past, and count what they bought afterwards, as `rfm evaluate` does.

    Args:
        source: Transaction lines, as for `segment`.
        horizon: Days or weeks after each date in which orders count, such as `"90d"`.
        as_of: Date to score customers on, or several; default: up to four dates, whose horizons follow each
            other up to the newest order.
        compare: Another configuration for the same customers, or several: `"preset=grid,bins=5"`, or a
            mapping of `preset`, `bins` and `method`.
        stability: Whether to measure how many customers would keep their segment with other customers, or
            a day earlier or later; `Evaluation.stability` has it.
        settings: Other settings, in the structure of `rfm.toml`; the arguments take precedence.
        config: Path of an `rfm.toml`, which has the lowest precedence.
        arguments: Other arguments of `segment`, such as `customer_id`, `window` or `preset`.

    Returns:
        The figures by date and configuration; `rows()` has one row per segment, for a data frame.

    Raises:
        TypeError: If `segment` has no such argument.
        RfmError: If the orders do not cover the horizon, or `segment` would fail.
    """
    check_names("evaluate", arguments)
    named = {name: value for name, value in arguments.items() if value is not None}
    configuration = configuration_of(named, settings, config)
    with hints_as_arguments():
        configuration, opens = with_source(
            source, configuration, "evaluate", "use `rfm evaluate`, which computes in BigQuery."
        )
        request = Request(parse_horizon(horizon), _dates(as_of), _choices(compare), stability)
        return evaluate_scores(configuration, request, NullObserver(), opens=opens)


def _dates(as_of: date | str | Sequence[date | str]) -> tuple[date, ...]:
    several = [as_of] if isinstance(as_of, str | date) else as_of
    try:
        return tuple(each if isinstance(each, date) else parse_iso_date(each) for each in several)
    except ValueError as error:
        raise UsageError(f"as_of: {error}.", "write year, month and day.") from None


def _choices(
    compare: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]],
) -> tuple[str | Mapping[str, Any], ...]:
    return (compare,) if isinstance(compare, str | Mapping) else tuple(compare)
