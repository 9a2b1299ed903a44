"""A sealed test set alone: opened once, for a model of any kind."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import polars as pl
import pytest

import wellfit as wf
from wellfit.exceptions import BadInput, Refusal

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = np.where(X[:, 0] > 0, "yes", "no")


def predict(rows):
    values = np.asarray(rows["a"]) if hasattr(rows, "columns") else rows.reshape(len(rows), -1)[:, 0]
    return np.where(values > 0.5, "yes", "no")


FORMS = {
    "array": X,
    "pictures": X.reshape(200, 3, 1).astype(np.float32),
    "pandas": pd.DataFrame(X, columns=list("abc")),
    "polars": pl.DataFrame(X, schema=list("abc")),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_model_is_measured_once_on_rows_as_they_were_given(form, tmp_path):
    seen = []
    wf.SealedTest.of(FORMS[form], Y, folder=tmp_path / "s.sealed")
    opening = wf.SealedTest(tmp_path / "s.sealed").open(lambda rows: (seen.append(rows), predict(rows))[1])
    assert opening.certified
    assert opening.error.value == pytest.approx(np.mean(predict(FORMS[form]) != Y))
    assert opening.dev_optimism is None
    assert type(seen[0]) is type(FORMS[form])
    np.testing.assert_array_equal(np.asarray(seen[0]), np.asarray(FORMS[form]))


def test_a_second_opening_is_refused_and_a_copy_is_not_certified(tmp_path):
    sealed = wf.SealedTest.of(X, Y, folder=tmp_path / "s.sealed")
    shutil.copytree(sealed.folder, tmp_path / "copy")
    first = sealed.open(predict)
    with pytest.raises(Refusal, match="opened once"):
        wf.SealedTest(sealed.folder).open(predict)
    with pytest.raises(Refusal):
        wf.SealedTest(tmp_path / "copy").open(predict)
    again = wf.SealedTest.of(X, Y, folder=tmp_path / "again.sealed").open(predict, again=True)
    assert first.certified
    assert not again.certified


def test_values_and_dev_rows_have_their_goal(tmp_path):
    sealed = wf.SealedTest.of(X, X[:, 0] * 2, folder=tmp_path / "s.sealed")
    opening = sealed.open(lambda rows: rows[:, 0] * 2 + 0.5, dev=([1.0, 2.0], [1.0, 3.0]))
    assert opening.error.value == pytest.approx(0.25)
    assert opening.dev_optimism == pytest.approx(0.25 - 0.5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda folder: wf.SealedTest.of(X, Y[:-1], folder=folder), "same rows"),
        (lambda folder: wf.SealedTest.of(X, Y, folder=folder.parent), "exists"),
        (lambda folder: wf.SealedTest(folder).open(predict), "sealed test set"),
    ],
    ids=["rows", "folder", "nothing there"],
)
def test_bad_input_is_refused(call, said, tmp_path):
    with pytest.raises(BadInput, match=said):
        call(tmp_path / "s.sealed")
