"""Settings of `[scoring]`: bins, methods and edges of the three scores."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Annotated, ClassVar, Literal

import msgspec

from rfm_pipeline.config.base import SettingsError, SettingsTable, strip_text
from rfm_pipeline.errors import ConfigurationError

SCORING_VERSION = 2
"""Version of the rule by which the method `quantile` scores, recorded with each run.

Version 1: tied values take the lowest score that they reach, so that all customers score 1 in recency if most
of them bought on the newest day. Version 2: `sql.stages.scores` describes it.
"""
DIMENSIONS: tuple[Literal["recency", "frequency", "monetary"], ...] = ("recency", "frequency", "monetary")


def _finite(value: object) -> object:
    for index, edge in enumerate(value if isinstance(value, list | tuple) else ()):
        # Text that is no number is left to the type check.
        with suppress(InvalidOperation):
            if not Decimal(str(edge)).is_finite():
                raise SettingsError((index,), expected="a finite number", value=edge)
    return value


def _run_or_latest(value: object) -> object:
    run_id = strip_text(value)
    return None if run_id in ("", "latest") else run_id


def inclusive_edges(dimension: str, exclusive: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Return the inclusive edges that give each value the score that exclusive edges give it.

    An inclusive edge is the largest value below the exclusive one: days and orders are whole numbers, and
    money has nine decimals.

    >>> [str(edge) for edge in inclusive_edges("recency", [Decimal(115), Decimal("297.4")])]
    ['114', '297']
    >>> [str(edge) for edge in inclusive_edges("monetary", [Decimal("255.8")])]
    ['255.799999999']
    """
    decimals = _MONEY_DECIMALS if dimension == "monetary" else 0
    return tuple(
        (edge.scaleb(decimals).to_integral_value(ROUND_CEILING) - 1).scaleb(-decimals) for edge in exclusive
    )


_MONEY_DECIMALS = 9
Method = Literal["quantile", "fixed", "ntile"]
Bound = Literal["inclusive", "exclusive"]
BinCount = Annotated[int, msgspec.Meta(ge=2, le=10)]


class DimensionOverride(SettingsTable, frozen=True):
    """Settings of one dimension that override those of `[scoring]`; None to inherit a setting."""

    PARSERS: ClassVar = {"edges": _finite}

    bins: BinCount | None = None
    method: Method | None = None
    edges: tuple[Decimal, ...] | None = None
    bound: Bound | None = None


_EXAMPLE_EDGES = {
    "recency": (30, 90, 365, 500, 700, 900, 1100, 1300, 1500), "frequency": (1, 2, 5, 8, 10, 15, 20, 30, 50),
    "monetary": (50, 200, 1000, 2000, 3000, 4000, 5000, 7500, 10000),
}  # fmt: skip


class DimensionScoring(SettingsTable, frozen=True):
    """Complete scoring settings of one dimension.

    Attributes:
        name: The dimension.
        bins: Number of scores; the worst is 1, the best is `bins`.
        method: How the edges between the scores are determined.
        edges: For the method `fixed`, `bins` − 1 increasing numbers; else empty. Frequency and monetary: a
            value above k edges scores 1 + k. Recency: each edge is the maximum number of days for a score,
            best score first; (180, 365) scores 3 up to 180 days, 2 up to 365 days, else 1.
    """

    name: Literal["recency", "frequency", "monetary"]
    bins: int
    method: Method
    edges: tuple[Decimal, ...] = ()

    def __post_init__(self) -> None:
        where = f"`scoring.{self.name}`"
        if self.method != "fixed":
            if self.edges:
                raise ValueError(f"{where} has edges, which only method = 'fixed' takes, not '{self.method}'")
            return
        if not self.edges:
            raise ConfigurationError(
                f"{where} has no edges, and with method = 'fixed' {self.bins} bins take {self.bins - 1}.",
                f"write the edges of each dimension into rfm.toml, as in `[scoring.{self.name}]` with"
                f" `edges = {list(_EXAMPLE_EDGES[self.name][: self.bins - 1])}` below it.",
            )
        if len(self.edges) != self.bins - 1:
            raise ValueError(
                f"{where} has {len(self.edges)} edges, and with method = 'fixed' {self.bins} bins"
                f" take {self.bins - 1}"
            )
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            shown = ", ".join(str(edge) for edge in self.edges)
            raise ValueError(f"the edges of {where} must increase, but are {shown}")
        for edge in self.edges:
            if self.name != "monetary" and edge != edge.to_integral_value():
                raise ValueError(f"an edge of {where} must be a whole number, not {edge}")
            if abs(edge) >= Decimal(10) ** 18:
                raise ValueError(f"an edge of {where} must be below 10^18, not {edge}")
            if -edge.as_tuple().exponent > _MONEY_DECIMALS:  # type: ignore[operator]
                raise ValueError(f"an edge of {where} must have at most nine decimals, not {edge}")


class Scoring(SettingsTable, frozen=True):
    """Scoring settings of all dimensions, with overrides for single ones.

    Attributes:
        bins: Number of scores of each dimension.
        method: How the edges between the scores are determined.
        edges: Source of the edges of the method `quantile`: `recomputed` from the customers of the run, or
            `frozen` from an earlier run. Other methods ignore it.
        calibration: Id of the run whose edges are frozen; None (written `latest`) for the newest calibration.
        bound: Whether a value equal to an edge of the method `fixed` is up to it (inclusive) or beyond it, as
            with the upper thresholds of the R package rfm.
        recency, frequency, monetary: Overrides of single dimensions.
    """

    PARSERS: ClassVar = {"calibration": _run_or_latest}

    bins: BinCount = 4
    method: Method = "quantile"
    edges: Literal["recomputed", "frozen"] = "recomputed"
    calibration: str | None = None
    bound: Bound = "inclusive"
    recency: DimensionOverride = DimensionOverride()
    frequency: DimensionOverride = DimensionOverride()
    monetary: DimensionOverride = DimensionOverride()

    @property
    def dimensions(self) -> tuple[DimensionScoring, DimensionScoring, DimensionScoring]:
        """Complete settings of recency, frequency and monetary, in this order."""
        recency, frequency, monetary = (
            DimensionScoring(
                name=name,
                bins=override.bins or self.bins,
                method=override.method or self.method,
                edges=self._edges(name, override),
            )
            for name, override in zip(DIMENSIONS, self._overrides, strict=True)
        )
        return recency, frequency, monetary

    @property
    def _overrides(self) -> tuple[DimensionOverride, DimensionOverride, DimensionOverride]:
        return self.recency, self.frequency, self.monetary

    def _edges(self, dimension: str, override: DimensionOverride) -> tuple[Decimal, ...]:
        """Return the edges of a dimension as inclusive ones."""
        edges = override.edges or ()
        is_exclusive = (override.bound or self.bound) == "exclusive"
        return inclusive_edges(dimension, edges) if is_exclusive else edges

    @property
    def depends_on_rule(self) -> bool:
        """Whether scores depend on the version of the scoring rule: edges are computed by this run."""
        is_quantile = [dimension.method == "quantile" for dimension in self.dimensions]
        return self.edges == "recomputed" and any(is_quantile)

    @property
    def bins_by_dimension(self) -> tuple[int, int, int]:
        """Number of bins of recency, frequency and monetary, in this order."""
        recency, frequency, monetary = self.dimensions
        return recency.bins, frequency.bins, monetary.bins

    def __post_init__(self) -> None:
        # Constructing the dimensions validates them while the message can still name the setting.
        dimensions = self.dimensions
        if self.calibration is not None and self.edges == "recomputed":
            raise ConfigurationError(
                f"`scoring.calibration` is the run '{self.calibration}', but edges = 'recomputed' uses no"
                " edges of an earlier run.",
                "set `scoring.edges` to 'frozen', or leave `scoring.calibration` out.",
            )
        is_exclusive = "exclusive" in (self.bound, *(override.bound for override in self._overrides))
        if is_exclusive and all(dimension.method != "fixed" for dimension in dimensions):
            raise ConfigurationError(
                "`scoring.bound` is 'exclusive', but no dimension has method = 'fixed', the only method that"
                " takes edges.",
                "set `scoring.method` to 'fixed' and give the edges, or leave `bound` out.",
            )
        if self.edges == "frozen" and all(dimension.method != "quantile" for dimension in dimensions):
            raise ConfigurationError(
                "`scoring.edges` is 'frozen', but no dimension has method = 'quantile', the only method whose"
                " edges can be frozen.",
                "set `scoring.edges` to 'recomputed', or another method for a dimension.",
            )
