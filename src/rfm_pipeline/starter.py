"""The configuration file that `rfm init` writes: every setting, explained, at its default."""

from __future__ import annotations

import json

from rfm_pipeline.columns import ROLES

_TEXT = """\
# What `rfm run` does here. Flags and RFM_* environment variables win over this file.
# Lines that begin with "# " and a name are settings at their defaults.

{source}
to = "duckdb:rfm.duckdb"            # or duckdb:FILE#table
# output = ["segments.csv"]         # .csv, .parquet, .xlsx, .json
# preset = ["classic"]              # segment maps and well-known exports: `rfm presets`

# as_of = "latest"                  # the newest order's date, or a date: 2025-12-31
# timezone = "UTC"                  # whose days these are, such as "Europe/London"
# date_format = ["iso"]             # text dates, such as "%d/%m/%Y %H:%M"; several are tried in order
# decimal = "."                     # or "," for text numbers like 1.234,50
# returns = "exclude"               # or "net": negative lines are taken off the customer's money
# window = "24 months"              # only what was bought this recently counts
# since = 2024-01-01                # or only what was bought from this day on

# Which column plays which role; those that are left out are found by their names.
[columns]
{columns}

# Rows that are no transaction lines, and lines that are not to count: counted under the name given here.
# [skip]
# continuation_line = {{ column = "Total", blank = true }}
# [exclude]
# test_orders = {{ column = "Email", equals = ["test@example.com"] }}
# wholesale = "Country = 'Nowhere'"

# [read]                            # where a file is not read as it is meant
# delimiter = ";"
# encoding = "cp1252"
# sheet = "Orders"

# [scoring]
# bins = 4                          # scores run from 1 (worst) to this
# method = "quantile"               # or "fixed", "ntile"
# [scoring.recency]                 # one dimension may differ
# method = "fixed"
# edges = [30, 90, 365]             # days; the best score up to 30, the next up to 90, ...

# A segment map of one's own; start from `rfm presets classic --toml`.
# [segments]
# fallback = "Others"
# [[segments.rules]]
# segment = "Champions"
# r = 4
# f = ">=3"
# m = "3-4"

# [duckdb]
# memory_limit = "4GB"
# threads = 2
# temp_directory = "/var/tmp"
"""


def starter_config(source: str | None) -> str:
    """The file's text.

    Args:
        source: A source whose columns are written into it; None leaves them to be found.

    Raises:
        RfmError: The source can't be read, or its columns can't be told.
    """
    if source is None:
        columns = "\n".join(f'# {role} = "..."' for role in ROLES)
        return _TEXT.format(source='# source = "orders.csv"', columns=columns)
    from rfm_pipeline.config import Configuration
    from rfm_pipeline.planning import planned

    with planned(Configuration(flags={"source": source, "to": "duckdb:rfm.duckdb"})) as plan:
        found = {role: column.name for role, column in plan.mapping.roles().items()}
        preset = f"\npreset = [{json.dumps(plan.recognised)}]" if plan.recognised else ""
    lines = [
        f"{role} = {json.dumps(found[role], ensure_ascii=False)}" if role in found else f'# {role} = "..."'
        for role in ROLES
    ]
    if "order_id" not in found:
        lines.append('order_id = "none"                # each line is its own order')
    text = f"source = {json.dumps(source, ensure_ascii=False)}{preset}"
    return _TEXT.format(source=text, columns="\n".join(lines))
