from __future__ import annotations

import json
import math
import time
from dataclasses import replace

import numpy as np
import pytest

from wellfit.cli.sweep import _text as sweep_table
from wellfit.exceptions import BadInput, Refusal
from wellfit.records.config import Config, Network, Optimization, shrink_of, weight_decay_of
from wellfit.records.goals import goal_named
from wellfit.records.outcome import Status
from wellfit.records.units import Unit
from wellfit.sweeps.executor import InProcess
from wellfit.sweeps.forward_selection import averaged_outcome
from wellfit.sweeps.rungs import Rungs
from wellfit.sweeps.search import sweep
from wellfit.sweeps.selection import TrainLimit
from wellfit.sweeps.space import log_uniform, uniform

GOAL = goal_named("error")
BASE = Config(network=Network(widths=(64,)), optimization=Optimization(epochs=30, batch_size=64, lr=0.01))


@pytest.fixture(scope="module")
def executor(data):
    return InProcess(data, goal=GOAL)


@pytest.fixture(scope="module")
def found(data, executor):
    return sweep(data, BASE, executor=executor, goal=GOAL, members=12)


def test_regularization_costs_train_and_buys_dev_where_a_network_over_fits(found):
    off = next(member for member in found.members if member.config.regularization.is_off)
    assert off.losses["dev"] - off.losses["train"] > 0.1
    assert found.chosen.losses["train"] > off.losses["train"]
    assert found.chosen.losses["dev"] < off.losses["dev"]


def test_the_lambda_path_rises_in_lambda_and_falls_in_norm(found):
    path = found.path()
    assert [row["l2"] for row in path] == found.over["l2"]
    assert {row["keep_prob"] for row in path} == {found.chosen.config.regularization.keep_prob}
    norms = [row["norm"] for row in path]
    assert norms == sorted(norms, reverse=True)
    for row in path:
        assert row["weight_decay"] == weight_decay_of(row["l2"], rows=400)
        assert row["shrink"] == shrink_of(row["l2"], rows=400, lr=0.01)


def test_the_journal_entry_is_json_with_the_contracts_names(found):
    body = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert {"over", "members", "best", "chosen", "tied", "warnings", "optimal", "seconds"} <= set(body)
    identities = [row["identity"] for row in body["members"]]
    assert len(identities) == len(set(identities)) == body["planned"] == 12
    assert {body["best"], body["chosen"]} <= set(body["tied"]) <= set(identities)
    assert body["optimal"] is None


def test_values_of_numpy_are_json(data, executor):
    found = sweep(data, SMALL, over={"l2": np.geomspace(1, 100, 2)}, executor=executor, goal=GOAL)
    assert json.loads(json.dumps(found.to_json()))["over"] == {"l2": [1.0, 100.0]}


def test_known_outcomes_are_not_trained_again_and_change_nothing(data, executor, found):
    told = []
    again = sweep(
        data, BASE, executor=executor, goal=GOAL, members=12, known=found.members[:10], on_outcome=told.append
    )
    assert [outcome.config for outcome in told] == [member.config for member in found.members[10:]]
    assert again.chosen.config == found.chosen.config
    assert [member.losses for member in again.members] == [member.losses for member in found.members]


def test_a_deadline_leaves_members_out_and_says_so(data, executor, found):
    known = found.members[:2]
    cut = sweep(data, BASE, executor=executor, goal=GOAL, members=12, known=known, deadline=time.monotonic() - 1)
    assert cut.members == known
    assert "Time ran out before 10 of 12 members started." in cut.warnings


def test_without_a_single_member_there_is_nothing_to_choose(data, executor):
    with pytest.raises(Refusal, match="no members"):
        sweep(data, BASE, executor=executor, goal=GOAL, deadline=time.monotonic() - 1)


def test_a_quasi_random_sweep_puts_every_member_on_its_path(data, executor):
    config = Config(network=Network(widths=(8,)), optimization=Optimization(epochs=1))
    over = {"l2": log_uniform(1, 1e3), "keep_prob": [0.5, 0.8, 1.0], "lr": log_uniform(1e-3, 1e-2)}
    found = sweep(data, config, over=over, executor=executor, goal=GOAL, members=4)
    assert len(found.members) == 4
    assert found.to_json()["over"]["l2"] == {"low": 1, "high": 1e3, "log": True}
    assert np.all(np.diff([row["l2"] for row in found.path()]) >= 0)


def test_an_over_smoothing_lambda_is_told(data, executor, found):
    off = next(member for member in found.members if member.config.regularization.is_off)
    limit = TrainLimit(off.losses["train"], 0.02)
    smooth = sweep(data, BASE, over={"l2": [0.0, 1e5]}, executor=executor, goal=GOAL, limit=limit)
    assert any("A lambda of 1e+05 or more over-smooths" in sentence for sentence in smooth.warnings)
    assert smooth.to_json()["optimal"] == {"high": limit.reference_high, "tolerance": 0.02}


def test_a_space_that_cannot_be_searched_is_refused_before_any_training(data):
    with pytest.raises(BadInput, match="l2=-1"):
        sweep(data, BASE, over={"l2": [1.0, -1.0]}, executor=Never(), goal=GOAL)


SMALL = Config(network=Network(widths=(4,), embedding="none"), optimization=Optimization(epochs=1))
THREE = ("l2", "keep_prob", "lr")


class Counting:
    """Trains as another executor does, and keeps what it was asked for; ends after so many rounds."""

    def __init__(self, executor, *, rounds=math.inf):
        self.executor, self.rounds = executor, rounds
        self.asked, self.rungs_given = [], []

    def train(self, configs, **options):
        self.asked.append([config.identity for config in configs])
        self.rungs_given.append(options["rungs"])
        return self.executor.train(configs[: None if len(self.asked) < self.rounds else 3], **options)

    def close(self):
        pass


def test_names_are_searched_in_their_usual_ranges_and_in_rounds(data, executor):
    counting = Counting(executor)
    found = sweep(data, SMALL, over=THREE, executor=counting, goal=GOAL, members=40)
    assert list(map(len, counting.asked)) == [8, 8, 8, 8, 8]
    assert len(found.members) == found.planned == 40
    assert found.to_json()["search"] == "tpe"
    assert found.to_json()["over"]["shrink"]["zero"] == 0.15
    assert json.dumps(found.to_json(), allow_nan=False)


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(data, executor):
    whole = sweep(data, SMALL, over=THREE, executor=Counting(executor), goal=GOAL, members=40)
    cut = sweep(data, SMALL, over=THREE, executor=Counting(executor, rounds=2), goal=GOAL, members=40)
    assert len(cut.members) == 11
    assert "Time ran out before 29 of 40 members started." in cut.warnings
    counting = Counting(executor)
    resumed = sweep(data, SMALL, over=THREE, executor=counting, goal=GOAL, members=40, known=cut.members)
    assert list(map(len, counting.asked)) == [5, 8, 8, 8]
    assert [one.config for one in resumed.members] == [one.config for one in whole.members]
    assert [one.losses for one in resumed.members] == [one.losses for one in whole.members]


def test_a_search_goes_as_far_as_it_can_be_paid_for(data, executor):
    left = [10]

    def within(configs):
        taken = configs[: left[0]]
        left[0] -= len(taken)
        return taken

    found = sweep(data, SMALL, over=THREE, executor=Counting(executor), goal=GOAL, members=40, within=within)
    assert (len(found.members), found.planned) == (10, 10)
    assert not any("Time ran out" in warning for warning in found.warnings)


def test_rungs_are_handed_to_the_executor_where_there_are_any(data, executor):
    counting = Counting(executor)
    rungs = Rungs(keep=0.25)
    found = sweep(data, SMALL, over={"l2": [0.0]}, executor=counting, goal=GOAL, rungs=rungs)
    sweep(data, SMALL, over={"l2": [0.0]}, executor=counting, goal=GOAL)
    assert counting.rungs_given == [rungs, None]
    assert found.to_json()["rungs"] == rungs.to_json()


LONGER = replace(SMALL, optimization=replace(SMALL.optimization, epochs=20))


def test_a_network_at_a_rung_may_be_chosen_where_that_is_asked_for_and_is_marked_as_coupled(data, executor):
    # Lambda smooths this member to nothing: what it was at its first rung is better than its end.
    over = {"l2": [3e5]}
    found = sweep(data, LONGER, over=over, executor=executor, goal=GOAL, rungs=Rungs())
    assert [each.is_snapshot for each in found.snapshots] == [True] * 3
    assert not found.chosen.is_snapshot
    taken = sweep(data, LONGER, over=over, executor=executor, goal=GOAL, rungs=Rungs(snapshots=True))
    assert taken.choice.best.losses["dev"] == min(each.losses["dev"] for each in (*found.members, *found.snapshots))
    assert taken.chosen.is_snapshot
    assert taken.to_json()["chosen_at"] == taken.chosen.updates
    assert taken.to_json()["snapshot"]["dev"] == taken.chosen.losses["dev"]
    assert f"dev {Unit(GOAL).show(taken.chosen.losses['dev'])}" in str(taken)
    assert taken.chosen.losses["dev"] < taken.members[0].losses["dev"]
    assert "snapshot" not in found.to_json()
    (line,) = (line for line in sweep_table(taken, GOAL).splitlines() if line.endswith("chosen, at a rung"))
    assert Unit(GOAL).show(taken.chosen.losses["dev"]) in line
    assert "at a rung" not in sweep_table(found, GOAL)
    assert sum("choose the epoch" in warning for warning in taken.warnings) == 1


def test_the_ensemble_of_a_sweep_with_rungs_is_of_networks_that_predict(data, executor):
    found = sweep(data, LONGER, over={"l2": [0.0, 1.0, 10.0]}, executor=executor, goal=GOAL, rungs=Rungs(keep=0.9))
    average = averaged_outcome([*found.members, *found.snapshots], found.ensemble.weights, data=data, goal=GOAL)
    assert average.losses["dev"] == pytest.approx(found.ensemble.loss)
    assert set(average.members) <= {each.identity for each in (*found.members, *found.snapshots)}


@pytest.mark.parametrize(
    ("schedule", "rungs", "used", "told"),
    [
        ("cosine", Rungs(), "coslog4", 0),
        ("coslog4", Rungs(), "coslog4", 0),
        ("constant", Rungs(), "constant", 1),
        ("cosine", None, "cosine", 0),
    ],
)
def test_rungs_want_a_schedule_that_anneals_at_them(data, executor, schedule, rungs, used, told):
    config = replace(SMALL, optimization=replace(SMALL.optimization, schedule=schedule))
    found = sweep(data, config, over={"l2": [0.0]}, executor=executor, goal=GOAL, rungs=rungs)
    assert found.chosen.config.optimization.schedule == used
    assert sum("coslog4 anneals to 0 at each rung" in each for each in found.warnings) == told


def test_a_dropped_member_stays_a_member_and_leaves_the_path(data, executor):
    over = {"l2": [0.0, 1.0, 10.0]}
    first = sweep(data, SMALL, over=over, executor=executor, goal=GOAL)
    known = [replace(first.members[0], status=Status.DROPPED), *first.members[1:]]
    again = sweep(data, SMALL, over=over, executor=executor, goal=GOAL, known=known)
    assert again.members[0].status is Status.DROPPED
    assert [row["l2"] for row in again.path()] == [1.0, 10.0]
    assert again.chosen.status is Status.FINISHED


class Never:
    def train(self, configs, **options):
        raise AssertionError("trained")


UNSEARCHABLE = {
    "nothing": ({}, "at least one knob"),
    "a range out of range": ({"keep_prob": uniform(0, 1), "lr": uniform(1, 2)}, "keep_prob=0"),
    "an unknown name": (("l2", "keepprob"), "keep_prob"),
    "no members": (THREE, "members=0"),
}


@pytest.mark.parametrize(("over", "message"), UNSEARCHABLE.values(), ids=UNSEARCHABLE.keys())
def test_any_space_that_cannot_be_searched_is_refused_before_any_training(data, over, message):
    with pytest.raises(BadInput, match=message):
        sweep(data, BASE, over=over, executor=Never(), goal=GOAL, members=0 if "members" in message else None)


@pytest.mark.parametrize("values", [[0.0, 0.1], uniform(0.01, 0.1)], ids=["list", "range"])
def test_labels_that_are_values_are_not_smoothed(data, values):
    schema = replace(data.preparation.schema, task="regression")
    values_for = replace(data, preparation=replace(data.preparation, schema=schema))
    with pytest.raises(BadInput, match=r"label_smoothing=0\.1"):
        sweep(values_for, BASE, over={"label_smoothing": values}, executor=Never(), goal=goal_named("rmse"))


@pytest.mark.parametrize("keep_prob", [0.8, 1.0])
def test_monte_carlo_dropout_is_measured_where_the_chosen_member_has_dropout(keep_prob, data, executor):
    found = sweep(data, BASE, executor=executor, goal=GOAL, over={"keep_prob": [keep_prob]})
    assert (found.to_json()["monte_carlo"] is not None) == (keep_prob < 1)


def test_a_row_tells_what_regularization_did_and_which_other_knobs_are_searched_or_on(data, executor):
    over = {"l1": [0.0, 1.0], "lr": [0.01, 0.02], "keep_prob": [0.8]}
    stopping = replace(BASE, optimization=replace(BASE.optimization, early_stopping=15))
    found = sweep(data, stopping, executor=executor, goal=GOAL, over=over)
    for member, row in zip(found.members, found.to_json()["members"], strict=True):
        assert row["effects"] == member.effects != {}
        l1, lr = member.config.regularization.l1, member.config.optimization.lr
        assert row["knobs"] == {"l1": l1, "lr": lr, "early_stopping": 15}
