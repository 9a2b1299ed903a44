"""Budgets: what is read, what is refused."""

from __future__ import annotations

import pytest

from wellfit.exceptions import BadInput
from wellfit.recipe.budget import Budget, parse_budget

READ = {
    "60s": Budget(60.0, None),
    "10m": Budget(600.0, None),
    "1h": Budget(3600.0, None),
    "1.5h": Budget(5400.0, None),
    " 2 M ": Budget(120.0, None),
    "20000updates": Budget(None, 20000),
    "20_000 updates": Budget(None, 20000),
    "1update": Budget(None, 1),
}
REFUSED = [
    "",
    "10",
    "m",
    "-5m",
    "0s",
    "0updates",
    "ten minutes",
    "10d",
    "1.5updates",
    "5m later",
    "1.2.3s",
    "nan",
    "٣s",
]


@pytest.mark.parametrize("text", READ)
def test_a_budget_is_read(text: str) -> None:
    assert parse_budget(text) == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_anything_else_is_refused_with_the_value_found(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_budget(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_seconds_must_be_positive_and_finite(seconds: float) -> None:
    with pytest.raises(BadInput, match="positive"):
        parse_budget(seconds)


@pytest.mark.parametrize("text", READ)
def test_a_budget_written_out_reads_back_as_itself(text: str) -> None:
    budget = parse_budget(text)
    assert parse_budget(str(budget)) == budget
    assert parse_budget(budget) is budget
