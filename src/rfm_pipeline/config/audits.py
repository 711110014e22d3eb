"""What is audited before a result is published: the settings of `[audits]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import msgspec

from rfm_pipeline.config.base import SettingsError, SettingsTable, field_types
from rfm_pipeline.config.window import Window, window

Level = Literal["block", "warn", "off"]
"""What comes of an audit that fails: nothing is published, or it is told. `off` is not looked at."""

# As an exclusion's: it appears in results, and reads well there.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def _between(least: float, most: float) -> Callable[[Any], object]:
    """Lets a number between two pass, and what is no number, which is told by its type."""

    def checked(value: Any) -> object:
        try:
            number = float(value)
        except (TypeError, ValueError):
            return value
        # With NaN, no comparison is true.
        if not least <= number <= most:
            raise SettingsError((), expected=f"from {least:g} to {most:g}", value=value)
        return value

    return checked


def _level(value: object) -> object:
    """A level alone stands for an audit that has nothing else."""
    return {"level": value} if isinstance(value, str) else value


def _level_or_limit(value: object) -> object:
    """A level or a limit alone stands for an audit that has both. In a variable, numbers are text too."""
    if isinstance(value, Mapping | SettingsTable):
        return value
    is_limit = not isinstance(value, str) or value.strip()[:1] in set("0123456789.+-")
    return {"limit" if is_limit else "level": value}


def _only_block(value: object) -> object:
    if value in ("warn", "off"):
        raise ValueError("a result without customers is never published: source_not_empty can only block")
    return value


class NotEmpty(SettingsTable, frozen=True):
    """An audit that always blocks: a result without customers has no as-of date to be kept under."""

    FORMS: ClassVar = {"level": _only_block}

    level: Level = "block"


class BlockingAudit(SettingsTable, frozen=True):
    """An audit that blocks unless something else is said."""

    level: Level = "block"


class WarningAudit(SettingsTable, frozen=True):
    """An audit that warns unless something else is said."""

    level: Level = "warn"


class ExcludedShare(SettingsTable, frozen=True):
    """The share of the lines that may be excluded."""

    FORMS: ClassVar = {"limit": _between(0, 1)}

    level: Level = "warn"
    limit: float = 0.5


class Dropped(SettingsTable, frozen=True):
    """The share by which a count may fall since the last run."""

    FORMS: ClassVar = {"limit": _between(0, 1)}

    level: Level = "block"
    limit: float = 0.5


class DuplicateLoad(SettingsTable, frozen=True):
    """How many times as much as in the last run has been loaded twice."""

    FORMS: ClassVar = {"limit": _between(1.1, 100)}

    level: Level = "block"
    limit: float = 1.8


class MaxAge(SettingsTable, frozen=True):
    """How old the newest order may be. Without a limit it is not looked at, and with one it blocks."""

    FORMS: ClassVar = {"limit": window}

    level: Level | None = None
    limit: Window | None = None

    def __post_init__(self) -> None:
        if self.limit is None and self.level not in (None, "off"):
            raise ValueError("`audits.max_age` needs a limit, such as '3 days'")


class SegmentShares(SettingsTable, frozen=True):
    """By how much of all customers a segment may grow or shrink since the last run."""

    FORMS: ClassVar = {"limit": _between(0, 1)}

    level: Level = "warn"
    limit: float = 0.2


class OwnAudit(SettingsTable, frozen=True):
    """A query of the user's that must find nothing: `{ query = "SELECT ...", level = "warn" }`."""

    query: str
    level: Level = "block"


def _named_queries(value: object) -> object:
    for name in value if isinstance(value, Mapping) else ():
        if not _NAME.fullmatch(name):
            raise ValueError(f"'{name}' names no audit: use lower-case letters, digits and underscores")
        if name in field_types(Audits):
            raise ValueError(f"'{name}' is an audit of the pipeline's own: choose another name")
    return value


_SHORT_FORMS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("source_not_empty", "reconciliation", "customers_unique", "scores_in_range", "segments_total"),
        _level,
    ),
    **dict.fromkeys(("bins_collapsed", "amounts_read"), _level),
    **dict.fromkeys(("excluded_share", "max_age", "rows_dropped", "customers_dropped"), _level_or_limit),
    **dict.fromkeys(("duplicate_load", "segment_shares"), _level_or_limit),
}


class Audits(SettingsTable, frozen=True):
    """Every audit, in the order in which they are made: its level, and its limit where it has one.

    Either stands for both where it stands alone: `excluded_share = "off"`, `max_age = "3 days"`.
    """

    FORMS: ClassVar = {**_SHORT_FORMS, "queries": _named_queries}

    source_not_empty: NotEmpty = NotEmpty()
    reconciliation: BlockingAudit = BlockingAudit()
    customers_unique: BlockingAudit = BlockingAudit()
    scores_in_range: BlockingAudit = BlockingAudit()
    segments_total: BlockingAudit = BlockingAudit()
    bins_collapsed: WarningAudit = WarningAudit()
    amounts_read: WarningAudit = WarningAudit()
    excluded_share: ExcludedShare = ExcludedShare()
    max_age: MaxAge = MaxAge()
    rows_dropped: Dropped = Dropped()
    customers_dropped: Dropped = Dropped()
    duplicate_load: DuplicateLoad = DuplicateLoad()
    segment_shares: SegmentShares = SegmentShares()
    queries: dict[str, str | OwnAudit] = msgspec.field(default_factory=dict)

    @property
    def own(self) -> dict[str, OwnAudit]:
        """The user's own audits by name."""
        return {
            name: audit if isinstance(audit, OwnAudit) else OwnAudit(query=audit)
            for name, audit in self.queries.items()
        }

    @property
    def levels(self) -> dict[str, Level]:
        """The level of each audit by name, the user's own behind ours."""
        ours = {name: getattr(self, name) for name in field_types(Audits) if name != "queries"}
        unsaid: Level = "off" if self.max_age.limit is None else "block"
        return {name: audit.level or unsaid for name, audit in {**ours, **self.own}.items()}

    def in_words(self) -> str:
        """How many block and how many warn, which are off, and which are the user's own."""
        levels = self.levels
        counted = ", ".join(f"{list(levels.values()).count(level)} {level}" for level in ("block", "warn"))
        off = ", ".join(name for name, level in levels.items() if level == "off")
        named = [f"off: {off}"] if off else []
        named += [f"your own: {', '.join(self.queries)}"] if self.queries else []
        return "; ".join([counted, *named])

    def to_json(self) -> list[dict[str, Any]]:
        """Each audit as plain values: its name, its level, and its limit where it has one."""
        limits = {name: getattr(getattr(self, name, None), "limit", None) for name in self.levels}
        limits["max_age"] = str(self.max_age.limit) if self.max_age.limit else None
        return [
            {"name": name, "level": level} | ({} if limits[name] is None else {"limit": limits[name]})
            for name, level in self.levels.items()
        ]


def in_full(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    """A layer of settings with each audit as a table: one layer may say its level, another its limit."""
    audits = layer.get("audits")
    if not isinstance(audits, Mapping):
        return layer
    full = {
        name: _SHORT_FORMS[name](value) if name in _SHORT_FORMS else value for name, value in audits.items()
    }
    queries = full.get("queries")
    if isinstance(queries, Mapping):
        full["queries"] = {
            name: {"query": query} if isinstance(query, str) else query for name, query in queries.items()
        }
    return {**layer, "audits": full}
