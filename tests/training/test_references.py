from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from wellfit.records.goals import GOALS, goal_named
from wellfit.training import references
from wellfit.training.references import effort_for, fit_references

TASKS = {"classification": "error", "regression": "rmse"}


def by_name(found):
    return {reference.name: reference for reference in found}


@pytest.mark.parametrize("task", TASKS)
def test_linear_beats_dummy_and_trees_beat_linear_where_the_signal_is_curved(task, request):
    data = request.getfixturevalue(task)
    found = by_name(fit_references(data, goal=goal_named(TASKS[task]), seed=0))
    assert list(found) == ["dummy", "linear", "trees"]
    assert found["dummy"].losses["dev"] > found["linear"].losses["dev"] > found["trees"].losses["dev"]
    for reference in found.values():
        expected = goal_named(TASKS[task]).loss(data.dev.target, reference.predictions["dev"])
        assert reference.losses["dev"] == pytest.approx(expected)
        assert reference.note == ""


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_fits_the_same_models_and_extra_parts_change_nothing(task, request):
    data = request.getfixturevalue(task)
    first = by_name(fit_references(data, goal=goal_named(TASKS[task]), seed=3))
    again = by_name(fit_references(data, goal=goal_named(TASKS[task]), seed=3, extra={"test": data.dev}))
    for name, reference in first.items():
        assert np.array_equal(reference.predictions["dev"], again[name].predictions["dev"])
        assert again[name].losses["test"] == reference.losses["dev"]


@pytest.mark.parametrize("goal", GOALS)
def test_no_other_constant_beats_the_dummy_on_train(goal, request):
    data = request.getfixturevalue(goal_named(goal).task)
    found = by_name(fit_references(data, goal=goal_named(goal), seed=0))["dummy"].losses["train"]
    target = data.train.target
    if goal_named(goal).task == "classification":
        constants = [np.tile([1 - p, p], (len(target), 1)) for p in np.linspace(0.01, 0.99, 50)]
    else:
        constants = [np.full(len(target), value) for value in np.quantile(target, np.linspace(0, 1, 50))]
    assert found <= min(goal_named(goal).loss(target, constant) for constant in constants) + 1e-9


def test_less_effort_is_said_and_takes_fewer_iterations(classification):
    goal = goal_named("log_loss")
    whole = by_name(fit_references(classification, goal=goal, seed=0))
    short = by_name(fit_references(classification, goal=goal, seed=0, effort=0.1))
    assert short["dummy"].note == whole["trees"].note == ""
    assert short["trees"].note == "10 % of the usual iterations, to stay within the budget"
    assert short["trees"].losses["train"] > whole["trees"].losses["train"]


def test_effort_falls_with_the_budget_and_with_the_cells_and_is_the_same_on_every_machine(classification):
    rows = np.tile(np.arange(classification.train.rows), 200)
    train = classification.train
    repeated = replace(train, numeric=train.numeric[rows], codes=train.codes[rows], target=train.target[rows])
    large = replace(classification, train=repeated)
    assert effort_for(classification, budget_seconds=600) == effort_for(classification, budget_seconds=None) == 1
    assert effort_for(large, budget_seconds=10) < effort_for(large, budget_seconds=60) <= 1
    assert effort_for(large, budget_seconds=10) < effort_for(classification, budget_seconds=10)
    # A tenth of the budget, and at least the one second that is a tenth of ten.
    assert effort_for(large, budget_seconds=10) == effort_for(large, budget_seconds=1)
    assert effort_for(large, budget_seconds=12) == pytest.approx(1.2 * effort_for(large, budget_seconds=10))


def test_a_table_too_large_is_thinned_and_says_so(classification, monkeypatch):
    monkeypatch.setattr(references, "MOST_CELLS", 4 * 100)
    found = by_name(fit_references(classification, goal=goal_named("error"), seed=0))
    assert found["linear"].note == found["trees"].note == "fit on 100 of the 600 training rows"
    assert found["trees"].predictions["dev"].shape == (300, 2)


def test_many_classes_thin_the_linear_model_further(classification, monkeypatch):
    monkeypatch.setattr(references, "MOST_LINEAR_CELLS", 4 * 50 * 2)
    found = by_name(fit_references(classification, goal=goal_named("error"), seed=0))
    assert found["linear"].note == "fit on 50 of the 600 training rows"
    assert found["trees"].note == ""


def test_a_class_that_the_thinned_rows_lack_gets_probability_zero(classification, monkeypatch):
    monkeypatch.setattr(references, "_thinned", lambda train, *, cells, seed: (only_class_zero_and_one(train), "thin"))
    schema = replace(classification.preparation.schema, classes=("a", "b", "c"))
    data = replace(classification, preparation=replace(classification.preparation, schema=schema))
    found = by_name(fit_references(data, goal=goal_named("log_loss"), seed=0))
    for name in ("linear", "trees"):
        assert (found[name].predictions["dev"][:, 1] == 0).all()


def only_class_zero_and_one(train):
    return replace(train, target=train.target * 2)


def threads():
    return {pool["num_threads"] for pool in threadpool_info()}


def test_models_run_on_one_thread_and_the_caller_gets_the_pools_back(classification, monkeypatch):
    seen = []
    proper = references._predictor

    def watched(*args, **options):
        seen.append(threads())
        return proper(*args, **options)

    monkeypatch.setattr(references, "_predictor", watched)
    with threadpool_limits(2):
        fit_references(classification, goal=goal_named("error"), seed=0)
        after = threads()
    assert seen == [{1}, {1}]  # the linear model and the trees
    assert after == {2}
