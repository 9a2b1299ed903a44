from __future__ import annotations

import json

import numpy as np
import pytest

from wellfit.exceptions import Refusal
from wellfit.records.config import Config
from wellfit.records.goals import goal_named
from wellfit.records.outcome import Outcome, Status
from wellfit.sweeps.ensemble import select_ensemble

RMSE = goal_named("rmse")


def member(seed, predictions, *, status=Status.FINISHED, updates=1):
    return Outcome(
        config=Config(seed=seed),
        status=status,
        updates=updates,
        seconds=1.0,
        losses={"train": 0.0, "dev": 0.0},
        curve=(),
        weight_norms=(),
        predictions={"dev": predictions},
        train_losses=np.empty(0),
        state={},
    )


def snapshot(seed, predictions, *, updates):
    return member(seed, predictions, status=Status.AT_RUNG, updates=updates)


def regression(*, rows=600, members=12, seed=0):
    source = np.random.default_rng(seed)
    target = source.normal(size=rows)
    return target, [member(place, target + source.normal(size=rows)) for place in range(members)]


def test_what_is_reported_is_what_the_average_of_the_picks_loses():
    target, outcomes = regression()
    found = select_ensemble(outcomes, target, goal=RMSE)
    predictions = {one.identity: one.predictions["dev"] for one in outcomes}
    assert found.loss == pytest.approx(
        RMSE.loss(target, sum(weight * predictions[one] for one, weight in found.weights.items()))
    )
    assert found.single == min(RMSE.loss(target, one.predictions["dev"]) for one in outcomes)
    assert found.loss < 0.2 * found.single
    assert sum(pick.weight for pick in found.picks) == pytest.approx(1)
    assert [pick.weight for pick in found.picks] == sorted((pick.weight for pick in found.picks), reverse=True)
    assert not found.coupled


def test_the_halves_tell_the_optimism_of_choosing_on_dev():
    # Members that know nothing: whatever dev prefers among them is chance, and a half shows it.
    source = np.random.default_rng(0)
    goal, target = goal_named("error"), source.integers(0, 2, 200)
    ones = source.uniform(size=(40, 200))
    outcomes = [member(place, np.stack([1 - one, one], axis=1)) for place, one in enumerate(ones)]
    found = select_ensemble(outcomes, target, goal=goal)
    assert found.single < 0.45
    assert found.loss < found.single
    # Four standard errors of an error of one half on 200 rows.
    assert found.honest_loss == pytest.approx(0.5, abs=4 * 0.5 / 200**0.5)
    assert found.honest_single == pytest.approx(0.5, abs=4 * 0.5 / 200**0.5)
    assert found.optimism == found.honest_loss - found.loss > 0.05


def test_an_ensemble_that_is_truly_better_is_so_on_the_other_half():
    target, outcomes = regression()
    found = select_ensemble(outcomes, target, goal=RMSE)
    assert found.honest_loss < 0.3 * found.honest_single


def test_a_snapshot_is_picked_as_such_and_couples_the_ensemble():
    target, outcomes = regression(members=3)
    trained, perfect = member(9, target + 1.0), snapshot(9, target.copy(), updates=40)
    found = select_ensemble([*outcomes, trained, perfect], target, goal=RMSE)
    assert (found.picks[0].member, found.picks[0].snapshot) == (trained.identity, 40)
    assert found.weights[perfect.identity] == found.picks[0].weight
    assert found.picks[0].coupled
    assert found.coupled
    # The best member alone is a trained one.
    assert found.single > 0.5
    without = select_ensemble([*outcomes, trained], target, goal=RMSE)
    assert {pick.snapshot for pick in without.picks} == {None}
    assert not without.coupled


def test_a_member_stopped_early_couples_the_ensemble_too():
    target, outcomes = regression(members=1)
    found = select_ensemble([member(5, target, status=Status.STOPPED_EARLY), *outcomes], target, goal=RMSE)
    assert [(pick.coupled, pick.weight) for pick in found.picks] == [(True, 1.0)]
    assert found.loss == found.single == 0


@pytest.mark.parametrize("status", [Status.DIVERGED, Status.DROPPED])
def test_members_without_an_end_take_no_part(status):
    target, outcomes = regression(members=2)
    lost = member(7, target, status=status)
    found = select_ensemble([lost, snapshot(7, target, updates=3), *outcomes], target, goal=RMSE)
    assert lost.config.identity not in {pick.member for pick in found.picks}
    with pytest.raises(Refusal, match="1 members, all diverged or dropped"):
        select_ensemble([lost], target, goal=RMSE)
    with pytest.raises(Refusal, match="no members"):
        select_ensemble([], target, goal=RMSE)


def test_a_class_too_rare_to_halve_leaves_the_honest_figures_out():
    target = np.array([0] * 30 + [1])
    score = np.linspace(0, 1, 31)
    found = select_ensemble([member(0, np.stack([1 - score, score], axis=1))], target, goal=goal_named("auc"))
    assert (found.loss, found.honest_loss, found.honest_single, found.optimism) == (0, None, None, None)


def test_an_ensemble_is_json():
    target, outcomes = regression(members=4)
    body = json.loads(json.dumps(select_ensemble(outcomes, target, goal=RMSE).to_json(), allow_nan=False))
    assert {"picks", "loss", "single", "honest_loss", "honest_single", "optimism", "coupled"} == set(body)
    assert set(body["picks"][0]) == {"identity", "member", "snapshot", "weight", "coupled"}


def test_the_same_members_give_the_same_ensemble():
    target, outcomes = regression(members=30)
    assert select_ensemble(outcomes, target, goal=RMSE) == select_ensemble(outcomes, target, goal=RMSE)
