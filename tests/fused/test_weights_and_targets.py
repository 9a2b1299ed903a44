"""Rows that count more than once, and rows with several targets: all engines alike, and by their definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_fused_equality import ENGINES, KNOBS, alone, assert_same, config_of, fused

from wellfit.data.prepare import Arrays, Prepared
from wellfit.exceptions import BadInput
from wellfit.fused.engine import fit_stack
from wellfit.records.config import Network
from wellfit.records.goals import goal_named

pytestmark = pytest.mark.timeout(600)


def weighted(data: Prepared, weights: np.ndarray) -> Prepared:
    return replace(data, train=replace(data.train, weights=weights))


def taken(part: Arrays, places: np.ndarray) -> Arrays:
    return Arrays(part.numeric[places], part.codes[places], part.target[places])


def with_targets(data: Prepared, *, targets: int) -> Prepared:
    """Several targets on one scale, made of the one that there is."""

    def spread(part: Arrays) -> Arrays:
        z = (part.target - data.preparation.target_mean) / data.preparation.target_scale
        return replace(part, target=np.column_stack([z * (1 + place) + place for place in range(targets)]))

    preparation = replace(data.preparation, target_mean=0.0, target_scale=1.0, targets=targets)
    return Prepared(preparation, spread(data.train), None, spread(data.dev))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("knob", ["keep_prob", "mixup", "l2", "l1"])
def test_all_engines_agree_with_weights(knob, task, engine, table):
    data = table(task)
    weights = np.random.default_rng(0).uniform(0.1, 5.0, data.train.rows)
    assert_same(weighted(data, weights), [config_of(one) for one in KNOBS[knob]], engine=engine)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_weight_of_two_is_the_row_twice(task, optimizer, table):
    """One batch of all rows has no order, so that both are the same descent, lambda and L1 included."""
    data = table(task)
    counts = np.random.default_rng(1).integers(1, 4, data.train.rows)
    repeated = replace(data, train=taken(data.train, np.repeat(np.arange(data.train.rows), counts)))
    knobs = {"l2": 20.0, "l1": 0.5, "batch_size": 10_000, "epochs": 30}
    # Bins come from the rows, and repeated rows have other quantiles.
    config = config_of(knobs, optimizer=optimizer, network=Network(widths=(12, 8), embedding="none"))
    stack, _ = fused(weighted(data, counts.astype(float)), [config])
    row, _ = alone(repeated, config, stack.layout)
    assert np.abs(stack.parameters[0] - row).max() <= 1e-9 * np.abs(row).max()


def test_equal_weights_change_no_bit(table):
    data, configs = table("classification"), [config_of(one) for one in KNOBS["all at once"]]
    plain, _ = fused(data, configs)
    ones, _ = fused(weighted(data, np.ones(data.train.rows)), configs)
    np.testing.assert_array_equal(ones.parameters, plain.parameters)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("knob", ["keep_prob", "mixup", "l2"])
def test_all_engines_agree_with_several_targets(knob, engine, table):
    assert_same(with_targets(table("regression"), targets=3), [config_of(one) for one in KNOBS[knob]], engine=engine)


def test_several_targets_are_predicted_measured_and_kept_inside_their_range(table):
    data, found = with_targets(table("regression"), targets=3), []
    fit_stack(data, [config_of({"epochs": 60})], goal=goal_named("rmse"), on_outcome=found.append)
    (outcome,) = found
    predicted = outcome.predictions["dev"]
    assert predicted.shape == data.dev.target.shape
    assert outcome.losses["dev"] == pytest.approx(np.mean((predicted - data.dev.target) ** 2))
    assert outcome.losses["dev"] < 0.7 * np.mean((data.dev.target - data.dev.target.mean(axis=0)) ** 2)
    assert (predicted <= data.train.target.max(axis=0)).all()
    assert (predicted >= data.train.target.min(axis=0)).all()


def test_several_targets_survive_json(table):
    preparation = with_targets(table("regression"), targets=3).preparation
    assert type(preparation).from_json(preparation.to_json()) == preparation
    assert "targets" not in table("regression").preparation.to_json()


def test_a_module_of_ones_own_refuses_weights_and_several_targets(table):
    data = table("regression")
    for refused in (weighted(data, np.ones(data.train.rows)), with_targets(data, targets=2)):
        with pytest.raises(BadInput, match="your own module must predict one target"):
            fit_stack(refused, [config_of({})], goal=goal_named("rmse"), on_outcome=print, module=lambda _i, _o: None)
