"""The manifest of kept orders: the files that hold them, the parts, and how these were read."""

from __future__ import annotations

import zlib
from pathlib import Path

from msgspec import Struct

from rfm_pipeline.common.source_parts import PartVersion, TakeOver

FORMAT = 1
"""Version of the layout of the folder."""


class KeptPart(Struct, frozen=True):
    """A part whose orders are kept.

    Attributes:
        id: Number of the part in the column `part` of the kept orders.
        path: Absolute path of the file.
        version: What tells whether the file is still the one that was read.
    """

    id: int
    path: str
    version: PartVersion


class KeptFile(Struct, frozen=True):
    """A file with kept orders: its name, its size in bytes, and the checksum (CRC-32) of its content."""

    name: str
    size: int
    checksum: int


class KeptCustomers(Struct, frozen=True):
    """The customers of a run.

    Attributes:
        key: What they depend on beside the parts and the last day.
        files: The file with their rows, and the file with the excluded lines beside them.
        parts: Number of parts, whose orders they have.
        take_over: The highest number of these parts, and the last date on which an order counted.
    """

    key: str
    files: tuple[KeptFile, KeptFile]
    parts: int
    take_over: TakeOver


class Manifest(Struct, frozen=True):
    """What the folder holds.

    Attributes:
        format: Version of this layout.
        key: What the orders depend on beside the parts: the query, the program and the engine.
        runs_since_check: Number of runs since the last one that read all parts.
        parts: The parts whose orders are kept. Orders of other parts are left over in the files.
        files: The files with the orders.
        last_id: The highest number that a part ever had.
        customers: The customers of the last run that computed all customers; None if none are kept.
    """

    format: int
    key: str
    runs_since_check: int
    parts: tuple[KeptPart, ...]
    files: tuple[KeptFile, ...]
    last_id: int
    customers: KeptCustomers | None = None

    @property
    def all_files(self) -> tuple[KeptFile, ...]:
        """The files of the orders and of the customers."""
        return (*self.files, *self.customers.files) if self.customers else self.files


def describe_file(path: Path) -> KeptFile:
    """Return the description of a file by its content.

    Raises:
        OSError: If it can't be read.
    """
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return KeptFile(path.name, path.stat().st_size, checksum)
