"""The template of `rfm.toml`: every setting at its default, as a comment with its meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rfm_pipeline.config.column_mapping import ROLES

_TEXT = """\
# Settings of `rfm` in this folder. Flags and RFM_* environment variables take precedence over this file.
# Lines that begin with "# " and a name are settings, at their defaults or with an example.

# source = "orders.csv"
to = "duckdb:rfm.duckdb"            # or FILE.parquet, FOLDER/, bigquery://project.dataset
# output = ["segments.csv"]         # .csv, .parquet, .xlsx, .json
# preset = ["classic"]              # segment maps and well-known exports: `rfm presets`

# as_of = "latest"                  # the newest order's date, "yesterday", "today", or a date: 2025-12-31
# timezone = "UTC"                  # time zone of the shop, such as "Europe/London"
# date_format = ["iso"]             # default: what fits all values. "%d/%m/%y", "epoch_s", "excel_serial"
# decimal = "."                     # of text numbers, or "," as in 1.234,50; without it, it is detected
# thousands = ","                   # a text number like 1,234 is one thousand and more
# unit = 1                          # of amounts: 0.01 if they are in cents
# returns = "exclude"               # or "net": negative lines are subtracted from the customer's revenue
# line_types = "all"                # lines of tax and shipping count; "net" subtracts lines of refunds
# amount_of = "order"               # the amount is an order's total, on each of its lines; or "line"
# placeholders = ["guest", "0"]     # ids that are no customer; default: known words, and 0 where it is none
# zero_customer = "keep"            # customer 0 is a customer, or "missing"; default: "auto" looks at the ids
# same_order = "last"               # of an order in several files, the "first", the "last" or "both" count
# window = "24 months"              # count only orders of the last 24 months
# since = 2024-01-01                # or only orders from this day on
# incremental = true                # keep orders of each file or partition; read only new and changed ones
# check_every = 10                  # read everything in every tenth incremental run, to check what is kept

# The column of each role; roles that are left out are detected by the names of columns.
[columns]
{columns}

# Rows that are no transaction lines (skip), and lines that do not count (exclude), by a name of your own.
# [skip]
# continuation_line = {{ column = "Total", blank = true }}
# [exclude]
# test_orders = {{ column = "Email", equals = ["test@example.com"] }}
# wholesale = "Country = 'Nowhere'"

# [status]                          # cancelled, failed, refunded, ... orders are excluded as not_a_sale
# column = "Status"                 # the order's or the payment's status; "none" excludes nothing
# sale = ["closed"]                 # further words for a sale
# no_sale = ["parked"]              # further words for what is no sale

# [currency]                        # where lines have several currencies
# code = "USD"                      # the one that counts; lines in others are excluded
# column = "Currency"               # "none" if amounts are in one currency whatever it says
# rates = {{ USD = 1, INR = 0.012 }}  # or convert the others to it

# [read]                            # how files are read, if detection fails
# delimiter = ";"                   # one character, or "tab"
# quote = '"'                       # around values; "" if quotes are ordinary characters
# escape = '"'                      # before a quote inside a value: the quote itself, or a backslash
# encoding = "cp1252"
# header = true                     # false: the first line is data, and columns are column1, column2, ...
# skip_lines = 2                    # number of lines above the header; detected if they are certain
# sheet = "Orders"                  # the one sheet of a workbook to read

# [scoring]
# bins = 4                          # scores run from 1 (worst) to this
# method = "quantile"               # or "fixed", "ntile"
# edges = "recomputed"              # or "frozen": an earlier run's quantiles, so that scores can be compared
# calibration = "latest"            # the run they come from: "latest" calibration, or a run id
# bound = "inclusive"               # up to a fixed edge; or "exclusive": below it, as with thresholds of R
# [scoring.recency]                 # one dimension may differ
# method = "fixed"
# edges = [30, 90, 365]             # days; the best score up to 30, the next up to 90, ...
# [scoring.frequency]
# method = "fixed"
# edges = [1, 2, 5]                 # orders; above 5 is the best score
# [scoring.monetary]
# bins = 4

# A segment map of your own; start from `rfm presets classic --toml`, or lifecycle for conditions on days.
# [segments]
# fallback = "Others"
# [[segments.rules]]
# segment = "Champions"
# r = 4
# f = ">=3"
# m = "3-4"
# first_order_days = ">=31"         # days since the first order
# gap = "<=1.5"                     # days since the last order in median gaps; "none" with one order day

# [audits]                          # "block" stops the publish, "warn" reports, "off" checks nothing
# source_not_empty = "block"        # always
# reconciliation = "block"          # every line and its money is kept or excluded
# customers_unique = "block"
# scores_in_range = "block"
# segments_total = "block"
# bins_collapsed = "warn"           # a score that no customer has
# dates_read = "warn"               # a date that could not be read
# amounts_read = "warn"             # a number that could not be read, or has two readings, like 1,234
# excluded_share = 0.3              # share of the sales; lines of other days and skipped rows aside
# mostly_excluded = 0.9             # share of the sales from which nothing is published
# largest_customer = 0.1            # share of the orders that one of 50 or more customers has
# max_age = "3 days"                # age of the newest order; off by default
# duplicate_orders = 0.5            # share of the lines, of orders that count in another file
# rows_dropped = 0.5                # share of the lines of the last run with the same configuration
# customers_dropped = {{ level = "block", limit = 0.5 }}
# duplicate_load = 1.8              # times the lines and money per order, with few new customers
# segment_shares = 0.2              # change of a segment's share: from 10 % to 31 % exceeds it
# [audits.queries]                  # your own: an audit fails if its query returns rows
# too_rich = "SELECT customer_id, monetary FROM segments WHERE monetary > 1000000"
# unseen = {{ query = "SELECT * FROM segments WHERE segment = 'Nobody'", level = "warn" }}

# [history]
# keep = "2 years"                  # how far back results are kept; default: all

# [export]                          # contacts of customers, for `rfm export`
# contacts = "contacts.csv"         # one row per customer, with an e-mail address
# customer_id = "Customer ID"       # its columns; id and e-mail are detected by name
# email = "E-Mail"
# phone = "Phone"                   # used only if set, as first_name, last_name, country and zip
# default_country = "DE"            # of contacts without one: for phone numbers and postal codes
# [export.read]                     # how the contacts are read; as [read] for the source

# [report]                          # the page that `rfm report` writes
# shop = "Gift Shop Ltd"            # name at the top of the page
# title = "Customer segments"
# currency = "GBP"                  # without it, money is a plain number
# locale = "en-GB"                  # how browsers write numbers
# top_customers = 10                # customers listed per segment, by id; 0 lists none
# file = "report.html"              # written by every run

# [duckdb]
# memory_limit = "4GB"              # above it, DuckDB spills to disk
# threads = 2                       # one per core by default
# temp_directory = "/var/tmp"       # folder to spill to
# lock_timeout = 10                 # seconds to wait for a destination that another process holds
# storage_version = "v1.0.0"        # storage format of a new rfm.duckdb: up to "v2.0.0"

# [bigquery]
# project = "shop-jobs"             # runs and pays for the jobs; default: the destination's project
# location = "EU"                   # where the jobs run; default: the destination's location
# impersonate = "rfm@shop.iam.gserviceaccount.com"
# max_bytes = "1 TiB"               # a run that would read more does not start
# pricing = "on-demand"             # or "capacity": the project pays for slots, and not for bytes
# price_per_tib = 6.25              # for the estimate, in dollars
# reservation = "projects/shop-jobs/locations/EU/reservations/daily"   # slots of the queries
# priority = "interactive"          # or "batch": wait for idle slots
# labels = {{ team = "crm" }}         # of each job and table, besides those of rfm
# wildcard = "dated"                # which tables of events_* are read: those named after a date, or "all"
# scopes = ["https://www.googleapis.com/auth/drive.readonly"]   # to read a table that is a Google sheet
# job_timeout = 3600                # seconds that a job may take
# retry_timeout = 120               # seconds for which transient errors are retried
# request_timeout = 60              # seconds to wait for the answer to one request
# lease = 300                       # seconds after which a lease that is not renewed expires

# [notify]                          # notifications about the outcome of a run
# webhook = "env:SLACK_WEBHOOK"     # variable that holds the webhook URL, a secret; or the path of a file
# on = "warning"                    # or "failure", "always"
# digest = "weekly"                 # also three sentences about the first result of a week
"""


def render_template(settings: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    """Return the text of a configuration file.

    Args:
        settings: Settings that are set in the file, by name; a table, such as `[read]`, is a mapping.
        columns: Columns that are set in the file, by role.
    """
    values = dict(settings)
    text = _TEXT.format(columns="\n".join(_role(role, columns.get(role)) for role in (*ROLES, "monetary")))
    for name, value in values.items():
        text = _set_table(text, name, value) if isinstance(value, Mapping) else _set(text, name, value)
    return text


def _role(role: str, name: str | None) -> str:
    return f'# {role} = "..."' if name is None else f"{role} = {_toml(name)}"


def _set_table(text: str, name: str, values: Mapping[str, Any]) -> str:
    """Set the values of a table: those with a comment line there, and others, such as exclusions, below."""
    before, heading, after = re.split(rf"^# (\[{name}\].*\n)", text, maxsplit=1, flags=re.MULTILINE)
    table, below = re.split(r"^(?=#? ?\[|$)", after, maxsplit=1, flags=re.MULTILINE)
    for key, value in values.items():
        changed = _set(table, key, value)
        table = f"{table}{key} = {_toml(value)}\n" if changed == table else changed
    return before + heading + table + below


def _set(text: str, name: str, value: object) -> str:
    """Replace the comment line of a setting by the setting with a value."""
    line = f"{name} = {_toml(value)}"
    return re.sub(rf"^# {name} = .*$", lambda _: line, text, count=1, flags=re.MULTILINE)


def _toml(value: object) -> str:
    # JSON text and lists of text are TOML too, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
