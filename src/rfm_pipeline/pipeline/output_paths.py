"""Refusal of outputs that would replace a file of the user's: a source, a result, a configuration, a secret.

Paths are compared by the files that they lead to, before anything is opened or written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

from rfm_pipeline.common.file_identity import file_key, is_same_file
from rfm_pipeline.config.destination_location import (
    DEFAULT_TABLE,
    BigQueryDestinationLocation,
    DestinationLocation,
    DuckDBDestinationLocation,
    ParquetDestinationLocation,
)
from rfm_pipeline.config.loader import CONFIG_FILE, Configuration
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.source_location import (
    BigQueryTable,
    DuckDBTable,
    FileLocation,
    SourceLocation,
    SqlFile,
    parse_source,
)
from rfm_pipeline.errors import ConfigurationError, SourceError, UsageError
from rfm_pipeline.results.tables import LAYOUTS
from rfm_pipeline.source.file_suffix import format_by_suffix
from rfm_pipeline.source.files import reads_file
from rfm_pipeline.source.sql_query import SqlQuery

Output = tuple[str, Path]
"""What an output is, such as `output` or `report`, and its path."""

_ELSEWHERE = "write it somewhere else."
_CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"


def refuse_overwriting(
    outputs: Sequence[Output], configuration: Configuration, *, writes_configuration: bool = False
) -> None:
    """Raise if an output is a file that the configuration names, or would be read as part of the source.

    Args:
        outputs: The files that a command writes.
        configuration: All layers of settings.
        writes_configuration: Whether the command writes the configuration file itself.

    Raises:
        ConfigurationError: If an output is the source, the contacts, the destination or a file beside it, the
            configuration, a file with a secret, or another output.
    """
    if not outputs:
        return
    settings = configuration.settings
    files = [
        *_inputs(configuration, writes_configuration=writes_configuration),
        *_destination_files(settings.to),
    ]
    refuse_same_files(outputs, files)
    for what, path in outputs:
        _refuse_folder_of_destination(what, path, settings.to)
        _refuse_part_of_source(what, path, settings.source)
        contacts = _contacts(settings)
        if isinstance(contacts, FileLocation) and reads_file(contacts.text, path):
            raise ConfigurationError(f"The {what} {path} is among the contacts.", _ELSEWHERE)


def refuse_recorded_sources(outputs: Sequence[Output], sources: Iterable[str | None]) -> None:
    """Raise if an output is a file that a run on record read, or would be part of such a source.

    Args:
        outputs: The files that a command writes.
        sources: The sources of runs as the user typed them; None for data frames.

    Raises:
        ConfigurationError: If it is.
    """
    for text in dict.fromkeys(filter(None, sources)):
        location = None
        with suppress(UsageError):
            location = parse_source(text)
        for what, path in outputs:
            # A folder is searched for files of known formats only.
            is_read = not os.path.isdir(text) or format_by_suffix(path.name) is not None  # noqa: PTH112
            with suppress(SourceError):
                if is_read:
                    _refuse_part_of_source(what, path, location)


def refuse_same_files(outputs: Sequence[Output], files: Sequence[Output]) -> None:
    """Raise if an output leads to one of some files, or to the file of another output.

    Raises:
        ConfigurationError: If it does.
    """
    keys = {file_key(path): (what, path) for what, path in reversed(files)}
    for what, path in outputs:
        key = file_key(path)
        if key in keys:
            other, existing = keys[key]
            named = "" if path.absolute() == existing.absolute() else f", {existing}"
            raise ConfigurationError(f"The {what} {path} is {other}{named}.", _ELSEWHERE)
        keys[key] = (f"the same file as the {what}", path)


def refuse_files_of_query(outputs: Sequence[Output], query: SqlQuery) -> None:
    """Raise if a query reads an output, or would read it the next time.

    Raises:
        ConfigurationError: If it does.
    """
    for what, path in outputs:
        if any(reads_file(pattern, path) for pattern in query.patterns):
            raise ConfigurationError(f"The {what} {path} would be read by {query.name}.", _ELSEWHERE)


def refuse_destination(configuration: Configuration) -> None:
    """Raise if the destination is a file or a table that the run reads.

    Raises:
        ConfigurationError: If it is.
    """
    settings = configuration.settings
    to, source = settings.to, settings.source
    if _is_table_of(source, to):
        raise ConfigurationError(
            f"The source {source} is a table of the destination, which a run replaces.",
            "name the table of the orders, or choose another table with --to.",
        )
    if isinstance(to, ParquetDestinationLocation):
        _refuse_parquet_files(to, configuration)
    if not isinstance(to, DuckDBDestinationLocation):
        return
    read = [] if isinstance(source, DuckDBTable) else _inputs(configuration)
    refuse_same_files([("destination", to.file)], list(read))
    is_skipped = isinstance(source, FileLocation) and os.path.isdir(source.text)  # noqa: PTH112 - raises nothing
    if not is_skipped or format_by_suffix(to.file.name) is not None:
        _refuse_part_of_source("destination", to.file, source)


def _inputs(configuration: Configuration, *, writes_configuration: bool = False) -> Iterator[Output]:
    """Yield the files that a command reads, other than those of a folder or a pattern."""
    settings = configuration.settings
    if not writes_configuration:
        yield "the configuration file", configuration.origin
        yield "the configuration file", Path(CONFIG_FILE)
    for what, location in (("the source itself", settings.source), ("the contacts", _contacts(settings))):
        if isinstance(location, SqlFile | DuckDBTable):
            yield what, location.file
        if isinstance(location, DuckDBTable):
            yield f"the write-ahead log of {what.removesuffix(' itself')}", Path(f"{location.file}.wal")
    if credentials := os.environ.get(_CREDENTIALS):
        yield f"the file that {_CREDENTIALS} names", Path(credentials)
    if settings.notify.webhook and settings.notify.webhook.file:
        yield "the file of the webhook URL", settings.notify.webhook.file


def _destination_files(to: DestinationLocation) -> Iterator[Output]:
    """Yield the files of the destination."""
    if isinstance(to, BigQueryDestinationLocation):
        return
    from rfm_pipeline.warehouse.duckdb.siblings import kept_results, lease_path, orders_folder

    file = Path(os.path.realpath(to.file))
    table = to.table if isinstance(to, DuckDBDestinationLocation) else DEFAULT_TABLE
    yield "the destination itself", to.file
    if isinstance(to, DuckDBDestinationLocation):
        yield "the write-ahead log of the destination", Path(f"{file}.wal")
    else:
        yield from _parquet_files(to)
    yield "the lease of the destination", lease_path(file, table)
    for kept in kept_results(file, table):
        yield "a rejected result that was kept", kept
    with suppress(OSError):
        for kept in orders_folder(file, table).iterdir():
            yield "a file of the orders that incremental runs keep", kept


def _parquet_files(to: ParquetDestinationLocation) -> Iterator[Output]:
    """Yield the files beside that of the current result."""
    from rfm_pipeline.warehouse.parquet.files import PublishedFiles

    files = PublishedFiles(to.file)
    yield "the file of the destination's runs", files.runs
    # Of a date that no run publishes: the next run publishes another date.
    for path in (files.history / f"{date.min}.parquet", *files.dated().values()):
        yield "a file of the destination's history", path


def _refuse_parquet_files(to: ParquetDestinationLocation, configuration: Configuration) -> None:
    """Raise if a run would read a file of a Parquet destination, or one that it will publish.

    Raises:
        ConfigurationError: If it would.
    """
    source = configuration.settings.source
    inputs = [] if isinstance(source, DuckDBTable) else list(_inputs(configuration))
    refuse_same_files([("destination", to.file)], inputs)
    files = [to.file, *(file for _, file in _parquet_files(to))]
    if isinstance(source, FileLocation) and os.path.isdir(source.text):  # noqa: PTH112 - raises nothing
        # Each folder of the destination is searched for as a whole.
        files = list({file.parent: file for file in files}.values())
    for file in files:
        _refuse_part_of_source("destination", file, source)


def _refuse_folder_of_destination(what: str, path: Path, to: DestinationLocation) -> None:
    """Raise if an output is in a folder whose files all are of a Parquet destination."""
    if not isinstance(to, ParquetDestinationLocation):
        return
    folders = {file_key(file.parent) for _, file in _parquet_files(to)}
    if file_key(path.absolute().parent) in folders:
        raise ConfigurationError(f"The {what} {path} is in a folder of the destination {to}.", _ELSEWHERE)


def _contacts(settings: Settings) -> SourceLocation | None:
    """Return the contacts of exports; None if there are none, or their location is not valid."""
    with suppress(UsageError):
        return parse_source(settings.export.contacts) if settings.export.contacts else None
    return None


def _refuse_part_of_source(what: str, path: Path, source: SourceLocation | None) -> None:
    if not isinstance(source, FileLocation) or not reads_file(source.text, path):
        return
    if os.path.isdir(source.text) or not is_same_file(source.text, path):  # noqa: PTH112 - raises nothing
        raise ConfigurationError(f"The {what} {path} would be part of the source {source}.", _ELSEWHERE)
    raise ConfigurationError(f"The {what} {path} is the source itself.", _ELSEWHERE)


def _is_table_of(source: SourceLocation | None, to: DestinationLocation) -> bool:
    """Return whether the source is one of the tables that the destination consists of."""
    if isinstance(to, ParquetDestinationLocation):
        return False
    engine = "duckdb" if isinstance(to, DuckDBDestinationLocation) else "bigquery"
    suffixes = LAYOUTS[engine].suffixes.values()
    names = {f"{to.table}{suffix}".casefold() for suffix in suffixes}
    if isinstance(source, DuckDBTable) and isinstance(to, DuckDBDestinationLocation):
        table = (source.table or "").replace('"', "").casefold().removeprefix("main.")
        return table in names and is_same_file(source.file, to.file)
    if isinstance(source, BigQueryTable) and isinstance(to, BigQueryDestinationLocation):
        is_same_dataset = (source.project, source.dataset) == (to.project, to.dataset)
        return is_same_dataset and source.table.casefold() in names
    return False
