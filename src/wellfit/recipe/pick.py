"""Which remedy comes next: bias before variance, and on that board the best expected gain for its cost."""

from __future__ import annotations

from wellfit._typing import Board
from wellfit.recipe.remedies.catalogue import BY_BOARD, REMEDIES
from wellfit.recipe.remedies.remedy import Remedy
from wellfit.recipe.turn import Work


def next_remedy(work: Work) -> Remedy | None:
    """The remedy of the next step; None when the gaps are fine, nothing is left to try, or the budget is too small.

    A step that an earlier session took is taken again, whatever the clock says now.
    """
    remembered = work.bench.remembered_step(work.turn.step + 1)
    if remembered is not None:
        return REMEDIES[str(remembered["kind"])]
    return next((ranked[0] for board in BY_BOARD if (ranked := ranking(work, board))), None)


def ranking(work: Work, board: Board) -> list[Remedy]:
    """The remedies of a board that may be taken now, best first; none where its gap does not call for them."""
    if not work.turn.wants(board) or (board == "optimization" and not _has_its_share(work)):
        return []
    found = [each for each in applicable(work, board) if each.is_affordable(work)]
    return sorted(found, key=lambda remedy: -remedy.expected(work).rate)


def applicable(work: Work, board: Board) -> list[Remedy]:
    """The remedies of a board that are not exhausted, allowed, and have something to try."""
    return [
        remedy
        for remedy in BY_BOARD[board]
        if remedy.kind not in work.turn.exhausted
        and (work.rules.early_stopping or not remedy.coupled)
        and remedy.price(work) is not None
    ]


def _has_its_share(work: Work) -> bool:
    """Whether fighting bias leaves what is reserved for regularization, where that may become necessary."""
    return work.bench.purse.remaining > (work.turn.reserved if work.turn.may_overfit else 0)
