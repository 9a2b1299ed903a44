"""The search of both boards: where it comes, what it may turn, what it costs, and that it goes on after a kill."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from recipe_runs import fixed_at, prepared, run_of

from wellfit.recipe.ensemble import SHARE as ENSEMBLE_SHARE
from wellfit.recipe.ensemble import ensemble_step, planned_networks
from wellfit.recipe.follow import follow
from wellfit.recipe.remedies.regularization import ENSEMBLE, SEARCH
from wellfit.recipe.search import RANGES, SEARCH_SHARE, best_members, search_step, shapes_of, space_of
from wellfit.recipe.state import Rules, turned
from wellfit.recipe.stop import ending
from wellfit.records.config import Config, Network, Optimization, Regularization

START = Config(
    network=Network(widths=(16,), embedding="none"), optimization=Optimization(epochs=20, batch_size=32, lr=2e-3)
)
BUDGET = "24000updates"


@pytest.fixture(scope="module")
def data():
    """A product of two columns among noise, few rows: every network overfits, some less."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(920, 8))
    return prepared(x, (x[:, 0] * x[:, 1] > 0) ^ (rng.random(920) < 0.05), train=320)


@pytest.fixture(scope="module")
def finished(data) -> dict[str, Any]:
    """The journal of a whole run with the networks that it has trained, and its end."""
    journal: dict[str, Any] = {}
    run, executor = run_of(data, optimal=0.05, budget=BUDGET, journal=journal)
    state = follow(run, START)
    return {"journal": journal, "known": executor.known, "state": state, "run": run}


def _step(journal: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(body for name, body in journal.items() if name.startswith("step/") and body["kind"] == kind)


def test_the_search_comes_after_single_steps_and_before_the_ensemble(finished):
    kinds = [body["kind"] for name, body in finished["journal"].items() if name.startswith("step/")]
    assert kinds[-2:] == [SEARCH.kind, ENSEMBLE.kind]
    assert "regularize" in kinds[:-2]
    assert finished["run"].budget.updates <= int(BUDGET.removesuffix("updates"))


def test_the_journal_says_that_no_board_was_locked(finished):
    step = _step(finished["journal"], SEARCH.kind)
    assert (step["board"], step["locked"], step["coupled"]) == ("regularization", "none", True)
    assert "variance: " in step["because"]
    assert _step(finished["journal"], "regularize")["locked"] == "optimization"


def test_what_is_found_is_no_worse_on_dev(finished):
    step = _step(finished["journal"], SEARCH.kind)
    assert step["errors_after"]["dev"] <= step["errors_before"]["dev"]
    assert step["kept"] == (step["errors_after"]["dev"] < step["errors_before"]["dev"])


def test_the_ensemble_chooses_among_all_that_the_run_has_trained(finished):
    run = finished["run"]
    assert set(run.ended) <= set(finished["known"])
    pilots = [config for config in run.ended.values() if config.regularization.input_noise]
    assert pilots
    assert {config.network.widths for config in run.ended.values()} > {START.network.widths}


def test_a_run_that_is_continued_ends_with_the_same_networks(finished, data):
    """The journal alone tells which networks were trained: the steps are not taken again."""
    whole = finished["journal"]
    last = max(int(name.removeprefix("step/")) for name in whole if name.startswith("step/"))
    for cut in range(1, last + 1):
        # As after a kill in the middle of a step: what comes after it is not there.
        journal = {name: body for name, body in whole.items() if not _is_after(name, cut)}
        run, executor = run_of(data, optimal=0.05, budget=BUDGET, journal=journal)
        executor.known = dict(finished["known"])
        state = follow(run, START)
        assert executor.trained == 0
        assert state.outcome.identity == finished["state"].outcome.identity
        assert list(run.ended) == list(finished["run"].ended)
        assert state.exhausted == finished["state"].exhausted
        assert ending(state, run=run)["sentence"] == ending(finished["state"], run=finished["run"])["sentence"]


@pytest.mark.parametrize(
    ("got", "kept", "alike", "said"),
    [(-0.02, True, 0.25, True), (0.02, True, 0.25, False), (-0.02, False, 0.25, False), (-0.02, True, 0.19, False)],
    ids=["behind", "ahead", "dropped", "no luck"],
)
def test_the_sentence_says_why_an_average_that_is_behind_on_dev_is_taken(finished, data, got, kept, alike, said):
    last = f"step/{finished['state'].step}"
    changed = {"got": got, "kept": kept, "errors_before": {"dev": 0.2}, "ensemble": {"honest_single": alike}}
    journal = finished["journal"] | {last: finished["journal"][last] | changed}
    run, _ = run_of(data, optimal=0.05, budget=BUDGET, journal=journal)
    sentence = ending(finished["state"], run=run)["sentence"]
    assert ("by luck" in sentence) == said
    assert ("had 20.0% by luck: networks trained in the same way with other seeds have 25.0%." in sentence) == said


def _is_after(name: str, cut: int) -> bool:
    kind, key = name.split("/", 1)
    number = int(key.split("/")[0])
    return number > cut or (number == cut and kind in ("step", "sweep", "diagnosis"))


@pytest.mark.parametrize("fixed", [frozenset(), frozenset({"l2"})], ids=["all", "lambda fixed"])
def test_the_search_spends_no_more_than_its_share(data, fixed):
    run, _ = run_of(data, optimal=0.05, budget="6000updates")
    (before,) = run.train([START])
    rest = run.budget.remaining
    search_step(run, before, step=1, fixed=fixed)
    assert rest * (SEARCH_SHARE - 0.2) < rest - run.budget.remaining <= rest * SEARCH_SHARE


def test_what_an_ensemble_plans_is_paid_by_its_share_of_the_rest(data):
    longer = replace(START, optimization=replace(START.optimization, epochs=80))
    for budget in (1_000, 2_000, 3_500, 8_000, 24_000):
        run, _ = run_of(data, optimal=0.05, budget=f"{budget}updates")
        planned = planned_networks(run, START, parents=[longer, START])
        parents = [longer, START] * planned["networks"]
        cost = sum(map(run.budget.cost, [START] * planned["witnesses"] + parents[: planned["networks"]]))
        assert cost <= ENSEMBLE_SHARE * budget
        assert planned["witnesses"] == 0 or planned["networks"] >= 2


def test_a_parent_that_has_a_larger_shape_already_is_averaged_once(data):
    """A search of both boards may have grown it: in the larger shape it is there twice."""
    wide = replace(START, network=replace(START.network, widths=(32,)))
    plan = {"networks": 2, "witnesses": 0, "larger": [[[32], 2]]}
    run, _ = run_of(data, optimal=0.05, budget=BUDGET, journal={"plan/1/networks": plan})
    (before,) = run.train([START])
    averaged = ensemble_step(run, before, parents=[START, wide], step=1)
    assert averaged.found is not None
    weights = averaged.found.weights
    assert len(averaged.found.picks) == len(weights)
    assert sum(weights.values()) == pytest.approx(1)


def _bred(bench_journal: dict[str, Any], config: Config, data) -> list[Config]:
    run, _ = run_of(data, optimal=0.05, budget=BUDGET, journal=bench_journal)
    return best_members(run, config, step=9, count=3)


def _swept(over: dict[str, Any], rows: list[dict[str, Any]], *, coupled: bool = False, kept: bool = True):
    members = [{"identity": str(place), **row} for place, row in enumerate(rows)]
    body = {"over": over, "members": members, "breed": [row["identity"] for row in members]}
    return body, {"coupled": coupled, "kept": kept}


def test_a_knob_that_is_off_is_not_in_a_members_row(data):
    over = {"l2": [0.0], "keep_prob": [1.0], "augment": [0.0, 1.0]}
    rows = [{"l2": 0.0, "keep_prob": 1.0, "knobs": {}}, {"l2": 0.0, "keep_prob": 1.0, "knobs": {"augment": 1.0}}]
    body, step = _swept(over, rows)
    found = _bred({"sweep/1": body, "step/1": step}, START, data)
    assert [config.regularization.augment for config in found] == [0.0, 1.0]


def test_what_was_not_searched_stays_as_it_is(data):
    by_layer = replace(START, regularization=Regularization(keep_prob=(0.5,)))
    body, step = _swept({"lr": {"low": 1e-4, "high": 1e-2}}, [{"l2": 0.0, "keep_prob": 0.7, "knobs": {"lr": 3e-3}}])
    (found,) = _bred({"sweep/1": body, "step/1": step}, by_layer, data)
    assert found.regularization == by_layer.regularization
    assert found.optimization.lr == 3e-3


def test_a_search_that_found_nothing_better_breeds_nothing(data):
    first = _swept({"l2": [2.0]}, [{"l2": 2.0, "keep_prob": 1.0, "knobs": {}}])
    second = _swept(
        {"epochs": [40]}, [{"l2": 0.0, "keep_prob": 1.0, "knobs": {"epochs": 40}}], coupled=True, kept=False
    )
    journal = {"sweep/1": first[0], "step/1": first[1], "sweep/2": second[0], "step/2": second[1]}
    (found,) = _bred(journal, START, data)
    assert (found.regularization.l2, found.optimization.epochs) == (2.0, 20)


def test_a_fixed_knob_is_not_searched(data):
    run, executor = run_of(data, optimal=0.05, budget=BUDGET)
    (before,) = run.train([START])
    search_step(run, before, step=1, fixed=frozenset({"widths", "l2"}))
    found = [turned(START, config) for config in (one.config for one in executor.known.values())]
    assert set().union(*found) <= {"lr", "epochs", "keep_prob"}
    assert any("lr" in each for each in found)


def test_with_every_knob_fixed_there_is_no_search(data):
    run, _ = run_of(data, optimal=0.05, budget=BUDGET)
    state = follow(run, START, Rules(fixed_at=fixed_at(*RANGES)))
    assert state.outcome.networks >= 1
    assert run.recall.known("sweep", str(state.step)) is None


def test_the_space_lies_around_the_network_of_now():
    space = space_of(START, [(16,), (64, 64)], rows=320, fixed=frozenset())
    assert set(space) == {"widths", "lr", "epochs", "shrink", "keep_prob"}
    assert space["epochs"] == [10, 20, 40]
    assert space["lr"].low < START.optimization.lr < space["lr"].high
    once = replace(START, optimization=replace(START.optimization, epochs=1))
    assert space_of(once, [(16,)], rows=320, fixed=frozenset())["epochs"] == [1, 2]


def test_a_keep_prob_by_layer_fits_no_other_shape(data):
    run, _ = run_of(data, optimal=0.05, budget=BUDGET)
    by_layer = replace(START, regularization=Regularization(keep_prob=(0.5,)))
    assert shapes_of(run, by_layer) == [START.network.widths]
    assert len(shapes_of(run, START)) > 1


def test_an_ensemble_is_bred_from_the_search_where_that_was_taken(finished, monkeypatch):
    journal, run = finished["journal"], finished["run"]
    number = next(name.removeprefix("step/") for name, body in journal.items() if body.get("kind") == SEARCH.kind)
    searched, step = journal[f"sweep/{number}"], journal[f"step/{number}"]
    config = Config.from_json(step["config"])

    def bred() -> list[str]:
        return [each.identity for each in best_members(run, config, step=int(number) + 1, count=3)]

    monkeypatch.setitem(step, "kept", True)
    assert bred() == searched["breed"][:3]
    # Where the search found nothing better, the sweep before it tells more.
    monkeypatch.setitem(step, "kept", False)
    assert not set(bred()) & {row["identity"] for row in searched["members"]}
