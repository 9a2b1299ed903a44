"""The measures of scripts/measure_house.py, on a tree of five files that are known by heart."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "measure_house.py"
FILES = {
    "__init__.py": "from wellfit.api import run\n",
    "records/__init__.py": "",
    "records/config.py": "class Regularization:\n    l2: float = 0.0\n    mixup: float = 0.0\n    ema: float = 0.0\n",
    "records/goals.py": 'def is_rate(goal):\n    return goal.name in ("error", "auc")\n',
    "api.py": """
import wellfit.records.goals
from wellfit.records import config
from wellfit.stats import scores


def run(goal):
    if goal.name == "rmse":
        return _once(goal)
    return _handed(_passed) if _is_high(goal) else scores.LISTED


def _once(goal):
    return goal


def _passed(goal):
    return goal


def _handed(function):
    first = function
    second = first
    return second


def _is_high(goal) -> bool:
    return goal > 1


class First:
    def loss(self):
        return self._row()

    def _row(self):
        return 1


class Second(First):
    def _row(self):
        return 2
""",
    "stats/__init__.py": "",
    "stats/scores.py": """
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wellfit.records.goals import is_rate

LISTED = ("l2", "mixup", "ema")
NAMES = {"rmse": "MSE", "r2": "1 - R2"}


def long():
    '''Document.'''
"""
    + "    x = 1\n" * 50
    + "\n\ndef late(goal):\n    from wellfit.records import config\n\n    return NAMES[goal.name], config\n",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkout")
    for name, text in FILES.items():
        path = root / "src" / "wellfit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def _printed(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def found(tree):
    return json.loads(_printed(tree, "--json", "--list"))


def test_the_figures_of_a_known_tree(found):
    places = {name: [(each["file"], each["what"]) for each in several] for name, several in found["places"].items()}
    assert (found["files"], found["lines"]) == (7, sum(len(text.splitlines()) for text in FILES.values()))
    assert found["median_lines"] == 2
    assert places["functions_over_50_lines"] == [("stats/scores.py", "long: 51 lines")]
    assert places["small_helpers_called_once"] == [("api.py", "_once")]
    assert places["files_with_one_importer"] == [("stats/scores.py", "one importer")]
    assert {file for file, _ in places["files_under_60_lines"]} == {"records/config.py", "records/goals.py", "api.py"}


def test_pairs_count_imports_in_functions_and_for_types_alone(found):
    # __init__ -> api, api -> records, stats; stats -> records: goals for types, config inside a function.
    assert (found["pairs"], found["rooms"], found["pairs_of_subpackages"]) == (4, 4, 4)


def test_goals_and_knobs_that_are_spelled_outside_their_tables(found):
    places = {name: [each["what"] for each in several] for name, several in found["places"].items()}
    assert sorted(places["branches_on_a_goal"]) == sorted(
        ["goal.name == 'rmse'", "{'rmse': 'MSE', 'r2': '1 - R2'}", "NAMES[goal.name]"]
    )
    assert places["lists_of_knobs"] == ["ema, l2, mixup"]
    assert found["files_naming_a_regularizer"] == {"l2": 2, "mixup": 2, "ema": 2}


def test_the_text_names_every_figure(tree):
    printed = _printed(tree)
    assert "files under 60 lines" in printed
    assert "l2 2, mixup 2, ema 2" in printed
