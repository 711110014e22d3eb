"""Terminal output of `rfm export`."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rfm_pipeline.audiences.export import ExportResult
from rfm_pipeline.cli.render.movers import describe_conditions, mover_notes
from rfm_pipeline.cli.render.run_result import console, describe_columns
from rfm_pipeline.common import formatting
from rfm_pipeline.common.untrusted_text import replace_unprintable_in

_REASONS = {
    "no_contact": "not among the contacts",
    "no_email": "without an email address",
    "invalid_email": "with an invalid email address",
    "invalid_phone": "with a phone number that can't be used and no email address",
    "same_contact": "with the email address or phone number of another customer",
}


def print_export_result(exported: ExportResult) -> None:
    """Print the segments, the contacts, the number of exported customers, and of others by reason."""
    exported = replace_unprintable_in(exported)
    many = len(exported.segments) > 4
    segments = f"{len(exported.segments)} segments" if many else ", ".join(exported.segments)
    heading = Text.assemble((segments, "bold"))
    heading.append(f"  {exported.source}" + (f" as of {exported.as_of}" if exported.as_of else ""), "dim")
    if exported.movers is not None:
        heading.append(f"\n{describe_conditions(exported.movers)}", style="dim")
    if exported.contacts is not None:
        lines = [exported.contacts, describe_columns(exported.columns)]
        if exported.unused:
            unused = formatting.format_count(exported.unused, "contact")
            lines.append(f"{unused} of no customer in these segments")
        heading.append("".join(f"\n{line}" for line in lines), style="dim")
    counts = Table.grid(padding=(0, 2))
    counts.add_column(justify="right")
    counts.add_row(f"{exported.exported:,}", "exported")
    for reason, number in exported.left_out.items():
        counts.add_row(f"{number:,}", f"{_REASONS[reason]} ({reason})")
    notes = [Text(f"! {note}", style="yellow") for note in _notes(exported)]
    end = Text.assemble(("Wrote ", "green"), replace_unprintable_in(str(exported.path)))
    if exported.hashed:
        end.append(f"  hashed: {', '.join(exported.hashed)}", style="dim")
    total = Text(f"\n{formatting.format_count(exported.customers, 'customer')}")
    console().print(Group(heading, total, counts, Text(), *notes, end))


def _notes(exported: ExportResult) -> Iterator[str]:
    if exported.movers is not None:
        yield from mover_notes(exported.movers)
    if exported.several:
        having = formatting.format_count(exported.several, "customer has", "customers have")
        yield f"{having} several addresses; one of them is used"
    for role, number in exported.unusable.items():
        values = formatting.format_count(number, "value")
        yield f"{values} of {role.replace('_', ' ')} can't be used in this format: left blank"
    for role, number in exported.repeated.items():
        label = role.replace("_", " ")
        customers = formatting.format_count(number, "customer has", "customers have")
        yield f"{customers} the {label} of one with more revenue, which this format takes once: left blank"
    yield from exported.notes
