"""Predictions with the features that they were made from: what rows show beside the errors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import wellfit as wf
from wellfit.exceptions import BadInput

COLUMNS = ("age", "income", "region")


def drawn(rows, *, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    age, income = rng.uniform(18, 80, rows) + shift, rng.normal(size=rows)
    region = rng.choice(["north", "south"], rows)
    target = (income + rng.normal(0, 0.7, rows) > 0).astype(int)
    return {"age": age, "income": income, "region": region}, target


def told(features, *, wrong_where=None, target, seed):
    """The best rule, or its opposite where it is told to be wrong."""
    said = (features["income"] > 0).astype(int)
    if wrong_where is not None:
        rng = np.random.default_rng(seed)
        flipped = wrong_where(features) & (rng.random(len(target)) < 0.5)
        said = np.where(flipped, 1 - said, said)
    return said


def diagnosed(*, rows=3000, shift=0.0, over=None, under=None):
    train, y = drawn(rows, seed=1)
    dev, y2 = drawn(rows, seed=2, shift=shift)
    fit = told(train, wrong_where=under, target=y, seed=3)
    if over is not None:  # the training rows of the region are learnt by heart
        fit = np.where(over(train), y, fit)
    seen = told(dev, wrong_where=under or over, target=y2, seed=4)
    found = wf.diagnose_predictions(
        train=(y, fit), dev=(y2, seen), features={"train": pa.table(train), "dev": pa.table(dev)}, human_error=0.2
    )
    return {each.code: each for each in found.findings}


def test_nothing_wrong_fires_nothing():
    findings = diagnosed()
    checked = ("WF108", "WF109", "WF203", "WF205", "WF206", "WF302", "WF303", "WF304")
    assert {code: findings[code].status for code in checked} == dict.fromkeys(checked, "passed")


def test_a_region_that_over_fits_is_named():
    found = diagnosed(over=lambda rows: rows["age"] < 30)["WF109"]
    assert found.status == "fired"
    assert "age <" in found.evidence


def test_a_region_that_under_fits_is_named_by_what_trees_reach_there():
    found = diagnosed(under=lambda rows: (rows["region"] == "north") & (rows["age"] > 50))["WF108"]
    assert found.status == "fired"
    assert "age >" in found.evidence
    assert "north" in found.evidence or "south" in found.evidence


def test_inputs_that_shift_are_named():
    findings = diagnosed(shift=25.0)
    assert findings["WF302"].status == findings["WF303"].status == "fired"
    assert "age" in findings["WF303"].evidence
    assert "income" not in findings["WF303"].evidence


def test_arrays_are_features_too():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 3)), rng.integers(0, 2, 400)
    found = wf.diagnose_predictions(
        train=(y[:200], y[:200]), dev=(y[:200], y[:200]), features={"train": X[:200], "dev": X[:200]}
    )
    assert {each.code: each.status for each in found.findings}["WF203"] == "fired"


@pytest.mark.parametrize(
    ("features", "message"),
    [
        pytest.param({"train": np.zeros((40, 2)), "dev": np.zeros((39, 2))}, "same number of rows", id="a-row-too-few"),
        pytest.param({"train": np.zeros((40, 2)), "dev": np.zeros((40, 1))}, "those of train", id="a-column-missing"),
        pytest.param({"train": np.zeros(40), "dev": np.zeros(40)}, "rows, columns", id="one-dimension"),
    ],
)
def test_features_that_do_not_fit_are_refused(features, message):
    y = np.arange(40) % 2
    with pytest.raises(BadInput, match=message):
        wf.diagnose_predictions(train=(y, y), dev=(y, y), features=features)


def test_constant_features_are_told_and_leave_the_rest_alone():
    y = np.arange(40) % 2
    found = wf.diagnose_predictions(
        train=(y, y), dev=(y, y), features={"train": np.zeros((40, 2)), "dev": np.zeros((40, 2))}
    )
    assert found.errors.dev.value == 0


def test_groups_widen_the_interval():
    rng = np.random.default_rng(0)
    wrong = np.repeat(rng.random(40) < 0.2, 25)
    y = np.zeros(1000, int)
    y[:500] = 1
    said = np.where(wrong, 1 - y, y)
    alone = wf.diagnose_predictions(train=(y, y), dev=(y, said))
    together = wf.diagnose_predictions(train=(y, y), dev=(y, said), groups={"dev": np.repeat(np.arange(40), 25)})
    widths = [found.errors.dev.high - found.errors.dev.low for found in (alone, together)]
    assert widths[1] > 3 * widths[0]
    with pytest.raises(BadInput, match="must have a group"):
        wf.diagnose_predictions(train=(y, y), dev=(y, said), groups={"dev": [1, 2]})
