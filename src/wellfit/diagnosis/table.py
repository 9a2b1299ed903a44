"""The entry point for a file of predictions: columns split, y, prediction or p_<class>, and any features."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.data.dialect import CsvFormat
from wellfit.data.read import read_table
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.error_analysis import Predictions
from wellfit.diagnosis.labels import Array, adds_up, array_of, nearest, require_shares
from wellfit.diagnosis.predictions import Pair, checked_pair, classified, diagnose_predictions, goal_of, valued
from wellfit.exceptions import BadInput

PARTS = ("train", "train_dev", "dev", "test")
PREFIX = "p_"
OWN = ("split", "y", "prediction")
_ALIKE = 0.7
_USUAL: Mapping[str, Sequence[str]] = {
    "split": ("part", "set", "fold", "subset", "dataset", "partition"),
    "y": ("y_true", "target", "label", "true", "truth", "actual", "y_test"),
    "prediction": ("pred", "y_pred", "yhat", "y_hat", "predicted", "predictions", "preds", "output"),
}
"""Other names that programs give to these columns."""


def read_predictions(source: Any, *, csv_format: CsvFormat) -> pa.Table:
    """Read a table of predictions from a file or a frame.

    Raises:
        BadInput: the file cannot be read, or y or prediction has a word for a missing value: it may be a class, as NA.
    """
    table = read_table(source, name="PREDICTIONS", csv_format=csv_format)
    for name in ("y", "prediction"):
        words = table.readings[name].missing if name in table.readings else {}
        if words:
            raise BadInput(
                f"column {name} must have no missing values",
                found=", ".join(f"{word!r} in {count:,} rows" for word, count in words.items()),
                remedy="Give --missing '' if that is a class, or remove such rows",
            )
    return table.frame


def dev_predictions(table: pa.Table, *, goal: str | None = None, group_on: str | None = None) -> Predictions:
    """Return the predictions of dev in a table of predictions, for the analysis of errors.

    Raises:
        BadInput: as `diagnose_table`.
    """
    parts, classes = parts_of_table(table)
    checked = {name: checked_pair(name, pair, several=False) for name, pair in parts.items()}
    chosen, _ = goal_of(goal, checked)
    labelled = chosen.task == "classification"
    ready, levels = classified(checked, chosen, classes) if labelled else (valued(checked), ())
    mask = _masks(table["split"])["dev"]
    groups = (
        None if group_on is None else np.unique(_groups(table, group_on, {"dev": mask})["dev"], return_inverse=True)
    )
    return Predictions(
        target=ready["dev"][0],
        predictions=ready["dev"][1],
        classes=levels,
        groups=None if groups is None else groups[1],
        table=table.filter(pa.array(mask)),
        names=np.flatnonzero(mask) + 1,
    )


def diagnose_table(
    table: pa.Table,
    *,
    goal: str | None = None,
    human_error: float | None = None,
    human_rows: int | None = None,
    optimal_error: tuple[float, float] | float | None = None,
    tolerance: float | None = None,
    labels_per_row: Sequence[str] | None = None,
    label_voters: int = 1,
    group_on: str | None = None,
) -> Diagnosis:
    """Diagnose any model from a table of predictions.

    The columns are `split` (train, train_dev or train-dev, dev, test), `y`, and `prediction` or one `p_<class>` for
    each class. Probabilities are used if every class of y has its column. Other columns are features, in which leakage,
    mismatch and regions are checked.

    `labels_per_row` names columns with the labels of one annotator each, and `group_on` names the column with the group
    of each row. The other arguments are those of `diagnose_predictions`.

    Raises:
        BadInput: for a missing column, an unknown split, no rows of train or dev, and whatever `diagnose_predictions`
            refuses.
    """
    parts, classes = parts_of_table(table)
    masks = _masks(table["split"])
    inputs = table.select(_feature_names(table, beside=(*(labels_per_row or ()), *([group_on] if group_on else []))))
    found = diagnose_predictions(
        train=parts["train"],
        dev=parts["dev"],
        train_dev=parts.get("train_dev"),
        test=parts.get("test"),
        goal=goal,
        human_error=human_error,
        human_rows=human_rows,
        optimal_error=optimal_error,
        tolerance=tolerance,
        classes=classes,
        labels_per_row=None if labels_per_row is None else _annotators(table, labels_per_row),
        label_voters=label_voters,
        groups=None if group_on is None else _groups(table, group_on, masks),
        features={part: inputs.filter(pa.array(mask)) for part, mask in masks.items()} if inputs.num_columns else None,
    )
    return replace(found, notes=(*found.notes, *_beside_probabilities(table)))


def parts_of_table(table: pa.Table) -> tuple[dict[str, Pair], list[Any] | None]:
    """Return (y, prediction) of each part, and the classes in the order of their columns; None for labels and values.

    Raises:
        BadInput: as `diagnose_table`.
    """
    for column in ("split", "y"):
        _require(table, column)
    masks = _masks(table["split"])
    target = array_of("column y", _plain(table["y"]))
    said = _prediction(table, target)
    parts: dict[str, Pair] = {name: (target[mask], said.values[mask]) for name, mask in masks.items()}
    for needed in ("train", "dev"):
        if needed not in parts:
            raise BadInput(
                "a diagnosis must have rows of train and of dev",
                found=f"only {', '.join(parts)} in column split",
                remedy=f"Add the predictions of {needed}",
            )
    return parts, said.classes


def _feature_names(table: pa.Table, *, beside: Sequence[str]) -> list[str]:
    """Return the columns that are neither predictions nor named after a class."""
    target = array_of("column y", _plain(table["y"]))
    classes = {_text(label).lower() for label in np.unique(target)} if target.dtype.kind != "f" else set()
    own = {*OWN, *beside, *_prediction(table, target).used}
    return [
        name
        for name in table.column_names
        if name not in own and not (name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() in classes)
    ]


def _groups(table: pa.Table, column: str, masks: dict[str, Array]) -> dict[str, Array]:
    """Return the group of every row, by part."""
    _require(table, column)
    named = np.asarray([str(group) for group in table[column].to_pylist()])
    return {part: named[mask] for part, mask in masks.items()}


def _annotators(table: pa.Table, columns: Sequence[str]) -> list[list[str | None]]:
    """Return a list of labels for each annotator."""
    for column in columns:
        _require(table, column)
    if len(columns) < 2:
        raise BadInput(
            "--labels-per-row must name the columns of at least two annotators",
            found=", ".join(columns) or "none",
            remedy="Name them all: --labels-per-row anna,ben,carl",
        )
    return [table[column].cast(pa.string()).to_pylist() for column in columns]


def _require(table: pa.Table, column: str) -> None:
    if column not in table.column_names:
        raise BadInput(
            "a table of predictions must have the columns split, y, and prediction or p_<class>",
            found=f"no column {column} among {', '.join(table.column_names[:20])}",
            remedy=_name_for(column, table.column_names),
        )
    if table.column_names.count(column) > 1:
        raise BadInput("column names must be unique", found=f"{column} twice", remedy="Rename one of them")


def _name_for(column: str, present: Sequence[str]) -> str:
    """Return the remedy for a missing column: rename one with a similar name, unless that has another role."""
    others = [name for name in present if name not in OWN and not name.startswith(PREFIX)]
    folded = {name.casefold(): name for name in others}
    close = difflib.get_close_matches(column, folded, n=1, cutoff=_ALIKE)
    usual = [folded[word] for word in _USUAL.get(column, ()) if word in folded]
    if name := next(iter(usual), folded[close[0]] if close else None):
        return f"Rename {name!r}?"
    return f"Rename the column that contains it to {column!r}"


def _masks(split: pa.ChunkedArray) -> dict[str, Array]:
    names = np.asarray([str(name).strip().lower().replace("-", "_") for name in split.to_pylist()])
    unknown = np.flatnonzero(~np.isin(names, PARTS))
    if unknown.size:
        row = int(unknown[0])
        raise BadInput(
            f"column split must contain {', '.join(PARTS)}",
            found=f"{split[row].as_py()!r} in row {row}",
            remedy=f"Did you mean {nearest(str(names[row]), PARTS)!r}? A validation set is called dev here",
        )
    return {part: names == part for part in PARTS if (names == part).any()}


@dataclass(frozen=True)
class _Said:
    """The predictions: labels or values, or probabilities of `classes` from the columns `used`."""

    values: Array
    classes: list[Any] | None = None
    used: tuple[str, ...] = ()


def _prediction(table: pa.Table, target: Array) -> _Said:
    """Return the predictions and, for probabilities, the classes in the order of their columns."""
    columns = [name for name in table.column_names if name.startswith(PREFIX)]
    labels = {_text(label): label for label in np.unique(target)} if columns else {}
    named = {name.removeprefix(PREFIX): name for name in columns}
    if target.dtype.kind == "b":  # pandas writes p_True
        named = {text.lower(): name for text, name in named.items()}
    present = [text for text in labels if text in named]
    if labels and len(present) == len(labels):
        return _of_all_classes(table, labels, named, target=target)
    if len(labels) == 2 and len(present) == 1:
        (text,) = present
        (other,) = labels.keys() - {text}
        values = array_of(f"column {named[text]}", _plain(table[named[text]]))
        require_shares(f"column {named[text]}", values)
        return _Said(np.column_stack([1 - values, values]), [labels[other], labels[text]], (named[text],))
    if "prediction" in table.column_names:
        return _Said(array_of("column prediction", _plain(table["prediction"])))
    if not columns:
        _require(table, "prediction")
    missing = [f"{PREFIX}{label}" for label in labels if label not in named]
    spelled = {column.casefold(): column for column in columns}
    meant = [f"{spelled[name.casefold()]!r} to {name!r}" for name in missing if name.casefold() in spelled]
    raise BadInput(
        "every class in y must have a column p_<class>",
        found=f"no column {', '.join(missing[:5])} among {', '.join(columns[:20])}",
        remedy=f"Rename {' and '.join(meant[:5])}" if meant else "Add it, or add a column prediction",
    )


def _of_all_classes(table: pa.Table, labels: dict[str, Any], named: dict[str, str], *, target: Array) -> _Said:
    """Return the probabilities; a column such as p_value, without which they add up to 1, is none of a class."""
    ways = [_all_classes(labels, named, target)]
    ways.append((list(labels.values()), [named[text] for text in labels]))
    said = []
    for classes, used in ways:
        stacked = [array_of(f"column {name}", _plain(table[name])) for name in used]
        said.append(_Said(np.column_stack(stacked), classes, tuple(used)))
    every, known = said
    return known if not adds_up(every.values) and adds_up(known.values) else every


def _beside_probabilities(table: pa.Table) -> tuple[str, ...]:
    """Return notes: on columns p_<name> that are features, and on a column prediction unlike the probabilities."""
    target = array_of("column y", _plain(table["y"]))
    said = _prediction(table, target)
    if said.classes is None:
        return ()
    features = [name for name in _feature_names(table, beside=()) if name.startswith(PREFIX)]
    notes = [f"{', '.join(features)}: taken for features, because the probabilities add up to 1 without them."]
    return (*(notes if features else ()), *_unlike_most_probable(table, said))


def _unlike_most_probable(table: pa.Table, said: _Said) -> tuple[str, ...]:
    if "prediction" not in table.column_names or said.classes is None:
        return ()
    named = np.array([_text(label) for label in said.classes])
    known = np.asarray(table["prediction"].is_valid())
    labels = np.array([_text(label) for label in table["prediction"].drop_null().to_numpy()])
    if not np.isin(labels, named).any():
        return (
            (
                "the column prediction was not used, because there are columns p_<class>, and its values are not among "
                "the classes."
            ),
        )
    other = int((labels != named[said.values[known].argmax(axis=1)]).sum())
    if not other:
        return ()
    return (
        f"in {other:,} of {len(labels):,} rows the column prediction differs from the most probable class; the columns "
        "p_<class> were used. To judge the column prediction (if it uses a different threshold, for example), leave "
        "these columns out.",
    )


def _all_classes(labels: dict[str, Any], named: dict[str, str], target: Array) -> tuple[list[Any], list[str]]:
    """Return the classes that have a column, even if no row has them, provided their names have the type of y."""
    classes, used = [], []
    for text, column in named.items():
        if text in labels:
            label = labels[text]
        elif target.dtype.kind == "U":
            label = text
        elif target.dtype.kind in "iu" and text.lstrip("-").isdigit():
            label = int(text)
        else:
            continue
        classes.append(label)
        used.append(column)
    return classes, used


def _text(label: Any) -> str:
    if isinstance(label, np.floating) and float(label).is_integer():
        return str(int(label))
    return str(label).lower() if isinstance(label, np.bool_) else str(label)


def _plain(column: pa.ChunkedArray) -> Any:
    """Return the column as a numpy array, in which categories are replaced by their labels."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    return column.to_pylist() if column.null_count else column.to_numpy()
