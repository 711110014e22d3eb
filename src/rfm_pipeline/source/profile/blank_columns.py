"""The question about a column that is blank on all lines, such as formulas that were saved without values."""

from __future__ import annotations

from rfm_pipeline.config.column_mapping import ColumnMapping, flag
from rfm_pipeline.config.questions import question
from rfm_pipeline.source.profile.sample import Sample

_ROLES = ("customer_id", "ordered_at", "amount", "quantity", "unit_price")


def check_blank_columns(mapping: ColumnMapping, sample: Sample, file_type: str | None) -> None:
    """Raise if a column that a run needs is blank on all lines.

    Args:
        mapping: Column of each role.
        sample: The first rows of the source; nothing is checked if the source has more.
        file_type: File type of the source, such as `Excel`.

    Raises:
        ColumnError: If there is such a column.
    """
    if not sample.is_whole or sample.rows < 2:
        return
    roles = mapping.roles()
    for role in _ROLES:
        column = roles.get(role)
        if column is None or column.name not in sample.values or sample.filled(column):
            continue
        raise question(
            "blank_column_of_sheet" if file_type == "Excel" else "blank_column",
            column=column.name,
            role=role,
            number=sample.rows,
            flag=flag(role),
        )
