"""Arguments of the Python functions: the settings that they name, and the source that they open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfm_pipeline.config.loader import CONFIG_FILE, Configuration, merge, read_config
from rfm_pipeline.config.source_location import BigQueryTable, parse_source
from rfm_pipeline.errors import UsageError

if TYPE_CHECKING:
    from rfm_pipeline.source.base import SourceOpener

_TABLES: Mapping[str, tuple[str, ...]] = {
    "columns": (
        "customer_id",
        "order_id",
        "ordered_at",
        "amount",
        "quantity",
        "unit_price",
        "discount",
        "refund",
        "frequency",
        "monetary",
    ),
    "read": ("delimiter", "encoding", "sheet", "skip_lines", "header"),
    "scoring": ("bins", "method"),
    "duckdb": ("memory_limit", "threads"),
}
"""Arguments that are settings of a table of `rfm.toml`, by table."""
_SETTINGS = {
    "currency": ("currency", "code"),
    "currency_column": ("currency", "column"),
    "status_column": ("status", "column"),
}
"""Table and setting of arguments that are not named like their setting."""

NOT_SETTINGS = {"thresholds", "frames", "settings", "config"}
"""Keyword arguments of `segment` that are no settings of their own."""


def check_names(function: str, arguments: Mapping[str, Any]) -> None:
    """Raise unless each argument is a setting that `segment` takes as an argument.

    Args:
        function: Name of the Python function that got the arguments.
        arguments: The arguments by name.

    Raises:
        TypeError: If there is another one.
    """
    from rfm_pipeline.api.segment import segment

    names = (segment.__kwdefaults__ or {}).keys() - NOT_SETTINGS
    for name in arguments:
        if name not in names:
            raise TypeError(f"{function}() got an unexpected keyword argument '{name}'")


def configuration_of(
    arguments: Mapping[str, Any], settings: Mapping[str, Any] | None, config: str | PathLike[str] | None
) -> Configuration:
    """Return the configuration of a call.

    Args:
        arguments: Arguments that are settings, by name.
        settings: Other settings, in the structure of `rfm.toml`.
        config: Path of a configuration file, the lowest layer; None for no file.

    Raises:
        ConfigurationError: If the file can't be read.
    """
    path = None if config is None else Path(config)
    return Configuration(
        flags=merge([settings or {}, _layer(arguments)]),
        file=read_config(path) if path else {},
        origin=path or Path(CONFIG_FILE),
    )


def with_source(
    source: Any, configuration: Configuration, function: str, instead: str
) -> tuple[Configuration, SourceOpener | None]:
    """Return the configuration with the source, or the opener of a data frame.

    Args:
        source: A data frame, or the text of a location.
        configuration: The other settings.
        function: Name of the Python function, for the message.
        instead: What to do with a table in BigQuery, for the hint.

    Raises:
        UsageError: If the source is a table in BigQuery.
    """
    from rfm_pipeline.source.dataframe import dataframe_opener, is_dataframe

    if is_dataframe(source):
        return configuration, dataframe_opener(source)
    if isinstance(parse_source(str(source)), BigQueryTable):
        raise UsageError(f"{source} is a BigQuery table, and `{function}` computes on this machine.", instead)
    flags = {**configuration.flags, "source": str(source)}
    return Configuration(flags, {}, configuration.file, configuration.origin), None


def _layer(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments in the structure of `rfm.toml`."""
    layer: dict[str, Any] = {}
    for argument, value in arguments.items():
        of_table = next((table for table, names in _TABLES.items() if argument in names), None)
        table, name = _SETTINGS.get(argument, (of_table, argument))
        setting = value.isoformat() if isinstance(value, date) else value
        if table:
            layer.setdefault(table, {})[name] = setting
        else:
            layer[name] = setting
    return layer
