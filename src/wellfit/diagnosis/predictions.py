"""The entry point for predictions: (y, prediction) for each part.

If features are given, the diagnosis also checks leakage, mismatch, regions and doubtful labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from wellfit.base.arguments import named
from wellfit.base.typing import Floats, Integers
from wellfit.data.features import features_of
from wellfit.data.read import read_table
from wellfit.data.schema import feature_columns, require_columns
from wellfit.diagnosis.diagnosis import Diagnosis, diagnose_losses
from wellfit.diagnosis.facts import Columns, Facts
from wellfit.diagnosis.labels import (
    Array,
    array_of,
    classes_of,
    codes_of,
    is_soft,
    looks_like_classes,
    nearest,
    probabilities_of,
    require_known,
    require_no_scores,
)
from wellfit.diagnosis.optimal_error import Optimal, reference
from wellfit.diagnosis.reference.from_rows import said_by_rows
from wellfit.diagnosis.reference.label_disagreement import counts_of, label_disagreement, majority_error
from wellfit.diagnosis.rows import NetworkOnRows, OpenRows, Predicted, Rows
from wellfit.exceptions import BadInput
from wellfit.records.goals import Goal, default_goal, goal_named
from wellfit.stats.intervals import Estimate

Pair: TypeAlias = tuple[Any, Any]
"""A pair (y, prediction), both with one entry per row."""


@named
def diagnose_predictions(  # noqa: PLR0913 - one argument per known fact
    *,
    train: Pair,
    dev: Pair,
    train_dev: Pair | None = None,
    test: Pair | None = None,
    goal: str | None = None,
    human_error: float | None = None,
    human_rows: int | None = None,
    optimal_error: tuple[float, float] | float | None = None,
    tolerance: float | None = None,
    classes: Sequence[Any] | None = None,
    labels_per_row: Sequence[Sequence[Any]] | None = None,
    label_voters: int = 1,
    groups: Mapping[str, Any] | None = None,
    features: Mapping[str, Any] | None = None,
) -> Diagnosis:
    """Diagnose any model from its predictions.

    Each part is a pair (y, prediction) of lists, numpy arrays, pandas, polars or pyarrow vectors, or tensors. If a
    regression goal is named, both may be [rows, targets], and losses are averaged over the targets. Predictions are
    labels, values, or probabilities [rows, classes] with the classes in the sorted order of the labels. For two
    classes, floats [rows] in [0, 1] are probabilities of the second class.

    Args:
        train: all training rows, predicted without dropout.
        dev: rows of the distribution that matters.
        train_dev: rows of the training distribution that were not trained on.
        test: rows of the test set, once it is unsealed.
        goal: by default error for classes (strings, booleans, at most 20 distinct integers, or columns of
            probabilities), and rmse for values.
        human_error: a person's error, the usual stand-in for the optimal error, in the goal's own unit.
        human_rows: number of rows on which it was measured.
        optimal_error: the optimal error as (low, high), or one number.
        tolerance: the largest gap that does not matter, in the goal's loss (.02 for 2 points; MSE for rmse).
        classes: the classes in the order of the probability columns, if it differs from the sorted order of the labels.
        labels_per_row: one column of labels per annotator, None where a label is missing; their rate of disagreement
            gives limits for the optimal error (goal error).
        label_voters: number of annotators whose majority vote is y; 1 if y is the label of one annotator.
        groups: for each part, the group of each row [rows] (a patient, a customer); intervals then resample whole
            groups.
        features: for each part, the inputs of the predictions, a frame or an array [rows, columns]; with them leakage,
            mismatch by columns, regions and doubtful labels are checked too.

    Raises:
        BadInput: for different lengths, missing values, labels that are not classes, labels without probabilities if
            the goal needs them, a single class for auc, or references and tolerances out of range.
    """
    given = {"train": train, "train_dev": train_dev, "dev": dev, "test": test}
    several = goal is not None and goal_named(goal).task == "regression"
    parts = {name: checked_pair(name, pair, several=several) for name, pair in given.items() if pair is not None}
    chosen, notes = goal_of(goal, parts)
    ready, levels = classified(parts, chosen, classes) if chosen.task == "classification" else (valued(parts), ())
    rows = {name: len(target) for name, (target, _) in ready.items()}
    of_part = {} if groups is None else _groups_of(groups, rows)
    if features is not None:
        _require_parts("features", features)
    measured: dict[str, Estimate] = {
        name: _estimate(name, chosen, pair, groups=of_part.get(name)) for name, pair in ready.items()
    }
    optimal = reference(goal=chosen, human_error=human_error, human_rows=human_rows, optimal_error=optimal_error)
    facts = Facts(goal=chosen) if features is None else facts_on_rows(features, ready, goal=chosen, groups=of_part)
    if labels_per_row is not None:
        optimal = _by_labels(labels_per_row, chosen, optimal, voters=label_voters)
    facts = replace(facts, predicted=_predicted(ready, goal=chosen, levels=levels, groups=of_part))
    if facts.rows is not None and optimal is None:
        facts = replace(facts, hint=said_by_rows(facts.rows.train, goal=chosen))
    return diagnose_losses(
        goal=chosen,
        facts=facts,
        optimal=optimal,
        train=measured["train"],
        train_sample=chosen.estimate(*ready["train"]) if len(ready["train"][0]) > 1 else None,
        train_dev=measured.get("train_dev"),
        dev=measured["dev"],
        test=measured.get("test"),
        tolerance=tolerance,
        notes=notes,
    )


def _by_labels(columns: Sequence[Sequence[Any]], goal: Goal, given: Optimal | None, *, voters: int) -> Optimal:
    """Return the optimal error of predicting the label of one annotator, or of a majority."""
    if given is not None or not goal.counts_rows:
        raise BadInput(
            "labels_per_row must be used with the goal error and without another reference",
            found=f"labels_per_row with {'another reference' if given else f'goal {goal.name}'}",
            remedy="Leave one of them out",
        )
    texts = [[None if label is None else str(label) for label in column] for column in columns]
    if len({len(column) for column in texts}) > 1:
        raise BadInput(
            "labels_per_row must have one label per row and annotator",
            found=f"columns of {', '.join(str(len(column)) for column in texts)} labels",
            remedy="Give every annotator's labels of the same rows, None where a label is missing",
        )
    counts = counts_of(texts)[0]
    return label_disagreement(counts).optimal if voters == 1 else majority_error(counts, voters=voters)


def checked_pair(name: str, pair: Pair, *, several: bool) -> tuple[Array, Array]:
    """Return (y, prediction) with the same number of rows; y is [rows, targets] only if a regression goal is named."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise BadInput(f"{name} must be (y, prediction)", found=type(pair).__name__, remedy="Give a pair of vectors")
    target, prediction = array_of(f"{name} y", pair[0]), array_of(f"{name} prediction", pair[1])
    if not several and _is_swapped(target, prediction):
        raise BadInput(
            f"{name} must be (y, prediction), in this order",
            found="probabilities first, and labels second",
            remedy="Swap the two",
        )
    if target.ndim == 2 and target.shape[1] == 1:
        target = target[:, 0]
    if prediction.ndim == 2 and prediction.shape[1] == 1:
        prediction = prediction[:, 0]
    fits = target.shape == prediction.shape if several else target.ndim == 1 and len(target) == len(prediction)
    if not fits:
        one_hot = target.ndim == 2 and not several
        raise BadInput(
            f"{name}: y must be a vector with one entry for each prediction",
            found=f"shapes {target.shape} and {prediction.shape}",
            remedy=(
                "For one-hot columns give class numbers, y.argmax(1); for several targets name the goal, such as rmse"
            )
            if one_hot
            else "Give both for the same rows",
        )
    return target, prediction


def _is_swapped(target: Array, prediction: Array) -> bool:
    """Return True if y contains probabilities and the prediction contains labels, so that the two must be swapped."""
    if target.dtype.kind != "f" or prediction.ndim != 1 or len(target) != len(prediction):
        return False
    inside = bool((target >= 0).all() and (target <= 1).all() and (target % 1 > 0).any())
    if target.ndim == 2 and target.shape[1] > 1:
        return inside and bool(np.allclose(target.sum(axis=1), 1, atol=1e-3))
    return inside and (prediction.dtype.kind not in "iufb" or set(np.unique(prediction).tolist()) == {0, 1})


def goal_of(name: str | None, parts: dict[str, tuple[Array, Array]]) -> tuple[Goal, tuple[str, ...]]:
    """Return the goal with this name, or the one that the targets and predictions suggest, with a note why."""
    if name is not None:
        return goal_named(name), ()
    target, prediction = parts["train"]
    if all(len({pair[side].dtype.kind for pair in parts.values()}) == 1 for side in (0, 1)) and prediction.ndim == 1:
        target, prediction = (np.concatenate([pair[side] for pair in parts.values()]) for side in (0, 1))
    require_no_scores(target, prediction)
    classified = looks_like_classes(target, prediction)
    found = default_goal("classification" if classified else "regression")
    if classified and target.dtype.kind in "iuf":
        count = len(np.unique(target))
        return found, (
            f"the goal is {found.name}, because y looks like {count} classes; name another goal if these are values.",
        )
    return found, (f"the goal is {found.name}, because y looks like {'classes' if classified else 'values'}.",)


def classified(
    parts: dict[str, tuple[Array, Array]], goal: Goal, classes: Sequence[Any] | None
) -> tuple[dict[str, tuple[Integers, Floats]], tuple[str, ...]]:
    """Return the class codes and probabilities [rows, classes] of each part, and the list of classes."""
    targets = [target for target, _ in parts.values()]
    if classes is None:
        known = classes_of(targets)
        labels = {name: prediction for name, (_, prediction) in parts.items() if not is_soft(prediction, known)}
        known = classes_of([known, *labels.values()])
        for name, said in labels.items():
            require_known(name, said, classes_of(targets))
        order = np.arange(len(known))
    else:
        named = array_of("classes", classes)
        known, order = np.unique(named), np.argsort(named)
        if len(known) != len(named):
            raise BadInput(
                "the names in classes must be distinct",
                found=f"{len(named)} names, {len(known)} distinct",
                remedy="Remove the repetitions",
            )
    ready: dict[str, tuple[Integers, Floats]] = {}
    for name, (target, prediction) in parts.items():
        if goal.needs_probabilities and not is_soft(prediction, known):
            raise BadInput(
                f"predictions must be probabilities for the goal {goal.name}",
                found=f"labels as predictions for {name}",
                remedy="Give probabilities [rows, classes], or choose the goal error",
            )
        moved = prediction[:, order] if prediction.ndim == 2 and prediction.shape[1] == len(order) else prediction
        probabilities = probabilities_of(f"{name} prediction", moved, known)
        ready[name] = codes_of(f"{name} y", target, known), probabilities
    return ready, tuple(map(str, known))


def valued(parts: dict[str, tuple[Array, Array]]) -> dict[str, tuple[Floats, Floats]]:
    """Return each part's target and prediction as numbers [rows]; BadInput for anything else."""
    for name, pair in parts.items():
        if any(array.dtype.kind not in "iufb" for array in pair):
            raise BadInput(
                "a regression goal must get numbers [rows]",
                found=f"{name}: types {pair[0].dtype} and {pair[1].dtype}, shapes {pair[0].shape} and {pair[1].shape}",
                remedy="Choose the goal error, or give numbers",
            )
    return {name: (target.astype(np.float64), values.astype(np.float64)) for name, (target, values) in parts.items()}


def _groups_of(groups: Mapping[str, Any], rows: Mapping[str, int]) -> dict[str, Array]:
    """Return the groups of each part, one per row."""
    _require_parts("groups", groups)
    found: dict[str, Array] = {}
    for name in groups.keys() & rows.keys():
        named = array_of(f"groups of {name}", groups[name])
        if named.shape != (rows[name],):
            raise BadInput(
                f"every row of {name} must have a group",
                found=f"{rows[name]} rows and groups of shape {named.shape}",
                remedy="Give one group for each row",
            )
        found[name] = named
    return found


def _require_parts(what: str, given: Any) -> None:
    if not isinstance(given, Mapping):
        raise BadInput(
            f"{what} must be given part by part",
            found=type(given).__name__,
            remedy=f'Write {what}={{"train": ..., "dev": ...}}',
        )
    for name in given:
        if name not in GIVEN:
            raise BadInput(
                f"{what} must be given for {', '.join(GIVEN)}",
                found=repr(name),
                remedy=f"Did you mean {nearest(str(name), GIVEN)!r}?",
            )


def _estimate(name: str, goal: Goal, pair: tuple[Integers | Floats, Floats], *, groups: Array | None) -> Estimate:
    if name == "train":  # over all training rows: a fixed number for this model
        return Estimate.fixed(goal.loss(*pair), rows=len(pair[0]))
    if groups is None:
        return goal.estimate(*pair)
    return goal.estimate(*pair, groups=np.unique(groups, return_inverse=True)[1])


def _predicted(
    ready: Mapping[str, tuple[Integers | Floats, Floats]],
    *,
    goal: Goal,
    levels: tuple[str, ...],
    groups: Mapping[str, Any],
) -> Predicted:
    told = {name: ready[name] for name in ("train", "dev")}
    codes = {name: np.unique(np.asarray(each).astype(str), return_inverse=True)[1] for name, each in groups.items()}
    return Predicted.over(told, goal=goal, train=told["train"][0], levels=levels, groups=codes)


PARTS = ("train", "train_dev", "dev")
GIVEN = (*PARTS, "test")


def _require_alike(tables: Mapping[str, pa.Table], rows: Mapping[str, int]) -> None:
    """Raise BadInput if a part's columns differ from those of train, or its number of rows from that of its y."""
    for part, table in tables.items():
        require_columns(
            table.column_names, tables["train"].column_names, rule=f"features of {part} that are those of train"
        )
        if table.num_rows != rows[part]:
            raise BadInput(
                f"{part}: features and y must have the same number of rows",
                found=f"{table.num_rows} and {rows[part]} rows",
                remedy="Give one row of features for each y",
            )


def facts_on_rows(
    features: Mapping[str, Any],
    ready: Mapping[str, tuple[Integers | Floats, Floats]],
    *,
    goal: Goal,
    groups: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Facts:
    """Return the facts about the columns, the rows of train, train-dev and dev, and the model's results on them.

    Without features for train and dev, or without a usable column, the only fact is the goal.

    Raises:
        BadInput: for different columns, or lengths that differ from those of y.
    """
    if any(target.ndim > 1 for target, _ in ready.values()):
        raise BadInput(
            "features must come with a single target",
            found=f"y of shape {ready['train'][0].shape}",
            remedy="Diagnose the targets one by one, or leave features out",
        )
    tables = {part: _table(features[part], part) for part in PARTS if part in features and part in ready}
    if not {"train", "dev"} <= tables.keys():
        return Facts(goal=goal)
    _require_alike(tables, {part: len(target) for part, (target, _) in ready.items()})
    together = pa.concat_tables(
        [table.select(tables["train"].column_names) for table in tables.values()], promote_options="permissive"
    )
    schema = feature_columns(together)
    if not schema.features:
        return Facts(goal=goal)
    values = features_of(tables, schema)
    codes = _codes(groups or {}, tables)
    classes = ready["dev"][1].shape[1] if goal.task == "classification" else 0
    losses = {part: goal.row_losses(*ready[part]) for part in tables}
    target = {part: ready[part][0] for part in tables}
    rows = {
        part: Rows(
            features=values[part], target=target[part], losses=losses[part], groups=codes.get(part), classes=classes
        )
        for part in tables
    }
    known = OpenRows(train=rows["train"], dev=rows["dev"], train_dev=rows.get("train_dev"), goal=goal, seed=seed)
    rival = None if known.opinion is None else goal.row_losses(known.dev.target, known.opinion)
    return Facts(
        goal=goal,
        columns=Columns(dropped={column.name: column.note for column in schema.dropped}),
        rows=known,
        network=NetworkOnRows(losses=losses, predictions=ready["dev"][1], rival=rival),
    )


def open_rows(parts: Mapping[str, Pair], *, goal: Goal) -> OpenRows | None:
    """Return the rows of train and dev from their (features, y), without a model; None if the features are no table."""
    try:
        tables = {part: _table(features, part) for part, (features, _) in parts.items()}
        _require_alike(tables, {part: len(y) for part, (_, y) in parts.items()})
        schema = feature_columns(
            pa.concat_tables(
                [table.select(tables["train"].column_names) for table in tables.values()], promote_options="permissive"
            )
        )
    except (BadInput, pa.ArrowException):
        return None
    if not schema.features:
        return None
    values = features_of(tables, schema)
    first = {}
    for part, (_, y) in parts.items():
        target = np.asarray(y).reshape(len(y), -1)[:, 0]
        # As texts, in which 1 and 1.0 are equal.
        first[part] = (target.astype(float) if target.dtype.kind in "biuf" else target).astype(str)
    known = np.unique(np.concatenate(list(first.values())))
    rows = {
        part: Rows(features=values[part], target=np.searchsorted(known, target), classes=0)
        for part, target in first.items()
    }
    return OpenRows(train=rows["train"], dev=rows["dev"], goal=goal)


def _table(features: Any, part: str) -> pa.Table:
    if isinstance(features, list | tuple) and features and isinstance(features[0], str):
        rule = f"features of {part} must be a table"  # texts are not names of files, as they are for `read_table`
        raise BadInput(rule, found="a list of texts", remedy="Pass a data frame or an array")
    if isinstance(features, np.ndarray):
        if features.ndim != 2:
            rule = f"features of {part} must be [rows, columns]"
            raise BadInput(rule, found=f"shape {features.shape}", remedy="Reshape")
        features = {f"x{place}": features[:, place] for place in range(features.shape[1])}
    return read_table(features, name=f"features of {part}").frame


def _codes(groups: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> dict[str, Integers]:
    """Return the code of each row's group [rows] for each part; a group has the same code in all parts."""
    if not all(part in groups for part in tables):
        return {}
    named: list[Array] = [np.asarray([str(group) for group in groups[part]]) for part in tables]
    codes = np.unique(np.concatenate(named), return_inverse=True)[1]
    ends = np.cumsum([len(part) for part in named])
    return dict(zip(tables, np.split(codes, ends[:-1]), strict=True))
