"""The last step against variance: networks with seeds of their own, averaged, with what the run leaves of its budget.

Members of a sweep share weights, batches and noise, so that they can be compared; an ensemble wants the contrary (each
network with draws of its own errs on other rows). So the best configs are trained again, every seed on its own.

Two averages are tried: of all alike, which nobody chose and whose dev loss is honest; and the greedy choice, which must
be ahead of that by its honest loss. On few dev rows choosing costs more than it buys.

The network from before was chosen by dev, which flatters it: what it is worth is told by networks trained alike with
other seeds, which nobody chose. Without them an average would be compared with luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean

from wellfit._typing import Json
from wellfit.config import Config
from wellfit.goals import Goal
from wellfit.outcome import Outcome, Status
from wellfit.recipe.bench import Bench
from wellfit.stats.paired_tests import worse_p
from wellfit.sweeps.ensemble import Ensemble, plain_ensemble, select_ensemble
from wellfit.sweeps.joining import joined

FEWEST_NETWORKS = 2
MOST_NETWORKS = 24
"""More buy little: the gain of n networks over one is 1 - 1/n of what infinitely many would gain."""
PARENTS = 4
"""Configs that are trained again: the best of the sweep, since networks with other knobs err otherwise too."""
WITNESSES = 2
"""Networks trained as the one from before was, which tell what it is worth."""
SURELY_WORSE = 0.05
"""p-value on dev at which an average is not taken, whatever the other seeds say: the network from before is better."""
SHARE = 0.8
"""Predicted costs are rough, and the average has to be measured: the rest is slack."""


@dataclass(frozen=True)
class Averaged:
    """What the step came to.

    Attributes:
        outcome: the ensemble, or the network from before where it is not ahead.
        found: what was chosen, with its honest loss; None where the budget let fewer than two networks finish.
        configs: of the members that have a weight.
    """

    outcome: Outcome
    found: Ensemble | None
    configs: tuple[Config, ...]

    def to_json(self) -> Json:
        """What the journal keeps of it, so that `rejoined` finds the same ensemble."""
        return {
            "ensemble": None if self.found is None else self.found.to_json(),
            "members": [config.to_json() for config in self.configs],
        }


def networks_affordable(bench: Bench, config: Config) -> int:
    """How many networks with seeds of their own the rest of the budget pays for."""
    return min(bench.purse.affordable(config, share=SHARE), MOST_NETWORKS)


def ensemble_step(bench: Bench, before: Outcome, *, parents: Sequence[Config], step: int) -> Averaged:
    """Train the parents with new seeds, and average those that do best together.

    The ensemble takes the place of `before` when it is ahead on rows that did not choose it: chosen on one half of dev
    and measured on the other, both ways.
    """
    planned = bench.recall("plan", f"{step}/networks", lambda: {"networks": networks_affordable(bench, before.config)})
    witnesses = [] if before.config in parents else reseeded([before.config], networks=WITNESSES)
    configs = reseeded(parents, networks=max(planned["networks"] - len(witnesses), FEWEST_NETWORKS))
    ended = [outcome for outcome in bench.train([*configs, *witnesses]) if outcome.status is Status.FINISHED]
    trained = [outcome for outcome in ended if outcome.config in configs]
    if len(trained) < FEWEST_NETWORKS:
        return Averaged(before, None, ())
    found = replace(_chosen(bench, before, trained), honest_single=_worth(before, ended))
    if not found.is_ahead:
        return Averaged(before, found, ())
    candidates, weights = [before, *trained], found.weights
    outcome = joined(candidates, weights, data=bench.data, goal=bench.goal)
    if worse_p(bench.dev_losses(outcome), bench.dev_losses(before)) < SURELY_WORSE:
        return Averaged(before, found, ())
    return Averaged(outcome, found, tuple(each.config for each in candidates if each.identity in weights))


def _chosen(bench: Bench, before: Outcome, trained: Sequence[Outcome]) -> Ensemble:
    """The average of all alike, or the greedy one where that is ahead on rows that did not choose it."""
    target, goal = bench.data.dev.target, bench.goal
    alike = plain_ensemble(trained, target, goal=goal)
    by = Goal("log_loss") if goal.name == "error" else goal
    greedy = select_ensemble([before, *trained], target, goal=goal, by=by, seed=before.config.seed)
    ahead = greedy.honest_loss is not None and greedy.honest_loss < alike.loss
    return greedy if ahead and len(greedy.picks) > 1 else alike


def _worth(before: Outcome, trained: Sequence[Outcome]) -> float:
    """Dev loss of networks trained as `before` was, with other seeds; its own where there are none."""
    seed = before.config.seed
    alike = [each.losses["dev"] for each in trained if replace(each.config, seed=seed) == before.config]
    return mean(alike) if alike else before.losses["dev"]


def rejoined(bench: Bench, body: Json) -> Outcome:
    """The ensemble that an earlier session journaled, of trainings that are remembered."""
    members = [bench.outcome_of(Config.from_json(config)) for config in body["members"]]
    picks = body["ensemble"]["picks"]
    # Journals of the first version name picks by their member alone.
    weights = {pick.get("identity", pick["member"]): pick["weight"] for pick in picks}
    return joined(members, weights, data=bench.data, goal=bench.goal)


def reseeded(parents: Sequence[Config], *, networks: int) -> list[Config]:
    """So many configs, the parents in turns, each with a seed of its own."""
    return [
        replace(parents[place % len(parents)], seed=parents[place % len(parents)].seed + 1 + place)
        for place in range(networks)
    ]
