"""More data as a remedy: it helps where variance is left, and is not tried where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recipe_runs import fixed_at, prepared, run_of

from wellfit.data.prepare import Arrays
from wellfit.recipe.follow import follow
from wellfit.recipe.remedies.mismatch import MORE_DATA_KIND as KIND
from wellfit.recipe.remedies.mismatch import with_more_data
from wellfit.recipe.state import Rules
from wellfit.records.config import Config, DataBoard, Network, Optimization

TRAIN, DEV, MORE = 60, 1_000, 1_500
NAME = "1500 rows 0123456789ab"
START = Config(
    network=Network(widths=(32,), embedding="none"), optimization=Optimization(lr=5e-3, epochs=60, batch_size=64)
)
RULES = Rules(more_data=NAME, ensemble=False)


def _rows(rows: int, *, seed: int, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 10))
    return x, x @ np.array([1.5, -1, 1, 0.7, 0, 0, 0, 0, 0, 0]) + noise * rng.normal(size=rows) > 0


def _data(*, seed: int = 0, wrong: bool = False, noise: float = 0.5):
    """Few training rows, and many more of the same law; or of another law, where `wrong`."""
    x, y = _rows(TRAIN + DEV + MORE, seed=seed, noise=noise)
    data, whole = prepared(x[: TRAIN + DEV], y[: TRAIN + DEV], train=TRAIN), prepared(x, y, train=TRAIN)
    added = Arrays(*(getattr(whole.dev, name)[DEV:] for name in ("numeric", "codes", "target")))
    return replace(data, more={NAME: replace(added, target=1 - added.target) if wrong else added})


def _steps(state, journal):
    return [journal[f"step/{step}"] for step in range(1, state.step + 1)]


@pytest.fixture(scope="module")
def followed():
    journal: dict = {}
    run, executor = run_of(_data(), optimal=0.07, budget="1500updates", journal=journal)
    return follow(run, START, RULES), journal, executor


def test_more_rows_of_the_same_law_are_the_first_remedy_against_variance(followed):
    state, journal, _ = followed
    first = _steps(state, journal)[0]
    assert (first["kind"], first["board"], first["finding"], first["kept"]) == (KIND, "data", "WF102", True)
    assert first["because"] == "variance: yes"
    assert first["errors_after"]["dev"] < first["errors_before"]["dev"] - 0.03
    assert first["expected_low"] <= first["got"] <= first["expected_high"]
    assert "more data off -> 1500 rows" in first["did"]


def test_what_comes_after_is_trained_on_the_grown_rows(followed):
    state, journal, executor = followed
    after = [step["config"]["data"] for step in _steps(state, journal)]
    assert after == [{"more_data": NAME, "reweight": 0.0, "drop_rows": False}] * len(after)
    grown = [outcome for outcome in executor.known.values() if outcome.config.data.more_data]
    assert {len(outcome.train_losses) for outcome in grown} == {TRAIN + MORE}


def test_the_updates_stay_about_the_same(followed):
    state, _, executor = followed
    trained = [outcome for outcome in executor.known.values() if outcome.config.data.more_data]
    assert trained[0].updates <= max(state.first.updates, 16 * -(-(TRAIN + MORE) // 64))
    assert trained[0].config.optimization.epochs < START.optimization.epochs


def test_a_fixed_number_of_epochs_stays():
    run, _ = run_of(_data(), optimal=0.07, budget="4000updates")
    rules = replace(RULES, only=KIND, fixed_at=fixed_at("epochs"))
    assert follow(run, START, rules).outcome.config.optimization == START.optimization


def test_rows_of_another_law_are_tried_and_not_kept():
    journal: dict = {}
    run, _ = run_of(_data(wrong=True), optimal=0.07, budget="1500updates", journal=journal)
    state = follow(run, START, replace(RULES, only=KIND))
    (step,) = _steps(state, journal)
    assert (step["kept"], step["got"]) == (False, 0.0)
    assert state.outcome.config.data == DataBoard()


def test_rows_that_dev_cannot_judge_are_kept():
    """Of twenty more rows dev cannot tell whether they help: nothing surely speaks against them."""
    journal: dict = {}
    data = _data()
    rows = data.more[NAME]
    few = Arrays(*(getattr(rows, name)[:20] for name in ("numeric", "codes", "target")))
    run, _ = run_of(replace(data, more={NAME: few}), optimal=0.07, budget="1500updates", journal=journal)
    state = follow(run, START, replace(RULES, only=KIND))
    (step,) = _steps(state, journal)
    assert step["kept"]
    assert abs(step["got"]) < 0.05
    assert step["expected_low"] < step["got"] < 0
    assert step["as_expected"]
    assert state.outcome.config.data.more_data == NAME


def test_without_variance_the_rows_are_left_alone():
    journal: dict = {}
    # A line has no variance worth speaking of on 1,200 rows, and the reference says that nothing is missing.
    x, y = _rows(2_200, seed=3)
    data = prepared(x, y, train=1_200)
    run, executor = run_of(replace(data, more={NAME: data.train}), optimal=0.07, budget="1500updates", journal=journal)
    line = replace(START, network=Network(widths=(), embedding="none"))
    follow(run, line, RULES)
    assert not [outcome for outcome in executor.known.values() if outcome.config.data.more_data]
    assert KIND not in {body.get("kind") for name, body in journal.items() if name.startswith("step/")}


def test_without_a_file_there_is_nothing_to_try():
    run, executor = run_of(_data(), optimal=0.07, budget="1000updates")
    state = follow(run, START, replace(RULES, more_data=None))
    assert state.step > 0
    assert not [outcome for outcome in executor.known.values() if outcome.config.data.more_data]


def test_a_journal_is_followed_to_the_same_end(followed):
    state, journal, _ = followed
    steps = {name: body for name, body in journal.items() if name in ("step/1", "diagnosis/0")}
    run, _ = run_of(_data(), optimal=0.07, budget="1500updates", journal=steps)
    again = follow(run, START, RULES)
    assert again.outcome.identity == state.outcome.identity
    assert again.outcome.losses == state.outcome.losses


def test_a_network_that_has_the_rows_has_nothing_to_try(followed):
    state, _, _ = followed
    run, _ = run_of(_data(), optimal=0.07)
    from wellfit.recipe.state import StepContext

    assert with_more_data(StepContext(run=run, state=state, rules=RULES)) == ()
