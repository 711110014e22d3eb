"""DuckDB's engine alone: `_duckdb`, which the package `duckdb` shows under the same names.

The package puts relations, expressions and bridges to data frames around it. Loading those takes as much
processor time as segmenting half a million lines, and a run needs SQL only.
"""

from __future__ import annotations

try:
    import _duckdb as duckdb
except ImportError:  # a release in which the engine has another name
    import duckdb  # type: ignore[no-redef]

__all__ = ["duckdb"]
