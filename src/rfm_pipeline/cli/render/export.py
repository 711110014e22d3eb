"""What was exported, on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rfm_pipeline.audiences.export import Exported
from rfm_pipeline.cli.render.run_result import columns_in_words, console
from rfm_pipeline.common import formatting

_REASONS = {
    "no_contact": "not among the contacts",
    "no_email": "without an e-mail address",
    "invalid_email": "with an address that is none",
    "same_contact": "with the address of another customer",
}


def print_exported(exported: Exported) -> None:
    """The segments, the contacts, who is in the file and who is not, and why."""
    named = ", ".join(exported.segments)
    heading = Text.assemble(
        (named if len(exported.segments) <= 4 else f"{len(exported.segments)} segments", "bold")
    )
    heading.append(f"  {exported.source}" + (f" as of {exported.as_of}" if exported.as_of else ""), "dim")
    if exported.contacts is not None:
        told = [exported.contacts, columns_in_words(exported.columns)]
        if exported.unused:
            told.append(
                f"{formatting.format_count(exported.unused, 'contact')} of no customer in these segments"
            )
        heading.append("".join(f"\n{line}" for line in told), style="dim")
    counts = Table.grid(padding=(0, 2))
    counts.add_column(justify="right")
    counts.add_row(f"{exported.exported:,}", "exported")
    for reason, number in exported.left_out.items():
        counts.add_row(f"{number:,}", f"{_REASONS[reason]} ({reason})")
    notes = [Text(f"! {note}", style="yellow") for note in _notes(exported)]
    end = Text.assemble(("Wrote ", "green"), str(exported.path))
    if exported.hashed:
        end.append(f"  hashed: {', '.join(exported.hashed)}", style="dim")
    total = Text(f"\n{formatting.format_count(exported.customers, 'customer')}")
    console().print(Group(heading, total, counts, Text(), *notes, end))


def _notes(exported: Exported) -> Iterator[str]:
    if exported.several:
        having = formatting.format_count(exported.several, "customer has", "customers have")
        yield f"{having} several addresses, of which one is taken"
    for role, number in exported.unusable.items():
        yield f"{formatting.format_count(number, 'value')} of {role.replace('_', ' ')} can't be used there: left blank"
    yield from exported.notes
