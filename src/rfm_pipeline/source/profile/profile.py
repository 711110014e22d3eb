"""The decisions of the profile, in order: each may use the ones before it."""

from __future__ import annotations

from rfm_pipeline.common.date_formats import ISO
from rfm_pipeline.common.schema import Kind, Schema
from rfm_pipeline.config.column_mapping import ColumnMapping, map_columns
from rfm_pipeline.config.reading import Reading
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.numbers import read_numbers
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
    mapping = map_columns(schema, settings.columns.by_role(), file_type)
    _check_integer_dates(mapping, settings)
    order_dates_are_text = mapping.ordered_at.kind in {Kind.TEXT, Kind.INTEGER}
    numbers = read_numbers(mapping, sample, settings)
    return Reading(
        mapping=mapping,
        date_formats=settings.date_format,
        dates_may_be_ambiguous=order_dates_are_text and settings.date_format == (ISO,),
        separators=numbers.separators,
        unit=numbers.unit,
        unreadable={"invalid_amount": numbers.unreadable} if numbers.unreadable else {},
        notes=numbers.notes,
    )


def _check_integer_dates(mapping: ColumnMapping, settings: Settings) -> None:
    if mapping.ordered_at.kind is Kind.INTEGER and settings.date_format == (ISO,):
        raise ColumnError(
            f"The column `{mapping.ordered_at.name}` is {mapping.ordered_at.declared}, and a number is no"
            " date by itself.",
            "if it is written like 20251231, set --date-format '%Y%m%d'.",
        )
