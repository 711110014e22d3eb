"""The questions about dates: errors that show the readings, and whose hints give the flags that choose."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from rfm_pipeline.common.duckdb_quoting import identifier, text_literal
from rfm_pipeline.common.formatting import format_count, truncate
from rfm_pipeline.config.questions import question
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.date_orders import DateOrder, formats_of, read_by
from rfm_pipeline.source.profile.date_values import DAY_BEFORE_MONTH, read_date

_SHOWN = 3

_WITHOUT_DAY = {
    re.compile(r"[^\W\d]{3,12}\.?[ ./-][12][0-9]{3}"): "'1 ' || {}",
    re.compile(r"[12][0-9]{3}-(0?[1-9]|1[0-2])"): "{} || '-01'",
    re.compile(r"[12][0-9]{3}/(0?[1-9]|1[0-2])"): "{} || '/01'",
    re.compile(r"(0?[1-9]|1[0-2])[/.-][12][0-9]{3}"): "regexp_replace({}, '^(.+)[-/.](.+)$', '\\2-\\1-01')",
}
"""Patterns of dates without a day, each with the SQL that adds the first of the month."""


def suggestions(orders: Mapping[str, DateOrder]) -> list[tuple[str, ...]]:
    """Return the formats of each order, each list once."""
    return list(
        dict.fromkeys(tuple(name for name, _ in order.formats.most_common()) for order in orders.values())
    )


def no_dates(column: str, lines: Counter[str], readable: Counter[str]) -> ColumnError:
    """Return the question for a column most of whose values are no dates."""
    unread = Counter({value: number for value, number in lines.items() if value not in readable})
    for pattern, day in _WITHOUT_DAY.items():
        if all(map(pattern.fullmatch, unread)):
            name = identifier(column)
            return question(
                "dates_without_day",
                column=column,
                values=counted_values(unread),
                query=f"SELECT * REPLACE ({day.format(name)} AS {name}) FROM 'FILE'",
            )
    if not readable:
        return question("no_dates", column=column, values=counted_values(unread))
    return question(
        "few_dates",
        column=column,
        number=lines.total(),
        unread=unread.total(),
        values=counted_values(unread),
    )


def contradictory_dates(
    column: str, lines: Counter[str], readable: Counter[str], orders: Mapping[str, DateOrder]
) -> ColumnError:
    """Return the question for values of which no format reads all: the best formats, and the outliers."""
    shown = [(name, order) for name, order in orders.items() if name != DAY_BEFORE_MONTH]
    shown.sort(key=lambda item: -item[1].lines)
    best = shown[0][1]
    outliers = Counter({value: number for value, number in readable.items() if value not in best.dates})
    counted = ", ".join(f"{listed(formats_of(order))} reads {order.lines}" for _, order in shown[:_SHOWN])
    # Formats are added as long as they read values that the ones before do not read.
    formats = list(formats_of(best))
    for _, order in shown[1:]:
        _, unread = read_by(formats, readable)
        if unread.keys() & order.dates.keys():
            formats += [name for name in formats_of(order) if name not in formats and _adds(name, unread)]
    formats = _without_swapped(formats)
    total = sum(read_by(formats, lines)[0].values())
    choices = [format_flags(formats)]
    swapped = [_swapped(name) for name in formats]
    if swapped != formats and sum(read_by(swapped, lines)[0].values()) == total:
        choices.append(format_flags(swapped))
    return question(
        "contradictory_dates" if total < lines.total() else "several_date_formats",
        column=column,
        number=readable.total(),
        counts=counted,
        best=listed(formats_of(best)),
        outliers=counted_values(outliers),
        choices=" or ".join(choices),
        read=total,
        lines=lines.total(),
    )


def dates_by_file(column: str, by_file: Mapping[str, tuple[tuple[str, ...], int]]) -> ColumnError:
    """Return the question for files whose dates are each in an order of their own.

    Args:
        column: Name of the column.
        by_file: Formats of each file, and the number of its values.
    """
    shown = [
        f"{listed(formats)} in {file} ({format_count(number, 'value')})"
        for file, (formats, number) in by_file.items()
    ]
    more = f" and {len(shown) - _SHOWN} more files" if len(shown) > _SHOWN else ""
    parts = (_select(column, file, formats) for file, (formats, _) in by_file.items())
    return question(
        "dates_by_file",
        column=column,
        files=", ".join(shown[:_SHOWN]) + more,
        query=" UNION ALL BY NAME ".join(parts),
    )


def _select(column: str, file: str, formats: Sequence[str]) -> str:
    """Return a query of DuckDB that reads a file, with its dates as timestamps."""
    name = identifier(column)
    written = [name for name in formats if "%" in name]
    readings = [f"strptime({name}, {text_literal(each)})" for each in written]
    readings += [f"CAST({name} AS TIMESTAMP)"] if len(written) < len(formats) else []
    if len(readings) > 1:
        readings = [
            text.replace("strptime(", "try_strptime(").replace("CAST(", "TRY_CAST(") for text in readings
        ]
    date = f"COALESCE({', '.join(readings)})" if len(readings) > 1 else readings[0]
    return f"SELECT * REPLACE ({date} AS {name}) FROM read_csv({text_literal(file)}, all_varchar = true)"


def _adds(name: str, unread: Mapping[str, int]) -> bool:
    return any(read_date(value, name) is not None for value in unread)


def _without_swapped(formats: Sequence[str]) -> list[str]:
    """Return formats without those that read day and month the other way round as an earlier one."""
    kept: list[str] = []
    for name in formats:
        if name not in map(_swapped, kept) or name == _swapped(name):
            kept.append(name)
    return kept


def _swapped(name: str) -> str:
    """Return a format with the day and the month of numbers exchanged; ISO and years first stay.

    >>> _swapped("%d/%m/%y"), _swapped("%Y%m%d")
    ('%m/%d/%y', '%Y%m%d')
    """
    if name.startswith(("%d", "%m")) and "%m" in name:
        return name.translate({ord("d"): "m", ord("m"): "d"})
    return name


def ambiguous_dates(
    column: str, fitting: Mapping[str, DateOrder], readable: Counter[str], counts: Mapping[str, int]
) -> ColumnError:
    """Return the question for dates that several orders fit: one value in each, and the number of values."""
    orders = list(fitting.values())
    value = next(
        (text for text in readable if len({order.dates[text] for order in orders}) > 1), next(iter(readable))
    )
    ways = ", and ".join(f"{order.dates[value]} as {listed(formats_of(order))}" for order in orders)
    if len(set(counts.values())) == 1:
        number = next(iter(counts.values()))
        which = "both fit" if len(orders) == 2 else "all fit"
        fits = f"{which} {format_count(number, 'value')}"
    else:
        fits = ", ".join(
            f"{listed(formats_of(fitting[name]))} fits {format_count(number, 'value')}"
            for name, number in counts.items()
        )
    choices = list(dict.fromkeys(format_flags(formats_of(order)) for order in orders))
    number_of_ways = {2: "two", 3: "three"}.get(len(orders), str(len(orders)))
    return question(
        "ambiguous_dates",
        column=column,
        number=number_of_ways,
        value=value,
        readings=ways,
        fits=fits,
        choices=" or ".join(choices),
    )


def format_flags(formats: Sequence[str]) -> str:
    """Return the flags of the command line that configure some formats."""
    return " ".join(f"--date-format {name if name.isidentifier() else repr(name)}" for name in formats)


def listed(formats: Sequence[str]) -> str:
    """Return some formats as text."""
    return " and ".join(formats)


def counted_values(lines: Mapping[str, int]) -> str:
    """Return up to three values with their numbers of lines, most frequent first."""
    most = sorted(lines.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{truncate(value)} ({number})" for value, number in most[:_SHOWN])
    return shown + (f" and {len(most) - _SHOWN} others" if len(most) > _SHOWN else "")
