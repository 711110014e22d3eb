"""The pages of docs/reference/ that are generated from the code, so that they can't be out of date."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from inspect import cleandoc, getdoc
from typing import Any

import msgspec
import typer

from rfm_pipeline import errors
from rfm_pipeline.cli.help import COMMANDS
from rfm_pipeline.common.formatting import capitalize_first
from rfm_pipeline.config import presets
from rfm_pipeline.config.audits import Audits
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.questions import questions
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.config.template import render_template
from rfm_pipeline.pipeline.audits.builtin import AUDITS
from rfm_pipeline.results.tables import LAYOUTS, PUBLISHED_COLUMNS, STORED_COLUMNS, SUFFIXES
from rfm_pipeline.warehouse.duckdb.schema import COLUMN_TYPES
from support import message_page, settings_schema
from support.guarantees import PROMISES, guarantees

GENERATED = (
    "This page is generated from the code: `RFM_UPDATE_GOLDEN=1 uv run pytest"
    " tests/integration/docs/test_reference.py`.\n"
)
ADVICE: Mapping[str, str] = {
    "classic": "you begin, have some hundred customers or more, and want names that most people know",
    "grid": "you have some thousand customers, and do not want large orders to decide who is loyal",
    "lifecycle": "customers buy at very different intervals, or a name such as New Customers has to hold literally",
    "shopify": "colleagues read the report in Shopify's admin, and both should use the same names",
    "klaviyo": "campaigns are sent with Klaviyo, and both should use the same names",
    "r-rfm": "you continue an analysis that was made with the R package rfm",
    "pymc": "you continue an analysis that was made with pymc-marketing",
}
"""When to take each segment map, in the order of the page."""
_TYPES = {
    "text": ("VARCHAR", "STRING"),
    "integer": ("BIGINT", "INT64"),
    "small": ("INTEGER", "INT64"),
    "money": ("DECIMAL(38, 9)", "NUMERIC"),
    "date": ("DATE", "DATE"),
    "instant": ("TIMESTAMP", "TIMESTAMP"),
}


def _table(headings: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def command(name: str) -> Any:
    """A command as typer reads its arguments."""
    function = getattr(import_module(f"rfm_pipeline.cli.commands.{name}"), name)
    app = typer.Typer(add_completion=False)
    app.command(name)(function)
    return typer.main.get_command(app)


def cli() -> str:
    """docs/reference/cli.md."""
    parts = [
        f"""# Command line

{GENERATED}
Each command has `--help` with the same text. Settings that a flag gives take precedence over `RFM_*` variables,
`rfm.toml`, presets and detection, in this order.
"""
    ]
    for name, summary in COMMANDS.items():
        function = getattr(import_module(f"rfm_pipeline.cli.commands.{name}"), name)
        about, _, examples = cleandoc(getdoc(function) or "").partition("Examples:")
        shown = "\n".join(line.strip() for line in examples.splitlines() if line.strip())
        rows = (
            (
                ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
                if parameter.param_type_name == "option"
                else f"`{parameter.human_readable_name}`",
                " ".join((getattr(parameter, "help", None) or "").split()),
            )
            for parameter in command(name).params
            if not getattr(parameter, "hidden", False)
        )
        about = about.strip() or summary
        parts.append(
            f"## rfm {name}\n\n{about}\n\n```sh\n{shown}\n```\n\n{_table(('argument', 'meaning'), rows)}"
        )
    return "\n".join(parts)


def settings() -> str:
    """docs/reference/settings.md."""
    return f"""# Settings

{GENERATED}
Where a setting comes from, strongest first: a flag, an `RFM_*` environment variable, `rfm.toml` (or the file that
`--config` or `RFM_CONFIG` names), a preset, detection by the names of columns, the default. The variable of a setting is
its name in capitals, tables joined by two underscores: `RFM_SCORING__BINS=5`, `RFM_AUDITS__MAX_AGE="3 days"`.

`rfm init` writes this file; `rfm init FILE` sets the columns of a file in it. Each line that begins with `# ` and a name
is a setting, at its default or with an example.

Editors complete and check the names with [a JSON Schema](rfm.schema.json). Save it beside `rfm.toml`, and make
`#:schema ./rfm.schema.json` the first line of `rfm.toml`: Taplo and Even Better TOML read it. The values of settings that have
short forms are checked by `rfm check`.

```toml
{render_template({}, {}).rstrip()}
```
"""


def tables() -> str:
    """docs/reference/tables.md."""
    parts = [
        f"""# Tables and JSON

{GENERATED}
A destination has three tables. The name of the current result is configurable (`--to duckdb:FILE#NAME`,
`--to bigquery://project.dataset.NAME`); the names of the others follow it.

A destination is recognised by the end of its tables' comments (on BigQuery: descriptions), such as
`[rfm: history of rfm_segments, format {LAYOUTS["duckdb"].format}]`: the role of the table, the destination that it belongs to, and the version
of its layout ({LAYOUTS["duckdb"].format} in DuckDB files, {LAYOUTS["bigquery"].format} in BigQuery). Tables that earlier versions wrote have no such mark: they are recognised by their columns if the runs table is
among them, and the next publish marks them. Nothing is ever published to another table: exit code 2.

At a Parquet destination (`--to segments.parquet`) the tables are files: `segments.parquet`, `segments_history/DATE.parquet` for
each as-of date, and `segments_runs/runs.parquet`. They have DuckDB's types, and the mark under the key `rfm` of the file's
metadata. The [guide](../guides/parquet.md) describes how they are published.
"""
    ]
    about = {
        "current": "One row per customer: the current result, which BI tools read.",
        "history": "The same rows per as-of date; on BigQuery partitioned by `as_of_date`.",
        "runs": "One row per run, whether it published or not.",
    }
    for name, columns in PUBLISHED_COLUMNS.items():
        rows = (
            (f"`{column}`", *_TYPES[about_column.holds], about_column.description)
            for column, about_column in columns.items()
        )
        parts.append(
            f"## rfm_segments{SUFFIXES[name]}\n\n{about[name]}\n\n"
            f"{_table(('column', 'DuckDB', 'BigQuery', 'meaning'), rows)}"
        )
    parts.append(_behind_the_views())
    parts.append(_JSON)
    return "\n".join(parts)


def _behind_the_views() -> str:
    about = {
        "rows": "One row per customer and as-of date, without the columns that follow from others.",
        "dates": "One row per as-of date.",
    }
    parts = [
        """## Behind the views of a DuckDB file

In a DuckDB file `rfm_segments` and `rfm_segments_history` are views over these two tables, which store the rows of each
as-of date once. Read the views: the tables may change in a later version, which then converts them.
"""
    ]
    for role, columns in STORED_COLUMNS.items():
        rows = (
            (f"`{name}`", COLUMN_TYPES[about_column.holds], about_column.description)
            for name, about_column in columns.items()
        )
        parts.append(
            f"### rfm_segments{LAYOUTS['duckdb'].suffixes[role]}\n\n{about[role]}\n\n"
            f"{_table(('column', 'type', 'meaning'), rows)}"
        )
    return "\n".join(parts)


_JSON = """## File outputs

`--output` writes the columns of `rfm_segments` in their order. Parquet files have the types of DuckDB, with decimals as
DECIMAL(38, 9), and each column is optional (nullable), so that the files of all days, of all versions and of both engines
have one schema. CSV, TSV and JSON have the same values as text, dates in ISO form, and `monetary` without the decimals that
no amount needs. On BigQuery, the columns of the tables are NULLABLE.

A new file of DuckDB can be read by DuckDB 1.4 and later; `duckdb.storage_version` chooses a newer format, which compresses
better. The format of an existing file stays.

## Statuses

| status | meaning |
|---|---|
| `published` | the result became the current one, and is in the history |
| `history_only` | the result is in the history only, since its as-of date is older than the current result's |
| `calibrated` | a calibration: the edges are on record, no result was published |
| `rejected` | an audit failed; nothing was published |
| `failed` | no result was computed |
| `forgotten`, `undone` | no run, but `rfm forget`: customers were removed, or are read again |

## JSON

`--json` prints one object on stdout. Money is a decimal string with at least two decimals, dates are in ISO form. The keys
of `rfm run --json`:

| key | content |
|---|---|
| `run_id`, `status`, `as_of`, `engine`, `source`, `destination`, `outputs`, `duration_s` | the run |
| `columns` | the column of each role |
| `rows` | `read`, `kept`, and `excluded` with the number of lines by reason |
| `amount` | `kept`, and `excluded` with the amount by reason; null if no amount could be read |
| `customers`, `orders`, `revenue` | totals of the result |
| `unscored_customers` | customers without an order of a positive amount, who are not among `customers`; null if refunds are lines of their own |
| `at_risk` | the `customers` who are due, and their `revenue`: the [revenue at risk](../guides/movers.md) |
| `edges` | the edges of `recency_days`, `frequency` and `monetary`; null for `ntile` |
| `edges_from`, `recomputed_edges`, `customers_rescored` | with frozen edges: the run that they come from, today's edges, and how many customers would get other scores |
| `collapsed_scores` | by dimension, the scores that no customer has |
| `segments` | `segment`, `customers`, `customers_share`, `orders`, `revenue`, `revenue_share` |
| `audits` | `name`, `status` (`passed`, `warning`, `failed` or `not_compared`), `detail`, `rows` with masked customers |
| `bytes_processed`, `bytes_billed`, `slot_ms`, `jobs` | what the run used on BigQuery; null on DuckDB |

`rfm runs --json` prints the columns of `rfm_segments_runs`, with the JSON columns as objects.
"""


def preset_pages() -> str:
    """docs/reference/presets.md."""
    parts = [
        f"""# Presets

{GENERATED}
`--preset NAME` chooses one; `rfm presets NAME --toml` prints its file.

## Which map to take

{_table(("map", "take it if"), ((f"`{name}`", advice) for name, advice in ADVICE.items()))}
`rfm compare SOURCE --with preset=NAME` shows who would be in another segment, and `rfm evaluate SOURCE --compare preset=NAME`
which map separates the customers who buy again better. Change a map rarely: every change moves customers who did nothing.

## Segment maps
"""
    ]
    maps = [name for name in presets.names() if presets.info(name).kind == "segments"]
    for name in maps:
        about, chosen = presets.info(name), Configuration(flags={"preset": [name]}).settings
        segment_map = SegmentMap.from_config(chosen.segments, chosen.scoring.bins_by_dimension)
        bins = " × ".join(map(str, chosen.scoring.bins_by_dimension))
        rows = ((segment.name, segment.description, segment.action or "") for segment in segment_map.segments)
        parts.append(
            f"### {name}\n\n{about.title}. {about.description} Bins (recency × frequency × monetary): {bins}.\n\n"
            f"{_table(('segment', 'customers', 'recommended action'), rows)}"
            + "".join(f"\n{note}\n" for note in about.notes)
        )
    parts.append(
        "## Exports\n\nA source with these columns is recognised, and needs no configuration; flags add to what the preset says.\n`--preset none` reads a source without recognising it.\n"
    )
    exports = (presets.info(name) for name in presets.names() if name not in maps)
    export_rows = (
        (
            f"`{about.name}`",
            about.title,
            about.description,
            " or ".join(", ".join(f"`{name}`" for name in names) for names in about.signatures),
        )
        for about in exports
    )
    parts.append(_table(("preset", "export", "notes", "recognised by"), export_rows))
    return "\n".join(parts)


def audits() -> str:
    """docs/reference/audits.md."""
    defaults = Audits()
    checks = {check.__name__: check for check in AUDITS}
    rows = (
        (f"`{name}`", level, _limit(getattr(defaults, name)), (getdoc(checks[name]) or "").partition("\n")[0])
        for name, level in defaults.levels.items()
    )
    return f"""# Audits

{GENERATED}
Audits check the staged result before it is published. Level `block`: if the check fails, nothing is published and the
exit code is 3. Level `warn`: the finding is shown, and the result is published. Level `off`: nothing is checked. Set a
level or a limit in `[audits]`, or by variables such as `RFM_AUDITS__EXCLUDED_SHARE=0.3`.

{_table(("audit", "default", "limit", "what has to hold"), rows)}
An audit of your own is a query over `segments` (the staged result) and `previous` (the current one) that returns the rows
that are wrong: `[audits.queries]`.

An [incremental run](../guides/incremental.md) that reads all files compares their orders with the kept ones, and has the audit
`kept_orders` besides. It warns of files that seemed unchanged, and were not.
"""


def _limit(audit: Any) -> str:
    limit = msgspec.structs.asdict(audit).get("limit", "")
    return "" if limit is None else str(limit)


def exit_codes() -> str:
    """docs/reference/exit-codes.md."""
    kinds: Mapping[int, str] = {
        1: "a bug in rfm; `--debug` shows the traceback",
        2: "the command line, the configuration, the source or the destination is not usable; nothing was run",
        3: "an audit failed; nothing was published",
        4: "the warehouse failed, or the destination, another file or standard output can't be written",
        5: "another run or process holds the destination; try again later",
        6: "the run would cost more than the limit; nothing was run",
    }
    rows = (
        (str(code), meaning) for code, meaning in {0: "done", **kinds, 130: "stopped by a signal"}.items()
    )
    tree = cleandoc(errors.__doc__ or "").partition("\n\n")[2].partition("\n\nEach error")[0]
    return f"""# Exit codes

{GENERATED}
{_table(("code", "meaning"), rows)}
A run that ends with a code other than 0 has published nothing, unless its message says so (an output file, the
report or standard output that could not be written after the publish). The first failure decides the code; a later one is added
to the hint. An error is one sentence on stderr, then `hint: ...`.

```text
{cleandoc(tree)}
```
"""


def question_page() -> str:
    """docs/reference/questions.md."""
    parts = [
        f"""# Questions

{GENERATED}
What can be read in two ways is asked, with exit code 2, before anything is published. These are all the questions; a word
in braces is a value of the source at hand. `rfm check` asks the same ones as `rfm run`.
"""
    ]
    for name, texts in questions().items():
        message, hint = (text.replace("{{", "{").replace("}}", "}") for text in (texts.message, texts.hint))
        flags = ", ".join(f"`{flag}`" for flag in texts.flags)
        answer = f"{capitalize_first(hint)}\n" + (f"\nFlags: {flags}.\n" if flags else "")
        parts.append(f"## {name}\n\n```text\n{message}\n```\n\n{answer}")
    return "\n".join(parts)


def guarantee_page() -> str:
    """docs/reference/guarantees.md."""
    parts = [
        f"""# Guarantees

{GENERATED}
What [README.md](../../README.md) promises, each with the tests that fail if it does not hold. A test says so by the marker
`guarantee`; a promise without a test fails the build.
"""
    ]
    tests = guarantees()
    for name, promise in PROMISES.items():
        # A table of the README is a list here; links are relative to the README.
        words = promise.strip("| ").replace(" | | ", "; ").replace(" | ", ": ").replace("](docs/", "](../")
        held = "".join(
            f"- [{test.test.removeprefix('test_').replace('_', ' ')}](../../{test.path})\n"
            for test in tests
            if test.promise == name
        )
        parts.append(f"## {name}\n\n> {words}\n\n{held}")
    return "\n".join(parts)


PAGES: Mapping[str, Callable[[], str]] = {
    "cli.md": cli,
    "settings.md": settings,
    "tables.md": tables,
    "presets.md": preset_pages,
    "audits.md": audits,
    "exit-codes.md": exit_codes,
    "questions.md": question_page,
    "messages.md": lambda: message_page.page(GENERATED),
    "rfm.schema.json": settings_schema.text,
    "guarantees.md": guarantee_page,
}
