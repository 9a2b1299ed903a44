"""NetClassifierCV and NetRegressorCV: candidates, folds, the choice, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, ShuffleSplit, StratifiedKFold

import wellfit as wf

OVER = {"l2": [0.0, 30.0, 3_000.0], "keep_prob": [1.0, 0.8]}


def net(**arguments):
    return wf.NetClassifierCV(**{"epochs": 10, "random_state": 0, "cv": 3, "over": OVER, **arguments})


def regressor(**arguments):
    return wf.NetRegressorCV(**{"epochs": 20, "random_state": 0, "cv": 3, "over": {"l2": OVER["l2"]}, **arguments})


def test_what_is_kept_of_a_search(two_classes):
    X, y = two_classes
    found = net().fit(X, y)
    results = found.cv_results_
    assert results["dev_error"].shape == results["train_error"].shape == (6, 3)
    assert results["status"] == ["finished"] * 6
    assert found.l2_path_.tolist() == OVER["l2"]
    assert found.dev_error_path_.shape == (3, 3)
    best = results["config"].index(found.best_config_)
    assert found.dev_error_path_.mean(axis=1).min() == results["mean_dev_error"][best]
    assert results["mean_dev_error"][best] == results["mean_dev_error"].min()
    assert found.config_ == found.best_config_ == found.model_.parts[0].config
    assert found.one_se_config_ in results["config"]
    assert found.score(X, y) > 0.85


def test_the_dev_error_of_a_fold_is_that_of_the_single_network(two_classes):
    """Fold by fold: a NetClassifier with the candidate's knobs, fit on its training rows, has that error on dev."""
    X, y = two_classes
    folds = list(StratifiedKFold(3).split(X, y))
    found = net(cv=folds, over={"l2": [0.0, 300.0]}, keep_prob=0.9, batch_size=32, bins=4).fit(X, y)
    seed = found.best_config_.seed
    for fold, (train, dev) in enumerate(folds):
        for place, config in enumerate(found.cv_results_["config"]):
            alone = wf.NetClassifier(epochs=10, l2=config.regularization.l2, keep_prob=0.9, batch_size=32, bins=4)
            # The seed of a config is drawn from random_state; here it is the same one.
            alone._config = lambda _train, _columns, config=config: replace(config, seed=seed)
            alone.fit(X[train], y[train])
            assert 1 - alone.score(X[dev], y[dev]) == pytest.approx(found.cv_results_["dev_error"][place, fold])
            assert 1 - alone.score(X[train], y[train]) == pytest.approx(found.cv_results_["train_error"][place, fold])


def test_the_network_is_trained_again_on_all_rows(two_classes):
    X, y = two_classes
    found = net(over={"l2": [30.0]}).fit(X, y)
    alone = wf.NetClassifier(epochs=10, random_state=0, l2=30.0, networks=4).fit(X, y)
    np.testing.assert_array_equal(found.predict_proba(X), alone.predict_proba(X))


def test_lambda_is_chosen_where_the_signal_is_weak():
    source = np.random.default_rng(0)
    X = source.normal(size=(150, 20))
    y = X[:, 0] + 2 * source.normal(size=150)
    found = wf.NetRegressorCV(random_state=0, over={"l2": [0.0, 100.0, 1_000.0, 10_000.0]}).fit(X, y)
    assert found.best_config_.regularization.l2 >= 100
    assert found.dev_error_path_.mean(axis=1)[0] > 1.15 * found.dev_error_path_.mean(axis=1).min()
    assert found.one_se_config_.regularization.l2 >= found.best_config_.regularization.l2


def test_one_se_takes_the_simpler_one(two_classes):
    X, y = two_classes
    simple = net(rule="one_se").fit(X, y)
    assert simple.config_ == simple.one_se_config_
    results = simple.cv_results_
    fit = dict(zip((config.identity for config in results["config"]), results["train_error"].mean(axis=1), strict=True))
    assert fit[simple.one_se_config_.identity] >= fit[simple.best_config_.identity]


def test_the_default_search_is_lambda_times_keep_prob(two_classes):
    found = wf.NetClassifierCV(epochs=2, random_state=0).fit(*two_classes)
    knobs = [(one.regularization.l2, one.regularization.keep_prob) for one in found.cv_results_["config"]]
    assert len(set(knobs)) == 15
    assert (0.0, 1.0) in knobs
    assert {keep for _, keep in knobs} == {1.0, 0.75, 0.5}


def test_names_ranges_and_members(two_classes):
    found = net(over=["l2", "lr"], members=5, epochs=2).fit(*two_classes)
    assert len({config.optimization.lr for config in found.cv_results_["config"]}) == 5
    found = net(over={"l2": wf.log_uniform(1.0, 100.0), "ema": [0.0, 0.9]}, members=4, epochs=2).fit(*two_classes)
    assert all(0 <= one.regularization.l2 <= 100 for one in found.cv_results_["config"])
    assert 1 < len(net(over="weight_decay", members=3, epochs=2).fit(*two_classes).l2_path_) <= 3


def test_configs_that_do_not_fuse_are_compared_too(two_classes):
    found = net(over={"widths": [(4,), (8, 8)], "optimizer": ["adam", "momentum"]}, epochs=2).fit(*two_classes)
    assert len(found.cv_results_["config"]) == 4


FOLDS = {
    "int": (4, 4),
    "share": (0.25, 1),
    "splitter": (KFold(2), 2),
    "one dev split": (ShuffleSplit(1, random_state=0), 1),
    "iterable": ([(np.arange(200), np.arange(200, 240)), (np.arange(40, 240), np.arange(40))], 2),
    "masks": ([(np.arange(240) < 200, np.arange(240) >= 200)], 1),
    "generator": (None, 2),
}


@pytest.mark.parametrize("name", FOLDS)
def test_folds(name, two_classes):
    X, y = two_classes
    cv, count = FOLDS[name]
    found = net(cv=KFold(2).split(X) if name == "generator" else cv, epochs=1).fit(X, y)
    assert found.dev_error_path_.shape[1] == count


def test_five_folds_by_default_and_one_dev_split_where_rows_abound(two_classes, monkeypatch):
    X, y = two_classes
    assert net(cv=None, epochs=1).fit(X, y).dev_error_path_.shape[1] == 5
    monkeypatch.setattr("wellfit.estimators.searching.MOST_FOLDED_ROWS", 200)
    assert net(cv=None, epochs=1).fit(X, y).dev_error_path_.shape[1] == 1


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (1, "a number of folds, at least 2"),
        (1.5, "a number of folds, at least 2"),
        (-0.2, "a number of folds, at least 2"),
        (500, "there must be enough rows for all folds; found cv=500 for 240 rows"),
        ("five", "cv must be a number of folds, a share, a splitter or an iterable"),
        ([], "at least one fold"),
        (
            [(np.arange(10), np.arange(5, 20))],
            r"train and dev of a fold must not share rows; found row 5 \(5 such",
        ),
        ([(np.arange(10), np.array([300]))], "indices of rows of X; found index 300 in fold 0, while X has 240 rows"),
        ([(np.arange(10), np.array([], int))], "both sides of a fold must be arrays of row indices"),
        (True, "cv must be a number of folds, a share, a splitter or an iterable"),
    ],
)
def test_folds_that_cannot_be_are_refused(cv, message, two_classes):
    with pytest.raises(ValueError, match=message):
        net(cv=cv, epochs=1).fit(*two_classes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rule": "two_se"}, "rule must be best or one_se; found rule='two_se'"),
        ({"goal": "rmse"}, "goal rmse must be used with a regression target"),
        ({"goal": "accuracy"}, "a goal must be one of"),
        ({"l2": 5.0}, "a knob must not be both searched and set; found l2=5.0"),
        ({"dropout": 0.5}, "a knob must not be both searched and set; found dropout=0.5"),
        ({"over": {"lambda": [1.0]}}, "known knobs"),
        ({"over": {"l2": []}}, "at least one value"),
        ({"over": {"l2": [1.0, 2.0]}, "members": 1}, "a grid must not have more combinations than members"),
        ({"members": 0, "over": None}, "at least one member; found members=0"),
        ({"over": ["keep_prb"]}, r"Did you mean 'keep_prob'\?$"),
        ({"human_error": 2.0}, "human_error must be between 0 and 1"),
    ],
)
def test_searches_that_cannot_be_are_refused(arguments, message, two_classes):
    with pytest.raises(wf.BadInput, match=message):
        net(**{"epochs": 1, **arguments}).fit(*two_classes)


def test_a_knob_that_is_not_searched_is_kept(two_classes):
    found = net(over=["l2"], members=3, keep_prob=0.7, epochs=2).fit(*two_classes)
    assert {config.regularization.keep_prob for config in found.cv_results_["config"]} == {0.7}


def test_groups_stay_on_one_side(two_classes):
    """A group is a cloud of one class, far from the others: what one row says of its group is worthless elsewhere."""
    source = np.random.default_rng(0)
    groups = np.repeat(np.arange(24), 10)
    X = source.normal(size=(24, 5))[groups] * 3 + 0.01 * source.normal(size=(240, 5))
    y = source.integers(0, 2, 24)[groups]
    knobs = {"over": {"l2": [0.0]}, "epochs": 40}
    apart = net(cv=4, **knobs).fit(X, y, groups=groups)
    mixed_up = net(cv=4, **knobs).fit(X, y)
    assert mixed_up.dev_error_path_.mean() < 0.05
    assert apart.dev_error_path_.mean() > 0.25
    by_splitter = net(cv=GroupKFold(4), **knobs).fit(X, y, groups=groups)
    assert by_splitter.dev_error_path_.mean() > 0.25
    assert net(cv=LeaveOneGroupOut(), **knobs).fit(X[:40], y[:40], groups=groups[:40]).dev_error_path_.shape[1] == 4
    share = regressor(cv=0.25).fit(X, y.astype(float), groups=groups)
    assert share.dev_error_path_.shape[1] == 1


def test_groups_that_do_not_fit_are_refused(two_classes):
    X, y = two_classes
    with pytest.raises(wf.BadInput, match=r"every row must have a group; found groups of shape \(3,\) for 240 rows"):
        net().fit(X, y, groups=[1, 2, 3])
    with pytest.raises(wf.BadInput, match="there must be enough groups for all folds; found cv=5 for 2 groups"):
        net(cv=5).fit(X, y, groups=np.arange(240) % 2)


def test_equal_rows_stay_on_one_side():
    source = np.random.default_rng(0)
    X, y = source.normal(size=(60, 5)), source.integers(0, 2, 60)
    found = net(over={"l2": [0.0]}, epochs=40).fit(np.tile(X, (4, 1)), np.tile(y, 4))
    assert found.dev_error_path_.mean() > 0.3


@pytest.mark.parametrize("make", [net, regressor])
def test_a_search_with_whole_weights_is_one_with_repetitions(make, two_classes, one_number):
    X, y = two_classes if make is net else one_number
    counts = np.random.default_rng(0).integers(0, 3, len(y))
    weighted = make(over={"l2": [0.0, 30.0, 3_000.0]}).fit(X, y, sample_weight=counts)
    repeated = make(over={"l2": [0.0, 30.0, 3_000.0]}).fit(X.repeat(counts, axis=0), y.repeat(counts))
    np.testing.assert_array_equal(weighted.dev_error_path_, repeated.dev_error_path_)
    assert weighted.config_ == repeated.config_
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))


def test_weights_count_on_dev(one_number):
    """Half of the rows have another law and hardly any weight: the dev error is that of the other half."""
    X, y = one_number
    strange = np.arange(len(y)) % 2 == 1
    spoilt = np.where(strange, 500.0, y)
    found = regressor(over={"l2": [0.0]}, epochs=60).fit(X, spoilt, sample_weight=np.where(strange, 1e-6, 1.0))
    assert found.dev_error_path_.mean() < 100
    assert found.diagnosis_.errors.dev.value < 100


@pytest.mark.parametrize("goal", ["error", "log_loss", "balanced_error", "auc"])
def test_goals_of_classes(goal, two_classes):
    found = net(goal=goal).fit(*two_classes)
    assert found.diagnosis_.goal.name == goal
    assert (found.dev_error_path_[0] < 0.5).all()


@pytest.mark.parametrize("goal", ["rmse", "mae", "r2"])
def test_goals_of_numbers(goal, one_number):
    found = regressor(goal=goal).fit(*one_number)
    assert found.diagnosis_.goal.name == goal
    assert found.score(*one_number) > 0.8


def test_goals_over_whole_sets_take_whole_weights(two_classes):
    X, y = two_classes
    assert net(goal="auc").fit(X, y, sample_weight=np.arange(240) % 3).dev_error_path_.max() < 0.5
    with pytest.raises(wf.BadInput, match=r"weights must be whole numbers for the goals .*; found a weight of 0\.5"):
        net(goal="auc").fit(X, y, sample_weight=np.full(240, 0.5))


def test_the_diagnosis_has_the_errors_of_the_folds(two_classes):
    X, y = two_classes
    found = net(human_error=0.05).fit(X, y)
    place = found.cv_results_["config"].index(found.config_)
    errors = found.diagnosis_.errors
    assert errors.dev.rows == 240
    assert errors.dev.value == pytest.approx(found.cv_results_["mean_dev_error"][place], abs=0.005)
    assert errors.dev.low < errors.dev.value < errors.dev.high
    assert errors.train.value == pytest.approx(found.cv_results_["train_error"][place].mean(), abs=0.005)
    assert errors.optimal.source == "human"
    assert "measured on 3 folds; dev chose among 6 networks" in str(found.diagnosis_)


def test_the_interval_of_a_diagnosis_resamples_groups_whole(two_classes):
    X, y = two_classes
    groups = np.arange(240) // 24
    harder = np.where(np.isin(groups, (0, 1, 2)), np.where(y == "yes", "no", "yes"), y)
    for weights in (None, np.full(240, 0.5)):
        found = net(over={"l2": [0.0]}).fit(X, harder, sample_weight=weights, groups=groups).diagnosis_.errors.dev
        plain = net(over={"l2": [0.0]}).fit(X, harder, sample_weight=weights).diagnosis_.errors.dev
        assert found.rows == plain.rows == 240
        assert found.high - found.low > 1.5 * (plain.high - plain.low)


def test_threads_change_nothing(two_classes):
    X, y = two_classes
    alone, together = net().fit(X, y), net(n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(alone.cv_results_["dev_error"], together.cv_results_["dev_error"])
    np.testing.assert_array_equal(alone.predict_proba(X), together.predict_proba(X))


def test_a_candidate_that_diverges_is_not_chosen(one_number):
    found = regressor(over={"lr": [1e12, 0.01]}, optimizer="sgd").fit(*one_number)
    assert found.cv_results_["status"] == ["diverged", "finished"]
    assert found.config_.optimization.lr == 0.01
    with pytest.raises(wf.Refusal, match="all diverged"):
        regressor(over={"lr": [1e12]}, optimizer="sgd").fit(*one_number)


def test_several_targets_and_frames(one_number, mixed):
    X, y = one_number
    found = regressor().fit(X, np.column_stack([y, -1e5 * y]))
    assert found.predict(X).shape == (240, 2)
    assert (found.dev_error_path_[0] < 0.5).all()
    frame, price = mixed
    assert net(epochs=30).fit(frame, price).score(frame, price) > 0.85


def test_a_class_with_fewer_rows_than_folds(two_classes):
    X, y = two_classes
    rare = np.where(np.arange(240) < 2, "rare", y)
    found = net(cv=5).fit(X, rare)
    assert found.predict_proba(X).shape == (240, 3)
    assert net(cv=0.2, epochs=1).fit(X, np.where(np.arange(240) < 1, "rare", y)).classes_.tolist() == [
        "no",
        "rare",
        "yes",
    ]
