"""The best temperature against scikit-learn's, and what a temperature leaves as it is."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from scipy.optimize import brentq
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.utils.fixes import parse_version as parse

from wellfit.records.goals import goal_named
from wellfit.stats.calibration import best_temperature, tempered

LOG_LOSS = goal_named("log_loss")


def logits_and_target(*, rows=2_000, classes=3, spread=1.5, seed=0):
    """Logits whose softmax are the chances that drew the target."""
    source = np.random.default_rng(seed)
    logits = spread * source.normal(size=(rows, classes))
    return logits, (source.random((rows, 1)) > softmax(logits, axis=1).cumsum(axis=1)).sum(axis=1)


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose logits are its inputs."""

    def fit(self, logits, target):
        self.classes_ = np.unique(target)
        return self

    def decision_function(self, logits):
        return logits

    def predict(self, logits):
        return self.classes_[logits.argmax(axis=1)]


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_it_is_where_the_likelihood_is_level(classes, factor):
    """There the mean logit of the true class is the one that the probabilities expect (scipy finds the root)."""
    logits, target = logits_and_target(classes=classes)
    logits *= factor

    def slope(inverse):
        expected = (softmax(inverse * logits, axis=1) * logits).sum(axis=1)
        return float((expected - logits[np.arange(len(target)), target]).mean())

    ours = best_temperature(target, softmax(logits, axis=1))
    assert ours == pytest.approx(1 / brentq(slope, 0.05, 20.0), rel=1e-3)


@pytest.mark.skipif(parse(sklearn.__version__) < parse("1.8"), reason="scikit-learn has temperatures since 1.8")
@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("classes", [3, 6])
def test_it_is_the_temperature_that_scikit_learn_finds(classes, factor):
    logits, target = logits_and_target(classes=classes)
    given = FrozenEstimator(Given().fit(logits, target))
    theirs = CalibratedClassifierCV(given, method="temperature").fit(factor * logits, target)
    inverse = theirs.calibrated_classifiers_[0].calibrators[0].beta_
    ours = best_temperature(target, softmax(factor * logits, axis=1))
    assert ours == pytest.approx(1 / inverse, rel=1e-3)
    expected = theirs.predict_proba(factor * logits)
    np.testing.assert_allclose(tempered(softmax(factor * logits, axis=1), ours), expected, atol=1e-3)


@pytest.mark.parametrize("factor", [0.5, 3.0, 8.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_known_temperature_is_found_again(factor, seed):
    logits, target = logits_and_target(seed=seed, classes=2 + seed)
    assert best_temperature(target, softmax(factor * logits, axis=1)) == pytest.approx(factor, rel=0.12)


def test_it_is_the_softmax_of_the_divided_logits_also_of_certain_rows():
    logits = 6 * logits_and_target()[0]
    probabilities = softmax(logits, axis=1)
    assert probabilities.min() < 1e-20
    np.testing.assert_allclose(tempered(probabilities, 7.0), softmax(logits / 7.0, axis=1), rtol=1e-9)


@pytest.mark.parametrize("temperature", [0.3, 0.9, 1.7, 12.0])
def test_no_row_changes_its_class_and_no_two_rows_of_two_classes_their_order(temperature):
    for classes in (2, 5):
        probabilities = softmax(4 * logits_and_target(classes=classes)[0], axis=1).astype(np.float32)
        found = tempered(probabilities, temperature)
        np.testing.assert_array_equal(found.argmax(axis=1), probabilities.argmax(axis=1))
        np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)
        if classes == 2:
            # Rows that are both certain, in float32, still differ in the other class.
            order = np.lexsort((-probabilities[:, 0], probabilities[:, 1]))
            assert (np.diff(found[order, 1]) > -1e-12).all()


def test_at_one_nothing_changes():
    probabilities = softmax(logits_and_target()[0], axis=1)
    assert tempered(probabilities, 1.0) is probabilities
    np.testing.assert_allclose(tempered(probabilities, 1 + 1e-12), probabilities, rtol=1e-9)


def test_certain_and_wrong_is_finite():
    target, probabilities = np.array([0, 1, 1]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = tempered(probabilities, best_temperature(target, probabilities))
    assert np.isfinite(LOG_LOSS.loss(target, found))
