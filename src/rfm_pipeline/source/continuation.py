"""Rows that belong to the rows above them: continuation lines of an order, and rows below a group heading.

The order, customer and date of such rows are blank, or only in the heading. A preview of the table decides
whether it has such rows; a pass over the whole table, in its order, fills in what is blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from rfm_pipeline.source.table_layout import (
    MIN_COLUMNS,
    KeyColumns,
    Row,
    filled_columns,
    is_total_label,
    is_value,
)


class RowFill(Struct, frozen=True):
    """How blank cells of a table are filled, and which rows are group headings.

    Attributes:
        keys: Columns that continuation lines leave blank together: they take the values of the row above.
            Empty if the table has no continuation lines.
        required: Columns that every continuation line fills; a row without them is no continuation line.
        has_headings: Whether rows with a single value are group headings, which are dropped.
        heading_column: Column that takes the value of the heading above; None if headings are only dropped.
    """

    keys: tuple[int, ...] = ()
    required: tuple[int, ...] = ()
    has_headings: bool = False
    heading_column: int | None = None

    def __bool__(self) -> bool:
        return bool(self.keys) or self.has_headings

    def is_heading(self, row: Row) -> bool:
        """Return whether a row is a group heading."""
        filled = filled_columns(row)
        return self.has_headings and len(filled) == 1 and not is_value(row[filled[0]])

    def is_continuation(self, row: Row) -> bool:
        """Return whether a row continues the order of the row above it."""
        if not self.keys or any(_has_value(row, column) for column in self.keys):
            return False
        return all(_has_value(row, column) for column in self.required) and not any(map(is_total_label, row))

    def key_names(self, names: Sequence[str]) -> str:
        """Return the filled columns, for a note."""
        return ", ".join(f"`{names[column]}`" for column in self.keys)


class FilledRow(Struct, frozen=True):
    """A row after the pass.

    Attributes:
        cells: Its cells; None if the row is a group heading.
        is_filled: Whether a cell was filled.
        is_continuation: Whether the row is a continuation line.
    """

    cells: Row | None
    is_filled: bool = False
    is_continuation: bool = False


class FillCounts(Struct):
    """Numbers of rows that were changed.

    Attributes:
        headings: Group headings, which the copy lacks.
        continuations: Continuation lines that took the values of the row above.
        below_headings: Other rows that took the value of the heading above.
    """

    headings: int = 0
    continuations: int = 0
    below_headings: int = 0

    def add(self, row: FilledRow) -> None:
        """Count a row."""
        if row.cells is None:
            self.headings += 1
        elif row.is_filled and row.is_continuation:
            self.continuations += 1
        elif row.is_filled:
            self.below_headings += 1

    def notes(self, fill: RowFill, names: Sequence[str], unit: str = "lines") -> list[str]:
        """Return the notes for the user.

        Args:
            fill: What was filled.
            names: Column names.
            unit: What a row is called: `lines` or `rows`.
        """

        def counted(number: int) -> str:
            return f"{number:,} {unit.removesuffix('s') if number == 1 else unit}"

        notes = []
        if self.headings:
            notes.append(f"{counted(self.headings)} with a single value skipped as group headings")
        if self.below_headings and fill.heading_column is not None:
            name = names[fill.heading_column]
            notes.append(f"`{name}` of {counted(self.below_headings)} taken from the group heading above")
        if self.continuations:
            rows = counted(self.continuations).replace(" ", " continuation ")
            take = "takes" if self.continuations == 1 else "take"
            notes.append(f"{rows} {take} {fill.key_names(names)} of the row above")
        return notes


def fill_rows(rows: Iterable[Row], fill: RowFill) -> Iterator[FilledRow]:
    """Yield each row with its blank cells filled.

    Args:
        rows: All records in the order of the table.
        fill: Result of `detect_fill`.
    """
    above: Row | None = None
    heading = ""
    for row in rows:
        if fill.is_heading(row):
            heading = next(cell for cell in row if cell and not cell.isspace())
            yield FilledRow(None)
            continue
        cells = list(row)
        is_continuation = fill.is_continuation(row)
        if is_continuation and above is not None:
            for column in fill.keys:
                cells[column] = above[column]
        takes_heading = False
        if fill.heading_column is not None and heading and not _has_value(cells, fill.heading_column):
            takes_heading = True
            cells[fill.heading_column] = heading
        if not is_continuation:
            above = cells
        yield FilledRow(cells, (is_continuation and above is not None) or takes_heading, is_continuation)


def detect_fill(records: Sequence[Row], keys: KeyColumns, *, is_whole: bool) -> RowFill:
    """Return how a table is to be filled, as far as its first records make it certain.

    Args:
        records: First records; those of fewer values than the header are included.
        keys: Columns of order, customer and date.
        is_whole: Whether the records are all records of the table.
    """
    width = max(map(len, records), default=0)
    if width < MIN_COLUMNS:
        return RowFill()
    headings = _headings(records)
    others = [row for row in records if row not in headings] if headings else records
    has_headings = bool(headings) and _are_headings(headings, others, width)
    rows = others if has_headings else records
    key_columns, required = _continuation(rows, keys, is_whole=is_whole)
    column = _heading_column(headings, others, keys) if has_headings else None
    return RowFill(key_columns, required, has_headings, column)


def _has_value(row: Row, column: int) -> bool:
    return column < len(row) and bool(row[column]) and not row[column].isspace()


def _headings(records: Sequence[Row]) -> list[Row]:
    """Return the rows with a single value that is no number and no date."""
    return [
        row
        for row in records
        if len(list(filter(None, row))) < MIN_COLUMNS
        and len(filled := filled_columns(row)) == 1
        and not is_value(row[filled[0]])
    ]


def _are_headings(headings: Sequence[Row], others: Sequence[Row], width: int) -> bool:
    """Return whether single values are headings of groups: above records, and not parts of broken lines."""
    is_broken = any(1 < len(row) < width for row in others)
    usual = sum(len(filled_columns(row)) >= MIN_COLUMNS for row in others)
    labels = [next(cell for cell in row if cell.strip()) for row in headings]
    return not is_broken and 2 * usual > len(others) and not any(map(is_total_label, labels))


def _heading_column(headings: Sequence[Row], others: Sequence[Row], keys: KeyColumns) -> int | None:
    """Return the key column whose values are in the headings alone; None if there is none."""
    columns = {filled_columns(row)[0] for row in headings}
    if len(columns) != 1 or not columns <= set(keys.positions):
        return None
    (column,) = columns
    return None if any(_has_value(row, column) for row in others) else column


def _continuation(
    records: Sequence[Row], keys: KeyColumns, *, is_whole: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the columns that continuation lines leave blank, and those that they fill; empty if uncertain.

    The date must be blank where the order is (or the customer, without an order id), and nowhere else.
    Shopify's continuation lines have an order id, so they are none of these.
    """
    columns = keys.positions
    leading = keys.customer_id if keys.order_id is None else keys.order_id
    if leading is None or keys.ordered_at is None or len(columns) < 2:
        return (), ()
    blank: list[set[int]] = []
    seen_order = ends_with_blank = False
    for number, row in enumerate(records):
        if _has_value(row, leading) and _has_value(row, keys.ordered_at):
            seen_order = True
            continue
        filled = set(filled_columns(row))
        if not filled or any(map(is_total_label, row)):
            continue
        if filled.isdisjoint(columns):
            if not seen_order:
                return (), ()
            # A row of numbers alone may be a sum, as may the last row of a table.
            is_last = is_whole and number == len(records) - 1
            if any(not is_value(row[column]) for column in filled) and not (is_last and not blank):
                blank.append(filled)
                ends_with_blank = is_last
            continue
        # The order and its date are blank together; of this row, only one of them is, or the customer is not.
        return (), ()
    if not blank:
        return (), ()
    required = set.intersection(*(blank[:-1] if ends_with_blank else blank))
    texts = {
        column
        for column in required
        if any(not is_value(row[column]) for row in records if _has_value(row, column))
    }
    return (columns, tuple(sorted(required))) if texts and len(required) > 1 else ((), ())
