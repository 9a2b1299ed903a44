"""What a gap is made of: the known answers of docs/methods.md, "Mismatch", and tables with one planted cause."""

from __future__ import annotations

import numpy as np
import pytest

from wellfit.data.features import Feature, Features
from wellfit.diagnosis.checks import CHECKS
from wellfit.diagnosis.facts import Facts
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.mismatch.attribution import Side, attribute_gap, split_gap
from wellfit.diagnosis.rows import NetworkOnRows, OpenRows, Rows
from wellfit.records.goals import goal_named

SOURCE, DEV = (0.8, 0.2), (0.2, 0.8)
KNOWN = [
    pytest.param(SOURCE, DEV, (0.1, 0.3), (0.1, 0.3), 0.12, 0.0, id="covariate: .06 + 0 + .06"),
    pytest.param((0.5, 0.5), (0.5, 0.5), (0.1, 0.3), (0.2, 0.4), 0.0, 0.1, id="concept: 0 + .1 + 0"),
]


@pytest.mark.parametrize(("source", "dev", "losses", "dev_losses", "covariate", "concept"), KNOWN)
def test_two_inputs_have_the_shares_of_the_paper(source, dev, losses, dev_losses, covariate, concept):
    from_dev = np.array(dev) / (np.array(source) + np.array(dev))
    sides = []
    for shares, each in ((source, losses), (dev, dev_losses)):
        x = np.repeat([0, 1], np.rint(1_000 * np.array(shares)).astype(int))
        sides.append(Side(np.array(each)[x], from_dev[x]))
    found = split_gap(*sides, rng=np.random.default_rng(0))
    assert found.gap == pytest.approx(covariate + concept)
    assert (found.covariate.value, found.concept.value) == pytest.approx((covariate, concept), abs=1e-12)


def table(rows: int, *, shift: float, harder: float, seed: int) -> Rows:
    """The loss rises with x0; a concept shift adds to it everywhere."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3))
    x[:, 0] += shift
    losses = 0.2 / (1 + np.exp(-2 * x[:, 0])) + harder + 0.02 * rng.normal(size=rows)
    columns = tuple(Feature(f"x{place}", "number") for place in range(3))
    return Rows(features=Features(columns, x), target=np.zeros(rows, np.int64), classes=2, losses=losses)


def judged(source: Rows, dev: Rows) -> Finding:
    goal = goal_named("error")
    network = NetworkOnRows(
        losses={"train": source.losses, "train_dev": source.losses, "dev": dev.losses}, predictions=None, rival=None
    )
    rows = OpenRows(train=source, train_dev=source, dev=dev, goal=goal)
    return CHECKS["WF305"](Facts(goal=goal, tolerance=0.02, rows=rows, network=network))


def test_a_covariate_shift_is_told_from_a_concept_shift():
    source = table(3_000, shift=0.0, harder=0.0, seed=1)
    other_inputs = table(3_000, shift=1.0, harder=0.0, seed=2)
    inputs = attribute_gap(source, other_inputs)
    assert inputs.covariate.low > 0.03
    assert abs(inputs.concept.value) < 0.01
    other_labels = table(3_000, shift=0.0, harder=0.1, seed=2)
    labels = attribute_gap(source, other_labels)
    assert labels.concept.low > 0.08
    assert abs(labels.covariate.value) < 0.01
    assert judged(source, other_inputs).status == "fired"
    assert judged(source, other_labels).status == "fired"


def test_nothing_shifted_passes():
    alarms = []
    for seed in range(5):
        sides = [table(800, shift=0.0, harder=0.0, seed=2 * seed + one) for one in (0, 1)]
        alarms.append(judged(*sides).status)
    assert "fired" not in alarms


def test_inputs_that_share_nothing_are_refused():
    sides = table(500, shift=0.0, harder=0.0, seed=1), table(500, shift=8.0, harder=0.0, seed=2)
    assert attribute_gap(*sides) is None
    finding = judged(*sides)
    assert finding.status == "not applicable"
    assert "50 effective rows" in finding.evidence


def test_tiny_weights_that_are_all_alike_share_nothing():
    """A classifier of one split tells all rows apart alike: by (sum w)^2 / sum w^2 alone every row would count."""
    rng = np.random.default_rng(0)
    sides = [Side(rng.random(500), np.full(500, likely)) for likely in (0.003, 0.997)]
    assert split_gap(*sides, rng=rng) is None
    even = [Side(rng.random(500), np.full(500, 0.5)) for _ in range(2)]
    assert split_gap(*even, rng=rng).shared == pytest.approx(500)
