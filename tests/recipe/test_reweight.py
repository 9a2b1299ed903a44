"""Reweighting toward deployment: it helps where only the inputs have shifted, and is not tried or kept elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from recipe_runs import ERROR, Counting, Notes

from wellfit.data.features import features_of
from wellfit.data.prepare import Prepared, fit_preparation
from wellfit.data.schema import infer_schema
from wellfit.data.training_rows import OF_TRAIN
from wellfit.diagnosis.diagnosis import diagnose_losses
from wellfit.diagnosis.mismatch.attribution import importance_of
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.diagnosis.rows import Rows
from wellfit.exceptions import BadInput
from wellfit.recipe.budget import BudgetTracker, parse_budget
from wellfit.recipe.context import RunContext
from wellfit.recipe.follow import follow
from wellfit.recipe.remedies.mismatch import REWEIGHT_KIND as KIND
from wellfit.recipe.state import Rules
from wellfit.records.config import Config, DataBoard, Network, Optimization
from wellfit.training.tensors import predict

TRAIN, HELD, DEV, FRESH = 600, 400, 800, 4_000
LINE = Config(
    network=Network(widths=(), embedding="none"), optimization=Optimization(lr=2e-2, epochs=40, batch_size=64)
)
RULES = Rules(ensemble=False, only=KIND)


def _rows(rows: int, rng: np.random.Generator, *, at: float) -> pa.Table:
    """A boundary that bends: no straight line is right both where train is dense and where deployment is."""
    x = np.column_stack([rng.normal(at, 0.8, rows), rng.normal(size=rows)])
    y = x[:, 1] > np.abs(x[:, 0]) - 1.0
    return pa.table({"a": x[:, 0], "b": x[:, 1], "y": np.where(y ^ (rng.random(rows) < 0.05), "yes", "no")})


def _data(*, shift: float, weighed: bool = True) -> tuple[Prepared, pa.Table]:
    rng = np.random.default_rng(4)
    train, held = _rows(TRAIN, rng, at=-0.8), _rows(HELD, rng, at=-0.8)
    dev, fresh = _rows(DEV, rng, at=shift - 0.8), _rows(FRESH, rng, at=shift - 0.8)
    schema = infer_schema(train, target="y")
    preparation = fit_preparation(train, schema)
    parts = [preparation.transform(table) for table in (train, held, dev)]
    features = features_of({"train": train, "dev": dev}, schema)
    sides = [
        Rows(features=features[name], target=part.target, classes=2)
        for name, part in (("train", parts[0]), ("dev", parts[2]))
    ]
    found = importance_of(*sides)
    importance = {OF_TRAIN: found[0]} if weighed and found else {}
    return Prepared(preparation, *parts, importance=importance), fresh


def _follow(data: Prepared, *, journal: dict, rules: Rules = RULES):
    def diagnose(errors, *, outcome, best_dev_high):
        reference = Optimal(0.05, 0.05, source="given", upper_bound=False)
        parts = {name: errors[name] for name in ("train", "train_dev", "dev")}
        return diagnose_losses(goal=ERROR, optimal=reference, **parts)

    executor = Counting(data, goal=ERROR)
    run = RunContext(
        data=data,
        goal=ERROR,
        executor=executor,
        budget=BudgetTracker(parse_budget("4000updates"), data=data, workers=1),
        recall=Notes(journal),
        diagnosing=diagnose,
        best_dev_high=1.0,
        notify=lambda _event: None,
    )
    return follow(run, LINE, rules), executor


@pytest.fixture(scope="module")
def shifted():
    data, fresh = _data(shift=1.8)
    journal: dict = {}
    state, executor = _follow(data, journal=journal)
    return state, journal, data, fresh, executor


def test_a_shift_of_the_inputs_is_answered_by_weights(shifted):
    _, journal, *_ = shifted
    step = journal["step/1"]
    assert (step["kind"], step["board"], step["finding"], step["kept"]) == (KIND, "data", "WF302", True)
    assert step["because"] == "mismatch: yes"
    assert step["errors_after"]["dev"] < step["errors_before"]["dev"]
    assert step["config"]["data"]["reweight"] in (0.5, 1.0)


def test_the_loss_in_deployment_falls_on_rows_that_nobody_has_seen(shifted):
    state, _, data, fresh, _ = shifted
    arrays = data.preparation.transform(fresh)
    before, after = (
        ERROR.row_losses(arrays.target, predict(data.preparation, each.config, each.state)(arrays)).mean()
        for each in (state.first, state.outcome)
    )
    assert after < before - 0.05


def test_the_price_is_paid_where_train_is_and_the_effective_rows_are_shown(shifted):
    _, journal, *_ = shifted
    step = journal["step/1"]
    assert step["errors_after"]["train"] > step["errors_before"]["train"]
    assert 50 <= step["effective_rows"] < TRAIN
    assert (
        f"{TRAIN} weighted rows contain as much information as {step['effective_rows']:,.0f} rows with equal weights"
        in step["did"]
    )


def test_what_is_trained_with_weights_is_measured_without_them(shifted):
    state = shifted[0]
    assert len(state.outcome.train_losses) == TRAIN
    assert state.outcome.losses["train"] == pytest.approx(state.outcome.train_losses.mean())


def test_without_a_shift_no_weights_are_kept():
    journal: dict = {}
    state, _ = _follow(_data(shift=0.0)[0], journal=journal)
    assert not journal["step/1"]["kept"]
    assert state.outcome.config.data == DataBoard()


def test_without_a_shift_the_recipe_does_not_think_of_weights():
    journal: dict = {}
    data, _ = _data(shift=0.0)
    _, executor = _follow(data, journal=journal, rules=replace(RULES, only=None))
    assert not [outcome for outcome in executor.known.values() if outcome.config.data.reweight]


def test_where_dev_was_not_told_from_train_there_is_nothing_to_try():
    with pytest.raises(BadInput, match="must have something to try"):
        _follow(_data(shift=1.8, weighed=False)[0], journal={})


def test_weights_that_leave_too_few_effective_rows_are_not_tried():
    data, _ = _data(shift=1.8)
    few = np.full(TRAIN, 1e-3)
    few[:20] = 20.0
    with pytest.raises(BadInput, match="must have something to try"):
        _follow(replace(data, importance={OF_TRAIN: few}), journal={})
