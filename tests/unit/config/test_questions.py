"""The questions of the product: complete sentences, flags that exist, and facts that the code passes."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from rfm_pipeline.cli.options import FLAGS
from rfm_pipeline.config import presets
from rfm_pipeline.config.questions import question, question_texts, questions
from rfm_pipeline.errors import ColumnError
from support.paths import ROOT

SOURCE = ROOT / "src" / "rfm_pipeline"
QUESTIONS = questions()
OPTIONS = {name.removeprefix(" /") for flag in FLAGS for name in flag.names} | {"--replace-source"}
ASKING = {"question", "question_texts"}
ANY = "**"
"""Facts that are passed as a dictionary."""
ERRORS = {"ColumnError", "SourceError", "UsageError"}


def placeholders(text: str) -> set[str]:
    """Return the facts that a text needs."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def calls(names: set[str], folder: Path = SOURCE) -> Iterator[ast.Call]:
    """Yield the calls of some functions below a folder."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield node


@cache
def raised() -> dict[str, list[set[str]]]:
    """Return the facts of each call that asks a question, by the question's id."""
    facts: dict[str, list[set[str]]] = defaultdict(list)
    for call in calls(ASKING):
        for node in ast.walk(call.args[0]):
            # An id may be chosen by a condition, or in a table.
            if isinstance(node, ast.Constant) and node.value in QUESTIONS:
                facts[str(node.value)].append({keyword.arg or ANY for keyword in call.keywords})
    return facts


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_texts_are_sentences(name: str) -> None:
    message, hint = QUESTIONS[name].message, QUESTIONS[name].hint
    assert message.endswith((".", ".{other_money}", ".{differences}"))
    assert hint.endswith(".")
    assert not hint[0].isupper()
    assert "  " not in message + hint


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_flags_exist_and_are_the_ones_that_the_hint_names(name: str) -> None:
    flags = QUESTIONS[name].flags
    assert set(flags) <= OPTIONS
    assert len(set(flags)) == len(flags)
    named = set(re.findall(r"--[a-z-]+", QUESTIONS[name].hint))
    # A flag that the text does not name is in a fact.
    assert named <= set(flags)
    assert named == set(flags) or placeholders(QUESTIONS[name].hint)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_names_a_flag_or_says_what_else_answers_it(name: str) -> None:
    without = {"amount_in_two_columns", "dates_by_file", "single_column", "currency_without_rate"}
    assert bool(QUESTIONS[name].flags) != (name in without)


@pytest.mark.parametrize("name", QUESTIONS)
def test_all_facts_are_passed_and_none_is_left_over(name: str) -> None:
    needed = placeholders(QUESTIONS[name].message) | placeholders(QUESTIONS[name].hint)
    if any(preset.question and preset.question.id == name for preset in map(presets.info, presets.names())):
        assert not needed
        return
    assert raised()[name], f"{name} is never asked"
    for facts in raised()[name]:
        assert needed <= facts or ANY in facts


def test_no_fact_is_passed_in_vain() -> None:
    facts = {name: set[str]().union(*passed) for name, passed in raised().items()}
    needed = {
        name: placeholders(texts.message) | placeholders(texts.hint) for name, texts in QUESTIONS.items()
    }
    # Questions that are chosen by a condition share the facts of one call.
    shared = [
        {"other_date_format", "unfitting_date_format"},
        {"several_date_formats", "contradictory_dates"},
        {"ids_of_customers_cut_off", "ids_of_orders_cut_off"},
    ]
    for name, passed in facts.items():
        together = next((group for group in shared if name in group), {name})
        assert passed - {ANY} <= set[str]().union(*(needed[other] for other in together)), name


def test_the_profile_raises_no_text_of_its_own() -> None:
    assert [ast.unparse(call) for call in calls(ERRORS, SOURCE / "source" / "profile")] == []


def test_a_question_is_an_error_with_its_facts() -> None:
    error = question("single_column_of_csv", column="a")
    assert isinstance(error, ColumnError)
    assert error.message == "The source has a single column, `a`, but at least three are needed."
    assert (error.message, error.hint) == question_texts("single_column_of_csv", column="a")
    with pytest.raises(KeyError):
        question("single_column_of_csv")


def test_braces_of_the_configuration_are_kept() -> None:
    _, hint = question_texts(
        "several_currencies", column="c", number="2", totals="", code="EUR", converted="", rates="EUR = 1"
    )
    (rates,) = re.findall(r"(rates = \{.*\}) under \[currency\]", hint)
    assert tomllib.loads(rates) == {"rates": {"EUR": 1}}
