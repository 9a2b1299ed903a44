from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from wellfit.diagnosis.checks import run_checks
from wellfit.diagnosis.facts import Facts
from wellfit.diagnosis.learning_curves import fit_curve, rows_for
from wellfit.diagnosis.more_data import Anchors, anchor_rows, measure_anchors, more_data, worth_of_more_rows
from wellfit.exceptions import BadInput
from wellfit.records.goals import goal_named
from wellfit.stats.intervals import Estimate

ROWS = np.array([16 * 2 ** (k / 2) for k in range(13)])
FEATURES = 10  # of the regressions


def ols_error(rows):
    """Expected test error of ordinary least squares with sigma = 1: exact."""
    return 1 + FEATURES / (rows - FEATURES - 1)


def simulated_ols(repeats, *, seed=0, rows=ROWS):
    """Fresh regressions at every anchor: [anchors, repeats] train errors, and exact test errors of each fit."""
    rng = np.random.default_rng(seed)
    sizes = np.round(rows).astype(int)
    train, test = np.empty((2, len(sizes), repeats))
    for place, size in enumerate(sizes):
        for repeat in range(repeats):
            X, noise = rng.normal(size=(size, FEATURES)), rng.normal(size=size)
            wrong = np.linalg.lstsq(X, noise, rcond=None)[0]
            train[place, repeat] = np.mean((noise - X @ wrong) ** 2)
            test[place, repeat] = 1 + wrong @ wrong
    return Anchors(sizes, train, test, np.zeros((len(sizes), len(sizes))))


def least_squares_refit(rows, *, seed=0, dev_rows=2000, signal=1.0):
    rng = np.random.default_rng(seed)
    weights = signal * rng.normal(size=FEATURES)
    X, V = rng.normal(size=(rows, FEATURES)), rng.normal(size=(dev_rows, FEATURES))
    y, v = X @ weights + rng.normal(size=rows), V @ weights + rng.normal(size=dev_rows)

    def refit(kept, _seed):
        fitted = np.linalg.lstsq(X[kept], y[kept], rcond=None)[0]
        return float(np.mean((y[kept] - X[kept] @ fitted) ** 2)), (v - V @ fitted) ** 2

    return refit


def noisy(errors, *, noise, repeats=6, seed=0):
    rng = np.random.default_rng(seed)
    errors = np.asarray(errors)[:, None] + noise * rng.standard_normal((len(errors), repeats))
    rows = np.round(ROWS[: len(errors)]).astype(int)
    return Anchors(rows, errors / 2, errors, np.zeros((len(rows), len(rows))))


def power_law(curve):
    """(c, b, offset, a) of a pow4 as err(n) = c + b (n + offset)^-a."""
    power, offset = curve.bend
    return curve.floor, curve.excess * (curve.reference + offset) ** power, offset, power


def test_the_curve_of_least_squares_is_a_pow4_and_is_recovered_exactly():
    curve = fit_curve("pow4", ROWS, ols_error(ROWS), sd=0.01 * ols_error(ROWS))
    assert power_law(curve) == pytest.approx((1, FEATURES, -(FEATURES + 1), 1), rel=1e-5)


def test_pow3_gets_that_curve_wrong():
    curve = fit_curve("pow3", ROWS, ols_error(ROWS), sd=0.01 * ols_error(ROWS))
    assert curve.misfit > 10
    assert curve.floor > 1.02


def test_simulated_regressions_lie_on_the_exact_curves_and_the_fit_recovers_them():
    anchors = simulated_ols(200, rows=ROWS[2:])
    train = 1 - FEATURES / anchors.rows
    for found, exact in ((anchors.train, train), (anchors.dev, ols_error(anchors.rows))):
        error = found.std(axis=1, ddof=1) / np.sqrt(found.shape[1])
        assert np.all(np.abs(found.mean(axis=1) - exact) < 4 * error)
    curve = fit_curve("pow4", anchors.rows * 1.0, anchors.mean, sd=anchors.sd)
    asymptote, _, offset, power = power_law(curve)
    assert asymptote == pytest.approx(1, abs=0.02)
    assert offset == pytest.approx(-(FEATURES + 1), abs=6)
    assert power == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(
    ("family", "bend", "exact"),
    [
        pytest.param("pow4", (0.5, 8.0), lambda n: 0.1 + 2 * (n + 8) ** -0.5, id="pow4"),
        pytest.param("pow3", (0.5,), lambda n: 0.1 + 2 * n**-0.5, id="pow3"),
        pytest.param("mmf4", (0.8, 100.0), lambda n: 0.1 + 0.4 / (1 + (n / 100) ** 0.8), id="mmf4"),
        pytest.param("exp4", (0.6, 100.0), lambda n: 0.1 + 0.4 * np.exp(-((n / 100) ** 0.6)), id="exp4"),
    ],
)
def test_every_family_recovers_its_own_curve(family, bend, exact):
    curve = fit_curve(family, ROWS, exact(ROWS), sd=0.01 * exact(ROWS))
    assert curve.bend == pytest.approx(bend, rel=1e-2)
    assert float(curve.at(4096.0)) == pytest.approx(exact(4096.0), rel=1e-3)


def test_the_floor_is_not_undercut():
    errors = 0.3 + 2 / ROWS
    assert fit_curve("pow4", ROWS, errors, sd=0.01 * errors, floor=0.299).floor >= 0.299


def test_rows_for_a_target_are_those_at_which_the_curve_reaches_it():
    curve = fit_curve("pow4", ROWS, ols_error(ROWS), sd=0.01 * ols_error(ROWS))
    # 1 + 10 / (n - 11) = 1.01 at n = 1011.
    assert rows_for(curve, 1.01, most=4096) == pytest.approx(1011, abs=1)
    assert rows_for(curve, 0.99, most=4096) is None


def test_twice_the_data_is_priced_with_an_interval_that_holds_the_truth():
    """Of four intervals of 95 %, three at least hold it; the proof below has more of them."""
    truth, held = float(ols_error(200) - ols_error(400)), []
    for seed in range(4):
        anchors = measure_anchors(least_squares_refit(200, seed=seed), rows=200, refits=30, seed=seed)
        found = more_data(anchors, delta=0.001, target=1.02)
        held.append(found.gain.low <= truth <= found.gain.high)
        assert 0 <= found.chance <= 1
        json.dumps(found.to_json(), allow_nan=False)
    assert sum(held) >= 3


def test_a_curve_that_still_falls_fires_and_one_that_is_flat_passes():
    falling = more_data(noisy(0.05 + ROWS**-0.4, noise=0.0005), delta=0.005)
    flat = more_data(noisy(np.full(13, 0.2), noise=0.0005), delta=0.005)
    fired, passed = (worth_of_more_rows(goal=goal_named("error"), curve=found) for found in (falling, flat))
    assert (fired.status, passed.status) == ("fired", "passed")
    assert "Twice the data (2,048 training rows): the dev error would fall by" in fired.evidence
    assert falling.chance > 0.99
    truth = 1024**-0.4 - 2048**-0.4
    assert falling.gain.low <= truth <= falling.gain.high
    assert "last1" in flat.families
    assert "last1" not in falling.families


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [(0.011, 0.03, "fired"), (-0.01, 0.009, "passed"), (0.005, 0.02, "not applicable")],
    ids=["above", "below", "around"],
)
def test_the_verdict_has_three_values(low, high, status):
    known = more_data(noisy(0.05 + ROWS**-0.4, noise=0.001), delta=0.01, factor=5)
    found = replace(known, factor=2, refused="", gain=Estimate(0.5 * (low + high), low, high, 1024))
    assert worth_of_more_rows(goal=goal_named("error"), curve=found).status == status


@pytest.mark.parametrize(
    ("errors", "factor", "why"),
    [
        pytest.param(0.1 + ROWS**-0.5, 4.5, "beyond 4 times", id="too far"),
        pytest.param(0.1 + ROWS**-0.5 + 0.2 * (ROWS > 300), 2, "rises again at 362", id="not monotone"),
    ],
)
def test_what_the_curve_does_not_support_is_refused(errors, factor, why):
    found = more_data(noisy(errors, noise=0.001), delta=0.01, factor=factor)
    assert found.gain is None
    assert found.curve.family == "last1"
    judged = worth_of_more_rows(goal=goal_named("error"), curve=found)
    assert judged.status == "not applicable"
    assert why in judged.evidence
    json.dumps(found.to_json(), allow_nan=False)


def test_without_refits_the_finding_is_not_applicable():
    findings = {found.code: found for found in run_checks(Facts(goal=goal_named("error")))}
    assert findings["WF210"].status == "not applicable"


def test_few_anchors_use_pow3():
    assert more_data(noisy(0.1 + ROWS[:5] ** -0.5, noise=0.001), delta=0.01).curve.family == "pow3"


def test_anchors_end_at_all_rows_and_step_by_root_two():
    found = anchor_rows(1000)
    assert found[-1] == 1000
    assert 16 <= found[0] < 16 * 2**0.5
    assert np.all(np.abs(found[1:] / found[:-1] - 2**0.5) < 0.05)


@pytest.mark.parametrize("refits", [12, 25, 60], ids="{} refits".format)
def test_the_budget_of_refits_is_kept_and_subsets_are_nested(refits):
    calls = []

    def refit(rows, seed):
        calls.append(set(rows.tolist()))
        return 0.0, np.ones(5) / len(rows)

    anchors = measure_anchors(refit, rows=500, refits=refits)
    assert len(calls) <= refits
    assert anchors.dev.shape[1] >= 3
    first = calls[: len(anchors.rows)]
    assert all(small < large for small, large in pairwise(first))


@pytest.mark.parametrize(
    ("rows", "refits", "rule"),
    [(30, 30, "starting at 16 rows"), (500, 11, "3 repeats")],
    ids=["few rows", "few refits"],
)
def test_too_little_is_refused_with_the_number_that_is_needed(rows, refits, rule):
    with pytest.raises(BadInput, match=rule):
        measure_anchors(lambda rows, seed: (0.0, np.ones(3)), rows=rows, refits=refits)


def test_a_loss_that_is_not_finite_is_refused():
    with pytest.raises(BadInput, match="finite"):
        measure_anchors(lambda rows, seed: (0.0, np.array([np.nan])), rows=100, refits=12)


@pytest.mark.proof
def test_the_interval_holds_the_truth_in_simulation_and_nothing_fires_on_flat_curves():
    held = []
    for seed in range(100, 120):  # others than those that set the widening
        anchors = measure_anchors(least_squares_refit(400, seed=seed), rows=400, refits=50, seed=seed)
        gain = more_data(anchors, delta=0.002, seed=seed).gain
        held.append(gain is None or gain.low <= ols_error(400) - ols_error(800) <= gain.high)
    assert np.mean(held) >= 0.9
    flat = [more_data(noisy(np.full(11, 0.2), noise=0.005, seed=seed), delta=0.002) for seed in range(20)]
    assert sum(worth_of_more_rows(goal=goal_named("error"), curve=found).status == "fired" for found in flat) <= 1
