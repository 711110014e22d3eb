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
from rfm_pipeline.source.total_rows import to_number

_ORDERS_PER_ODD_ROW = 10
"""Fewest continuation lines for each line that has only some of an order's keys."""

_SHOWN_COLUMNS = 5


class RowFill(Struct, frozen=True):
    """How blank cells of a table are filled, and which rows are group headings.

    Attributes:
        keys: Columns that continuation lines leave blank together: they take the values of the row above.
            Empty if the table has no continuation lines.
        required: Columns that every continuation line fills; a row without them is no continuation line.
        same: Columns in which a continuation line has the value of the row above.
        has_headings: Whether rows with a single value are group headings, which are dropped.
        heading_column: Column that takes the value of the heading above; None if headings are only dropped.
    """

    keys: tuple[int, ...] = ()
    required: tuple[int, ...] = ()
    same: tuple[int, ...] = ()
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
        listed = ", ".join(f"`{names[column]}`" for column in self.keys[:_SHOWN_COLUMNS])
        more = len(self.keys) - _SHOWN_COLUMNS
        return f"{listed} and {more} more columns" if more > 0 else listed


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
        if above is not None and not _has_same(row, above, fill.same):
            is_continuation = False
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
    found = _continuation(rows, keys, is_whole=is_whole)
    column = _heading_column(headings, others, keys) if has_headings else None
    return RowFill(found.keys, found.required, found.same, has_headings, column)


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


class _Continuation(Struct, frozen=True):
    """The columns that continuation lines leave blank, fill, and have in common with the row above."""

    keys: tuple[int, ...] = ()
    required: tuple[int, ...] = ()
    same: tuple[int, ...] = ()


def _continuation(records: Sequence[Row], keys: KeyColumns, *, is_whole: bool) -> _Continuation:
    """Return what continuation lines leave blank; nothing if it is uncertain whether there are any.

    The order, the customer and the date are blank together on lines that fill other columns, or the date is
    the one of the row above. Shopify's continuation lines have an order id, so they are none of these.
    """
    leading = keys.customer_id if keys.order_id is None else keys.order_id
    if leading is None or keys.ordered_at is None or len(keys.positions) < 2:
        return _Continuation()
    for same in ((), (keys.ordered_at,)):
        columns = tuple(column for column in keys.positions if column not in same)
        blank = _blank_rows(records, columns, same, leading)
        if is_whole and blank == [len(records) - 1]:
            # The last row of a table may be a sum.
            continue
        with_text = [number for number in blank if any(map(_is_text, records[number]))]
        if is_whole and with_text[1:] and with_text[-1] == len(records) - 1:
            with_text = with_text[:-1]
        filled = [{*filled_columns(records[number])} - {*same} for number in with_text or blank]
        required = tuple(sorted(set.intersection(*filled))) if filled else ()
        has_text = any(_is_text(row[column]) for row in records for column in required if column < len(row))
        if len(required) > 1 and (has_text if with_text else not _may_be_sums(records, blank, required)):
            also = _columns_of_order(records, blank, columns)
            return _Continuation((*columns, *also), required, same)
    return _Continuation()


def _blank_rows(
    records: Sequence[Row], columns: Sequence[int], same: Sequence[int], leading: int
) -> list[int]:
    """Return the numbers of the rows without a value in `columns`; none if these are often blank separately.

    Args:
        records: First records.
        columns: Columns that continuation lines leave blank.
        same: Columns in which continuation lines have the value of the row above.
        leading: The column of the order, or of the customer.
    """
    blank: list[int] = []
    odd = 0
    above: Row | None = None
    for number, row in enumerate(records):
        filled = set(filled_columns(row))
        if not filled or any(map(is_total_label, row)):
            continue
        if filled.isdisjoint(columns):
            if above is None:
                return []
            if len(filled) > 1 and _has_same(row, above, same):
                blank.append(number)
            else:
                odd += bool(same)
            continue
        # An order of a guest has no customer, but all else.
        odd += leading not in filled or (
            not same and len(filled.intersection(columns)) < min(2, len(columns))
        )
        above = row
    return blank if _ORDERS_PER_ODD_ROW * odd <= len(blank) else []


def _has_same(row: Row, above: Row, columns: Sequence[int]) -> bool:
    return all(
        _has_value(row, column) and _has_value(above, column) and row[column] == above[column]
        for column in columns
    )


def _is_text(cell: str) -> bool:
    return bool(cell) and not cell.isspace() and not is_value(cell)


def _may_be_sums(records: Sequence[Row], blank: Sequence[int], columns: Sequence[int]) -> bool:
    """Return whether the last row of each order may be the sum of the rows above it, in some column."""
    groups: list[list[Row]] = []
    for number in blank:
        if number - 1 not in blank:
            groups.append([records[number - 1]])
        groups[-1].append(records[number])
    for column in columns:
        numbers = [[to_number(row[column]) if column < len(row) else None for row in rows] for rows in groups]
        if all(None not in values and values[-1] == sum(filter(None, values[:-1])) for values in numbers):
            return True
    return False


def _columns_of_order(records: Sequence[Row], blank: Sequence[int], keys: Sequence[int]) -> list[int]:
    """Return other columns of text that only the first line of an order fills, such as its status."""
    others = [row for number, row in enumerate(records) if number not in set(blank)]
    columns = []
    for column in range(max(map(len, others))):
        cells = [row[column] for row in others if _has_value(row, column)]
        if (
            column not in keys
            and 2 * len(cells) > len(others)
            and all(map(_is_text, cells))
            and not any(_has_value(records[number], column) for number in blank)
        ):
            columns.append(column)
    return columns
