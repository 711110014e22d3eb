"""The decisions of the profile, in order: each may use the ones before it."""

from __future__ import annotations

from rfm_pipeline.common.schema import Schema
from rfm_pipeline.config.reading import Reading
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.source.profile.dates import read_dates
from rfm_pipeline.source.profile.numbers import read_numbers
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
    roles = map_columns(schema, sample, settings.columns.by_role(), file_type)
    mapping = roles.mapping
    dates = read_dates(schema, mapping, sample, settings)
    numbers = read_numbers(mapping, sample, settings)
    sales = read_sales(schema, sample, settings, mapping, numbers.separators)
    return Reading(
        mapping=mapping,
        date_formats=dates.formats,
        dates_may_be_ambiguous=dates.may_be_ambiguous,
        separators=numbers.separators,
        unit=numbers.unit,
        unreadable={"invalid_amount": numbers.unreadable} if numbers.unreadable else {},
        sales=sales.rules,
        notes=(*roles.notes, *dates.notes, *numbers.notes, *sales.notes),
    )
