"""The choice of the next remedy: bias before variance, and within a board the best expected gain for its cost.

The expected gains are those that remedies have had elsewhere. If the budget allows it, a pilot measures their gain
here: trials of all remedies of a board are trained side by side before one of them is taken. More data must come from a
person, and a deployment sample and a bigger dev set are only prescribed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wellfit.base.typing import Board
from wellfit.diagnosis.remedy_kinds import REMEDY_KINDS
from wellfit.exceptions import BadInput
from wellfit.recipe.context import RunContext
from wellfit.recipe.remedies.mismatch import AUGMENT_TOWARD, DROP_ROWS, MORE_DATA, REWEIGHT
from wellfit.recipe.remedies.optimization import OPTIMIZATION
from wellfit.recipe.remedies.regularization import CLOSING, REGULARIZATION
from wellfit.recipe.remedies.remedy import Remedy, helpful, is_behind
from wellfit.recipe.state import ALLOW_EARLY_STOPPING, EARLY_STOPPING, StepContext
from wellfit.records.config import Config
from wellfit.records.outcome import Outcome


@dataclass(frozen=True)
class Pick:
    """The remedy of the next step (None if there is none), and the context with the results of its pilot."""

    remedy: Remedy | None
    context: StepContext


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The remedies from which a run may choose.

    The remedies in `first` repair the measurement, those in `boards` are in the order of boards, and those in `closing`
    end the run. `kinds` maps a kind to its remedy. With `moves_on`, remedies against bias that did not help are tried
    again after another one has helped: a network that was too small gains nothing from more epochs, but a larger one
    may. With `polishes`, a run that had something to repair spends the rest of its budget on the coupled closing
    remedy even where every gap is within the tolerance by then.
    """

    first: tuple[Remedy, ...] = ()
    boards: Mapping[Board, tuple[Remedy, ...]]
    closing: tuple[Remedy, ...] = ()
    moves_on: bool = False
    polishes: bool = False

    @property
    def kinds(self) -> Mapping[str, Remedy]:
        """Every remedy by its kind."""
        on_boards = (each for remedies in self.boards.values() for each in remedies)
        return {each.kind: each for each in (*self.first, *on_boards, *self.closing)}


def shelf_of(run: RunContext) -> Shelf:
    """Return the remedies of a run: its own if it has any, and otherwise those for wellfit's networks."""
    return run.shelf if isinstance(run.shelf, Shelf) else OWN_NETWORKS


def next_remedy(context: StepContext) -> Pick:
    """Return the remedy of the next step, if there is an open gap with a remedy that the budget covers.

    A step of an earlier session is replayed regardless of the time that is left now.
    """
    shelf, remembered = shelf_of(context.run), context.run.remembered_step(context.state.step + 1)
    if remembered is not None:
        return Pick(shelf.kinds[str(remembered["kind"])], context)
    for remedy in shelf.first:
        if remedy.kind not in context.state.exhausted and remedy.is_affordable(context):
            return Pick(remedy, context)
    for board in shelf.boards:
        if is_called(context, board):
            context = piloted(context, applicable(context, board))
            if ranked := ranking(context, board):
                return Pick(ranked[0], context)
    return Pick(None, context)


def ranking(context: StepContext, board: Board) -> list[Remedy]:
    """Return the remedies of a board that the budget allows, best first."""
    found = [each for each in applicable(context, board) if each.is_affordable(context)]
    return sorted(found, key=lambda remedy: (remedy.kind != context.favourite, -remedy.expected(context).rate))


def applicable(context: StepContext, board: Board) -> list[Remedy]:
    """Return the board's remedies that a gap calls for and that are allowed, not exhausted, and have trials."""
    done = context.state.exhausted | context.without_gain
    return [
        remedy
        for remedy in shelf_of(context.run).boards.get(board, ())
        if remedy.kind not in done
        and (context.rules.early_stopping or not remedy.needs_leave)
        and context.state.wants(board, remedy.closes)
        and remedy.price(context) is not None
    ]


def is_called(context: StepContext, board: Board) -> bool:
    """Return True if a gap calls for the board; bias gets only a share of the budget if regularizing may be needed."""
    wanted = any(context.state.wants(board, remedy.closes) for remedy in shelf_of(context.run).boards.get(board, ()))
    kept = context.state.reserved if context.state.may_overfit else 0
    return wanted and (board != "optimization" or context.run.budget.remaining > kept)


FIRST_SHARE, LATER_SHARE = 0.5, 0.25
"""Largest share of the rest of the budget for a pilot, before the first step of a run and before later ones."""
FEWEST_REMEDIES = 2
"""Fewest remedies for a pilot; with a single one there is no choice."""


def piloted(context: StepContext, remedies: Sequence[Remedy]) -> StepContext:
    """Return the context with the results of a pilot of one board's remedies, if the budget allows a pilot."""
    wanted = {remedy.kind: found for remedy in remedies if (found := remedy.pilot(context))}
    if len(wanted) < FEWEST_REMEDIES:
        return context
    configs = affordable(context, wanted)
    if not all(any(trial in configs for trial in found) for found in wanted.values()):
        return context
    board = remedies[0].board
    context.run.notify({"event": "pilot", "board": board, "networks": len(configs)})
    trained = {outcome.config.identity: outcome for outcome in context.run.train(configs)}
    trials = {
        kind: [trained[each.identity] for each in found if each.identity in trained] for kind, found in wanted.items()
    }
    helped = {kind: helpful(context, found, board) for kind, found in trials.items()}
    # A sweep has more trials than its pilot tried.
    hopeless = {each.kind for each in remedies if not each.is_wide and not helped.get(each.kind, (each,))}
    return replace(
        context,
        piloted=(*context.piloted, *trained.values()),
        favourite=_favourite(context, remedies, trials=trials, helped=helped),
        without_gain=context.without_gain | hopeless,
    )


def affordable(context: StepContext, wanted: Mapping[str, Sequence[Config]]) -> list[Config]:
    """Return the trials that a pilot covers: the first of every remedy, then the second of each, and so on."""
    share = FIRST_SHARE if context.state.step == 0 else LATER_SHARE
    rest, taken = share * context.run.budget.remaining, dict[str, Config]()
    rounds = itertools.zip_longest(*wanted.values())
    for trial in (trial for each in rounds for trial in each if trial is not None):
        cost = context.run.budget.cost(trial)
        if trial.identity not in taken and cost <= rest:
            taken[trial.identity] = trial
            rest -= cost
    return list(taken.values())


def _favourite(
    context: StepContext,
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
    level = (kind for kind in wide if any(not is_behind(context, trial, best) for trial in trials.get(kind, ())))
    return next(level, None) or next(kind for kind, outcomes in helped.items() if best in outcomes)


DATA: tuple[Remedy, ...] = (AUGMENT_TOWARD, REWEIGHT, MORE_DATA)
"""Remedies that change the training rows."""
FIRST: tuple[Remedy, ...] = (DROP_ROWS,)
"""Remedies that repair the measurement, which are taken before any remedy that relies on it."""
BY_BOARD: Mapping[Board, tuple[Remedy, ...]] = {
    "optimization": OPTIMIZATION,
    "data": DATA,
    "regularization": REGULARIZATION,
}
"""The remedies in the order of boards: train is brought closer to dev before the sweep, which dev judges."""
OWN_NETWORKS = Shelf(first=FIRST, boards=BY_BOARD, closing=CLOSING)
"""The remedies from which a run of wellfit's own networks chooses."""
REMEDIES: Mapping[str, Remedy] = OWN_NETWORKS.kinds


def require_rows(only: str | None, more_data: object) -> None:
    """Refuse `--only more_data` without additional rows."""
    if only == MORE_DATA.kind and more_data is None:
        raise BadInput(
            "--only more_data must come with more rows",
            found=f"--only {only} without a file",
            remedy="Give them with --more-data FILE; `wellfit diagnose EXPERIMENT --refits 24` predicts their gain",
        )


def require_kind(only: str | None, *, early_stopping: bool = False) -> None:
    """Refuse a remedy that the recipe cannot carry out by itself, or for which a permission is missing."""
    if only is None:
        return
    if only not in REMEDIES:
        known = REMEDY_KINDS.get(only)
        raise BadInput(
            f"--only must be one of {', '.join(REMEDIES)}",
            found=repr(only),
            remedy=f"Only a person can carry out this remedy. {known.person}" if known else "Choose one of them",
        )
    if REMEDIES[only].needs_leave and not early_stopping:
        raise BadInput(
            EARLY_STOPPING, found=f"--only {only}", remedy=f"{ALLOW_EARLY_STOPPING}, or take --only regularize"
        )
