"""How customers are scored: the settings of `[scoring]`."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Annotated, ClassVar, Literal

import msgspec

from rfm_pipeline.config.base import SettingsError, SettingsTable, stripped
from rfm_pipeline.errors import ConfigurationError

DIMENSIONS: tuple[Literal["recency", "frequency", "monetary"], ...] = ("recency", "frequency", "monetary")


def _finite(value: object) -> object:
    for place, edge in enumerate(value if isinstance(value, list | tuple) else ()):
        # What is no number at all is told by itself.
        with suppress(InvalidOperation):
            if not Decimal(str(edge)).is_finite():
                raise SettingsError((place,), expected="a finite number", value=edge)
    return value


def _run_or_latest(value: object) -> object:
    run = stripped(value)
    return None if run in ("", "latest") else run


Method = Literal["quantile", "fixed", "ntile"]
Bins = Annotated[int, msgspec.Meta(ge=2, le=10)]


class DimensionOverride(SettingsTable, frozen=True):
    """What one dimension does differently from the others."""

    FORMS: ClassVar = {"edges": _finite}

    bins: Bins | None = None
    method: Method | None = None
    edges: tuple[Decimal, ...] | None = None


_EXAMPLE_EDGES = {
    "recency": (30, 90, 365, 500, 700, 900, 1100, 1300, 1500), "frequency": (1, 2, 5, 8, 10, 15, 20, 30, 50),
    "monetary": (50, 200, 1000, 2000, 3000, 4000, 5000, 7500, 10000),
}  # fmt: skip


class Dimension(SettingsTable, frozen=True):
    """How one dimension is scored.

    Attributes:
        edges: For `fixed`, `bins` − 1 increasing numbers, else empty. Frequency and monetary: a value above k
            edges scores 1 + k. Recency, in days: each edge is the most days for its score, best first, so
            (180, 365) scores 3 up to 180 days, 2 up to 365, else 1.
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
                f"write them into rfm.toml, for each dimension, as in `[scoring.{self.name}]` with"
                f" `edges = {list(_EXAMPLE_EDGES[self.name][: self.bins - 1])}` below it.",
            )
        if len(self.edges) != self.bins - 1:
            raise ValueError(
                f"{where} has {len(self.edges)} edges, and with method = 'fixed' {self.bins} bins"
                f" take {self.bins - 1}"
            )
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            shown = ", ".join(str(edge) for edge in self.edges)
            raise ValueError(f"the edges of {where} must increase, and are {shown}")
        for edge in self.edges:
            if self.name != "monetary" and edge != edge.to_integral_value():
                raise ValueError(f"an edge of {where} is a whole number, not {edge}")
            if abs(edge) >= Decimal(10) ** 18:
                raise ValueError(f"an edge of {where} is below 10^18, not {edge}")
            if -edge.as_tuple().exponent > 9:  # type: ignore[operator]
                raise ValueError(f"an edge of {where} has at most nine decimals, not {edge}")


class Scoring(SettingsTable, frozen=True):
    """How customers are scored: one setting for all three dimensions, and what each does differently.

    Attributes:
        edges: Whose edges the method `quantile` scores by: `recomputed` ones, of the customers as they are, or
            `frozen` ones, of an earlier run. The other methods have none of either.
        calibration: That run's id; None, written `latest`, is the newest calibration.
    """

    FORMS: ClassVar = {"calibration": _run_or_latest}

    bins: Bins = 4
    method: Method = "quantile"
    edges: Literal["recomputed", "frozen"] = "recomputed"
    calibration: str | None = None
    recency: DimensionOverride = DimensionOverride()
    frequency: DimensionOverride = DimensionOverride()
    monetary: DimensionOverride = DimensionOverride()

    @property
    def dimensions(self) -> tuple[Dimension, Dimension, Dimension]:
        """Recency, frequency and monetary, each with all that applies to it."""
        recency, frequency, monetary = (
            Dimension(
                name=name,
                bins=override.bins or self.bins,
                method=override.method or self.method,
                edges=override.edges or (),
            )
            for name, override in zip(DIMENSIONS, (self.recency, self.frequency, self.monetary), strict=True)
        )
        return recency, frequency, monetary

    @property
    def bins_by_dimension(self) -> tuple[int, int, int]:
        """The bins of recency, frequency and monetary."""
        recency, frequency, monetary = self.dimensions
        return recency.bins, frequency.bins, monetary.bins

    def __post_init__(self) -> None:
        # Building them checks them, here, where the message can name the setting.
        dimensions = self.dimensions
        if self.calibration is not None and self.edges == "recomputed":
            raise ConfigurationError(
                f"`scoring.calibration` is the run '{self.calibration}', and with edges = 'recomputed' no run's"
                " edges are used.",
                "set `scoring.edges` to 'frozen', or leave `scoring.calibration` out.",
            )
        if self.edges == "frozen" and all(dimension.method != "quantile" for dimension in dimensions):
            raise ConfigurationError(
                "`scoring.edges` is 'frozen', and no dimension has edges to freeze: only those of"
                " method = 'quantile' are a run's.",
                "set `scoring.edges` to 'recomputed', or another method for a dimension.",
            )
