"""Output files of a run: written to temporary siblings, renamed into place after the commit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import OutputError
from rfm_pipeline.warehouse.base import Warehouse


class OutputFiles:
    """The output files of a run; leaving the context removes temporary files that were not renamed.

    Args:
        paths: Paths of the files; duplicates count once.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(dict.fromkeys(paths))
        self._drafts: dict[Path, AtomicFile] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of the files, as text."""
        return tuple(map(str, self._paths))

    def write(self, warehouse: Warehouse, table: str) -> None:
        """Write the rows of the staging table to a temporary file for each output.

        Raises:
            WarehouseError: If a file can't be written.
        """
        for path in self._paths:
            self._drafts[path] = warehouse.export(table, path)

    def move(self) -> list[OutputError]:
        """Rename the temporary files to their paths; return an error for each that can't be renamed."""
        errors = []
        for path, draft in self._drafts.items():
            try:
                draft.move()
            except OSError as error:
                errors.append(
                    OutputError(
                        f"The result was published, but the output {path} can't be written:"
                        f" {lower_first(error.strerror or str(error))}.",
                        "look at what is there, and run again.",
                    )
                )
        return errors

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for draft in self._drafts.values():
            draft.cleanup()
