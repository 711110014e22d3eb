"""Total rows among the records of a table, such as `Total,,,1980`."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from decimal import Decimal, InvalidOperation

from rfm_pipeline.source.table_layout import (
    KeyColumns,
    Row,
    filled_columns,
    is_grand_total_label,
    is_total_label,
)

TotalRow = tuple[tuple[str, str], ...]
"""Columns of a total row, each with its text; empty text is a blank value."""


def find_total_rows(
    names: Sequence[str], records: Sequence[Row], keys: KeyColumns, *, ends_table: bool, is_whole: bool
) -> list[TotalRow]:
    """Return the total rows among records of the full width, such as `Total,,,1980`.

    A row is a total row if its first value, or its order, customer or date, is a label such as `Total`, and
    if an order's key is blank, a second value is a label, the label is one of a grand total, or the row is
    the last one and a number in it is the sum of the column. A product called `Total` is none.

    Args:
        names: Column names.
        records: Rows below the header row.
        keys: Columns of order, customer and date.
        ends_table: Whether the last of the records is the table's last row.
        is_whole: Whether the records are all rows of the table.
    """
    total_rows: dict[TotalRow, None] = {}
    usually_filled: list[int] | None = None
    key_columns = keys.positions
    for number, row in enumerate(records):
        first = next((column for column, cell in enumerate(row) if cell and not cell.isspace()), 0)
        labelled = [column for column in {first, *key_columns} if is_total_label(row[column])]
        if not labelled:
            continue
        filled = filled_columns(row)
        blank = [column for column in key_columns if column not in filled]
        if not key_columns:
            usually_filled = usually_filled or _usually_filled(records)
            blank = [column for column in usually_filled if column not in filled]
            blank = blank if 2 * len(blank) >= len(usually_filled) - 1 else []
        labels = [column for column in filled if is_total_label(row[column])]
        is_last = ends_table and number == len(records) - 1
        if (
            blank
            or labels[1:]
            or keys.ordered_at in labelled
            or any(is_grand_total_label(row[column]) for column in labelled)
            or (is_last and is_whole and _is_sum(row, records[:-1]))
        ):
            # A value of the customer's column is shown only if it is the label.
            exact = {*labels, *key_columns} - ({keys.customer_id} - set(labels))
            cells = [
                (names[column], row[column].strip())
                for column in sorted({*exact, *blank})
                if column < len(names)
            ]
            total_rows[tuple(cells)] = None
    return list(total_rows)


def _usually_filled(records: Sequence[Row]) -> list[int]:
    width = max(map(len, records))
    counts = [0] * width
    for row in records:
        for column in filled_columns(row):
            counts[column] += 1
    return [column for column, count in enumerate(counts) if count >= 0.8 * len(records)]


def _is_sum(row: Row, records: Sequence[Row]) -> bool:
    """Return whether a number of the row is the sum of its column in at least two records."""
    for column in reversed(filled_columns(row)):
        total = to_number(row[column])
        if total is None or not total or len(records) < 2:
            continue
        values = [
            to_number(record[column]) for record in records if column < len(record) and record[column].strip()
        ]
        if len(values) > 1 and None not in values and sum(map(Decimal, filter(None, values))) == total:
            return True
    return False


def to_number(cell: str) -> Decimal | None:
    """Return the number in a cell, without its currency; None if there is none."""
    text = re.sub(r"[^\d.,-]", "", cell)
    if re.fullmatch(r"-?\d{1,3}(\.\d{3})*(,\d+)?|-?\d+,\d+", text) and not re.fullmatch(
        r"-?\d+\.\d{3}", text
    ):
        text = text.replace(".", "").replace(",", ".")
    try:
        return Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None


def total_row_notes(total_rows: Collection[TotalRow]) -> list[str]:
    """Return the note on total rows: the labels, each with its column."""
    labels: dict[str, None] = {}
    for cells in total_rows:
        column, label = next((column, text) for column, text in cells if is_total_label(text))
        labels[f"{label!r} in `{column}`"] = None
    listed = list(labels)
    more = f" and {len(listed) - 3} more" if listed[3:] else ""
    return [f"total rows are no orders: {', '.join(listed[:3])}{more}"] if listed else []
