"""The command `rfm export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import FLAGS, Config, Flag, Json, Quiet, takes_settings
from rfm_pipeline.cli.render.json import print_json

_CONTACTS, _MOVERS, _PRIVACY = "Contacts", "Movers", "Privacy"
_SETTINGS = {("to",), ("duckdb", "memory_limit"), ("duckdb", "threads"), ("bigquery", "project")}


def _contact(role: str, text: str) -> Flag:
    return Flag(("export", role), str, (f"--{role.replace('_', '-')}",), text, _CONTACTS)


_FLAGS = (
    _contact(
        "contacts", "Source of the customers' contacts: a file, a glob, a folder, or duckdb:FILE#table."
    ),
    _contact("customer_id", "Contacts' column of the customer id (default: detected by name)."),
    _contact("email", "Contacts' column of the email address; without contacts, customer_id."),
    _contact("phone", "Contacts' column of the phone number (default: none)."),
    _contact("first_name", "Contacts' column of the first name (default: none)."),
    _contact("last_name", "Contacts' column of the last name (default: none)."),
    _contact("country", "Contacts' column of the two-letter country code (default: none)."),
    _contact("zip", "Contacts' column of the postal code (default: none)."),
    _contact("default_country", "Two-letter code of the country of contacts without one (default: unknown)."),
)


def _option(text: str, *names: str, panel: str | None = None) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False)


Output = Annotated[Path, _option("File to write; an existing file is replaced.", "--output", "-o")]
Format = Annotated[
    str | None,
    _option(
        "csv, parquet, xlsx (default: by the file's suffix), google, meta, klaviyo or mailchimp.",
        "--format",
        "-f",
    ),
]
Segments = Annotated[
    list[str] | None, _option("Segment to export; repeatable (default: all).", "--segment", "-s")
]
Moved = Annotated[
    list[str] | None,
    _option(
        "Only customers who moved so since the earlier date, as in 'Champions -> *'; repeatable.",
        "--moved",
        panel=_MOVERS,
    ),
]
Reason = Annotated[
    list[str] | None,
    _option(
        "Only customers with this reason: slipped, woke_up, new_at_top or due; repeatable.",
        "--reason",
        panel=_MOVERS,
    ),
]
Start = Annotated[
    str | None,
    _option("Earlier as-of date (default: the one before the current result's).", "--from", panel=_MOVERS),
]
Columns = Annotated[str | None, _option("Columns of the result, separated by commas.", "--columns")]
Clear = Annotated[
    bool, _option("Allow contact data in the file that is not hashed.", "--clear", panel=_PRIVACY)
]
Raw = Annotated[
    bool, _option("Do not escape text that a spreadsheet would run as a formula.", "--raw", panel=_PRIVACY)
]


@takes_settings(*(flag.parameter for flag in FLAGS if flag.setting not in _SETTINGS), also=_FLAGS)
def export(
    *,
    flags: dict[str, Any],
    output: Output,
    format_: Format = None,
    segment: Segments = None,
    moved: Moved = None,
    reason: Reason = None,
    start: Start = None,
    columns: Columns = None,
    clear: Clear = False,
    raw: Raw = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the customers of some segments to a file, in the format that another program imports.

    Contact data is hashed for Google and Meta. Klaviyo and Mailchimp need it in plain text, which --clear
    allows. Only the owner can read the file. The output counts every customer as exported or left out.

    Examples:
      rfm export --segment Champions --segment "Loyal Customers" -o best.xlsx

      rfm export -s At-Risk --format google --contacts contacts.csv -o at-risk.csv

      rfm export --moved 'Champions -> *' --format google --contacts contacts.csv -o slipped.csv

      rfm export --format klaviyo --contacts contacts.csv --clear -o list.csv
    """
    from rfm_pipeline.audiences.export import export as export_audience
    from rfm_pipeline.audiences.request import ExportRequest
    from rfm_pipeline.cli.date_options import as_of_date
    from rfm_pipeline.cli.progress import show_progress
    from rfm_pipeline.config.loader import load_configuration
    from rfm_pipeline.pipeline.mover_filter import MoverConditions

    request = ExportRequest(
        output,
        format_,
        tuple(segment or ()),
        tuple(name.strip() for name in (columns or "").split(",") if name.strip()),
        clear,
        raw,
        MoverConditions.parse(moved or (), reason or (), segment or ()),
        as_of_date("--from", start) if start else None,
    )
    with show_progress(quiet=quiet) as observer:
        result = export_audience(load_configuration(flags, config=config), request, observer)
    if as_json:
        print_json(result.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.export import print_export_result

        print_export_result(result)
