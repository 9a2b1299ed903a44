"""The goals that a user can name: one table of everything in which they differ.

The losses are computed in `wellfit.stats`; no other module makes its behaviour depend on a goal's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from wellfit.exceptions import BadInput

if TYPE_CHECKING:
    from wellfit.base.typing import Floats, Integers, Task
    from wellfit.stats.intervals import Estimate
    from wellfit.stats.scores import Metric, Targets

Reads = Literal["labels", "order", "probabilities", "values"]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One goal: reported as a score in its own unit, compared as a loss (lower is better).

    Attributes:
        name: name that users write.
        noun: name in sentences and columns.
        reads: what it scores: the likeliest class, the order or the values of probabilities, or predicted values.
        loss_noun: unit of a difference of losses; "points" for a rate, which is written in hundredths.
        is_rate: whether the loss is in [0, 1].
        is_percent: whether the score is written as a percentage.
        higher_is_better: whether the loss is 1 - score.
        is_squared: whether the loss is the square of the score, so that scores do not subtract as losses do.
        counts_rows: whether the loss is a share of the rows, each of which is right or wrong.
    """

    name: str
    noun: str
    reads: Reads
    loss_noun: str = "points"
    is_rate: bool = False
    is_percent: bool = False
    higher_is_better: bool = False
    is_squared: bool = False
    counts_rows: bool = False

    @property
    def task(self) -> Task:
        """The task to which this goal belongs."""
        return "regression" if self.reads == "values" else "classification"

    @property
    def needs_probabilities(self) -> bool:
        """Whether predicted labels are not enough."""
        return self.reads in ("order", "probabilities")

    @property
    def smooth(self) -> Goal:
        """The goal whose loss chooses ensembles: log loss for errors, because it varies less with the rows."""
        return GOALS["log_loss"] if self.counts_rows else self

    @property
    def metric(self) -> Metric:
        """The metric that computes its loss."""
        return _metrics()[self.name]

    def score_of(self, loss: float) -> float:
        """Return the score in the goal's own unit that corresponds to `loss`."""
        if self.higher_is_better:
            return 1 - loss
        return loss**0.5 if self.is_squared else loss

    def loss_of(self, score: float) -> float:
        """Return the loss that corresponds to `score`, the inverse of `score_of`."""
        if self.higher_is_better:
            return 1 - score
        return score**2 if self.is_squared else score

    def in_unit(self, found: Estimate) -> Estimate:
        """Return a loss as the goal's own score; the limits are swapped if higher is better."""
        # A t-interval of a squared error can reach below 0, where it has no root.
        low, high = sorted(self.score_of(max(limit, 0.0)) for limit in (found.low, found.high))
        return replace(found, value=self.score_of(found.value), low=low, high=high, binomial=False)

    def row_losses(self, target: Targets, prediction: Floats) -> Floats:
        """Return losses [rows] whose mean is the goal's loss; see `Metric`."""
        return self.metric.row_losses(target, prediction)

    def loss(self, target: Targets, prediction: Floats) -> float:
        """Return the goal's loss: the mean of `row_losses`."""
        return self.metric.loss(target, prediction)

    def refined_losses(self, target: Targets, prediction: Floats) -> Floats:
        """Return the goal's losses [rows]; for an error, losses of the same ranking that vary less with the rows."""
        from wellfit.stats.calibration import refined_losses

        return refined_losses(target, prediction) if self.counts_rows else self.row_losses(target, prediction)

    def estimate(self, target: Targets, prediction: Floats, *, groups: Integers | None = None) -> Estimate:
        """Return the goal's loss with its 95 % interval; rows that share `groups` [rows] are resampled together."""
        return self.metric.estimate(target, prediction, groups=groups)


GOALS: Mapping[str, Goal] = {
    goal.name: goal
    for goal in (
        Goal(name="error", noun="error", reads="labels", is_rate=True, is_percent=True, counts_rows=True),
        Goal(name="balanced_error", noun="balanced error", reads="labels", is_rate=True, is_percent=True),
        Goal(name="log_loss", noun="log loss", reads="probabilities", loss_noun="log loss"),
        Goal(name="auc", noun="AUC", reads="order", is_rate=True, higher_is_better=True),
        Goal(name="f1", noun="F1", reads="labels", is_rate=True, higher_is_better=True),
        Goal(name="rmse", noun="RMSE", reads="values", loss_noun="MSE", is_squared=True),
        Goal(name="mae", noun="MAE", reads="values", loss_noun="MAE"),
        Goal(name="r2", noun="R²", reads="values", loss_noun="1 - R²", higher_is_better=True),
    )
}


@cache
def _metrics() -> Mapping[str, Metric]:
    # Late: the command line lists the goals, and numpy and scipy would make its help slow.
    from wellfit.stats import scores
    from wellfit.stats.auc import AreaAboveCurve
    from wellfit.stats.f1 import MacroF1Loss

    return {
        "error": scores.ErrorRate(),
        "balanced_error": scores.BalancedErrorRate(),
        "log_loss": scores.LogLoss(),
        "auc": AreaAboveCurve(),
        "f1": MacroF1Loss(),
        "rmse": scores.SquaredError(),
        "mae": scores.AbsoluteError(),
        "r2": scores.UnexplainedVariance(),
    }


def goal_named(name: str, *, task: Task | None = None) -> Goal:
    """Return the goal with this name; BadInput for an unknown one or one of another task."""
    goal = GOALS.get(name)
    if goal is None:
        raise BadInput(f"a goal must be one of {', '.join(GOALS)}", found=repr(name), remedy="Choose one of them")
    if task is not None and goal.task != task:
        raise BadInput(
            f"goal {name} must be used with a {goal.task} target",
            found=f"a {task} target",
            remedy="Choose another --goal, or set --task",
        )
    return goal


def default_goal(task: Task) -> Goal:
    """Return `error` for classification, `rmse` for regression."""
    return GOALS["rmse" if task == "regression" else "error"]
