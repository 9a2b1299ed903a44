"""The import table of the design, held: who may import whom, no cycles, nothing heavy where it is not needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "wellfit"
FLOOR = {"exceptions", "base"}
RECORDS = FLOOR | {"records"}
ALLOWED: dict[str, set[str]] = {
    "exceptions": set(),
    "base": {"exceptions"},
    "stats": FLOOR,
    "records": FLOOR | {"stats"},
    "data": RECORDS | {"stats"},
    "journal": RECORDS | {"stats"},
    "splits": RECORDS | {"stats", "data"},
    "augment": RECORDS,
    "training": RECORDS | {"stats", "data", "augment"},
    "fused": RECORDS | {"stats", "data", "training", "augment"},
    "sweeps": RECORDS | {"stats", "data", "training", "fused"},
    "diagnosis": RECORDS | {"stats", "data"},
    "recipe": RECORDS | {"stats", "data", "splits", "sweeps", "diagnosis", "augment"},
    "opening": RECORDS | {"stats", "data", "splits", "training"},
    "checking": RECORDS | {"stats", "data", "training", "diagnosis"},
    "loops": RECORDS | {"stats", "data", "splits", "training", "diagnosis", "opening", "checking"},
    "experiment": RECORDS
    | {"stats", "data", "splits", "training", "sweeps", "diagnosis", "recipe", "opening", "journal"},
    "estimators": RECORDS | {"stats", "data", "training", "fused", "sweeps", "diagnosis"},
    "studies": RECORDS
    | {"stats", "data", "splits", "sweeps", "diagnosis", "recipe", "opening", "journal", "loops", "experiment"},
    "travel": RECORDS | {"stats", "data", "training", "estimators", "experiment"},
    "reports": RECORDS | {"stats", "journal", "sweeps", "diagnosis", "recipe", "opening", "experiment"},
}
TOP = {"__init__", "__main__", "api", "cli"}
TORCH_FREE = ("stats", "data", "splits", "diagnosis", "journal", "reports")


def _module(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def _imports(path: Path) -> set[str]:
    """Every module of ours that the file names in an import, TYPE_CHECKING and late ones included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("wellfit"):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("wellfit")}
    return found


GRAPH = {_module(path): _imports(path) for path in SOURCE.rglob("*.py")}


def _unit(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@pytest.mark.parametrize("module", sorted(GRAPH))
def test_a_module_imports_only_what_the_table_allows(module):
    unit = _unit(module)
    if unit in TOP:
        return
    foreign = {_unit(name) for name in GRAPH[module] if name != "wellfit"} - {unit}
    assert foreign <= ALLOWED[unit], f"{module} imports {sorted(foreign - ALLOWED[unit])}"


def test_there_is_no_cycle():
    graph = {module: {name for name in names if name in GRAPH and name != module} for module, names in GRAPH.items()}

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        pending = [start]
        while pending:
            fresh = graph[pending.pop()] - seen
            seen |= fresh
            pending += fresh
        return seen

    assert [module for module in graph if module in reachable(module)] == []


def test_units_that_never_train_never_import_torch():
    """One process, unit after unit: it prints the first one after which torch is there."""
    lines = ["import sys"]
    for unit in TORCH_FREE:
        lines += [f"import {module}" for module in sorted(GRAPH) if _unit(module) == unit]
        lines += [f"'torch' in sys.modules and sys.exit({unit!r})"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


EXTRAS = {"optuna", "lightning", "skorch", "onnx", "onnxscript", "PIL", "pandas", "polars", "ray"}
STAND_ON_EXTRAS = {
    "wellfit.sweeps.ray_executor",
    "wellfit.sweeps.tpe",
    "wellfit.loops.lightning",
    "wellfit.loops.skorch",
}


def _imported_at_once(path: Path) -> set[str]:
    """Modules that are imported when the file is, by their whole names."""
    body = ast.parse(path.read_text()).body
    named = {node.module for node in body if isinstance(node, ast.ImportFrom) and node.module}
    return named | {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}


def test_only_what_stands_on_an_extra_imports_it_and_nothing_imports_that_at_once():
    """Every extra is installed here, so that no other test sees an import that breaks a plain install."""
    at_once = {_module(path): _imported_at_once(path) for path in SOURCE.rglob("*.py")}
    assert {
        name for name, found in at_once.items() if {each.split(".")[0] for each in found} & EXTRAS
    } == STAND_ON_EXTRAS
    assert [name for name, found in at_once.items() if found & STAND_ON_EXTRAS] == []


def test_every_test_file_has_a_name_of_its_own():
    """Pytest imports them by that name: of two alike it collects one only."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
