"""Columns that mark lines as no sale, such as `Cancelled at` and `is_test`, or as paid."""

from __future__ import annotations

import shlex

from rfm_pipeline.common.duckdb_quoting import identifier, text_literal
from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.sale_rules import StatusRule
from rfm_pipeline.config.vocabulary import load
from rfm_pipeline.source.profile.amounts import SampledLines
from rfm_pipeline.source.profile.own_exclusions import exclusions_of
from rfm_pipeline.source.profile.status_words import flag_name, fold


def read_flags(
    lines: SampledLines, *, excludes_refunded: bool
) -> tuple[list[tuple[StatusRule, list[bool]]], list[str]]:
    """Return the rules of columns that mark lines as no sale, with the lines of the sample, and notes.

    Args:
        lines: The sampled lines.
        excludes_refunded: Whether a refunded order is no sale. If its refund is a line of its own, the order
            stays a sale.
    """
    flags = load("status_words")["flags"]
    rules, notes = [], []
    for column in lines.schema:
        name, filled = flag_name(column.name), fold(column.name) in flags["filled"]
        if name in flags["paid"]:
            notes += _unpaid_note(lines, column)
            continue
        is_flag = filled or name in flags["yes_no"]
        is_flag = is_flag or (name in flags["refunded"] and excludes_refunded)
        if not is_flag or column.path in lines.role_paths or exclusions_of(column, lines.settings):
            continue
        values = lines.sample.of(column)
        if filled:
            rule, marked = StatusRule(column), [value is not None for value in values]
            is_mark, phrase = not all(marked), f"no sale, as `{column.name}` is filled"
        else:
            rule = StatusRule(column, tuple(sorted(flags["yes"])))
            known = {*flags["yes"], *flags["no"]}
            marked = [value is not None and value.casefold() in flags["yes"] for value in values]
            is_mark = all(value is None or value.casefold() in known for value in values)
            phrase = f"no sale by `{column.name}`"
        # What no line of the sample has may follow.
        if is_mark and values and (any(marked) or not lines.sample.is_whole):
            rules.append((rule, marked))
            notes.append(f"{phrase}: {format_count(sum(marked), 'line')}{lines.scope}")
    return rules, notes


def _unpaid_note(lines: SampledLines, column: Column) -> list[str]:
    """Return the note about lines of orders that are not paid, which count as pending ones do."""
    flags, values = load("status_words")["flags"], lines.sample.filled(column)
    unpaid = [value for value in values if value.casefold() in flags["no"]]
    known = len(unpaid) + sum(value.casefold() in flags["yes"] for value in values)
    if column.kind is not Kind.TEXT or not unpaid or known < len(values):
        return []
    if exclusions_of(column, lines.settings):
        return []
    written = ", ".join(map(text_literal, dict.fromkeys(unpaid)))
    condition = f"{identifier(column.name)} IN ({written})"
    number = f"{format_count(len(unpaid), 'line')}{lines.scope}"
    exclusion = shlex.quote(f"unpaid={condition}")
    return [f"`{column.name}` is {unpaid[0]} on {number}, which count; --exclude {exclusion} leaves them out"]
