from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from itertools import chain

import numpy as np
import optuna
import pytest

from wellfit.records.config import Config, shrink_of
from wellfit.records.goals import goal_named
from wellfit.records.outcome import Outcome, Status
from wellfit.sweeps import proposals
from wellfit.sweeps.proposals import NOT_INSTALLED, proposals_of, quasi_random
from wellfit.sweeps.space import changed, default_grid, differs_only, log_uniform, setting_of, uniform
from wellfit.sweeps.tpe import BEFORE_MODEL, ROUND
from wellfit.sweeps.usual import known_good, usual_space

BASE, ROWS, GOAL = Config(), 4_000, goal_named("log_loss")
FOUR = usual_space(("l2", "keep_prob", "lr", "label_smoothing"), BASE, rows=ROWS)
TWO = usual_space(("l2", "keep_prob"), BASE, rows=ROWS)


def loss_of(config):
    """A made-up dev loss with its minimum at shrink 1e-4, keep_prob .8, lr 1e-3, label_smoothing 0."""
    knobs, lr = config.regularization, config.optimization.lr
    shrink = shrink_of(knobs.l2, rows=ROWS, lr=lr)
    return (
        0.1 * (math.log10(shrink + 1e-6) + 4) ** 2
        + 5 * (knobs.keep_prob - 0.8) ** 2
        + math.log10(lr / 1e-3) ** 2
        + knobs.label_smoothing
    )


def outcome(config, *, status=Status.FINISHED, loss=None):
    return Outcome(
        config=config,
        status=status,
        updates=100,
        seconds=1.0,
        losses={"train": 0.0, "dev": loss_of(config) if loss is None else loss},
        curve=(),
        weight_norms=(),
        predictions={},
        train_losses=np.empty(0),
        state={},
    )


def rounds(over, members, *, config=BASE, told=outcome):
    """The rounds of one whole search."""
    found, _ = proposals_of(config, over, rows=ROWS, members=members, goal=GOAL)
    asked = []
    while sum(map(len, asked)) < found.count:
        configs = found.propose(min(found.round, found.count - sum(map(len, asked))))
        if not configs:
            break
        found.tell([told(one) for one in configs])
        asked.append(configs)
    return asked


def flat(asked):
    return list(chain(*asked))


def who(over, members):
    return proposals_of(BASE, over, rows=ROWS, members=members, goal=GOAL)[0].name


def test_three_knobs_and_enough_members_are_proposed_by_optuna():
    assert who(FOUR, 64) == "tpe"
    assert who(FOUR, 16) == "quasi-random"
    assert who(TWO, 64) == "quasi-random"
    assert who(TWO | {"lr": [1e-3]}, 64) == "quasi-random"
    assert who({"l2": [0.0, 1.0], "lr": [0.1, 0.2], "keep_prob": [1.0, 0.5]}, 64) == "grid"


def test_without_optuna_the_search_is_quasi_random_and_says_so(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(proposals, "find_spec", lambda name: None if name == "optuna" else found(name))
    searched, announced = proposals_of(BASE, FOUR, rows=ROWS, members=64, goal=GOAL)
    assert (searched.name, announced) == ("quasi-random", (NOT_INSTALLED,))
    assert len(searched.propose(searched.round)) == 64
    assert proposals_of(BASE, TWO, rows=ROWS, members=64, goal=GOAL)[1] == ()


@pytest.mark.parametrize("over", [TWO, FOUR], ids=["quasi-random", "tpe"])
def test_every_search_begins_with_what_is_known_to_be_good(over):
    first = rounds(over, 40)[0]
    assert first[0].regularization.is_off
    assert first[0].optimization == BASE.optimization
    good = len(known_good(over, BASE, rows=ROWS, goal=GOAL))
    assert {one.regularization.keep_prob for one in first[:good]} == {1.0, 0.85}


def test_optuna_learns_where_even_cover_does_not():
    best = [min(map(loss_of, flat(rounds(FOUR, 64, config=Config(seed=seed))))) for seed in range(5)]
    even = [min(map(loss_of, quasi_random(Config(seed=s), FOUR, rows=ROWS, members=64, goal=GOAL))) for s in range(5)]
    assert np.median(best) < np.median(even)
    last = rounds(FOUR, 64)[-1]
    assert np.median(list(map(loss_of, last))) < np.median(list(map(loss_of, rounds(FOUR, 64)[0])))


AROUND = {
    "lr": log_uniform(1e-4, 5e-3),
    "shrink": log_uniform(1e-6, 3e-3, zero=0.15),
    "keep_prob": uniform(0.5, 0.98, zero=0.3),
}


def first_round(seen, *, config=BASE):
    found, _ = proposals_of(config, AROUND, rows=ROWS, members=32, goal=GOAL, seen=seen)
    return found.propose(found.round)


def test_what_was_seen_is_learned_from_and_not_proposed_again():
    seen = [outcome(one) for one in quasi_random(Config(seed=7), AROUND, rows=ROWS, members=40, goal=GOAL)]
    alike = [outcome(replace(one.config, seed=0), loss=one.losses["dev"]) for one in seen]
    good = len(known_good(AROUND, BASE, rows=ROWS, goal=GOAL))
    taught = first_round(alike)
    assert not {one.identity for one in taught} & {one.identity for one in alike}
    untaught = first_round([])
    # The settings that are known to be good come first either way, but for those that were seen.
    assert np.median(list(map(loss_of, taught[-3:]))) < np.median(list(map(loss_of, untaught[good:])))


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(Config(seed=1), id="another seed"),
        pytest.param(replace(BASE, network=replace(BASE.network, widths=(8,))), id="another shape"),
        pytest.param(replace(BASE, optimization=replace(BASE.optimization, lr=1.0)), id="outside of the space"),
    ],
)
def test_what_lies_elsewhere_is_not_learned_from(seen):
    lost = outcome(seen, loss=0.0)
    assert first_round([lost]) == first_round([])
    assert first_round([outcome(BASE, status=Status.DROPPED)]) == first_round([])


@pytest.mark.parametrize("rows", [701, 1_234, 3_000, 4_001])
def test_the_ends_of_a_grid_are_learned_from_although_it_rounds_them(rows):
    over = {"lr": log_uniform(1e-4, 5e-3), **usual_space(("shrink", "keep_prob"), BASE, rows=rows)}

    def asked(seen):
        found, _ = proposals_of(BASE, over, rows=rows, members=32, goal=GOAL, seen=seen)
        return found.propose(BEFORE_MODEL)

    grid = default_grid(BASE, rows=rows, members=12)
    for l2 in grid["l2"]:
        assert asked([outcome(changed(BASE, {"l2": l2}, rows=rows), loss=0.0)]) != asked([]), l2


def test_a_setting_read_off_a_config_makes_that_config_again():
    for config in quasi_random(BASE, AROUND, rows=ROWS, members=40, goal=GOAL):
        again = changed(BASE, setting_of(config, AROUND, rows=ROWS), rows=ROWS)
        assert again.optimization == config.optimization
        assert again.regularization.l2 == pytest.approx(config.regularization.l2, rel=1e-12)
        assert again.regularization.keep_prob == config.regularization.keep_prob
        assert differs_only(BASE, config, AROUND)
        assert not differs_only(BASE, config, ["epochs"]) or config == BASE


def test_the_rounds_fill_and_no_config_comes_twice():
    asked = rounds(FOUR, 50)
    assert list(map(len, asked)) == [ROUND] * (50 // ROUND) + [50 % ROUND]
    assert len({one.identity for one in flat(asked)}) == 50


def test_the_same_outcomes_bring_back_the_same_search():
    assert rounds(FOUR, 48) == rounds(FOUR, 48)
    assert rounds(FOUR, 48) != rounds(FOUR, 48, config=Config(seed=1))


def test_a_longer_quasi_random_search_begins_with_the_shorter():
    long, short = (quasi_random(BASE, TWO, rows=ROWS, members=count, goal=GOAL) for count in (40, 12))
    assert long[:12] == short


def test_members_that_did_not_end_count_below_those_that_did():
    # Large learning rates diverge with whatever loss, small ones are dropped: what remains lies between.
    def told(config):
        lr = config.optimization.lr
        if lr > 2e-3:
            return outcome(config, status=Status.DIVERGED, loss=math.nan)
        return outcome(config, status=Status.DROPPED, loss=0.0) if lr < 5e-4 else outcome(config)

    rates = np.array([one.optimization.lr for one in flat(rounds(FOUR, 64, told=told)[2:])])
    assert np.mean((rates > 5e-4) & (rates < 2e-3)) > 0.6


def test_a_space_with_few_members_ends_when_it_has_no_more():
    over = {"l2": uniform(5.0, 5.0), "keep_prob": [1.0, 0.5], "activation": ["relu", "tanh"], "lr": uniform(1, 1)}
    found = flat(rounds(over, 40))
    # Two times two, and the member that begins with lambda off.
    assert len(found) == len({one.identity for one in found}) == 5


def test_lists_and_ranges_are_searched_together():
    over = {"shrink": log_uniform(1e-6, 1e-3), "widths": [(8,), (16,), (8, 8)], "keep_prob": [0.5, 0.8, 1.0]}
    found = flat(rounds(over, 30))
    assert {one.network.widths for one in found} == {(8,), (16,), (8, 8)}
    assert {one.regularization.keep_prob for one in found} == {0.5, 0.8, 1.0}


def test_optuna_stays_as_loud_as_it_was():
    before = optuna.logging.get_verbosity()
    rounds(FOUR, 24)
    assert optuna.logging.get_verbosity() == before
