"""Where the recipe stands after a step, and which gap each board closes."""

from __future__ import annotations

from dataclasses import dataclass

from wellfit._typing import Board
from wellfit.config import Config
from wellfit.data.training_rows import rows_trained_on
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.gaps import Gap
from wellfit.gaps import GAP_OF_BOARD, GapName
from wellfit.outcome import Outcome
from wellfit.recipe.context import RunContext
from wellfit.recipe.rules import Rules


@dataclass(frozen=True, kw_only=True)
class RecipeState:
    """Where the recipe stands.

    Attributes:
        step: number of the last step; 0 is the first network.
        board: the board that it turned.
        reserved: part of the budget that is kept for regularization.
        first: what the first network came to.
        plain: the last network whose regularizers stood where the first network's do (at zero, unless fixed).
        outcome: what the network of now came to.
        diagnosis: of that network.
        exhausted: remedies that did not help, or have no trial left.
        unsure: boards that were turned on a "cannot tell": once is enough.
        round: how often bias has been fought: regularizing may bring it back.
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
        """Whether the variance is not known to be inside the tolerance."""
        variance = self.diagnosis.gap("variance")
        return variance is not None and variance.verdict != "no"

    def gap(self, board: Board) -> Gap | None:
        """The gap that a board closes, but for what its remedies say otherwise."""
        return self.diagnosis.gap(GAP_OF_BOARD[board].name)

    def wants(self, board: Board, closes: GapName) -> bool:
        """Whether this board is to be turned against a gap: it is high, or leans high and the board was not turned."""
        gap = self.diagnosis.gap(closes)
        if gap is None or gap.verdict == "no":
            return False
        return gap.verdict == "yes" or (gap.value > self.diagnosis.tolerance and board not in self.unsure)


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """What a remedy is handed.

    Attributes:
        run: data, engine, budget and what the journal recalls.
        state: where the recipe stands.
        rules: of the run.
        piloted: networks that the pilot of this step has trained and paid for.
        favourite: the kind of remedy that did best in it; none where no pilot was made, or nothing helped.
        without_gain: kinds that did not help in it.
    """

    run: RunContext
    state: RecipeState
    rules: Rules
    piloted: tuple[Outcome, ...] = ()
    favourite: str | None = None
    without_gain: frozenset[str] = frozenset()

    @property
    def config(self) -> Config:
        """Of the network of now."""
        return self.state.outcome.config

    @property
    def rows(self) -> int:
        """Training rows m of the network of now."""
        return rows_trained_on(self.run.data, self.config.data)

    def allowed(self, trials: tuple[Config, ...]) -> tuple[Config, ...]:
        """The trials that turn no fixed knob."""
        return self.rules.allowed(self.config, trials)
