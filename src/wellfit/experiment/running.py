"""Carry the recipe out inside an experiment: what is finished is journaled, what is journaled is not done again.

The ensemble of a sweep as a network of its experiment: kept, and proposed where it is ahead.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wellfit._typing import Json, Notify
from wellfit.config import Config, shrink_of, weight_decay_of
from wellfit.data.prepare import Prepared
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.rows import OpenRows
from wellfit.experiment.about_data import augmentation_for, findings_on_data, open_rows, with_copies
from wellfit.experiment.added_rows import keep_rows, require_kept
from wellfit.experiment.candidates import KIND as CANDIDATE
from wellfit.experiment.candidates import Memory, RememberingExecutor, chosen_network, parts_in, propose
from wellfit.experiment.diagnosing import Diagnostician, referred, with_columns, with_dev_use
from wellfit.experiment.folder import Folder
from wellfit.experiment.labelling import SAMPLES, sample_sheet
from wellfit.experiment.learning_curve import price_more_data, with_price
from wellfit.experiment.preparing import prepared_in, remembered_rivals, with_importance
from wellfit.experiment.spent import BRANCH, seconds_spent
from wellfit.experiment.tempering import temper
from wellfit.journal.outcomes import OutcomeStore
from wellfit.journal.store import Journal, open_journal
from wellfit.outcome import Outcome
from wellfit.recipe.budget import Budget, BudgetTracker
from wellfit.recipe.context import RunContext, estimates
from wellfit.recipe.defaults import first_config, pilot_config
from wellfit.recipe.follow import follow
from wellfit.recipe.rules import Fixed, Rules, with_fixed
from wellfit.recipe.state import RecipeState
from wellfit.recipe.stop import ending
from wellfit.splits.more_rows import MoreRows
from wellfit.splits.split import load_split
from wellfit.sweeps.executor import Executor
from wellfit.sweeps.forward_selection import averaged_outcome
from wellfit.sweeps.search import Sweep
from wellfit.sweeps.worker_pool import WorkerPool, cores


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one `run` is asked to do inside an experiment; another plan may follow in the same folder.

    `reference` holds human_error, human_rows, optimal_error and tolerance as they were given; `fixed` the knobs that no
    step may turn, by board; `start` the config from which another path is taken, the network of step `start_step`;
    `more_data` the name of the rows that may be added to train, and `more` these rows where this command brought them.
    """

    budget: Budget
    reference: Mapping[str, Any]
    only: str | None = None
    ensemble: bool = True
    idea: str | None = None
    augment: str | None = None
    seed: int = 0
    early_stopping: bool = False
    fixed: Fixed = field(default_factory=dict)
    start: Config | None = None
    start_step: int | None = None
    more_data: str | None = None
    more: MoreRows | None = None

    @property
    def rules(self) -> Rules:
        """What the recipe may do."""
        return Rules(
            only=self.only,
            ensemble=self.ensemble,
            early_stopping=self.early_stopping,
            fixed=frozenset(knob for knobs in self.fixed.values() for knob in knobs),
            idea=self.idea,
            more_data=self.more_data,
        )

    @property
    def asked(self) -> Json:
        """What decides the plan; the idea is only a comment and does not count."""
        return {
            "budget": str(self.budget),
            "reference": {name: value for name, value in self.reference.items() if value is not None},
            "only": self.only,
            "seed": self.seed,
            **({} if self.ensemble else {"ensemble": False}),
            **({"allow_early_stopping": True} if self.early_stopping else {}),
            **({"fixed": {board: dict(knobs) for board, knobs in self.fixed.items()}} if self.fixed else {}),
            **({BRANCH: self.start.identity} if self.start else {}),
            **({"augment": self.augment} if self.augment else {}),
            **({"more_data": self.more_data} if self.more_data else {}),
        }

    @property
    def identity(self) -> str:
        """Names the plan in the journal."""
        return hashlib.sha256(json.dumps(self.asked, sort_keys=True).encode()).hexdigest()[:12]


def run_plan(folder: Folder, plan: Plan, *, began: float, notify: Notify) -> None:
    """Follow the recipe until it ends and journal the "finish" entry; a finished plan is only shown again.

    Args:
        folder: of the experiment.
        plan: what to do.
        began: `time.monotonic()` when the command began: reading the data counts into a budget in time.
        notify: receives events.

    Raises:
        Refusal: when another process works in the folder.
        NoRoom: when the disk is full; what was finished by then is kept.
    """
    with open_journal(folder.journal) as journal:
        branch = {} if plan.start_step is None else {"branch_step": plan.start_step}
        session = {"plan": plan.identity, "asked": plan.asked, **branch}
        if journal.find("finish", f"{plan.identity}/end") is None:
            earlier = seconds_spent(journal.entries(), plan.asked)
            if plan.more is not None:
                keep_rows(plan.more, folder=folder, journal=journal)
            journal.append("session", {"command": "run", **session, "seconds_before": time.monotonic() - began})
            _run(folder, plan, journal=journal, began=began, earlier=earlier, notify=notify)
        elif plan.identity != _last_plan(journal):
            # What is shown is the last session's plan.
            journal.append("session", {"command": "show", **session})


def _last_plan(journal: Journal) -> str | None:
    plans = [str(entry.body["plan"]) for entry in journal.entries("session") if "plan" in entry.body]
    return plans[-1] if plans else None


def _run(folder: Folder, plan: Plan, *, journal: Journal, began: float, earlier: float, notify: Notify) -> None:
    split, goal = load_split(folder.path), folder.goal
    data = prepared_in(folder, split)
    require_kept(plan.more_data, data.more, folder=folder)
    rivals = remembered_rivals(data, goal=goal, seed=plan.seed, folder=folder.models, journal=journal, notify=notify)
    rows = open_rows(split, data, goal=goal)
    about_data = findings_on_data(split, data, rows)
    data = with_importance(data, folder=folder, split=split, rows=rows, findings=about_data)
    data = with_copies(data, folder=folder, rows=rows, findings=about_data)
    recall = Memory(journal, plan=plan.identity)
    budget = BudgetTracker(plan.budget, data=data, workers=cores(), spent=earlier, start_up=time.monotonic() - began)

    with WorkerPool(data, goal=goal) as pool:

        def start() -> Json:
            known = plan.start or (plan.only and journal.entries(CANDIDATE))
            config = chosen_network(journal, folder.models).config if known else _first(data, plan, budget, pool=pool)
            return {"config": with_fixed(plan.start or config, plan.fixed).to_json()}

        config = Config.from_json(recall("plan", "start", start)["config"])
        if data.preparation.schema.picture:
            recall(SAMPLES, "sheet", lambda: sample_sheet(data, config.augmentation, seed=plan.seed))
        run = RunContext(
            data=data,
            goal=goal,
            executor=remembering(pool, folder, journal=journal, data=data),
            budget=budget,
            recall=recall,
            diagnose=Diagnostician(
                data=data,
                goal=goal,
                rivals=rivals,
                rows=rows,
                about_data=about_data,
                **referred(plan.reference, goal=goal),
            ),
            best_dev_high=min(each.high for each in rivals.dev.values()),
            notify=notify,
        )
        state = follow(run, config, plan.rules)
    _close(folder, plan, state=state, run=run, rows=rows, journal=journal)


def _close(
    folder: Folder, plan: Plan, *, state: RecipeState, run: RunContext, rows: OpenRows, journal: Journal
) -> None:
    """Temper the network, price more data, diagnose for good, propose the network, and say why the run ended."""
    data, recall = run.data, run.recall
    if state.outcome.members:
        details = described(state.outcome, folder=folder, data=data)
        OutcomeStore(folder.models, journal).put(state.outcome, details=details)
    outcome = temper(state.outcome, folder=folder, data=data, journal=journal)
    if outcome.temperature != 1.0:
        state = replace(state, outcome=outcome, diagnosis=run.diagnose(outcome))
    priced = None if plan.only else price_more_data(state, run)

    def final() -> Json:
        diagnosis = with_dev_use(with_price(state.diagnosis, priced), journal, models=folder.models, data=data)
        parts = parts_in(state.outcome, OutcomeStore(folder.models, journal))
        diagnosis = with_columns(diagnosis, rows, data=data, network=(state.outcome, parts))
        return {"step": state.step, "identity": state.outcome.identity, **diagnosis.to_json()}

    findings = [Finding.from_json(found) for found in recall("diagnosis", "final", final)["findings"]]
    # One remedy that did not help leaves what the experiment stands for, be it an ensemble of what it began with.
    if plan.only is None or state.outcome.identity != state.first.identity or not journal.entries(CANDIDATE):
        propose(journal, state.outcome, by="run")
    recall("finish", "end", lambda: ending(state, run=run, rules=plan.rules, findings=findings, priced=priced))


def _first(data: Prepared, plan: Plan, budget: BudgetTracker, *, pool: Executor) -> Config:
    """The first network, at a pace that this machine was seen to keep."""
    rows, columns = data.train.rows, data.train.numeric.shape[1]
    shape = data.preparation.schema.picture
    pilot = pilot_config(rows=rows, columns=columns, seed=plan.seed, shape=shape) if budget.is_timed else None
    # One for each worker, since a core is slower while its neighbours work.
    pilots = [replace(pilot, seed=place) for place in range(cores())] if pilot else []
    timed = pool.train(pilots, deadline=budget.deadline)
    if timed:
        budget.pay(min(timed, key=lambda outcome: outcome.seconds))
    first = first_config(rows=rows, columns=columns, budget=budget, seed=plan.seed, shape=shape)
    return replace(first, augmentation=augmentation_for(data.preparation.schema, plan.augment)) if shape else first


def remembering(executor: Executor, folder: Folder, *, journal: Journal, data: Prepared) -> RememberingExecutor:
    """Wrap an executor so that every outcome is kept in the experiment, and none is trained twice."""

    def describe(outcome: Outcome) -> Json:
        return described(outcome, folder=folder, data=data)

    return RememberingExecutor(executor, OutcomeStore(folder.models, journal), describe)


def described(outcome: Outcome, *, folder: Folder, data: Prepared) -> Json:
    """What the journal says of an outcome beside what it is: losses with intervals, and lambda in other units."""
    errors = estimates(outcome, data=data, goal=folder.goal)
    l2, lr, rows = outcome.config.regularization.l2, outcome.config.optimization.lr, len(outcome.train_losses)
    return {
        "errors": {part: found.to_json() for part, found in errors.items()},
        "weight_decay": weight_decay_of(l2, rows=rows),
        "shrink": shrink_of(l2, rows=rows, lr=lr),
    }


def propose_average(found: Sweep, *, folder: Folder, data: Prepared, journal: Journal) -> None:
    """Make the ensemble of a sweep a candidate, where it beats the chosen member on rows that did not choose it."""
    ensemble = found.ensemble
    if ensemble is None or not ensemble.is_ahead or len(ensemble.picks) == 1:
        return
    outcome = averaged_outcome([*found.members, *found.snapshots], ensemble.weights, data=data, goal=found.goal)
    OutcomeStore(folder.models, journal).put(outcome, details=described(outcome, folder=folder, data=data))
    propose(journal, temper(outcome, folder=folder, data=data, journal=journal), by="sweep")
