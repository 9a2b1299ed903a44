"""Goals stand in one table: nobody else decides anything by a goal's name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from wellfit.records.goals import GOALS

SOURCE = Path(__file__).parents[1] / "src" / "wellfit"
OPTIONS = {"cli/size.py"}
"""Files in which "error" and "auc" are the names of options, not goals."""


def _constants(node: ast.AST) -> set[str]:
    """Goal names that an expression consists of: a string, or a collection of strings."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return {part.value for part in parts if isinstance(part, ast.Constant) and part.value in GOALS}


def branches_on_goals(source: str) -> list[int]:
    """Lines that compare something with a goal's name, match one, or list or map several of them."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            # `"error" in body` asks for a key of JSON.
            asks_key = isinstance(node.left, ast.Constant) and isinstance(node.ops[0], ast.In | ast.NotIn)
            found = not asks_key and any(_constants(side) for side in (node.left, *node.comparators))
        elif isinstance(node, ast.MatchValue):
            found = bool(_constants(node.value))
        elif isinstance(node, ast.Dict):
            found = len({key.value for key in node.keys if key and _constants(key)}) > 1
        else:
            found = len(_constants(node)) > 1
        lines += [node.lineno] if found else []
    return lines


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_the_table_knows_goals_by_name(path):
    if path == SOURCE / "records/goals.py" or str(path.relative_to(SOURCE)) in OPTIONS:
        return
    assert branches_on_goals(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        'if goal.name == "auc": pass',
        'if "rmse" != goal.name: pass',
        'if name in ("auc", "r2"): pass',
        'NOUNS = {"auc": "AUC", "r2": "R²"}',
        'PERCENT = ("error", "balanced_error")',
        'match name:\n    case "mae": pass',
    ],
)
def test_a_branch_is_found(line):
    assert branches_on_goals(line) != []


@pytest.mark.parametrize("goal", GOALS.values(), ids=list(GOALS))
def test_a_goal_is_whole(goal):
    assert goal.loss_of(goal.score_of(0.25)) == pytest.approx(0.25)
    assert (goal.loss_of(0.8) < goal.loss_of(0.2)) == goal.higher_is_better
    assert goal.is_rate == (goal.metric.most == 1) == (goal.loss_noun == "points")
    assert goal.noun


def test_the_how_to_explains_every_goal():
    page = (SOURCE.parents[1] / "docs" / "how-to" / "run.md").read_text(encoding="utf-8")
    assert [name for name in GOALS if f"| `{name}`" not in page] == []
