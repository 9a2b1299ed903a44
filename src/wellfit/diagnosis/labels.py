"""Vectors of labels, values and probabilities from any library, which are checked and turned into arrays."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.data.schema import MOST_INTEGER_CLASSES
from wellfit.exceptions import BadInput

SUM_SLACK = 0.01  # rounded probabilities, for example three decimals over many classes
ROUNDED = 0.005  # the most by which two decimals differ from a probability
EPSILON = 1e-9
_NAMED_AT_MOST = 5

Array = np.ndarray[Any, Any]


def array_of(name: str, values: Any) -> Array:
    """Return a list, a numpy, pandas, polars or pyarrow vector, or a tensor as an array without missing values.

    Raises:
        BadInput: if it is empty, ragged, or of the wrong shape, or has a missing or infinite value.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        rule = f"{name} must be a vector or a table of numbers"
        raise BadInput(rule, found=str(error), remedy="Give every row the same number of entries") from error
    if array.ndim not in (1, 2) or not array.size:
        rule = f"{name} must have at least one row, and one or two axes"
        raise BadInput(rule, found=f"shape {array.shape}", remedy="Give the rows")
    if array.dtype == object:
        array = _without_objects(name, array)
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        rule = f"{name} must have no missing or infinite values"
        raise BadInput(rule, found=f"row {row}", remedy="Remove such rows")
    return array


def looks_like_classes(target: Array, prediction: Array) -> bool:
    """Return True if values look like classes: columns of probabilities, strings, booleans, or certain whole numbers.

    Whole numbers are classes if all predictions are among them too (and are stored as integers, for any number of
    classes), or if there are at most 20 of them and the predictions are probabilities. Otherwise they are regression
    targets.
    """
    if prediction.ndim == 2 or target.dtype.kind in "bUS" or prediction.dtype.kind in "US":
        return True
    if not (target == np.round(target)).all():
        return False
    distinct, labelled = np.unique(target).size, bool(np.isin(prediction, target).all())
    if target.dtype.kind in "iu" and prediction.dtype.kind in "iu":
        return distinct <= MOST_INTEGER_CLASSES or (labelled and 2 * distinct <= len(target))
    return distinct <= MOST_INTEGER_CLASSES and (labelled or bool(prediction.min() >= 0 and prediction.max() <= 1))


def require_no_scores(target: Array, prediction: Array) -> None:
    """Refuse scores as predictions of two classes, such as logits or percent: neither labels nor probabilities.

    Raises:
        BadInput: for two whole numbers as targets, and fractions far outside [0, 1] as predictions.
    """
    if target.ndim > 1 or prediction.ndim > 1 or target.dtype.kind not in "iufb" or prediction.dtype.kind != "f":
        return
    labels = np.unique(target)
    low, high = float(prediction.min()), float(prediction.max())
    if len(labels) != 2 or (labels != np.round(labels)).any() or (prediction == np.round(prediction)).all():
        return
    if labels[0] - 1 <= low and high <= labels[1] + 1:
        return
    fix = "Divide percent by 100" if low >= 0 and high <= 100 else "Apply the sigmoid first"
    raise BadInput(
        "predictions of two classes must be labels, or probabilities of the second",
        found=f"values from {low:.4g} to {high:.4g} for the labels {labels[0]:g} and {labels[1]:g}",
        remedy=f"{fix}, or name the goal rmse if y is a value",
    )


def classes_of(arrays: Sequence[Array]) -> Array:
    """Return the distinct labels, sorted.

    Raises:
        BadInput: if some labels are strings and others are numbers.
    """
    _check_kinds(arrays)
    return np.unique(np.concatenate([np.unique(array) for array in arrays]))


def codes_of(name: str, labels: Array, classes: Array) -> Integers:
    """Return the index of each label in `classes` [rows].

    Raises:
        BadInput: for a label that is not a class (the message names the nearest one) or is of a different kind.
    """
    _check_kinds([labels, classes])
    codes = np.searchsorted(classes, labels).clip(0, len(classes) - 1)
    wrong = np.flatnonzero(classes[codes] != labels)
    if wrong.size:
        label, known = str(labels[wrong[0]]), [str(each) for each in classes]
        raise BadInput(
            f"every label in {name} must be one of the classes",
            found=f"{label!r} in row {wrong[0]}",
            remedy=f"Did you mean {nearest(label, known)!r}? The classes are {', '.join(known[:20])}",
        )
    return np.asarray(codes)


def require_known(name: str, prediction: Array, labels: Array) -> None:
    """Check predicted labels against the labels that occur in y.

    Raises:
        BadInput: if none of them is a label of any row, or one differs from a label only by case or blanks.
    """
    said = np.unique(prediction)
    strange = [str(each) for each in said[~np.isin(said, labels)]]
    known = {_spelled(str(each)): str(each) for each in labels}
    meant = {each: known[_spelled(each)] for each in strange if _spelled(each) in known}
    # Labels of a single class leave open what the others are called.
    if not strange or (not meant and (len(strange) < len(said) or len(known) == 1)):
        return
    near = meant or {each: nearest(each, list(known.values())) for each in strange}
    pairs = ", ".join(f"{other!r} for {each!r}" for each, other in list(near.items())[:_NAMED_AT_MOST])
    named = ", ".join(map(repr, list(near)[:_NAMED_AT_MOST]))
    rows = np.isin(prediction.astype(str), list(near)).sum()
    raise BadInput(
        f"predicted labels of {name} must be spelled like those in y",
        found=f"{named} in {rows:,} of {len(prediction):,} rows, but never in y",
        remedy=f"Did you mean {pairs}? The labels in y are {', '.join(map(str, labels[:20]))}",
    )


def _spelled(label: str) -> str:
    return label.strip().casefold()


def probabilities_of(name: str, prediction: Array, classes: Array) -> Floats:
    """Return probabilities [rows, classes] from columns, from one column of a binary task, or from predicted labels.

    Raises:
        BadInput: if the columns do not match the classes, or the values are not probabilities.
    """
    if prediction.ndim == 1 and not _is_score(prediction, classes):
        return np.eye(len(classes))[codes_of(name, prediction, classes)]
    table = prediction if prediction.ndim == 2 else np.column_stack([1 - prediction, prediction])
    if table.dtype.kind not in "fiub" or table.shape[1] != len(classes):
        raise BadInput(
            f"{name} must have one column of probabilities for each class, in the sorted order of the labels",
            found=f"{table.shape[1]} columns for the {len(classes)} classes {', '.join(map(str, classes[:20]))}",
            remedy="Give classes= if some class does not occur in any y, or if the columns are in a different order",
        )
    table = table.astype(np.float64)
    bad = np.flatnonzero(~_sound(table))
    if bad.size:
        raise BadInput(
            f"probabilities in {name} must be between 0 and 1 and add up to 1",
            found=f"{np.round(table[bad[0]], 4).tolist()[:20]} in row {bad[0]}",
            remedy="Divide by 100, since these are percentages" if _in_percent(table) else "Apply the softmax first",
        )
    return table


def _sound(table: Floats) -> Booleans:
    """[rows] True where values [rows, classes] are probabilities that add up to 1, up to rounding."""
    slack = max(SUM_SLACK, ROUNDED * table.shape[1]) + EPSILON
    return np.asarray((table >= 0).all(1) & (table <= 1).all(1) & (np.abs(table.sum(1) - 1) <= slack))


def adds_up(table: Array) -> bool:
    """Return True if columns of values [rows, classes] are probabilities that add up to 1 in every row."""
    return table.dtype.kind in "fiub" and bool(_sound(table.astype(np.float64)).all())


def require_shares(name: str, values: Array) -> None:
    """Check the probabilities of one of two classes.

    Raises:
        BadInput: if a value is not between 0 and 1.
    """
    numbers = values.dtype.kind in "fiub"
    bad = np.flatnonzero((values < 0) | (values > 1)) if numbers else np.array([0])
    if bad.size:
        percent = numbers and bool((values >= 0).all() and (values <= 100).all())
        raise BadInput(
            f"{name} must contain probabilities between 0 and 1",
            found=f"{values[bad[0]]} in row {bad[0]}",
            remedy="Divide percent by 100" if percent else "Apply the sigmoid first",
        )


def _in_percent(table: Floats) -> bool:
    return bool((table >= 0).all() and (np.abs(table.sum(1) - 100) <= 100 * SUM_SLACK).all())


def is_soft(prediction: Array, classes: Array) -> bool:
    """Return True if a prediction contains probabilities rather than labels."""
    return prediction.ndim == 2 or _is_score(prediction, classes)


def _check_kinds(arrays: Sequence[Array]) -> None:
    kinds = {"text" if array.dtype.kind in "US" else "number" for array in arrays}
    if len(kinds) > 1:
        rule = "labels and predicted labels must be of the same kind"
        raise BadInput(rule, found="strings and numbers", remedy="Convert one of them")


def _is_score(prediction: Array, classes: Array) -> bool:
    """Return True for one column of floats in [0, 1] with two classes, which are probabilities of the second class."""
    if prediction.dtype.kind != "f" or len(classes) != 2 or np.isin(prediction, classes).all():
        return False
    return bool(prediction.min() >= 0 and prediction.max() <= 1)


def _without_objects(name: str, array: Array) -> Array:
    try:
        column = pa.array(array.ravel().tolist(), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise BadInput(
            f"{name} must contain values of a single kind", found=str(error), remedy="Convert them"
        ) from error
    if column.null_count:
        row = int(np.flatnonzero(np.asarray(column.is_null()))[0] // (array.size // len(array)))
        raise BadInput(f"{name} must have no missing values", found=f"row {row}", remedy="Remove such rows")
    plain = np.asarray(column.to_pylist())
    if plain.dtype == object or plain.size != array.size:
        raise BadInput(f"{name} must contain numbers or strings", found=str(column.type), remedy="Convert them")
    return plain.reshape(array.shape)


def nearest(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    """Return the known name that is most similar to a given one."""
    return difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.0)[0]
