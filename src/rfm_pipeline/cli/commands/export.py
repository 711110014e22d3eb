"""`rfm export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import FLAGS, Config, Flag, Json, Quiet, takes_settings

_CONTACTS, _PRIVACY = "Contacts", "Privacy"
_OF_USE = {("to",), ("duckdb", "memory_limit"), ("duckdb", "threads"), ("bigquery", "project")}


def _contact(role: str, what: str) -> Flag:
    return Flag(("export", role), str, (f"--{role.replace('_', '-')}",), what, _CONTACTS)


_FLAGS = (
    _contact("contacts", "The customers' contacts: a file, a glob, a folder, or duckdb:FILE#table."),
    _contact("customer_id", "Their column of the customer id, where its name does not tell."),
    _contact("email", "Their column of the e-mail address; without contacts, customer_id."),
    _contact("phone", "Their column of the phone number, with the country's code; used only if named."),
    _contact("first_name", "Their column of the first name; used only if named."),
    _contact("last_name", "Their column of the last name; used only if named."),
    _contact("country", "Their column of the country, in two letters; used only if named."),
    _contact("zip", "Their column of the postal code; used only if named."),
)


@takes_settings(*(flag.parameter for flag in FLAGS if flag.setting not in _OF_USE), also=_FLAGS)
def export(
    *,
    flags: dict[str, Any],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file; an earlier one is replaced.", show_default=False)
    ],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="csv, parquet or xlsx, as the file's suffix tells; or google, meta, klaviyo, mailchimp.",
            show_default=False,
        ),
    ] = None,
    segment: Annotated[
        list[str] | None,
        typer.Option("--segment", "-s", help="A segment; all of them unless given.", show_default=False),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns", help="Columns of the result, with commas between them.", show_default=False
        ),
    ] = None,
    clear: Annotated[
        bool,
        typer.Option("--clear", help="Addresses may be in the file as they are.", rich_help_panel=_PRIVACY),
    ] = False,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="Leave text as it is that a spreadsheet takes for a formula.",
            rich_help_panel=_PRIVACY,
        ),
    ] = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the customers of some segments to a file, as another program takes it.

    For Google and Meta addresses are hashed; Klaviyo and Mailchimp need them in clear, which --clear allows.
    Only the owner can read the file. Every customer is accounted for.

    Examples:
      rfm export --segment Champions --segment "Loyal Customers" -o best.xlsx

      rfm export -s At-Risk --format google --contacts contacts.csv -o at-risk.csv

      rfm export --format klaviyo --contacts contacts.csv --clear -o list.csv
    """
    from rfm_pipeline.audiences.export import export as export_audience
    from rfm_pipeline.audiences.request import Request
    from rfm_pipeline.cli.progress import watching
    from rfm_pipeline.config.loader import load

    request = Request(
        output,
        format_,
        tuple(segment or ()),
        tuple(name.strip() for name in (columns or "").split(",") if name.strip()),
        clear,
        raw,
    )
    with watching(quiet=quiet) as watcher:
        exported = export_audience(load(flags, config=config), request, watcher)
    if as_json:
        from rfm_pipeline.cli.render.json import print_json

        print_json(exported.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.export import print_exported

        print_exported(exported)
