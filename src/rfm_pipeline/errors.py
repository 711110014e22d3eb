"""Exception classes of the package; each has an exit code.

    RfmError                      exit code
    ├── UsageError                2   the command line or the configuration is invalid
    │   ├── ConfigurationError    2   rfm.toml, an RFM_* variable or a flag has an invalid value
    │   ├── SourceError           2   the source can't be found or read, or has the wrong shape
    │   │   └── ColumnError       2   a role has no column, or several
    │   ├── SegmentMapError       2   a segment map has a cell without a segment, or a rule never reached
    │   ├── ExpressionError       2   an exclusion is not one boolean expression, an audit not one query
    │   ├── DestinationError      2   the destination is an object that rfm did not create
    │   └── OtherSourceError      2   the destination has the result of another source
    ├── AuditError                3   an audit failed; nothing was published
    ├── WarehouseError            4   the engine failed, or a file can't be written
    │   └── OutputError           4   the result was published, but one of its files can't be written
    ├── LockedError               5   another process has locked the destination
    └── CostLimitError            6   the run would cost more than the configured limit

Each error has a message of one sentence (what was expected, what was found) and a hint (what to do). Exit
code 0 is success; exit code 1 is a bug: an exception of another class.
"""

from __future__ import annotations

from typing import ClassVar


class RfmError(Exception):
    """Base class of all errors that are reported to the user.

    Attributes:
        exit_code: Exit code of the command line.

    Args:
        message: One sentence: what was expected, what was found (the value, the column, the file).
        hint: What the user can do, without the word "hint"; None if there is nothing to add.
        terminal_hint: The hint with values of customers, which only a terminal shows; None if it has none.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str | None = None, *, terminal_hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.terminal_hint = terminal_hint

    def add_to_hint(self, sentence: str) -> None:
        """Append a sentence to the hint, such as another failure; a blank one changes nothing."""
        if sentence:
            self.hint = f"{self.hint} {sentence}" if self.hint else sentence
            self.terminal_hint = f"{self.terminal_hint} {sentence}" if self.terminal_hint else None


class UsageError(RfmError):
    """The command line or the configuration is invalid."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A setting has an invalid value."""


class SourceError(UsageError):
    """The source can't be found or read, or has the wrong shape."""


class ColumnError(SourceError):
    """A role has no column in the source, or more than one candidate."""


class SegmentMapError(UsageError):
    """A segment map has score cells without a segment, or a rule that is never reached."""


class ExpressionError(UsageError):
    """SQL of the user is invalid: an exclusion is not one boolean expression, or an audit not one query."""


class DestinationError(UsageError):
    """The destination is an object that rfm did not create and must not replace."""


class OtherSourceError(UsageError):
    """The destination has the result of another source, which must not be replaced by accident."""


class AuditError(RfmError):
    """An audit of the staged result failed; nothing was published.

    Args:
        message: As for `RfmError`.
        hint: As for `RfmError`.
        terminal_hint: As for `RfmError`.
        audits: Names of the failed audits.
    """

    exit_code = 3

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        terminal_hint: str | None = None,
        audits: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint, terminal_hint=terminal_hint)
        self.audits = audits


class WarehouseError(RfmError):
    """The engine failed, or the destination can't be written."""

    exit_code = 4


class OutputError(WarehouseError):
    """The result was published, but one of its files can't be written."""


class LockedError(RfmError):
    """Another process has locked the destination."""

    exit_code = 5


class CostLimitError(RfmError):
    """The run would cost more than the configured limit."""

    exit_code = 6
