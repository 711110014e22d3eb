"""The rules of ARCHITECTURE.md, held against the source text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from rfm_pipeline.cli.help import COMMANDS
from rfm_pipeline.common.duckdb_engine import connect_in_memory

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "rfm_pipeline"
NAME = PACKAGE.name

LAYERS: list[set[str]] = [
    {"errors", "_version"},
    {"common"},
    {"config", "results", "demo"},
    {"source", "sql", "schedule"},
    {"warehouse", "report"},
    {"pipeline"},
    {"api", "notifications", "explain", "audiences"},
    {"cli"},
]
"""The packages, from the bottom layer to the top one. A module imports its own package and lower layers only."""
FACE = {"", "__main__"}
"""The modules outside of the layers: the public names, and `python -m rfm_pipeline`."""
ENGINE = {"duckdb", "_duckdb"}
COMMAND_LINE = {"typer", "rich", "click"}
OPTIONAL = {
    "fastexcel", "xlsxwriter", "google", "altair", "jinja2", "vl_convert", "pandas", "polars", "pyarrow",
    "yaml",
}  # fmt: skip
MOST_LINES = 420


@dataclass(frozen=True)
class Import:
    """One imported module.

    Attributes:
        name: The module, absolute; ours without the package's name in front.
        ours: Whether it is one of ours.
        at_start: Whether importing the module that says so imports it too.
    """

    name: str
    ours: bool
    at_start: bool

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


def imports(tree: ast.Module) -> Iterator[Import]:
    """Every import of a module; those for the type checker alone are none."""
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
    ours = name == NAME or name.startswith(f"{NAME}.")
    return Import(name.removeprefix(NAME).removeprefix(".") if ours else name, ours, at_start)


def _is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return name.startswith(f"{NAME}.") and (path.with_suffix(".py").exists() or path.is_dir())


@cache
def modules() -> dict[str, ast.Module]:
    """Each module of the package, by its dotted name without the package's own."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(*, by: str, at_start: bool | None = None) -> dict[str, set[Import]]:
    """What the modules of a folder import, or a module of that name."""
    return {
        name: {
            found for found in imports(tree) if at_start is None or found.at_start == at_start
        }
        for name, tree in modules().items()
        if name == by or name.startswith(f"{by}.") or not by
    }  # fmt: skip


def offences(found: dict[str, set[Import]], unwanted: set[str], *, ours: bool) -> set[str]:
    return {
        f"{name} imports {what.name}"
        for name, some in found.items()
        for what in some
        if what.ours == ours and (what.top in unwanted or what.name in unwanted)
    }


# What the checks below stand on


def test_the_checks_see_every_import_and_when_it_happens() -> None:
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
    assert {(found.name, found.ours, found.at_start) for found in imports(tree)} == {
        ("duckdb", False, True),
        ("sql.stages.clean", True, True),
        ("errors", True, True),
        ("a", False, True),
        ("b", False, True),
        ("c", False, True),
        ("d", False, True),
        ("e.f", False, False),
    }


def test_the_checks_see_the_whole_package() -> None:
    assert {"", "__main__", "cli.main", "sql.stages.clean", "warehouse.duckdb", "config.presets"} <= set(
        modules()
    )


# The rules


def test_a_module_imports_its_own_package_and_lower_layers_only() -> None:
    layer = {package: depth for depth, packages in enumerate(LAYERS) for package in packages}
    upwards = {
        f"{name} imports {what.name}"
        for name, some in imported(by="").items()
        if name not in FACE
        for what in some
        if what.ours and what.top != name.partition(".")[0]
        if what.name == "" or layer[what.top] >= layer[name.partition(".")[0]]
    }
    assert upwards == set()


def test_every_package_stands_in_one_layer() -> None:
    listed = [package for packages in LAYERS for package in packages]
    assert sorted(listed) == sorted({name.partition(".")[0] for name in modules()} - FACE)


def test_audits_know_of_the_pipeline_no_more_than_the_plan() -> None:
    known = {
        f"{name} imports {what.name}"
        for name, some in imported(by="pipeline.audits").items()
        for what in some
        if what.ours and what.top == "pipeline" and not what.name.startswith("pipeline.audits")
    }
    assert {offence.partition(" imports ")[2] for offence in known} <= {"pipeline.plan"}


def test_saying_loads_no_engine() -> None:
    assert offences(imported(by="sql"), ENGINE | {"google"}, ours=False) == set()
    assert offences(imported(by="sql"), {"common.duckdb_engine"}, ours=True) == set()


def test_nothing_but_the_command_line_knows_the_command_line() -> None:
    for name, some in imported(by="").items():
        if name == "cli" or name.startswith("cli."):
            continue
        assert offences({name: some}, COMMAND_LINE, ours=False) == set()
        if name != "__main__":
            assert offences({name: some}, {"cli"}, ours=True) == set()


def test_nothing_but_the_command_line_prints() -> None:
    found = {
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if not name.startswith("cli.")
        for node in ast.walk(tree)
        if (isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "input", "pprint"})
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in {"sys.stdout", "sys.stderr"})
    }
    assert found == set()


def test_duckdb_is_imported_in_one_place() -> None:
    found = {
        name
        for name, some in imported(by="", at_start=True).items()
        if any(what.top in ENGINE and not what.ours for what in some)
    }
    # The Excel reader hands a frame to DuckDB, for which it takes the package itself.
    assert found == {"common.duckdb_engine"}


def test_databases_are_opened_in_one_way_which_draws_nothing_on_stdout() -> None:
    found = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"duckdb.connect", "_duckdb.connect"}
    }
    assert found == {"common.duckdb_engine"}
    with connect_in_memory() as connection:
        draws = connection.execute("SELECT current_setting('enable_progress_bar_print')").fetchone()
    assert draws == (False,)


def test_optional_parts_are_imported_where_they_are_used() -> None:
    everywhere = imported(by="", at_start=True)
    assert offences(everywhere, OPTIONAL, ours=False) == set()
    for gate in ("sql.validation.expression", "sql.validation.audit_query"):
        everywhere.pop(gate)
    assert offences(everywhere, {"sqlglot"}, ours=False) == set()
    assert (
        offences(everywhere, {"sql.validation.expression", "sql.validation.audit_query"}, ours=True) == set()
    )


def test_starting_the_command_line_imports_nothing_heavy() -> None:
    seen, waiting = set(), ["__main__", *(f"cli.commands.{command}" for command in COMMANDS)]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in modules():
            continue
        seen.add(name)
        some = {what for what in imports(modules()[name]) if what.at_start}
        assert offences({name: some}, ENGINE | {"msgspec", "sqlglot"}, ours=False) == set()
        assert offences({name: some}, {"common.duckdb_engine"}, ours=True) == set()
        for what in some:
            if what.ours:
                # Importing a module imports its folders first.
                parts = what.name.split(".")
                waiting += [".".join(parts[: depth + 1]) for depth in range(len(parts))]
    assert {"cli", "cli.main", "cli.options", "errors"} <= seen


def test_no_start_waits_for_dataclasses_to_be_made() -> None:
    assert offences(imported(by=""), {"dataclasses"}, ours=False) == set()


def test_sqlglot_translates_nothing() -> None:
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute | ast.Name | ast.alias):
                said = getattr(node, "attr", None) or getattr(node, "id", None) or getattr(node, "name", "")
                assert said != "transpile", name


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {
        name: {what.name for what in some if what.ours and what.name in modules() and what.name != name}
        for name, some in imported(by="", at_start=True).items()
    }
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' → '.join(error.args[1])}")
    assert order.index("errors") < order.index("config.settings") < order.index("pipeline.plan")


def test_a_module_is_a_room_that_one_person_can_hold_in_mind() -> None:
    long = {
        str(path.relative_to(PACKAGE)): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


# The drawing


def drawn() -> dict[str, set[str]]:
    """The tree in ARCHITECTURE.md: each folder with what is drawn in it; the package itself is ''."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = text.partition("src/rfm_pipeline/\n")[2].partition("```")[0]
    found: dict[str, set[str]] = {"": set()}
    folder = ""
    for indent, name in re.findall(r"^( +)(\S+)", block, re.MULTILINE):
        if len(indent) == 2:
            folder = name.rstrip("/") if name.endswith("/") else ""
            found[""].add(name)
        else:
            assert folder, f"{name} is drawn inside of nothing"
            found.setdefault(folder, set()).add(name)
    return found


def there(folder: str) -> set[str]:
    unmentioned = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
    return {
        f"{path.name}/" if path.is_dir() else path.name
        for path in (PACKAGE / folder).iterdir()
        if path.name not in unmentioned
    }


def test_what_is_drawn_is_there_and_what_is_there_is_drawn() -> None:
    assert drawn()[""] == there("")


def test_a_folder_whose_rooms_are_drawn_has_all_of_them_drawn() -> None:
    rooms = {folder: names for folder, names in drawn().items() if folder}
    assert {"sql", "warehouse"} <= set(rooms)
    for folder, names in rooms.items():
        assert names == there(folder), folder


def test_the_steps_that_are_drawn_are_the_tables_of_a_run() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\| \d \| `(\w+)` \|", text, re.MULTILINE)
    runner = (PACKAGE / "pipeline" / "staging.py").read_text(encoding="utf-8")
    *steps, last = tables
    assert all(f'"{table}": "' in runner for table in steps)
    assert f'create("{last}"' in runner


def test_presets_are_data_and_not_code() -> None:
    assert {
        path.suffix for path in (PACKAGE / "config" / "presets").iterdir() if path.name != "__pycache__"
    } == {
        ".toml",
        ".py",
    }
    assert [path.name for path in (PACKAGE / "config" / "presets").glob("*.py")] == ["__init__.py"]
