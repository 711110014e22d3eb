"""Export of result rows from BigQuery to a local file, through DuckDB's writers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.results.tables import RESULT_COLUMNS


def write_pages(pages: Iterable[Sequence[Mapping[str, Any]]], path: Path) -> AtomicFile:
    """Write the rows of a result to a temporary file that can replace `path`.

    Args:
        pages: The rows, page by page, with the columns of the published table.
        path: Target path, which is not changed; its suffix selects the format.

    Raises:
        WarehouseError: If the rows can't be stored or written.
    """
    from rfm_pipeline.common.duckdb_engine import connect_in_memory
    from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory
    from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors
    from rfm_pipeline.warehouse.duckdb.export import write_table
    from rfm_pipeline.warehouse.duckdb.load import create_table_from_pages

    with (
        SpillDirectory(None) as temp_directory,
        connect_in_memory({"temp_directory": f"{temp_directory}/spill"}) as connection,
    ):
        try:
            with translate_duckdb_errors(f"write {path}"):
                create_table_from_pages(connection, "result", tuple(RESULT_COLUMNS), pages, temp_directory)
        except OSError as error:
            raise WarehouseError(
                f"The output {path} can't be written: {lower_first(error.strerror or str(error))}.",
                "check the free space of the folder for temporary files; nothing was published.",
            ) from error
        return write_table(connection, "result", path, temp_directory)
