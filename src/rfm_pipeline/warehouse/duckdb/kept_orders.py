"""Kept orders: the orders of each part of a source, which later runs read in place of the part.

They lie in a hidden folder beside the destination file: Parquet files, each with the orders of the parts that
one run read, and a manifest that names these files, the parts, and how they were read. A file is written
before the manifest that names it is renamed into place, and files are never changed. So the folder holds at
each moment what was read from the parts as they were, whether the run that read them published or not.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.atomic_file import replace_file
from rfm_pipeline.common.duckdb_engine import duckdb, execute_interruptibly
from rfm_pipeline.common.duckdb_quoting import paths_literal, text_literal
from rfm_pipeline.common.duckdb_types import describe_columns
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.results.statistics import PartsRead
from rfm_pipeline.warehouse.base import PartsRequest, PartVersion, Progress
from rfm_pipeline.warehouse.duckdb.errors import UNCHANGED, first_sentence, system_reason
from rfm_pipeline.warehouse.duckdb.partitioned import keeps_values

_FORMAT = 1
_MANIFEST = "manifest.json"
_MOST_FILES = 24
"""Number of files from which they are merged into one: opening one takes as long as reading 10,000 orders."""
_VIEW_NUMBERS = "part_numbers"

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


class Manifest(Struct, frozen=True):
    """What the folder holds.

    Attributes:
        format: Version of this layout.
        key: What the orders depend on beside the parts: the query, the program and the engine.
        runs: Number of runs since the last one that read all parts.
        parts: The parts whose orders are kept. Orders of other parts are left over in the files.
        files: The files with the orders.
        last_id: The highest number that a part ever had.
    """

    format: int
    key: str
    runs: int
    parts: tuple[KeptPart, ...]
    files: tuple[KeptFile, ...]
    last_id: int


class KeptOrders:
    """The folder with the orders of a destination.

    Args:
        connection: Connection that reads the source.
        folder: Path of the folder, which need not exist.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    def update(
        self,
        request: PartsRequest,
        select_of: Callable[[Mapping[Path, int]], str],
        progress: Progress | None = None,
    ) -> PartsRead:
        """Read the parts that are new or have changed, and keep their orders in place of those before.

        Args:
            request: The parts as they are now.
            select_of: Returns the SELECT of the orders of some parts, given the number of each.
            progress: Receives the completed share.

        Returns:
            What was read. All parts are read if the kept orders can't be used, and in every
            `request.check_every`-th run, which compares the orders with the kept ones.

        Raises:
            WarehouseError: If the folder can't be written.
            duckdb.Error: If the source can't be read.
        """
        before = self._load()
        why = request.full or self._why_all(before, request)
        try:
            self._prepare()
            if before is None or why is not None:
                manifest, read = self._read_all(before, request, select_of, progress)
                read = replace(read, why_all=why)
            else:
                manifest, read = self._read_changes(before, request, select_of, progress)
            self._save(manifest)
        except OSError as error:
            raise self._not_written(error.strerror or str(error)) from error
        self._create_view(manifest, request.numbers)
        return read

    def _load(self) -> Manifest | None:
        """Return the manifest; None if there is none, it is damaged, or a file that it names is."""
        try:
            manifest = msgspec.json.decode((self._folder / _MANIFEST).read_bytes(), type=Manifest)
            sizes = [(self._folder / file.name).stat().st_size for file in manifest.files]
        except (OSError, msgspec.MsgspecError):
            return None
        return manifest if sizes == [file.size for file in manifest.files] else None

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
        statement = f"COPY (\n{select}\n) TO {text_literal(str(path))} ({_OPTIONS})"
        try:
            self._check_types(select)
            execute_interruptibly(self._connection, statement, progress)
        except duckdb.IOException as error:
            if str(self._folder) not in str(error):
                raise
            raise self._not_written(system_reason(error) or first_sentence(error)) from error
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        return KeptFile(path.name, path.stat().st_size)

    def _check_types(self, select: str) -> None:
        """Raise if Parquet can't keep the values of a column."""
        for name, type_ in describe_columns(self._connection, select):
            if not keeps_values(str(type_)):
                raise WarehouseError(
                    f"Orders whose {name} has the type {type_} can't be kept for incremental runs.",
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
        old, new = self._checksums(before), self._checksums(now)
        return sum(old.get(first) != new.get(second) for first, second in pairs)

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
            f"CREATE OR REPLACE TEMP TABLE {_VIEW_NUMBERS} AS FROM (VALUES {pairs}) AS t(part, source_file);"
            "CREATE OR REPLACE TEMP VIEW part_orders AS\n"
            f"SELECT *\nFROM {self._relation(manifest)}\nJOIN {_VIEW_NUMBERS} USING (part)"
        )

    def _prepare(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def _save(self, manifest: Manifest) -> None:
        """Replace the manifest, and remove the files that it does not name."""
        replace_file(self._folder / _MANIFEST, msgspec.json.encode(manifest))
        named = {_MANIFEST, *(file.name for file in manifest.files)}
        _remove_others(self._folder, named)

    def _not_written(self, reason: str) -> WarehouseError:
        return WarehouseError(
            f"The orders for later runs can't be kept in {self._folder}: {lower_first(reason).rstrip('.')}.",
            f"check the disk's free space and the permissions, or set incremental = false; {UNCHANGED}",
        )


def _is_unchanged(part: KeptPart, parts: Mapping[Path, PartVersion]) -> bool:
    return parts.get(Path(part.path)) == part.version


def _kept_parts(ids: Mapping[Path, int], parts: Mapping[Path, PartVersion]) -> Sequence[KeptPart]:
    return [KeptPart(number, str(path), parts[path]) for path, number in ids.items()]


def _remove_others(folder: Path, named: Collection[str]) -> None:
    for path in folder.iterdir():
        if path.name not in named and path.is_file():
            with suppress(OSError):
                path.unlink()
