"""Where a run ends with variance left, its last sentence prices more data, or names the command that does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recipe_runs import prepared, run_of

from wellfit.experiment.learning_curve import REFITS, _on_part, price_more_data, updates_of_curve
from wellfit.recipe.follow import first_state
from wellfit.recipe.stop import PRICE_BY, ending
from wellfit.records.config import Config, Network, Optimization, total_updates

TRAIN, DEV = 120, 800
START = Config(
    network=Network(widths=(16,), embedding="none"), optimization=Optimization(lr=5e-3, epochs=30, batch_size=16)
)


def _turn(*, budget: str = "6000updates", optimal: float = 0.05, journal: dict | None = None):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(TRAIN + DEV, 8))
    y = x @ np.array([1.5, -1, 1, 0.7, 0, 0, 0, 0]) + 0.3 * rng.normal(size=TRAIN + DEV) > 0
    run, _ = run_of(prepared(x, y, train=TRAIN), optimal=optimal, budget=budget, journal=journal)
    return first_state(run, START), run


@pytest.fixture(scope="module")
def priced():
    journal: dict = {}
    state, run = _turn(journal=journal)
    before = run.budget.updates
    return state, run, price_more_data(state, run), journal, run.budget.updates - before


def test_the_gain_of_twice_the_rows_ends_the_sentence(priced):
    state, run, finding, _, _ = priced
    assert finding.code == "WF210"
    assert "wice the data (240 training rows): the dev error would fall by" in finding.evidence
    assert ending(state, run=run, priced=finding)["sentence"].endswith(finding.evidence)


def test_its_updates_are_paid(priced):
    *_, paid = priced
    assert paid == updates_of_curve(START, rows=TRAIN, refits=REFITS) > 0


def test_what_the_journal_has_is_not_measured_again(priced):
    _, _, finding, journal, paid = priced
    state, run = _turn(journal=journal)
    before, known = run.budget.updates, dict(journal)
    assert price_more_data(state, run) == finding
    assert run.budget.updates - before == paid
    assert journal == known


def test_a_budget_that_does_not_pay_for_it_names_the_command():
    state, run = _turn(budget="300updates")
    assert price_more_data(state, run) is None
    assert ending(state, run=run)["sentence"].endswith(PRICE_BY)


def test_without_variance_nothing_is_priced_and_nothing_said():
    state, run = _turn()
    fine = replace(state.diagnosis.gaps["variance"], verdict="no")
    state = replace(state, diagnosis=replace(state.diagnosis, gaps={**state.diagnosis.gaps, "variance": fine}))
    assert price_more_data(state, run) is None
    assert PRICE_BY not in ending(state, run=run)["sentence"]


def test_a_part_is_trained_with_as_many_updates():
    planned, in_epoch = total_updates(START, rows=4_000), 63
    assert planned <= total_updates(_on_part(START, rows=1_000, planned=planned), rows=1_000) < planned + in_epoch
