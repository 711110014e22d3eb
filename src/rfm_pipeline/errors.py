"""Everything that can go wrong, as one tree.

    RfmError                      exit code
    ├── UsageError                2   the command line or the configuration is wrong
    │   ├── ConfigurationError    2   rfm.toml, an RFM_* variable or a flag has a wrong value
    │   ├── SourceError           2   the source can't be found or read, or has the wrong shape
    │   │   └── ColumnError       2   a role has no column, or several
    │   ├── SegmentMapError       2   a segment map has a hole or a rule that nothing reaches
    │   ├── ExpressionError       2   an exclusion is not one boolean expression, an audit not one query
    │   └── DestinationError      2   the destination names something that we must not replace
    ├── AuditError                3   an audit failed: nothing was published
    ├── WarehouseError            4   the engine failed, or the destination can't be written
    ├── LockedError               5   somebody else holds the destination
    └── CostLimitError            6   the run would cost more than the configured limit

Each carries one sentence that says what was expected and what was found, and a hint that says what to do.
Exit code 0 is success and 1 a bug of ours: any exception outside this tree.
"""

from __future__ import annotations

from typing import ClassVar


class RfmError(Exception):
    """The root of the tree.

    Args:
        message: One sentence: what was expected, what was found (the value, the column, the file).
        hint: What to do about it, without the word "hint". None where there is nothing to add.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(RfmError):
    """The command line or the configuration asks for something that can't be done."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A setting has a value that it can't have."""


class SourceError(UsageError):
    """The source can't be found or read, or is not a table of transaction lines."""


class ColumnError(SourceError):
    """A role has no column in the source, or more than one candidate."""


class SegmentMapError(UsageError):
    """A segment map leaves score cells without a segment, or has a rule that nothing reaches."""


class ExpressionError(UsageError):
    """A user's SQL can't be used: an exclusion that is no condition of a line, an audit that is no query."""


class DestinationError(UsageError):
    """The destination names something that is not ours to replace."""


class AuditError(RfmError):
    """An audit of the staged result failed, and nothing was published."""

    exit_code = 3


class WarehouseError(RfmError):
    """The engine failed, or the destination can't be written."""

    exit_code = 4


class LockedError(RfmError):
    """Another process holds the destination."""

    exit_code = 5


class CostLimitError(RfmError):
    """The run would cost more than the configured limit."""

    exit_code = 6
