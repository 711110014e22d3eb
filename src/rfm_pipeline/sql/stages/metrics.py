"""Metrics: aggregate lines to orders and orders to customers; compute recency, frequency and monetary value.

The source is read once, so excluded lines are aggregated in the same CTEs: one row per reason, without a
customer.
"""

from __future__ import annotations

from rfm_pipeline.common.schema import Kind
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select
from rfm_pipeline.sql.stages.clean import has_example
from rfm_pipeline.sql.stages.duplicates import lines_cte
from rfm_pipeline.sql.stages.gaps import RANKED_GAPS, TWICE_MEDIAN_GAP, day_columns, gap_columns, gap_ctes
from rfm_pipeline.sql.stages.kept_customers import with_kept_customers
from rfm_pipeline.sql.stages.unscored import (
    customer_of_line,
    has_customer,
    has_customer_on_day,
    no_amount_reasons,
    reason_as_order,
    reason_in_order,
    reason_is_order,
)

NO_POSITIVE_ORDER = "no_positive_order"
"""Exclusion reason for the lines of a customer without an order of a positive amount, net of returns."""
FORGOTTEN = "forgotten"
"""Exclusion reason for the lines of a customer that `rfm forget` removed."""
MONTH = 31
"""Most days between the lines of one order; beyond it, the order id was probably used for several orders."""
WINDOWED = "windowed"
"""Name of the CTE that applies a time window that ends on the newest order."""
ATTRIBUTED = "attributed"
"""Name of the CTE that gives each order, with its refunds, to the customer of its sale."""

_ALL_DAYS = "all_days"
"""Name of the CTE of the orders by day, with those of forgotten customers."""
_ATTRIBUTED_ROW = "One row per row of orders; a refund whose sale is not in the source has no customer."
_ORDER_DAYS_ROW = "One row per {unit} and date, because {why}; excluded lines have one row per reason."
_CUSTOMERS_ROW = "One row per customer; excluded lines have one row per reason{unsold}."


def metrics_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """Return the CTEs between `clean` and `metrics`, the last of the stage.

    A run materializes `customers`, and `order_days` if the window ends on the newest order.
    """
    ctes = _windowed_ctes(spec) if spec.window_moves else []
    lines = WINDOWED if spec.window_moves else lines_cte(spec)
    if spec.mapping.order_id:
        keyed = ", with the reason as order_id" if reason_is_order(spec) else ""
        description = f"One row per order; excluded lines have one row per reason{keyed}."
        ctes.append(Cte("orders", description, _orders(spec), reads=(lines,)))
        lines = "orders"
        if spec.has_refund_lines:
            ctes.append(Cte(ATTRIBUTED, _ATTRIBUTED_ROW, _attributed(spec), reads=(lines,)))
            lines = ATTRIBUTED
    if spec.segment_map.uses_gap:
        ctes += gap_ctes(spec, lines)
        lines = RANKED_GAPS
    excluded = [f"a forgotten customer is excluded: {FORGOTTEN}"] if _forgets_customers(spec) else []
    if spec.nets_returns:
        excluded.append(f"a customer without a positive order is excluded: {NO_POSITIVE_ORDER}")
    name = "balances" if excluded else StagingTable.CUSTOMERS
    columns = _customer_columns(spec)
    unsold = ", and per customer for want of a positive amount" if no_amount_reasons(spec) else ""
    described = _CUSTOMERS_ROW.format(unsold=unsold)
    customers = Cte(name, described, select(columns, lines, group=2), reads=(lines,))
    ctes += with_kept_customers(spec, customers, [column.rpartition(" AS ")[2] for column in columns])
    if excluded:
        description = f"One row per row of balances; {', '.join(excluded)}."
        ctes.append(Cte(StagingTable.CUSTOMERS, description, _buyers(spec), reads=(name,)))
    if not spec.window_moves:
        ctes.append(_as_of_cte(spec))
    ctes.append(
        Cte(
            "metrics",
            "One row per customer, with recency, frequency and monetary value on the as-of date.",
            _metrics(spec),
            reads=(StagingTable.CUSTOMERS, "as_of"),
        )
    )
    return tuple(ctes)


def _windowed_ctes(spec: QuerySpec) -> list[Cte]:
    """Return the CTEs of the orders by day, and of those that count on the as-of date."""
    why = "the window counts whole orders" if spec.as_of else "the window ends on the newest order"
    why = "there are several as-of dates" if spec.origin else why
    description = _ORDER_DAYS_ROW.format(unit="order" if spec.mapping.order_id else "customer", why=why)
    counted = "One row per row of order_days; orders before the window are excluded as outside_window."
    if spec.origin:
        counted = "One row per row of order_days that counts on the as-of date."
    order_days = [Cte(StagingTable.ORDER_DAYS, description, _order_days(spec), reads=(lines_cte(spec),))]
    if spec.forgotten.hashes:
        remembered = f"One row per row of {_ALL_DAYS}; a forgotten customer is excluded: {FORGOTTEN}."
        order_days = [
            Cte(_ALL_DAYS, description, _order_days(spec), reads=(lines_cte(spec),)),
            Cte(StagingTable.ORDER_DAYS, remembered, _remembered_days(spec), reads=(_ALL_DAYS,)),
        ]
    return [
        *order_days,
        _as_of_cte(spec),
        Cte(
            WINDOWED,
            counted,
            _counted_on(spec) if spec.origin else _windowed(spec),
            reads=(StagingTable.ORDER_DAYS, "as_of"),
        ),
    ]


def _as_of_cte(spec: QuerySpec) -> Cte:
    orders = StagingTable.ORDER_DAYS if spec.window_moves else StagingTable.CUSTOMERS
    return Cte(
        "as_of",
        "One row: the as-of date, from which recency is counted.",
        as_of_sql(spec),
        reads=() if spec.as_of or spec.origin else (orders,),
    )


def _order_days(spec: QuerySpec) -> str:
    kept = "reason IS NULL AND late_reason IS NULL"
    keys = [
        "reason",
        "CASE WHEN reason IS NULL THEN late_reason END AS late_reason",
        "CASE WHEN reason IS NULL THEN order_date END AS order_date",
        f"CASE WHEN {has_customer_on_day(spec)} THEN customer_id END AS customer_id",
    ]
    if spec.mapping.order_id:
        keys.append(f"CASE WHEN {kept} THEN order_id END AS order_id")
    purchases, lines = f"COUNT({_if_bought(spec, '1')})", "COUNT(*)"
    if spec.aggregates_lines:
        purchases, lines = "SUM(purchases)", "SUM(lines)"
    elif spec.mapping.frequency:
        purchases = spec.dialect.cast(_sum_of_frequency(spec), "integer")
    sums = [
        f"{purchases} AS purchases",
        "SUM(amount) AS amount",
        f"{lines} AS lines",
        *_repeated(spec),
        *_written(spec, "MIN(written)"),
        *_file_range(spec, "source_file", "source_file"),
    ]
    return select([*keys, *sums], lines_cte(spec), group=len(keys))


def _windowed(spec: QuerySpec) -> str:
    window = spec.settings.window
    assert window is not None  # because the window moves
    oldest = spec.dialect.window_start("as_of_date", window)
    reason = (
        "CASE\n"
        "    WHEN reason IS NOT NULL THEN reason\n"
        f"    WHEN order_date <= {oldest} THEN 'outside_window'\n"
        "    ELSE late_reason\n"
        "  END"
    )
    return select(_windowed_columns(spec, reason), "order_days\nCROSS JOIN as_of")


def _counted_on(spec: QuerySpec) -> str:
    """Return the SELECT of the orders that count on the origin, of which a run keeps the same lines."""
    conditions = ["reason IS NULL", "late_reason IS NULL", "order_date <= as_of_date"]
    if spec.settings.window:
        conditions.append(f"order_date > {spec.dialect.window_start('as_of_date', spec.settings.window)}")
    return select(
        _windowed_columns(spec, spec.dialect.cast("NULL", "text")),
        f"order_days\nCROSS JOIN as_of\nWHERE {' AND '.join(conditions)}",
    )


def _windowed_columns(spec: QuerySpec, reason: str) -> list[str]:
    return [
        "customer_id",
        *(["order_id"] if spec.mapping.order_id else []),
        "order_date",
        "purchases",
        "amount",
        "lines",
        f"{reason} AS reason",
        *(["repeated"] if spec.counts_totals else []),
        *(["written"] if has_example(spec) else []),
        *(["first_file", "last_file"] if spec.counts_shared_orders else []),
    ]


def _orders(spec: QuerySpec) -> str:
    order_date, files = "order_date", ("source_file", "source_file")
    if spec.window_moves:
        files = "first_file", "last_file"
    if spec.window_moves or spec.aggregates_lines:
        lines, purchases = "SUM(lines)", "CASE WHEN purchases > 0 THEN order_date END"
        order_date = purchases if spec.nets_returns else order_date
    else:
        lines, order_date = "COUNT(*)", _if_bought(spec, "order_date")
    keys = [f"{customer_of_line(spec)} AS customer_id"]
    customer = []
    if spec.has_refund_lines:
        # The lines of an order are its sale, which has the customer, and its refunds, which have none.
        customer = ["MAX(CASE WHEN reason IS NULL THEN customer_id END) AS customer_id"]
        keys = ["CASE WHEN reason IS NULL THEN order_id END AS order_id", "reason"]
    elif reason_is_order(spec):
        keys.append(f"{reason_as_order(spec)} AS order_id")
    else:
        keys += ["CASE WHEN reason IS NULL THEN order_id END AS order_id", "reason"]
    columns = [
        *keys,
        *customer,
        f"MIN({order_date}) AS first_order_date",
        f"MAX({order_date}) AS last_order_date",
        "SUM(amount) AS amount",
        f"{lines} AS lines",
        *_repeated(spec),
        *_written(spec, "MIN(written)"),
        *_file_range(spec, *files),
    ]
    return select(columns, WINDOWED if spec.window_moves else lines_cte(spec), group=len(keys))


def _attributed(spec: QuerySpec) -> str:
    columns = [
        "customer_id",
        "order_id",
        "CASE WHEN reason IS NULL AND customer_id IS NULL THEN 'missing_customer' ELSE reason END AS reason",
        "first_order_date",
        "last_order_date",
        "amount",
        "lines",
        *(["repeated"] if spec.counts_totals else []),
        *(["written"] if has_example(spec) else []),
        *(["first_file", "last_file"] if spec.counts_shared_orders else []),
    ]
    return select(columns, "orders")


def _customer_columns(spec: QuerySpec) -> list[str]:
    """Return the columns of the customers; the first two are the keys to group by."""
    dialect, reason = spec.dialect, "reason"
    customer = dialect.id_text("customer_id", spec.kind_of("customer_id"))
    customer_id = customer if spec.mapping.order_id else f"CASE WHEN {has_customer(spec)} THEN {customer} END"
    if spec.mapping.order_id:
        lines = "SUM(lines)"
        dates = [_if_bought(spec, "first_order_date"), _if_bought(spec, "last_order_date")]
        frequency = f"COUNT({_if_bought(spec, '1')})" if spec.nets_returns else "COUNT(*)"
        reason = reason_in_order(spec) if reason_is_order(spec) else "reason"
    elif spec.window_moves or spec.segment_map.uses_gap or spec.keeps_orders:
        lines, frequency = "SUM(lines)", "SUM(purchases)"
        bought = "CASE WHEN purchases > 0 THEN order_date END" if spec.nets_returns else "order_date"
        dates = [bought, bought]
    else:
        lines, frequency = "COUNT(*)", f"COUNT({_if_bought(spec, '1')})"
        if spec.mapping.frequency:
            frequency = _sum_of_frequency(spec)
        dates = [_if_bought(spec, "order_date")] * 2
    return [
        f"{customer_id} AS customer_id",
        "reason" if reason == "reason" else f"{reason} AS reason",
        f"MIN({dates[0]}) AS first_order_date",
        f"MAX({dates[1]}) AS last_order_date",
        f"{dialect.cast(frequency, 'integer')} AS frequency",
        "SUM(amount) AS monetary",
        f"{dialect.cast(lines, 'integer')} AS lines",
        *gap_columns(spec),
        *(f"{value} AS {name}" for name, value in counted_in_customers(spec).items()),
        *_written(spec, "MIN(written)"),
        *(
            ["COUNT(CASE WHEN first_file <> last_file THEN 1 END) AS shared_orders"]
            if spec.counts_shared_orders
            else []
        ),
    ]


def _buyers(spec: QuerySpec) -> str:
    branches, customer_id = [], "customer_id"
    if _forgets_customers(spec):
        forgotten = _is_forgotten(spec, "customer_id")
        branches.append(f"WHEN reason IS NULL AND {forgotten} THEN '{FORGOTTEN}'")
        customer_id = f"CASE WHEN NOT {forgotten} THEN customer_id END AS customer_id"
    if spec.nets_returns:
        branches.append(f"WHEN reason IS NULL AND frequency = 0 THEN '{NO_POSITIVE_ORDER}'")
    columns = [customer_id, "first_order_date", "last_order_date", "frequency", "monetary", "lines"]
    columns += [TWICE_MEDIAN_GAP] if spec.segment_map.uses_gap else []
    columns += [*counted_in_customers(spec), *(["shared_orders"] if spec.counts_shared_orders else [])]
    columns += ["written"] if has_example(spec) else []
    return select([f"CASE {' '.join(branches)} ELSE reason END AS reason", *columns], "balances")


def _remembered_days(spec: QuerySpec) -> str:
    """Return the SELECT of the orders by day in which those of forgotten customers are excluded.

    The newest order decides the window, and must not be one of a forgotten customer.
    """
    customer = spec.dialect.id_text("customer_id", spec.kind_of("customer_id"))
    forgotten = f"COALESCE({_is_forgotten(spec, customer)}, FALSE)"
    keys = ["customer_id", *(["order_id"] if spec.mapping.order_id else [])]
    return select(
        [
            f"CASE WHEN late_reason IS NULL AND {forgotten} THEN '{FORGOTTEN}' ELSE reason END AS reason",
            "late_reason",
            "order_date",
            *(f"CASE WHEN NOT {forgotten} THEN {key} END AS {key}" for key in keys),
            "purchases",
            "amount",
            "lines",
            *(["repeated"] if spec.counts_totals else []),
            *(["written"] if has_example(spec) else []),
            *(["first_file", "last_file"] if spec.counts_shared_orders else []),
        ],
        _ALL_DAYS,
    )


def _forgets_customers(spec: QuerySpec) -> bool:
    """Return whether forgotten customers are excluded where customers are aggregated, not orders by day."""
    return bool(spec.forgotten.hashes) and not spec.window_moves


def _is_forgotten(spec: QuerySpec, customer: str) -> str:
    """Return the condition that a customer, whose id is text, was forgotten; NULL for no customer."""
    dialect, forgotten = spec.dialect, spec.forgotten
    hashes = ", ".join(map(dialect.literal, forgotten.hashes))
    return f"({dialect.sha256(f'{dialect.literal(forgotten.salt)} || {customer}')} IN ({hashes}))"


def as_of_sql(spec: QuerySpec, order_days: str = StagingTable.ORDER_DAYS) -> str:
    """Return a SELECT of the as-of date.

    Args:
        spec: What the query computes.
        order_days: The table `order_days`, which is read if the window ends on the newest order.
    """
    if as_of := spec.dialect.literal(spec.origin) if spec.origin else spec.as_of_sql:
        return f"SELECT {as_of} AS as_of_date"
    if not spec.window_moves:
        return "SELECT MAX(last_order_date) AS as_of_date\nFROM customers\nWHERE reason IS NULL"
    kept = "WHERE reason IS NULL AND late_reason IS NULL AND purchases > 0"
    if not (spec.nets_returns and spec.mapping.order_id):
        return f"SELECT MAX(order_date) AS as_of_date\nFROM {order_days}\n{kept}"
    return f"""\
SELECT MAX(last_order_date) AS as_of_date
FROM (
  SELECT MAX(CASE WHEN purchases > 0 THEN order_date END) AS last_order_date
  FROM {order_days}
  WHERE reason IS NULL AND late_reason IS NULL
  GROUP BY customer_id, order_id
  HAVING SUM(amount) > 0
) AS bought"""


def _metrics(spec: QuerySpec) -> str:
    dialect = spec.dialect
    columns = [
        "customer_id",
        f"{dialect.days_between('last_order_date', 'as_of_date')} AS recency_days",
        "frequency",
        "monetary",
        f"{dialect.average('monetary', 'frequency')} AS avg_order_value",
        "first_order_date",
        "last_order_date",
        *day_columns(spec),
        "as_of_date",
    ]
    return select(columns, "customers\nCROSS JOIN as_of\nWHERE reason IS NULL")


def _if_bought(spec: QuerySpec, value: str) -> str:
    """Return SQL for `value` on lines with a positive amount, else NULL.

    If returns are not netted, every kept line has a positive amount, and no CASE is needed.
    """
    return f"CASE WHEN amount > 0 THEN {value} END" if spec.nets_returns else value


def _sum_of_frequency(spec: QuerySpec) -> str:
    """Return SQL for the number of orders where a line is a customer."""
    return f"COALESCE(SUM({_if_bought(spec, 'frequency')}), 0)"


def counted_in_customers(spec: QuerySpec) -> dict[str, str]:
    """Return what `customers` counts for the notes of the result: aggregates by the names of their columns.

    They ride along in the one scan: an order id of each customer, which another customer must not have;
    orders whose lines are months apart; refunds that may be of orders from before the window; and repeats
    of totals.
    """
    counts = {}
    if spec.mapping.order_id:
        days = spec.dialect.days_between("first_order_date", "last_order_date")
        if not spec.reading.knows_shared_ids:
            order_id = "order_id"
            if spec.kind_of("order_id") is Kind.TEXT:
                # One text id in ten: the smallest of all would take a tenth of the time of the largest step.
                order_id = f"CASE WHEN {spec.dialect.ends_with('order_id', '1')} THEN order_id END"
            counts["first_order"] = f"MIN({order_id})"
        counts["long_orders"] = f"COUNT(CASE WHEN {days} > {MONTH} THEN 1 END)"
        if spec.nets_returns and (spec.settings.window or spec.settings.since):
            counts["refunds"] = "COUNT(CASE WHEN amount < 0 THEN 1 END)"
        if spec.counts_totals:
            counts["repeated"] = "SUM(repeated)"
    return counts


def _repeated(spec: QuerySpec) -> list[str]:
    return ["SUM(repeated) AS repeated"] if spec.counts_totals else []


def _file_range(spec: QuerySpec, first: str, last: str) -> list[str]:
    """Return the first and the last file of an order, which tell whether it is in several files."""
    if not spec.counts_shared_orders:
        return []
    return [f"MIN({first}) AS first_file", f"MAX({last}) AS last_file"]


def _written(spec: QuerySpec, expression: str) -> list[str]:
    return [f"{expression} AS written"] if has_example(spec) else []
