"""Optuna's tree-structured Parzen estimator over the space of a sweep (Bergstra et al., 2011; Falkner et al., 2018).

It has its own file because Optuna is an extra: only a search that has found Optuna installed imports it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import isclose
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial, TrialState, create_trial

from wellfit.records.config import Config
from wellfit.records.goals import Goal
from wellfit.records.knobs import OFF
from wellfit.records.outcome import ENDED, Outcome, Status
from wellfit.sweeps.space import (
    Interval,
    Setting,
    Space,
    Values,
    changed,
    differs_only,
    setting_of,
    share_at,
    sobol,
    value_at,
)
from wellfit.sweeps.usual import known_good

BEFORE_MODEL = 16
"""Number of members trained before the first model is fit; in a smaller search, a model would have nothing to add."""
ROUND = 8
"""Number of members trained at a time; a member costs the same in stacks of any size, so a search can learn early."""
ASKS_PER_MEMBER = 4
"""Number of times that Optuna is asked for a new config: exact zeros and lists can lead to equal ones."""
AT_AN_END = 1e-3
"""A grid rounds its values to four digits, so values this close to an end of the space (relative) count as the end."""


class Tpe:
    """Proposes the known-good settings and a few quasi-random ones, then those that Optuna expects to be better.

    It learns from the outcomes `seen` before that are in the space and otherwise equal to `config`. `rows` is m, the
    number of training rows.
    """

    name = "tpe"

    def __init__(
        self, config: Config, over: Space, *, rows: int, members: int, goal: Goal, seen: Iterable[Outcome] = ()
    ) -> None:
        self.count = members
        self._config, self._over, self._rows = config, over, rows
        self._distributions = {name: _distribution(values) for name, values in over.items()}
        good = known_good(over, config, rows=rows, goal=goal)
        self._study = _study(config.seed)
        self._learned = {outcome.identity for outcome in seen if self._learns(outcome)}
        even = sobol(over, start=0, count=max(BEFORE_MODEL - len(good) - len(self._learned), 0), seed=config.seed)
        self._first: deque[Setting] = deque([*good, *even])
        for setting in self._first:
            self._study.enqueue_trial({name: _place(name, over[name], value) for name, value in setting.items()})
        self._trials: dict[str, Trial] = {}

    @property
    def round(self) -> int:
        """Number of members of the next round."""
        return ROUND

    def propose(self, count: int) -> list[Config]:
        """Return at most `count` new configs, or fewer if Optuna finds no more."""
        found: list[Config] = []
        for _ in range(ASKS_PER_MEMBER * count):
            if len(found) == count:
                break
            trial = self._study.ask(self._distributions)
            config = changed(self._config, self._setting(trial), rows=self._rows)
            if config.identity in self._trials or config.identity in self._learned:
                self._study.tell(trial, state=TrialState.FAIL)
            else:
                self._trials[config.identity] = trial
                found.append(config)
        return found

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Report the dev losses to Optuna; a member whose training did not finish ranks below all that did."""
        for outcome in outcomes:
            trial, loss = self._trials[outcome.config.identity], outcome.losses["dev"]
            if outcome.status in ENDED:
                self._study.tell(trial, loss)
                continue
            if outcome.status is not Status.DIVERGED:
                trial.report(loss, step=outcome.updates)
            self._study.tell(trial, state=TrialState.PRUNED)

    def _learns(self, outcome: Outcome) -> bool:
        """Report the outcome of an earlier member to Optuna if it is in the space; return whether it is."""
        if outcome.status not in ENDED or not differs_only(self._config, outcome.config, self._over):
            return False
        setting = setting_of(outcome.config, self._over, rows=self._rows)
        if not all(_is_inside(name, self._over[name], value) for name, value in setting.items()):
            return False
        places = {name: _place(name, self._over[name], value) for name, value in setting.items()}
        trial = create_trial(params=places, distributions=self._distributions, value=outcome.losses["dev"])
        self._study.add_trial(trial)
        return True

    def _setting(self, trial: Trial) -> Setting:
        if self._first:
            # Enqueued: Optuna was told the nearest point of the space, since an off value may be outside it.
            return self._first.popleft()
        places = trial.params
        return {
            name: value_at(name, values, share=places[name]) if isinstance(values, Interval) else values[places[name]]
            for name, values in self._over.items()
        }


def _study(seed: int) -> optuna.Study:
    # Batches are asked for at once: the constant liar keeps their members apart (Ginsbourger et al., 2010).
    sampler = optuna.samplers.TPESampler(n_startup_trials=1, seed=seed, multivariate=True, constant_liar=True)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(sampler=sampler, study_name="wellfit", direction="minimize")
    finally:
        optuna.logging.set_verbosity(verbosity)


def _distribution(values: Values) -> BaseDistribution:
    if isinstance(values, Interval):
        return FloatDistribution(0.0, 1.0)
    return IntDistribution(0, len(values) - 1) if _is_rising(values) else CategoricalDistribution(range(len(values)))


def _is_rising(values: Sequence[Any]) -> bool:
    numbers = all(isinstance(value, int | float) for value in values)
    return numbers and (all(a < b for a, b in pairwise(values)) or all(a > b for a, b in pairwise(values)))


def _place(name: str, values: Values, value: Any) -> float:
    if isinstance(values, Interval):
        return share_at(name, values, value=value)
    return list(values).index(value) if value in values else 0


def _is_inside(name: str, values: Values, value: Any) -> bool:
    if not isinstance(values, Interval):
        return value in values
    if values.zero and value == OFF[name]:
        return True
    ends = (values.low, values.high)
    return values.low <= value <= values.high or any(isclose(value, end, rel_tol=AT_AN_END) for end in ends)
