"""Errors for customers that can't be explained: unknown ids, and customers without a counted line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.common.untrusted_text import replace_unprintable
from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.results.statistics import Excluded
from rfm_pipeline.sql.explain_queries import nearby_sql
from rfm_pipeline.sql.stages.metrics import NO_POSITIVE_ORDER

_EXACT_MATCH = "the id must match exactly, as the result prints it"
_LENGTH_LIMIT = 200


def candidate_ids(customer: str) -> tuple[str, ...]:
    """Return the ids to look up, in order of preference: the text as typed, then without surrounding blanks.

    An address is looked up in lower case, too, as a run folds it.

    Raises:
        UsageError: If the text can't be an id.
    """
    try:
        customer.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"The customer '{replace_unprintable(customer)}' is not text in UTF-8.", f"{_EXACT_MATCH}."
        ) from None
    if not customer.strip():
        raise UsageError(
            "The customer is blank.",
            "name a customer; lines without one are excluded, with the reason missing_customer.",
        )
    trimmed = customer.strip()
    folded = [trimmed.lower()] if "@" in trimmed else []
    return tuple(dict.fromkeys([customer, trimmed, *folded]))


def unknown_customer(plan: Plan, customer: str) -> UsageError:
    """Return the error for a customer without any line, with similar ids as a hint."""
    message = f"There is no customer '{_printable(customer)}' in {plan.source.label}."
    similar = _similar_ids(plan, customer) if len(customer) <= _LENGTH_LIMIT else []
    if not similar:
        return UsageError(message, f"{_EXACT_MATCH}.")
    count = format_count(len(similar), "customer has a similar id", "customers have similar ids")
    suggestion = f"did you mean {' or '.join(map(_quoted, similar))}? {_EXACT_MATCH}."
    hint = f"{count}, which a terminal shows; {_EXACT_MATCH}."
    return UsageError(message, hint, terminal_hint=suggestion)


def no_counted_lines(customer: str, totals: Sequence[Excluded]) -> UsageError:
    """Return the error for a customer of whom no order counts.

    Args:
        customer: Id of the customer.
        totals: The customer's lines by reason; lines without a reason were kept, but form no positive order.
    """
    reasons = ", ".join(f"{total.lines:,} {total.reason or NO_POSITIVE_ORDER}" for total in totals)
    lines = format_count(sum(total.lines for total in totals), "line")
    return UsageError(
        f"The customer '{_printable(customer)}' has {lines}, and none counted: {reasons}.",
        "such a customer has no row in the result; `rfm check` shows which rules apply.",
    )


def _similar_ids(plan: Plan, customer: str) -> list[str]:
    """Return up to three ids: those that differ only in case, blanks, zeros or `.0`, then similar ones."""
    ids = [row["customer_id"] for row in plan.warehouse.rows(nearby_sql(plan.spec, plan.pipeline, customer))]
    typed = _normalized(customer)
    equal = [customer_id for customer_id in ids if _normalized(customer_id) == typed]
    similar = difflib.get_close_matches(customer, ids, n=3, cutoff=0.7)
    return list(dict.fromkeys([*equal, *similar]))[:3]


def _normalized(customer_id: str) -> str:
    return customer_id.strip().lower().removesuffix(".0").lstrip("0")


def _quoted(customer_id: str) -> str:
    return f"'{_printable(customer_id)}'"


def _printable(customer_id: str) -> str:
    text = replace_unprintable(customer_id)
    return text if len(text) <= _LENGTH_LIMIT else f"{text[:_LENGTH_LIMIT]}…"
