"""The base class of the estimators that search: candidates are trained on folds, and the best one on all rows."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs  # type: ignore[import-untyped]  # scikit-learn's own
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    check_cv,
)

from wellfit.base.typing import Integers
from wellfit.data.schema import Column
from wellfit.estimators.diagnosing import Comparison, FoldData, compare, diagnose_comparison, train_folds
from wellfit.estimators.inputs import Rows, merged, prepared
from wellfit.estimators.net import Given, Net, fit_context, subtask_context, with_callbacks
from wellfit.exceptions import BadInput
from wellfit.records.config import Config, total_updates
from wellfit.records.goals import Goal, default_goal, goal_named
from wellfit.records.knobs import KNOBS, NAMES, OFF, own_name
from wellfit.sweeps.space import Interval, Space, Values, configs_of, count_of, default_grid, is_grid, useful_shrinks
from wellfit.sweeps.usual import usual_space

RULES = ("best", "one_se")


class BaseSearch(Net):
    """A network that chooses some of its knobs by cross-validation or a dev split."""

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Compare the candidates on the folds, choose one, and train it on all rows.

        Args:
            X: [rows, features] array or data frame (pandas, polars, pyarrow). NaN is a missing value; in a frame, text
                and categories are categories, and dates are dates. Scaling and encoding are done here, separately for
                every fold.
            y: [rows] the target; a regression may have several, [rows, targets].
            sample_weight: the number of rows that each row represents [rows], in training and on dev.
            groups: the group of each row [rows]; rows of one group stay on the same side of every fold.

        Raises:
            ValueError: as for a single network, and for invalid folds, candidates or goals (mostly as `wf.BadInput`).
            TypeError: for a sparse X.
            Refusal: if every candidate diverged.
        """
        require_free(self.get_params(deep=False), self.over)
        if self.rule not in RULES:
            raise BadInput("rule must be best or one_se", found=f"rule={self.rule!r}", remedy="Choose one of them")
        goal = default_goal(self._task) if self.goal is None else goal_named(self.goal, task=self._task)
        given = self._read(X, y, sample_weight, groups=groups)
        train = merged(given.rows.ungrouped())
        config = self._config(train, given.columns)
        configs = candidates(config, self.over, rows=train, members=self.members)
        folds = self._folds(X, y, given, groups=groups, seed=config.seed)
        metadata = {"sample_weight": sample_weight, "groups": groups}
        with fit_context(self, subtasks=len(folds) + 1, data=(X, y), metadata=metadata) as context:
            found = self._compared(folds, configs, goal=goal, context=context)
            chosen = self._chosen(found, counted=sample_weight is None)
            with subtask_context(self, context, "all rows"):
                return self._train(train, chosen, columns=given.columns)

    def _compared(self, folds: list[FoldData], configs: list[Config], *, goal: Goal, context: Any) -> Comparison:
        jobs = int(min(effective_n_jobs(self.n_jobs), len(folds)))
        results = []
        with closing(train_folds(folds, configs, goal=goal, jobs=jobs)) as trained:
            for _ in folds:
                with subtask_context(self, context, "fold"):
                    results.append(next(trained))
        return compare(results, goal=goal)

    def _folds(self, X: Any, y: Any, given: Given, *, groups: Any, seed: int) -> list[FoldData]:
        if is_own(self.cv):
            # Rows that are equal stay on one side: otherwise dev would reward learning by heart.
            rows = merged(given.rows)
            stratify = self._task == "classification"
            folds = folds_of(self.cv, rows.target, groups=rows.groups, seed=seed, stratify=stratify)
        else:
            rows = given.rows
            place = np.full(len(y), -1)
            place[given.places] = np.arange(len(rows))
            found = [(place[here], place[there]) for here, there in given_folds(self.cv, X, y, groups=groups)]
            # Rows of zero weight have no place.
            folds = [(here[here >= 0], there[there >= 0]) for here, there in found]
        return [self._fold(rows, fold, given.columns) for fold in folds]

    def _fold(self, rows: Rows, fold: Fold, columns: tuple[Column, ...]) -> FoldData:
        if not all(map(len, fold)):
            found = f"{len(fold[0])} rows to train on and {len(fold[1])} for dev"
            raise BadInput("both sides of a fold must have rows of positive weight", found=found, remedy="Correct cv")
        train, dev = merged(rows.take(fold[0]).ungrouped()), merged(rows.take(fold[1]))
        data = prepared(self._weighted(train), dev, columns=columns, classes=self._class_count)
        return FoldData(data, train.weights)

    def _chosen(self, found: Comparison, *, counted: bool) -> Config:
        """Store the comparison in attributes, as LassoCV does, and return the config to train on all rows."""
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
    """Return the places of candidates that differ from the best only in lambda (of all if none do), rising."""

    def without(config: Config) -> Config:
        return replace(config, regularization=replace(config.regularization, l2=0.0))

    same = [place for place, config in enumerate(configs) if without(config) == without(best)]
    return sorted(same if len(same) > 1 else range(len(configs)), key=lambda place: configs[place].regularization.l2)


DEFAULT_KNOBS = ("l2", "keep_prob")
DEFAULT_MEMBERS = 16
MOST_DECAY = 6.0
"""The largest default lambda leaves e^-6 of an initial weight at the end, unless a larger one is useful."""
MOST_SHRINK = 0.05


def candidates(
    config: Config, over: Space | Sequence[str] | str | None, *, rows: Rows, members: int | None
) -> list[Config]:
    """Return the configs to compare: `config` with different values of the knobs in `over`.

    `over` is a mapping from knobs to values, or names of knobs, which get their usual ranges, or None for lambda x
    keep_prob. `members` is the maximum number of configs; None means 16, or all of a given grid.
    """
    if over is None:
        space = _default(config, rows=len(rows), members=_count(members))
    elif isinstance(over, Mapping):
        space = over
    else:
        space = usual_space((over,) if isinstance(over, str) else tuple(over), config, rows=len(rows))
    if not isinstance(over, Mapping):
        # Usual ranges are known for rows that count once.
        space = {name: _times(values, rows.total / len(rows), name=name) for name, values in space.items()}
    asked = members if is_grid(space) else _count(members)
    return configs_of(config, space, rows=rows.total, members=None if over is None else asked)


def require_free(arguments: Mapping[str, Any], over: Any) -> None:
    """Raise BadInput for a regularizer that is both searched and set."""
    searched = {own_name(name) for name in ((over,) if isinstance(over, str) else over or DEFAULT_KNOBS)}
    for name, value in arguments.items():
        if name not in OFF or own_name(name) not in searched or value == (OFF[name] if name in KNOBS else None):
            continue
        others = [other for other in DEFAULT_KNOBS if other != own_name(name)]
        raise BadInput(
            "a knob must not be both searched and set",
            found=f"{name}={value!r} together with over={over!r}",
            remedy=f"Leave {name} out, or search without it: over={others!r}",
        )


def _default(config: Config, *, rows: int, members: int) -> Space:
    """Return lambda x keep_prob, with larger lambdas if the table is so small that there are few updates."""
    grid = default_grid(config, rows=rows, members=members)
    lambdas = 1 if isinstance(grid["l2"], Interval) else len(grid["l2"])
    least, most = useful_shrinks(config, rows=rows)
    # A schedule's mean is half its peak: so many updates take off the logarithm of this share of the weights.
    most = min(max(most, 2 * MOST_DECAY / total_updates(config, rows=rows)), MOST_SHRINK)
    shrinks = [0.0, *np.geomspace(least, most, lambdas - 1).tolist()]
    unit = rows / config.optimization.lr
    return {**grid, "l2": [float(f"{shrink * unit:.4g}") for shrink in shrinks]}


def _count(members: int | None) -> int:
    return DEFAULT_MEMBERS if members is None else count_of(members)


def _times(values: Values, factor: float, *, name: str) -> Values:
    # A decay in the unit of the cost grows with m.
    if NAMES[name].unit != "cost" or factor == 1:
        return values
    if isinstance(values, Interval):
        return replace(values, low=values.low * factor, high=values.high * factor)
    return [value * factor for value in values]


FOLDS = 5
MOST_FOLDED_ROWS = 20_000
"""Number of rows above which a single dev split of `DEV_SHARE` is accurate enough; it costs a fifth of five folds."""
DEV_SHARE = 0.2

Fold = tuple[Integers, Integers]
"""Places of the rows to train on, and of the rows to measure."""


def is_own(cv: Any) -> bool:
    """Return True if the folds are made here, that is, for None, a number of folds, or the share of one dev split."""
    return cv is None or (isinstance(cv, numbers.Real) and not isinstance(cv, bool))


def folds_of(cv: Any, labels: Any, *, groups: Any = None, seed: int, stratify: bool) -> list[Fold]:
    """Split rows into a number of folds, or by the share of one dev split; groups stay on one side.

    Without `cv` there are 5 folds, or a single dev split of a fifth above 20,000 rows. With `stratify`, the shares of
    the classes in `labels` are kept if the classes have enough rows. Raises BadInput if there are too few rows or
    groups, or if every class has too few rows.
    """
    rows = len(labels)
    if rows < 2:
        remedy = "Give more rows"
        raise BadInput("there must be at least one row to train on and one for dev", found="1 sample", remedy=remedy)
    counts = np.bincount(labels) if stratify else np.array([rows])
    if cv is None:
        most = int(counts.max()) if groups is None else len(np.unique(groups))
        cv = DEV_SHARE if rows > MOST_FOLDED_ROWS else max(2, min(FOLDS, most))
    elif groups is not None and cv > len(np.unique(groups)):
        found, remedy = f"cv={cv!r} for {len(np.unique(groups))} groups", "Give a lower cv, or rows of more groups"
        raise BadInput("there must be enough groups for all folds", found=found, remedy=remedy)
    splitter = _splitter(cv, groups=groups, seed=seed, counts=counts if stratify else None)
    try:
        with warnings.catch_warnings():
            # A class with fewer rows than folds is missing from some of them: that is what rows allow.
            warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
            return list(splitter.split(np.zeros((rows, 1)), labels, groups))
    except ValueError as error:
        found = f"cv={cv!r} for {rows} rows: {str(error).splitlines()[0].rstrip('.')}"
        raise BadInput(
            "there must be enough rows for all folds", found=found, remedy="Give a lower cv, or more rows"
        ) from error


def given_folds(cv: Any, X: Any, y: Any, *, groups: Any = None) -> list[Fold]:
    """Return the folds of a splitter or an iterable of (train, dev), checked against the rows of X."""
    if isinstance(cv, str | bool) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise BadInput(
            "cv must be a number of folds, a share, a splitter or an iterable of (train, dev)",
            found=f"cv={cv!r}",
            remedy="Give for example 5, 0.2 or KFold(5)",
        )
    found = [(np.asarray(train), np.asarray(dev)) for train, dev in check_cv(cv).split(X, y, groups)]
    if not found:
        raise BadInput("cv must give at least one fold", found="none", remedy="Give one (train, dev) pair or more")
    return [_checked(place, fold, rows=len(y)) for place, fold in enumerate(found)]


def _splitter(cv: Any, *, groups: Any, seed: int, counts: Integers | None) -> Any:
    if not (0 < cv < 1 or (cv >= 2 and cv % 1 == 0)):
        rule = "cv must be a number of folds, at least 2, or a share between 0 and 1"
        raise BadInput(rule, found=f"cv={cv!r}", remedy="Give for example 5 or 0.2")
    if cv < 1:
        stratified = counts is not None and counts[counts > 0].min() > 1
        shuffled = GroupShuffleSplit if groups is not None else StratifiedShuffleSplit if stratified else ShuffleSplit
        return shuffled(n_splits=1, test_size=float(cv), random_state=seed)
    if groups is not None:
        folded = StratifiedGroupKFold if counts is not None else GroupKFold
    else:
        folded = StratifiedKFold if counts is not None and counts.max() > 1 else KFold
    return folded(n_splits=int(cv), shuffle=True, random_state=seed)


def _checked(place: int, fold: Fold, *, rows: int) -> Fold:
    train, dev = (np.flatnonzero(side) if side.dtype == bool else side for side in fold)
    for side in (train, dev):
        if side.ndim != 1 or not len(side) or side.dtype.kind not in "iu":
            found = f"an array of shape {side.shape} and type {side.dtype} in fold {place}"
            raise BadInput("both sides of a fold must be arrays of row indices", found=found, remedy="Correct cv")
        if side.min() < -rows or side.max() >= rows:
            found = f"index {side.max() if side.max() >= rows else side.min()} in fold {place}, while X has {rows} rows"
            raise BadInput("folds must contain indices of rows of X", found=found, remedy="Correct cv")
    both = np.intersect1d(train % rows, dev % rows)
    if len(both):
        found = f"row {both[0]} ({len(both)} such rows) in fold {place}"
        raise BadInput("train and dev of a fold must not share rows", found=found, remedy="Correct cv")
    return train % rows, dev % rows
