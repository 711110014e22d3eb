"""Settings of `[audits]`: the level and the limit of each audit of a staged result."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import msgspec

from rfm_pipeline.config.base import SettingsError, SettingsTable, field_types
from rfm_pipeline.config.window import Window, parse_window

Level = Literal["block", "warn", "off"]
"""Effect of an audit that fails: `block` prevents the publish, `warn` reports it; `off` skips the audit."""

# An identifier, as for names of exclusions: it appears in results and JSON.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def _between(low: float, high: float) -> Callable[[Any], object]:
    """Return a parser that rejects numbers outside a range; other values are left to the type check."""

    def check(value: Any) -> object:
        try:
            number = float(value)
        except (TypeError, ValueError):
            return value
        # The negated comparison also rejects NaN.
        if not low <= number <= high:
            raise SettingsError((), expected=f"from {low:g} to {high:g}", value=value)
        return value

    return check


def _level(value: object) -> object:
    """Parse the short form of an audit that has only a level."""
    return {"level": value} if isinstance(value, str) else value


def _level_or_limit(value: object) -> object:
    """Parse the short form of an audit: its level or its limit, which may be text in a variable."""
    if isinstance(value, Mapping | SettingsTable):
        return value
    is_limit = not isinstance(value, str) or value.strip()[:1] in set("0123456789.+-")
    return {"limit" if is_limit else "level": value}


def _only_block(value: object) -> object:
    if value in ("warn", "off"):
        raise ValueError(
            "the audit source_not_empty can only be 'block': a result without customers is never published"
        )
    return value


class SourceNotEmptyAudit(SettingsTable, frozen=True):
    """Audit that always blocks, because a result without customers has no as-of date."""

    PARSERS: ClassVar = {"level": _only_block}

    level: Level = "block"


class BlockingAudit(SettingsTable, frozen=True):
    """Audit without a limit that blocks by default."""

    level: Level = "block"


class WarningAudit(SettingsTable, frozen=True):
    """Audit without a limit that warns by default."""

    level: Level = "warn"


class ExcludedShareAudit(SettingsTable, frozen=True):
    """Audit of the excluded share of the sales; `limit` is the share above which it warns."""

    PARSERS: ClassVar = {"limit": _between(0, 1)}

    level: Level = "warn"
    limit: float = 0.3


class MostlyExcludedAudit(SettingsTable, frozen=True):
    """Audit of the excluded share of the sales; `limit` is the share above which nothing is published."""

    PARSERS: ClassVar = {"limit": _between(0, 1)}

    level: Level = "block"
    limit: float = 0.9


class DuplicateOrdersAudit(SettingsTable, frozen=True):
    """Audit of the lines of orders that are also in another file; `limit` is their maximum share."""

    PARSERS: ClassVar = {"limit": _between(0, 1)}

    level: Level = "block"
    limit: float = 0.5


class LargestCustomerAudit(SettingsTable, frozen=True):
    """Audit of the customer with the most orders; `limit` is the share of all orders above which it warns."""

    PARSERS: ClassVar = {"limit": _between(0, 1)}

    level: Level = "warn"
    limit: float = 0.1


class DropAudit(SettingsTable, frozen=True):
    """Audit of a count; `limit` is the maximum drop since the last run, as a share of the earlier count."""

    PARSERS: ClassVar = {"limit": _between(0, 1)}

    level: Level = "block"
    limit: float = 0.5


class DuplicateLoadAudit(SettingsTable, frozen=True):
    """Audit for data that was loaded twice; `limit` is the factor to the last run from which it fails."""

    PARSERS: ClassVar = {"limit": _between(1.1, 100)}

    level: Level = "block"
    limit: float = 1.8


class MaxAgeAudit(SettingsTable, frozen=True):
    """Audit of the newest order's age; `limit` is the maximum. Without a limit, it is off by default."""

    PARSERS: ClassVar = {"limit": parse_window}

    level: Level | None = None
    limit: Window | None = None

    def __post_init__(self) -> None:
        if self.limit is None and self.level not in (None, "off"):
            raise ValueError("`audits.max_age` needs a limit, such as '3 days'")


class SegmentSharesAudit(SettingsTable, frozen=True):
    """Audit of each segment's share of customers; `limit` is the maximum change since the last run."""

    PARSERS: ClassVar = {"limit": _between(0, 1)}

    level: Level = "warn"
    limit: float = 0.2


class CustomAudit(SettingsTable, frozen=True):
    """User-defined audit, a query that must return no rows: `{ query = "SELECT ...", level = "warn" }`."""

    query: str
    level: Level = "block"


def _named_queries(value: object) -> object:
    for name in value if isinstance(value, Mapping) else ():
        if not _NAME.fullmatch(name):
            raise ValueError(f"'{name}' can't name an audit: use lower-case letters, digits and underscores")
        if name in field_types(Audits):
            raise ValueError(f"'{name}' is the name of a built-in audit: choose another name")
    return value


_SHORT_FORMS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("source_not_empty", "reconciliation", "customers_unique", "scores_in_range", "segments_total"),
        _level,
    ),
    **dict.fromkeys(("bins_collapsed", "dates_read", "amounts_read"), _level),
    **dict.fromkeys(("excluded_share", "mostly_excluded", "duplicate_orders", "max_age"), _level_or_limit),
    "largest_customer": _level_or_limit,
    **dict.fromkeys(("rows_dropped", "customers_dropped"), _level_or_limit),
    **dict.fromkeys(("duplicate_load", "segment_shares"), _level_or_limit),
}


class Audits(SettingsTable, frozen=True):
    """All audits, in the order in which they run, each with its level and, where it has one, its limit.

    The short form of an audit is its level or its limit alone: `excluded_share = "off"`, `max_age = "3
        days"`.
    """

    PARSERS: ClassVar = {**_SHORT_FORMS, "queries": _named_queries}

    source_not_empty: SourceNotEmptyAudit = SourceNotEmptyAudit()
    reconciliation: BlockingAudit = BlockingAudit()
    customers_unique: BlockingAudit = BlockingAudit()
    scores_in_range: BlockingAudit = BlockingAudit()
    segments_total: BlockingAudit = BlockingAudit()
    bins_collapsed: WarningAudit = WarningAudit()
    dates_read: WarningAudit = WarningAudit()
    amounts_read: WarningAudit = WarningAudit()
    excluded_share: ExcludedShareAudit = ExcludedShareAudit()
    mostly_excluded: MostlyExcludedAudit = MostlyExcludedAudit()
    duplicate_orders: DuplicateOrdersAudit = DuplicateOrdersAudit()
    largest_customer: LargestCustomerAudit = LargestCustomerAudit()
    max_age: MaxAgeAudit = MaxAgeAudit()
    rows_dropped: DropAudit = DropAudit()
    customers_dropped: DropAudit = DropAudit()
    duplicate_load: DuplicateLoadAudit = DuplicateLoadAudit()
    segment_shares: SegmentSharesAudit = SegmentSharesAudit()
    queries: dict[str, str | CustomAudit] = msgspec.field(default_factory=dict)

    @property
    def custom(self) -> dict[str, CustomAudit]:
        """Audits defined by the user, by name."""
        return {
            name: audit if isinstance(audit, CustomAudit) else CustomAudit(query=audit)
            for name, audit in self.queries.items()
        }

    @property
    def levels(self) -> dict[str, Level]:
        """Level of each audit by name: first the built-in audits, then those of the user."""
        builtin = {name: getattr(self, name) for name in field_types(Audits) if name != "queries"}
        max_age_default: Level = "off" if self.max_age.limit is None else "block"
        return {name: audit.level or max_age_default for name, audit in {**builtin, **self.custom}.items()}

    def summary(self) -> str:
        """Return the numbers of blocking and warning audits, and the names of those off and user-defined."""
        levels = self.levels
        counts = ", ".join(f"{list(levels.values()).count(level)} {level}" for level in ("block", "warn"))
        off = ", ".join(name for name, level in levels.items() if level == "off")
        names = [f"off: {off}"] if off else []
        names += [f"your own: {', '.join(self.queries)}"] if self.queries else []
        return "; ".join([counts, *names])

    def to_json(self) -> list[dict[str, Any]]:
        """Return name, level and, where there is one, limit of each audit, as JSON values."""
        limits = {name: getattr(getattr(self, name, None), "limit", None) for name in self.levels}
        limits["max_age"] = str(self.max_age.limit) if self.max_age.limit else None
        return [
            {"name": name, "level": level} | ({} if limits[name] is None else {"limit": limits[name]})
            for name, level in self.levels.items()
        ]


def expand_short_forms(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a layer with each audit as a table, so that layers can set level and limit separately."""
    audits = layer.get("audits")
    if not isinstance(audits, Mapping):
        return layer
    expanded = {
        name: _SHORT_FORMS[name](value) if name in _SHORT_FORMS else value for name, value in audits.items()
    }
    queries = expanded.get("queries")
    if isinstance(queries, Mapping):
        expanded["queries"] = {
            name: {"query": query} if isinstance(query, str) else query for name, query in queries.items()
        }
    return {**layer, "audits": expanded}
