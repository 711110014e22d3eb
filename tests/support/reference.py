"""A reference implementation of the pipeline in plain Python: slow, simple, and without code of the package.

Tests compare both engines with it, so that a mistake goes unnoticed only if it is made three times. Settings
have the shape of `rfm.toml`, with every role under `columns`, and with `segments` in full.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from support.written_numbers import written_number

Row = dict[str, Any]

NO_AMOUNT = {
    "no_positive_order", "non_positive_amount", "non_positive_price", "non_positive_quantity",
}  # fmt: skip
BILLIONTH = Decimal("0.000000001")
ISO_DATE = re.compile(
    r"([12]\d{3}-\d{2}-\d{2})"
    r"([T ](?P<clock>([01]\d|2[0-3]):[0-5]\d)(:[0-5]\d(\.\d{1,9})?)?"
    r"(Z| UTC| ?(?P<offset>[+-](\d{2})(:?[0-5]\d)?))?)?",
    re.ASCII,
)
LOOSE_ISO_DATE = re.compile(r"([12]\d{3})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
AMBIGUOUS_DATE = re.compile(r"\s*(0?[1-9]|1[0-2])[/.-](0?[1-9]|1[0-2])[/.-](\d{4}|\d{2})\b", re.ASCII)


@dataclass(frozen=True)
class Line:
    """A line of the source with typed values; None is a missing or unreadable value."""

    customer: str | None
    order: Any
    day: date | None
    amount: Decimal | None
    reason: str | None
    late_reason: str | None
    refund: Decimal | None = Decimal(0)
    """What is not yet subtracted from the amount; only where the amount is an order's total."""
    count: int = 1
    """Number of lines of the source; several where the amount is an order's total."""


@dataclass(frozen=True)
class Customer:
    """A customer, with totals over the kept lines."""

    id: str
    first: date
    last: date
    frequency: int
    monetary: Decimal
    days: frozenset[date]
    """Days of the orders: of each, the last one."""

    def median_gap(self) -> Fraction | None:
        """Return the median of the days between the days with an order; None with one day."""
        gaps = [Fraction((later - earlier).days) for earlier, later in pairwise(sorted(self.days))]
        return median(gaps) if gaps else None

    def gap(self, as_of: date) -> Fraction | None:
        """Return the days since the last order over the median gap; None with one day."""
        usual = self.median_gap()
        return None if usual is None else (as_of - self.last).days / usual


@dataclass(frozen=True)
class Expected:
    """The result that is expected of the pipeline."""

    segments: list[Row]
    excluded: dict[str, tuple[int, Decimal | None]]
    edges: dict[str, list[Decimal]]
    """Recomputed edges by dimension, from the worst score up: the highest values of days, orders and money
    between two scores."""
    customers_rescored: list[str]
    """Ids of the customers whose scores would differ by the recomputed edges."""
    unscored: int
    """Number of customers without an order of a positive amount."""


def expected(
    columns: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    today: date,
    frozen: Mapping[str, Sequence[Any]] | None = None,
) -> Expected:
    """Return the expected result; customers are scored by frozen edges where `frozen` has any."""
    with localcontext(prec=60):
        reader = _Reader(columns, settings, today)
        lines = [reader.line(number, row) for number, row in enumerate(rows)]
        if settings.get("amount_of") == "order":
            lines = _order_totals(lines, settings)
        as_of = settings.get("as_of", "latest")
        if as_of == "latest":
            newest = [
                customer.last for customer in _customers([line for line in lines if _kept(line)], settings)
            ]
            as_of = max(newest, default=None)
        if settings.get("window") and as_of is not None:
            before = window_start(as_of, settings["window"])
            lines = [_laid(line, before) for line in lines]
        lines = [replace(line, reason=line.reason or line.late_reason) for line in lines]
        kept = [line for line in lines if line.reason is None]
        customers = _customers(kept, settings)
        buyers = {customer.id for customer in customers}
        lines = [
            line if line.reason or line.customer in buyers else replace(line, reason="no_positive_order")
            for line in lines
        ]
        scoring = [_dimension(settings, name) for name in ("recency", "frequency", "monetary")]
        fresh = _segments(customers, as_of, scoring, settings["segments"])
        given = frozen or {}
        scoring = [
            {**dimension, "method": "fixed", "edges": given[dimension["name"]]}
            if dimension["name"] in given
            else dimension
            for dimension in scoring
        ]
        segments, _ = _segments(customers, as_of, scoring, settings["segments"])
        names = ("r_score", "f_score", "m_score")
        moved = [
            row["customer_id"]
            for row, other in zip(segments, fresh[0], strict=True)
            if any(row[name] != other[name] for name in names)
        ]
        unscored = {line.customer for line in lines if line.reason in NO_AMOUNT} - buyers
        return Expected(segments, _excluded(lines), fresh[1], moved, len(unscored))


class _Reader:
    """Parse lines, and find the first reason to exclude each."""

    def __init__(self, columns: Mapping[str, str], settings: Mapping[str, Any], today: date) -> None:
        self.columns = columns
        self.settings = settings
        self.roles = {role: name for role, name in settings["columns"].items() if name != "none"}
        self.today = today

    def line(self, number: int, row: Mapping[str, Any]) -> Line:
        roles = self.roles
        customer = self._id(row, roles["customer_id"])
        if customer and self.columns[roles["customer_id"]] == "STRING":
            customer = _customer(customer)
        # Without order ids, each line is an order.
        order = self._id(row, roles["order_id"]) if "order_id" in roles else number
        day = self._day(row)
        quantity = self._number(row, roles.get("quantity"), (12, 3))
        price = self._number(row, roles.get("unit_price"), (18, 6))
        amount = self._number(row, roles.get("amount"), (30, 9))
        if "amount" not in roles and quantity is not None and price is not None:
            amount = quantity * price
        if "discount" in roles and not self._is_blank(row, roles["discount"]):
            share = self._number(row, roles["discount"], (10, 6))
            is_share = share is not None and 0 <= share <= 1
            if amount is not None and share is not None and is_share:
                amount = (amount * (1 - share)).quantize(BILLIONTH, ROUND_HALF_UP)
            else:
                amount = None
        refund: Decimal | None = Decimal(0)
        if "refund" in roles and not self._is_blank(row, roles["refund"]):
            refund = self._number(row, roles["refund"], (30, 9))
        net = None if amount is None or refund is None else amount - refund
        early = self._early(row, customer, order, day, net)
        if self.settings.get("amount_of") == "order":
            late = self._late(row, quantity, price, amount)
            return Line(customer, order, day, amount, early, late, refund)
        return Line(customer, order, day, net, early, self._late(row, quantity, price, net))

    def _early(
        self,
        row: Mapping[str, Any],
        customer: str | None,
        order: Any,
        day: date | None,
        amount: Decimal | None,
    ) -> str | None:
        skipped = self._condition("skip", row)
        if skipped:
            return skipped
        if customer is None:
            return "missing_customer"
        if order is None:
            return "missing_order"
        if day is None:
            return "ambiguous_date" if self._is_ambiguous(row) else "invalid_date"
        if amount is None:
            return "invalid_amount"
        as_of = self.settings.get("as_of", "latest")
        if day > (self.today if as_of == "latest" else as_of):
            return "future_dated"
        since = self.settings.get("since")
        return "outside_window" if since and day < since else None

    def _late(
        self, row: Mapping[str, Any], quantity: Decimal | None, price: Decimal | None, amount: Decimal | None
    ) -> str | None:
        excluded = self._condition("exclude", row)
        if excluded or self.settings.get("returns", "exclude") == "net":
            return excluded
        if "amount" not in self.roles:
            if quantity is not None and quantity <= 0:
                return "non_positive_quantity"
            if price is not None and price <= 0:
                return "non_positive_price"
        return "non_positive_amount" if amount is not None and amount <= 0 else None

    def _condition(self, kind: str, row: Mapping[str, Any]) -> str | None:
        for reason, test in self.settings.get(kind, {}).items():
            value = row.get(test["column"])
            if "blank" in test:
                holds = self._is_blank(row, test["column"]) == test["blank"]
            elif "equals" in test:
                holds = value in test["equals"]
            else:
                holds = value not in test["not_equals"]
            if holds:
                return str(reason)
        return None

    def _is_blank(self, row: Mapping[str, Any], column: str) -> bool:
        value = row.get(column)
        return value is None or (isinstance(value, str) and not value.strip())

    def _id(self, row: Mapping[str, Any], column: str) -> str | None:
        value = row.get(column)
        if self._is_blank(row, column) or (isinstance(value, float) and not math.isfinite(value)):
            return None
        if isinstance(value, float) and value == int(value):
            return str(int(value))
        return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value).strip()

    def _day(self, row: Mapping[str, Any]) -> date | None:
        value = row.get(self.roles["ordered_at"])
        zone = ZoneInfo(self.settings.get("timezone", "UTC"))
        if isinstance(value, datetime):
            return (value.astimezone(zone) if value.tzinfo else value).date()
        if value is None or isinstance(value, date):
            return value
        text = str(value).strip()
        formats = self.settings.get("date_format", ["iso"])
        for written in [formats] if isinstance(formats, str) else formats:
            day = _iso_day(text, zone) if written == "iso" else _day_in_format(text, written)
            if day is not None:
                return day
        return None

    def _is_ambiguous(self, row: Mapping[str, Any]) -> bool:
        value = row.get(self.roles["ordered_at"])
        only_iso = self.settings.get("date_format", "iso") in ("iso", ["iso"])
        return only_iso and isinstance(value, str) and AMBIGUOUS_DATE.match(value) is not None

    def _number(self, row: Mapping[str, Any], column: str | None, size: tuple[int, int]) -> Decimal | None:
        value = row.get(column) if column else None
        if isinstance(value, str):
            configured = self.settings.get("decimal"), self.settings.get("thousands")
            value = written_number(value, configured[0] or ".", is_certain=any(configured))
        if value is None or not math.isfinite(value):
            return None
        precision, scale = size
        try:
            rounded = Decimal(value).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
        except InvalidOperation:  # hundreds of digits
            return None
        return rounded if abs(rounded) < Decimal(10) ** (precision - scale) else None


def window_start(end: date, window: str) -> date:
    """Return the last day before a window that ends on a day; the day is clipped to the month's last one."""
    match = re.fullmatch(r"(\d+) (day|week|month|year)s?", window)
    assert match, window
    count, unit = int(match[1]), match[2]
    if unit in {"day", "week"}:
        return end - timedelta(days=count * (7 if unit == "week" else 1))
    months = end.year * 12 + end.month - 1 - count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(end.day, monthrange(year, month + 1)[1]))


def inverse_cdf(values: Sequence[Any], share: int, shares: int) -> Any:
    """Return the smallest value that at least `share` / `shares` of all values do not exceed.

    >>> inverse_cdf([1, 1, 2, 5], 1, 2), inverse_cdf([1, 1, 2, 5], 3, 4), inverse_cdf([1, 1, 2, 5], 9, 10)
    (1, 2, 5)
    """
    return next(
        value
        for value in sorted(set(values))
        if sum(other <= value for other in values) * shares >= len(values) * share
    )


def effective_edges(values: Sequence[Any], bins: int) -> list[Any]:
    """Return the edges of orders or money by the method `quantile`, from the worst score up.

    >>> effective_edges([1, 1, 2, 5], 2), effective_edges([1, 2, 2, 2, 3], 4), effective_edges([7, 7], 3)
    ([1], [1, 2, 2], [7, 7])
    """
    dimension = {"name": "monetary", "method": "quantile", "bins": bins}
    return _edges(dimension, _steps(dimension, values))


def covers(rule: Mapping[str, Any], r: int, f: int, m: int) -> bool:
    """Return whether a configured rule matches three scores."""
    if "cells" in rule:
        return f"{r}{f}{m}" in rule["cells"] or f"{r}-{f}-{m}" in rule["cells"]
    scores = {"r": r, "f": f, "m": m, "fm": math.ceil((f + m) / 2)}
    return all(_within(scores[name], rule[name]) for name in scores if name in rule)


def segment_of(
    segment_map: Mapping[str, Any],
    r: int,
    f: int,
    m: int,
    rhythm: tuple[int, Fraction | None] = (0, None),
) -> str:
    """Return the segment of the first rule that matches three scores and a rhythm.

    A rhythm is the days since the first order, and the gap of the customer.
    """
    first_order_days, gap = rhythm
    for rule in segment_map["rules"]:
        days = rule.get("first_order_days")
        if days is not None and not _within(first_order_days, days):
            continue
        if "gap" in rule and not _gap_within(gap, rule["gap"]):
            continue
        if covers(rule, r, f, m):
            return str(rule["segment"])
    return str(segment_map["fallback"])


def _gap_within(gap: Fraction | None, written: str) -> bool:
    if gap is None or written == "none":
        return gap is None and written == "none"
    if written[1] == "=":
        bound = Fraction(written[2:])
        return gap <= bound if written[0] == "<" else gap >= bound
    return gap < Fraction(written[1:]) if written[0] == "<" else gap > Fraction(written[1:])


def _within(score: int, written: int | str) -> bool:
    text = str(written)
    if text.startswith(">="):
        return score >= int(text[2:])
    if text.startswith("<="):
        return score <= int(text[2:])
    low, _, high = text.partition("-")
    return int(low) <= score <= int(high or low)


def _kept(line: Line) -> bool:
    return line.reason is None and line.late_reason is None


def _laid(line: Line, before: date) -> Line:
    """Return the line with its final reason: the window comes before the late rules."""
    if line.reason is None and line.day is not None and line.day <= before:
        return replace(line, reason="outside_window")
    return line


def _order_totals(lines: Sequence[Line], settings: Mapping[str, Any]) -> list[Line]:
    """Return one line per order and exclusion reason, whose amount is that of each distinct total once."""
    is_net = settings.get("returns", "exclude") == "net"
    orders: dict[Any, list[Line]] = defaultdict(list)
    for line in lines:
        orders[line.customer, line.order, line.reason, line.late_reason].append(line)
    totals = []
    for (customer, order, reason, late_reason), same in orders.items():
        amounts = [line.amount for line in same if line.amount is not None]
        refunds = [line.refund for line in same if line.refund is not None]
        if order is not None:
            amounts, refunds = list(set(amounts)), list(set(refunds))
        amount = sum(amounts, Decimal(0)) - sum(refunds, Decimal(0)) if amounts and refunds else None
        # The refund of an order that is a line of its own has a later date.
        sold = [line for line in same if is_net and line.amount is not None and line.amount > 0]
        day = max((line.day for line in sold or same if line.day), default=None)
        is_refunded = not is_net and amount is not None and amount <= 0
        late = late_reason or ("non_positive_amount" if is_refunded else None)
        totals.append(Line(customer, order, day, amount, reason, late, count=len(same)))
    return totals


def _customer(text: str) -> str | None:
    """Return an id that is text and has no whitespace around it; None if it is a placeholder."""
    if text.casefold() in {"null", "guest", "n/a", "-", "(not set)", "invité"}:
        return None
    if "@" in text and text[-1].isalpha():
        return text.lower()
    # A float that an export wrote as text.
    return re.sub(r"^([0-9]+)\.0$", r"\1", text)


def _customers(lines: Sequence[Line], settings: Mapping[str, Any]) -> list[Customer]:
    net = settings.get("returns", "exclude") == "net"
    orders: dict[tuple[str, Any], list[Line]] = defaultdict(list)
    for line in lines:
        assert line.customer is not None  # kept
        orders[line.customer, line.order].append(line)
    by_customer: dict[str, list[list[Line]]] = defaultdict(list)
    for (customer, _), order in orders.items():
        by_customer[customer].append(order)
    customers = []
    for customer, theirs in by_customer.items():
        counted = [order for order in theirs if not net or sum(_money(line) for line in order) > 0]
        days = [line.day for order in counted for line in order if line.day and (not net or _money(line) > 0)]
        if counted:
            total = sum((_money(line) for order in theirs for line in order), Decimal(0))
            order_days = frozenset(
                max(line.day for line in order if line.day and (not net or _money(line) > 0))
                for order in counted
            )
            customers.append(Customer(customer, min(days), max(days), len(counted), total, order_days))
    return customers


def _money(line: Line) -> Decimal:
    assert line.amount is not None  # kept
    return line.amount


def _excluded(lines: Sequence[Line]) -> dict[str, tuple[int, Decimal | None]]:
    totals: dict[str, tuple[int, Decimal | None]] = {}
    for line in lines:
        if line.reason:
            count, money = totals.get(line.reason, (0, None))
            amounts = [amount for amount in (money, line.amount) if amount is not None]
            totals[line.reason] = count + line.count, sum(amounts, Decimal(0)) if amounts else None
    return totals


def _dimension(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    scoring = settings.get("scoring", {})
    return {"bins": 4, "method": "quantile", **scoring, **scoring.get(name, {}), "name": name}


def _segments(
    customers: Sequence[Customer],
    as_of: date | None,
    scoring: Sequence[Mapping[str, Any]],
    segment_map: Mapping[str, Any],
) -> tuple[list[Row], dict[str, list[Decimal]]]:
    values: dict[str, list[Any]] = {
        "recency": [(as_of - customer.last).days for customer in customers if as_of],
        "frequency": [customer.frequency for customer in customers],
        "monetary": [customer.monetary for customer in customers],
    }
    ids = [customer.id for customer in customers]
    rhythms = [((as_of - customer.first).days, customer.gap(as_of)) for customer in customers if as_of]
    steps = {
        dimension["name"]: _steps(dimension, values[dimension["name"]])
        for dimension in scoring
        if dimension["method"] != "ntile"
    }
    scores = [
        _ntiles(dimension, values[dimension["name"]], ids)
        if dimension["method"] == "ntile"
        else [_score(dimension, steps[dimension["name"]][value]) for value in values[dimension["name"]]]
        for dimension in scoring
    ]
    edges = {dimension["name"]: _edges(dimension, steps.get(dimension["name"], {})) for dimension in scoring}
    separator = "-" if any(dimension["bins"] == 10 for dimension in scoring) else ""
    rows = [
        {
            "customer_id": customer.id,
            "recency_days": recency,
            "frequency": customer.frequency,
            "monetary": customer.monetary,
            "avg_order_value": (customer.monetary / customer.frequency).quantize(BILLIONTH, ROUND_HALF_UP),
            "first_order_date": customer.first,
            "last_order_date": customer.last,
            "r_score": r,
            "f_score": f,
            "m_score": m,
            "rfm_score": separator.join([str(r), str(f), str(m)]),
            "segment": segment_of(segment_map, r, f, m, rhythm),
            **_day_columns(segment_map, customer, rhythm[0]),
            "as_of_date": as_of,
        }
        for customer, recency, r, f, m, rhythm in zip(
            customers, values["recency"], *scores, rhythms, strict=True
        )
    ]
    return rows, edges


def _day_columns(segment_map: Mapping[str, Any], customer: Customer, first_order_days: int) -> Row:
    """Return the columns that the query has only for a map with conditions on days."""
    columns: Row = {}
    if any("first_order_days" in rule for rule in segment_map["rules"]):
        columns["first_order_days"] = first_order_days
    if any("gap" in rule for rule in segment_map["rules"]):
        usual = customer.median_gap()
        columns["twice_median_gap"] = None if usual is None else int(2 * usual)
    return columns


def _steps(dimension: Mapping[str, Any], values: Sequence[Any]) -> dict[Any, int]:
    """Return the step of each value that occurs: 0 for the lowest days, orders or money."""
    bins = dimension["bins"]
    if dimension["method"] == "fixed":
        edges = [Decimal(str(edge)) for edge in dimension["edges"]]
        return {value: sum(edge < value for edge in edges) for value in values}
    if not values:
        return {}
    thresholds = [inverse_cdf(values, k, bins) for k in range(1, bins)]
    return {value: _step(value, values, thresholds, bins) for value in values}


def _step(value: Any, values: Sequence[Any], thresholds: Sequence[Any], bins: int) -> int:
    if value == min(values):
        return 0
    if value == max(values):
        return bins - 1
    if thresholds.count(value) < 2:
        return sum(threshold < value for threshold in thresholds)
    share = Fraction(sum(other < value for other in values)) + Fraction(values.count(value), 2)
    return max(1, math.ceil(bins * share / len(values))) - 1


def _score(dimension: Mapping[str, Any], step: int) -> int:
    return dimension["bins"] - step if dimension["name"] == "recency" else 1 + step


def _edges(dimension: Mapping[str, Any], steps: Mapping[Any, int]) -> list[Any]:
    """Return a dimension's edges from the worst score up."""
    if dimension["method"] == "fixed":
        edges = [Decimal(str(edge)) for edge in dimension["edges"]]
    elif steps:
        edges = [max(value for value in steps if steps[value] < k) for k in range(1, dimension["bins"])]
    else:
        edges = []
    return edges[::-1] if dimension["name"] == "recency" else edges


def _ntiles(dimension: Mapping[str, Any], values: Sequence[Any], ids: Sequence[str]) -> list[int]:
    """Return scores like NTILE of SQL: tiles of equal size, the larger ones first; ties are split by id.

    Ids that are integers come after other ids, in the order of integers.

    >>> _ntiles({"name": "monetary", "bins": 5}, [1] * 10, [str(number) for number in range(1, 11)])
    [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    """
    sign = -1 if dimension["name"] == "recency" else 1

    def place(index: int) -> tuple[Any, int, bytes]:
        is_integer = re.fullmatch("[1-9][0-9]*", ids[index]) is not None
        return sign * values[index], int(ids[index]) if is_integer else 0, ids[index].encode()

    ranked = sorted(range(len(ids)), key=place)
    size, larger = divmod(len(ids), dimension["bins"])
    sizes = [size + (tile < larger) for tile in range(dimension["bins"])]
    tiles = [tile for tile, count in enumerate(sizes, start=1) for _ in range(count)]
    scores = [0] * len(ids)
    for index, tile in zip(ranked, tiles, strict=True):
        scores[index] = tile
    return scores


def _iso_day(text: str, zone: ZoneInfo) -> date | None:
    match = ISO_DATE.fullmatch(text)
    try:
        if loose := LOOSE_ISO_DATE.fullmatch(text):
            return date(int(loose[1]), int(loose[3]), int(loose[4]))
        if match is None or match[2] is None or match[2].endswith(match["clock"]):
            return None if match is None else date.fromisoformat(match[1])
        offset = match["offset"] or ("+00:00" if text.endswith(("Z", "UTC")) else "")
        moment = datetime.fromisoformat(f"{match[1]} {match['clock']}{offset}")
    except ValueError:
        return None
    return moment.astimezone(zone).date() if offset else moment.date()


def _day_in_format(text: str, written: str) -> date | None:
    # Formats of the tests have fields of any width, and no whitespace, which strptime would skip.
    try:
        return datetime.strptime(text, written).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None
