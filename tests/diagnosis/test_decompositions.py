"""Decompositions: known answers (docs/methods.md, "Bias and variance"), and no drift with the number of trainings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellfit.diagnosis.decompositions import cross_entropy, squared, zero_one
from wellfit.exceptions import BadInput


def test_squared_loss_recovers_bias_and_variance_whatever_m():
    """Predictions y + 1 + N(0, .5): bias^2 = 1, variance .25, for M = 2 as for M = 20."""
    rng = np.random.default_rng(0)
    target = rng.normal(size=20_000)
    for trainings in (2, 5, 20):
        predictions = target + 1 + 0.5 * rng.normal(size=(trainings, 20_000))
        found = squared(target, predictions)
        assert found.bias.value == pytest.approx(1.0, abs=4 * (found.bias.high - found.bias.value) / 1.96)
        assert found.variance.value == pytest.approx(0.25, abs=4 * (found.variance.high - found.variance.value) / 1.96)
        assert found.total == pytest.approx(np.mean((predictions - target) ** 2))


@pytest.mark.parametrize(
    ("predictions", "bias", "total"),
    [((1, 1, 0), 0, 1 / 3), ((0, 0, 1), 1, 2 / 3)],
    ids=["unbiased", "biased: variance pays"],
)
def test_zero_one_loss_has_the_known_answers(predictions, bias, total):
    found = zero_one(np.array([1]), np.array(predictions)[:, None])
    assert (found.bias.value, found.total) == pytest.approx((bias, total))


@given(st.integers(2, 6), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_the_sums_are_the_mean_losses(trainings, rows, seed):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, rows)
    said = rng.integers(0, 3, (trainings, rows))
    assert zero_one(target, said).total == pytest.approx((said != target).mean())
    probabilities = rng.dirichlet(np.ones(3), size=(trainings, rows))
    own = probabilities[:, np.arange(rows), target]
    assert cross_entropy(target, probabilities).total == pytest.approx(-np.log(np.clip(own, 1e-12, 1)).mean())


def test_cross_entropy_has_the_known_answer():
    """pi = (.9, .1), (.5, .5), y = 1st: .111572 + .287682 = .399254 (docs/methods.md, "Bias and variance")."""
    found = cross_entropy(np.array([0]), np.array([[[0.9, 0.1]], [[0.5, 0.5]]]))
    assert found.variance.value == pytest.approx(0.111572, abs=5e-7)
    assert found.bias.value == pytest.approx(0.287682, abs=5e-7)


def test_the_jackknife_takes_most_of_the_drift_out_of_cross_entropy():
    """The variance term of many trainings is the truth; of four without the jackknife it is a quarter too low."""
    rng = np.random.default_rng(0)
    logits = 1.0 + rng.normal(size=(400, 3_000))
    shares = 1 / (1 + np.exp(-logits))
    probabilities = np.stack([shares, 1 - shares], axis=2)
    target = np.zeros(3_000, np.int64)
    truth = cross_entropy(target, probabilities).variance.value
    few = cross_entropy(target, probabilities[:4]).variance.value
    assert few == pytest.approx(truth, rel=0.1)


def test_one_training_is_refused():
    with pytest.raises(BadInput, match="at least two training runs"):
        squared(np.zeros(3), np.zeros((1, 3)))
