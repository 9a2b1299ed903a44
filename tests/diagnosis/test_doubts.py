"""Doubts about the numbers: planted ones lead, and where nothing is wrong they are silent."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

import wellfit as wf
from wellfit.data.features import Feature, Features
from wellfit.diagnosis.checks import CHECKS
from wellfit.diagnosis.facts import Facts
from wellfit.diagnosis.gaps import Errors
from wellfit.diagnosis.optimal_error import no_reference
from wellfit.diagnosis.rows import OpenRows, Predicted, Rows
from wellfit.records.goals import goal_named
from wellfit.stats.intervals import Estimate, interval_from_sd, wilson

ERROR = goal_named("error")


def fired(diagnosis):
    return {found.code: found.evidence for found in diagnosis.findings if found.status == "fired"}


def most(runs, level=0.05):
    return stats.binom.ppf(1 - 0.001, runs, level)


def rare(rows, rng):
    """Three positives in a hundred, and probabilities that know nothing of them."""
    y = (rng.random(rows) < 0.03).astype(int)
    return y, 0.03 + rng.normal(0, 0.004, rows)


def test_one_class_for_every_row_is_said_first_with_the_goals_that_show_it():
    rng = np.random.default_rng(1)
    found = wf.diagnose_predictions(train=rare(4_000, rng), dev=rare(1_000, rng), human_error=0.01)
    said = fired(found)
    assert "5,000 of 5,000 rows of train and dev are predicted as 0; 0 of the 142 rows of other" in said["WF110"]
    assert "--goal balanced_error is 50.0% and --goal auc is 0.502" in said["WF110"]
    assert [each.code for each in found.leading] == ["WF110", "WF111"]
    assert found.headline.startswith("First look at the numbers: every row predicted as one class (WF110)")
    assert "bigger network" not in found.headline
    first, *others = found.prescription
    assert (first.kind, first.ceiling) == ("none", 0)
    assert "Explain every row predicted as one class (WF110) and" in first.why
    assert "  1. Explain every row" in str(found)
    assert "none:" not in str(found)
    assert any(each.kind == "bigger_network" for each in others)
    assert all("if the numbers are right" in each.why for each in others if each.ceiling)
    listed = [each.code for each in found.findings]
    assert max(map(listed.index, ("WF110", "WF111", "WF112", "WF212"))) < listed.index("WF101")


@pytest.mark.parametrize("goal", ["balanced_error", "auc", "log_loss", "f1"])
def test_chance_is_known_without_a_human_error(goal):
    rng = np.random.default_rng(1)
    found = wf.diagnose_predictions(train=rare(4_000, rng), dev=rare(1_000, rng), goal=goal)
    assert "WF111" in fired(found)
    assert "if every row gets the same prediction" in fired(found)["WF111"]
    assert found.headline.startswith("First look at the numbers")


def test_a_model_that_knows_its_training_rows_by_heart_has_variance():
    rng = np.random.default_rng(0)
    y, y2 = rng.integers(0, 2, (2, 2_000))
    found = wf.diagnose_predictions(train=(y, y), dev=(y2, rng.permutation(y2)))
    assert [each.code for each in found.leading] == ["WF102"]


@pytest.mark.parametrize("goal", ["rmse", "mae", "r2"])
def test_a_regression_that_predicts_the_mean_is_no_better_than_a_constant(goal):
    rng = np.random.default_rng(0)
    y, y2 = rng.normal(10, 2, 2_000), rng.normal(10, 2, 1_000)
    near = [np.full(len(each), 10.0) + rng.normal(0, 0.01, len(each)) for each in (y, y2)]
    assert "WF111" in fired(wf.diagnose_predictions(train=(y, near[0]), dev=(y2, near[1]), goal=goal))
    good = [each + rng.normal(0, 1, len(each)) for each in (y, y2)]
    found = wf.diagnose_predictions(train=(y, good[0]), dev=(y2, good[1]), goal=goal)
    assert {each.code: each.status for each in found.findings}["WF111"] == "passed"


def test_dev_surely_below_train_comes_before_the_bias_that_it_looks_like():
    found = wf.diagnose_errors(train=0.12, dev=0.08, human_error=0.01, train_rows=20_000, dev_rows=3_000)
    assert "dev is better by 3.1 to 4.9 points" in fired(found)["WF112"]
    assert [each.code for each in found.leading] == ["WF112"]
    # A log loss as Keras prints it: averaged over the epoch, with dropout on; no spread is known on train.
    log = wf.diagnose_errors(train=0.52, dev=0.41, train_rows=50_000, dev_rows=10_000, goal="log_loss", dev_sd=0.6)
    assert "WF112" in fired(log)
    assert "WF112" not in fired(wf.diagnose_errors(train=0.12, dev=0.11, train_rows=2_000, dev_rows=300))


def test_labels_that_count_from_one_are_strange():
    rng = np.random.default_rng(0)
    y, y2 = rng.integers(0, 3, 600), rng.integers(0, 3, 300)
    found = wf.diagnose_predictions(train=(y, y + 1), dev=(y2, y2 + 1))
    assert "rows are predicted as 3, but no row has such a label" in fired(found)["WF212"]
    few = wf.diagnose_predictions(train=(y, y), dev=(y2, np.where(np.arange(300) < 3, 3, y2)))
    assert "WF212" not in fired(few)
    assert "may be due to chance" in str(few)


def test_a_class_that_only_dev_has_is_named_before_the_variance():
    rng = np.random.default_rng(0)
    y, y2 = rng.integers(0, 2, 700), rng.integers(0, 2, 300)
    names = np.array(["bird", "cat", "dog"])
    y2[:60] = 2
    found = wf.diagnose_predictions(train=(names[y], names[y]), dev=(names[y2], names[np.minimum(y2, 1)]))
    assert (
        fired(found)["WF215"]
        == "Train has no rows of dog (60 rows of dev); 60 of the 60 errors on dev are in these rows."
    )
    assert found.leading[0].code == "WF215"
    assert "WF215" not in fired(wf.diagnose_predictions(train=(names[y], names[y]), dev=(names[y], names[y])))


@pytest.mark.parametrize("classes", [10, 30, 300])
@pytest.mark.parametrize("rows", [100, 300, 1_000, pytest.param(10_000, marks=pytest.mark.proof)])
def test_rare_classes_that_train_happens_to_lack_are_seldom_alarming(classes, rows):
    """Classes whose frequencies fall as the square of their rank: of the rarest, some are in dev alone."""
    runs, alarms, lacking, rng = 500, 0, 0, np.random.default_rng(classes + rows)
    frequencies = 1 / np.arange(1, classes + 1) ** 2
    for _ in range(runs):
        target = rng.choice(classes, rows, p=frequencies / frequencies.sum())
        train, dev = ((part, np.eye(classes)[part]) for part in np.split(target, [2 * rows // 3]))
        told = Predicted.over({"train": train, "dev": dev}, goal=ERROR, train=train[0])
        found = CHECKS["WF215"](Facts(goal=ERROR, predicted=told))
        alarms += found.status == "fired"
        lacking += found.status != "passed"
    assert alarms <= most(runs)
    assert lacking > 0 or rows * frequencies[-1] > 50  # all classes are frequent enough


def of_rule(rows, rng, *, steep=2.4):
    """Two classes that overlap, and the probabilities of the best rule (17.9 % errors)."""
    logits = steep * rng.normal(size=rows) * np.sqrt(1.25)
    chance = special.expit(logits)
    return (rng.random(rows) < chance).astype(int), np.stack([1 - chance, chance], axis=1)


def predicted(train, dev, goal):
    told = Predicted.over({"train": train, "dev": dev}, goal=goal, train=train[0])
    fixed = Estimate.fixed(goal.loss(*train), rows=len(train[0]))
    errors = Errors(optimal=no_reference(1.0), train=fixed, dev=Estimate.fixed(goal.loss(*dev)))
    return Facts(goal=goal, tolerance=0.02, errors=errors, predicted=told)


@pytest.mark.parametrize("rows", [100, 1_000, pytest.param(10_000, marks=pytest.mark.proof)])
@pytest.mark.parametrize("name", ["error", "auc", "log_loss"])
def test_a_rule_that_is_right_is_not_doubted(rows, name):
    goal, runs, rng = goal_named(name), 60, np.random.default_rng(rows)
    alarms = dict.fromkeys(("WF110", "WF111", "WF212"), 0)
    for _ in range(runs):
        facts = predicted(of_rule(rows, rng), of_rule(rows, rng), goal)
        for code in alarms:
            alarms[code] += CHECKS[code](facts).status == "fired"
    assert max(alarms.values()) <= most(runs), alarms


@pytest.mark.parametrize("rows", [100, 1_000, pytest.param(10_000, marks=pytest.mark.proof)])
def test_a_gain_of_a_fifth_of_the_constant_is_seldom_called_none(rows):
    """The gain from which a model counts as better: it falls short of it by chance alone."""
    goal, runs, alarms, rng = goal_named("rmse"), 100, 0, np.random.default_rng(rows)
    for _ in range(runs):
        x = rng.normal(size=(2, rows))
        y = np.sqrt(0.2) * x + np.sqrt(0.8) * rng.normal(size=(2, rows))
        parts = {"train": (y[0], np.sqrt(0.2) * x[0]), "dev": (y[1], np.sqrt(0.2) * x[1])}
        alarms += CHECKS["WF111"](predicted(parts["train"], parts["dev"], goal)).status == "fired"
    assert alarms <= most(runs)


@pytest.mark.parametrize("rows", [100, 1_000, 10_000])
def test_a_class_found_in_a_fifth_of_its_rows_is_seldom_called_missed(rows):
    """The others are a percent of the rows and a fifth of them is found: the edge of what counts as one class."""
    runs, alarms, rng = 500, 0, np.random.default_rng(rows)
    for _ in range(runs):
        target = (rng.random((2, rows)) < 0.04).astype(int)
        told = np.where(target == 1, rng.random((2, rows)) < 0.2, False).astype(int)
        facts = predicted(*((target[i], np.eye(2)[told[i]]) for i in (0, 1)), ERROR)
        alarms += CHECKS["WF110"](facts).status == "fired"
    assert alarms <= most(runs)


@pytest.mark.parametrize("rows", [100, 1_000, 10_000])
@pytest.mark.parametrize("name", ["error", "log_loss"])
def test_equal_errors_of_train_and_dev_are_seldom_called_reversed(rows, name):
    runs, alarms, rng = 500, 0, np.random.default_rng(rows)
    for _ in range(runs):
        if name == "error":
            sample, dev = (wilson(wrong, rows) for wrong in rng.binomial(rows, 0.2, 2))
        else:
            losses = 0.5 + 0.6 / np.sqrt(rows) * rng.normal(size=2)
            sample, dev = None, interval_from_sd(losses[1], sd=0.6, rows=rows)
        train = Estimate.fixed(losses[0] if sample is None else sample.value, rows=rows)
        errors = Errors(optimal=no_reference(1.0), train=train, train_sample=sample, dev=dev)
        alarms += CHECKS["WF112"](Facts(goal=goal_named(name), errors=errors)).status == "fired"
    assert alarms <= most(runs)


def test_a_rare_class_that_some_rows_happen_to_lack_is_seldom_strange():
    """Labels and predictions have the class alike, once in 500 rows."""
    runs, alarms, rng = 500, 0, np.random.default_rng(0)
    for _ in range(runs):
        target, told = (rng.random((2, 600)) < 0.002).astype(int)
        facts = predicted((target[:300], np.eye(2)[told[:300]]), (target[300:], np.eye(2)[told[300:]]), ERROR)
        alarms += CHECKS["WF212"](facts).status == "fired"
    assert alarms <= most(runs)


def test_a_few_rows_that_hold_the_squared_error_are_named():
    rng = np.random.default_rng(0)
    y, y2 = rng.normal(10, 2, 2_000), rng.normal(10, 2, 1_000)
    y2[[17, 402, 900]] = 999.0
    found = wf.diagnose_predictions(train=(y, y + rng.normal(size=2_000)), dev=(y2, np.minimum(y2, 20.0)))
    assert "3 rows of 1,000 dev rows account for 100 % of the squared error" in fired(found)["WF213"]
    assert all(f"{row} (target 999)" in fired(found)["WF213"] for row in (18, 403, 901))
    rows = Rows(features=Features((Feature("x", "number"),), y2[:, None]), target=y2, classes=0)
    before = CHECKS["WF213"](
        Facts(goal=goal_named("rmse"), rows=OpenRows(train=rows, dev=rows, goal=goal_named("rmse")))
    )
    assert before.status == "fired"
    assert "3 rows of 1,000 training rows account for" in before.evidence


@pytest.mark.parametrize("rows", [100, 1_000, 10_000])
@pytest.mark.parametrize("law", ["normal", "laplace", "exponential"])
def test_ordinary_errors_are_spread_over_the_rows(rows, law):
    goal, runs, alarms, rng = goal_named("rmse"), 500, 0, np.random.default_rng(rows)
    for _ in range(runs):
        target = getattr(rng, law)(size=rows)
        told = Predicted.over({"dev": (target, np.zeros(rows))}, goal=goal, train=target)
        alarms += CHECKS["WF213"](Facts(goal=goal, predicted=told)).status == "fired"
    assert alarms <= most(runs)
