"""The caller's random generators (torch, numpy, python) stay as they were, whatever wellfit computes."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

import wellfit as wf

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4))
Y = (X[:, 0] + RNG.normal(size=300) > 0).astype(int)
FRAME = pd.DataFrame(X, columns=list("abcd")).assign(c=RNG.integers(0, 14, 300).astype(str), y=Y)
CONFIG = wf.Config(optimization=wf.Optimization(epochs=2))


def states():
    _, words, *place = np.random.get_state()  # noqa: NPY002 - that generator is the matter here
    return torch.get_rng_state().tolist(), words.tolist(), place, random.getstate()


@pytest.fixture(scope="module")
def split():
    return wf.split(FRAME, target="y", seed=0)


@pytest.fixture(scope="module")
def fitted():
    return wf.NetClassifier(epochs=2, random_state=0).fit(X, Y)


def noisy(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, outputs))


NOISY = noisy(4, 2)


class Recurrent(nn.Module):
    """Its dropout is drawn by torch itself."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.read = nn.GRU(1, 4, 2, batch_first=True, dropout=0.2)
        self.out = nn.Linear(4, outputs)

    def forward(self, x):
        return self.out(self.read(x.unsqueeze(-1))[0][:, -1])


def search(**options):
    return wf.NetClassifierCV(members=2, cv=2, epochs=2, networks=1, random_state=0, **options).fit(X, Y)


JOBS = {
    "fit": lambda split, fitted: wf.NetClassifier(epochs=2, random_state=0).fit(X, Y),
    "fit with dropout and embeddings": lambda split, fitted: wf.NetClassifier(
        epochs=2, keep_prob=0.5, random_state=0
    ).fit(FRAME.drop(columns="y"), Y),
    "fit of values": lambda split, fitted: wf.NetRegressor(epochs=2, random_state=0).fit(X, X[:, 0]),
    "fit on folds": lambda split, fitted: search(),
    "fit on folds in threads": lambda split, fitted: search(n_jobs=2),
    "predict_proba": lambda split, fitted: fitted.predict_proba(X),
    "train": lambda split, fitted: wf.train(split, CONFIG),
    "sweep": lambda split, fitted: wf.sweep(split, CONFIG, members=2),
    "train a module": lambda split, fitted: wf.train(split, CONFIG, module=noisy),
    "sweep a module": lambda split, fitted: wf.sweep(
        split, CONFIG, over={"keep_prob": [0.5, 1.0]}, members=2, module=noisy
    ),
    "sweep a module with noise of its own": lambda split, fitted: wf.sweep(
        split, CONFIG, over={"l2": [1.0, 5.0]}, members=2, module=Recurrent
    ),
    "mc_dropout": lambda split, fitted: wf.mc_dropout(NOISY, X.astype(np.float32), 3),
    "diagnose the data": lambda split, fitted: wf.diagnose(split),
    "diagnose_predictions": lambda split, fitted: wf.diagnose_predictions(
        train=(Y, Y), dev=(Y, 1 - Y), features={"train": X, "dev": X[::-1].copy()}
    ),
    "diagnose_estimator": lambda split, fitted: wf.diagnose_estimator(LogisticRegression(), X, Y),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", JOBS)
def test_the_generators_of_the_caller_stay_as_they_were(name, split, fitted):
    before = states()
    JOBS[name](split, fitted)
    after = states()
    assert [old == new for old, new in zip(before, after, strict=True)] == [True] * len(before)


@pytest.mark.filterwarnings("ignore")
def test_a_whole_run_leaves_them_too(tmp_path):
    before = states()
    experiment = wf.run(FRAME, target="y", budget="400updates", out=tmp_path / "a.wellfit")
    wf.predict(experiment, FRAME.drop(columns="y"))
    experiment.unseal()
    assert states() == before


def test_without_a_random_state_one_number_is_drawn_from_numpy_as_scikit_learn_does():
    torch_before = torch.get_rng_state()
    np.random.seed(5)  # noqa: NPY002
    first, second = (wf.NetClassifier(epochs=2).fit(X, Y).predict_proba(X) for _ in range(2))
    np.random.seed(5)  # noqa: NPY002
    again = wf.NetClassifier(epochs=2).fit(X, Y).predict_proba(X)
    assert (first != second).any()
    np.testing.assert_array_equal(first, again)
    assert torch.equal(torch.get_rng_state(), torch_before)
