"""Where settings come from, and how the layers are merged.

Precedence, strongest first: flags, `RFM_*` environment variables, `rfm.toml`, presets, defaults. What none of
them says about columns is then found by name (`columns.py`).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from rfm_pipeline.config import presets
from rfm_pipeline.config.audits import in_full
from rfm_pipeline.config.base import SettingsError
from rfm_pipeline.config.diagnostics import Layer, Layers, to_configuration_error
from rfm_pipeline.config.environment import read_environment
from rfm_pipeline.config.notifications import from_file
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ConfigurationError

CONFIG_FILE = "rfm.toml"
DEFAULT_MAP = "classic"


class Configuration(Struct, frozen=True):
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
        layers = [in_full(layer) for layer in (self.file, self.environment, self.flags)]
        names = (*([recognised] if recognised else []), *self._chosen("source"), *self._chosen("segments"))
        loaded = [presets.load(name) for name in names]
        merged = merge([*({**preset, "preset": ()} for preset in loaded), *layers, {"preset": names}])
        if "segments" not in merged:
            merged = merge([presets.load(DEFAULT_MAP), merged])
        try:
            return Settings.of(merged)
        except SettingsError as error:
            given = Layers(self.flags, self.environment, self.file, self.origin)
            raise to_configuration_error(error, given) from None

    def _chosen(self, kind: str) -> tuple[str, ...]:
        """The presets of a kind, from the strongest layer that names any: a map does not unname an export."""
        for layer in (self.flags, self.environment, self.file):
            names = tuple(name for name in preset_names(layer) if presets.info(name).kind == kind)
            if names:
                return names
        return ()

    @property
    def names_columns(self) -> bool:
        """Whether anybody said which column is which; if not, a well-known export may be recognised."""
        named = any(layer.get("columns") for layer in (self.file, self.environment, self.flags))
        return named or bool(self._chosen("source"))


def preset_names(layer: Layer) -> tuple[str, ...]:
    """The presets that one layer chooses, by name.

    Raises:
        ConfigurationError: They are not names.
    """
    chosen = layer.get("preset", ())
    names = chosen.split(",") if isinstance(chosen, str) else chosen
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(
            f"The setting `preset` is {chosen!r}, and must be a name.", "`rfm presets` lists them."
        )
    return tuple(name.strip() for name in names if name.strip())


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
    if "notify" in file:
        from_file(file["notify"])
    return Configuration(flags, read_environment(environ), file, origin)


def read_config(path: Path) -> dict[str, Any]:
    """The contents of a configuration file.

    Raises:
        ConfigurationError: It can't be read, or is not TOML; the message gives the line.
    """
    try:
        # Notepad puts a mark before UTF-8, which TOML does not know.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"The configuration file {path} does not exist.", "`rfm init` writes one."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(
            f"The configuration file {path} can't be read: {reason[0].lower()}{reason[1:]}.",
            "name a text file in UTF-8 with --config.",
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{path} is not valid TOML: {error}.",
            """text stands in quotes, as in source = "orders.csv"; with backslashes in it, in single ones.""",
        ) from None


def merge(layers: Iterable[Layer]) -> dict[str, Any]:
    """One dict of all layers: a later one wins, tables are merged key by key, a segment map is one value."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = merged.get(key)
            if isinstance(old, Mapping) and isinstance(value, Mapping) and key != "segments":
                merged[key] = merge([old, value])
            else:
                merged[key] = value
    return merged
