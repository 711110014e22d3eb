"""Loading and merging of the configuration layers.

Precedence, strongest first: flags, `RFM_*` environment variables, `rfm.toml`, presets, defaults. Columns that
no layer configures are then chosen by names and values (`source.profile.roles`).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from msgspec.structs import replace

from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.config import presets
from rfm_pipeline.config.audits import expand_short_forms
from rfm_pipeline.config.base import MAX_NESTING, SettingsError, is_nested_too_deeply
from rfm_pipeline.config.diagnostics import Layer, Layers, to_configuration_error
from rfm_pipeline.config.environment import read_environment
from rfm_pipeline.config.notifications import check_notify_layer
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ConfigurationError

CONFIG_FILE = "rfm.toml"
DEFAULT_MAP = "classic"
NO_PRESET = "none"
"""Name in `preset` that stops the recognition of exports."""


class Configuration(Struct, frozen=True, dict=True):
    """Configuration layers, as nested dicts in the structure of `rfm.toml` that contain only what is set.

    Attributes:
        flags: Settings of the command line.
        environment: Settings of the `RFM_*` variables.
        file: Settings of the configuration file.
        origin: Path of the configuration file, for messages.
        source_preset: Preset of the export as which the source was recognised, the weakest layer; None if it
            was not recognised.
        source_columns: Column names of the source, which decide between alternative columns in the preset of
            an export; None before the source is opened.
        started: When the command started; the as-of dates `today` and `yesterday` count from it.
    """

    flags: Layer = field(default_factory=dict)
    environment: Layer = field(default_factory=dict)
    file: Layer = field(default_factory=dict)
    origin: Path = Path(CONFIG_FILE)
    source_preset: str | None = None
    source_columns: tuple[str, ...] | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def for_source(self, columns: Iterable[str]) -> Configuration:
        """Return this configuration for a source with these columns.

        Unless a layer chooses the preset of an export (or `none`), the preset of the export as which the
        columns are recognised is the weakest layer.
        """
        names = tuple(columns)
        chosen = self._chosen("source")
        recognised = presets.recognise(names) if not chosen and not self._refuses_presets else None
        if not recognised and not chosen:
            return self
        # Parsed already, and no preset of an export has them.
        locations = {"source": self.settings.source, "to": self.settings.to}
        return replace(
            self, flags={**self.flags, **locations}, source_preset=recognised, source_columns=names
        )

    @property
    def today(self) -> date:
        """The date on which the command started, in the shop's time zone."""
        return self.started.astimezone(ZoneInfo(self.settings.timezone)).date()

    @property
    def export_notes(self) -> tuple[str, ...]:
        """What the user should know about the export: its preset, what was changed in it, and its limits."""
        if self.source_columns is None:
            return ()
        notes = [f"recognised by its columns: preset {self.source_preset}"] if self.source_preset else []
        columns = self.settings.columns.by_role()
        for name in self._export_presets:
            for role, column in presets.load_preset(name, self.source_columns).get("columns", {}).items():
                if columns[role] != column:
                    replacement = "not set" if columns[role] is None else f"`{columns[role]}`"
                    notes.append(f"{role} is {replacement}, in place of the preset's `{column}`")
            notes += presets.info(name).notes
        return tuple(notes)

    def check_export(self) -> None:
        """Raise if the export has no usable column for a role, and the user has named none.

        Raises:
            ColumnError: With what the export lacks, and how to go on.
        """
        columns = self.settings.columns.by_role() if self.source_columns is not None else {}
        for name in self._export_presets if columns else ():
            asked = presets.info(name).question
            if asked and columns[asked.role] is None:
                raise question(asked.id)

    @property
    def _export_presets(self) -> tuple[str, ...]:
        return (self.source_preset,) if self.source_preset else self._chosen("source")

    @cached_property
    def merged(self) -> dict[str, Any]:
        """The file, the environment and the flags merged, without presets and without validation."""
        return merge((self.file, self.environment, self.flags))

    @cached_property
    def settings(self) -> Settings:
        """The validated settings of all layers; merged once.

        Raises:
            ConfigurationError: If a value is invalid, or a setting or preset does not exist.
        """
        layers = [expand_short_forms(layer) for layer in (self.file, self.environment, self.flags)]
        names = (*self._export_presets, *self._chosen("segments"))
        configured = merge(layers).get("columns", {})
        loaded = [expand_short_forms(presets.load_preset(name, self.source_columns)) for name in names]
        below = [
            {**preset, "preset": (), "columns": _without_replaced(preset.get("columns", {}), configured)}
            for preset in loaded
        ]
        merged = merge([*below, *layers, {"preset": names}])
        if "segments" not in merged:
            merged = merge([presets.load_preset(DEFAULT_MAP), merged])
        try:
            return Settings.of(merged).on(self.started)
        except SettingsError as error:
            layers_by_name = Layers(self.flags, self.environment, self.file, self.origin)
            raise to_configuration_error(error, layers_by_name) from None

    def _chosen(self, kind: str) -> tuple[str, ...]:
        """Return the presets of a kind from the strongest layer that has any.

        By kind, so that choosing a segment map keeps the preset of an export from a weaker layer.
        """
        for layer in (self.flags, self.environment, self.file):
            chosen = preset_names(layer)
            names = tuple(name for name in chosen if name != NO_PRESET and presets.info(name).kind == kind)
            if names:
                return names
        return ()

    @property
    def _refuses_presets(self) -> bool:
        """Whether the strongest layer that chooses presets names `none` among them."""
        chosen = next(filter(None, map(preset_names, (self.flags, self.environment, self.file))), ())
        return NO_PRESET in chosen


def _without_replaced(preset: Mapping[str, str], configured: Mapping[str, Any]) -> Mapping[str, str]:
    """Return a preset's columns without those that the configuration replaces by columns of other roles."""
    replaced: set[str] = {"customer_fallback"} if configured.get("customer_id") else set()
    if configured.get("amount"):
        replaced |= {"quantity", "unit_price"}
    if configured.get("quantity") or configured.get("unit_price"):
        replaced.add("amount")
    return {role: column for role, column in preset.items() if role not in replaced}


def preset_names(layer: Layer) -> tuple[str, ...]:
    """Return the names of the presets that a layer selects.

    Raises:
        ConfigurationError: If the setting is neither text nor a list of texts.
    """
    chosen = layer.get("preset", ())
    names = chosen.split(",") if isinstance(chosen, str) else chosen
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(
            f"The setting `preset` is {chosen!r}, and must be a name.", "`rfm presets` lists them."
        )
    return tuple(name.strip() for name in names if name.strip())


def load_configuration(
    flags: Layer,
    *,
    config: Path | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Configuration:
    """Load all layers.

    Args:
        flags: Settings of the command line, in the structure of `rfm.toml`; only those that are set.
        config: Path of the configuration file; None for the path in `RFM_CONFIG`, or else `rfm.toml` in
            `folder` if it exists.
        folder: Folder of `rfm.toml`; None for the current folder.
        environ: Environment variables; None for those of the process.

    Raises:
        ConfigurationError: If the file can't be read, or a variable names no setting.
    """
    environ = os.environ if environ is None else environ
    if config is None and environ.get("RFM_CONFIG"):
        config = Path(environ["RFM_CONFIG"])
    origin = config or (folder or Path()) / CONFIG_FILE
    # Unlike `Path.is_file`, this returns False without permission to look into the folder.
    file = read_config(origin) if config or os.path.isfile(origin) else {}  # noqa: PTH113
    if "notify" in file:
        check_notify_layer(file["notify"])
    environment = read_environment(environ)
    for layer in (flags, environment, file):
        _refuse_unusable_text(layer, ())
    return Configuration(flags, environment, file, origin)


def _refuse_unusable_text(value: object, location: tuple[str, ...]) -> None:
    """Raise if a text is not UTF-8 or contains a NUL character, which no file name, column or SQL has.

    Raises:
        ConfigurationError: If there is such a text.
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _refuse_unusable_text(inner, (*location, str(name)))
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_unusable_text(inner, location)
    elif isinstance(value, str | Path):
        text = str(value)
        # Undecodable bytes of an argument are surrogates; the source reports those in its own name.
        is_utf8 = location == ("source",) or not any("\ud800" <= character <= "\udfff" for character in text)
        if not is_utf8 or "\0" in text:
            problem = "contains a NUL character" if is_utf8 else "is not text in UTF-8"
            raise ConfigurationError(
                f"The setting `{'.'.join(location)}` {problem}.", "write it anew, without that character."
            )


def read_config(path: Path) -> dict[str, Any]:
    """Return the parsed configuration file.

    Raises:
        ConfigurationError: If the file can't be read, or is not valid TOML; the message then contains the
            line.
    """
    try:
        # Notepad writes a byte order mark, which TOML does not allow.
        settings = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise _nested_error(path) from None
    except FileNotFoundError:
        raise ConfigurationError(
            f"The configuration file {path} does not exist.", "`rfm init` writes one."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(
            f"The configuration file {path} can't be read: {lower_first(reason)}.",
            "name a text file in UTF-8 with --config.",
        ) from None
    except ValueError as error:
        # Besides TOMLDecodeError, this is a number of more digits than Python converts.
        raise ConfigurationError(
            f"{path} is not valid TOML: {str(error).partition(': value has')[0]}.",
            """write text in quotes, as in source = "orders.csv"; text with backslashes in single quotes.""",
        ) from None
    if is_nested_too_deeply(settings):
        raise _nested_error(path)
    return settings


def _nested_error(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"The tables and lists in {path} are nested more than {MAX_NESTING} levels deep.",
        "`rfm init --config new.toml` writes a file with every setting.",
    )


def merge(layers: Iterable[Layer]) -> dict[str, Any]:
    """Merge layers into one dict: later ones win; tables are merged by key, but `segments` as a whole."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = merged.get(key)
            if isinstance(old, Mapping) and isinstance(value, Mapping) and key != "segments":
                merged[key] = merge([old, value])
            else:
                merged[key] = value
    return merged
