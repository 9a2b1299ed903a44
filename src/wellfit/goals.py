"""The goals a user can name, and the loss in which their gaps are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from wellfit._typing import Task
from wellfit.exceptions import BadInput

GoalName = Literal["error", "balanced_error", "log_loss", "auc", "rmse", "mae", "r2"]
GOALS: tuple[GoalName, ...] = get_args(GoalName)
_REGRESSION = ("rmse", "mae", "r2")


@dataclass(frozen=True)
class Goal:
    """One goal: reported in its own unit, compared as a loss (lower is better).

    auc -> 1 - auc and r2 -> 1 - r2; rmse is compared as MSE; the others are losses already.
    """

    name: GoalName

    @property
    def task(self) -> Task:
        """The task this goal belongs to."""
        return "regression" if self.name in _REGRESSION else "classification"

    @property
    def is_rate(self) -> bool:
        """Whether its loss lies in [0, 1] and reads well as a percentage."""
        return self.name in ("error", "balanced_error", "auc")

    def score_of(self, loss: float) -> float:
        """The score in the goal's own unit that belongs to `loss`."""
        if self.name in ("auc", "r2"):
            return 1 - loss
        return loss**0.5 if self.name == "rmse" else loss

    def loss_of(self, score: float) -> float:
        """The loss that belongs to `score`: the inverse of `score_of`."""
        if self.name in ("auc", "r2"):
            return 1 - score
        return score**2 if self.name == "rmse" else score


def goal_named(name: str, *, task: Task | None = None) -> Goal:
    """Look a goal up, and check that it fits the task.

    Raises:
        BadInput: for an unknown name, or a goal of the other task.
    """
    for known in GOALS:
        if name == known:
            goal = Goal(known)
            if task is not None and goal.task != task:
                raise BadInput(
                    f"goal {name} is for {goal.task}",
                    found=f"a {task} target",
                    remedy="Choose another --goal, or set --task",
                )
            return goal
    raise BadInput(f"a goal is one of {', '.join(GOALS)}", found=repr(name), remedy="Choose one of them")


def default_goal(task: Task) -> Goal:
    """`error` for classification, `rmse` for regression."""
    return Goal("rmse" if task == "regression" else "error")
