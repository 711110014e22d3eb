"""Grammar of settings: texts of rfm.toml, environment variables and flags, right, misspelt and damaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st

from rfm_pipeline.config.base import SettingsTable, field_types
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.template import render_template
from support.fuzz import Input
from support.fuzz_sources import damaged
from support.fuzz_values import argument, dates, encodable, numbers

WORDS = (
    "latest", "today", "24 months", "90d", "0 days", "quantile", "fixed", "ntile", "frozen", "exclude",
    "net", "classic", "grid", "none",
    "UTC", "Europe/London", "Mars/Base", "%d/%m/%Y", "iso", "epoch_s", "orders.csv", "block", "warn", "off",
    "3 days", "first", "order", "line",
    "utf-8", "4GB", "100GB", "0B", "-1GB", "EUR", "customer_id", "ordered_at", "amount", "SELECT 1",
    "amount > 5", "duckdb:x.duckdb",
)  # fmt: skip
MISSPELT = ("timezoen", "Bins", "scoring", "x", "", "columns.amount", "é")
"""Names of settings that do not exist, or are tables."""


def _paths(table: type[SettingsTable], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, kind in field_types(table).items():
        yield (*path, name)
        if isinstance(kind, type) and issubclass(kind, SettingsTable):
            yield from _paths(kind, (*path, name))


PATHS: Sequence[tuple[str, ...]] = [
    # BigQuery needs credentials, a webhook would be called, and a folder may be any of the machine.
    path
    for path in _paths(Settings)
    if path[0] not in {"bigquery", "notify"} and path[-1] != "temp_directory"
]
"""Each setting and each table of settings, from the outermost name inwards."""

words = st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS), encodable, numbers, dates)
scalars: st.SearchStrategy[Any] = st.one_of(
    words, words, st.integers(-3, 12),
    st.sampled_from([2**63, -(2**63), 10**30, 0.0, 1.5, 1e308, float("nan"), float("inf")]), st.booleans(),
    st.dates(), st.times(), st.datetimes(),
)  # fmt: skip
values: st.SearchStrategy[Any] = st.one_of(
    scalars, scalars, st.lists(scalars, max_size=3), st.dictionaries(encodable, scalars, max_size=2),
    st.fixed_dictionaries({"column": words, "equals": words}),
    st.lists(st.fixed_dictionaries({"segment": words, "r": words}), max_size=2),
)  # fmt: skip


def toml(value: Any) -> str:
    """Write a value as TOML, inline."""
    match value:
        case str():
            # JSON's escapes are a part of TOML's; only U+007F has to be escaped besides.
            return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case Mapping():
            return f"{{ {', '.join(f'{toml(str(name))} = {toml(inner)}' for name, inner in value.items())} }}"
        case _:
            return str(value)


@st.composite
def _file(draw: st.DrawFn) -> bytes:
    """Draw the text of an rfm.toml: some settings, or the starter file, sometimes damaged or nested."""
    shape = draw(st.integers(0, 19))
    if shape == 0:
        depth = draw(st.sampled_from([21, 90, 400, 3000]))
        opening, closing = draw(st.sampled_from([("[", "]"), ("{a=", "}")]))
        name = draw(st.sampled_from(["columns", "preset", "x"]))
        return f"{name} = {opening * depth}{closing * depth}".encode()
    if shape == 1:
        return damaged(draw, render_template({}, {}).encode())
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PATHS))
        if draw(st.integers(0, 7)) == 0:
            path = (*path[:-1], draw(st.sampled_from(MISSPELT)))
        name = ".".join(part if part.isidentifier() and part.isascii() else toml(part) for part in path)
        lines.append(f"{name} = {toml(draw(values))}")
    text = "\n".join(lines).encode("utf-8", "replace")
    return damaged(draw, text) if shape == 2 else text


def _variables(draw: st.DrawFn) -> dict[str, str]:
    variables = {}
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(PATHS))
        if draw(st.integers(0, 7)) == 0:
            path = (*path[:-1], draw(st.sampled_from(["TIMEZOEN", "X", "_", "É"])))
        name = f"RFM_{'__'.join(path).upper()}"
        texts = st.one_of(
            st.sampled_from(WORDS),
            argument,
            numbers,
            dates,
            st.sampled_from(["[" * 5000, "[1, 2]", '{"a": 1}', "\udcff", "{", "1,2"]),
        )
        variables[name] = draw(texts)
    return variables


FLAGS = (
    "--as-of", "--since", "--window", "--timezone", "--returns", "--bins", "--method", "--freeze",
    "--preset", "--date-format", "--decimal",
    "--thousands", "--unit", "--exclude", "--threads", "--memory-limit", "--amount", "--customer-id",
    "--zero-customer", "--same-order",
    "--line-types", "--currency", "--status-column", "--delimiter", "--encoding", "--skip-lines", "--sheet",
    "--max-bytes", "--project",
    "--no-such-flag", "-x", "--config", "--amount-of",
)  # fmt: skip
OTHERS: Sequence[tuple[str, ...]] = (
    ("runs",), ("runs", "--limit"), ("transitions",), ("transitions", "--from"), ("transitions", "--until"),
    ("rollback",), ("presets",),
    ("explain",), ("export", "-o", "out.csv", "--segment"), ("export", "-o", "out.csv", "--columns"),
    ("export", "-o", "out.csv", "--format"), ("export", "-o", "out.csv", "--moved"),
    ("movers", "--moved"), ("movers", "--reason"), ("movers", "--top"), ("movers", "--from"),
    ("export", "-o", "out.csv", "--contacts"), ("report", "--chart"), ("report", "--segment"),
    ("report", "--currency"), ("report", "--locale"),
    ("report", "--top-customers"), ("backfill", "orders.csv", "--until", "2025-01-12", "--from"),
    ("init", "orders.csv", "--config"),
    ("sql", "orders.csv", "--dialect"), ("calibrate", "orders.csv", "--as-of"),
    ("check", "orders.csv", "--as-of"),
)  # fmt: skip


@st.composite
def inputs(draw: st.DrawFn) -> Input:
    """Draw settings in one of the three places, and a command that uses them."""
    texts = st.one_of(st.sampled_from(WORDS), argument, numbers, dates)
    place = draw(st.sampled_from(["file", "file", "variables", "flags", "other"]))
    if place == "other":
        # The text may be the name of a file to write.
        return Input((*draw(st.sampled_from(OTHERS)), draw(texts)), {}, {}, ("",))
    command = draw(st.sampled_from(["check", "check", "sql", "run"]))
    files = {"rfm.toml": draw(_file())} if place == "file" else {}
    variables = _variables(draw) if place == "variables" else {}
    flags = []
    if place == "flags":
        for name in draw(st.lists(st.sampled_from(FLAGS), min_size=1, max_size=2, unique=True)):
            flags += [name, draw(texts)]
    # Settings may name any file.
    return Input((command, "orders.csv", *flags), files, variables, ("",) if command == "run" else ())
