"""Terminal output of `rfm check`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import MAX_WIDTH, console
from rfm_pipeline.common import formatting
from rfm_pipeline.common.untrusted_text import replace_unprintable_in
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.warehouse.base import Cost
from rfm_pipeline.warehouse.bigquery.permissions import Access

_GRANTED = {True: ("yes", "green"), False: ("NO", "bold red"), None: ("unknown", "dim")}


def print_plan(plan: Plan, notes: Sequence[str]) -> None:
    """Print the source, its columns, the rules, the result that a run would replace, and further notes."""
    source = Text.assemble((replace_unprintable_in(plan.source.label), "bold"))
    if plan.source.rows is not None:
        source.append(f", {formatting.format_count(plan.source.rows, 'row')}")
    for note in replace_unprintable_in((*plan.notes, *notes)):
        source.append(f"\n{note}", style="dim")
    console().print(Group(source, Text(), _columns(plan), Text(), _rules(plan), Text(), _outcome(plan)))


def print_access(access: Access) -> None:
    """Print the BigQuery account, and whether it has each permission that a run needs."""
    access = replace_unprintable_in(access)
    location = f", in {access.location}" if access.location else ""
    account = Text.assemble(
        (access.principal, "bold"), f"; jobs run in the project {access.project}{location}"
    )
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(overflow="fold")
    for permission in access.permissions:
        text, style = _GRANTED[permission.is_granted]
        table.add_row(Text(permission.name), Text(permission.on, style="dim"), Text(text, style=style))
        if permission.is_granted is False:
            table.add_row("", Text(f"granted by {permission.role}"), "")
    if access.has_billing is False:
        table.add_row(Text("billing"), Text(access.project, style="dim"), Text("NO", style="bold red"))
    notes = [Text(note, style="dim") for note in access.notes]
    out = console()
    if not out.is_terminal:
        # A log has no width, and names of tables are longer than 80 characters.
        out.width = MAX_WIDTH
    out.print(Group(account, table, *notes, Text()))


def _columns(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("Role", "Column", "Type", "Chosen"):
        table.add_column(heading, no_wrap=True)
    for role, column in plan.mapping.roles().items():
        by_preset = f"by preset {plan.recognised}" if plan.recognised else "by the preset"
        chosen = by_preset if role in plan.mapping.configured else "detected by name"
        chosen = "as configured" if role in plan.configured else chosen
        table.add_row(role, *map(Text, replace_unprintable_in((column.name, column.declared))), chosen)
    if plan.mapping.order_id is None:
        table.add_row("order_id", Text("none", style="dim"), "", "each line is an order")
    return table


def _rules(plan: Plan) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in replace_unprintable_in(plan.rules()).items():
        table.add_row(name, Text(value))
    return table


def _outcome(plan: Plan) -> Text:
    text = Text.assemble(
        ("A run would publish ", "green"), replace_unprintable_in(plan.warehouse.destination.label)
    )
    if plan.state.as_of:
        customers = formatting.format_count(plan.state.customers, "customer")
        text.append(f",\nreplacing {customers} as of {plan.state.as_of}")
    else:
        text.append(",\nwhich has no result yet")
    for path in map(str, plan.settings.output):
        text.append(f",\nand write {replace_unprintable_in(path)}")
    if plan.cost:
        read = formatting.format_bytes(plan.cost.bytes_processed)
        bound = "" if plan.cost.accuracy == "about" else f"{plan.cost.accuracy} "
        text.append(f",\nand read {bound}{read}")
        if plan.cost.dollars is not None:
            text.append(f", for {plan.cost.accuracy} ${formatting.format_amount(plan.cost.dollars)}")
        for what, cost in (("of kept orders", plan.kept_cost), ("in a full read", plan.full_cost)):
            text.append(f",\n{_beside(what, cost)}" if cost else "")
    return text.append(".")


def _beside(what: str, cost: Cost) -> str:
    """Return what else is read, or would be, in words."""
    read = formatting.format_bytes(cost.bytes_processed)
    price = "" if cost.dollars is None else f", for ${formatting.format_amount(cost.dollars)}"
    joined = "and" if what == "of kept orders" else "in place of"
    return f"{joined} {read} {what}{price}"
