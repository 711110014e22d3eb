"""Everything that a run can be told, from wherever it was told.

Precedence, strongest first: flags, `RFM_*` environment variables, `rfm.toml`, presets, defaults. What none of
them says about columns is then found by name (`columns.py`).
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict

from rfm_pipeline import presets
from rfm_pipeline.columns import ROLES
from rfm_pipeline.dates import ISO, check_format
from rfm_pipeline.errors import ConfigurationError, RfmError
from rfm_pipeline.segmentation import SegmentsConfig
from rfm_pipeline.source.options import SourceOptions

CONFIG_FILE = "rfm.toml"
DEFAULT_MAP = "classic"
DIMENSIONS = ("recency", "frequency", "monetary")
# A reason appears in results and as a column value: the shape of an identifier, so that it reads well there.
_REASON = re.compile(r"[a-z][a-z0-9_]{0,62}")
BUILT_IN_REASONS = (
    "missing_customer",
    "missing_order",
    "invalid_date",
    "invalid_amount",
    "future_dated",
    "outside_window",
    "non_positive_quantity",
    "non_positive_price",
    "non_positive_amount",
    "no_positive_order",
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Frozen):
    """Role to column name; None is found by name, `none` is a role that no column plays."""

    customer_id: str | None = None
    order_id: str | None = None
    ordered_at: str | None = None
    amount: str | None = None
    quantity: str | None = None
    unit_price: str | None = None
    refund: str | None = None


class ColumnCondition(_Frozen):
    """A test of one column that needs no SQL: `{ column = "Status", equals = ["Cancelled", "Returned"] }`.

    Values are compared as text, and a missing value is blank. Exactly one of the tests is given.
    """

    column: str
    equals: tuple[str, ...] | None = None
    not_equals: tuple[str, ...] | None = None
    blank: bool | None = None

    @field_validator("equals", "not_equals", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        tests = [self.equals, self.not_equals, self.blank]
        if sum(test is not None for test in tests) != 1:
            raise ValueError("give exactly one of equals, not_equals and blank")
        if self.equals == () or self.not_equals == ():
            raise ValueError("give at least one value")
        return self


Condition = str | ColumnCondition
"""When a line is excluded: SQL text of one boolean expression, or a test of one column."""


class Window(_Frozen):
    """How far back from the as-of date lines count: the last `count` units, the as-of date included."""

    count: int = Field(gt=0, le=10_000)
    unit: Literal["day", "week", "month", "year"]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `365 days`, `24 months`, `2 years`, `90d`, `52w`."""
        match = re.fullmatch(r"\s*(\d{1,5})\s*(d|w|m|y|days?|weeks?|months?|years?)\s*", text.casefold())
        if match is None or int(match[1]) == 0:
            raise ValueError("a window is a number of days, weeks, months or years, such as '24 months'")
        units: dict[str, Literal["day", "week", "month", "year"]]
        units = {"d": "day", "w": "week", "m": "month", "y": "year"}
        return cls(count=int(match[1]), unit=units[match[2][0]])

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'s' if self.count > 1 else ''}"


Method = Literal["quantile", "fixed", "ntile"]
Bins = Annotated[int, Field(ge=2, le=10)]


class DimensionOverride(_Frozen):
    """What one dimension does differently from the others."""

    bins: Bins | None = None
    method: Method | None = None
    edges: tuple[Decimal, ...] | None = None


class Dimension(_Frozen):
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

    @model_validator(mode="after")
    def _edges_fit(self) -> Self:
        if self.method != "fixed":
            if self.edges:
                raise ValueError(f"scoring.{self.name} has edges, which only method = 'fixed' takes")
            return self
        if len(self.edges) != self.bins - 1:
            raise ValueError(
                f"scoring.{self.name} has {len(self.edges)} edges, and {self.bins} bins take {self.bins - 1}"
            )
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            shown = ", ".join(str(edge) for edge in self.edges)
            raise ValueError(f"the edges of scoring.{self.name} must increase, and are {shown}")
        for edge in self.edges:
            if self.name != "monetary" and edge != edge.to_integral_value():
                raise ValueError(f"an edge of scoring.{self.name} is a whole number, not {edge}")
            if not edge.is_finite() or abs(edge) >= Decimal(10) ** 18:
                raise ValueError(f"an edge of scoring.{self.name} is below 10^18, not {edge}")
            if -edge.as_tuple().exponent > 9:  # type: ignore[operator]
                raise ValueError(f"an edge of scoring.{self.name} has at most nine decimals, not {edge}")
        return self


class Scoring(_Frozen):
    """How customers are scored: one setting for all three dimensions, and what each does differently."""

    bins: Bins = 4
    method: Method = "quantile"
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

    @model_validator(mode="after")
    def _dimensions_fit(self) -> Self:
        # Building them checks them, here, where the message can name the setting.
        _ = self.dimensions
        return self


class DuckDBSettings(_Frozen):
    """What DuckDB may use.

    Attributes:
        memory_limit: Such as `4GB`; above it, work spills to `temp_directory`. None is DuckDB's own limit.
        threads: None is one per core.
        temp_directory: None is the system's temporary folder.
        lock_timeout: Seconds to wait for a destination that another process holds.
    """

    memory_limit: str | None = Field(default=None, pattern=r"(?i)^\d+(\.\d+)?\s*(B|[KMGT]i?B)$")
    threads: int | None = Field(default=None, ge=1, le=1024)
    temp_directory: Path | None = None
    lock_timeout: float = Field(default=10, ge=0, le=3600)


class Settings(BaseSettings):
    """Everything that a run can be told."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="RFM_", env_nested_delimiter="__", populate_by_name=True
    )

    source: str | None = None
    to: str = "duckdb:rfm.duckdb"
    output: Annotated[tuple[Path, ...], NoDecode] = ()
    preset: Annotated[tuple[str, ...], NoDecode] = ()
    as_of: date | Literal["latest"] = "latest"
    timezone: str = "UTC"
    date_format: Annotated[tuple[str, ...], NoDecode] = (ISO,)
    decimal: Literal[".", ","] = "."
    returns: Literal["exclude", "net"] = "exclude"
    window: Window | None = None
    since: date | None = None
    columns: Columns = Columns()
    read: SourceOptions = SourceOptions()
    skip: dict[str, Condition] = {}
    exclude: dict[str, Condition] = {}
    scoring: Scoring = Scoring()
    segments: SegmentsConfig
    duckdb: DuckDBSettings = DuckDBSettings()

    @classmethod
    def settings_customise_sources(cls, settings_cls: object, init_settings: Any, **_: object) -> tuple[Any]:  # type: ignore[override]
        """Only what `load` merged: a Settings that is built reads no environment of its own."""
        return (init_settings,)

    @field_validator("output", "preset", "date_format", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",")) if value else ()
        return (value,) if isinstance(value, Path) else value

    @field_validator("window", mode="before")
    @classmethod
    def _window_from_text(cls, value: object) -> object:
        return Window.parse(value) if isinstance(value, str) else value

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"'{value}' is not a time zone such as 'Europe/London' or 'UTC'") from None
        return value

    @field_validator("date_format")
    @classmethod
    def _readable_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            check_format(text)
        return value or (ISO,)

    @field_validator("skip", "exclude")
    @classmethod
    def _reasons_are_names(cls, value: dict[str, Condition], info: Any) -> dict[str, Condition]:
        for name in value:
            if not _REASON.fullmatch(name):
                raise ValueError(f"'{name}' names no reason: use lower-case letters, digits and underscores")
            if name in BUILT_IN_REASONS:
                raise ValueError(f"'{name}' is a reason of the pipeline's own: choose another name")
        return value

    @model_validator(mode="after")
    def _no_reason_twice(self) -> Self:
        twice = sorted(set(self.skip) & set(self.exclude))
        if twice:
            raise ValueError(f"'{twice[0]}' is both in [skip] and in [exclude]: choose another name")
        if self.since and isinstance(self.as_of, date) and self.since > self.as_of:
            raise ValueError(f"since ({self.since}) is after as_of ({self.as_of})")
        return self

    @property
    def config_hash(self) -> str:
        """Twelve hex digits that change when anything changes that can change the result."""
        decisive = self.model_dump(mode="json", exclude={"to", "output", "preset", "duckdb", "source"})
        text = json.dumps(decisive, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


Layer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What each layer says, before it is merged: a source that is recognised adds its preset below them.

    Attributes:
        flags: What the command line gave, in the shape of `rfm.toml`; only what was given.
        environment: The same of the `RFM_*` variables.
        file: The same of the configuration file.
        origin: The configuration file, for messages.
    """

    flags: Layer = field(default_factory=dict)
    environment: Layer = field(default_factory=dict)
    file: Layer = field(default_factory=dict)
    origin: Path = Path(CONFIG_FILE)

    def settings(self, recognised: str | None = None) -> Settings:
        """Merges all layers.

        Args:
            recognised: A preset that the source was recognised by; everything that was configured wins.

        Raises:
            ConfigurationError: A value that a setting can't have, a setting or preset that does not exist.
        """
        layers = [self.file, self.environment, self.flags]
        chosen = next((layer["preset"] for layer in reversed(layers) if layer.get("preset")), ())
        names = tuple(chosen.split(",")) if isinstance(chosen, str) else tuple(chosen)
        names = (*([recognised] if recognised else []), *names)
        loaded = [presets.load(name.strip()) for name in names]
        merged = merge([*({**preset, "preset": ()} for preset in loaded), *layers, {"preset": names}])
        if "segments" not in merged:
            merged = merge([presets.load(DEFAULT_MAP), merged])
        try:
            return Settings(**merged)
        except ValidationError as error:
            raise _explained(error, self.origin) from None

    @property
    def names_columns(self) -> bool:
        """Whether anybody said which column is which; if not, a well-known export may be recognised."""
        sources = {name for name in presets.names() if presets.info(name).kind == "source"}
        return any(
            self.settings_name_columns(layer, sources) for layer in (self.file, self.environment, self.flags)
        )

    @staticmethod
    def settings_name_columns(layer: Layer, sources: set[str]) -> bool:
        """Whether one layer names columns, or a preset that does."""
        chosen = layer.get("preset") or ()
        names = chosen.split(",") if isinstance(chosen, str) else chosen
        return bool(layer.get("columns")) or any(name.strip() in sources for name in names)


def load(
    flags: Layer,
    *,
    config: Path | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Configuration:
    """Reads all layers.

    Args:
        flags: What the command line gave, in the shape of `rfm.toml`; only what was given.
        config: A configuration file; None takes `RFM_CONFIG`, or `rfm.toml` in `folder` where there is one.
        folder: Where `rfm.toml` is looked for; None is the current one.
        environ: The environment; None is the process's own.

    Raises:
        ConfigurationError: A file that can't be read, a variable that names no setting.
    """
    environ = os.environ if environ is None else environ
    if config is None and environ.get("RFM_CONFIG"):
        config = Path(environ["RFM_CONFIG"])
    origin = config or (folder or Path()) / CONFIG_FILE
    file = read_config(origin) if config or origin.is_file() else {}
    return Configuration(flags, _environment(environ), file, origin)


def read_config(path: Path) -> dict[str, Any]:
    """The contents of a configuration file.

    Raises:
        ConfigurationError: It can't be read, or is not TOML; the message gives the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"The configuration file {path} does not exist.", "`rfm init` writes one."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"The configuration file {path} can't be read: {reason}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{path} is not valid TOML: {error}.", 'text values stand in quotes: source = "orders.csv".'
        ) from None


def merge(layers: Iterable[Layer]) -> dict[str, Any]:
    """One dict of all layers: a later layer wins, tables are merged key by key, a segment map is one value."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = merged.get(key)
            if isinstance(old, Mapping) and isinstance(value, Mapping) and key != "segments":
                merged[key] = merge([old, value])
            else:
                merged[key] = value
    return merged


def _environment(environ: Mapping[str, str]) -> dict[str, Any]:
    prefix = "RFM_"
    names = set(Settings.model_fields) | {"config", "debug"}
    for variable in environ:
        name = variable.removeprefix(prefix).split("__")[0].casefold()
        if variable.startswith(prefix) and name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = (
                f"did you mean {prefix}{close[0].upper()}?"
                if close
                else f"settings: {', '.join(sorted(names))}."
            )
            raise ConfigurationError(f"The environment variable {variable} names no setting.", hint)
    source = EnvSettingsSource(Settings, env_prefix=prefix, env_nested_delimiter="__")
    source.env_vars = {key.casefold(): value for key, value in environ.items()}
    try:
        return source()
    except Exception as error:  # pydantic-settings wraps a JSON value that it can't parse
        raise ConfigurationError(f"An RFM_* environment variable can't be read: {error}.") from None


def _explained(error: ValidationError, origin: Path) -> ConfigurationError:
    """The first problem in one sentence, with the setting's name and value as they were written."""
    problem = error.errors(include_url=False)[0]
    cause = problem.get("ctx", {}).get("error")
    where = ".".join(str(part) for part in problem["loc"] if not _is_union_branch(part))
    if isinstance(cause, RfmError):
        return ConfigurationError(cause.message, cause.hint)
    if problem["type"] == "extra_forbidden":
        known = _known_keys(problem["loc"])
        close = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"what there is: {', '.join(known)}."
        return ConfigurationError(f"There is no setting `{where}` ({origin} or its presets).", hint)
    message = problem["msg"].removeprefix("Value error, ").rstrip(".")
    if cause is not None:
        return ConfigurationError(
            f"{message[0].upper()}{message[1:]}.", f"look at `{where}`." if where else None
        )
    value = problem["input"]
    shown = "" if isinstance(value, dict | BaseModel) else f" is {value!r}, and"
    return ConfigurationError(
        f"The setting `{where}`{shown} does not fit: {message[0].lower()}{message[1:]}."
    )


def _is_union_branch(part: object) -> bool:
    return isinstance(part, str) and part in {"str", "ColumnCondition", "date", "int", "literal['latest']"}


def _known_keys(location: Sequence[int | str]) -> list[str]:
    models: dict[str, type[BaseModel]] = {
        "columns": Columns,
        "read": SourceOptions,
        "scoring": Scoring,
        "duckdb": DuckDBSettings,
        "segments": SegmentsConfig,
    }
    parents = [str(part) for part in location[:-1]]
    if not parents:
        return sorted(Settings.model_fields)
    if parents[0] == "scoring" and len(parents) > 1:
        return sorted(DimensionOverride.model_fields)
    return sorted(models[parents[0]].model_fields) if parents[0] in models else list(ROLES)
