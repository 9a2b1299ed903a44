"""Carry out the recipe in an experiment: finished work is journaled, and journaled work is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

from wellfit.base.typing import Json, Notify
from wellfit.diagnosis.findings import Finding
from wellfit.experiment.labels import SAMPLES, sample_sheet
from wellfit.experiment.learning_curve import price_more_data
from wellfit.experiment.prepared import fitted_references, keep_rows, require_kept
from wellfit.experiment.request import RunRequest, augmentation_for, last_plan
from wellfit.experiment.time_spent import time_spent
from wellfit.experiment.workspace import Workspace
from wellfit.journal.history import CANDIDATE, seconds_spent
from wellfit.journal.store import Journal
from wellfit.recipe.budget import BudgetTracker
from wellfit.recipe.context import RunContext
from wellfit.recipe.defaults import first_config, pilot_config
from wellfit.recipe.follow import follow
from wellfit.recipe.state import RecipeState, with_fixed
from wellfit.recipe.stop import ending
from wellfit.records.config import Config
from wellfit.records.outcome import Outcome, Status, snapshot_identity
from wellfit.splits.more_rows import MoreRows
from wellfit.sweeps.executor import Executor, OnOutcome, ignore_outcome, trains_on_torch
from wellfit.sweeps.forward_selection import averaged_outcome
from wellfit.sweeps.ray_cluster import Cluster, Ray, joined
from wellfit.sweeps.rungs import Rungs
from wellfit.sweeps.search import Sweep
from wellfit.sweeps.worker_pool import cores, executor_for
from wellfit.training.references import effort_for

WORKERS_WAIT = 1.5
"""Workers are started only if the rest of a budget in time exceeds the command's start time by this factor."""
PILOT_SHARE = 0.35
"""Share of the remaining time after which the pilot is cut short; by then its speed is known."""
MOST_PILOTS = 16
"""Number of pilots on a machine or cluster of many cores: more would say no more about the speed of one."""


def run_in(
    workspace: Workspace,
    request: RunRequest,
    *,
    more: MoreRows | None,
    began: float,
    executor: Ray | None = None,
    notify: Notify,
) -> None:
    """Follow the recipe until it ends and journal the "finish" entry; a finished request is only shown again.

    `more` holds rows that this command adds to the experiment. `began` is `time.monotonic()` at the start of the
    command: reading the data counts toward a budget in time. The run is refused while another process is working in
    the folder; if the disk fills up, finished work is kept. `executor` is the cluster that trains in place of this
    machine.
    """
    with workspace.writing() as journal:
        branch = {} if request.start_step is None else {"branch_step": request.start_step}
        session = {"plan": request.identity, "asked": request.asked, **branch}
        if journal.find("finish", f"{request.identity}/end") is None:
            earlier = seconds_spent(journal.entries(), request.asked)
            if more is not None:
                keep_rows(more, folder=workspace.folder, journal=journal)
                workspace.rows_were_added()
            waiting = time.monotonic()
            with joined(executor, notify=notify) as cluster:
                # The wait for a cluster's first worker costs a budget nothing, and so comes before the session's entry.
                began += time.monotonic() - waiting
                journal.append("session", {"command": "run", **session, "seconds_before": time.monotonic() - began})
                _run(workspace, request, journal=journal, began=began, earlier=earlier, cluster=cluster, notify=notify)
        elif request.identity != last_plan(journal.entries()):
            # The report shows the plan of the last session.
            journal.append("session", {"command": "show", **session})


def _run(
    workspace: Workspace,
    request: RunRequest,
    *,
    journal: Journal,
    began: float,
    earlier: float,
    cluster: Cluster | None,
    notify: Notify,
) -> None:
    goal, folder = workspace.goal, workspace.folder
    notify({"event": "run", "goal": goal.name, "seconds": request.budget.seconds, "updates": request.budget.updates})
    require_kept(request.rules.more_data, workspace.prepared.more, folder=folder)
    references = fitted_references(
        workspace.prepared,
        goal=goal,
        seed=request.seed,
        folder=folder.models,
        journal=journal,
        effort=effort_for(workspace.prepared, budget_seconds=request.budget.seconds),
        notify=notify,
    )
    data = workspace.measure_rows()
    recall = PlanRecall(journal, plan=request.identity)
    start_up = time.monotonic() - began
    workers = cores() if cluster is None else max(cluster.slots, 1)
    budget = BudgetTracker(request.budget, data=data, workers=workers, spent=earlier, start_up=start_up)
    if budget.is_timed and cluster is None and trains_on_torch(budget.remaining):
        notify({"event": "uncompiled"})
    # Programs of their own take as long to start as this one did: a core in use is better than two that load.
    alone = cluster is None and budget.is_timed and budget.remaining < WORKERS_WAIT * start_up
    budget.workers = 1 if alone else budget.workers
    with closing(executor_for(data, goal=goal, single=alone, cluster=cluster, notify=notify)) as pool:
        start = recall("plan", "start", lambda: _start(workspace, request, budget=budget, pool=pool))
        config = Config.from_json(start["config"])
        if data.preparation.schema.picture:
            recall(SAMPLES, "sheet", lambda: sample_sheet(data, config.augmentation, seed=request.seed))
        run = RunContext(
            data=data,
            goal=goal,
            executor=RememberingExecutor(pool, workspace),
            budget=budget,
            recall=recall,
            diagnosing=workspace.diagnostician(references, request.reference),
            best_dev_high=min(each.high for each in references.dev.values()),
            notify=notify,
            estimates=workspace.estimates,
        )
        state = follow(run, config, request.rules)
    _close(workspace, request, state=state, run=run, workers=budget.workers)


def _start(workspace: Workspace, request: RunRequest, *, budget: BudgetTracker, pool: Executor) -> Json:
    """Return the journal's entry of the first network's config."""
    if request.start or (request.rules.only and workspace.entries(CANDIDATE)):
        config = request.start or workspace.network().config
    else:
        config = _first(workspace, request, budget=budget, pool=pool)
    return {"config": with_fixed(config, request.rules.fixed_at).to_json()}


def _first(workspace: Workspace, request: RunRequest, *, budget: BudgetTracker, pool: Executor) -> Config:
    """Return the first network, sized for the speed measured on this machine."""
    train, schema = workspace.prepared.train, workspace.prepared.preparation.schema
    rows, columns, shape = train.rows, train.numeric.shape[1], schema.picture
    pilot = pilot_config(rows=rows, columns=columns, seed=request.seed, shape=shape) if budget.is_timed else None
    # One for each worker, since a core is slower while its neighbours work.
    pilots = [replace(pilot, seed=place) for place in range(min(budget.workers, MOST_PILOTS))] if pilot else []
    timed = pool.train(pilots, deadline=budget.deadline_at(PILOT_SHARE))
    if timed:
        budget.pay(min(timed, key=lambda outcome: outcome.seconds))
    first = first_config(rows=rows, columns=columns, budget=budget, seed=request.seed, shape=shape)
    return replace(first, augmentation=augmentation_for(schema, request.augment)) if shape else first


def _close(workspace: Workspace, request: RunRequest, *, state: RecipeState, run: RunContext, workers: int) -> None:
    """Set the temperature, estimate the gain from more data, diagnose, propose the network, and journal the end."""
    if state.outcome.members:
        workspace.keep(state.outcome)
    outcome = workspace.temper(state.outcome)
    if outcome.temperature != 1.0:
        state = replace(state, outcome=outcome, diagnosis=run.diagnose(outcome))
    only = request.rules.only
    priced = None if only else price_more_data(state, run)

    def final() -> Json:
        diagnosis = state.diagnosis if priced is None else state.diagnosis.with_findings(priced)
        diagnosis = workspace.with_dev_use(diagnosis)
        diagnosis = diagnosis if run.budget.is_over else workspace.with_columns(diagnosis, outcome)
        return {"step": state.step, "identity": outcome.identity, **diagnosis.to_json()}

    findings = [Finding.from_json(found) for found in run.recall("diagnosis", "final", final)["findings"]]
    # One remedy that did not help leaves the experiment's network as it is, even an ensemble that it began from.
    if only is None or outcome.identity != state.first.identity or not workspace.entries(CANDIDATE):
        workspace.propose(outcome, by="run")

    def end() -> Json:
        ended = ending(state, run=run, rules=request.rules, findings=findings, priced=priced)
        time = time_spent(
            workspace.entries(),
            asked=request.asked,
            result={outcome.identity, *outcome.members},
            seconds=ended["seconds"],
            workers=workers,
        )
        return {**ended, "time": time.to_json()}

    run.recall("finish", "end", end)


def propose_average(workspace: Workspace, found: Sweep) -> None:
    """Make the ensemble of a sweep a candidate if it beats the chosen member on rows that did not choose it."""
    ensemble = found.ensemble
    if ensemble is None or not ensemble.is_ahead or len(ensemble.picks) == 1:
        return
    networks = [*found.members, *found.snapshots]
    outcome = averaged_outcome(networks, ensemble.weights, data=workspace.prepared, goal=found.goal)
    workspace.keep(outcome)
    workspace.propose(workspace.temper(outcome), by="sweep")


class PlanRecall:
    """Recalls bodies by (kind, key) within one plan; another budget or reference makes another plan."""

    def __init__(self, journal: Journal, *, plan: str) -> None:
        self._journal = journal
        self._plan = plan

    def __call__(self, kind: str, key: str, compute: Callable[[], Json]) -> Json:
        """Return the body kept under (kind, key), or compute it and write it down."""
        known = self.known(kind, key)
        if known is not None:
            return known
        return self._journal.append(kind, {**compute(), "plan": self._plan}, key=f"{self._plan}/{key}").body

    def known(self, kind: str, key: str) -> Json | None:
        """Return the body kept under (kind, key), or None if there is none."""
        entry = self._journal.find(kind, f"{self._plan}/{key}")
        return entry.body if entry else None


class RememberingExecutor:
    """Trains only configs that were never trained before, and keeps each outcome at once.

    The workspace's journal must be open for writing.
    """

    def __init__(self, executor: Executor, workspace: Workspace) -> None:
        self._executor = executor
        self._workspace = workspace

    def train(
        self,
        configs: Sequence[Config],
        *,
        deadline: float | None = None,
        rungs: Rungs | None = None,
        on_outcome: OnOutcome = ignore_outcome,
    ) -> list[Outcome]:
        """Return outcomes in the order of the configs, from the journal if it has them; report snapshots again."""

        def keep(outcome: Outcome) -> None:
            self._workspace.keep(outcome)
            known[outcome.identity] = outcome
            on_outcome(outcome)

        known = {
            config.identity: outcome
            for config in configs
            if (outcome := self._workspace.outcome(config.identity)) and not _deserves_more(outcome, deadline, rungs)
        }
        for one in known.values() if rungs else ():
            for at in one.snapshots:
                if snapshot := self._workspace.outcome(snapshot_identity(one.config, at)):
                    on_outcome(snapshot)
        missing = {config.identity: config for config in configs if config.identity not in known}
        if missing:
            self._executor.train(list(missing.values()), deadline=deadline, rungs=rungs, on_outcome=keep)
        return [known[config.identity] for config in configs if config.identity in known]

    def close(self) -> None:
        """Close the executor that does the work."""
        self._executor.close()


def _deserves_more(outcome: Outcome, deadline: float | None, rungs: Rungs | None) -> bool:
    """Return True if a member that ran out of time or was dropped at a rung would now get further."""
    if outcome.status is Status.DROPPED:
        return rungs is None
    if outcome.status is not Status.OUT_OF_BUDGET:
        return False
    return deadline is None or deadline - time.monotonic() > outcome.seconds
