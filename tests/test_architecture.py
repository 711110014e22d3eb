"""The rules of docs/contributing/architecture.md, checked against the source text."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from rfm_pipeline.cli.help import COMMANDS
from rfm_pipeline.common.duckdb_engine import connect_in_memory
from rfm_pipeline.pipeline.staging import STEP_NAMES
from support.package_tree import PACKAGE, package_tree
from support.paths import ROOT

PAGE = ROOT / "docs" / "contributing" / "architecture.md"
NAME = PACKAGE.name

LAYERS: list[set[str]] = [
    {"errors", "_version"},
    {"common"},
    {"config", "results", "demo"},
    {"source", "sql", "schedule"},
    {"warehouse", "report"},
    {"pipeline"},
    {"notifications", "explain", "evaluation", "comparison", "audiences"},
    {"api"},
    {"cli"},
]
"""Packages per layer, from the bottom to the top. A module imports its own package and lower layers only."""
OUTSIDE_LAYERS = {"", "__main__"}
"""Modules that belong to no layer: the public API, and `python -m rfm_pipeline`."""
ENGINE = {"duckdb", "_duckdb"}
COMMAND_LINE = {"typer", "rich", "click"}
OPTIONAL = {
    "fastexcel", "xlsxwriter", "google", "altair", "jinja2", "vl_convert", "pandas", "polars", "pyarrow",
    "yaml", "numpy", "scipy",
}  # fmt: skip
MAX_LINES = 420


@dataclass(frozen=True)
class Import:
    """One imported module.

    Attributes:
        name: Absolute module name; for a module of this package, without the package's name.
        internal: Whether the module belongs to this package.
        at_start: Whether the import is executed when the importing module is imported.
    """

    name: str
    internal: bool
    at_start: bool

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


def imports(tree: ast.Module) -> Iterator[Import]:
    """Yield every import of a module, except those for the type checker only."""
    yield from _imports(tree.body, at_start=True)


def _imports(statements: list[ast.stmt], *, at_start: bool) -> Iterator[Import]:
    for statement in statements:
        match statement:
            case ast.Import(names):
                for alias in names:
                    yield _import(alias.name, at_start)
            case ast.ImportFrom(module, names, level):
                assert level == 0, "imports are absolute"
                for alias in names:
                    # `from package import module` imports the module; a name inside it imports nothing more.
                    inner = f"{module}.{alias.name}"
                    yield _import(inner if _is_module(inner) else module or "", at_start)
            case ast.If(test, body, orelse):
                if ast.unparse(test) != "TYPE_CHECKING":
                    yield from _imports(body, at_start=at_start)
                yield from _imports(orelse, at_start=at_start)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _imports(statement.body, at_start=False)
            case _:
                for inner_statements in _blocks(statement):
                    yield from _imports(inner_statements, at_start=at_start)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for _, value in ast.iter_fields(statement):
        if isinstance(value, list):
            yield [part for part in value if isinstance(part, ast.stmt)]
            for part in value:
                if isinstance(part, ast.ExceptHandler | ast.match_case):
                    yield part.body


def _import(name: str, at_start: bool) -> Import:
    internal = name == NAME or name.startswith(f"{NAME}.")
    return Import(name.removeprefix(NAME).removeprefix(".") if internal else name, internal, at_start)


def _is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return name.startswith(f"{NAME}.") and (path.with_suffix(".py").exists() or path.is_dir())


@cache
def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of each module by its dotted name, without the package's name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(*, by: str, at_start: bool | None = None) -> dict[str, set[Import]]:
    """Return the imports per module of a package, or of a single module."""
    return {
        name: {
            found for found in imports(tree) if at_start is None or found.at_start == at_start
        }
        for name, tree in modules().items()
        if name == by or name.startswith(f"{by}.") or not by
    }  # fmt: skip


def forbidden_imports(found: dict[str, set[Import]], unwanted: set[str], *, internal: bool) -> set[str]:
    return {
        f"{name} imports {target.name}"
        for name, targets in found.items()
        for target in targets
        if target.internal == internal and (target.top in unwanted or target.name in unwanted)
    }


# The import scanner


def test_the_import_scanner_finds_every_import_and_its_time() -> None:
    tree = ast.parse(
        "import duckdb\n"
        "from rfm_pipeline.sql.stages import clean\n"
        "from rfm_pipeline.errors import RfmError\n"
        "if TYPE_CHECKING:\n    import rich\n"
        "else:\n    import a\n"
        "try:\n    import b\nexcept ImportError:\n    import c\n"
        "class C:\n    import d\n"
        "def f():\n    with x:\n        import e.f\n"
    )
    assert {(found.name, found.internal, found.at_start) for found in imports(tree)} == {
        ("duckdb", False, True),
        ("sql.stages.clean", True, True),
        ("errors", True, True),
        ("a", False, True),
        ("b", False, True),
        ("c", False, True),
        ("d", False, True),
        ("e.f", False, False),
    }


def test_the_import_scanner_covers_the_package() -> None:
    assert {"", "__main__", "cli.main", "sql.stages.clean", "warehouse.duckdb", "config.presets"} <= set(
        modules()
    )


# The rules


def test_a_module_imports_its_own_package_and_lower_layers_only() -> None:
    layer = {package: depth for depth, packages in enumerate(LAYERS) for package in packages}
    upwards = {
        f"{name} imports {target.name}"
        for name, targets in imported(by="").items()
        if name not in OUTSIDE_LAYERS
        for target in targets
        if target.internal and target.top != name.partition(".")[0]
        if target.name == "" or layer[target.top] >= layer[name.partition(".")[0]]
    }
    assert upwards == set()


def test_every_package_belongs_to_exactly_one_layer() -> None:
    listed = [package for packages in LAYERS for package in packages]
    assert sorted(listed) == sorted({name.partition(".")[0] for name in modules()} - OUTSIDE_LAYERS)


def test_audits_import_only_the_plan_from_other_pipeline_modules() -> None:
    pipeline_imports = {
        f"{name} imports {target.name}"
        for name, targets in imported(by="pipeline.audits").items()
        for target in targets
        if target.internal and target.top == "pipeline" and not target.name.startswith("pipeline.audits")
    }
    assert {line.partition(" imports ")[2] for line in pipeline_imports} <= {"pipeline.plan"}


def test_sql_imports_no_engine() -> None:
    assert forbidden_imports(imported(by="sql"), ENGINE | {"google"}, internal=False) == set()
    assert forbidden_imports(imported(by="sql"), {"common.duckdb_engine"}, internal=True) == set()


def test_only_the_cli_imports_the_cli_and_its_libraries() -> None:
    for name, targets in imported(by="").items():
        if name == "cli" or name.startswith("cli."):
            continue
        assert forbidden_imports({name: targets}, COMMAND_LINE, internal=False) == set()
        if name != "__main__":
            assert forbidden_imports({name: targets}, {"cli"}, internal=True) == set()


def test_only_the_cli_prints() -> None:
    found = {
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if not name.startswith("cli.")
        for node in ast.walk(tree)
        if (isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "input", "pprint"})
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in {"sys.stdout", "sys.stderr"})
    }
    assert found == set()


def test_duckdb_is_imported_through_one_module() -> None:
    found = {
        name
        for name, targets in imported(by="", at_start=True).items()
        if any(target.top in ENGINE and not target.internal for target in targets)
    }
    # The Excel reader passes a data frame to DuckDB, which needs the package itself.
    assert found == {"common.duckdb_engine", "source.excel"}


def test_duckdb_connections_are_opened_in_one_module_without_a_progress_bar() -> None:
    found = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"duckdb.connect", "_duckdb.connect"}
    }
    assert found == {"common.duckdb_engine"}
    with connect_in_memory() as connection:
        prints_progress = connection.execute("SELECT current_setting('enable_progress_bar_print')").fetchone()
    assert prints_progress == (False,)


def test_optional_dependencies_are_imported_lazily() -> None:
    everywhere = imported(by="", at_start=True)
    assert forbidden_imports(everywhere, OPTIONAL, internal=False) == set()
    validation = {f"sql.validation.{name}" for name in ("parse", "expression", "audit_query", "source_query")}
    for module in validation:
        everywhere.pop(module)
    assert forbidden_imports(everywhere, {"sqlglot"}, internal=False) == set()
    assert forbidden_imports(everywhere, validation, internal=True) == set()


def test_starting_the_cli_imports_no_heavy_module() -> None:
    seen, waiting = set(), ["__main__", *(f"cli.commands.{command}" for command in COMMANDS)]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in modules():
            continue
        seen.add(name)
        targets = {target for target in imports(modules()[name]) if target.at_start}
        assert forbidden_imports({name: targets}, ENGINE | {"msgspec", "sqlglot"}, internal=False) == set()
        assert forbidden_imports({name: targets}, {"common.duckdb_engine"}, internal=True) == set()
        for target in targets:
            if target.internal:
                # Importing a module imports its parent packages first.
                parts = target.name.split(".")
                waiting += [".".join(parts[: depth + 1]) for depth in range(len(parts))]
    assert {"cli", "cli.main", "cli.options", "errors"} <= seen


def test_opening_a_source_imports_the_rules_of_text_files_lazily() -> None:
    seen, waiting = set[str](), ["source.open"]
    while waiting:
        name = waiting.pop()
        if name in modules() and name not in seen:
            seen.add(name)
            waiting += [target.name for target in imports(modules()[name]) if target.at_start]
    assert {
        name for name in seen if name.startswith(("source.csv", "source.table_", "source.excel"))
    } == set()
    assert {"source.open", "source.parquet", "source.headers"} <= seen


def test_no_module_defines_dataclasses_which_are_slow_to_create() -> None:
    assert forbidden_imports(imported(by=""), {"dataclasses"}, internal=False) == set()


def test_sqlglot_transpile_is_never_used() -> None:
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute | ast.Name | ast.alias):
                identifier = (
                    getattr(node, "attr", None) or getattr(node, "id", None) or getattr(node, "name", "")
                )
                assert identifier != "transpile", name


def test_imports_have_no_cycle() -> None:
    graph = {
        name: {
            target.name
            for target in targets
            if target.internal and target.name in modules() and target.name != name
        }
        for name, targets in imported(by="", at_start=True).items()
    }
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"import cycle: {' → '.join(error.args[1])}")
    assert order.index("errors") < order.index("config.settings") < order.index("pipeline.plan")


def test_no_module_is_longer_than_420_lines() -> None:
    long = {
        str(path.relative_to(PACKAGE)): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert long == {}


# docs/contributing/architecture.md


def test_the_tree_on_the_page_is_that_of_the_package() -> None:
    """Regenerate it with `RFM_UPDATE_GOLDEN=1 pytest tests/test_architecture.py`."""
    text = PAGE.read_text(encoding="utf-8")
    before, fence, rest = text.partition("```text\nsrc/")
    _, end, after = rest.partition("\n```")
    assert fence
    assert end
    expected = f"{before}```text\n{package_tree()}{end}{after}"
    if os.environ.get("RFM_UPDATE_GOLDEN"):
        PAGE.write_text(expected, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == expected


def test_every_module_has_a_summary() -> None:
    missing = [name for name, tree in modules().items() if name and not ast.get_docstring(tree)]
    assert missing == []


def test_the_layers_on_the_page_are_those_of_the_table() -> None:
    rows = re.findall(r"^\| L(\d) \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {int(layer): set(re.findall(r"`(\w+)`", packages)) for layer, packages in rows} == dict(
        enumerate(LAYERS)
    )


def test_the_steps_on_the_page_are_the_staging_tables_of_a_run() -> None:
    tables = re.findall(r"^\| \d \| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert tables == ["customers", "edges", "result"]
    assert set(tables[:-1]) <= set(STEP_NAMES)


def test_presets_are_data_and_not_code() -> None:
    files = [path.name for path in (PACKAGE / "config" / "presets").iterdir() if path.is_file()]
    assert {Path(name).suffix for name in files} == {".toml", ".py"}
    assert [name for name in files if name.endswith(".py")] == ["__init__.py"]


def test_every_file_of_the_package_may_enter_the_image() -> None:
    """`.dockerignore` lists the folders and types that may; the image would lack a file of another one."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!src/")}
    files = [
        path.relative_to(ROOT) for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"
    ]
    missing = [
        str(path)
        for path in files
        if str(path) not in allowed and f"{path.parent.as_posix()}/*{path.suffix}" not in allowed
    ]
    assert missing == []
