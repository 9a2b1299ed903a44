"""The last step against variance: the rest of the budget is used to average networks with different seeds.

Members of a sweep share initial weights, batches and noise, so that they can be compared. An ensemble needs the
opposite, networks that err on different rows, so the best configs are trained again, each with its own seed.

If time is left, networks of larger shapes with the same regularizers are added. A greedy choice among all networks that
the run has finished (which are paid for, and err on different rows) replaces the plain average, unless it does worse on
the halves of dev on which it was not chosen. The previous network was chosen on dev, which flatters it. Its honest loss
is that of networks trained in the same way with other seeds and not chosen.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import mean

import numpy as np

from wellfit.base.serialize import OMITTED, Record, named
from wellfit.base.typing import Json
from wellfit.recipe.context import RunContext
from wellfit.recipe.defaults import LARGER_SHAPES, larger_shapes
from wellfit.records.config import Config, Network
from wellfit.records.outcome import ENDED, Outcome
from wellfit.stats.differences import worse_p
from wellfit.sweeps.ensemble import Ensemble, plain_ensemble, select_ensemble
from wellfit.sweeps.forward_selection import averaged_outcome

FEWEST_NETWORKS = 2
MOST_NETWORKS = 24
"""Most networks of an ensemble; more gain little, since n networks have 1 - 1/n of the gain of infinitely many."""
PARENTS = 12
"""Most configs that are trained again, among those that dev cannot distinguish from the best."""
FEWEST_OF_A_SHAPE, MOST_OF_A_SHAPE = 4, 12
"""Number of networks of each larger shape; a shape with fewer affordable networks is left out."""
WITNESSES = 2
"""Number of networks trained like the previous one, but with other seeds, to show its honest loss."""
SURELY_WORSE = 0.05
"""p-value on dev below which the previous network counts as better than the average, whatever the other seeds show."""
COST_OF_HALF = 0.03
"""Fraction by which the loss of an ensemble chosen on half of dev exceeds that of one chosen on all of dev.

On fresh rows of 21 cases of benchmarks/suffering.py (seed 90), the greedy choice was better than the average of
networks of one kind in 16 cases; without this correction it would have been taken in only 11.
"""
SHARE = 0.8
"""Share of the budget that is planned: predicted costs are rough, and the average must still be measured."""


@dataclass(frozen=True)
class Averaged(Record):
    """The result of the step: the ensemble, or the previous network if it is not worse.

    `found` is the choice with its honest loss, or None if fewer than two networks finished. `configs` are the configs
    of the members with a weight.
    """

    outcome: Outcome = field(metadata=OMITTED)
    found: Ensemble | None = field(metadata=OMITTED)
    configs: tuple[Config, ...] = field(metadata=named("members"))

    def to_json(self) -> Json:
        """Return the journal's fields, from which `rejoined` rebuilds the same ensemble."""
        return {**super().to_json(), "ensemble": None if self.found is None else self.found.to_json()}


def networks_affordable(
    run: RunContext, parents: Sequence[Config], *, share: float = SHARE, beside: Sequence[Config] = ()
) -> int:
    """Return how many networks the rest of the budget covers, cycling through the parents, in addition to others."""
    states = itertools.islice(itertools.cycle(parents), MOST_NETWORKS)
    costs = itertools.accumulate(map(run.budget.cost, states), initial=sum(map(run.budget.cost, beside)))
    return max(0, sum(cost <= share * run.budget.remaining for cost in costs) - 1)


def planned_networks(
    run: RunContext, config: Config, *, parents: Sequence[Config], fixed: frozenset[str] = frozenset()
) -> Json:
    """Return how many retrained parents, larger shapes and witnesses the rest of the budget covers."""
    grows = "widths" not in fixed and _may_grow(run, config)
    shapes = larger_shapes(config.network.widths)[:LARGER_SHAPES] if grows else []
    part = SHARE / (1 + len(shapes))
    counts = [run.budget.affordable(config.with_knobs(widths=shape), share=part) for shape in shapes]
    pairs = [(list(shape), min(count, MOST_OF_A_SHAPE)) for shape, count in zip(shapes, counts, strict=True)]
    larger = [pair for pair in pairs if pair[1] >= FEWEST_OF_A_SHAPE]
    share, witnesses = SHARE - part * len(larger), [] if config in parents else [config] * WITNESSES
    if networks_affordable(run, parents, share=share, beside=witnesses) < FEWEST_NETWORKS:
        witnesses = []
    networks = networks_affordable(run, parents, share=share, beside=witnesses)
    return {"networks": networks, "witnesses": len(witnesses), "larger": larger}


def _may_grow(run: RunContext, config: Config) -> bool:
    """Return True if larger shapes may be added: not for a budget in updates, nor if keep_prob is given by layer."""
    built_in = config.network.kind == "mlp" and not config.network.module
    return run.budget.is_timed and built_in and not isinstance(config.regularization.keep_prob, tuple)


def ensemble_step(
    run: RunContext, before: Outcome, *, parents: Sequence[Config], step: int, fixed: frozenset[str] = frozenset()
) -> Averaged:
    """Train the parents with new seeds, and average those that do best together.

    The ensemble replaces `before` if it is better than such networks are on average. A choice is measured on the half
    of dev on which it was not made, in both directions. Knobs in `fixed` keep the values of the parents.
    """
    name, config = f"{step}/networks", before.config
    planned = run.recall("plan", name, lambda: planned_networks(run, config, parents=parents, fixed=fixed))
    witnesses = reseeded([config], networks=planned.get("witnesses", 0))
    configs = reseeded(parents, networks=planned["networks"])
    for widths, networks in planned.get("larger", ()):
        configs += reseeded([parent.with_knobs(widths=widths) for parent in parents], networks=networks)
    # A parent that already has a larger shape would be trained twice.
    configs = list({config.identity: config for config in configs}.values())
    ended = [outcome for outcome in run.train([*witnesses, *configs]) if outcome.status in ENDED]
    trained = [outcome for outcome in ended if outcome.config in configs]
    if len(trained) < FEWEST_NETWORKS:
        return Averaged(before, None, ())
    fresh = [*witnesses, *configs]
    pool = [before, *trained, *(each for each in run.earlier(config) if each.config not in fresh)]
    found, fair = _chosen(run, before, trained, pool=pool)
    found = replace(found, honest_single=(worth := _worth(before, ended)))
    if not fair < worth:
        return Averaged(before, found, ())
    weights = found.weights
    candidates = [each if each.state else run.outcome_of(each.config) for each in pool if each.identity in weights]
    outcome = averaged_outcome(candidates, weights, data=run.prepared, goal=run.goal)
    if worse_p(run.dev_losses(outcome), run.dev_losses(before)) < SURELY_WORSE:
        return Averaged(before, found, ())
    return Averaged(outcome, found, tuple(each.config for each in candidates))


def _chosen(
    run: RunContext, before: Outcome, trained: Sequence[Outcome], *, pool: Sequence[Outcome]
) -> tuple[Ensemble, float]:
    """Return the greedy choice, or a plain average if that is better, and the loss by which it is judged.

    The average was not chosen on dev, so its dev loss is honest. The choice is judged by its honest loss, minus the
    cost of choosing on half of dev.
    """
    dev, goal = run.prepared.dev, run.goal
    alike = plain_ensemble(_best_group(run, trained), dev.target, goal=goal)
    greedy = select_ensemble(pool, dev.target, goal=goal, by=goal.smooth, groups=dev.groups, seed=before.config.seed)
    fair = math.inf if greedy.honest_loss is None else (1 - COST_OF_HALF) * greedy.honest_loss
    return (greedy, fair) if len(greedy.picks) > 1 and fair < alike.loss else (alike, alike.loss)


def _best_group(run: RunContext, trained: Sequence[Outcome]) -> Sequence[Outcome]:
    """Return all networks or those of one shape, depending on whose average has the lowest refined dev loss."""
    shapes: dict[Network, list[Outcome]] = {}
    for outcome in trained:
        shapes.setdefault(outcome.config.network, []).append(outcome)
    alone = [group for group in shapes.values() if len(group) >= FEWEST_NETWORKS] if len(shapes) > 1 else []

    def lost(group: Sequence[Outcome]) -> float:
        average = np.mean([outcome.predictions["dev"].astype(np.float64) for outcome in group], axis=0)
        return float(run.goal.refined_losses(run.prepared.dev.target, average).mean())

    return min([trained, *alone], key=lost)


def _worth(before: Outcome, trained: Sequence[Outcome]) -> float:
    """Return the mean dev loss of networks trained like `before` with other seeds; its own if there are none."""
    seed = before.config.seed
    alike = [each.losses["dev"] for each in trained if replace(each.config, seed=seed) == before.config]
    return mean(alike) if alike else before.losses["dev"]


def rejoined(run: RunContext, body: Json) -> Outcome:
    """Rebuild the ensemble that an earlier session recorded in the journal from the stored outcomes."""
    members = [run.outcome_of(Config.from_json(config)) for config in body["members"]]
    weights = {pick["identity"]: pick["weight"] for pick in body["ensemble"]["picks"]}
    return averaged_outcome(members, weights, data=run.prepared, goal=run.goal)


def reseeded(parents: Sequence[Config], *, networks: int) -> list[Config]:
    """Return configs of the parents in turn, each with a new seed."""
    in_turn = itertools.islice(itertools.cycle(parents), networks)
    return [replace(parent, seed=parent.seed + 1 + place) for place, parent in enumerate(in_turn)]
