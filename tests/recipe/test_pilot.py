"""A pilot shows which remedy helps on these rows; what does not help is not tried again, and nothing is paid twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recipe_runs import prepared, run_of

from wellfit.data.prepare import Prepared
from wellfit.recipe.follow import carry_out, first_state, next_step
from wellfit.recipe.pick import BY_BOARD, affordable, piloted, ranking
from wellfit.recipe.remedies.remedy import best_of, helpful
from wellfit.recipe.remedies.trials import middle_first
from wellfit.recipe.state import Rules, StepContext
from wellfit.records.config import Config, Network, Optimization

BLIND = Config(
    network=Network(widths=(8,), embedding="none"), optimization=Optimization(lr=2e-3, epochs=30, batch_size=64)
)
MEMORIZING = Config(
    network=Network(widths=(64,), embedding="none"), optimization=Optimization(epochs=40, batch_size=32, lr=0.01)
)


def _wiggles() -> Prepared:
    """Above a fast sine or not: numbers that enter as they are need many units for it, their encoding hardly any."""
    x = np.random.default_rng(0).normal(size=(1600, 3))
    return prepared(x, np.sin(6 * x[:, 0]) > x[:, 1], train=800)


def _few_rows() -> Prepared:
    """200 rows of twenty columns, of which one tells the label with an error of 15 %: easily memorized."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1200, 20))
    return prepared(x, x[:, 0] + 0.5 * rng.normal(size=1200) > 0, train=200)


def _work(data: Prepared, config: Config, *, budget: str, optimal: float = 0.0) -> StepContext:
    run, _ = run_of(data, budget=budget, optimal=optimal)
    return StepContext(run=run, state=first_state(run, config), rules=Rules())


@pytest.fixture(scope="module")
def wiggles() -> StepContext:
    return _work(_wiggles(), BLIND, budget="20000updates")


def test_what_helps_on_these_rows_comes_before_what_helped_elsewhere(wiggles):
    assert ranking(wiggles, "optimization")[0].kind == "better_optimizer"
    assert next_step(wiggles).remedy.kind == "architecture"


def test_a_budget_that_cannot_pay_for_one_trial_of_each_has_no_pilot():
    poor = _work(_wiggles(), BLIND, budget="3000updates")
    assert piloted(poor, BY_BOARD["optimization"]) is poor


def test_a_remedy_that_does_not_help_is_journaled_and_not_taken_up_again():
    context = _work(_few_rows(), MEMORIZING, budget="40000updates", optimal=0.15)
    pick = next_step(context)
    assert pick.context.without_gain
    state = carry_out(pick.context, pick.remedy)
    assert set(context.run.remembered_step(1)["without_gain"]) == pick.context.without_gain
    assert pick.context.without_gain <= state.exhausted
    assert "regularize" not in pick.context.without_gain


def test_what_a_pilot_has_trained_is_paid_once():
    context = _work(_wiggles(), BLIND, budget="20000updates")
    pick = next_step(context)
    carry_out(pick.context, pick.remedy)
    executor = context.run.executor
    assert context.run.budget.updates == sum(outcome.updates for outcome in executor.known.values())
    assert len(pick.context.piloted) == 15  # 3 bigger, 2 longer, 6 of the optimizer, 4 architectures


def test_a_pilot_takes_turns_where_it_cannot_pay_for_all(wiggles):
    """One of each remedy, then another of each, and no more than its share."""
    once = wiggles.run.budget.cost(BLIND)
    trials = [replace(BLIND, seed=seed) for seed in range(9)]
    wanted = {"long": trials[:6], "short": trials[6:7], "other": trials[7:]}
    few, _ = run_of(_wiggles(), budget=f"{10 * once:.0f}updates", optimal=0.0)
    found = affordable(replace(wiggles, run=few), wanted)
    assert [trial.seed for trial in found] == [0, 6, 7, 1, 8]


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_pilot_begins_in_the_middle(count):
    trials = [replace(BLIND, seed=seed) for seed in range(count)]
    expected = {0: (), 1: (0,), 2: (0, 1), 5: (2, 1, 3, 0, 4)}[count]
    assert tuple(trial.seed for trial in middle_first(trials)) == expected


def test_of_those_that_fit_train_better_the_best_on_dev_is_taken(wiggles):
    now = wiggles.state.outcome
    perfect = replace(now, train_losses=np.zeros_like(now.train_losses))

    def trial(*, seed: int, train: float, dev: float):
        config = replace(BLIND, seed=seed)
        return replace(perfect, config=config, losses={"train": train, "dev": dev})

    lowest, close = trial(seed=1, train=0.0, dev=0.3), trial(seed=2, train=0.01, dev=0.2)
    no_better = replace(trial(seed=3, train=0.1, dev=0.1), train_losses=now.train_losses)
    assert best_of(wiggles, [lowest, close, no_better], "optimization") is close


def test_nothing_is_better_than_itself(wiggles):
    now = wiggles.state.outcome
    for board in BY_BOARD:
        assert helpful(wiggles, [now], board) == []
        assert best_of(wiggles, [now], board) is now


def test_one_remedy_needs_no_pilot(wiggles):
    assert piloted(wiggles, BY_BOARD["optimization"][:1]) is wiggles
