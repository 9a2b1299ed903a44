"""What a run may spend: exact in updates, predicted in seconds from what was paid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellfit.data.prepare import Arrays, Preparation, Prepared
from wellfit.data.schema import Schema
from wellfit.recipe.budget import BudgetTracker, parse_budget
from wellfit.recipe.defaults import first_config
from wellfit.records.config import Config, Network, Optimization
from wellfit.records.outcome import Outcome, Status


def _data(rows: int, *, columns: int = 4) -> Prepared:
    def part(size: int) -> Arrays:
        return Arrays(np.zeros((size, columns), np.float32), np.zeros((size, 0), np.int32), np.zeros(size, np.int64))

    schema = Schema((), "y", "classification", ("a", "b"), "string")
    return Prepared(Preparation(schema, (), ()), part(rows), None, part(10))


def _outcome(config: Config, *, updates: int, seconds: float) -> Outcome:
    return Outcome(
        config=config,
        status=Status.FINISHED,
        updates=updates,
        seconds=seconds,
        losses={"train": 0.0, "dev": 0.0},
        curve=(),
        weight_norms=(),
        predictions={},
        train_losses=np.zeros(1),
        state={},
    )


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


CONFIG = Config(optimization=Optimization(epochs=2, batch_size=10))


def test_a_budget_that_is_enough_pays_for_the_start_of_the_command_once_more():
    clock = _Clock()
    budget = BudgetTracker(parse_budget("10s"), data=_data(100), workers=2, spent=20.0, start_up=3.0, clock=clock)
    clock.now += 4.0
    enough = parse_budget(budget.enough_for(5.0))
    again = BudgetTracker(enough, data=_data(100), workers=2, spent=27.0, start_up=3.0, clock=clock)
    assert again.remaining > 5.0
    assert again.deadline - clock.now >= 5.0


def test_a_budget_in_updates_that_is_enough_pays_for_what_was_booked():
    budget = BudgetTracker(parse_budget("100updates"), data=_data(100), workers=2, start_up=3.0)
    budget.updates = 70
    assert budget.enough_for(45.5) == "116updates"


@given(rows=st.integers(1, 500), batch=st.integers(1, 64), epochs=st.integers(1, 9))
def test_updates_are_the_batches_of_all_epochs(rows, batch, epochs):
    budget = BudgetTracker(parse_budget("1000updates"), data=_data(rows), workers=2)
    config = Config(optimization=Optimization(epochs=epochs, batch_size=batch))
    assert budget.cost(config) == epochs * len(range(0, rows, batch))


def test_a_budget_in_updates_falls_by_what_was_paid_and_never_below_zero():
    budget = BudgetTracker(parse_budget("100updates"), data=_data(100), workers=2)
    assert (budget.total, budget.remaining, budget.deadline) == (100, 100, None)
    budget.pay(_outcome(CONFIG, updates=60, seconds=1.0))
    assert budget.remaining == 40
    assert budget.affordable(CONFIG) == 2
    budget.pay(_outcome(CONFIG, updates=60, seconds=1.0))
    assert (budget.remaining, budget.affordable(CONFIG)) == (0, 0)
    budget.updates = 10
    assert budget.remaining == 90


def test_a_budget_in_seconds_falls_with_the_clock_and_counts_earlier_sessions():
    clock = _Clock()
    budget = BudgetTracker(parse_budget("60s"), data=_data(100), workers=2, spent=20.0, clock=clock)
    kept = 0.02 * 60  # for the report
    assert budget.remaining == pytest.approx(40 - kept)
    clock.now += 15
    assert (budget.seconds, budget.remaining) == (pytest.approx(35), pytest.approx(25 - kept))
    assert budget.deadline == pytest.approx(clock.now + 25 - kept)
    assert not budget.is_over
    clock.now += 25
    assert (budget.remaining, budget.is_over) == (0, True)
    assert budget.latest == pytest.approx(clock.now + 0.05 * 60)  # every run needs a first network


@pytest.mark.parametrize(("start_up", "kept"), [(2.0, 1.4), (10.0, 4.6), (100.0, 7.5)], ids=["idle", "busy", "late"])
def test_a_busy_machine_keeps_more_of_the_budget_for_the_end(start_up, kept):
    clock = _Clock()
    budget = BudgetTracker(parse_budget("30s"), data=_data(100), workers=2, start_up=start_up, clock=clock)
    assert budget.closing == pytest.approx(kept)
    assert budget.remaining == pytest.approx(max(0.0, 30 - start_up - kept))


@pytest.mark.parametrize("updates", [1, 10, 24])
def test_updates_too_few_for_an_epoch_get_larger_batches(updates):
    budget = BudgetTracker(parse_budget(f"{updates}updates"), data=_data(800), workers=2)
    config = first_config(rows=800, columns=4, budget=budget, seed=0)
    assert budget.cost(config) <= updates


def test_a_time_too_short_for_an_epoch_gets_narrower_layers():
    usual = BudgetTracker(parse_budget("10m"), data=_data(50_000), workers=2)
    widths = first_config(rows=50_000, columns=4, budget=usual, seed=0).network.widths
    short = BudgetTracker(parse_budget("0.5s"), data=_data(50_000), workers=2)
    assert sum(first_config(rows=50_000, columns=4, budget=short, seed=0).network.widths) < sum(widths)


def test_a_training_costs_what_the_last_one_like_it_cost_shared_by_the_workers():
    budget = BudgetTracker(parse_budget("60s"), data=_data(100), workers=2)
    budget.pay(_outcome(CONFIG, updates=20, seconds=3.0))
    assert budget.cost(CONFIG) == pytest.approx(1.5)
    longer = replace(CONFIG, optimization=replace(CONFIG.optimization, epochs=6))
    assert budget.cost(longer) == pytest.approx(4.5)
    wider = replace(CONFIG, network=Network(widths=(4096, 4096)))
    assert budget.cost(wider) > 10 * budget.cost(CONFIG)


@pytest.mark.parametrize("budget", ["300updates", "20000updates", "5s", "10m"])
@pytest.mark.parametrize("rows", [30, 1_000, 50_000])
def test_the_first_network_takes_a_small_share_and_regularizes_nothing(rows, budget):
    budget = BudgetTracker(parse_budget(budget), data=_data(rows), workers=2)
    config = first_config(rows=rows, columns=4, budget=budget, seed=3)
    assert config.regularization.is_off
    assert config.seed == 3
    one_epoch = replace(config, optimization=replace(config.optimization, epochs=1))
    assert config.optimization.epochs == 1 or budget.cost(config) <= 0.2 * budget.total
    assert budget.cost(config) == pytest.approx(config.optimization.epochs * budget.cost(one_epoch))
