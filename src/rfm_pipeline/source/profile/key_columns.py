"""The columns of the customer, the order and the date, chosen by their names and values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from rfm_pipeline.common.formatting import format_percent
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.column_mapping import list_choices, list_columns, shell_word
from rfm_pipeline.config.questions import question
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.evidence import Candidate, Evidence, Keys
from rfm_pipeline.source.profile.shapes import (
    are_flags,
    are_words,
    share_of_dates,
    share_of_emails,
    share_of_names,
)

_LEAST_ORDERS = 10
"""Orders from which on it means something that a key never repeats, or that a column has one value."""
_ABOUT_AS_WELL = 0.9
"""An id is filled about as well as an address if it is on this share of the lines that the address is on."""
_MOST = 0.5


class Choice(Struct, frozen=True):
    """A column chosen for a role.

    Attributes:
        column: The column; None if no column has the role.
        notes: Why, where names alone did not decide.
    """

    column: Column | None = None
    notes: tuple[str, ...] = ()


def choose_customer(evidence: Evidence, order: Column | None) -> Choice:
    """Choose the column of the customer: an id, or else an e-mail address or a phone number.

    Args:
        evidence: Names and values of the columns.
        order: The configured column of the order; None to take the likely one. It shows whether a key repeats
            over orders.

    Raises:
        ColumnError: If several columns could identify the customer, or only names of people do.
    """
    candidates = [
        _with_kind(evidence, candidate)
        for candidate in evidence.candidates("customer_id")
        if candidate.kind == "id" or not are_flags(evidence.sample.filled(candidate.column))
    ]
    if len(candidates) > 1 and evidence.has_values:
        candidates = [each for each in candidates if evidence.key_share(each.column)] or candidates
    by_kind = {
        kind: [each for each in candidates if each.kind == kind] for kind in ("id", "email", "phone", "name")
    }
    ids, emails = by_kind["id"], by_kind["email"]
    if len(ids) + len(emails) > 1 and ids and evidence.has_values:
        return _customer_by_values(evidence, ids, emails, order or _likely_order(evidence))
    for several in (ids, emails):
        if several:
            return Choice(_only(evidence, "customer_id", _most_specific(several)).column)
    if phones := by_kind["phone"]:
        phone = _only(evidence, "customer_id", phones)
        return Choice(phone.column, (f"the customer is the phone number in `{phone.name}`",))
    if names := by_kind["name"]:
        raise _names_only(names)
    return Choice()


def _likely_order(evidence: Evidence) -> Column | None:
    """Return the column of the most specific order id that is filled on most lines."""
    filled = [
        each
        for each in evidence.candidates("order_id")
        if evidence.filled_share(each.column) > _MOST and not _is_constant(evidence.keys(each.column))
    ]
    return min(filled, key=lambda each: each.rank).column if filled else None


def _with_kind(evidence: Evidence, candidate: Candidate) -> Candidate:
    """Return a candidate with the kind that its values show, where its name leaves it open."""
    if candidate.kind != "unclear":
        return candidate
    values = evidence.sample.filled(candidate.column)
    kind = "id"
    if share_of_emails(values) > _MOST:
        kind = "email"
    elif share_of_names(values) > _MOST:
        kind = "name"
    return Candidate(candidate.column, kind, candidate.rank)


def _customer_by_values(
    evidence: Evidence, ids: list[Candidate], emails: list[Candidate], order: Column | None
) -> Choice:
    orders = _orders(evidence, order)
    repeating = {each.name for each in (*ids, *emails) if _repeats(evidence.keys(each.column), orders)}
    varying = [each for each in ids if not _is_constant(evidence.keys(each.column))]
    once = [
        each for each in varying if each.name not in repeating and _is_key_of_orders(evidence, each, orders)
    ]
    notes: list[str] = []
    if others := [each for each in varying if each.name in repeating]:
        if once and min(each.rank for each in once) <= min(each.rank for each in others):
            notes.append(_one_per_order(_only(evidence, "customer_id", others), once))
        varying = [each for each in varying if each not in once]
    elif len(once) > 1 and not _have_equal_groups(evidence, once):
        # No key repeats, so that nothing shows which of them is the customer.
        raise _several(evidence, "customer_id", once)
    email = emails[0] if emails else None
    if not varying:
        if email is None or _is_constant(evidence.keys(email.column)):
            return Choice(ids[0].column, tuple(notes))
        notes.append(f"the customer is `{email.name}`, as `{ids[0].name}` is the same on all lines")
        return Choice(email.column, tuple(notes))
    best = _only(evidence, "customer_id", _most_specific(varying), notes)
    if email is None:
        return Choice(best.column, tuple(notes))
    share, email_share = evidence.key_share(best.column), evidence.key_share(email.column)
    if share >= _ABOUT_AS_WELL * email_share:
        if best in once and email.name in repeating:
            notes.append(_one_per_order(email, [best]))
            best = email
    elif share < _MOST:
        missing = format_percent(round(1000 * (1 - share)), 1000)
        notes.append(f"the customer is `{email.name}`, as `{best.name}` is missing on {missing} of the lines")
        best = email
    else:
        raise _id_or_email(evidence, best, email)
    return Choice(
        _only(evidence, "customer_id", emails).column if best is email else best.column, tuple(notes)
    )


def _one_per_order(chosen: Candidate, others: Sequence[Candidate]) -> str:
    names = list_columns([each.name for each in others])
    return f"the customer is `{chosen.name}`, as {names} is another one in each order"


def choose_order(evidence: Evidence, customer: Column | None, ordered_at: Column | None) -> Choice:
    """Choose the column of the order; no column if none identifies orders.

    Args:
        evidence: Names and values of the columns.
        customer: The column of the customer.
        ordered_at: The column of the date. A line with neither customer nor date continues the order above.

    Raises:
        ColumnError: If several columns could be the order.
    """
    candidates = evidence.candidates("order_id")
    readable = [each for each in candidates if each.column.kind is not Kind.OTHER]
    if candidates and not readable:
        return Choice(candidates[0].column)  # the caller names its type
    candidates = readable
    words = [each for each in candidates if are_words(evidence.sample.filled(each.column))]
    candidates = [each for each in candidates if each not in words]
    if words and not candidates:
        return Choice(None, (f"`{words[0].name}` holds words, and is not used as the order",))
    if not candidates or not evidence.has_values:
        return Choice(_only(evidence, "order_id", _most_specific(candidates)).column if candidates else None)
    shares = {each.name: _share_of_orders(evidence, each.column, customer, ordered_at) for each in candidates}
    filled = [each for each in candidates if shares[each.name] > _MOST]
    if not filled:
        first = _most_specific(candidates)[0]
        share = format_percent(round(1000 * (1 - shares[first.name])), 1000)
        return Choice(
            None, (f"`{first.name}` is blank on {share} of the lines, and is not used as the order",)
        )
    notes: list[str] = []
    if len(filled) > 1:
        customers = evidence.keys(customer) if customer else ()
        good = [each for each in filled if not _is_shared(evidence.keys(each.column), customers)] or filled
        good = [each for each in good if not _is_constant(evidence.keys(each.column))] or good
        best = _most_specific(good)
        # Of an id per line and one that several lines share, the shared one is the order's.
        coarse = [each for each in best if not _is_unique(evidence.keys(each.column))]
        chosen = _only(evidence, "order_id", coarse or best, notes)
        if _is_unique(evidence.keys(chosen.column)):
            below = [
                each
                for each in good
                if each.rank > chosen.rank and not _is_unique(evidence.keys(each.column))
            ]
            if below:
                raise _several(evidence, "order_id", [chosen, *below])
    else:
        chosen = filled[0]
    better = [each for each in candidates if each.rank < chosen.rank]
    notes += (
        [f"the order is `{chosen.name}`, as {list_columns([each.name for each in better])} identifies none"]
        if better
        else []
    )
    return Choice(chosen.column, tuple(notes))


def choose_date(evidence: Evidence) -> Choice:
    """Choose the column of the order's date.

    Raises:
        ColumnError: If several columns could be the date, and differ.
    """
    candidates = evidence.candidates("ordered_at")
    if len(candidates) < 2:
        return Choice(candidates[0].column if candidates else None)
    notes: list[str] = []
    if evidence.has_values:
        dates = [each for each in candidates if _has_dates(evidence, each.column)]
        filled = [each for each in dates if evidence.filled_share(each.column) > _MOST]
        usable = filled or dates or candidates
        best = _most_specific(usable)
        passed = [each for each in candidates if each.rank < best[0].rank]
        chosen = _only(evidence, "ordered_at", best, notes)
        if passed:
            names = list_columns([each.name for each in passed])
            notes.append(f"the date is `{chosen.name}`, as {names} has none on most lines")
        return Choice(chosen.column, tuple(notes))
    return Choice(_only(evidence, "ordered_at", _most_specific(candidates)).column)


def _has_dates(evidence: Evidence, column: Column) -> bool:
    if column.kind in {Kind.BOOLEAN, Kind.OTHER}:
        return False
    values = evidence.sample.filled(column)
    return bool(values) and (column.kind is not Kind.TEXT or share_of_dates(values) >= _MOST)


def _most_specific(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates of the lowest rank."""
    lowest = min(each.rank for each in candidates)
    return [each for each in candidates if each.rank == lowest]


def _only(
    evidence: Evidence, role: str, candidates: Sequence[Candidate], notes: list[str] | None = None
) -> Candidate:
    """Return the only candidate, or the first of several that make the same groups of lines.

    Raises:
        ColumnError: If they differ.
    """
    first = candidates[0]
    if len(candidates) > 1:
        if role == "ordered_at":
            are_equal = evidence.has_values and _have_equal_days(evidence, candidates)
        else:
            are_equal = _have_equal_groups(evidence, candidates)
        if not are_equal:
            raise _several(evidence, role, candidates)
        if notes is not None:
            others = list_columns([each.name for each in candidates[1:]])
            notes.append(f"{_NOUNS[role]} is `{first.name}`; {others} would be the same")
    return first


_NOUNS = {"customer_id": "the customer", "order_id": "the order", "ordered_at": "the date"}


def _have_equal_days(evidence: Evidence, candidates: Sequence[Candidate]) -> bool:
    days = {tuple(_day(value) for value in evidence.values(each.column)) for each in candidates}
    return len(days) == 1


def _day(value: str | None) -> str | None:
    return value[:10] if value and value[4:5] == "-" else value


def _have_equal_groups(evidence: Evidence, candidates: Sequence[Candidate]) -> bool:
    """Return whether columns divide the lines into the same groups, and some group has several lines."""
    rows = [evidence.keys(each.column) for each in candidates]
    if all(keys == rows[0] for keys in rows):
        return evidence.has_values
    combined = len(set(zip(*rows, strict=True)))
    return all(len(set(keys)) == combined < len(keys) for keys in rows)


def _orders(evidence: Evidence, order: Column | None) -> Keys:
    """Return a key of the order of each line: the order's column, or the line."""
    lines = [f"line {index}" for index in range(evidence.sample.rows)]
    if order is None:
        return lines
    return [key or line for key, line in zip(evidence.keys(order), lines, strict=True)]


def _repeats(keys: Keys, orders: Keys) -> bool:
    """Return whether at least two values, or the only one, occur in several orders."""
    pairs = {(key, order) for key, order in zip(keys, orders, strict=True) if key is not None}
    counts = Counter(key for key, _ in pairs)
    return sum(count > 1 for count in counts.values()) >= min(2, len(counts)) > 0


def _is_key_of_orders(evidence: Evidence, candidate: Candidate, orders: Keys) -> bool:
    """Return whether a column has another value in each of at least ten orders."""
    keys = evidence.keys(candidate.column)
    pairs = {(key, order) for key, order in zip(keys, orders, strict=True) if key is not None}
    return len(pairs) >= _LEAST_ORDERS and len({key for key, _ in pairs}) == len(pairs)


def _is_constant(keys: Keys) -> bool:
    filled = [key for key in keys if key is not None]
    return len(filled) >= _LEAST_ORDERS and len(set(filled)) == 1


def _is_unique(keys: Keys) -> bool:
    filled = [key for key in keys if key is not None]
    return len(set(filled)) == len(filled)


def _is_shared(keys: Keys, customers: Iterable[str | None]) -> bool:
    """Return whether most values that repeat belong to several customers, so that they identify no order."""
    pairs = {pair for pair in zip(keys, customers, strict=False) if None not in pair}
    lines = Counter(key for key in keys if key is not None)
    repeated = [key for key, count in lines.items() if count > 1]
    buyers = Counter(key for key, _ in pairs)
    return 2 * sum(buyers[key] > 1 for key in repeated) > len(repeated)


def _share_of_orders(
    evidence: Evidence, column: Column, customer: Column | None, ordered_at: Column | None
) -> float:
    """Return the share of lines with an order id, without the lines that continue the order above."""
    values = evidence.values(column)
    others = [evidence.values(each) for each in (customer, ordered_at) if each]
    begins = [any(line) for line in zip(*others, strict=True)] if others else [True] * len(values)
    lines = [value for value, is_first in zip(values, begins, strict=True) if is_first or value is not None]
    return sum(value is not None for value in lines) / len(lines) if lines else 0.0


# Questions


def _several(evidence: Evidence, role: str, candidates: Sequence[Candidate]) -> ColumnError:
    names = [each.name for each in candidates]
    counts = ""
    if evidence.has_values and role != "ordered_at":
        shown = [f"{len(set(evidence.keys(each.column)) - {None}):,}" for each in candidates]
        counts = f" They have {', '.join(shown[:-1])} and {shown[-1]} different values{evidence.scope}."
    elif evidence.has_values:
        first, second = (evidence.values(each.column) for each in candidates[:2])
        differing = sum(_day(one) != _day(two) for one, two in zip(first, second, strict=True))
        counts = f" The first two differ on {differing:,} of {len(first):,} lines{evidence.scope}."
    return question(
        "several_columns",
        number=len(candidates),
        role=role,
        columns=list_columns(names),
        differences=counts,
        choices=list_choices(role, names),
    )


def _id_or_email(evidence: Evidence, chosen: Candidate, email: Candidate) -> ColumnError:
    shares = [
        format_percent(round(1000 * (1 - evidence.key_share(each.column))), 1000) for each in (chosen, email)
    ]
    return question(
        "id_or_email",
        id=chosen.name,
        id_missing=shares[0],
        scope=evidence.scope,
        email=email.name,
        email_missing=shares[1],
        email_word=shell_word(email.name),
        id_word=shell_word(chosen.name),
    )


def _names_only(names: Sequence[Candidate]) -> ColumnError:
    first = names[0].name
    return question("names_of_people", column=first, word=shell_word(first))
