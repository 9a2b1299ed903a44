"""Hints on the optimal error from the rows themselves: they are told, and never used as a bound."""

from __future__ import annotations

import numpy as np
import pytest

import wellfit as wf
from wellfit.data.features import Feature, Features
from wellfit.diagnosis.reference.from_rows import said_by_rows
from wellfit.diagnosis.rows import Rows
from wellfit.records.goals import goal_named


def rows_with(values, target, *, classes):
    columns = tuple(Feature(f"x{place}", "number") for place in range(values.shape[1]))
    return Rows(features=Features(columns, values), target=target, classes=classes)


def test_neighbours_are_told_as_an_estimate():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 6_000)
    values = rng.normal(size=(6_000, 1)) + 2 * label[:, None]
    said = said_by_rows(rows_with(values, label, classes=2), goal=goal_named("error"))
    low, high = (float(each.split()[-1]) for each in said.split("%")[:2])
    # Two unit normals two apart (docs/methods.md, "Optimal error"): the optimal error is .159, Cover and Hart's limits
    # are .129 and .225.
    assert (low, high) == pytest.approx((12.9, 22.5), abs=1.5)
    assert low < 15.9 < high
    assert "never a bound" in said


def test_rows_with_equal_inputs_are_told_with_their_share():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=(300, 2)), 4, axis=0)
    label = (rng.random(1_200) < 0.2).astype(int)
    said = said_by_rows(rows_with(values, label, classes=2), goal=goal_named("error"))
    assert "100 % of train" in said


@pytest.mark.parametrize(("columns", "warned"), [(2, False), (8, True)])
def test_noise_is_told_in_the_unit_of_the_goal(columns, warned):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3_000, columns))
    target = values[:, 0] + rng.normal(0, 0.5, 3_000)
    said = said_by_rows(rows_with(values, target, classes=0), goal=goal_named("rmse"))
    assert float(said.split("about ")[1].split(";")[0]) == pytest.approx(0.5, abs=0.1 if columns == 2 else 0.4)
    assert ("overestimated" in said) is warned


def test_a_hint_stands_beside_the_missing_reference_and_changes_no_gap():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5_000, 2))
    y = (X[:, 0] + rng.normal(0, 0.5, 5_000) > 0).astype(int)
    said = (X[:, 0] > 0).astype(int)
    pairs = {"train": (y[:3_000], said[:3_000]), "dev": (y[3_000:], said[3_000:])}
    alone = wf.diagnose_predictions(**pairs)
    hinted = wf.diagnose_predictions(**pairs, features={"train": X[:3_000], "dev": X[3_000:]})
    evidence = {each.code: each.evidence for each in hinted.findings}["WF104"]
    assert "Nearest neighbours suggest" in evidence
    assert hinted.gaps == alone.gaps
    referred = wf.diagnose_predictions(**pairs, features={"train": X[:3_000], "dev": X[3_000:]}, human_error=0.1)
    assert "neighbours" not in {each.code: each.evidence for each in referred.findings}["WF104"]
