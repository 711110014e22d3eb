"""From what the user typed as SOURCE to something that DuckDB can scan, once.

`parse` takes the text apart and `SourceOptions` holds what the user said about it, both without an engine;
`open_source` looks at the files, and loads DuckDB when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.config.source_location import (
    BigQueryTable,
    DuckDBTable,
    FileLocation,
    Location,
    StdinLocation,
    parse,
)
from rfm_pipeline.source.base import OpenedSource

if TYPE_CHECKING:
    from rfm_pipeline.source.errors import explain_failure
    from rfm_pipeline.source.headers import kind_of
    from rfm_pipeline.source.open import open_source

__all__ = [
    "BigQueryTable",
    "DuckDBTable",
    "FileLocation",
    "Location",
    "OpenedSource",
    "SourceOptions",
    "StdinLocation",
    "explain_failure",
    "kind_of",
    "open_source",
    "parse",
]

_WITH_DUCKDB = {"kind_of": "columns", "explain_failure": "failures", "open_source": "opening"}


def __getattr__(name: str) -> Any:
    if name not in _WITH_DUCKDB:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WITH_DUCKDB[name]}"), name)
