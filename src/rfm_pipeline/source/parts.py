"""The parts of a source of files: each file with what tells whether it is read as it was before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.source.base import UNION_BY_NAME, FileRead, OpenedSource
from rfm_pipeline.source.duplicates import numbered_relation


class SourcePart(Struct, frozen=True):
    """A file of a source.

    Attributes:
        path: Absolute path of the file.
        reading: Hash (16 hex digits) of the call that reads it, without the path: the table function, the
            separators, and the names of its columns. Whether other files are read with it does not count.
    """

    path: Path
    reading: str


def source_parts(source: OpenedSource) -> tuple[SourcePart, ...]:
    """Return the parts of an opened source, in the order of its files; none if it is no set of files."""
    readings = dict[Path, str]()
    for read in source.reads:
        readings |= dict.fromkeys((file.path for file in read.files), _reading(read))
    if readings.keys() != set(source.files):
        return ()
    return tuple(SourcePart(path.absolute(), readings[path]) for path in source.files)


class PartRelations(Struct, frozen=True):
    """The rows of some parts, as SQL text that can follow FROM.

    Attributes:
        alone: Read together, with the common types of these parts.
        together: Read together, and then cast to the types of the whole source: exact if the types of `alone`
            are these types already.
        one_by_one: Each part is cast to the types of the whole source on its own.
    """

    alone: str
    together: str
    one_by_one: str


def relations_of_parts(source: OpenedSource, ids: Mapping[Path, int], column: str) -> PartRelations:
    """Return the rows of some parts.

    Args:
        source: The opened source.
        ids: Id of each part, by its absolute path.
        column: Name of the column with the id of each row's part.
    """
    names = {field.path[0].casefold() for field in source.schema}
    reads = [selected for read in source.reads if (selected := _only(read, ids)) is not None]
    single = [
        replace(read, paths=(path,), files=(file,))
        for read in reads
        for path, file in zip(read.paths, read.files, strict=True)
    ]
    numbers = {file: ids[file.path.absolute()] for read in reads for file in read.files}
    together, one_by_one = (numbered_relation(each, numbers, names, column) for each in (reads, single))
    typed = f"SELECT * FROM {source.relation} WHERE FALSE UNION ALL BY NAME "
    return PartRelations(
        together, f"({typed}SELECT * FROM {together})", f"({typed}{one_by_one.removeprefix('(')}"
    )


def _only(read: FileRead, ids: Mapping[Path, int]) -> FileRead | None:
    """Return a read of those of its files that have an id; None if none has."""
    pairs = [
        (path, file) for path, file in zip(read.paths, read.files, strict=True) if file.path.absolute() in ids
    ]
    if not pairs:
        return None
    paths: Sequence[Path]
    paths, files = zip(*pairs, strict=True)
    return replace(read, paths=tuple(paths), files=tuple(files))


def _reading(read: FileRead) -> str:
    # The argument is there if several files are read, and changes no row of a file that has the columns and
    # types of the whole source, which kept orders depend on.
    arguments = [argument for argument in read.arguments if argument != UNION_BY_NAME]
    call = "\n".join((read.function, *arguments))
    return hashlib.sha256(call.encode()).hexdigest()[:16]
