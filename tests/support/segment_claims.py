"""What the texts of segment maps claim of a customer, as conditions that can be checked.

A description consists of the phrases below and of words that claim nothing, so that every claim is checked. A
share such as "three in four customers" is of all customers of the result, the customer included: "at least as
often as half of the customers" holds if half of all customers have as many orders or fewer.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any

DIMENSIONS = {"recently": "recency_days", "often": "frequency", "much": "monetary"}
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
SHARE = r"(half|(?:one|two|three|four) in (?:three|four|five))(?: of the customers| customers)?"
CLAIMS_NOTHING = {"bought", "spent", "and", "with", "for"}


@dataclass(frozen=True)
class Customer:
    """A row of the result, and the days of the customer's orders.

    Attributes:
        row: The columns of the result.
        days: Days with an order.
        bins: Number of bins of the three scores.
        shop: Sorted values of all customers by column of the result.
    """

    row: Mapping[str, Any]
    days: Sequence[date]
    bins: int
    shop: Mapping[str, Sequence[Any]]

    @property
    def scores(self) -> tuple[int, int, int]:
        return self.row["r_score"], self.row["f_score"], self.row["m_score"]

    @property
    def first_order_days(self) -> int:
        return int((self.row["as_of_date"] - self.row["first_order_date"]).days)

    @property
    def gap(self) -> Fraction:
        """Days since the last order over the median gap; -1 with one day."""
        gaps = [Fraction((later - earlier).days) for earlier, later in pairwise(sorted(set(self.days)))]
        return self.row["recency_days"] / median(gaps) if gaps else Fraction(-1)

    def share_worse(self, dimension: str) -> Fraction:
        """Return the share of customers who are not better in a dimension."""
        values, own = self.shop[dimension], self.row[dimension]
        worse = bisect_right(values, own)
        if dimension == "recency_days":
            worse = len(values) - bisect_left(values, own)
        return Fraction(worse, len(values))

    def share_better(self, dimension: str) -> Fraction:
        """Return the share of customers who are not worse in a dimension."""
        values, own = self.shop[dimension], self.row[dimension]
        better = len(values) - bisect_left(values, own)
        if dimension == "recency_days":
            better = bisect_right(values, own)
        return Fraction(better, len(values))


Claim = Callable[[Customer], bool]


def _fraction(share: str) -> Fraction:
    part, *rest = share.split()
    if part == "half":
        return Fraction(1, 2)
    whole = rest[1]
    return Fraction(NUMBERS[part], NUMBERS[whole])


def _at_least(match: re.Match[str]) -> Claim:
    share, quantifier = _fraction(match["share"]), any if " or " in match["dimensions"] else all
    dimensions = [DIMENSIONS[word] for word in re.findall("recently|often|much", match["dimensions"])]
    return lambda customer: quantifier(customer.share_worse(one) >= share for one in dimensions)


def _no_more(match: re.Match[str]) -> Claim:
    share, text = _fraction(match["share"]), match[0]
    dimensions = [DIMENSIONS[word] for word in re.findall("recently|often", text)]
    dimensions += ["monetary"] if re.search("(for|spent) no more", text) else []
    return lambda customer: all(customer.share_better(one) >= share for one in dimensions)


def _days(match: re.Match[str]) -> Claim:
    days = int(match["days"])
    return lambda customer: customer.row["recency_days"] <= days


def _no_order(match: re.Match[str]) -> Claim:
    days = int(match["days"])
    return lambda customer: customer.row["recency_days"] > days


_AS = "as recently|as often|(?:for )?as much"
PHRASES: Mapping[str, Callable[[re.Match[str]], Claim]] = {
    rf"at least (?P<dimensions>(?:{_AS})(?:(?:, | and | or )(?:{_AS}))*) as (?P<share>{SHARE})": _at_least,
    rf"(?:for |spent )?no more (?:[a-z ,]*?)than (?P<share>{SHARE})": _no_more,
    r"within (?P<days>\d+) days": _days,
    r"no order for (?P<days>\d+) days": _no_order,
    "without the top score in spend": lambda _: lambda one: one.scores[2] < one.bins,
    "without the top score in recency": lambda _: lambda one: one.scores[0] < one.bins,
    "without the top score in either": lambda _: lambda one: max(one.scores[:2]) < one.bins,
    "without the top score in all three": lambda _: lambda one: min(one.scores) < one.bins,
    "without the lowest score in spend": lambda _: lambda one: one.scores[2] > 1,
    "the lowest score in orders and spend": lambda _: lambda one: one.scores[1:] == (1, 1),
    "in the lower half of at least two of the three scores": lambda _: (
        lambda one: sum(2 * score <= one.bins for score in one.scores) >= 2
    ),
    "the lowest score in at least two of the three scores": lambda _: lambda one: one.scores.count(1) >= 2,
    "score combinations that (?:the table leaves out|no rule describes)": lambda _: lambda _: True,
    r"placed their first order within the last 30 days": lambda _: lambda one: one.first_order_days <= 30,
    "all orders are of one day, more than 30 days ago": lambda _: (
        lambda one: len(set(one.days)) == 1 and one.first_order_days > 30
    ),
    "within their median gap": lambda _: lambda one: 0 <= one.gap <= 1,
    "ordered on more than one day": lambda _: lambda one: len(set(one.days)) > 1,
    "more than the median gap has passed since the last order, up to twice": lambda _: (
        lambda one: 1 < one.gap <= 2
    ),
    "more than twice the median gap has passed since the last order": lambda _: lambda one: one.gap > 2,
    "more than four median gaps without an order": lambda _: lambda one: one.gap > 4,
}  # fmt: skip
"""Conditions by the phrase that claims them, as a regular expression over lower-case text."""

WORDS_OF_ADVICE: Mapping[str, Claim] = {
    "welcome|first order|second order|first purchase|first time": lambda one: one.first_order_days <= 30,
    "used to|win-back|reactivation|leave on good terms": lambda one: (
        one.share_better("recency_days") >= Fraction(2, 5)
    ),
    "their rhythm|their usual|regularity|order rhythm": lambda one: one.row["frequency"] > 1,
}
"""Conditions by words of a recommended action that are true of some customers only."""


def claims(description: str) -> Iterator[tuple[str, Claim]]:
    """Yield the phrases of a description with their conditions.

    Raises:
        AssertionError: If a part of the description is no phrase.
    """
    text = description.lower().rstrip(".")
    for pattern, condition in PHRASES.items():
        while match := re.search(pattern, text):
            yield match[0], condition(match)
            text = f"{text[: match.start()]} {text[match.end() :]}"
    left = set(re.findall("[a-z0-9']+", text)) - CLAIMS_NOTHING
    assert not left, f"{description!r} claims something with {left}, which no phrase checks"


def advice_claims(action: str) -> Iterator[tuple[str, Claim]]:
    """Yield the words of a recommended action that are true of some customers only, with the condition."""
    for pattern, condition in WORDS_OF_ADVICE.items():
        if match := re.search(pattern, action.lower()):
            yield match[0], condition
