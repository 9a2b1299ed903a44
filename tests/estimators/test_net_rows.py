"""Weights: a row that is there twice is a row of weight two, the order of rows is no matter, and classes weigh."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

import wellfit as wf
from wellfit.estimators.inputs import Rows, merged, weights_of, with_class_weights


def net(**knobs):
    return wf.NetClassifier(**{"epochs": 12, "random_state": 0, "l2": 30.0, "keep_prob": 0.8, **knobs})


def regressor(**knobs):
    return wf.NetRegressor(**{"epochs": 12, "random_state": 0, "l2": 30.0, "l1": 0.1, "batch_size": 32, **knobs})


@pytest.mark.parametrize("make", [net, regressor])
def test_whole_weights_are_repetitions_and_omissions_to_the_last_bit(make, two_classes, one_number):
    X, y = two_classes if make is net else one_number
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = make().fit(X, y, sample_weight=counts)
    shuffled = np.random.default_rng(1).permutation(np.repeat(np.arange(len(y)), counts))
    repeated = make().fit(X[shuffled], y[shuffled])
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))
    for name, value in weighted.model_.parts[0].state.items():
        np.testing.assert_array_equal(value, repeated.model_.parts[0].state[name])


def test_the_order_of_the_rows_is_no_matter(two_classes):
    X, y = two_classes
    order = np.random.default_rng(0).permutation(len(y))
    np.testing.assert_array_equal(net().fit(X[order], y[order]).predict_proba(X), net().fit(X, y).predict_proba(X))


def test_weights_that_differ_change_the_fit(two_classes):
    X, y = two_classes
    plain, weighted = net().fit(X, y), net().fit(X, y, sample_weight=np.where(y == "yes", 0.1, 2.5))
    assert weighted.predict_proba(X)[:, 1].mean() < plain.predict_proba(X)[:, 1].mean() - 0.1


def test_lambda_counts_weights_as_rows_and_weight_decay_does_not(two_classes):
    """J = (1/m) sum L + lambda/(2m) ||W||^2 with m the sum of the weights."""
    X, y = two_classes
    doubled = net().fit(X, y, sample_weight=np.full(len(y), 2.0))
    assert not np.array_equal(doubled.predict_proba(X), net().fit(X, y).predict_proba(X))
    same = net(l2=60.0).fit(X, y, sample_weight=np.full(len(y), 2.0))
    np.testing.assert_allclose(same.predict_proba(X), net().fit(X, y).predict_proba(X), atol=1e-6)
    decay = {"l2": 0.0, "weight_decay": 0.125}
    same = net(**decay).fit(X, y, sample_weight=2.0)
    np.testing.assert_allclose(same.predict_proba(X), net(**decay).fit(X, y).predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -1.0, 1.0], r"finite and not negative; found -1.0 for row 1 \(1 such weights\)"),
        ([1.0, np.nan, 1.0], "finite and not negative; found nan for row 1"),
        ([0.0, 0.0, 0.0], "only zeros for 3 rows"),
        ([1.0, 1.0], r"one sample weight; found a sample_weight of shape \(2,\) for 3 rows"),
        (["a", "b", "c"], "sample weights must be numbers"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights, message):
    with pytest.raises(wf.BadInput, match=message):
        weights_of(weights, rows=3)


def rows_of(values, target, weights):
    import pyarrow as pa

    return Rows(pa.table({"a": values}), np.array(target), np.array(weights, dtype=float))


def test_equal_rows_are_merged_and_missing_values_are_equal():
    rows = rows_of([1.0, None, 1.0, None, -0.0, 0.0, 1.0], [0, 1, 0, 1, 0, 0, 1], [1, 2, 3, 4, 5, 6, 7])
    found = merged(rows)
    named = zip(found.table.column("a").to_pylist(), found.target.tolist(), found.weights.tolist(), strict=True)
    assert set(named) == {(1.0, 0, 4.0), (None, 1, 6.0), (0.0, 0, 11.0), (1.0, 1, 7.0)}
    assert merged(found).weights.tolist() == found.weights.tolist()


def test_several_targets_tell_rows_apart():
    rows = rows_of([1.0, 1.0, 1.0], [[0.0, 1.0], [0.0, 2.0], [0.0, 1.0]], [1, 1, 1])
    assert sorted(merged(rows).weights) == [1, 2]


def test_balanced_classes_weigh_what_scikit_learn_gives_them():
    target = np.array([0, 0, 0, 0, 0, 1, 2, 2])
    rows = rows_of(np.arange(8.0), target, np.ones(8))
    expected = compute_class_weight("balanced", classes=np.arange(3), y=target)[target]
    np.testing.assert_allclose(with_class_weights(rows, "balanced", classes=np.arange(3)).weights, expected)


def test_class_weights_that_cannot_be_are_refused(two_classes):
    X, y = two_classes
    for given, message in [
        ({"perhaps": 2.0}, "must contain only classes of y; found 'perhaps', while y contains 'no', 'yes'"),
        ({"no": -1.0}, "class weights must be finite"),
        ({"no": 0.0, "yes": 0.0}, "at least one class of y must have a weight above zero"),
        ("even", "None, 'balanced' or a mapping; found class_weight='even'"),
    ]:
        with pytest.raises(wf.BadInput, match=message):
            net(class_weight=given).fit(X, y)


def test_a_class_weight_moves_the_boundary(two_classes):
    X, y = two_classes
    heavy = net(class_weight={"no": 50.0}).fit(X, y)
    assert (heavy.predict(X) == "no").mean() > (net().fit(X, y).predict(X) == "no").mean() + 0.05


def test_a_class_whose_rows_weigh_nothing_is_not_there(two_classes):
    X, y = two_classes
    third = np.concatenate([y, ["perhaps"] * 5])
    weights = np.concatenate([np.ones(len(y)), np.zeros(5)])
    fitted = net().fit(np.concatenate([X, X[:5]]), third, sample_weight=weights)
    assert fitted.classes_.tolist() == ["no", "yes"]
    np.testing.assert_array_equal(fitted.predict_proba(X), net().fit(X, y).predict_proba(X))
