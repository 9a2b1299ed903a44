"""Round again: where regularizing has brought bias back, the optimization board has another turn.

Bias is fought with every regularizer at zero, so the loop goes back to the last network without them, when that one is
biased itself. When it is not, the regularizers are what holds train up: then they stay locked where the sweep has set
them, and a network that fits better beside them is looked for. What the better network needs of regularization is found
out anew.
"""

from __future__ import annotations

from dataclasses import replace

from wellfit._typing import Json
from wellfit.recipe.pick import is_called, ranking
from wellfit.recipe.remedies.catalogue import BY_BOARD
from wellfit.recipe.turn import Turn, Work

MOST_ROUNDS = 3
SHARE = 0.5
"""Share of what is left of the budget that another round may spend on bias; the rest is for regularizing again."""

_KINDS = {board: frozenset(remedy.kind for remedy in remedies) for board, remedies in BY_BOARD.items()}


def around_again(work: Work, turn: Turn) -> Turn:
    """Where the recipe goes on after a step: another round where the bias came back, else where it stands.

    Args:
        work: where the recipe stood before the step.
        turn: where it stands now.
    """
    fits_better = turn.board == "optimization" and turn.outcome is not work.turn.outcome
    if turn.round > 1 and fits_better:
        return replace(turn, exhausted=turn.exhausted - _KINDS["regularization"])
    came_back = turn.board == "regularization" and turn.outcome is not turn.plain and _is_biased(turn)
    if not came_back or turn.round == MOST_ROUNDS:
        return turn
    after = replace(work, turn=turn)

    def decide() -> Json:
        return {"from": next((name for name in _STARTS if _can_go(replace(after, turn=_start(after, name)))), None)}

    start = work.bench.recall("plan", f"{turn.step}/round", decide)["from"]
    if start is None:
        return turn
    work.bench.notify({"event": "round", "round": turn.round + 1, "from": start})
    return _start(after, start)


_STARTS = ("without regularizers", "with them")


def _is_biased(turn: Turn) -> bool:
    bias = turn.gap("optimization")
    return bias is not None and bias.verdict == "yes"


def _start(work: Work, name: str) -> Turn:
    turn = replace(work.turn, round=work.turn.round + 1, reserved=(1 - SHARE) * work.bench.purse.remaining)
    if name == "with them":
        return replace(turn, exhausted=turn.exhausted - _KINDS["optimization"])
    return replace(turn, outcome=turn.plain, diagnosis=work.bench.diagnose(turn.plain))


def _can_go(work: Work) -> bool:
    return _is_biased(work.turn) and is_called(work, "optimization") and bool(ranking(work, "optimization"))
