"""Which remedy comes next: bias before variance, and on that board the best expected gain for its cost.

What is expected comes from what remedies have won elsewhere; where the budget allows it, a pilot shows what they win
here.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellfit._typing import Board
from wellfit.recipe.pilot import piloted
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
