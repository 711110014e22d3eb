"""Customers that can't be explained: nobody has the id, or nothing of theirs counted."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from rfm_pipeline.common.formatting import format_count, replace_unprintable
from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.results.run_result import Excluded
from rfm_pipeline.sql.explain_queries import nearby_sql
from rfm_pipeline.sql.stages.metrics import NO_POSITIVE_ORDER

_EXACTLY = "an id is matched to the letter, as the result prints it"
_LONGEST = 200


def meant(customer: str) -> tuple[str, ...]:
    """The ids that a text may be: the text as it is, then without blanks around it.

    Raises:
        UsageError: It can be nobody's id.
    """
    try:
        customer.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"The customer '{replace_unprintable(customer)}' is not text in UTF-8.", f"{_EXACTLY}."
        ) from None
    if not customer.strip():
        raise UsageError("The customer is blank.", "lines without a customer are excluded: missing_customer.")
    return tuple(dict.fromkeys([customer, customer.strip()]))


def unknown(plan: Plan, customer: str) -> UsageError:
    """The error for a customer without a line."""
    message = f"There is no customer '{_shown(customer)}' in {plan.source.label}."
    close = _nearest(plan, customer) if len(customer) <= _LONGEST else []
    if not close:
        return UsageError(message, f"{_EXACTLY}.")
    listed = " or ".join(f"'{_shown(near)}'" for near in close)
    return UsageError(message, f"did you mean {listed}? {_EXACTLY}.")


def none_counted(customer: str, totals: Sequence[Excluded]) -> UsageError:
    """The error for a customer whose lines were all excluded.

    Args:
        customer: The customer.
        totals: The customer's lines by reason; what has none was kept, and came to no order.
    """
    reasons = ", ".join(f"{total.lines:,} {total.reason or NO_POSITIVE_ORDER}" for total in totals)
    lines = format_count(sum(total.lines for total in totals), "line")
    return UsageError(
        f"The customer '{_shown(customer)}' has {lines}, and none counted: {reasons}.",
        "a run gives no row to such a customer; `rfm check` says which rules apply.",
    )


def _nearest(plan: Plan, customer: str) -> list[str]:
    ids = [row["customer_id"] for row in plan.warehouse.rows(nearby_sql(plan.spec, plan.pipeline, customer))]
    plain = {identity: _plain(identity) for identity in ids}
    alike = [identity for identity in ids if plain[identity] == _plain(customer)]
    close = difflib.get_close_matches(customer, ids, n=3, cutoff=0.7)
    return list(dict.fromkeys([*alike, *close]))[:3]


def _plain(identity: str) -> str:
    return identity.strip().lower().removesuffix(".0").lstrip("0")


def _shown(identity: str) -> str:
    shown = replace_unprintable(identity)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
