"""What the estimators share that choose their knobs: candidates -> folds -> the choice -> one training on all rows."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs  # type: ignore[import-untyped]  # scikit-learn's own

from wellfit.config import Config
from wellfit.data.schema import Column
from wellfit.estimators.callbacks import told_of_fit, told_of_subtask, with_callbacks
from wellfit.estimators.candidates import candidates, require_free
from wellfit.estimators.comparing import Comparison, FoldData, compare, train_folds
from wellfit.estimators.diagnosing import diagnose_comparison
from wellfit.estimators.folds import Fold, folds_of, given_folds, is_own
from wellfit.estimators.net import Given, Net
from wellfit.estimators.preparing import prepared
from wellfit.estimators.rows import Rows, merged
from wellfit.exceptions import BadInput
from wellfit.goals import Goal, default_goal, goal_named

RULES = ("best", "one_se")


class Searching(Net):
    """A network that chooses some of its knobs by cross-validation or a dev split."""

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Compare the candidates on the folds, choose, and train the chosen one on all rows.

        Args:
            X: [rows, features] array or data frame (pandas, polars, pyarrow). NaN is a missing value; in a frame, text
                and categories are categories, and dates are dates. Scaling and encoding are done here, for every fold.
            y: [rows] the target; a regression may have several, [rows, targets].
            sample_weight: [rows] how many rows each row stands for, in training and on dev.
            groups: [rows] rows of one group stay on one side of a fold.

        Raises:
            ValueError: as for a single network, and for folds, candidates or a goal that cannot be (most as
                `wf.BadInput`).
            TypeError: for a sparse X.
            Refusal: when every candidate diverged.
        """
        require_free(self.get_params(deep=False), self.over)
        if self.rule not in RULES:
            raise BadInput("rule is one of best, one_se", found=f"rule={self.rule!r}", remedy="Choose one of them")
        goal = default_goal(self._task) if self.goal is None else goal_named(self.goal, task=self._task)
        given = self._read(X, y, sample_weight, groups=groups)
        train = merged(given.rows.ungrouped())
        config = self._config(train, given.columns)
        configs = candidates(config, self.over, rows=train, members=self.members)
        folds = self._folds(X, y, given, groups=groups, seed=config.seed)
        metadata = {"sample_weight": sample_weight, "groups": groups}
        with told_of_fit(self, subtasks=len(folds) + 1, data=(X, y), metadata=metadata) as context:
            found = self._compared(folds, configs, goal=goal, context=context)
            chosen = self._chosen(found, counted=sample_weight is None)
            with told_of_subtask(self, context, "all rows"):
                return self._train(train, chosen, columns=given.columns)

    def _compared(self, folds: list[FoldData], configs: list[Config], *, goal: Goal, context: Any) -> Comparison:
        jobs = int(min(effective_n_jobs(self.n_jobs), len(folds)))
        results = []
        with closing(train_folds(folds, configs, goal=goal, jobs=jobs)) as trained:
            for _ in folds:
                with told_of_subtask(self, context, "fold"):
                    results.append(next(trained))
        return compare(results, goal=goal)

    def _folds(self, X: Any, y: Any, given: Given, *, groups: Any, seed: int) -> list[FoldData]:
        if is_own(self.cv):
            # Rows that are equal stay on one side: they would tell dev what was learnt by heart.
            rows = merged(given.rows)
            stratify = self._task == "classification"
            folds = folds_of(self.cv, rows.target, groups=rows.groups, seed=seed, stratify=stratify)
        else:
            rows = given.rows
            place = np.full(len(y), -1)
            place[given.places] = np.arange(len(rows))
            found = [(place[here], place[there]) for here, there in given_folds(self.cv, X, y, groups=groups)]
            # Rows of no weight have no place.
            folds = [(here[here >= 0], there[there >= 0]) for here, there in found]
        return [self._fold(rows, fold, given.columns) for fold in folds]

    def _fold(self, rows: Rows, fold: Fold, columns: tuple[Column, ...]) -> FoldData:
        if not all(map(len, fold)):
            found = f"{len(fold[0])} rows to train on and {len(fold[1])} for dev"
            raise BadInput("both sides of a fold have rows of positive weight", found=found, remedy="Correct cv")
        train, dev = merged(rows.take(fold[0]).ungrouped()), merged(rows.take(fold[1]))
        data = prepared(self._weighted(train), dev, columns=columns, classes=self._class_count)
        return FoldData(data, train.weights)

    def _chosen(self, found: Comparison, *, counted: bool) -> Config:
        """Keep what was compared, as LassoCV does, and return the config to train on all rows."""
        self.best_config_, self.one_se_config_ = found.choice.best.config, found.choice.chosen.config
        chosen = self.best_config_ if self.rule == "best" else self.one_se_config_
        path = _l2_path(found.configs, self.best_config_)
        self.l2_path_ = np.array([found.configs[place].regularization.l2 for place in path])
        self.dev_error_path_ = found.dev[path]
        self.cv_results_ = {
            "config": list(found.configs),
            "train_error": found.train,
            "dev_error": found.dev,
            "mean_dev_error": found.dev.mean(axis=1),
            "status": [status.value for status in found.statuses],
        }
        self.diagnosis_ = diagnose_comparison(found, chosen, human_error=self.human_error, counted=counted)
        return chosen


def _l2_path(configs: tuple[Config, ...], best: Config) -> list[int]:
    """Places of the candidates that differ from the best in lambda alone, by rising lambda; of all if it is alone."""

    def without(config: Config) -> Config:
        return replace(config, regularization=replace(config.regularization, l2=0.0))

    same = [place for place, config in enumerate(configs) if without(config) == without(best)]
    return sorted(same if len(same) > 1 else range(len(configs)), key=lambda place: configs[place].regularization.l2)
