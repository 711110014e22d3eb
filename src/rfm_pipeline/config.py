"""Where settings come from, and how the layers are merged.

Precedence, strongest first: flags, `RFM_*` environment variables, `rfm.toml`, presets, defaults. What none of
them says about columns is then found by name (`columns.py`).
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from rfm_pipeline import presets
from rfm_pipeline.columns import ROLES
from rfm_pipeline.environment import read_environment
from rfm_pipeline.errors import ConfigurationError, RfmError
from rfm_pipeline.segmentation import SegmentsConfig
from rfm_pipeline.settings import Columns, DimensionOverride, DuckDBSettings, Scoring, Settings
from rfm_pipeline.source.options import SourceOptions

CONFIG_FILE = "rfm.toml"
DEFAULT_MAP = "classic"

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
    return Configuration(flags, read_environment(environ), file, origin)


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
