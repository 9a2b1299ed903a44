"""Measure how hard src/wellfit is to walk: its size, its borders, and the ideas that are told in more than one place.

    python scripts/measure_house.py [FOLDER] [--json] [--list]

FOLDER is a checkout (this one by default). The figures and the budgets that belong to them are in CONTRIBUTING.md.

A pair is two rooms of which one imports the other; a room is a package or a module directly under `wellfit`, and its
own `__init__`. Imports inside functions and under TYPE_CHECKING count, the public names that `wellfit/__init__.py`
passes on do too. Commit e18710d, from which issue 16 starts, has 185 such pairs between 29 rooms; the review of that
issue counted 209 between 31 rooms, by a rule that it does not state and that no plain rule reproduces: 171 pairs
without `wellfit/__init__.py`, 248 with every subpackage as a room of its own (the figure `pairs_of_subpackages`).
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
FEWEST_LINES = 60
LONGEST_FUNCTION = 50
LONGEST_HELPER = 2
FEWEST_KNOBS = 3
"""So many names of knobs in one literal make it a list of knobs."""
BOARDS = ("Network", "Optimization", "Regularization")
NO_KNOBS = ("module",)
CONFIGS = ("records/config.py", "config.py")
"""The boards; at the root until issue 16."""
KNOB_TABLES = (*CONFIGS, "records/knobs.py", "sweeps/knobs.py")
"""Files that may list knobs: the boards, and the table of knobs."""
GOAL_TABLES = ("records/goals.py", "goals.py")
GOALS = ("balanced_error", "log_loss", "auc", "rmse", "mae", "r2", "f1")
"""Names of goals that mean nothing else; "error" is found by what it is compared with."""


@dataclass(frozen=True)
class Place:
    """One place in the source, and what is there."""

    file: str
    line: int
    what: str


@dataclass(frozen=True)
class Source:
    """One module: its path below src/wellfit, dotted name, text and syntax tree."""

    path: str
    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree, parsed once."""
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        """Lines of the file, blank ones and comments included."""
        return len(self.text.splitlines())

    @property
    def is_init(self) -> bool:
        """Return True for an `__init__` file."""
        return Path(self.path).name == "__init__.py"


class House:
    """The modules of one checkout, and the figures that can be read off them."""

    def __init__(self, root: Path) -> None:
        package = root / "src" / "wellfit"
        self.sources = [_source(package, path) for path in sorted(package.rglob("*.py"))]
        self.modules = {each.name for each in self.sources}
        self.packages = {each.name for each in self.sources if each.is_init}
        self.imports = {each.name: self._imports_of(each) for each in self.sources}

    def _imports_of(self, source: Source) -> set[str]:
        """Modules of ours that `source` imports; a name imported from a module counts as that module."""
        found: set[str] = set()
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    found.add(whole if whole in self.modules else node.module)
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        return (found & self.modules) - {source.name}

    def short_files(self) -> list[Place]:
        """Files under 60 lines, `__init__` and `__main__` left out."""
        short = [each for each in self.sources if each.lines < FEWEST_LINES and not each.path.endswith("__.py")]
        return [Place(each.path, 1, f"{each.lines} lines") for each in short]

    def single_importer(self) -> list[Place]:
        """Files that exactly one other file imports, `wellfit/__init__.py` and its public names left out."""
        inside = [targets for module, targets in self.imports.items() if "." in module]
        importers = Counter(target for targets in inside for target in targets)
        single = [each for each in self.sources if importers[each.name] == 1 and not each.is_init]
        return [Place(each.path, 1, "one importer") for each in single]

    def pairs(self, *, subpackages: bool = False) -> set[tuple[str, str]]:
        """Pairs of rooms of which the first imports the second."""
        return {
            (mine, other)
            for module, targets in self.imports.items()
            for target in targets
            if (mine := self._room(module, subpackages)) != (other := self._room(target, subpackages))
        }

    def _room(self, module: str, subpackages: bool) -> str:
        parts = module.split(".")
        if len(parts) == 1:
            return "__init__"
        if subpackages:
            while len(parts) > 2 and ".".join(parts) not in self.packages:
                parts.pop()
            return ".".join(parts[1:])
        return parts[1]

    def long_functions(self) -> list[Place]:
        """Functions of more than 50 lines, the signature counted and the docstring not."""
        return [
            Place(source.path, function.lineno, f"{function.name}: {length} lines")
            for source in self.sources
            for function in _functions(source.tree)
            if (length := _lines(function)) > LONGEST_FUNCTION
        ]

    def small_helpers(self) -> list[Place]:
        """Private functions of one or two lines, called at one place and used nowhere else.

        A function that names a condition (it returns a bool), a decorated one, one that is handed over by name, a
        method that several classes define (also in another file: it calls that of `super()`), and one that stands in
        for an import that may fail are left out: none of them could be written where it is called.
        """
        found = []
        for source in self.sources:
            uses, calls = Counter(_names_used(source.tree)), Counter(_names_called(source.tree))
            defined = Counter(function.name for function in _functions(source.tree))
            defined.update(alias.asname or alias.name for alias in _imported(source.tree))
            found += [
                Place(source.path, function.lineno, function.name)
                for function in _functions(source.tree)
                if _is_small_helper(function) and uses[function.name] == calls[function.name] == 1
                if defined[function.name] == 1 and f"super().{function.name}(" not in ast.unparse(function)
            ]
        return found

    def goal_branches(self) -> list[Place]:
        """Comparisons with a goal's name, and look-ups by one, outside records/goals.py."""
        return [
            Place(source.path, node.lineno, ast.unparse(node)[:90])
            for source in self.sources
            if source.path not in GOAL_TABLES
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Compare | ast.Subscript | ast.Dict | ast.Match) and _asks_for_goal(node)
        ]

    def knob_lists(self) -> list[Place]:
        """Literals with three or more names of knobs outside the table of knobs.

        The names in `wellfit/__init__.py` are public functions, some of which are called like a knob.
        """
        knobs = set(self.knobs()) | {"dropout", "weight_decay", "shrink", "l1_step"}
        found = []
        for source in self.sources:
            if source.path in (*KNOB_TABLES, "__init__.py"):
                continue
            for node in ast.walk(source.tree):
                named = knobs & set(_words(node))
                if len(named) >= FEWEST_KNOBS:
                    found.append(Place(source.path, node.lineno, ", ".join(sorted(named))))  # type: ignore[attr-defined]
        return found

    def knobs(self, board: str | None = None) -> list[str]:
        """Names of the knobs: the fields of the boards in records/config.py, or of one board."""
        boards = BOARDS if board is None else (board,)
        config = next((each.tree for each in self.sources if each.path in CONFIGS), ast.Module([], []))
        return [
            field.target.id
            for node in config.body
            if isinstance(node, ast.ClassDef) and node.name in boards
            for field in node.body
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            if field.target.id not in NO_KNOBS
        ]

    def files_naming(self, word: str) -> int:
        """Number of files in which `word` occurs as a word, as `grep -lw` counts them."""
        pattern = re.compile(rf"\b{re.escape(word)}\b")
        return sum(pattern.search(source.text) is not None for source in self.sources)


def _source(package: Path, path: Path) -> Source:
    dotted = ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
    return Source(path.relative_to(package).as_posix(), dotted, path.read_text(encoding="utf-8"))


def _functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _body(function: Function) -> list[ast.stmt]:
    """Statements of `function` after its docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def _lines(function: Function) -> int:
    docstring = function.body[0] if ast.get_docstring(function) is not None else None
    whole = (function.end_lineno or 0) - function.lineno + 1
    return whole - ((docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0)


def _body_lines(function: Function) -> int:
    body = _body(function)
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def _is_small_helper(function: Function) -> bool:
    private = function.name.startswith("_") and not function.name.startswith("__")
    condition = isinstance(function.returns, ast.Name) and function.returns.id == "bool"
    return private and not condition and not function.decorator_list and 0 < _body_lines(function) <= LONGEST_HELPER


def _imported(tree: ast.Module) -> Iterator[ast.alias]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from node.names


def _names_used(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _names_called(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _names_used(ast.Module([ast.Expr(node.func)], []))


def _asks_for_goal(node: ast.AST) -> bool:
    """Return True if the choice that `node` makes hangs on the name of a goal."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        return any(_is_goal_name(side) or _has_goal_word(side) for side in sides)
    if isinstance(node, ast.Match):
        return _is_goal_name(node.subject)
    if isinstance(node, ast.Subscript):
        return _is_goal_name(node.slice)
    return isinstance(node, ast.Dict) and sum(_has_goal_word(key) for key in node.keys if key is not None) >= 2


def _is_goal_name(node: ast.AST) -> bool:
    """Return True for `goal.name`, `self.goal.name`, `ladder.goal_name` and the like."""
    if isinstance(node, ast.Attribute) and node.attr == "name":
        return _last_name(node.value).endswith("goal")
    return _last_name(node).endswith("goal_name")


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _has_goal_word(node: ast.AST) -> bool:
    values = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return any(isinstance(value, ast.Constant) and value.value in GOALS for value in values)


def _words(node: ast.AST) -> Iterator[str]:
    """Words of a literal: elements of a tuple, list or set, keys of a dictionary, first elements of its pairs."""
    elements: list[ast.expr | None] = []
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        elements = list(node.elts)
    elif isinstance(node, ast.Dict):
        elements = list(node.keys)
    for element in elements:
        first = element.elts[0] if isinstance(element, ast.Tuple) and element.elts else element
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def measured(house: House) -> tuple[dict[str, object], dict[str, list[Place]]]:
    """Return the figures by name, and the places behind those that count places."""
    places = {
        "files_under_60_lines": house.short_files(),
        "files_with_one_importer": house.single_importer(),
        "functions_over_50_lines": house.long_functions(),
        "small_helpers_called_once": house.small_helpers(),
        "branches_on_a_goal": house.goal_branches(),
        "lists_of_knobs": house.knob_lists(),
    }
    pairs = house.pairs()
    lines = [each.lines for each in house.sources]
    regularizers = {name: house.files_naming(name) for name in house.knobs("Regularization")}
    figures: dict[str, object] = {
        "lines": sum(lines),
        "files": len(lines),
        "median_lines": statistics.median(lines) if lines else 0,
        "longest_file": max(lines, default=0),
        **{name: len(found) for name, found in places.items()},
        "pairs": len(pairs),
        "rooms": len({room for pair in pairs for room in pair}),
        "pairs_of_subpackages": len(house.pairs(subpackages=True)),
        "files_naming_a_regularizer": regularizers,
    }
    return figures, places


def main() -> None:
    """Print the figures of one checkout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parents[1], help="a checkout of wellfit")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--list", action="store_true", help="name the places behind the counts")
    options = parser.parse_args()
    figures, places = measured(House(options.folder))
    if options.json:
        shown = {"places": {name: [asdict(each) for each in found] for name, found in places.items()}}
        print(json.dumps(figures | (shown if options.list else {}), indent=1))
        return
    for name, figure in figures.items():
        print(f"{name.replace('_', ' '):30}", _text(figure))
        for place in places.get(name, ()) if options.list else ():
            print(f"    {place.file}:{place.line}: {place.what}")


def _text(figure: object) -> str:
    if isinstance(figure, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(figure.items(), key=lambda item: -item[1]))
    return f"{figure:,}"


if __name__ == "__main__":
    main()
