"""The files of a source as its relation numbers them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from rfm_pipeline.common.formatting import format_count

_NAMED_FILES = 3


class SourceFiles(Struct, frozen=True):
    """The numbered files of a source of more than one file.

    Attributes:
        column: Column of the relation with the number of each row's file, from 1; it is not in the schema.
        names: Name of each file in messages, in the order of their numbers, which is that of their names.
        equal_to: Files whose content is that of a file before: the number of that file by their own.
    """

    column: str
    names: tuple[str, ...]
    equal_to: Mapping[int, int] = field(default_factory=dict)

    @property
    def duplicates(self) -> tuple[int, ...]:
        """Numbers of the files whose content is that of a file before."""
        return tuple(sorted(self.equal_to))

    @property
    def distinct(self) -> int:
        """Number of files of different content."""
        return len(self.names) - len(self.equal_to)

    def duplicate_notes(self, outcome: str) -> tuple[str, ...]:
        """Return the note on files of equal content; no note if there are none.

        Args:
            outcome: What happens to these files, such as `excluded as duplicate_file`.
        """
        if not self.equal_to:
            return ()
        pairs = [
            f"{self.names[copy - 1]} equals {self.names[self.equal_to[copy] - 1]}" for copy in self.duplicates
        ]
        more = f" and {len(pairs) - _NAMED_FILES} more" if pairs[_NAMED_FILES:] else ""
        return (f"{format_count(len(pairs), 'file')} {outcome}: {', '.join(pairs[:_NAMED_FILES])}{more}",)
