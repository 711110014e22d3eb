"""How the source is read: what the profile of its columns decided, beyond the settings.

Decisions are not merged into `Settings`: the hash of the configuration must not change because the data of
another day led to another decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from msgspec import Struct, field

from rfm_pipeline.common.date_formats import ISO
from rfm_pipeline.common.number_format import NumberSeparators
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.sale_rules import SaleRules


class Reading(Struct, frozen=True):
    """How the lines of a source are read.

    Attributes:
        mapping: Column of each role.
        date_formats: Formats of order dates that are text, tried in order: `iso` or strptime formats.
        dates_may_be_ambiguous: Whether a text date such as 03/04/2024 fails the run, because nothing says
            which of its numbers is the day.
        sales: What a sale is: the statuses that are none, and the currencies.
        separators: How the numbers of each role with a column of text are written.
        unit: What amounts are multiplied by: 0.01 if they are in cents.
        unreadable: Some values in the first rows that can't be read, by the reason to exclude their lines.
        placeholders: Customer ids that are no customer: text in any case, and numbers.
        checks_zero: Whether the run checks that customer 0 or -1 does not have more orders than any other.
        knows_shared_ids: Whether the profile saw all lines; its notes name order ids of several customers.
        discount_in_percent: Whether the discount is a percentage of the price, and not a share.
        refunds_are_negative: Whether the column of refunds has them with a minus sign.
        amount_of: `order` if the amount is an order's total that is repeated on each of its lines.
        saw_all_lines: Whether the source has no lines but those of the sample.
        notes: What was decided, one phrase each, for the user.
    """

    mapping: ColumnMapping
    date_formats: tuple[str, ...] = (ISO,)
    dates_may_be_ambiguous: bool = False
    separators: Mapping[str, NumberSeparators] = field(default_factory=dict)
    unit: Decimal = Decimal(1)
    sales: SaleRules = SaleRules()
    unreadable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    placeholders: tuple[str, ...] = ()
    checks_zero: bool = False
    knows_shared_ids: bool = False
    discount_in_percent: bool = False
    refunds_are_negative: bool = False
    amount_of: Literal["line", "order"] = "line"
    saw_all_lines: bool = False
    notes: tuple[str, ...] = ()
