"""WF209 with a reference: rows that nobody can tell are no wrong labels."""

from __future__ import annotations

import numpy as np
import pytest

from wellfit.data.features import Feature, Features
from wellfit.diagnosis.checks import CHECKS
from wellfit.diagnosis.facts import Facts
from wellfit.diagnosis.gaps import Errors
from wellfit.diagnosis.label_noise import doubted_labels
from wellfit.diagnosis.optimal_error import no_reference, reference
from wellfit.diagnosis.rows import NetworkOnRows, OpenRows, Rows
from wellfit.records.goals import goal_named
from wellfit.stats.intervals import Estimate

ERROR = goal_named("error")
ROWS = 3_000


def told(flipped: float, *, seed: int = 0) -> tuple[Rows, np.ndarray]:
    """A rule that is sure of itself, and labels of which a share is the other class."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=ROWS)
    target = (x > 0) ^ (rng.random(ROWS) < flipped)
    sure = 1 / (1 + np.exp(-4 * x))
    rows = Rows(features=Features((Feature("x", "number"),), x[:, None]), target=target.astype(np.int64), classes=2)
    return rows, np.stack([1 - sure, sure], axis=1)


@pytest.mark.parametrize(
    ("flipped", "human", "status"),
    [
        pytest.param(0.1, None, "fired", id="no reference: wrong or hard"),
        pytest.param(0.1, 0.0, "fired", id="a person errs on none"),
        pytest.param(0.1, 0.1, "not applicable", id="a person errs as often"),
        pytest.param(0.0, 0.1, "passed", id="right labels"),
    ],
)
def test_a_reference_that_explains_the_errors_clears_the_labels(flipped, human, status):
    rows, probabilities = told(flipped)
    optimal = None if human is None else reference(goal=ERROR, human_error=human)
    found = doubted_labels(rows, probabilities, goal=ERROR, opinion=probabilities, optimal=optimal)
    assert found.status == status
    assert ("close to the reference" in found.evidence) == (status == "not applicable")


def test_a_poor_model_beside_a_good_one_is_no_proof_against_labels():
    """Inherent errors of 10 %, a model that errs on half of the rows: the second model comes too near the reference."""
    rows, probabilities = told(0.1)
    poor = np.tile([0.05, 0.95], (ROWS, 1))
    optimal = reference(goal=ERROR, human_error=0.1)
    assert doubted_labels(rows, poor, goal=ERROR, opinion=probabilities, optimal=optimal).status == "not applicable"


def test_one_class_without_easy_rows_is_no_wrong_label():
    """Where the model says the second class it is never surer than 70 %, and right in saying so."""
    rng = np.random.default_rng(1)
    share = np.where(rng.random(ROWS) < 0.3, 0.7, 0.001)
    target = (rng.random(ROWS) < share).astype(np.int64)
    rows = Rows(features=Features((Feature("x", "number"),), share[:, None]), target=target, classes=2)
    told = np.stack([1 - share, share], axis=1)
    assert doubted_labels(rows, told, goal=ERROR, opinion=told, optimal=None).status == "passed"


def test_values_have_no_labels():
    goal = goal_named("rmse")
    rows = Rows(features=Features((Feature("x", "number"),), np.zeros((ROWS, 1))), target=np.zeros(ROWS), classes=0)
    values = Facts(
        goal=goal,
        errors=Errors(optimal=no_reference(1.0), train=Estimate.fixed(1.0), dev=Estimate.fixed(1.0)),
        rows=OpenRows(train=rows, dev=rows, goal=goal),
        network=NetworkOnRows(losses={}, predictions=np.zeros(ROWS), rival=None),
    )
    assert CHECKS["WF209"](values).status == "not applicable"
