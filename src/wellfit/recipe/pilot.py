"""A pilot: the trials of all remedies of a board, trained side by side, before one of them is taken.

What a remedy has won elsewhere says little about these rows, and networks that fuse are cheap to train together. Where
the budget does not pay for all trials, each remedy has some of them, in turns. A remedy whose trials do not help is not
taken up again; of the others the one that does best on dev is taken. Against variance a sweep is taken when a trial of
it is not surely behind: it has many more of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from wellfit.config import Config
from wellfit.outcome import Outcome
from wellfit.recipe.judge import helpful, is_behind
from wellfit.recipe.remedies.remedy import Remedy
from wellfit.recipe.turn import Work

FIRST_SHARE, LATER_SHARE = 0.5, 0.25
"""Of what is left of the budget: the most that a pilot may cost before the first step of a run, and a later one."""
FEWEST_REMEDIES = 2
"""Where there is one, there is nothing to choose."""


def piloted(work: Work, remedies: Sequence[Remedy]) -> Work:
    """The work with what a pilot of these remedies came to; as it was where the budget does not allow one.

    Args:
        work: where the recipe stands.
        remedies: of one board, those that may be taken.
    """
    wanted = {remedy.kind: found for remedy in remedies if (found := remedy.pilot(work))}
    if len(wanted) < FEWEST_REMEDIES:
        return work
    configs = affordable(work, wanted)
    if not all(any(trial in configs for trial in found) for found in wanted.values()):
        return work
    board = remedies[0].board
    work.bench.notify({"event": "pilot", "board": board, "networks": len(configs)})
    trained = {outcome.config.identity: outcome for outcome in work.bench.train(configs)}
    trials = {
        kind: [trained[each.identity] for each in found if each.identity in trained] for kind, found in wanted.items()
    }
    helped = {kind: helpful(work, found, board) for kind, found in trials.items()}
    return replace(
        work,
        piloted=(*work.piloted, *trained.values()),
        favourite=_favourite(work, remedies, trials=trials, helped=helped),
        without_gain=work.without_gain | _hopeless(remedies, helped),
    )


def affordable(work: Work, wanted: Mapping[str, Sequence[Config]]) -> list[Config]:
    """The trials that a pilot pays for: the first of every remedy, then the second of every one, and so on."""
    share = FIRST_SHARE if work.turn.step == 0 else LATER_SHARE
    rest, taken = share * work.bench.purse.remaining, dict[str, Config]()
    for trial in _in_turns(wanted):
        cost = work.bench.purse.cost(trial)
        if trial.identity not in taken and cost <= rest:
            taken[trial.identity] = trial
            rest -= cost
    return list(taken.values())


def _in_turns(wanted: Mapping[str, Sequence[Config]]) -> Iterator[Config]:
    rounds = itertools.zip_longest(*wanted.values())
    return (trial for each in rounds for trial in each if trial is not None)


def _hopeless(remedies: Sequence[Remedy], helped: Mapping[str, Sequence[Outcome]]) -> frozenset[str]:
    """The kinds that did not help; a sweep has more to try than its pilot showed."""
    return frozenset(
        remedy.kind for remedy in remedies if not remedy.is_wide and not helped.get(remedy.kind, (remedy,))
    )


def _favourite(
    work: Work,
    remedies: Sequence[Remedy],
    *,
    trials: Mapping[str, Sequence[Outcome]],
    helped: Mapping[str, Sequence[Outcome]],
) -> str | None:
    found = [outcome for outcomes in helped.values() for outcome in outcomes]
    if not found:
        return None
    best = min(found, key=lambda outcome: outcome.losses["dev"])
    wide = (remedy.kind for remedy in remedies if remedy.is_wide)
    level = (kind for kind in wide if any(not is_behind(work, trial, best) for trial in trials.get(kind, ())))
    return next(level, None) or next(kind for kind, outcomes in helped.items() if best in outcomes)
