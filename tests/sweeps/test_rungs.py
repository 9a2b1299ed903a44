from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellfit.exceptions import BadInput
from wellfit.sweeps.rungs import Rungs
from wellfit.training.schedules import RUNGS

ROWS, MEMBERS, MANY = 600, 16, 10**6
# `keep` so small that only the test decides.
TESTED = Rungs(keep=0.01)


def members(source, losses):
    """Losses [rows] of members that share how hard a row is, as networks do."""
    hard = source.normal(size=ROWS)
    noise = source.normal(size=(MEMBERS, ROWS))
    return {f"{place:02}": losses(hard, own) for place, own in enumerate(noise)}


def error(hard, own):
    return (hard + 0.5 * own > 1).astype(float)


def log_loss(hard, own):
    return np.log1p(np.exp(2 * hard + own - 2))


@pytest.mark.parametrize("losses", [error, log_loss])
def test_equal_members_are_dropped_at_most_at_the_stated_rate(losses):
    source = np.random.default_rng(3)
    runs, first = 150, 0
    for _ in range(runs):
        first += "00" not in TESTED.judge(members(source, losses), MANY)
    # Four standard errors above the rate that one rung is allowed.
    rate = TESTED.level / len(RUNGS)
    assert first / runs <= rate + 4 * np.sqrt(rate * (1 - rate) / runs)


@pytest.mark.proof
@pytest.mark.parametrize("losses", [error, log_loss])
def test_over_many_populations_the_rate_holds(losses):
    source = np.random.default_rng(4)
    runs = 3_000
    lost = [MEMBERS - len(TESTED.judge(members(source, losses), MANY)) for _ in range(runs)]
    # All members are equal, so each of them is one that must not be lost.
    rate = TESTED.level / len(RUNGS)
    assert np.mean(lost) / MEMBERS <= rate + 4 * np.sqrt(rate / (runs * MEMBERS))


def test_a_clearly_worse_member_is_dropped_and_the_others_stay():
    found = members(np.random.default_rng(0), log_loss)
    found["worse"] = found["00"] + 0.3
    assert TESTED.judge(found, MANY) == found.keys() - {"worse"}


def test_the_difference_is_paired():
    # .01 is far inside the standard error of either mean, .03, and far outside that of the difference.
    hard = np.random.default_rng(1).normal(size=ROWS) ** 2
    noise = 0.02 * np.random.default_rng(2).normal(size=ROWS)
    assert TESTED.judge({"a": hard, "b": hard + 0.01 + noise}, MANY) == {"a"}


def test_the_better_half_stays_however_far_it_is_behind():
    losses = {f"{place}": np.full(ROWS, float(place)) for place in range(8)}
    assert Rungs().judge(losses, MANY) == {"0", "1", "2", "3"}
    assert Rungs(keep=1 / 3).judge(losses, MANY) == {"0", "1", "2"}


@given(affordable=st.integers(-1, 20), seed=st.integers(0, 9))
def test_the_budget_keeps_the_best_and_never_nobody(affordable, seed):
    found = members(np.random.default_rng(seed), log_loss)
    best_first = sorted(found, key=lambda identity: found[identity].mean())
    assert TESTED.judge(found, affordable) <= set(best_first[: max(affordable, 1)])
    assert best_first[0] in TESTED.judge(found, affordable)


def test_the_order_of_the_members_does_not_matter():
    found = {name: np.zeros(9) for name in "abcd"} | {"e": np.ones(9)}
    turned = dict(reversed(found.items()))
    for affordable in range(6):
        kept = TESTED.judge(found, affordable)
        assert kept == TESTED.judge(turned, affordable)


def test_the_judge_of_the_engine_is_the_same_rule():
    found = members(np.random.default_rng(5), error)
    assert TESTED.judge(found, 3) == TESTED.judge(found, 3)
    assert TESTED.judge({}, 3) == frozenset()


def test_rungs_are_json():
    assert Rungs.from_json(json.loads(json.dumps(Rungs(level=0.1).to_json()))) == Rungs(level=0.1)


@pytest.mark.parametrize(("name", "value"), [("level", 0.0), ("level", 1.0), ("keep", 0.0), ("keep", float("nan"))])
def test_rungs_out_of_range_are_refused(name, value):
    with pytest.raises(BadInput, match=f"{name}={value}"):
        Rungs(**{name: value})
