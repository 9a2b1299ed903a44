"""The search of both boards: where it comes, what it may turn, what it costs, and that it goes on after a kill."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from recipe_benches import bench_of, prepared

from wellfit.config import Config, Network, Optimization, Regularization
from wellfit.recipe.follow import follow
from wellfit.recipe.regularize import best_members
from wellfit.recipe.remedies.change import turned
from wellfit.recipe.remedies.regularization import ENSEMBLE, SEARCH
from wellfit.recipe.rules import Rules
from wellfit.recipe.search import RANGES, search_step, shapes_of, space_of

START = Config(
    network=Network(widths=(16,), embedding="none"), optimization=Optimization(epochs=20, batch_size=32, lr=2e-3)
)
BUDGET = "24000updates"


@pytest.fixture(scope="module")
def data():
    """A product of two columns among noise, few rows: every network over-fits, some less."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(920, 8))
    return prepared(x, (x[:, 0] * x[:, 1] > 0) ^ (rng.random(920) < 0.05), train=320)


@pytest.fixture(scope="module")
def run(data) -> dict[str, Any]:
    """The journal of a whole run with the networks that it has trained, and its end."""
    journal: dict[str, Any] = {}
    bench, executor = bench_of(data, optimal=0.05, budget=BUDGET, journal=journal)
    turn = follow(bench, START)
    return {"journal": journal, "known": executor.known, "turn": turn, "bench": bench}


def _step(journal: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(body for name, body in journal.items() if name.startswith("step/") and body["kind"] == kind)


def test_the_search_comes_after_single_steps_and_before_the_ensemble(run):
    kinds = [body["kind"] for name, body in run["journal"].items() if name.startswith("step/")]
    assert kinds[-2:] == [SEARCH.kind, ENSEMBLE.kind]
    assert "regularize" in kinds[:-2]
    assert run["bench"].purse.updates <= int(BUDGET.removesuffix("updates"))


def test_the_journal_says_that_no_board_was_locked(run):
    step = _step(run["journal"], SEARCH.kind)
    assert (step["board"], step["locked"], step["coupled"]) == ("regularization", "none", True)
    assert _step(run["journal"], "regularize")["locked"] == "optimization"


def test_what_is_found_is_no_worse_on_dev(run):
    step = _step(run["journal"], SEARCH.kind)
    assert step["errors_after"]["dev"] <= step["errors_before"]["dev"]
    assert step["kept"] == (step["errors_after"]["dev"] < step["errors_before"]["dev"])


def test_the_ensemble_chooses_among_all_that_the_run_has_trained(run):
    bench = run["bench"]
    assert set(bench.ended) <= set(run["known"])
    pilots = [config for config in bench.ended.values() if config.regularization.input_noise]
    assert pilots
    assert {config.network.widths for config in bench.ended.values()} > {START.network.widths}


def test_a_run_that_is_continued_ends_with_the_same_networks(run, data):
    """The journal alone tells which networks were trained: the steps are not taken again."""
    whole = run["journal"]
    last = max(int(name.removeprefix("step/")) for name in whole if name.startswith("step/"))
    for cut in range(1, last + 1):
        # As after a kill in the middle of a step: what comes after it is not there.
        journal = {name: body for name, body in whole.items() if not _is_after(name, cut)}
        bench, executor = bench_of(data, optimal=0.05, budget=BUDGET, journal=journal)
        executor.known = dict(run["known"])
        turn = follow(bench, START)
        assert executor.trained == 0
        assert turn.outcome.identity == run["turn"].outcome.identity
        assert list(bench.ended) == list(run["bench"].ended)


def _is_after(name: str, cut: int) -> bool:
    kind, key = name.split("/", 1)
    number = int(key.split("/")[0])
    return number > cut or (number == cut and kind in ("step", "sweep", "diagnosis", "ended"))


def test_a_fixed_knob_is_not_searched(data):
    bench, executor = bench_of(data, optimal=0.05, budget=BUDGET)
    (before,) = bench.train([START])
    search_step(bench, before, step=1, fixed=frozenset({"widths", "l2"}))
    found = [turned(START, config) for config in (one.config for one in executor.known.values())]
    assert set().union(*found) <= {"lr", "epochs", "keep_prob"}
    assert any("lr" in each for each in found)


def test_with_every_knob_fixed_there_is_no_search(data):
    bench, _ = bench_of(data, optimal=0.05, budget=BUDGET)
    turn = follow(bench, START, Rules(fixed=RANGES))
    assert turn.outcome.networks >= 1
    assert bench.recall.known("sweep", str(turn.step)) is None


def test_the_space_lies_around_the_network_of_now():
    space = space_of(START, [(16,), (64, 64)], rows=320, fixed=frozenset())
    assert set(space) == {"widths", "lr", "epochs", "shrink", "keep_prob"}
    assert space["epochs"] == [10, 20, 40]
    assert space["lr"].low < START.optimization.lr < space["lr"].high
    once = replace(START, optimization=replace(START.optimization, epochs=1))
    assert space_of(once, [(16,)], rows=320, fixed=frozenset())["epochs"] == [1, 2]


def test_a_keep_prob_by_layer_fits_no_other_shape(data):
    bench, _ = bench_of(data, optimal=0.05, budget=BUDGET)
    by_layer = replace(START, regularization=Regularization(keep_prob=(0.5,)))
    assert shapes_of(bench, by_layer) == [START.network.widths]
    assert len(shapes_of(bench, START)) > 1


def test_an_ensemble_is_bred_from_the_search_where_that_was_taken(run, monkeypatch):
    journal, bench = run["journal"], run["bench"]
    number = next(name.removeprefix("step/") for name, body in journal.items() if body.get("kind") == SEARCH.kind)
    searched, step = journal[f"sweep/{number}"], journal[f"step/{number}"]
    config = Config.from_json(step["config"])

    def bred() -> list[str]:
        return [each.identity for each in best_members(bench, config, step=int(number) + 1, count=3)]

    monkeypatch.setitem(step, "kept", True)
    assert bred() == searched["breed"][:3]
    # Where the search found nothing better, the sweep before it tells more.
    monkeypatch.setitem(step, "kept", False)
    assert not set(bred()) & {row["identity"] for row in searched["members"]}
