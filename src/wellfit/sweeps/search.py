"""The sweep: train every member, choose on dev, and show the effect of lambda and keep_prob.

It works in rounds: propose configs, train those that are not known yet, learn from their outcomes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from wellfit.base.rendering import Rendered
from wellfit.base.typing import Json
from wellfit.data.prepare import Prepared
from wellfit.data.training_rows import rows_trained_on
from wellfit.records.config import Config, Regularization, lambda_by_unit
from wellfit.records.goals import Goal
from wellfit.records.knobs import LAMBDA, SWEPT, knobs_of, own_name
from wellfit.records.outcome import Outcome, Status
from wellfit.records.units import Unit, knob
from wellfit.sweeps.ensemble import Ensemble, select_ensemble
from wellfit.sweeps.executor import Executor, OnOutcome, ignore_outcome
from wellfit.sweeps.forward_selection import MOST
from wellfit.sweeps.proposals import Proposals, proposals_of
from wellfit.sweeps.rungs import Rungs
from wellfit.sweeps.selection import Choice, TrainLimit, alike_best, choose, mean_keep_prob, warnings_of
from wellfit.sweeps.space import DEFAULT_MEMBERS, Interval, Space, default_grid
from wellfit.sweeps.usual import usual_space
from wellfit.training.monte_carlo import MonteCarlo, monte_carlo
from wellfit.training.tensors import require_labels

if TYPE_CHECKING:
    import pyarrow as pa

MOST_MONTE_CARLO_ROWS = 2_000
"""Maximum number of dev rows for measuring Monte-Carlo dropout, whose 30 passes then usually take under a second."""


@dataclass(frozen=True, kw_only=True)
class Sweep(Rendered):
    """A finished sweep.

    Attributes:
        over: the searched knobs and their values.
        rows: m, the number of training rows, used to convert lambda to weight_decay and shrink.
        members: outcomes in the order of the configs; members that could not start before the deadline are missing.
        planned: number of members that were planned.
        search: how members were proposed: "grid", "quasi-random" or "tpe".
        rungs: how members were compared while they trained; None if all were trained to the end.
        monte_carlo: gain of Monte-Carlo dropout for the chosen member; None if it has no dropout.
        ensemble: an average of members and the loss it would reach on dev, to compare with the chosen member.
        snapshots: snapshots of the members at the rungs, the best first, that an ensemble considers.
        breed: the members within one standard error of the lowest refined dev loss (stats/calibration.py), the best
            first; an ensemble is made from them.
    """

    goal: Goal
    over: Space
    rows: int
    members: tuple[Outcome, ...]
    planned: int
    choice: Choice
    limit: TrainLimit | None
    warnings: tuple[str, ...]
    seconds: float
    search: str = "grid"
    rungs: Rungs | None = None
    monte_carlo: MonteCarlo | None = None
    ensemble: Ensemble | None = None
    snapshots: tuple[Outcome, ...] = ()
    breed: tuple[Outcome, ...] = ()

    @property
    def best(self) -> Outcome:
        """The member with the lowest dev loss."""
        return self.choice.best

    @property
    def chosen(self) -> Outcome:
        """The simplest member within one standard error of the best; a snapshot of one, if rungs allow it."""
        return self.choice.chosen

    def __repr__(self) -> str:
        unit, kept = Unit(self.goal), self.chosen.config.regularization
        dev = f"dev {unit.noun} {unit.show(self.chosen.losses['dev'])}"
        chosen = f"chosen: l2 {knob(kept.l2)}, keep_prob {kept.keep_prob}, {dev}"
        return f"Sweep({len(self.members)} networks over {', '.join(self.over)}; {chosen})"

    def to_frame(self) -> pa.Table:
        """Return the members as an Arrow table, one a row: knobs, losses on train and dev, ||W||, status."""
        import pyarrow as pa

        rows = [self._row(member) for member in self.members]
        flat = [{name: value for name, value in row.items() if not isinstance(value, dict)} for row in rows]
        return pa.Table.from_pylist([{**each, **row["knobs"]} for each, row in zip(flat, rows, strict=True)])

    def path(self) -> list[Json]:
        """Return the lambda path: members with the chosen keep_prob, by rising lambda.

        Each row has l2, weight_decay, shrink, keep_prob, train, dev and norm (||W||). If no other member has the
        chosen keep_prob, the path has all members. Members dropped at a rung were measured too early to be on it.
        """
        whole = [self._row(member) for member in self.members if member.status is not Status.DROPPED]
        rows = sorted(whole, key=lambda row: row["l2"])
        same = [row for row in rows if row["keep_prob"] == self._row(self.chosen)["keep_prob"]]
        return same if len(same) > 1 else rows

    def to_json(self) -> Json:
        """Return the journal's "sweep" entry."""
        chosen, limit = self.chosen, self.limit
        snapshot = {"chosen_at": chosen.updates, "snapshot": self._row(chosen)} if chosen.is_snapshot else {}
        return {
            "over": {name: _values_to_json(values) for name, values in self.over.items()},
            "members": [self._row(member) for member in self.members],
            "planned": self.planned,
            "best": self.best.config.identity,
            "chosen": chosen.config.identity,
            **snapshot,
            "breed": [member.config.identity for member in self.breed],
            "tied": [member.config.identity for member in self.choice.tied],
            "path": [row["identity"] for row in self.path()],
            "warnings": list(self.warnings),
            "optimal": None if limit is None else {"high": limit.reference_high, "tolerance": limit.tolerance},
            "seconds": self.seconds,
            "search": self.search,
            "rungs": None if self.rungs is None else self.rungs.to_json(),
            "monte_carlo": None if self.monte_carlo is None else self.monte_carlo.to_json(),
            "ensemble": None if self.ensemble is None else self.ensemble.to_json(),
        }

    def _row(self, member: Outcome) -> Json:
        config = member.config
        regularizers = {knob.name for knob in knobs_of("regularization")}
        searched = {name: config.value_of(name) for name in map(own_name, self.over)}
        knobs = {**config.shown, **searched}
        shown = regularizers.union({"early_stopping"}, searched).difference(SWEPT)
        return {
            "identity": config.identity,
            "l2": config.regularization.l2,
            "keep_prob": mean_keep_prob(config),
            **lambda_by_unit(config, rows=self.rows),
            "train": member.losses["train"],
            "dev": member.losses["dev"],
            "norm": member.weight_norm,
            "norms": list(member.weight_norms),
            "effects": dict(member.effects),
            # Searched knobs, other regularizers that are on, and early stopping.
            "knobs": {name: value for name, value in sorted(knobs.items()) if name in shown},
            "status": member.status.value,
        }


def sweep(  # noqa: PLR0913 - the executor's and the choice's options in one call
    data: Prepared,
    config: Config,
    *,
    executor: Executor,
    goal: Goal,
    over: Space | Sequence[str] | None = None,
    members: int | None = None,
    limit: TrainLimit | None = None,
    baseline: float = math.inf,
    known: Iterable[Outcome] = (),
    seen: Iterable[Outcome] = (),
    deadline: float | None = None,
    rungs: Rungs | None = None,
    within: Within | None = None,
    on_outcome: OnOutcome = ignore_outcome,
) -> Sweep:
    """Train variants of `config` and choose one of the members by the one-standard-error rule.

    A grid or a quasi-random sequence is trained all at once; with three or more knobs and Optuna installed, the members
    are proposed in rounds, each of which learns from the previous ones.

    `executor` was made for the same data. `over` maps knobs to values, or names knobs, which get their usual ranges
    (usual.py); by default it is lambda x keep_prob, sized to the affordable `members` (a grid has its own number). The
    dev loss of the choice must not exceed `baseline`, and `limit` defines where lambda over-smooths. Members among the
    outcomes `known` are not trained again; Optuna learns from those `seen` in other training runs, if they are in the
    space. No member is started after the `deadline`, a `time.monotonic()`, or if `within` holds it back. With `rungs`,
    the schedule "coslog4", which anneals at each rung, replaces "cosine". A space that cannot be searched is refused
    before any training, and a sweep without a finite loss after it.
    """
    rows = rows_trained_on(data, config.data)
    if rungs and config.optimization.schedule == "cosine":
        config = config.with_knobs(schedule="coslog4")
    space, asked = _space(over, config, data=data, members=members)
    proposals, announced = proposals_of(config, space, rows=rows, members=asked, goal=goal, seen=seen)
    training = Training(
        executor=executor,
        known={outcome.config.identity: outcome for outcome in known},
        deadline=deadline,
        rungs=rungs,
        within=within,
        on_outcome=on_outcome,
    )
    outcomes, planned = train_in_rounds(proposals, training)
    choice, ensemble = _chosen(data, outcomes, training, goal=goal, limit=limit, baseline=baseline, seed=config.seed)
    remarks = _remarks(config, rungs, announced=announced, missing=planned - len(outcomes), planned=planned)
    return Sweep(
        goal=goal,
        over=space,
        rows=rows,
        members=tuple(outcomes),
        planned=planned,
        choice=choice,
        limit=limit,
        warnings=(*warnings_of(outcomes, choice, limit=limit), *remarks),
        seconds=time.monotonic() - training.began,
        search=proposals.name,
        rungs=rungs,
        monte_carlo=_monte_carlo(data, choice.chosen, goal=goal),
        ensemble=ensemble,
        snapshots=tuple(training.snapshots),
        breed=alike_best(outcomes, [goal.refined_losses(data.dev.target, one.predictions["dev"]) for one in outcomes]),
    )


def _chosen(
    data: Prepared,
    outcomes: Sequence[Outcome],
    training: Training,
    *,
    goal: Goal,
    limit: TrainLimit | None,
    baseline: float,
    seed: int,
) -> tuple[Choice, Ensemble]:
    """Return the choice among the members, and the ensemble that it competes with."""
    dev, snapshots = data.dev, training.snapshots
    candidates = [*outcomes, *snapshots] if training.rungs is not None and training.rungs.snapshots else outcomes
    losses = {each.identity: goal.row_losses(dev.target, each.predictions["dev"]) for each in candidates}
    choice = choose(candidates, losses, limit=limit, baseline=baseline)
    pool, rival = [*outcomes, *snapshots], choice.chosen
    return choice, select_ensemble(pool, dev.target, goal=goal, rival=rival, groups=dev.groups, seed=seed)


def _monte_carlo(data: Prepared, chosen: Outcome, *, goal: Goal) -> MonteCarlo | None:
    # The layers of a user's module are not ours to drop from without its factory.
    if mean_keep_prob(chosen.config) == 1 or chosen.config.network.module:
        return None
    return monte_carlo(data, chosen, goal=goal, most=MOST_MONTE_CARLO_ROWS)


def _space(
    over: Space | Sequence[str] | None, config: Config, *, data: Prepared, members: int | None
) -> tuple[Space, int | None]:
    """Return the space, and the number of members to propose in it; the default grid has its own size."""
    rows = rows_trained_on(data, config.data)
    if over is None:
        return default_grid(config, rows=rows, members=DEFAULT_MEMBERS if members is None else members), None
    if isinstance(over, Mapping):
        space = {LAMBDA.get(name, name): values for name, values in over.items()}
    else:
        names = [over] if isinstance(over, str) else over
        space = dict(usual_space([LAMBDA.get(name, name) for name in names], config, rows=rows))
    values = space.get("label_smoothing", ())
    most = values.high if isinstance(values, Interval) else max(values, default=0.0)
    require_labels(Regularization(label_smoothing=most), task=data.preparation.schema.task)
    return space, members


def _remarks(
    config: Config, rungs: Rungs | None, *, announced: Sequence[str], missing: int, planned: int
) -> Sequence[str]:
    found = [f"Time ran out before {missing} of {planned} members started."] if missing else []
    found += announced
    schedule = config.optimization.schedule
    if rungs is not None and schedule != "coslog4":
        found.append(
            f"Members were compared at rungs where the schedule {schedule} is far from 0, so their dev losses there "
            "predict the final ones less well; coslog4 anneals to 0 at each rung."
        )
    return found


def _values_to_json(values: Interval | Sequence[Any]) -> Any:
    if isinstance(values, Interval):
        return values.to_json()
    return [value.item() if isinstance(value, np.generic) else value for value in values]


Within = Callable[[Sequence[Config]], Sequence[Config]]
"""A function that returns as many of the first configs as may be trained."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Trains configs that are not `known` yet, as many as `within` lets through.

    After an interruption in the middle of a round with rungs, the remaining members of the round are compared only with
    one another. To save memory, only as many of the best `snapshots` are kept as an ensemble considers.
    """

    executor: Executor
    known: dict[str, Outcome]
    deadline: float | None
    rungs: Rungs | None
    on_outcome: OnOutcome
    within: Within | None = None
    snapshots: list[Outcome] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def __call__(self, configs: Sequence[Config]) -> list[Outcome]:
        """Return the outcomes in the order of the configs, without those left out by the deadline."""
        missing = [config for config in configs if config.identity not in self.known]
        if missing:
            trained = self.executor.train(missing, deadline=self.deadline, rungs=self.rungs, on_outcome=self.file)
            self.known.update((outcome.config.identity, outcome) for outcome in trained)
        return [self.known[config.identity] for config in configs if config.identity in self.known]

    def file(self, outcome: Outcome) -> None:
        """Pass an outcome on, and keep it if it is one of the best snapshots."""
        if outcome.is_snapshot:
            # Workers end in any order: what is kept must not depend on it.
            ranked = sorted([*self.snapshots, outcome], key=lambda each: (each.losses["dev"], each.identity))
            self.snapshots[:] = ranked[:MOST]
        self.on_outcome(outcome)


def train_in_rounds(proposals: Proposals, training: Training) -> tuple[list[Outcome], int]:
    """Propose and train until all members are done or time runs out; return the outcomes and the planned number.

    The outcomes are in the order of the configs.
    """
    outcomes: list[Outcome] = []
    while len(outcomes) < proposals.count:
        proposed = proposals.propose(min(proposals.round, proposals.count - len(outcomes)))
        configs = proposed if training.within is None else training.within(proposed)
        found = training(configs)
        outcomes += found
        if len(found) < len(configs):
            break
        if not proposed or len(configs) < len(proposed):
            # The space has no more members that differ, or the limit is reached.
            return outcomes, len(outcomes)
        proposals.tell(found)
    return outcomes, proposals.count
