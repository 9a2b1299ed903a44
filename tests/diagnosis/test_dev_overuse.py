"""Dev overuse: known answers (docs/methods.md, "Dev overuse"), BBC in two simulated cases, the Ladder under attack."""

from __future__ import annotations

import numpy as np
import pytest

from wellfit.diagnosis.checks import CHECKS
from wellfit.diagnosis.dev_overuse import (
    Ladder,
    decisions_left,
    dev_use,
    effective_sd,
    expected_maximum,
)
from wellfit.diagnosis.facts import Facts
from wellfit.diagnosis.findings import Finding
from wellfit.records.goals import goal_named

ERROR = goal_named("error")


@pytest.mark.parametrize(
    ("count", "known"), [(1, 0.0), (2, 0.5642), (5, 1.1630), (10, 1.5388), (50, 2.2491), (100, 2.5076), (1000, 3.2414)]
)
def test_the_expected_maximum_has_the_known_answers(count, known):
    assert expected_maximum(count) == pytest.approx(known, abs=5e-5)


def correlated(count: int, rows: int, *, rho: float, error: float = 0.1, seed: int = 0) -> np.ndarray:
    """0-1 losses of equally good candidates: with probability sqrt(rho) a row's loss is the one that all share."""
    rng = np.random.default_rng(seed)
    shared = rng.random(rows) < error
    own = rng.random((count, rows)) < error
    return np.where(rng.random((count, rows)) < np.sqrt(rho), shared, own).astype(float)


@pytest.mark.parametrize(("rho", "budget"), [(0.0, 4), (0.8, 66)])
def test_the_budget_has_the_known_answers(rho, budget):
    """n = 1000, p = .1, tolerance .01 (docs/methods.md, "Dev overuse")."""
    sd = np.sqrt(0.1 * 0.9 * (1 - rho) / 1_000)
    assert sd * expected_maximum(budget) <= 0.01 < sd * expected_maximum(budget + 1)
    losses = correlated(60, 1_000, rho=rho)
    assert effective_sd(losses) == pytest.approx(sd, rel=0.12)
    assert 0.5 * budget <= decisions_left(losses, tolerance=0.01) <= 2 * budget


@pytest.mark.parametrize(
    ("rows", "count", "naive", "corrected"), [(200, 20, 0.0632, 0.1014), (1_000, 50, 0.0784, 0.0991)]
)
def test_bbc_recovers_the_truth_of_one_tenth(rows, count, naive, corrected):
    """docs/methods.md, "Dev overuse": truth .100; the best of k looks like .0632 and .0784."""
    found = [dev_use(correlated(count, rows, rho=0.0, seed=seed), tolerance=0.01, seed=seed) for seed in range(60)]
    for values, known in (
        ([each.best for each in found], naive),
        ([each.corrected.value for each in found], corrected),
    ):
        assert np.mean(values) == pytest.approx(known, abs=4 * np.std(values) / np.sqrt(60) + 5e-5)


def judged(losses: np.ndarray) -> Finding:
    return CHECKS["WF403"](Facts(goal=ERROR, tolerance=0.01, candidates=losses))


def test_a_single_choice_between_two_alike_is_silent_and_many_fire():
    few = [judged(correlated(2, 2_000, rho=0.8, seed=seed)) for seed in range(40)]
    assert [each.status for each in few] == ["passed"] * 40
    finding = judged(correlated(200, 300, rho=0.0))
    assert finding.status == "fired"
    assert "200 networks were compared on dev" in finding.evidence
    assert "a choice among so many can make the best look better than it is" in finding.evidence


def test_one_network_is_no_choice():
    assert dev_use(np.zeros((1, 100)), tolerance=0.01) is None
    assert judged(np.zeros((1, 100))).status == "not applicable"


def test_the_majority_attack_fools_a_plain_score_and_not_the_ladder():
    """n = 2000, k = 500, truth .5: the plain score shows .388, the Ladder .470 (docs/methods.md, "Dev overuse")."""
    rng = np.random.default_rng(0)
    rows, label = 2_000, np.random.default_rng(1).integers(0, 2, 2_000)

    def attack(ask) -> float:
        votes, start = np.zeros(rows), ask(np.full(rows, 0.5))
        for _ in range(500):
            guess = rng.integers(0, 2, rows)
            shown = ask((guess != label).astype(float))
            if shown < start:
                votes += 2 * guess - 1
                start = min(start, shown) if ask is not plain else 0.5
        final = np.where(votes == 0, rng.integers(0, 2, rows), votes > 0).astype(int)
        return float(ask((final != label).astype(float)))

    def plain(losses: np.ndarray) -> float:
        return float(losses.mean())

    assert attack(plain) < 0.41
    assert attack(Ladder(rows).ask) > 0.45
