"""What the person at the helm asked of a run: which remedies and knobs it may touch, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from wellfit.config import Config, Network, Optimization, Regularization
from wellfit.exceptions import BadInput
from wellfit.recipe.remedies.change import turned

NEVER_TURNED = frozenset({"module", "batch_size", "schedule", "betas", "l2_schedule", "keep_prob_schedule"})
"""Knobs that no remedy turns: fixing all others leaves nothing to do."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of one run.

    Attributes:
        only: carry out this one remedy, whatever the diagnosis says.
        ensemble: whether several networks may be averaged, which takes their time and room at prediction.
        early_stopping: whether dev may choose the epoch; that couples the boards, so it is off unless asked for.
        fixed: knobs that no step may turn.
        idea: why, in the user's words; kept with each step.
    """

    only: str | None = None
    ensemble: bool = True
    early_stopping: bool = False
    fixed: frozenset[str] = frozenset()
    idea: str | None = None

    def allowed(self, config: Config, trials: Iterable[Config]) -> tuple[Config, ...]:
        """The trials that leave the fixed knobs as they are in `config`."""
        return tuple(trial for trial in trials if not turned(config, trial) & self.fixed)


def require_free_knobs(fixed: Iterable[str]) -> None:
    """Refuse locks that leave no knob to turn.

    Raises:
        BadInput: when every knob of both boards is fixed.
    """
    known = {knob.name for board in (Network, Optimization, Regularization) for knob in fields(board)}
    if known - NEVER_TURNED <= set(fixed):
        raise BadInput(
            "a run needs at least one knob that it may turn",
            found="every knob of both boards fixed",
            remedy="Take some out of [network], [optimization] or [regularization], or train it once: `wellfit train`",
        )
