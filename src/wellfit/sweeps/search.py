"""The sweep: train every member, choose by dev, and lay out what lambda and keep_prob did."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wellfit._typing import Json
from wellfit.config import Config, shrink_of, weight_decay_of
from wellfit.data.prepare import Prepared
from wellfit.goals import Goal
from wellfit.outcome import Outcome
from wellfit.stats.scores import row_losses
from wellfit.sweeps.executor import Executor, OnOutcome, ignore_outcome
from wellfit.sweeps.selection import Choice, TrainLimit, choose, mean_keep_prob, warnings_of
from wellfit.sweeps.space import Interval, Space, configs_of, default_grid


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A finished sweep.

    Attributes:
        over: the knobs searched and their values.
        rows: m, the training rows, by which lambda converts to weight_decay and shrink.
        members: outcomes in the order of the configs; those that the deadline kept from starting are missing.
        planned: how many members were meant to be trained.
    """

    over: Space
    rows: int
    members: tuple[Outcome, ...]
    planned: int
    choice: Choice
    limit: TrainLimit | None
    warnings: tuple[str, ...]
    seconds: float

    @property
    def best(self) -> Outcome:
        """The member with the lowest dev loss."""
        return self.choice.best

    @property
    def chosen(self) -> Outcome:
        """The simplest member within one standard error of the best."""
        return self.choice.chosen

    def path(self) -> list[Json]:
        """The lambda path: members with the chosen keep_prob, by rising lambda.

        Each row has l2, weight_decay, shrink, keep_prob, train, dev and norm (||W||). Where no other member shares
        the chosen keep_prob, all members are on it.
        """
        rows = sorted((self._row(member) for member in self.members), key=lambda row: row["l2"])
        same = [row for row in rows if row["keep_prob"] == self._row(self.chosen)["keep_prob"]]
        return same if len(same) > 1 else rows

    def to_json(self) -> Json:
        """The journal's "sweep" entry."""
        return {
            "over": {name: _values_to_json(values) for name, values in self.over.items()},
            "members": [self._row(member) for member in self.members],
            "planned": self.planned,
            "best": self.best.config.identity,
            "chosen": self.chosen.config.identity,
            "tied": [member.config.identity for member in self.choice.tied],
            "path": [row["identity"] for row in self.path()],
            "warnings": list(self.warnings),
            "optimal": None
            if self.limit is None
            else {"high": self.limit.reference_high, "tolerance": self.limit.tolerance},
            "seconds": self.seconds,
        }

    def _row(self, member: Outcome) -> Json:
        config, l2 = member.config, member.config.regularization.l2
        return {
            "identity": config.identity,
            "l2": l2,
            "keep_prob": mean_keep_prob(config),
            "weight_decay": weight_decay_of(l2, rows=self.rows),
            "shrink": shrink_of(l2, rows=self.rows, lr=config.optimization.lr),
            "train": member.losses["train"],
            "dev": member.losses["dev"],
            "norm": member.weight_norm,
            "norms": list(member.weight_norms),
            "effects": dict(member.effects),
            "knobs": self._other_knobs(config),
            "status": member.status.value,
        }

    def _other_knobs(self, config: Config) -> Json:
        """What was searched beside lambda and keep_prob, other regularizers that are on, and early stopping."""
        body = config.to_json()
        shown = {*body["regularization"], "early_stopping", *self.over} - {"l2", "keep_prob"}
        knobs = {**body["network"], **body["optimization"], **body["regularization"]}
        return {name: knobs[name] for name in sorted(shown) if name in knobs}


def sweep(  # noqa: PLR0913 - the executor's and the choice's options in one call
    data: Prepared,
    config: Config,
    *,
    executor: Executor,
    goal: Goal,
    over: Space | None = None,
    members: int | None = None,
    limit: TrainLimit | None = None,
    baseline: float = math.inf,
    known: Iterable[Outcome] = (),
    deadline: float | None = None,
    on_outcome: OnOutcome = ignore_outcome,
) -> Sweep:
    """Train `config` with other knobs, and choose among the members by the one-standard-error rule.

    Args:
        data: the prepared parts, the same that the executor has.
        config: everything that the sweep does not change.
        executor: trains the members.
        goal: in whose loss members are compared.
        over: knob -> values; by default lambda x keep_prob, sized to `members`.
        members: how many trainings are affordable (a grid decides by itself).
        limit: where lambda over-smooths; None where there is no reference.
        baseline: dev loss that the choice must not exceed.
        known: outcomes of earlier runs: members among them are not trained again.
        deadline: `time.monotonic()`, after which no member is started.
        on_outcome: is called in this process for every newly trained member.

    Raises:
        BadInput: for a space that cannot be searched, before any training.
        Refusal: when no member was trained to a finite loss.
    """
    began = time.monotonic()
    rows = data.train.rows
    space = over or default_grid(config, rows=rows, **({} if members is None else {"members": members}))
    configs = configs_of(config, space, rows=rows, members=members if over else None)
    outcomes = _outcomes(configs, executor, known=known, deadline=deadline, on_outcome=on_outcome)
    dev_losses = {
        outcome.config.identity: row_losses(goal, data.dev.target, outcome.predictions["dev"]) for outcome in outcomes
    }
    choice = choose(outcomes, dev_losses, limit=limit, baseline=baseline)
    missing = len(configs) - len(outcomes)
    unstarted = [f"Time ran out before {missing} of {len(configs)} members started."] if missing else []
    return Sweep(
        over=space,
        rows=rows,
        members=tuple(outcomes),
        planned=len(configs),
        choice=choice,
        limit=limit,
        warnings=(*warnings_of(outcomes, choice, limit=limit), *unstarted),
        seconds=time.monotonic() - began,
    )


def _outcomes(
    configs: Sequence[Config],
    executor: Executor,
    *,
    known: Iterable[Outcome],
    deadline: float | None,
    on_outcome: OnOutcome,
) -> list[Outcome]:
    found = {outcome.config.identity: outcome for outcome in known}
    missing = [config for config in configs if config.identity not in found]
    trained = executor.train(missing, deadline=deadline, on_outcome=on_outcome) if missing else []
    found |= {outcome.config.identity: outcome for outcome in trained}
    return [found[config.identity] for config in configs if config.identity in found]


def _values_to_json(values: Interval | Sequence[Any]) -> Any:
    if isinstance(values, Interval):
        return {"low": values.low, "high": values.high, "log": values.log}
    return list(values)
