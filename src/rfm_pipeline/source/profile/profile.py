"""The decisions of the profile, in order: each may use the ones before it."""

from __future__ import annotations

from msgspec.structs import replace

from rfm_pipeline.common.schema import Schema
from rfm_pipeline.config.reading import Reading
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.source.profile.blank_columns import check_blank_columns
from rfm_pipeline.source.profile.customer_table import columns_of_lines, find_customer_table
from rfm_pipeline.source.profile.customers import read_customers
from rfm_pipeline.source.profile.dates import read_dates
from rfm_pipeline.source.profile.numbers import read_numbers
from rfm_pipeline.source.profile.orders import read_orders
from rfm_pipeline.source.profile.roles import map_columns
from rfm_pipeline.source.profile.sales import read_sales
from rfm_pipeline.source.profile.sample import Sample


def profile_source(
    schema: Schema, sample: Sample, settings: Settings, file_type: str | None = None
) -> Reading:
    """Return how the lines of a source are read.

    Args:
        schema: The columns of the source.
        sample: Its first rows.
        settings: The merged settings, with the preset of a recognised export.
        file_type: File type of the source, such as `CSV`, for the hints of errors; None for a table of an
            engine.

    Raises:
        ColumnError: If a role has no column or several, or the values of a column can be read in two ways.
    """
    configured = settings.columns.by_role()
    table = find_customer_table(schema, sample, configured)
    roles = map_columns(
        schema,
        sample,
        columns_of_lines(configured, table),
        file_type,
        nets_returns=settings.returns == "net",
    )
    mapping = replace(roles.mapping, configured=roles.mapping.configured - table.columns.keys())
    check_blank_columns(mapping, sample, file_type)
    dates = read_dates(schema, mapping, sample, settings)
    numbers = read_numbers(mapping, sample, settings)
    sales = read_sales(schema, sample, settings, mapping, numbers.separators)
    customers = read_customers(mapping, sample, settings)
    orders = read_orders(schema, mapping, sample, settings)
    return Reading(
        mapping=mapping,
        date_formats=dates.formats,
        dates_may_be_ambiguous=dates.may_be_ambiguous,
        separators=numbers.separators,
        unit=numbers.unit,
        unreadable={"invalid_date": tuple(dates.unread)[:3], "invalid_amount": numbers.unreadable},
        sales=sales.rules,
        placeholders=customers.placeholders,
        checks_zero=customers.checks_zero,
        discount_in_percent=roles.discount_in_percent,
        refunds_are_negative=roles.refunds_are_negative,
        amount_of=orders.amount_of,
        knows_shared_ids=sample.is_whole,
        saw_all_lines=sample.is_whole,
        notes=(
            *table.notes,
            *roles.notes,
            *dates.notes,
            *numbers.notes,
            *customers.notes,
            *orders.notes,
            *sales.notes,
        ),
    )
