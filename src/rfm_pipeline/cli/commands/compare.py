"""The command `rfm compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfm_pipeline.cli.options import Config, Json, Quiet, takes_settings
from rfm_pipeline.cli.render.json import print_json
from rfm_pipeline.errors import UsageError

if TYPE_CHECKING:
    from rfm_pipeline.comparison.compare import OpenComparison

LISTED = 20
"""How many customers a terminal shows."""


def _option(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, show_default=False)


A = Annotated[
    str | None,
    typer.Argument(
        help="Side A: a destination (duckdb:FILE, FILE.parquet, bigquery://project.dataset), a table or file"
        " of segmented customers, or with --with preset, bins or method a source of transaction lines.",
        show_default=False,
    ),
]
B = Annotated[
    str | None,
    typer.Argument(
        help="Side B: another destination, or a table or file of segmented customers.", show_default=False
    ),
]
With = Annotated[
    str | None,
    _option(
        "What is different on side B: preset, bins and method, as in 'preset=grid,bins=5', or the date of a"
        " destination, as in 'as_of=2025-11-30'.",
        "--with",
    ),
]
SegmentColumn = Annotated[
    str | None, _option("Column of the segment, in the tables that have it (default: detected).", "--segment")
]
Rename = Annotated[
    list[str] | None,
    _option(
        "Name of a segment on side B and its name on side A, as in 'VIP=Champions'; repeatable.", "--rename"
    ),
]
Customers = Annotated[
    str | None,
    _option(
        "List the customers whose values of a column differ, such as 'segment': on a terminal the 20 with the"
        " most money, with --csv all.",
        "--customers",
    ),
]
Csv = Annotated[bool, typer.Option("--csv", help="Print the table of segments, or the customers, as CSV.")]


@takes_settings("output")
def compare(
    *,
    flags: dict[str, Any],
    a: A = None,
    b: B = None,
    changes: With = None,
    segment: SegmentColumn = None,
    rename: Rename = None,
    customers: Customers = None,
    as_csv: Csv = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare two segmentations of the same customers. Nothing is published.

    The sides are two configurations for the lines of one source, two as-of dates of a destination, two
    destinations, or a destination and the table of another pipeline. Shows who is where on each side, the
    share of customers in the segment of the same name, Cohen's kappa, what moves in customers and money, and
    for how many customers which column differs. --customer-id, --segment and --monetary name columns of the
    tables that have them. No customer is named without --customers.

    Examples:
      rfm compare orders.csv --with preset=grid,bins=5

      rfm compare duckdb:rfm.duckdb bigquery://shop.crm.old --segment grp --rename VIP=Champions

      rfm compare duckdb:rfm.duckdb --with as_of=2025-11-30 --customers segment

      rfm compare duckdb:rfm.duckdb bigquery://shop.marketing --as-of 2025-12-31 --json
    """
    from rfm_pipeline.cli.progress import show_progress
    from rfm_pipeline.comparison.compare import Request, open_comparison
    from rfm_pipeline.config.loader import load_configuration

    if as_csv and as_json:
        raise UsageError("--csv and --json can't be combined.", "give one of them.")
    if customers and as_json:
        raise UsageError("--json names no customers.", "give --csv, or leave --json or --customers out.")
    # A configured output is neither written nor validated.
    configuration = load_configuration({**flags, "output": ()}, config=config)
    named = {**flags.get("columns", {}), **({"segment": segment} if segment else {})}
    columns = {role: named[role] for role in ("customer_id", "segment", "monetary") if role in named}
    request = Request(a, b, changes, columns, _renamed(rename or ()))
    with (
        show_progress(quiet=quiet or as_json or as_csv) as observer,
        open_comparison(configuration, request, observer) as comparison,
    ):
        if as_csv:
            _print_csv(comparison, customers)
            return
        listed = (
            [row for page in comparison.customers(customers, LISTED) for row in page] if customers else []
        )
    if as_json:
        print_json(comparison.result.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.compare import print_comparison

        print_comparison(comparison.result, customers, listed)


def _renamed(texts: list[str] | tuple[str, ...]) -> dict[str, str]:
    """Return names of segments on side A by their names on side B.

    Raises:
        UsageError: If a text is not NAME=NAME, or a name of side B has two.
    """
    names: dict[str, str] = {}
    for text in texts:
        b, equals, a = (part.strip() for part in text.partition("="))
        if not (equals and a and b) or b in names:
            problem = f"renames '{b}' twice" if b in names else f"is '{text}', not NAME=NAME"
            raise UsageError(
                f"--rename {problem}.", "write the name on side B first: --rename 'VIP=Champions'."
            )
        names[b] = a
    return names


def _print_csv(comparison: OpenComparison, column: str | None) -> None:
    import csv
    import sys

    writer = csv.writer(sys.stdout, lineterminator="\n")
    if column is None:
        writer.writerows(comparison.result.to_csv())
        return
    from rfm_pipeline.results.json_values import plain

    is_first = True
    for page in comparison.customers(column):
        if is_first and page:
            writer.writerow(page[0])
            is_first = False
        writer.writerows([[plain(value) for value in row.values()] for row in page])
