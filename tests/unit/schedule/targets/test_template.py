"""Templates: how lines and list items are filled, repeated and left out."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from rfm_pipeline.schedule.targets import template
from rfm_pipeline.schedule.targets.template import fill_text, fill_yaml
from support.paths import ROOT

TEMPLATES = ROOT / "src" / "rfm_pipeline" / "schedule" / "targets" / "templates"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is read in place of the package's."""
    (tmp_path / "templates").mkdir()
    monkeypatch.setattr(template, "files", lambda _: tmp_path)
    return tmp_path / "templates"


def filled(folder: Path, text: str, values: dict[str, Any]) -> str:
    (folder / "text").write_text(text, encoding="utf-8")
    return fill_text("text", values)


def loaded(folder: Path, text: str, values: dict[str, Any]) -> Any:
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    return list(yaml.safe_load_all(fill_yaml("x.yaml", values)))


def test_a_line_is_repeated_for_each_element_and_left_out_without_one(written: Path) -> None:
    text = "## A comment.\na __B__\n__C__=__D__\nlast"
    assert filled(written, text, {"B": 1, "C": ["x", "y"], "D": ["1", "2"]}) == "a 1\nx=1\ny=2\nlast"
    assert filled(written, text, {"B": 1, "C": [], "D": []}) == "a 1\nlast"


@pytest.mark.parametrize(("condition", "expected"), [(True, "a\n  b __A__\n"), (False, "a\n")])
def test_a_line_with_a_condition_is_left_out_where_it_is_false(
    condition: bool, expected: str, written: Path
) -> None:
    assert filled(written, "a\n__IF_X__   b __B__\n", {"IF_X": condition, "B": "__A__"}) == expected


def test_a_placeholder_without_a_value_is_an_error(written: Path) -> None:
    with pytest.raises(KeyError, match="NAME"):
        filled(written, "a __NAME__\n", {})


def test_list_items_and_documents_are_repeated_and_left_out_with_what_is_nested_in_them(
    written: Path,
) -> None:
    text = (
        "a: {n: __N__, none: __NONE__, text: x__N__}\nb:\n- name: __NAME__\n  c: [{k: __KEY__}]\n"
        "- name: __IF_X__ d\n---\nkind: __IF_X__ K\n"
    )
    values = {"N": 1, "NONE": None, "NAME": ["p", "q"], "KEY": ["yes", "__N__"], "IF_X": False}
    first = {
        "a": {"n": 1, "text": "x1"},
        "b": [{"name": "p", "c": [{"k": "yes"}]}, {"name": "q", "c": [{"k": "__N__"}]}],
    }
    assert loaded(written, text, values) == [first]
    first["b"].append({"name": "d"})  # type: ignore[attr-defined]
    assert loaded(written, text, values | {"IF_X": True}) == [first, {"kind": "K"}]


def test_lines_of_a_block_of_text_are_repeated_within_one_list_item(written: Path) -> None:
    text = "a:\n- b: |\n    x\n    --env __NAME__\n"
    assert loaded(written, text, {"NAME": ["p", "q"]}) == [{"a": [{"b": "x\n--env p\n--env q\n"}]}]


def test_lists_of_different_lengths_are_an_error(written: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        filled(written, "__A__ __B__\n", {"A": ["x"], "B": ["y", "z"]})


# The package's own


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.yaml")), ids=lambda path: path.name)
def test_a_yaml_template_is_valid_yaml(path: Path) -> None:
    assert all(isinstance(document, dict) for document in yaml.safe_load_all(path.read_text("utf-8")))


def test_the_template_of_the_windows_task_is_valid_xml() -> None:
    task = (TEMPLATES / "task.xml").read_text("utf-8").encode("utf-16")
    assert ET.fromstring(task).tag.endswith("Task")  # noqa: S314 - a file of this package


def test_each_template_is_used_by_a_module() -> None:
    modules = "".join(path.read_text("utf-8") for path in TEMPLATES.parent.glob("*.py"))
    names = {path.name for path in TEMPLATES.iterdir()}
    assert names == {name for name in re.findall(r'"([\w.-]+)"', modules) if name in names}
    assert files(template.__package__).joinpath("templates", "rfm.timer").is_file()
