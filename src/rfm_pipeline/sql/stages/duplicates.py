"""Duplicates: find the orders that are in several files, and exclude all copies but one.

An order is equal in two files if both have the same number of lines with the same total, smallest and largest
amount and the same first and last date, and if as many of the lines with the same total are kept in both.

The comparison doubles the time of the largest step, and orders are rarely in several files. So a run first
counts such orders beside the metrics, and compares them in a second pass only if there are any.
"""

from __future__ import annotations

from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select
from rfm_pipeline.sql.stages.clean import DUPLICATE_FILE, has_example
from rfm_pipeline.sql.stages.order_totals import clean_lines_cte

DUPLICATE_ORDER = "duplicate_order"
"""Exclusion reason of the lines of an order that counts in another file."""
DIFFERENT_ORDER = "different_order"
"""Exclusion reason of an order whose lines differ between files; a run that finds one fails."""
COMPARED = "compared"
"""Name of the stage's last CTE: one row per order, file, date and exclusion reason."""

ORDER_COPIES = "order_copies"
"""Name of the first CTE of the stage, which aggregates lines."""
ORDER_FILES, SHARED_ORDERS = "order_files", "shared_orders"


def duplicates_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """Return the CTEs between `clean` and `compared`; none unless `spec.compares_files`."""
    if not spec.compares_files:
        return ()
    return (
        Cte(
            ORDER_COPIES,
            "One row per order, file and date, and per exclusion reason of its lines.",
            _order_copies(spec),
            reads=(clean_lines_cte(spec),),
        ),
        Cte(ORDER_FILES, "One row per order and file.", _order_files(spec), reads=(ORDER_COPIES,)),
        Cte(
            SHARED_ORDERS,
            "One row per order in several files: whether it is equal in all, and the file that counts.",
            _shared_orders(),
            reads=(ORDER_FILES,),
        ),
        Cte(
            COMPARED,
            f"One row per row of order_copies; the copies that do not count are excluded: {DUPLICATE_ORDER}.",
            _compared(spec),
            reads=(ORDER_COPIES, SHARED_ORDERS),
        ),
    )


def lines_cte(spec: QuerySpec) -> str:
    """Return the name of the CTE whose rows are aggregated to orders.

    The rows of `compared` have the columns of `clean`, and besides `lines` and `purchases`: their number of
    lines, and of lines with a positive amount.
    """
    return COMPARED if spec.compares_files else clean_lines_cte(spec)


def compared_orders_sql(spec: QuerySpec) -> str:
    """Return the SELECT of the orders in several files: a row for the equal ones, a row for the others.

    Its columns are `is_equal`, the number of `orders`, an example of an `order_id`, and the money in the
    first file of each order, in the last one, and in all: `first_amount`, `last_amount`, `all_amount`.
    """
    order_id = spec.dialect.id_text("files.order_id", spec.kind_of("order_id"))
    in_first, in_last = (f"files.source_file = shared.{name}_file" for name in ("first", "last"))
    columns = [
        "shared.is_equal AS is_equal",
        f"COUNT(CASE WHEN {in_first} THEN 1 END) AS orders",
        f"MIN({order_id}) AS order_id",
        f"SUM(CASE WHEN {in_first} THEN files.kept_amount ELSE 0 END) AS first_amount",
        f"SUM(CASE WHEN {in_last} THEN files.kept_amount ELSE 0 END) AS last_amount",
        "SUM(files.kept_amount) AS all_amount",
    ]
    joined = f"{ORDER_FILES} AS files\nJOIN {SHARED_ORDERS} AS shared\n  ON {_same_order('files')}"
    source = f"{joined}\nWHERE shared.kept_lines > 0"
    return select(columns, source, group=1)


def order_versions_sql(spec: QuerySpec, order_id: str) -> str:
    """Return the SELECT of the files of one order, `source_file`, with its money in each, `amount`."""
    text = spec.dialect.id_text("order_id", spec.kind_of("order_id"))
    source = f"{ORDER_FILES}\nWHERE {text} = {spec.dialect.literal(order_id)}"
    query = select(["source_file", "SUM(kept_amount) AS amount"], source, group=1)
    return f"{query}\nORDER BY source_file"


def _order_copies(spec: QuerySpec) -> str:
    keys = ["customer_id", "order_id", "source_file", "order_date", "reason"]
    keys += ["late_reason"] if spec.window_moves else []
    counts = ["COUNT(*) AS lines", "COUNT(CASE WHEN amount > 0 THEN 1 END) AS purchases"]
    if spec.counts_totals or spec.keeps_orders:
        counts = ["SUM(lines) AS lines", "SUM(purchases) AS purchases"]
    smallest, largest = ("smallest", "largest") if spec.keeps_orders else ("amount", "amount")
    columns = [
        *keys,
        *counts,
        "SUM(amount) AS amount",
        *(["SUM(repeated) AS repeated"] if spec.counts_totals else []),
        f"MIN({smallest}) AS smallest",
        f"MAX({largest}) AS largest",
        *(["MIN(written) AS written"] if has_example(spec) else []),
    ]
    return select(columns, clean_lines_cte(spec), group=len(keys))


def _order_files(spec: QuerySpec) -> str:
    kept = "reason IS NULL AND late_reason IS NULL" if spec.window_moves else "reason IS NULL"
    keys = ["customer_id", "order_id", "source_file"]
    columns = [
        *keys,
        "SUM(lines) AS lines",
        "SUM(amount) AS amount",
        "MIN(smallest) AS smallest",
        "MAX(largest) AS largest",
        "MIN(order_date) AS first_date",
        "MAX(order_date) AS last_date",
        f"SUM(CASE WHEN {kept} THEN lines ELSE 0 END) AS kept_lines",
        f"SUM(CASE WHEN {kept} THEN amount ELSE 0 END) AS kept_amount",
    ]
    condition = "order_id IS NOT NULL"
    if spec.files and spec.files.duplicates:
        condition += f" AND source_file NOT IN ({', '.join(map(str, spec.files.duplicates))})"
    return select(columns, f"{ORDER_COPIES}\nWHERE {condition}", group=len(keys))


def _shared_orders() -> str:
    equal = [f"MIN({name}) = MAX({name})" for name in ("lines", "kept_lines", "kept_amount")]
    # These are NULL if no line of the order has a readable amount or date.
    for names in (("amount", "smallest", "largest"), ("first_date", "last_date")):
        condition = " AND ".join(f"MIN({name}) = MAX({name})" for name in names)
        equal.append(f"COALESCE({condition}, TRUE)")
    columns = [
        "customer_id",
        "order_id",
        "MIN(source_file) AS first_file",
        "MAX(source_file) AS last_file",
        "SUM(kept_lines) AS kept_lines",
        "\n    AND ".join(equal) + " AS is_equal",
    ]
    return f"{select(columns, ORDER_FILES, group=2)}\nHAVING COUNT(*) > 1"


def _same_order(other: str) -> str:
    """Return the join condition of `shared_orders`; lines without a customer are compared, too."""
    return (
        f"{other}.order_id = shared.order_id AND {other}.customer_id IS NOT DISTINCT FROM shared.customer_id"
    )


def _compared(spec: QuerySpec) -> str:
    rule = spec.settings.same_order
    different = "NOT shared.is_equal AND shared.kept_lines > 0"
    reasons = [
        ("shared.is_equal AND copies.source_file <> shared.first_file", DUPLICATE_ORDER),
        (f"{different} AND copies.source_file <> shared.{rule}_file", DUPLICATE_ORDER)
        if rule
        else (different, DIFFERENT_ORDER),
    ]
    if spec.files and spec.files.duplicates:
        reasons.insert(0, (f"copies.reason = '{DUPLICATE_FILE}'", DUPLICATE_FILE))
    branches = [f"    WHEN {condition} THEN '{reason}'" for condition, reason in reasons]
    reason = "\n".join(["CASE", *branches, "    ELSE copies.reason", "  END"])
    names = ["customer_id", "order_id", "order_date", "amount", "purchases", "lines"]
    names += ["late_reason"] if spec.window_moves else []
    names += ["repeated"] if spec.counts_totals else []
    names += ["written"] if has_example(spec) else []
    columns = [f"copies.{name} AS {name}" for name in names]
    source = f"{ORDER_COPIES} AS copies\nLEFT JOIN {SHARED_ORDERS} AS shared\n  ON {_same_order('copies')}"
    return select([*columns, f"{reason} AS reason"], source)
