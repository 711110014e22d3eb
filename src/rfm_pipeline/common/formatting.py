"""Figures in words: what a person reads where a machine has numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

from rfm_pipeline.results.run_result import DimensionScores, Drift

# Python's own 28 digits are fewer than a sum of money may have.
_WIDE = Context(prec=76)


def one_line(text: str) -> str:
    r"""A text that some file or person may have written, with nothing in it that could end a line.

    >>> one_line("a\nb")
    'a�b'
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def shortened(text: str) -> str:
    r"""A text of several lines as part of a sentence.

    >>> shortened("SELECT 1\n  AS one")
    'SELECT 1 AS one'
    """
    return textwrap.shorten(text, 80, placeholder=" …")


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun.

    >>> count(1, "customer"), count(4338, "customer")
    ('1 customer', '4,338 customers')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number: int) -> str:
    """An amount of data, in the thousands that a person says it in.

    >>> size(512), size(1_610_612_736), size(2**40)
    ('512 bytes', '1.5 GiB', '1 TiB')
    """
    if number < 1024:
        return count(number, "byte")
    power = min(5, (number.bit_length() - 1) // 10)
    shown = f"{_rounded(Decimal(number) / 1024**power, '0.1'):,}"
    return f"{shown.removesuffix('.0')} {'KMGTP'[power - 1]}iB"


def lowered(sentence: str) -> str:
    """A sentence as it goes on after a colon.

    >>> lowered("Is a directory"), lowered("CSV is meant")
    ('is a directory', 'CSV is meant')
    """
    return sentence if sentence[1:2].isupper() else f"{sentence[:1].lower()}{sentence[1:]}"


def amount(value: Decimal) -> str:
    """Money to two decimals, with thousands apart.

    >>> amount(Decimal("8911407.904"))
    '8,911,407.90'
    """
    return f"{_rounded(value, '0.01'):,}"


def percent(part: Decimal | int, whole: Decimal | int) -> str:
    """A share in percent, to one decimal; a dash where the whole is nothing.

    >>> percent(1, 3)
    '33.3 %'
    """
    if not whole:
        return "–"
    return f"{_rounded(Decimal(part) * 100 / Decimal(whole), '0.1')} %"


def _rounded(value: Decimal, to: str) -> Decimal:
    # Adding nothing in the widest money's precision takes the sign off a zero.
    return _WIDE.add(value.quantize(Decimal(to), ROUND_HALF_UP, _WIDE), Decimal(0))


def edges(scores: DimensionScores) -> list[tuple[int, str]]:
    """Each score from the best down, and in words whom it takes.

    >>> edges(DimensionScores("recency", "fixed", (Decimal(180), Decimal(365)), (1, 1, 1)))
    [(3, 'up to 180 days'), (2, '181 to 365 days'), (1, '366 days and more')]
    """
    if scores.edges is None:
        share = f"a {_ordinal(len(scores.customers))} of the customers"
        return [(score, share) for score in range(len(scores.customers), 0, -1)]
    # From the best score down: recency's edges ascend that way, the others' descend.
    limits = list(scores.edges)
    if scores.name == "recency":
        return _from_best(limits)
    return list(reversed(_ascending(limits, scores.name)))


def _from_best(limits: list[Decimal]) -> list[tuple[int, str]]:
    bins, told = len(limits) + 1, []
    below = -1
    for position, limit in enumerate(int(limit) for limit in limits):
        told.append((bins - position, _days(below + 1, limit)))
        below = max(below, limit)
    told.append((1, f"{count(below + 1, 'day')} and more"))
    return told


def _days(low: int, high: int) -> str:
    if high < low:
        return "nobody"
    if low == high:
        return count(low, "day")
    return f"up to {count(high, 'day')}" if low == 0 else f"{low:,} to {count(high, 'day')}"


def _ascending(limits: list[Decimal], name: str) -> list[tuple[int, str]]:
    told, below = [], None
    for score, limit in enumerate(limits, start=1):
        told.append((score, _range(below, limit, name)))
        below = limit
    assert below is not None  # there are at least two bins
    return [*told, (len(limits) + 1, _above(below, name))]


def _range(below: Decimal | None, limit: Decimal, name: str) -> str:
    if below is not None and limit <= below:
        return "nobody"
    if name == "monetary":
        return f"up to {amount(limit)}"
    # A customer has an order at least.
    low = 1 if below is None else max(1, int(below) + 1)
    high = int(limit)
    if high < low:
        return "nobody"
    if low == high:
        return count(high, "order")
    return f"up to {count(high, 'order')}" if low == 1 else f"{low:,} to {count(high, 'order')}"


def _above(below: Decimal, name: str) -> str:
    if name == "monetary":
        return f"above {amount(below)}"
    return f"{count(int(below) + 1, 'order')} and more"


def drift(drift: Drift, dimensions: Sequence[DimensionScores], customers: int) -> str:
    """Whose edges customers are scored by, and what the edges of today would be.

    Args:
        drift: As it was counted.
        dimensions: Those that were scored.
        customers: All of them.
    """
    moved = [scores for scores in dimensions if scores.fresh is not None and scores.fresh != scores.edges]
    told = f"Edges of run {drift.run_id}, as of {drift.as_of}; fresh ones would be"
    if not moved:
        return f"{told} the same."
    fresh = "; ".join(f"{scores.name} {_listed(scores)}" for scores in moved)
    otherwise = f"{count(drift.customers, 'customer')} ({percent(drift.customers, customers)})"
    return f"{told}: {fresh}. {otherwise} would score otherwise."


def _listed(scores: DimensionScores) -> str:
    edges = scores.fresh or ()
    if scores.name == "monetary":
        return ", ".join(map(amount, edges))
    whole = ", ".join(f"{int(edge):,}" for edge in edges)
    return f"{whole} {'days' if scores.name == 'recency' else 'orders'}"


def _ordinal(number: int) -> str:
    names = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth"}
    return names.get(number, {9: "ninth", 10: "tenth"}.get(number, f"{number}th"))
