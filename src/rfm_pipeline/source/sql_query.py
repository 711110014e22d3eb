"""A .sql file of one SELECT as the source: the query is the relation that is scanned, on either engine."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from rfm_pipeline.config.source_location import SqlFile
from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.files import file_not_found_error, translate_os_errors


class SqlQuery(Struct, frozen=True):
    """A query that was found to be one SELECT.

    Attributes:
        text: The SELECT, without a semicolon at its end.
        name: Name of its file, for messages.
        files: Files that it reads with DuckDB, by the paths and patterns in it.
        patterns: These paths and patterns.
    """

    text: str
    name: str
    files: tuple[Path, ...] = ()
    patterns: tuple[str, ...] = ()

    @property
    def relation(self) -> str:
        """SQL text that can follow FROM. The line break ends a comment on the query's last line."""
        return f"(\n{self.text}\n)"


def read_sql_file(location: SqlFile) -> str:
    """Return the text of a .sql file.

    Raises:
        SourceError: If it can't be read, or is not UTF-8.
    """
    path = location.file
    with translate_os_errors(str(path)):
        if not path.exists():
            raise file_not_found_error(path)
        if path.is_dir():
            raise SourceError(f"{path} is a folder, not a file with a query.", "name the file.")
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise SourceError(f"{path} is not UTF-8 text.", "save it as UTF-8.") from None
