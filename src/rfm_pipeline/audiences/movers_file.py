"""Movers written to a file that only its owner can read: CSV, Parquet or Excel."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rfm_pipeline.audiences.customers import refuse_addresses
from rfm_pipeline.audiences.networks import PLAIN_FORMATS
from rfm_pipeline.audiences.normalization import escape_formula
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import ConfigurationError, WarehouseError
from rfm_pipeline.pipeline.movers import Mover
from rfm_pipeline.pipeline.output_paths import refuse_overwriting
from rfm_pipeline.results.json_values import money

_TYPES = {
    "customer_id": "VARCHAR",
    "reasons": "VARCHAR",
    "from_segment": "VARCHAR",
    "segment": "VARCHAR",
    "cause": "VARCHAR",
    "monetary": "DECIMAL(38, 9)",
    "frequency": "BIGINT",
    "recency_days": "INTEGER",
    "last_order_date": "DATE",
    "mean_gap_days": "DOUBLE",
}
"""DuckDB type of each column, in order."""


def check_movers_path(path: Path, configuration: Configuration) -> None:
    """Raise early if movers can't be written to `path`.

    Raises:
        ConfigurationError: If the suffix is no known format, there is no such folder, or the file is one that
            the configuration names.
        UsageError: If the extra of the format is not installed.
    """
    from rfm_pipeline.warehouse.duckdb.export import check_output

    suffixes = [f".{name}" for name in PLAIN_FORMATS]
    if path.suffix.casefold() not in suffixes:
        raise ConfigurationError(
            f"The output {path} has no known format.", f"end its name in one of {', '.join(suffixes)}."
        )
    check_output(path)
    refuse_overwriting([("output", path)], configuration)


def write_movers(movers: Sequence[Mover], path: Path, configuration: Configuration, *, clear: bool) -> None:
    """Write movers to a file; an existing one is replaced in one step.

    Args:
        movers: The movers, in order.
        path: The file.
        configuration: All layers of settings; those of DuckDB are used.
        clear: Whether ids that contain e-mail addresses may be written.

    Raises:
        UsageError: If ids contain e-mail addresses, and `clear` is not set.
        WarehouseError: If the file can't be written.
    """
    from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory, connect
    from rfm_pipeline.warehouse.duckdb.export import write_private
    from rfm_pipeline.warehouse.duckdb.load import create_table_from_pages

    settings = configuration.settings.duckdb
    with SpillDirectory(settings.temp_directory) as scratch, closing(connect(settings, scratch)) as db:
        rows = [{"position": number, **mover.to_row()} for number, mover in enumerate(movers)]
        types = {"position": "BIGINT", **_TYPES}
        try:
            create_table_from_pages(db, "customers", tuple(types), [rows], scratch, types=types)
            if not clear:
                refuse_addresses(db, "read them on a terminal")
            draft = write_private(db, _select(movers, path), path, scratch)
            try:
                draft.move()
            finally:
                draft.cleanup()
        except OSError as error:
            raise WarehouseError(
                f"The output {path} can't be written: {lower_first(error.strerror or str(error))}.",
                "check the output path and its folder, and the disk's free space.",
            ) from error


def _select(movers: Sequence[Mover], path: Path) -> str:
    columns = {name: name for name in _TYPES}
    if path.suffix.casefold() == ".csv":
        columns |= {name: escape_formula(name) for name, kind in _TYPES.items() if kind == "VARCHAR"}
        decimals = max((len(money(mover.monetary).partition(".")[2]) for mover in movers), default=2)
        columns["monetary"] = f"CAST(monetary AS DECIMAL(38, {decimals}))"
    listed = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"SELECT {listed} FROM customers ORDER BY position"
