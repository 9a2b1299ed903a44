"""The state of the recipe after a step, the context of the next one, and the gap that each board closes."""

from __future__ import annotations

from dataclasses import dataclass

from wellfit.base.typing import Board
from wellfit.data.training_rows import rows_trained_on
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.gaps import Gap
from wellfit.recipe.context import RunContext
from wellfit.recipe.rules import Rules
from wellfit.records.config import Config
from wellfit.records.gaps import GAP_OF_BOARD, GapName
from wellfit.records.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class RecipeState:
    """The recipe after a step.

    Attributes:
        step: number of the last step; 0 is the first network.
        reserved: part of the budget that is kept for regularization.
        plain: outcome of the last network with the regularizers of the first one (zero, unless fixed).
        exhausted: remedies that did not help, or have no trial left.
        unsure: boards that were turned on a "cannot tell", which is done once.
        board: the board that the last step turned.
        round: number of times that bias was fought; regularizing may bring it back.
    """

    step: int
    reserved: float
    first: Outcome
    plain: Outcome
    outcome: Outcome
    diagnosis: Diagnosis
    exhausted: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()
    board: Board = "none"
    round: int = 1

    @property
    def may_overfit(self) -> bool:
        """True unless the variance is known to be inside the tolerance."""
        variance = self.diagnosis.gap("variance")
        return variance is not None and variance.verdict != "no"

    def gap(self, board: Board) -> Gap | None:
        """Return the gap that a board closes, unless a remedy names another one."""
        return self.diagnosis.gap(GAP_OF_BOARD[board].name)

    def wants(self, board: Board, closes: GapName) -> bool:
        """Return True if a gap calls for this board: it is high, or probably high and not fought yet."""
        gap = self.diagnosis.gap(closes)
        if gap is None or gap.verdict == "no":
            return False
        return gap.verdict == "yes" or (gap.value > self.diagnosis.tolerance and board not in self.unsure)


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """The input of a remedy.

    Attributes:
        piloted: networks that the pilot of this step has trained and paid for.
        favourite: kind of the best remedy in the pilot; None without a pilot, or if nothing helped.
        without_gain: kinds that did not help in the pilot.
    """

    run: RunContext
    state: RecipeState
    rules: Rules
    piloted: tuple[Outcome, ...] = ()
    favourite: str | None = None
    without_gain: frozenset[str] = frozenset()

    @property
    def config(self) -> Config:
        """Config of the current network."""
        return self.state.outcome.config

    @property
    def rows(self) -> int:
        """Number m of training rows of the current network."""
        return rows_trained_on(self.run.data, self.config.data)

    def at(self, state: RecipeState) -> StepContext:
        """Return the context of the next step, before any pilot of it."""
        return StepContext(run=self.run, state=state, rules=self.rules)

    def allowed(self, trials: tuple[Config, ...]) -> tuple[Config, ...]:
        """Return the trials that turn no fixed knob."""
        return self.rules.allowed(self.config, trials)
