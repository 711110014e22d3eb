"""Kept orders: the orders of each part of a source, which later runs read in place of the part.

They lie in a hidden folder beside the destination file: Parquet files, each with the orders of the parts that
one run read, and a manifest that names these files, the parts, and how they were read. A file is written
before the manifest that names it is renamed into place, and files are never changed. So the folder holds at
each moment what was read from the parts as they were, whether the run that read them published or not.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import msgspec
from msgspec.structs import replace

from rfm_pipeline.common.atomic_file import replace_file
from rfm_pipeline.common.duckdb_engine import duckdb, execute_interruptibly
from rfm_pipeline.common.duckdb_quoting import paths_literal, text_literal
from rfm_pipeline.common.duckdb_types import describe_columns
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.common.source_parts import CustomersRequest, PartsRequest, PartVersion, TakeOver
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.results.statistics import PartsRead
from rfm_pipeline.source.base import OpenedSource
from rfm_pipeline.source.parts import relations_of_parts, source_parts
from rfm_pipeline.warehouse.base import Progress
from rfm_pipeline.warehouse.duckdb.errors import (
    UNCHANGED,
    first_sentence,
    system_reason,
    translate_duckdb_errors,
)
from rfm_pipeline.warehouse.duckdb.kept_manifest import (
    FORMAT,
    KeptCustomers,
    KeptFile,
    KeptPart,
    Manifest,
    describe_file,
)
from rfm_pipeline.warehouse.duckdb.partitioned import keeps_values

_MANIFEST = "manifest.json"
_FILE_NAME = re.compile("[0-9a-f]{16}")
_BATCHES = 16
"""Most files that a run writes. Orders of few parts, which are of a short time, are near each other in a
file, so that the engine finds those with given ids without reading all; and aggregating takes less memory.
"""
_MOST_FILES = 64
"""Number of files from which the small ones are merged: opening one takes as long as reading 10,000 rows."""
_ORDERS, _CUSTOMERS, _EXCLUDED = "part_orders", "kept_customers", "kept_excluded"
"""Names of the views of what is kept."""
_NUMBERS = "part_numbers"
"""Table with the number of each part's file among those of the source."""

# Zstd at its first level takes a tenth more CPU time to write than Snappy, and two thirds of the space.
_OPTIONS = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"


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
            return select_of(self._lines_of(ids, column))

        with self._written(reads_source=True):
            self._open_folder()
            before = self._load()
            why = request.full or self._why_all(before, request)
            if before is None or why is not None:
                manifest, read = self._read_all(before, request, select, progress)
                read = replace(read, why_all=why)
            else:
                manifest, read = self._read_changes(before, request, select, progress)
            self._manifest = manifest
            self._create_view(manifest, request.numbers)
        return read

    def why_no_parts(self) -> str | None:
        """Return why the source has no parts, as a clause; None if it is a set of files."""
        return None if source_parts(self._source) else "the source is no file, folder or pattern of files"

    def preview(self, request: PartsRequest, select_of: Callable[[str], str], column: str) -> None:
        """Return None: reading files is free."""

    def why_not_kept(self, select: str) -> str | None:
        """Return why the rows of a SELECT can't be kept, as a clause; None if they can."""
        with self._written(reads_source=True):
            columns = describe_columns(self._connection, select)
        reasons = (
            f"the {name} has the type {type_}" for name, type_ in columns if not keeps_values(str(type_))
        )
        return next(reasons, None)

    def kept_customers(self, request: CustomersRequest) -> TakeOver | None:
        """Stage the kept customers as `kept_customers`; None if there are none that can be taken over."""
        manifest = self._manifest
        assert manifest is not None  # the protocol: `update` comes first
        kept = manifest.customers
        if kept is None or kept.key != request.key or kept.take_over.last_day > request.last_day:
            return None
        if not self._are_current(kept):
            return None
        with self._written():
            for view, file in zip((_CUSTOMERS, _EXCLUDED), kept.files, strict=True):
                path = paths_literal([self._folder / file.name])
                self._connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS\nFROM read_parquet({path})")
            return replace(kept.take_over, new_ids=self._new_ids(kept.take_over))

    def keep_customers(self, key: str, last_day: date, customers: str, excluded: str) -> None:
        """Keep customers, and the excluded lines beside them, in place of those that were kept."""
        manifest = self._manifest
        assert manifest is not None  # the protocol: `update` comes first
        kept = manifest.customers
        if kept and kept.key == key and self._are_current(kept) and kept.take_over.last_day > last_day:
            # A run as of an earlier date would leave later orders for each later run to add.
            return
        with self._written():
            files = self._write(customers, None), self._write(excluded, None)
            take_over = TakeOver(manifest.last_id, last_day)
            customers_kept = KeptCustomers(key, files, len(manifest.parts), take_over)
        self._manifest = replace(manifest, customers=customers_kept)

    def save(self) -> None:
        """Replace the manifest, and remove the files that it does not name."""
        manifest = self._manifest
        assert manifest is not None  # the protocol: `update` comes first
        with self._written():
            replace_file(self._folder / _MANIFEST, msgspec.json.encode(manifest))
            named = {file.name for file in manifest.all_files}
            for path in self._folder.iterdir():
                if _FILE_NAME.fullmatch(path.name) and path.name not in named:
                    with suppress(OSError):
                        path.unlink()

    def _new_ids(self, take_over: TakeOver) -> tuple[str | int, str | int] | None:
        """Return the smallest and the largest order id of the parts that the kept customers do not have."""
        late = (f"part > {take_over.last_part}", f"order_date > DATE '{take_over.last_day.isoformat()}'")
        names = [name for name, _ in describe_columns(self._connection, f"SELECT * FROM {_ORDERS}")]
        if "order_id" not in names:
            return None
        ids = " UNION ALL ".join(f"SELECT order_id FROM {_ORDERS} WHERE {each}" for each in late)
        row = self._connection.execute(f"SELECT MIN(order_id), MAX(order_id) FROM ({ids})").fetchone()
        assert row is not None  # an aggregate always has a row
        first, last = row
        return (first, last) if isinstance(first, str | int) else None

    def _load(self) -> Manifest | None:
        """Return the manifest; None if there is none, it is damaged, or a file that it names is."""
        try:
            manifest = msgspec.json.decode((self._folder / _MANIFEST).read_bytes(), type=Manifest)
            found = tuple(describe_file(self._folder / file.name) for file in manifest.all_files)
        except (OSError, msgspec.MsgspecError):
            return None
        return manifest if found == manifest.all_files else None

    def _why_all(self, before: Manifest | None, request: PartsRequest) -> str | None:
        """Return why all parts are read, as a clause; None if those that changed are enough."""
        if before is None:
            return "no orders are kept yet"
        if (before.format, before.key) != (FORMAT, request.key):
            return "the settings, the columns, their formats, or the versions of rfm and DuckDB are others"
        if request.check_every is not None and before.runs_since_check + 1 >= request.check_every:
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
        batches = _batches(request.parts)
        files = [
            self._write(select_of({path: ids[path] for path in batch}), _share(progress, index, len(batches)))
            for index, batch in enumerate(batches)
        ]
        parts = tuple(_kept_parts(ids, request.parts))
        manifest = Manifest(FORMAT, request.key, 0, parts, tuple(files), last_id=len(ids))
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
            runs_since_check=before.runs_since_check + (request.check_every is not None),
            parts=(*unchanged, *_kept_parts(ids, request.parts)),
            files=files,
            last_id=before.last_id + len(ids),
        )
        if len(files) >= _MOST_FILES:
            manifest = replace(manifest, files=self._merged(manifest))
        return manifest, PartsRead(len(ids), len(unchanged))

    def _write(self, select: str, progress: Progress | None) -> KeptFile:
        """Write the rows of a SELECT to a new file, and flush it to the disk."""
        path = self._folder / secrets.token_hex(8)
        statement = f"COPY (\n{select}\n) TO {text_literal(str(path))} ({_OPTIONS})"
        execute_interruptibly(self._connection, statement, progress)
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        return describe_file(path)

    def _open_folder(self) -> None:
        """Create the folder, or check that it is no link; only its owner can read it.

        Raises:
            OSError: If it can't be created, or is a link or no folder.
        """
        if self._folder.is_symlink():
            raise OSError(errno.ELOOP, "it is a link")
        self._folder.mkdir(exist_ok=True)
        self._folder.chmod(0o700)

    def _lines_of(self, ids: Mapping[Path, int], column: str) -> str:
        """Return the relation of the lines of some parts, which have the types of the whole source."""
        relations = relations_of_parts(self._source, ids, column)
        whole, alone = (
            {
                name: str(type_)
                for name, type_ in describe_columns(self._connection, f"SELECT * FROM {relation}")
            }
            for relation in (self._source.relation, relations.alone)
        )
        are_equal = all(whole.get(name, type_) == type_ for name, type_ in alone.items())
        return relations.together if are_equal else relations.one_by_one

    def _are_current(self, kept: KeptCustomers) -> bool:
        """Return whether the parts whose orders kept customers have are all there, as they were."""
        assert self._manifest is not None  # the protocol: `update` comes first
        last = kept.take_over.last_part
        return last is not None and sum(part.id <= last for part in self._manifest.parts) == kept.parts

    def _merged(self, manifest: Manifest) -> tuple[KeptFile, ...]:
        """Merge the small files into one, without the orders of parts that are gone; return the files."""
        size = sum(file.size for file in manifest.files)
        small = [file for file in manifest.files if file.size * _MOST_FILES < 2 * size]
        ids = ", ".join(str(part.id) for part in manifest.parts)
        merged = self._write(f"SELECT *\nFROM {self._relation(small)}\nWHERE part IN ({ids})", None)
        return (*(file for file in manifest.files if file not in small), merged)

    def _relation(self, files: Iterable[KeptFile]) -> str:
        return f"read_parquet({paths_literal(self._folder / file.name for file in files)})"

    def _count_differences(self, before: Manifest, now: Manifest) -> int | None:
        """Count the parts that have not changed, but whose kept orders differ from those read now.

        None if all parts have changed.
        """
        versions = {part.path: part for part in now.parts}
        pairs = [
            (old.id, new.id)
            for old in before.parts
            if (new := versions.get(old.path)) and new.version == old.version
        ]
        if not pairs:
            return None
        earlier, later = self._checksums(before), self._checksums(now)
        return sum(earlier.get(old) != later.get(new) for old, new in pairs)

    def _checksums(self, manifest: Manifest) -> dict[int, tuple[int, ...]]:
        """Return an order-free checksum of the rows of each part."""
        rows = f"SELECT part, HASH(COLUMNS(* EXCLUDE (part))) FROM {self._relation(manifest.files)}"
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
            f"SELECT *\nFROM {self._relation(manifest.files)}\nJOIN {_NUMBERS} USING (part)"
        )

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
                "check the disk's free space and the permissions, remove what is in its place, or run without"
                f" incremental; {UNCHANGED}",
            ) from error


def _batches(parts: Mapping[Path, PartVersion]) -> list[list[Path]]:
    """Return the parts in batches of similar size, in their order."""
    limit = sum(version.size for version in parts.values()) / _BATCHES
    batches: list[list[Path]] = [[]]
    size = 0
    for path, version in parts.items():
        if batches[-1] and size + version.size / 2 > limit * len(batches):
            batches.append([])
        batches[-1].append(path)
        size += version.size
    return batches


def _share(progress: Progress | None, index: int, count: int) -> Progress | None:
    """Return a callback for the progress of one of several equal steps."""
    return None if progress is None else lambda done: progress((index + done) / count)


def _is_unchanged(part: KeptPart, parts: Mapping[Path, PartVersion]) -> bool:
    return parts.get(Path(part.path)) == part.version


def _kept_parts(ids: Mapping[Path, int], parts: Mapping[Path, PartVersion]) -> Sequence[KeptPart]:
    return [KeptPart(number, str(path), parts[path]) for path, number in ids.items()]
