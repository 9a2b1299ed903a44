"""Rows that train and dev share: left out first, judged on the others, and dev said to be honest, not better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recipe_runs import fixed_at, prepared, run_of

from wellfit.data.prepare import Copies, Prepared
from wellfit.recipe.follow import follow
from wellfit.recipe.remedies.mismatch import DROP_ROWS_KIND as KIND
from wellfit.recipe.state import Rules
from wellfit.recipe.stop import ending
from wellfit.records.config import Config, DataBoard, Network, Optimization

TRAIN, DEV, COPIED = 240, 400, 80
START = Config(
    network=Network(widths=(64,), embedding="none"), optimization=Optimization(lr=5e-3, epochs=60, batch_size=64)
)
RULES = Rules(ensemble=False)


def _data(*, copied: int = COPIED, told: bool = True) -> Prepared:
    """Noisy labels that a network learns by heart; the first rows of dev are the last ones of train."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(TRAIN + DEV, 12))
    y = x[:, 0] + 1.5 * rng.normal(size=TRAIN + DEV) > 0
    x[TRAIN : TRAIN + copied], y[TRAIN : TRAIN + copied] = x[TRAIN - copied : TRAIN], y[TRAIN - copied : TRAIN]
    places = np.arange(TRAIN), np.arange(DEV)
    copies = Copies(places[0] >= TRAIN - copied, places[1] < copied)
    return replace(prepared(x, y, train=TRAIN), copies=copies if told and copied else None)


def _followed(data: Prepared, *, rules: Rules = RULES):
    journal: dict = {}
    run, executor = run_of(data, optimal=0.3, budget="1200updates", journal=journal)
    return follow(run, START, rules), run, journal, executor


@pytest.fixture(scope="module")
def repaired():
    return _followed(_data())


def test_copies_are_left_out_before_anything_else_is_treated(repaired):
    _, _, journal, executor = repaired
    step = journal["step/1"]
    assert (step["kind"], step["board"], step["finding"], step["kept"]) == (KIND, "data", "WF203", True)
    assert step["because"] == "measurement: copies of training rows in dev"
    assert (
        step["did"]
        == "drop rows: 80 training rows with copies in dev, which made the error on 80 dev rows look too low"
    )
    dropped = [outcome for outcome in executor.known.values() if outcome.config.data.drop_rows]
    assert {len(outcome.train_losses) for outcome in dropped} == {TRAIN - COPIED}


def test_the_dev_error_rises_as_far_as_was_foretold(repaired):
    _, _, journal, _ = repaired
    step = journal["step/1"]
    assert step["errors_after"]["dev"] > step["errors_before"]["dev"] + 0.03
    assert step["got"] < 0
    assert step["expected_low"] <= step["expected"] <= step["expected_high"] <= 0
    assert step["as_expected"]


def test_the_flattered_network_is_no_rival_of_the_honest_ones(repaired):
    state, run, journal, _ = repaired
    assert state.outcome.losses["dev"] > state.first.losses["dev"]
    assert state.outcome.config.data.drop_rows
    kinds = [journal[f"step/{step}"]["kind"] for step in range(1, state.step + 1)]
    assert kinds.count(KIND) == 1
    assert "too low because of copies of training rows in dev" in ending(state, run=run)["sentence"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_data(copied=0), id="no copies"),
        pytest.param(_data(told=False), id="no finding"),
        pytest.param(_data(copied=TRAIN - 60), id="hardly a row would be left"),
    ],
)
def test_elsewhere_no_row_is_dropped(data):
    state, *_, executor = _followed(data, rules=replace(RULES, fixed_at=fixed_at("l2", "keep_prob")))
    assert state.outcome.config.data == DataBoard()
    assert not [outcome for outcome in executor.known.values() if outcome.config.data.drop_rows]


def test_rows_that_the_others_need_are_not_dropped():
    """Rows marked as copies that hold one class of their own: without them the rest of dev is predicted worse."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(TRAIN + DEV, 4))
    y = x[:, 0] > 0
    needed = (x[:TRAIN, 0] > 0) & (np.arange(TRAIN) % 20 > 0)
    copies = Copies(needed, np.arange(DEV) < 10)
    state, _, journal, _ = _followed(
        replace(prepared(x, y, train=TRAIN), copies=copies), rules=replace(RULES, only=KIND)
    )
    assert not journal["step/1"]["kept"]
    assert state.outcome.config.data == DataBoard()
