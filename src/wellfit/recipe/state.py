"""The state of the recipe after a step, the context of the next step, and the gap that each board closes.

This file also contains the rules of a run: the remedies and knobs that it may use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wellfit.base.typing import Board
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.gaps import Gap
from wellfit.exceptions import BadInput
from wellfit.recipe.context import RunContext
from wellfit.records.config import BOARDS, Config, differing
from wellfit.records.gaps import GAP_OF_BOARD, GapName
from wellfit.records.knobs import KNOBS, knobs_of
from wellfit.records.outcome import Outcome
from wellfit.records.units import knob

Fixed = Mapping[str, Mapping[str, Any]]
"""The value at which a knob is fixed, by board and knob."""
EARLY_STOPPING = "early stopping turns both boards at once, so it must be allowed explicitly"
ALLOW_EARLY_STOPPING = "Add --allow-early-stopping"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of one run.

    With `only`, just that remedy is carried out, regardless of the diagnosis. Averaging (`ensemble`) costs time and
    memory at prediction. Early stopping couples the boards, so it is off unless it is asked for. `idea` is the user's
    reason, which is stored with each step, and `more_data` is the name of rows that may be added to train.
    """

    only: str | None = None
    ensemble: bool = True
    early_stopping: bool = False
    fixed_at: Fixed = field(default_factory=dict)
    idea: str | None = None
    more_data: str | None = None

    @property
    def fixed(self) -> frozenset[str]:
        """The names of the knobs that no step may turn."""
        return frozenset(knob for knobs in self.fixed_at.values() for knob in knobs)


def with_fixed(config: Config, fixed: Fixed) -> Config:
    """Set the fixed knobs; BadInput for an unknown board or knob, or for a value out of range."""
    body = config.to_json()
    for board, knobs in fixed.items():
        if board not in BOARDS:
            raise BadInput(
                f"a knob must belong to one of the boards {', '.join(BOARDS)}",
                found=repr(board),
                remedy="Correct the name",
            )
        body[board] = {**body[board], **knobs}
    return Config.from_json(body)


def require_free_knobs(fixed: Fixed, *, early_stopping: bool) -> None:
    """Refuse fixed knobs that contradict each other, or leave no knob to turn."""
    with_fixed(Config(), fixed)
    names = {knob for knobs in fixed.values() for knob in knobs}
    known = {knob.name for board in BOARDS for knob in knobs_of(board) if knob.turned}
    if known - (set() if early_stopping else {"early_stopping"}) <= names:
        raise BadInput(
            "a run must have at least one knob that it may turn",
            found="that every knob of both boards is fixed",
            remedy="Free some knobs in [network], [optimization] or [regularization], or train the config once with "
            "`wellfit train`",
        )
    if fixed.get("optimization", {}).get("early_stopping") is not None and not early_stopping:
        raise BadInput(
            EARLY_STOPPING,
            found="early_stopping fixed in [optimization]",
            remedy=f"{ALLOW_EARLY_STOPPING}, or remove it from [optimization]",
        )


def turned(before: Config, after: Config) -> frozenset[str]:
    """Return the knobs that differ between two configs, on the boards that a person turns; names are unique."""
    return frozenset(pair.knob for pair in differing(before, after) if pair.board in BOARDS)


def describe_change(before: Outcome, after: Outcome) -> str:
    """Describe the difference, such as "widths 64x64 -> 256x256, epochs 32 -> 64".

    Of an average it names the number of networks, and the knobs of the one with the largest weight as such.
    """
    knobs = [
        f"{KNOBS[name].words if name in KNOBS else name.replace('_', ' ')} {_shown(old)} -> {_shown(new)}"
        for _, name, old, new in differing(before.config, after.config)
    ]
    if before.networks != after.networks:
        heaviest = [f"the one of most weight has {knobs[0]}", *knobs[1:]] if knobs else []
        return ", ".join([f"networks {before.networks} -> {after.networks}", *heaviest])
    return ", ".join(knobs) or "nothing"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ("x" if all(isinstance(part, int) for part in value) else "/").join(map(_shown, value))
    if value is None or value is False or value == "":
        return "off"
    return knob(value) if isinstance(value, float) else str(value)


@dataclass(frozen=True, kw_only=True)
class RecipeState:
    """The state of the recipe after a step.

    Attributes:
        step: number of the last step; 0 is the first network.
        reserved: part of the budget that is reserved for regularization.
        plain: outcome of the last network with the regularizers of the first one (zero unless fixed).
        exhausted: remedies that did not help or have no trial left.
        unsure: boards that were turned after a "cannot tell" verdict, which happens only once.
        board: the board that the last step turned.
        round: number of times that bias was treated; regularizing may bring it back.
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
    def is_biased(self) -> bool:
        """True if the bias is significantly high."""
        bias = self.gap("optimization")
        return bias is not None and bias.verdict == "yes"

    @property
    def may_overfit(self) -> bool:
        """True unless the variance is known to be within the tolerance."""
        variance = self.diagnosis.gap("variance")
        return variance is not None and variance.verdict != "no"

    def gap(self, board: Board) -> Gap | None:
        """Return the gap that a board closes unless a remedy names another one."""
        return self.diagnosis.gap(GAP_OF_BOARD[board].name)

    def wants(self, board: Board, closes: GapName) -> bool:
        """Return True if a gap calls for this board: it is high, or probably high and not treated yet."""
        gap = self.diagnosis.gap(closes)
        if gap is None or gap.verdict == "no":
            return False
        return gap.verdict == "yes" or (gap.value > self.diagnosis.tolerance and board not in self.unsure)


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """The input of a remedy.

    Attributes:
        piloted: networks that the pilot of this step has trained and paid for.
        favourite: kind of the best remedy in the pilot; None without a pilot or if nothing helped.
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
        """The config of the current network."""
        return self.state.outcome.config

    @property
    def rows(self) -> int:
        """The number m of training rows of the current network."""
        return self.run.training_rows(self.config)

    def at(self, state: RecipeState) -> StepContext:
        """Return the context of the next step, before its pilot."""
        return StepContext(run=self.run, state=state, rules=self.rules)

    def allowed(self, trials: tuple[Config, ...]) -> tuple[Config, ...]:
        """Return the trials that turn no fixed knob, without periodic embeddings if there are no numbers."""
        data = self.run.data
        waveless = data is not None and not data.train.numeric.shape[1]
        return tuple(
            trial
            for trial in trials
            if not (
                turned(self.config, trial) & self.rules.fixed or (waveless and trial.network.embedding == "periodic")
            )
        )
