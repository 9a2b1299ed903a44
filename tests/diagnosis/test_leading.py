"""What a diagnosis says first."""

from __future__ import annotations

import pytest

from wellfit.diagnosis.diagnosis import diagnose_losses
from wellfit.diagnosis.findings import finding
from wellfit.diagnosis.optimal_error import reference
from wellfit.records.goals import goal_named
from wellfit.stats.intervals import Estimate, wilson

ROWS = 20_000
GOAL = goal_named("error")
CASES = {
    "nothing": ({}, [], ()),
    "bias": ({"train": 0.2, "dev": 0.2}, [], ("WF101",)),
    "variance": ({"dev": 0.3}, [], ("WF102",)),
    "the larger gap first": ({"train": 0.2, "dev": 0.5}, [], ("WF102", "WF101")),
    "leakage before a gap": ({"dev": 0.3}, ["WF203"], ("WF203",)),
    "leakage by gravity": ({}, ["WF203", "WF206"], ("WF206", "WF203")),
    "an over-used dev set before a gap": ({"dev": 0.3, "test": 0.4}, [], ("WF401",)),
    "wrong labels instead of bias": ({"train": 0.2, "dev": 0.2}, ["WF209"], ("WF209",)),
    "variance before wrong labels": ({"dev": 0.3}, ["WF209"], ("WF102",)),
    "regions when no gap is high": ({}, ["WF108"], ("WF108",)),
}


def diagnosed(errors, fired, *, noise=None):
    losses = {"train": 0.05, "dev": 0.05} | errors
    measured = {part: wilson(round(loss * ROWS), ROWS) for part, loss in losses.items() if part != "train"}
    context = [finding(code, fired=True, evidence="") for code in fired]
    if noise is not None:
        context.append(finding("WF209", fired=None, evidence="Cannot tell.", interval=noise))
    return diagnose_losses(
        goal=GOAL,
        optimal=reference(goal=GOAL, human_error=0.05),
        train=Estimate.fixed(losses["train"], rows=ROWS),
        **measured,
        context=context,
    )


@pytest.mark.parametrize("case", CASES)
def test_what_comes_first(case):
    errors, fired, codes = CASES[case]
    assert tuple(found.code for found in diagnosed(errors, fired).leading) == codes


@pytest.mark.parametrize(("high", "codes"), [(0.2, ()), (0.1, ("WF101",)), (0.01, ("WF101",))])
def test_bias_that_wrong_labels_could_be_does_not_lead(high, codes):
    found = diagnosed({"train": 0.2, "dev": 0.2}, [], noise=Estimate(0.005, 0.0, high, 50))
    assert tuple(each.code for each in found.leading) == codes


def test_the_headline_begins_with_what_spoils_the_errors():
    found = diagnosed({"dev": 0.3}, ["WF206"])
    assert found.headline.startswith("First look at the rows: a column gives the target away (WF206).")
    assert "overfits" in found.headline
    assert not diagnosed({"dev": 0.3}, []).headline.startswith("First look")
