"""The files that a run writes besides: drafts beside their places until the publish has succeeded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.warehouse.base import Warehouse


class OutputFiles:
    """The outputs of a run; leaving it removes the drafts that were not moved.

    Args:
        paths: Where they are to be; each once.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(dict.fromkeys(paths))
        self._drafts: dict[Path, AtomicFile] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Where they are to be."""
        return tuple(map(str, self._paths))

    def write(self, warehouse: Warehouse, table: str) -> None:
        """Writes the rows of a staged table to all drafts.

        Raises:
            WarehouseError: One can't be written.
        """
        for path in self._paths:
            self._drafts[path] = warehouse.export(table, path)

    def move(self) -> None:
        """Moves the drafts to their places.

        Raises:
            WarehouseError: One can't be moved; the result is published all the same.
        """
        for path, draft in self._drafts.items():
            try:
                draft.move()
            except OSError as error:
                raise WarehouseError(
                    f"The result was published, but the output {path} can't be written:"
                    f" {lower_first(error.strerror or str(error))}.",
                    "look at what is there, and run again.",
                ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for draft in self._drafts.values():
            draft.cleanup()
