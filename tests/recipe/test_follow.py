"""The recipe on data made to suffer from one cause: the right board is turned, and a replay trains nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from recipe_runs import ERROR, prepared, run_of

from wellfit.data.prepare import Prepared
from wellfit.exceptions import BadInput
from wellfit.recipe.defaults import larger_shapes
from wellfit.recipe.ensemble import (
    FEWEST_OF_A_SHAPE,
    MOST_OF_A_SHAPE,
    WITNESSES,
    ensemble_step,
    planned_networks,
    reseeded,
)
from wellfit.recipe.follow import follow
from wellfit.recipe.remedies.optimization import architecture, better_optimizer, bigger_network, train_longer
from wellfit.recipe.search import best_members, widened
from wellfit.recipe.state import Rules, describe_change
from wellfit.recipe.stop import ending
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.sweeps.executor import InProcess
from wellfit.sweeps.forward_selection import averaged_outcome, parts_of
from wellfit.sweeps.search import sweep
from wellfit.training.tensors import predict_average

SMALL = Config(
    network=Network(widths=(4,), embedding="none"), optimization=Optimization(epochs=6, batch_size=32, lr=0.01)
)


def _two_bits() -> Prepared:
    """The sign of a product of two numbers: four hidden units in six epochs underfit it; no noise."""
    x = np.random.default_rng(0).normal(size=(4000, 2))
    return prepared(x, x[:, 0] * x[:, 1] > 0, train=2000)


def _few_rows() -> Prepared:
    """200 rows of twenty columns, of which one tells the label with an error of 15 %: easily memorized."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3200, 20))
    return prepared(x, x[:, 0] + 0.5 * rng.normal(size=3200) > 0, train=200)


WIDER = Network(widths=(8, 8), embedding="none")
MEMORIZING = Config(
    network=Network(widths=(64,), embedding="none"), optimization=Optimization(epochs=40, batch_size=32, lr=0.01)
)


def test_bias_is_fought_first_with_every_regularizer_at_zero():
    journal: dict[str, Any] = {}
    run, _ = run_of(_two_bits(), optimal=0.0, journal=journal)
    state = follow(run, SMALL)
    steps = [body for name, body in journal.items() if name.startswith("step/")]
    assert steps[0]["board"] == "optimization"
    assert Config.from_json(steps[0]["config"]).regularization.is_off
    assert state.outcome.losses["train"] < state.first.losses["train"] - 0.05
    assert steps[0]["got"] > 0.05


def test_variance_is_fought_by_regularizing_and_train_error_pays_for_it():
    journal: dict[str, Any] = {}
    run, _ = run_of(_few_rows(), optimal=0.15, journal=journal)
    state = follow(run, MEMORIZING, Rules(ensemble=False))
    (step,) = (body for name, body in journal.items() if name.startswith("step/"))
    assert (step["board"], step["kind"], step["kept"]) == ("regularization", "regularize", True)
    assert state.outcome.losses["dev"] < state.first.losses["dev"] - 0.01
    assert state.outcome.losses["train"] > state.first.losses["train"]


def test_a_network_that_is_fine_is_left_alone():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20_000, 2))
    flipped = (x[:, 0] > 0) ^ (rng.random(20_000) < 0.1)
    run, executor = run_of(prepared(x, flipped, train=10_000), optimal=0.1)
    state = follow(run, SMALL)
    assert (state.step, executor.trained) == (0, 1)
    assert {gap.verdict for gap in state.diagnosis.gaps.values() if gap} == {"no"}
    assert ending(state, run=run)["reason"] == "every gap is within the tolerance"


def test_a_replay_from_the_journal_decides_the_same_and_pays_the_same():
    journal: dict[str, Any] = {}
    data = _few_rows()
    run, first = run_of(data, optimal=0.15, budget="3000updates", journal=journal)
    state = follow(run, MEMORIZING)
    replayed, second = run_of(data, optimal=0.15, budget="3000updates", journal=journal)
    second.known = first.known
    again = follow(replayed, MEMORIZING)
    assert second.trained == 0
    assert again.outcome.config == state.outcome.config
    assert again.diagnosis.to_json() == state.diagnosis.to_json()
    assert replayed.budget.updates == run.budget.updates


def test_the_rest_of_a_budget_goes_into_networks_with_seeds_of_their_own():
    journal: dict[str, Any] = {}
    data = _few_rows()
    run, first = run_of(data, optimal=0.15, budget="24000updates", journal=journal)
    state = follow(run, MEMORIZING)
    step = journal[f"step/{state.step}"]
    assert (step["kind"], step["board"], step["kept"]) == ("ensemble", "regularization", True)
    assert step["ensemble"]["honest_loss"] < step["ensemble"]["honest_single"]
    assert state.outcome.networks == len(step["members"]) > 1
    assert sum(state.outcome.members.values()) == pytest.approx(1)
    assert len({member["seed"] for member in step["members"]}) > 1
    members = [first.known[identity] for identity in state.outcome.members]
    average = predict_average(data.preparation, parts_of(members, state.outcome.members))
    np.testing.assert_allclose(average(data.dev), state.outcome.predictions["dev"], atol=1e-6)
    wrong = average(data.train).argmax(axis=1) != data.train.target
    assert state.outcome.losses["train"] == pytest.approx(wrong.mean())
    assert run.budget.updates <= 24_000

    replayed, second = run_of(data, optimal=0.15, budget="24000updates", journal=journal)
    second.known = first.known
    again = follow(replayed, MEMORIZING)
    assert second.trained == 0
    assert again.outcome.identity == state.outcome.identity
    assert again.outcome.losses == state.outcome.losses


def test_an_ensemble_that_is_not_ahead_on_other_rows_is_not_kept():
    """The network of now knows the truth: whatever is averaged with it on one half loses on the other."""
    data = _few_rows()
    run, executor = run_of(data, optimal=0.15, budget="24000updates")
    (trained,) = executor.train([MEMORIZING])
    truth = replace(trained, predictions={"dev": np.eye(2)[data.dev.target]})
    done = ensemble_step(run, truth, parents=[MEMORIZING], step=1)
    assert done.outcome is truth
    assert done.configs == ()
    assert executor.trained > 2


def test_a_network_that_dev_was_lucky_with_is_no_match_for_an_average():
    """Three rows are right by chance: other seeds tell that the config is worth no more than they are."""
    data = _few_rows()
    run, executor = run_of(data, optimal=0.15, budget="24000updates")
    (trained,) = executor.train([MEMORIZING])
    predicted = trained.predictions["dev"].copy()
    wrong = np.flatnonzero(predicted.argmax(axis=1) != data.dev.target)[:3]
    predicted[wrong] = predicted[wrong, ::-1]
    lucky = replace(trained, predictions={"dev": predicted}, losses={**trained.losses, "dev": 0.0})
    done = ensemble_step(run, lucky, parents=[MEMORIZING], step=1)
    assert done.found is not None
    assert done.found.honest_single > done.found.honest_loss
    assert done.outcome.networks > 1


def test_where_time_is_left_larger_shapes_take_part_and_dev_chooses_among_the_averages():
    data = _few_rows()
    run, executor = run_of(data, optimal=0.15, budget="60s")
    (trained,) = run.train([MEMORIZING])
    planned = planned_networks(run, MEMORIZING, parents=[MEMORIZING])
    shapes = [tuple(widths) for widths, _ in planned["larger"]]
    assert shapes == larger_shapes(MEMORIZING.network.widths)[: len(shapes)] != []
    assert all(FEWEST_OF_A_SHAPE <= count <= MOST_OF_A_SHAPE for _, count in planned["larger"])
    assert planned_networks(run, MEMORIZING, parents=[MEMORIZING], fixed=frozenset({"widths"}))["larger"] == []
    done = ensemble_step(run, trained, parents=[MEMORIZING], step=1)
    grown = [each for each in executor.known.values() if each.config.network.widths in shapes]
    assert len(grown) == sum(count for _, count in planned["larger"])
    assert done.outcome.networks > 1


def test_updates_do_not_tell_what_a_shape_costs_so_that_none_is_added():
    run, _ = run_of(_few_rows(), optimal=0.15, budget="24000updates")
    assert planned_networks(run, MEMORIZING, parents=[MEMORIZING])["larger"] == []


def test_witnesses_of_the_network_from_before_take_no_part_in_the_average():
    data = _few_rows()
    run, executor = run_of(data, optimal=0.15, budget="24000updates")
    (trained,) = executor.train([SMALL])
    done = ensemble_step(run, trained, parents=[MEMORIZING], step=1)
    assert done.found is not None
    fresh = [config for config in done.configs if config != SMALL]
    assert {config.network for config in fresh} == {MEMORIZING.network}
    known = [each for each in executor.known.values() if each.config.network == SMALL.network]
    assert len(known) == 1 + WITNESSES
    assert done.found.honest_single == pytest.approx(np.mean([each.losses["dev"] for each in known[1:]]))


def test_nothing_is_averaged_where_nothing_over_fits():
    """No dropout, and no ensemble, where the variance is inside the tolerance."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(20_000, 2))
    flipped = (x[:, 0] > 0) ^ (rng.random(20_000) < 0.1)
    run, executor = run_of(prepared(x, flipped, train=10_000), optimal=0.1, budget="200000updates")
    assert follow(run, SMALL).outcome.networks == 1
    assert executor.trained == 1


def test_an_ensemble_is_bred_from_what_the_last_sweep_found_also_where_the_network_has_grown_since():
    journal: dict[str, Any] = {}
    run, _ = run_of(_few_rows(), optimal=0.15, budget="24000updates", journal=journal)
    assert best_members(run, MEMORIZING, step=3, count=4) == [MEMORIZING]
    follow(run, MEMORIZING)
    name, body = next((name, body) for name, body in journal.items() if name.startswith("sweep/"))
    rows = {row["identity"]: row for row in body["members"]}
    step = int(name.removeprefix("sweep/"))
    found = best_members(run, replace(MEMORIZING, network=WIDER), step=step + 1, count=3)
    assert [each.network for each in found] == [WIDER] * len(found)
    knobs = [(each.regularization.l2, each.regularization.keep_prob) for each in found]
    assert knobs == [(rows[one]["l2"], rows[one]["keep_prob"]) for one in body["breed"][:3]]


def test_every_network_of_an_ensemble_has_a_seed_of_its_own_and_parents_take_turns():
    configs = reseeded([SMALL, MEMORIZING], networks=5)
    assert [config.network for config in configs] == [each.network for each in (SMALL, MEMORIZING) * 3][:5]
    assert len({config.seed for config in configs} | {SMALL.seed}) == 6


def test_a_run_ends_with_the_network_that_was_best_on_dev():
    """Of 200 rows two fifths have the wrong label: what fits them better predicts worse, regularized or not."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(3200, 20))
    data = prepared(x, (x[:, 0] > 0) ^ (rng.random(3200) < 0.4), train=200)
    start = Config(
        network=Network(widths=(4,), embedding="none"), optimization=Optimization(epochs=60, batch_size=32, lr=0.01)
    )
    journal: dict[str, Any] = {}
    run, _ = run_of(data, optimal=0.0, budget="4000updates", journal=journal)
    state = follow(run, start, Rules(ensemble=False))
    reached = [body["errors_after"]["dev"] for name, body in journal.items() if name.startswith("step/")]
    assert state.outcome.losses["dev"] < min(reached)
    assert ending(state, run=run)["best"] == start.identity


def test_a_step_once_taken_is_followed_again_whatever_the_clock_says():
    journal: dict[str, Any] = {}
    data = _few_rows()
    run, first = run_of(data, optimal=0.15, budget="3000updates", journal=journal)
    state = follow(run, MEMORIZING)
    late, second = run_of(data, optimal=0.15, budget="280updates", journal=journal)
    second.known = first.known
    assert follow(late, MEMORIZING).outcome.config == state.outcome.config != MEMORIZING


def test_one_remedy_by_name_is_carried_out_whatever_the_diagnosis():
    journal: dict[str, Any] = {}
    run, _ = run_of(_two_bits(), optimal=0.0, journal=journal)
    state = follow(run, SMALL, Rules(only="train_longer", idea="still falling"))
    assert state.step == 1
    assert journal["step/1"]["idea"] == "still falling"
    assert state.outcome.config.optimization.epochs in (12, 24)


def test_a_budget_without_room_for_a_step_still_trains_the_first_network():
    run, executor = run_of(_two_bits(), optimal=0.0, budget="400updates")
    state = follow(run, SMALL)
    assert executor.trained == 1
    assert state.outcome is state.first
    assert "budget" in ending(state, run=run)["reason"] or "bias remains" in ending(state, run=run)["reason"]


def test_a_budget_in_updates_is_an_upper_limit():
    run, executor = run_of(_few_rows(), optimal=0.15, budget="300updates")
    state = follow(run, MEMORIZING)  # takes 280 updates, and overfits
    assert state.diagnosis.gap("variance").verdict == "yes"
    assert (executor.trained, run.budget.updates) == (1, 280)


@pytest.mark.parametrize("trials", [bigger_network, train_longer, better_optimizer, architecture])
def test_a_trial_against_bias_never_regularizes(trials):
    for trial in trials(SMALL):
        assert trial.regularization == Regularization()
        assert trial != SMALL
        if trials is better_optimizer:
            assert trial.optimization.epochs == SMALL.optimization.epochs


def test_changes_are_told_by_knob():
    data = _few_rows()
    before, after = InProcess(data, goal=ERROR).train([SMALL, replace(SMALL, network=WIDER)])
    assert describe_change(before, after) == "widths 4 -> 8x8"
    assert describe_change(before, before) == "nothing"
    both = averaged_outcome([before, after], {before.identity: 0.6, after.identity: 0.4}, data=data, goal=ERROR)
    assert describe_change(before, both) == "networks 1 -> 2"
    both = averaged_outcome([before, after], {before.identity: 0.4, after.identity: 0.6}, data=data, goal=ERROR)
    assert describe_change(before, both) == "networks 1 -> 2, the one of most weight has widths 4 -> 8x8"


@pytest.mark.parametrize(
    ("l2", "keep_prob", "affordable", "expected"),
    [
        pytest.param([0.0], [1.0], 99, None, id="no edge at 0 and 1"),
        pytest.param([0.0, 20.0], [1.0], 99, {"l2": 4, "keep_prob": 1}, id="largest lambda"),
        pytest.param([0.0, 20.0], [1.0], 1, None, id="too expensive"),
    ],
)
def test_a_grid_is_widened_where_its_best_member_lies_on_the_edge(l2, keep_prob, affordable, expected):
    data = _few_rows()
    over = {"l2": l2, "keep_prob": keep_prob}
    found = sweep(data, MEMORIZING, executor=InProcess(data, goal=ERROR), goal=ERROR, over=over)
    wider = widened(over, found=found, affordable=affordable)
    assert (wider and {name: len(values) for name, values in wider.items()}) == expected


def test_a_budget_for_no_training_at_all_is_refused():
    run, _ = run_of(_two_bits(), optimal=0.0)
    run.executor = _Nothing()  # a deadline that has passed lets no config start
    with pytest.raises(BadInput, match="enough to train one network"):
        follow(run, SMALL)


class _Nothing:
    def train(self, configs, **_options):
        return []

    def close(self) -> None: ...
