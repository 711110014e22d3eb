"""Kept orders: the orders of each part of a source, which later runs read in place of the part.

They lie in a hidden folder beside the destination file: Parquet files, each with the orders of the parts that
one run read, and a manifest that names these files, the parts, and how they were read. A file is written
before the manifest that names it is renamed into place, and files are never changed. So the folder holds at
each moment what was read from the parts as they were, whether the run that read them published or not.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.atomic_file import replace_file
from rfm_pipeline.common.duckdb_engine import duckdb, execute_interruptibly
from rfm_pipeline.common.duckdb_quoting import paths_literal, text_literal
from rfm_pipeline.common.duckdb_types import describe_columns
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.common.source_parts import PartsRequest, PartVersion, TakeOver
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.results.statistics import PartsRead
from rfm_pipeline.source.base import OpenedSource
from rfm_pipeline.source.parts import relation_of_parts
from rfm_pipeline.warehouse.base import Progress
from rfm_pipeline.warehouse.duckdb.errors import (
    UNCHANGED,
    first_sentence,
    system_reason,
    translate_duckdb_errors,
)
from rfm_pipeline.warehouse.duckdb.partitioned import keeps_values

_FORMAT = 1
_MANIFEST = "manifest.json"
_MOST_FILES = 24
"""Number of files from which they are merged into one: opening one takes as long as reading 10,000 orders."""
_ORDERS, _NUMBERS, _CUSTOMERS = "part_orders", "part_numbers", "kept_customers"
"""Names of the views of the orders and of the customers, and of the table that numbers the files."""

# Zstd at its first level takes a tenth more CPU time to write than Snappy, and two thirds of the space.
_OPTIONS = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"


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
    """A file with kept orders: its name, and its size in bytes."""

    name: str
    size: int


class KeptCustomers(Struct, frozen=True):
    """The customers of a run.

    Attributes:
        key: What they depend on beside the parts and the last day.
        file: The file with their rows.
        parts: Number of parts, whose orders they have.
        take_over: The highest number of these parts, and the last date on which an order counted.
    """

    key: str
    file: KeptFile
    parts: int
    take_over: TakeOver


class Manifest(Struct, frozen=True):
    """What the folder holds.

    Attributes:
        format: Version of this layout.
        key: What the orders depend on beside the parts: the query, the program and the engine.
        runs: Number of runs since the last one that read all parts.
        parts: The parts whose orders are kept. Orders of other parts are left over in the files.
        files: The files with the orders.
        last_id: The highest number that a part ever had.
        customers: The customers of the last run that computed all; None if none are kept.
    """

    format: int
    key: str
    runs: int
    parts: tuple[KeptPart, ...]
    files: tuple[KeptFile, ...]
    last_id: int
    customers: KeptCustomers | None = None

    @property
    def all_files(self) -> tuple[KeptFile, ...]:
        """The files of the orders and of the customers."""
        return (*self.files, self.customers.file) if self.customers else self.files


class DuckDBKeptOrders:
    """The folder with the orders of a destination; see `warehouse.base.KeptOrders`.

    Args:
        connection: Connection that reads the source.
        source: The opened source.
        folder: Path of the folder, which need not exist.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: OpenedSource, folder: Path) -> None:
        self._connection = connection
        self._source = source
        self._folder = folder
        self._manifest: Manifest | None = None

    def update(
        self,
        request: PartsRequest,
        select_of: Callable[[str], str],
        column: str,
        progress: Progress | None = None,
    ) -> PartsRead:
        """Read the parts that are new or have changed; stage the orders of all parts as `part_orders`."""

        def select(ids: Mapping[Path, int]) -> str:
            return select_of(relation_of_parts(self._source, ids, column))

        before = self._load()
        why = request.full or self._why_all(before, request)
        with self._written(reads_source=True):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if before is None or why is not None:
                manifest, read = self._read_all(before, request, select, progress)
                read = replace(read, why_all=why)
            else:
                manifest, read = self._read_changes(before, request, select, progress)
            self._save(manifest)
            self._create_view(manifest, request.numbers)
        return read

    def kept_customers(self, key: str, last_day: date) -> TakeOver | None:
        """Stage the kept customers as `kept_customers`; None if there are none that can be taken over."""
        manifest = self._manifest
        assert manifest is not None  # the protocol: `update` comes first
        kept = manifest.customers
        if kept is None or kept.key != key or kept.take_over.last_day > last_day:
            return None
        if sum(part.id <= kept.take_over.last_part for part in manifest.parts) != kept.parts:
            return None
        with self._written():
            file = paths_literal([self._folder / kept.file.name])
            self._connection.execute(
                f"CREATE OR REPLACE TEMP VIEW {_CUSTOMERS} AS\nFROM read_parquet({file})"
            )
        return kept.take_over

    def keep_customers(self, key: str, last_day: date, select: str) -> None:
        """Keep the customers of a SELECT, in place of those that were kept."""
        manifest = self._manifest
        assert manifest is not None  # the protocol: `update` comes first
        with self._written():
            file = self._write(select, None)
            take_over = TakeOver(manifest.last_id, last_day)
            customers = KeptCustomers(key, file, len(manifest.parts), take_over)
            self._save(replace(manifest, customers=customers))

    def _load(self) -> Manifest | None:
        """Return the manifest; None if there is none, it is damaged, or a file that it names is."""
        try:
            manifest = msgspec.json.decode((self._folder / _MANIFEST).read_bytes(), type=Manifest)
            sizes = [(self._folder / file.name).stat().st_size for file in manifest.all_files]
        except (OSError, msgspec.MsgspecError):
            return None
        return manifest if sizes == [file.size for file in manifest.all_files] else None

    def _why_all(self, before: Manifest | None, request: PartsRequest) -> str | None:
        """Return why all parts are read, as a clause; None if those that changed are enough."""
        if before is None:
            return "no orders are kept yet"
        if (before.format, before.key) != (_FORMAT, request.key):
            return "the settings, the columns or their formats, or the version of rfm are others"
        if before.runs + 1 >= request.check_every:
            return f"every {request.check_every} runs the kept orders are checked"
        if not any(_is_unchanged(part, request.parts) for part in before.parts):
            return "no file is as it was"
        return None

    def _read_all(
        self,
        before: Manifest | None,
        request: PartsRequest,
        select_of: Callable[[Mapping[Path, int]], str],
        progress: Progress | None,
    ) -> tuple[Manifest, PartsRead]:
        ids = {path: number for number, path in enumerate(request.parts, start=1)}
        file = self._write(select_of(ids), progress)
        manifest = Manifest(
            _FORMAT, request.key, 0, tuple(_kept_parts(ids, request.parts)), (file,), last_id=len(ids)
        )
        different = None
        if before is not None and before.key == request.key:
            different = self._count_differences(before, manifest)
        return manifest, PartsRead(len(ids), 0, different=different)

    def _read_changes(
        self,
        before: Manifest,
        request: PartsRequest,
        select_of: Callable[[Mapping[Path, int]], str],
        progress: Progress | None,
    ) -> tuple[Manifest, PartsRead]:
        unchanged = [part for part in before.parts if _is_unchanged(part, request.parts)]
        known = {Path(part.path) for part in unchanged}
        added = [path for path in request.parts if path not in known]
        ids = {path: number for number, path in enumerate(added, start=before.last_id + 1)}
        files = before.files
        if ids:
            files = (*files, self._write(select_of(ids), progress))
        manifest = replace(
            before,
            runs=before.runs + 1,
            parts=(*unchanged, *_kept_parts(ids, request.parts)),
            files=files,
            last_id=before.last_id + len(ids),
        )
        if len(files) >= _MOST_FILES:
            manifest = replace(manifest, files=(self._write(self._select_kept(manifest), None),))
        return manifest, PartsRead(len(ids), len(unchanged))

    def _write(self, select: str, progress: Progress | None) -> KeptFile:
        """Write the rows of a SELECT to a new file, and flush it to the disk."""
        path = self._folder / secrets.token_hex(8)
        self._check_types(select)
        statement = f"COPY (\n{select}\n) TO {text_literal(str(path))} ({_OPTIONS})"
        execute_interruptibly(self._connection, statement, progress)
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        return KeptFile(path.name, path.stat().st_size)

    def _check_types(self, select: str) -> None:
        """Raise if Parquet can't keep the values of a column."""
        for name, type_ in describe_columns(self._connection, select):
            if not keeps_values(str(type_)):
                raise WarehouseError(
                    f"Orders whose {name} has the type {type_} can't be kept for later runs.",
                    f"set incremental = false; {UNCHANGED}",
                )

    def _select_kept(self, manifest: Manifest) -> str:
        ids = ", ".join(str(part.id) for part in manifest.parts)
        return f"SELECT *\nFROM {self._relation(manifest)}\nWHERE part IN ({ids})"

    def _relation(self, manifest: Manifest) -> str:
        return f"read_parquet({paths_literal(self._folder / file.name for file in manifest.files)})"

    def _count_differences(self, before: Manifest, now: Manifest) -> int:
        """Count the parts that have not changed, but whose kept orders differ from those read now."""
        versions = {part.path: part for part in now.parts}
        pairs = [
            (old.id, new.id)
            for old in before.parts
            if (new := versions.get(old.path)) and new.version == old.version
        ]
        earlier, later = self._checksums(before), self._checksums(now)
        return sum(earlier.get(old) != later.get(new) for old, new in pairs)

    def _checksums(self, manifest: Manifest) -> dict[int, tuple[int, ...]]:
        """Return an order-free checksum of the rows of each part."""
        rows = f"SELECT part, HASH(COLUMNS(* EXCLUDE (part))) FROM {self._relation(manifest)}"
        names = [name for name, _ in describe_columns(self._connection, rows)][1:]
        row = ", ".join(f'"{name}"' for name in names)
        checksums = self._connection.execute(
            f"SELECT part, COUNT(*), SUM(HASH(row({row}))::HUGEINT) FROM ({rows}) GROUP BY part"
        )
        return {part: tuple(values) for part, *values in checksums.fetchall()}

    def _create_view(self, manifest: Manifest, numbers: Mapping[Path, int]) -> None:
        """Create the view of the kept orders, each with the number of its file among those of the source."""
        pairs = ", ".join(f"({part.id}, {numbers[Path(part.path)]})" for part in manifest.parts)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {_NUMBERS} AS FROM (VALUES {pairs}) AS t(part, source_file);"
            f"CREATE OR REPLACE TEMP VIEW {_ORDERS} AS\n"
            f"SELECT *\nFROM {self._relation(manifest)}\nJOIN {_NUMBERS} USING (part)"
        )

    def _save(self, manifest: Manifest) -> None:
        """Replace the manifest, and remove the files that it does not name."""
        replace_file(self._folder / _MANIFEST, msgspec.json.encode(manifest))
        self._manifest = manifest
        named = {_MANIFEST, *(file.name for file in manifest.all_files)}
        _remove_others(self._folder, named)

    @contextmanager
    def _written(self, *, reads_source: bool = False) -> Iterator[None]:
        """Translate the errors of a block that reads or writes the folder.

        Raises:
            WarehouseError: If the folder can't be read or written.
            SourceError: If the block reads the source, and that can't be read.
        """
        try:
            with translate_duckdb_errors("compute the segments", self._source if reads_source else None):
                try:
                    yield
                except duckdb.IOException as error:
                    if str(self._folder) not in str(error):
                        raise
                    raise OSError(0, system_reason(error) or first_sentence(error)) from error
        except OSError as error:
            raise WarehouseError(
                f"The orders for later runs can't be kept in {self._folder}:"
                f" {lower_first(error.strerror or str(error)).rstrip('.')}.",
                f"check the disk's free space and the permissions, or set incremental = false; {UNCHANGED}",
            ) from error


def _is_unchanged(part: KeptPart, parts: Mapping[Path, PartVersion]) -> bool:
    return parts.get(Path(part.path)) == part.version


def _kept_parts(ids: Mapping[Path, int], parts: Mapping[Path, PartVersion]) -> Sequence[KeptPart]:
    return [KeptPart(number, str(path), parts[path]) for path, number in ids.items()]


def _remove_others(folder: Path, named: Collection[str]) -> None:
    for path in folder.iterdir():
        if path.name not in named and path.is_file():
            with suppress(OSError):
                path.unlink()
