"""A pilot: a few trials of every remedy of a board, trained side by side, before one of them is taken.

What a remedy has won elsewhere says little about these rows, and networks that fuse are cheap to train together. A
remedy whose trials do not help is not taken up again. Of those that help against bias, several may close the gap: then
the one that does best on dev is taken, since more of train cannot be won. Against variance a sweep is taken when its
trials help and are not surely behind: it has many more of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wellfit.outcome import Outcome
from wellfit.recipe.judge import closing, helpful, is_behind
from wellfit.recipe.remedies.remedy import Remedy
from wellfit.recipe.turn import Work

PILOT_SHARE = 0.5
"""Of what is left of the budget: the most that a pilot may cost."""
FEWEST_REMEDIES = 2
"""Where there is one, there is nothing to choose."""


def piloted(work: Work, remedies: Sequence[Remedy]) -> Work:
    """The work with what a pilot of these remedies came to; as it was where the budget does not allow one.

    Args:
        work: where the recipe stands.
        remedies: of one board, those that may be taken.
    """
    trials = {remedy.kind: configs for remedy in remedies if (configs := remedy.pilot(work))}
    distinct = {config.identity: config for configs in trials.values() for config in configs}
    cost = sum(map(work.bench.purse.cost, distinct.values()))
    if len(trials) < FEWEST_REMEDIES or cost > PILOT_SHARE * work.bench.purse.remaining:
        return work
    board = remedies[0].board
    work.bench.notify({"event": "pilot", "board": board, "networks": len(distinct)})
    trained = {outcome.config.identity: outcome for outcome in work.bench.train(list(distinct.values()))}
    helped = {
        kind: helpful(work, [trained[each.identity] for each in configs if each.identity in trained], board)
        for kind, configs in trials.items()
    }
    return replace(
        work,
        piloted=(*work.piloted, *trained.values()),
        favourite=_favourite(work, remedies, helped),
        without_gain=work.without_gain | _hopeless(remedies, helped),
    )


def _hopeless(remedies: Sequence[Remedy], helped: Mapping[str, Sequence[Outcome]]) -> frozenset[str]:
    """The kinds that did not help; a sweep has more to try than its pilot showed."""
    return frozenset(
        remedy.kind for remedy in remedies if not remedy.is_wide and not helped.get(remedy.kind, (remedy,))
    )


def _favourite(work: Work, remedies: Sequence[Remedy], helped: Mapping[str, Sequence[Outcome]]) -> str | None:
    found = closing(work, [outcome for outcomes in helped.values() for outcome in outcomes], remedies[0].board)
    if not found:
        return None
    best = min(found, key=lambda outcome: outcome.losses["dev"])
    wide = [remedy.kind for remedy in remedies if remedy.is_wide]
    level = [kind for kind in wide if any(not is_behind(work, trial, best) for trial in helped.get(kind, ()))]
    return next(iter(level), None) or next(kind for kind, outcomes in helped.items() if best in outcomes)
