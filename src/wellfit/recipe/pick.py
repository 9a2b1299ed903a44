"""Which remedy comes next: bias before variance, and on that board the best expected gain for its cost.

What is expected comes from what remedies have won elsewhere; where the budget allows it, a pilot shows what they win
here.
A pilot: the trials of all remedies of a board, trained side by side, before one of them is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from wellfit._typing import Board
from wellfit.config import Config
from wellfit.outcome import Outcome
from wellfit.recipe.expectation import helpful, is_behind
from wellfit.recipe.remedies.catalogue import BY_BOARD, FIRST, REMEDIES
from wellfit.recipe.remedies.remedy import Remedy
from wellfit.recipe.turn import Work


@dataclass(frozen=True)
class Pick:
    """The remedy of the next step, and the work with what pilots came to."""

    remedy: Remedy | None
    work: Work


def next_remedy(work: Work) -> Pick:
    """The remedy of the next step; none when the gaps are fine, nothing is left to try, or the budget is too small.

    A step that an earlier session took is taken again, whatever the clock says now.
    """
    remembered = work.bench.remembered_step(work.turn.step + 1)
    if remembered is not None:
        return Pick(REMEDIES[str(remembered["kind"])], work)
    for remedy in FIRST:
        if remedy.kind not in work.turn.exhausted and remedy.is_affordable(work):
            return Pick(remedy, work)
    for board in BY_BOARD:
        if is_called(work, board):
            work = piloted(work, applicable(work, board))
            if ranked := ranking(work, board):
                return Pick(ranked[0], work)
    return Pick(None, work)


def ranking(work: Work, board: Board) -> list[Remedy]:
    """The remedies of a board that the budget allows, best first."""
    found = [each for each in applicable(work, board) if each.is_affordable(work)]
    return sorted(found, key=lambda remedy: (remedy.kind != work.favourite, -remedy.expected(work).rate))


def applicable(work: Work, board: Board) -> list[Remedy]:
    """The remedies of a board that a gap calls for, not exhausted, allowed, and with something to try."""
    done = work.turn.exhausted | work.without_gain
    return [
        remedy
        for remedy in BY_BOARD[board]
        if remedy.kind not in done
        and (work.rules.early_stopping or not remedy.needs_leave)
        and work.turn.wants(board, remedy.closes)
        and remedy.price(work) is not None
    ]


def is_called(work: Work, board: Board) -> bool:
    """Whether a gap calls for the board; bias has a share of the budget only, where regularizing may be needed."""
    wanted = any(work.turn.wants(board, remedy.closes) for remedy in BY_BOARD[board])
    return wanted and (board != "optimization" or _has_its_share(work))


def _has_its_share(work: Work) -> bool:
    return work.bench.purse.remaining > (work.turn.reserved if work.turn.may_overfit else 0)


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
