"""The diagnosis of any scikit-learn estimator or pipeline, either fitted already or fitted here on part of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, clone, is_classifier, is_regressor
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import _safe_indexing as rows_of
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, indexable

from wellfit.base.arguments import named
from wellfit.base.generators import kept_generators
from wellfit.base.typing import Integers, Task
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.leakage.duplicates import same_rows
from wellfit.diagnosis.predictions import Pair, diagnose_predictions, open_rows
from wellfit.exceptions import BadInput
from wellfit.records.goals import Goal, default_goal, goal_named

DEV_SHARE = 0.2
"""Share of the rows that are held out of the fit if no dev rows are given."""
LEAST_GROUPS = 2
"""Fewest dev groups from which an interval can be computed."""
_SCORE_SLACK = 1e-9
_ONLY_COPIES = (
    "the rows were only checked for copies; wf.diagnose_predictions(..., features=...) also checks for other leaks, "
    "mismatch and regions."
)
_UNSEEN_ROWS = "the rows were not checked for copies, because X is not a table of numbers, text, booleans and dates."


@named
def diagnose_estimator(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    dev: tuple[Any, Any] | None = None,
    groups: Any = None,
    dev_share: float = DEV_SHARE,
    seed: int = 0,
    **options: Any,
) -> Diagnosis:
    """Diagnose where the error of an estimator comes from, and what to do about it.

        wf.diagnose_estimator(make_pipeline(StandardScaler(), SVC()), X, y, human_error=.02)      # fits a clone
        wf.diagnose_estimator(fitted, X_train, y_train, dev=(X_dev, y_dev))                       # fits nothing

    Goals that score labels (error, balanced_error, f1) judge the output of `predict`, like `score`, with whatever
    threshold the estimator uses. log_loss and auc judge `predict_proba`; for two classes and without `predict_proba`,
    auc judges `decision_function`.

    Args:
        estimator: a classifier or regressor, or a pipeline that ends in one. Without `dev` a clone is fitted, and the
            estimator itself is never changed.
        X: array [rows, features] or data frame with the training rows or, without `dev`, all rows.
        y: their target [rows]; for a regressor also [rows, targets], and losses are averaged over the targets.
        dev: (X, y) of rows on which the estimator was not fitted.
        groups: the group of each row [rows]; the rows of a group stay in the same part, and intervals resample whole
            groups. With `dev`, the groups of each part, as in {"dev": groups}.
        dev_share: share of the rows that become dev if no dev rows are given, stratified by class.
        seed: the seed of the split into train and dev.
        **options: as for `diagnose_predictions`: goal (by default error for a classifier, rmse for a regressor),
            human_error, human_rows, optimal_error, tolerance.

    Raises:
        BadInput: for rows that do not fit together, an estimator that is not fitted (with `dev`), a goal that cannot
            judge it, and anything that `diagnose_predictions` refuses.
    """
    if dev is not None and (not isinstance(dev, tuple | list) or len(dev) != 2):
        raise BadInput("dev must be (X, y)", found=type(dev).__name__, remedy="Give X and y as a pair")
    try:
        goal = _goal_of(estimator, options)
    except AttributeError as error:
        raise BadInput(
            "an estimator must be a scikit-learn estimator",
            found=f"{type(estimator).__name__}, which does not derive from sklearn.base.BaseEstimator",
            remedy="Give its predictions to wf.diagnose_predictions",
        ) from error
    if goal is not None:
        options = {**options, "goal": goal.name}
    _check_targets(estimator, [y] if dev is None else [y, dev[1]], goal)
    if dev is not None:
        if groups is not None and not isinstance(groups, Mapping):
            raise BadInput(
                "groups that are given with dev rows must name their part",
                found=f"groups of type {type(groups).__name__} with dev",
                remedy='Give groups={"dev": groups_of_the_dev_rows}',
            )
        parts = _Parts(train=(X, y), dev=(dev[0], dev[1]), groups=groups or {})
        with kept_generators():
            return _diagnosed(_fitted(estimator), parts, goal=goal, options=options)
    parts = _divided(estimator, X, y, groups=groups, share=dev_share, seed=seed)
    with kept_generators():
        more = {"groups": parts.groups["train"]} if parts.groups and has_fit_parameter(estimator, "groups") else {}
        return _diagnosed(clone(estimator).fit(*parts.train, **more), parts, goal=goal, options=options)


@dataclass(frozen=True)
class _Parts:
    """(X, y) of train and dev, and the groups of their rows if they are known."""

    train: Pair
    dev: Pair
    groups: Mapping[str, Any]


def _goal_of(estimator: Any, options: Mapping[str, Any]) -> Goal | None:
    """Return the goal, after a check that it can judge the estimator; None if nothing determines it."""
    task: Task | None = (
        "classification" if is_classifier(estimator) else "regression" if is_regressor(estimator) else None
    )
    if options.get("goal") is None:
        return default_goal(task) if task else None
    goal = goal_named(options["goal"], task=task)
    if goal.needs_probabilities and _judged_by(estimator, goal) == "predict":
        raise BadInput(
            f"predictions must be probabilities for the goal {goal.name}",
            found=f"{type(estimator).__name__} without predict_proba",
            remedy="Choose the goal error, or wrap the estimator in CalibratedClassifierCV",
        )
    return goal


def _check_targets(estimator: Any, targets: list[Any], goal: Goal | None) -> None:
    """Refuse, before a fit, targets that cannot be judged, such as several labels for each row."""
    wide = [np.shape(y) for y in targets if len(np.shape(y)) > 1 and np.shape(y)[1] > 1]
    if wide and (is_classifier(estimator) or goal is None or goal.task == "classification"):
        raise BadInput(
            "a classifier's target must be one label for each row",
            found=f"a target of shape {wide[0]}",
            remedy="Diagnose the labels one by one, each as its own target",
        )
    if _judged_by(estimator, goal) == "decision_function" and len(np.unique(np.asarray(targets[0]))) > 2:
        raise BadInput(
            "predictions must be probabilities for the goal auc with more than two classes",
            found=f"{type(estimator).__name__} without predict_proba",
            remedy="Wrap it in CalibratedClassifierCV",
        )


def _fitted(estimator: Any) -> Any:
    try:
        check_is_fitted(estimator)
    except (ValueError, TypeError) as error:
        raise BadInput(
            "an estimator that is given with dev rows must be fitted",
            found=str(error).splitlines()[0],
            remedy="Fit it on the training rows, or leave dev out",
        ) from error
    return estimator


def _divided(estimator: Any, X: Any, y: Any, *, groups: Any, share: float, seed: int) -> _Parts:
    try:
        X, y, groups = indexable(X, y, groups)
    except ValueError as error:
        raise BadInput(
            "X, y and groups must have the same number of rows", found=str(error), remedy="Give one entry for each row"
        ) from error
    here, there = _division(estimator, np.asarray(y), groups, share=share, seed=seed)
    train, dev = ((rows_of(X, rows), rows_of(y, rows)) for rows in (here, there))
    if groups is None:
        return _Parts(train, dev, {})
    of_part = {"train": rows_of(groups, here), "dev": rows_of(groups, there)}
    if len(np.unique(np.asarray(of_part["dev"]))) < LEAST_GROUPS:
        raise BadInput(
            "dev must have at least two groups, so that an interval can be computed",
            found=f"{len(np.unique(np.asarray(groups)))} groups, with a single one in dev",
            remedy="Give a larger dev_share, or more groups",
        )
    return _Parts(train, dev, of_part)


def _division(estimator: Any, y: Any, groups: Any, *, share: float, seed: int) -> tuple[Integers, Integers]:
    if not 0 < share < 1:
        raise BadInput("dev_share must be between 0 and 1", found=f"dev_share={share!r}", remedy="Give for example 0.2")
    kind: Callable[..., Any]
    if groups is not None:
        kind = GroupShuffleSplit
    else:
        kind = StratifiedShuffleSplit if is_classifier(estimator) else ShuffleSplit
    try:
        here, there = next(kind(n_splits=1, test_size=share, random_state=seed).split(y, y, groups))
    except ValueError as error:
        raise BadInput(
            "there must be enough rows for train and dev",
            found=f"{len(y)} rows: {str(error).splitlines()[0]}",
            remedy="Give more rows, or your own dev rows",
        ) from error
    return here, there


def _diagnosed(fitted: Any, parts: _Parts, *, goal: Goal | None, options: dict[str, Any]) -> Diagnosis:
    by = _judged_by(fitted, goal)
    pairs = [(y, _predicted(fitted, X, by=by)) for X, y in (parts.train, parts.dev)]
    classes = None if by == "predict" else list(fitted.classes_)
    found = diagnose_predictions(train=pairs[0], dev=pairs[1], classes=classes, groups=parts.groups, **options)
    found = replace(found, notes=(*found.notes, *_other_score(fitted, parts.dev, found)))
    return found if "features" in options else _with_copies(found, parts)


def _with_copies(found: Diagnosis, parts: _Parts) -> Diagnosis:
    """Return the diagnosis with the finding on copies (WF203), and a note on what was not checked."""
    rows = open_rows({"train": parts.train, "dev": parts.dev}, goal=found.goal)
    if rows is None:
        return replace(found, notes=(*found.notes, _UNSEEN_ROWS))
    copies = same_rows(rows=rows)
    findings = tuple(copies if each.code == copies.code else each for each in found.findings)
    return replace(found, findings=findings, notes=(*found.notes, _ONLY_COPIES))


def _judged_by(estimator: Any, goal: Goal | None) -> str:
    """Return the name of the estimator's method whose output the goal scores."""
    if goal is None or not goal.needs_probabilities:
        return "predict"
    of_order = ("decision_function",) if goal.reads == "order" else ()
    return next((name for name in ("predict_proba", *of_order) if hasattr(estimator, name)), "predict")


def _predicted(fitted: Any, X: Any, *, by: str) -> Any:
    found = np.asarray(getattr(fitted, by)(X))
    # Any increasing function keeps the order; this one keeps apart what a sigmoid would round to 1.
    return (1 + found / (1 + np.abs(found))) / 2 if by == "decision_function" else found


def _other_score(fitted: Any, dev: Pair, found: Diagnosis) -> tuple[str, ...]:
    """Return a note if the estimator's own `score` differs from 1 - error."""
    own = getattr(type(fitted), "score", None)
    if not (found.goal.counts_rows and is_classifier(fitted)) or own in (None, ClassifierMixin.score):
        return ()
    score = float(fitted.score(*dev))
    if abs(score - (1 - found.errors.dev.value)) <= _SCORE_SLACK:
        return ()
    return (
        f"score() of {type(fitted).__name__} is {score:.4g} on dev, which differs from 1 - error "
        f"({1 - found.errors.dev.value:.4g}), so it measures something else.",
    )
