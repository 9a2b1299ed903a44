"""The recipe, followed through the fits that were told: which fits it wants next, and its end."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wellfit.base.typing import Json, Notify
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.gaps import present
from wellfit.exceptions import Refusal
from wellfit.experiment.prepared import ReferenceModels
from wellfit.experiment.request import last_plan, network_at
from wellfit.experiment.run import PlanRecall
from wellfit.experiment.told import ASK, StudyWorkspace
from wellfit.journal.history import CANDIDATE
from wellfit.journal.store import Journal
from wellfit.recipe.budget import Means
from wellfit.recipe.follow import follow
from wellfit.recipe.state import RecipeState, Rules, describe_change
from wellfit.recipe.stop import ending
from wellfit.records.config import Config, differing
from wellfit.records.outcome import Outcome
from wellfit.studies.knobs import OwnKnob, config_of, start_of, values_of
from wellfit.studies.log import Asked, Failure, StudyLog, failed_outcome
from wellfit.studies.noise import noise_of
from wellfit.studies.practice import StudyRun, ToldExecutor, Wanted
from wellfit.studies.remedies import shelf_of_study
from wellfit.studies.tracker import FitTracker, StudyBudget

MOST_FAILURES = 3
MENDABLE = ("raised", "timeout")
LOWER_RATES = 3
"""Learning rates, each a tenth of the one before, that are tried when the first fit diverges."""


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """What a study was asked for; another budget or reference is another plan in the same folder."""

    budget: StudyBudget
    reference: Mapping[str, Any]
    rules: Rules
    repeats: int = 0
    branch: int | None = None

    @property
    def asked(self) -> Json:
        """The part that determines the study, for the journal; the idea is only a comment."""
        given = {name: value for name, value in self.reference.items() if value is not None}
        return {
            "budget": str(self.budget),
            "reference": {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()},
            "only": self.rules.only,
            "repeats": self.repeats,
            **({} if self.branch is None else {"branch": self.branch}),
        }

    @property
    def identity(self) -> str:
        """The name of its plan in the journal."""
        return hashlib.sha256(json.dumps(self.asked, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(eq=False, kw_only=True)
class Driver:
    """Follows the recipe through the fits of one study.

    Every decision begins at the first fit again: what was decided is in the journal, and what was fitted is known, so
    a study that was killed decides as one that was not.
    """

    workspace: StudyWorkspace
    knobs: Mapping[str, OwnKnob]
    request: StudyRequest
    log: StudyLog
    notify: Notify
    workers: int = 1
    elapsed: Callable[[], float] = lambda: 0.0
    _events: set[str] = field(default_factory=set, init=False)
    _diagnoses: dict[tuple[str, float], Diagnosis] = field(default_factory=dict, init=False)

    def wanted(self, journal: Journal) -> list[Asked]:
        """Follow the recipe through the fits that are known, and return those that it wants next; [] at its end."""
        self.log.update()
        plan = self.request.identity
        if self.request.branch is not None:
            self._branch_start()  # one that does not exist is refused before the journal has a plan
        if journal.find("finish", f"{plan}/end") is not None:
            return []
        if last_plan(journal.entries()) != plan:
            journal.append("session", {"command": "study", "plan": plan, "asked": self.request.asked})
        run = self._run(PlanRecall(journal, plan=plan))
        try:
            state = self._follow(run)
        except Wanted as wanted:
            if run.current is not None:
                self._propose(run.current[0])
            return [self._ask_for(journal, config, why=_why(run.current, config)) for config in wanted.configs]
        self._close(run, state)
        return []

    def _follow(self, run: StudyRun) -> RecipeState:
        start = self._start(run.budget)
        run.recall("plan", "start", lambda: {"config": start.to_json()})
        for outcome in run.executor.train([start, *self._repeats(start)])[1:]:
            run.budget.pay(outcome)
        return follow(run, start, self.request.rules)

    def _repeats(self, start: Config) -> list[Config]:
        """Return the first knobs with further seeds, as many as the budget pays for beside the first fit."""
        count, budget, first = self.request.repeats, self.request.budget, self.log.told.get(start.identity)
        if budget.fits is not None:
            count = min(count, budget.fits - 1)
        elif first is None:
            count = 0
        elif budget.seconds is not None and first.seconds > 0:
            count = min(count, int(budget.seconds * self.workers / first.seconds) - 1)
        return [replace(start, seed=seed) for seed in range(1, count + 1)]

    def _start(self, tracker: Means) -> Config:
        """Return the first knobs that do not diverge, the learning rate lowered where it has to be.

        Raises:
            Wanted: they were not tried yet.
            Refusal: they failed three times.
        """
        if self.request.branch is not None:
            return Config.from_json(self._branch_start())
        config = start_of(self.knobs)
        for _ in range(LOWER_RATES):
            failures = self.log.failures.get(config.identity, [])
            if config.identity in self.log.told:
                return config
            self._require_hope(config)
            lower = _lower_rate(self.knobs, config)
            if not failures or failures[-1].reason != "diverged" or lower is None:
                raise Wanted([config])
            tracker.booked += 1.0 if self.request.budget.fits else failures[-1].seconds
            config = lower
        self._require_hope(config)
        return config

    def _branch_start(self) -> Json:
        """Return the config from which a branch goes on: that of a step of the plan before it, found once."""
        known = next(
            (each.body for each in self.workspace.entries("branch") if each.key == self.request.identity), None
        )
        if known is None:
            own = self.request.identity
            entries = [each for each in self.workspace.entries() if each.body.get("plan") != own]
            body = {"config": network_at(entries, self.request.branch or 0)["config"]}
            with self.workspace.reading() as journal:
                known = journal.append("branch", body, key=own).body
        found: Json = known["config"]
        return found

    def _require_hope(self, config: Config) -> None:
        """Refuse to try knobs again at which this process has seen three failures in a row."""
        if self.log.fresh.get(config.identity, 0) < MOST_FAILURES:
            return
        failure = self.log.failures[config.identity][-1]
        knobs = ", ".join(f"{name}={value}" for name, value in values_of(self.knobs, config).items())
        raise Refusal(
            f"a fit must succeed once in {MOST_FAILURES} tries",
            found=f"{MOST_FAILURES} failures in a row at {knobs}; the last:\n  "
            + "\n  ".join(failure.lines or (failure.reason,)),
            remedy="Mend the training code or its knobs, and run the same script again: it continues",
        )

    def _failed(self) -> dict[str, Outcome]:
        """Return the outcomes of the fits that failed for good."""
        found = {}
        for identity, failures in self.log.failures.items():
            asked, last = self.log.asked[identity], failures[-1]
            if last.reason in MENDABLE and last.plan != self.request.identity:
                continue  # another plan tries again: the code may have been mended, or the time is longer
            if last.reason != "killed" or self._is_large(asked.config):
                found[identity] = failed_outcome(asked.config, last)
            else:
                self._require_hope(asked.config)
        return found

    def _is_large(self, config: Config) -> bool:
        """Return True if a config is larger than all that were fitted: the system kills what takes too much memory."""
        return not any(_is_no_larger(self.knobs, config, told.config) for told in self.log.told.values())

    def _is_infeasible(self, config: Config) -> bool:
        """Return True if a config is at least as large as one that ran out of memory."""
        short = [
            self.log.asked[identity].config
            for identity, failures in self.log.failures.items()
            if failures[-1].reason == "out of memory"
            or (failures[-1].reason == "killed" and self._is_large(self.log.asked[identity].config))
        ]
        return any(_is_no_larger(self.knobs, known, config) for known in short)

    def _run(self, recall: PlanRecall) -> StudyRun:
        told = {**self._failed(), **self.log.told}
        return StudyRun(
            data=None,
            goal=self.workspace.goal,
            executor=ToldExecutor(told),
            budget=FitTracker(self.request.budget, workers=self.workers, elapsed=self.elapsed),
            recall=recall,
            diagnosing=self.workspace.diagnostician(ReferenceModels({}, {}), self.request.reference),
            best_dev_high=math.inf,
            notify=self._notify_once,
            estimates=self.workspace.estimates,
            shelf=shelf_of_study(self.knobs, is_infeasible=self._is_infeasible, side_by_side=self.workers),
            workspace=self.workspace,
            noise=noise_of(self.log.told.values()),
            known=self._diagnoses,
        )

    def _notify_once(self, event: Mapping[str, Any]) -> None:
        """Pass an event on, unless an earlier decision did: each one begins at the first fit again."""
        known = json.dumps(dict(event), sort_keys=True, default=str)
        if known not in self._events:
            self._events.add(known)
            self.notify(event)

    def _ask_for(self, journal: Journal, config: Config, *, why: str) -> Asked:
        known = self.log.asked.get(config.identity)
        if known is not None:
            return known
        knobs = values_of(self.knobs, config)
        asked = Asked(len(self.log.asked) + 1, config, knobs, why)
        journal.append(ASK, asked.to_json())
        self.log.update()
        return asked

    def _propose(self, outcome: Outcome) -> None:
        """Make a fit that the recipe goes on from a candidate for the network that the study stands for."""
        candidates = {entry.body["identity"] for entry in self.workspace.entries(CANDIDATE)}
        if outcome.identity not in candidates:
            self.workspace.propose(outcome, by="study")

    def _close(self, run: StudyRun, state: RecipeState) -> None:
        """Propose the last network, diagnose it with the use of dev, and journal the end."""
        outcome = state.outcome
        self._propose(outcome)

        def final() -> Json:
            diagnosis = self.workspace.with_dev_use(state.diagnosis)
            return {"step": state.step, "identity": outcome.identity, **diagnosis.to_json()}

        findings = [Finding.from_json(found) for found in run.recall("diagnosis", "final", final)["findings"]]
        run.recall("finish", "end", lambda: ending(state, run=run, rules=self.request.rules, findings=findings))


def _why(current: tuple[Outcome, Diagnosis] | None, config: Config) -> str:
    """Say why a fit is wanted: the gaps that are high, and what it turns."""
    if current is None:
        return "the first knobs, with every regularizer off" if not config.seed else "the noise between seeds"
    outcome, diagnosis = current
    turned = describe_change(outcome, failed_outcome(config, Failure(reason="")))
    boards = {pair.board for pair in differing(outcome.config, config)}
    gaps = [gap for gap in present(diagnosis.gaps) if gap.verdict != "no"]
    called = next((gap for gap in gaps if gap.kind.board in boards), next(iter(gaps), None))
    if called is None:
        return f"asked: {turned}"
    return f"{called.kind.noun} {'is' if called.verdict == 'yes' else 'may be'} high: {turned}"


def _lower_rate(knobs: Mapping[str, OwnKnob], config: Config) -> Config | None:
    """Return a config with a tenth of the learning rate; None at the end of its range, or without such a knob."""
    values = values_of(knobs, config)
    for name, knob in knobs.items():
        if knob.role == "learning_rate":
            lower = knob.fit(max(float(values[name]) / 10, float(knob.low or 0.0)))
            return config_of(knobs, {**values, name: lower}) if lower < float(values[name]) else None
    return None


def _is_no_larger(knobs: Mapping[str, OwnKnob], one: Config, other: Config) -> bool:
    """Return True if no size of `one` is above that of `other`."""
    here, there = values_of(knobs, one), values_of(knobs, other)
    sizes = [name for name, knob in knobs.items() if knob.role == "size"]
    return all(float(here[name]) <= float(there[name]) for name in sizes)
