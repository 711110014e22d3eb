"""The command `rfm export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import FLAGS, Config, Flag, Json, Quiet, takes_settings
from rfm_pipeline.cli.render.json import print_json

_CONTACTS, _PRIVACY = "Contacts", "Privacy"
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


@takes_settings(*(flag.parameter for flag in FLAGS if flag.setting not in _SETTINGS), also=_FLAGS)
def export(
    *,
    flags: dict[str, Any],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="File to write; an existing file is replaced.", show_default=False
        ),
    ],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="csv, parquet, xlsx (default: by the file's suffix), google, meta, klaviyo or mailchimp.",
            show_default=False,
        ),
    ] = None,
    segment: Annotated[
        list[str] | None,
        typer.Option(
            "--segment", "-s", help="Segment to export; repeatable (default: all).", show_default=False
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", help="Columns of the result, separated by commas.", show_default=False),
    ] = None,
    clear: Annotated[
        bool,
        typer.Option(
            "--clear", help="Allow contact data in the file that is not hashed.", rich_help_panel=_PRIVACY
        ),
    ] = False,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="Do not escape text that a spreadsheet would run as a formula.",
            rich_help_panel=_PRIVACY,
        ),
    ] = False,
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

      rfm export --format klaviyo --contacts contacts.csv --clear -o list.csv
    """
    from rfm_pipeline.audiences.export import export as export_audience
    from rfm_pipeline.audiences.request import ExportRequest
    from rfm_pipeline.cli.progress import show_progress
    from rfm_pipeline.config.loader import load_configuration

    request = ExportRequest(
        output,
        format_,
        tuple(segment or ()),
        tuple(name.strip() for name in (columns or "").split(",") if name.strip()),
        clear,
        raw,
    )
    with show_progress(quiet=quiet) as observer:
        result = export_audience(load_configuration(flags, config=config), request, observer)
    if as_json:
        print_json(result.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.export import print_export_result

        print_export_result(result)
