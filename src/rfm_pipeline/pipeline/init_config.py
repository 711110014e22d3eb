"""The configuration file that `rfm init` writes: every setting, explained, at its default."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rfm_pipeline.config.column_mapping import NO_COLUMN, ROLES

_TEXT = """\
# What `rfm run` does here. Flags and RFM_* environment variables win over this file.
# Lines that begin with "# " and a name are settings, at their defaults or with an example.

# source = "orders.csv"
to = "duckdb:rfm.duckdb"            # or duckdb:FILE#table, bigquery://project.dataset
# output = ["segments.csv"]         # .csv, .parquet, .xlsx, .json
# preset = ["classic"]              # segment maps and well-known exports: `rfm presets`

# as_of = "latest"                  # the newest order's date, or a date: 2025-12-31
# timezone = "UTC"                  # whose days these are, such as "Europe/London"
# date_format = ["iso"]             # text dates, such as "%d/%m/%Y %H:%M"; several are tried in order
# decimal = "."                     # or "," for text numbers like 1.234,50
# thousands = ""                    # or "," where a text number like 1,234 is a thousand and more
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
# delimiter = ";"                   # one character, or "tab"
# quote = '"'                       # around values; "" where quotes are ordinary characters
# escape = '"'                      # before a quote inside a value: the quote itself, or a backslash
# encoding = "cp1252"
# header = true                     # false: the first line is data, and columns are column1, column2, ...
# skip_lines = 0                    # how many lines stand above the header
# sheet = "Orders"                  # the one sheet of a workbook to read

# [scoring]
# bins = 4                          # scores run from 1 (worst) to this
# method = "quantile"               # or "fixed", "ntile"
# edges = "recomputed"              # or "frozen": an earlier run's quantiles, so that scores can be compared
# calibration = "latest"            # whose they are: the newest `rfm calibrate`, or the id of a run
# [scoring.recency]                 # one dimension may differ
# method = "fixed"
# edges = [30, 90, 365]             # days; the best score up to 30, the next up to 90, ...
# [scoring.frequency]
# method = "fixed"
# edges = [1, 2, 5]                 # orders; above 5 is the best score
# [scoring.monetary]
# bins = 4

# A segment map of one's own; start from `rfm presets classic --toml`.
# [segments]
# fallback = "Others"
# [[segments.rules]]
# segment = "Champions"
# r = 4
# f = ">=3"
# m = "3-4"

# [audits]                          # "block" publishes nothing, "warn" is told, "off" is not looked at
# source_not_empty = "block"        # always
# reconciliation = "block"          # every line and its money is kept or excluded
# customers_unique = "block"
# scores_in_range = "block"
# segments_total = "block"
# bins_collapsed = "warn"           # a score that no customer has
# amounts_read = "warn"             # a number like 1,234, which can be read in two ways
# excluded_share = 0.5              # of the lines; those of other days, and what is skipped, don't count
# max_age = "3 days"                # of the newest order; not looked at unless given
# rows_dropped = 0.5                # of what the last run read, with the same configuration
# customers_dropped = {{ level = "block", limit = 0.5 }}
# duplicate_load = 1.8              # times the lines and the money per order, with hardly more customers
# segment_shares = 0.2              # of the customers: 10 % that become 31 % are more than this
# [audits.queries]                  # one's own: what a query finds in `segments` or `previous` must not be
# too_rich = "SELECT customer_id, monetary FROM segments WHERE monetary > 1000000"
# unseen = {{ query = "SELECT * FROM segments WHERE segment = 'Nobody'", level = "warn" }}

# [history]
# keep = "2 years"                  # how far back results are remembered; without it, all of them

# [export]                          # who an audience can reach: see `rfm export`
# contacts = "contacts.csv"         # one row per customer, with an e-mail address
# customer_id = "Customer ID"       # its columns; the id and the address are found by their names
# email = "E-Mail"
# phone = "Phone"                   # used only where named, as are first_name, last_name, country and zip
# [export.read]                     # as [read] is for the source

# [report]                          # the page that `rfm report` writes
# currency = "GBP"                  # without it, money is a plain number
# locale = "en-GB"                  # how browsers write numbers
# top_customers = 10                # of each segment, by id; 0 names nobody
# file = "report.html"              # written by every run

# [duckdb]
# memory_limit = "4GB"              # above it, work goes to disk
# threads = 2                       # one for each core unless given
# temp_directory = "/var/tmp"       # where that disk is
# lock_timeout = 10                 # seconds to wait for a destination that another process holds

# [bigquery]
# project = "shop-jobs"             # runs the jobs and pays; the destination's unless given
# location = "EU"                   # where the jobs run; where the destination is unless given
# impersonate = "rfm@shop.iam.gserviceaccount.com"
# max_bytes = "1 TiB"               # a run that would read more does not start
# price_per_tib = 6.25              # for the estimate, in dollars
# job_timeout = 3600                # seconds that a job may take
# retry_timeout = 120               # seconds for which what may pass is tried again
# request_timeout = 60              # seconds to wait for the answer to one request
# lease = 300                       # seconds after which a silent run is taken for dead

# [notify]                          # who is told how a run ended
# webhook = "env:SLACK_WEBHOOK"     # the variable that has the address, or a file's path: it is a secret
# on = "warning"                    # or "failure", "always"
"""


def starter_config(source: str | None, given: Mapping[str, Any] | None = None) -> str:
    """The file's text.

    Args:
        source: A source whose columns are written into it; None leaves them to be found.
        given: What was said about the source, in the shape of the file: it is written into it too.

    Raises:
        RfmError: The source can't be read, or its columns can't be told.
    """
    settings = dict(given or {})
    columns: dict[str, str] = dict(settings.pop("columns", {}))
    if source is not None:
        from rfm_pipeline.config.loader import Configuration
        from rfm_pipeline.pipeline.plan import open_plan

        configuration = Configuration(flags={**(given or {}), "source": source})
        with open_plan(configuration, publishes=False) as plan:
            columns = {role: column.name for role, column in plan.mapping.roles().items()}
            if plan.recognised:
                settings["preset"] = [plan.recognised, *settings.get("preset", ())]
        columns.setdefault("order_id", NO_COLUMN)
        settings["source"] = source
    text = _TEXT.format(columns="\n".join(_role(role, columns.get(role)) for role in ROLES))
    if read := settings.pop("read", {}):
        text = text.replace("# [read]  ", "[read]    ")
    for name, value in {**settings, **read}.items():
        text = _set(text, name, value)
    return text


def _role(role: str, name: str | None) -> str:
    return f'# {role} = "..."' if name is None else f"{role} = {_toml(name)}"


def _set(text: str, name: str, value: object) -> str:
    """The text with a setting at a value, in the line where it stands as a comment."""
    line = f"{name} = {_toml(value)}"
    return re.sub(rf"^# {name} = .*$", lambda _: line, text, count=1, flags=re.MULTILINE)


def _toml(value: object) -> str:
    # A text or a list of texts in JSON is one in TOML too, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
