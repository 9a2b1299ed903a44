"""The scikit-learn contract, as scikit-learn itself checks it, with no failure expected."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import wellfit as wf

EPOCHS = 10
ESTIMATORS = [
    wf.NetClassifier(epochs=EPOCHS),
    wf.NetClassifierCV(epochs=EPOCHS),
    wf.NetRegressor(epochs=EPOCHS),
    wf.NetRegressorCV(epochs=EPOCHS),
]


# What the checks warn about in passing is theirs to say: a failed check is an error in any case.
@pytest.mark.filterwarnings("default")
@parametrize_with_checks(ESTIMATORS)
def test_the_contract(estimator, check):
    check(estimator)
