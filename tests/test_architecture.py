"""The floors: what ARCHITECTURE.md says is what the imports do."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = CHECKOUT / "forensics"
FORBIDDEN_NAMES = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
MOST_LINES = 400

#: Too heavy, or of no use, for a command that only prints its help.
NOT_FOR_HELP = {
    "asyncio", "capstone", "concurrent.futures", "elftools", "hypothesis", "jsonschema", "lief", "lz4",
    "multiprocessing", "pydantic", "regex", "rich", "sqlite3", "ssl", "tomllib", "zstandard",
    "forensics.diagnosis", "forensics.elf", "forensics.evidence", "forensics.haproxy", "forensics.history",
    "forensics.logs",
    "forensics.matching", "forensics.memory", "forensics.report", "forensics.symbols", "forensics.unwind",
}  # fmt: skip

#: What a second triage of the same build to a pipe has no use for.
NOT_FOR_WARM_TRIAGE = {
    "asyncio", "capstone", "concurrent.futures", "elftools", "jsonschema", "lief", "lz4",
    "multiprocessing", "pydantic", "rich", "sqlite3", "ssl", "zstandard",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Floor:
    """One row of the table: the packages of a floor, and what they may use."""

    number: int
    packages: frozenset[str]
    libraries: frozenset[str]
    neighbours: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement: where it stands, and the module that it names."""

    path: Path
    line: int
    name: str

    @property
    def importer(self) -> str:
        """The package, or the single module, that the statement stands in; "" for forensics itself."""
        first = self.path.relative_to(PACKAGE).parts[0]
        return "" if first == "__init__.py" else first.removesuffix(".py")

    def __str__(self) -> str:
        return f"{self.path.relative_to(CHECKOUT)}:{self.line}: imports {self.name}"


def read_floors(text: str) -> tuple[Floor, ...]:
    """The rows of the table whose first cell is a number."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return tuple(floor_of(row) for row in rows if len(row) == 5 and row[0].isdigit())


def floor_of(row: list[str]) -> Floor:
    """One row: floor, packages, subject, libraries, imports on the same floor."""
    packages = frozenset(name.removesuffix(".py").strip("/") for name in re.findall(r"`([^`]+)`", row[1]))
    neighbours = re.findall(r"`([a-z_]+)` → `([a-z_]+)`", row[4])
    return Floor(int(row[0]), packages, frozenset(re.findall(r"`([^`]+)`", row[3])), frozenset(neighbours))


FLOORS = read_floors((CHECKOUT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
FLOOR_OF = {package: floor for floor in FLOORS for package in floor.packages}
MODULES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


def imports_of(path: Path, tree: ast.Module) -> Iterator[Import]:
    """Every import of a module, wherever in the module it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(path, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            if node.module == "forensics":
                yield from (Import(path, node.lineno, f"forensics.{alias.name}") for alias in node.names)
            elif node.module:
                yield Import(path, node.lineno, node.module)


IMPORTS = [each for path, tree in TREES.items() for each in imports_of(path, tree)]


def package_of(name: str) -> str:
    """The package of forensics that a dotted name lies in."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOOR_OF else ""


def stays_below(each: Import) -> bool:
    """Whether an import of forensics goes down, stays inside, or is one that the table allows."""
    imported = package_of(each.name)
    if not imported or imported == each.importer:
        return True
    if not each.importer:
        return False
    mine, other = FLOOR_OF[each.importer], FLOOR_OF[imported]
    return other.number < mine.number or (each.importer, imported) in mine.neighbours


def test_the_table_has_all_floors_in_order() -> None:
    assert [floor.number for floor in FLOORS] == list(range(len(FLOORS)))
    assert len(FLOORS) > 10


def test_the_table_names_each_package_that_exists_and_no_other() -> None:
    there = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or holds_code(path)}
    assert there - {"__init__"} == set(FLOOR_OF)


def holds_code(path: Path) -> bool:
    """Whether a directory is a package (caches are none)."""
    return any(path.glob("*.py"))


def test_no_package_stands_on_two_floors() -> None:
    assert sum(len(floor.packages) for floor in FLOORS) == len(FLOOR_OF)


def test_imports_go_down_only() -> None:
    assert [str(each) for each in IMPORTS if each.name.startswith("forensics") and not stays_below(each)] == []


def test_the_table_allows_no_import_that_nobody_uses() -> None:
    used = {(each.importer, package_of(each.name)) for each in IMPORTS if each.name.startswith("forensics")}
    assert {pair for floor in FLOORS for pair in floor.neighbours} - used == set()


def test_libraries_are_used_behind_their_doors_only() -> None:
    outside = [each for each in IMPORTS if is_library(each) and not behind_its_door(each)]
    assert [str(each) for each in outside] == []


def is_library(each: Import) -> bool:
    """Whether an import is neither Python's own nor ours."""
    return each.name.split(".")[0] not in sys.stdlib_module_names | {"forensics"}


def behind_its_door(each: Import) -> bool:
    """Whether the floor's row has the library; the package itself has none."""
    return bool(each.importer) and each.name.split(".")[0] in FLOOR_OF[each.importer].libraries


def test_the_table_names_no_library_that_nobody_uses() -> None:
    used = {(FLOOR_OF[each.importer].number, each.name.split(".")[0]) for each in IMPORTS if is_library(each)}
    assert {(floor.number, library) for floor in FLOORS for library in floor.libraries} - used == set()


def test_every_module_has_a_subject() -> None:
    assert [path for path in MODULES if set(path.stem.split("_")) & FORBIDDEN_NAMES] == []
    assert [path for path in MODULES if path.parent.name in FORBIDDEN_NAMES] == []


def test_no_module_holds_two_subjects() -> None:
    assert [path for path in MODULES if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES] == []


def test_at_most_one_except_catches_everything() -> None:
    handlers = [
        f"{path.relative_to(CHECKOUT)}:{node.lineno}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and is_broad(node.type)
    ]
    assert len(handlers) <= 1, handlers


def is_broad(caught: ast.expr | None) -> bool:
    """Whether an except clause catches Exception or more."""
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"} for name in names)


def test_every_public_name_has_a_docstring() -> None:
    silent = [f"{path.relative_to(CHECKOUT)}:{name}" for path, tree in TREES.items() for name in undocumented(tree)]
    assert silent == []


def undocumented(scope: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    """The public names of a scope that say nothing of themselves."""
    if not ast.get_docstring(scope):
        yield prefix.rstrip(".") or "(module)"
    for node in scope.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from undocumented(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not ast.get_docstring(node):
            yield f"{prefix}{node.name}"


def modules_loaded_by(arguments: list[str], cache: Path) -> set[str]:
    """The modules that a run of the command has loaded at its end."""
    program = (
        "import json, sys\n"
        "from forensics.cli.main import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=CHECKOUT, env={**os.environ, "HAPROXY_FORENSICS_CACHE": str(cache)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    modules = json.loads(done.stderr.splitlines()[-1])
    return {prefix for name in modules for prefix in prefixes(name)}


def prefixes(name: str) -> Iterator[str]:
    """``a``, ``a.b`` and ``a.b.c`` of ``a.b.c``."""
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


@pytest.mark.parametrize("arguments", [["--help"], ["triage", "--help"], ["scan", "--help"]], ids=" ".join)
def test_help_loads_nothing_that_analyses(arguments: list[str], tmp_path: Path) -> None:
    assert modules_loaded_by(arguments, tmp_path) & NOT_FOR_HELP == set()


def test_a_warm_triage_loads_nothing_heavy(tmp_path: Path) -> None:
    core = raw_core(tmp_path)
    modules_loaded_by(["triage", str(core)], tmp_path / "cache")
    assert modules_loaded_by(["triage", str(core)], tmp_path / "cache") & NOT_FOR_WARM_TRIAGE == set()


def raw_core(directory: Path) -> Path:
    """A sample's core without its compression."""
    import zstandard

    core = directory / "core"
    with (CHECKOUT / "samples/bug-on-2.6.12/core.zst").open("rb") as packed, core.open("wb") as raw:
        zstandard.ZstdDecompressor().copy_stream(packed, raw)
    return core
