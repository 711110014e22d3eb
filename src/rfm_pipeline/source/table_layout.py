"""Rows of a table that are no records: titles above the header row, group headings, total rows and footers.

Delimited text files and sheets share these rules. A row is a sequence of cells; a blank cell is empty text.
Every rule needs at least three columns, which a table of orders has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

from msgspec import Struct

from rfm_pipeline.config.column_mapping import NO_COLUMN, normalize_name
from rfm_pipeline.config.column_names import meaning_of, role_of_name
from rfm_pipeline.config.vocabulary import load

Row = Sequence[str]

MIN_COLUMNS = 3
"""Fewest columns of a table: customer, date and amount."""

_MAX_TITLE_ROWS = 40
_MAX_RECORDS_BELOW_HEADER = 20
_MAX_NAME_LENGTH = 80
_KNOWN_ROLES = 3
_KEY_ROLES = ("order_id", "customer_id", "ordered_at")

_MAX_LABEL_LENGTH = 40
# A code of one or two letters has a sign behind it: `R$ 5`; `P1` is an article.
_CURRENCY = r"(?:[A-Z]{3}\s?|(?:[A-Z]{1,3}\s?)?[$€£¥₹₽₺₩]|zł|k[rn]|Kč|R\s)?"
_VALUE = re.compile(
    rf"[-+−(]?\s?{_CURRENCY}\s?[-+−]?\d[\d\s.,'\u2019]*\s?{_CURRENCY}\s?%?[-−)]?"  # a number
    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b.*"  # a date
    r"|\d{1,2}[-/. ]{1,2}\w{3,12}[-/. ]{1,2}\d{2,4}\b.*"
    r"|[^\W\d]{3,12}\.?[- ]\d{1,2},?[- ]\d{2,4}\b.*"
)
_RUNS = ((re.compile(r"\d+"), "9"), (re.compile(r"[^\W\d_]+"), "a"), (re.compile(r"\s+"), " "))


def is_value(cell: str) -> bool:
    """Return whether a cell is a number or a date, so that it is no column name.

    >>> [is_value(cell) for cell in ("12.50", "€ 3", "2024-01-31", "05 Jan 2026", "Order ID", "Total 2024")]
    [True, True, True, True, False, False]
    """
    return _VALUE.fullmatch(cell.strip()) is not None


@cache
def _labels(table: str) -> frozenset[str]:
    return frozenset(
        normalize_name(label) for labels in load("total_rows")[table].values() for label in labels
    )


@cache
def _initials() -> frozenset[str]:
    return frozenset(label[0] for label in _labels("totals") | _labels("grand_totals"))


@cache
def _footer_words() -> re.Pattern[str]:
    words = {word for words in load("total_rows")["footers"].values() for word in words}
    return re.compile(rf"record\(s\)|\b({'|'.join(map(re.escape, sorted(words)))})\b", re.IGNORECASE)


@cache
def _last_characters() -> frozenset[str]:
    return frozenset(label[-1] for label in _labels("totals") | _labels("grand_totals"))


def is_total_label(cell: str) -> bool:
    """Return whether a cell is the label of a total row, such as `Grand Total:` or `Summe`."""
    last = cell[-1:]
    if last.isascii() and last.isalnum() and last.lower() not in _last_characters():
        return False  # most values: this takes a fifth of the time of what follows
    if cell.lstrip(" *=-")[:1].casefold() not in _initials() or len(cell) > _MAX_LABEL_LENGTH:
        return False
    label = normalize_name(cell)
    return label in _labels("totals") or label in _labels("grand_totals")


def is_grand_total_label(cell: str) -> bool:
    """Return whether a cell is a label such as `Grand Total`, which is no name of a customer or a product."""
    return normalize_name(cell) in _labels("grand_totals")


def filled_columns(row: Row) -> list[int]:
    """Return the positions of the cells that are not blank."""
    return [index for index, cell in enumerate(row) if cell and not cell.isspace()]


class KeyColumns(Struct, frozen=True):
    """Positions of the columns that identify an order; None if no column has the role, or several may.

    Attributes:
        order_id: Position of the order id.
        customer_id: Position of the customer.
        ordered_at: Position of the order's date.
    """

    order_id: int | None = None
    customer_id: int | None = None
    ordered_at: int | None = None

    @property
    def positions(self) -> tuple[int, ...]:
        """The positions that are known."""
        return tuple(position for role in _KEY_ROLES if (position := getattr(self, role)) is not None)


def find_key_columns(names: Sequence[str], configured: Mapping[str, str | None]) -> KeyColumns:
    """Return the columns of order, customer and date by their configured or known names.

    Args:
        names: Column names in the order of the table.
        configured: Column name by role, as in `[columns]`.
    """
    meanings = [meaning_of(name) for name in names]
    positions: dict[str, int | None] = {}
    for role in _KEY_ROLES:
        if name := configured.get(role):
            matches = [index for index, column in enumerate(names) if column.casefold() == name.casefold()]
            positions[role] = matches[0] if len(matches) == 1 else None
            continue
        ranks = [meaning.rank if meaning and meaning.role == role else None for meaning in meanings]
        best = min((rank for rank in ranks if rank is not None), default=None)
        positions[role] = ranks.index(best) if best is not None and ranks.count(best) == 1 else None
    return KeyColumns(**positions)


def has_order_columns(names: Sequence[str], configured: Mapping[str, str | None]) -> bool:
    """Return whether a table has columns for customer, date and amount, by configured or known names.

    Args:
        names: Column names.
        configured: Column name by role, as in `[columns]`.
    """
    present = {name.casefold() for name in names}
    chosen = {
        role: name.casefold() for role, name in configured.items() if name and name.casefold() != NO_COLUMN
    }
    if not present.issuperset(chosen.values()):
        return False
    roles = {*chosen, *map(role_of_name, names)}
    return {"customer_id", "ordered_at"} <= roles and not roles.isdisjoint({"amount", "unit_price"})


def find_header(rows: Sequence[Row]) -> int | None:
    """Return the position of the header row if it is certain; None if it is not.

    The header row is the first row of at least three names, followed by records of the same width that hold
    values. Each row above it must be a title: of another width, with at most half as many cells filled, or
    without a known column name where the header row has several; or name groups of the header's columns.

    Args:
        rows: First rows of the table.
    """
    for index, row in enumerate(rows[: _MAX_TITLE_ROWS + 1]):
        if not is_header(row, rows[index + 1 :]) or _names_groups_of_next(rows, index):
            continue
        above = [title for title in rows[:index] if filled_columns(title)]
        wide = [title for title in above if not _is_title(title, row) and not _names_groups(title, row)]
        has_values = [title for title in above if len(filled_columns(title)) >= MIN_COLUMNS]
        roles = {*map(role_of_name, row)} - {None} if has_values or wide else set()
        if (has_values and not roles) or (wide and len(roles) < _KNOWN_ROLES):
            return None
        return None if any(any(map(role_of_name, title)) for title in wide) else index
    return None


def is_header(row: Row, below: Sequence[Row]) -> bool:
    """Return whether a row has names, at least three, and the rows below it values.

    Args:
        row: A row of the table.
        below: The rows below it.
    """
    named = filled_columns(row)
    if len(named) < MIN_COLUMNS or not all(_is_name(row[column]) for column in named):
        return False
    records = []
    for record in below:
        if filled_columns(record):
            records.append(record)
        if len(records) == _MAX_RECORDS_BELOW_HEADER:
            break
    fitting = [
        record
        for record in records
        if len(record) == len(row)
        and (filled := filled_columns(record))
        and filled[-1] <= named[-1]
        and 2 * len(filled) >= len(named)
        and any(is_value(record[column]) for column in filled)
    ]
    # A short table has few records between its titles and its totals.
    return len(fitting) >= max(1, len(records) // 2)


def _names_groups_of_next(rows: Sequence[Row], index: int) -> bool:
    """Return whether the row at `index` names groups of columns, whose names are in the next row."""
    below = next((number for number in range(index + 1, len(rows)) if filled_columns(rows[number])), None)
    return (
        below is not None
        and _names_groups(rows[index], rows[below])
        and is_header(rows[below], rows[below + 1 :])
    )


def _names_groups(row: Row, header: Row) -> bool:
    """Return whether a row names groups of the header's columns: `Order,,Customer,` above the names."""
    if len(row) != len(header):
        return False
    labels, names = (
        {cells[column].casefold() for column in filled_columns(cells)} for cells in (row, header)
    )
    roles = {*map(role_of_name, header)} - {None}
    return len(labels) < len(names) and len(roles) >= _KNOWN_ROLES and all(map(_is_name, labels))


def _is_name(cell: str) -> bool:
    return (
        len(cell) <= _MAX_NAME_LENGTH
        and any(character.isalpha() for character in cell)
        and "@" not in cell
        and not is_value(cell)
    )


def _is_title(row: Row, header: Row) -> bool:
    return len(row) != len(header) or 2 * len(filled_columns(row)) <= len(filled_columns(header))


def title_note(titles: Iterable[Row], unit: str = "lines") -> str:
    """Return the note on the rows above the header row.

    Args:
        titles: Cells of these rows; blank rows are not counted.
        unit: What a row is called: `lines` or `rows`.
    """
    texts = [
        " ".join(row[column].strip() for column in filled)
        for row in titles
        if (filled := filled_columns(row))
    ]
    if not texts:
        return f"blank {unit} above the header row skipped"
    shown = ", ".join(repr(_shortened(text)) for text in texts[:2])
    more = f" and {len(texts) - 2} more" if texts[2:] else ""
    counted = f"1 {unit.removesuffix('s')}" if len(texts) == 1 else f"{len(texts)} {unit}"
    return f"{counted} above the header row skipped: {shown}{more}"


def footer_note(rows: Iterable[Row], unit: str = "lines") -> str:
    """Return the note on the rows below the last record.

    Args:
        rows: Cells of these rows; blank rows are not counted.
        unit: What a row is called: `lines` or `rows`.
    """
    texts = [
        " ".join(row[column].strip() for column in filled) for row in rows if (filled := filled_columns(row))
    ]
    more = f" and {len(texts) - 2} more" if texts[2:] else ""
    counted = f"1 {unit.removesuffix('s')}" if len(texts) == 1 else f"{len(texts)} {unit}"
    shown = ", ".join(repr(_shortened(text)) for text in texts[:2])
    return f"{counted} below the last record skipped: {shown}{more}"


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


class ColumnShapes:
    """Shapes of each column's values, by which a footer differs from a record that was cut off.

    The shape of a text is the text with each run of digits, letters or blanks replaced by one character:
    `2024-01-31` and `2024-12-01` have the shape `9-9-9`.

    Args:
        records: Rows of the full width; total rows and rows of few values are left out.
    """

    def __init__(self, records: Iterable[Row]) -> None:
        self._shapes: list[set[str]] = []
        for record in records:
            filled = filled_columns(record)
            if len(filled) < MIN_COLUMNS or any(is_total_label(record[column]) for column in filled):
                continue
            for column in filled:
                while len(self._shapes) <= column:
                    self._shapes.append(set())
                self._shapes[column].add(_shape(record[column]))

    def compare(self, cell: str, column: int) -> bool | None:
        """Return whether a cell has the shape of a column's values; None if the column has free text."""
        shapes = self._shapes[column] if column < len(self._shapes) else set()
        if not shapes or len(shapes) > 6 or not all("9" in shape for shape in shapes):
            return None
        return _shape(cell) in shapes


def _shape(cell: str) -> str:
    text = cell.strip()
    for pattern, mark in _RUNS:
        text = pattern.sub(mark, text)
    return text


def is_footer(row: Row, shapes: ColumnShapes, *, may_be_cut: bool = False) -> bool:
    """Return whether a row with fewer values than the header is certainly no record.

    Args:
        row: Cells of the row.
        shapes: Shapes of the records' values.
        may_be_cut: Whether the row is the end of a file that may be cut off within the row's last cell.
    """
    filled = filled_columns(row)
    texts = [row[column].strip() for column in filled]
    if all(not any(map(str.isalnum, text)) for text in texts):
        return True
    if is_total_label(texts[0]) or (len(texts) <= 3 and any(map(_footer_words().search, texts))):
        return True
    compared = filled[:-1] if may_be_cut and filled[-1] == len(row) - 1 else filled
    results = [shapes.compare(row[column], column) for column in compared]
    if may_be_cut and not compared and len(texts) == 1:
        # The beginning of a record's first value would begin with the same kind of character.
        return shapes.compare(texts[0], filled[0]) is False and not any(map(str.isdigit, texts[0][:1]))
    return results[:1] == [False] or results.count(False) > results.count(True)


def count_footers(rows: Sequence[Row], is_footer_row: Callable[[int], bool | None]) -> int:
    """Return the number of rows at the end of a table that are no records; 0 if no record is above them.

    Args:
        rows: Last rows of the table.
        is_footer_row: Returns for the number of a row whether it is a footer; None for a total row, which is
            part of the footers only if a footer is above it.
    """
    begin = len(rows)
    for number in range(len(rows) - 1, -1, -1):
        if not filled_columns(rows[number]):
            continue
        result = is_footer_row(number)
        if result is False:
            break
        if result:
            begin = number
    else:
        return 0
    while begin < len(rows) and not filled_columns(rows[begin - 1]):
        begin -= 1
    return len(rows) - begin
